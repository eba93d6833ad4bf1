"""What the authority refuses: collisions, content, other papers, envelopes, signatures."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from adapters.sandbox.customs import (
    AddressCheck,
    Enterprise,
    PaymentCopy,
    RefilePolicy,
    Settings,
    WaybillCopy,
)
from adapters.sandbox.customs.signature import SignatureRefusedError, SignatureVerifier
from schemas import loader
from tests.unit.sandbox import wire
from tests.unit.sandbox.port import Port, PortFactory

HOUR = 3600.0
NO = "XP0001"


# ------------------------------------------------------------------------------- collisions
def test_new_order_with_a_known_number_is_refused(port: Port) -> None:
    data = port.send(wire.order(NO))
    assert port.statuses(HOUR) == ["2", "120"]
    port.send(wire.order(NO, appTime="20261111100100"))
    assert port.statuses(HOUR) == ["-301010"]
    port.resend(data, cop_msg_id="MSG-1")
    assert port.statuses(HOUR) == ["-301010"]
    filing = port.authority.ledger.order("1100000001", NO)
    assert filing is not None
    assert filing.submissions == 3
    assert [version.taken for version in filing.versions] == [True, False, False]
    assert port.authority.ledger.messages["MSG-1"].times == 2


@pytest.mark.parametrize("app_type", ["2", "3"])
def test_change_without_an_order_is_refused(port: Port, app_type: str) -> None:
    port.send(wire.order(NO, appType=app_type))
    assert port.statuses(HOUR) == ["-301009"]
    port.send(wire.order(NO))
    assert port.statuses(HOUR) == ["2", "120"]


def test_order_changes_and_deletes(port: Port) -> None:
    port.filed_order(NO)
    port.send(wire.order(NO, appType="2", appTime="20261111090000"))
    assert port.statuses(HOUR) == ["-301014"]
    port.send(wire.order(NO, appType="2", appTime="20261111100001", buyerTelephone="13800000002"))
    assert port.statuses(HOUR) == ["2", "120"]
    port.send(wire.order(NO, appType="3", appTime="20261111100002"))
    assert port.statuses(HOUR) == ["2", "120"]
    port.send(wire.inventory(NO))
    assert [answer.info[:10] for answer in port.collect(HOUR)][-1] == "[Code:1300"


def test_order_is_frozen_once_its_inventory_is_declared(port: Port) -> None:
    port.filed_order(NO)
    port.send(wire.inventory(NO))
    assert port.statuses(HOUR)[-1] == "800"
    port.send(wire.order(NO, appType="2", appTime="20261111110000"))
    assert port.statuses(HOUR) == ["-301011"]


def test_inventory_collisions(port: Port) -> None:
    port.filed_order(NO)
    port.send(wire.inventory(NO, appType="2"))
    assert port.statuses(HOUR) == ["-621011"]
    data = port.send(wire.inventory(NO))
    assert port.statuses(HOUR)[-1] == "800"
    port.resend(data)
    assert port.statuses(HOUR) == ["-621004"]
    port.send(wire.inventory(NO, copNo="GW0000000002"))
    assert port.statuses(HOUR) == ["-621004"]
    port.send(wire.inventory(NO, appType="2", appTime="20261111110000"))
    assert port.statuses(HOUR) == ["-621012"]
    assert len(port.authority.ledger.live_inventories(("1100000001", NO))) == 1


@pytest.mark.parametrize(
    "policy, new, change",
    [
        (RefilePolicy.NEW, ["2", "120", "800"], ["-621011"]),
        (RefilePolicy.CHANGE, ["-621004"], ["2", "120", "800"]),
        (RefilePolicy.BOTH, ["2", "120", "800"], ["2", "120", "800"]),
    ],
)
def test_refiling_after_a_rejection_follows_the_port_policy(
    open_port: PortFactory, policy: RefilePolicy, new: list[str], change: list[str]
) -> None:
    for app_type, expected in (("1", new), ("2", change)):
        port = open_port(Settings(any_certificate=True, refile=policy))
        port.filed_order(NO)
        port.send(wire.inventory(NO, buyerTelephone="13800000009"))
        assert port.statuses(HOUR) == ["2", "100"]
        port.send(wire.inventory(NO, appType=app_type, appTime="20261111120000"))
        assert port.statuses(HOUR) == expected


def test_too_many_records(open_port: PortFactory) -> None:
    port = open_port(Settings(any_certificate=True, max_records=1))
    port.send(wire.order("A"), wire.order("B"))
    assert port.statuses(HOUR) == ["-301015", "-301015"]


# ------------------------------------------------------------------------------- content alone
@pytest.mark.parametrize(
    "fields, code",
    [
        ({"buyerIdNumber": "110101199003070004"}, "-301008"),
        ({"acturalPaid": "401.5"}, "-301008"),
        ({"goodsValue": "387"}, "-301008"),
        ({"appStatus": "1"}, "-301008"),
        ({"appTime": "20261311100000"}, "-301008"),
    ],
)
def test_faulty_order(port: Port, fields: dict[str, str], code: str) -> None:
    port.send(wire.order(NO, **fields))
    assert port.statuses(HOUR) == [code]


def test_repeated_line_numbers(port: Port) -> None:
    lines = (wire.LINES[0], {**wire.LINES[1], "gnum": "1"})
    port.send(replace(wire.order(NO), lines=lines))
    port.filed_order("XP2")
    port.send(replace(wire.inventory("XP2"), lines=lines))
    assert port.statuses(HOUR) == ["-621027"]
    filing = port.authority.ledger.order("1100000001", NO)
    assert filing is not None
    assert filing.versions[0].status == "-301002"


@pytest.mark.parametrize(
    "fields, code",
    [
        ({"buyerIdNumber": "110101199003070004"}, "-621001"),
        ({"packNo": "2"}, "-621001"),
        ({"netWeight": "3"}, "-621001"),
        ({"assureCode": "9999999999"}, "-621001"),
        ({"emsNo": ""}, "-621001"),
        ({"country": "601"}, "-621001"),
        ({"tradeMode": "9610"}, "-621001"),
        ({"tradeMode": "0110"}, "-621001"),
        ({"freight": "5000"}, "-621005"),
        ({"copNo": ""}, "-621021"),
        ({"appStatus": "1"}, "1"),
    ],
)
def test_faulty_inventory(port: Port, fields: dict[str, str], code: str) -> None:
    port.filed_order(NO)
    port.send(wire.inventory(NO, **fields))
    assert port.statuses(HOUR) == [code]


def test_one_indivisible_item_may_pass_the_single_limit(port: Port) -> None:
    line = {"gnum": "1", "itemName": "表", "qty": "1", "price": "9000", "totalPrice": "9000"}
    money = {"goodsValue": "9000", "discount": "0", "taxTotal": "0", "acturalPaid": "9000"}
    port.send(replace(wire.order(NO, **money), lines=(line,)))
    assert port.statuses(HOUR) == ["2", "120"]
    port.send(replace(wire.inventory(NO), lines=(line,)))
    assert port.statuses(HOUR) == ["2", "120", "800"]


def test_annual_limit_counts_and_is_given_back(open_port: PortFactory) -> None:
    port = open_port(Settings(any_certificate=True, annual_limit=Decimal(700)))
    for number in ("A", "B"):
        port.filed_order(number)
    bad = wire.inventory("A", copNo="CA", logisticsNo="WA", buyerTelephone="13800000008")
    port.send(bad)
    assert port.statuses(HOUR) == ["2", "100"]
    port.send(bad.set(buyerTelephone="13800000001", appTime="20261111110000"))
    assert port.statuses(HOUR) == ["2", "120", "800"]
    port.send(wire.inventory("B", copNo="CB", logisticsNo="WB"))
    (answer,) = port.collect(HOUR)
    assert answer.status == "-621018"
    assert "388" in answer.info


# ------------------------------------------------------------------------------- other papers
@pytest.mark.parametrize(
    "fields, code",
    [
        ({"buyerName": "李四"}, "13127"),
        ({"buyerTelephone": "13800000002"}, "130126"),
        ({"buyerIdNumber": wire.OTHER_ID}, "13992"),
        ({"ebcCode": "1100000009", "assureCode": "1100000001"}, "13996"),
        ({"consigneeAddress": "北京市朝阳区二号路1号"}, "13993"),
    ],
)
def test_inventory_differs_from_order(port: Port, fields: dict[str, str], code: str) -> None:
    port.filed_order(NO)
    port.send(wire.inventory(NO, **fields))
    answers = port.collect(HOUR)
    assert [answer.status for answer in answers] == ["2", "100"]
    assert answers[-1].info.startswith(f"[Code:{code};Desc:")


@pytest.mark.parametrize(
    "lines, code",
    [
        (wire.LINES[:1], "1320"),
        ((wire.LINES[0], {**wire.LINES[1], "itemName": "眼霜"}), "1322"),
        ((wire.LINES[0], {**wire.LINES[1], "qty": "2", "price": "55"}), "1322"),
        ((wire.LINES[0], {**wire.LINES[1], "gnum": "3"}), "1322"),
    ],
)
def test_inventory_lines_differ(port: Port, lines: tuple[dict[str, str], ...], code: str) -> None:
    port.filed_order(NO)
    port.send(replace(wire.inventory(NO), lines=lines))
    assert port.collect(HOUR)[-1].info.startswith(f"[Code:{code};Desc:")


def test_line_order_does_not_matter(port: Port) -> None:
    port.filed_order(NO)
    port.send(replace(wire.inventory(NO), lines=wire.LINES[::-1]))
    assert port.statuses(HOUR)[-1] == "800"


def test_inventory_without_its_order(port: Port) -> None:
    port.send(wire.inventory(NO))
    answers = port.collect(HOUR)
    assert [answer.status for answer in answers] == ["2", "100"]
    assert answers[-1].info.startswith("[Code:1300;")


def test_address_may_be_compared_literally(open_port: PortFactory) -> None:
    port = open_port(Settings(any_certificate=True, address=AddressCheck.LITERAL))
    port.filed_order(NO)
    port.send(wire.inventory(NO))
    assert port.statuses(HOUR) == ["2", "100"]


def payment(**changes: object) -> PaymentCopy:
    copy = PaymentCopy(
        ebp_code="1100000001",
        order_no=NO,
        pay_code="1100000003",
        transaction_id="T0001",
        payer_name="张三",
        payer_id_number=wire.ID,
        amount=Decimal("401.49"),
    )
    return replace(copy, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes, code",
    [
        ({}, None),
        ({"pay_code": "1100000007"}, "13035"),
        ({"payer_name": "李四"}, "1327"),
        ({"payer_id_number": wire.OTHER_ID}, "1327"),
        ({"amount": Decimal("401.48")}, "1332"),
    ],
)
def test_payment_copy_is_compared(port: Port, changes: dict[str, object], code: str | None) -> None:
    port.filed_order(NO)
    port.authority.load_payment(payment(**changes))
    port.send(wire.inventory(NO))
    last = port.collect(HOUR)[-1]
    if code is None:
        assert last.status == "800"
    else:
        assert last.status == "100"
        assert last.info.startswith(f"[Code:{code};Desc:")


def test_compared_fields_follow_in_a_second_bracket(open_port: PortFactory) -> None:
    seen = set()
    for seed in range(8):
        port = open_port(seed=seed)
        port.filed_order(NO)
        port.authority.load_payment(payment(amount=Decimal("401.48")))
        port.send(wire.inventory(NO))
        info = port.collect(HOUR)[-1].info
        head, _, compared = info.partition("],")
        assert head.startswith("[Code:1332;Desc:")
        seen.add(compared)
    assert seen == {
        "[OrderHead.acturalPaid:401.49,PaymentHead.amountPaid:401.48]",
        "[OrderHead.acturalPaid:401.49,PaymentHead.amountPaid401.48]",
    }


def test_waybill_copy_is_compared(port: Port) -> None:
    port.filed_order(NO)
    port.authority.load_waybill(
        WaybillCopy("1100000004", "W0001", "李四", "13800000001", "北京市朝阳区一号路1号")
    )
    port.send(wire.inventory(NO))
    assert port.collect(HOUR)[-1].info.startswith("[Code:13995;")


def test_waybill_number_is_used_once(port: Port) -> None:
    for number in ("A", "B"):
        port.filed_order(number)
        port.send(wire.inventory(number, copNo=f"C{number}"))
        last = port.collect(HOUR)[-1]
        assert last.status == ("800" if number == "A" else "100")


def test_missing_filings_refuse_when_required(open_port: PortFactory) -> None:
    port = open_port(Settings(any_certificate=True, require_filings=True))
    port.filed_order(NO)
    port.send(wire.inventory(NO))
    assert port.collect(HOUR)[-1].info.startswith("[Code:1300;")


# ------------------------------------------------------------------------------- envelopes
def receive(port: Port, data: bytes) -> wire.Answer:
    port.authority.receive(data, port.now)
    (answer,) = port.collect(HOUR)
    return answer


@pytest.mark.parametrize(
    "data, code",
    [
        (b"", "0001"),
        (b"not xml", "0001"),
        (b"<a/>", "0001"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "0001"),
    ],
)
def test_unreadable_envelope(port: Port, data: bytes, code: str) -> None:
    answer = receive(port, data)
    assert (answer.type, answer.status) == ("DxpRep", code)


def test_envelope_faults(port: Port) -> None:
    good = port.message(wire.order(NO))
    sound = wire.envelope(good)
    assert receive(port, sound.replace(b"dxp:Data>", b"dxp:Date>")).status == "0001"
    assert receive(port, sound.replace(b"<dxp:Data>", b"<dxp:Data>*")).status == "0001"
    assert receive(port, sound.replace(b' ver="1.0"', b' ver="2.0"')).status == "0002"
    assert receive(port, sound.replace(b"<dxp:CopMsgId>MSG-1", b"<dxp:CopMsgId>")).status == "0002"
    wrong = receive(port, wire.envelope(good, receiver="DXPEDCCEB0000003"))
    assert (wrong.status, wrong.key) == ("2001", "MSG-1")


def test_unregistered_sender(open_port: PortFactory) -> None:
    port = open_port(Settings(enterprises={"DXPENT0000000009": Enterprise()}))
    assert receive(port, wire.envelope(port.message(wire.order(NO)))).status == "1999"


def test_message_faults_are_refused_whole(port: Port) -> None:
    def refused(data: bytes, **options: str) -> str:
        answer = receive(port, wire.envelope(data, **options))
        assert answer.type == "900"
        return answer.fields["oriMessageType"]

    good = port.message(wire.order(NO))
    assert refused(b"<open>", msg_type="CEB311Message") == "Unknown"
    assert refused(b"<other/>", msg_type="CEB311Message") == "Unknown"
    assert refused(good.replace(b"CEB311M", b"CEB411M")) == "CEB411Message"
    assert refused(good, msg_type="CEB621Message") == "CEB311Message"
    assert refused(good.replace(b">142<", b">840<")) == "CEB311Message"
    assert refused(port.signer.sign(wire.message(wire.order(NO), sender="DXPENT0000000002")))
    assert refused(wire.message(wire.inventory(NO))) == "CEB621Message"
    assert port.authority.ledger.orders == {}


def test_unsigned_order_is_refused_record_by_record(port: Port) -> None:
    port.resend(wire.message(wire.order("A"), wire.order("B")))
    assert port.statuses(HOUR) == ["-301020", "-301020"]


# ------------------------------------------------------------------------------- signatures
def refusal(port: Port, signer: wire.Signer, *, data: bytes | None = None) -> str:
    signed = signer.sign(wire.message(wire.order(NO))) if data is None else data
    answer = receive(port, wire.envelope(signed))
    assert answer.type == "DxpRep"
    return answer.status


def test_signature_faults(port: Port, signer: wire.Signer) -> None:
    good = port.message(wire.order(NO))
    assert refusal(port, signer, data=good.replace("张三".encode(), "李四".encode())) == "1004"
    assert refusal(port, signer, data=good.replace(b"</ceb:BaseT", b"\n</ceb:BaseT")) == "1004"
    cut = good.index(b"<ds:SignatureValue>") + 25
    other = b"A" if good[cut : cut + 1] != b"A" else b"B"
    assert refusal(port, signer, data=good[:cut] + other + good[cut + 1 :]) == "1001"
    assert refusal(port, replace(signer, key_name="0001")) == "1001"
    assert refusal(port, replace(signer, key_name="xyz")) == "1001"
    assert refusal(port, wire.make_signer(days=-1)) == "1002"
    assert port.authority.ledger.orders == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": "#a"},
        {"algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"},
        {"algorithm": "http://www.w3.org/2000/09/xmldsig#sm2-sm3"},
    ],
)
def test_other_profiles_are_not_served(changes: dict[str, str], signer: wire.Signer) -> None:
    data = replace(signer, **changes).sign(wire.message(wire.order(NO)))  # type: ignore[arg-type]
    with pytest.raises(SignatureRefusedError) as refused:
        SignatureVerifier().check(loader.parse(data), None, wire.NOW)
    assert refused.value.code == "1001"


def test_signature_in_the_default_namespace_holds(signer: wire.Signer) -> None:
    data = signer.sign_unprefixed(wire.message(wire.order(NO)))
    SignatureVerifier().check(loader.parse(data), None, wire.NOW)
    with pytest.raises(SignatureRefusedError):
        SignatureVerifier().check(loader.parse(data.replace(b"XP0001", b"XP0002")), None, wire.NOW)


def test_text_around_the_signature_is_signed_text(port: Port, signer: wire.Signer) -> None:
    good = port.message(wire.order(NO))
    late = good.replace(b"</ds:Signature>", b"</ds:Signature>\n")
    assert refusal(port, signer, data=late) == "1004"


def test_signed_info_is_compared_in_place(port: Port, signer: wire.Signer) -> None:
    good = port.message(wire.order(NO))
    spaced = good.replace(b"<ds:SignedInfo>", b"<ds:SignedInfo> ")
    assert refusal(port, signer, data=spaced) == "1001"
    extra = b'xmlns:x="urn:x" '
    wider = good.replace(b"<ceb:CEB311Message ", b"<ceb:CEB311Message " + extra)
    assert refusal(port, signer, data=wider) in {"1001", "1004"}


def test_certificates_must_be_registered(open_port: PortFactory, signer: wire.Signer) -> None:
    registered = Enterprise({signer.serial: signer.der})
    port = open_port(Settings(enterprises={wire.SENDER: registered}))
    port.send(wire.order(NO))
    assert port.statuses(HOUR) == ["2", "120"]
    stranger = wire.make_signer()
    assert refusal(port, stranger) == "1001"
    assert refusal(port, wire.make_signer(serial=0x77)) == "1001"


def test_agent_and_client_must_be_the_card_holder(
    open_port: PortFactory, signer: wire.Signer
) -> None:
    base = Enterprise({signer.serial: signer.der})
    port = open_port(
        Settings(enterprises={wire.SENDER: replace(base, agent_codes=frozenset({"1100000099"}))})
    )
    port.filed_order(NO)
    port.send(wire.inventory(NO))
    assert port.statuses(HOUR) == ["-621015"]
    port = open_port(
        Settings(enterprises={wire.SENDER: replace(base, cop_codes=frozenset({"1100000099"}))})
    )
    port.send(wire.order(NO))
    assert port.statuses(HOUR) == ["-301008"]


# ------------------------------------------------------------------------------- files
def test_records_share_files_within_the_window(open_port: PortFactory) -> None:
    from adapters.sandbox.customs import Delay, Timing

    still = Delay(timedelta(0), timedelta(0))
    timing = Timing(still, window=timedelta(seconds=1))
    port = open_port(Settings(any_certificate=True, timing=timing))
    for start in (0, 60):
        port.send(*(wire.order(f"N{start + index}") for index in range(60)))
    answers = port.collect(HOUR)
    assert len(answers) == 240
    assert max(len(file) for file in port.files) == 100
    assert len(port.files) == 3
    assert len({answer.guid for answer in answers}) == 240
    assert all(answer.guid == answer.guid.lower() and len(answer.guid) == 36 for answer in answers)


def test_numbers_and_times_have_their_form(port: Port) -> None:
    import re

    port.filed_order(NO)
    port.send(wire.inventory(NO))
    answers = port.collect(HOUR)
    for answer in answers:
        assert re.fullmatch(r"20261111\d{9}", answer.time)
        assert re.fullmatch(r"B\d{17}", answer.fields["preNo"])
    assert answers[0].info == f"电子口岸申报中[{wire.INVENTORY['guid']}]"
    assert "invtNo" not in answers[0].fields
    assert re.fullmatch(r"01002026I\d{9}", answers[-1].fields["invtNo"])
    assert answers[-1].info == "[Code:2600;Desc:放行]"


def test_ledger_export_holds_no_personal_data(port: Port) -> None:
    port.filed_order(NO)
    port.send(wire.inventory(NO))
    port.collect(HOUR)
    text = port.authority.ledger.to_json()
    assert NO in text
    for secret in ("张三", wire.ID, "13800000001", "朝阳"):
        assert secret not in text


# ------------------------------------------------------------------------------- plain mode
def test_plain_mode_reads_keys_and_answers(open_port: PortFactory) -> None:
    port = open_port(Settings.bench())
    draft = wire.order("A&B", buyerIdNumber="nonsense")
    port.authority.receive(wire.envelope(wire.message(draft, wire.order("C"))), port.now)
    answers = port.collect(1)
    assert [(a.key, a.status) for a in answers] == [
        ("A&B", "2"),
        ("C", "2"),
        ("A&B", "120"),
        ("C", "120"),
    ]
    port.authority.receive(wire.envelope(wire.message(wire.inventory("C"))), port.now)
    answers = port.collect(1)
    assert [a.status for a in answers] == ["2", "120", "800"]
    assert answers[-1].fields["invtNo"].startswith("01002026I")
    assert answers[-1].fields["agentCode"] == "1100000005"
    port.authority.receive(wire.envelope(wire.message(wire.inventory("C"))), port.now)
    assert [a.status for a in port.collect(1)] == ["-621004"]
    port.authority.receive(wire.envelope(b"junk", msg_type="X"), port.now)
    port.authority.receive(b"junk", port.now)
    assert sorted(a.type for a in port.collect(1)) == ["900", "DxpRep"]
