"""How orders, payments and parcels hang together, as a graph of numbers.

A marketplace order may be cut into several declared orders (ports, parcels), a payment may pay
several orders or an order be paid in parts, and a payment has numbers of three kinds: the attempt
(the merchant's own number), the transaction, and the number that customs sees, which is another
one when the payment is filed in parts. Papers attach by these numbers, so they are kept as values
and checked as a whole, whatever order the papers came in.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from gateway.domain.papers import Order, Paper, PaymentPart, PaymentSlip, Waybill

_ZERO: Final = Decimal(0)


class RefKind(StrEnum):
    """What a number names."""

    SHOP_ORDER = "shop_order"
    ORDER = "order"
    ATTEMPT = "attempt"
    TRANSACTION = "transaction"
    FILED_PAYMENT = "filed_payment"
    WAYBILL = "waybill"


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """One number. ``issuer`` is the code of who gave it (platform, payment company, carrier)."""

    kind: RefKind
    value: str
    issuer: str = ""


class Tie(StrEnum):
    """How one number hangs on another: ``source`` *ties* ``target``."""

    PART_OF = "part_of"  # declared order → shop order
    PAYS = "pays"  # transaction → declared or shop order
    ATTEMPTED_AS = "attempted_as"  # transaction → attempt
    FILES = "files"  # filed payment → declared order
    FILED_FROM = "filed_from"  # filed payment → transaction
    CARRIES = "carries"  # waybill → declared order


@dataclass(frozen=True, slots=True)
class Relation:
    """One edge. ``amount`` (CNY) is what is paid or filed, ``place`` the customs place of a filing.

    ``part`` says what kind of payment it is.
    """

    source: Ref
    tie: Tie
    target: Ref
    amount: Decimal | None = None
    place: str | None = None
    part: PaymentPart | None = None


@dataclass(frozen=True, slots=True)
class Paid:
    """What a transaction took and gave back, in CNY."""

    amount: Decimal
    refunded: Decimal = _ZERO

    @property
    def net(self) -> Decimal:
        """What may be filed of it at most."""
        return self.amount - self.refunded


class TieFault(StrEnum):
    """What can be wrong with relations."""

    SPLIT_ABOVE_PAYMENT = "split_above_payment"
    SEVERAL_PAYMENTS = "several_payments"
    PAYMENT_USED_TWICE = "payment_used_twice"
    SPLIT_AND_WHOLE = "split_and_whole"
    FILED_TWICE = "filed_twice"
    ATTEMPT_FOR_TRANSACTION = "attempt_for_transaction"
    SEVERAL_PARCELS = "several_parcels"
    WAYBILL_USED_TWICE = "waybill_used_twice"


@dataclass(frozen=True, slots=True)
class BrokenTie:
    """One fault: the number it is about, the others that take part, and amounts by name."""

    fault: TieFault
    at: Ref
    others: tuple[Ref, ...] = ()
    amounts: tuple[tuple[str, Decimal], ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a lineage: how far from the start, and the relation that leads there."""

    depth: int
    ref: Ref
    relation: Relation | None = None


