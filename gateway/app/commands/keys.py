"""Signing keys and the master key: made, imported, listed, checked, rotated."""

import getpass
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer
from sqlalchemy import make_url

from gateway.app.beginning import write_private, write_signing_key
from gateway.app.commands.frame import (
    Failed,
    JSONOption,
    Unusable,
    common,
    emit,
    out,
    run,
    sentence,
    show_table,
    warn,
)
from gateway.app.commands.frame import at as at_text
from gateway.app.config import (
    ConfigError,
    KeySection,
    Settings,
    settings_path,
)
from gateway.app.keyring import certificate_of, open_key
from gateway.app.master_key import make_master_key
from gateway.app.opening import open_office, open_reading
from gateway.app.settings_file import add_section, set_values
from gateway.app.surroundings import SystemClock, SystemRng
from gateway.domain.codec import from_micros
from gateway.ports.aside_keys import AsideKey
from signing import (
    Certificate,
    KeyKind,
    SigningError,
    dxp_profile_for,
    facts_of,
    load_file,
    sign,
    verify_own,
)
from signing.errors import KeyDoubted
from signing.profiles import DXP_NAMESPACE
from signing.ring import days_left, forecast, probe
from store.aside_keys import load_aside

_OVERLAP_DAYS = 7


def new(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The PEM file / PEM 文件")],
    *,
    subject: Annotated[
        str, typer.Option(help="Common name of the certificate / 证书名称")
    ] = "Clearance development",
    kind: Annotated[Literal["rsa", "sm2"], typer.Option(help="Kind of key / 密钥类型")] = "rsa",
    days: Annotated[int, typer.Option(min=1, max=3650, help="Validity / 有效天数")] = 365,
    bits: Annotated[int, typer.Option(help="1024 or 2048, of RSA / RSA 位数")] = 2048,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="Encrypt it with this file's text / 口令文件")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Make a development signing key that nobody trusts / 生成开发用签名密钥"""
    write_signing_key(
        path,
        subject=subject,
        rng=SystemRng(),
        now=SystemClock().now(),
        days=days,
        bits=bits,
        kind=KeyKind(kind),
        passphrase=_phrase(passphrase_file),
    )
    if json:
        emit({"signing_key_file": str(path)})
    else:
        out().print(f"development signing key written to {path}", markup=False)
    warn("customs does not know this certificate; it is for development only / 仅供开发使用")


def import_key(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="PEM or PKCS#12 / 密钥文件")],
    *,
    name: Annotated[str, typer.Option(help="Its name from now on / 密钥名称")],
    ring: Annotated[str | None, typer.Option(help="Its key ring / 密钥环")] = None,
    enterprise: Annotated[
        list[str] | None, typer.Option(help="Codes of its enterprise / 企业代码")
    ] = None,
    passphrase_file: Annotated[
        Path | None, typer.Option(help="File with its passphrase / 口令文件")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Take a key file into the deployment and its settings / 导入签名密钥

    The file is copied beside the settings, readable by this user only; its passphrase file stays
    where it is. Processes that run on these settings take the key within seconds.
    """
    settings_file = settings_path(common(context).config)
    key = load_file(file, name=name, passphrase=_phrase(passphrase_file))
    target = settings_file.parent / "keys" / f"{name}{file.suffix or '.pem'}"
    target.parent.mkdir(mode=0o700, exist_ok=True)
    write_private(target, file.read_bytes())
    values: dict[str, object] = {"file": f"keys/{target.name}"}
    if ring is not None:
        values["ring"] = ring
    if enterprise:
        values["enterprise"] = enterprise
    if passphrase_file is not None:
        values["passphrase_file"] = str(passphrase_file.resolve())
    try:
        add_section(settings_file, "keys", name, values)
    except ConfigError:
        target.unlink()
        raise
    facts = facts_of(key.certificate)
    if json:
        emit({"key": name, "file": str(target), "serial": facts.serial})
    else:
        out().print(f"key {name} ({facts.serial}) is in {settings_file}", markup=False)
    for text in _warnings(key.certificate, datetime.now(UTC)):
        warn(text)


