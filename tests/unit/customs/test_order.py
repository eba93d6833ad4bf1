"""The 311 mapping: a golden record, every optional path, every fault by name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.customs.ceb import CEBRegime
from adapters.customs.ceb.order import payment_named
from gateway.domain.declaration import AppType, DeclarationKind
from gateway.domain.money import Currency, Money
from gateway.domain.papers import Consignee, Masked, PaymentRef, Person
from gateway.domain.profile import Party, Subscription
from gateway.ports import DeclarationInput
from schemas.loader import parse
from tests.unit.customs import make

KIND = DeclarationKind.ORDER
SAMPLES = Path(__file__).parents[2] / "samples" / "customs"


def built(given: DeclarationInput) -> bytes:
    message = CEBRegime().build(KIND, make.GUID, [given])
    assert message.faults == ()
    return message.body


def values(given: DeclarationInput) -> dict[str, str]:
    return {
        make.local(element): element.text or ""
        for element in parse(built(given)).iter()
        if not len(element)
    }


def faults(given: DeclarationInput) -> dict[str, str]:
    message = CEBRegime().build(KIND, make.GUID, [given])
    assert message.body == b""
    assert all(fault.position == 0 for fault in message.faults)
    return {fault.path: fault.reason for fault in message.faults}


def test_a_full_order_is_written_as_the_golden_file_says() -> None:
    owner = make.profile(
        subscriptions=(Subscription("RET", "DXPENT0000000009", note="抄送"),),
    )
    golden = (SAMPLES / "order_full.xml").read_bytes().rstrip(b"\n")
    assert built(make.full_given(KIND, owner)) == golden


def test_what_is_not_known_is_left_out() -> None:
    bare = make.given(KIND, lines=1, payment_transaction_id=None)
    order = replace(
        bare.order,
        payment=PaymentRef(),
        consignee=replace(bare.order.consignee, district=None),
        lines=(make.line(1, barcode=None),),
    )
    owner = make.profile(payment_companies=(Party("A", "a"), Party("B", "b")))
    body = built(replace(bare, order=order, profile=owner)).decode()
    for name in ("payCode", "payName", "payTransactionId", "batchNumbers", "note", "barCode"):
        assert f"<ceb:{name}>" not in body
    assert "<ceb:consigneeDistrict>" not in body


@pytest.mark.parametrize(
    "stated, slip, expected",
    [
        (PaymentRef(), "T-9", ("3105960E05", "易付支付有限公司", "T-9")),
        (PaymentRef("X", "别的", "T-1"), "T-9", ("X", "别的", "T-1")),
        (PaymentRef("X"), None, ("X", None, None)),
        (
            PaymentRef("3105960E05", "易付", "T-1"),
            None,
            ("3105960E05", "易付支付有限公司", "T-1"),
        ),
    ],
)
def test_the_payment_company_comes_from_the_order_or_is_the_only_one(
    stated: PaymentRef, slip: str | None, expected: tuple[str | None, ...]
) -> None:
    assert payment_named(make.order(payment=stated), slip, make.profile()) == expected


def test_the_identity_document_is_the_resident_card_unless_said_otherwise() -> None:
    given = make.given(KIND)
    unsaid = replace(given.order, buyer=replace(given.order.buyer, id_type=None))
    other = replace(given.order, buyer=replace(given.order.buyer, id_type="2"))
    assert values(replace(given, order=unsaid))["buyerIdType"] == "1"
    assert values(replace(given, order=other))["buyerIdType"] == "2"


def test_a_change_says_so() -> None:
    declaration = make.declaration(KIND, app_type=AppType.CHANGE)
    assert values(make.given(KIND, declaration=declaration))["appType"] == "2"


def test_numbers_are_plain() -> None:
    line = make.line(1, quantity=Decimal("1E+2"), price=make.money("0.00001"))
    order = make.order(lines=1, goods_value=Money(Decimal("12345678901234.12345")))
    given = make.given(KIND, lines=1, order=replace(order, lines=(line,)))
    found = values(given)
    assert found["qty"] == "100"
    assert found["price"] == "0.00001"
    assert found["goodsValue"] == "12345678901234.12345"


def test_a_masked_or_missing_value_is_named_with_its_labels() -> None:
    order = make.order(
        buyer=Person(name=Masked("王*"), id_number=None, phone="13800000001", account="b"),
        consignee=Consignee(name="李小红", phone="13800000002", address=None),
    )
    message = CEBRegime().build(KIND, make.GUID, [make.given(KIND, order=order)])
    found = {fault.path: fault for fault in message.faults}
    assert set(found) == {
        "OrderHead/buyerName",
        "OrderHead/buyerIdNumber",
        "OrderHead/consigneeAddress",
    }
    assert "masked" in found["OrderHead/buyerName"].reason
    assert found["OrderHead/buyerIdNumber"].label_zh == "订购人证件号码"
    assert "王" not in str(message.faults)


def test_foreign_money_is_named_where_it_stands_beside_other_faults() -> None:
    foreign = Money(Decimal(1), Currency("USD"))
    order = make.order(lines=2, tax=foreign, buyer=Person(name="王小明"))
    order = replace(order, lines=(order.lines[0], make.line(2, total=foreign)))
    found = faults(make.given(KIND, order=order))
    assert "CNY" in found["OrderHead/taxTotal"]
    assert "CNY" in found["OrderList[2]/totalPrice"]
    assert "OrderHead/buyerIdNumber" in found
    assert "OrderList[1]/totalPrice" not in found


def test_line_money_alone_is_found_too() -> None:
    foreign = Money(Decimal(1), Currency("USD"))
    order = replace(make.order(), lines=(make.line(1), make.line(2, price=foreign)))
    assert set(faults(make.given(KIND, order=order))) == {"OrderList[2]/price"}


def test_a_value_too_long_is_explained_by_the_schema() -> None:
    order = make.order(order_no="N" * 61, buyer=make.order().buyer)
    found = faults(make.given(KIND, order=order))
    assert found == {"OrderHead/orderNo": "must have at most 60 characters"}
