"""Receipts that fit a declaration in nearly everything move nothing."""

import asyncio
import base64
import re
from pathlib import Path

import pytest
from sqlalchemy import select

from gateway.api.edge import ORDER, PAYMENT, WAYBILL
from gateway.app.container import Gateway
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT, furnish, prepare
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind
from gateway.flow.clockwork import BEIJING, moment
from gateway.ports import CaseFilter, CaseRow
from store.checks import run_checks
from store.tables import parked
from tests.integration.test_links import incoming

OURS, THEIRS = "DXPENT0000000001", "DXPENT0000000002"


def envelope(kind: str, body: str, receiver: str = OURS) -> bytes:
    """A receipt as the exchange platform would deliver it, written by hand."""
    data = base64.b64encode(body.encode()).decode()
    return (
        '<DxpMsg xmlns="http://www.chinaport.gov.cn/dxp" ver="1.0"><TransInfo>'
        "<CopMsgId>0B0D1A10-0000-4000-8000-000000000001</CopMsgId>"
        "<SenderId>DXPEDCCEB0000002</SenderId>"
        f"<ReceiverIds><ReceiverId>{receiver}</ReceiverId></ReceiverIds>"
        f"<CreatTime>2026-11-23T10:00:00</CreatTime><MsgType>{kind}</MsgType></TransInfo>"
        f"<Data>{data}</Data></DxpMsg>"
    ).encode()


def returned(at: int) -> str:
    """A returnTime shortly after now, in customs' clock."""
    return f"{moment(at).astimezone(BEIJING):%Y%m%d%H%M%S}{at // 1000 % 1000:03d}"


def order_receipt(row: CaseRow, status: str, at: int) -> str:
    return (
        '<CEB312Message xmlns="http://www.chinaport.gov.cn/ceb" version="1.0" '
        'guid="0b0d1a10-0000-4000-8000-00000000000a"><OrderReturn>'
        "<guid>0b0d1a10-0000-4000-8000-00000000000b</guid>"
        f"<ebpCode>{row.key.platform}</ebpCode><ebcCode>3301960002</ebcCode>"
        f"<orderNo>{row.key.order_no}</orderNo><returnStatus>{status}</returnStatus>"
        f"<returnTime>{returned(at)}</returnTime><returnInfo>ok</returnInfo>"
        "</OrderReturn></CEB312Message>"
    )


def inventory_receipt(cop_no: str, status: str, invt_no: str, at: int) -> str:
    return (
        '<CEB622Message xmlns="http://www.chinaport.gov.cn/ceb" version="1.0" '
        'guid="0b0d1a10-0000-4000-8000-00000000000c"><InventoryReturn>'
        "<guid>0b0d1a10-0000-4000-8000-00000000000d</guid><customsCode>2991</customsCode>"
        f"<copNo>{cop_no}</copNo><invtNo>{invt_no}</invtNo><returnStatus>{status}</returnStatus>"
        f"<returnTime>{returned(at)}</returnTime><returnInfo>ok</returnInfo>"
        "</InventoryReturn></CEB622Message>"
    )