def listing(context: typer.Context, *, json: JSONOption = False) -> None:
    """List the signing keys of the settings; no device is asked / 列出签名密钥"""
    settings = common(context).settings()
    now = from_micros(SystemClock().now())
    docs = [_doc(name, section, now) for name, section in settings.keys.items()]
    if json:
        emit({"keys": docs})
        return
    columns = ("name", "ring", "kind", "key", "serial", "ends", "days_left", "problem")
    show_table(
        "签名密钥 Signing keys",
        ("名称 name", "密钥环 ring", "介质 kind", "算法 key", "证书号 serial", "到期 ends",
         "剩余天数 days", "问题 problem"),
        [[doc[column] for column in columns] for doc in docs],
    )  # fmt: skip


def _doc(name: str, section: KeySection, now: datetime) -> dict[str, object]:
    doc: dict[str, object] = {
        "name": name,
        "ring": section.ring or name,
        "kind": section.kind,
        "key": None,
        "serial": None,
        "ends": None,
        "days_left": None,
        "enterprise": sorted(section.enterprise),
        "use_from": None if section.use_from is None else section.use_from.isoformat(),
        "use_until": None if section.use_until is None else section.use_until.isoformat(),
        "problem": None,
    }
    try:
        certificate = certificate_of(name, section)
    except ConfigError as error:
        return {**doc, "problem": str(error)}
    if certificate is None:
        return {**doc, "problem": "its device alone knows its certificate"}
    facts = facts_of(certificate)
    return {
        **doc,
        "key": f"{facts.key_kind} {facts.key_bits}",
        "serial": facts.serial,
        "ends": f"{facts.not_after:%Y-%m-%d}",
        "days_left": days_left(certificate, now),
    }


@dataclass(frozen=True, slots=True)
class _Checked:
    """What became of one key's check."""

    name: str
    ring: str
    is_well: bool
    text: str
    code: str
    signed_ms: int | None
    warnings: tuple[str, ...]
    serial: str | None = None


def check(
    context: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY]...", help="Only these / 指定密钥")
    ] = None,
    *,
    json: JSONOption = False,
) -> None:
    """Have every key sign a probe, and say what is wrong / 检查签名密钥

    Opens devices and sends their PIN once; a PIN that a device refused is not sent again before its
    file was changed. A key that customs' answers set aside is told with its way back: settle the
    cause, then `clearance keys readmit`. Exit code 1 when a key cannot sign.
    """
    settings = common(context).settings()
    chosen = _chosen(settings, names or [])
    aside = run(_aside(settings)) if _has_store(settings) else {}
    found = [_doubted(_checked(name, section), aside) for name, section in chosen]
    if json:
        emit({"keys": [_checked_doc(one) for one in found]})
    else:
        show_table(
            "签名密钥检查 Signing keys",
            ("名称 name", "密钥环 ring", "状态 state", "毫秒 ms", "说明 finding"),
            [
                (
                    one.name,
                    one.ring,
                    "ok" if one.is_well else f"BAD {one.code}",
                    one.signed_ms,
                    "; ".join((one.text, *one.warnings)),
                )
                for one in found
            ],
        )
    bad = [one.name for one in found if not one.is_well]
    if bad:
        raise Failed(
            f"{len(bad)} of {len(found)} keys cannot sign: {', '.join(bad)}",
            f"{len(found)} 个密钥中有 {len(bad)} 个无法签名",
        )


def _chosen(settings: Settings, names: Sequence[str]) -> list[tuple[str, KeySection]]:
    unknown = [name for name in names if name not in settings.keys]
    if unknown:
        raise Unusable(
            f"there is no key {unknown[0]!r} in the settings; see `clearance keys list`",
            f"设置中没有密钥 {unknown[0]!r}；见 `clearance keys list`",
        )
    return [(name, one) for name, one in settings.keys.items() if not names or name in names]


