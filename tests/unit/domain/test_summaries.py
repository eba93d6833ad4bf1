"""The periods of summaries, and what their results come to in whatever order they arrive."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.case import CaseState
from gateway.domain.declaration import (
    DeclarationKind,
    DeclarationStage,
    DeclarationState,
    SummaryFact,
)
from gateway.domain.lifecycle import apply
from gateway.domain.profile import Every, Party, Summary
from gateway.domain.receipts import record_events

BROKER = Party("3301980008", "示例报关有限公司")
NOW = 1_000_000_000_000_000
OWN = "29912026E123456789"


@given(
    st.sampled_from(Every),
    st.dates(date(2024, 1, 1), date(2032, 12, 31)),
    st.integers(0, 14),
)
def test_each_day_is_in_one_period_that_is_over_when_it_is_summed_up(
    every: Every, day: date, wait: int
) -> None:
    terms = Summary(BROKER, every, wait)
    name, due = terms.period(day)
    last = due - timedelta(days=wait + 1)
    assert day <= last
    assert terms.period(last) == (name, due)
    assert terms.period(last + timedelta(days=1))[0] != name


def fact(returned_at: str, state: str, entry: str | None = None, *numbers: str) -> SummaryFact:
    return SummaryFact("S1", "D1", state, returned_at, NOW, "r", 0, "g", numbers, entry)


def requested(sum_no: str | None = "S1") -> CaseState:
    request = {"of": 1, "invt_no": OWN} | ({"sum_no": sum_no} if sum_no else {})
    kind, stage = DeclarationKind.SUMMARY_REQUEST, DeclarationStage.STORED
    return CaseState(declarations=(DeclarationState(kind, 1, stage, sent_at=1, request=request),))


def told(state: CaseState, *facts: SummaryFact) -> CaseState:
    for one in facts:
        for event in record_events(state, one, NOW).events:
            state = apply(state, event)
    return state


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_newest_result_stands_in_any_order(order: tuple[int, ...]) -> None:
    facts = (fact("1", "0"), fact("2", "1", "E1"), fact("2", "1", "E1"))
    state = told(requested(), *(facts[number] for number in order))
    found = state.declaration(DeclarationKind.SUMMARY_REQUEST)
    assert found is not None
    assert found.request["result"] == {
        "declaration_no": "D1", "state": "1", "entry_no": "E1", "returned_at": "2",
    }  # fmt: skip


@pytest.mark.parametrize(
    "state, said, parked, count",
    [
        (requested(), fact("1", "0", None, OWN), None, 1),
        (requested(), fact("1", "0", None, "29912026E999999999"), None, 0),
        (requested("S2"), fact("1", "0"), "nothing_sent", 0),
        (requested(None), fact("1", "0", None, OWN), None, 1),
        (CaseState(), fact("1", "0"), "nothing_sent", 0),
    ],
)
def test_a_result_is_of_its_own_request_and_inventory(
    state: CaseState, said: SummaryFact, parked: str | None, count: int
) -> None:
    decision = record_events(state, said, NOW)
    assert (decision.parked, len(decision.events)) == (parked, count)