class Desk:
    """Customs' side of a folder, played by hand."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self.gateway = gateway
        self.receive = folder / "dxp" / "receive"
        self.files = 0

    def now(self) -> int:
        return self.gateway.context.clock.now()

    def answer(self, kind: str, body: str, receiver: str = OURS) -> None:
        self.files += 1
        hidden = self.receive / f".{self.files}.tmp"
        hidden.write_bytes(envelope(kind, body, receiver))
        hidden.rename(self.receive / f"{self.files}.xml")

    async def rows(self) -> list[CaseRow]:
        page = await self.gateway.reads.cases(TENANT, CaseFilter(), None, 10)
        return sorted(page.items, key=lambda row: row.key.order_no)

    async def until(self, stage: CaseStage, number: int) -> None:
        for _ in range(100):
            if [row.stage for row in await self.rows()].count(stage) >= number:
                return
            await asyncio.sleep(0.05)
        raise AssertionError([row.stage for row in await self.rows()])

    async def cop_no(self, row: CaseRow) -> str:
        case = await self.gateway.reads.case(TENANT, row.key.case_id)
        assert case is not None
        inventory = case.state.declaration(DeclarationKind.INVENTORY)
        assert inventory is not None
        return inventory.cop_no

    async def reasons(self, number: int) -> list[str]:
        found: list[str] = []
        for _ in range(100):
            async with self.gateway.store.read() as reading:
                found = await reading.run_sync(
                    lambda on: list(on.execute(select(parked.c.reason)).scalars())
                )
            if len(found) >= number:
                return sorted(found)
            await asyncio.sleep(0.05)
        return sorted(found)


async def declared(gateway: Gateway, folder: Path) -> Desk:
    """Two orders whose inventories are with customs."""
    desk = Desk(gateway, folder)
    for demo in demo_orders(PROFILE, 2, 9, problems=False):
        papers = ((demo.order, ORDER), (demo.payment, PAYMENT), (demo.waybill, WAYBILL))
        await gateway.ingest.take([incoming(doc or {}, adapter) for doc, adapter in papers])
    await desk.until(CaseStage.WAITING_FILINGS, 2)
    for _ in range(100):
        if len(list((folder / "dxp" / "send").glob("CEB311*.xml"))) >= 1:
            break
        await asyncio.sleep(0.05)
    for row in await desk.rows():
        desk.answer("CEB312Message", order_receipt(row, "120", desk.now()))
    await desk.until(CaseStage.SENT, 2)
    return desk


async def test_only_provable_releases_release(tmp_path: Path) -> None:
    """A foreign receiver, a number without its shape, a number given twice: parked, each."""
    async with running(prepare(tmp_path), api=False) as (gateway, _):
        await furnish(gateway)
        desk = await declared(gateway, tmp_path)
        first, second = await desk.rows()
        one, other = await desk.cop_no(first), await desk.cop_no(second)
        number = "29912026I000000101"
        for cop_no in (one, other):
            now = desk.now()
            desk.answer("CEB622Message", inventory_receipt(cop_no, "2", number, now))
            await asyncio.sleep(0.01)
        await desk.until(CaseStage.LODGED, 2)
        now = desk.now()
        desk.answer("CEB622Message", inventory_receipt(one, "800", number, now), THEIRS)
        assert await desk.reasons(1) == ["foreign_receiver"]
        desk.answer("CEB622Message", inventory_receipt(one, "800", "2991", now + 1000))
        assert (await desk.reasons(2))[1].startswith("invtNo")
        desk.answer("CEB622Message", inventory_receipt(one, "800", number, now + 2000))
        await desk.until(CaseStage.RELEASED, 1)
        desk.answer("CEB622Message", inventory_receipt(other, "800", number, now + 3000))
        assert "invt_no_taken" in await desk.reasons(3)
        assert [row.stage for row in await desk.rows()] == [CaseStage.RELEASED, CaseStage.LODGED]


@pytest.mark.parametrize("adapter", [PAYMENT, WAYBILL], ids=["payment", "waybill"])
async def test_a_waiting_paper_breaks_no_promise(tmp_path: Path, adapter: object) -> None:
    """A paper that waits for its order is a legal state."""
    (demo,) = demo_orders(PROFILE, 1, 5, problems=False)
    doc = demo.payment if adapter is PAYMENT else demo.waybill
    assert doc is not None
    async with running(prepare(tmp_path), api=False) as (gateway, _):
        await furnish(gateway)
        lone = {name: value for name, value in doc.items() if name != "order_no"}
        await gateway.ingest.take([incoming(lone, adapter)])
        now = gateway.context.clock.now()
        async with gateway.store.read() as reading:
            report = await reading.run_sync(lambda on: run_checks(on, gateway.store.keys, now))
        assert report.violations == ()


def test_the_samples_are_what_they_claim() -> None:
    """The hand-written receipt carries the body that it was given."""
    data = re.search(rb"<Data>(.*?)</Data>", envelope("CEB312Message", "<a/>"))
    assert data is not None
    assert base64.b64decode(data[1]) == b"<a/>"
