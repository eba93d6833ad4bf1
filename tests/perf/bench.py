"""``python -m tests.perf.bench``: complete orders a second, CPU an order, beside the machine's
limits.

Complete means: papers in over HTTP, matched, 311 and 621 built, validated, signed, self-verified
and sent over DXP folders, receipts to 800 applied, release notice and seller webhook delivered,
every promise checked afterwards. A run whose work is not complete is an error, not a figure.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console

from tests.crash.gateway_process import GatewayFailed
from tests.perf.answers import answers
from tests.perf.child import ChildFailed
from tests.perf.doors import doors
from tests.perf.goals import SCENARIOS, Scenario
from tests.perf.limits import machine_limits
from tests.perf.messages import message_costs, schema_costs
from tests.perf.pages import pages
from tests.perf.recovery import KILLS, recovery
from tests.perf.rematch import rematches
from tests.perf.report import Report, show
from tests.perf.signatures import signature_costs
from tests.perf.stages import sample_message, stage_costs
from tests.perf.world import BATCH_ORDERS, Incomplete, Place, measure
from tests.support.postgres import PostgresServer, find_postgres

LIMITS: Final = "limits"
STAGES: Final = "stages"
SIGNATURES: Final = "signatures"
MESSAGES: Final = "messages"
DOORS: Final = "doors"
CONSOLE: Final = "console"
REMATCH: Final = "rematch"
RECEIPTS: Final = "receipts"
RECOVERY: Final = "recovery"
PARTS: Final = (
    LIMITS,
    STAGES,
    SIGNATURES,
    MESSAGES,
    DOORS,
    CONSOLE,
    REMATCH,
    RECEIPTS,
    RECOVERY,
    *SCENARIOS,
)
_NEED_SERVER: Final = (LIMITS, DOORS, CONSOLE, REMATCH, RECEIPTS, RECOVERY)
_LIMIT_S: Final = 2.0
_QUICK_LIMIT_S: Final = 0.5
_CASES: Final = 20_000
_QUICK_CASES: Final = 1_000
_RECEIPTS: Final = 3_000
_QUICK_RECEIPTS: Final = 300
_WARM_ORDERS: Final = 3_000
_QUICK_WARM_ORDERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for."""

    parts: tuple[str, ...]
    is_quick: bool
    orders: int | None
    fill: bool
    delivery: int
    timeout_s: float
    seed: int
    json: Path | None
    profile: Path | None
    folder: Path | None
    cases: int

    @property
    def scenarios(self) -> list[Scenario]:
        """The scenarios to run, in the size asked for."""
        sized = []
        for name in self.parts:
            if (one := SCENARIOS.get(name)) is not None:
                orders = one.quick_orders if self.is_quick else one.orders
                sized.append(replace(one, orders=self.orders or orders))
        return sized


def read_arguments(arguments: Sequence[str]) -> Asked:
    """Read the command line; ends the process with a usage text when it cannot be used."""
    parser = argparse.ArgumentParser(prog="python -m tests.perf.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small runs, about 40 seconds")
    parser.add_argument("--orders", type=int, help="orders of each run")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may repeat")
    parser.add_argument("--filled", action="store_true", help="measure on a filled database")
    parser.add_argument("--delivery", type=int, default=100, help="notices a POST (1 to 100)")
    parser.add_argument("--timeout", type=float, default=120, help="seconds a load may take")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--profile", type=Path, help="profile each gateway process into PROFILE.*")
    parser.add_argument("--folder", type=Path, help="work and stay here instead of a temporary one")
    parser.add_argument("--cases", type=int, help="cases behind pages, re-match and repair")
    given = parser.parse_args(arguments)
    if given.orders is not None and given.orders < 1:
        parser.error("--orders: at least one")
    if not 1 <= given.delivery <= 100:
        parser.error("--delivery: 1 to 100")
    return Asked(
        parts=tuple(given.only or PARTS),
        is_quick=given.quick,
        orders=given.orders,
        fill=given.filled,
        delivery=given.delivery,
        timeout_s=given.timeout,
        seed=given.seed,
        json=given.json,
        profile=given.profile,
        folder=given.folder,
        cases=given.cases or (_QUICK_CASES if given.quick else _CASES),
    )


def settings_shown(asked: Asked) -> dict[str, Any]:
    """What the figures hold for."""
    return {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python "
        + platform.python_version(),
        "durability": "SQLite WAL synchronous=FULL; PostgreSQL fsync and synchronous_commit on; "
        "every DXP file flushed",
        "at rest": "blobs compressed and sealed with AES-256-GCM, event chain on",
        "counterparts": "plain: customs, warehouse and seller check nothing; no acknowledgements",
        "notices a POST": asked.delivery,
        "orders a batch": BATCH_ORDERS,
        "database": "filled by an earlier run of the same size" if asked.fill else "empty",
        "profiler": "on: figures are not comparable" if asked.profile else "off",
    }


