"""What the timeline of ``clearance case`` says of a receipt."""

from __future__ import annotations

from typing import Any

from gateway.app.commands.case import event_text


def event(**data: Any) -> dict[str, Any]:
    return {
        "type": "receipt_recorded",
        "data": {"kind": "inventory", "version": 2, "effect": "no_effect", "receipt": "r"} | data,
    }


def test_a_receipt_that_moved_nothing_says_so() -> None:
    told = event_text(
        event(status="-621012", word="failed", returned_at="20260101120000000", codes=["13", "22"])
    )
    assert told == (
        "inventory v2; status -621012 (failed); effect no_effect; returned_at 20260101120000000; "
        "codes 13, 22"
    )


def test_a_receipt_that_counted_names_the_stage() -> None:
    told = event_text(event(status="800", word="released", effect="applied", stage="released"))
    assert told == "inventory v2; status 800 (released); effect applied; stage released"


def test_other_events_tell_what_they_hold() -> None:
    refused = {"kind": "order", "version": 1, "code": "-1", "receipt": "9f"}
    assert event_text({"type": "declaration_refused", "data": refused}) == (
        "order v1; code -1; receipt 9f"
    )
    raised = {"alarm": "no_answer", "kind": "order", "version": 2, "at": 17}
    assert event_text({"type": "alarm_raised", "data": raised}) == "order v2; alarm no_answer"
    assert event_text({"type": "case_matched", "data": {"findings": []}}) == ""
