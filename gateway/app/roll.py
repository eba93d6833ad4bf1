"""The roll of processes: this one gives signs of life, and takes over what a dead one had."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from gateway.app.container import Gateway
from gateway.app.process_names import ended_here
from gateway.domain.errors import StoreError
from gateway.flow.context import SECOND_US
from store.roll import beat, free_leases, join_roll, leave_roll, strike_off

_BEATS: Final = 4
_LOG = structlog.get_logger("clearance.roll")


@dataclass(slots=True)
class Watch:
    """What this process saw of the others: their counts, and for how many looks each stood still.

    A process is called dead after ``beats`` looks at an unchanged count.
    """

    beats: int = _BEATS
    _seen: dict[str, tuple[int, int]] = field(default_factory=dict)

    def look(self, counts: dict[str, int]) -> dict[str, int]:
        """Take one look at the others' counts; those of the silent ones."""
        seen = {}
        for process_id, count in counts.items():
            before, still = self._seen.get(process_id, (count, -1))
            seen[process_id] = (count, still + 1 if before == count else 0)
        self._seen = seen
        return {one: count for one, (count, still) in seen.items() if still >= self.beats}


@asynccontextmanager
async def on_the_roll(gateway: Gateway) -> AsyncIterator[None]:
    """Join before work begins; leave after it ended, so that others need not wait.

    On SQLite this process is alone, so whatever another held is free at once.
    """
    store, clock = gateway.store, gateway.context.clock
    process_id = store.process
    assert process_id is not None, "a process that works has a name"
    alone = make_url(gateway.settings.store.url).get_backend_name() == "sqlite"
    joining = partial(join_roll, process_id=process_id, now=clock.now(), alone=alone)
    await store.execute(joining)
    await _free(gateway)
    try:
        yield
    finally:
        # Whoever cannot leave now is silent from now on, which comes to the same.
        with suppress(StoreError, SQLAlchemyError, OSError):
            await store.execute(partial(leave_roll, process_id=process_id))
            await _free(gateway)


async def keep_roll(gateway: Gateway) -> None:
    """Give signs of life and take over from the dead, for ever; raises what the database raises."""
    store, clock, watch = gateway.store, gateway.context.clock, Watch()
    silent_s = gateway.settings.flow.silent_s
    assert store.process is not None
    while True:
        counts = await store.execute(partial(beat, process_id=store.process, now=clock.now()))
        silent = watch.look(counts) | ended_here(counts)
        gone = await store.execute(partial(strike_off, silent=silent)) if silent else 0
        if gone:
            leases = await _free(gateway)
            _LOG.warning("process_died", processes=gone, leases=leases)
            await gateway.engine.take_over(int(silent_s * SECOND_US))
        await clock.sleep(silent_s / _BEATS)


async def _free(gateway: Gateway) -> int:
    lease_us, now = gateway.context.settings.lease_us, gateway.context.clock.now()
    return await gateway.store.execute(partial(free_leases, now=now, lease_us=lease_us))
