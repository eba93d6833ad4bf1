"""One complete run: gateway processes, strangers and load generator, started, measured, judged."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.app.checks import check_everything
from gateway.app.config import FlowSection, HTTPSection, Settings
from gateway.app.container import open_gateway
from gateway.app.demo_world import PROFILE, TENANT, WAREHOUSE_TYPES, free_port, furnish, prepare
from gateway.domain.case import CaseStage
from gateway.flow.status import EVENT_TYPES
from store.keys import KeyRole
from store.work import notice_counts, stage_counts
from tests.perf.child import Child, ChildFailed, child
from tests.perf.counterparts import Counts, StrangersPlan
from tests.perf.cpu import busy_ms, processes, tree_ms
from tests.perf.generator import LoadPlan, LoadResult, Shape
from tests.perf.goals import Scenario

HOST: Final = "127.0.0.1"
BATCH_ORDERS: Final = 100
_START_S: Final = 60.0
_POLL_S: Final = 0.1
_QUIET_S: Final = 2.0
_PORT_TRIES: Final = 50


class Incomplete(Exception):
    """The work of a run was not all done, or a promise was broken: there is no figure to give."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Milliseconds of CPU an order, by who spent them; ``others`` is the rest of the machine."""

    gateway: float
    database: float
    generator: float
    counterparts: float
    others: float


@dataclass(frozen=True, slots=True)
class Run:
    """The figures of one scenario, all of its work done and checked."""

    scenario: str
    orders: int
    is_filled: bool
    seconds: float
    orders_per_second: float
    cpu_ms: Usage
    intake_p50_ms: float
    intake_p99_ms: float
    intake_most_ms: float
    requests: int
    busy: int
    posts: int
    machine_busy: float
    checked: int

    def to_doc(self) -> dict[str, Any]:
        """The JSON value."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run lives: its folder, its store, and how long it may take."""

    folder: Path
    store_url: str | None
    postgres_pid: int | None
    delivery: int
    timeout_s: float
    seed: int
    profile: Path | None = None


@dataclass(frozen=True, slots=True)
class _World:
    settings: Settings
    gateways: Sequence[Child]
    strangers: Child
    token: str


async def measure(scenario: Scenario, place: Place, *, fill: bool) -> Run:
    """Run a scenario from the first paper to the last notice, then check every promise.

    With ``fill`` the same load runs once before, unmeasured, on the same database. Raises
    :class:`Incomplete` and :class:`ChildFailed`.
    """
    names = ("F", "M") if fill else ("M",)
    done, run = 0, None
    async with _world(scenario, place) as world:
        for name in names:
            run = await _load(scenario, place, world, run_name=name, before=done)
            done += scenario.orders
        await _let_finish(world)
    assert run is not None
    checked = await _judge(world.settings, done)
    return replace(run, is_filled=fill, checked=checked)


@asynccontextmanager
async def _world(scenario: Scenario, place: Place) -> AsyncIterator[_World]:
    """Everything started and ready for papers."""
    place.folder.mkdir(parents=True, exist_ok=True)
    settings = load_settings(prepare(place.folder, url=place.store_url))
    token, plan = await furnished(settings, place.delivery, place.seed)
    log = place.folder / "processes.log"
    async with AsyncExitStack() as stack:
        strangers = await stack.enter_async_context(child("tests.perf.counterparts", log=log))
        await strangers.say(plan.to_json())
        await strangers.expect("ready", _START_S)
        gateways: list[Child] = []
        for number in range(scenario.processes):
            arguments = [str(written(settings, place.folder, number))]
            if place.profile is not None:
                arguments.append(f"{place.profile}.{scenario.name}.{number}")
            gateways.append(
                await stack.enter_async_context(child("tests.perf.gateway", *arguments, log=log))
            )
        for number, gateway in enumerate(gateways):
            await accepting(gateway, settings.http.port + number, log)
        yield _World(settings, gateways, strangers, token)


