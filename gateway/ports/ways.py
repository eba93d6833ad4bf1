"""The ways to customs as the flow asks for them: places, pace, and whether anything may go now."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from gateway.ports.customs import SendOutcome


class WayShut(Exception):
    """Nothing may go this way now; ``until`` is when to ask again (UTC microseconds)."""

    def __init__(self, channel: str, until: int) -> None:
        super().__init__(f"the channel {channel} is shut")
        self.until = until


@dataclass(frozen=True, slots=True)
class WayStanding:
    """How one way stands: times are UTC microseconds, 0 when it never happened.

    ``is_up`` is what the last heartbeat found, ``failures`` counts hand-overs in a row that failed;
    ``shut_until`` is set while nothing is sent.
    """

    is_up: bool
    beat_at: int
    answered_at: int
    failures: int
    shut_until: int | None


class Turn(Protocol):
    """One hand-over under way."""

    def tell(self, outcome: SendOutcome) -> None:
        """What became of it; a turn that ends untold has failed."""
        ...


class Ways(Protocol):
    """What one process knows of its channels."""

    def shut_until(self, channel: str) -> int | None:
        """When to ask again whether something may go; None when it may."""
        ...

    def place(self, channel: str) -> AbstractAsyncContextManager[None]:
        """One of the channel's own places: a slow channel never takes those of others."""
        ...

    def turn(self, channel: str) -> AbstractAsyncContextManager[Turn]:
        """One hand-over, at the channel's pace. Raises :class:`WayShut`."""
        ...

    def beat(self, channel: str, *, is_up: bool) -> None:
        """What a heartbeat found."""
        ...

    def heartbeat_s(self, channel: str) -> float:
        """How often to look whether a channel is there; 0 for never."""
        ...

    def standing(self) -> Mapping[str, WayStanding]:
        """How every way stands now."""
        ...


class _Untold:
    def tell(self, outcome: SendOutcome) -> None:
        """Nobody counts."""


class OpenWays:
    """Stands where nothing limits a channel: an intake, a test of other things."""

    def shut_until(self, channel: str) -> int | None:
        """Never shut."""
        return None

    @asynccontextmanager
    async def place(self, channel: str) -> AsyncIterator[None]:
        """As many as come."""
        yield

    @asynccontextmanager
    async def turn(self, channel: str) -> AsyncIterator[Turn]:
        """At once."""
        yield _Untold()

    def beat(self, channel: str, *, is_up: bool) -> None:
        """Nobody listens."""

    def heartbeat_s(self, channel: str) -> float:
        """Never."""
        return 0.0

    def standing(self) -> Mapping[str, WayStanding]:
        """None."""
        return {}
