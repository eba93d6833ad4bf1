"""The real clock, chance, thread pool and crash points of a running process."""

import asyncio
import os
import secrets
import signal
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from gateway.flow.crash import ALL_POINTS

T = TypeVar("T")

_PAGE: Final = 4096
_LARGE: Final = 256
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
    """The operating system's randomness, fetched a page at a time: a paper wants several small
    pieces, and each call to the system hands the interpreter to another thread. No piece is given
    twice; a process that was forked fetches its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._page, self._at = b"", 0

    def bytes(self, count: int) -> bytes:
        """Unpredictable bytes. Safe to call from several threads."""
        if count > _LARGE:
            return secrets.token_bytes(count)
        with self._lock:
            end = self._at + count
            if end > len(self._page):
                self._page, self._at, end = secrets.token_bytes(_PAGE), 0, count
            piece = self._page[self._at : end]
            self._at = end
        return piece

    def guid(self) -> str:
        """A random upper-case UUID text."""
        return str(uuid.UUID(bytes=self.bytes(16), version=4)).upper()


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
        if point not in ALL_POINTS:
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
