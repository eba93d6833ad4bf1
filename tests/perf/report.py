"""The benchmark's figures as a table for people and one JSON value for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.perf.costs import StageCost
from tests.perf.doors import Door
from tests.perf.goals import SCENARIOS
from tests.perf.limits import Limit
from tests.perf.messages import MessageCost
from tests.perf.world import Run


@dataclass(slots=True)
class Report:
    """Everything that one call of the benchmark found out."""

    settings: Mapping[str, Any]
    limits: list[Limit] = field(default_factory=list)
    stages: list[StageCost] = field(default_factory=list)
    signatures: list[StageCost] = field(default_factory=list)
    messages: list[MessageCost] = field(default_factory=list)
    doors: list[Door] = field(default_factory=list)
    pages: list[Door] = field(default_factory=list)
    recoveries: list[Door] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def to_doc(self) -> dict[str, Any]:
        """The JSON value of ``--json``."""
        return {
            "settings": dict(self.settings),
            "limits": {one.name: asdict(one) for one in self.limits},
            "stages": {one.name: asdict(one) for one in self.stages},
            "signatures": {one.name: asdict(one) for one in self.signatures},
            "messages": {one.name: asdict(one) for one in self.messages},
            "doors": [one.to_doc() for one in self.doors],
            "pages": [one.to_doc() for one in self.pages],
            "recoveries": [one.to_doc() for one in self.recoveries],
            "runs": [one.to_doc() | {"goal": asdict(_goal(one))} for one in self.runs],
            "failures": self.failures,
            "skipped": self.skipped,
        }


def _goal(run: Run) -> Any:
    return SCENARIOS[run.scenario].goal


def show(report: Report, console: Console) -> None:
    """Print every table that has rows, then what failed or was left out."""
    console.print("设置 settings")
    for name, value in report.settings.items():
        console.print(f"  {name}: {value}", highlight=False)
    if report.limits:
        console.print(_limits(report.limits))
    if report.stages:
        console.print(_stages("各步耗时 Cost of the stages", report.stages))
    if report.signatures:
        console.print(_stages("签名耗时 Cost of signatures", report.signatures))
    if report.messages:
        console.print(_messages(report.messages))
    if report.doors:
        console.print(_doors("入口 The doors", report.doors))
    if report.pages:
        console.print(_doors("控制台 Pages of the console", report.pages))
    if report.recoveries:
        console.print(_doors("恢复 Recovery after kill -9", report.recoveries))
    if report.runs:
        console.print(_runs(report.runs, report.limits))
        console.print(_usage(report.runs))
    for line in report.skipped:
        console.print(f"[yellow]left out: {line}[/yellow]")
    for line in report.failures:
        console.print(f"[red]FAILED {line}[/red]", markup=True)


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    return table


def _limits(limits: Sequence[Limit]) -> Table:
    table = _table("本机极限 Limits of this machine", "limit", "a second", "µs each", "how")
    for one in limits:
        each = f"{1e6 / one.per_second:,.0f}" if one.per_second else "–"
        table.add_row(one.name, f"{one.per_second:,.0f}", each, one.how)
    return table


def _stages(title: str, stages: Sequence[StageCost]) -> Table:
    table = _table(title, "stage", "µs", "gate", "goal", "unit")
    for one in stages:
        table.add_row(
            one.name,
            _judged(one.cost_us, one.gate_us, lower_is_better=True),
            _plain(one.gate_us),
            _plain(one.goal_us),
            one.unit,
        )
    return table


def _messages(messages: Sequence[MessageCost]) -> Table:
    table = _table(
        "报文 Messages, records a second of one thread",
        "message", "records", "bytes each", "written", "read", "lxml alone", "written of lxml",
    )  # fmt: skip
    for one in messages:
        table.add_row(
            one.name,
            f"{one.records}",
            f"{one.record_bytes:,}",
            f"{one.written_per_s:,.0f}",
            f"{one.read_per_s:,.0f}",
            f"{one.limit_per_s:,.0f}",
            f"{one.written_per_s / one.limit_per_s:.2f}",
        )
    return table


def _doors(title: str, doors: Sequence[Door]) -> Table:
    table = _table(title, "what", "measured", "gate", "unit", "how")
    for one in doors:
        table.add_row(
            one.name,
            _judged(one.value, one.gate, lower_is_better=not one.is_least, digits=2),
            f"{'≥' if one.is_least else '≤'} {one.gate:g}",
            one.unit,
            one.how,
        )
    return table


def _runs(runs: Sequence[Run], limits: Sequence[Limit]) -> Table:
    table = _table(
        "完整订单 Complete orders",
        "scenario", "orders", "orders/s", "least / gate / goal", "of HTTP limit", "p50 ms",
        "p99 ms", "p99 gate", "busy machine",
    )  # fmt: skip
    http = next((one.per_second for one in limits if one.name == "http_post"), None)
    for run in runs:
        goal = SCENARIOS[run.scenario].goal
        share = f"{run.orders_per_second / http:.2f}" if http else "–"
        table.add_row(
            run.scenario + (" (filled)" if run.is_filled else ""),
            f"{run.orders:,}",
            _judged(run.orders_per_second, goal.gate),
            f"{goal.least:,.0f} / {goal.gate:,.0f} / {goal.goal:,.0f}",
            share,
            f"{run.intake_p50_ms:,.1f}",
            _judged(run.intake_p99_ms, goal.p99_gate_ms, lower_is_better=True),
            _plain(goal.p99_gate_ms),
            f"{run.machine_busy:.0%}",
        )
    return table


def _usage(runs: Sequence[Run]) -> Table:
    table = _table(
        "每单处理器毫秒 CPU milliseconds an order",
        "scenario", "gateway", "gate / goal", "database", "generator", "counterparts", "others",
        "two cores allow",
    )  # fmt: skip
    for run in runs:
        goal, spent = SCENARIOS[run.scenario].goal, run.cpu_ms
        ours = spent.gateway + spent.database + spent.generator + spent.counterparts
        table.add_row(
            run.scenario + (" (filled)" if run.is_filled else ""),
            _judged(spent.gateway, goal.cpu_gate_ms, lower_is_better=True, digits=3),
            f"{_plain(goal.cpu_gate_ms, 2)} / {_plain(goal.cpu_goal_ms, 2)}",
            f"{spent.database:.3f}",
            f"{spent.generator:.3f}",
            f"{spent.counterparts:.3f}",
            f"{spent.others:.3f}",
            f"{2000 / ours:,.0f}/s" if ours else "–",
        )
    return table


def _plain(value: float | None, digits: int = 0) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _judged(
    value: float, gate: float | None, *, lower_is_better: bool = False, digits: int = 1
) -> str:
    """A figure, green when it keeps its gate and red when not."""
    text = f"{value:,.{digits}f}"
    if gate is None:
        return text
    keeps = value <= gate if lower_is_better else value >= gate
    return f"[green]{text}[/green]" if keeps else f"[red]{text}[/red]"
