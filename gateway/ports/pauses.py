"""Paused channels: nothing is sent through them until a person resumes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pause:
    """One channel's pause: since when (UTC microseconds), by whom, why."""

    channel: str
    at: int
    by: str
    reason: str


class Pauses(Protocol):
    """Which channels are paused, in memory; pausing is stored and outlives the process."""

    @property
    def paused(self) -> Mapping[str, Pause]:
        """The pauses by channel."""
        ...

    async def pause(self, channel: str, by: str, reason: str) -> bool:
        """Pause a channel; False when it is paused already."""
        ...


class NeverPaused:
    """Stands where nobody sends: an intake, a test of other things."""

    @property
    def paused(self) -> Mapping[str, Pause]:
        """None."""
        return {}

    async def pause(self, channel: str, by: str, reason: str) -> bool:
        """Nothing to pause."""
        return False