async def run(asked: Asked, console: Console) -> Report:
    """Measure every part asked for."""
    report = Report(settings_shown(asked))
    with ExitStack() as stack:
        folder = asked.folder or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="clearance-bench-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        server = _server(asked, stack, report)
        limit_s = _QUICK_LIMIT_S if asked.is_quick else _LIMIT_S
        if LIMITS in asked.parts:
            console.print("… limits of this machine")
            url = server.fresh_database() if server else None
            report.limits = await machine_limits(folder, url, limit_s)
        if STAGES in asked.parts:
            console.print("… cost of the stages")
            report.stages = await stage_costs(folder / "stages", limit_s / 2)
        if SIGNATURES in asked.parts:
            console.print("… cost of signatures")
            message = await sample_message()
            report.signatures = await asyncio.to_thread(
                signature_costs, folder / "signatures", message, limit_s / 2
            )
        if MESSAGES in asked.parts:
            console.print("… every message")
            report.messages = message_costs(limit_s / 20)
            report.stages += schema_costs(report.messages)
        if DOORS in asked.parts:
            console.print("… what the doors take")
            url = server.fresh_database() if server else None
            report.doors = await doors(folder / "doors", url, is_quick=asked.is_quick)
        if CONSOLE in asked.parts:
            console.print(f"… the console over {asked.cases:,} cases")
            url = server.fresh_database() if server else None
            place = folder / "console"
            await asyncio.to_thread(place.mkdir, parents=True, exist_ok=True)
            report.pages = await pages(place, url, asked.cases)
        if REMATCH in asked.parts:
            console.print(f"… re-match and repair over {asked.cases:,} cases")
            url = server.fresh_database() if server else None
            place = folder / "rematch"
            await asyncio.to_thread(place.mkdir, parents=True, exist_ok=True)
            report.doors += await rematches(place, url, asked.cases)
        if RECEIPTS in asked.parts and server:
            console.print("… receipts of customs")
            orders = asked.orders or (_QUICK_RECEIPTS if asked.is_quick else _RECEIPTS)
            report.doors.append(await answers(folder / "receipts", server.fresh_database(), orders))
        if RECOVERY in asked.parts:
            console.print("… recovery after kill -9")
            await _recovered(asked, folder / "recovery", server, report)
        for scenario in asked.scenarios:
            await _measured(scenario, asked, folder, server, report, console)
    return report


async def _recovered(
    asked: Asked, folder: Path, server: PostgresServer | None, report: Report
) -> None:
    orders = _QUICK_WARM_ORDERS if asked.is_quick else _WARM_ORDERS
    for store, kills in KILLS.items():
        if store == "postgres" and server is None:
            continue
        for number, kill in enumerate(kills):
            url = server.fresh_database() if store == "postgres" and server else None
            place = folder / f"{store}-{number}"
            try:
                report.recoveries += await recovery(place, url, kill, orders=orders)
            except* (Incomplete, ChildFailed, GatewayFailed) as faults:
                report.failures += [f"{kill.name}: {fault}" for fault in faults.exceptions]


def _server(asked: Asked, stack: ExitStack, report: Report) -> PostgresServer | None:
    """An own PostgreSQL when any part wants one; what wants it is left out when there is none."""
    wants = [name for name in asked.parts if name in _NEED_SERVER or name.startswith("postgres")]
    if not wants:
        return None
    programs = find_postgres()
    if programs is None:
        report.skipped += [f"{name}: PostgreSQL is not installed" for name in wants]
        return None
    return stack.enter_context(PostgresServer.running(programs))


async def _measured(
    scenario: Scenario,
    asked: Asked,
    folder: Path,
    server: PostgresServer | None,
    report: Report,
    console: Console,
) -> None:
    on_postgres = scenario.store == "postgres"
    if on_postgres and server is None:
        return
    console.print(f"… {scenario.name}: {scenario.orders:,} orders")
    place = Place(
        folder=folder / scenario.name,
        store_url=server.fresh_database() if on_postgres and server else None,
        postgres_pid=_postmaster(server) if on_postgres and server else None,
        delivery=asked.delivery,
        timeout_s=asked.timeout_s,
        seed=asked.seed,
        profile=asked.profile,
    )
    try:
        report.runs.append(await measure(scenario, place, fill=asked.fill))
    except (Incomplete, ChildFailed) as error:
        report.failures.append(f"{scenario.name}: {error}")


def _postmaster(server: PostgresServer) -> int:
    """The process id of a server, from the file that it keeps it in."""
    return int((server.folder / "data" / "postmaster.pid").read_text().split("\n", 1)[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, write; 1 when a run failed."""
    asked = read_arguments(sys.argv[1:] if arguments is None else arguments)
    console = Console(width=None if sys.stdout.isatty() else 140)
    report = asyncio.run(run(asked, console))
    show(report, console)
    if asked.json is not None:
        asked.json.write_bytes(orjson.dumps(report.to_doc(), option=orjson.OPT_INDENT_2))
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
