"""Kill the gateway at each crash point in virtual time: the next life finishes the work."""

from __future__ import annotations

import pytest

from gateway.flow.crash import ALL_POINTS, FILING_POINTS, POINTS, STAGES
from tests.sim.company import Company
from tests.sim.orders import EXPECTED
from tests.sim.simulate import simulate
from tests.sim.world import CrashPlan

pytestmark = pytest.mark.sim
SCENARIOS = ("RELEASE", "BADRECORD", "SILENT", "INSPECT", "NEGATIVE", "REORDER", "RELEASE", "EARLY")


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_each_point_loses_and_doubles_nothing(point: str) -> None:
    assert set(SCENARIOS) <= set(EXPECTED)
    plan = CrashPlan(point, frozenset({1, 2, 4}))
    report = simulate(
        POINTS.index(point), len(SCENARIOS) + 2, faults=frozenset(), crash=plan, scenarios=SCENARIOS
    )
    assert report.violations == ()
    assert report.crashes[point] >= 1
    assert report.lives == 1 + report.crashes[point]
    assert set(report.crashes) == {point}


@pytest.mark.parametrize("point", FILING_POINTS)
def test_a_kill_around_a_partners_filing_loses_and_doubles_nothing(point: str) -> None:
    """The company loses every third request and every third answer besides."""
    company = Company()
    plan = CrashPlan(point, frozenset({1, 2, 4}))
    report = simulate(
        FILING_POINTS.index(point), 6, faults=frozenset(), crash=plan,
        scenarios=("RELEASE",) * 5 + ("INSPECT",), company=company,
    )  # fmt: skip
    assert report.violations == ()
    assert report.crashes[point] >= 1
    assert report.lives == 1 + report.crashes[point]
    assert sum(company.filed.values()) == 6
    assert set(report.points) <= set(ALL_POINTS)


def test_every_point_passed_is_registered_and_every_stage_has_one() -> None:
    report = simulate(3, 12, faults=frozenset(), scenarios=SCENARIOS)
    assert set(report.points) <= set(POINTS)
    assert {point.partition(".")[0] for point in report.points} == set(STAGES)
    assert {point.partition(".")[0] for point in POINTS} == set(STAGES)
    assert len(POINTS) == len(set(POINTS))
