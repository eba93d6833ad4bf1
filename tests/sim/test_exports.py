"""Worlds of exports: parcels, their papers and the lists of their bills, among faults and kills."""

from __future__ import annotations

import pytest

from gateway.flow.crash import POINTS
from tests.sim.simulate import simulate
from tests.sim.trade import EXPORTED, exported
from tests.sim.world import CrashPlan

pytestmark = pytest.mark.sim
SEEDS = range(1, 5)
# What differs from imports is what is planned and in which order: a kill after each stage's commit.
# The points between are the same code, tried one by one with imports.
COMMITS = [point for point in POINTS if point.endswith(".committed")]
SCENARIOS = ("RELEASE", "RELEASE", "INSPECT", "SILENT", "REORDER", "RELEASE", "NEGATIVE", "EARLY")


def test_each_scenario_ends_where_the_table_says_without_faults() -> None:
    report = simulate(7, len(EXPORTED), faults=frozenset(), scenarios=EXPORTED, trade=exported())
    assert report.violations == ()
    assert report.lives == 1
    assert report.failures == {}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_faulty_worlds_of_exports_keep_every_promise(seed: int) -> None:
    report = simulate(seed, 25, trade=exported())
    assert report.violations == ()
    assert report.faults


@pytest.mark.parametrize("point", COMMITS)
def test_a_kill_after_each_commit_loses_and_doubles_no_export(point: str) -> None:
    """The passings are late ones too, so that lists of parcels are on their way."""
    plan = CrashPlan(point, frozenset({1, 3, 6, 9}))
    report = simulate(
        POINTS.index(point), len(SCENARIOS), faults=frozenset(), crash=plan,
        scenarios=SCENARIOS, trade=exported(),
    )  # fmt: skip
    assert report.violations == ()
    assert report.crashes[point] >= 1
    assert report.lives == 1 + report.crashes[point]
