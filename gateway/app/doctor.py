"""The doctor: looks at a deployment from outside and says what to fix.

Each look is small and independent: one that cannot be taken is itself a finding, and the others go
on. Nothing is changed, no network is used but the database's, and nothing secret is told.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, make_url

from gateway.app.config import ConfigError, FolderSection, KeySection, Settings, refuse_stand_ins
from gateway.app.keyring import certificate_of
from gateway.app.master_key import read_master_key
from gateway.app.opening import Reader
from gateway.app.told import Words
from gateway.domain.codec import from_micros
from gateway.domain.papers import PaperKind
from gateway.domain.profile import ConfirmedBy
from signing import Certificate, KeyKind
from store.aside_keys import load_aside
from store.boxwork import queues
from store.master import find_enterprise, load_profiles, profile_of_doc
from store.pauses import load_pauses
from store.wellness import wellness

_GIB: Final = 1024**3
_LOW_BYTES: Final = 5 * _GIB
_NO_BYTES: Final = _GIB
_SECOND_US: Final = 1_000_000
_DAY_US: Final = 24 * 3600 * _SECOND_US
_CLOCK_US: Final = 5 * _SECOND_US
_LATE_US: Final = 120 * _SECOND_US
_UNREAD_US: Final = 600 * _SECOND_US
_OLD_BITS: Final = 2048
_SOON: Final = timedelta(days=60)
_NOW_OR_NEVER: Final = timedelta(days=7)
_BUILT: Final = 1_735_689_600 * _SECOND_US  # 2025: no clock that is right shows less.


class Health(StrEnum):
    """How one thing stands: well, soon not, or not."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found: its subject, how it stands, what is so, and what to do about it."""

    subject: str
    health: Health
    text: Words
    fix: Words = ("", "")


def looks_at_settings(settings: Settings, now: int) -> Iterator[Look]:
    """Settings, keys, clock, folders and disk: what needs no database."""
    yield from _stand_ins(settings)
    yield _master_key(settings)
    yield from _certificates(settings, from_micros(now))
    yield _clock(now)
    yield from _folders(settings, now)
    yield from _disk(settings)


def _stand_ins(settings: Settings) -> Iterator[Look]:
    try:
        refuse_stand_ins(settings)
    except ConfigError as error:
        yield Look(
            "settings",
            Health.BAD,
            error.words,
            ("change the settings named above", "请更改上述设置"),
        )
        return
    if settings.environment == "production":
        yield Look("settings", Health.OK, ("fit for production", "适合生产环境"))
    else:
        yield Look(
            "settings",
            Health.WARN,
            (
                f"environment is {settings.environment}: stand-ins and private "
                "webhooks are allowed",
                f"环境为 {settings.environment}：允许替身与内网 webhook",
            ),
            (
                'set environment = "production" before filing with customs',
                '向海关申报前请设置 environment = "production"',
            ),
        )


def _master_key(settings: Settings) -> Look:
    try:
        read_master_key(settings.store.master_key_file)
    except ConfigError as error:
        return Look(
            "master key",
            Health.BAD,
            error.words,
            ("see store.master_key_file", "见 store.master_key_file"),
        )
    return Look(
        "master key", Health.OK, ("is there, and nobody else may read it", "文件存在，他人不可读")
    )


def _certificates(settings: Settings, now: datetime) -> Iterator[Look]:
    if not settings.keys:
        yield Look(
            "signing keys",
            Health.BAD,
            ("none is configured", "尚未配置"),
            ("add a [keys.<ring>] with its file", "请添加 [keys.<ring>] 及其文件"),
        )
    for ring, section in settings.keys.items():
        subject = f"signing key {ring}"
        try:
            certificate = certificate_of(ring, section)
        except ConfigError as error:
            yield Look(
                subject,
                Health.BAD,
                error.words,
                (f"see keys.{ring} in the settings", f"见设置中的 keys.{ring}"),
            )
            continue
        if certificate is None:
            yield Look(
                subject,
                Health.WARN,
                ("its device alone knows its certificate", "只有设备知道其证书"),
                (
                    f"set keys.{ring}.certificate_file, and see `clearance keys check`",
                    f"请设置 keys.{ring}.certificate_file，并见 `clearance keys check`",
                ),
            )
            continue
        if certificate.key_kind is KeyKind.RSA and certificate.key_bits < _OLD_BITS:
            yield Look(
                subject,
                Health.WARN,
                (
                    f"has {certificate.key_bits} bits, as old UKeys do",
                    f"只有 {certificate.key_bits} 位，如旧 UKey",
                ),
                ("ask the issuer for a newer key", "请向发证机构申请新密钥"),
            )
        yield _validity(subject, certificate, now)


