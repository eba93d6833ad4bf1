"""The graph of numbers: what hangs together, and what must not."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import permutations

from gateway.domain.papers import Order, PaymentPart, PaymentSlip, Waybill
from gateway.domain.relations import (
    Paid,
    Ref,
    RefKind,
    Relation,
    RelationGraph,
    Tie,
    TieFault,
    relations_of_order,
    relations_of_payment,
    relations_of_waybill,
)
from tests.unit.domain.papers import cny, good

EBP, PAY = "3301960P01", "3301960Y01"


def graph(*papers: Order | PaymentSlip | Waybill) -> RelationGraph:
    relations: list[Relation] = []
    paid: dict[Ref, Paid] = {}
    for paper in papers:
        match paper:
            case Order():
                relations += relations_of_order(paper, EBP)
            case PaymentSlip():
                found, took = relations_of_payment(paper, EBP, PAY)
                relations += found
                for ref, one in took.items():
                    paid[ref] = max(one, paid.get(ref, one), key=lambda each: each.amount)
            case Waybill():
                relations += relations_of_waybill(paper, EBP)
    return RelationGraph(relations, paid)


def order(number: str, shop: str | None = None) -> Order:
    found = good().order
    assert found is not None
    return replace(found, order_no=number, shop_order_no=shop, waybill_no=f"YD-{number}")


def slip(number: str, amount: str, order_no: str | None, **more: object) -> PaymentSlip:
    return PaymentSlip(number, cny(amount), order_no=order_no, **more)  # type: ignore[arg-type]


def faults(found: RelationGraph) -> set[TieFault]:
    return {one.fault for one in found.check()}


def test_one_order_one_payment_one_parcel_is_whole() -> None:
    found = graph(order("1"), slip("P", "10", "1"), Waybill("YD-1", order_no="1"))
    assert found.check() == ()


def test_one_payment_for_several_orders_is_filed_in_parts() -> None:
    parts = [
        slip(f"P/{n}", "40", n, original_id="P", original_amount=cny("80")) for n in ("1", "2")
    ]
    found = graph(order("1", "S"), order("2", "S"), *parts)
    assert found.check() == ()
    shop = Ref(RefKind.SHOP_ORDER, "S", EBP)
    reached = {step.ref.value: step.depth for step in found.lineage(shop)}
    assert reached == {
        "S": 0, "1": 1, "2": 1, "YD-1": 2, "YD-2": 2, "P/1": 2, "P/2": 2, "P": 2,
    }  # fmt: skip


def test_parts_never_exceed_what_was_paid_less_refunds() -> None:
    more = {"original_id": "P", "original_amount": cny("80")}
    parts = [slip("P/1", "40", "1", **more), slip("P/2", "40.01", "2", **more)]
    fault = next(iter(graph(*parts).check()))
    assert fault.fault is TieFault.SPLIT_ABOVE_PAYMENT
    assert dict(fault.amounts)["parts"] == Decimal("80.01")
    refunded = [slip("P/1", "40", "1", **more, refunded=cny("1")), slip("P/2", "40", "2", **more)]
    paid = {Ref(RefKind.TRANSACTION, "P", PAY): Paid(Decimal(80), Decimal(1))}
    relations = [one for part in refunded for one in relations_of_payment(part, EBP, PAY)[0]]
    assert faults(RelationGraph(relations, paid)) == {TieFault.SPLIT_ABOVE_PAYMENT}


def test_the_same_part_at_two_places_counts_once() -> None:
    more = {"original_id": "P", "original_amount": cny("40")}
    found = graph(
        slip("P/1", "40", "1", **more, place="HANGZHOU_ZS"),
        slip("P/1b", "40", "1", **more, place="NINGBO"),
    )
    assert faults(found) == set()
    twice = graph(slip("P/1", "20", "1", **more), slip("P/1b", "20", "1", **more))
    assert faults(twice) == {TieFault.FILED_TWICE}


def test_deposit_and_balance_are_two_payments_unless_merged() -> None:
    two = [
        slip("D", "10", "1", part=PaymentPart.DEPOSIT),
        slip("B", "30", "1", part=PaymentPart.BALANCE, place="X"),
    ]
    assert faults(graph(order("1"), *two)) == {TieFault.SEVERAL_PAYMENTS}
    merged = slip("M", "40", "1", part=PaymentPart.MERGED)
    assert faults(graph(order("1"), merged)) == set()


def test_a_payment_that_was_given_back_whole_is_no_second_payment() -> None:
    first = slip("P1", "0", "1", refunded=cny("40"))
    assert faults(graph(order("1"), first, slip("P2", "40", "1", place="Y"))) == set()


def test_a_payment_number_belongs_to_one_order() -> None:
    found = graph(slip("P", "40", "1"), slip("P", "40", "2"))
    assert TieFault.PAYMENT_USED_TWICE in faults(found)
    bare = [
        Relation(Ref(RefKind.TRANSACTION, "P"), Tie.PAYS, Ref(RefKind.ORDER, number))
        for number in ("1", "2")
    ]
    assert faults(RelationGraph(bare)) == {TieFault.PAYMENT_USED_TWICE}
    shop = Ref(RefKind.SHOP_ORDER, "S")
    parts = [Relation(Ref(RefKind.ORDER, n), Tie.PART_OF, shop) for n in ("1", "2")]
    assert faults(RelationGraph([*bare, *parts])) == set()


def test_whole_or_in_parts_is_decided_once() -> None:
    found = graph(
        slip("P", "40", "1"),
        slip("P/2", "40", "2", original_id="P", original_amount=cny("80")),
    )
    assert TieFault.SPLIT_AND_WHOLE in faults(found)


def test_the_number_of_the_attempt_is_no_transaction() -> None:
    assert faults(graph(slip("P", "40", "1", attempt_no="P"))) == {TieFault.ATTEMPT_FOR_TRANSACTION}
    assert faults(graph(slip("P", "40", "1", attempt_no="T-1"))) == set()


def test_parcels_and_waybills_go_one_to_one() -> None:
    two = graph(order("1"), Waybill("OTHER", order_no="1"))
    assert faults(two) == {TieFault.SEVERAL_PARCELS}
    shared = graph(Waybill("W", order_no="1"), Waybill("W", order_no="2"))
    assert faults(shared) == {TieFault.WAYBILL_USED_TWICE}
    assert graph(Waybill("W")).relations == ()


def test_the_order_of_arrival_changes_nothing() -> None:
    papers: list[Order | PaymentSlip | Waybill] = [
        order("1", "S"),
        order("2", "S"),
        slip("P/1", "50", "1", original_id="P", original_amount=cny("80")),
        slip("P/2", "50", "2", original_id="P", original_amount=cny("80")),
        Waybill("YD-1", order_no="2"),
    ]
    seen = {graph(*some).check() for some in permutations(papers)}
    assert len(seen) == 1
    assert {one.fault for one in seen.pop()} == {
        TieFault.SPLIT_ABOVE_PAYMENT,
        TieFault.SEVERAL_PARCELS,
        TieFault.WAYBILL_USED_TWICE,
    }
    doubled = graph(*papers, *papers)
    assert doubled.check() == graph(*papers).check()


def test_the_faults_of_one_number() -> None:
    found = graph(Waybill("W", order_no="1"), Waybill("W", order_no="2"), order("9"))
    first = Ref(RefKind.ORDER, "1", EBP)
    assert [one.fault for one in found.faults_of(first)] == [TieFault.WAYBILL_USED_TWICE]
    assert found.faults_of(Ref(RefKind.ORDER, "9", EBP)) == ()
    assert found.lineage(Ref(RefKind.ORDER, "unknown"))[0].depth == 0
