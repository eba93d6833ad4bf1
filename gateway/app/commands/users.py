"""People of the console: who may sign in, and as what."""

import sys
from typing import Annotated

import typer

from gateway.app.commands.frame import (
    JSONOption,
    Unusable,
    at,
    common,
    emit,
    out,
    run,
    show_table,
)
from gateway.app.config import Settings
from gateway.app.opening import open_office, open_reading
from gateway.app.surroundings import SystemRng
from gateway.domain.errors import Conflict
from gateway.ports import Clock, Rng
from gateway.ports.people import ALL_TENANTS, Role, User
from gateway.web.passwords import Passwords, weakness
from gateway.web.views.settings import LOGIN
from store.access import Access
from store.console_log import SqlConsoleLog
from store.people import SqlPeople


async def add_user(
    access: Access,
    clock: Clock,
    rng: Rng,
    user: tuple[str, str, Role, tuple[str, ...]],
    password: str,
) -> User:
    """A new account of (login, name, role, tenants). Raises :class:`Unusable`."""
    login, name, role, tenants = user
    if not LOGIN.fullmatch(login):
        raise Unusable(
            "use 2 to 64 lower-case letters, digits and . - _ for the login",
            "登录名须为 2 至 64 位小写字母、数字及 . - _",
        )
    fault = weakness(password, login)
    if fault is not None:
        raise Unusable(
            f"this password is {fault.replace('_', ' ')}; use 12 to 256 characters, "
            "at least 5 different ones, without the login",
            "密码太弱：须 12 至 256 个字符，至少 5 种不同字符，且不含登录名",
        )
    made = User(
        user_id=rng.bytes(8).hex(),
        login=login,
        name=name,
        role=role,
        tenants=tenants,
        created_at=clock.now(),
    )
    try:
        await SqlPeople(access).add(made, Passwords().hash(password))
    except Conflict:
        raise Unusable(
            f"the login {login!r} is taken; choose another", f"登录名 {login!r} 已被使用，请另选"
        ) from None
    detail = {"role": role.value, "tenants": list(tenants)}
    await SqlConsoleLog(access, clock).note(None, "command-line", "user_added", login, detail)
    return made


def listing(context: typer.Context, *, json: JSONOption = False) -> None:
    """List who may sign in to the console / 列出控制台用户"""
    found = run(_list(common(context).settings()))
    if json:
        emit({"users": [_doc(one) for one in found]})
        return
    show_table(
        "用户 Users",
        ("login", "名称 name", "角色 role", "租户 tenants", "启用 active", "建立 since"),
        [
            (
                one.login,
                one.name,
                one.role.value,
                " ".join(one.tenants),
                "yes" if one.is_active else "no",
                at(one.created_at),
            )
            for one in found
        ],
    )


async def _list(settings: Settings) -> list[User]:
    async with open_reading(settings) as reader:
        return list(await SqlPeople(reader.access).users())


def add(
    context: typer.Context,
    login: Annotated[str, typer.Argument(metavar="LOGIN", help="What is typed / 登录名")],
    *,
    role: Annotated[Role, typer.Option("--role", "-r", help="What they may do / 角色")],
    name: Annotated[str, typer.Option("--name", help="The person's name / 姓名")] = "",
    tenant: Annotated[
        list[str] | None,
        typer.Option("--tenant", "-t", help="Whose cases; repeat it, all without it / 租户"),
    ] = None,
    json: JSONOption = False,
) -> None:
    """Let somebody sign in; the password is asked for, or read from stdin / 新增用户"""
    if sys.stdin.isatty():
        password = typer.prompt("Password / 密码", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\n")
    wanted = (login.lower(), name or login, role, tuple(tenant or (ALL_TENANTS,)))
    made = run(_add(common(context).settings(), wanted, password))
    if json:
        emit(_doc(made))
    else:
        out().print(f"{made.login} may sign in as {made.role.value}", markup=False)


async def _add(
    settings: Settings, user: tuple[str, str, Role, tuple[str, ...]], password: str
) -> User:
    async with open_office(settings) as office:
        known = {one.tenant for one in await office.admin.list_tenants()} | {ALL_TENANTS}
        unknown = [one for one in user[3] if one not in known]
        if unknown:
            raise Unusable(
                f"no tenant {unknown[0]!r}; see `clearance tenants list`",
                f"没有租户 {unknown[0]!r}；见 `clearance tenants list`",
            )
        return await add_user(office.access, office.clock, SystemRng(), user, password)


def _doc(one: User) -> dict[str, object]:
    return {
        "login": one.login,
        "name": one.name,
        "role": one.role.value,
        "tenants": list(one.tenants),
        "active": one.is_active,
    }


def group() -> typer.Typer:
    """The command group ``clearance users``."""
    made = typer.Typer(
        name="users", no_args_is_help=True, help="Users: who may use the console / 控制台用户"
    )
    made.command("list")(listing)
    made.command("add")(add)
    return made
