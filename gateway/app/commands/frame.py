"""What all commands share: global options, one way to fail, one way to print.

Exit codes: 0 done, 1 a promise is broken or something failed, 2 the input or the settings cannot be
used. Errors go to stderr as one sentence that names the fix; results go to stdout.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import DBAPIError
from typer.core import TyperGroup

from gateway.api.reasons import reason_zh
from gateway.app.config import ConfigError, Settings, load_settings
from gateway.app.import_rows import UnusableFile
from gateway.app.told import Told, Words
from gateway.domain.codec import from_micros
from gateway.domain.errors import Conflict, DomainError, GatewayError, InvalidValue
from schemas.errors import SchemaError
from signing import ERROR_TEXTS_ZH
from signing.errors import SigningError
from store.errors import WrongMasterKey

T = TypeVar("T")

EXIT_FAILED: Final = 1
EXIT_UNUSABLE: Final = 2
_EXIT_INTERRUPTED: Final = 130
_FILE_WIDTH: Final = 400

JSONOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON document / 输出一个 JSON 文档")
]
TenantOption = Annotated[
    str, typer.Option("--tenant", "-t", help="The tenant / 租户", show_default=False)
]


class Unusable(Told):
    """The input cannot be used; the text names the fix. Exit code 2."""


class Failed(Told):
    """Something could not be done; the text names the fix. Exit code 1."""


EXPECTED: Final = (
    ConfigError,
    Unusable,
    UnusableFile,
    Failed,
    GatewayError,
    SchemaError,
    SigningError,
    DBAPIError,
    OSError,
)

_INPUT: Final = (
    ConfigError,
    Unusable,
    UnusableFile,
    DomainError,
    Conflict,
    WrongMasterKey,
    SigningError,
    FileNotFoundError,
    IsADirectoryError,
    PermissionError,
)


@dataclass(frozen=True, slots=True)
class Common:
    """The global options."""

    config: Path | None = None

    def settings(self) -> Settings:
        """The settings of the deployment. Raises :class:`ConfigError`."""
        return load_settings(self.config)


def common(context: typer.Context) -> Common:
    """The global options of the running command."""
    found = context.find_object(Common)
    return Common() if found is None else found


class SpeakingGroup(TyperGroup):
    """Turns what a command raises into one sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command (Any: the types of typer's own click)."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader of a pipe has gone: nothing more can be told there.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(EXIT_FAILED) from None
        except KeyboardInterrupt:
            raise typer.Exit(_EXIT_INTERRUPTED) from None
        except EXPECTED as error:
            complain(sentence(error))
            raise typer.Exit(exit_code(error)) from None
        except BaseExceptionGroup as group:
            told = told_of(group)
            if told is None:
                raise
            complain(sentence(told))
            raise typer.Exit(exit_code(told)) from None


def told_of(group: BaseExceptionGroup[BaseException]) -> BaseException | None:
    """The error to tell of a task group: the first that has words for the user."""
    return next((leaf for leaf in _leaves(group) if isinstance(leaf, EXPECTED)), None)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterable[BaseException]:
    waiting: list[BaseException] = [group]
    while waiting:
        error = waiting.pop()
        if isinstance(error, BaseExceptionGroup):
            waiting.extend(error.exceptions)
        else:
            yield error


def exit_code(error: BaseException) -> int:
    """1 when trying again or mending the deployment can help, 2 when the input must change."""
    return EXIT_UNUSABLE if isinstance(error, _INPUT) else EXIT_FAILED


def sentence(error: BaseException) -> str:
    """What to say of an error, with the fix where it is known: English, then Chinese."""
    return " / ".join(filter(None, words_of(error)))


def words_of(error: BaseException) -> Words:
    """The sentence of an error in each language; what only one of them has is empty."""
    if isinstance(error, Told):
        return error.words
    if isinstance(error, WrongMasterKey):
        return (
            "the database was made with another master key; "
            "set store.master_key_file to the file that belongs to it",
            "数据库使用另一主密钥创建，请将 store.master_key_file 指向对应文件",
        )
    if isinstance(error, DBAPIError):
        # The driver's own words; the statement and its values stay out.
        words = str(error.orig).partition("\n")[0]
        return (
            f"the database cannot be used ({words}); check store.url in the settings",
            "数据库无法使用，请检查设置中的 store.url",
        )
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return (
            f"{error.filename}: {error.strerror}; check the path and its permissions",
            "请检查路径及其权限",
        )
    code = getattr(error, "code", None)
    told = f"{error} [{code}]" if isinstance(code, str) and code not in str(error) else str(error)
    if isinstance(error, SigningError) and isinstance(error.__cause__, SchemaError):
        told = f"{told}: {error.__cause__}"
    if isinstance(error, InvalidValue):
        return told, reason_zh(error.reason)
    cause = error if isinstance(error, SigningError) else error.__cause__
    text_zh = ERROR_TEXTS_ZH.get(cause.code) if isinstance(cause, SigningError) else None
    return told, text_zh or ""


def complain(text: str) -> None:
    """One message on stderr."""
    typer.echo(f"clearance: {text}", err=True)


def warn(text: str) -> None:
    """Something that the user should know although it was done."""
    typer.echo(f"note: {text}", err=True)


def emit(doc: Any) -> None:
    """Print one JSON document (Any: it takes every JSON value)."""
    option = orjson.OPT_INDENT_2 if sys.stdout.isatty() else 0
    typer.echo(orjson.dumps(doc, option=option | orjson.OPT_NON_STR_KEYS).decode())


def out() -> Console:
    """Where results for people go."""
    # In a file or a pipe nothing is folded.
    return Console(highlight=False, width=None if sys.stdout.isatty() else _FILE_WIDTH)


def err() -> Console:
    """Where progress goes."""
    return Console(stderr=True, highlight=False)


def show_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "none / 无"
) -> None:
    """Print a table; ``empty`` when it has no row. What is stored is never read as markup."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(escape("" if value is None else str(value)) for value in row))
    console = out()
    if table.row_count:
        console.print(title, markup=False, style="bold")
        console.print(table)
    else:
        console.print(f"{title}: {empty}")


def run(
    work: Coroutine[Any, Any, T],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> T:
    """The result of asynchronous work (Any: a coroutine's unused types).

    An error that task groups wrapped on its way comes out as itself.
    """
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            return runner.run(work)
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        if len(leaves) == 1:
            raise leaves[0] from None
        raise


def at(micros: int | None) -> str:
    """UTC microseconds as a readable time; empty for none."""
    return "" if micros is None else f"{from_micros(micros):%Y-%m-%d %H:%M:%S}Z"


def at_json(micros: int | None) -> str | None:
    """UTC microseconds as an RFC 3339 time."""
    if micros is None:
        return None
    return from_micros(micros).isoformat(timespec="microseconds").replace("+00:00", "Z")
