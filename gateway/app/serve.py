"""One process that serves: API and workers on one loop, or workers alone."""

import asyncio
import contextlib
import fcntl
import gc
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError

from adapters.customs.channels.relay import RelayChannel
from gateway.api.app import Serving, create_app, serve
from gateway.api.callbacks import CALLBACKS, callbacks
from gateway.api.settings import APISettings, Quota
from gateway.app.config import ConfigError, Settings, refuse_stand_ins
from gateway.app.container import Gateway, open_gateway
from gateway.app.gauges import keep_admission, keep_gauges
from gateway.app.keyring import ConfiguredRings, KeyRings
from gateway.app.metrics import QueueGauges
from gateway.app.roll import keep_roll, on_the_roll
from gateway.app.upkeep import (
    keep_checkpoints,
    keep_keys_new,
    keep_keys_well,
    keep_lessons,
    keep_unmatched,
    purge_folders,
)
from gateway.domain.errors import StoreError
from gateway.ports import Clock
from gateway.web.app import GUARD, create_console

_LOG = structlog.get_logger("clearance.app")
_AGAIN_S: Final = 1.0
# New objects before the collector looks at them, and passes before it looks at the older ones.
_COLLECT: Final = (50_000, 10, 10)


@dataclass(frozen=True, slots=True)
class Reread:
    """How the settings are read again, and that somebody asks for it now."""

    read: Callable[[], Settings]
    asked: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def running(
    settings: Settings, *, api: bool = True, work: bool = True, reread: Reread | None = None
) -> AsyncIterator[tuple[Gateway, Serving | None]]:
    """A gateway that works and serves for the length of the block, then drains.

    With ``reread`` it takes up signing keys that change meanwhile.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(only_process(settings))
        gateway = await stack.enter_async_context(open_gateway(settings))
        await stack.enter_async_context(on_the_roll(gateway))
        background = await stack.enter_async_context(_background(gateway, work=work, reread=reread))
        serving: Serving | None = None
        if api:
            app = create_app(gateway.services, api_settings(settings))
            if work:
                app.add_subapp(CALLBACKS, callbacks(_callees(gateway)))
            console = create_console(gateway.web)
            app.add_subapp("/console/", console)
            reuse = make_url(settings.store.url).get_backend_name() != "sqlite"
            http = settings.http
            serving = await serve(
                app,
                http.host,
                http.port,
                reuse_port=reuse and http.port != 0,
                fault_page=console[GUARD].failed,
            )
            stack.push_async_callback(serving.stop)
        background()
        yield gateway, serving


def _callees(gateway: Gateway) -> dict[str, RelayChannel]:
    return {
        name: channel
        for name, channel in gateway.context.channels.items()
        if isinstance(channel, RelayChannel)
    }


def api_settings(settings: Settings) -> APISettings:
    """The limits of the HTTP edge from the deployment's settings."""
    http = settings.http
    return APISettings(
        exempt_peers=http.trusted_proxies,
        quotas=tuple(Quota(one.per_s, one.burst, one.key, one.route) for one in http.quotas),
    )


@asynccontextmanager
async def _background(
    gateway: Gateway, *, work: bool, reread: Reread | None
) -> AsyncIterator[Callable[[], None]]:
    """The engine and the followers of master data; ended in order on leaving."""
    clock = gateway.context.clock

    async def checkpoints() -> None:
        await keep_checkpoints(gateway.store, clock, gateway.settings)

    async def keys_well() -> None:
        if isinstance(gateway.context.keys, KeyRings):
            await keep_keys_well(gateway.context.keys, clock)

    async def unmatched() -> None:
        await keep_unmatched(gateway.store, clock)

    gauges = QueueGauges(gateway.services.registry)

    async def measure() -> None:
        await keep_gauges(gateway, gauges)

    async def lessons() -> None:
        await keep_lessons(clock, gateway.admin, gateway.services.lessons)

    async def admission() -> None:
        await keep_admission(gateway)

    async def roll() -> None:
        await keep_roll(gateway)

    async def purge() -> None:
        await purge_folders(gateway.context.channels, clock, gateway.settings)

    async with asyncio.TaskGroup() as tasks:
        followers = [
            tasks.create_task(gateway.cache.follow(clock)),
            tasks.create_task(gateway.keys.follow(clock)),
            tasks.create_task(gateway.pauses.follow(clock)),
            tasks.create_task(gateway.aside_keys.follow(clock)),
            tasks.create_task(gateway.packs.follow(clock)),
            tasks.create_task(_outlasting(clock, checkpoints)),
            tasks.create_task(_outlasting(clock, keys_well)),
            tasks.create_task(_outlasting(clock, measure)),
            tasks.create_task(_outlasting(clock, admission)),
            tasks.create_task(_outlasting(clock, unmatched)),
            tasks.create_task(_outlasting(clock, lessons)),
            tasks.create_task(_outlasting(clock, roll)),
            tasks.create_task(purge()),
            tasks.create_task(gateway.web.backlog.run()),
        ]
        if reread is not None and isinstance(gateway.context.keys, ConfiguredRings):
            new = keep_keys_new(gateway.context.keys, clock, reread.read, reread.asked)
            followers.append(tasks.create_task(new))
        engine: list[asyncio.Task[None]] = []

        def start() -> None:
            if work:
                engine.append(tasks.create_task(gateway.engine.run()))
                # After the engine, which by then takes what is told.
                waking = _outlasting(clock, gateway.cache.wake_waiting)
                followers.append(tasks.create_task(waking))

        try:
            yield start
        finally:
            gateway.engine.stop()
            for task in engine:
                await task
            for follower in followers:
                follower.cancel()


async def _outlasting(clock: Clock, work: Callable[[], Awaitable[None]]) -> None:
    """Do something to its end, from the start again for as long as the database is away."""
    while True:
        try:
            await work()
        except (StoreError, SQLAlchemyError, OSError) as error:
            _LOG.warning("database_away", error=type(error).__name__)
            await clock.sleep(_AGAIN_S)
        else:
            return


@contextlib.contextmanager
def only_process(settings: Settings) -> Iterator[None]:
    """On SQLite one process works: hold the lock file beside the database, or say who does."""
    url = make_url(settings.store.url)
    if url.get_backend_name() != "sqlite" or not url.database:
        yield
        return
    path = Path(url.database + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"{path}: another process works on this SQLite database; "
                "use PostgreSQL to run several",
                "另有进程正在使用此 SQLite 数据库；要运行多个进程请用 PostgreSQL",
            ) from error
        yield


async def run_until_stopped(read: Callable[[], Settings], *, api: bool, work: bool) -> None:
    """Serve until SIGTERM or SIGINT, then drain.

    ``read`` gives the settings; their signing keys are read again from time to time, and on SIGHUP.
    """
    reread = Reread(lambda: _fit(read()))
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, reread.asked.set)
    async with running(read(), api=api, work=work, reread=reread) as (_, serving):
        collect_rarely()
        _LOG.info("started", address=serving.address if serving else None, work=work)
        await stopped.wait()
    _LOG.info("stopped")


def _fit(settings: Settings) -> Settings:
    refuse_stand_ins(settings)
    return settings


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop for a process that serves: uvloop's where it is installed, else Python's own.

    The optional extra ``uvloop`` saves about a seventh of the CPU of papers that come singly.
    """
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def collect_rarely() -> None:
    """Make the cyclic collector pass over a process that serves less often.

    What an order leaves behind is freed by counting references; with the interpreter's defaults
    walking the live objects for cycles costs as much as a third of the work on an order.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)
