"""Reference tables: positive list, tax rates, account stock, enterprises, guarantees."""

import csv
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from gateway.app.commands.frame import (
    JSONOption,
    Unusable,
    at,
    at_json,
    common,
    emit,
    out,
    run,
    show_table,
    warn,
)
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.opening import open_office, open_reading
from gateway.domain.errors import InvalidValue
from gateway.domain.tables import COLUMNS, TableInfo, TableKind, TableRow, read_row
from store.reference import EVERYBODY, MAX_ROWS, TableStored, list_tables

MAX_BYTES: Final = 64 * 1024 * 1024
_FAULTS_SHOWN: Final = 20
_SAMPLE: Final = "SAMPLE"

KindArgument = Annotated[
    TableKind, typer.Argument(metavar="KIND", help=f"{' | '.join(TableKind)} / 表的种类")
]


def read_table(path: Path, kind: TableKind) -> tuple[list[TableRow], bool]:
    """The rows of a CSV file, and whether it calls itself a sample; lines that begin with ``#``
    are remarks.

    Raises :class:`Unusable` with the line and column of every fault (the first 20).
    """
    if not path.is_file():
        raise Unusable(f"{path}: there is no such file; check the path", "文件不存在，请检查路径")
    if path.stat().st_size > MAX_BYTES:
        raise Unusable(
            f"{path}: has more than {MAX_BYTES >> 20} MiB; split the table",
            f"超过 {MAX_BYTES >> 20} MiB，请拆分",
        )
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Unusable(
            f"{path}: is not UTF-8; save it as CSV UTF-8", "不是 UTF-8 编码，请另存为 CSV UTF-8"
        ) from None
    remarks = [line for line in lines if line.startswith("#")]
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line[:1] not in ("", "#")]
    if not numbered:
        raise Unusable(
            f"{path}: is empty; its columns are {', '.join(sum(COLUMNS[kind], ()))}",
            "文件为空，应有所列各列",
        )
    if len(numbered) > MAX_ROWS + 1:
        raise Unusable(f"{path}: has more than {MAX_ROWS} rows", f"超过 {MAX_ROWS} 行")
    rows: list[TableRow] = []
    faults: list[str] = []
    header = next(csv.reader([numbered[0][1]]))
    for number, line in numbered[1:]:
        cells = next(csv.reader([line]))
        if len(cells) > len(header):
            faults.append(f"line {number}: has more cells than columns")
            continue
        try:
            rows.append(read_row(kind, dict(zip(header, cells, strict=False))))
        except InvalidValue as error:
            faults.append(f"line {number}: {error}")
    if faults:
        shown = "\n  ".join(faults[:_FAULTS_SHOWN])
        more = len(faults) - _FAULTS_SHOWN
        rest = f"\n  and {more} more" if more > 0 else ""
        raise Unusable(f"{path}: nothing was stored\n  {shown}{rest}", "未存入任何内容")
    return rows, any(_SAMPLE in remark for remark in remarks)


def put(
    context: typer.Context,
    kind: KindArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, UTF-8 / CSV 文件")],
    *,
    tenant: Annotated[
        str | None,
        typer.Option("--tenant", "-t", help="Whose account-stock or guarantees / 账册或担保的租户"),
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Where it is from, e.g. a notice / 来源")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Store a whole table as a new version; the rules read it at once / 导入参照表

    A remark line (# ...) with the word SAMPLE marks invented data. `clearance tables sample KIND`
    prints one.
    """
    rows, is_sample = read_table(file, kind)
    info = TableInfo(kind, 0, source or file.name, is_sample, len(rows))
    stored = run(_put(common(context).settings(), info, tenant, rows))
    if is_sample:
        warn(f"{file}: is a sample with invented rows; import the real table before production")
    if json:
        emit(_doc(stored))
        return
    word = "stored / 已导入" if stored.changed else "unchanged / 无变化"
    out().print(f"{kind.value} v{stored.info.version}: {len(rows)} rows, {word}", markup=False)


async def _put(
    settings: Settings, info: TableInfo, tenant: str | None, rows: list[TableRow]
) -> TableStored:
    async with open_office(settings) as office:
        owner = EVERYBODY if tenant is None else await known_tenant(office.access, tenant)
        return await office.admin.put_table(info, owner, rows)


def listing(context: typer.Context, *, json: JSONOption = False) -> None:
    """List the reference tables, newest version each / 列出参照表"""
    found = run(_list(common(context).settings()))
    if json:
        emit({"tables": [_doc(one) for one in found]})
        return
    show_table(
        "参照表 Reference tables",
        (
            "种类 kind",
            "租户 tenant",
            "版本 version",
            "行 rows",
            "样例 sample",
            "来源 source",
            "since",
        ),
        [
            (
                one.info.kind.value,
                one.tenant or "-",
                one.info.version,
                one.info.rows,
                "SAMPLE" if one.info.is_sample else "",
                one.info.source,
                at(one.created_at),
            )
            for one in found
        ],
    )


async def _list(settings: Settings) -> list[TableStored]:
    async with open_reading(settings) as reader, reader.access.read() as reading:
        return await reading.run_sync(list_tables)


def sample(kind: KindArgument, *, json: JSONOption = False) -> None:
    """Print an invented sample of a table as CSV / 输出样例"""
    folder = resources.files("gateway.app") / "samples"
    text = (folder / f"{kind.value}.sample.csv").read_text(encoding="utf-8")
    if json:
        needed, optional = COLUMNS[kind]
        emit({"kind": kind.value, "needs": needed, "may_have": optional, "csv": text})
    else:
        typer.echo(text, nl=False)


def _doc(one: TableStored) -> dict[str, Any]:
    """A stored table as JSON (Any: JSON values)."""
    return {
        "kind": one.info.kind.value,
        "tenant": one.tenant or None,
        "version": one.info.version,
        "rows": one.info.rows,
        "is_sample": one.info.is_sample,
        "source": one.info.source,
        "changed": one.changed,
        "since": at_json(one.created_at),
    }


def group() -> typer.Typer:
    """The command group ``clearance tables``."""
    made = typer.Typer(
        name="tables", no_args_is_help=True, help="Reference tables for the rules / 参照表"
    )
    made.command("list")(listing)
    made.command("put")(put)
    made.command("sample")(sample)
    return made
