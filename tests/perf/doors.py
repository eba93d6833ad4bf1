"""What the doors take: intake alone against the bare POST, with and without waiting for the match,
at half of what it can, beside a dead endpoint, beside thousands of slow callers. Every row holds
its two sides in one run.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web
from sqlalchemy import Connection as Connected
from sqlalchemy import func, select

from gateway.app.config import QuotaSection, Settings
from gateway.app.container import Gateway, open_gateway
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT, free_port, furnish, prepare
from gateway.app.serve import running
from store.keys import KeyRole
from store.submissions import waiting_submissions
from store.tables import case_
from tests.perf.child import child
from tests.perf.generator import percentile
from tests.perf.limits import bare_posts
from tests.perf.wire import Connection, request
from tests.perf.world import HOST, accepting, load_settings, written

CONNECTIONS: Final = 64
ENDPOINTS: Final = 50
SLOW: Final = 5_000
_ORDERS: Final = 40
_PROBE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Door:
    """One figure with what it is measured against; ``gate`` is what is asked of it."""

    name: str
    value: float
    unit: str
    gate: float
    is_least: bool
    how: str

    @property
    def holds(self) -> bool:
        """Whether the gate is kept."""
        return self.value >= self.gate if self.is_least else self.value <= self.gate

    def to_doc(self) -> dict[str, Any]:
        """The JSON value."""
        return asdict(self) | {"holds": self.holds}


@dataclass(frozen=True, slots=True)
class _Served:
    settings: Settings
    token: str
    log: Path
    port: int


@asynccontextmanager
async def _serving(
    folder: Path, url: str | None, *, work: bool, endpoints: Sequence[str] = ()
) -> AsyncIterator[_Served]:
    """A gateway in a process of its own; without work it only takes papers in."""
    settings = load_settings(prepare(made(folder), url=url))
    # All callers come from this machine: they speak for as many peers as there are.
    http = settings.http.model_copy(
        update={
            "trusted_proxies": frozenset({HOST}),
            "quotas": (QuotaSection(per_s=0, burst=1),),
        }
    )
    settings = settings.model_copy(update={"http": http})
    async with open_gateway(settings) as gateway:
        await furnish(gateway)
        key = await gateway.keys.new(TENANT, KeyRole.SELLER, "bench seller")
        for address in endpoints:
            await gateway.admin.new_endpoint(
                TENANT, url=address, role="seller", event_types=frozenset(), batch_size=1
            )
    log = folder / "processes.log"
    arguments = [str(written(settings, folder, 0)), *(() if work else ("--no-work",))]
    async with child("tests.perf.gateway", *arguments, log=log) as process:
        await accepting(process, settings.http.port, log)
        yield _Served(settings, key.token, log, settings.http.port)


def _orders(token: str, count: int, run: str, prefer: str = "") -> list[bytes]:
    """Requests of one order each, every one another order."""
    made = demo_orders(PROFILE, count, seed=1, problems=False, run=run)
    return [
        request("/v1/orders", HOST, orjson.dumps(one.order), token=token, prefer=prefer)
        for one in made
    ]


async def _flat_out(port: int, requests: Iterator[bytes], seconds: float) -> tuple[float, int]:
    """Requests a second over all connections, each with one in flight, and how many were sent."""
    connections = [await Connection.open(HOST, port) for _ in range(CONNECTIONS)]
    until, done = time.perf_counter() + seconds, 0

    async def work(connection: Connection) -> None:
        nonlocal done
        while time.perf_counter() < until:
            reply = await connection.ask(next(requests))
            assert reply.status in (200, 201, 202), reply
            done += 1

    started = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for connection in connections:
            tasks.create_task(work(connection))
    spent = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return done / spent, done


async def _paced(port: int, requests: Iterator[bytes], rate: float, seconds: float) -> list[float]:
    """Latencies in ms at a steady rate, from the moment a request was due: a queue at the sender is
    counted as what it is, waiting.
    """
    connections = [await Connection.open(HOST, port) for _ in range(CONNECTIONS)]
    latencies: list[float] = []
    started = time.perf_counter()

    async def work(number: int, connection: Connection) -> None:
        due = started + number / rate
        while due < started + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            reply = await connection.ask(next(requests))
            assert reply.status in (200, 201), reply
            latencies.append((time.perf_counter() - due) * 1000)
            due += CONNECTIONS / rate

    async with asyncio.TaskGroup() as tasks:
        for number, connection in enumerate(connections):
            tasks.create_task(work(number, connection))
    for connection in connections:
        connection.close()
    return latencies


async def intake(folder: Path, url: str | None, seconds: float) -> list[Door]:
    """Intake alone: its rate against the bare POST, then its p99 at half of that rate."""
    store = "sqlite" if url is None else "postgres"
    before = await bare_posts(made(folder / "bare"), seconds)
    async with _serving(folder / store, url, work=False) as served:
        most = int(before.per_second * seconds * 3) + 4 * CONNECTIONS
        requests = iter(_orders(served.token, most, "I"))
        await _flat_out(served.port, requests, min(1.0, seconds / 4))
        rate, _ = await _flat_out(served.port, requests, seconds)
        latencies = await _paced(served.port, requests, rate / 2, seconds)
    between = await bare_posts(folder / "bare", seconds)
    submitted = await _submitted(folder / store, url, seconds, rate)
    after = await bare_posts(folder / "bare", seconds)
    bare = (before.per_second + between.per_second) / 2
    bare_later = (between.per_second + after.per_second) / 2
    shown = f"{rate:,.0f}/s; bare POST {before.per_second:,.0f}/s before, "
    shown += f"{between.per_second:,.0f}/s after"
    half = f"{len(latencies):,} orders at {rate / 2:,.0f}/s, {CONNECTIONS} connections, p50 "
    half += f"{percentile(latencies, 0.5):.1f} ms"
    gate_ms = 30 if url is None else 50
    return [
        Door(f"intake_{store}", rate / bare, "of the bare POST", 0.5, True, shown),
        Door(f"half_{store}", percentile(latencies, 0.99), "ms p99", gate_ms, False, half),
        Door(
            f"submit_{store}", submitted.rate / bare_later, "of the bare POST", 0.5, True,
            f"respond-async: {submitted.rate:,.0f}/s acknowledged durably; bare POST "
            f"{between.per_second:,.0f}/s before, {after.per_second:,.0f}/s after",
        ),
        Door(
            f"caught_up_{store}", submitted.taken_in / rate, "of intake", 1.0, True,
            f"{submitted.count:,} submissions taken in at {submitted.taken_in:,.0f}/s, none lost",
        ),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Peak:
    """How many were acknowledged without waiting, how fast, and how fast they were taken in."""

    count: int
    rate: float
    taken_in: float


async def _read(gateway: Gateway, ask: Callable[[Connected], int]) -> int:
    async with gateway.store.read() as reading:
        return await reading.run_sync(ask)


def _peak_cases(connection: Connected) -> int:
    cases = select(func.count()).select_from(case_).where(case_.c.order_no.like("%-P%"))
    return int(connection.execute(cases).scalar_one())


async def _submitted(folder: Path, url: str | None, seconds: float, rate: float) -> _Peak:
    """A peak of orders that nobody waits for, and then a process that takes them in: every one
    acknowledged must be a case in the end.
    """
    async with _serving(folder, url, work=False) as served:
        most = int(rate * seconds * 15) + 4 * CONNECTIONS
        requests = iter(_orders(served.token, most, "P", prefer="respond-async"))
        _, first = await _flat_out(served.port, requests, min(1.0, seconds / 4))
        per_second, done = await _flat_out(served.port, requests, seconds)
    count = first + done
    async with running(served.settings, api=False) as (gateway, _):
        begun = time.perf_counter()
        while await _read(gateway, waiting_submissions):  # noqa: ASYNC110 (a database has no event)
            await asyncio.sleep(0.05)
        taken_in = count / (time.perf_counter() - begun)
        assert await _read(gateway, _peak_cases) == count, "an acknowledged order is no case"
    return _Peak(count, per_second, taken_in)


# --- a dead endpoint --------------------------------------------------------------------------


@dataclass(slots=True)
class _Ears:
    """Endpoints that take notices and note how old they were, and one that never answers."""

    delays_ms: list[float]
    heard: int = 0

    async def take(self, request: web.Request) -> web.Response:
        doc = orjson.loads(await request.read())
        self.heard += 1
        self.delays_ms.append(time.time() * 1000 - _epoch_ms(doc["created_at"]))
        return web.Response(status=204)


def _epoch_ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000


async def _mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read and say nothing."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65536):
            pass
    writer.close()


async def _notices(folder: Path, *, dead: int) -> tuple[float, int]:
    """p99 of how old notices are on arrival at the live ones of 50 endpoints, and how many came."""
    ears = _Ears([])
    async with AsyncExitStack() as stack:
        app = web.Application()
        app.router.add_post("/{number}", ears.take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        ports = free_port(), free_port()
        await web.TCPSite(runner, HOST, ports[0], backlog=1024).start()
        mute = await asyncio.start_server(_mute, HOST, ports[1])
        stack.push_async_callback(_closed, mute)
        live = [f"http://{HOST}:{ports[0]}/{one}" for one in range(ENDPOINTS - dead)]
        gone = [f"http://{HOST}:{ports[1]}/{one}" for one in range(dead)]
        served = await stack.enter_async_context(
            _serving(folder, None, work=True, endpoints=[*gone, *live])
        )
        token = served.token
        connection = await Connection.open(HOST, served.port)
        for one in demo_orders(PROFILE, _ORDERS, seed=2, problems=False, run="N"):
            assert one.payment is not None
            # A slip that does not fit: every endpoint is told of the mismatch.
            slip = {**one.payment, "amount": "0.01"}
            for path, paper in (
                ("/v1/orders", one.order), ("/v1/payments", slip), ("/v1/waybills", one.waybill),
            ):  # fmt: skip
                raw = request(path, HOST, orjson.dumps(paper), token=token)
                assert (await connection.ask(raw)).status in (200, 201)
            await asyncio.sleep(0.25)
        connection.close()
        quiet, last = 0, -1
        while quiet < 4:
            quiet, last = (quiet + 1, last) if ears.heard == last else (0, ears.heard)
            await asyncio.sleep(0.5)
    return percentile(ears.delays_ms, 0.99), ears.heard


async def _closed(server: asyncio.Server) -> None:
    server.close()


async def dead_endpoint(folder: Path) -> list[Door]:
    """How much slower notices of 49 endpoints come when the fiftieth never answers."""
    all_live, heard = await _notices(folder / "live", dead=0)
    one_dead, beside = await _notices(folder / "dead", dead=1)
    how = f"p99 {one_dead:,.0f} ms beside a dead one ({beside:,} notices), {all_live:,.0f} ms "
    how += f"with {ENDPOINTS} live ({heard:,})"
    assert beside, "no notice came"
    return [Door("dead_endpoint", one_dead / all_live, "of the p99 without", 1.1, False, how)]


# --- slow callers -----------------------------------------------------------------------------


async def _probe(port: int, requests: Iterator[bytes], seconds: float) -> list[float]:
    """Latencies in ms of a quiet caller: one request at a time, every 20 ms."""
    connection = await Connection.open(HOST, port)
    latencies: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        reply = await connection.ask(next(requests))
        assert reply.status in (200, 201), reply
        latencies.append((time.perf_counter() - started) * 1000)
        await asyncio.sleep(_PROBE_S)
    connection.close()
    return latencies


async def _drip(port: int, held: list[int], stop: asyncio.Event) -> None:
    """Keep one connection open with an unfinished header; open the next when it was closed."""
    while not stop.is_set():
        try:
            reader, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.2)
            continue
        held[0] += 1
        held[1] = max(held[1], held[0])
        writer.write(b"POST /v1/orders HTTP/1.1\r\nhost: slow\r\nx-slow: ")
        end = asyncio.ensure_future(stop.wait())
        gone = asyncio.ensure_future(reader.read(1024))
        await asyncio.wait((end, gone), return_when=asyncio.FIRST_COMPLETED)
        end.cancel()
        gone.cancel()
        held[0] -= 1
        writer.close()


async def slow_callers(folder: Path, seconds: float, count: int = SLOW) -> list[Door]:
    """p99 of a quiet caller while thousands of connections are held with unfinished headers."""
    async with _serving(folder, None, work=False) as served:
        requests = cycle(_orders(served.token, 2_000, "S"))
        alone = await _probe(served.port, requests, min(5.0, seconds))
        held, stop = [0, 0], asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(count):
                tasks.create_task(_drip(served.port, held, stop))
            for _ in range(600):
                if held[0] >= count * 0.95:
                    break
                await asyncio.sleep(0.2)
            beside = await _probe(served.port, requests, seconds)
            now = held[0]
            stop.set()
    how = f"{now:,} of {count:,} held at the end of {seconds:.0f} s; alone "
    how += f"{percentile(alone, 0.99):.1f} ms, {len(beside):,} requests"
    return [Door("slow_callers", percentile(beside, 0.99), "ms p99", 250, False, how)]


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def doors(folder: Path, postgres: str | None, *, is_quick: bool) -> list[Door]:
    """Every row; small and short when quick."""
    seconds = 2.0 if is_quick else 6.0
    found = await intake(made(folder / "intake"), None, seconds)
    if postgres is not None:
        found += await intake(made(folder / "intake-postgres"), postgres, seconds)
    found += await dead_endpoint(made(folder / "endpoints"))
    held_s, count = (5.0, 500) if is_quick else (60.0, SLOW)
    return found + await slow_callers(folder / "slow", held_s, count)
