"""Endpoints: where sellers and warehouses are told things."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from adapters.notify.standard import public_key
from gateway.api.views import endpoint_view
from gateway.app.commands.frame import (
    JSONOption,
    TenantOption,
    Unusable,
    at,
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
from gateway.domain.ids import EndpointId
from gateway.ports import Endpoint
from store.endpoints import list_endpoints

_HOUR_US: Final = 3600 * 1_000_000
_UNKNOWN: Final = (
    "the tenant has no endpoint {!r} that could be changed so; see `clearance endpoints list`",
    "该租户没有可如此变更的地址 {!r}；见 `clearance endpoints list`",
)
EndpointArgument = Annotated[
    str, typer.Argument(metavar="ENDPOINT", help="The endpoint's id / 地址编号")
]


def listing(context: typer.Context, *, tenant: TenantOption, json: JSONOption = False) -> None:
    """List where a tenant's notices go; secrets are not shown / 列出通知地址"""
    found = run(_list(common(context).settings(), tenant))
    if json:
        emit({"endpoints": [endpoint_view(one) for one in found]})
        return
    show_table(
        "通知地址 Endpoints",
        ("id", "角色 role", "地址 url", "每批 batch", "类型 types", "状态 state"),
        [
            (
                one.endpoint_id,
                one.role,
                one.url or "(pull)",
                one.batch_size,
                ", ".join(sorted(one.event_types)) or "all",
                "on" if one.is_active else f"off {at(one.disabled_at)}: {one.disabled_why}",
            )
            for one in found
        ],
    )


async def _list(settings: Settings, tenant: str) -> Sequence[Endpoint]:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        async with reader.access.read() as reading:
            return await reading.run_sync(lambda on: list_endpoints(on, reader.keys, owner))


def add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="[URL]", help="https://... / 地址")] = "",
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
    pull: Annotated[
        bool, typer.Option("--pull", help="No address: notices are fetched / 由对方拉取")
    ] = False,
    ed25519: Annotated[
        bool, typer.Option("--ed25519", help="Sign with ed25519 too / 同时使用 ed25519 签名")
    ] = False,
    json: JSONOption = False,
) -> None:
    """Add an address; its signing secret is shown once / 新增通知地址（密钥只显示一次）"""
    if pull == bool(url):
        raise Unusable(
            "name an address, or --pull for notices that are fetched",
            "请给出地址，或用 --pull 由对方拉取通知",
        )
    settings, types = common(context).settings(), frozenset(event or ())

    async def work() -> Endpoint:
        async with open_office(settings) as office:
            owner = await known_tenant(office.access, tenant)
            return await office.admin.new_endpoint(
                owner,
                url=url,
                role=role,
                event_types=types,
                batch_size=batch_size,
                with_ed25519=ed25519,
            )

    _show_made(run(work()), json=json)


def _show_made(made: Endpoint, *, json: bool) -> None:
    if json:
        emit(endpoint_view(made, secret=True))
        return
    console = out()
    console.print(f"endpoint  {made.endpoint_id}", markup=False)
    console.print(f"secret    {made.secret}", markup=False)
    if made.signing_key:
        console.print(f"verify    {public_key(made.signing_key)}", markup=False)
    warn("keep the secret now, it is never shown again / 请立即保存，之后不再显示")


def rotate(
    context: typer.Context,
    endpoint: EndpointArgument,
    *,
    tenant: TenantOption,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=720, help="How long the old one signs too / 新旧并行小时数")
    ] = 24,
    json: JSONOption = False,
) -> None:
    """Make a new secret; for a while both sign / 更换签名密钥（新旧并行一段时间）"""
    settings = common(context).settings()

    async def work() -> Endpoint | None:
        async with open_office(settings) as office:
            owner = await known_tenant(office.access, tenant)
            overlap_us = overlap_hours * _HOUR_US
            return await office.admin.rotate_endpoint(owner, EndpointId(endpoint), overlap_us)

    made = run(work())
    if made is None:
        raise Unusable(*(text.format(endpoint) for text in _UNKNOWN))
    _show_made(made, json=json)


def enable(
    context: typer.Context,
    endpoint: EndpointArgument,
    *,
    tenant: TenantOption,
    json: JSONOption = False,
) -> None:
    """Switch an endpoint on again; then replay what was parked / 启用通知地址"""
    _switch(common(context).settings(), tenant, endpoint, "", is_active=True)
    if json:
        emit({"endpoint": endpoint, "is_active": True})
    else:
        out().print(f"endpoint {endpoint} is on", markup=False)


def disable(
    context: typer.Context,
    endpoint: EndpointArgument,
    *,
    tenant: TenantOption,
    reason: Annotated[str, typer.Option(help="Why / 原因")] = "by an operator",
    json: JSONOption = False,
) -> None:
    """Switch an endpoint off; its notices are parked / 停用通知地址"""
    _switch(common(context).settings(), tenant, endpoint, reason, is_active=False)
    if json:
        emit({"endpoint": endpoint, "is_active": False})
    else:
        out().print(f"endpoint {endpoint} is off", markup=False)


def _switch(
    settings: Settings, tenant: str, endpoint: str, reason: str, *, is_active: bool
) -> None:
    async def work() -> bool:
        async with open_office(settings) as office:
            owner = await known_tenant(office.access, tenant)
            return await office.admin.set_endpoint_active(
                owner, EndpointId(endpoint), is_active, reason
            )

    if not run(work()):
        raise Unusable(*(text.format(endpoint) for text in _UNKNOWN))


def group() -> typer.Typer:
    """The command group ``clearance endpoints``."""
    made = typer.Typer(
        name="endpoints", no_args_is_help=True, help="Where notices are sent / 通知地址管理"
    )
    made.command("list")(listing)
    made.command("add")(add)
    made.command("rotate")(rotate)
    made.command("enable")(enable)
    made.command("disable")(disable)
    return made
