"""Mandates: which enterprise may work for which tenant, in which role, and until when."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated

import typer

from gateway.app.commands.enterprises import CodeArgument, day_of, known_enterprise
from gateway.app.commands.frame import (
    JSONOption,
    TenantOption,
    Unusable,
    common,
    emit,
    out,
    run,
    show_table,
)
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.opening import open_office, open_reading
from gateway.app.surroundings import SystemClock
from gateway.domain.profile import Mandate, Role
from gateway.flow.clockwork import local_date
from store.master import list_mandates

RoleArgument = Annotated[
    Role, typer.Argument(metavar="ROLE", help="What it does for the tenant / 角色")
]


def listing(context: typer.Context, *, tenant: TenantOption, json: JSONOption = False) -> None:
    """List the mandates of a tenant / 列出授权"""
    found = run(_list(common(context).settings(), tenant))
    if json:
        emit({"mandates": [_doc(one) for one in found]})
        return
    show_table(
        "授权 Mandates",
        ("企业 enterprise", "角色 role", "起 from", "止 last day", "今日 today"),
        [
            (one.enterprise_code, one.role, one.valid_from, one.valid_to, _state(one))
            for one in found
        ],
    )


async def _list(settings: Settings, tenant: str) -> Sequence[Mandate]:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        async with reader.access.read() as reading:
            return await reading.run_sync(lambda on: list_mandates(on, owner))


def add(
    context: typer.Context,
    enterprise: CodeArgument,
    role: RoleArgument,
    *,
    tenant: TenantOption,
    valid_from: Annotated[
        str | None, typer.Option(metavar="DAY", help="First day, today if not said / 起")
    ] = None,
    valid_to: Annotated[
        str | None, typer.Option(metavar="DAY", help="Last day, open if not said / 止")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Let an enterprise work for a tenant / 新增授权

    A tenant that has any mandate may put only profiles whose platform, merchant and agent are
    mandated. Keys of the enterprise (`clearance api-keys new --enterprise`) open the tenant: those
    of role warehouse where it is area_operator or site_operator, the others where it is agent.
    """
    first = day_of(valid_from, "--valid-from") or _today()
    last = day_of(valid_to, "--valid-to")
    made = run(_add(common(context).settings(), tenant, (enterprise, role, first, last)))
    if json:
        emit(_doc(made))
    else:
        out().print(f"{made.enterprise_code} may work as {made.role} for {made.tenant}")


async def _add(
    settings: Settings, tenant: str, wanted: tuple[str, Role, date, date | None]
) -> Mandate:
    async with open_office(settings) as office:
        owner = await known_tenant(office.access, tenant)
        code, role, first, last = wanted
        holder = await known_enterprise(office.access, code)
        return await office.admin.add_mandate(Mandate(owner, holder.code, role, first, last))


def end(
    context: typer.Context,
    enterprise: CodeArgument,
    role: RoleArgument,
    *,
    tenant: TenantOption,
    last_day: Annotated[
        str | None,
        typer.Option(metavar="DAY", help="Last day; else it ends at once / 最后一日，默认立即终止"),
    ] = None,
    json: JSONOption = False,
) -> None:
    """End what a tenant mandates an enterprise to do; its keys then open it no more / 终止授权"""
    last = day_of(last_day, "--last-day") or _today() - timedelta(days=1)
    ended = run(_end(common(context).settings(), tenant, (enterprise, role, last)))
    if not ended:
        raise Unusable(
            f"the tenant gives {enterprise} no mandate as {role} that lasts longer than {last}; "
            "see `clearance mandates list`",
            f"该租户给 {enterprise} 的 {role} 授权没有晚于 {last} 到期的；"
            "见 `clearance mandates list`",
        )
    if json:
        emit({"ended": [_doc(one) for one in ended], "last_day": last.isoformat()})
    else:
        out().print(f"{enterprise} may not work as {role} for {tenant} after {last}")


async def _end(
    settings: Settings, tenant: str, wanted: tuple[str, Role, date]
) -> Sequence[Mandate]:
    async with open_office(settings) as office:
        owner = await known_tenant(office.access, tenant)
        return await office.admin.end_mandates(owner, *wanted)


def _today() -> date:
    return local_date(SystemClock().now())


def _state(one: Mandate) -> str:
    covers = one.covers(one.tenant, one.enterprise_code, one.role, _today())
    return "in force" if covers else "not in force"


def _doc(one: Mandate) -> dict[str, object]:
    return {
        "tenant": one.tenant,
        "enterprise": one.enterprise_code,
        "role": one.role.value,
        "valid_from": one.valid_from.isoformat(),
        "valid_to": None if one.valid_to is None else one.valid_to.isoformat(),
    }


def group() -> typer.Typer:
    """The command group ``clearance mandates``."""
    made = typer.Typer(
        name="mandates",
        no_args_is_help=True,
        help="Which enterprises may work for a tenant / 授权管理",
    )
    made.command("list")(listing)
    made.command("add")(add)
    made.command("end")(end)
    return made