def load_settings(made: Settings) -> Settings:
    """The demo's settings with a pace for load: leases far longer than any step takes."""
    flow = made.flow.model_copy(update={"lease_s": 60.0, "receive_poll_s": 0.02})
    return adjoining_settings(made, flow)


def adjoining_settings(made: Settings, flow: FlowSection) -> Settings:
    """Settings with this pace, and a port whose successor is free for a second process."""
    return made.model_copy(update={"flow": flow, "http": HTTPSection(port=_adjoining_ports())})


def _adjoining_ports() -> int:
    """A free port whose successor is free too."""
    for _ in range(_PORT_TRIES):
        port = free_port()
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port + 1))
            except OSError:
                continue
            return port
    raise ChildFailed("no two free ports side by side")


def written(settings: Settings, folder: Path, number: int) -> Path:
    """The settings file of one gateway process: each listens on a port of its own."""
    http = settings.http.model_copy(update={"port": settings.http.port + number})
    path = folder / f"settings-{number}.json"
    path.write_text(settings.model_copy(update={"http": http}).model_dump_json())
    return path


async def furnished(settings: Settings, delivery: int, seed: int) -> tuple[str, StrangersPlan]:
    """Tenant, profile, goods, a seller's key and the two endpoints; gives the key."""
    async with open_gateway(settings) as gateway:
        await furnish(gateway)
        key = await gateway.keys.new(TENANT, KeyRole.SELLER, "bench seller")
        ports = free_port(), free_port()
        depot = await gateway.admin.new_endpoint(
            TENANT,
            url=f"http://{HOST}:{ports[0]}/notices",
            role="warehouse",
            event_types=WAREHOUSE_TYPES,
            batch_size=delivery,
        )
        shop = await gateway.admin.new_endpoint(
            TENANT,
            url=f"http://{HOST}:{ports[1]}/webhooks",
            role="seller",
            event_types=EVENT_TYPES - WAREHOUSE_TYPES,
            batch_size=delivery,
        )
    channel = settings.channels["dxp"]
    plan = StrangersPlan(
        str(channel.send),
        str(channel.receive),
        ports[0],
        depot.secret,
        ports[1],
        shop.secret,
        seed,
    )
    return key.token, plan


async def accepting(gateway: Child, port: int, log: Path) -> None:
    """Wait until a gateway process listens."""
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and gateway.is_alive:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            await asyncio.sleep(0.05)
            continue
        writer.close()
        return
    raise ChildFailed(f"the gateway does not listen:\n{_end_of(log)}")


def _end_of(log: Path) -> str:
    """The last lines that the processes wrote."""
    return log.read_text(errors="replace")[-2000:]


async def _load(
    scenario: Scenario, place: Place, world: _World, *, run_name: str, before: int
) -> Run:
    """Send one load and wait for the last notice; figures are of this load alone."""
    plan = _load_plan(scenario, world, run_name, place.seed)
    log = place.folder / "processes.log"
    wanted = before + scenario.orders
    async with child("tests.perf.generator", log=log) as generator:
        await generator.say(plan.to_json())
        await generator.expect("ready", _START_S)
        usage = _Meter(place, world, generator)
        posts_before = (await _counts(world.strangers)).posts
        started = time.perf_counter()
        await generator.say("go")
        counts = await _all_told(world, wanted, place.timeout_s)
        seconds = time.perf_counter() - started
        spent, machine_busy = usage.read(scenario.orders)
        if counts.warehouse < wanted or counts.seller < wanted:
            raise Incomplete(
                f"{scenario.name}: of {wanted} orders the warehouse heard of {counts.warehouse} "
                f"and the seller of {counts.seller} within {place.timeout_s:.0f} s\n" + _end_of(log)
            )
        result = LoadResult(**orjson.loads(await generator.hear(_START_S)))
    if result.refused:
        raise Incomplete(f"{scenario.name}: good papers were refused: {result.refused[0]}")
    return Run(
        scenario=scenario.name,
        orders=scenario.orders,
        is_filled=False,
        seconds=seconds,
        orders_per_second=scenario.orders / seconds,
        cpu_ms=spent,
        intake_p50_ms=result.p50_ms,
        intake_p99_ms=result.p99_ms,
        intake_most_ms=result.most_ms,
        requests=result.requests,
        busy=result.busy,
        posts=counts.posts - posts_before,
        machine_busy=machine_busy,
        checked=0,
    )


