"""The demo: one process with the gateway, sandbox customs, a warehouse and a seller; orders clear
customs.

Papers enter through the real HTTP API, messages leave through real DXP folders, notices travel
over loopback HTTP. Everything is invented and lives in one folder.
"""

import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapters.sandbox.customs import Settings as CustomsSettings
from adapters.sandbox.customs.ledger import Filing, Ledger
from adapters.sandbox.hooks import Behaviour
from adapters.sandbox.warehouse.server import RunningWarehouse
from gateway.api.app import Serving
from gateway.app.checks import check_everything
from gateway.app.container import Gateway
from gateway.app.demo_orders import DemoOrder, demo_orders, practice_orders
from gateway.app.demo_world import (
    PROFILE,
    TENANT,
    console_logins,
    furnish,
    one_firm_profile,
    prepare,
    strangers,
)
from gateway.app.serve import running
from gateway.client import ClearanceClient
from gateway.client.values import BatchLine
from gateway.domain.case import CaseStage
from gateway.domain.lifecycle import FINAL_STAGES, PERSON_STAGES
from gateway.flow.status import RELEASE
from gateway.ports import CaseFilter
from store.keys import KeyRole
from store.work import NoticeCounts, notice_counts, open_work, stage_counts

_BATCH: Final = 30
_PATIENCE_S: Final = 90.0
# What a demo that stays up leaves to practise on.
_SAME_CAUSE: Final = 12
_UNANSWERED: Final = 3
_REFUSED_NOTICES: Final = 2
_SETTLED: Final = FINAL_STAGES | PERSON_STAGES | {CaseStage.COLLECTING}


@dataclass(slots=True)
class Outcome:
    """What a run of the demo came to."""

    orders: int
    by_state: dict[str, int] = field(default_factory=dict)
    findings_by_rule: dict[str, int] = field(default_factory=dict)
    notices: dict[str, int] = field(default_factory=dict)
    filed: dict[str, int] = field(default_factory=dict)
    violations: int = 0
    seconds: float = 0.0
    evidence: list[str] = field(default_factory=list)

    def to_doc(self) -> dict[str, Any]:
        """The JSON value that ``--json`` prints as its last line."""
        return {
            "orders": self.orders,
            "by_state": self.by_state,
            "findings_by_rule": self.findings_by_rule,
            "notices": self.notices,
            "filed": self.filed,
            "violations": self.violations,
            "seconds": round(self.seconds, 2),
        }


def run(*, once: bool, as_json: bool, orders: int) -> int:
    """Run the demo; 0 when every promise held, 1 otherwise."""
    console = Console(stderr=as_json)
    with tempfile.TemporaryDirectory(prefix="clearance-demo-") as folder:
        outcome = asyncio.run(_demo(Path(folder), console, once=once, orders=orders))
    if as_json:
        print(orjson.dumps(outcome.to_doc()).decode())
    return 1 if outcome.violations else 0


async def _demo(folder: Path, console: Console, *, once: bool, orders: int) -> Outcome:
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        settings = prepare(folder)
        gateway, serving = await stack.enter_async_context(running(settings))
        assert serving is not None
        await furnish(gateway, one_firm_profile())
        world = await stack.enter_async_context(
            strangers(settings, gateway, serving.address, CustomsSettings.demo(), seed=1)
        )
        key = await gateway.keys.new(TENANT, KeyRole.SELLER, "demo seller")
        logins = await console_logins(gateway)
        _welcome(console, serving, key.token, folder)
        _logins(console, serving, logins)
        planned = list(demo_orders(PROFILE, orders, seed=1))
        with _progress(console) as progress:
            await feed(serving.address, key.token, planned, progress)
            await _follow(gateway, len(planned), progress)
        outcome = await summary(gateway, len(planned))
        outcome.filed = stored_by_customs(world.authority.ledger)
        outcome.seconds = time.monotonic() - started
        _show(console, outcome, serving, key.token)
        if not once:
            await practise(gateway, world.warehouse, serving.address, key.token)
            _show_practice(console)
            console.print("\nCtrl+C 结束 ends the demo.")
            await _until_interrupted()
    return outcome


async def practise(gateway: Gateway, depot: RunningWarehouse, url: str, token: str) -> None:
    """Leave work in the console: mismatches of one cause, silence of customs, notices given up.

    The warehouse refuses its notices meanwhile and takes them when they are sent again.
    """
    depot.behave(Behaviour(refuse=frozenset({RELEASE})))
    for problem, scenario, count in (
        ("amount", "RELEASE", _SAME_CAUSE),
        (None, "LOST", _UNANSWERED),
        (None, "RELEASE", _REFUSED_NOTICES),
    ):
        await feed(url, token, practice_orders(PROFILE, problem, scenario, count))
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        async with gateway.store.read() as reading:
            notices = await reading.run_sync(lambda on: notice_counts(on, TENANT))
        if notices.parked >= _REFUSED_NOTICES:
            break
        await asyncio.sleep(0.2)
    depot.behave(Behaviour())


def _show_practice(console: Console) -> None:
    console.print(
        f"\n练习 to practise on: {_SAME_CAUSE} 个同因差异 mismatches of one cause, "
        f"{_UNANSWERED} 个未应答 unanswered,\n"
        f"{_REFUSED_NOTICES} 个已放弃的仓库通知 warehouse notices given up"
    )


async def _until_interrupted() -> None:
    with_no_end = asyncio.Event()
    try:
        await with_no_end.wait()
    except asyncio.CancelledError:
        return