def _validity(subject: str, certificate: Certificate, now: datetime) -> Look:
    """How long a certificate is still good for."""
    left = certificate.not_after - now
    until = (
        f"valid until {certificate.not_after:%Y-%m-%d}",
        f"有效期至 {certificate.not_after:%Y-%m-%d}",
    )
    fix = ("apply for a new certificate, then replace the file", "请申请新证书并替换文件")
    if now < certificate.not_before:
        return Look(
            subject,
            Health.BAD,
            ("is not valid yet", "尚未生效"),
            ("check the clock", "请检查时钟"),
        )
    if left <= timedelta():
        return Look(
            subject,
            Health.BAD,
            (
                f"ended on {certificate.not_after:%Y-%m-%d}",
                f"已于 {certificate.not_after:%Y-%m-%d} 到期",
            ),
            fix,
        )
    if left <= _SOON:
        health = Health.BAD if left <= _NOW_OR_NEVER else Health.WARN
        en, zh = until
        return Look(
            subject, health, (f"{en}: {left.days} days left", f"{zh}：还剩 {left.days} 天"), fix
        )
    return Look(subject, Health.OK, until)


def _clock(now: int) -> Look:
    if now < _BUILT:
        return Look(
            "clock",
            Health.BAD,
            (f"shows {from_micros(now):%Y-%m-%d}", f"显示 {from_micros(now):%Y-%m-%d}"),
            ("set it, run NTP", "请校时并启用 NTP"),
        )
    return Look(
        "clock",
        Health.OK,
        (
            f"shows {from_micros(now):%Y-%m-%d %H:%M:%S} UTC",
            f"显示 {from_micros(now):%Y-%m-%d %H:%M:%S} UTC",
        ),
    )


def _folders(settings: Settings, now: int) -> Iterator[Look]:
    if not settings.channels:
        yield Look(
            "channels",
            Health.BAD,
            ("none is configured", "尚未配置"),
            ("add a [channels.<name>] with its folders", "请添加 [channels.<name>] 及其目录"),
        )
    for name, channel in settings.channels.items():
        if not isinstance(channel, FolderSection):
            text = (
                f"{channel.kind}: not asked from here; a gateway that runs measures it",
                f"{channel.kind}：此处不探测，由运行中的网关测量",
            )
            yield Look(f"channel {name}", Health.OK, text)
            continue
        named = (channel.send, channel.receive, channel.done, channel.error)
        bad = [folder for folder in named if folder is not None and not _is_writable(folder)]
        if bad:
            listed = ", ".join(map(str, bad))
            fix = ("make them, or let this user write there", "请创建目录，或授予本用户写权限")
            yield Look(
                f"channel {name}", Health.BAD, (f"not writable: {listed}", f"不可写：{listed}"), fix
            )
        else:
            yield Look(
                f"channel {name}",
                Health.OK,
                ("its folders are there and writable", "目录齐备且可写"),
            )
        if channel.error is not None and (number := _files_in(channel.error)):
            yield Look(
                f"error folder of channel {name}",
                Health.WARN,
                (
                    f"{number} file(s) in {channel.error} were too large to be read",
                    f"{channel.error} 中有 {number} 个文件过大，未能读取",
                ),
                (
                    "have the transfer client's operator look at them, then move or delete them",
                    "请传输客户端的操作员查看后移走或删除",
                ),
            )
        if number := _unread_in(channel.receive, now):
            yield Look(
                f"receive folder of channel {name}",
                Health.WARN,
                (
                    f"{number} file(s) have lain in {channel.receive} for 10 minutes",
                    f"{channel.receive} 中有 {number} 个文件已滞留 10 分钟",
                ),
                (
                    "run `clearance serve`; rename what its writer left as .tmp or hidden, let "
                    "this user read the rest, remove links; see that read files can go to the done "
                    "folder",
                    "请运行 `clearance serve`；写入方遗留的 .tmp 或隐藏文件请改名，其余请授予本用户"
                    "读权限，链接请删除；并确认已读文件可移入 done 目录",
                ),
            )


