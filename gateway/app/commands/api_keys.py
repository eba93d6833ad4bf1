"""API keys of tenants: made, listed, rotated, revoked."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from gateway.app.commands.enterprises import known_enterprise
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
    warn,
)
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import Settings
from gateway.app.opening import open_office, open_reading
from gateway.app.surroundings import SystemClock
from gateway.domain.ids import KeyId
from store.access import Access
from store.keys import KeyRole, KeyRow, NewKey, OfEnterprise, Owner, list_keys

_HOUR_US = 3600 * 1_000_000
_DAY_US = 24 * _HOUR_US
_SOON_US = 30 * _DAY_US
_NO_KEY: Final = (
    "there is no live key {!r} of this owner; see `clearance api-keys list`",
    "该归属下没有有效密钥 {!r}；见 `clearance api-keys list`",
)

OwnerTenant = Annotated[
    str | None, typer.Option("--tenant", "-t", help="Keys of this tenant / 租户的密钥")
]
OwnerEnterprise = Annotated[
    str | None,
    typer.Option(
        "--enterprise",
        "-e",
        metavar="CODE",
        help="Keys of an agent or a warehouse, which span the tenants that mandate it"
        " (`clearance mandates`) / 代理或仓库企业的密钥，可用于所有授权它的租户",
    ),
]


async def _owner(access: Access, tenant: str | None, enterprise: str | None) -> Owner:
    """Whose keys are meant. Raises :class:`Unusable` unless just one owner is named."""
    if (tenant is None) == (enterprise is None):
        raise Unusable(
            "say whose keys: --tenant ID or --enterprise CODE, one of them",
            "请指明密钥归属：--tenant ID 或 --enterprise CODE，二者取一",
        )
    if tenant is not None:
        return await known_tenant(access, tenant)
    return OfEnterprise((await known_enterprise(access, enterprise or "")).code)


def new(
    context: typer.Context,
    *,
    tenant: OwnerTenant = None,
    enterprise: OwnerEnterprise = None,
    role: Annotated[KeyRole, typer.Option(help="What the key may do / 角色")],
    name: Annotated[str, typer.Option(help="What it is for / 用途")] = "",
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days until it ends / 有效天数")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Make an API key; its token is shown once / 新建 API 密钥（只显示一次）"""
    settings = common(context).settings()
    made = run(_new(settings, (tenant, enterprise), role, name, expires_days))
    if json:
        emit({**_doc(made.row), "token": made.token})
        return
    console = out()
    console.print(f"key    {made.row.key_id}", markup=False)
    console.print(f"token  {made.token}", markup=False)
    warn("keep the token now, it is never shown again / 请立即保存，之后不再显示")


# A tenant or an enterprise, as the options name it.
_Named = tuple[str | None, str | None]


async def _new(
    settings: Settings, named: _Named, role: KeyRole, name: str, days: int | None
) -> NewKey:
    async with open_office(settings) as office:
        owner = await _owner(office.access, *named)
        expires = None if days is None else office.clock.now() + days * _DAY_US
        return await office.keys.new(owner, role, name or role.value, expires)


def listing(
    context: typer.Context,
    *,
    tenant: OwnerTenant = None,
    enterprise: OwnerEnterprise = None,
    json: JSONOption = False,
) -> None:
    """List the API keys of a tenant or an enterprise / 列出 API 密钥"""
    settings = common(context).settings()
    found = run(_list(settings, (tenant, enterprise)))
    if json:
        emit({"keys": [_doc(one) for one in found]})
        return
    now = SystemClock().now()
    show_table(
        "API 密钥 API keys",
        ("id", "角色 role", "名称 name", "状态 state", "到期 expires", "最近使用 last used"),
        [
            (
                one.key_id,
                one.role.value,
                one.name,
                _state(one, now),
                at(one.expires_at),
                at(one.last_used_at),
            )
            for one in found
        ],
    )


async def _list(settings: Settings, named: _Named) -> Sequence[KeyRow]:
    async with open_reading(settings) as reader:
        owner = await _owner(reader.access, *named)
        async with reader.access.read() as reading:
            return await reading.run_sync(lambda on: list_keys(on, owner))


def revoke(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id / 密钥编号")],
    *,
    tenant: OwnerTenant = None,
    enterprise: OwnerEnterprise = None,
    json: JSONOption = False,
) -> None:
    """End an API key for good / 吊销 API 密钥"""
    if not run(_revoke(common(context).settings(), (tenant, enterprise), key)):
        raise Unusable(*(text.format(key) for text in _NO_KEY))
    if json:
        emit({"key": key, "revoked": True})
    else:
        out().print(f"key {key} revoked", markup=False)


async def _revoke(settings: Settings, named: _Named, key: str) -> bool:
    async with open_office(settings) as office:
        owner = await _owner(office.access, *named)
        return await office.keys.revoke(owner, KeyId(key))


def rotate(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id / 密钥编号")],
    *,
    tenant: OwnerTenant = None,
    enterprise: OwnerEnterprise = None,
    overlap_hours: Annotated[
        int, typer.Option(min=0, max=720, help="How long the old one still opens / 并行小时数")
    ] = 24,
    expires_days: Annotated[
        int | None, typer.Option(min=1, max=3650, help="Days until the new one ends / 有效天数")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Make a key's successor; the old one ends after the overlap / 更换 API 密钥（新旧并行）"""
    settings = common(context).settings()
    made = run(_rotate(settings, (tenant, enterprise), key, overlap_hours, expires_days))
    if made is None:
        raise Unusable(*(text.format(key) for text in _NO_KEY))
    if json:
        emit({**_doc(made.row), "token": made.token, "replaces": key})
        return
    console = out()
    console.print(f"key    {made.row.key_id}", markup=False)
    console.print(f"token  {made.token}", markup=False)
    console.print(f"the old key {key} ends in {overlap_hours} hours", markup=False)
    warn("keep the token now, it is never shown again / 请立即保存，之后不再显示")


async def _rotate(
    settings: Settings, named: _Named, key: str, hours: int, days: int | None
) -> NewKey | None:
    async with open_office(settings) as office:
        owner = await _owner(office.access, *named)
        expires = None if days is None else office.clock.now() + days * _DAY_US
        return await office.keys.rotate(owner, KeyId(key), hours * _HOUR_US, expires)


def _state(one: KeyRow, now: int) -> str:
    if one.revoked_at is not None:
        return "revoked"
    if one.expires_at is None or one.expires_at > now + _SOON_US:
        return "live"
    return "expiring" if one.expires_at > now else "expired"


def _doc(one: KeyRow) -> dict[str, object]:
    is_spanning = isinstance(one.owner, OfEnterprise)
    return {
        "key": one.key_id,
        "tenant": None if is_spanning else one.owner,
        "enterprise": one.owner.code if isinstance(one.owner, OfEnterprise) else None,
        "role": one.role.value,
        "name": one.name,
        "created_at": at_json(one.created_at),
        "expires_at": at_json(one.expires_at),
        "revoked_at": at_json(one.revoked_at),
        "last_used_at": at_json(one.last_used_at),
    }


def group() -> typer.Typer:
    """The command group ``clearance api-keys``."""
    made = typer.Typer(name="api-keys", no_args_is_help=True, help="API keys of tenants / API 密钥")
    made.command("new")(new)
    made.command("list")(listing)
    made.command("rotate")(rotate)
    made.command("revoke")(revoke)
    return made