def _checked(name: str, section: KeySection) -> _Checked:
    ring = section.ring or name
    try:
        key = open_key(name, section)
    except ConfigError as error:
        cause = error.__cause__
        code = cause.code if isinstance(cause, SigningError) else "settings"
        return _Checked(name, ring, False, sentence(error), code, None, ())
    now = datetime.now(UTC)
    started = time.perf_counter_ns()
    try:
        probe(key)
    except SigningError as error:
        return _Checked(name, ring, False, sentence(error), error.code, None, ())
    finally:
        if callable(close := getattr(key, "close", None)):
            close()
    took_ms = (time.perf_counter_ns() - started) // 1_000_000
    certificate = key.certificate
    warnings = tuple(_warnings(certificate, now))
    if not certificate.is_valid_at(now):
        side = "ended" if now > certificate.not_after else "is not valid yet: check the clock"
        return _Checked(
            name,
            ring,
            False,
            f"certificate {side} / 证书不在有效期内，请检查系统时间或轮换",
            "SIGN-223",
            took_ms,
            warnings,
        )
    text = f"signs; {certificate.serial}, until {certificate.not_after:%Y-%m-%d}"
    return _Checked(name, ring, True, text, "", took_ms, warnings, certificate.serial)


def _has_store(settings: Settings) -> bool:
    """Whether there is a database to ask: keys may be checked before it is made."""
    url = make_url(settings.store.url)
    if not settings.store.master_key_file.exists():
        return False
    return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()


async def _aside(settings: Settings) -> Mapping[str, AsideKey]:
    async with open_reading(settings) as reader, reader.access.read() as reading:
        return await reading.run_sync(load_aside)


def _doubted(one: _Checked, aside: Mapping[str, AsideKey]) -> _Checked:
    """The same key, told to be set aside where customs refuses what it signs."""
    found = aside.get(one.serial or "")
    if found is None:
        return one
    text = (
        f"set aside since {at_text(found.at)}: its signatures were refused ({found.reason}); "
        f"settle that with customs, then `clearance keys readmit {one.name}` "
        "/ 签名被拒，密钥已停用，处理后执行 readmit 恢复"
    )
    return replace(one, is_well=False, text=text, code=KeyDoubted.code)


def readmit(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="KEY", help="Its name / 密钥名称")],
    *,
    json: JSONOption = False,
) -> None:
    """Let a key sign again that customs' answers set aside / 恢复被停用的签名密钥

    What waits for it goes again within a minute. Answers about what it signed before this moment
    set it aside no more.
    """
    settings = common(context).settings()
    ((_, section),) = _chosen(settings, [name])
    certificate = certificate_of(name, section) or open_key(name, section).certificate
    if not run(_readmit(settings, certificate.serial)):
        raise Unusable(
            f"the key {name!r} is not set aside; see `clearance keys check`",
            f"密钥 {name!r} 未被停用；见 `clearance keys check`",
        )
    if json:
        emit({"key": name, "serial": certificate.serial, "aside": False})
    else:
        out().print(f"key {name} signs again", markup=False)


async def _readmit(settings: Settings, serial: str) -> bool:
    async with open_office(settings) as office:
        return await office.aside_keys.readmit(serial, getpass.getuser())


def _warnings(certificate: Certificate, now: datetime) -> Iterator[str]:
    facts = facts_of(certificate)
    if "key-1024-bit" in facts.warnings:
        yield "1024-bit key, as in old UKeys; ask for a newer one / 1024 位旧密钥，请更换"
    if "key-usage" in facts.warnings:
        yield "its certificate does not name signing among its uses / 证书用途不含签名"
    if forecast(certificate, now) is not None:
        yield f"ends in {days_left(certificate, now)} days / 证书即将到期"


def _checked_doc(one: _Checked) -> dict[str, object]:
    return {
        "key": one.name,
        "ring": one.ring,
        "well": one.is_well,
        "finding": one.text,
        "code": one.code or None,
        "signed_ms": one.signed_ms,
        "warnings": list(one.warnings),
    }


