"""Child processes of the benchmark: started as modules, talked to by lines, always ended."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_END_S: Final = 30.0
_LINE_BYTES: Final = 1024 * 1024


class ChildFailed(Exception):
    """A process of the benchmark ended early or said something else than expected."""


class Child:
    """A running process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self._process.returncode is None

    async def say(self, line: str) -> None:
        """Write one line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        await self._process.stdin.drain()

    async def hear(self, timeout_s: float) -> str:
        """The next line it prints. Raises :class:`ChildFailed` when none comes."""
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            raise ChildFailed(f"{self.name}: said nothing for {timeout_s:.0f} s") from None
        if not line:
            raise ChildFailed(f"{self.name}: ended early")
        return line.decode().rstrip("\n")

    async def expect(self, word: str, timeout_s: float) -> None:
        """Wait for one exact line."""
        heard = await self.hear(timeout_s)
        if heard != word:
            raise ChildFailed(f"{self.name}: said {heard[:200]!r} instead of {word!r}")

    async def end(self) -> None:
        """Ask it to drain and end; kill it when it does not."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not self.is_alive:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()


@asynccontextmanager
async def child(module: str, *arguments: str, log: Path) -> AsyncIterator[Child]:
    """``python -m module arguments`` for the length of a block; its errors go to ``log``."""
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            limit=_LINE_BYTES,
        )
        running = Child(module, process)
        try:
            yield running
        finally:
            await running.end()