def _files_in(folder: Path) -> int:
    """How many files a folder holds; none where it cannot be read, which another look tells."""
    try:
        return sum(1 for entry in os.scandir(folder) if entry.is_file(follow_symlinks=False))
    except OSError:
        return 0


def _unread_in(folder: Path, now: int) -> int:
    """How many files have lain in a receive folder for long, whatever keeps them there.

    A client that died leaves a receipt under its temporary name, and one with other rights writes
    files that nobody else may open: neither is ever read, and nothing else tells of it. What was
    read and cannot be moved away lies there too.
    """
    number = 0
    with suppress(OSError):
        for entry in os.scandir(folder):
            with suppress(OSError):
                changed_us = entry.stat(follow_symlinks=False).st_mtime_ns // 1000
                is_old = changed_us < now - _UNREAD_US
                number += is_old and not entry.is_dir(follow_symlinks=False)
    return number


def _is_writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)


def _disk(settings: Settings) -> Iterator[Look]:
    url = make_url(settings.store.url)
    folders = [one for one in settings.channels.values() if isinstance(one, FolderSection)]
    named = [place for one in folders for place in (one.send, one.receive, one.done, one.error)]
    places = {place for place in named if place is not None}
    if url.get_backend_name() == "sqlite" and url.database:
        places.add(Path(url.database).parent)
    seen: set[int] = set()
    for place in sorted(places):
        if not place.is_dir() or (device := place.stat().st_dev) in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(place).free
        health = Health.BAD if free < _NO_BYTES else Health.WARN if free < _LOW_BYTES else Health.OK
        fix = (
            ("", "")
            if health is Health.OK
            else ("free some space, or move the database", "请腾出空间，或迁移数据库")
        )
        yield Look(
            f"disk of {place}",
            health,
            (f"{free / _GIB:.1f} GiB free", f"剩余 {free / _GIB:.1f} GiB"),
            fix,
        )


# --- with the database --------------------------------------------------------------------------


def looks_at_store(connection: Connection, reader: Reader) -> list[Look]:
    """Clock against the database's, work left lying, keys, profiles, pauses."""
    now = reader.clock.now()
    looks: Sequence[Callable[[], Iterator[Look]]] = (
        lambda: _clocks(connection, now),
        lambda: _work(connection, now),
        lambda: _profiles(connection, reader.settings),
        lambda: _partners(connection, reader.settings),
        lambda: _rings(connection, reader.settings),
        lambda: _pauses(connection),
        lambda: _aside_keys(connection, reader.settings),
    )
    return [
        Look(
            "database",
            Health.OK,
            (
                "opens with this master key and has this program's schema",
                "可用此主密钥打开，版本与程序相符",
            ),
        ),
        *(found for look in looks for found in look()),
    ]


def _clocks(connection: Connection, now: int) -> Iterator[Look]:
    found = wellness(connection, now, now + 30 * _DAY_US)
    if found.apart_us > _CLOCK_US:
        yield Look(
            "database clock",
            Health.BAD,
            (
                f"{found.apart_us // _SECOND_US} s from ours",
                f"与本机相差 {found.apart_us // _SECOND_US} 秒",
            ),
            ("run NTP on both machines", "请在两台机器上启用 NTP"),
        )
    if found.newest is not None and found.newest > now + 60 * _SECOND_US:
        yield Look(
            "clock",
            Health.BAD,
            ("history was written at a later time than now", "历史记录的时间晚于现在"),
            ("set it, run NTP", "请校时并启用 NTP"),
        )
    if found.keys_ending:
        yield Look(
            "API keys",
            Health.WARN,
            (f"{found.keys_ending} end within 30 days", f"{found.keys_ending} 个将在 30 天内到期"),
            (
                "`clearance api-keys rotate`, and give the new token to its owner",
                "请用 `clearance api-keys rotate` 轮换，并将新令牌交给其持有者",
            ),
        )


