"""Invented papers that agree, and how to change one thing about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gateway.domain.case import Verdict
from gateway.domain.circumstances import NOTHING_KNOWN, Circumstances
from gateway.domain.codec import to_micros
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId, ProfileId, RawId, TenantId
from gateway.domain.matching import PaperMatcher, builtin_text, compile_pack
from gateway.domain.money import Money
from gateway.domain.papers import (
    Basis,
    Consignee,
    Order,
    OrderLine,
    Paper,
    PaperKind,
    PaperRevision,
    PaymentRef,
    PaymentSlip,
    Person,
    SourceFact,
    Waybill,
    kind_of,
)
from gateway.domain.profile import (
    ConfirmedBy,
    FiledBy,
    FilingProfile,
    PaperFiling,
    Party,
    TradeMode,
)

ID = "110101199003070003"
OTHER_ID = "310104198512240009"
RECEIVED = datetime(2026, 11, 11, 1, 0, tzinfo=UTC)
NOW = to_micros(datetime(2026, 11, 11, 2, 0, tzinfo=UTC))
DEFAULT = compile_pack(builtin_text("import-default"))


def cny(text: str) -> Money:
    return Money(Decimal(text))


def line(number: int, **changes: Any) -> OrderLine:
    fresh = OrderLine(
        line_no=number,
        sku=f"SKU-{number}",
        name=f"面霜 {number} 号",
        model="4|3|保湿|50ml/瓶|无品牌",
        quantity=Decimal(2),
        unit="142",
        price=cny("10.50"),
        total=cny("21.00"),
        origin="116",
        barcode="4900000000001",
    )
    return replace(fresh, **changes)


def record(number: int, **changes: Any) -> GoodsRecord:
    fresh = GoodsRecord(
        sku=f"SKU-{number}",
        scope=profile().goods_scope,
        version=1,
        hs_code="3304990039",
        name="面霜",
        model="4|3|保湿|50ml/瓶|无品牌",
        origin="116",
        unit="142",
        unit1="035",
        factor1=Decimal("0.05"),
        net_weight_kg=Decimal("0.05"),
        gross_weight_kg=Decimal("0.08"),
        item_record_no=f"R{number:04}",
    )
    return replace(fresh, **changes)


def profile(**changes: Any) -> FilingProfile:
    fresh = FilingProfile(
        profile_id=ProfileId("p1"),
        tenant=TenantId("t1"),
        version=1,
        mode=TradeMode.BONDED,
        customs_code="2991",
        port_code="2991",
        platform=Party("3301960P01", "某某平台有限公司"),
        merchant=Party("3301960M01", "某某电商有限公司"),
        agent=Party("3301980A01", "某某报关有限公司"),
        assure_code="3301960M01",
        transfer=Party("3301980A01", "某某报关有限公司"),
        dxp_id="DXPENT0000000001",
        carriers=(Party("3301980C01", "某某物流有限公司"),),
        payment_companies=(Party("3301960Y01", "某某支付有限公司"),),
        area=Party("3301960Z01", "某某仓储有限公司"),
        account_book="T2991W000001",
    )
    return replace(fresh, **changes)


FILES_WAYBILL: Mapping[PaperKind, PaperFiling] = {
    PaperKind.WAYBILL: PaperFiling(FiledBy.US, ConfirmedBy.RECEIPT)
}

_CONSIGNEE = Consignee(
    name="李小红", phone="13800000002", address="浙江省杭州市滨江区某某路 1 号", district="330108"
)


@dataclass(frozen=True)
class Case:
    """Everything that matching takes."""

    order: Order | None
    payment: PaymentSlip | None
    waybill: Waybill | None
    profile: FilingProfile
    goods: Mapping[str, GoodsRecord]
    taken: Mapping[str, CaseId] = field(default_factory=dict)
    now: int = NOW
    basis: Basis = Basis.TO_FILE
    around: Circumstances = NOTHING_KNOWN

    @property
    def papers(self) -> dict[PaperKind, PaperRevision]:
        found = (self.order, self.payment, self.waybill)
        return {kind_of(one): self.revision(one) for one in found if one is not None}

    def revision(self, paper: Paper) -> PaperRevision:
        fact = SourceFact("test", RawId("r"), 0, 1, RECEIVED, paper)
        return PaperRevision(kind_of(paper), 1, "d", paper, (fact,), self.basis)

    def with_order(self, **changes: Any) -> Case:
        assert self.order is not None
        return replace(self, order=replace(self.order, **changes))

    def with_buyer(self, **changes: Any) -> Case:
        assert self.order is not None
        return self.with_order(buyer=replace(self.order.buyer, **changes))

    def with_payment(self, **changes: Any) -> Case:
        assert self.payment is not None
        return replace(self, payment=replace(self.payment, **changes))

    def with_payer(self, **changes: Any) -> Case:
        assert self.payment is not None
        return self.with_payment(payer=replace(self.payment.payer, **changes))

    def with_waybill(self, **changes: Any) -> Case:
        assert self.waybill is not None
        return replace(self, waybill=replace(self.waybill, **changes))

    def with_consignee(self, **changes: Any) -> Case:
        assert self.waybill is not None
        return self.with_waybill(consignee=replace(self.waybill.consignee, **changes))

    def with_profile(self, **changes: Any) -> Case:
        return replace(self, profile=replace(self.profile, **changes))

    def with_record(self, number: int, **changes: Any) -> Case:
        changed = replace(self.goods[f"SKU-{number}"], **changes)
        return replace(self, goods={**self.goods, changed.sku: changed})

    def with_line(self, number: int, **changes: Any) -> Case:
        assert self.order is not None
        lines = tuple(
            replace(one, **changes) if one.line_no == number else one for one in self.order.lines
        )
        return self.with_order(lines=lines)

    def match(self, matcher: PaperMatcher | None = None) -> Verdict:
        ask = matcher or PaperMatcher([DEFAULT])
        return ask(self.papers, self.profile, self.goods, self.taken, self.now, self.around)


def good(lines: int = 2) -> Case:
    """A bonded case in which everything agrees."""
    goods_value = 21 * lines
    paid = cny(f"{goods_value + 5 + 2 - 1}.00")
    buyer = Person(name="王小明", id_type="1", id_number=ID, phone="13800000001", account="u1")
    order = Order(
        order_no="SO-1",
        goods_value=cny(f"{goods_value}.00"),
        freight=cny("5.00"),
        discount=cny("1.00"),
        tax=cny("2.00"),
        paid=paid,
        lines=tuple(line(number) for number in range(1, lines + 1)),
        buyer=buyer,
        consignee=_CONSIGNEE,
        payment=PaymentRef("3301960Y01", "某某支付有限公司", "PAY-1"),
        waybill_no="YD-1",
        ordered_at=datetime(2026, 11, 11, 0, 10, tzinfo=UTC),
    )
    payment = PaymentSlip(
        transaction_id="PAY-1",
        amount=paid,
        order_no="SO-1",
        company_code="3301960Y01",
        payer=Person(name="王小明", id_type="1", id_number=ID),
        paid_at=datetime(2026, 11, 11, 0, 11, tzinfo=UTC),
    )
    waybill = Waybill(
        waybill_no="YD-1",
        order_no="SO-1",
        carrier_code="3301980C01",
        freight=cny("5.00"),
        insurance=cny("0"),
        gross_weight_kg=Decimal("1.2") + (lines - 2) * Decimal("0.16"),
        net_weight_kg=Decimal("1.0"),
        pack_count=1,
        consignee=_CONSIGNEE,
    )
    goods = {f"SKU-{number}": record(number) for number in range(1, lines + 1)}
    return Case(order, payment, waybill, profile(), goods)


def direct(lines: int = 2) -> Case:
    """A direct-purchase case in which everything agrees."""
    return (
        good(lines)
        .with_profile(mode=TradeMode.DIRECT, area=None, account_book=None)
        .with_waybill(bill_no="999-00000001", transport_no="CA1", voyage_no="CA1/1111")
    )


def single_item(price: str, **changes: Any) -> Case:
    """One indivisible item of a price."""
    case = good(1)
    paid = cny(str(Decimal(price) + 5 + 2 - 1))
    only = line(1, quantity=Decimal(1), price=cny(price), total=cny(price), **changes)
    return case.with_order(lines=(only,), goods_value=cny(price), paid=paid).with_payment(
        amount=paid
    )
