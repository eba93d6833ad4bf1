"""What rejections teach is learned once, in parts, and comes to what the whole stream teaches."""

from __future__ import annotations

import asyncio
import random
from functools import partial
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, insert, select

from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.lessons import Lessons
from store.lesson_tables import lesson_mark, lesson_open
from store.lessons import StoredLessons, learn_part
from store.tables import event
from tests.contract.store.support import NOW, TENANT, Bench

Told = list[tuple[CaseId, Event]]


def stream(seed: int, size: int) -> Told:
    """Answers of customs and papers sent anew, of a few cases in any mixture."""
    chance = random.Random(seed)
    told: Told = []
    for _ in range(size):
        name = CaseId(chance.choice("abcd"))
        if chance.random() < 0.4:
            paper: dict[str, Any] = {"kind": chance.choice(["order", "payment"])}
            if chance.random() < 0.5:
                paper["path"] = "order.lines.2.total"
            told.append((name, Event(EventKind.PAPERS_RECEIVED, {"papers": [paper]})))
        elif chance.random() < 0.2:
            told.append((name, Event(EventKind.CASE_HELD, {"by": "a", "reason": "b"})))
        else:
            stage = chance.choice(["rejected", "rejected", "accepted", "released"])
            payload: dict[str, Any] = {
                "kind": chance.choice(["order", "inventory"]), "stage": stage, "effect": "applied",
            }  # fmt: skip
            if stage == "rejected":
                payload["codes"] = chance.sample(["1327", "1313", "1320"], chance.choice([1, 2]))
            told.append((name, Event(EventKind.RECEIPT_RECORDED, payload)))
    return told


def rows_of(told: Told, tenant: TenantId = TENANT, first: int = 1) -> list[dict[str, Any]]:
    return [
        {
            "case_id": f"{tenant}-{name}", "seq": at, "pos": at, "tenant": tenant,
            "kind": one.kind.value, "payload": orjson.dumps(one.payload).decode(), "at": NOW,
            "prev_hash": b"", "hash": b"",
        }
        for at, (name, one) in enumerate(told, first)
    ]  # fmt: skip


def whole(told: Told) -> list[dict[str, Any]]:
    lessons = Lessons()
    for name, one in told:
        lessons.add(name, one)
    return [one.to_doc() for one in lessons.all()]


async def put(bench: Bench, rows: list[dict[str, Any]]) -> None:
    def work(on: Connection) -> None:
        on.execute(insert(event), rows)

    await bench.store.execute(work)


async def docs(bench: Bench, tenant: TenantId = TENANT) -> list[dict[str, Any]]:
    found = await StoredLessons(bench.store).learn(tenant, 10_000)
    assert found.is_complete
    return [one.to_doc() for one in found.lessons]


@pytest.mark.parametrize("seed", range(6))
async def test_parts_teach_what_the_whole_stream_does(bench: Bench, seed: int) -> None:
    told, chance = stream(seed, 120), random.Random(seed)
    await put(bench, rows_of(told))
    # Another tenant's history is another's.
    await put(bench, rows_of(stream(seed + 100, 30), TenantId("other")))
    left = len(told)
    while left:
        size = chance.randint(1, 40)
        done = await bench.store.execute(partial(learn_part, TENANT, size=size))
        assert done == min(size, left)
        left -= done
    assert await docs(bench) == whole(told)
    assert await docs(bench, TenantId("other")) == whole(stream(seed + 100, 30))
    # Nothing is learned twice, and what comes later is added.
    assert await bench.store.execute(lambda on: learn_part(TENANT, on)) == 0
    more = stream(seed + 200, 40)
    await put(bench, rows_of(more, first=len(told) + 1))
    assert await docs(bench) == whole(told + more)


async def test_two_at_once_count_no_event_twice(bench: Bench) -> None:
    told = stream(50, 300)
    await put(bench, rows_of(told))
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            for _ in range(5):
                tasks.create_task(bench.store.execute(partial(learn_part, TENANT, size=20)))
    assert await docs(bench) == whole(told)


async def test_asking_is_bounded_and_says_what_is_left(bench: Bench) -> None:
    told = stream(60, 2_500)
    # A position is a transaction: many events share one, and none lies beyond the settled ones.
    await put(bench, [row | {"pos": row["pos"] // 25} for row in rows_of(told)])
    book = StoredLessons(bench.store)
    assert not (await book.learn(TENANT, 1_000)).is_complete
    assert (await book.learn(TENANT, 5_000)).is_complete
    async with bench.store.read() as reading:
        mark = await reading.run_sync(lambda on: on.execute(select(lesson_mark.c.pos)).scalar())
        waiting = await reading.run_sync(lambda on: len(on.execute(select(lesson_open)).all()))
    assert mark == 100
    # What waits is bounded by the cases and kinds, not by the history.
    assert 0 < waiting <= 8
