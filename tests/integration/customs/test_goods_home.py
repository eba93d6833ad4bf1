"""Exported goods come home: the return (213), and their tally on arrival at the site (215)."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.client import ClearanceClient, Conflict, InvalidRequest
from gateway.domain.asking import Ask
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.errors import InvalidValue
from gateway.domain.events import EventKind
from gateway.domain.ids import CaseId
from gateway.domain.profile import Consigning, Party
from gateway.domain.returns import Journey
from store.keys import KeyRole
from tests.integration.customs.test_exports import Desk, exporting
from tests.support import exports

_K, _D, _S = DeclarationKind, DeclarationStage, CaseStage
SITE = Party("3301960007", "示例监管作业场所有限公司")
HOME = {"transport_no": "CK900", "voyage_no": "CK900", "bill_no": "180-HOME"}
# What customs makes of the return of each order, what of the tally.
ENDS = {
    "EX-HOME": (_D.APPROVED, _D.STORED),
    "SIM-HOMEREVIEW-1": (_D.APPROVED, _D.STORED),
    "SIM-HOMEINSPECT-1": (_D.APPROVED, _D.STORED),
    "SIM-HOMEHANDOVER-1": (_D.DETAINED, _D.STORED),
    "SIM-HOMEHOLD-1": (_D.SUSPENDED, _D.STORED),
    "SIM-NORETURN-1": (_D.REJECTED, None),
    "SIM-TALLYREFUSE-1": (_D.APPROVED, _D.REJECTED),
}


async def until(
    desk: Desk, case_id: CaseId, kind: DeclarationKind, *stages: DeclarationStage
) -> DeclarationState:
    found = None
    for _ in range(300):
        found = (await desk.case(case_id)).state.declaration(kind)
        if found is not None and found.stage in stages:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_each_return_and_its_tally_end_as_customs_says(tmp_path: Path) -> None:
    profile = exports.profile(consigning=Consigning((_K.MASTER_LIST,), 86400, SITE))
    async with exporting(tmp_path, profile) as desk:
        ask, tenant = desk.gateway.desk.ask, exports.TENANT
        cases = {number: await desk.take(exports.papers(number)) for number in ENDS}
        for number, case_id in cases.items():
            await desk.at(case_id, _S.CLOSED if "NORETURN" in number else _S.RELEASED)
            reply = await ask(Ask.RETURN, tenant, case_id, "clerk", "size", journey=Journey(**HOME))
            assert reply is not None
            assert (reply.standing.reason, reply.standing.files) == ("export_return_filed", True)
        for number, (ended, counted) in ENDS.items():
            filed = await until(desk, cases[number], _K.EXPORT_RETURN, ended)
            alarms = (await desk.case(cases[number])).state.alarms
            assert ("return_stopped" in alarms) == (ended is not _D.APPROVED)
            if counted is None:
                with pytest.raises(InvalidValue, match="refused this return"):
                    await desk.gateway.desk.tallied(tenant, cases[number], 1, "site")
                continue
            assert filed.status not in {None, "399"}
            await desk.gateway.desk.tallied(tenant, cases[number], 1, "site", "A-12")
            await until(desk, cases[number], _K.RETURN_TALLY, counted)
            alarms = (await desk.case(cases[number])).state.alarms
            assert ("list_refused" in alarms) == (counted is _D.REJECTED)
        books = desk.customs.ledger.exports
        assert books is not None
        said = {
            one.paper.get("logisticsNo"): one.paper
            for one in books.requests.values()
            if one.kind.value == "CEB213Message"
        }
        names = ("tradeMode", "ieFlag", "trafMode", "trafName", "voyageNo", "billNo")
        values = [said["EX-HOME-W"].get(one) for one in names]
        assert values == ["9661", "I", "5", "CK900", "CK900", "180-HOME"]
        line = said["EX-HOME-W"].lines[0]
        assert [line[one] for one in ("qty", "qty1", "unit1", "gmodel")] == [
            "2", "0.6", "035", "瓷制|餐具|无牌",
        ]  # fmt: skip
        found = await desk.case(cases["EX-HOME"])
        assert found.row.stage is _S.RELEASED
        planned = [
            one.event.payload
            for one in found.events
            if one.event.kind is EventKind.DECLARATION_PLANNED
        ]
        assert [one["by"] for one in planned if "by" in one] == ["clerk", "site"]


async def test_a_return_says_how_the_goods_come_home_and_may_come_in_parts(tmp_path: Path) -> None:
    profile = exports.profile(consigning=Consigning((_K.MASTER_LIST,), 86400, SITE))
    async with exporting(tmp_path, profile) as desk:
        case_id = await desk.take(exports.papers("EX-PARTS"))
        key = await desk.gateway.keys.new(exports.TENANT, KeyRole.SELLER, "shop")
        site = await desk.gateway.keys.new(exports.TENANT, KeyRole.WAREHOUSE, "site")
        shop = ClearanceClient(desk.address, key.token)
        async with shop, ClearanceClient(desk.address, site.token) as counting:
            with pytest.raises(Conflict):
                await shop.ask(case_id, "return", "size", journey=HOME)
            await desk.at(case_id, _S.RELEASED)
            for more, path in (
                ({}, "journey"),
                ({"journey": {**HOME, "bill_no": None}}, "journey.bill_no"),
                ({"journey": HOME, "lines": [{"line_no": 1, "quantity": "3"}]}, "lines.1"),
            ):
                with pytest.raises(InvalidRequest) as refused:
                    await shop.ask(case_id, "return", "size", **more)
                assert [fault.path for fault in refused.value.errors] == [path]
            half = [{"line_no": 1, "quantity": "1"}]
            by_mail = {**HOME, "bill_no": None, "mode": "6"}
            for number, journey in ((1, HOME), (2, by_mail)):
                asked = await shop.ask(case_id, "return", "size", journey=journey, lines=half)
                assert asked["answer"] == "STOPPABLE"
                filed = await until(desk, case_id, _K.EXPORT_RETURN, _D.APPROVED)
                assert filed.version == number
            asked = await shop.ask(case_id, "return", "size", journey=HOME)
            assert (asked["answer"], asked["reason"]) == ("TOO_LATE", "nothing_left_to_return")
            for number in (1, 1, 2):
                await counting.report_tally(case_id, number)
                await until(desk, case_id, _K.RETURN_TALLY, _D.STORED)
            with pytest.raises(InvalidRequest):
                await counting.report_tally(case_id, 1, location="elsewhere")
        found = await desk.case(case_id)
        tallies = [one for one in found.state.declarations if one.kind is _K.RETURN_TALLY]
        assert [one.request["return"] for one in tallies] == [1, 2]
        back = [one for one in found.state.declarations if one.kind is _K.EXPORT_RETURN]
        assert all("arrived" in one.request for one in back)
        assert {one.request["lines"]["1"] for one in back} == {"1"}  # type: ignore[index]
        assert Decimal(str(back[0].request["value"])) == 0
