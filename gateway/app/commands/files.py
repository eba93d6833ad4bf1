"""Importing files: papers, and goods records."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)

from gateway.app.commands.frame import (
    EXIT_FAILED,
    JSONOption,
    TenantOption,
    Unusable,
    common,
    emit,
    err,
    run,
    show_table,
)
from gateway.app.commands.tenants import stored_tenant
from gateway.app.config import ConfigError, Settings
from gateway.app.import_columns import columns_of
from gateway.app.import_results import ResultFile, open_results, results_path
from gateway.app.import_rows import FileKind
from gateway.app.importer import ImportJob, Sinks, Summary, import_file
from gateway.app.opening import open_intake, open_office
from gateway.app.rechecks import recheck_waiting
from gateway.app.serve import only_process
from gateway.domain.matching import explain
from store.master import Tenant

FileArgument = Annotated[
    Path, typer.Argument(metavar="FILE", help="NDJSON (.ndjson .jsonl), CSV or XLSX / 文件")
]
ProfileOption = Annotated[
    str | None,
    typer.Option("--profile", "-p", help="For rows that name no profile / 未填方案的行使用此方案"),
]
SheetOption = Annotated[
    str | None,
    typer.Option(help="Sheet of a workbook, else the first visible / 工作表，默认第一个可见的"),
]
AgainOption = Annotated[
    bool, typer.Option("--again", help="Send all rows again / 忽略已有结果，全部重新导入")
]


def import_papers(
    context: typer.Context,
    file: FileArgument,
    *,
    tenant: TenantOption,
    kind: Annotated[
        FileKind, typer.Option("--kind", "-k", help="What the rows are / 行的内容")
    ] = FileKind.MIXED,
    profile: ProfileOption = None,
    sheet: SheetOption = None,
    again: AgainOption = False,
    json: JSONOption = False,
) -> None:
    """Import papers from a file, with a result for each row / 导入单证文件"""
    _import(context, Wanted(file, tenant, kind, profile, sheet, again), json=json)


def put_goods(
    context: typer.Context,
    file: FileArgument,
    *,
    tenant: TenantOption,
    profile: ProfileOption = None,
    sheet: SheetOption = None,
    again: AgainOption = False,
    json: JSONOption = False,
) -> None:
    """Store goods records from a file; orders that waited are checked again / 导入商品备案

    Columns of a CSV are the API's names: profile, sku, hs_code, name, model, origin, unit, unit1,
    factor1, net_weight_kg, gross_weight_kg, item_record_no ... A result for each row goes to
    FILE.results.ndjson.
    """
    wanted = Wanted(file, tenant, FileKind.GOODS, profile, sheet, again)
    _import(context, wanted, json=json)


def import_help() -> str:
    """The long help of ``import``, with the columns that a CSV may have."""
    columns = {kind: ", ".join(columns_of(kind)[1:]) for kind in FileKind}
    return (
        "Import papers from a file, with a result for each row / 导入单证文件\n\n"
        "NDJSON: one JSON object a line, as the API takes it; in a mixed file each has a "
        '"type": order, payment, waybill or goods.\n\n'
        "CSV: the first line names the columns, which are the API's names joined by points. An "
        "order with several lines has several rows, one below the other, with the same order_no; "
        "only lines.* need to be filled again. Empty cells are absent fields; lines.line_no may "
        "be left out. A mixed file has a column type.\n\n"
        "XLSX: a sheet with the same columns in its first row. Numbers of papers, codes and "
        "identity numbers must be text cells: a cell that lost leading zeros or digits is refused. "
        "Amounts may be numbers of up to 15 digits; times are Beijing time.\n\n"
        "Each row's result goes to FILE.results.ndjson. Run the same command again to go on: "
        "rows that were taken are skipped, refused rows are tried anew. Exit code 1 when rows "
        "were refused. On SQLite no other process may be at work: beside a running "
        "`clearance serve` send the file to POST /v1/batches.\n\n"
        f"Columns of an order: {columns[FileKind.ORDER]}\n\n"
        f"Columns of a payment: {columns[FileKind.PAYMENT]}\n\n"
        f"Columns of a waybill: {columns[FileKind.WAYBILL]}\n\n"
        f"Columns of a goods record: {columns[FileKind.GOODS]}"
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an import was asked to do."""

    file: Path
    tenant: str
    kind: FileKind
    profile: str | None
    sheet: str | None
    again: bool

    def job(self, tenant: Tenant) -> ImportJob:
        """The job for a tenant that is known."""
        return ImportJob(
            self.file, tenant.tenant, self.kind, self.profile, self.sheet, tenant.created_at
        )

    def open_results(self) -> AbstractContextManager[ResultFile]:
        """The file of results beside the imported one."""
        return open_results(results_path(self.file), again=self.again)


