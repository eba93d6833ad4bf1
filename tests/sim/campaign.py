"""Simulate many seeds: ``python -m tests.sim.campaign --seeds 1..500 --orders 100``.

Prints one line for each seed that broke a promise, with the command that replays it, and the
counts of the whole campaign as one JSON object on the last line. Exit 1 when anything broke.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.sim.simulate import Report, simulate


@dataclass(slots=True)
class Counts:
    """What a campaign came to, run by run."""

    runs: int = 0
    orders: int = 0
    lives: int = 0
    sent: int = 0
    notices: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    violations: dict[int, tuple[str, ...]] = field(default_factory=dict)

    def add(self, report: Report) -> None:
        """Add one run."""
        self.runs += 1
        self.orders += report.orders
        self.lives += report.lives
        self.sent += report.sent
        self.notices += report.notices
        self.faults.update(report.faults)
        self.crashes.update(report.crashes)
        self.points.update(report.points)
        self.failures.update(report.failures)
        if report.violations:
            self.violations[report.seed] = report.violations

    def to_doc(self) -> dict[str, Any]:
        """The counts as one JSON value."""
        return {
            "runs": self.runs,
            "orders": self.orders,
            "violations": sum(map(len, self.violations.values())),
            "failing_seeds": sorted(self.violations),
            "faults": dict(sorted(self.faults.items())),
            "faults_total": self.faults.total(),
            "kills": dict(sorted(self.crashes.items())),
            "points": dict(sorted(self.points.items())),
            "lives": self.lives,
            "sent": self.sent,
            "notices": self.notices,
            "failures": dict(sorted(self.failures.items())),
        }

    def write(self, path: Path) -> None:
        """Write the counts as one line of JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_doc()) + "\n", encoding="utf-8")


def run_campaign(seeds: Iterable[int], orders: int) -> Counts:
    """Simulate each seed and count."""
    counts = Counts()
    for seed in seeds:
        report = simulate(seed, orders)
        counts.add(report)
        if report.violations:
            _complain(report)
    return counts


def replay_command(seed: int, orders: int) -> str:
    """What to run to see one seed again."""
    return f"python -m tests.sim.campaign --seeds {seed}..{seed} --orders {orders}"


def _complain(report: Report) -> None:
    print(f"seed {report.seed}: replay with {replay_command(report.seed, report.orders)}")
    for violation in report.violations:
        print(f"  {violation}")


def _seeds(text: str) -> range:
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description="Simulate many seeds and judge each run.")
    parser.add_argument("--seeds", type=_seeds, required=True, help="first..last, both included")
    parser.add_argument("--orders", type=int, default=40, help="orders of each run")
    parser.add_argument("--report", type=Path, help="a file for the counts, as one line of JSON")
    parser.add_argument("--digest", action="store_true", help="print the digest of each run")
    asked = parser.parse_args(arguments)
    if asked.digest:
        for seed in asked.seeds:
            print(seed, simulate(seed, asked.orders).digest)
        return 0
    counts = run_campaign(asked.seeds, asked.orders)
    if asked.report is not None:
        counts.write(asked.report)
    print(json.dumps(counts.to_doc()))
    return 1 if counts.violations else 0


if __name__ == "__main__":
    sys.exit(main())
