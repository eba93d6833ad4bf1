"""Kill the gateway at each point of cancellations, corrections and returns: none is left half."""

from __future__ import annotations

import pytest

from gateway.flow.crash import ALL_POINTS, POINTS
from tests.sim.company import Company
from tests.sim.sagas import SCENARIOS, asked_about, paid_at_once
from tests.sim.simulate import simulate
from tests.sim.world import CrashPlan

pytestmark = pytest.mark.sim
# Papers are taken in before anybody asks anything of their case.
OF_SAGAS = [point for point in POINTS if not point.startswith(("ingest.", "normalise."))]


def test_each_saga_ends_without_faults() -> None:
    report = simulate(
        1, len(SCENARIOS), faults=frozenset(), scenarios=SCENARIOS, trade=asked_about()
    )
    assert report.violations == ()
    assert report.lives == 1


@pytest.mark.parametrize("point", OF_SAGAS)
def test_a_kill_at_each_point_leaves_no_saga_half(point: str) -> None:
    plan = CrashPlan(point, frozenset({1, 2, 4, 7, 11}), is_of_people=True)
    report = simulate(
        OF_SAGAS.index(point), len(SCENARIOS), faults=frozenset(), crash=plan,
        scenarios=SCENARIOS, trade=asked_about(),
    )  # fmt: skip
    assert report.violations == ()
    if point != "match.decided":
        assert report.crashes[point] >= 1
    assert report.lives == 1 + report.crashes.get(point, 0)


@pytest.mark.parametrize("point", ALL_POINTS)
def test_a_kill_at_each_point_leaves_no_order_of_a_shared_payment_behind(point: str) -> None:
    """Each part of the payment is filed once, and every order that it pays is released."""
    company = Company()
    report = simulate(
        ALL_POINTS.index(point), 3, faults=frozenset(), crash=CrashPlan(point, frozenset({1, 3})),
        scenarios=("RELEASE",) * 3, trade=paid_at_once(), company=company,
    )  # fmt: skip
    assert report.violations == ()
    assert report.crashes[point] >= 1
    assert report.lives == 1 + report.crashes[point]
    assert (sorted(company.filed.values()), company.behind) == ([1, 1, 1], {"PAID-AT-ONCE"})
