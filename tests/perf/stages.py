from __future__ import annotations
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StageCost:
    """What one unit of one stage costs in microseconds of this thread."""

    name: str
    cost_us: float
    unit: str
    gate_us: float | None = None
    goal_us: float | None = None


async def stage_costs(folder: Path, seconds: float) -> list[StageCost]:
    return []
