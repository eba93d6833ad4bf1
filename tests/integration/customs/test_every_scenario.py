"""Every scenario of the sandbox customs through the whole gateway: each case ends where it should.

EXCHANGE1xxx and refused signatures are left to tests of their own: a security answer pauses the
channel for everybody, a refused signature sets the key aside.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sandbox.customs import CustomsAuthority, ScenarioName, Settings
from adapters.sandbox.customs.catalogue import Listed, catalogue
from adapters.sandbox.customs.folder import run_folder
from gateway.app.checks import check_everything
from gateway.app.config import FolderSection
from gateway.app.container import Gateway
from gateway.app.demo import feed
from gateway.app.demo_orders import DemoOrder, demo_orders
from gateway.app.demo_world import PROFILE, TENANT, furnish, prepare, quick
from gateway.app.serve import running
from gateway.domain.asking import Ask
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind
from gateway.ports import CaseFilter
from store.keys import KeyRole

_S = CaseStage
SIGNATURE = {"301020", "621025", "621026", "621028", "621029"}
LISTED = [
    one
    for one in catalogue()
    if not (one.name == "EXCHANGE" and one.code[0] == "1")
    and one.code not in SIGNATURE
    and one.direction == "import"
]
ENDS = {
    ScenarioName.REJECT: _S.REJECTED,
    ScenarioName.ORDERREJECT: _S.REJECTED,
    ScenarioName.RECALL: _S.REJECTED,
    ScenarioName.TURNDOWN: _S.REJECTED,
    ScenarioName.INSPECTREFUSE: _S.REJECTED,
    ScenarioName.DECIDEREFUSE: _S.REJECTED,
    ScenarioName.PLAINTEXT: _S.REJECTED,
    ScenarioName.BADRECORD: _S.REJECTED,
    ScenarioName.ORDERTURNDOWN: _S.REJECTED,
    ScenarioName.DETAIN: _S.DETAINED,
    ScenarioName.SUSPEND: _S.SUSPENDED,
    ScenarioName.ABROAD: _S.RETURNED_ABROAD,
    ScenarioName.CLOSE: _S.CLOSED,
    ScenarioName.PENDING: _S.ACCEPTED,
    ScenarioName.NOCANCEL: _S.ACCEPTED,
    ScenarioName.NORETURN: _S.CLOSED,
    ScenarioName.LOST: _S.SENT,
    ScenarioName.ORDERLOST: _S.WAITING_FILINGS,
}
HELD = {ScenarioName.REVOKE, ScenarioName.REINSPECT, ScenarioName.TURNBACK}


def expected(one: Listed) -> CaseStage:
    if one.name is ScenarioName.EXCHANGE and one.code[0] in "02":
        # Refused for good: the record is called bad once it stands alone.
        return _S.REJECTED
    return ENDS.get(one.name, _S.RELEASED)


def renumbered(order: DemoOrder, number: str) -> DemoOrder:
    """The same papers under another order number."""
    old = order.order_no

    def put(value: object) -> object:
        if isinstance(value, str):
            return value.replace(old, number)
        if isinstance(value, dict):
            return {key: put(one) for key, one in value.items()}
        return [put(one) for one in value] if isinstance(value, list) else value

    return DemoOrder(number, None, put(order.order), put(order.payment), put(order.waybill))  # type: ignore[arg-type]


async def stages(gateway: Gateway) -> dict[str, tuple[CaseStage, bool]]:
    page = await gateway.reads.cases(TENANT, CaseFilter(), None, 200)
    return {row.key.order_no: (row.stage, row.held) for row in page.items}


# What is asked afterwards, of which scenario: the request's end, and where the case then stands.
ASKED = {
    "SIM-PENDING-1": (Ask.CANCEL, DeclarationKind.CANCELLATION, "approved", _S.CANCELLED),
    "SIM-NOCANCEL-1": (Ask.CANCEL, DeclarationKind.CANCELLATION, "rejected", _S.ACCEPTED),
    "SIM-NORETURN-1": (Ask.RETURN, DeclarationKind.RETURN, "rejected", _S.CLOSED),
    "SIM-RELEASE-1": (Ask.RETURN, DeclarationKind.RETURN, "approved", _S.RELEASED),
}


async def ask_afterwards(gateway: Gateway) -> None:
    """Cancel and return through the sandbox, granted and refused."""
    page = await gateway.reads.cases(TENANT, CaseFilter(), None, 200)
    cases = {row.key.order_no: row.key.case_id for row in page.items}
    for order_no, (ask, *_) in ASKED.items():
        reply = await gateway.desk.ask(ask, TENANT, cases[order_no], "clerk", "not wanted")
        assert reply is not None
        assert reply.standing.reason in ("request_filed", "return_filed")
    found: dict[str, tuple[str, CaseStage]] = {}
    for _ in range(60):
        await asyncio.sleep(0.5)
        for order_no, (_, kind, *_) in ASKED.items():
            case = await gateway.reads.case(TENANT, cases[order_no])
            assert case is not None
            request = case.state.declaration(kind)
            assert request is not None
            found[order_no] = (request.stage.value, case.row.stage)
        if found == {order_no: (end, stage) for order_no, (_, _, end, stage) in ASKED.items()}:
            return
    raise AssertionError(found)


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_every_case_ends_where_it_should(tmp_path: Path) -> None:
    plain = demo_orders(PROFILE, len(LISTED), seed=5, problems=False)
    planned = [renumbered(order, one.order_no) for order, one in zip(plain, LISTED, strict=True)]
    wanted = {one.order_no: (expected(one), one.name in HELD) for one in LISTED}
    customs = quick(Settings.demo())
    slow = replace(customs.timing, late=timedelta(seconds=6), busy=timedelta(seconds=6))
    authority = CustomsAuthority(3, replace(customs, timing=slow))
    settings = prepare(tmp_path)
    section = settings.channels["dxp"]
    assert isinstance(section, FolderSection)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks, running(settings) as (gateway, serving):
        tasks.create_task(run_folder(authority, section.send, section.receive, stop=stop))
        assert serving is not None
        await furnish(gateway)
        key = await gateway.keys.new(TENANT, KeyRole.SELLER, "seller")
        await feed(serving.address, key.token, planned)
        found: dict[str, tuple[CaseStage, bool]] = {}
        for _ in range(180):
            await asyncio.sleep(1)
            found = await stages(gateway)
            if found == wanted:
                break
        assert {no: found.get(no) for no in wanted if found.get(no) != wanted[no]} == {}
        await ask_afterwards(gateway)
        assert not (await check_everything(gateway)).violations
        stop.set()
