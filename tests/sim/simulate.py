"""One simulated run from its seed to its report."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway.domain.errors import StoreClosed
from tests.sim.checkers import check_world
from tests.sim.company import Company
from tests.sim.faults import Fault, Faults
from tests.sim.loop import VirtualTimeLoop, run
from tests.sim.surroundings import START, SimulatedCrash
from tests.sim.trade import Trade, imports
from tests.sim.world import CrashPlan, World


@dataclass(frozen=True, slots=True)
class Report:
    """What one run came to; ``to_doc`` is the machine-readable line."""

    seed: int
    orders: int
    violations: tuple[str, ...]
    digest: str
    faults: dict[str, int]
    crashes: dict[str, int]
    points: dict[str, int]
    lives: int
    sent: int
    notices: int
    failures: dict[str, int]
    virtual_s: int

    def to_doc(self) -> dict[str, Any]:
        """The report as a JSON value."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def simulate(
    seed: int,
    orders: int,
    *,
    faults: frozenset[Fault] | None = None,
    crash: CrashPlan | None = None,
    scenarios: Sequence[str] = (),
    company: Company | None = None,
    trade: Trade | None = None,
) -> Report:
    """Run one world to its end and judge it. ``faults`` fixes the kinds that may happen."""

    async def main(loop: VirtualTimeLoop) -> World:
        loop.set_exception_handler(_handler)
        world = World(
            loop,
            seed,
            orders,
            Faults(seed, kinds=faults),
            crash_plan=crash,
            scenarios=scenarios,
            company=company,
            trade=trade or imports(),
            judge=check_world,
        )
        await world.run()
        return world

    world = run(main, seed=seed, start=START)
    try:
        return _report(world)
    finally:
        world.database.dispose()


def _handler(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What a dying gateway leaves unanswered is no fault; anything else unseen is."""
    fault = context.get("exception")
    if isinstance(fault, StoreClosed) and isinstance(fault.__cause__, SimulatedCrash):
        return
    assert isinstance(loop, VirtualTimeLoop)
    loop.unhandled.append(fault if fault is not None else RuntimeError(context["message"]))


def _report(world: World) -> Report:
    return Report(
        seed=world.seed,
        orders=world.orders,
        violations=tuple(world.violations),
        digest=world.trace.digest(),
        faults={kind.value: world.faults.hits[kind] for kind in Fault if world.faults.hits[kind]},
        crashes=dict(sorted(world.crashes.items())),
        points=dict(sorted(world.passed.items())),
        lives=world.lives,
        sent=len(world.wire.sent),
        notices=len(world.receivers.told),
        failures=dict(sorted(world.observer.failures.items())),
        virtual_s=round(world.loop.time()),
    )
