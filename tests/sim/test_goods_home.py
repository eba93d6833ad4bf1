"""Kill the gateway while exported goods come home and are summed up: each is filed once."""

from __future__ import annotations

import pytest

from gateway.domain.profile import Summary
from tests.sim.sagas import coming_home
from tests.sim.simulate import simulate
from tests.sim.world import CrashPlan

pytestmark = pytest.mark.sim
SCENARIOS = ("RELEASE", "RELEASE")
# Between a commit and what follows it; the points between are the same code, tried with imports.
COMMITS = [f"{stage}.committed" for stage in ("declare", "sign", "transmit", "receipt")]


@pytest.fixture(autouse=True)
def periods_that_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A summary is requested when its inventory is released, not a month later."""
    monkeypatch.setattr(Summary, "period", lambda self, day: (day.isoformat(), day))


def test_goods_come_home_without_faults() -> None:
    report = simulate(
        3, len(SCENARIOS), faults=frozenset(), scenarios=SCENARIOS, trade=coming_home()
    )
    assert report.violations == ()
    assert report.lives == 1


@pytest.mark.parametrize("point", COMMITS)
def test_a_kill_after_each_commit_leaves_nothing_half(point: str) -> None:
    plan = CrashPlan(point, frozenset({1, 2, 4, 7}), is_of_people=True)
    report = simulate(
        COMMITS.index(point), len(SCENARIOS), faults=frozenset(), crash=plan,
        scenarios=SCENARIOS, trade=coming_home(),
    )  # fmt: skip
    assert report.violations == ()
    assert report.crashes[point] >= 1
    assert report.lives == 1 + report.crashes[point]