def _load_plan(scenario: Scenario, world: _World, run_name: str, seed: int) -> LoadPlan:
    first = world.settings.http.port
    return LoadPlan(
        host=HOST,
        ports=tuple(range(first, first + scenario.processes)),
        token=world.token,
        profile=PROFILE,
        shape=scenario.shape,
        orders=scenario.orders,
        batch_orders=BATCH_ORDERS if scenario.shape is Shape.BATCH else 1,
        connections=scenario.connections,
        run=run_name,
        seed=seed,
    )


class _Meter:
    """CPU spent since it was made, by process."""

    def __init__(self, place: Place, world: _World, generator: Child) -> None:
        self._roots = {
            "gateway": [one.pid for one in world.gateways],
            "database": [] if place.postgres_pid is None else [place.postgres_pid],
            "generator": [generator.pid],
            "counterparts": [world.strangers.pid],
        }
        self._before = self._spent()
        self._machine = busy_ms()

    def _spent(self) -> dict[str, float]:
        known = processes()
        return {name: tree_ms(roots, known) for name, roots in self._roots.items()}

    def read(self, orders: int) -> tuple[Usage, float]:
        """Milliseconds an order, and the busy share of the whole machine."""
        now = self._spent()
        ours = {name: now[name] - self._before[name] for name in now}
        busy, idle = (
            after - before for after, before in zip(busy_ms(), self._machine, strict=True)
        )
        others = max(0.0, busy - sum(ours.values()))
        each = {name: spent / orders for name, spent in (*ours.items(), ("others", others))}
        return Usage(**each), busy / max(1.0, busy + idle)


async def _counts(strangers: Child) -> Counts:
    await strangers.say("count")
    return Counts.from_json(await strangers.hear(_START_S))


async def _all_told(world: _World, wanted: int, timeout_s: float) -> Counts:
    """Wait until warehouse and seller heard of every order, or nothing more comes in time."""
    deadline = time.monotonic() + timeout_s
    while True:
        counts = await _counts(world.strangers)
        if counts.warehouse >= wanted and counts.seller >= wanted:
            return counts
        if time.monotonic() > deadline:
            return counts
        for gateway in world.gateways:
            if not gateway.is_alive:
                raise ChildFailed("a gateway process ended early")
        await asyncio.sleep(_POLL_S)


async def _let_finish(world: _World) -> None:
    """Give the last outcomes time to be recorded; ending a gateway drains the rest."""
    await asyncio.sleep(_QUIET_S)
    for gateway in world.gateways:
        await gateway.end()


async def _judge(settings: Settings, orders: int) -> int:
    """Every order released, every notice delivered, every promise kept; gives the orders seen."""
    async with open_gateway(settings) as gateway:
        async with gateway.store.read() as reading:
            stages = await reading.run_sync(lambda on: stage_counts(on, TENANT))
            notices = await reading.run_sync(lambda on: notice_counts(on, TENANT))
        report = await check_everything(gateway)
    if stages != {CaseStage.RELEASED: orders}:
        raise Incomplete(f"not every order is released: {stages}")
    if notices.sent != 2 * orders or notices.asked != notices.sent:
        raise Incomplete(f"not every notice is recorded as delivered: {notices}")
    if report.violations:
        listed = "\n".join(str(one) for one in report.violations[:5])
        raise Incomplete(f"{len(report.violations)} promises are broken:\n{listed}")
    return orders