class RelationGraph:
    """Relations as a graph; the same relations in any order, or given twice, are the same graph."""

    __slots__ = ("_from", "_to", "paid", "relations")

    def __init__(
        self, relations: Iterable[Relation], paid: Mapping[Ref, Paid] | None = None
    ) -> None:
        # One edge per ends and tie: a later fact about it replaces the earlier.
        edges = {(one.source, one.tie, one.target): one for one in relations}
        self.relations: Final = tuple(edges[key] for key in sorted(edges))
        self.paid: Final[Mapping[Ref, Paid]] = dict(paid or {})
        self._from: dict[Ref, list[Relation]] = {}
        self._to: dict[Ref, list[Relation]] = {}
        for one in self.relations:
            self._from.setdefault(one.source, []).append(one)
            self._to.setdefault(one.target, []).append(one)

    def leaving(self, ref: Ref, tie: Tie) -> list[Relation]:
        """The relations of one tie that a number is the source of."""
        return [one for one in self._from.get(ref, ()) if one.tie is tie]

    def reaching(self, ref: Ref, tie: Tie) -> list[Relation]:
        """The relations of one tie that a number is the target of."""
        return [one for one in self._to.get(ref, ()) if one.tie is tie]

    def refs(self) -> list[Ref]:
        """Every number, sorted."""
        return sorted({*self._from, *self._to})

    def lineage(self, start: Ref) -> tuple[Step, ...]:
        """Everything that hangs together with a number, nearest first; each number once."""
        seen = {start}
        steps = [Step(0, start)]
        for step in steps:  # grows while it is walked: breadth first, without recursion
            near = [*self._from.get(step.ref, ()), *self._to.get(step.ref, ())]
            for relation in near:
                other = relation.target if relation.source == step.ref else relation.source
                if other not in seen:
                    seen.add(other)
                    steps.append(Step(step.depth + 1, other, relation))
        return tuple(steps)

    def check(self) -> tuple[BrokenTie, ...]:
        """Every fault, in the order of the numbers it is about."""
        found: list[BrokenTie] = []
        for ref in self.refs():
            match ref.kind:
                case RefKind.ORDER:
                    found.extend(self._order(ref))
                case RefKind.TRANSACTION:
                    found.extend(self._transaction(ref))
                case RefKind.FILED_PAYMENT:
                    found.extend(self._filed(ref))
                case RefKind.WAYBILL:
                    found.extend(self._waybill(ref))
                case _:
                    pass
        return tuple(found)

    def faults_of(self, ref: Ref) -> tuple[BrokenTie, ...]:
        """The faults that a number takes part in."""
        return tuple(one for one in self.check() if one.at == ref or ref in one.others)

    def _order(self, ref: Ref) -> Iterator[BrokenTie]:
        """A declared order is paid once, filed once at each place, and travels in one parcel."""
        paying = [one for one in self.reaching(ref, Tie.PAYS) if self._stands(one.source)]
        is_merged = any(one.part is PaymentPart.MERGED for one in paying)
        is_several = len(paying) > 1 and not is_merged
        if is_several:
            others = tuple(one.source for one in paying)
            amounts = tuple((one.source.value, one.amount) for one in paying if one.amount)
            yield BrokenTie(TieFault.SEVERAL_PAYMENTS, ref, others, amounts)
        # Of several payments, or of parts that a merged one stands for, each has a filing.
        filings = () if is_several else self.reaching(ref, Tie.FILES)
        places: dict[str | None, list[Ref]] = {}
        for one in filings:
            if not is_merged or one.part is PaymentPart.MERGED:
                places.setdefault(one.place, []).append(one.source)
        for filed in places.values():
            if len(filed) > 1:
                yield BrokenTie(TieFault.FILED_TWICE, ref, tuple(filed))
        parcels = self.reaching(ref, Tie.CARRIES)
        if len(parcels) > 1:
            others = tuple(one.source for one in parcels)
            yield BrokenTie(TieFault.SEVERAL_PARCELS, ref, others)

    def _stands(self, transaction: Ref) -> bool:
        """Whether a payment still pays anything: one that was given back whole is none."""
        paid = self.paid.get(transaction)
        return paid is None or paid.net > 0 or paid.amount == 0

    def _transaction(self, ref: Ref) -> Iterator[BrokenTie]:
        """What is filed of a payment is one whole, or parts that it covers."""
        filings = [one.source for one in self.reaching(ref, Tie.FILED_FROM)]
        parts = [edge for filed in filings for edge in self._files(filed) if edge.amount]
        paid = self.paid.get(ref)
        total = sum((edge.amount or _ZERO for edge in _one_place(parts)), _ZERO)
        # A number that several orders use is no split: PAYMENT_USED_TWICE tells of it.
        is_shared = any(len({one.target for one in self._files(filed)}) > 1 for filed in filings)
        if paid is not None and total > paid.net and not is_shared:
            amounts = (("parts", total), ("paid", paid.amount), ("refunded", paid.refunded))
            yield BrokenTie(TieFault.SPLIT_ABOVE_PAYMENT, ref, tuple(filings), amounts)
        own = [one for one in filings if one.value == ref.value]
        if own and len(filings) > len(own):
            yield BrokenTie(TieFault.SPLIT_AND_WHOLE, ref, tuple(filings))
        direct = self.leaving(ref, Tie.PAYS)
        if len(direct) > 1 and not filings:
            others = tuple(one.target for one in direct)
            if not self._share_shop_order(others):
                yield BrokenTie(TieFault.PAYMENT_USED_TWICE, ref, others)
        attempts = [one.target for one in self.leaving(ref, Tie.ATTEMPTED_AS)]
        mixed = tuple(one for one in attempts if one.value == ref.value)
        if mixed:
            yield BrokenTie(TieFault.ATTEMPT_FOR_TRANSACTION, ref, mixed)

    def _files(self, filed: Ref) -> list[Relation]:
        return self.leaving(filed, Tie.FILES)

    def _share_shop_order(self, orders: tuple[Ref, ...]) -> bool:
        """Whether these are parts of one shop order, which one payment may pay."""
        shops = [{one.target for one in self.leaving(order, Tie.PART_OF)} for order in orders]
        return bool(set.intersection(*shops)) if shops else False

    def _filed(self, ref: Ref) -> Iterator[BrokenTie]:
        """A payment number that customs sees belongs to one declared order."""
        orders = tuple(sorted({one.target for one in self.leaving(ref, Tie.FILES)}))
        if len(orders) > 1:
            yield BrokenTie(TieFault.PAYMENT_USED_TWICE, ref, orders)

    def _waybill(self, ref: Ref) -> Iterator[BrokenTie]:
        """A waybill carries one declared order."""
        orders = tuple(sorted({one.target for one in self.leaving(ref, Tie.CARRIES)}))
        if len(orders) > 1:
            yield BrokenTie(TieFault.WAYBILL_USED_TWICE, ref, orders)


