"""A channel that cannot be read is asked ever less often, and as always once it can be."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gateway.flow.engine import Engine
from tests.unit.flow import test_pauses


@dataclass
class Relay(test_pauses.World):
    """A relay that is down for its first answers; how long is slept between them."""

    down_for: int = 0
    enough: int = 0
    seen: asyncio.Event = field(default_factory=asyncio.Event)
    naps: Counter[int] = field(default_factory=Counter)

    async def receive(self, limit: int) -> list[Any]:
        self.received += 1
        if self.received == self.enough:
            self.seen.set()
        if self.received <= self.down_for:
            raise ConnectionError("nobody there")
        return []

    async def sleep(self, seconds: float) -> None:
        assert seconds <= 0.5, "a stop is heeded within a moment"
        self.naps[self.received] += seconds  # type: ignore[assignment]
        await asyncio.sleep(0)


async def waits(relay: Relay, answers: int) -> list[float]:
    engine: Engine = relay.engine()
    relay.enough = answers
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine._receive("dxp"))
        await relay.seen.wait()
        engine.stopping.set()
    return [relay.naps[answer] for answer in range(1, answers)]


async def test_a_relay_that_is_down_is_asked_ever_less_often() -> None:
    relay = Relay(down_for=12)
    usual = relay.context().settings.receive_poll_s
    slept = await waits(relay, 16)
    down, well = slept[:12], slept[12:]
    assert down == sorted(down)
    assert down[0] == usual
    # Receipts that have come meanwhile are there some seconds after it is well again.
    assert round(max(down), 6) == 5
    assert relay.failures == ["receive"] * 12
    assert set(well) == {usual}
