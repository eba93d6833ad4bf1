"""Released exports of a period are summed up in one request (701); its results (792) come back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gateway.api.views import declaration_view
from gateway.app.checks import check_everything
from gateway.domain.case import CaseStage
from gateway.domain.codec import from_doc, to_doc
from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.errors import InvalidValue
from gateway.domain.events import EventKind
from gateway.domain.ids import CaseId, ProfileId
from gateway.domain.profile import Every, ExportTerms, FilingProfile, Party, Summary
from tests.integration.customs.test_exports import Desk, exporting
from tests.support import exports

_K, _D = DeclarationKind, DeclarationStage
BROKER = Party("3301980008", "示例报关有限公司")


def summing(wait_days: int = 1) -> FilingProfile:
    summary = Summary(BROKER, Every.MONTH, wait_days)
    return exports.profile(export=ExportTerms("USA3", is_summarised=True, summary=summary))


@pytest.mark.parametrize(
    "every, day, name, due",
    [
        (Every.MONTH, "2026-12-31", "2026-12", "2027-01-02"),
        (Every.MONTH, "2028-02-01", "2028-02", "2028-03-02"),
        (Every.WEEK, "2026-11-23", "2026-W48", "2026-12-01"),
        (Every.WEEK, "2027-01-03", "2026-W53", "2027-01-05"),
        (Every.DAY, "2026-11-28", "2026-11-28", "2026-11-30"),
    ],
)
def test_a_period_is_of_customs_calendar(every: Every, day: str, name: str, due: str) -> None:
    found = Summary(BROKER, every).period(date.fromisoformat(day))
    assert found == (name, date.fromisoformat(due))


def test_a_profile_that_sums_up_declares_so() -> None:
    profile = summing()
    profile.check()
    assert from_doc(FilingProfile, to_doc(profile)) == profile
    alone = replace(profile, export=replace(profile.export, is_summarised=False))  # type: ignore[type-var]
    for faulty, path in ((alone, "export.summary"), (summing(wait_days=15), "wait_days")):
        with pytest.raises(InvalidValue) as refused:
            faulty.check()
        assert refused.value.path.endswith(path)


async def summed(desk: Desk, case_id: CaseId, *, entered: bool = True) -> DeclarationState:
    """The summary request that a case stands in, once customs has said its last word."""
    found = None
    for _ in range(300):
        found = (await desk.case(case_id)).state.declaration(_K.SUMMARY_REQUEST)
        if found is not None and found.stage in (_D.STORED, _D.REJECTED):
            result = declaration_view(found)["summary"]
            if not entered or result["entry_no"] is not None:
                return found
        await asyncio.sleep(0.05)
    raise AssertionError(found)


async def test_what_was_released_is_summed_up_and_its_general_declaration_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The period of today ends today: each request goes out at once.
    monkeypatch.setattr(Summary, "period", lambda self, day: (day.isoformat(), day))
    async with exporting(tmp_path, summing()) as desk:
        one, far = [
            await desk.take(exports.papers(number, destination=country))
            for number, country in (("EX-S1", "502"), ("EX-S2", "304"))
        ]
        apart: dict[str, CaseId] = {}
        for number in ("SIM-SUMMARYREFUSE-1", "SIM-SUMMARYONLY-1", "SIM-PENDING-1"):
            own = replace(desk.profile, profile_id=ProfileId(number.lower()))
            await desk.gateway.admin.put_profile(own)
            apart[number] = await replace(desk, profile=own).take(exports.papers(number))
        views = [declaration_view(await summed(desk, case_id)) for case_id in (one, far)]
        books = desk.customs.ledger.exports
        assert books is not None
        requests = [one for one in books.requests.values() if one.kind.value == "CEB701Message"]
        filed = {line["invtNo"]: one for one in requests for line in one.paper.lines}
        for case_id, view in zip((one, far), views, strict=True):
            inventory = (await desk.case(case_id)).state.inventory()
            assert inventory is not None
            assert inventory.invt_no is not None
            request = filed[inventory.invt_no]
            assert view["cop_no"] == request.paper.get("copNo")
            assert view["summary"]["sum_no"] == request.sum_no
            assert view["summary"]["state"] == "1"
            said = [request.paper.get(name) for name in ("declAgentCode", "summaryFlag")]
            assert said == [BROKER.code, "1"]
        assert views[0]["summary"]["declaration_no"] != views[1]["summary"]["declaration_no"]
        refused = await summed(desk, apart["SIM-SUMMARYREFUSE-1"], entered=False)
        assert refused.stage is _D.REJECTED
        found = await desk.case(apart["SIM-SUMMARYREFUSE-1"])
        assert found.row.stage is CaseStage.RELEASED
        assert "list_refused" in found.state.alarms
        only = await summed(desk, apart["SIM-SUMMARYONLY-1"], entered=False)
        assert (only.stage, only.request["sum_no"] is not None) == (_D.STORED, True)
        pending = await desk.case(apart["SIM-PENDING-1"])
        assert pending.state.declaration(_K.SUMMARY_REQUEST) is None
        # Whoever looks at a refusal has the case listed again.
        await desk.gateway.desk.recheck(exports.TENANT, found.row.key.case_id, "clerk")
        again = (await desk.case(found.row.key.case_id)).state.declaration(_K.SUMMARY_REQUEST)
        assert again is not None
        assert again.version == 2


async def test_a_person_has_exports_summed_up_before_their_period_ends(tmp_path: Path) -> None:
    async with exporting(tmp_path, summing()) as desk:
        cases = [await desk.take(exports.papers(f"EX-N{number}")) for number in range(3)]
        *now, later = cases
        for case_id in cases:
            await desk.at(case_id, CaseStage.RELEASED)
        gateway = desk.gateway
        for wrong, place in ((CaseId("none"), "cases.1"), (await unreleased(desk), "cases.1")):
            with pytest.raises(InvalidValue) as refused:
                await gateway.desk.sum_up(exports.TENANT, [now[0], wrong], "li")
            assert refused.value.path == place
        waits = (await desk.case(now[0])).state.declaration(_K.SUMMARY_REQUEST)
        assert waits is not None
        assert (waits.stage, waits.version) == (_D.PLANNED, 1)
        await gateway.desk.sum_up(exports.TENANT, now, "li")
        one, two = [await summed(desk, case_id, entered=False) for case_id in now]
        assert (one.stage, one.version, one.cop_no) == (_D.STORED, 2, two.cop_no)
        # Said again it changes nothing; whoever was not named waits for the end of the period.
        await gateway.desk.sum_up(exports.TENANT, now, "li")
        for case_id, version in ((now[0], 2), (now[1], 2), (later, 1)):
            found = await desk.case(case_id)
            assert found.state.declaration(_K.SUMMARY_REQUEST).version == version  # type: ignore[union-attr]
        told = [
            one.event.payload.get("by") or one.event.payload.get("reason")
            for one in (await desk.case(now[0])).events
            if one.event.payload.get("kind") == _K.SUMMARY_REQUEST
            and one.event.kind in (EventKind.DECLARATION_PLANNED, EventKind.DECLARATION_WITHDRAWN)
        ]
        assert told == [None, "summed_up_now", "li"]
        assert (await check_everything(gateway)).violations == ()


async def unreleased(desk: Desk) -> CaseId:
    case_id = await desk.take(exports.papers("SIM-PENDING-N"))
    await desk.at(case_id, CaseStage.ACCEPTED)
    return case_id