def _work(connection: Connection, now: int) -> Iterator[Look]:
    found = queues(connection, now)
    late_s = found.late_us // _SECOND_US
    if found.late_us > _LATE_US:
        yield Look(
            "work",
            Health.BAD,
            (
                f"{sum(found.due.values())} effects are due, the oldest for {late_s} s",
                f"有 {sum(found.due.values())} 项工作到期未做，最久 {late_s} 秒",
            ),
            (
                "start `clearance serve` or a worker; see `clearance outbox counts`",
                "请启动 `clearance serve` 或 worker；见 `clearance outbox counts`",
            ),
        )
    else:
        yield Look(
            "work",
            Health.OK,
            (
                f"{found.open_cases} open cases, nothing is late",
                f"{found.open_cases} 个未结案件，无逾期",
            ),
        )
    waiting = sum(found.parked.values())
    if waiting:
        yield Look(
            "parked",
            Health.WARN,
            (f"{waiting} wait for a person", f"{waiting} 项待人工处理"),
            ("`clearance parked`", "见 `clearance parked`"),
        )
    if found.endpoints_off:
        yield Look(
            "endpoints",
            Health.WARN,
            (f"{found.endpoints_off} switched off", f"{found.endpoints_off} 个已停用"),
            (
                "`clearance endpoints list`, then enable them and replay",
                "见 `clearance endpoints list`，启用后重发",
            ),
        )


def _profiles(connection: Connection, settings: Settings) -> Iterator[Look]:
    newest = {
        profile_id: profile_of_doc(doc, version)
        for profile_id, version, _, doc in load_profiles(connection)
    }
    for profile_id, profile in newest.items():
        if profile.channel not in settings.channels:
            yield Look(
                f"profile {profile_id}",
                Health.BAD,
                (
                    f"names the channel {profile.channel!r}, which is not configured",
                    f"使用通道 {profile.channel!r}，但未配置",
                ),
                (
                    f"add [channels.{profile.channel}] or change the profile",
                    f"请添加 [channels.{profile.channel}] 或更改方案",
                ),
            )
        if profile.key_ring not in {one.ring or name for name, one in settings.keys.items()}:
            yield Look(
                f"profile {profile_id}",
                Health.BAD,
                (
                    f"names the key ring {profile.key_ring!r}, which is not configured",
                    f"使用密钥环 {profile.key_ring!r}，但未配置",
                ),
                (
                    f"add [keys.{profile.key_ring}] or change the profile",
                    f"请添加 [keys.{profile.key_ring}] 或更改方案",
                ),
            )


def _partners(connection: Connection, settings: Settings) -> Iterator[Look]:
    """Whether somebody serves what a profile leaves to partners' APIs: else its cases wait."""
    sections = (
        (PaperKind.PAYMENT, "payments", settings.payments),
        (PaperKind.WAYBILL, "carriers", settings.carriers),
    )
    newest = {one: profile_of_doc(doc, at) for one, at, _, doc in load_profiles(connection)}
    for profile_id, profile in newest.items():
        for kind, name, accounts in sections:
            if profile.filing(kind).confirmed_by is not ConfirmedBy.API:
                continue
            place = (profile.tenant, profile_id)
            served = {a.company for a in accounts.values() if (a.tenant, a.profile) == place}
            companies = profile.payment_companies if kind is PaperKind.PAYMENT else ()
            lacking = [one.code for one in companies if one.code not in served]
            if served and not lacking:
                continue
            of = f" of {', '.join(lacking)}" if lacking else ""
            yield Look(
                f"profile {profile_id}",
                Health.WARN,
                (
                    f"asks for each {kind.value}{of} to be confirmed by API, and no partner "
                    "serves it",
                    f"要求以 API 确认 {kind.value}{of}，但没有合作方提供",
                ),
                (
                    f"add [{name}.<name>] with this tenant and profile, or change confirmed_by",
                    f"请添加该租户与方案的 [{name}.<name>]，或更改 confirmed_by",
                ),
            )


