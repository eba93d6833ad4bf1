"""Notices are listed page by page and replayed by range, for their own tenant only."""

from __future__ import annotations

from functools import partial
from typing import Any

import orjson
import pytest
from sqlalchemy import insert, select

from gateway.domain.errors import InvalidValue
from gateway.domain.ids import EffectId, TenantId
from gateway.ports.mailbox import NoticeFilter, NoticeStatus
from gateway.ports.master import KEEP_US
from store.boxwork import inbox_counts, left_declarations, outbox_counts, queues
from store.console_work import SqlConsoleWork
from store.notices import SqlMailbox
from store.tables import outbox
from store.wellness import wellness
from tests.contract.store_master.bench import ACME, OTHER, START, Bench

PARKED = NoticeFilter(status=NoticeStatus.PARKED)


async def put(
    bench: Bench, name: str, group: str, tenant: TenantId = ACME, **columns: object
) -> None:
    row = {
        "effect_id": name, "kind": "notice", "group_key": group, "tenant": tenant,
        "ref": "case.released", "payload": '{"at": 1, "data": {}}', "due_at": START,
        "lease_until": START, "attempt": 3, "stage": "parked", "detail": "HTTP 500",
        "done_at": START, **columns,
    }  # fmt: skip
    await bench.write(lambda on: on.execute(insert(outbox).values(row)))


async def endpoint(bench: Bench, role: str, url: str = "", tenant: TenantId = ACME) -> str:
    admin = bench.admin(bench.new_cache())
    made = await admin.new_endpoint(
        tenant, url=url, role=role, event_types=frozenset(), batch_size=1
    )
    return made.endpoint_id


async def test_pages_join_without_gap_or_repeat(bench: Bench) -> None:
    seller = await endpoint(bench, "seller")
    for number in range(5):
        await put(bench, f"n{number}", seller, done_at=START + number // 2)
    await put(bench, "foreign", seller, OTHER)
    await put(bench, "open", seller, stage="open", done_at=None, detail=None)
    await put(bench, "done", seller, stage="done")
    box = SqlMailbox(bench.access, bench.clock)
    found, after = [], None
    for _ in range(3):
        page = await box.listing(ACME, PARKED, after, 2)
        found += [row.effect.effect_id for row in page.items]
        after = page.after
    assert (found, after) == ([f"n{number}" for number in range(5)], None)
    waiting = await box.listing(ACME, NoticeFilter(), None, 9)
    assert [row.effect.effect_id for row in waiting.items] == ["open"]
    with pytest.raises(InvalidValue):
        await box.listing(ACME, PARKED, "elsewhere", 9)


async def test_filters_choose(bench: Bench) -> None:
    seller, warehouse = await endpoint(bench, "seller"), await endpoint(bench, "warehouse")
    await put(bench, "a", seller)
    await put(bench, "b", warehouse, ref="release.granted", done_at=START + 5)
    box = SqlMailbox(bench.access, bench.clock)

    async def ids(**wanted: object) -> list[str]:
        chosen = NoticeFilter(status=NoticeStatus.PARKED, **wanted)  # type: ignore[arg-type]
        return [row.effect.effect_id for row in (await box.listing(ACME, chosen, None, 9)).items]

    assert await ids(roles=frozenset({"warehouse"})) == ["b"]
    assert await ids(endpoint_id=seller) == ["a"]
    assert await ids(event_type="release.granted") == ["b"]
    assert await ids(since=START + 5) == ["b"]
    assert await ids(until=START + 5) == ["a"]
    assert await ids(ids=frozenset({EffectId("b"), EffectId("z")})) == ["b"]


async def test_a_replay_opens_what_may_be_delivered(bench: Bench) -> None:
    pulled, posted = (
        await endpoint(bench, "seller"),
        await endpoint(bench, "seller", "https://a.b/"),
    )
    off = await endpoint(bench, "seller", "https://off.example.com/")
    await bench.admin(bench.new_cache()).set_endpoint_active(ACME, off, False)  # type: ignore[arg-type]
    await put(bench, "pull", pulled)
    await put(bench, "post", posted)
    await put(bench, "off", off)
    await put(bench, "foreign", posted, OTHER)
    box = SqlMailbox(bench.access, bench.clock)
    assert sorted(await box.replay(ACME, PARKED)) == ["post", "pull"]
    assert await box.replay(ACME, PARKED) == []
    rows = {row.effect_id: row for row in await bench.rows(select(outbox))}
    assert {name: row.stage for name, row in rows.items()} == {
        "pull": "open", "post": "open", "off": "parked", "foreign": "parked",
    }  # fmt: skip
    now = bench.clock.now()
    assert (rows["post"].due_at, rows["post"].lease_until) == (now, now)
    assert rows["pull"].due_at == now + KEEP_US
    assert rows["post"].attempt == 3
    assert orjson.loads(rows["post"].payload) == {"at": 1, "data": {}, "again_at": now}


async def test_what_was_delivered_is_sent_once_more_by_its_id(bench: Bench) -> None:
    posted = await endpoint(bench, "seller", "https://a.b/")
    await put(bench, "done", posted, stage="done", detail=None, answer_code=200, answer_us=7)
    await put(bench, "other", posted, stage="done", detail=None)
    await put(bench, "parked", posted)
    await put(bench, "foreign", posted, OTHER, stage="done")
    work = SqlConsoleWork(bench.access, bench.clock)
    ids = frozenset(map(EffectId, ("done", "parked", "foreign", "nowhere")))
    assert await work.resend(ACME, ids) == ["done"]
    assert await work.resend(ACME, ids) == []
    rows = {row.effect_id: row for row in await bench.rows(select(outbox))}
    assert {name: row.stage for name, row in rows.items()} == {
        "done": "open", "other": "done", "parked": "parked", "foreign": "done",
    }  # fmt: skip
    assert (rows["done"].answer_code, rows["done"].due_at) == (None, bench.clock.now())


async def test_queues_and_counts_tell_what_is_open(bench: Bench) -> None:
    await put(bench, "p", "e")
    await put(bench, "late", "e", stage="open", done_at=None, lease_until=START - 7)
    await put(bench, "held", "e", stage="open", done_at=None, lease_until=START + 7)
    async with bench.access.read() as reading:
        found = await reading.run_sync(lambda on: queues(on, START))
        counts = await reading.run_sync(outbox_counts)
        assert await reading.run_sync(inbox_counts) == []
        facts = await reading.run_sync(lambda on: wellness(on, START, START))
    assert (found.due, found.late_us, found.receipts) == ({"notice": 1}, 7, 0)
    assert (found.parked, found.endpoints_off) == ({"effects": 1, "records": 0}, 0)
    assert {(one.stage, one.count) for one in counts} == {("open", 2), ("parked", 1)}
    assert (facts.newest, facts.keys_ending) == (None, 0)


async def test_only_declarations_that_no_worker_ever_began_are_left(bench: Bench) -> None:
    new: dict[str, Any] = {"kind": "declare", "stage": "open", "done_at": None, "attempt": 0}
    for name in ("one", "two", "three"):
        await put(bench, name, "g", **new, lease_until=START)
    await put(bench, "held", "g", **new, lease_until=START + 1)
    await put(bench, "again", "g", **new | {"attempt": 1}, lease_until=START)
    await put(bench, "over", "g", kind="declare", attempt=0, lease_until=START)
    await put(bench, "notice", "g", **new | {"kind": "notice"}, lease_until=START)
    async with bench.access.read() as reading:
        counted = [
            await reading.run_sync(partial(left_declarations, now=START, most=most))
            for most in (2, 3, 9)
        ]
    assert counted == [2, 3, 3]
