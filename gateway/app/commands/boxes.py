"""Outbox and inbox: what stands where, notices that were given up, and trying them again."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.app.commands.frame import (
    JSONOption,
    TenantOption,
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
from gateway.domain.codec import to_micros
from gateway.domain.ids import EffectId, EndpointId
from gateway.ports import NoticeRow
from gateway.ports.mailbox import MOST_REPLAYED, NoticeFilter, NoticeStatus
from store.boxwork import InboxCount, OutboxCount, inbox_counts, outbox_counts
from store.notices import list_notices, replay_notices

EndpointOption = Annotated[
    str | None, typer.Option("--endpoint", help="Only this endpoint / 仅此地址")
]
TypeOption = Annotated[
    str | None, typer.Option("--type", help="Only this type of event / 仅此事件类型")
]
SinceOption = Annotated[
    datetime | None, typer.Option("--since", help="Parked from then on, UTC / 起始时间")
]
UntilOption = Annotated[
    datetime | None, typer.Option("--until", help="Parked before then, UTC / 截止时间")
]


def counts(context: typer.Context, *, json: JSONOption = False) -> None:
    """Show how many effects stand where / 待办任务统计"""
    found = run(_outbox(common(context).settings()))
    if json:
        emit({"outbox": [_outbox_doc(one) for one in found]})
        return
    show_table(
        "发件箱 Outbox",
        ("类型 kind", "阶段 stage", "数量 count", "最早 oldest"),
        [(one.kind, one.stage, one.count, at(one.oldest)) for one in found],
    )


async def _outbox(settings: Settings) -> Sequence[OutboxCount]:
    async with open_reading(settings) as reader, reader.access.read() as reading:
        return await reading.run_sync(outbox_counts)


def _outbox_doc(one: OutboxCount) -> dict[str, object]:
    return {
        "kind": one.kind,
        "stage": one.stage,
        "count": one.count,
        "oldest": at_json(one.oldest),
    }


def notices(
    context: typer.Context,
    *,
    tenant: TenantOption,
    status: Annotated[
        NoticeStatus, typer.Option(help="waiting or parked / 等待或搁置")
    ] = NoticeStatus.PARKED,
    endpoint: EndpointOption = None,
    event_type: TypeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most / 最多")] = 100,
    json: JSONOption = False,
) -> None:
    """List notices that wait, or that were given up / 列出等待或搁置的通知"""
    wanted = _filter(status, endpoint, event_type, since, until)
    found = run(_notices(common(context).settings(), tenant, wanted, limit))
    if json:
        emit({"notices": [_notice_doc(one) for one in found]})
        return
    show_table(
        "通知 Notices",
        ("编号 id", "类型 type", "地址 endpoint", "时间 at", "次数 attempts", "原因 detail"),
        [
            (
                one.effect.effect_id,
                one.effect.ref,
                one.endpoint_id,
                at(one.done_at or one.effect.due_at),
                one.effect.attempt,
                one.detail,
            )
            for one in found
        ],
    )


async def _notices(
    settings: Settings, tenant: str, wanted: NoticeFilter, limit: int
) -> Sequence[NoticeRow]:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        async with reader.access.read() as reading:
            page = await reading.run_sync(lambda on: list_notices(on, owner, wanted, None, limit))
    return page.items


def _notice_doc(one: NoticeRow) -> dict[str, Any]:  # Any: a JSON object
    return {
        "notice": one.effect.effect_id,
        "type": one.effect.ref,
        "endpoint": one.endpoint_id,
        "case": one.effect.case_id,
        "status": one.status,
        "attempts": one.effect.attempt,
        "due_at": at_json(one.effect.due_at),
        "parked_at": at_json(one.done_at),
        "detail": one.detail,
    }


def replay(
    context: typer.Context,
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Notices; else all / 通知编号")
    ] = None,
    *,
    tenant: TenantOption,
    endpoint: EndpointOption = None,
    event_type: TypeOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    json: JSONOption = False,
) -> None:
    """Try parked notices again, by id or by range / 重新投递搁置的通知"""
    wanted = _filter(NoticeStatus.PARKED, endpoint, event_type, since, until, ids or ())
    done = run(_replay(common(context).settings(), tenant, wanted))
    if json:
        emit({"replayed": done})
    else:
        out().print(f"{len(done)} notice(s) will be tried again", markup=False)
    if len(done) == MOST_REPLAYED:
        warn(f"there may be more: {MOST_REPLAYED} are taken up at a time / 可能还有，请再次执行")


async def _replay(settings: Settings, tenant: str, wanted: NoticeFilter) -> list[EffectId]:
    async with open_office(settings) as office:
        owner = await known_tenant(office.access, tenant)
        now = office.clock.now()
        return await office.access.execute(lambda on: replay_notices(on, owner, wanted, now))


def _filter(
    status: NoticeStatus,
    endpoint: str | None,
    event_type: str | None,
    since: datetime | None,
    until: datetime | None,
    ids: Sequence[str] = (),
) -> NoticeFilter:
    start, end = _micros(since), _micros(until)
    if start is not None and end is not None and start >= end:
        raise Unusable("--since must lie before --until", "--since 必须早于 --until")
    return NoticeFilter(
        status=status,
        endpoint_id=None if endpoint is None else EndpointId(endpoint),
        event_type=event_type,
        since=start,
        until=end,
        ids=frozenset(map(EffectId, ids)),
    )


def _micros(moment: datetime | None) -> int | None:
    return None if moment is None else to_micros(moment.replace(tzinfo=UTC))


def inbox(context: typer.Context, *, json: JSONOption = False) -> None:
    """Show how many receipt files stand where / 回执文件统计"""
    found = run(_inbox(common(context).settings()))
    if json:
        emit({"inbox": [_inbox_doc(one) for one in found]})
        return
    show_table(
        "收件箱 Inbox",
        ("通道 channel", "阶段 stage", "数量 count", "最早 oldest", "最新 newest"),
        [(one.channel, one.stage, one.count, at(one.oldest), at(one.newest)) for one in found],
    )


async def _inbox(settings: Settings) -> Sequence[InboxCount]:
    async with open_reading(settings) as reader, reader.access.read() as reading:
        return await reading.run_sync(inbox_counts)


def _inbox_doc(one: InboxCount) -> dict[str, object]:
    return {
        "channel": one.channel,
        "stage": one.stage,
        "count": one.count,
        "oldest": at_json(one.oldest),
        "newest": at_json(one.newest),
    }


def group() -> typer.Typer:
    """The command group ``clearance outbox``."""
    made = typer.Typer(
        name="outbox", no_args_is_help=True, help="Effects and notices to be delivered / 发件箱"
    )
    made.command("counts")(counts)
    made.command("notices")(notices)
    made.command("replay")(replay)
    return made
