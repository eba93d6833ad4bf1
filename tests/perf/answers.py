"""Receipts of customs: how many records a second one process applies on PostgreSQL.

Cases are declared first, with what customs says of their inventories held back. Then all of it is
put into the receive folder at once; the clock stops when every case is released and every file is
done.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, func, select

from adapters.sandbox.customs import CustomsAuthority
from adapters.sandbox.customs import Settings as CustomsSettings
from adapters.sandbox.customs.folder import run_folder
from gateway.app.config import FolderSection
from gateway.app.container import Gateway
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, furnish, prepare
from gateway.app.seeding import papers_of
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from store.tables import inbox
from store.work import stage_counts
from tests.perf.doors import Door, made
from tests.perf.world import load_settings

GATE: Final = 3_000.0
_BATCH: Final = 500
_PATIENCE_S: Final = 180.0
_POLL_S: Final = 0.02


async def answers(folder: Path, url: str | None, orders: int) -> Door:
    """The rate over as many released orders."""
    settings = load_settings(prepare(made(folder), url=url))
    held = folder / "held"
    channel = settings.channels["dxp"]
    assert isinstance(channel, FolderSection)
    authority = CustomsAuthority(1, CustomsSettings.bench())
    stop = asyncio.Event()
    async with (
        asyncio.timeout(_PATIENCE_S),
        running(settings) as (gateway, _),
        asyncio.TaskGroup() as tasks,
    ):
        await furnish(gateway)
        tasks.create_task(run_folder(authority, channel.send, held, stop=stop))
        await _taken_in(gateway, orders)
        await _declared(authority, held, channel.receive, orders)
        stop.set()
        return await _applied(gateway, held, channel.receive, orders)


async def _taken_in(gateway: Gateway, orders: int) -> None:
    profile = demo_profile()
    made = [
        one
        for one in demo_orders(PROFILE, orders * 2, seed=1, problems=False, run="R")
        if one.order_no.startswith("SIM-RELEASE-")
    ][:orders]
    for first in range(0, orders, _BATCH):
        some = made[first : first + _BATCH]
        await gateway.ingest.take([one for order in some for one in papers_of(order, profile)])


async def _declared(authority: CustomsAuthority, held: Path, receive: Path, orders: int) -> None:
    """Let customs answer to the orders only, until it has every inventory and has judged it."""
    while True:
        _moved(held, receive, "*_CEB312Message.xml")
        has_all = len(authority.ledger.inventories) == orders
        if has_all and all("800" in one.trail for one in authority.ledger.inventories.values()):
            # The last file is written when its window has passed.
            await asyncio.sleep(1.0)
            return
        await asyncio.sleep(_POLL_S)


async def _applied(gateway: Gateway, held: Path, receive: Path, orders: int) -> Door:
    started = time.perf_counter()
    files = _moved(held, receive, "*.xml")
    while True:
        async with gateway.store.read() as reading:
            counts = await reading.run_sync(lambda on: stage_counts(on, TENANT))
        if counts.get(CaseStage.RELEASED, 0) == orders:
            break
        await asyncio.sleep(_POLL_S)
    spent = time.perf_counter() - started
    async with gateway.store.read() as reading:
        records = await reading.run_sync(_records)
    how = f"{records:,} records of {orders:,} orders in {files} files, {spent:.2f} s"
    return Door("receipts applied, PostgreSQL", records / spent, "records/s", GATE, True, how)


def _moved(held: Path, receive: Path, pattern: str) -> int:
    files = sorted(held.glob(pattern))
    for path in files:
        path.rename(receive / path.name)
    return len(files)


def _records(connection: Connection) -> int:
    found = connection.execute(
        select(func.sum(inbox.c.records)).where(inbox.c.kind == "CEB622Message")
    )
    return int(found.scalar() or 0)
