"""Seeding: invented open cases, to try the console and searches with as many as a peak leaves."""

import time
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final

import typer

from gateway.app.commands.frame import (
    JSONOption,
    TenantOption,
    Unusable,
    common,
    emit,
    err,
    out,
    run,
)
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import ConfigError, Settings
from gateway.app.container import Gateway
from gateway.app.demo_orders import goods_records
from gateway.app.opening import open_intake
from gateway.app.seeding import invent
from gateway.app.serve import only_process
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.profile import FilingProfile

_TOLD: Final = 100_000


def seed(
    context: typer.Context,
    *,
    tenant: TenantOption,
    cases: Annotated[
        int, typer.Option("--cases", "-n", min=1, max=10_000_000, help="How many cases / 案件数量")
    ] = 1_000,
    profile: Annotated[
        str | None, typer.Option("--profile", "-p", help="The filing profile / 申报方案")
    ] = None,
    first: Annotated[int, typer.Option(min=0, help="Number of the first case / 起始编号")] = 0,
    number: Annotated[
        int, typer.Option("--seed", min=0, help="Other orders with another seed / 随机种子")
    ] = 1,
    json: JSONOption = False,
) -> None:
    """Fill a deployment with invented open cases, never in production / 生成模拟案件（非生产环境）

    Every case lacks a paper or has a difference, so none is ever declared. The same seed gives the
    same cases; running it again changes nothing.
    """
    settings = common(context).settings()
    if settings.environment == "production":
        raise Unusable(
            "environment is production: invented cases have no business there",
            "当前为生产环境，不得生成虚构案件",
        )
    began = time.monotonic()
    run(_seed(settings, tenant, profile, first, cases, number))
    seconds = time.monotonic() - began
    doc: dict[str, Any] = {"cases": cases, "seconds": f"{seconds:.1f}"}
    if json:
        emit(doc)
    else:
        out().print(f"{cases} cases in {seconds:.1f} s / 已生成 {cases} 个案件", markup=False)


async def _seed(
    settings: Settings, tenant: str, profile: str | None, first: int, cases: int, number: int
) -> None:
    async with AsyncExitStack() as stack:
        try:
            stack.enter_context(only_process(settings))
        except ConfigError as error:
            raise Unusable(
                "another process works on this SQLite database; stop it",
                "另有进程正在使用此 SQLite 数据库，请先停止它",
            ) from error
        gateway = await stack.enter_async_context(open_intake(settings))
        owner = await known_tenant(gateway.store, tenant)
        chosen = _profile(gateway, owner, profile)
        await gateway.admin.put_goods(owner, goods_records(chosen.goods_scope))
        await invent(gateway, chosen, first, cases, number, lambda done: _tell(done, cases))


def _tell(done: int, cases: int) -> None:
    if done % _TOLD == 0:
        err().print(f"{done} / {cases}", markup=False)


def _profile(gateway: Gateway, owner: TenantId, name: str | None) -> FilingProfile:
    """The profile named, or the only one."""
    if name is not None:
        found = gateway.cache.profile(owner, ProfileId(name))
        if found is None:
            raise Unusable(
                f"no profile {name!r}; see `clearance profiles list`",
                f"没有申报方案 {name!r}；见 `clearance profiles list`",
            )
        return found
    profiles = gateway.cache.profiles(owner)
    if len(profiles) != 1:
        raise Unusable(
            "say --profile: the tenant has none, or more than one",
            "该租户没有或有多个申报方案，请给出 --profile",
        )
    return profiles[0]
