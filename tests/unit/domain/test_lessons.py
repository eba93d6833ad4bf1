"""The knowledge base learns from what followed a rejection."""

from __future__ import annotations

from typing import Any

from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId
from gateway.domain.lessons import RESENT, Lessons

ONE, TWO = CaseId("1"), CaseId("2")


def answered(stage: str, *codes: str, kind: str = "inventory") -> Event:
    payload: dict[str, Any] = {"kind": kind, "stage": stage, "effect": "applied", "codes": codes}
    return Event(EventKind.RECEIPT_RECORDED, payload)


def corrected(path: str) -> Event:
    paper = {"kind": path.partition(".")[0], "source": "repair", "path": path}
    return Event(EventKind.PAPERS_RECEIVED, {"papers": [paper]})


def sent_anew(kind: str) -> Event:
    return Event(EventKind.PAPERS_RECEIVED, {"papers": [{"kind": kind, "source": "api"}]})


def taught(*events: tuple[CaseId, Event]) -> list[dict[str, Any]]:
    lessons = Lessons()
    for case, event in events:
        lessons.add(case, event)
    return [one.to_doc() for one in lessons.all()]


def test_what_was_changed_before_success_has_helped() -> None:
    found = taught(
        (ONE, answered("rejected", "1327")),
        (TWO, answered("rejected", "1327")),
        (ONE, corrected("order.lines.2.total")),
        (TWO, sent_anew("payment")),
        (ONE, answered("lodged")),
        (ONE, answered("released")),
        (TWO, answered("rejected", "1327")),
        (TWO, corrected("order.lines.1.total")),
        (TWO, answered("approved")),
    )
    assert found == [
        {
            "code": "1327",
            "rule": found[0]["rule"],
            "text": found[0]["text"],
            "seen": 3,
            "fixes": [
                {"change": "order.lines.total", "helped": 2, "failed": 0},
                {"change": "payment", "helped": 0, "failed": 1},
            ],
        }
    ]
    assert found[0]["rule"]
    assert set(found[0]["text"]) == {"en", "zh"}


def test_acceptance_is_no_success_yet_and_kinds_are_apart() -> None:
    found = taught(
        (ONE, answered("rejected", "1313")),
        (ONE, answered("stored", kind="order")),
        (ONE, answered("accepted")),
        (ONE, answered("rejected", "1313")),
        (ONE, answered("released")),
    )
    assert found[0]["fixes"] == [{"change": RESENT, "helped": 1, "failed": 1}]


def test_another_code_means_that_the_first_is_mended() -> None:
    found = taught(
        (ONE, answered("rejected", "1327")),
        (ONE, corrected("order.paid")),
        (ONE, answered("rejected", "1313")),
    )
    assert {one["code"]: one["fixes"] for one in found} == {
        "1313": [],
        "1327": [{"change": "order.paid", "helped": 1, "failed": 0}],
    }


def test_what_was_not_applied_and_what_is_no_answer_teaches_nothing() -> None:
    ignored = Event(
        EventKind.RECEIPT_RECORDED, {"kind": "order", "effect": "ignored", "codes": ["1"]}
    )
    held = Event(EventKind.CASE_HELD, {"by": "a", "reason": "b"})
    assert taught((ONE, ignored), (ONE, held), (ONE, sent_anew("order"))) == []
