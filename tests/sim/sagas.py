"""What somebody asks of a case that customs has: to cancel, to correct, to declare anew, to take
goods back; and orders that one payment pays.

A client that got no answer asks again. It asks at the version that it saw, so that an answer that
was lost on its way is not taken for a second wish.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

import orjson

from gateway.app.container import Gateway
from gateway.app.demo_world import TENANT
from gateway.domain.asking import Ask
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationStage
from gateway.domain.errors import VersionMoved
from gateway.domain.events import EventKind
from gateway.domain.papers import Order, PaperKind
from gateway.domain.profile import ExportTerms, Party, Summary
from gateway.domain.returns import Journey, standing_returns
from gateway.ports import CaseDetail
from tests.sim.orders import PaperType, Planned
from tests.sim.trade import Trade, exported, imports
from tests.sim.world import World

_S: Final = CaseStage
_LOOKS: Final = 600
_LOOK_S: Final = 0.5
Saga = Callable[[World, Planned], Coroutine[Any, Any, None]]


async def _cancel(world: World, one: Planned) -> None:
    one.expected, one.requests = _S.CANCELLED, ("cancellation approved",)
    await _until(world, one, _S.ACCEPTED)
    await _ask(world, one, Ask.CANCEL)


async def _cancel_early(world: World, one: Planned) -> None:
    """Asked before customs has decided: it waits for the acceptance."""
    one.expected, one.requests = _S.CANCELLED, ("cancellation approved",)
    await _until(world, one, _S.SENT, _S.LODGED, _S.ACCEPTED)
    await _ask(world, one, Ask.CANCEL)


async def _cancel_in_vain(world: World, one: Planned) -> None:
    one.requests = ("cancellation rejected",)
    await _until(world, one, _S.ACCEPTED)
    await _ask(world, one, Ask.CANCEL)


async def _declare_anew(world: World, one: Planned) -> None:
    one.inventories, one.requests = 2, ("cancellation approved",)
    await _until(world, one, _S.ACCEPTED)
    await _ask(world, one, Ask.REDECLARE)


async def _correct_at_customs(world: World, one: Planned) -> None:
    """The seller asks for a change; once customs has let go, the corrected order is filed."""
    one.inventories, one.requests = 2, ("cancellation approved",)
    order = orjson.loads(one.lines[PaperType.ORDER])
    order["buyer"]["phone"] = _CORRECTED
    corrected = orjson.dumps(order)
    await _until(world, one, _S.ACCEPTED)
    await _ask(world, one, Ask.CHANGE)
    for _ in range(_LOOKS):
        # Its papers are frozen while customs has the inventory: who is told so sends again.
        await world.submit([(one, PaperType.ORDER, corrected)])
        if one.acknowledged.get(PaperType.ORDER) == corrected:
            break
        await asyncio.sleep(_LOOK_S)
    await _until_declared(world, one)


_CORRECTED: Final = "13800009999"


async def _until_declared(world: World, one: Planned) -> None:
    """Until customs has the corrected order and accepted the inventory built on it."""
    books = world.wire.authority.ledger
    for _ in range(_LOOKS):
        order = books.order(world.trade.profile.platform.code, one.order_no)
        live = books.live_inventories(order.key) if order is not None else ()
        filed = [*([] if order is None or order.stored is None else [order.stored]),
                 *(each.paper for each in live)]  # fmt: skip
        if len(filed) == 2 and {each.get("buyerTelephone") for each in filed} == {_CORRECTED}:
            return
        await asyncio.sleep(_LOOK_S)
    raise AssertionError(f"{one.order_no}: customs never had the correction")


async def _take_back_in_parts(world: World, one: Planned) -> None:
    """One piece of the first line, then the rest of the order, if there is any."""
    await _until(world, one, _S.RELEASED)
    seen = await _case(world, one)
    assert seen is not None
    order = seen.papers[PaperKind.ORDER].paper
    assert isinstance(order, Order)
    parts = [part for part in ({order.lines[0].line_no: Decimal(1)}, _rest(order)) if part]
    one.requests = ("return approved",) * len(parts)
    for part in parts:
        await _ask(world, one, Ask.RETURN, part)
        await _until_approved(world, one)


def _rest(order: Order) -> Mapping[int, Decimal]:
    first, *others = order.lines
    left = {line.line_no: line.quantity for line in others}
    return left | ({first.line_no: first.quantity - 1} if first.quantity > 1 else {})


_JOURNEY: Final = Journey("CK900", "CK900", "180-HOME")


async def _come_home(world: World, one: Planned) -> None:
    """Exported goods are asked back and counted; their inventory is summed up meanwhile."""
    await _until(world, one, _S.RELEASED)
    one.requests = ("export_return approved", "return_tally stored")
    await _ask(world, one, Ask.RETURN, journey=_JOURNEY)
    await _until_approved(world, one)
    case_id = world.trade.case_of(one.order_no)

    async def count(gateway: Gateway) -> None:
        await gateway.desk.tallied(TENANT, case_id, 1, "site")

    await world.ask(count)


def coming_home() -> Trade:
    """Exports of which all goods come home again, and whose inventories are summed up."""
    trade = exported()
    assert trade.profile.consigning is not None
    site, broker = Party("3301960007", "示例监管场所"), Party("3301980008", "示例报关")
    profile = replace(
        trade.profile,
        consigning=replace(trade.profile.consigning, operator=site),
        export=ExportTerms("USA3", is_summarised=True, summary=Summary(broker)),
    )
    return replace(trade, profile=profile, people=_come_home)


_SAGAS: Final[tuple[tuple[str, Saga], ...]] = (
    ("PENDING", _cancel),
    ("PENDING", _cancel_early),
    ("NOCANCEL", _cancel_in_vain),
    ("PENDING", _declare_anew),
    ("RELEASE", _take_back_in_parts),
    ("PENDING", _correct_at_customs),
)
SCENARIOS: Final = tuple(scenario for scenario, _ in _SAGAS)
"""What customs plays of each order of a world of sagas, one after the other."""


def asked_about() -> Trade:
    """Imports of which somebody asks something, each another thing."""

    async def ask(world: World, one: Planned) -> None:
        number = world.planned.index(one)
        _, saga = _SAGAS[number % len(_SAGAS)]
        await saga(world, one)

    return replace(imports(), people=ask)


def paid_at_once() -> Trade:
    """Imports of which one payment pays all: the company files a part of it for each order."""

    def pay(planned: Sequence[Planned]) -> None:
        slips = [orjson.loads(one.lines[PaperType.PAYMENT]) for one in planned]
        whole = sum((Decimal(slip["amount"]) for slip in slips), Decimal(0))
        for one, slip in zip(planned, slips, strict=True):
            slip |= {"original_id": "PAID-AT-ONCE", "original_amount": str(whole)}
            one.lines = {**one.lines, PaperType.PAYMENT: orjson.dumps(slip)}

    return replace(imports(), pays=pay)


async def _case(world: World, one: Planned) -> CaseDetail | None:
    async def read(gateway: Gateway) -> CaseDetail | None:
        return await gateway.reads.case(TENANT, world.trade.case_of(one.order_no))

    return await world.ask(read)


async def _until(world: World, one: Planned, *stages: CaseStage) -> None:
    for _ in range(_LOOKS):
        if await world.stage_of(one) in stages:
            return
        await asyncio.sleep(_LOOK_S)
    raise AssertionError(f"{one.order_no} never came to {stages}")


async def _until_approved(world: World, one: Planned) -> None:
    """Until customs has granted the newest return."""
    for _ in range(_LOOKS):
        seen = await _case(world, one)
        returns = [] if seen is None else standing_returns(seen.state)
        newest = returns[-1] if returns else None
        if newest is not None and newest.stage is DeclarationStage.APPROVED:
            return
        await asyncio.sleep(_LOOK_S)
    raise AssertionError(f"{one.order_no}: customs never granted the return")


async def _ask(
    world: World,
    one: Planned,
    ask: Ask,
    lines: Mapping[int, Decimal] | None = None,
    journey: Journey | None = None,
) -> None:
    """Ask until it is known to have been heard."""
    case_id = world.trade.case_of(one.order_no)
    seen = await _case(world, one)
    assert seen is not None
    before = _heard(seen)
    world.somebody_asks()
    for _ in range(_LOOKS):
        version = seen.row.version

        async def put(gateway: Gateway, version: int = version) -> None:
            put_by = (TENANT, case_id, "clerk", "sim", version, lines)
            await gateway.desk.ask(ask, *put_by, journey=journey)

        try:
            await world.ask(put)
        except VersionMoved:
            pass
        again = await _case(world, one)
        assert again is not None
        if _heard(again) > before:
            return
        seen = again
        await asyncio.sleep(_LOOK_S)
    raise AssertionError(f"{one.order_no}: nobody heard {ask}")


def _heard(seen: CaseDetail) -> int:
    """How many wishes and returns the case knows of."""
    returns = [one for one in seen.state.declarations if one.kind.is_return]
    return len(returns) + sum(one.event.kind is EventKind.CASE_ASKED for one in seen.events)
