"""Exported parcels reach the site (507) and leave (509): one record a bill, one answer for all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.client import ClearanceClient, InvalidRequest
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import CaseId
from gateway.domain.papers import PaperKind
from gateway.domain.profile import (
    ConfirmedBy,
    Consigning,
    FiledBy,
    FilingProfile,
    PaperFiling,
    Party,
    TradeMode,
)
from store.keys import KeyRole
from tests.integration.customs.test_consignments import listed, under
from tests.integration.customs.test_exports import Desk, exporting
from tests.support import exports

_K, _D = DeclarationKind, DeclarationStage
SITE = Party("3301960007", "示例监管作业场所有限公司")
LEFT = "2026-01-06T11:04:05+08:00"
GONE = {"left_at": LEFT}


def exporter(operator: Party | None = SITE) -> FilingProfile:
    return exports.profile(consigning=Consigning((_K.MASTER_LIST,), 86400, operator))


async def released(desk: Desk, bill: str, *numbers: str) -> list[CaseId]:
    cases = [await desk.take(under(bill, exports.papers(number))) for number in numbers]
    for case_id in cases:
        await desk.at(case_id, CaseStage.RELEASED)
    return cases


async def test_parcels_reported_together_share_a_record_and_its_answer(tmp_path: Path) -> None:
    profile = exporter()
    profile.check()
    async with exporting(tmp_path, profile) as desk:
        of_a = await released(desk, "180-A", "EX-A0", "EX-A1", "EX-A2")
        of_b = await released(desk, "SIM-LISTREFUSE-B", "EX-B")
        key = await desk.gateway.keys.new(exports.TENANT, KeyRole.SELLER, "shop")
        site = await desk.gateway.keys.new(exports.TENANT, KeyRole.WAREHOUSE, "site")
        async with ClearanceClient(desk.address, site.token) as client:
            told = await client.report_arrival(of_a, vehicle_no="浙A12345")
        assert told["cases"] == [{"case": one, "stage": "released"} for one in of_a]
        async with ClearanceClient(desk.address, key.token) as client:
            for _ in range(2):
                await client.report_departure(of_a, LEFT, voyage_no="CK777")
            await client.report_departure(of_b, LEFT)
            with pytest.raises(InvalidRequest) as refused:
                await client.report_departure([*of_b, *of_a], LEFT)
            assert [fault.path for fault in refused.value.errors] == ["cases.1"]
        arrived = await listed(desk, of_a, _K.SITE_ARRIVAL)
        gone = await listed(desk, of_a, _K.DEPARTURE)
        (refused_one,) = await listed(desk, of_b, _K.DEPARTURE)
        assert {one.stage for one in (*arrived, *gone)} == {_D.STORED}
        assert {one.status for one in (*arrived, *gone)} == {"399"}
        assert {one.version for one in gone} == {1}
        books = desk.customs.ledger.exports
        assert books is not None
        filed = {one.paper.get("copNo"): one.paper for one in books.requests.values()}
        # What was reported together stands in one record, under one number.
        ((arrival,), (departure,)) = ({one.cop_no for one in many} for many in (arrived, gone))
        parcels = [f"EX-A{n}-W" for n in range(3)]
        for number in (arrival, departure):
            assert sorted(row["logisticsNo"] for row in filed[number].lines) == parcels
        names = ("operatorCode", "domesticTrafNo", "billNo", "ieFlag")
        said = [filed[arrival].get(name) for name in names]
        assert said == [SITE.code, "浙A12345", "180-A", "E"]
        said = [filed[departure].get(one) for one in ("trafName", "voyageNo", "billNo")]
        assert said == ["CK001", "CK777", "180-A"]
        assert filed[departure].get("leaveTime") == "20260106110405"
        assert filed[departure].get("logisticsCode") == profile.carriers[0].code
        assert refused_one.stage is _D.REJECTED
        found = await desk.case(of_b[0])
        assert "list_refused" in found.state.alarms
        assert found.row.stage is CaseStage.RELEASED
        # What customs refused may be reported again; what it holds may not be told otherwise.
        again = await desk.gateway.desk.report(_K.DEPARTURE, exports.TENANT, of_b, GONE, "carrier")
        assert list(again) == of_b
        report = (await desk.case(of_b[0])).state.declaration(_K.DEPARTURE)
        assert report is not None
        assert report.version == 2
        with pytest.raises(InvalidValue, match="reported otherwise"):
            await desk.gateway.desk.report(_K.DEPARTURE, exports.TENANT, of_a, GONE, "carrier")


async def test_goods_of_a_zone_are_reported_under_the_bill_that_is_said(tmp_path: Path) -> None:
    """Their waybills name no bill: whoever reports them does, and mail has none."""
    zone = exports.profile(
        mode=TradeMode.BONDED,
        area=Party("3301960009", "示例区内企业有限公司"),
        account_book="H29917A00001",
        consigning=Consigning((_K.MASTER_LIST,), 86400, SITE),
    )
    zone.check()
    async with exporting(tmp_path, zone) as desk:
        report, tenant = desk.gateway.desk.report, exports.TENANT
        cases = await released(desk, "", "EX-Z1", "EX-Z2")
        with pytest.raises(InvalidValue, match="name its bill_no"):
            await report(_K.DEPARTURE, tenant, cases, GONE, "carrier")
        said = {"bill_no": "180-ZONE"}
        await report(_K.SITE_ARRIVAL, tenant, cases, {"vehicle_no": "浙A1", **said}, "site")
        await report(_K.DEPARTURE, tenant, cases, {**GONE, **said}, "carrier")
        for kind in (_K.SITE_ARRIVAL, _K.DEPARTURE):
            assert {one.stage for one in await listed(desk, cases, kind)} == {_D.STORED}
        books = desk.customs.ledger.exports
        assert books is not None
        filed = [one.paper.get("billNo") for one in books.requests.values()]
        assert filed == ["180-ZONE", "180-ZONE"]
        (with_bill,) = await released(desk, "180-D", "EX-D1")
        with pytest.raises(InvalidValue, match="name no bill"):
            await report(_K.DEPARTURE, tenant, [with_bill], {**GONE, **said}, "carrier")


async def test_only_what_is_ours_and_true_is_reported(tmp_path: Path) -> None:
    async with exporting(tmp_path, exporter(operator=None)) as desk:
        report, tenant = desk.gateway.desk.report, exports.TENANT
        pending = await desk.take(under("180-C", exports.papers("SIM-PENDING-E2")))
        await desk.at(pending, CaseStage.ACCEPTED)
        (released_one,) = await released(desk, "180-C", "EX-C")
        (without,) = await released(desk, "", "EX-D")
        future = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        for cases, facts, reason in (
            ([released_one, pending], GONE, "not released"),
            ([released_one, CaseId("none")], GONE, "does not exist"),
            ([without], GONE, "under no bill"),
            ([released_one], {"left_at": future}, "future"),
        ):
            with pytest.raises(InvalidValue, match=reason):
                await report(_K.DEPARTURE, tenant, cases, facts, "carrier")
        with pytest.raises(InvalidValue, match="no operator"):
            await report(_K.SITE_ARRIVAL, tenant, [released_one], {"vehicle_no": "A"}, "site")
        # One that cannot be reported keeps all from being filed.
        assert (await desk.case(released_one)).state.declaration(_K.DEPARTURE) is None
        others = PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT)
        await desk.gateway.admin.put_profile(
            exports.profile(
                consigning=Consigning((_K.MASTER_LIST,)),
                filings={**desk.profile.filings, PaperKind.WAYBILL: others},
            )
        )
        with pytest.raises(InvalidValue, match="files for itself"):
            await report(_K.DEPARTURE, tenant, [released_one], GONE, "carrier")
