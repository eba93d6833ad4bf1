"""Stage times, what is stuck, backlogs, and the text for the help desk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.ids import MessageId
from gateway.domain.watch import (
    Backlog,
    Escalation,
    Moment,
    Step,
    Stuck,
    escalation_text,
    find_stuck,
    percentile,
    stage_times,
    usual_times,
)
from tests.unit.domain.papers import profile

S = 1_000_000
KIND = DeclarationKind.INVENTORY
PROFILE = profile(answer_timeout_s=900)
PORT = PROFILE.port_code


def sent(stage: DeclarationStage = DeclarationStage.SENT, at: int = 0) -> DeclarationState:
    return DeclarationState(
        kind=KIND, version=1, stage=stage, sent_at=at, attempt=3,
        message_id=MessageId("MSG-1"), cop_no="CGABC",
    )  # fmt: skip


@given(st.lists(st.integers(0, 10**12), min_size=1), st.integers(1, 100))
def test_a_percentile_is_one_of_the_values_with_enough_below(
    values: list[int], percent: int
) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent)
    assert found in ordered
    assert sum(one <= found for one in ordered) * 100 >= percent * len(ordered)
    below = sum(one < found for one in ordered)
    assert below * 100 < percent * len(ordered)


def test_steps_of_a_port_are_told_apart() -> None:
    steps = [Step(PORT, KIND, "released", took * S) for took in range(1, 101)]
    steps.append(Step("9999", KIND, "released", 7 * S))
    here, there = stage_times(steps)
    assert here[3:] == (100, 50 * S, 95 * S, 99 * S, 100 * S)
    assert there[:4] == ("9999", KIND, "released", 1)
    assert usual_times([here, there]) == {(PORT, KIND): 95 * S}


@pytest.mark.parametrize(
    "waiting, done, empty_in",
    [(0, 0, 0), (0, 5, 0), (10, 0, None), (100, 50, 1_800 * S), (1, 3, 300 * S)],
)
def test_a_backlog_is_empty_at_the_rate_that_was_measured(
    waiting: int, done: int, empty_in: int | None
) -> None:
    assert Backlog(waiting, done, 900 * S).empty_in_us == empty_in


def test_what_waits_longer_than_usual_is_stuck() -> None:
    usual = {(PORT, KIND): 600 * S}
    for now, is_stuck in ((1_800, False), (1_801, True)):
        found = find_stuck([sent()], (), Moment(now * S, 0), PROFILE, usual)
        assert (found is not None) is is_stuck, now
    # While little is known the profile's own time-out is the measure.
    assert find_stuck([sent()], (), Moment(901 * S, 0), PROFILE, {}) is not None
    assert find_stuck([sent()], (), Moment(900 * S, 0), PROFILE, {}) is None


def test_only_what_customs_was_never_heard_of_is_lost() -> None:
    lost = find_stuck([sent()], ("no_answer",), Moment(1, 0), PROFILE, {})
    assert lost is not None
    assert lost.is_lost
    lodged = sent(DeclarationStage.LODGED)
    found = find_stuck([lodged], ("no_answer",), Moment(2_000 * S, 0), PROFILE, {})
    assert found is not None
    assert not found.is_lost


def test_an_answered_one_waits_since_its_answer() -> None:
    accepted = sent(DeclarationStage.ACCEPTED)
    assert find_stuck([accepted], (), Moment(5_000 * S, 4_500 * S), PROFILE, {}) is None


@pytest.mark.parametrize("stage", [DeclarationStage.RELEASED, DeclarationStage.REJECTED])
def test_what_is_over_is_never_stuck(stage: DeclarationStage) -> None:
    assert find_stuck([sent(stage)], (), Moment(10**15, 0), PROFILE, {}) is None


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("is_lost", [True, False])
def test_a_help_desk_gets_every_number_it_asks_for(language: str, is_lost: bool) -> None:
    stuck = Stuck(sent(), 7_200 * S, 900 * S, is_lost)
    about = Escalation(PROFILE, "ORDER-1", "CEB621Message", "2026-11-28 10:00:00", stuck)
    text = escalation_text(about, language)
    for word in (
        PROFILE.dxp_id, PORT, PROFILE.customs_code, PROFILE.platform.code, PROFILE.transfer.code,
        "MSG-1", "ORDER-1", "CGABC", "CEB621Message", "2026-11-28 10:00:00", "3",
    ):  # fmt: skip
        assert word in text
    assert ("2" in text.splitlines()[0]) is not is_lost
