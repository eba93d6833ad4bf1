"""Receipts that found no case: attached, read again, put away, beside a gateway that runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import delete
from typer.testing import CliRunner, Result

from adapters.sandbox.customs import Settings as CustomsSettings
from gateway.app.checks import check_everything
from gateway.app.cli import build
from gateway.app.container import Gateway
from gateway.app.demo import feed
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, furnish, prepare, quick, strangers
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.ports import CaseDetail, CaseFilter
from store.keys import KeyRole
from store.tables import claim
from tests.crash.gateway_process import write_config

pytestmark = pytest.mark.slow
ORDER, OTHER = [
    one
    for one in demo_orders(PROFILE, 60, seed=13, problems=False)
    if one.order_no.startswith("SIM-RELEASE-")
][:2]


async def call(config: Path, *words: str) -> Result:
    line = ["--config", str(config), "parked", *words]
    return await asyncio.to_thread(CliRunner().invoke, build(), line)


async def listed(config: Path) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = orjson.loads((await call(config, "--json")).stdout)["records"]
    return records


async def case_of(gateway: Gateway, order_no: str) -> CaseDetail:
    page = await gateway.reads.cases(TENANT, CaseFilter(order_no=order_no), None, 2)
    found = await gateway.reads.case(TENANT, page.items[0].key.case_id)
    assert found is not None
    return found


async def test_a_receipt_is_attached_to_its_case_and_to_no_other(tmp_path: Path) -> None:
    made = prepare(tmp_path)
    settings = made.model_copy(update={"flow": made.flow.model_copy(update={"lease_s": 1.0})})
    config = tmp_path / "clearance.toml"
    write_config(settings, config)
    async with running(settings) as (gateway, serving), asyncio.timeout(60):
        assert serving is not None
        await furnish(gateway, demo_profile())
        key = await gateway.keys.new(TENANT, KeyRole.SELLER, "test")
        await feed(serving.address, key.token, [ORDER, OTHER])
        for order in (ORDER, OTHER):
            await sent(gateway, order.order_no)
        # The link of one order is lost: its receipts find no case.
        case_id = (await case_of(gateway, ORDER.order_no)).row.key.case_id
        await gateway.store.execute(
            lambda on: on.execute(
                delete(claim).where(claim.c.case_id == case_id, claim.c.kind == "order")
            )
        )
        customs = quick(CustomsSettings.demo())
        async with strangers(settings, gateway, serving.address, customs, seed=1):
            await until_released(gateway, OTHER.order_no)
            one, *_ = await until_parked(config)
            assert (one["reason"], one["case"]) == ("unmatched", None)

            wrong = await call(
                config, "attach", one["parked"], "--case", OTHER.order_no, "-t", TENANT,
                "--reason", "guessed",
            )  # fmt: skip
            assert (wrong.exit_code, "other order_no" in wrong.stderr) == (2, True), wrong.output
            right = await call(
                config, "attach", one["parked"], "--case", ORDER.order_no, "-t", TENANT,
                "--reason", "its number",
            )  # fmt: skip
            assert right.exit_code == 0, right.output
            for left in await listed(config):
                if left["reason"] == "unmatched":
                    done = await call(config, "retry", left["parked"], "--reason", "linked")
                    assert done.exit_code == 0, done.output
            await until_released(gateway, ORDER.order_no)
        report = await check_everything(gateway)
        assert [
            str(one) for one in report.violations if one.check.value != "one_live_declaration"
        ] == []


async def sent(gateway: Gateway, order_no: str) -> None:
    while True:
        order = (await case_of(gateway, order_no)).state.declaration(DeclarationKind.ORDER)
        if order is not None and order.stage is DeclarationStage.SENT:
            return
        await asyncio.sleep(0.05)


async def until_released(gateway: Gateway, order_no: str) -> None:
    while True:
        if (await case_of(gateway, order_no)).row.stage is CaseStage.RELEASED:
            return
        await asyncio.sleep(0.1)


async def until_parked(config: Path) -> list[dict[str, Any]]:
    while True:
        found = await listed(config)
        if found:
            return found
        await asyncio.sleep(0.2)


async def test_what_does_not_wait_cannot_be_dealt_with(tmp_path: Path) -> None:
    settings = prepare(tmp_path)
    config = tmp_path / "clearance.toml"
    write_config(settings, config)
    async with running(settings) as (gateway, _):
        await furnish(gateway, demo_profile())
        for words in (("retry", "x"), ("dismiss", "x")):
            done = await call(config, *words, "--reason", "r")
            assert (done.exit_code, "see `clearance parked`" in done.stderr) == (2, True)
