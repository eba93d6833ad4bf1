"""The world of one run: a furnished store, strangers that outlive the gateway, and a client.

Customs, warehouse and seller live in this process and are never killed. The client sends its
batches like a real one: what was not answered is sent again, unchanged, until it is answered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
from sqlalchemy import Connection, NullPool, func, make_url, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.sandbox import seller, warehouse
from adapters.sandbox.customs import CustomsAuthority
from adapters.sandbox.customs import Settings as CustomsSettings
from adapters.sandbox.customs.folder import run_folder
from adapters.sandbox.hooks import Running
from adapters.sandbox.warehouse.server import Acknowledge, RunningWarehouse
from gateway.app.config import FolderSection, Settings
from gateway.app.container import open_gateway
from gateway.app.demo_orders import goods_records
from gateway.app.demo_world import (
    TENANT,
    WAREHOUSE_TYPES,
    demo_profile,
    free_port,
    prepare,
    quick,
)
from gateway.domain.case import CaseStage
from gateway.flow.status import EVENT_TYPES, RELEASE
from gateway.ports import EffectKind
from store.keys import KeyRole
from store.tables import InboxStage, OutboxStage, case_, inbox, outbox
from tests.crash.gateway_process import GatewayProcess, write_config
from tests.crash.orders import Wanted, late_goods

HOST: Final = "127.0.0.1"
LEASE_S: Final = 1.0
_BATCH_ORDERS: Final = 5
# Many kills in one run must not use up the sendings that a person would be called after.
_RESENDS: Final = 50
_RETRY_S: Final = 0.05
_POLL_S: Final = 0.1
_SAID_MOST: Final = 500


class NotQuiet(Exception):
    """Work was left, or orders did not come to what they should, within the time given."""


@dataclass(slots=True)
class Told:
    """What the gateway answered with 2xx: the status of each paper, and how often it was asked."""

    answers: dict[tuple[str, str], str] = field(default_factory=dict)
    requests: int = 0
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class World:
    """Everything around the gateway of one run."""

    settings: Settings
    gateway: GatewayProcess
    token: str
    authority: CustomsAuthority
    warehouse: RunningWarehouse
    seller: Running


@asynccontextmanager
async def world(
    folder: Path,
    opening: asyncio.Lock,
    *,
    store_url: str | None = None,
    seed: int = 1,
    lease_s: float = LEASE_S,
) -> AsyncIterator[World]:
    """A furnished store and its strangers; the gateway is not started.

    ``opening`` is held while the schema is made, which only one thread of a process can do.
    """
    settings = _paced(prepare(folder, url=store_url, port=free_port()), lease_s)
    ports = free_port(), free_port()
    async with opening, open_gateway(settings) as gateway:
        await gateway.admin.create_tenant(TENANT, "Crash")
        profile = replace(demo_profile(), answer_timeout_s=1, resend_gap_s=1, resend_limit=_RESENDS)
        await gateway.admin.put_profile(profile)
        await gateway.admin.put_goods(TENANT, goods_records(profile.goods_scope))
        sender = await gateway.keys.new(TENANT, KeyRole.SELLER, "crash seller")
        acknowledger = await gateway.keys.new(TENANT, KeyRole.WAREHOUSE, "crash warehouse")
        depot = await gateway.admin.new_endpoint(
            TENANT,
            url=f"http://{HOST}:{ports[0]}/notices",
            role="warehouse",
            event_types=WAREHOUSE_TYPES,
            batch_size=100,
        )
        shop = await gateway.admin.new_endpoint(
            TENANT,
            url=f"http://{HOST}:{ports[1]}/webhooks",
            role="seller",
            event_types=EVENT_TYPES - WAREHOUSE_TYPES,
            batch_size=100,
        )
    config = folder / "clearance.toml"
    write_config(settings, config)
    process = GatewayProcess(config, f"http://{HOST}:{settings.http.port}")
    # A warehouse keeps trying while the gateway is down: it has nobody else to tell.
    acks = Acknowledge(process.address, acknowledger.token, attempts=300, pause_s=0.1)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(process.close)
        keeper = await warehouse.start(port=ports[0], secrets=[depot.secret], acknowledge=acks)
        stack.push_async_callback(keeper.close)
        shopkeeper = await seller.start(port=ports[1], secrets=[shop.secret])
        stack.push_async_callback(shopkeeper.close)
        authority = CustomsAuthority(seed, quick(CustomsSettings.demo()))
        stop, channel = asyncio.Event(), settings.channels["dxp"]
        assert isinstance(channel, FolderSection)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        tasks.create_task(run_folder(authority, channel.send, channel.receive, stop=stop))
        stack.callback(stop.set)
        yield World(settings, process, sender.token, authority, keeper, shopkeeper)


def _paced(settings: Settings, lease_s: float) -> Settings:
    """Short waits, so that what a killed process left is found soon."""
    flow = settings.flow.model_copy(
        update={
            "lease_s": lease_s,
            "poll_s": 0.1,
            "linger_s": 0.05,
            "receive_poll_s": 0.03,
            "cpu_threads": 1,
        }
    )
    return settings.model_copy(update={"environment": "test", "flow": flow})


# --- the client --------------------------------------------------------------------------------


async def feed(
    where: World, orders: Sequence[Wanted], told: Told, *, pause_s: float = 0.0, waits: bool = False
) -> None:
    """Send every paper in batches, ``pause_s`` apart, then the goods that some orders wait for.

    Unless it ``waits``, every second batch is only submitted: what was acknowledged is owed all the
    same.
    """
    headers = {"authorization": f"Bearer {where.token}", "content-type": "application/x-ndjson"}
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as session:
        for turn, start in enumerate(range(0, len(orders), _BATCH_ORDERS)):
            some = [line for one in orders[start : start + _BATCH_ORDERS]
                    for line in one.order.lines()]  # fmt: skip
            post = _submit_until_answered if turn % 2 and not waits else _post_until_answered
            await post(where, session, some, told)
            await asyncio.sleep(pause_s)
        goods = [{"type": "goods", **doc} for doc in late_goods(orders)]
        if goods:
            await _post_until_answered(where, session, goods, told)
    told.is_done = True


async def _post_until_answered(
    where: World, session: aiohttp.ClientSession, lines: list[dict[str, Any]], told: Told
) -> None:
    """Post one batch again and again until every line of it was answered with 2xx and taken."""
    body = b"\n".join(map(orjson.dumps, lines))
    while True:
        told.requests += 1
        results = await _post(session, f"{where.gateway.address}/v1/batches", body)
        taken = [result["status"] in ("accepted", "unchanged") for result in results]
        for line, result in zip(lines, results, strict=False):
            number = line.get("order_no") or line["sku"]
            told.answers[line["type"], number] = result["status"]
        if results and all(taken):
            return
        await asyncio.sleep(_RETRY_S)


async def _submit_until_answered(
    where: World, session: aiohttp.ClientSession, lines: list[dict[str, Any]], told: Told
) -> None:
    """Submit one batch again and again until it was acknowledged: every line of it is good."""
    body = b"\n".join(map(orjson.dumps, lines))
    while True:
        told.requests += 1
        if await _submit(session, f"{where.gateway.address}/v1/batches", body):
            for line in lines:
                told.answers[line["type"], line["order_no"]] = "accepted"
            return
        await asyncio.sleep(_RETRY_S)


async def _submit(session: aiohttp.ClientSession, url: str, body: bytes) -> bool:
    try:
        async with session.post(url, data=body, headers={"prefer": "respond-async"}) as answer:
            return answer.status == 202
    except (aiohttp.ClientError, TimeoutError):
        return False


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> list[dict[str, Any]]:
    """The results of one request; none when it was not answered with 2xx."""
    try:
        async with session.post(url, data=body) as answer:
            if not answer.ok:
                return []
            results: list[dict[str, Any]] = (await answer.json())["results"]
            return results
    except (aiohttp.ClientError, TimeoutError):
        return []


# --- looking on --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """How the store stands: stages by order number, and what is not finished."""

    stages: Mapping[str, CaseStage]
    effects: Mapping[str, int]
    receipts: int
    unacknowledged: int

    @property
    def is_quiet(self) -> bool:
        """Whether only the deadlines of waiting cases are left."""
        return not self.effects and not self.receipts and not self.unacknowledged


def read_standing(connection: Connection) -> Standing:
    """Look at the tables."""
    stages = {
        row.order_no: CaseStage(row.stage)
        for row in connection.execute(select(case_.c.order_no, case_.c.stage))
    }
    effects = connection.execute(
        select(outbox.c.kind, func.count())
        .where(
            outbox.c.stage == OutboxStage.OPEN.value,
            outbox.c.kind != EffectKind.DEADLINE.value,
        )
        .group_by(outbox.c.kind)
    )
    receipts = connection.execute(
        select(func.count()).select_from(inbox).where(inbox.c.stage == InboxStage.NEW.value)
    )
    unacknowledged = connection.execute(
        select(func.count())
        .select_from(outbox)
        .where(outbox.c.ref == RELEASE, outbox.c.acked_at.is_(None))
    )
    return Standing(
        stages,
        {kind: count for kind, count in effects},
        receipts.scalar_one(),
        unacknowledged.scalar_one(),
    )


def reader(url: str) -> AsyncEngine:
    """An engine that looks at the store of a running gateway and changes nothing."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        address = address.set(
            drivername="sqlite+aiosqlite",
            database=f"file:{address.database}",
            query={"mode": "ro", "uri": "true"},
        )
    return create_async_engine(address, poolclass=NullPool)


