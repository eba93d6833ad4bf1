"""What was sent and not answered is told with the time at which the flow looks at it next."""

from __future__ import annotations

import pytest

from gateway.domain.case import Verdict, VerdictKind
from gateway.domain.codec import verdict_to_doc
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import EffectId, MessageId
from gateway.ports import Changes, Effect, EffectKind, Found, Views
from store import console
from tests.contract.store.support import NOW, TENANT, Bench, changing, key_of, planned

KEY = key_of("S1")
SILENT = {"kind": "order", "version": 1}


def timer(name: str, kind: EffectKind, due_at: int, message: str = "m1") -> Effect:
    return Effect(EffectId(name), kind, "answer", due_at, ref=MessageId(message))


@pytest.mark.parametrize(
    "timers, planned_at",
    [
        ([timer("a1", EffectKind.ANSWER, NOW + 60)], NOW + 60),
        ([timer("s2", EffectKind.SEND, NOW + 5)], NOW + 5),
        ([timer("a1", EffectKind.ANSWER, NOW + 60, "m2")], None),
        ([timer("d1", EffectKind.DEADLINE, NOW + 60)], None),
        ([], None),
    ],
)
async def test_the_next_look_is_what_stands_in_the_outbox(
    bench: Bench, timers: list[Effect], planned_at: int | None
) -> None:
    def fill(changes: Changes[Found], views: Views, found: Found) -> None:
        views[KEY.case_id].record(
            Event(EventKind.CASE_MATCHED, verdict_to_doc(Verdict(VerdictKind.MATCHED))),
            planned(),
            Event(EventKind.DECLARATION_CLAIMED, SILENT | {"message": "m1", "app_time": "2026"}),
            Event(EventKind.DECLARATION_SENDING, SILENT | {"attempt": 1, "at": NOW - 900}),
            Event(EventKind.DECLARATION_UNANSWERED, SILENT),
        )
        changes.effects += timers

    await bench.store.submit(changing(fill, create=(KEY,)))
    async with bench.store.read() as reading:
        (found,) = await reading.run_sync(lambda on: list(console._unanswered(on, TENANT)))
    assert found.declaration.message_id == "m1"
    assert found.planned_at == planned_at
