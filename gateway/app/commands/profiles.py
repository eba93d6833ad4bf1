"""Filing profiles: what the declarations of a tenant at one port have in common."""

from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Connection

from gateway.api.faults import Fault
from gateway.app.commands.frame import (
    EXIT_UNUSABLE,
    JSONOption,
    TenantOption,
    Unusable,
    common,
    complain,
    emit,
    out,
    run,
    show_table,
    warn,
)
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.opening import Office, open_office, open_reading
from gateway.app.profile_file import ProfileFaulty, read_profile
from gateway.domain.codec import from_micros, to_doc
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.profile import Enterprise, FilingProfile
from store.master import find_enterprise, list_mandates, missing_mandates


def listing(context: typer.Context, *, tenant: TenantOption, json: JSONOption = False) -> None:
    """List the filing profiles of a tenant / 列出申报方案"""
    found = run(_load(common(context).settings(), tenant))
    if json:
        emit({"profiles": [to_doc(one) for one in found]})
        return
    show_table(
        "申报方案 Filing profiles",
        (
            "id",
            "版本 version",
            "模式 mode",
            "关区 customs",
            "口岸 port",
            "平台 platform",
            "商家 merchant",
        ),
        [
            (
                one.profile_id,
                one.version,
                one.mode.value,
                one.customs_code,
                one.port_code,
                one.platform.name,
                one.merchant.name,
            )
            for one in found
        ],
    )


def show(
    context: typer.Context,
    profile: Annotated[str, typer.Argument(metavar="ID", help="The profile / 方案")],
    *,
    tenant: TenantOption,
    json: JSONOption = False,
) -> None:
    """Show one filing profile with every value / 查看一个申报方案"""
    found = [
        one for one in run(_load(common(context).settings(), tenant)) if one.profile_id == profile
    ]
    if not found:
        raise Unusable(
            f"the tenant has no filing profile {profile!r}; see `clearance profiles list`",
            f"该租户没有申报方案 {profile!r}；见 `clearance profiles list`",
        )
    doc = to_doc(found[0])
    if json:
        emit(doc)
        return
    rows = [
        (
            name,
            ", ".join(f"{key} {part}" for key, part in value.items())
            if isinstance(value, dict)
            else value,
        )
        for name, value in doc.items()
    ]
    show_table(f"申报方案 {profile}", ("字段 field", "值 value"), rows)


async def _load(settings: Settings, tenant: str) -> list[FilingProfile]:
    async with open_reading(settings) as reader:
        found = reader.cache.profiles(await known_tenant(reader.access, tenant))
    return sorted(found, key=lambda one: one.profile_id)


def put(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="TOML or JSON / TOML 或 JSON 文件")],
    *,
    tenant: TenantOption,
    json: JSONOption = False,
) -> None:
    """Store a filing profile from a file; names every fault / 保存申报方案

    Other content is a new version; the same content changes nothing. Profile ids are unique over
    all tenants of a deployment: begin them with the tenant's id. / 方案编号在所有租户间唯一
    """
    try:
        stored, is_new = run(_put(common(context).settings(), file, tenant))
    except ProfileFaulty as error:
        complain(f"{file}: nothing was stored; mend {len(error.faults)} fault(s):")
        for fault in error.faults:
            complain(f"  {fault.path or 'file'}: {fault.message} / {fault.message_zh}")
        raise typer.Exit(EXIT_UNUSABLE) from None
    if json:
        emit({"profile": stored.profile_id, "version": stored.version, "changed": is_new})
    else:
        word = "stored" if is_new else "unchanged"
        out().print(f"profile {stored.profile_id} version {stored.version}: {word}", markup=False)


async def _put(settings: Settings, file: Path, tenant: str) -> tuple[FilingProfile, bool]:
    profile = read_profile(file, TenantId(tenant))
    async with open_office(settings) as office:
        owner = await known_tenant(office.access, tenant)
        day = from_micros(office.clock.now()).date()
        faults = await _party_faults(office, profile, day)
        if faults:
            raise ProfileFaulty(faults)
        if profile.channel not in settings.channels:
            warn(f"channel: the settings have no channels.{profile.channel}; nothing can be sent")
        if profile.key_ring not in settings.keys:
            warn(f"key_ring: the settings have no keys.{profile.key_ring}; nothing can be signed")
        before = office.cache.profile(owner, ProfileId(profile.profile_id))
        stored = await office.admin.put_profile(profile)
        return stored, before is None or before.version != stored.version


def _registered(code: str, connection: Connection) -> Enterprise | None:
    return find_enterprise(connection, code)


async def _party_faults(office: Office, profile: FilingProfile, day: date) -> list[Fault]:
    """What the deployment's own records say against the enterprises that a profile names.

    A deployment that keeps no mandates for the tenant checks none.
    """
    async with office.access.read() as reading:
        parties = (
            ("platform", profile.platform),
            ("merchant", profile.merchant),
            ("agent", profile.agent),
            ("transfer", profile.transfer),
            ("area", profile.area),
        )
        faults = []
        for path, party in parties:
            if party is None:
                continue
            known = await reading.run_sync(partial(_registered, party.code))
            if known is not None and known.name != party.name:
                text = "is not the registered name of this code"
                faults.append(Fault(f"{path}.name", text, "与该编码的注册名称不一致"))
        if await reading.run_sync(lambda on: list_mandates(on, profile.tenant)):
            missing = await reading.run_sync(lambda on: missing_mandates(on, profile, day))
            faults += [
                Fault(path, "the tenant has no mandate for this enterprise", "租户未获该企业授权")
                for path in missing
            ]
    return faults


def group() -> typer.Typer:
    """The command group ``clearance profiles``."""
    made = typer.Typer(
        name="profiles", no_args_is_help=True, help="Filing profiles of a tenant / 申报方案管理"
    )
    made.command("list")(listing)
    made.command("show")(show)
    made.command("put")(put)
    return made
