"""The 411 and 511 mappings: golden records, what is left out, every fault by name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from adapters.customs.ceb import CEBRegime
from adapters.customs.ceb.verify import rules_for
from adapters.customs.ceb.verify.records import records_of
from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import InvalidValue
from gateway.domain.money import Currency, Money
from gateway.domain.papers import Consignee, Masked, PaperKind, Person
from gateway.domain.profile import ConfirmedBy, FiledBy, PaperFiling, Party
from gateway.ports import DeclarationInput
from schemas.catalog import load_catalog
from schemas.loader import load_schema, parse
from tests.unit.customs import make

PAYMENT, WAYBILL = DeclarationKind.PAYMENT, DeclarationKind.WAYBILL
SAMPLES = Path(__file__).parents[2] / "samples" / "customs"
XSD = Path(__file__).parents[3] / "schemas" / "ceb" / "202205"
OURS = PaperFiling(FiledBy.US, ConfirmedBy.RECEIPT)


def built(kind: DeclarationKind, given: DeclarationInput) -> bytes:
    message = CEBRegime().build(kind, make.GUID, [given])
    assert message.faults == ()
    return message.body


def values(kind: DeclarationKind, given: DeclarationInput) -> dict[str, str]:
    return {
        make.local(element): element.text or ""
        for element in parse(built(kind, given)).iter()
        if not len(element)
    }


def faults(kind: DeclarationKind, given: DeclarationInput) -> dict[str, str]:
    message = CEBRegime().build(kind, make.GUID, [given])
    assert message.body == b""
    return {fault.path: fault.reason for fault in message.faults}


@pytest.mark.parametrize("kind, name", [(PAYMENT, "payment"), (WAYBILL, "waybill")])
def test_a_golden_message_that_both_validators_take(kind: DeclarationKind, name: str) -> None:
    body = built(kind, make.given(kind))
    assert body == (SAMPLES / f"{name}.xml").read_bytes().rstrip(b"\n")
    message = {PAYMENT: "CEB411Message", WAYBILL: "CEB511Message"}[kind]
    root = parse(body)
    assert load_schema(load_catalog("ceb", "202205"), f"{message}.xsd").validate(root)
    xmlschema.XMLSchema(str(XSD / f"{message}.xsd")).validate(root)  # type: ignore[arg-type]
    for record in records_of(root):
        assert not [hit for rule in rules_for(message[3:6]) for hit in rule.check(record)]


def test_a_payment_is_filed_as_its_company_spells_it() -> None:
    slip = make.payment(
        company_code=None, payer=Person("王 小明", None, "110101199003070003"), note="x"
    )
    filed = values(PAYMENT, make.given(PAYMENT, payment=slip))
    assert filed["payerName"] == "王 小明"
    assert filed["payerIdType"] == "1"
    assert (filed["payCode"], filed["payName"]) == ("3105960E05", "易付支付有限公司")
    assert filed["payTime"] == "20260301092000"
    assert "telephone" not in filed


def test_what_a_payment_cannot_be_filed_without() -> None:
    slip = make.payment(
        amount=Money(Decimal(1), Currency("USD")),
        payer=Person(Masked("王*"), "1", None),
        paid_at=None,
    )
    assert set(faults(PAYMENT, make.given(PAYMENT, payment=slip))) == {
        "PaymentHead/amountPaid",
        "PaymentHead/payerName",
        "PaymentHead/payerIdNumber",
        "PaymentHead/payTime",
    }
    assert set(faults(PAYMENT, make.given(PAYMENT, payment=None))) == {
        "PaymentHead/payTransactionId"
    }


def test_a_waybill_takes_from_the_order_what_it_does_not_say() -> None:
    filed = values(WAYBILL, make.given(WAYBILL))
    assert filed["consignee"] == "李小红"
    assert (filed["freight"], filed["insuredFee"], filed["packNo"]) == ("8", "0.5", "1")
    own = Consignee("赵六", Masked("138****"), "别处1号")
    filed = values(WAYBILL, make.given(WAYBILL, waybill=make.waybill(consignee=own)))
    assert filed["consignee"] == "赵六"
    assert filed["consigneeTelephone"] == "13800000002"


def test_a_waybill_without_weight_weighs_what_its_goods_do() -> None:
    given = make.given(WAYBILL, lines=1, waybill=make.waybill(gross_weight_kg=None))
    goods = given.goods["SKU-001"]
    expected = given.order.lines[0].quantity * goods.gross_weight_kg
    assert Decimal(values(WAYBILL, given)["weight"]) == expected
    assert "LogisticsHead/weight" in faults(WAYBILL, replace(given, goods={}))


def test_what_a_waybill_cannot_be_filed_without() -> None:
    assert set(faults(WAYBILL, make.given(WAYBILL, waybill=None))) == {"LogisticsHead/logisticsNo"}
    heavy = make.waybill(
        gross_weight_kg=Decimal("1e30"), insurance=Money(Decimal(1), Currency("USD"))
    )
    assert set(faults(WAYBILL, make.given(WAYBILL, waybill=heavy))) == {
        "LogisticsHead/weight",
        "LogisticsHead/insuredFee",
    }


class TestRightToFile:
    """411 and 511 go with the key of their company, or of an operator entrusted with them."""

    @pytest.mark.parametrize("kind", [PaperKind.PAYMENT, PaperKind.WAYBILL])
    def test_only_the_company_or_an_entrusted_operator(self, kind: PaperKind) -> None:
        ours = make.profile(filings={kind: OURS})
        with pytest.raises(InvalidValue, match="entrusted"):
            ours.check()
        replace(ours, entrusted=frozenset({kind})).check()

    def test_a_payment_company_files_its_own(self) -> None:
        company = Party("3105960E05", "易付支付有限公司")
        make.profile(filings={PaperKind.PAYMENT: OURS}, transfer=company).check()

    def test_what_we_file_is_confirmed_by_receipts(self) -> None:
        filing = PaperFiling(FiledBy.US, ConfirmedBy.STATEMENT)
        with pytest.raises(InvalidValue, match="receipt"):
            make.profile(
                filings={PaperKind.WAYBILL: filing}, entrusted=frozenset({PaperKind.WAYBILL})
            ).check()


def test_receipts_of_both_papers_find_their_case() -> None:
    from gateway.domain.declaration import ReceiptFact, Word
    from gateway.domain.ids import ReceiptId
    from gateway.ports import Lookup
    from tests.unit.customs import receipts

    regime = CEBRegime()
    for name, record, fields, kind, lookup in (
        (
            "CEB412Message",
            "PaymentReturn",
            {"payCode": "P1", "payTransactionId": "T1"},
            PAYMENT,
            Lookup("payment", "P1|T1"),
        ),
        (
            "CEB512Message",
            "LogisticsReturn",
            {"logisticsCode": "L1", "logisticsNo": "W1"},
            WAYBILL,
            Lookup("waybill", "L1|W1"),
        ),
    ):
        body = receipts.fields(
            guid="a" * 36,
            **fields,
            returnStatus="120",
            returnTime="20260301093000123",
            returnInfo="[Code:1800;Desc:x]",
        )
        read = regime.read(ReceiptId("r"), receipts.message(name, [f"<{record}>{body}</{record}>"]))
        (one,) = read.records
        assert one.lookup == lookup
        assert isinstance(one.fact, ReceiptFact)
        assert (one.fact.kind, one.fact.word) == (kind, Word.STORED)


def test_golden_files_are_canonical() -> None:
    for name in ("payment", "waybill"):
        body = (SAMPLES / f"{name}.xml").read_bytes().rstrip(b"\n")
        assert etree.tostring(parse(body), method="c14n") == body
