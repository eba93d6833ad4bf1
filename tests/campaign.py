"""Everything at once for some minutes: ``python -m tests.campaign --minutes 5``.

A third of the time each: simulated worlds (random orders and scenarios, every fault of channel,
clock and paper, crashes at named points, on virtual time), then real processes killed at random
while papers come in, on SQLite and on PostgreSQL. After each run the checkers judge our store and
the strangers' ledgers. The last line is ``violations: N``; exit code 1 when N is not 0.
"""

from __future__ import annotations

import argparse
import json
import secrets
import sys
import time
from collections.abc import Sequence
from typing import Final

from tests.crash import campaign as kills
from tests.sim import campaign as worlds
from tests.sim.simulate import simulate
from tests.support.postgres import find_postgres

_SIM_ORDERS: Final = 60
_ROUND_ORDERS: Final = 30
_ROUND_KILLS: Final = 4


def simulated(seed: int, seconds: float) -> int:
    """Simulate seed after seed until the time is over; the violations."""
    counts, until = worlds.Counts(), time.monotonic() + seconds
    while time.monotonic() < until:
        report = simulate(seed, _SIM_ORDERS)
        counts.add(report)
        for violation in report.violations:
            print(f"{worlds.replay_command(seed, _SIM_ORDERS)}: {violation}", flush=True)
        seed += 1
    doc = counts.to_doc()
    print(json.dumps({"part": "simulation", **doc}), flush=True)
    return int(doc["violations"])


def killed(store: str, seed: int, seconds: float) -> int:
    """Kill real gateways over one kind of store until the time is over; the violations."""
    print(json.dumps({"part": f"kills on {store}"}), flush=True)
    return kills.run_campaign(
        store=store, minutes=seconds / 60, orders=_ROUND_ORDERS, kills=_ROUND_KILLS, seed=seed
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign")
    parser.add_argument("--minutes", type=float, default=5.0, help="start nothing after these")
    parser.add_argument("--seed", type=int, help="the first seed; else drawn, and printed")
    asked = parser.parse_args(arguments)
    seed = asked.seed if asked.seed is not None else secrets.randbelow(1_000_000_000)
    print(json.dumps({"seed": seed, "minutes": asked.minutes}), flush=True)
    stores = ["sqlite", "postgres"]
    if find_postgres() is None:
        print("PostgreSQL is not installed (`make deps`): its part is left out", flush=True)
        stores.remove("postgres")
    seconds = asked.minutes * 60 / (len(stores) + 1)
    violations = simulated(seed, seconds)
    violations += sum(killed(store, seed, seconds) for store in stores)
    print(f"violations: {violations}")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
