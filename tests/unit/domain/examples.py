"""One bad example of every rule: it breaks that rule and no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

from gateway.domain.codec import from_micros, to_micros
from gateway.domain.ids import CaseId
from gateway.domain.money import Currency, Money
from gateway.domain.papers import IdentityCheck, Masked, PaymentRef
from gateway.domain.profile import Party
from tests.unit.domain.papers import (
    FILES_WAYBILL,
    NOW,
    OTHER_ID,
    RECEIVED,
    Case,
    cny,
    direct,
    good,
    line,
    single_item,
)

Example = Callable[[], Case]
LATE = to_micros(RECEIVED + timedelta(days=4))
USD = Currency("USD")


def _late(case: Case) -> Case:
    return replace(case, now=LATE)


def _usd_freight() -> Case:
    return good().with_order(freight=Money(Decimal("5.00"), USD))


def _many_lines() -> Case:
    case = good()
    assert case.order is not None
    lines = tuple(line(number, sku="SKU-1") for number in range(1, 101))
    case = case.with_order(lines=lines, goods_value=cny("2100"), paid=cny("2106"))
    return case.with_payment(amount=cny("2106")).with_waybill(gross_weight_kg=Decimal(99))


def _long_sku() -> Case:
    case = good().with_line(1, sku="S" * 21)
    return replace(case, goods={**case.goods, "S" * 21: replace(case.goods["SKU-1"], sku="S" * 21)})


def _taken(kind: str) -> Case:
    return replace(good(), taken={kind: CaseId("another")})


def _two_companies() -> Case:
    both = (Party("3301960Y01", "甲支付"), Party("3301960Y02", "乙支付"))
    return good().with_profile(payment_companies=both).with_payment(company_code="3301960Y02")


def _two_carriers(code: str | None) -> Case:
    both = (Party("3301980C01", "甲物流"), Party("3301980C02", "乙物流"))
    return good().with_profile(carriers=both).with_waybill(carrier_code=code)


def _unchecked() -> Case:
    case = good().with_payer(name=None, id_number=None)
    return case.with_payment(identity_check=IdentityCheck.UNCHECKED)


BAD: Final[Mapping[str, Example]] = {
    "ORDER-MISSING": lambda: _late(replace(good(), order=None)),
    "ORDER-LINE-COUNT": _many_lines,
    "ORDER-LINE-NUMBERS": lambda: good().with_line(2, line_no=3),
    "ORDER-LINE-QUANTITY": lambda: good().with_line(2, quantity=Decimal(-2), price=cny("-10.50")),
    "ORDER-LINE-TOTAL": lambda: good().with_line(1, price=cny("10.49")),
    "ORDER-LINES-SUM": lambda: good().with_order(goods_value=cny("43"), discount=cny("2")),
    "ORDER-HEAD-SUM": lambda: good().with_order(discount=cny("1.01")),
    "ORDER-CURRENCY": _usd_freight,
    "ORDER-MANDATORY": lambda: good().with_buyer(account=None),
    "ORDER-TEXT-LENGTH": lambda: good().with_line(2, model="m" * 511),
    "ORDER-TEXT-CHARACTERS": lambda: good().with_line(2, name="面霜\x0b"),
    "ORDER-SKU-LENGTH": _long_sku,
    "PAYMENT-MISSING": lambda: _late(replace(good(), payment=None)),
    "PAYMENT-AMOUNT": lambda: good().with_payment(amount=cny("47.99")),
    "PAYMENT-CURRENCY": lambda: good().with_payment(amount=Money(Decimal("48.00"), USD)),
    "PAYMENT-ORDER-NO": lambda: good().with_payment(order_no="SO-2"),
    "PAYMENT-COMPANY": _two_companies,
    "PAYMENT-COMPANY-KNOWN": lambda: (
        good()
        .with_payment(company_code="3301960Y09")
        .with_order(payment=PaymentRef("3301960Y09", None, "PAY-1"))
    ),
    "PAYMENT-REFERENCE": lambda: good().with_payment(transaction_id="PAY-2"),
    "PAYMENT-NUMBER-FORM": lambda: (
        good().with_payment(transaction_id="P" * 61).with_order(payment=PaymentRef())
    ),
    "WAYBILL-MISSING": lambda: _late(replace(good(), waybill=None)),
    "WAYBILL-ORDER-NO": lambda: good().with_waybill(order_no="SO-2"),
    "WAYBILL-NUMBER": lambda: good().with_waybill(waybill_no="YD-2"),
    "WAYBILL-CARRIER-KNOWN": lambda: _two_carriers(None),
    "WAYBILL-CURRENCY": lambda: good().with_waybill(insurance=Money(Decimal(0), USD)),
    "WAYBILL-PACK-COUNT": lambda: good().with_waybill(pack_count=2),
    "WAYBILL-WEIGHT": lambda: good().with_waybill(net_weight_kg=Decimal("1.21")),
    "WAYBILL-TEXT-LENGTH": lambda: direct().with_waybill(bill_no="9" * 38),
    "WAYBILL-TEXT-CHARACTERS": lambda: direct().with_waybill(voyage_no="CA1\x00"),
    "PARTY-PAYER-NAME": lambda: good().with_payer(name="王大明"),
    "PARTY-PAYER-ID": lambda: good().with_payer(id_number=OTHER_ID),
    "PARTY-PAYER-SPELLING": lambda: good().with_payer(name="王 小明"),
    "PARTY-IDENTITY-DIFFERENT": lambda: good().with_payment(identity_check=IdentityCheck.DIFFERENT),
    "PARTY-IDENTITY-UNCHECKED": _unchecked,
    "PARTY-ID-TYPE": lambda: good().with_buyer(id_type="2"),
    "PARTY-ID-NUMBER": lambda: (
        good().with_buyer(id_number="110101199003070004").with_payer(id_number="110101199003070004")
    ),
    "PARTY-CONSIGNEE-NAME": lambda: good().with_consignee(name="李大红"),
    "PARTY-CONSIGNEE-PHONE": lambda: good().with_consignee(phone="13800000003"),
    "PARTY-CONSIGNEE-ADDRESS": lambda: good().with_consignee(address="上海市某某路 2 号"),
    "PARTY-CONSIGNEE-SPELLING": lambda: (
        good().with_profile(filings=FILES_WAYBILL).with_consignee(phone="+86 138-0000-0002")
    ),
    "PARTY-CODES": lambda: good().with_profile(
        merchant=Party("33019", "某某"), assure_code="3301960P01"
    ),
    "PARTY-GUARANTOR": lambda: good().with_profile(assure_code="3301960X99"),
    "GOODS-MISSING": lambda: _late(replace(good(), goods={"SKU-1": good().goods["SKU-1"]})),
    "GOODS-UNIT": lambda: good().with_record(2, unit="011"),
    "GOODS-ORIGIN": lambda: good().with_record(2, origin="110"),
    "GOODS-VALID": lambda: good().with_record(1, valid_to=date(2026, 11, 10)),
    "INVENTORY-DIRECT-FIELDS": lambda: direct().with_waybill(voyage_no=None),
    "INVENTORY-BONDED-PROFILE": lambda: good().with_profile(area=None),
    "INVENTORY-BONDED-GOODS": lambda: good().with_record(2, item_record_no=None),
    "INVENTORY-WEIGHT": lambda: good().with_record(2, net_weight_kg=Decimal("0.6")),
    "LIMIT-SINGLE": lambda: single_item("26000"),
    "LIMIT-INDIVISIBLE": lambda: single_item("5000"),
    "CLAIM-ORDER": lambda: _taken("order"),
    "CLAIM-PAYMENT": lambda: _taken("payment"),
    "CLAIM-WAYBILL": lambda: _taken("waybill"),
    "TIME-PAID-BEFORE-ORDERED": lambda: good().with_payment(
        paid_at=datetime(2026, 11, 11, 0, 4, 59, tzinfo=UTC)
    ),
    "TIME-ORDERED-IN-FUTURE": lambda: (
        good()
        .with_order(ordered_at=from_micros(NOW) + timedelta(minutes=11))
        .with_payment(paid_at=None)
    ),
    "TIME-PAID-IN-FUTURE": lambda: good().with_payment(
        paid_at=from_micros(NOW) + timedelta(minutes=11)
    ),
}

# Near each bad example, what is still good.
GOOD: Final[Mapping[str, Example]] = {
    "ORDER-LINE-COUNT": lambda: good(99).with_waybill(gross_weight_kg=Decimal(99)),
    "ORDER-LINE-QUANTITY": lambda: good().with_line(2, quantity=Decimal("0.5"), price=cny("42")),
    "ORDER-LINES-SUM": lambda: (
        good()
        .with_line(2, price=cny("0"), total=cny("0"))
        .with_order(goods_value=cny("21"), paid=cny("27"))
        .with_payment(amount=cny("27"))
    ),
    "ORDER-TEXT-LENGTH": lambda: good().with_line(2, model="m" * 510),
    "ORDER-TEXT-CHARACTERS": lambda: good().with_line(2, name="面霜\t\u3000𠮷"),
    "PAYMENT-COMPANY": lambda: (
        good().with_payment(company_code=None).with_order(payment=PaymentRef())
    ),
    "WAYBILL-CARRIER-KNOWN": lambda: _two_carriers("3301980C02"),
    "WAYBILL-NUMBER": lambda: good().with_order(waybill_no=None),
    "WAYBILL-WEIGHT": lambda: good().with_waybill(net_weight_kg=Decimal("1.2")),
    "PARTY-PAYER-NAME": lambda: (
        good()
        .with_payer(name=Masked("王**"), id_number=None)
        .with_payment(identity_check=IdentityCheck.SAME)
    ),
    "PARTY-IDENTITY-UNCHECKED": lambda: good().with_payment(identity_check=IdentityCheck.UNCHECKED),
    "PARTY-CONSIGNEE-ADDRESS": lambda: good().with_consignee(
        address="浙江省杭州市，滨江区某某路1号"
    ),
    "PARTY-CONSIGNEE-SPELLING": lambda: good().with_consignee(phone="+86 13800000002"),
    "PARTY-CODES": lambda: good().with_profile(platform=Party("EPORT-PLATFORM-1", "某某")),
    "GOODS-VALID": lambda: good().with_record(1, valid_to=date(2026, 11, 11)),
    "LIMIT-SINGLE": lambda: single_item("4995"),
    "TIME-PAID-BEFORE-ORDERED": lambda: good().with_payment(
        paid_at=datetime(2026, 11, 11, 0, 5, tzinfo=UTC)
    ),
}
