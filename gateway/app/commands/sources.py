"""Pulling orders from a shop that the settings name."""

from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

import typer

from adapters.http import HTTPClient
from gateway.app.commands.frame import (
    EXIT_FAILED,
    JSONOption,
    Unusable,
    at,
    common,
    emit,
    err,
    run,
    show_table,
)
from gateway.app.config import ConfigError, Settings
from gateway.app.opening import open_intake
from gateway.app.pulling import puller, source_policy
from gateway.app.serve import only_process
from gateway.flow.pull import PullReport, pull
from store.sources import SqlSourceBook

_PAUSE_S: Final = 60


def pull_orders(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="Its name / 来源名称")],
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when everything was read / 读完即结束")
    ] = False,
    json: JSONOption = False,
) -> None:
    """Pull orders from a shop of the settings / 从店铺拉取订单

    Reads on where the last pull ended. Exit code 1 when the shop refused or a paper could not be
    read. On SQLite no other process may be at work.
    """
    report = run(_pull(common(context).settings(), source, once=once))
    if json:
        emit(_doc(source, report))
    else:
        _show(report)
    if report.unread or (report.stopped is not None and report.stopped.code is not None):
        raise typer.Exit(EXIT_FAILED)


async def _pull(settings: Settings, name: str, *, once: bool) -> PullReport:
    async with AsyncExitStack() as stack:
        try:
            stack.enter_context(only_process(settings))
        except ConfigError as error:
            raise Unusable(
                "another process works on this SQLite database: stop it, or use PostgreSQL",
                "另有进程正在使用此 SQLite 数据库：请先停止它，或改用 PostgreSQL",
            ) from error
        gateway = await stack.enter_async_context(open_intake(settings))
        client = await stack.enter_async_context(HTTPClient(source_policy(settings)))
        clock, rng = gateway.context.clock, gateway.context.rng
        one = puller(name, settings, gateway.cache, client, clock, rng)
        book = SqlSourceBook(gateway.store, gateway.store.keys, rng)
        while True:
            report = await pull(one, book, gateway.ingest, clock)
            if once or (report.stopped is not None and report.stopped.is_final):
                return report
            await clock.sleep(_PAUSE_S)


def _doc(source: str, report: PullReport) -> dict[str, Any]:
    """The JSON value of a report (Any: JSON)."""
    stopped = report.stopped
    return {
        "source": source,
        "pages": report.pages,
        "standings": dict(sorted(report.standings.items())),
        "statuses": dict(sorted(report.statuses.items())),
        "unread": [{"path": one.path, "reason": one.reason} for one in report.unread],
        "troubles": report.troubles,
        "failed": None if stopped is None or stopped.code is None else stopped.code,
    }


def _show(report: PullReport) -> None:
    rows = [("页 pages", str(report.pages))]
    rows += [(f"订单 orders: {word}", str(n)) for word, n in sorted(report.standings.items())]
    rows += [(f"单证 papers: {word}", str(n)) for word, n in sorted(report.statuses.items())]
    show_table("拉取结果 Pulled", ("", ""), rows)
    for one in report.unread:
        err().print(f"{one.path}: {one.reason}", markup=False)
    for trouble in report.troubles:
        err().print(trouble, markup=False)
    stopped = report.stopped
    if stopped is not None and stopped.code is not None:
        err().print(f"{stopped.code}: {stopped.reason}", markup=False)
    elif stopped is not None and stopped.until is not None:
        err().print(f"下次 next: {at(stopped.until)}", markup=False)
