"""Inbox and outbox: what is kept before it is acknowledged, what is done after it is committed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.domain.errors import Fenced
from gateway.domain.ids import EffectId, EndpointId, ReceiptId
from gateway.ports import Command, Effect, EffectKind, InboxItem, NoticeAnswer, Parked, ReceiptDone
from store.open import StoreLimits
from tests.contract.store.support import NOW, TENANT, Bench, changing, effect, leave, opened

LEASE_US = 1_000_000


def item(name: str, body: bytes = b"", channel: str = "dxp") -> InboxItem:
    return InboxItem(ReceiptId(name), channel, f"{name}.xml", body or name.encode(), NOW)


def done(name: str, problem: str | None = None) -> Command[Any]:
    return changing(
        lambda changes, views, found: changes.receipts_done.append(
            ReceiptDone(ReceiptId(name), "622", 3, 1, problem)
        )
    )


# --- inbox ------------------------------------------------------------------------------------


async def test_a_file_is_kept_once_a_channel(bench: Bench) -> None:
    store = bench.store
    one, twin, other = item("r1", b"<x/>"), item("r2", b"<x/>"), item("r3", b"<x/>", "relay")
    assert await store.keep_receipts([one, twin, other]) == [one, other]
    assert await store.keep_receipts([twin]) == []
    assert await store.keep_receipts([]) == []
    assert await store.open_receipts(10) == [one, other]
    assert await store.open_receipts(1) == [one]


async def test_a_file_is_dealt_with_once(bench: Bench) -> None:
    store = bench.store
    await store.keep_receipts([item("r1"), item("r2"), item("r3")])
    await store.submit(done("r1"))
    await store.submit(done("r2", "unreadable"))
    for late in (done("r1"), done("r2"), done("none")):
        with pytest.raises(Fenced):
            await store.submit(late)
    assert [one.receipt_id for one in await store.open_receipts(10)] == ["r3"]
    rows = await bench.rows("SELECT stage, kind, records, parked, problem FROM inbox ORDER BY name")
    assert rows == [
        ("done", "622", 3, 1, None),
        ("parked", "622", 3, 1, "unreadable"),
        ("new", None, None, None, None),
    ]


async def test_two_who_deal_with_one_file_in_a_group_leave_one(bench: Bench) -> None:
    await bench.store.keep_receipts([item("r1")])
    got = await bench.store.submit_all([done("r1"), done("r1")])
    assert [isinstance(one, Fenced) for one in got] == [False, True]


async def test_what_a_person_must_see_is_parked_once(bench: Bench) -> None:
    one = Parked("p1", "receipt", "no_case", NOW, ReceiptId("r1"), 2, None, TENANT, "detail")
    command = changing(lambda changes, views, found: changes.parked.extend([one, one]))
    await bench.store.submit(command)
    await bench.store.submit(command)
    rows = await bench.rows("SELECT parked_id, receipt_id, position, resolved_at FROM parked")
    assert rows == [("p1", "r1", 2, None)]


# --- outbox -----------------------------------------------------------------------------------


async def lease(bench: Bench, *kinds: EffectKind, limit: int = 10) -> list[Effect]:
    wanted = kinds or tuple(EffectKind)
    return await bench.store.lease(wanted, limit, bench.clock.now(), LEASE_US)


async def test_an_effect_is_leased_to_one_at_a_time(bench: Bench) -> None:
    await bench.store.submit(leave(effect("e1"), effect("e2")))
    first = await lease(bench)
    assert sorted((one.effect_id, one.attempt) for one in first) == [("e1", 1), ("e2", 1)]
    assert first[0].payload == {"n": 1}
    assert await lease(bench) == []
    bench.clock.time += LEASE_US
    assert {one.attempt for one in await lease(bench)} == {2}


async def test_a_lease_takes_what_was_asked_for(bench: Bench) -> None:
    await bench.store.submit(
        leave(
            effect("e1", NOW - 2),
            effect("e2", NOW - 1, EffectKind.NOTICE),
            effect("e3", NOW - 3),
            effect("later", NOW + 1),
        )
    )
    assert [one.effect_id for one in await lease(bench, EffectKind.DECLARE, limit=1)] == ["e3"]
    assert [one.effect_id for one in await lease(bench, EffectKind.NOTICE)] == ["e2"]
    assert [one.effect_id for one in await lease(bench)] == ["e1"]
    bench.clock.time += 1
    assert [one.effect_id for one in await lease(bench)] == ["later"]


async def test_a_stale_holder_is_ignored(bench: Bench) -> None:
    store = bench.store
    await store.submit(leave(effect("e1")))
    await lease(bench)
    bench.clock.time += LEASE_US
    await lease(bench)
    await store.finish([(EffectId("e1"), 1)], [])
    await store.reschedule([(EffectId("e1"), 1, NOW)])
    assert await bench.rows("SELECT stage, attempt, due_at FROM outbox") == [("open", 2, NOW)]
    await store.finish([(EffectId("e1"), 2)], [])
    await store.reschedule([(EffectId("e1"), 2, NOW)])
    assert await bench.rows("SELECT stage, done_at FROM outbox") == [("done", bench.clock.now())]


async def test_an_effect_is_given_back_until_later(bench: Bench) -> None:
    await bench.store.submit(leave(effect("e1")))
    await lease(bench)
    await bench.store.reschedule([(EffectId("e1"), 1, NOW + 50)])
    assert await lease(bench) == []
    bench.clock.time = NOW + 50
    assert [(one.due_at, one.attempt) for one in await lease(bench)] == [(NOW + 50, 2)]


async def test_an_effect_can_be_parked(bench: Bench) -> None:
    await bench.store.submit(leave(effect("e1", kind=EffectKind.NOTICE)))
    await lease(bench)
    await bench.store.finish([], [(EffectId("e1"), 1, "endpoint gone")])
    row = (await bench.store.find_notices([EffectId("e1")]))[EffectId("e1")]
    assert (row.status, row.detail, row.done_at) == ("parked", "endpoint gone", NOW)
    assert (row.endpoint_id, row.effect.tenant) == (EndpointId("group"), TENANT)


async def test_what_was_answered_is_kept_with_the_notice(bench: Bench) -> None:
    store = bench.store
    await store.submit_all([leave(effect(name, kind=EffectKind.NOTICE)) for name in ("a", "b")])
    await lease(bench)
    one, two = EffectId("a"), EffectId("b")
    await store.reschedule([(one, 1, NOW), (two, 1, NOW)], {one: NoticeAnswer(503, 9, "HTTP 503")})
    columns = "SELECT detail, answer_code, answer_us FROM outbox ORDER BY effect_id"
    assert await bench.rows(columns) == [("HTTP 503", 503, 9), (None, None, None)]
    bench.clock.time += LEASE_US
    await lease(bench)
    answers = {one: NoticeAnswer(200, 8), two: NoticeAnswer(None, 7, "no answer")}
    await store.finish([(one, 2)], [(two, 2, "no answer")], answers)
    assert await bench.rows(columns) == [(None, 200, 8), ("no answer", None, 7)]


async def test_an_effect_made_twice_is_one(bench: Bench) -> None:
    await bench.store.submit_all([leave(effect("e1")), leave(effect("e1"))])
    await bench.store.submit(leave(effect("e1")))
    assert await bench.count("outbox") == 1


async def test_a_commit_can_end_effects(bench: Bench) -> None:
    def end(*ids: str) -> Command[Any]:
        return changing(
            lambda changes, views, found: changes.effects_done.extend(map(EffectId, ids))
        )

    await bench.store.submit(leave(effect("e1")))
    await bench.store.submit(end("e1", "none"))
    await bench.store.submit_all([leave(effect("e2")), end("e2")])
    rows = await bench.rows("SELECT effect_id, stage FROM outbox ORDER BY 1")
    assert rows == [("e1", "done"), ("e2", "done")]
    assert await lease(bench) == []


async def test_a_notice_is_acknowledged_once(bench: Bench) -> None:
    notice = EffectId("n1")
    await bench.store.submit(leave(effect("n1", kind=EffectKind.NOTICE), effect("e1")))

    def acknowledge(at: int) -> Command[Any]:
        return changing(lambda changes, views, found: changes.notices_acked.append((notice, at)))

    for at in (NOW + 1, NOW + 2):
        await bench.store.submit(acknowledge(at))
    found = await bench.store.find_notices([notice, EffectId("e1"), EffectId("none")])
    assert {one: row.acked_at for one, row in found.items()} == {notice: NOW + 1}


# --- handing over in memory -------------------------------------------------------------------


async def test_effects_are_born_leased_to_who_takes_them(url: str) -> None:
    async with opened(url, limits=StoreLimits(lease_us=LEASE_US)) as bench:
        taken: list[Effect] = []
        bench.store.subscribe(taken.extend)
        await bench.store.submit(leave(effect("now"), effect("later", NOW + 10)))
        assert [(one.effect_id, one.attempt) for one in taken] == [("now", 0)]
        assert await lease(bench) == []
        bench.clock.time = NOW + 10
        assert [one.effect_id for one in await lease(bench)] == ["later"]
        bench.clock.time = NOW + LEASE_US
        assert [(one.effect_id, one.attempt) for one in await lease(bench)] == [("now", 1)]


async def test_who_was_handed_an_effect_finishes_it(url: str) -> None:
    async with opened(url) as bench:
        taken: list[Effect] = []
        bench.store.subscribe(taken.extend)
        await bench.store.submit(leave(effect("e1")))
        await bench.store.finish([(one.effect_id, one.attempt) for one in taken], [])
        assert await bench.rows("SELECT stage FROM outbox") == [("done",)]


async def test_a_failed_command_hands_nothing_over(bench: Bench) -> None:
    taken: list[Effect] = []
    bench.store.subscribe(taken.extend)

    def fill(changes: Any, views: object, found: object) -> None:
        changes.effects.append(effect("e1"))
        changes.receipts_done.append(ReceiptDone(ReceiptId("none"), "622", 0, 0))

    with pytest.raises(Fenced):
        await bench.store.submit(changing(fill))
    assert taken == []
    assert await bench.count("outbox") == 0


async def test_marks_and_leases_of_many_share_commits(bench: Bench) -> None:
    await bench.store.submit(leave(*(effect(f"e{n}") for n in range(30))))
    async with asyncio.TaskGroup() as tasks:
        parts = [tasks.create_task(lease(bench, EffectKind.DECLARE, limit=7)) for _ in range(6)]
    leased = [one for part in parts for one in part.result()]
    assert sorted(one.effect_id for one in leased) == sorted(f"e{n}" for n in range(30))
    async with asyncio.TaskGroup() as tasks:
        for one in leased:
            tasks.create_task(bench.store.finish([(one.effect_id, one.attempt)], []))
    assert await bench.rows("SELECT stage, count(*) FROM outbox GROUP BY 1") == [("done", 30)]
