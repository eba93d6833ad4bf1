"""Enterprises: the registered firms of this deployment, whose keys and names declarations use."""

from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Annotated

import typer

from gateway.app.commands.frame import (
    JSONOption,
    Unusable,
    common,
    emit,
    out,
    run,
    show_table,
)
from gateway.app.config import Settings
from gateway.app.opening import open_office, open_reading
from gateway.domain.profile import Enterprise, Role
from store.access import Access
from store.master import find_enterprise, list_enterprises

CodeArgument = Annotated[
    str,
    typer.Argument(
        metavar="CODE", help="Customs code or social credit code / 海关编码或统一社会信用代码"
    ),
]


async def known_enterprise(access: Access, code: str) -> Enterprise:
    """The enterprise that either of its codes names. Raises :class:`Unusable` when none does."""
    async with access.read() as reading:
        found = await reading.run_sync(partial(find_enterprise, code=code))
    if found is None:
        raise Unusable(
            f"no enterprise {code!r} in this deployment; register it with "
            "`clearance enterprises put CODE NAME`",
            f"本部署没有企业 {code!r}；请用 `clearance enterprises put CODE NAME` 登记",
        )
    return found


def day_of(text: str | None, option: str) -> date | None:
    """A day given as YYYY-MM-DD. Raises :class:`Unusable`."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Unusable(f"{option}: give a day as YYYY-MM-DD", "请按 YYYY-MM-DD 填写日期") from None


def listing(context: typer.Context, *, json: JSONOption = False) -> None:
    """List the enterprises / 列出企业"""
    found = run(_list(common(context).settings()))
    if json:
        emit({"enterprises": [_doc(one) for one in found]})
        return
    show_table(
        "企业 Enterprises",
        ("编码 code", "名称 name", "信用代码 credit code", "角色 roles", "有效期 valid"),
        [
            (
                one.code,
                one.name,
                one.social_credit_code,
                ", ".join(sorted(one.roles)),
                f"{one.valid_from or ''} – {one.valid_to or ''}",
            )
            for one in found
        ],
    )


async def _list(settings: Settings) -> Sequence[Enterprise]:
    async with open_reading(settings) as reader, reader.access.read() as reading:
        return await reading.run_sync(list_enterprises)


def put(
    context: typer.Context,
    code: CodeArgument,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The exact registered name / 海关注册登记名称")
    ],
    *,
    credit_code: Annotated[
        str | None, typer.Option(help="18 characters / 统一社会信用代码（18 位）")
    ] = None,
    role: Annotated[
        list[Role] | None,
        typer.Option(help="Registered role; again for more, none for any / 注册角色，可重复"),
    ] = None,
    valid_from: Annotated[str | None, typer.Option(metavar="DAY", help="First day / 起")] = None,
    valid_to: Annotated[str | None, typer.Option(metavar="DAY", help="Last day / 止")] = None,
    json: JSONOption = False,
) -> None:
    """Register an enterprise, or replace what is known of it / 登记或更新企业"""
    value = Enterprise(
        code=code,
        name=name.strip(),
        social_credit_code=credit_code,
        roles=frozenset(role or ()),
        valid_from=day_of(valid_from, "--valid-from"),
        valid_to=day_of(valid_to, "--valid-to"),
    )
    run(_put(common(context).settings(), value))
    if json:
        emit(_doc(value))
    else:
        out().print(f"enterprise {value.code} stored", markup=False)


async def _put(settings: Settings, value: Enterprise) -> None:
    async with open_office(settings) as office:
        await office.admin.put_enterprise(value)


def _doc(one: Enterprise) -> dict[str, object]:
    return {
        "code": one.code,
        "name": one.name,
        "social_credit_code": one.social_credit_code,
        "roles": sorted(one.roles),
        "valid_from": None if one.valid_from is None else one.valid_from.isoformat(),
        "valid_to": None if one.valid_to is None else one.valid_to.isoformat(),
    }


def group() -> typer.Typer:
    """The command group ``clearance enterprises``."""
    made = typer.Typer(
        name="enterprises",
        no_args_is_help=True,
        help="Registered firms that declarations name / 企业管理",
    )
    made.command("list")(listing)
    made.command("put")(put)
    return made
