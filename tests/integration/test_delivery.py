"""A parcel is delivered: its carrier's report (513) goes to customs, the answer (514) comes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.sandbox.customs import CustomsAuthority
from adapters.sandbox.customs import Settings as CustomsSettings
from adapters.sandbox.customs.folder import run_folder
from gateway.app.config import FolderSection
from gateway.app.container import Gateway
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT, furnish, one_firm_profile, prepare
from gateway.app.seeding import papers_of
from gateway.app.serve import running
from gateway.domain.case import CaseStage, CaseState
from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import CaseId, MessageId
from gateway.ports import CaseFilter
from store.checks import run_checks
from tests.integration.customs.test_every_scenario import renumbered
from tests.integration.test_receipt_doubts import Desk, returned

STATUS = DeclarationKind.WAYBILL_STATUS
DELIVERED_AT = datetime(2026, 1, 6, 3, 4, 5, tzinfo=UTC)


async def state_at(gateway: Gateway, case_id: CaseId, stage: DeclarationStage) -> CaseState:
    """The case once its report of delivery stands at a stage."""
    for _ in range(200):
        found = await gateway.reads.case(TENANT, case_id)
        assert found is not None
        report = found.state.declaration(STATUS)
        if report is not None and report.stage is stage:
            return found.state
        await asyncio.sleep(0.05)
    raise AssertionError(f"no report of delivery stands at {stage}")


def answer(carrier: str, number: str, status: str, at: int) -> str:
    return (
        '<CEB514Message xmlns="http://www.chinaport.gov.cn/ceb" version="1.0" '
        'guid="0b0d1a10-0000-4000-8000-00000000000a"><LogisticsStatusReturn>'
        "<guid>0b0d1a10-0000-4000-8000-00000000000b</guid>"
        f"<logisticsCode>{carrier}</logisticsCode><logisticsNo>{number}</logisticsNo>"
        f"<logisticsStatus>S</logisticsStatus><returnStatus>{status}</returnStatus>"
        f"<returnTime>{returned(at)}</returnTime><returnInfo>ok</returnInfo>"
        "</LogisticsStatusReturn></CEB514Message>"
    )


@asynccontextmanager
async def released(
    gateway: Gateway, folder: Path, number: str | None = None
) -> AsyncIterator[CaseId]:
    """One case that a sandbox customs released; outside it answers nothing more."""
    channel = gateway.settings.channels["dxp"]
    assert isinstance(channel, FolderSection)
    authority, stop = CustomsAuthority(1, CustomsSettings.demo()), asyncio.Event()
    profile = one_firm_profile()
    orders = demo_orders(PROFILE, 20, seed=1, problems=False)
    order = next(one for one in orders if one.order_no.startswith("SIM-RELEASE-"))
    order = order if number is None else renumbered(order, number)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_folder(authority, channel.send, channel.receive, stop=stop))
        await gateway.ingest.take(list(papers_of(order, profile)))
        await Desk(gateway, folder).until(CaseStage.RELEASED, 1)
        page = await gateway.reads.cases(TENANT, CaseFilter(), None, 2)
        yield page.items[0].key.case_id
        stop.set()


async def test_a_delivery_is_filed_once_and_its_answer_stored(tmp_path: Path) -> None:
    async with running(prepare(tmp_path), api=False) as (gateway, _):
        await furnish(gateway, one_firm_profile())
        async with released(gateway, tmp_path) as case_id:
            pass
        future = datetime.now(UTC) + timedelta(days=2)
        with pytest.raises(InvalidValue, match="future"):
            await gateway.desk.delivered(TENANT, case_id, future, "carrier")
        for _ in range(2):
            stage = await gateway.desk.delivered(TENANT, case_id, DELIVERED_AT, "carrier")
            assert stage is CaseStage.RELEASED
        state = await state_at(gateway, case_id, DeclarationStage.SENT)
        report = state.declaration(STATUS)
        assert report is not None
        body = await gateway.reads.message(TENANT, MessageId(report.message_id or ""))
        assert body is not None
        told = {name: re.search(rf"<ceb:{name}>([^<]+)<", body.decode()) for name in (
            "logisticsCode", "logisticsNo", "logisticsStatus", "logisticsTime")}  # fmt: skip
        found = {name: match and match[1] for name, match in told.items()}
        assert (found["logisticsStatus"], found["logisticsTime"]) == ("S", "20260106110405")
        desk, now = Desk(gateway, tmp_path), gateway.context.clock.now()
        number = found["logisticsNo"] or ""
        desk.answer("CEB514Message", answer(found["logisticsCode"] or "", number, "120", now))
        state = await state_at(gateway, case_id, DeclarationStage.STORED)
        assert [one.kind for one in state.declarations].count(STATUS) == 1
        async with gateway.store.read() as reading:
            checked = await reading.run_sync(lambda on: run_checks(on, gateway.store.keys, now))
        assert checked.violations == ()


@pytest.mark.parametrize(
    "number, end",
    [
        ("SIM-DELIVERYSENT-1", DeclarationStage.STORED),
        ("SIM-DELIVERYREFUSE-1", DeclarationStage.REJECTED),
    ],
)
async def test_the_sandbox_answers_a_delivery(
    tmp_path: Path, number: str, end: DeclarationStage
) -> None:
    async with running(prepare(tmp_path), api=False) as (gateway, _):
        await furnish(gateway, one_firm_profile())
        async with released(gateway, tmp_path, number) as case_id:
            await gateway.desk.delivered(TENANT, case_id, DELIVERED_AT, "carrier")
            await state_at(gateway, case_id, end)
        page = await gateway.reads.cases(TENANT, CaseFilter(), None, 2)
        assert page.items[0].stage is CaseStage.RELEASED


async def test_what_others_file_or_customs_holds_back_is_not_reported(tmp_path: Path) -> None:
    async with running(prepare(tmp_path), api=False) as (gateway, _):
        await furnish(gateway)
        order = next(iter(demo_orders(PROFILE, 1, seed=1, problems=False)))
        await gateway.ingest.take(list(papers_of(order, one_firm_profile())))
        page = await gateway.reads.cases(TENANT, CaseFilter(), None, 2)
        case_id = page.items[0].key.case_id
        with pytest.raises(InvalidValue, match="somebody else"):
            await gateway.desk.delivered(TENANT, case_id, DELIVERED_AT, "carrier")
        assert await gateway.desk.delivered(TENANT, CaseId("none"), DELIVERED_AT, "c") is None