def rotate(
    context: typer.Context,
    old: Annotated[str, typer.Argument(metavar="KEY", help="The key that goes / 旧密钥")],
    *,
    to: Annotated[str, typer.Option(help="The key that comes, already imported / 新密钥")],
    at: Annotated[
        datetime | None, typer.Option(help="From when the new one signs; now / 启用时间（UTC）")
    ] = None,
    overlap_days: Annotated[
        int, typer.Option(min=0, max=90, help="Days in which both sign / 并行天数")
    ] = _OVERLAP_DAYS,
    json: JSONOption = False,
) -> None:
    """Let a new key take over a ring, both signing for some days / 轮换签名密钥（新旧并行）

    The new key may be of another kind: from RSA to SM2 this way. What the old one signed stays
    verifiable while it is in the settings.
    """
    settings = common(context).settings()
    (_, old_section), (_, new_section) = (_chosen(settings, [name])[0] for name in (old, to))
    if old == to:
        raise Unusable(
            "a key cannot take over from itself; name the new one with --to",
            "密钥不能接替自己；请用 --to 指明新密钥",
        )
    certificate = certificate_of(to, new_section)
    start = (at or datetime.now(UTC)).replace(tzinfo=UTC, microsecond=0)
    end = start + timedelta(days=overlap_days)
    if certificate is not None and not certificate.is_valid_at(max(start, datetime.now(UTC))):
        raise Unusable(
            f"the certificate of {to!r} is not valid then; see `clearance keys check`",
            f"{to!r} 的证书届时无效；见 `clearance keys check`",
        )
    path = settings_path(common(context).config)
    ring = old_section.ring or old
    set_values(path, "keys", to, {"ring": ring, "use_from": start})
    set_values(path, "keys", old, {"ring": ring, "use_until": max(end, start)})
    if json:
        emit({"ring": ring, "from": start.isoformat(), "until": end.isoformat()})
    else:
        out().print(
            f"{to} signs for {ring} from {start:%Y-%m-%d %H:%M} UTC, "
            f"{old} until {end:%Y-%m-%d %H:%M} UTC; processes that run take it within seconds",
            markup=False,
        )


def sign_file(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An XML message / 报文")],
    *,
    key: Annotated[str, typer.Option(help="Name of the key / 密钥名称")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; else stdout / 输出文件")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Sign a message with one key; its other bytes stay as they are / 用指定密钥签名报文

    A CEB message by its profile, a DxpMsg by the envelope's. The result is verified before it is
    written.
    """
    if json and output is None:
        raise Unusable(
            "with --json the signed message needs a file of its own; give --output",
            "使用 --json 时签名后的报文须另存文件；请给出 --output",
        )
    document = file.read_bytes()
    ((name, section),) = _chosen(common(context).settings(), [key])
    opened = open_key(name, section)
    try:
        is_dxp = DXP_NAMESPACE.encode() in document[: document.find(b">", 64) + 1]
        profile = dxp_profile_for(opened.certificate) if is_dxp else None
        signed = sign(document, opened, profile, any_root=is_dxp)
        verify_own(signed, opened)
    finally:
        if callable(close := getattr(opened, "close", None)):
            close()
    if output is None:
        typer.echo(signed.content, nl=False)
    else:
        write_private(output, signed.content, mode=0o640)
    if json:
        emit({"output": str(output), "key_name": signed.key_name, "profile": signed.profile.name})
    else:
        warn(f"signed by {signed.key_name}, {signed.profile.name}")


def master(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Where / 文件")],
    *,
    json: JSONOption = False,
) -> None:
    """Make a master key file; never overwrites one / 生成主密钥文件"""
    make_master_key(path, SystemRng())
    if json:
        emit({"master_key_file": str(path)})
    else:
        out().print(f"master key written to {path}", markup=False)
    warn("keep a copy elsewhere: without it nothing can be read / 请另行备份，丢失后数据无法解密")


def _phrase(path: Path | None) -> bytes | None:
    if path is None:
        return None
    phrase = path.read_bytes().strip()
    if not phrase:
        raise Unusable(f"{path}: is empty; write the passphrase into it", "文件为空，请写入口令")
    return phrase


def group() -> typer.Typer:
    """The command group ``clearance keys``."""
    made = typer.Typer(
        name="keys", no_args_is_help=True, help="Signing keys and the master key / 签名密钥与主密钥"
    )
    made.command("new")(new)
    made.command("import")(import_key)
    made.command("list")(listing)
    made.command("check")(check)
    made.command("readmit")(readmit)
    made.command("rotate")(rotate)
    made.command("master")(master)
    return made
