"""The watchdog's report: stage times per port, what is stuck, and when the queues are empty."""

from dataclasses import dataclass
from typing import Annotated, Any, Final

import typer

from gateway.app.commands.frame import JSONOption, TenantOption, common, emit, out, run, show_table
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.opening import Reader, open_reading
from gateway.app.regimes import customs_regime
from gateway.domain.codec import from_micros
from gateway.domain.ids import TenantId
from gateway.domain.profile import FilingProfile
from gateway.domain.watch import (
    Backlog,
    Escalation,
    Moment,
    StageTime,
    Step,
    Stuck,
    escalation_text,
    find_stuck,
    stage_times,
    usual_times,
)
from gateway.flow.clockwork import local_text
from store import watch as facts

_SECOND_US: Final = 1_000_000
_DAY_US: Final = 24 * 3600 * _SECOND_US
_RATE_US: Final = 15 * 60 * _SECOND_US


@dataclass(frozen=True, slots=True)
class _Found:
    """One stuck case and its texts."""

    case_id: str
    order_no: str
    port: str
    stuck: Stuck
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class _Report:
    at: int
    times: list[StageTime]
    to_send: dict[str, Backlog]
    at_customs: dict[str, Backlog]
    stuck: list[_Found]
    returns: list[facts.ReturnDay]


def watch(
    context: typer.Context,
    *,
    tenant: TenantOption,
    days: Annotated[
        int, typer.Option(min=1, max=90, help="Stage times over so many days / 统计天数")
    ] = 7,
    json: JSONOption = False,
) -> None:
    """Show stage times per port, what is stuck, and the backlog / 各环节时效、滞留与积压

    Stuck is what waits three times as long as 95 of 100 did at this port, or longer than the
    profile's answer time-out while too little is known. Each comes with a text for the help desk.
    """
    found = run(_report(common(context).settings(), tenant, days))
    if json:
        emit(_doc(found))
    else:
        _show(found)


async def _report(settings: Settings, tenant: str, days: int) -> _Report:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        profiles = {one.profile_id: one for one in reader.cache.profiles(owner)}
        return await _gathered(reader, owner, profiles, days)


async def _gathered(
    reader: Reader, owner: TenantId, profiles: dict[Any, FilingProfile], days: int
) -> _Report:
    now = reader.clock.now()
    async with reader.access.read() as reading:
        answered = await reading.run_sync(lambda on: facts.answers(on, owner, now - days * _DAY_US))
        waiting = await reading.run_sync(lambda on: facts.waiting(on, owner))
        queues = await reading.run_sync(lambda on: facts.queues(on, owner))
        moved = await reading.run_sync(lambda on: facts.moved_counts(on, owner, now - _RATE_US))
        returns = await reading.run_sync(lambda on: facts.return_dates(on, owner))
    times = stage_times(
        Step(profiles[one.profile_id].port_code, one.kind, one.reached, one.took_us)
        for one in answered
        if one.profile_id in profiles
    )
    usual, customs = usual_times(times), customs_regime()
    stuck = []
    for case in waiting:
        profile = profiles.get(case.profile_id)
        if profile is None:
            continue
        found = find_stuck(
            case.state.declarations, case.state.alarms, Moment(now, case.updated_at), profile, usual
        )
        if found is not None:
            message_type = customs.message_type(found.declaration.kind)
            stuck.append(_found(case, profile, found, message_type))
    return _Report(
        now,
        times,
        _backlogs(profiles, queues.to_send, moved.sent, now - moved.since),
        _backlogs(profiles, queues.at_customs, moved.final, now - moved.since),
        stuck,
        returns,
    )


def _found(case: facts.Waiting, profile: FilingProfile, stuck: Stuck, message_type: str) -> _Found:
    sent_at = stuck.declaration.sent_at
    about = Escalation(
        profile,
        case.order_no,
        message_type,
        local_text(sent_at) if sent_at is not None else "-",
        stuck,
    )
    return _Found(
        case.case_id,
        case.order_no,
        profile.port_code,
        stuck,
        escalation_text(about, "zh"),
        escalation_text(about, "en"),
    )


