"""Recovery after kill -9: a real ``clearance serve`` under load is killed, and the clock runs until
the rate is back and until nothing that the dead process had taken is left undone.

Senders keep about a thousand orders under way throughout; a batch that got no answer is sent again,
to whoever listens. All promises are checked at the end.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import aiohttp
import orjson
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError

from gateway.app.checks import check_everything
from gateway.app.config import FlowSection, Settings
from gateway.app.container import open_gateway
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, prepare
from gateway.app.opening import Reader, open_reading
from store.tables import OutboxStage, outbox, process
from tests.crash.gateway_process import GatewayProcess, write_config
from tests.perf.child import Child, child
from tests.perf.counterparts import Counts
from tests.perf.doors import Door, made
from tests.perf.world import BATCH_ORDERS, HOST, Incomplete, adjoining_settings, furnished

GATE_S: Final = 10.0
SHARE: Final = 0.9
_SENDERS: Final = 4
_WINDOW_S: Final = 1.0
_BURSTS: Final = 300.0
_LOOK_S: Final = 0.1
_PATIENCE_S: Final = 60.0
_AGAIN_S: Final = 0.05
_MOST_ORDERS: Final = 20_000
_IN_HAND: Final = 1_000


@dataclass(frozen=True, slots=True)
class Kill:
    """One experiment: how many processes there are, and whether the killed one starts again."""

    name: str
    processes: int
    restarts: bool


KILLS: Final = {
    "sqlite": (Kill("killed and started again, SQLite", 1, True),),
    "postgres": (
        Kill("killed and started again, PostgreSQL", 1, True),
        Kill("one of two killed, PostgreSQL", 2, False),
    ),
}


async def recovery(folder: Path, url: str | None, kill: Kill, *, orders: int) -> list[Door]:
    """Kill once after twice so many orders; the two waits in seconds.

    Raises :class:`Incomplete` when the rate never comes back or a promise was broken.
    """
    settings = adjoining_settings(prepare(made(folder), url=url), FlowSection())
    token, plan = await furnished(settings, 100, 1)
    async with AsyncExitStack() as stack:
        strangers = await stack.enter_async_context(
            child("tests.perf.counterparts", log=folder / "processes.log")
        )
        await strangers.say(plan.to_json())
        await strangers.expect("ready", _PATIENCE_S)
        gateways = [_gateway(settings, folder, number) for number in range(kill.processes)]
        for one in gateways:
            stack.push_async_callback(one.close)
            await one.start()
            await one.serving()
        load = Load([one.address for one in gateways], token, strangers)
        async with load.going(), open_reading(settings) as reader:
            doors = await _measured(kill, gateways, load, reader, orders)
        for one in gateways if kill.restarts else gateways[1:]:
            await one.stop()
    await _judge(settings)
    return doors


def _gateway(settings: Settings, folder: Path, number: int) -> GatewayProcess:
    http = settings.http.model_copy(update={"port": settings.http.port + number})
    config = folder / f"clearance-{number}.toml"
    write_config(settings.model_copy(update={"http": http}), config)
    return GatewayProcess(config, f"http://{HOST}:{http.port}")


async def _measured(
    kill: Kill, gateways: Sequence[GatewayProcess], load: Load, reader: Reader, orders: int
) -> list[Door]:
    await load.hear(orders)
    before = await load.hear(orders)
    dead = await _first_process(reader)
    await gateways[0].kill()
    killed_at = time.monotonic()
    back: list[float] = []
    free: list[float] = []
    async with asyncio.TaskGroup() as tasks:
        if kill.restarts:
            tasks.create_task(gateways[0].start())
        tasks.create_task(_until(back, lambda: load.runs_at(before * SHARE, killed_at), killed_at))
        tasks.create_task(_until(free, lambda: _holds_nothing(reader, dead), killed_at))
    window = window_s(before)
    how = f"{before:,.0f} orders/s before; until {window:.1f} s with {SHARE:.0%} of it have passed"
    left = "until nothing is leased to it any more"
    return [
        Door(f"full rate again, {kill.name}", back[0], "s", GATE_S, False, how),
        Door(f"its leases are over, {kill.name}", free[0], "s", GATE_S, False, left),
    ]


def window_s(rate: float) -> float:
    """Notices come in bursts of up to a hundred: a window holds a few of them."""
    return max(_WINDOW_S, _BURSTS / max(rate, 1.0))


async def _until(
    spent: list[float], holds: Callable[[], Awaitable[bool]], killed_at: float
) -> None:
    """Note the seconds from the kill until something holds."""
    while not await holds():
        if time.monotonic() - killed_at > _PATIENCE_S:
            raise Incomplete(f"not there {_PATIENCE_S:.0f} s after the kill")
        await asyncio.sleep(_LOOK_S)
    spent.append(time.monotonic() - killed_at)


async def _first_process(reader: Reader) -> str:
    """The process that joined the roll first."""
    first = select(process.c.process_id).order_by(process.c.joined_at).limit(1)
    async with reader.access.read() as reading:
        return str(await reading.run_sync(lambda on: on.execute(first).scalar_one()))


async def _holds_nothing(reader: Reader, process_id: str) -> bool:
    """Whether no open effect is leased to a process."""
    held = (
        select(func.count())
        .select_from(outbox)
        .where(
            outbox.c.stage == OutboxStage.OPEN.value,
            outbox.c.held_by == process_id,
            outbox.c.lease_until > outbox.c.due_at,
            outbox.c.lease_until > reader.clock.now(),
        )
    )
    try:
        async with reader.access.read() as reading:
            return await reading.run_sync(lambda on: on.execute(held).scalar_one()) == 0
    except OperationalError:
        # The journal is being recovered by the process that starts.
        return False


@dataclass(slots=True)
class Load:
    """Senders that keep a bounded number of orders under way, and what the warehouse heard of."""

    addresses: Sequence[str]
    token: str
    strangers: Child
    _sent: int = 0
    _heard: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=10_000))

    @asynccontextmanager
    async def going(self) -> AsyncIterator[None]:
        """Send until the block ends."""
        bodies = _bodies()
        headers = {
            "authorization": f"Bearer {self.token}",
            "content-type": "application/x-ndjson",
        }
        timeout = aiohttp.ClientTimeout(total=30)
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout) as session,
            asyncio.TaskGroup() as tasks,
        ):
            working = [tasks.create_task(self._listen())]
            for number in range(_SENDERS):
                working.append(tasks.create_task(self._send(session, bodies, number)))
            try:
                yield
            finally:
                for task in working:
                    task.cancel()

    async def hear(self, orders: int) -> float:
        """Wait until the warehouse hears of so many more; orders a second meanwhile."""
        async with asyncio.timeout(_PATIENCE_S):
            began, first = self._heard[-1] if self._heard else (time.monotonic(), 0)
            while True:
                await asyncio.sleep(_LOOK_S)
                ended, last = self._heard[-1] if self._heard else (began, first)
                if last - first >= orders:
                    return (last - first) / (ended - began)

    async def runs_at(self, least: float, since: float) -> bool:
        """Whether the last window, all of it after ``since``, had at least this rate."""
        now, count = self._heard[-1]
        earlier = [one for one in self._heard if since <= one[0] <= now - window_s(least)]
        if not earlier:
            return False
        began, first = earlier[-1]
        return (count - first) / (now - began) >= least

    async def _listen(self) -> None:
        while True:
            await self.strangers.say("count")
            counts = Counts.from_json(await self.strangers.hear(_PATIENCE_S))
            self._heard.append((time.monotonic(), counts.warehouse))
            await asyncio.sleep(_LOOK_S)

    async def _send(
        self, session: aiohttp.ClientSession, bodies: deque[bytes], number: int
    ) -> None:
        while bodies:
            heard = self._heard[-1][1] if self._heard else 0
            if self._sent - heard >= _IN_HAND:
                await asyncio.sleep(_AGAIN_S)
                continue
            self._sent += BATCH_ORDERS
            body = bodies.popleft()
            while not await self._is_taken(session, body, number):
                number += 1
                await asyncio.sleep(_AGAIN_S)

    async def _is_taken(self, session: aiohttp.ClientSession, body: bytes, number: int) -> bool:
        address = self.addresses[number % len(self.addresses)]
        try:
            async with session.post(f"{address}/v1/batches", data=body) as answer:
                if not answer.ok:
                    return False
                results = (await answer.json())["results"]
        except (aiohttp.ClientError, TimeoutError):
            return False
        return all(one["status"] in ("accepted", "unchanged") for one in results)


def _bodies() -> deque[bytes]:
    orders = demo_orders(PROFILE, _MOST_ORDERS, seed=1, problems=False, run="K")
    bodies: deque[bytes] = deque()
    while some := list(islice(orders, BATCH_ORDERS)):
        bodies.append(b"\n".join(orjson.dumps(line) for one in some for line in one.lines()))
    return bodies


async def _judge(settings: Settings) -> None:
    async with open_gateway(settings) as gateway:
        report = await check_everything(gateway)
    if report.violations:
        listed = "\n".join(str(one) for one in report.violations[:5])
        raise Incomplete(f"{len(report.violations)} promises are broken:\n{listed}")
