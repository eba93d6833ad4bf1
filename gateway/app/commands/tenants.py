"""Tenants: whose cases, profiles, goods and keys these are."""

from collections.abc import Sequence
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
from gateway.domain.ids import TenantId
from store.access import Access
from store.master import Tenant, list_tenants


async def known_tenant(access: Access, name: str) -> TenantId:
    """The id of a tenant. Raises :class:`Unusable` when there is none."""
    return (await stored_tenant(access, name)).tenant


async def stored_tenant(access: Access, name: str) -> Tenant:
    """The tenant of an id. Raises :class:`Unusable` when there is none."""
    async with access.read() as reading:
        known = {one.tenant: one for one in await reading.run_sync(list_tenants)}
    found = known.get(TenantId(name))
    if found is not None:
        return found
    others = f"there are: {', '.join(list(known)[:20])}" if known else "there is none yet"
    raise Unusable(
        f"no tenant {name!r}; {others}; make it with `clearance tenants add ID NAME`",
        f"没有租户 {name!r}；可用 `clearance tenants add ID NAME` 新建",
    )


def listing(context: typer.Context, *, json: JSONOption = False) -> None:
    """List the tenants / 列出租户"""
    found = run(_list(common(context).settings()))
    if json:
        emit({"tenants": [_doc(one) for one in found]})
        return
    show_table(
        "租户 Tenants",
        ("id", "名称 name", "启用 active", "建立 since"),
        [
            (one.tenant, one.name, "yes" if one.is_active else "no", at(one.created_at))
            for one in found
        ],
    )


async def _list(settings: Settings) -> Sequence[Tenant]:
    async with open_reading(settings) as reader, reader.access.read() as reading:
        return await reading.run_sync(list_tenants)


def add(
    context: typer.Context,
    tenant: Annotated[
        str, typer.Argument(metavar="ID", help="Letters, digits, - _ . / 字母数字及 - _ .")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name / 名称")],
    *,
    json: JSONOption = False,
) -> None:
    """Add a tenant; a new database is made where there is none / 新增租户"""
    made = run(_add(common(context).settings(), tenant, name))
    if json:
        emit(_doc(made))
    else:
        out().print(f"tenant {made.tenant} added", markup=False)


async def _add(settings: Settings, tenant: str, name: str) -> Tenant:
    async with open_office(settings) as office:
        if any(one.tenant == tenant for one in await office.admin.list_tenants()):
            raise Unusable(
                f"the tenant {tenant!r} exists already; choose another id",
                f"租户 {tenant!r} 已存在，请换一个编号",
            )
        return await office.admin.create_tenant(TenantId(tenant), name)


def _doc(one: Tenant) -> dict[str, object]:
    return {
        "tenant": one.tenant,
        "name": one.name,
        "active": one.is_active,
        "created_at": at_json(one.created_at),
    }


def group() -> typer.Typer:
    """The command group ``clearance tenants``."""
    made = typer.Typer(
        name="tenants", no_args_is_help=True, help="Tenants: whose cases these are / 租户管理"
    )
    made.command("list")(listing)
    made.command("add")(add)
    return made
