"""An asyncio event loop in virtual time: deterministic, without sleeping, sockets or threads.

When nothing is ready, time jumps to the next timer. ``asyncio.sleep``, ``asyncio.timeout`` and
``TaskGroup`` work as they are. Work given to an executor runs inline. A program that waits for
something that can never come raises :class:`Deadlock` at once.

One seed gives one run: tasks and futures hash by the order they were made in (asyncio keeps them
in sets, whose order would otherwise follow memory addresses), and ``jitter_s`` lets a seed shift
timers by up to that much, so that seeds explore different orders of events that fall together. A
timer promises "not before", so a shifted one is still legal.
"""

from __future__ import annotations

import asyncio
import math
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextvars import Context
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final, Never, TypeVar, TypeVarTuple, Unpack, cast

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH: Final = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
"""The instant a simulation starts at unless told otherwise: 09:00 in Beijing, a Monday."""

# What a stopped program may still use to unwind.
_STEPS_TO_END: Final = 100_000


class Deadlock(RuntimeError):
    """Nothing is ready, no timer is set, and the program has not ended."""


class Runaway(RuntimeError):
    """The simulation went past its limit of steps or of virtual time."""


class UnhandledFault(RuntimeError):
    """A task or callback failed and nobody looked at its exception."""


class SimFuture(asyncio.Future[T]):
    """A future that hashes by its place in the order of creation."""

    def __init__(self, *, loop: VirtualTimeLoop) -> None:
        self._order = next(loop.order)
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._order

    def __eq__(self, other: object) -> bool:
        return self is other


class SimTask(asyncio.Task[T]):
    """A task that hashes by its place in the order of creation."""

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, T],
        *,
        loop: VirtualTimeLoop,
        name: str | None = None,
        context: Context | None = None,
    ) -> None:
        # Before the task registers itself in asyncio's set of all tasks.
        self._order = next(loop.order)
        super().__init__(
            coroutine, loop=loop, name=name or f"sim-task-{self._order}", context=context
        )

    def __hash__(self) -> int:
        return self._order

    def __eq__(self, other: object) -> bool:
        return self is other


class _Idle:
    """Stands where the loop expects a selector: instead of waiting for sockets, time moves on."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Never]:
        """Called by the loop before each round: None means there is nothing to wait for."""
        self._loop.pass_time(timeout)
        return []

    def close(self) -> None:
        """Nothing is open."""


class VirtualTimeLoop(asyncio.base_events.BaseEventLoop):
    """The loop; usually made by :func:`run`.

    ``rng`` belongs to the simulation: faults and delays drawn from it follow the seed. The loop's
    own jitter has a source of its own, so that a new draw in a test moves no timer.
    """

    # Kept by the base class; its stubs leave them out.
    _scheduled: list[asyncio.TimerHandle]
    _thread_id: int | None

    def __init__(
        self,
        *,
        seed: int = 0,
        start: datetime = EPOCH,
        jitter_s: float = 0.0,
        limit_s: float = 400 * 86_400.0,
        max_steps: int = 20_000_000,
    ) -> None:
        # The base class asks time() already while it is being made.
        self._now_s = 0.0
        super().__init__()
        self.order: Iterator[int] = count(1)
        self.rng = random.Random(f"rng {seed}")
        self.unhandled: list[BaseException] = []
        self._start = start
        self._jitter_s = jitter_s
        self._jitter = random.Random(f"jitter {seed}")
        self._limit_s = limit_s
        self._steps_left = max_steps
        self._selector = _Idle(self)
        # Far above the spacing of floats after years; else a due timer might never fire.
        self._clock_resolution = 1e-6
        self.set_task_factory(cast("Any", _make_task))
        self.set_exception_handler(_keep_unhandled)

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self._now_s

    def now(self) -> datetime:
        """The virtual instant, UTC, in whole microseconds."""
        return self._start + timedelta(microseconds=round(self._now_s * 1e6))

    def pass_time(self, timeout: float | None) -> None:
        """Jump to the next timer when nothing is ready.

        Raises :class:`Deadlock` when there is no timer either, :class:`Runaway` past the limits.
        """
        self._steps_left -= 1
        if self._steps_left < 0:
            self._steps_left = _STEPS_TO_END
            raise Runaway(f"too many steps by {self.now().isoformat()}")
        if timeout is None:
            raise Deadlock(self._describe_waiting())
        if timeout > 0:
            # The timer's own instant: adding the difference could fall short of it by rounding.
            self._now_s = max(self._now_s, self._scheduled[0].when())
        if self._now_s > self._limit_s:
            self._limit_s, self._steps_left = math.inf, _STEPS_TO_END
            raise Runaway(f"virtual time ran past its limit: {self.now().isoformat()}")

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's, with the seed's jitter added."""
        if self._jitter_s:
            when += self._jitter.random() * self._jitter_s
        return super().call_at(when, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        """As asyncio's, with a hash that does not depend on memory addresses."""
        return SimFuture(loop=self)

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Allowed from the loop's own thread only: a second thread would end determinism."""
        if self._thread_id not in (None, threading.get_ident()):
            raise RuntimeError("a simulation has one thread")
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Run ``func`` now, here; the future returned is done already."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as fault:  # as an executor would hand it over
            future.set_exception(fault)
        return future

    async def getaddrinfo(self, *args: Any, **kwargs: Any) -> Never:
        """Refused: a simulation has no network."""
        raise RuntimeError("a simulation opens no sockets")

    def _process_events(self, event_list: list[Never]) -> None:
        """No sockets, no events."""

    def _describe_waiting(self) -> str:
        waiting = sorted(f"  {task!r}" for task in asyncio.all_tasks(self))
        return f"deadlock at {self.now().isoformat()}; waiting:\n" + "\n".join(waiting)


def _make_task(
    loop: VirtualTimeLoop,
    coroutine: Coroutine[Any, Any, T],
    context: Context | None = None,
    name: str | None = None,
) -> asyncio.Task[T]:
    return SimTask(coroutine, loop=loop, name=name, context=context)


def _keep_unhandled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    assert isinstance(loop, VirtualTimeLoop)
    fault = context.get("exception")
    loop.unhandled.append(fault if fault is not None else RuntimeError(context["message"]))


def run(
    main: Callable[[VirtualTimeLoop], Coroutine[Any, Any, T]],
    *,
    seed: int = 0,
    start: datetime = EPOCH,
    jitter_s: float = 0.0,
) -> T:
    """Run ``main(loop)`` to its end in virtual time and return what it returns.

    Raises what ``main`` raises, :class:`Deadlock`, :class:`Runaway`, or :class:`UnhandledFault`
    (the first such fault is its cause) when something failed unseen.
    """
    loop = VirtualTimeLoop(seed=seed, start=start, jitter_s=jitter_s)
    with asyncio.Runner(loop_factory=lambda: loop, debug=False) as runner:
        result = runner.run(main(loop))
    if loop.unhandled:
        raise UnhandledFault(repr(loop.unhandled[0])) from loop.unhandled[0]
    return result
