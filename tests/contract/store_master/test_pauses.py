"""Pauses of channels are stored, and other processes learn of them."""

from __future__ import annotations

from store.pauses import PauseBook
from tests.contract.store_master.bench import START, Bench


async def test_a_pause_outlives_its_process_and_keeps_its_first_reason(bench: Bench) -> None:
    here = PauseBook(bench.access, bench.clock)
    there = PauseBook(bench.access, bench.clock)
    assert await here.pause("dxp", "me", "why")
    assert not await there.pause("dxp", "you", "another")
    (found,) = there.paused.values()
    assert (found.channel, found.at, found.by, found.reason) == ("dxp", START, "me", "why")
    assert await there.resume("dxp")
    assert not await there.resume("dxp")
    assert here.paused
    await here.refresh()
    assert not here.paused
