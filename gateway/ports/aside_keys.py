"""Signing keys that are set aside: they sign nothing until a person readmits them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class AsideKey:
    """One key, by the serial of its certificate: since when (UTC microseconds), by whom, why.

    ``reason`` is a code of customs or of the exchange platform.
    """

    serial: str
    at: int
    by: str
    reason: str


class AsideKeys(Protocol):
    """Which keys are set aside, in memory; setting aside is stored and outlives the process."""

    @property
    def aside(self) -> Mapping[str, AsideKey]:
        """The keys that are set aside, by serial."""
        ...

    async def set_aside(self, serial: str, by: str, reason: str, *, signed_at: int) -> bool:
        """Set a key aside for what it signed at a moment.

        False when it is set aside already, or when it was readmitted after that moment: such an
        answer speaks of a time that is over.
        """
        ...


class NeverAside:
    """Stands where nobody signs: an intake, a test of other things."""

    @property
    def aside(self) -> Mapping[str, AsideKey]:
        """None."""
        return {}

    async def set_aside(self, serial: str, by: str, reason: str, *, signed_at: int) -> bool:
        """Nothing to set aside."""
        return False
