"""Going live at a port: what is ready, what live copies would have become, and is the way open.

Nothing here sends a declaration. The share of orders that we declare is ``ramp_percent`` of the
filing profile; the others are matched and held as a shadow (``flow.match``), so that whoever filed
before goes on filing them.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from sqlalchemy import Connection

from gateway.app.channels import open_channels
from gateway.app.config import ConfigError
from gateway.app.doctor import Health, Look, looks_at_settings, looks_at_store
from gateway.app.opening import Reader
from gateway.app.surroundings import SystemRng, ThreadExecutor
from gateway.domain.case import CaseKey, VerdictKind
from gateway.domain.codec import from_micros
from gateway.domain.course import COURSES
from gateway.domain.declaration import DeclarationKind, DeclarationState, Pinned
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import cop_no, record_guid
from gateway.domain.papers import Order, PaperKind, PaymentSlip, Waybill
from gateway.domain.profile import FiledBy, FilingProfile
from gateway.flow.clockwork import local_date
from gateway.ports import CaseDetail, CaseFilter, DeclarationInput, Regime, SendOutcome
from store.boxwork import inbox_has, inbox_since
from store.master import find_enterprise, list_mandates, missing_mandates

RAMP: Final = (5, 10, 50, 100)
"""The steps of a going live, in percent of the orders; 0 rolls back."""
_PAGE: Final = 100
_MOST_FAULTS: Final = 5
_POLL_S: Final = 0.3
_SECOND_US: Final = 1_000_000
_GENERAL: Final = frozenset(
    {"settings", "master key", "clock", "database", "database clock", "work"}
)


@dataclass(slots=True)
class Shadow:
    """What the newest cases of a profile would have become: counts, and why some would not go."""

    cases: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    built: Counter[str] = field(default_factory=Counter)
    unbuilt: list[str] = field(default_factory=list)
    skus: set[str] = field(default_factory=set)
    unknown_skus: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Readiness:
    """A report: every look, and the shadow; ``is_ready`` when no look is bad."""

    profile: FilingProfile
    looks: tuple[Look, ...]
    shadow: Shadow

    @property
    def is_ready(self) -> bool:
        """Whether nothing stands in the way."""
        return all(one.health is not Health.BAD for one in self.looks)


async def readiness(
    reader: Reader, regime: Regime, profile: FilingProfile, sample: int, *, loop_s: float | None
) -> Readiness:
    """The report of a profile over its newest ``sample`` cases.

    ``loop_s`` sends one message to the profile's own address and waits that many seconds for it.
    """
    now = reader.clock.now()
    wanted = _GENERAL | {
        f"channel {profile.channel}",
        f"signing key {profile.key_ring}",
        f"profile {profile.profile_id}",
    }
    looks = list(looks_at_settings(reader.settings, now))
    async with reader.access.read() as reading:
        looks += await reading.run_sync(lambda on: looks_at_store(on, reader))
        looks = [one for one in looks if one.subject in wanted or one.subject.startswith("disk")]
        looks += await reading.run_sync(lambda on: list(_codes(on, profile, now)))
    shadow = await _shadow(reader, regime, profile, sample, now)
    looks += [*_goods(shadow), *_live_copies(shadow)]
    if loop_s is not None:
        looks.append(await _loopback(reader, regime, profile, loop_s))
    return Readiness(profile, tuple(looks), shadow)


# --- codes ----------------------------------------------------------------------


def _codes(connection: Connection, profile: FilingProfile, now: int) -> Iterator[Look]:
    """The enterprises of a profile as this deployment registered them, and its mandates."""
    day = from_micros(now).date()
    parties = {
        "platform": profile.platform,
        "merchant": profile.merchant,
        "agent": profile.agent,
        "transfer": profile.transfer,
        "area": profile.area,
    }
    for path, party in parties.items():
        if party is None:
            continue
        known = find_enterprise(connection, party.code)
        subject = f"code of {path} {party.code}"
        if known is None:
            fix = (
                "`clearance enterprises put` with the registered name, then look again",
                "请用 `clearance enterprises put` 按注册名称登记后再查",
            )
            yield Look(
                subject,
                Health.WARN,
                ("is not registered here: nothing to compare with", "此处未登记，无从比对"),
                fix,
            )
        elif known.name != party.name:
            fix = ("correct the name in the profile or in the register", "请更正方案或登记中的名称")
            yield Look(
                subject, Health.BAD, ("is registered under another name", "登记名称不同"), fix
            )
        elif not _is_valid(known.valid_from, known.valid_to, day):
            yield Look(
                subject,
                Health.BAD,
                ("its registration is not valid today", "登记今日无效"),
                ("renew it", "请续期"),
            )
        else:
            yield Look(subject, Health.OK, ("is registered under this name", "登记名称一致"))
    if list_mandates(connection, profile.tenant):
        for path in missing_mandates(connection, profile, day):
            fix = ("`clearance mandates add`", "请用 `clearance mandates add` 添加")
            yield Look(
                f"mandate for {path}",
                Health.BAD,
                ("the tenant has none today", "该租户今日没有授权"),
                fix,
            )


def _is_valid(first: date | None, last: date | None, day: date) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)


# --- the shadow ---------------------------------------------------------------------------------


async def _shadow(
    reader: Reader, regime: Regime, profile: FilingProfile, sample: int, now: int
) -> Shadow:
    """Look at the newest cases; build what they would have declared, in memory only."""
    shadow = Shadow()
    wanted = CaseFilter(profile_id=profile.profile_id)
    after: str | None = None
    while shadow.cases < sample:
        size = min(_PAGE, sample - shadow.cases)
        page = await reader.reads.cases(profile.tenant, wanted, after, size)
        for row in page.items:
            detail = await reader.reads.case(profile.tenant, row.key.case_id)
            assert detail is not None
            _tally(shadow, reader, regime, profile, detail, now)
        after = page.after
        if after is None:
            break
    return shadow


def _tally(
    shadow: Shadow,
    reader: Reader,
    regime: Regime,
    profile: FilingProfile,
    detail: CaseDetail,
    now: int,
) -> None:
    shadow.cases += 1
    verdict = detail.state.verdict
    shadow.verdicts[verdict.kind.value if verdict else "none"] += 1
    if verdict is not None:
        shadow.rules.update({one.rule for one in verdict.findings})
    revision = detail.papers.get(PaperKind.ORDER)
    if revision is None or not isinstance(revision.paper, Order):
        return
    order = revision.paper
    skus = [line.sku for line in order.lines]
    day = local_date(now)
    goods = reader.cache.goods(profile.tenant, profile.goods_scope, skus, day)
    shadow.skus.update(skus)
    shadow.unknown_skus.update(set(skus) - set(goods))
    if verdict is not None and verdict.kind is VerdictKind.MATCHED and len(goods) == len(set(skus)):
        for kind in _kinds(profile):
            _build(shadow, regime, profile, detail, (kind, order, goods, now))


def _kinds(profile: FilingProfile) -> list[DeclarationKind]:
    """What we file under a profile."""
    course = COURSES[profile.direction]
    papers = course.papers.items()
    ours = [kind for paper, kind in papers if profile.filing(paper).filed_by is FiledBy.US]
    return [*ours, course.inventory]


def _build(
    shadow: Shadow,
    regime: Regime,
    profile: FilingProfile,
    detail: CaseDetail,
    what: tuple[DeclarationKind, Order, Mapping[str, GoodsRecord], int],
) -> None:
    kind, order, goods, now = what
    key: CaseKey = detail.row.key
    waybill, slip = (
        revision.paper if (revision := detail.papers.get(paper)) else None
        for paper in (PaperKind.WAYBILL, PaperKind.PAYMENT)
    )
    planned = DeclarationState(
        kind=kind,
        version=1,
        cop_no=cop_no(profile.cop_no_prefix, key.case_id, kind.value, 1),
        pinned=Pinned(profile.version),
        app_time=regime.app_time(now),
    )
    given = DeclarationInput(
        key=key,
        declaration=planned,
        guid=record_guid(key.case_id, kind.value, 1),
        profile=profile,
        order=order,
        waybill=waybill if isinstance(waybill, Waybill) else None,
        payment_transaction_id=slip.transaction_id if isinstance(slip, PaymentSlip) else None,
        payment=slip if isinstance(slip, PaymentSlip) else None,
        goods=goods,
    )
    built = regime.build(kind, given.guid, [given])
    shadow.built[kind.value] += not built.faults
    if built.faults:
        first = built.faults[0]
        shadow.unbuilt.append(f"{key.order_no} {kind.value}: {first.path}: {first.reason}")


def _goods(shadow: Shadow) -> Iterator[Look]:
    if not shadow.skus:
        yield Look(
            "goods records",
            Health.WARN,
            ("no order came in yet", "尚无订单"),
            ("take in live copies", "请接入实单副本"),
        )
        return
    known = len(shadow.skus) - len(shadow.unknown_skus)
    text = (
        f"{known} of {len(shadow.skus)} SKUs have a record valid today",
        f"{len(shadow.skus)} 个 SKU 中有 {known} 个今日有有效备案",
    )
    if shadow.unknown_skus:
        missing = ", ".join(sorted(shadow.unknown_skus)[:_MOST_FAULTS])
        fix = (
            f"`clearance goods put`; missing: {missing}",
            f"请用 `clearance goods put` 补录；缺少：{missing}",
        )
        yield Look("goods records", Health.BAD, text, fix)
    else:
        yield Look("goods records", Health.OK, text)


def _live_copies(shadow: Shadow) -> Iterator[Look]:
    matched = shadow.verdicts[VerdictKind.MATCHED.value]
    if not matched:
        fix = (
            "set ramp_percent = 0 and take in live copies: nothing is sent, everything is matched",
            "请设 ramp_percent = 0 并接入实单副本：只比对，不发送",
        )
        yield Look("live copies", Health.WARN, ("no case matched yet", "尚无案件比对一致"), fix)
        return
    built = ", ".join(f"{kind} {count}" for kind, count in sorted(shadow.built.items()))
    text = (
        f"{matched} of {shadow.cases} cases match; declarations built: {built}",
        f"{shadow.cases} 个案件中有 {matched} 个比对一致；已生成申报：{built}",
    )
    if shadow.unbuilt:
        some = "; ".join(shadow.unbuilt[:_MOST_FAULTS])
        yield Look(
            "live copies",
            Health.BAD,
            text,
            (
                f"{len(shadow.unbuilt)} cannot be built: {some}",
                f"{len(shadow.unbuilt)} 份无法生成：{some}",
            ),
        )
    else:
        yield Look("live copies", Health.OK, text)


# --- the way ------------------------------------------------------------------------------------


async def _loopback(reader: Reader, regime: Regime, profile: FilingProfile, loop_s: float) -> Look:
    subject = f"loopback over {profile.channel}"
    took_s = await send_loopback(reader, regime, profile, loop_s)
    if took_s is None:
        return Look(
            subject,
            Health.BAD,
            (
                f"what was sent to {profile.dxp_id} did not come back within {loop_s:g} s",
                f"发往 {profile.dxp_id} 的报文在 {loop_s:g} 秒内未返回",
            ),
            (
                "see that a gateway runs, that the transfer client takes files and that the DXP id "
                "is the client's own",
                "请确认网关在运行、传输客户端取走文件，且 DXP 编号属于该客户端",
            ),
        )
    return Look(subject, Health.OK, (f"came back after {took_s:.1f} s", f"{took_s:.1f} 秒后返回"))


async def send_loopback(
    reader: Reader, regime: Regime, profile: FilingProfile, loop_s: float
) -> float | None:
    """Send a message to the profile's own DXP id; the seconds until the running gateway received
    it, None when it did not come in time. Raises :class:`ConfigError`.
    """
    if profile.channel not in reader.settings.channels:
        raise ConfigError(
            f"channels.{profile.channel}: is not configured, and the profile uses it",
            "申报方案使用的通道未配置",
        )
    section = reader.settings.channels[profile.channel]
    settings = reader.settings.model_copy(update={"channels": {profile.channel: section}})
    started = reader.clock.now()
    loop_id = SystemRng().guid()
    envelope = regime.loopback(profile, loop_id, started)
    executor = ThreadExecutor(1)
    try:
        async with open_channels(settings, executor) as channels:
            channel = channels[profile.channel]
            sent = await channel.send(f"LOOPBACK_{loop_id}.xml", envelope)
            if sent is not SendOutcome.HANDED_OVER:
                return None
            if await _is_back(reader, profile.channel, envelope, loop_s):
                return (reader.clock.now() - started) / _SECOND_US
    finally:
        executor.close()
    came = await _came_in_another(reader, profile.channel, loop_id, started)
    return loop_s if came else None


async def _is_back(reader: Reader, channel: str, envelope: bytes, loop_s: float) -> bool:
    """Whether the running gateway receives exactly these bytes within so many seconds."""
    until = reader.clock.now() + int(loop_s * _SECOND_US)
    while reader.clock.now() < until:
        async with reader.access.read() as reading:
            if await reading.run_sync(lambda on: inbox_has(on, channel, envelope)):
                return True
        await asyncio.sleep(_POLL_S)
    return False


async def _came_in_another(reader: Reader, channel: str, loop_id: str, since: int) -> bool:
    """Whether it came in an envelope that the network made anew."""
    async with reader.access.read() as reading:
        bodies = await reading.run_sync(lambda on: inbox_since(on, reader.keys, channel, since))
    return any(loop_id.encode() in body for body in bodies)


def with_ramp(profile: FilingProfile, percent: int) -> FilingProfile:
    """The profile with another share of orders to declare."""
    return replace(profile, ramp_percent=percent)