async def until_quiet(
    where: World, orders: Sequence[Wanted], told: Told, within_s: float
) -> Standing:
    """Wait until every order is what it should be and no work is left."""
    expected = {one.order_no: one.stage for one in orders}
    engine = reader(where.settings.store.url)
    standing: Standing | None = None
    try:
        async with asyncio.timeout(within_s):
            while True:
                if told.is_done:
                    standing = await _look(engine) or standing
                    if standing and standing.is_quiet and standing.stages == expected:
                        return standing
                await asyncio.sleep(_POLL_S)
    except TimeoutError:
        raise NotQuiet(_unfinished(standing, expected, told)) from None
    finally:
        await engine.dispose()


async def _look(engine: AsyncEngine) -> Standing | None:
    """The standing, None while the database does not answer."""
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(read_standing)
    except (SQLAlchemyError, OSError):
        return None


def _unfinished(standing: Standing | None, expected: Mapping[str, CaseStage], told: Told) -> str:
    if standing is None:
        answers = Counter(told.answers.values())
        return f"not all papers were answered: {told.requests} requests, {dict(answers)}"
    wrong = {
        number: f"{standing.stages.get(number)} instead of {stage}"
        for number, stage in expected.items()
        if standing.stages.get(number) != stage
    }
    return (
        f"open effects {dict(standing.effects)}, unread receipts {standing.receipts}, releases "
        f"not acknowledged {standing.unacknowledged}, wrong stages {str(wrong)[:_SAID_MOST]}"
    )
