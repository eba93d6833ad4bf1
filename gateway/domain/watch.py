"""Watching the way through customs: how long steps take, what is stuck, when the queue is empty.

Pure: facts in, figures and texts out. Times are microseconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.events import Alarm
from gateway.domain.profile import FilingProfile

_SECOND_US: Final = 1_000_000
_ENOUGH: Final = 20
_TIMES_USUAL: Final = 3
_S: Final = DeclarationStage
_SILENT: Final = frozenset({_S.SENT, _S.UNKNOWN})
WATCHED: Final = frozenset(
    {*_SILENT, _S.LODGED, _S.ACCEPTED, _S.IN_REVIEW, _S.APPROVED, _S.INSPECTION, _S.SUSPENDED}
)
"""Stages in which a declaration waits for customs."""


class Step(NamedTuple):
    """One answer of customs: where, to what, what it said, and how long after the first sending."""

    port: str
    kind: DeclarationKind
    reached: str
    took_us: int


class StageTime(NamedTuple):
    """How long one step took at one port: the number of cases, percentiles, the longest."""

    port: str
    kind: DeclarationKind
    reached: str
    cases: int
    p50_us: int
    p95_us: int
    p99_us: int
    longest_us: int


class Backlog(NamedTuple):
    """A queue and how fast it moves; ``empty_in_us`` None while nothing moves."""

    waiting: int
    done: int
    window_us: int

    @property
    def empty_in_us(self) -> int | None:
        """How long until the queue is empty at the measured rate."""
        if not self.waiting:
            return 0
        return None if not self.done else -(-self.waiting * self.window_us // self.done)


class Stuck(NamedTuple):
    """A declaration that waits longer than its step usually takes at this port.

    ``is_lost`` tells that the e-port never said a word although everything was tried: lost there.
    """

    declaration: DeclarationState
    waits_us: int
    limit_us: int
    is_lost: bool


def percentile(ordered: Sequence[int], percent: int) -> int:
    """The nearest-rank percentile of ordered values; there is at least one."""
    return ordered[max(-(-len(ordered) * percent // 100), 1) - 1]


def stage_times(steps: Iterable[Step]) -> list[StageTime]:
    """The percentiles of every step, by port, kind and what was reached."""
    taken: dict[tuple[str, DeclarationKind, str], list[int]] = {}
    for step in steps:
        taken.setdefault(step[:3], []).append(step.took_us)
    return [_stage_time(key, sorted(taken[key])) for key in sorted(taken)]


def _stage_time(key: tuple[str, DeclarationKind, str], took: Sequence[int]) -> StageTime:
    p50, p95, p99 = (percentile(took, percent) for percent in (50, 95, 99))
    return StageTime(*key, len(took), p50, p95, p99, took[-1])


class Moment(NamedTuple):
    """Now, and when the case last changed."""

    now: int
    changed_at: int


def find_stuck(
    declarations: Iterable[DeclarationState],
    alarms: Iterable[str],
    moment: Moment,
    profile: FilingProfile,
    times: Mapping[tuple[str, DeclarationKind], int],
) -> Stuck | None:
    """The declaration of a case that waits too long, None when all is as usual.

    ``times`` are the 95th percentiles of the whole way of a kind at a port, where enough is known;
    else the profile's answer time-out is the measure.
    """
    waiting = [one for one in declarations if one.stage in WATCHED]
    if not waiting:
        return None
    last = waiting[-1]
    usual = times.get((profile.port_code, last.kind), 0)
    since = last.sent_at if last.stage in _SILENT else None
    waits_us = moment.now - (moment.changed_at if since is None else since)
    limit = max(profile.answer_timeout_s * _SECOND_US, usual * _TIMES_USUAL)
    is_lost = last.stage in _SILENT and Alarm.NO_ANSWER in alarms
    if waits_us <= limit and not is_lost:
        return None
    return Stuck(last, waits_us, limit, is_lost)


def usual_times(times: Iterable[StageTime]) -> dict[tuple[str, DeclarationKind], int]:
    """The slowest 95th percentile of each kind at each port, of steps seen often enough."""
    found: dict[tuple[str, DeclarationKind], int] = {}
    for one in times:
        if one.cases >= _ENOUGH:
            key = one.port, one.kind
            found[key] = max(found.get(key, 0), one.p95_us)
    return found


class Escalation(NamedTuple):
    """What a help desk asks for first; no personal data."""

    profile: FilingProfile
    order_no: str
    message_type: str
    sent_at: str
    stuck: Stuck


def escalation_text(about: Escalation, language: str) -> str:
    """A text to send to the e-port's or the port's help desk, in ``zh`` or ``en``."""
    one, profile = about.stuck.declaration, about.profile
    values = {
        "port": profile.port_code,
        "customs": profile.customs_code,
        "dxp": profile.dxp_id,
        "company": f"{profile.transfer.name} ({profile.transfer.code})",
        "message": one.message_id or "-",
        "type": about.message_type,
        "platform": profile.platform.code,
        "order": about.order_no,
        "cop_no": one.cop_no or "-",
        "sent": about.sent_at,
        "tries": one.attempt,
        "status": one.status or ("无" if language == "zh" else "none"),
        "hours": about.stuck.waits_us // (3600 * _SECOND_US),
    }
    return _TEXTS[language, about.stuck.is_lost].format(**values)


_FACTS_ZH: Final = (
    "企业：{company}\nDXP ID：{dxp}\n申报地海关/口岸：{customs}/{port}\n报文类型：{type}\n"
    "CopMsgId：{message}\n电商平台代码：{platform}\n订单编号：{order}\n企业内部编号：{cop_no}\n"
    "首次发送时间：{sent}（北京时间），共发送 {tries} 次\n最近回执状态：{status}\n"
)
_FACTS_EN: Final = (
    "Company: {company}\nDXP id: {dxp}\nCustoms office/port: {customs}/{port}\nMessage: {type}\n"
    "CopMsgId: {message}\nPlatform code: {platform}\nOrder number: {order}\ncopNo: {cop_no}\n"
    "First sent: {sent} (Beijing time), {tries} times in all\nLast receipt status: {status}\n"
)
_TEXTS: Final = {
    ("zh", True): "您好，以下报文发送后未收到任何回执，请协助查询电子口岸是否收到：\n" + _FACTS_ZH,
    ("zh", False): "您好，以下单证已 {hours} 小时无后续回执，请协助查询处理进度：\n" + _FACTS_ZH,
    ("en", True): "No receipt ever came for this message; please see whether the e-port has it:\n"
    + _FACTS_EN,
    ("en", False): "No further receipt came for {hours} hours; please see where this stands:\n"
    + _FACTS_EN,
}
