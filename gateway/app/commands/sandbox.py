"""The sandbox customs by itself, for those who integrate: over folders, HTTP or a broker."""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.app.commands.frame import JSONOption, Unusable, emit, out, run, show_table
from gateway.app.commands.sandbox_ukey import ukey
from gateway.app.surroundings import SystemRng

if TYPE_CHECKING:
    from adapters.sandbox.customs import CustomsAuthority

_PASSWORD: Final = "CLEARANCE_SANDBOX_AMQP_PASSWORD"  # noqa: S105 - the name of a variable


def sandbox(
    context: typer.Context,
    *,
    listing: Annotated[
        bool, typer.Option("--list", help="List the scenarios and end / 列出场景")
    ] = False,
    json: JSONOption = False,
    folder: Annotated[
        Path | None,
        typer.Option(help="Serve DIR/send and DIR/receive / 文件夹方式", metavar="DIR"),
    ] = None,
    http: Annotated[
        int | None, typer.Option(min=0, max=65535, help="An HTTP relay on this port / HTTP 中转")
    ] = None,
    amqp: Annotated[
        str | None,
        typer.Option(help=f"Serve the queues of this broker (password: {_PASSWORD}) / 消息队列"),
    ] = None,
    control: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Page and control API on this port / 控制页面"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="The same seed, the same bytes; else another each time / 随机种子"),
    ] = None,
) -> None:
    """Be a customs office to test against / 沙箱海关，供联调使用

    An order's number selects what becomes of it; --list shows the numbers. Any sender and
    certificate is taken, signatures are checked. `clearance sandbox ukey` is a card to sign with.
    """
    if context.invoked_subcommand is not None:
        return
    # Loads the sandbox, which no other command needs.
    from adapters.sandbox.customs.catalogue import catalogue  # noqa: PLC0415

    if listing:
        scenarios = catalogue()
        if json:
            emit({"scenarios": [one.to_dict() for one in scenarios]})
            return
        show_table(
            f"场景 Scenarios ({len(scenarios)})",
            ("订单号 order number", "方向 direction", "说明", "what happens"),
            [(one.order_no, one.direction, one.text.zh, one.text.en) for one in scenarios],
        )
        return
    if sum(way is not None for way in (folder, http, amqp)) != 1:
        raise Unusable(
            "name one way in: --folder DIR, --http PORT or --amqp URL; or use --list",
            "请选一种接入方式：--folder DIR、--http PORT 或 --amqp URL；或用 --list",
        )
    # Customs gives each number once: one that begins anew must not give a gateway the old ones.
    drawn = int.from_bytes(SystemRng().bytes(4)) if seed is None else seed
    run(_serve(folder, http, amqp, control, drawn))


async def _serve(
    folder: Path | None, http: int | None, amqp: str | None, control: int | None, seed: int
) -> None:
    from adapters.sandbox.customs import CustomsAuthority, Settings  # noqa: PLC0415
    from adapters.sandbox.customs.control import Clock, control_app  # noqa: PLC0415
    from adapters.sandbox.customs.relay import Relay, run_relay, serving  # noqa: PLC0415

    authority, clock = CustomsAuthority(seed, Settings.demo()), Clock()
    async with AsyncExitStack() as stack:
        if control is not None:
            app = control_app(authority, clock)
            address = await stack.enter_async_context(serving(app, port=control))
            _say(f"控制页面 control  {address}/")
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        if folder is not None:
            tasks.create_task(_keep_turning(authority, folder, clock))
            _say(f"文件夹 folder   {folder / 'send'} -> {folder / 'receive'}")
        if http is not None:
            address = await stack.enter_async_context(
                run_relay(Relay(authority, clock=clock), port=http)
            )
            _say(f"HTTP            {address}/send, {address}/receipts, {address}/receipts/ack")
        if amqp is not None:
            tasks.create_task(_broker(authority, amqp, clock))
            _say("AMQP            dxp.send -> dxp.receive")
        _say(f"种子 seed       {seed}")
        _say("Ctrl+C 结束 ends it.")
        await asyncio.Event().wait()


async def _keep_turning(
    authority: "CustomsAuthority", folder: Path, clock: Callable[[], datetime]
) -> None:
    """Serve the folders on the loop itself: all ways in share one authority, and one thread."""
    from adapters.sandbox.customs.folder import Folders, turn  # noqa: PLC0415

    folders = Folders(folder / "send", folder / "receive")
    for one in (folders.inbox, folders.outbox):
        one.mkdir(parents=True, exist_ok=True)
    while True:
        turn(authority, folders, clock)
        await asyncio.sleep(0.02)


async def _broker(authority: "CustomsAuthority", url: str, clock: Callable[[], datetime]) -> None:
    try:
        from adapters.sandbox.customs.broker import Line, keep_serving  # noqa: PLC0415
    except ImportError as error:
        raise Unusable(
            "--amqp needs the extra amqp: pip install 'clearance-gateway[amqp]'",
            "--amqp 需要安装可选依赖 amqp",
        ) from error
    password = os.environ.get(_PASSWORD)
    await keep_serving(authority, url, Line(), _broker_gone, password=password, clock=clock)


def _broker_gone(reason: str) -> None:
    _say(f"消息队列不可用，持续重试 the broker is away, tried again each second: {reason}")


def group() -> typer.Typer:
    """The command ``clearance sandbox`` and the strangers beside customs."""
    made = typer.Typer(name="sandbox", invoke_without_command=True)
    made.callback()(sandbox)
    made.command("ukey")(ukey)
    return made


def _say(text: str) -> None:
    out().print(text, markup=False, soft_wrap=True)
