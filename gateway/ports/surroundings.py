"""Time, chance, crash points and CPU: what a simulation replaces."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """Time: the only source of it."""

    def now(self) -> int:
        """UTC microseconds since 1970."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait (the one place where a float is a duration, as asyncio has it)."""
        ...


class Rng(Protocol):
    """Chance: the only source of it."""

    def bytes(self, count: int) -> bytes:
        """Unpredictable bytes (predictable under a seed in the simulation)."""
        ...

    def guid(self) -> str:
        """A new upper-case UUID text."""
        ...


class CrashPoints(Protocol):
    """Named places where a test may kill the process; does nothing otherwise."""

    def reach(self, point: str) -> None:
        """Called on passing ``point``; every name stands in ``gateway.flow.crash.POINTS``."""
        ...


class Executor(Protocol):
    """Where CPU work goes: a bounded thread pool, inline in the simulation."""

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """The result of the call (Any: it passes arguments through)."""
        ...
