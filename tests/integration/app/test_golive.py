"""A port goes live: report, loopback, shadow, ramp and the way back, over a gateway that runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from adapters.sandbox.customs import Settings as CustomsSettings
from gateway.app.cli import build
from gateway.app.container import Gateway
from gateway.app.demo import feed
from gateway.app.demo_orders import DemoOrder, demo_orders
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, furnish, prepare, quick, strangers
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from gateway.ports import CaseDetail, CaseFilter
from store.keys import KeyRole
from tests.crash.gateway_process import write_config

pytestmark = pytest.mark.slow
ORDERS = [
    one
    for one in demo_orders(PROFILE, 60, seed=12, problems=False)
    if one.order_no.startswith("SIM-RELEASE-")
]


@dataclass
class Port:
    gateway: Gateway
    address: str
    token: str
    config: Path

    async def run(self, *words: str) -> Result:
        line = ["--config", str(self.config), "golive", PROFILE, "--tenant", TENANT, *words]
        return await asyncio.to_thread(CliRunner().invoke, build(), [*line, "--json"])

    async def report(self, *words: str) -> dict[str, Any]:
        done = await self.run(*words)
        assert done.exit_code in (0, 1), done.output
        doc: dict[str, Any] = orjson.loads(done.stdout)
        assert doc.get("ready", True) == (done.exit_code == 0)
        return doc

    async def take(self, orders: list[DemoOrder]) -> None:
        await feed(self.address, self.token, orders)

    async def case(self, order: DemoOrder) -> CaseDetail:
        page = await self.gateway.reads.cases(TENANT, CaseFilter(order_no=order.order_no), None, 2)
        found = await self.gateway.reads.case(TENANT, page.items[0].key.case_id)
        assert found is not None
        return found

    async def until(self, order: DemoOrder, stage: CaseStage) -> None:
        async with asyncio.timeout(20):
            while True:
                if (await self.case(order)).row.stage is stage:
                    return
                await asyncio.sleep(0.05)

    async def ramp(self, percent: int) -> dict[str, Any]:
        told = await self.report("--ramp", str(percent))
        assert told["ramp_percent"] == percent
        async with asyncio.timeout(10):
            while True:
                known = self.gateway.context.master.profile(TENANT, PROFILE)
                if known is not None and known.ramp_percent == percent:
                    return told
                await asyncio.sleep(0.05)


@asynccontextmanager
async def port(folder: Path) -> AsyncIterator[Port]:
    settings = prepare(folder)
    async with running(settings) as (gateway, serving):
        assert serving is not None
        await furnish(gateway, demo_profile())
        customs = quick(CustomsSettings.demo())
        async with strangers(settings, gateway, serving.address, customs, seed=1):
            key = await gateway.keys.new(TENANT, KeyRole.SELLER, "test")
            config = folder / "clearance.toml"
            write_config(settings, config)
            yield Port(gateway, serving.address, key.token, config)


def health(doc: dict[str, Any]) -> dict[str, str]:
    return {one["subject"]: one["health"] for one in doc["looks"]}


async def test_a_port_goes_live_in_steps_and_back(tmp_path: Path) -> None:
    async with port(tmp_path) as here:
        assert (await here.ramp(100))["let_go"] == {}
        first = await here.report("--loopback", "10")
        looks = health(first)
        assert looks["loopback over dxp"] == "ok"
        assert looks["goods records"] == looks["live copies"] == "warn"
        assert first["shadow"]["cases"] == 0
        assert await parked(here) == 0

        await here.ramp(0)
        shadowed, other = ORDERS[0], ORDERS[1]
        await here.take([shadowed, other])
        found = await here.case(shadowed)
        assert found.state.hold is not None
        assert (found.state.hold.by, found.state.declarations) == ("golive", ())
        second = await here.report()
        assert second["shadow"]["verdicts"] == {"matched": 2}
        assert second["shadow"]["built"] == {"order": 2, "inventory": 2}
        assert health(second)["live copies"] == health(second)["goods records"] == "ok"

        # A person's word is enough for one case, and the ramp never takes it back.
        await here.gateway.desk.release(TENANT, found.row.key.case_id, "clerk")
        await here.until(shadowed, CaseStage.RELEASED)

        raised = await here.ramp(100)
        assert raised["held"] == 1
        assert "1 个案件" in raised["let_go"]["zh"]
        assert "/v1/cases/{id}/release" in raised["let_go"]["en"]
        declared = ORDERS[2]
        await here.take([declared])
        await here.until(declared, CaseStage.RELEASED)
        # Whoever filed the shadows before has filed them: a higher share never declares them again.
        await here.gateway.desk.recheck(TENANT, (await here.case(other)).row.key.case_id, "clerk")
        still = await here.case(other)
        assert still.state.hold is not None
        assert still.state.declarations == ()

        await here.ramp(0)
        await here.take([ORDERS[3]])
        assert (await here.case(ORDERS[3])).state.hold is not None
        assert (await here.case(declared)).row.stage is CaseStage.RELEASED


async def test_what_stands_in_the_way_is_named(tmp_path: Path) -> None:
    async with port(tmp_path) as here:
        await here.ramp(0)
        unknown = ORDERS[4]
        for line in unknown.order["lines"]:
            line["sku"] += "-NEW"
        await here.take([unknown])
        doc = await here.report()
        bad = {one["subject"]: one["fix"] for one in doc["looks"] if one["health"] == "bad"}
        assert set(bad) == {"goods records"}
        assert "-NEW" in bad["goods records"]
        assert not doc["ready"]
        refused = await here.run("--ramp", "7")
        assert (refused.exit_code, "use one of 0, 5, 10, 50, 100" in refused.stderr) == (2, True)


async def parked(here: Port) -> int:
    async with here.gateway.store.read() as reading:
        rows = await reading.run_sync(lambda on: list(on.exec_driver_sql("SELECT * FROM parked")))
    return len(rows)


async def test_a_way_that_swallows_messages_fails_the_loopback(tmp_path: Path) -> None:
    settings = prepare(tmp_path)
    async with running(settings) as (gateway, _):
        await furnish(gateway, demo_profile())
        config = tmp_path / "clearance.toml"
        write_config(settings, config)
        doc = await Port(gateway, "", "", config).report("--loopback", "1")
    assert health(doc)["loopback over dxp"] == "bad"
