"""Customs refuses a signature: the key is set aside, the cases wait, and clear with another key or
once a person readmits the first. Nothing is lost and nothing is signed by a key in doubt.

One key is RSA and one SM2, as in a rotation: customs checks both kinds of signatures itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine, select

from adapters.sandbox.customs import CustomsAuthority, Settings
from adapters.sandbox.customs.folder import run_folder
from gateway.app.checks import check_everything
from gateway.app.config import FolderSection, KeySection
from gateway.app.container import Gateway
from gateway.app.demo import feed
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, furnish, prepare, quick
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from gateway.ports import CaseFilter
from signing import KeyKind, new_development_key
from store.keys import KeyRole
from store.tables import message
from tests.integration.customs.test_every_scenario import renumbered

FIRST, SECOND, PLAIN = "SIM-NEGATIVE621028-1", "SIM-NEGATIVE621025-2", "SIM-RELEASE-3"
WAITS = {CaseStage.SENT, CaseStage.WAITING_FILINGS, CaseStage.DECLARING, CaseStage.READY}


def sm2_key(folder: Path) -> Path:
    now = datetime.now(UTC)
    made = new_development_key(
        subject="another",
        serial=0x0300000000000B0B,
        not_before=now - timedelta(days=1),
        not_after=now + timedelta(days=365),
        kind=KeyKind.SM2,
    )
    path = folder / "another.pem"
    path.write_bytes(made.pem())
    return path


async def stages(gateway: Gateway) -> dict[str, CaseStage]:
    page = await gateway.reads.cases(TENANT, CaseFilter(), None, 10)
    return {row.key.order_no: row.stage for row in page.items}


async def until(gateway: Gateway, holds: Callable[[dict[str, CaseStage]], bool]) -> None:
    for _ in range(400):
        if holds(await stages(gateway)):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(await stages(gateway))


def inventories(folder: Path) -> list[tuple[str, str]]:
    """Signer and stage of every signed inventory message, in the order they were made."""
    engine = create_engine(f"sqlite:///{folder / 'clearance.db'}")
    wanted = (
        select(message.c.certificate_serial, message.c.stage)
        .where(message.c.kind == "inventory", message.c.body.is_not(None))
        .order_by(message.c.created_at)
    )
    with engine.connect() as connection:
        found = [(row.certificate_serial, row.stage) for row in connection.execute(wanted)]
    engine.dispose()
    return found


async def test_a_refused_signature_sets_its_key_aside_and_no_case_is_lost(tmp_path: Path) -> None:
    settings = prepare(tmp_path)
    keys = {**settings.keys, "b": KeySection(file=sm2_key(tmp_path), ring="default")}
    settings = settings.model_copy(update={"keys": keys})
    section = settings.channels["dxp"]
    assert isinstance(section, FolderSection)
    authority = CustomsAuthority(3, quick(Settings.demo()))
    stop = asyncio.Event()
    some = demo_orders(PROFILE, 3, seed=5, problems=False)
    planned = [
        renumbered(order, number)
        for order, number in zip(some, (FIRST, SECOND, PLAIN), strict=True)
    ]
    async with asyncio.TaskGroup() as tasks, running(settings) as (gateway, serving):
        tasks.create_task(run_folder(authority, section.send, section.receive, stop=stop))
        assert serving is not None
        await furnish(gateway, replace(demo_profile(), answer_timeout_s=1, resend_gap_s=1))
        seller = await gateway.keys.new(TENANT, KeyRole.SELLER, "seller")

        await feed(serving.address, seller.token, planned[:1])
        await until(gateway, lambda now: now.get(FIRST) is CaseStage.RELEASED)
        ((refused, was), (other, _)) = inventories(tmp_path)
        assert was == "split"
        assert refused != other
        assert set(gateway.aside_keys.aside) == {refused}
        assert gateway.aside_keys.aside[refused].reason == "-621028"

        await feed(serving.address, seller.token, planned[1:2])
        await until(gateway, lambda _: set(gateway.aside_keys.aside) == {refused, other})
        await feed(serving.address, seller.token, planned[2:])
        await asyncio.sleep(2.5)  # Longer than the wait for an answer and a look at the key.
        found = await stages(gateway)
        assert {found[SECOND], found[PLAIN]} <= WAITS
        assert len(inventories(tmp_path)) == 3

        await gateway.aside_keys.readmit(other, "operator")
        await until(gateway, lambda now: set(now.values()) == {CaseStage.RELEASED})
        made = inventories(tmp_path)
        assert [signer for signer, _ in made] == [refused, other, other, other]
        assert set(gateway.aside_keys.aside) == {refused}
        assert not (await check_everything(gateway)).violations
        stop.set()
