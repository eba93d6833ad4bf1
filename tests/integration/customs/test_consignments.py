"""Consignments: parcels of one bill are gathered into one list, whose answer is for all of them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from adapters.sandbox.customs import Settings
from gateway.app.checks import check_everything
from gateway.app.demo import feed
from gateway.app.demo_orders import DemoOrder, demo_orders, goods_records
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, quick
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.ids import CaseId
from gateway.domain.papers import Paper, Waybill
from gateway.domain.profile import Consigning, FilingProfile, Party, TradeMode
from gateway.ports import CaseFilter
from store.keys import KeyRole
from tests.integration.customs.test_exports import Desk, exporting
from tests.support import exports

_K, _D = DeclarationKind, DeclarationStage
SENT = frozenset({_D.STORED, _D.REJECTED})


def under(bill: str, papers: list[Paper]) -> list[Paper]:
    return [replace(one, bill_no=bill) if isinstance(one, Waybill) else one for one in papers]


async def listed(desk: Desk, cases: list[CaseId], kind: DeclarationKind) -> list[DeclarationState]:
    """The lists that these cases stand in, once customs has answered all of them."""
    found: list[DeclarationState] = []
    for _ in range(400):
        states = [(await desk.case(one)).state.declaration(kind) for one in cases]
        found = [one for one in states if one is not None and one.stage in SENT]
        if len(found) == len(cases):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


def exporter(gather_s: int = 3) -> FilingProfile:
    return exports.profile(consigning=Consigning((_K.MASTER_LIST,), gather_s))


async def test_parcels_of_a_bill_share_a_list_and_its_answer(tmp_path: Path) -> None:
    profile = exporter()
    profile.check()
    async with exporting(tmp_path, profile) as desk:
        of_a = [await desk.take(under("180-A", exports.papers(f"EX-A{n}"))) for n in range(4)]
        of_b = [await desk.take(under("SIM-LISTREFUSE-B", exports.papers("EX-B")))]
        without = await desk.take(under("", exports.papers("EX-C")))
        for case_id in (*of_a, *of_b, without):
            await desk.at(case_id, CaseStage.RELEASED)
        stored = await listed(desk, of_a, _K.MASTER_LIST)
        (refused,) = await listed(desk, of_b, _K.MASTER_LIST)
        assert {one.stage for one in stored} == {_D.STORED}
        assert refused.stage is _D.REJECTED
        books = desk.customs.ledger.exports
        assert books is not None
        lists = {one.paper.get("copNo"): one for one in books.requests.values()}
        assert {one.cop_no for one in (*stored, refused)} == set(lists)
        # Those that were accepted within the same part of the day stand in one list.
        rows = sorted(
            line["logisticsNo"]
            for one in lists.values()
            for line in one.paper.lines
            if one.paper.get("billNo") == "180-A"
        )
        assert rows == [f"EX-A{n}-W" for n in range(4)]
        for one in stored:
            numbers = {line["invtNo"] for line in lists[one.cop_no].paper.lines}
            assert one.request["invt_no"] in numbers
        assert "list_refused" in (await desk.case(of_b[0])).state.alarms
        for case_id in (*of_a, *of_b):
            # A list moves no case: that is for its inventory.
            assert (await desk.case(case_id)).row.stage is CaseStage.RELEASED
        assert (await desk.case(without)).state.declaration(_K.MASTER_LIST) is None


def flown(order: DemoOrder) -> DemoOrder:
    """The papers of a demo order as a parcel that comes by air."""
    extra = {"bill_no": "180-7", "transport_no": "CK007", "voyage_no": "CK007"}
    waybill = {**(order.waybill or {}), **extra}
    return DemoOrder(order.order_no, None, order.order, order.payment, waybill)


SITE = Party("3301960007", "示例监管作业场所有限公司")


def purchase() -> FilingProfile:
    return replace(
        demo_profile(),
        mode=TradeMode.DIRECT,
        area=None,
        account_book=None,
        country="502",
        traf_mode="5",
        consigning=Consigning((_K.ENTRY_LIST,), 3, SITE),
    )


async def flown_in(desk: Desk, profile: FilingProfile, orders: list[DemoOrder]) -> list[CaseId]:
    """The cases of orders that came by air, in the order of their numbers."""
    await desk.gateway.admin.put_goods(TENANT, goods_records(profile.goods_scope))
    key = await desk.gateway.keys.new(TENANT, KeyRole.SELLER, "seller")
    await feed(desk.address, key.token, [flown(one) for one in orders])
    page = await desk.gateway.reads.cases(TENANT, CaseFilter(), None, 20)
    rows = sorted(page.items, key=lambda row: row.key.order_no)
    assert len(rows) == len(orders)
    return [row.key.case_id for row in rows]


async def test_an_entry_list_of_direct_purchase_is_filed_by_its_site(tmp_path: Path) -> None:
    profile = purchase()
    profile.check()
    async with exporting(tmp_path, profile, quick(Settings.demo())) as desk:
        cases = await flown_in(desk, profile, list(demo_orders(PROFILE, 3, seed=7, problems=False)))
        stored = await listed(desk, cases, _K.ENTRY_LIST)
        assert {one.stage for one in stored} == {_D.STORED}
        lists = list(desk.customs.ledger.requests.values())
        assert {one.paper.get("operatorCode") for one in lists} == {SITE.code}
        assert sum(len(one.paper.lines) for one in lists) == 3


async def test_one_bad_parcel_keeps_no_other_out_of_its_list(tmp_path: Path) -> None:
    profile = purchase()
    async with exporting(tmp_path, profile, quick(Settings.demo())) as desk:
        orders = list(demo_orders(PROFILE, 5, seed=7, problems=False))
        bad = orders[3].order_no
        assert orders[3].waybill is not None
        orders[3].waybill["waybill_no"] = "SIM-BADPARCEL-1"
        cases = await flown_in(desk, profile, orders)
        lists = await listed(desk, cases, _K.ENTRY_LIST)
        numbers = [(await desk.case(one)).row.key.order_no for one in cases]
        ended = dict(zip(numbers, (one.stage for one in lists), strict=True))
        assert ended == {number: _D.STORED for number in numbers} | {bad: _D.REJECTED}
        for case_id, number in zip(cases, numbers, strict=True):
            found = await desk.case(case_id)
            assert ("list_refused" in found.state.alarms) == (number == bad)
            assert found.row.stage is CaseStage.RELEASED
        # Each parcel that customs holds stands in one list of ours, under that list's own number.
        held = [one for one in desk.customs.ledger.requests.values() if one.stored is not None]
        rows = [line["logisticsNo"] for one in held for line in one.paper.lines]
        assert len(rows) == len(set(rows)) == 4
        assert {one.key[1] for one in held} == {
            one.cop_no for one in lists if one.stage is _D.STORED
        }
        refused = [one for one in desk.customs.ledger.requests.values() if one.stored is None]
        assert [one.versions[-1].status for one in refused] == ["-800001"] * len(refused)
        checked = await check_everything(desk.gateway)
        assert checked.violations == ()
