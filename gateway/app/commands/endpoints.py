"""Endpoints: where sellers and warehouses are told things."""

from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.api.views import endpoint_view
from gateway.app.commands.frame import (
    JSONOption,
    TenantOption,
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
from gateway.ports import Endpoint
from store.endpoints import load_endpoints


def listing(context: typer.Context, *, tenant: TenantOption, json: JSONOption = False) -> None:
    """List where a tenant's notices go; secrets are not shown / 列出通知地址"""
    found = run(_list(common(context).settings(), tenant))
    if json:
        emit({"endpoints": [endpoint_view(one) for one in found]})
        return
    show_table(
        "通知地址 Endpoints",
        ("id", "角色 role", "地址 url", "每批 batch", "类型 types"),
        [
            (
                one.endpoint_id,
                one.role,
                one.url,
                one.batch_size,
                ", ".join(sorted(one.event_types)) or "all",
            )
            for one in found
        ],
    )


async def _list(settings: Settings, tenant: str) -> Sequence[Endpoint]:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        async with reader.access.read() as reading:
            found = await reading.run_sync(lambda on: load_endpoints(on, reader.keys, owner))
    return found.get(owner, ())


def add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="https://... / 地址")],
    *,
    tenant: TenantOption,
    role: Annotated[str, typer.Option(help="seller or warehouse / seller 或 warehouse")],
    event: Annotated[
        list[str] | None,
        typer.Option(help="A type to hear; repeat it, leave out for all / 事件类型，可重复"),
    ] = None,
    batch_size: Annotated[
        int, typer.Option(min=1, max=100, help="Notices in one POST / 每次推送条数")
    ] = 1,
    json: JSONOption = False,
) -> None:
    """Add an address; its signing secret is shown once / 新增通知地址（密钥只显示一次）"""
    made = run(
        _add(common(context).settings(), tenant, url, role, frozenset(event or ()), batch_size)
    )
    if json:
        emit(endpoint_view(made, secret=True))
        return
    console = out()
    console.print(f"endpoint  {made.endpoint_id}", markup=False)
    console.print(f"secret    {made.secret}", markup=False)
    warn("keep the secret now, it is never shown again / 请立即保存，之后不再显示")


async def _add(
    settings: Settings, tenant: str, url: str, role: str, types: frozenset[str], batch_size: int
) -> Endpoint:
    async with open_office(settings) as office:
        owner = await known_tenant(office.access, tenant)
        return await office.admin.new_endpoint(
            owner, url=url, role=role, event_types=types, batch_size=batch_size
        )


def group() -> typer.Typer:
    """The command group ``clearance endpoints``."""
    made = typer.Typer(
        name="endpoints", no_args_is_help=True, help="Where notices are sent / 通知地址管理"
    )
    made.command("list")(listing)
    made.command("add")(add)
    return made
