"""The figures to aim at, on two cores with generator, database and counterparts on the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.perf.generator import Shape

BUILD_GATE_US: Final = 120.0
BUILD_GOAL_US: Final = 100.0
MATCH_GATE_US: Final = 50.0
MATCH_GOAL_US: Final = 30.0
SIGN_GATE_RATIO: Final = 1.1


@dataclass(frozen=True, slots=True)
class Goal:
    """Orders a second and intake p99 of one scenario; ``least`` is what no change may break."""

    least: float
    gate: float
    goal: float
    p99_gate_ms: float | None
    cpu_gate_ms: float | None = None
    cpu_goal_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One way to load the gateway. ``orders`` is its default size, ``quick_orders`` a small one."""

    name: str
    store: str
    shape: Shape
    processes: int
    connections: int
    orders: int
    quick_orders: int
    goal: Goal


SCENARIOS: Final[Mapping[str, Scenario]] = {
    one.name: one
    for one in (
        Scenario(
            "sqlite-batch", "sqlite", Shape.BATCH, 1, 4, 12_000, 3_000,
            Goal(600, 1_000, 1_300, 100, 0.85, 0.65),
        ),
        Scenario(
            "postgres-batch", "postgres", Shape.BATCH, 2, 4, 12_000, 3_000,
            Goal(700, 1_100, 1_400, 120, 0.85, 0.65),
        ),
        Scenario(
            "sqlite-single", "sqlite", Shape.SINGLE, 1, 64, 6_000, 1_500,
            Goal(300, 550, 700, 100),
        ),
        Scenario(
            "postgres-single", "postgres", Shape.SINGLE, 2, 64, 6_000, 1_500,
            Goal(300, 450, 600, 120),
        ),
    )
}  # fmt: skip
