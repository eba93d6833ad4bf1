"""Channels to customs: pause one, and let it send again."""

import getpass
from collections.abc import Mapping
from typing import Annotated

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
)
from gateway.app.config import Settings
from gateway.app.opening import open_office, open_reading
from gateway.flow.windows import closed_until
from gateway.ports.pauses import Pause
from store.pauses import load_pauses

ChannelArgument = Annotated[str, typer.Argument(metavar="CHANNEL", help="Its name / 通道名称")]


def listing(context: typer.Context, *, json: JSONOption = False) -> None:
    """List the channels, which of them are paused or in maintenance / 列出通道、暂停与维护状态"""
    settings = common(context).settings()
    paused, now = run(_pauses(settings))
    names = sorted({*settings.channels, *paused})
    shut = {name: closed_until(one.limits.windows, now) for name, one in settings.channels.items()}
    if json:
        emit({"channels": [_doc(name, paused.get(name), shut.get(name)) for name in names]})
        return
    show_table(
        "通道 Channels",
        ("名称 channel", "状态 state", "时间 since", "操作人 by", "原因 reason", "至 until"),
        [_row(name, paused.get(name), shut.get(name)) for name in names],
    )


def _row(name: str, one: Pause | None, until: int | None) -> tuple[str, ...]:
    if one is not None:
        return name, "paused 已暂停", at(one.at), one.by, one.reason, ""
    if until is not None:
        return name, "maintenance 维护中", "", "", "", at(until)
    return name, "sending 发送中", "", "", "", ""


async def _pauses(settings: Settings) -> tuple[Mapping[str, Pause], int]:
    async with open_reading(settings) as reader, reader.access.read() as reading:
        return await reading.run_sync(load_pauses), reader.clock.now()


def pause(
    context: typer.Context,
    channel: ChannelArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why, for those who come after / 原因")],
    json: JSONOption = False,
) -> None:
    """Stop sending through a channel; receiving goes on / 暂停发送（仍接收回执）"""
    settings = common(context).settings()
    if channel not in settings.channels:
        known = ", ".join(settings.channels) or "none"
        raise Unusable(
            f"there is no channel {channel!r} in the settings; known: {known}",
            f"设置中没有通道 {channel!r}；已有：{known}",
        )
    done = run(_pause(settings, channel, reason))
    if json:
        emit({"channel": channel, "paused": True, "changed": done})
    else:
        out().print(f"channel {channel} {'paused' if done else 'was paused already'}", markup=False)


async def _pause(settings: Settings, channel: str, reason: str) -> bool:
    async with open_office(settings) as office:
        return await office.pauses.pause(channel, getpass.getuser(), reason)


def resume(context: typer.Context, channel: ChannelArgument, *, json: JSONOption = False) -> None:
    """Let a channel send again / 恢复发送"""
    if not run(_resume(common(context).settings(), channel)):
        raise Unusable(
            f"the channel {channel!r} is not paused; see `clearance channels list`",
            f"通道 {channel!r} 未暂停；见 `clearance channels list`",
        )
    if json:
        emit({"channel": channel, "paused": False})
    else:
        out().print(f"channel {channel} sends again within 30 seconds", markup=False)


async def _resume(settings: Settings, channel: str) -> bool:
    async with open_office(settings) as office:
        return await office.pauses.resume(channel)


def _doc(name: str, one: Pause | None, until: int | None) -> dict[str, object]:
    return {
        "channel": name,
        "paused": one is not None,
        "since": None if one is None else at_json(one.at),
        "by": None if one is None else one.by,
        "reason": None if one is None else one.reason,
        "maintenance_until": at_json(until),
    }


def group() -> typer.Typer:
    """The command group ``clearance channels``."""
    made = typer.Typer(
        name="channels", no_args_is_help=True, help="Ways to customs, paused or not / 报文通道"
    )
    made.command("list")(listing)
    made.command("pause")(pause)
    made.command("resume")(resume)
    return made
