"""Invented exports: the profile of a merchant that sells abroad, its goods, papers that agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.app.demo_world import TENANT, demo_profile
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import Direction, ProfileId
from gateway.domain.money import Currency, Money
from gateway.domain.papers import (
    Order,
    OrderLine,
    Paper,
    PaperKind,
    PaymentSlip,
    Person,
    Waybill,
)
from gateway.domain.profile import (
    ConfirmedBy,
    ExportTerms,
    FiledBy,
    FilingProfile,
    PaperFiling,
    TradeMode,
)

PROFILE = ProfileId("hz-export")
USD = Currency("USD")
_OURS = PaperFiling(FiledBy.US, ConfirmedBy.RECEIPT)


def profile(**changes: Any) -> FilingProfile:
    """9610 parcels of which one firm files all papers for carrier and merchant."""
    others = (PaperKind.PAYMENT, PaperKind.WAYBILL)
    fresh = replace(
        demo_profile(),
        profile_id=PROFILE,
        direction=Direction.EXPORT,
        mode=TradeMode.DIRECT,
        assure_code="",
        area=None,
        account_book=None,
        country="502",
        traf_mode="5",
        wrap_type="2",
        rule_pack="export-default",
        export=ExportTerms("USA3"),
        filings=dict.fromkeys(others, _OURS),
        entrusted=frozenset(others),
    )
    return replace(fresh, **changes)


def goods(owner: FilingProfile | None = None) -> list[GoodsRecord]:
    """The one article that the orders are about."""
    return [
        GoodsRecord(
            sku="TEA-CUP",
            scope=(owner or profile()).goods_scope,
            version=0,
            hs_code="6911101900",
            name="瓷茶杯",
            model="瓷制|餐具|无牌",
            origin="142",
            unit="011",
            unit1="035",
            factor1=Decimal("0.3"),
            net_weight_kg=Decimal("0.3"),
            gross_weight_kg=Decimal("0.35"),
            item_record_no="00012",
        )
    ]


def usd(text: str) -> Money:
    """An amount in US dollars."""
    return Money(Decimal(text), USD)


def papers(number: str, **of_order: Any) -> list[Paper]:
    """An order with the receipt of its funds and its waybill."""
    line = OrderLine(
        line_no=1,
        sku="TEA-CUP",
        name="瓷茶杯",
        model="瓷制",
        quantity=Decimal(2),
        unit="011",
        price=usd("9.50"),
        total=usd("19.00"),
        origin="142",
    )
    order = Order(
        order_no=number,
        goods_value=usd("19.00"),
        freight=usd("4.00"),
        discount=usd("0"),
        tax=usd("0"),
        paid=usd("23.00"),
        lines=(line,),
        buyer=Person(name="Example Buyer"),
    )
    slip = PaymentSlip(
        transaction_id=f"F-{number}",
        amount=usd("23.00"),
        order_no=number,
        paid_at=datetime(2026, 11, 1, 2, 0, tzinfo=UTC),
    )
    waybill = Waybill(
        waybill_no=f"{number}-W"[:32],
        order_no=number,
        gross_weight_kg=Decimal("0.8"),
        pack_count=1,
        goods_info="瓷茶杯",
        bill_no="180-00000001",
        transport_no="CK001",
        voyage_no="CK001",
    )
    return [replace(order, **of_order), slip, waybill]


def documents(number: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The same papers as a seller sends them."""
    line = {
        "line_no": 1, "sku": "TEA-CUP", "name": "瓷茶杯", "unit": "011", "quantity": 2,
        "price": "9.50", "total": "19.00",
    }  # fmt: skip
    order = {
        "profile": PROFILE, "order_no": number, "currency": "USD", "goods_value": "19.00",
        "freight": "4.00", "destination": "502", "lines": [line],
    }  # fmt: skip
    funds = {
        "profile": PROFILE, "order_no": number, "receipt_no": f"F-{number}", "amount": "23.00",
        "currency": "USD", "received_at": "2026-11-01T10:00:00+08:00",
    }  # fmt: skip
    waybill = {
        "profile": PROFILE, "order_no": number, "waybill_no": f"{number}-W", "currency": "USD",
        "gross_weight_kg": "0.8", "bill_no": "180-00000001", "transport_no": "CK001",
        "voyage_no": "CK001",
    }  # fmt: skip
    return order, funds, waybill


__all__ = ["PROFILE", "TENANT", "documents", "goods", "papers", "profile", "usd"]
