"""Kills without end: ``python -m tests.crash.campaign --minutes 10 [--store postgres]``.

Each round feeds orders to a new gateway and kills it again and again: at a random time, or at a
random crash point on one of its first passings, also while it recovers from the kill before. With
``--points`` every crash point is taken in turn instead, on its first and on its second passing.
Prints one JSON line a round and at the end all counts and ``violations: N``; exit code 1 when a
promise was broken. A round is named by its seed and can be repeated with ``--seed``, although
the processes' own timing is never the same twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from gateway.flow.crash import POINTS
from tests.crash.case import NotReached, Trouble, Verdict, killed_at, run_case
from tests.crash.gateway_process import KILLED, StillRuns
from tests.crash.orders import wanted_orders
from tests.crash.world import World
from tests.support.postgres import PostgresServer, find_postgres

_AT_RANDOM: Final = "random"
_LATEST_S: Final = 2.5
_PASSINGS: Final = 3
_PAUSE_S: Final = 0.15
_QUIET_S: Final = 90.0
_POINT_ORDERS: Final = 11
_SAID_MOST: Final = 1500


@dataclass(slots=True)
class Counts:
    """What a campaign did and found."""

    rounds: int = 0
    orders: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    not_reached: int = 0
    broken: list[str] = field(default_factory=list)

    def to_doc(self, seconds: float) -> dict[str, object]:
        """The JSON value."""
        return {
            "rounds": self.rounds,
            "orders": self.orders,
            "kills": self.kills.total(),
            "kills_by_point": dict(sorted(self.kills.items())),
            "points_not_reached": self.not_reached,
            "violations": len(self.broken),
            "seconds": round(seconds, 1),
        }


def killed_at_random(chance: random.Random, kills: int, counts: Counts) -> Trouble:
    """The gateway is killed again and again, half the time at a random point."""

    async def trouble(where: World) -> None:
        for _ in range(kills):
            code = await _died(where, chance.uniform(0.2, _LATEST_S))
            if code is None:
                await where.gateway.kill()
                counts.kills[_AT_RANDOM] += 1
            elif code != KILLED:
                raise where.gateway.failed(f"ended with {code} by itself")
            else:
                counts.kills[where.gateway.crash_at.partition(":")[0]] += 1
            point = chance.choice(POINTS) if chance.random() < 0.5 else ""
            passing = chance.randint(1, _PASSINGS)
            await where.gateway.start(f"{point}:{passing}" if point else "")
        await where.gateway.kill()
        counts.kills[_AT_RANDOM] += 1
        await where.gateway.start()
        await where.gateway.serving()

    return trouble


async def _died(where: World, within_s: float) -> int | None:
    """The return code of a gateway that ends by then, None for one that lives."""
    try:
        return await where.gateway.ended(within_s)
    except StillRuns:
        return None


@contextmanager
def _databases(store: str) -> Iterator[PostgresServer | None]:
    if store == "sqlite":
        yield None
        return
    programs = find_postgres()
    if programs is None:
        raise SystemExit("PostgreSQL (initdb and postgres) is not installed; run `make deps`")
    with PostgresServer.running(programs) as server:
        yield server


async def _random_round(
    seed: int, orders: int, kills: int, server: PostgresServer | None, counts: Counts
) -> Verdict:
    wanted = wanted_orders(orders)
    counts.orders += len(wanted)
    with tempfile.TemporaryDirectory(prefix="clearance-crash-") as folder:
        return await run_case(
            Path(folder),
            wanted,
            killed_at_random(random.Random(seed), kills, counts),
            store_url=server.fresh_database() if server else None,
            quiet_s=_QUIET_S,
            pause_s=_PAUSE_S,
            seed=seed,
        )


async def _point_round(
    point: str, passing: int, server: PostgresServer | None, counts: Counts
) -> Verdict | None:
    """One point at one passing; None when it is not passed that often with these orders."""
    wanted = wanted_orders(_POINT_ORDERS)
    with tempfile.TemporaryDirectory(prefix="clearance-crash-") as folder:
        try:
            verdict = await run_case(
                Path(folder),
                wanted,
                killed_at(point, passing),
                crash_at=f"{point}:{passing}",
                store_url=server.fresh_database() if server else None,
                quiet_s=_QUIET_S,
            )
        except* NotReached:
            verdict = None
    if verdict is None:
        counts.not_reached += 1
        return None
    counts.kills[point] += 1
    counts.orders += len(wanted)
    return verdict


def _note(counts: Counts, name: str, verdict: Verdict | None) -> None:
    counts.rounds += 1
    broken: Sequence[str] = verdict.broken if verdict else ()
    counts.broken += [f"{name}: {line}" for line in broken]
    doc = {
        "round": name,
        "starts": verdict.starts if verdict else 0,
        "requests": verdict.requests if verdict else 0,
        "seconds": round(verdict.seconds, 1) if verdict else 0,
        "broken": list(broken),
    }
    print(json.dumps(doc, ensure_ascii=False), flush=True)


def _run(work: Coroutine[object, object, Verdict | None]) -> Verdict | None:
    """The verdict of a round; one that could not be brought to its end has broken its promise."""
    try:
        return asyncio.run(work)
    except Exception as fault:
        told = "".join(traceback.format_exception(fault, chain=False))[-_SAID_MOST:]
        return Verdict((f"not brought to its end: {told}",), 0, 0, 0.0)


def _in_turn(store: str, passings: Sequence[int], counts: Counts) -> None:
    """Every crash point, at each of the passings."""
    with _databases(store) as server:
        for passing in passings:
            for point in POINTS:
                work = _point_round(point, passing, server, counts)
                _note(counts, f"{point}:{passing}", _run(work))


def _at_random(
    store: str, until: float, orders: int, kills: int, seed: int, counts: Counts
) -> None:
    """Round after round until a moment of the monotonic clock."""
    with _databases(store) as server:
        while time.monotonic() < until:
            work = _random_round(seed, orders, kills, server, counts)
            _note(counts, f"seed {seed}", _run(work))
            seed += 1


def run_campaign(*, store: str, minutes: float, orders: int, kills: int, seed: int) -> int:
    """Random kills for some minutes, with the counts printed; how often a promise was broken."""
    counts, started = Counts(), time.monotonic()
    _at_random(store, started + minutes * 60, orders, kills, seed, counts)
    return _told(counts, started)


def _told(counts: Counts, started: float) -> int:
    for line in counts.broken:
        print(line)
    print(json.dumps(counts.to_doc(time.monotonic() - started)), flush=True)
    return len(counts.broken)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a campaign; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.campaign")
    parser.add_argument("--minutes", type=float, default=5.0, help="start no round after these")
    parser.add_argument("--orders", type=int, default=60, help="plain orders a round")
    parser.add_argument("--kills", type=int, default=6, help="kills a round, and one more")
    parser.add_argument("--seed", type=int, default=1, help="the first round's")
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--points", action="store_true", help="each crash point in turn")
    parser.add_argument("--passings", type=int, nargs="+", default=[1, 2], help="with --points")
    asked = parser.parse_args(arguments)
    if asked.points:
        counts, started = Counts(), time.monotonic()
        _in_turn(asked.store, asked.passings, counts)
        broken = _told(counts, started)
    else:
        broken = run_campaign(
            store=asked.store,
            minutes=asked.minutes,
            orders=asked.orders,
            kills=asked.kills,
            seed=asked.seed,
        )
    print(f"violations: {broken}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
