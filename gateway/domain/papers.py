"""The three papers: order, payment slip and waybill, and the facts that they are composed from.

No single source gives everything (a payment query has no payer name, a carrier push has no
consignee), so every field that a source may keep back is optional, and a field is *known*,
*masked*, *attested* or *absent*. A paper revision is composed from one or more source facts,
newest known value first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, TypeVar, assert_never

from gateway.domain.ids import RawId
from gateway.domain.money import Money


class PaperKind(StrEnum):
    """Which of the three papers."""

    ORDER = "order"
    PAYMENT = "payment"
    WAYBILL = "waybill"


class Basis(StrEnum):
    """What a paper's content stands for."""

    SOLD = "sold"
    TO_FILE = "to_file"
    AS_FILED = "as_filed"


class IdentityCheck(StrEnum):
    """A payment company's own comparison of payer and buyer."""

    SAME = "SAME"
    DIFFERENT = "DIFFERENT"
    UNCHECKED = "UNCHECKED"


class FieldState(StrEnum):
    """How much is known of one field of a paper."""

    KNOWN = "known"
    MASKED = "masked"
    ATTESTED = "attested"
    ABSENT = "absent"


class PaymentPart(StrEnum):
    """What a payment is of its order; ``merged`` is one filed document for several payments."""

    WHOLE = "whole"
    DEPOSIT = "deposit"
    BALANCE = "balance"
    MERGED = "merged"


class DeductionKind(StrEnum):
    """Why a buyer paid less in cash than the shop's prices come to.

    A price cut and a shop's coupon make the deal price lower. Points, vouchers, gift cards and
    virtual money pay a part of the deal price without cash.
    """

    PRICE_CUT = "price_cut"
    COUPON = "coupon"
    POINTS = "points"
    VOUCHER = "voucher"
    GIFT_CARD = "gift_card"
    VIRTUAL_MONEY = "virtual_money"
    UNKNOWN = "unknown"

    @property
    def lowers_price(self) -> bool:
        """Whether it belongs into the line prices, not into the discount."""
        return self in (DeductionKind.PRICE_CUT, DeductionKind.COUPON)


@dataclass(frozen=True, slots=True)
class Masked:
    """A value that its source shows only in part, for example ``138****0001``."""

    shown: str


def as_sent(value: str | None, sign: str = "*") -> str | Masked | None:
    """A personal value as its source sent it: one with the sign of hiding in it is masked.

    No name, phone or identity number is written with an asterisk; sources that hide a part of a
    value put it there. An address may hold one, hence two are its sign.
    """
    return Masked(value) if value is not None and sign in value else value


