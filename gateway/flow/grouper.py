"""Grouping: planned declarations of one group become messages of 100, or fewer after the linger
time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.ports import Clock

T = TypeVar("T")


@dataclass(slots=True)
class Grouper(Generic[T]):
    """Collects items by group; flushes one at ``size`` items or ``linger_s`` after its first.

    ``flush`` runs as a task of the group that owns the grouper; items added meanwhile wait for the
    next.
    """

    clock: Clock
    tasks: asyncio.TaskGroup
    flush: Callable[[str, Sequence[T]], Awaitable[None]]
    size: Callable[[str], int]
    linger_s: float
    waiting: dict[str, list[T]] = field(default_factory=dict)
    timers: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def add(self, group: str, item: T) -> None:
        """Add one item; a full group is flushed at once."""
        items = self.waiting.setdefault(group, [])
        items.append(item)
        if len(items) >= self.size(group):
            self._flush_now(group)
        elif group not in self.timers:
            self.timers[group] = self.tasks.create_task(self._linger(group))

    async def _linger(self, group: str) -> None:
        await self.clock.sleep(self.linger_s)
        self.timers.pop(group, None)
        if self.waiting.get(group):
            self._flush_now(group)

    def _flush_now(self, group: str) -> None:
        size = self.size(group)
        items = self.waiting.pop(group)
        while items:
            self.tasks.create_task(self._run(group, items[:size]))
            items = items[size:]

    async def _run(self, group: str, items: Sequence[T]) -> None:
        await self.flush(group, items)
