"""The real clock, chance, thread pool and crash points of a running process."""

import asyncio
import os
import secrets
import signal
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from gateway.flow.crash import POINTS

T = TypeVar("T")

CRASH_VARIABLE = "CLEARANCE_CRASH_AT"


class SystemClock:
    """The machine's clock."""

    def now(self) -> int:
        """UTC microseconds since 1970."""
        return time.time_ns() // 1000

    async def sleep(self, seconds: float) -> None:
        """Wait on the running loop."""
        await asyncio.sleep(seconds)


class SystemRng:
    """The operating system's randomness."""

    def bytes(self, count: int) -> bytes:
        """Unpredictable bytes."""
        return secrets.token_bytes(count)

    def guid(self) -> str:
        """A random upper-case UUID text."""
        return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)).upper()


class ThreadExecutor:
    """A bounded thread pool: lxml and cryptography let go of the interpreter while they work."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="clearance-cpu")

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """The result of the call, made on a pool thread (Any: it passes arguments through)."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def close(self) -> None:
        """Finish what runs and end the threads."""
        self._pool.shutdown(wait=True)


class NoCrash:
    """Crash points of a real process: they do nothing."""

    def reach(self, point: str) -> None:
        """Pass."""


class KillAt:
    """Kills the process, as a power cut would, at the n-th passing of one named point."""

    def __init__(self, point: str, passing: int) -> None:
        if point not in POINTS:
            raise ValueError(f"{CRASH_VARIABLE}: there is no crash point {point!r}")
        self._point = point
        self._left = passing

    def reach(self, point: str) -> None:
        """Kill the process when the point's turn has come."""
        if point == self._point:
            self._left -= 1
            if self._left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def crash_points(environment: str) -> NoCrash | KillAt:
    """The crash points that the environment asks for; never any in production.

    ``CLEARANCE_CRASH_AT=sign.committed:2`` kills at the second passing of ``sign.committed``.
    """
    asked = os.environ.get(CRASH_VARIABLE, "")
    if not asked or environment == "production":
        return NoCrash()
    point, _, passing = asked.partition(":")
    return KillAt(point, int(passing or "1"))
