"""The ways to customs as one process sees them: how many at once, how fast, when, and how well.

Each channel has a bulkhead (a slow one never takes the places of others), a rate, maintenance
windows and a breaker. The breaker hears of hand-overs and heartbeats only: what customs says of a
record, however often it refuses, comes by receipts and is none of its business.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from gateway.flow.breaker import Breaker, Gate
from gateway.flow.context import SECOND_US
from gateway.flow.windows import Window, closed_until
from gateway.ports import Clock, Rng, SendOutcome
from gateway.ports.ways import Turn, WayShut, WayStanding

_PILOTED_US: Final = SECOND_US
"""How long others wait while a pilot is on its way."""
_MINUTE_US: Final = 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class WayLimits:
    """What one channel bears: messages at once, messages a minute (None: no limit), windows in
    which nothing is sent, seconds between two heartbeats.
    """

    in_flight: int = 8
    per_minute: int | None = None
    windows: tuple[Window, ...] = ()
    heartbeat_s: float = 30.0


@dataclass(slots=True)
class _Way:
    limits: WayLimits
    places: asyncio.Semaphore
    breaker: Breaker = field(default_factory=Breaker)
    next_at: int = 0
    is_up: bool = True
    beat_at: int = 0


@dataclass(slots=True)
class _Turn:
    outcome: SendOutcome | None = None

    def tell(self, outcome: SendOutcome) -> None:
        """What became of the hand-over."""
        self.outcome = outcome


class ChannelWays:
    """Implements ``ports.ways.Ways`` for the channels whose limits are given."""

    def __init__(self, clock: Clock, rng: Rng, limits: Mapping[str, WayLimits]) -> None:
        self._clock = clock
        self._rng = rng
        self._ways = {
            name: _Way(one, asyncio.Semaphore(one.in_flight)) for name, one in limits.items()
        }

    def shut_until(self, channel: str) -> int | None:
        """When to ask again whether something may go; None when it may."""
        way = self._ways.get(channel)
        if way is None:
            return None
        now = self._clock.now()
        closed = closed_until(way.limits.windows, now)
        if closed is not None:
            return closed
        if not way.breaker.is_failing:
            return None
        if way.breaker.is_piloting:
            return now + _PILOTED_US
        return way.breaker.shut_until if now < way.breaker.shut_until else None

    @asynccontextmanager
    async def place(self, channel: str) -> AsyncIterator[None]:
        """One of the channel's own places; waits for one."""
        async with self._ways[channel].places:
            yield

    @asynccontextmanager
    async def turn(self, channel: str) -> AsyncIterator[Turn]:
        """One hand-over, at the channel's pace. Raises :class:`WayShut`.

        A way that declines these bytes is well; a turn that ends without a word has failed.
        """
        way = self._ways[channel]
        await self._pace(way)
        until = self.shut_until(channel)
        if until is not None:
            raise WayShut(channel, until)
        if way.breaker.ask(self._clock.now()) is Gate.SHUT:
            raise WayShut(channel, self._clock.now() + _PILOTED_US)
        turn = _Turn()
        try:
            yield turn
        finally:
            answered = turn.outcome in (SendOutcome.HANDED_OVER, SendOutcome.DECLINED)
            jitter = self._rng.bytes(1)[0]
            way.breaker.tell(answered=answered, now=self._clock.now(), jitter=jitter)

    async def _pace(self, way: _Way) -> None:
        if way.limits.per_minute is None:
            return
        now = self._clock.now()
        at = max(now, way.next_at)
        way.next_at = at + _MINUTE_US // way.limits.per_minute
        if at > now:
            await self._clock.sleep((at - now) / SECOND_US)

    def beat(self, channel: str, *, is_up: bool) -> None:
        """What a heartbeat found: a failing way that is there again is tried at once."""
        way = self._ways[channel]
        came_back = is_up and not way.is_up
        way.is_up, way.beat_at = is_up, self._clock.now()
        if came_back and way.breaker.is_failing:
            way.breaker.shut_until = way.beat_at

    def heartbeat_s(self, channel: str) -> float:
        """How often to look whether a channel is there; 0 for never."""
        way = self._ways.get(channel)
        return 0.0 if way is None else way.limits.heartbeat_s

    def standing(self) -> Mapping[str, WayStanding]:
        """How every way stands now."""
        return {
            name: WayStanding(
                way.is_up,
                way.beat_at,
                way.breaker.answered_at,
                way.breaker.failures,
                self.shut_until(name),
            )
            for name, way in self._ways.items()
        }
