"""One run from the first paper to the verdict, with kills on the way."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.crash.gateway_process import KILLED, StillRuns
from tests.crash.judge import broken_promises
from tests.crash.orders import Wanted
from tests.crash.world import LEASE_S, NotQuiet, Told, World, feed, until_quiet, world

REACHED_S: Final = 20.0
QUIET_S: Final = 25.0

# What befalls the gateway while papers come in; it must be running again at the end.
Trouble = Callable[[World], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run came to: its broken promises, and what shows that something happened."""

    broken: tuple[str, ...]
    starts: int
    requests: int
    seconds: float


class NotReached(Exception):
    """The gateway did not pass a crash point as often as it should have."""


def killed_at(point: str, passing: int) -> Trouble:
    """The gateway dies at the n-th passing of a point and is started again."""

    async def trouble(where: World) -> None:
        try:
            code = await where.gateway.ended(REACHED_S)
        except StillRuns as fault:
            raise NotReached(f"{point}:{passing} was not reached") from fault
        if code != KILLED:
            raise where.gateway.failed(f"ended with {code}, not by SIGKILL at {point}:{passing}")
        await where.gateway.start()
        await where.gateway.serving()

    return trouble


async def run_case(
    folder: Path,
    orders: Sequence[Wanted],
    trouble: Trouble,
    *,
    crash_at: str = "",
    opening: asyncio.Lock | None = None,
    store_url: str | None = None,
    quiet_s: float = QUIET_S,
    pause_s: float = 0.0,
    seed: int = 1,
    lease_s: float = LEASE_S,
) -> Verdict:
    """Feed the orders through trouble, wait for quiet, send all again, stop, and judge."""
    started = time.monotonic()
    async with world(
        folder, opening or asyncio.Lock(), store_url=store_url, seed=seed, lease_s=lease_s
    ) as where:
        await where.gateway.start(crash_at)
        told = Told()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(feed(where, orders, told, pause_s=pause_s))
            await trouble(where)
        broken: list[str] = []
        try:
            before = await until_quiet(where, orders, told, quiet_s)
            again = Told()
            await feed(where, orders, again, waits=True)
            broken += [f"sent again: {what} is {how}" for what, how in again.answers.items()
                       if how != "unchanged"]  # fmt: skip
            after = await until_quiet(where, orders, again, quiet_s)
            if before != after:
                broken.append("sending all papers again changed something")
        except NotQuiet as unrest:
            broken.append(str(unrest))
        await where.gateway.stop()
        broken += await broken_promises(where, orders, told)
        seconds = time.monotonic() - started
        return Verdict(tuple(broken), where.gateway.starts, told.requests, seconds)
