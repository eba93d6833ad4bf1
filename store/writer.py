"""The group-commit writer: a bounded queue, drained by lanes that each keep one connection.

Whatever waits while a lane commits goes into its next transaction together; an idle lane waits for
nothing. SQLite has one lane, whose connection lives in a thread of its own; PostgreSQL has a few,
and a command's lane follows from the hash of its ``lane`` text.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from gateway.domain.errors import Overloaded, StoreClosed
from gateway.ports import Clock, Command, Effect
from store.batch import BatchResult, Done, Failed
from store.errors import StoreUnavailable
from store.group import Item, Job

# How long a lane waits before it asks a database again that did not answer.
_RECONNECT_S: Final = 0.25
# Fewer in one group do not queue: waiting for more would only slow their answers.
_CROWD: Final = 8


@dataclass(frozen=True, slots=True)
class WriterLimits:
    """Bounds of the writer.

    ``queue_items`` bounds what waits or is being written in all lanes together; ``group_items`` and
    ``group_cases`` bound one transaction; ``reconnect_tries`` how often a lane asks a database that
    does not answer before its items fail. While many come at a time, a lane waits ``gather_s``
    for more to share its next transaction: what a transaction costs by itself is then shared too.
    """

    queue_items: int = 4_096
    group_items: int = 256
    group_cases: int = 1_024
    reconnect_tries: int = 40
    gather_s: float = 0.002


class Runner(Protocol):
    """Runs batches on the one connection of a lane."""

    async def run(self, items: Sequence[Item]) -> BatchResult:
        """Run a batch; raises ``StoreUnavailable`` when no connection can be had."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


@dataclass(slots=True)
class _Entry:
    item: Item
    future: "asyncio.Future[Any]"


class Writer:
    """Queues items for lanes and answers each one's future after its commit."""

    def __init__(
        self,
        runners: Sequence[Runner],
        limits: WriterLimits,
        clock: Clock,
        committed: Callable[[list[Effect]], None],
    ) -> None:
        self._lanes = [_Lane(self, runner) for runner in runners]
        self._limits = limits
        self._clock = clock
        self._committed = committed
        self._waiting = 0
        self._is_closed = False

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Start the lanes as tasks of a group; they end after :meth:`close`."""
        for number, lane in enumerate(self._lanes):
            tasks.create_task(lane.run(), name=f"store-lane-{number}")

    def close(self) -> None:
        """Take nothing new; what is queued is still written."""
        self._is_closed = True
        for lane in self._lanes:
            lane.wake.set()

    @property
    def waiting(self) -> int:
        """How many items wait or are being written."""
        return self._waiting

    def put(self, item: Item, lane: str) -> "asyncio.Future[Any]":
        """Queue one item; its future gives the result (Any: each item has its own) or raises."""
        return self.put_all([(item, lane)])[0]

    def put_all(self, items: Sequence[tuple[Item, str]]) -> "list[asyncio.Future[Any]]":
        """Queue items, all of them or none: raises ``Overloaded`` or ``StoreClosed``."""
        if self._is_closed:
            raise StoreClosed("the store is shutting down")
        if self._waiting + len(items) > self._limits.queue_items:
            raise Overloaded("too many commands are waiting; try again in a moment")
        loop = asyncio.get_running_loop()
        futures = []
        for item, lane in items:
            entry = _Entry(item, loop.create_future())
            self._lane(lane).add(entry)
            futures.append(entry.future)
        self._waiting += len(items)
        return futures

    def _lane(self, text: str) -> "_Lane":
        if len(self._lanes) == 1:
            return self._lanes[0]
        return self._lanes[zlib.crc32(text.encode()) % len(self._lanes)]

    def next_group(self, queue: "deque[_Entry]") -> list[_Entry]:
        """Take the next group off a queue, within the limits."""
        group: list[_Entry] = []
        cases = 0
        while queue and len(group) < self._limits.group_items:
            item = queue[0].item
            if isinstance(item, Job) and item.is_alone:
                return group or [queue.popleft()]
            weight = len(item.create) + len(item.load) if isinstance(item, Command) else 0
            if group and cases + weight > self._limits.group_cases:
                break
            cases += weight
            group.append(queue.popleft())
        return group

    async def gather(self, last: int, queue: "deque[_Entry]") -> None:
        """Let the next group grow, when the ``last`` one was a crowd and this one is not full."""
        limits = self._limits
        if last >= _CROWD and limits.gather_s and len(queue) < limits.group_items // 4:
            await self._clock.sleep(limits.gather_s)

    async def write(self, runner: Runner, group: list[_Entry]) -> None:
        """Run one group and answer its futures; what a broken connection left is run again."""
        tries = 0
        while group:
            if tries > self._limits.reconnect_tries:
                fault = StoreUnavailable("the database does not answer")
                self._answer(group, [Failed(fault)] * len(group))
                return
            try:
                result = await runner.run([entry.item for entry in group])
            except StoreUnavailable:
                tries += 1
                await self._clock.sleep(_RECONNECT_S)
                continue
            if result.handed_over:
                self._committed(result.handed_over)
            group = self._answer(group, result.outcomes)
            tries = tries + 1 if group else 0

    def _answer(
        self, group: list[_Entry], outcomes: Sequence[Done | Failed | None]
    ) -> list[_Entry]:
        """Answer the futures of a group; gives the entries that have no outcome yet."""
        left: list[_Entry] = []
        for entry, outcome in zip(group, outcomes, strict=True):
            if outcome is None:
                left.append(entry)
                continue
            self._waiting -= 1
            if entry.future.done():
                continue
            if isinstance(outcome, Done):
                entry.future.set_result(outcome.result)
            else:
                entry.future.set_exception(outcome.error)
        return left

    def abandon(self, entries: Sequence[_Entry], why: BaseException) -> None:
        """Fail entries whose lane has died."""
        self._is_closed = True
        error = StoreClosed("the writer of the store has stopped")
        error.__cause__ = why
        self._answer(list(entries), [Failed(error)] * len(entries))

    @property
    def is_closed(self) -> bool:
        """Whether nothing new is taken."""
        return self._is_closed


class _Lane:
    """One queue and the connection that drains it."""

    __slots__ = ("_queue", "_runner", "_writer", "wake")

    def __init__(self, writer: Writer, runner: Runner) -> None:
        self._writer = writer
        self._runner = runner
        self._queue: deque[_Entry] = deque()
        self.wake = asyncio.Event()

    def add(self, entry: _Entry) -> None:
        """Queue an entry and wake the lane."""
        self._queue.append(entry)
        self.wake.set()

    async def run(self) -> None:
        """Drain the queue until the writer is closed and nothing is left."""
        group: list[_Entry] = []
        last = 0
        try:
            while True:
                while self._queue:
                    await self._writer.gather(last, self._queue)
                    group = self._writer.next_group(self._queue)
                    last = len(group)
                    await self._writer.write(self._runner, group)
                    group = []
                if self._writer.is_closed:
                    break
                self.wake.clear()
                await self.wake.wait()
        except BaseException as why:
            # Callers hear of it last: what they then do may cancel this task.
            try:
                await self._runner.close()
            finally:
                self._writer.abandon([*group, *self._queue], why)
            raise
        await self._runner.close()
