"""Reports about the whole deployment: are the promises kept, and what waits for a person."""

from typing import Any, Final

import typer
from sqlalchemy import Connection, Select, select

from gateway.app.checks import check_settings
from gateway.app.commands.frame import (
    EXIT_FAILED,
    JSONOption,
    at_json,
    common,
    emit,
    out,
    run,
    show_table,
)
from gateway.app.config import Settings
from gateway.app.opening import open_reading
from store.checks import Report, run_checks
from store.tables import InboxStage, OutboxStage, inbox, outbox, parked

_CHECKED: Final = "检查 check"
_TIMES: Final = frozenset({"at", "received_at"})


def check(context: typer.Context, *, json: JSONOption = False) -> None:
    """Check every promise against what is stored / 检查全部承诺

    Reads only, so it may run beside a working gateway. Exit code 1 with the evidence when a
    promise is broken.
    """
    report = run(_check(common(context).settings()))
    if json:
        emit(_report_doc(report))
    else:
        _show_report(report)
    if not report.is_clean:
        raise typer.Exit(EXIT_FAILED)


async def _check(settings: Settings) -> Report:
    told = check_settings(settings)
    async with open_reading(settings) as reader, reader.access.read() as reading:
        now = reader.clock.now()
        return await reading.run_sync(lambda on: run_checks(on, reader.keys, now, told))


# Any: a JSON object.
def _report_doc(report: Report) -> dict[str, Any]:
    return {
        "clean": report.is_clean,
        "checks": {name.value: count for name, count in report.checks.items()},
        "violations": [
            {"check": one.check.value, "subject": one.subject, "evidence": one.evidence}
            for one in report.violations
        ],
        "is_cut": report.is_cut,
    }


def _show_report(report: Report) -> None:
    broken = {one.check for one in report.violations}
    show_table(
        "承诺 Promises",
        (_CHECKED, "对象 examined", "结果 result"),
        [
            (name.value, count, "BROKEN 违反" if name in broken else "kept 遵守")
            for name, count in report.checks.items()
        ],
    )
    console = out()
    for one in report.violations:
        console.print(f"{one.check.value}: {one.subject}: {one.evidence}", markup=False)
    if report.is_cut:
        console.print("there are more violations than are listed / 违反项过多，未全部列出")


def parked_work(context: typer.Context, *, json: JSONOption = False) -> None:
    """List what waits for a person: receipts, records, effects / 列出待人工处理的事项"""
    found = run(_parked(common(context).settings()))
    if json:
        emit(found)
        return
    show_table(
        "待处理回执 Parked receipt files",
        ("编号 id", "时间 at", "通道 channel", "文件 name", "原因 problem"),
        [
            (one["receipt"], one["received_at"], one["channel"], one["name"], one["problem"])
            for one in found["receipts"]
        ],
    )
    show_table(
        "待处理记录 Parked records",
        ("编号 id", "时间 at", "原因 reason", "回执 receipt", "#", "案件 case", "说明 detail"),
        [
            (
                one["parked"],
                one["at"],
                one["reason"],
                one["receipt"],
                one["position"],
                one["case"],
                one["detail"],
            )
            for one in found["records"]
        ],
    )
    show_table(
        "待处理任务 Parked effects",
        ("编号 id", "时间 at", "类型 kind", "案件 case", "次数 attempts", "原因 detail"),
        [
            (one["effect"], one["at"], one["kind"], one["case"], one["attempts"], one["detail"])
            for one in found["effects"]
        ],
    )


async def _parked(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    async with open_reading(settings) as reader, reader.access.read() as reading:
        return await reading.run_sync(_load_parked)


def _load_parked(on: Connection) -> dict[str, list[dict[str, Any]]]:
    return {
        "receipts": _rows(
            on,
            select(
                inbox.c.receipt_id.label("receipt"),
                inbox.c.received_at,
                inbox.c.channel,
                inbox.c.name,
                inbox.c.problem,
            )
            .where(inbox.c.stage == InboxStage.PARKED.value)
            .order_by(inbox.c.received_at, inbox.c.receipt_id),
        ),
        "records": _rows(
            on,
            select(
                parked.c.parked_id.label("parked"),
                parked.c.at,
                parked.c.subject,
                parked.c.reason,
                parked.c.receipt_id.label("receipt"),
                parked.c.position,
                parked.c.tenant,
                parked.c.case_id.label("case"),
                parked.c.detail,
            )
            .where(parked.c.resolved_at.is_(None))
            .order_by(parked.c.at, parked.c.parked_id),
        ),
        "effects": _rows(
            on,
            select(
                outbox.c.effect_id.label("effect"),
                outbox.c.done_at.label("at"),
                outbox.c.kind,
                outbox.c.tenant,
                outbox.c.case_id.label("case"),
                outbox.c.ref,
                outbox.c.attempt.label("attempts"),
                outbox.c.detail,
            )
            .where(outbox.c.stage == OutboxStage.PARKED.value)
            .order_by(outbox.c.done_at, outbox.c.effect_id),
        ),
    }


# Any: columns hold whatever they hold.
def _rows(on: Connection, statement: Select[Any]) -> list[dict[str, Any]]:
    """The rows as JSON values, by the names of their columns."""
    return [
        {name: at_json(value) if name in _TIMES else value for name, value in row._mapping.items()}
        for row in on.execute(statement)
    ]