async def feed(
    url: str, token: str, orders: Sequence[DemoOrder], progress: Progress | None = None
) -> list[BatchLine]:
    """Send the papers as mixed NDJSON batches through the HTTP API; gives the per-line results."""
    results: list[BatchLine] = []
    task = progress.add_task("送入 papers in", total=len(orders)) if progress else None
    async with ClearanceClient(url, token) as client:
        for start in range(0, len(orders), _BATCH):
            some = orders[start : start + _BATCH]
            results += await client.send_batch([line for order in some for line in order.lines()])
            if progress is not None and task is not None:
                progress.advance(task, len(some))
    return results


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


async def _follow(gateway: Gateway, orders: int, progress: Progress) -> None:
    """Show how far the orders are until nothing moves any more."""
    settled = progress.add_task("办结 settled", total=orders)
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        counts, is_quiet = await standing(gateway)
        done = sum(count for stage, count in counts.items() if stage in _SETTLED)
        progress.update(settled, completed=done)
        if done >= orders and is_quiet:
            return
        await asyncio.sleep(0.2)


async def standing(gateway: Gateway) -> tuple[Mapping[CaseStage, int], bool]:
    """Cases by stage, and whether no work is due."""
    now = gateway.context.clock.now()
    async with gateway.store.read() as reading:
        counts = await reading.run_sync(lambda on: stage_counts(on, TENANT))
        work = await reading.run_sync(lambda on: open_work(on, now))
        notices = await reading.run_sync(lambda on: notice_counts(on, TENANT))
    return counts, work.is_quiet and _acknowledged(counts, notices)


def _acknowledged(counts: Mapping[CaseStage, int], notices: NoticeCounts) -> bool:
    """Whether the warehouse has acknowledged every release."""
    released = counts.get(CaseStage.RELEASED, 0) + counts.get(CaseStage.CLOSED, 0)
    return notices.acked >= released


def stored_by_customs(ledger: Ledger) -> dict[str, int]:
    """How many papers of each message customs holds, as its own ledger says."""
    books: tuple[Mapping[tuple[str, str], Filing], ...] = (
        ledger.orders,
        ledger.filed_payments,
        ledger.filed_waybills,
        ledger.inventories,
    )
    counts: Counter[str] = Counter()
    for book in books:
        # The ledger belongs to another thread: a copy holds still.
        for filing in list(book.values()):
            if filing.stored is not None:
                counts[filing.kind.value[3:6]] += 1
    return dict(counts)


async def summary(gateway: Gateway, orders: int) -> Outcome:
    """Count what became of the orders, and check every promise."""
    outcome = Outcome(orders)
    async with gateway.store.read() as reading:
        counts = await reading.run_sync(lambda on: stage_counts(on, TENANT))
        notices = await reading.run_sync(lambda on: notice_counts(on, TENANT))
    outcome.by_state = {stage.value: count for stage, count in sorted(counts.items())}
    outcome.notices = {"sent": notices.sent, "acked": notices.acked}
    rules: Counter[str] = Counter()
    async for detail in _with_findings(gateway):
        rules.update(detail)
    outcome.findings_by_rule = dict(sorted(rules.items()))
    report = await check_everything(gateway)
    outcome.violations = len(report.violations)
    outcome.evidence = [str(violation) for violation in report.violations]
    return outcome


async def _with_findings(gateway: Gateway) -> AsyncIterator[list[str]]:
    after: str | None = None
    while True:
        page = await gateway.reads.cases(TENANT, CaseFilter(), after, 200)
        for row in page.items:
            if row.findings:
                case = await gateway.reads.case(TENANT, row.key.case_id)
                verdict = case.state.verdict if case else None
                yield [finding.rule for finding in verdict.findings] if verdict else []
        if page.after is None:
            return
        after = page.after


def _welcome(console: Console, serving: Serving, token: str, folder: Path) -> None:
    console.print("[bold]清关网关演示  Clearance gateway demo[/bold]")
    console.print(f"  API      {serving.address}/v1/openapi.json")
    console.print(f"  密钥 key  {token}")
    console.print(f"  文件夹 folder  {folder}\n")


def _logins(console: Console, serving: Serving, logins: Sequence[tuple[str, str, str]]) -> None:
    console.print(f"  控制台 console  {serving.address}/console/")
    for login, role, password in logins:
        console.print(f"    {login:<12} {role:<12} {password}", highlight=False)
    console.print()


def _show(console: Console, outcome: Outcome, serving: Serving, token: str) -> None:
    states = Table(title="订单结果 Outcomes")
    states.add_column("状态 state")
    states.add_column("订单 orders", justify="right")
    for state, count in outcome.by_state.items():
        states.add_row(state, str(count))
    console.print(states)
    rules = Table(title="发现的差异 Findings")
    rules.add_column("规则 rule")
    rules.add_column("次数 cases", justify="right")
    for rule, count in outcome.findings_by_rule.items():
        rules.add_row(rule, str(count))
    console.print(rules)
    filed = ", ".join(f"{message} × {count}" for message, count in outcome.filed.items())
    console.print(f"海关入库 stored by customs: {filed}")
    console.print(
        f"通知 notices: {outcome.notices['sent']} sent, {outcome.notices['acked']} acknowledged; "
        f"承诺检查 promises broken: {outcome.violations}; {outcome.seconds:.1f} s"
    )
    for line in outcome.evidence[:20]:
        console.print(f"  [red]{line}[/red]")
    console.print(
        f"\n看看 look:  curl -H 'Authorization: Bearer {token}' {serving.address}/v1/cases?limit=3"
    )
