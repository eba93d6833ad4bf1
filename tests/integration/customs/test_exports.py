"""Exports through the whole gateway and the sandbox customs: from the papers to their ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.sandbox.customs import CustomsAuthority, Settings
from adapters.sandbox.customs.folder import run_folder
from gateway.app.checks import check_everything
from gateway.app.config import FolderSection
from gateway.app.container import Gateway
from gateway.app.demo_world import prepare, quick
from gateway.app.serve import running
from gateway.client import ClearanceClient, InvalidRequest
from gateway.domain.asking import Ask
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.ids import CaseId
from gateway.domain.papers import Paper, PaperKind
from gateway.domain.profile import ConfirmedBy, FiledBy, FilingProfile, PaperFiling, TradeMode
from gateway.flow.ingest import Incoming
from gateway.ports import CaseDetail, CaseFilter
from store.keys import KeyRole
from tests.integration.client.conftest import good_order
from tests.support import exports

DOCUMENTS = Path(__file__).parents[2] / "samples" / "customs" / "documents"
_S, _K = CaseStage, DeclarationKind


@dataclass
class Desk:
    """A running gateway that exports, and its customs."""

    gateway: Gateway
    customs: CustomsAuthority
    profile: FilingProfile
    address: str = ""

    async def take(self, papers: Sequence[Paper]) -> CaseId:
        """Hand the papers of one order in; gives its case."""
        results = await self.gateway.services.ingest.take(
            [Incoming(exports.TENANT, self.profile, one, "test", b"{}") for one in papers]
        )
        case_id = results[0].case_id
        assert case_id is not None, results
        return case_id

    async def case(self, case_id: CaseId) -> CaseDetail:
        found = await self.gateway.reads.case(exports.TENANT, case_id)
        assert found is not None
        return found

    async def at(self, case_id: CaseId, stage: CaseStage) -> CaseDetail:
        """The case once it stands at a stage."""
        found = await self.case(case_id)
        for _ in range(300):
            found = await self.case(case_id)
            if found.row.stage is stage:
                return found
            await asyncio.sleep(0.05)
        raise AssertionError((found.row.stage, found.state))


@asynccontextmanager
async def exporting(
    folder: Path, profile: FilingProfile, customs: Settings | None = None
) -> AsyncIterator[Desk]:
    settings = prepare(folder)
    section = settings.channels["dxp"]
    assert isinstance(section, FolderSection)
    asked = customs or quick(replace(Settings.demo(), require_filings=True))
    authority = CustomsAuthority(5, asked)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks, running(settings) as (gateway, serving):
        tasks.create_task(run_folder(authority, section.send, section.receive, stop=stop))
        await gateway.admin.create_tenant(exports.TENANT, "示例出口商 Example exporter")
        await gateway.admin.put_profile(profile)
        await gateway.admin.put_goods(exports.TENANT, exports.goods(profile))
        assert serving is not None
        yield Desk(gateway, authority, profile, serving.address)
        assert not (await check_everything(gateway)).violations
        stop.set()


async def test_a_preflight_foresees_an_export_and_stores_nothing(tmp_path: Path) -> None:
    async with exporting(tmp_path, exports.profile()) as desk:
        key = await desk.gateway.keys.new(exports.TENANT, KeyRole.SELLER, "shop")
        order, funds, waybill = exports.documents("EX-1")
        async with ClearanceClient(desk.address, key.token) as client:
            good, wrong = [
                await client.preflight(
                    export_order=order | changed, funds_receipt=funds, export_waybill=waybill
                )
                for changed in ({}, {"goods_value": "18.00"})
            ]
            with pytest.raises(InvalidRequest) as refused:
                await client.preflight(order=good_order().order | {"profile": exports.PROFILE})
            message = (DOCUMENTS / "303-9610.xml").read_bytes()
            message = message.replace(b"TOY-1", b"TEA-CUP").replace(b">007<", b">011<")
            report = await client.preflight_message(message)
            worse = message.replace(b"<ceb:qty>2<", b"<ceb:qty>3<")
            told = await client.preflight_message(worse)
        stored = await desk.gateway.reads.cases(exports.TENANT, CaseFilter(), None, 10)
    assert good["verdict"] == {**(good["verdict"] or {}), "kind": "matched", "findings": []}
    assert "export_order" in good["declares"]
    assert [one["rule"] for one in (wrong["verdict"] or {})["findings"]] == ["ORDER-LINES-SUM"]
    assert [fault.path for fault in refused.value.errors] == ["profile"]
    assert (report["by_rule"], report["blocked"]) == ({}, 0)
    assert (told["by_rule"], told["blocked"]) == ({"ORDER-LINE-TOTAL": 1}, 1)
    assert stored.items == ()


async def test_an_export_is_declared_with_all_its_papers_and_released(tmp_path: Path) -> None:
    async with exporting(tmp_path, exports.profile()) as desk:
        key = await desk.gateway.keys.new(exports.TENANT, KeyRole.SELLER, "shop")
        order, funds, waybill = exports.documents("EX-1")
        async with ClearanceClient(desk.address, key.token) as client:
            with pytest.raises(InvalidRequest) as refused:
                await client.send_order(good_order().order | {"profile": exports.PROFILE})
            assert [fault.path for fault in refused.value.errors] == ["profile"]
            taken = await client.send_export_order(order)
            assert (taken["status"], taken["stage"]) == ("accepted", "collecting")
            await client.send_funds_receipt(funds)
            (line,) = await client.send_batch([{"type": "export_waybill", **waybill}])
            assert line["status"] == "accepted"
        found = await desk.at(CaseId(str(taken["case"])), _S.RELEASED)
        filed = {one.kind: one for one in found.state.declarations}
        assert {kind: one.stage for kind, one in filed.items()} == {
            _K.EXPORT_ORDER: DeclarationStage.STORED,
            _K.FUNDS_RECEIPT: DeclarationStage.STORED,
            _K.EXPORT_WAYBILL: DeclarationStage.STORED,
            _K.EXPORT_INVENTORY: DeclarationStage.RELEASED,
        }
        inventory = filed[_K.EXPORT_INVENTORY]
        assert inventory.invt_no is not None
        assert inventory.invt_no[8] == "E"
        assert found.state.release_sequence == 1
        # Customs' own books say the same, and only those of exports.
        assert desk.customs.ledger.to_dict()["inventories"] == []
        books = desk.customs.ledger.exports
        assert books is not None
        assert [one.trail for one in books.released()] == [["2", "120", "800"]]


# Which order number or waybill asks for what, and where its case ends.
ENDS = {
    "SIM-REVIEW-E1": _S.RELEASED,
    "SIM-INSPECT-E1": _S.RELEASED,
    "SIM-DUPLICATE-E1": _S.RELEASED,
    "SIM-REORDER-E1": _S.RELEASED,
    "SIM-OUTAGE-E1": _S.RELEASED,
    "SIM-DRIP-E1": _S.RELEASED,
    "SIM-CLOSE-E1": _S.CLOSED,
    "SIM-SUSPEND-E1": _S.SUSPENDED,
    "SIM-DETAIN-E1": _S.DETAINED,
    "SIM-RECALL-E1": _S.REJECTED,
    "SIM-REJECT1322-E1": _S.REJECTED,
    "SIM-ORDERREJECT-E1": _S.REJECTED,
    "SIM-FUNDSREJECT-E1": _S.REJECTED,
    "SIM-PARCELREJECT-E1": _S.REJECTED,
    "SIM-PARCELHALF-E1": _S.WAITING_FILINGS,
    "SIM-FUNDSLOST-E1": _S.WAITING_FILINGS,
    "SIM-BADRECORD-E1": _S.REJECTED,
    "SIM-PENDING-E1": _S.ACCEPTED,
    "SIM-NOCANCEL-E1": _S.ACCEPTED,
}


@pytest.mark.slow
async def test_every_export_ends_where_its_receipts_lead(tmp_path: Path) -> None:
    async with exporting(tmp_path, exports.profile()) as desk:
        cases = {number: await desk.take(exports.papers(number)) for number in ENDS}
        for number, stage in ENDS.items():
            found = await desk.at(cases[number], stage)
            inventory = found.state.inventory()
            # Nothing is declared before customs has every paper that the office asks for.
            is_held_back = number[4:].startswith(("FUNDS", "PARCEL", "ORDER", "BAD"))
            assert (inventory is None) == is_held_back, number
        for number, stage in (("SIM-PENDING-E1", _S.CANCELLED), ("SIM-NOCANCEL-E1", _S.ACCEPTED)):
            case_id = cases[number]
            reply = await desk.gateway.desk.ask(
                Ask.CANCEL, exports.TENANT, case_id, "clerk", "not wanted"
            )
            assert reply is not None
            assert (reply.standing.reason, reply.stage) == ("request_filed", _S.CANCELLING)
            found = await desk.at(case_id, stage)
            request = found.state.declaration(_K.EXPORT_CANCELLATION)
            assert request is not None
            is_granted = request.stage is DeclarationStage.APPROVED
            assert is_granted == (stage is _S.CANCELLED)
        # A refused order is corrected and goes its way.
        await desk.take(exports.papers("SIM-REJECT1322-E1", note="corrected")[:1])
        await desk.at(cases["SIM-REJECT1322-E1"], _S.RELEASED)


OF_OTHERS = PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT)
SPARED = PaperFiling(FiledBy.NOBODY, ConfirmedBy.RECEIPT)


@pytest.mark.parametrize("mode", [TradeMode.B2B, TradeMode.OVERSEAS_WAREHOUSE, TradeMode.BONDED])
async def test_each_mode_files_what_its_office_asks_for(tmp_path: Path, mode: TradeMode) -> None:
    """9710 and 9810 without a receipt of funds, 1210 from a zone; the carrier files its waybill."""
    zone = exports.profile().merchant
    profile = exports.profile(
        mode=mode,
        filings={PaperKind.PAYMENT: SPARED, PaperKind.WAYBILL: OF_OTHERS},
        area=zone if mode is TradeMode.BONDED else None,
        account_book="T2991W000002" if mode is TradeMode.BONDED else None,
    )
    profile.check()
    customs = quick(Settings.demo())
    async with exporting(tmp_path, profile, customs) as desk:
        order, _, waybill = exports.papers("EX-2", destination="110")
        found = await desk.at(await desk.take([order, waybill]), _S.RELEASED)
        assert [one.kind for one in found.state.declarations] == [
            _K.EXPORT_ORDER,
            _K.EXPORT_INVENTORY,
        ]
        books = desk.customs.ledger.exports
        assert books is not None
        (declared,) = books.inventories.values()
        said = [declared.paper.get(name) for name in ("tradeMode", "country", "POD", "ieFlag")]
        assert said == [mode.value, "110", "USA3", "E"]
