"""A paper that names no order finds its case through a number that an order names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from gateway.api.decode import to_paper
from gateway.api.edge import ORDER, PAYMENT, WAYBILL
from gateway.app.container import Gateway
from gateway.app.demo_orders import DemoOrder, demo_orders
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, furnish, prepare
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.papers import PaperKind, PaymentSlip, Waybill
from gateway.flow.incoming import Incoming, IntakeResult, IntakeStatus
from gateway.flow.linking import LinkOutcome, decide_link
from gateway.flow.links import link_of
from gateway.ports import CaseFilter, Command


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[Gateway]:
    """A gateway that works on a temporary database; nobody reads its folders."""
    async with running(prepare(folder), api=False) as (gateway, _):
        await furnish(gateway)
        yield gateway


def incoming(doc: dict[str, object], adapter: object) -> Incoming:
    """A paper of the demo as it would arrive."""
    paper = to_paper(adapter.validate_python(doc))  # type: ignore[attr-defined]
    return Incoming(TENANT, demo_profile(), paper, "test", b"{}")


def linked_papers() -> tuple[DemoOrder, list[Incoming]]:
    """One good order whose slip and waybill do not name it; the order names their numbers."""
    (demo,) = demo_orders(PROFILE, 1, 5, problems=False)
    assert demo.payment is not None
    assert demo.waybill is not None
    order = demo.order | {
        "payment": {"transaction_id": demo.payment["transaction_id"]},
        "waybill_no": demo.waybill["waybill_no"],
    }
    payment = {name: value for name, value in demo.payment.items() if name != "order_no"}
    waybill = {name: value for name, value in demo.waybill.items() if name != "order_no"}
    return demo, [
        incoming(order, ORDER),
        incoming(payment, PAYMENT),
        incoming(waybill, WAYBILL),
    ]


async def stage_of(gateway: Gateway) -> CaseStage | None:
    """The stage of the only case."""
    page = await gateway.reads.cases(TENANT, CaseFilter(), None, 10)
    return page.items[0].stage if page.items else None


async def declared(gateway: Gateway) -> bool:
    """Whether the case has all its papers and goes to customs, within a few seconds."""
    for _ in range(50):
        if await stage_of(gateway) is CaseStage.WAITING_FILINGS:
            return True
        await asyncio.sleep(0.1)
    return False


@pytest.mark.parametrize("order_comes", [0, 1, 2])
async def test_unlinked_papers_join_their_order(tmp_path: Path, order_comes: int) -> None:
    """Whenever the order comes, the papers that it names end in its case."""
    _, (order, payment, waybill) = linked_papers()
    others = [payment, waybill]
    arrivals = [*others[:order_comes], order, *others[order_comes:]]
    async with working(tmp_path) as gateway:
        results: list[IntakeResult] = []
        for one in arrivals:
            results += await gateway.ingest.take([one])
        early = [result.status for result in results[:order_comes]]
        assert early == [IntakeStatus.UNLINKED] * order_comes
        assert results[order_comes].status is IntakeStatus.ACCEPTED
        assert all(result.status is IntakeStatus.ACCEPTED for result in results[order_comes:])
        assert await declared(gateway)


async def test_a_paper_that_nobody_names_waits_for_a_person(tmp_path: Path) -> None:
    """Another order does not take it, and no case is made of it."""
    _, (_, payment, _) = linked_papers()
    async with working(tmp_path) as gateway:
        (result,) = await gateway.ingest.take([payment])
        (other,) = demo_orders(PROFILE, 1, 6, problems=False, run="E")
        await gateway.ingest.take([incoming(other.order, ORDER)])
        assert result.status is IntakeStatus.UNLINKED
        assert await stage_of(gateway) is CaseStage.COLLECTING


async def test_a_person_says_where_a_waiting_paper_belongs(tmp_path: Path) -> None:
    """It is taken into that case once, and its later versions follow; nobody else gets it."""
    (demo, other) = demo_orders(PROFILE, 2, 5, problems=False)
    assert demo.payment is not None
    unnamed = {name: value for name, value in demo.payment.items() if name != "order_no"}
    number = str(demo.payment["transaction_id"])
    async with working(tmp_path) as gateway:
        orders = await gateway.ingest.take([incoming(one.order, ORDER) for one in (demo, other)])
        case, others = (result.case_id for result in orders)
        assert case is not None
        assert others is not None
        (kept,) = await gateway.ingest.take([incoming(unnamed, PAYMENT)])
        assert kept.status is IntakeStatus.UNLINKED
        link = gateway.web.linker.link
        assert await link(TENANT, case, PaperKind.PAYMENT, "NOBODY'S") is LinkOutcome.NOT_WAITING
        assert await link(TENANT, case, PaperKind.WAYBILL, number) is LinkOutcome.NOT_WAITING
        stranger = TenantId("stranger")
        assert await link(stranger, case, PaperKind.PAYMENT, number) is LinkOutcome.NOT_WAITING
        assert await link(TENANT, case, PaperKind.PAYMENT, number) is LinkOutcome.LINKED
        assert await link(TENANT, others, PaperKind.PAYMENT, number) is LinkOutcome.NOT_WAITING
        detail = await gateway.reads.case(TENANT, case)
        assert detail is not None
        assert PaperKind.PAYMENT in detail.papers
        (later,) = await gateway.ingest.take([incoming(unnamed | {"amount": "1.00"}, PAYMENT)])
        assert (later.status, later.case_id) == (IntakeStatus.ACCEPTED, case)


async def test_a_number_that_leads_elsewhere_is_not_given_away(tmp_path: Path) -> None:
    """A paper that waits while its number is claimed for another case goes on waiting."""
    _, (order, payment, _) = linked_papers()
    async with working(tmp_path) as gateway:
        await gateway.ingest.take([payment])
        (other,) = demo_orders(PROFILE, 1, 6, problems=False, run="E")
        (result,) = await gateway.ingest.take([incoming(other.order, ORDER)])
        assert result.case_id is not None
        assert isinstance(payment.paper, PaymentSlip)
        number = payment.paper.transaction_id
        claimed = link_of(TENANT, PaperKind.PAYMENT, number)
        holder = CaseId("f" * 24)
        command = Command(
            decide=decide_link,
            facts=(TENANT, result.case_id, claimed, {}),
            load=(result.case_id,),
            lookups=(claimed,),
        )
        assert decide_link((TENANT, holder, claimed, {}), {}, {claimed: holder}).claims == []
        assert await gateway.store.submit(command) is None
        (elsewhere,) = await gateway.ingest.take([order])
        assert elsewhere.case_id is not None
        link = gateway.web.linker.link
        outcome = await link(TENANT, elsewhere.case_id, PaperKind.PAYMENT, number)
        assert outcome is LinkOutcome.TAKEN


async def test_a_waybill_number_is_free_again_after_six_months(tmp_path: Path) -> None:
    """A payment's number never is; both papers of the later order find their case alone."""
    (_, (order, payment, waybill)) = linked_papers()
    (later,) = demo_orders(PROFILE, 1, 6, problems=False, run="E")
    assert later.payment is not None
    assert isinstance(waybill.paper, Waybill)
    doc = later.order | {"waybill_no": waybill.paper.waybill_no}
    slip = incoming(later.payment, PAYMENT)
    async with working(tmp_path) as gateway:
        (first,) = await gateway.ingest.take([order])
        await gateway.ingest.take([payment, waybill])
        (second, _, refused) = await gateway.ingest.take(
            [incoming(doc, ORDER), slip, with_number(waybill, later)]
        )
        assert "CLAIM-WAYBILL" in told(refused)
        rows = await months_pass(gateway)
        assert {kind.partition(":")[0] for kind, _ in rows} == {"waybill", "link"}
        now = gateway.context.clock.now()
        days = {round((at - now) / 86_400_000_000) for _, at in rows}
        assert days == {demo_profile().waybill_window_days}
        # Sent again, the refused number is this order's; and it leads there, too.
        (again,) = await gateway.ingest.take([with_number(waybill, later)])
        assert again.status is IntakeStatus.ACCEPTED
        assert "CLAIM-WAYBILL" not in told(again)
        await gateway.ingest.take([incoming(doc | {"note": "again"}, ORDER)])
        (led,) = await gateway.ingest.take([waybill])
        (paid,) = await gateway.ingest.take([payment])
        assert (led.case_id, paid.case_id) == (second.case_id, first.case_id)


def with_number(waybill: Incoming, order: DemoOrder) -> Incoming:
    """The waybill as it names an order."""
    return replace(waybill, paper=replace(waybill.paper, order_no=order.order_no))


def told(result: IntakeResult) -> set[str]:
    """The rules that the verdict of a paper's case names."""
    return set() if result.verdict is None else {one.rule for one in result.verdict.findings}


async def months_pass(gateway: Gateway) -> list[tuple[str, int]]:
    """Let every claim that lapses have lapsed; gives kinds and ends as they were."""

    def pass_by(on: Connection) -> list[tuple[str, int]]:
        ending = "FROM claim WHERE lapses_at IS NOT NULL"
        rows = [tuple(row) for row in on.execute(text(f"SELECT kind, lapses_at {ending}"))]
        on.execute(text("UPDATE claim SET lapses_at = 1 WHERE lapses_at IS NOT NULL"))
        return rows

    return await gateway.store.execute(pass_by)
