"""The command line ``clearance``: global options and the table of commands."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.app.commands import (
    api_keys,
    boxes,
    channels,
    endpoints,
    enterprises,
    files,
    goods,
    keys,
    mandates,
    parked,
    processes,
    profiles,
    repairs,
    reports,
    rules,
    sandbox,
    schema,
    sources,
    tables,
    tenants,
    users,
)
from gateway.app.commands.ask import ask
from gateway.app.commands.case import case
from gateway.app.commands.check import check
from gateway.app.commands.doctor import doctor
from gateway.app.commands.evidence import evidence
from gateway.app.commands.frame import Common, SpeakingGroup
from gateway.app.commands.golive import golive
from gateway.app.commands.preflight import preflight
from gateway.app.commands.seed import seed
from gateway.app.commands.verify import verify
from gateway.app.commands.watch import watch
from gateway.app.logs import LogForm, LogLevel, configure_logs

_DISTRIBUTION: Final = "clearance-gateway"


def _print_version(wanted: bool) -> None:
    if not wanted:
        return
    try:
        found = version(_DISTRIBUTION)
    except PackageNotFoundError:
        found = "unknown (not installed)"
    typer.echo(f"clearance {found}")
    raise typer.Exit


def _options(
    context: typer.Context,
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Settings; else CLEARANCE_CONFIG, else clearance.toml / 配置文件",
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Log what happens / 输出日志")
    ] = False,
    show_version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Show the version / 版本"
        ),
    ] = False,
) -> None:
    """Customs clearance gateway: matches, declares, signs, sends, follows / 跨境电商清关网关

    Exit codes: 0 done; 1 a promise is broken or something failed; 2 the input or the settings
    cannot be used.
    """
    configure_logs(LogForm.AUTO, LogLevel.INFO if verbose else LogLevel.ERROR)
    context.obj = Common(config)


def build() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="clearance",
        cls=SpeakingGroup,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(_options)
    app.command("demo")(processes.demo)
    app.command("serve")(processes.serve)
    app.command("worker")(processes.worker)
    app.command("init")(processes.init)
    for module in (
        tenants, enterprises, mandates, profiles, goods,
        api_keys, keys, endpoints, channels, boxes, parked,
        repairs, reports, rules, tables, schema, users, sandbox,
    ):  # fmt: skip
        app.add_typer(module.group())
    short = "Import papers from a file / 导入单证文件"
    app.command("import", help=files.import_help(), short_help=short)(files.import_papers)
    app.command("sign")(keys.sign_file)
    app.command("pull")(sources.pull_orders)
    app.command("preflight")(preflight)
    app.command("seed")(seed)
    app.command("verify")(verify)
    app.command("case")(case)
    app.command("ask")(ask)
    app.command("evidence")(evidence)
    app.command("golive")(golive)
    app.command("watch")(watch)
    app.command("check")(check)
    app.command("inbox")(boxes.inbox)
    app.command("doctor")(doctor)
    return app


def main() -> None:
    """The entry point of the command ``clearance``."""
    build()()
