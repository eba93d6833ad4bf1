"""The days of a return: when somebody is told, and when nothing is left to tell."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.domain.codec import from_micros
from gateway.domain.declaration import DeclarationKind, Word
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import EndpointId
from gateway.domain.papers import PaperKind, PaperRevision
from gateway.flow.context import Context
from gateway.flow.return_watch import APPLY, BACK, _Due, decide_return_due, watch_return
from gateway.ports import CaseView, Changes, Found
from tests.unit.domain.papers import good, profile
from tests.unit.domain.test_after_acceptance import released, returned
from tests.unit.domain.test_lifecycle import KEY, fact, received

RETURN = DeclarationKind.RETURN
PROFILE = profile()


class _Master:
    def profile(self, *_: object) -> Any:
        return PROFILE

    def endpoints(self, tenant: str, event_type: str) -> list[Any]:
        assert event_type == "return.due"
        return [SimpleNamespace(endpoint_id=EndpointId("E1"), due_at=lambda now: now)]


CONTEXT = cast(Context, SimpleNamespace(master=_Master()))


def view_of(state: Any) -> CaseView:
    paper = good().order
    assert paper is not None
    revision = cast(PaperRevision, SimpleNamespace(paper=paper))
    return CaseView(KEY, state, 1, {PaperKind.ORDER: revision})


def asked() -> CaseView:
    return view_of(returned(released(), {1: Decimal(1)}))


def due(view: CaseView, alarm: str) -> tuple[list[str], list[dict[str, Any]]]:
    """The alarms raised and the notices asked for when the timer of the first return comes."""
    timers: Changes[None] = Changes(result=None)
    watch_return(view, view.state.declarations[-1], timers, PROFILE)
    timer = next(one for one in timers.effects if one.ref == alarm)
    facts = _Due(timer, KEY.case_id, CONTEXT, timer.due_at)
    changes = decide_return_due(facts, {KEY.case_id: view}, cast(Found, {}))
    assert changes.effects_done == [timer.effect_id]
    raised = [one.payload["alarm"] for one in view.new_events]
    return raised, [dict(one.payload["data"]) for one in changes.effects]


def test_two_timers_come_some_days_before_the_last_days() -> None:
    timers: Changes[None] = Changes(result=None)
    view = asked()
    watch_return(view, view.state.declarations[-1], timers, PROFILE)
    # Released on 11 November: 30 and 45 days later, less five, at nine in Beijing.
    assert [(one.ref, from_micros(one.due_at)) for one in timers.effects] == [
        (APPLY, datetime(2026, 12, 6, 1, tzinfo=UTC)),
        (BACK, datetime(2026, 12, 21, 1, tzinfo=UTC)),
    ]


def test_a_return_that_customs_does_not_have_is_told_of() -> None:
    view = asked()
    lodged = view.state
    lodged = received(lodged, fact(Word.LODGED, 60 * 6, RETURN, invt_no=None, pre_no=None))
    assert due(view_of(lodged), APPLY) == ([], [])
    raised, told = due(view, APPLY)
    assert raised == [APPLY]
    (notice,) = told
    assert (notice["why"], notice["until"], notice["version"]) == (APPLY, "2026-12-11", 1)


def test_what_was_refused_is_told_of_until_another_return_asks_for_it() -> None:
    word = fact(Word.REJECTED, 60 * 6, RETURN, invt_no=None, pre_no=None)
    state = received(asked().state, word)
    refused = view_of(state)
    facts_of_first = due(refused, APPLY)
    assert facts_of_first[0] == [APPLY]
    paper = good().order
    assert paper is not None
    again = view_of(returned(state, {1: paper.lines[0].quantity}))
    timers: Changes[None] = Changes(result=None)
    first = next(one for one in again.state.declarations if one.kind is RETURN)
    watch_return(again, first, timers, PROFILE)
    facts = _Due(timers.effects[0], KEY.case_id, CONTEXT, 0)
    decide_return_due(facts, {KEY.case_id: again}, cast(Found, {}))
    assert again.new_events == []


@pytest.mark.parametrize("is_back", [True, False])
def test_goods_that_are_not_back_are_told_of(is_back: bool) -> None:
    view = asked()
    if is_back:
        view.record(Event(EventKind.RETURN_ARRIVED, {"version": 1, "at": 1, "by": "clerk"}))
        view.new_events.clear()
    raised, told = due(view, BACK)
    assert raised == ([] if is_back else [BACK])
    assert [one["until"] for one in told] == ([] if is_back else ["2026-12-26"])