def _import(context: typer.Context, wanted: Wanted, *, json: bool) -> None:
    file = wanted.file
    if not file.is_file():
        raise Unusable(f"{file}: there is no such file; check the path", "文件不存在，请检查路径")
    settings = common(context).settings()
    work = _store_goods if wanted.kind is FileKind.GOODS else _take_papers
    with _progress(file, shown=not json) as progress:
        summary = run(work(settings, wanted, progress))
    results = results_path(file)
    if json:
        emit({"file": str(file), "results": str(results), **summary.to_doc()})
    else:
        _show(summary, results)
    if summary.refused:
        raise typer.Exit(EXIT_FAILED)


async def _take_papers(
    settings: Settings, wanted: Wanted, progress: Callable[[int], None]
) -> Summary:
    async with AsyncExitStack() as stack:
        _hold_lock(stack, settings)
        gateway = await stack.enter_async_context(open_intake(settings))
        job = wanted.job(await stored_tenant(gateway.store, wanted.tenant))
        results = stack.enter_context(wanted.open_results())
        sinks = Sinks(gateway.ingest, gateway.admin, gateway.cache, explain)
        summary = await import_file(job, sinks, results, progress)
        await recheck_waiting(gateway, job.tenant, summary.goods_changed)
        return summary


def _hold_lock(stack: AsyncExitStack, settings: Settings) -> None:
    try:
        stack.enter_context(only_process(settings))
    except ConfigError as error:
        raise Unusable(
            "another process works on this SQLite database: send the file to its API "
            "(POST /v1/batches with an API key), stop it, or use PostgreSQL",
            "另有进程正在使用此 SQLite 数据库：请改由其 API 提交文件"
            "（POST /v1/batches，需 API 密钥），或先停止它，或改用 PostgreSQL",
        ) from error


async def _store_goods(
    settings: Settings, wanted: Wanted, progress: Callable[[int], None]
) -> Summary:
    """Beside a running gateway it finds the orders that waited; alone we do."""
    async with AsyncExitStack() as stack:
        try:
            stack.enter_context(only_process(settings))
        except ConfigError:
            office = await stack.enter_async_context(open_office(settings))
            job = wanted.job(await stored_tenant(office.access, wanted.tenant))
            results = stack.enter_context(wanted.open_results())
            sinks = Sinks(None, office.admin, office.cache, explain)
            return await import_file(job, sinks, results, progress)
        gateway = await stack.enter_async_context(open_intake(settings))
        job = wanted.job(await stored_tenant(gateway.store, wanted.tenant))
        results = stack.enter_context(wanted.open_results())
        sinks = Sinks(None, gateway.admin, gateway.cache, explain)
        summary = await import_file(job, sinks, results, progress)
        await recheck_waiting(gateway, job.tenant, summary.goods_changed)
        return summary


@contextmanager
def _progress(file: Path, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar over the bytes of the file, on a terminal only."""
    console = err()
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not shown or not console.is_terminal,
    ) as bar:
        size = file.stat().st_size
        task = bar.add_task("导入 import", total=size)
        yield lambda done: bar.update(task, completed=done)
        bar.update(task, completed=size)


def _show(summary: Summary, results: Path) -> None:
    rows = [(status, count) for status, count in sorted(summary.by_status.items())]
    if summary.skipped:
        rows.append(("skipped (taken before) / 已导入，跳过", summary.skipped))
    show_table("导入结果 Rows", ("结果 result", "行 rows"), rows)
    if summary.by_stage:
        stages = sorted(summary.by_stage.items())
        show_table("案件状态 Cases of these papers", ("状态 stage", "单证 papers"), stages)
    err().print(f"每行结果 results of each row: {results}", markup=False)
