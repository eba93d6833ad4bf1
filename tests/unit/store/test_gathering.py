"""Groups grow while many write at a time, and a few writers wait for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import pytest

from store.batch import BatchResult, Done
from store.group import Item, Marks
from store.writer import Writer, WriterLimits


class Slept:
    """A clock whose sleeps are counted and let others run."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


class Groups:
    """A runner that notes how large its groups are."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def run(self, items: Sequence[Item]) -> BatchResult:
        self.sizes.append(len(items))
        await asyncio.sleep(0)
        return BatchResult([Done(None)] * len(items))

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("callers,waits", [(1, False), (5, False), (12, True)])
async def test_only_writers_in_a_crowd_wait_for_more(callers: int, waits: bool) -> None:
    clock, groups = Slept(), Groups()
    writer = Writer([groups], WriterLimits(gather_s=0.25), clock, lambda effects: None)

    async def call() -> None:
        for _ in range(4):
            await writer.put(cast(Any, Marks()), "lane")

    async with asyncio.TaskGroup() as tasks:
        writer.start(tasks)
        async with asyncio.TaskGroup() as calling:
            for _ in range(callers):
                calling.create_task(call())
        writer.close()
    assert sum(groups.sizes) == 4 * callers
    assert set(groups.sizes) == {callers}
    assert (0.25 in clock.slept) is waits


async def test_a_full_queue_is_written_at_once() -> None:
    clock, groups = Slept(), Groups()
    limits = WriterLimits(group_items=8, gather_s=0.25)
    writer = Writer([groups], limits, clock, lambda effects: None)
    futures = writer.put_all([(Marks(), "lane")] * 18)
    async with asyncio.TaskGroup() as tasks:
        writer.start(tasks)
        await asyncio.wait(futures)
        writer.close()
    assert groups.sizes == [8, 8, 2]
    assert clock.slept == []
