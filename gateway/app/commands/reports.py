"""Reports on the command line: parcels that arrived, left, were delivered, are to be summed up now,
goods that came back.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import typer

from gateway.api.reasons import reason_zh
from gateway.api.views import Doc, stage_view
from gateway.app.commands.case import past_time
from gateway.app.commands.frame import (
    JSONOption,
    TenantOption,
    Unusable,
    common,
    emit,
    run,
    show_table,
)
from gateway.app.commands.work import ByOption, NumberArgument, Work, at_work
from gateway.app.container import Gateway
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import CaseId, TenantId

NumbersArgument = Annotated[
    list[str], typer.Argument(metavar="NO...", help="Parcels of one bill / 同一提运单的单号")
]
BillOption = Annotated[
    str | None,
    typer.Option("--bill-no", help="Their bill, where no waybill names it / 提运单号"),
]
ReturnOption = Annotated[
    int, typer.Option("--return", min=1, help="Which return of the case / 第几次退货")
]
_Stages = Mapping[CaseId, CaseStage]


def arrival(
    context: typer.Context,
    numbers: NumbersArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    vehicle_no: Annotated[
        str, typer.Option("--vehicle-no", help="Plate of the vehicle / 车牌号", show_default=False)
    ],
    bill_no: BillOption = None,
    json: JSONOption = False,
) -> None:
    """Exported parcels reached the supervised site: file the 507 / 运抵监管场所"""
    facts = _said({"vehicle_no": vehicle_no, "bill_no": bill_no})
    work = _reporting(DeclarationKind.SITE_ARRIVAL, facts, by)
    _do(context, tenant, numbers, work, json=json)


def departure(
    context: typer.Context,
    numbers: NumbersArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    left_at: Annotated[
        str,
        typer.Option(
            "--left-at",
            metavar="TIME",
            help="2026-11-28T18:15+08:00, UTC without an offset / 离境时间",
            show_default=False,
        ),
    ],
    transport_no: Annotated[
        str | None, typer.Option("--transport-no", help="Ship, flight, plate / 运输工具")
    ] = None,
    voyage_no: Annotated[
        str | None, typer.Option("--voyage-no", help="Its voyage or flight number / 航次")
    ] = None,
    bill_no: BillOption = None,
    json: JSONOption = False,
) -> None:
    """Exported parcels left the country: file the 509 / 离境"""
    said = {"transport_no": transport_no, "voyage_no": voyage_no, "bill_no": bill_no}
    facts = _said(said | {"left_at": past_time(left_at).isoformat()})
    work = _reporting(DeclarationKind.DEPARTURE, facts, by)
    _do(context, tenant, numbers, work, json=json)


def delivery(
    context: typer.Context,
    number: NumberArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    at: Annotated[
        str,
        typer.Option(
            "--at",
            metavar="TIME",
            help="2026-11-28T18:15+08:00, UTC without an offset / 妥投时间",
            show_default=False,
        ),
    ],
    json: JSONOption = False,
) -> None:
    """A parcel was delivered: file its carrier's 513 / 妥投"""
    moment: datetime = past_time(at)

    async def work(gateway: Gateway, owner: TenantId, cases: Sequence[CaseId]) -> _Stages:
        stage = await gateway.desk.delivered(owner, cases[0], moment, f"cli:{by}")
        return _known(cases[0], stage)

    _do(context, tenant, [number], work, json=json)


def tally(
    context: typer.Context,
    number: NumberArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    which: ReturnOption = 1,
    location: Annotated[
        str | None, typer.Option("--location", help="Where the goods stand / 仓储位置")
    ] = None,
    json: JSONOption = False,
) -> None:
    """The site counted exported goods that came back: file its 215 / 退货理货明细"""

    async def work(gateway: Gateway, owner: TenantId, cases: Sequence[CaseId]) -> _Stages:
        stage = await gateway.desk.tallied(owner, cases[0], which, f"cli:{by}", location)
        return _known(cases[0], stage)

    _do(context, tenant, [number], work, json=json)


def summary(
    context: typer.Context,
    numbers: NumbersArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    json: JSONOption = False,
) -> None:
    """Sum released exports up together now, not at their period's end: file the 701 / 立即汇总"""

    async def work(gateway: Gateway, owner: TenantId, cases: Sequence[CaseId]) -> _Stages:
        return await gateway.desk.sum_up(owner, cases, f"cli:{by}")

    _do(context, tenant, numbers, work, json=json)


def back(
    context: typer.Context,
    number: NumberArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    which: ReturnOption = 1,
    json: JSONOption = False,
) -> None:
    """The goods of a return are back; nothing is filed / 退货商品已退回"""

    async def work(gateway: Gateway, owner: TenantId, cases: Sequence[CaseId]) -> _Stages:
        return _known(cases[0], await gateway.desk.goods_back(owner, cases[0], which, f"cli:{by}"))

    _do(context, tenant, [number], work, json=json)


def _reporting(kind: DeclarationKind, facts: Mapping[str, str], by: str) -> Work[_Stages]:
    async def work(gateway: Gateway, owner: TenantId, cases: Sequence[CaseId]) -> _Stages:
        return await gateway.desk.report(kind, owner, cases, facts, f"cli:{by}")

    return work


def _do(
    context: typer.Context,
    tenant: str,
    numbers: Sequence[str],
    work: Work[_Stages],
    *,
    json: bool,
) -> None:
    """Do it and show the cases; a fault at ``cases.N`` is told with the number that was given."""
    try:
        stages = run(at_work(common(context).settings(), tenant, numbers, work))
    except InvalidValue as error:
        raise refused(error, numbers) from None
    found: list[Doc] = [stage_view(case_id, stage) for case_id, stage in stages.items()]
    if json:
        emit({"cases": found})
        return
    rows = [(one["case"], one["stage"]) for one in found]
    show_table("已记录 Recorded", ("案件 case", "状态 stage"), rows)


def refused(error: InvalidValue, numbers: Sequence[str] = ()) -> Unusable:
    """What the domain refuses, in both languages."""
    name, _, place = error.path.partition(".")
    path = numbers[int(place)] if name == "cases" and place else error.path
    return Unusable(f"{path}: {error.reason}", reason_zh(error.reason))


def _known(case_id: CaseId, stage: CaseStage | None) -> _Stages:
    if stage is None:
        raise Unusable("the case has no such return; see `clearance case NO`", "该单没有这项退货")
    return {case_id: stage}


def _said(facts: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in facts.items() if value is not None}


def group() -> typer.Typer:
    """The command group ``clearance report``."""
    made = typer.Typer(
        name="report", no_args_is_help=True, help="File what became of parcels / 申报后续状态"
    )
    made.command("arrival")(arrival)
    made.command("departure")(departure)
    made.command("delivery")(delivery)
    made.command("tally")(tally)
    made.command("summary")(summary)
    made.command("back")(back)
    return made
