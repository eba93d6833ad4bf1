"""What the watchdog's report reads is bounded, whatever the length of a history."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.domain.case import Verdict, VerdictKind
from gateway.domain.codec import verdict_to_doc
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import EffectId
from gateway.flow.return_watch import BACK, RETURNS
from gateway.ports import Changes, Command, Effect, EffectKind, Found, MessageStage, Views
from store import watch
from tests.contract.store.support import (
    NOW,
    TENANT,
    Bench,
    changing,
    effect,
    held,
    key_of,
    new_message,
    planned,
    record,
)
from tests.contract.store.test_messages import close, sign

SENDING = Event(
    EventKind.DECLARATION_SENDING, {"kind": "inventory", "version": 1, "attempt": 1, "at": NOW}
)


def happened(order_no: str, event: Event, effect: Effect | None = None) -> Command[Found]:
    """A command that writes an event of a case, whatever its state says of it."""
    key = key_of(order_no)

    def fill(changes: Changes[Found], views: Views, found: Found) -> None:
        views[key.case_id].new_events.append(event)
        changes.effects += [] if effect is None else [effect]

    return changing(fill, create=(key,), lane=order_no)


async def test_the_newest_events_alone_are_looked_at(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = NOW
    for number in range(6):
        bench.clock.time = start + number * 1_000_000
        await bench.store.submit(happened(f"S{number}", SENDING))
    async with bench.store.read() as reading:
        whole = await reading.run_sync(lambda on: watch.moved_counts(on, TENANT, start))
        monkeypatch.setattr(watch, "MOST_EVENTS", 2)
        cut = await reading.run_sync(lambda on: watch.moved_counts(on, TENANT, start))
    assert (whole.sent, whole.since) == ({"p1": 6}, start)
    # Two of them fit, so the rate is that of the second they took.
    assert (cut.sent, cut.since) == ({"p1": 2}, start + 4_000_000)


def test_the_end_of_the_index_is_read_and_nothing_sorted() -> None:
    newest = str(watch._newest(TENANT))
    assert "ORDER BY event.pos DESC, event.case_id DESC, event.seq DESC" in newest
    assert "LIMIT" in newest


async def test_days_of_returns_come_in_order(bench: Bench) -> None:
    for name, due_at in (("S1", NOW + 9_000_000), ("S2", NOW + 5_000_000)):
        timer = Effect(
            EffectId(f"e{name}"),
            EffectKind.DEADLINE,
            RETURNS,
            due_at,
            case_id=key_of(name).case_id,
            tenant=TENANT,
            ref=BACK,
        )
        await bench.store.submit(happened(name, held(), effect=timer))
    async with bench.store.read() as reading:
        found = await reading.run_sync(lambda on: watch.return_dates(on, TENANT))
    assert [(one.order_no, one.alarm, one.due_at) for one in found] == [
        ("S2", BACK, NOW + 5_000_000), ("S1", BACK, NOW + 9_000_000),
    ]  # fmt: skip


def planned_order(order_no: str, ref: str, due_at: int) -> Command[Found]:
    """A command that matches a case and plans something of it, to be sent from a moment on."""
    key = key_of(order_no)

    def fill(changes: Changes[Found], views: Views, found: Found) -> None:
        verdict = verdict_to_doc(Verdict(VerdictKind.MATCHED))
        views[key.case_id].record(Event(EventKind.CASE_MATCHED, verdict), planned())
        changes.effects.append(
            replace(effect(f"e{order_no}", due_at), case_id=key.case_id, ref=ref)
        )

    return changing(fill, create=(key,), lane=order_no)


async def test_what_is_planned_and_not_sent_does_not_wait_for_customs(bench: Bench) -> None:
    async def queues() -> tuple[dict[str, int], dict[str, int]]:
        async with bench.store.read() as reading:
            return await reading.run_sync(lambda on: watch.queues(on, TENANT))

    keys = [key_of(name) for name in ("S1", "S2", "S3")]
    # The second is put off by a maintenance window; the third waits for its list, not for us.
    for key, ref, due_at in zip(
        keys, ("order/1", "order/1", "master_list/1"), (NOW, NOW + 9, NOW), strict=True
    ):
        await bench.store.submit(planned_order(key.order_no, ref, due_at))
    assert await queues() == ({"p1": 2}, {"p1": 1})

    def claimed(changes: Changes[Found], views: Views, found: Found) -> None:
        changes.messages.append(new_message("m1", keys[0]))
        changes.effects_done.append(EffectId("eS1"))

    await bench.store.submit(changing(claimed, load=[keys[0].case_id]))
    assert await queues() == ({"p1": 2}, {"p1": 1})
    await bench.store.submit(sign())
    assert await queues() == ({"p1": 2}, {"p1": 1})
    await bench.store.submit(close(1, MessageStage.HANDED_OVER))
    assert await queues() == ({"p1": 1}, {"p1": 2})
    await bench.store.submit(record(keys[1], held()))
    assert await queues() == ({}, {"p1": 2})
