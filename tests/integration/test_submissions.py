"""What was acknowledged without waiting is taken in: after a restart, once, and never backwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.api.intake import Intake
from gateway.api.later import Later
from gateway.api.settings import APISettings
from gateway.app.config import Settings
from gateway.app.container import Gateway
from gateway.app.demo_orders import DemoOrder, demo_orders
from gateway.app.demo_world import PROFILE, TENANT, furnish, prepare
from gateway.app.serve import running
from gateway.domain.ids import CaseId
from gateway.domain.papers import Order, PaperKind
from gateway.ports import CaseFilter, EffectKind
from gateway.ports.submissions import KeptSubmission, Submission, SubmissionStatus
from store.checks import run_checks

ORDERS = list(demo_orders(PROFILE, 30, 33, problems=False))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    is_sqlite = request.param == "sqlite"
    return prepare(tmp_path, url=None if is_sqlite else request.getfixturevalue("postgres_url"))


@asynccontextmanager
async def gateway_of(settings: Settings, *, work: bool) -> AsyncIterator[Gateway]:
    async with running(settings, api=False, work=work) as (gateway, _):
        await furnish(gateway)
        yield gateway


async def keep(gateway: Gateway, door: str, doc: Mapping[str, Any]) -> str:
    sent = Submission(door, "en", orjson.dumps(doc))
    return await gateway.services.submissions.keep(TENANT, sent)


async def papers_of(gateway: Gateway, orders: list[DemoOrder]) -> list[str]:
    sent = [
        keep(gateway, door, doc)
        for one in orders
        for door, doc in (
            ("orders", one.order), ("payments", one.payment), ("waybills", one.waybill),
        )
        if doc is not None
    ]  # fmt: skip
    return await asyncio.gather(*sent)


async def answered(gateway: Gateway, submission: str) -> KeptSubmission:
    """A submission as soon as it is taken in."""
    async with asyncio.timeout(30):
        while True:
            found = await gateway.services.submissions.find(TENANT, submission)
            assert found is not None
            if found.answer is not None:
                return found
            await asyncio.sleep(0.05)


async def cases(gateway: Gateway) -> int:
    return len((await gateway.reads.cases(TENANT, CaseFilter(), None, 200)).items)


async def violations(gateway: Gateway) -> list[str]:
    now = gateway.context.clock.now()
    async with gateway.store.read() as reading:
        report = await reading.run_sync(lambda on: run_checks(on, gateway.store.keys, now))
    return [f"{one.check} {one.subject}: {one.evidence}" for one in report.violations]


async def test_what_was_kept_is_taken_in_by_whoever_starts_next(settings: Settings) -> None:
    async with gateway_of(settings, work=False) as gateway:
        ids = await papers_of(gateway, ORDERS)
        assert await cases(gateway) == 0
        assert await violations(gateway) == []
    async with gateway_of(settings, work=True) as gateway:
        found = [await answered(gateway, one) for one in ids]
        assert {one.status for one in found} == {SubmissionStatus.TAKEN}
        assert await cases(gateway) == len(ORDERS)
        assert await violations(gateway) == []


async def test_what_is_taken_in_twice_is_there_once(settings: Settings) -> None:
    """A process that dies between its commits leaves its pack to the next one."""
    async with gateway_of(settings, work=False) as gateway:
        one = ORDERS[0]
        first = await keep(gateway, "orders", one.order)
        await keep(gateway, "orders", {**one.order, "note": "newer"})
        batch = b"\n".join(
            orjson.dumps({"type": "payment", **two.payment}) for two in ORDERS[1:4] if two.payment
        )
        await gateway.services.submissions.keep(TENANT, Submission("batches", "en", batch))
        now = gateway.context.clock.now()
        effects = await gateway.store.lease([EffectKind.RECHECK], 10, now, 1)
        later = Later(gateway.services, APISettings())
        intake = Intake(gateway.services, APISettings())
        book = gateway.services.submissions
        packs = [pack for effect in effects if (pack := await book.waiting(effect))]
        packs.sort(key=lambda pack: pack.pack_id)
        for pack in packs:
            await intake.late(pack)
        before = await revisions(gateway)
        for pack in packs:
            await intake.late(pack)
        assert await revisions(gateway) == before
        assert len(before) == 4
        for effect in effects:
            await later.take_in(effect)
            await later.take_in(effect)
        assert await revisions(gateway) == before
        found = await answered(gateway, first)
        assert found.answer is not None
        assert orjson.loads(found.answer.body)["status"] == "superseded"
        assert await violations(gateway) == []


async def revisions(gateway: Gateway) -> dict[CaseId, int]:
    page = await gateway.reads.cases(TENANT, CaseFilter(), None, 200)
    return {one.key.case_id: one.version for one in page.items}


async def test_what_waited_gives_way_to_what_came_after_it(settings: Settings) -> None:
    """Somebody waits for an answer to a newer paper while the older one still stands in line."""
    async with gateway_of(settings, work=False) as gateway:
        one = ORDERS[5]
        older = await keep(gateway, "orders", {**one.order, "note": "older"})
        newer = await keep(gateway, "orders", {**one.order, "note": "newer"})
        now = gateway.context.clock.now()
        effects = await gateway.store.lease([EffectKind.RECHECK], 10, now, 1)
        later = Later(gateway.services, APISettings())
        for effect in sorted(effects, key=lambda effect: effect.ref, reverse=True):
            await later.take_in(effect)
        statuses = [
            orjson.loads(found.answer.body)["status"]
            for found in (await answered(gateway, older), await answered(gateway, newer))
            if found.answer is not None
        ]
        assert statuses == ["superseded", "accepted"]
        (case,) = (await gateway.reads.cases(TENANT, CaseFilter(), None, 10)).items
        detail = await gateway.reads.case(TENANT, case.key.case_id)
        assert detail is not None
        paper = detail.papers[PaperKind.ORDER].paper
        assert isinstance(paper, Order)
        assert paper.note == "newer"
