"""Invented cases for the tests of customs adapters.

``changes`` are fields of the value that is made (Any: they are of as many types as fields).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from lxml import etree

from gateway.domain.case import CaseKey
from gateway.domain.declaration import DeclarationKind, DeclarationState
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId, Direction, MessageId, ProfileId, TenantId, record_guid
from gateway.domain.money import Money
from gateway.domain.papers import (
    Consignee,
    Order,
    OrderLine,
    PaymentRef,
    PaymentSlip,
    Person,
    Waybill,
)
from gateway.domain.profile import FilingProfile, Party, TradeMode
from gateway.ports import DeclarationInput, MessageStage, StoredMember, StoredMessage

GUID = "0A1B2C3D-0000-4000-8000-00000000ABCD"
TENANT = TenantId("seller-one")
APP_TIME = "20260301093000"


def money(text: str) -> Money:
    return Money(Decimal(text))


def profile(**changes: Any) -> FilingProfile:
    base = FilingProfile(
        profile_id=ProfileId("ningbo-bonded"),
        tenant=TENANT,
        version=1,
        mode=TradeMode.BONDED,
        customs_code="3105",
        port_code="3104",
        platform=Party("3105961A01", "海淘优选平台有限公司"),
        merchant=Party("3105961B02", "明州跨境电子商务有限公司"),
        agent=Party("3105980C03", "甬通报关有限公司"),
        assure_code="3105961B02",
        transfer=Party("3105980C03", "甬通报关有限公司"),
        dxp_id="DXPENT0000000001",
        carriers=(Party("3105980D04", "迅达速递有限公司"),),
        payment_companies=(Party("3105960E05", "易付支付有限公司"),),
        area=Party("3105W60F06", "保税仓储有限公司"),
        account_book="T3105W000001",
        wrap_type="2",
    )
    return replace(base, **changes)


def direct_profile(**changes: Any) -> FilingProfile:
    """Direct purchase (9610): no account book, a means of transport instead."""
    direct: dict[str, Any] = {
        "profile_id": ProfileId("airport-direct"),
        "mode": TradeMode.DIRECT,
        "area": None,
        "account_book": None,
        "country": "502",
        "traf_mode": "5",
        "loct_no": "3105Z01",
    }
    return profile(**(direct | changes))


def line(number: int = 1, **changes: Any) -> OrderLine:
    base = OrderLine(
        line_no=number,
        sku=f"SKU-{number:03d}",
        name=f"婴幼儿奶粉{number}段",
        model=f"爱他美|{number}段|800克/罐",
        quantity=Decimal(2),
        unit="122",
        price=money("99.5"),
        total=money("199.00"),
        origin="304",
        barcode=f"690000000000{number}",
    )
    return replace(base, **changes)


def order(number: int = 1, lines: int = 3, **changes: Any) -> Order:
    value = Decimal("199.00") * lines
    base = Order(
        order_no=f"HT2026-{number:06d}",
        goods_value=Money(value),
        freight=money("10"),
        discount=money("5.50"),
        tax=money("20.15"),
        paid=Money(value + Decimal("10") + Decimal("20.15") - Decimal("5.50")),
        lines=tuple(line(one) for one in range(1, lines + 1)),
        buyer=Person("王小明", "1", "110101199003070003", "13800000001", "buyer-0001"),
        consignee=Consignee(
            "李小红", "13800000002", "浙江省宁波市北仑区新港路1号2幢301室", "330206"
        ),
        payment=PaymentRef("3105960E05", "易付支付有限公司", f"PAY{number:010d}"),
    )
    return replace(base, **changes)


def payment(number: int = 1, **changes: Any) -> PaymentSlip:
    base = PaymentSlip(
        transaction_id=f"PAY{number:010d}",
        amount=money("223.65"),
        company_code="3105960E05",
        payer=Person("王小明", "1", "110101199003070003", "13800000001"),
        paid_at=datetime(2026, 3, 1, 1, 20, tzinfo=UTC),
    )
    return replace(base, **changes)


def waybill(number: int = 1, **changes: Any) -> Waybill:
    base = Waybill(
        waybill_no=f"YD{number:010d}",
        carrier_code="3105980D04",
        carrier_name="迅达速递有限公司",
        freight=money("8.00"),
        insurance=money("0.50"),
        gross_weight_kg=Decimal("6.2"),
    )
    return replace(base, **changes)


def goods(number: int = 1, owner: FilingProfile | None = None, **changes: Any) -> GoodsRecord:
    base = GoodsRecord(
        sku=f"SKU-{number:03d}",
        scope=(owner or profile()).goods_scope,
        version=1,
        hs_code="1901101000",
        name=f"婴幼儿配方奶粉{number}",
        model=f"配方奶粉|{number}段|800克/罐|爱他美",
        origin="304",
        unit="122",
        unit1="035",
        factor1=Decimal("0.8"),
        net_weight_kg=Decimal("0.8"),
        gross_weight_kg=Decimal("0.95"),
        item_record_no=f"{number:05d}",
    )
    return replace(base, **changes)


def key(number: int = 1, owner: FilingProfile | None = None) -> CaseKey:
    used = owner or profile()
    return CaseKey(
        CaseId(f"case{number:020d}"),
        TENANT,
        Direction.IMPORT,
        used.platform.code,
        f"HT2026-{number:06d}",
        used.profile_id,
    )


def declaration(kind: DeclarationKind, number: int = 1, **changes: Any) -> DeclarationState:
    base = DeclarationState(kind, 1, cop_no=f"CG{number:016d}", app_time=APP_TIME)
    return base._replace(**changes)


def given(
    kind: DeclarationKind,
    number: int = 1,
    *,
    lines: int = 3,
    owner: FilingProfile | None = None,
    **changes: Any,
) -> DeclarationInput:
    used = owner or profile()
    case = key(number, used)
    base = DeclarationInput(
        key=case,
        declaration=declaration(kind, number),
        guid=record_guid(case.case_id, kind.value, 1),
        profile=used,
        order=order(number, lines),
        waybill=waybill(number),
        payment_transaction_id=f"PAY{number:010d}",
        payment=payment(number),
        goods={f"SKU-{one:03d}": goods(one, used) for one in range(1, lines + 1)},
    )
    return replace(base, **changes)


def full_given(kind: DeclarationKind, owner: FilingProfile) -> DeclarationInput:
    """One record with every optional field that the papers can carry."""
    full_order = order(1, lines=1, batch_numbers="LOT-7", note="易碎 <轻放> & 防潮")
    full_line = line(1, description="德国原装进口", note="赠品见箱内")
    full_order = replace(full_order, lines=(full_line,))
    full_goods = goods(1, owner, unit2="142", factor2=Decimal("2"))
    full_waybill = waybill(1, transport_no="CK247", voyage_no="CK247/01", bill_no="160-12345675")
    return given(
        kind,
        owner=owner,
        order=full_order,
        waybill=full_waybill,
        goods={full_line.sku: full_goods},
    )


def stored(kind: DeclarationKind, *members: StoredMember) -> StoredMessage:
    return StoredMessage(
        message_id=MessageId("5D0F0E1C-0000-4000-8000-000000000001"),
        guid=GUID,
        kind=kind,
        tenant=TENANT,
        profile_id=ProfileId("ningbo-bonded"),
        group="g",
        stage=MessageStage.SIGNED,
        created_at=1_772_328_600_000_000,
        attempt=1,
        body=None,
        members=members,
    )


def local(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return etree.QName(element).localname
