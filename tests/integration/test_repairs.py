"""Findings are mended by corrections: for one case, for all with one cause, with those it needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select

from gateway.api.edge import ORDER, PAYMENT, WAYBILL
from gateway.app.checks import check_everything
from gateway.app.container import Gateway
from gateway.app.demo_orders import DemoOrder, demo_orders
from gateway.app.demo_world import PROFILE, TENANT, furnish, prepare
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from gateway.domain.events import EventKind
from gateway.domain.findings import finding_id
from gateway.domain.ids import CaseId, EffectId, TenantId
from gateway.domain.papers import Order, PaperKind, PaymentSlip, Waybill
from gateway.domain.repair import Need
from gateway.flow.clockwork import local_date
from gateway.flow.repair import NotPossible, Person, Repairs, Wanted
from gateway.ports import CaseDetail, CaseFilter, Effect, EffectKind
from gateway.ports.repairs import RepairStage
from store.tables import parked
from tests.integration.test_links import incoming

CLERK = Person("clerk:1", "clerk")
SUPERVISOR = Person("supervisor:2", "supervisor")
OTHER = Person("supervisor:3", "supervisor")
SELLER = Person("seller:4", "seller")


@asynccontextmanager
async def working(folder: Path) -> AsyncIterator[Gateway]:
    async with running(prepare(folder), api=False, work=False) as (gateway, _):
        await furnish(gateway)
        await gateway.admin.new_endpoint(
            TENANT, url="", role="seller", event_types=frozenset({"repair.asked"}), batch_size=1
        )
        yield gateway


def planted(count: int, **changes: str) -> list[DemoOrder]:
    """Good orders, each with something changed in its slip or waybill."""
    found = []
    for one in demo_orders(PROFILE, count, 7, problems=False):
        assert one.payment is not None
        assert one.waybill is not None
        payment = {**one.payment, **{k: v for k, v in changes.items() if k in one.payment}}
        waybill = {**one.waybill, **{k: v for k, v in changes.items() if k == "carrier_code"}}
        found.append(replace(one, payment=payment, waybill=waybill))
    return found


async def taken(gateway: Gateway, orders: list[DemoOrder]) -> list[CaseId]:
    """The cases of these orders."""
    papers = []
    for one in orders:
        papers += [
            incoming(one.order, ORDER),
            incoming(one.payment or {}, PAYMENT),
            incoming(one.waybill or {}, WAYBILL),
        ]
    results = await gateway.ingest.take(papers)
    return [result.case_id for result in results[::3] if result.case_id is not None]


async def detail(gateway: Gateway, case: CaseId) -> CaseDetail:
    found = await gateway.reads.case(TENANT, case)
    assert found is not None
    return found


async def wanted(gateway: Gateway, case: CaseId, path: str, **more: object) -> Wanted:
    verdict = (await detail(gateway, case)).state.verdict
    assert verdict is not None
    finding = next(one for one in verdict.findings if any(fix.path == path for fix in one.fixes))
    return Wanted(case, finding_id(finding), path, "as agreed", **more)  # type: ignore[arg-type]


def repairs(gateway: Gateway) -> Repairs:
    return gateway.services.repairs


async def test_a_fact_about_money_needs_owner_and_second_person(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        (case,) = await taken(gateway, planted(1, amount="1.00"))
        want = await wanted(gateway, case, "payment.amount")
        tried = await repairs(gateway).dry_run(TENANT, CLERK, want)
        assert [one.status for one in tried.items] == ["repaired"]
        assert (await detail(gateway, case)).row.stage is CaseStage.MISMATCH
        made = await repairs(gateway).propose(TENANT, CLERK, want)
        assert made.stage is RepairStage.PROPOSED
        assert made.open_needs == {Need.OWNER, Need.SECOND_PERSON}
        with pytest.raises(NotPossible):
            await repairs(gateway).approve(TENANT, CLERK, made.repair_id, "I say so")
        # A supervisor is a second person, but speaks for the payment company only on a ground.
        half = await repairs(gateway).approve(TENANT, SUPERVISOR, made.repair_id)
        assert half is not None
        assert half.open_needs == {Need.OWNER}
        done = await repairs(gateway).approve(
            TENANT, OTHER, made.repair_id, "statement 17 of the payment company"
        )
        assert done is not None
        assert (done.stage, done.items[0].status) == (RepairStage.APPLIED, "repaired")
        found = await detail(gateway, case)
        assert found.row.stage is CaseStage.WAITING_FILINGS
        slip = found.papers[PaperKind.PAYMENT]
        assert isinstance(slip.paper, PaymentSlip)
        # What was received stays beside the correction, each with its bytes.
        assert [fact.source for fact in slip.facts] == ["test", "repair"]
        received = slip.facts[0].paper
        assert isinstance(received, PaymentSlip)
        assert str(received.amount.amount) == "1.00"
        kept = await gateway.reads.raw(TENANT, slip.facts[1].raw_id)
        assert kept is not None
        assert orjson.loads(kept)["approvals"][-1][2] == "statement 17 of the payment company"
        kinds = [one.event.kind for one in found.events]
        assert EventKind.FINDING_RESOLVED in kinds
        assert EventKind.DECLARATION_PLANNED in kinds
        assert (await check_everything(gateway)).is_clean


async def test_the_owner_who_proposes_still_needs_a_second_person(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        (case,) = await taken(gateway, planted(1, amount="1.00"))
        made = await repairs(gateway).propose(
            TENANT, SELLER, await wanted(gateway, case, "order.paid")
        )
        assert made.open_needs == {Need.SECOND_PERSON}
        done = await repairs(gateway).approve(TENANT, SUPERVISOR, made.repair_id)
        assert done is not None
        # The order now says 1.00 as the slip does, but its own sum is wrong: another finding.
        assert done.items[0].status == "repaired"
        verdict = (await detail(gateway, case)).state.verdict
        assert verdict is not None
        assert [one.rule for one in verdict.findings] == ["ORDER-HEAD-SUM"]


async def test_all_cases_with_one_cause_are_mended_at_once(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        cases = await taken(gateway, planted(12, carrier_code="9999999999"))
        want = await wanted(
            gateway, cases[0], "waybill.carrier_code", everywhere=True, value="3301980009"
        )
        tried = await repairs(gateway).dry_run(TENANT, SUPERVISOR, want)
        assert {one.case_id for one in tried.items} == set(cases)
        made = await repairs(gateway).propose(TENANT, CLERK, want)
        assert made.open_needs == {Need.OWNER}
        done = await repairs(gateway).approve(TENANT, SUPERVISOR, made.repair_id, "call of 3 pm")
        assert done is not None
        assert {one.status for one in done.items} == {"repaired"}
        assert {one.status for one in tried.items} == {"repaired"}
        page = await gateway.reads.cases(TENANT, CaseFilter(), None, 20)
        assert {row.stage for row in page.items} == {CaseStage.WAITING_FILINGS}
        outcomes = await repairs(gateway).book.outcomes(TENANT)
        assert list(outcomes.values()) == [(12, 0)]


async def test_without_agreement_what_is_mended_is_held(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        (case,) = await taken(gateway, planted(1, carrier_code="9999999999"))
        want = await wanted(
            gateway, case, "waybill.carrier_code", value="3301980009", redeclare=False
        )
        made = await repairs(gateway).propose(TENANT, CLERK, want)
        await repairs(gateway).approve(TENANT, SUPERVISOR, made.repair_id, "call of 3 pm")
        found = await detail(gateway, case)
        assert found.state.hold is not None
        assert found.state.declarations == ()


async def test_the_seller_is_asked_and_answers(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        (case,) = await taken(gateway, planted(1, amount="1.00"))
        want = await wanted(gateway, case, "order.paid")
        asked = await repairs(gateway).ask(TENANT, CLERK, want, 24)
        assert asked.stage is RepairStage.ASKED
        notices = (await detail(gateway, case)).notices
        assert [one.effect.ref for one in notices if one.effect.ref == "repair.asked"]
        with pytest.raises(NotPossible):
            await repairs(gateway).approve(TENANT, SELLER, asked.repair_id)
        done = await repairs(gateway).approve(TENANT, SELLER, asked.repair_id, value="1.00")
        assert done is not None
        assert done.stage is RepairStage.APPLIED


async def test_an_owner_who_does_not_answer_leaves_it_to_a_person(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        (case,) = await taken(gateway, planted(1, amount="1.00"))
        asked = await repairs(gateway).ask(
            TENANT, CLERK, await wanted(gateway, case, "order.paid"), 1
        )
        now = gateway.context.clock.now() + 2 * 3_600_000_000
        effects = await gateway.context.store.lease([EffectKind.DEADLINE], 10, now, 1)
        (effect,) = [one for one in effects if one.ref == asked.repair_id]
        await repairs(gateway).overdue(effect)
        assert isinstance(effect, Effect)
        assert EffectId(effect.effect_id)
        async with gateway.store.read() as reading:
            rows = await reading.run_sync(lambda on: list(on.execute(select(parked.c.reason))))
        assert [row[0] for row in rows] == ["owner_did_not_answer"]


async def test_a_question_that_was_settled_otherwise_troubles_nobody(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        orders = planted(1, amount="1.00")
        (case,) = await taken(gateway, orders)
        want = await wanted(gateway, case, "order.paid")
        asked = await repairs(gateway).ask(TENANT, CLERK, want, 1)
        right = {**(orders[0].payment or {}), "amount": orders[0].order["paid"]}
        await gateway.ingest.take([incoming(right, PAYMENT)])
        now = gateway.context.clock.now() + 2 * 3_600_000_000
        effects = await gateway.context.store.lease([EffectKind.DEADLINE], 10, now, 1)
        await repairs(gateway).overdue(next(one for one in effects if one.ref == asked.repair_id))
        ended = await repairs(gateway).book.get(TENANT, asked.repair_id)
        assert ended is not None
        assert ended.stage is RepairStage.REFUSED
        async with gateway.store.read() as reading:
            rows = await reading.run_sync(lambda on: list(on.execute(select(parked.c.reason))))
        assert rows == []


async def test_what_cannot_be_repaired_is_refused(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        (case,) = await taken(gateway, planted(1, amount="1.00"))
        want = await wanted(gateway, case, "order.paid")
        book = repairs(gateway)
        for other in (
            replace(want, finding="0" * 20),
            replace(want, path="order.buyer.name"),
            replace(want, case_id=CaseId("0" * 24)),
        ):
            with pytest.raises(NotPossible):
                await book.propose(TENANT, CLERK, other)
        with pytest.raises(NotPossible):
            await book.propose(TenantId("rival"), CLERK, want)
        made = await book.propose(TENANT, CLERK, want)
        assert await book.approve(TenantId("rival"), SUPERVISOR, made.repair_id) is None
        ended = await book.refuse(TENANT, SUPERVISOR, made.repair_id, "no")
        assert ended is not None
        assert ended.stage is RepairStage.REFUSED
        with pytest.raises(NotPossible):
            await book.approve(TENANT, SUPERVISOR, made.repair_id)
        invalid = await book.dry_run(TENANT, SELLER, replace(want, value="a lot"))
        assert [one.reason for one in invalid.items] == ["value_invalid"]


async def test_a_goods_record_that_is_wrong_is_mended_for_every_case(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        cases = await taken(gateway, planted(3))
        first = await detail(gateway, cases[0])
        order = first.papers[PaperKind.ORDER].paper
        assert isinstance(order, Order)
        sku = order.lines[0].sku
        profile = gateway.cache.profile(TENANT, PROFILE)
        assert profile is not None
        today = local_date(gateway.context.clock.now())
        good = gateway.cache.goods(TENANT, profile.goods_scope, [sku], today)[sku]
        await gateway.admin.put_goods(TENANT, [replace(good, origin="304")])
        for case in cases:
            await gateway.desk.recheck(TENANT, case, "clerk:1")
        path = f"goods:{sku}.origin"
        want = await wanted(gateway, cases[0], path, everywhere=True)
        book = repairs(gateway)
        with pytest.raises(NotPossible):
            await book.dry_run(TENANT, CLERK, replace(want, value=" "))
        tried = await book.dry_run(TENANT, CLERK, want)
        assert {one.status for one in tried.items} == {"repaired"}
        tried_only = gateway.cache.goods(TENANT, profile.goods_scope, [sku], today)[sku]
        assert tried_only.origin == "304"
        made = await book.propose(TENANT, CLERK, want)
        assert (made.stage, set(made.open_needs)) == (RepairStage.PROPOSED, {Need.OWNER})
        done = await book.approve(TENANT, SUPERVISOR, made.repair_id, "the label of the box")
        assert done is not None
        assert {one.status for one in done.items} == {"repaired"}
        now = gateway.cache.goods(TENANT, profile.goods_scope, [sku], today)[sku]
        assert (now.origin, now.version) == (good.origin, good.version + 2)
        for item in done.items:
            found = await detail(gateway, item.case_id)
            last = [one for one in found.events if one.event.kind is EventKind.FINDING_RESOLVED][-1]
            assert (last.event.payload["how"], last.event.payload["path"]) == ("new_goods", path)
        assert (await check_everything(gateway)).is_clean


async def test_a_number_of_ours_that_is_wrong_is_corrected_with_its_claim(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        one, other = planted(2)
        twice = str((one.waybill or {})["waybill_no"])
        other = replace(other, waybill={**(other.waybill or {}), "waybill_no": twice})
        first, case = await taken(gateway, [one, other])
        book = repairs(gateway)
        want = await wanted(gateway, case, "waybill.waybill_no", value=twice + "B")
        with pytest.raises(NotPossible):
            await book.propose(TENANT, CLERK, replace(want, everywhere=True))
        tried = await book.dry_run(TENANT, CLERK, want)
        assert [item.status for item in tried.items] == ["repaired"]
        # Another number that somebody else has is no better.
        third = str((await taken(gateway, planted(3)[2:]))[0])
        taken_no = (await detail(gateway, CaseId(third))).papers[PaperKind.WAYBILL].paper
        assert isinstance(taken_no, Waybill)
        still = await book.dry_run(TENANT, CLERK, replace(want, value=taken_no.waybill_no))
        assert [item.status for item in still.items] == ["remains"]
        made = await book.propose(TENANT, CLERK, want)
        done = await book.approve(TENANT, SUPERVISOR, made.repair_id, "the label printer")
        assert done is not None
        assert [item.status for item in done.items] == ["repaired"]
        # The number is this case's now.
        again = planted(4)[3]
        again = replace(again, waybill={**(again.waybill or {}), "waybill_no": twice + "B"})
        (late,) = await taken(gateway, [again])
        verdict = (await detail(gateway, late)).state.verdict
        assert verdict is not None
        assert "CLAIM-WAYBILL" in {one.rule for one in verdict.findings}
        assert first != case


async def test_a_newer_paper_of_the_source_replaces_the_correction(tmp_path: Path) -> None:
    async with working(tmp_path) as gateway:
        orders = planted(1, carrier_code="9999999999")
        (case,) = await taken(gateway, orders)
        want = await wanted(gateway, case, "waybill.carrier_code", value="3301980009")
        made = await repairs(gateway).propose(TENANT, CLERK, want)
        await repairs(gateway).approve(TENANT, SUPERVISOR, made.repair_id, "call")
        newer = {**(orders[0].waybill or {}), "carrier_code": "8888888888"}
        await gateway.ingest.take([incoming(newer, WAYBILL)])
        verdict = (await detail(gateway, case)).state.verdict
        assert verdict is not None
        assert [one.rule for one in verdict.findings] == ["WAYBILL-CARRIER-KNOWN"]
