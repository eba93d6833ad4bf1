"""The FILING table: legal ways of a partner's filing, and how a case shows them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.case import CaseState
from gateway.domain.codec import state_from_doc, state_to_doc
from gateway.domain.errors import IllegalTransition
from gateway.domain.events import Event, EventKind
from gateway.domain.filing import FILING, FINAL, FilingStage
from gateway.domain.lifecycle import apply
from gateway.domain.papers import PaperKind


def step(stage: FilingStage, number: int = 1, **more: Any) -> Event:
    payload = {"paper": "payment", "number": number, "stage": stage.value, "at": 7, **more}
    if stage is FilingStage.REQUESTED:
        payload.setdefault("digest", "d")
    return Event(EventKind.FILING_RECORDED, payload)


@given(wanted=st.lists(st.sampled_from(FilingStage), max_size=12))
def test_only_the_table_moves_a_filing_and_it_survives_its_document(
    wanted: list[FilingStage],
) -> None:
    state = apply(CaseState(), step(FilingStage.REQUESTED))
    sent = 0
    for stage in wanted:
        found = state.filing(PaperKind.PAYMENT)
        assert found is not None
        if stage in FILING[found.stage]:
            state = apply(state, step(stage))
            sent += stage is FilingStage.SENDING
        else:
            with pytest.raises(IllegalTransition):
                apply(state, step(stage))
    found = state.filing(PaperKind.PAYMENT)
    assert found is not None
    assert (found.tries, found.since) == (sent, 7)
    assert state_from_doc(state_to_doc(state)) == state


def test_nothing_is_sent_twice_without_being_asked_about() -> None:
    """Between two sendings stands a look that found nothing, a sure refusal, or a fault."""
    before = {stage for stage, next_ones in FILING.items() if FilingStage.SENDING in next_ones}
    assert before == {FilingStage.REQUESTED, FilingStage.FAULTED}
    to_requested = {one for one, after in FILING.items() if FilingStage.REQUESTED in after}
    assert to_requested == {FilingStage.SENDING, FilingStage.NOT_SEEN}
    assert all(not FILING[stage] for stage in FINAL)


def test_a_new_request_follows_a_final_stage_only() -> None:
    state = apply(CaseState(), step(FilingStage.REQUESTED))
    with pytest.raises(IllegalTransition):
        apply(state, step(FilingStage.REQUESTED, 2))
    for stage in (FilingStage.SENDING, FilingStage.FILED):
        state = apply(state, step(stage))
    with pytest.raises(IllegalTransition):
        apply(state, step(FilingStage.REQUESTED, 3))
    with pytest.raises(IllegalTransition):
        apply(state, step(FilingStage.SENDING, 2))
    state = apply(state, step(FilingStage.REQUESTED, 2, change=True))
    found = state.filing(PaperKind.PAYMENT)
    assert found is not None
    assert (found.number, found.is_change, found.tries) == (2, True, 0)
    assert state.filing(PaperKind.WAYBILL) is None