def _rings(connection: Connection, settings: Settings) -> Iterator[Look]:
    """Whether the keys of each profile's ring belong to the enterprises that it signs for."""
    owners = {name: _owners(name, section) for name, section in settings.keys.items()}
    newest = {one: profile_of_doc(doc, at) for one, at, _, doc in load_profiles(connection)}
    for profile_id, profile in newest.items():
        members = [n for n, one in settings.keys.items() if (one.ring or n) == profile.key_ring]
        for role, party in (("agent", profile.agent), ("transfer", profile.transfer)):
            found = find_enterprise(connection, party.code)
            codes = {party.code, *((found.code, found.social_credit_code) if found else ())}
            known = [name for name in members if owners[name]]
            if any(not owners[name].isdisjoint(codes) for name in known):
                continue
            if known and len(known) == len(members):
                yield Look(
                    f"profile {profile_id}",
                    Health.BAD,
                    (
                        f"its key ring {profile.key_ring!r} has no key of its {role} {party.code}",
                        f"密钥环 {profile.key_ring!r} 中没有 {role} {party.code} 的密钥",
                    ),
                    (
                        f"import its key into that ring, or correct keys.{known[0]}.enterprise",
                        f"请将其密钥导入该环，或更正 keys.{known[0]}.enterprise",
                    ),
                )
    for name, owner in owners.items():
        if not owner and settings.environment == "production":
            yield Look(
                f"signing key {name}",
                Health.WARN,
                (
                    "nobody says whose it is: its certificate names no enterprise",
                    "不知属于谁：证书未载明企业",
                ),
                (
                    f"set keys.{name}.enterprise to the customs code and the social credit code",
                    f"请将 keys.{name}.enterprise 设为海关编码与统一社会信用代码",
                ),
            )


def _owners(name: str, section: KeySection) -> frozenset[str]:
    """The codes of a key's enterprise: as the settings say, else as its certificate does."""
    if section.enterprise:
        return section.enterprise
    with suppress(ConfigError):
        certificate = certificate_of(name, section)
        return frozenset() if certificate is None else certificate.enterprise_codes()
    return frozenset()


def _pauses(connection: Connection) -> Iterator[Look]:
    for pause in load_pauses(connection).values():
        yield Look(
            f"channel {pause.channel}",
            Health.WARN,
            (
                f"paused since {from_micros(pause.at):%Y-%m-%d %H:%M} UTC: {pause.reason}",
                f"自 {from_micros(pause.at):%Y-%m-%d %H:%M} UTC 起暂停：{pause.reason}",
            ),
            (
                f"settle the reason, then `clearance channels resume {pause.channel}`",
                f"处理原因后执行 `clearance channels resume {pause.channel}`",
            ),
        )


def _aside_keys(connection: Connection, settings: Settings) -> Iterator[Look]:
    names: dict[str, str] = {}
    for name, section in settings.keys.items():
        with suppress(ConfigError):
            certificate = certificate_of(name, section)
            if certificate is not None:
                names[certificate.serial] = name
    for one in load_aside(connection).values():
        name = names.get(one.serial, one.serial)
        yield Look(
            f"signing key {name}",
            Health.BAD,
            (
                f"set aside since {from_micros(one.at):%Y-%m-%d %H:%M} UTC: its signatures were "
                f"refused ({one.reason})",
                f"自 {from_micros(one.at):%Y-%m-%d %H:%M} UTC 起停用：其签名被拒（{one.reason}）",
            ),
            (
                f"settle that with customs, then `clearance keys readmit {name}`, or rotate",
                f"与海关处理后执行 `clearance keys readmit {name}`，或轮换密钥",
            ),
        )
