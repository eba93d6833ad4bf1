"""Commands that do something with cases: their numbers resolved, a gateway that files nothing."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, TypeVar

import typer

from gateway.app.commands.case import find_case
from gateway.app.commands.frame import Unusable
from gateway.app.commands.tenants import known_tenant
from gateway.app.config import ConfigError, Settings
from gateway.app.container import Gateway
from gateway.app.opening import open_intake, open_reading
from gateway.app.serve import only_process
from gateway.domain.ids import CaseId, TenantId

T = TypeVar("T")
Work = Callable[[Gateway, TenantId, Sequence[CaseId]], Awaitable[T]]

NumberArgument = Annotated[
    str, typer.Argument(metavar="NO", help="Order number, case id, or any number / 单号")
]
ByOption = Annotated[
    str, typer.Option("--by", help="Who does this, for the history / 操作人", show_default=False)
]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why, for the history / 原因", show_default=False)
]


async def at_work(settings: Settings, tenant: str, numbers: Sequence[str], work: Work[T]) -> T:
    """Do something with the cases of a tenant that these numbers name, in their order.

    On SQLite no other process may work on the database meanwhile. What is planned is declared by
    the processes that work.
    """
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        cases = [await find_case(reader, owner, number) for number in numbers]
    async with AsyncExitStack() as stack:
        try:
            stack.enter_context(only_process(settings))
        except ConfigError as error:
            raise Unusable(
                "another process works on this SQLite database: stop it, or use the API or console",
                "另有进程正在使用此 SQLite 数据库：请先停止它，或使用 API 或控制台",
            ) from error
        gateway = await stack.enter_async_context(open_intake(settings))
        return await work(gateway, owner, cases)
