"""One case after another through a cancellation, a second declaration, a return and a tax bill."""

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.app.container import Gateway
from gateway.app.demo_world import TENANT, furnish, prepare
from gateway.app.serve import running
from gateway.domain.asking import Ask
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.errors import InvalidValue
from gateway.domain.events import EventKind
from gateway.domain.returns import given_back
from gateway.flow.receipt import apply_receipts
from gateway.ports import CaseDetail, CaseRow
from store.aside import read_unmatched
from store.checks import run_checks
from tests.integration.test_receipt_doubts import Desk, declared, inventory_receipt, returned

CEB = "http://www.chinaport.gov.cn/ceb"
HEAD = f'xmlns="{CEB}" version="1.0" guid="0b0d1a10-0000-4000-8000-00000000000c"'
RECORD = "<guid>0b0d1a10-0000-4000-8000-00000000000d</guid>"
CANCELLATION, RETURN = DeclarationKind.CANCELLATION, DeclarationKind.RETURN


def request_receipt(number: str, element: str, cop_no: str, status: str, at: int) -> str:
    return (
        f"<CEB{number}Message {HEAD}><{element}>{RECORD}<copNo>{cop_no}</copNo>"
        f"<returnStatus>{status}</returnStatus><returnTime>{returned(at)}</returnTime>"
        f"<returnInfo>ok</returnInfo></{element}></CEB{number}Message>"
    )


def bill(invt_no: str, vat: str, at: int) -> str:
    return (
        f"<CEB816Message {HEAD}><Tax><TaxHeadRd>{RECORD}<returnTime>{returned(at)}</returnTime>"
        f"<invtNo>{invt_no}</invtNo><taxNo>T-1</taxNo><customsTax>0</customsTax>"
        f"<valueAddedTax>{vat}</valueAddedTax><consumptionTax>0</consumptionTax>"
        "<status>1</status></TaxHeadRd><TaxListRd><gnum>1</gnum><gcode>1901101000</gcode>"
        f"<taxPrice>100</taxPrice><customsTax>0</customsTax><valueAddedTax>{vat}</valueAddedTax>"
        "<consumptionTax>0</consumptionTax></TaxListRd></Tax></CEB816Message>"
    )


async def case_of(gateway: Gateway, row: CaseRow) -> CaseDetail:
    found = await gateway.reads.case(TENANT, row.key.case_id)
    assert found is not None
    return found


async def sent(
    gateway: Gateway, row: CaseRow, kind: DeclarationKind, version: int = 1
) -> DeclarationState:
    """The declaration of a kind once it is with customs."""
    for _ in range(200):
        declaration = (await case_of(gateway, row)).state.declaration(kind)
        if declaration is not None and declaration.version == version:
            if declaration.stage is DeclarationStage.SENT:
                return declaration
        await asyncio.sleep(0.05)
    raise AssertionError((await case_of(gateway, row)).state)


async def at_stage(gateway: Gateway, row: CaseRow, stage: CaseStage) -> CaseDetail:
    for _ in range(200):
        found = await case_of(gateway, row)
        if found.row.stage is stage:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError((await case_of(gateway, row)).state)


async def cancelled_and_declared_anew(desk: Desk, row: CaseRow) -> None:
    gateway, number = desk.gateway, "29912026I000000201"
    first = await desk.cop_no(row)
    desk.answer("CEB622Message", inventory_receipt(first, "120", number, desk.now()))
    await at_stage(gateway, row, CaseStage.ACCEPTED)
    reply = await gateway.desk.ask(Ask.REDECLARE, TENANT, row.key.case_id, "clerk", "wrong box")
    assert reply is not None
    assert (reply.standing.reason, reply.stage) == ("request_filed", CaseStage.CANCELLING)
    request = await sent(gateway, row, CANCELLATION)
    desk.answer(
        "CEB624Message",
        request_receipt("624", "InvtCancelReturn", request.cop_no, "399", desk.now()),
    )
    second = await sent(gateway, row, DeclarationKind.INVENTORY, 2)
    assert second.cop_no != first
    # What customs still says of the first one moves nothing.
    desk.answer("CEB622Message", inventory_receipt(first, "800", number, desk.now()))
    number = "29912026I000000202"
    desk.answer("CEB622Message", inventory_receipt(second.cop_no, "120", number, desk.now()))
    found = await at_stage(gateway, row, CaseStage.ACCEPTED)
    assert "answer_after_cancellation" in found.state.alarms
    desk.answer("CEB622Message", inventory_receipt(second.cop_no, "800", number, desk.now()))
    found = await at_stage(gateway, row, CaseStage.RELEASED)
    assert found.state.release_sequence == 1