def _one_place(parts: Iterable[Relation]) -> list[Relation]:
    """One filing of each declared order: the same payment may be filed at several places."""
    largest: dict[Ref, Relation] = {}
    for one in parts:
        before = largest.get(one.target)
        if before is None or (one.amount or _ZERO) > (before.amount or _ZERO):
            largest[one.target] = one
    return list(largest.values())


def numbers_of(paper: Paper) -> tuple[str, ...]:
    """The numbers of a paper that papers of other cases may name too: what neighbours share.

    Numbers that one case alone may hold are claims, and found by them.
    """
    match paper:
        case Order(shop_order_no=shop) if shop:
            return (f"{RefKind.SHOP_ORDER}|{shop}",)
        case PaymentSlip():
            numbers = dict.fromkeys((paper.transaction_id, paper.original_id))
            return tuple(f"{RefKind.TRANSACTION}|{one}" for one in numbers if one)
        case _:
            return ()


def split_number_of(paper: Paper) -> str | None:
    """The number under which a paper is known to be one part of several; None for a whole."""
    match paper:
        case Order(shop_order_no=shop) if shop:
            return f"{RefKind.SHOP_ORDER}|{shop}"
        case PaymentSlip(original_id=original) if original and original != paper.transaction_id:
            return f"{RefKind.TRANSACTION}|{original}"
        case _:
            return None


def number_of(paper: Paper) -> str:
    """The number that makes a paper what it is."""
    match paper:
        case Order():
            return paper.order_no
        case PaymentSlip():
            return paper.transaction_id
        case Waybill():
            return paper.waybill_no


def stands_beside(order: Order | None, before: Paper, after: Paper) -> bool:
    """Whether a paper of another number stands beside the one before, instead of replacing it.

    A payment that is only a part, or of another amount, is another payment; one of the same amount
    is the same payment under its right number. A waybill of another weight is another parcel,
    unless the order names it: that one is the parcel.
    """
    match before, after:
        case PaymentSlip(), PaymentSlip():
            if before.transaction_id == after.transaction_id:
                return False
            parts = {PaymentPart.DEPOSIT, PaymentPart.BALANCE}
            return bool({before.part, after.part} & parts) or before.amount != after.amount
        case Waybill(), Waybill():
            if before.waybill_no == after.waybill_no:
                return False
            if order is not None and order.waybill_no == after.waybill_no:
                return False
            weights = (before.gross_weight_kg, after.gross_weight_kg)
            return None not in weights and weights[0] != weights[1]
        case _:
            return False


def relations_of_order(order: Order, platform: str) -> tuple[Relation, ...]:
    """What an order says about numbers; ``platform`` gave its own."""
    declared = Ref(RefKind.ORDER, order.order_no, platform)
    found: list[Relation] = []
    if order.shop_order_no:
        shop = Ref(RefKind.SHOP_ORDER, order.shop_order_no, platform)
        found.append(Relation(declared, Tie.PART_OF, shop))
    if order.waybill_no:
        found.append(Relation(Ref(RefKind.WAYBILL, order.waybill_no), Tie.CARRIES, declared))
    return tuple(found)


def relations_of_payment(
    slip: PaymentSlip, platform: str, company: str
) -> tuple[tuple[Relation, ...], Mapping[Ref, Paid]]:
    """What a payment slip says about numbers, and what its transaction took.

    The slip's own number is the one that customs sees; ``original_id`` is the transaction behind
    it when the payment is filed in parts, else they are one.
    """
    number = slip.original_id or slip.transaction_id
    transaction = Ref(RefKind.TRANSACTION, number, company)
    filed = Ref(RefKind.FILED_PAYMENT, slip.transaction_id, company)
    found = [Relation(filed, Tie.FILED_FROM, transaction)]
    if slip.order_no:
        declared = Ref(RefKind.ORDER, slip.order_no, platform)
        amount, part = slip.amount.amount, slip.part
        found.append(Relation(filed, Tie.FILES, declared, amount, slip.place, part))
        found.append(Relation(transaction, Tie.PAYS, declared, amount, None, part))
    if slip.attempt_no:
        attempt = Ref(RefKind.ATTEMPT, slip.attempt_no, company)
        found.append(Relation(transaction, Tie.ATTEMPTED_AS, attempt))
    whole = slip.original_amount or slip.amount
    refunded = slip.refunded.amount if slip.refunded is not None else _ZERO
    # An unsplit slip is made out for what is left after refunds, so it took that much more.
    took = whole.amount if slip.original_amount is not None else whole.amount + refunded
    return tuple(found), {transaction: Paid(took, refunded)}


def relations_of_waybill(waybill: Waybill, platform: str) -> tuple[Relation, ...]:
    """What a waybill says about numbers."""
    if not waybill.order_no:
        return ()
    carried = Ref(RefKind.ORDER, waybill.order_no, platform)
    return (Relation(Ref(RefKind.WAYBILL, waybill.waybill_no), Tie.CARRIES, carried),)
