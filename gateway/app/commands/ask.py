"""``clearance ask``: may a case still be changed, declared again, cancelled, taken back?"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import typer

from gateway.api.views import reply_view
from gateway.app.commands.frame import (
    EXIT_FAILED,
    JSONOption,
    TenantOption,
    Unusable,
    common,
    emit,
    out,
    run,
)
from gateway.app.commands.reports import refused
from gateway.app.commands.work import ByOption, NumberArgument, ReasonOption, at_work
from gateway.app.container import Gateway
from gateway.domain.asking import Answered, Ask
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.money import parse_decimal
from gateway.domain.returns import Journey
from gateway.flow.desk import Reply


def ask(
    context: typer.Context,
    what: Annotated[
        Ask, typer.Argument(metavar="WHAT", help="change, redeclare, cancel or return / 事项")
    ],
    number: NumberArgument,
    *,
    tenant: TenantOption,
    by: ByOption,
    reason: ReasonOption,
    line: Annotated[
        list[str] | None,
        typer.Option("--line", metavar="N=QUANTITY", help="What of a line comes back / 退货行"),
    ] = None,
    transport_no: Annotated[
        str | None,
        typer.Option("--transport-no", help="What exported goods come back on / 退运运输工具"),
    ] = None,
    voyage_no: Annotated[
        str | None, typer.Option("--voyage-no", help="Its voyage or flight number / 退运航次")
    ] = None,
    bill_no: Annotated[
        str | None, typer.Option("--bill-no", help="Its bill; none by mail / 退运提运单号")
    ] = None,
    mode: Annotated[
        str | None, typer.Option("--mode", help="Customs code of transport / 退运运输方式代码")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Ask whether a case can be stopped or taken back; if it can, it is / 询问并办理

    The return of exported goods (213) needs --transport-no, --voyage-no and --bill-no. Exit code 1
    when it is too late or too early.
    """
    lines = _lines(line or [])
    journey = _journey(transport_no, voyage_no, bill_no, mode)

    async def work(gateway: Gateway, owner: TenantId, cases: Sequence[CaseId]) -> Reply:
        desk, who = gateway.desk, f"cli:{by}"
        found = await desk.ask(what, owner, cases[0], who, reason, None, lines, journey=journey)
        assert found is not None, "the number was resolved to a case of the tenant"
        return found

    try:
        reply = run(at_work(common(context).settings(), tenant, [number], work))
    except InvalidValue as error:
        raise refused(error) from None
    doc = reply_view(number, reply)
    if json:
        emit(doc)
    else:
        out().print(f"{doc['answer']}  {doc['reason']}, 状态 stage {doc['stage']}", markup=False)
        out().print(f"{doc['text']['zh']}\n{doc['text']['en']}", markup=False)
    if reply.standing.answered is not Answered.STOPPABLE:
        raise typer.Exit(EXIT_FAILED)


def _lines(given: Sequence[str]) -> dict[int, Decimal] | None:
    """``--line 1=2`` as line number → quantity; None where none is given."""
    lines: dict[int, Decimal] = {}
    for one in given:
        number, equals, quantity = one.partition("=")
        if not equals or not number.isascii() or not number.isdigit():
            raise Unusable(
                f"--line {one}: write it like 1=2, line and quantity", "请写成 行号=数量"
            )
        try:
            lines[int(number)] = parse_decimal(quantity, f"lines.{number}")
        except InvalidValue as error:
            raise refused(error) from None
    return lines or None


def _journey(
    transport_no: str | None, voyage_no: str | None, bill_no: str | None, mode: str | None
) -> Journey | None:
    if transport_no is None and voyage_no is None and bill_no is None and mode is None:
        return None
    if transport_no is None or voyage_no is None:
        raise Unusable(
            "the way home needs both --transport-no and --voyage-no", "请同时填写运输工具与航次"
        )
    return Journey(transport_no, voyage_no, bill_no, mode)
