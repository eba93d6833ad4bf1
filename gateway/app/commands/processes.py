"""Running things: the demo, a serving process, a worker, and a first set of files to begin with."""

from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import make_url

from gateway.app.beginning import begin
from gateway.app.commands.frame import JSONOption, Unusable, common, emit, out, run
from gateway.app.logs import LogForm, LogLevel, configure_logs
from gateway.app.surroundings import SystemClock, SystemRng

FormOption = Annotated[
    LogForm, typer.Option("--log-format", help="How log lines are written / 日志格式")
]
LevelOption = Annotated[
    LogLevel, typer.Option("--log-level", help="The least important line written / 日志级别")
]


def demo(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when all orders are settled / 全部办结后退出")
    ] = False,
    json: JSONOption = False,
    orders: Annotated[
        int, typer.Option(min=1, max=100_000, help="How many orders / 订单数量")
    ] = 300,
) -> None:
    """Watch invented orders clear a sandbox customs / 演示：订单在沙箱海关通关

    Everything happens in one process and a temporary folder; nothing needs to be set up. With
    --json the last line is one JSON object. Exit code 1 when a promise was broken.
    """
    # Loads the sandbox, which no other command needs.
    from gateway.app import demo as play  # noqa: PLC0415

    code = play.run(once=once, as_json=json, orders=orders)
    if code:
        raise typer.Exit(code)


def serve(
    context: typer.Context,
    *,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Serve the API only / 只提供接口")
    ] = False,
    log_format: FormOption = LogForm.AUTO,
    log_level: LevelOption = LogLevel.INFO,
) -> None:
    """Serve the API and work, until SIGTERM or SIGINT / 提供接口并处理业务

    On SQLite one process does everything. On PostgreSQL any number of these may run.
    """
    settings = common(context).settings()
    if no_worker and _is_sqlite(settings.store.url):
        raise Unusable(
            "on SQLite one process does everything, so nobody else would do the work: "
            "leave out --no-worker, or set store.url to PostgreSQL",
            "SQLite 下由一个进程完成全部工作，无其他进程可代劳："
            "请去掉 --no-worker，或将 store.url 设为 PostgreSQL",
        )
    _run_until_stopped(context, log_format, log_level, api=True, work=not no_worker)


def worker(
    context: typer.Context,
    *,
    log_format: FormOption = LogForm.AUTO,
    log_level: LevelOption = LogLevel.INFO,
) -> None:
    """Work without serving the API; needs PostgreSQL / 只处理业务（需要 PostgreSQL）"""
    if _is_sqlite(common(context).settings().store.url):
        raise Unusable(
            "on SQLite one process does everything: run `clearance serve`, or set store.url to "
            "PostgreSQL (postgresql+asyncpg://...) to run workers beside it",
            "SQLite 下由一个进程完成全部工作：请运行 `clearance serve`，"
            "或将 store.url 设为 PostgreSQL 以另行运行 worker",
        )
    _run_until_stopped(context, log_format, log_level, api=False, work=True)


def _run_until_stopped(
    context: typer.Context, form: LogForm, level: LogLevel, *, api: bool, work: bool
) -> None:
    # The server and its adapters load only for those who run them.
    from gateway.app.serve import new_loop, run_until_stopped  # noqa: PLC0415

    configure_logs(form, level)
    run(run_until_stopped(common(context).settings, api=api, work=work), new_loop)


def _is_sqlite(url: str) -> bool:
    return make_url(url).get_backend_name() == "sqlite"


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where / 目录")],
    *,
    json: JSONOption = False,
) -> None:
    """Write settings, keys and folders to begin with / 生成初始配置、密钥和目录

    Makes clearance.toml with comments, master.key, a development signing key and the DXP folders.
    Nothing that exists is ever overwritten.
    """
    made = begin(folder, SystemRng(), SystemClock().now())
    if json:
        emit({"made": [str(path) for path in made]})
        return
    console = out()
    for path in made:
        console.print(str(path), markup=False)
    config = (folder / "clearance.toml").resolve()
    console.print(
        f"\n接下来 next:\n"
        f"  export CLEARANCE_CONFIG={config}\n"
        f"  clearance tenants add shop 'My shop'\n"
        f"  clearance profiles put FILE.toml --tenant shop\n"
        f"  clearance goods put FILE.csv --tenant shop\n"
        f"  clearance api-keys new --tenant shop --role seller\n"
        f"  clearance serve",
        markup=False,
    )