def _backlogs(
    profiles: dict[Any, FilingProfile],
    counts: dict[str, int],
    moved: dict[str, int],
    window_us: int,
) -> dict[str, Backlog]:
    """A queue by port, and how fast it moved in the window until now."""
    waiting: dict[str, int] = {}
    done: dict[str, int] = {}
    for profile_id, profile in profiles.items():
        here = counts.get(profile_id, 0)
        waiting[profile.port_code] = waiting.get(profile.port_code, 0) + here
        done[profile.port_code] = done.get(profile.port_code, 0) + moved.get(profile_id, 0)
    return {port: Backlog(waiting[port], done[port], window_us) for port in sorted(waiting)}


# Any: a JSON object.
def _doc(report: _Report) -> dict[str, Any]:
    return {
        "at": _when(report.at),
        "stage_times": [
            {
                "port": one.port,
                "kind": one.kind.value,
                "reached": one.reached,
                "cases": one.cases,
                "p50_s": _seconds(one.p50_us),
                "p95_s": _seconds(one.p95_us),
                "p99_s": _seconds(one.p99_us),
                "longest_s": _seconds(one.longest_us),
            }
            for one in report.times
        ],
        "to_send": _backlog_docs(report.to_send),
        "at_customs": _backlog_docs(report.at_customs),
        "stuck": [
            {
                "case": one.case_id,
                "order_no": one.order_no,
                "port": one.port,
                "kind": one.stuck.declaration.kind.value,
                "version": one.stuck.declaration.version,
                "stage": one.stuck.declaration.stage.value,
                "waits_s": _seconds(one.stuck.waits_us),
                "limit_s": _seconds(one.stuck.limit_us),
                "lost": one.stuck.is_lost,
                "escalation": {"zh": one.zh, "en": one.en},
            }
            for one in report.stuck
        ],
        "returns": [
            {
                "case": one.case_id,
                "order_no": one.order_no,
                "what": one.alarm,
                "told_at": _when(one.due_at),
            }
            for one in report.returns
        ],
    }


def _when(micros: int) -> str:
    return from_micros(micros).isoformat(timespec="seconds").replace("+00:00", "Z")


def _backlog_docs(backlogs: dict[str, Backlog]) -> list[dict[str, Any]]:
    return [
        {
            "port": port,
            "waiting": one.waiting,
            "done": one.done,
            "in_s": _seconds(one.window_us),
            "empty_in_s": None if one.empty_in_us is None else _seconds(one.empty_in_us),
        }
        for port, one in backlogs.items()
    ]


def _seconds(micros: int) -> str:
    """Seconds with a tenth, as text: nothing here is a float."""
    tenths = micros * 10 // _SECOND_US
    return f"{tenths // 10}.{tenths % 10}"


def _show(report: _Report) -> None:
    show_table(
        "环节时效 Stage times, seconds after the first sending",
        (
            "口岸 port",
            "单证 kind",
            "到达 reached",
            "数量 count",
            "p50",
            "p95",
            "p99",
            "最长 longest",
        ),
        [
            (
                one.port,
                one.kind.value,
                one.reached,
                one.cases,
                *map(_seconds, (one.p50_us, one.p95_us, one.p99_us, one.longest_us)),
            )
            for one in report.times
        ],
    )
    for title, backlogs in (
        ("待发送积压 Waiting to be sent", report.to_send),
        ("待海关处理 Waiting for customs", report.at_customs),
    ):
        show_table(
            title,
            ("口岸 port", "等待 waiting", "完成 done", "时段 in, s", "清空还需 empty in, s"),
            [
                (one["port"], one["waiting"], one["done"], one["in_s"], one["empty_in_s"] or "?")
                for one in _backlog_docs(backlogs)
            ],
        )
    show_table(
        "滞留 Stuck",
        (
            "案件 case",
            "订单 order",
            "口岸 port",
            "单证 kind",
            "状态 stage",
            "等待 waits, s",
            "丢失 lost",
        ),
        [
            (
                one.case_id,
                one.order_no,
                one.port,
                one.stuck.declaration.kind.value,
                one.stuck.declaration.stage.value,
                _seconds(one.stuck.waits_us),
                "yes 是" if one.stuck.is_lost else "",
            )
            for one in report.stuck
        ],
    )
    show_table(
        "退货期限 Days of returns",
        ("案件 case", "订单 order", "事项 what", "提醒 told at"),
        [(one.case_id, one.order_no, one.alarm, _when(one.due_at)) for one in report.returns],
    )
    for one in report.stuck[:1]:
        title = f"求助文本 Text for the help desk, {one.order_no}"
        out().print(f"\n{title}:\n{one.zh}\n{one.en}", markup=False)
