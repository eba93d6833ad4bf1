"""Repairs on the command line: what can be mended, tried, applied, asked for and confirmed."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import typer

from gateway.api.reasons import reason_zh
from gateway.api.repairs import repair_view
from gateway.app.commands.case import find_case
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
from gateway.app.commands.work import ByOption, NumberArgument, ReasonOption, at_work
from gateway.app.config import Settings
from gateway.app.container import Gateway
from gateway.app.opening import open_reading
from gateway.app.surroundings import SystemRng
from gateway.domain.findings import Finding, Fix, finding_id
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.repair import goods_place, kind_of_path, needs_of
from gateway.flow.repair import NotPossible, Person, Repairs, Wanted
from gateway.ports.repairs import Repair, RepairStage
from store.repairs import StoredRepairs

_ROLES = ("clerk", "supervisor", "operator", "seller")

PathArgument = Annotated[
    str, typer.Argument(metavar="PATH", help="The field of a fix, e.g. payment.amount / 字段")
]
RepairArgument = Annotated[str, typer.Argument(metavar="REPAIR", help="Its id / 更正编号")]
RoleOption = Annotated[
    str, typer.Option("--role", help="clerk, supervisor, operator or seller / 角色")
]
FindingOption = Annotated[
    str | None, typer.Option("--finding", help="Which finding, when several have it / 差异编号")
]
ValueOption = Annotated[
    str | None, typer.Option("--value", help="The right value, when the fix has none / 正确值")
]
EverywhereOption = Annotated[
    bool, typer.Option("--everywhere", help="Every open case with this cause / 所有同因案件")
]


def fixes(
    context: typer.Context,
    number: NumberArgument,
    *,
    tenant: TenantOption,
    json: JSONOption = False,
) -> None:
    """List what can be mended in a case, and what each fix needs / 列出可更正项"""
    found = run(_fixes(common(context).settings(), tenant, number))
    if json:
        emit({"fixes": found})
        return
    show_table(
        "更正建议 Fixes",
        ("规则 rule", "字段 path", "类型 kind", "责任方 owner", "建议值 value", "需要 needs"),
        [
            (one["rule"], one["path"], one["kind"], one["owner"], one["value"] or "?",
             ", ".join(one["needs"]) or "-")
            for one in found
        ],
    )  # fmt: skip


def listing(
    context: typer.Context,
    *,
    tenant: TenantOption,
    stage: Annotated[
        RepairStage | None, typer.Option("--stage", help="Only those at this stage / 状态")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="At most / 最多")] = 50,
    json: JSONOption = False,
) -> None:
    """List repairs, newest first / 列出更正"""
    stages = frozenset() if stage is None else frozenset({stage})
    found = run(_listed(common(context).settings(), tenant, stages, limit))
    if json:
        emit({"repairs": [repair_view(one) for one in found]})
        return
    show_table(
        "更正 Repairs",
        ("编号 repair", "状态 stage", "规则 rule", "案件 cases", "提交 proposed", "尚需 open"),
        [
            (one.repair_id, one.stage.value, one.rule, len(one.items), one.proposed_by,
             ", ".join(sorted(one.open_needs)) or "-")
            for one in found
        ],
    )  # fmt: skip


def show(
    context: typer.Context,
    repair: RepairArgument,
    *,
    tenant: TenantOption,
    json: JSONOption = False,
) -> None:
    """Show one repair with the result of every case / 查看一项更正"""
    found = run(_one(common(context).settings(), tenant, repair))
    if found is None:
        raise Unusable(
            f"there is no repair {repair}; see `clearance repair list`",
            f"没有修复 {repair}；见 `clearance repair list`",
        )
    _show(found, json=json)


def preview(
    context: typer.Context,
    number: NumberArgument,
    path: PathArgument,
    *,
    tenant: TenantOption,
    finding: FindingOption = None,
    value: ValueOption = None,
    everywhere: EverywhereOption = False,
    json: JSONOption = False,
) -> None:
    """Tell what a repair would come to, case by case; nothing is stored / 预览更正"""

    async def work(repairs: Repairs, owner: TenantId, case: CaseId) -> Repair:
        name = await _finding(repairs, owner, case, path, finding)
        wanted = Wanted(case, name, path, "preview", value, everywhere)
        return await repairs.dry_run(owner, Person("cli:preview", "operator"), wanted)

    _show(run(_at_work(common(context).settings(), tenant, number, work)), json=json, is_tried=True)


def apply(
    context: typer.Context,
    number: NumberArgument,
    path: PathArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    reason: ReasonOption,
    role: RoleOption = "operator",
    finding: FindingOption = None,
    value: ValueOption = None,
    everywhere: EverywhereOption = False,
    hold: Annotated[
        bool, typer.Option("--hold", help="Do not declare it yet / 更正后暂不申报")
    ] = False,
    json: JSONOption = False,
) -> None:
    """Apply a fix, or propose it where others must confirm / 应用或提交更正

    Exit code 1 when a case was not mended: its line tells why.
    """
    person = _person(by, role)

    async def work(repairs: Repairs, owner: TenantId, case: CaseId) -> Repair:
        name = await _finding(repairs, owner, case, path, finding)
        wanted = Wanted(case, name, path, reason, value, everywhere, redeclare=not hold)
        return await repairs.propose(owner, person, wanted)

    _ended(run(_at_work(common(context).settings(), tenant, number, work)), json=json)


def ask(
    context: typer.Context,
    number: NumberArgument,
    path: PathArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    reason: ReasonOption,
    role: RoleOption = "operator",
    finding: FindingOption = None,
    hours: Annotated[int, typer.Option(min=1, max=720, help="Time to answer / 答复期限")] = 24,
    json: JSONOption = False,
) -> None:
    """Ask the owner of a paper for the value, by webhook and with a deadline / 询问责任方"""
    person = _person(by, role)

    async def work(repairs: Repairs, owner: TenantId, case: CaseId) -> Repair:
        name = await _finding(repairs, owner, case, path, finding)
        return await repairs.ask(owner, person, Wanted(case, name, path, reason), hours)

    _show(run(_at_work(common(context).settings(), tenant, number, work)), json=json)


def confirm(
    context: typer.Context,
    repair: RepairArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    role: RoleOption = "operator",
    statement: Annotated[
        str, typer.Option("--statement", help="On what ground the owner confirms / 依据")
    ] = "",
    value: ValueOption = None,
    json: JSONOption = False,
) -> None:
    """Confirm what a repair needs; the last confirmation applies it / 确认更正"""
    person = _person(by, role)

    async def work(repairs: Repairs, owner: TenantId, _: CaseId) -> Repair:
        found = await repairs.approve(owner, person, repair, statement, value)
        return _known(found, repair)

    _ended(run(_at_work(common(context).settings(), tenant, None, work)), json=json)


def refuse(
    context: typer.Context,
    repair: RepairArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    reason: ReasonOption,
    role: RoleOption = "operator",
    json: JSONOption = False,
) -> None:
    """Drop a proposed repair / 驳回更正"""
    person = _person(by, role)

    async def work(repairs: Repairs, owner: TenantId, _: CaseId) -> Repair:
        return _known(await repairs.refuse(owner, person, repair, reason), repair)

    _show(run(_at_work(common(context).settings(), tenant, None, work)), json=json)


# --- work -------------------------------------------------------------------------------------


Work = Callable[[Repairs, TenantId, CaseId], Awaitable[Repair]]


async def _at_work(settings: Settings, tenant: str, number: str | None, work: Work) -> Repair:
    """Do something with the repairs of a tenant, about the case that a number names."""

    async def repair(gateway: Gateway, owner: TenantId, cases: Sequence[CaseId]) -> Repair:
        case = cases[0] if cases else CaseId("")
        try:
            return await work(gateway.services.repairs, owner, case)
        except NotPossible as error:
            raise Unusable(f"{error.path}: {error.reason}", reason_zh(error.reason)) from None

    return await at_work(settings, tenant, [] if number is None else [number], repair)


async def _finding(
    repairs: Repairs, tenant: TenantId, case: CaseId, path: str, wanted: str | None
) -> str:
    """The finding of a case that proposes a change of this field."""
    if wanted is not None:
        return wanted
    detail = await repairs.reads.case(tenant, case)
    verdict = None if detail is None else detail.state.verdict
    names = [
        finding_id(one)
        for one in (verdict.findings if verdict is not None else ())
        if any(fix.path == path for fix in one.fixes)
    ]
    if len(names) == 1:
        return names[0]
    if names:
        raise Unusable(
            f"several findings propose {path}: say --finding with {', '.join(names)}",
            f"有多项差异建议修改 {path}，请用 --finding 指明",
        )
    raise Unusable(
        f"no finding of this case proposes {path}; see `clearance repair fixes`",
        f"该案件没有差异建议修改 {path}；见 `clearance repair fixes`",
    )


async def _fixes(settings: Settings, tenant: str, number: str) -> list[dict[str, Any]]:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        detail = await reader.reads.case(owner, await find_case(reader, owner, number))
        verdict = None if detail is None else detail.state.verdict
        return [
            _fix_doc(finding, fix)
            for finding in (verdict.findings if verdict is not None else ())
            for fix in finding.fixes
            if kind_of_path(fix.path) is not None or goods_place(fix.path) is not None
        ]


def _fix_doc(finding: Finding, fix: Fix) -> dict[str, Any]:
    return {
        "finding": finding_id(finding),
        "rule": finding.rule,
        "severity": finding.severity.value,
        "path": fix.path,
        "kind": fix.kind.value,
        "owner": fix.owner,
        "value": fix.value,
        "confidence": fix.confidence.value,
        "needs": sorted(needs_of(fix)),
    }


async def _listed(
    settings: Settings, tenant: str, stages: frozenset[RepairStage], limit: int
) -> list[Repair]:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        book = StoredRepairs(reader.access, reader.keys, SystemRng())
        return list(await book.listing(owner, stages, limit))


async def _one(settings: Settings, tenant: str, repair: str) -> Repair | None:
    async with open_reading(settings) as reader:
        owner = await known_tenant(reader.access, tenant)
        return await StoredRepairs(reader.access, reader.keys, SystemRng()).get(owner, repair)


def _person(by: str, role: str) -> Person:
    if role not in _ROLES:
        raise Unusable(
            f"there is no role {role}; there are {', '.join(_ROLES)}", f"没有角色 {role}"
        )
    return Person(f"cli:{by}", role)


def _known(found: Repair | None, name: str) -> Repair:
    if found is None:
        raise Unusable(
            f"there is no repair {name}; see `clearance repair list`",
            f"没有修复 {name}；见 `clearance repair list`",
        )
    return found


# --- showing ----------------------------------------------------------------------------------


def _ended(found: Repair, *, json: bool) -> None:
    _show(found, json=json)
    is_applied = found.stage is RepairStage.APPLIED
    if is_applied and any(one.status != "repaired" for one in found.items):
        raise typer.Exit(1)


def _show(found: Repair, *, json: bool, is_tried: bool = False) -> None:
    doc = repair_view(found) | {"dry_run": is_tried}
    if json:
        emit(doc)
        return
    title = "预览 Preview" if is_tried else f"更正 Repair {found.repair_id}: {found.stage.value}"
    show_table(
        title,
        ("订单 order", "字段 path", "新值 value", "结果 status", "原因 reason", "案件 stage"),
        [
            (one["order_no"], one["path"], one["value"] or "-", one["status"],
             one["reason"] or "-", one["stage"] or "-")
            for one in doc["items"]
        ],
    )  # fmt: skip
    if doc["open_needs"]:
        needs = ", ".join(doc["open_needs"])
        out().print(f"needs / 尚需: {needs} ({found.owner})", markup=False)


def group() -> typer.Typer:
    """The command group ``clearance repair``."""
    made = typer.Typer(name="repair", no_args_is_help=True, help="Mend what was found / 更正差异")
    made.command("fixes")(fixes)
    made.command("list")(listing)
    made.command("show")(show)
    made.command("preview")(preview)
    made.command("apply")(apply)
    made.command("ask")(ask)
    made.command("confirm")(confirm)
    made.command("refuse")(refuse)
    return made
