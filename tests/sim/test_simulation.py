"""The real flow in faulty worlds: every promise holds in each, every fault happens somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.domain.case import CaseStage
from gateway.flow.crash import POINTS
from tests.sim.campaign import replay_command, run_campaign
from tests.sim.faults import RATES, Fault
from tests.sim.orders import EXPECTED, EXPECTED_OF_PROBLEM
from tests.sim.simulate import simulate

pytestmark = pytest.mark.sim
REPORT = Path(__file__).parents[2] / ".cache" / "sim" / "quick.json"
SEEDS = range(1, 41)
ORDERS = 40


@pytest.mark.timeout(900)
def test_faulty_worlds_keep_every_promise() -> None:
    counts = run_campaign(SEEDS, ORDERS)
    counts.write(REPORT)
    broken = {replay_command(seed, ORDERS): found for seed, found in counts.violations.items()}
    assert broken == {}
    assert counts.orders == len(SEEDS) * ORDERS
    unhit = [kind.value for kind in Fault if not counts.faults[kind.value]]
    assert unhit == []
    assert set(counts.points) == set(POINTS)
    assert len(counts.crashes) > len(POINTS) // 2


def test_each_scenario_ends_where_the_table_says_without_faults() -> None:
    report = simulate(7, len(EXPECTED), faults=frozenset(), scenarios=tuple(EXPECTED))
    assert report.violations == ()
    assert report.faults == {}
    assert report.lives == 1
    assert report.failures == {}


def test_the_table_knows_every_problem_and_only_scenarios_that_exist() -> None:
    """Every scenario by itself goes through the gateway in tests/integration/customs."""
    from adapters.sandbox.customs import SCENARIOS, parse_scenario
    from gateway.app.demo_orders import PROBLEMS

    covered = {parse_scenario(f"SIM-{name}-1").name for name in EXPECTED}
    assert covered < set(SCENARIOS)
    assert set(EXPECTED_OF_PROBLEM) == set(PROBLEMS)
    assert CaseStage.RELEASED in EXPECTED.values()


def test_every_fault_has_a_rate() -> None:
    assert set(RATES) == set(Fault)


@pytest.mark.parametrize("kind", list(Fault), ids=lambda kind: kind.value)
def test_one_kind_of_fault_alone(kind: Fault) -> None:
    report = simulate(100 + list(Fault).index(kind), 12, faults=frozenset({kind}))
    assert report.violations == ()
    assert set(report.faults) <= {kind.value}


@pytest.mark.parametrize(
    "seed",
    [
        pytest.param(2, id="answers to a corrected order under a clock that is ahead"),
        pytest.param(6, id="a corrected order under a clock that was set back"),
        pytest.param(11, id="a message split before its hand-over was recorded"),
        pytest.param(36, id="old bytes arrive after the refusal"),
        pytest.param(38, id="the refusal of an order is lost for good"),
        pytest.param(170, id="the end of a course overtaken by the answer to a repeat"),
        pytest.param(47, id="a shared message goes out again after a correction"),
    ],
)
def test_seeds_that_once_broke_a_promise(seed: int) -> None:
    assert simulate(seed, 40).violations == ()