async def taxed_and_returned(desk: Desk, row: CaseRow) -> None:
    gateway, key = desk.gateway, row.key
    desk.answer("CEB816Message", bill("29912026I000000202", "9999.99", desk.now()))
    found = await case_of(gateway, row)
    for _ in range(200):
        found = await case_of(gateway, row)
        if found.state.bills:
            break
        await asyncio.sleep(0.05)
    assert found.state.billed_tax == Decimal("9999.99")
    assert found.state.verdict is not None
    assert "TAX-BILL" in {one.rule for one in found.state.verdict.findings}
    assert found.row.stage is CaseStage.RELEASED
    with pytest.raises(InvalidValue, match=r"lines\.1"):
        await gateway.desk.ask(
            Ask.RETURN, TENANT, key.case_id, "clerk", "size", lines={1: Decimal(999)}
        )
    reply = await gateway.desk.ask(
        Ask.RETURN, TENANT, key.case_id, "clerk", "size", lines={1: Decimal(1)}
    )
    assert reply is not None
    assert reply.standing.reason == "return_filed"
    # Another one waits until customs has this one: what is sent of a kind is its newest version.
    early = await gateway.desk.ask(
        Ask.RETURN, TENANT, key.case_id, "clerk", "size", lines={1: Decimal(1)}
    )
    assert early is not None
    assert early.standing.reason == "return_on_its_way"
    request = await sent(gateway, row, RETURN)
    before = await used_of(gateway, row)
    assert before > given_back(request).value > 0
    for status in ("399", "399", "800"):
        desk.answer(
            "CEB626Message",
            request_receipt("626", "InvtRefundReturn", request.cop_no, status, desk.now()),
        )
        await answered(gateway, row, status)
        # However often customs says so, the lines give back once what they are worth.
        assert await used_of(gateway, row) == before - given_back(request).value
        await asyncio.sleep(0.01)
    for _ in range(2):
        back = await gateway.desk.goods_back(TENANT, key.case_id, 1, "clerk")
        assert back is CaseStage.RELEASED
    assert await gateway.desk.goods_back(TENANT, key.case_id, 2, "clerk") is None
    history = (await case_of(gateway, row)).events
    assert [one.event.kind for one in history].count(EventKind.RETURN_ARRIVED) == 1


async def answered(gateway: Gateway, row: CaseRow, status: str) -> None:
    """Wait until the return stands approved and knows of a receipt with this status."""
    for _ in range(200):
        declaration = (await case_of(gateway, row)).state.declaration(RETURN)
        assert declaration is not None
        if any(one.startswith(status) for one in declaration.seen):
            assert declaration.stage is DeclarationStage.APPROVED
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await case_of(gateway, row))


async def used_of(gateway: Gateway, row: CaseRow) -> Decimal:
    """What the buyer has used of the annual limit."""
    found = await gateway.services.around.quota(TENANT, row.key.case_id)
    assert found is not None
    return found.standing.used


async def refused_and_cancelled(desk: Desk, row: CaseRow) -> None:
    gateway, number = desk.gateway, "29912026I000000203"
    cop_no = await desk.cop_no(row)
    reply = await gateway.desk.ask(Ask.CANCEL, TENANT, row.key.case_id, "clerk", "no more wanted")
    assert reply is not None
    assert (reply.standing.reason, reply.stage) == ("queued", CaseStage.CANCELLING)
    desk.answer("CEB622Message", inventory_receipt(cop_no, "120", number, desk.now()))
    request = await sent(gateway, row, CANCELLATION)
    desk.answer(
        "CEB624Message",
        request_receipt("624", "InvtCancelReturn", request.cop_no, "100", desk.now()),
    )
    await at_stage(gateway, row, CaseStage.ACCEPTED)
    await gateway.desk.ask(Ask.CANCEL, TENANT, row.key.case_id, "clerk", "still not wanted")
    request = await sent(gateway, row, CANCELLATION, 2)
    desk.answer(
        "CEB624Message",
        request_receipt("624", "InvtCancelReturn", request.cop_no, "399", desk.now()),
    )
    await at_stage(gateway, row, CaseStage.CANCELLED)


async def billed_too_early(desk: Desk, row: CaseRow) -> None:
    """A bill that overtakes the release finds no case; read again after it, it does."""
    gateway, number = desk.gateway, "29912026I000000204"
    desk.answer("CEB816Message", bill(number, "3.50", desk.now()))
    assert await desk.reasons(1) == ["unmatched"]
    cop_no = await desk.cop_no(row)
    for status in ("120", "800"):
        desk.answer("CEB622Message", inventory_receipt(cop_no, status, number, desk.now()))
        await asyncio.sleep(0.01)
    await at_stage(gateway, row, CaseStage.RELEASED)
    again = await gateway.store.execute(lambda on: read_unmatched(on, received_since=0))
    assert len(again) == 1
    items = await gateway.store.open_receipts(10)
    assert [item.receipt_id for item in items] == again
    await apply_receipts(gateway.context, items)
    assert (await case_of(gateway, row)).state.billed_tax == Decimal("3.50")
    assert await gateway.store.execute(lambda on: read_unmatched(on, received_since=0)) == []


async def test_a_bill_that_comes_too_early_is_read_again(tmp_path: Path) -> None:
    async with running(prepare(tmp_path), api=False) as (gateway, _):
        await furnish(gateway)
        desk = await declared(gateway, tmp_path)
        await billed_too_early(desk, (await desk.rows())[0])


async def test_cancelled_declared_anew_taxed_and_returned(tmp_path: Path) -> None:
    async with running(prepare(tmp_path), api=False) as (gateway, _):
        await furnish(gateway)
        desk = await declared(gateway, tmp_path)
        first, second = await desk.rows()
        await cancelled_and_declared_anew(desk, first)
        await taxed_and_returned(desk, first)
        await refused_and_cancelled(desk, second)
        now = gateway.context.clock.now()
        async with gateway.store.read() as reading:
            report = await reading.run_sync(lambda on: run_checks(on, gateway.store.keys, now))
        assert report.violations == ()
