"""One life of the gateway: composed anew over the same database, until it is killed or told to end.

A kill leaves nothing behind but the database: every task is cancelled, and whatever still runs
meets :class:`SimulatedCrash` at its next look at the clock, at a crash point or at a port.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from gateway.app.config import FlowSection, FolderSection, Settings, StoreSection
from gateway.app.container import Gateway, assemble
from gateway.app.keyring import KeyRings
from gateway.domain.errors import GatewayError, StoreClosed
from gateway.ports import Channel
from store.open import StoreLimits, Surroundings, open_store
from tests.sim.company import SimPartner, SimPartners
from tests.sim.receivers import HookBroken, SimNotifier
from tests.sim.surroundings import InlineExecutor, SimulatedCrash, signing_key
from tests.sim.wire import SimChannel, WireBroken

if TYPE_CHECKING:
    from tests.sim.world import World

T = TypeVar("T")

MASTER_KEY: Final = b"simulation: thirty-two key bytes"
LEASE_S: Final = 8.0
_FOLLOW_S: Final = 6.0
# Another worker was faster: a slow hand-over outlives its lease, and who took over closes it.
_FENCED: Final = "STORE-202"


class Died(Exception):
    """The gateway was killed before it answered: a client sees a broken connection."""


def sim_settings() -> Settings:
    """The settings of a simulated deployment; its folders and files exist on no disk."""
    nowhere = Path("simulated")
    return Settings(
        environment="test",
        store=StoreSection(url="sqlite://", master_key_file=nowhere),
        channels={"dxp": FolderSection(send=nowhere, receive=nowhere)},
        flow=FlowSection(linger_s=0.2, poll_s=1.5, receive_poll_s=0.8, lease_s=LEASE_S),
    )


@dataclass(slots=True)
class SimObserver:
    """Implements the engine's ``Observer``: what was not made to fail must not fail."""

    counted: Counter[str]
    failures: Counter[str]
    violations: list[str]

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self.counted[name] += amount

    def took(self, stage: str, micros: int) -> None:
        """Times mean nothing here."""

    def failed(self, stage: str, error: Exception) -> None:
        """Count a failure; one that no fault explains is a violation."""
        if isinstance(error, StoreClosed) and isinstance(error.__cause__, SimulatedCrash):
            return
        code = error.code if isinstance(error, GatewayError) else type(error).__name__
        self.failures[f"{stage}:{code}"] += 1
        if isinstance(error, WireBroken | HookBroken) or code == _FENCED:
            return
        self.violations.append(f"{stage} failed: {error!r} {_place(error)}")


def _place(error: Exception) -> str:
    places: list[str] = []
    trace = error.__traceback__
    while trace is not None:
        places.append(f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(places[-4:])


@dataclass(slots=True, eq=False)
class Life:
    """One run of the gateway's process."""

    world: World
    number: int
    is_dead: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _gateway: Gateway | None = None
    _tasks: asyncio.TaskGroup | None = None
    _asked: dict[int, asyncio.Future[Any]] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))

    # --- what the gateway sees of its process: the Clock and CrashPoints ports ------------------

    def check(self) -> None:
        """A dead process does nothing more."""
        if self.is_dead:
            raise SimulatedCrash("already dead")

    def now(self) -> int:
        """UTC microseconds on this machine's clock, which may be wrong."""
        self.check()
        return self.world.now_us() + self.world.clock_offset_us

    async def sleep(self, seconds: float) -> None:
        """Wait in virtual time."""
        await asyncio.sleep(seconds)
        self.check()

    def reach(self, point: str) -> None:
        """Die here when the world says so."""
        self.check()
        if self.world.passes(point):
            self.kill(point)

    def kill(self, point: str) -> None:
        """The process is gone, at once."""
        self.is_dead = True
        self.over.set()
        raise SimulatedCrash(point)

    # --- living ---------------------------------------------------------------------------------

    async def live(self) -> None:
        """Open, run until over, close. Raises what ended it, unless that was its death."""
        try:
            await self._live()
        except BaseException as fault:
            if not self.is_dead or isinstance(fault, KeyboardInterrupt | SystemExit):
                raise
        finally:
            for answer in self._asked.values():
                if not answer.done():
                    answer.set_exception(Died())

    async def _live(self) -> None:
        world = self.world
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(
                open_store(
                    "sqlite://",
                    MASTER_KEY,
                    Surroundings(self, world.rng, self),
                    StoreLimits(lease_us=int(LEASE_S * 1_000_000)),
                    world.database,
                )
            )
            executor = InlineExecutor()
            channel: Channel = SimChannel(world.wire, self)
            gateway = await assemble(
                sim_settings(),
                store,
                clock=self,
                rng=world.rng,
                crash=self,
                executor=executor,
                channels={"dxp": channel},
                notifier=SimNotifier(world.receivers, self),
                key_ring=KeyRings.of_keys({"default": signing_key()}, executor),
                partners=SimPartners(SimPartner(world.company, self)) if world.company else None,
            )
            gateway.engine.observer = world.observer
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(gateway.engine.run())
                followers = [
                    tasks.create_task(gateway.cache.follow(self, _FOLLOW_S)),
                    tasks.create_task(gateway.keys.follow(self, _FOLLOW_S)),
                ]
                tasks.create_task(gateway.cache.wake_waiting())
                self._gateway, self._tasks = gateway, tasks
                world.born(self)
                await self.over.wait()
                self.check()
                gateway.engine.stop()
                for follower in followers:
                    follower.cancel()

    async def ask(self, work: Callable[[Gateway], Awaitable[T]]) -> T:
        """Have the gateway do something for an outsider. Raises :class:`Died` when it was killed
        before it could answer.
        """
        if self._tasks is None or self.over.is_set():
            raise Died
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        number = next(self._numbers)
        self._asked[number] = answer
        self._tasks.create_task(self._serve(work, answer))
        try:
            return await answer
        finally:
            del self._asked[number]

    async def _serve(
        self, work: Callable[[Gateway], Awaitable[T]], answer: asyncio.Future[T]
    ) -> None:
        assert self._gateway is not None
        try:
            result = await work(self._gateway)
        except Exception as fault:
            if not answer.done():
                answer.set_exception(Died() if self.is_dead else fault)
        else:
            if not answer.done():
                answer.set_result(result)
