"""Looking at a file offline: kind, edition, envelope, schema, rules, signature, certificate."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.customs.ceb.verify import FileReport, Inspector, Outcome, SignatureState, Source
from gateway.domain.findings import Severity
from schemas.envelope import wrap
from signing import CEB_SM2_SM3, CEB_SM2_UNOFFICIAL, Profile, sign
from tests.unit.customs import receipts
from tests.unit.signing.make import file_key
from tests.unit.signing.make_sm2 import sm2_key

SAMPLES = Path(__file__).parents[2] / "samples" / "customs"
ORDER = (
    (SAMPLES / "order_full.xml").read_bytes().strip().replace(b"20260301093000", b"20260901120000")
)
INVENTORY = (SAMPLES / "inventory_bonded.xml").read_bytes()
NOW = datetime(2026, 9, 1, tzinfo=UTC)
SIGNED = sign(ORDER, file_key(), canonical=True).content


@pytest.fixture(scope="module")
def inspector() -> Inspector:
    return Inspector(NOW)


def rules(report: FileReport) -> list[tuple[str, str]]:
    return [(one.source.value, one.rule) for one in report.findings]


def changed(data: bytes, field: str, old: str, new: str) -> bytes:
    before, after = (f"<ceb:{field}>{text}</ceb:{field}>".encode() for text in (old, new))
    assert data.count(before) == 1
    return data.replace(before, after)


def test_a_sound_signed_order(inspector: Inspector) -> None:
    report = inspector.inspect(SIGNED)
    assert (report.kind, report.edition, report.direction) == (
        "CEB311Message",
        "202205",
        "import",
    )
    assert (report.records, report.outcome) == (1, Outcome.CLEAN)
    assert report.findings == ()
    assert "订单" in report.title_zh
    assert report.signature is not None
    assert report.signature.state is SignatureState.VALID
    facts = report.signature.certificate
    assert facts is not None
    assert (facts.serial, facts.key_bits) == ("0300000000012345", 2048)
    assert "110101199003070003" not in repr(facts)
    assert "开发测试" not in repr(facts)


def test_an_enveloped_message_tells_of_its_envelope(inspector: Inspector) -> None:
    data = wrap(
        SIGNED,
        cop_msg_id="M-1",
        sender_id="DXPENT0000000001",
        receiver_ids=("DXPEDCCEB0000002",),
        created="2026-09-01T12:00:00",
        msg_type="CEB621Message",
    )
    report = inspector.inspect(data)
    assert report.envelope is not None
    assert (report.envelope.kind, report.envelope.cop_msg_id) == ("DxpMsg", "M-1")
    assert rules(report) == [("envelope", "MSG-TYPE")]
    assert report.outcome is Outcome.FAULTY


def test_all_schema_faults_with_label_path_value_and_rule(inspector: Inspector) -> None:
    data = changed(ORDER, "goodsValue", "199", "1.1234567")
    data = changed(data, "buyerIdNumber", "110101199003070003", "9" * 61)
    data = data.replace("<ceb:buyerName>王小明</ceb:buyerName>".encode(), b"")
    found = {one.path: one for one in inspector.inspect(data).findings if one.source == "schema"}
    assert set(found) == {
        "Order[1]/OrderHead/goodsValue",
        "Order[1]/OrderHead/buyerIdNumber",
        "Order[1]/OrderHead/buyerName",
    }
    value = found["Order[1]/OrderHead/goodsValue"]
    assert (value.rule, value.value) == ("fraction-digits", "1.1234567")
    assert (value.label_zh, value.severity) == ("商品价格", Severity.BLOCK)
    assert "商品价格" in value.zh
    assert "1.1234567" in value.en
    missing = found["Order[1]/OrderHead/buyerName"]
    assert (missing.rule, missing.value) == ("required", None)
    personal = found["Order[1]/OrderHead/buyerIdNumber"].value
    assert personal is not None
    assert personal == "*" * 57 + "9999"


def test_a_rule_that_the_message_breaks(inspector: Inspector) -> None:
    report = inspector.inspect(changed(ORDER, "acturalPaid", "223.65", "223.64"))
    (paid, unsigned) = report.findings
    assert (paid.source, paid.rule, paid.path) == (
        Source.RULE,
        "CEB-HEAD-SUM",
        "Order[1]/OrderHead/acturalPaid",
    )
    assert "223.65" in paid.zh
    assert unsigned.severity is Severity.WARN


def test_an_unsigned_inventory_lacks_what_the_schema_demands(inspector: Inspector) -> None:
    assert ("schema", "required") in rules(inspector.inspect(INVENTORY))


def test_one_business_key_twice_in_a_message(inspector: Inspector) -> None:
    start, end = ORDER.index(b"<ceb:Order>"), ORDER.index(b"</ceb:Order>") + 12
    data = ORDER[:end] + ORDER[start:end] + ORDER[end:]
    report = inspector.inspect(data)
    (repeated,) = [one for one in report.findings if one.rule == "CEB-REPEATED"]
    assert repeated.path == "Order[2]/OrderHead/orderNo"
    assert report.records == 2


class TestSignature:
    def test_a_change_after_signing(self, inspector: Inspector) -> None:
        report = inspector.inspect(SIGNED.replace(b"HT2026-000001", b"HT2026-000002"))
        assert rules(report) == [("signature", "SIGN-451")]
        assert report.outcome is Outcome.FAULTY

    def test_white_space_and_another_key_name_are_notes(self, inspector: Inspector) -> None:
        data = SIGNED.replace(b"</ds:SignedInfo>", b"</ds:SignedInfo>\n")
        data = data.replace(b">0300000000012345<", b">0001<")
        report = inspector.inspect(data)
        assert report.outcome is Outcome.CLEAN
        assert {one.severity for one in report.findings} == {Severity.NOTE}
        assert {one.rule for one in report.findings} == {"SIGN-404", "SIGN-445"}

    def test_an_expired_certificate_is_told_apart(self, inspector: Inspector) -> None:
        data = ORDER.replace(b"20260901120000", b"20270901120000")
        report = inspector.inspect(sign(data, file_key(), canonical=True).content)
        assert rules(report) == [("signature", "SIGN-443")]
        assert report.outcome is Outcome.CLEAN

    def test_a_certificate_that_is_none(self, inspector: Inspector) -> None:
        start = SIGNED.index(b"<ds:X509Certificate>") + 20
        data = SIGNED[:start] + b"AAAA" + SIGNED[SIGNED.index(b"</ds:X509Certificate>") :]
        assert rules(inspector.inspect(data)) == [("signature", "SIGN-209")]

    def test_an_unknown_method_is_not_judged(self, inspector: Inspector) -> None:
        data = SIGNED.replace(b"#rsa-sha1", b"#rsa-md5")
        report = inspector.inspect(data)
        assert report.signature is not None
        assert report.signature.state is SignatureState.UNCHECKED

    @pytest.mark.parametrize("profile", [CEB_SM2_SM3, CEB_SM2_UNOFFICIAL])
    def test_sm2_is_checked_under_either_pair_of_names(
        self, inspector: Inspector, profile: Profile
    ) -> None:
        data = sign(ORDER, sm2_key(), profile, canonical=True).content
        report = inspector.inspect(data)
        assert report.signature is not None
        assert report.signature.state is SignatureState.VALID
        assert report.signature.method == profile.signature_method
        changed = inspector.inspect(data.replace(b"HT2026-000001", b"HT2026-000002"))
        assert changed.signature is not None
        assert changed.signature.state is SignatureState.INVALID


class TestReceipts:
    def test_a_rejection_is_content_and_is_explained(self, inspector: Inspector) -> None:
        body = receipts.inventories(
            receipts.inventory_return(1, "100", "[Code:1332;Desc:支付金额不一致]")
        )
        report = inspector.inspect(body)
        assert (report.kind, report.outcome) == ("CEB622Message", Outcome.CLEAN)
        (one,) = [found for found in report.findings if found.source == "customs"]
        assert (one.rule, one.severity) == ("1332", Severity.NOTE)
        assert "支付单" in one.zh
        assert "order, payment, inventory" in one.en

    def test_an_error_status_and_an_unknown_one(self, inspector: Inspector) -> None:
        body = receipts.orders(receipts.order_return(1, "-301013"), receipts.order_return(2, "777"))
        found = [one.rule for one in inspector.inspect(body).findings if one.source == "customs"]
        assert found == ["-301013", "CEB-STATUS-UNKNOWN"]

    def test_a_transport_answer(self, inspector: Inspector) -> None:
        report = inspector.inspect(receipts.answer("1002"))
        assert report.kind == "DxpRep"
        assert ("customs", "DXP-1002") in rules(report)


@pytest.mark.parametrize(
    "data, rule, words",
    [
        (b"", "NOT_XML", "CEB message"),
        (b"\x89PNG\r\n\x1a\n", "NOT_XML", "CEB message"),
        (ORDER[:500], "NOT_XML", "CEB message"),
        (b"<!DOCTYPE a []><a/>", "DOCTYPE", "DOCTYPE"),
        (b"<?xml version='1.0' encoding='utf-16'?><a/>", "ENCODING", "UTF-8"),
        (b"<a>" * 100 + b"</a>" * 100, "TOO_LARGE", "64 levels"),
        (b"<html/>", "NAMESPACE", "DxpMsg"),
        (ORDER.replace(b"chinaport.gov.cn/ceb", b"example.org"), "NAMESPACE", "gov.cn/ceb"),
        (ORDER.replace(b"CEB311", b"CEB999"), "MESSAGE", "CEB999Message"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_read_is_told_in_one_sentence(
    inspector: Inspector, data: bytes, rule: str, words: str
) -> None:
    report = inspector.inspect(data)
    assert (report.outcome, report.kind, report.edition) == (Outcome.UNREADABLE, None, None)
    (one,) = report.findings
    assert (one.source, one.rule) == (Source.READER, rule)
    assert words in one.en
    assert any("\u4e00" <= character <= "\u9fff" for character in one.zh)


def test_an_unknown_edition_is_told_with_those_there_are(inspector: Inspector) -> None:
    report = inspector.inspect(ORDER, "1999")
    assert report.outcome is Outcome.UNREADABLE
    assert "202205" in report.findings[0].en


@pytest.mark.law
@given(st.binary(max_size=200), st.integers(0, len(SIGNED)))
def test_nothing_raises_for_what_a_file_holds(noise: bytes, place: int) -> None:
    inspector = Inspector(NOW)
    for data in (noise, SIGNED[:place] + noise + SIGNED[place:]):
        inspector.inspect(data)
    inspector.inspect(b"<DxpMsg>" + base64.b64encode(noise) + b"</DxpMsg>")


def test_a_digest_that_differs_is_explained() -> None:
    from datetime import UTC, datetime

    from adapters.customs.ceb.verify.signature import SignatureState, inspect_signature
    from schemas.loader import parse
    from signing import CAUSE_TEXTS, Cause
    from tests.unit.signing.make import BODY, glue, parts

    spaced = glue(BODY, parts().signature_element, before="\n")
    found = inspect_signature(spaced, parse(spaced), "20260901120000", datetime.now(UTC))
    assert found.state is SignatureState.INVALID
    assert CAUSE_TEXTS[Cause.SPACE_AROUND_SIGNATURE] in [(one.zh, one.en) for one in found.findings]


@pytest.mark.parametrize("name", ["303-9610", "403", "505", "507", "509", "603-9610", "607", "701"])
def test_a_second_transfer_as_in_old_export_samples_is_a_note(
    inspector: Inspector, name: str
) -> None:
    body = (SAMPLES / "documents" / f"{name}.xml").read_bytes()
    start, end = body.index(b"<ceb:BaseTransfer>"), body.index(b"</ceb:BaseTransfer>") + 19
    doubled = body[:end] + body[start:end] + body[end:]
    once, twice = inspector.inspect(body), inspector.inspect(doubled)
    assert [one for one in twice.findings if one.source is Source.SCHEMA] == []
    extra = [one for one in twice.findings if one not in once.findings]
    assert [(one.path, one.severity) for one in extra] == [("BaseTransfer[2]", Severity.NOTE)]
    thrice = inspector.inspect(doubled[:end] + body[start:end] + doubled[end:])
    assert any(one.source is Source.SCHEMA for one in thrice.findings)


def test_the_root_of_an_official_return_receipt_is_a_note(inspector: Inspector) -> None:
    record = (
        "<guid>AABBCCDD-0000-4000-8000-000000000001</guid><agentCode>3105980C03</agentCode>"
        "<coElNo>CG1</coElNo><invtNo>31052026E000000001</invtNo><returnStatus>120</returnStatus>"
        "<returnTime>20260301093005123</returnTime><returnInfo>x</returnInfo>"
    )
    body = receipts.message("CEB214", [f"<RefundReturn>{record}</RefundReturn>"])
    report = inspector.inspect(body)
    assert (report.kind, report.records) == ("CEB214Message", 1)
    assert ("CEB214", Severity.NOTE) in [(one.path, one.severity) for one in report.findings]
    assert report.outcome is Outcome.CLEAN


NODE = (
    '<SvNo Ver="1.0"><MsgId>12345678202601010000000000000001</MsgId>'
    "<SendTime>2026-01-01T00:00:00</SendTime><EndNode>A</EndNode><StaNode>B</StaNode></SvNo>"
)


def by_nodes(data: bytes, count: int) -> bytes:
    inner = receipts.envelope(data, kind="CEB303Message").decode()
    for _ in range(count):
        inner = (
            f'<DxpMsgSv xmlns="http://www.chinaport.gov.cn/dxp" ver="1.0">{NODE}{inner}</DxpMsgSv>'
        )
    return inner.encode()


def test_envelopes_of_nodes_in_each_other_are_a_note(inspector: Inspector) -> None:
    body = (SAMPLES / "documents" / "303-9610.xml").read_bytes()
    once, twice = (inspector.inspect(by_nodes(body, count)) for count in (1, 2))
    assert (once.outcome, twice.outcome) == (Outcome.CLEAN, Outcome.CLEAN)
    extra = [one for one in twice.findings if one not in once.findings]
    assert [(one.path, one.severity) for one in extra] == [("DxpMsgSv/DxpMsgSv", Severity.NOTE)]
    broken = inspector.inspect(by_nodes(body, 2).replace(b"<EndNode>A</EndNode>", b""))
    assert broken.outcome is Outcome.FAULTY


def test_another_encoding_is_a_note(inspector: Inspector) -> None:
    text = (SAMPLES / "documents" / "303-9610.xml").read_text("utf-8")
    declared = f'<?xml version="1.0" encoding="GB2312"?>{text}'.encode("gb18030")
    report = inspector.inspect(declared)
    assert ("reader", "encoding") in rules(report)
    assert report.outcome is Outcome.CLEAN