@dataclass(frozen=True, slots=True)
class Person:
    """Who bought or paid: name, identity document and phone as the source spells them."""

    name: str | Masked | None = None
    id_type: str | None = None
    id_number: str | Masked | None = None
    phone: str | Masked | None = None
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Consignee:
    """Who receives the parcel; may be somebody else than the buyer."""

    name: str | Masked | None = None
    phone: str | Masked | None = None
    address: str | Masked | None = None
    district: str | None = None


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One line of an order; ``unit`` and ``origin`` are customs codes, ``total`` as the shop sums
    it.
    """

    line_no: int
    sku: str
    name: str
    model: str
    quantity: Decimal
    unit: str
    price: Money
    total: Money
    origin: str
    barcode: str | None = None
    description: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Deduction:
    """One reason for paying less, as the shop records it; of one line where it names one.

    ``is_in_prices`` says that the line prices are lower by it already.
    """

    kind: DeductionKind
    amount: Money
    line_no: int | None = None
    is_in_prices: bool = False


@dataclass(frozen=True, slots=True)
class PaymentRef:
    """What the order says about its payment."""

    company_code: str | None = None
    company_name: str | None = None
    transaction_id: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """The order (订单): what was bought, by whom, for how much.

    ``goods_value`` is the deal price including what was paid without cash, ``discount`` the
    non-cash part (points, vouchers), ``paid`` what was really paid (acturalPaid). ``deductions``
    are the shop's own records behind price and discount. ``shop_order_no`` names the order of the
    shop where several orders are declared of it. ``destination`` is the country that an export
    goes to, a customs code.
    """

    order_no: str
    goods_value: Money
    freight: Money
    discount: Money
    tax: Money
    paid: Money
    lines: tuple[OrderLine, ...]
    buyer: Person = Person()
    consignee: Consignee = Consignee()
    payment: PaymentRef = PaymentRef()
    waybill_no: str | None = None
    batch_numbers: str | None = None
    ordered_at: datetime | None = None
    note: str | None = None
    shop_order_no: str | None = None
    deductions: tuple[Deduction, ...] = ()
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class PaymentSlip:
    """The payment slip (支付单): who paid how much, as the payment company knows it.

    ``transaction_id`` is the number that customs sees. Where the payment is filed in parts,
    ``original_id`` and ``original_amount`` tell the transaction behind it. ``attempt_no`` is the
    merchant's own number of the try to pay, ``refunded`` what was given back so far, ``place`` the
    customs place that it is filed at.
    """

    transaction_id: str
    amount: Money
    order_no: str | None = None
    company_code: str | None = None
    company_name: str | None = None
    payer: Person = Person()
    identity_check: IdentityCheck | None = None
    paid_at: datetime | None = None
    note: str | None = None
    part: PaymentPart | None = None
    original_id: str | None = None
    original_amount: Money | None = None
    refunded: Money | None = None
    attempt_no: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class Waybill:
    """The waybill (运单): which parcel goes to whom. Weights are Decimal kilograms."""

    waybill_no: str
    order_no: str | None = None
    carrier_code: str | None = None
    carrier_name: str | None = None
    freight: Money | None = None
    insurance: Money | None = None
    gross_weight_kg: Decimal | None = None
    net_weight_kg: Decimal | None = None
    pack_count: int | None = None
    goods_info: str | None = None
    consignee: Consignee = Consignee()
    bill_no: str | None = None
    transport_no: str | None = None
    voyage_no: str | None = None
    note: str | None = None


Paper = Order | PaymentSlip | Waybill
_P = TypeVar("_P", Order, PaymentSlip, Waybill)
_V = TypeVar("_V")


_FILED: Final = "filed:"


def copy_source(code: str) -> str:
    """The source of a copy: what is told that an enterprise (its code) filed with customs."""
    return _FILED + code


def filer_of(source: str) -> str | None:
    """The enterprise whose filed copy a source stands for, None for a source of papers."""
    return source.removeprefix(_FILED) if source.startswith(_FILED) else None


@dataclass(frozen=True, slots=True)
class SourceFact:
    """What one source said about one paper, pointing at the raw bytes it came from.

    A fact with ``filed_by`` is no part of the paper: it is the copy that this enterprise filed with
    customs, as far as somebody told us, and the paper is held against it.
    """

    source: str
    raw_id: RawId
    offset: int
    length: int
    received_at: datetime
    paper: Paper

    @property
    def filed_by(self) -> str | None:
        """Who filed the copy that this is, None for what a paper is composed of."""
        return filer_of(self.source)


@dataclass(frozen=True, slots=True)
class PaperRevision:
    """One revision of one paper of a case: the composed paper and the facts behind it.

    ``digest`` covers the composed content; two revisions with one digest say the same. ``heard_at``
    is when the paper was first heard of, where that fact was replaced since. ``doc`` may carry the
    document of ``paper`` where it was made already, so that it is not made twice.
    """

    kind: PaperKind
    revision: int
    digest: str
    paper: Paper
    facts: tuple[SourceFact, ...] = ()
    basis: Basis = Basis.TO_FILE
    doc: Mapping[str, object] | None = field(default=None, compare=False, repr=False)
    heard_at: datetime | None = None

    @property
    def first_heard(self) -> datetime | None:
        """When the first fact of this paper came; None for one that no fact is behind."""
        known = [one.received_at for one in self.facts]
        return min(known if self.heard_at is None else [self.heard_at, *known], default=None)

    @property
    def filed_copy(self) -> SourceFact | None:
        """The newest copy that somebody filed, where the paper itself is known from elsewhere."""
        if self.basis is Basis.AS_FILED:
            return None
        copies = (one for one in self.facts if one.filed_by is not None)
        return max(copies, key=lambda one: one.received_at, default=None)


def kind_of(paper: Paper) -> PaperKind:
    """Which of the three papers a value is."""
    match paper:
        case Order():
            return PaperKind.ORDER
        case PaymentSlip():
            return PaperKind.PAYMENT
        case Waybill():
            return PaperKind.WAYBILL
        case _:
            assert_never(paper)


def field_state(value: object, attestation: IdentityCheck | None = None) -> FieldState:
    """How much is known of a value; an ``attestation`` speaks for a value that is not shown."""
    if value is None or value in ("", ()):
        return FieldState.ATTESTED if attestation is not None else FieldState.ABSENT
    if isinstance(value, Masked):
        return FieldState.ATTESTED if attestation is not None else FieldState.MASKED
    return FieldState.KNOWN


def known(value: str | Masked | None) -> str | None:
    """The value if it is known in full, else None."""
    return value if isinstance(value, str) and value else None


def compose(earlier: _P, later: _P) -> _P:
    """One paper from two facts: a known value beats a masked one, a masked one beats none.

    Among known values the later fact wins. Composing is associative and idempotent.
    """
    return _merged(earlier, later)


_WEIGHT: Final[Mapping[FieldState, int]] = {
    FieldState.ABSENT: 0,
    FieldState.ATTESTED: 1,
    FieldState.MASKED: 1,
    FieldState.KNOWN: 2,
}


def _merged(earlier: _V, later: _V) -> _V:
    if not is_dataclass(later) or isinstance(later, type) or type(earlier) is not type(later):
        weaker = _WEIGHT[field_state(later)] < _WEIGHT[field_state(earlier)]
        return earlier if weaker else later
    if isinstance(later, Money | Masked):
        return later
    merged = {
        field.name: _merged(getattr(earlier, field.name), getattr(later, field.name))
        for field in fields(later)
    }
    result: _V = replace(later, **merged)
    return result


def changed_paths(before: object, after: object, path: str = "") -> list[str]:
    """The dotted paths whose values differ between two papers of one kind."""
    if before == after:
        return []
    if is_dataclass(before) and type(before) is type(after) and not isinstance(before, Money):
        prefix = f"{path}." if path else ""
        return [
            found
            for field in fields(before)
            for found in changed_paths(
                getattr(before, field.name), getattr(after, field.name), prefix + field.name
            )
        ]
    if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
        return [
            found
            for index, (one, other) in enumerate(zip(before, after, strict=True))
            for found in changed_paths(one, other, f"{path}[{index}]")
        ]
    return [path or "paper"]
