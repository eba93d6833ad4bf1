"""What one unit of one step costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StageCost:
    """What one unit of one stage costs in microseconds of one thread, and what it may cost."""

    name: str
    cost_us: float
    unit: str
    gate_us: float | None = None
    goal_us: float | None = None


def process_us(work: Callable[[], object], seconds: float, units: int) -> float:
    """Microseconds of CPU of one unit: the best of several tries of about ``seconds`` in all."""
    work()
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.thread_time()
        work()
        best = min(best, time.thread_time() - started)
    return best * 1e6 / units
