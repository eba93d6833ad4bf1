"""``clearance serve`` in a process of its own: started, killed, stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp

from gateway.app.config import Settings, load_settings
from gateway.app.surroundings import CRASH_VARIABLE

ROOT: Final = Path(__file__).resolve().parents[2]
KILLED: Final = -signal.SIGKILL
_PROGRAM: Final = "from gateway.app.cli import main; main()"
_READY_S: Final = 30.0
_STOP_S: Final = 20.0
_ASK_S: Final = 0.03


class GatewayFailed(Exception):
    """The process did not do what it was started for; the text ends with what it logged."""


class StillRuns(GatewayFailed):
    """The process has not ended in the time given."""


@dataclass(slots=True)
class GatewayProcess:
    """One gateway over one settings file; at most one process of it runs at a time."""

    config: Path
    address: str
    starts: int = 0
    crash_at: str = ""
    _process: asyncio.subprocess.Process | None = None

    @property
    def log(self) -> Path:
        """What all its processes wrote to their standard error."""
        return self.config.with_suffix(".log")

    async def start(self, crash_at: str = "") -> None:
        """Start a process; it kills itself at ``crash_at`` (``point:passing``) when one is named.

        Does not wait until it serves: it may be dead by then.
        """
        assert self._process is None or self._process.returncode is not None, "already running"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("CLEARANCE_")}
        self.starts += 1
        self.crash_at = crash_at
        with self.log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                _PROGRAM,
                "--config",
                str(self.config),
                "serve",
                "--log-format=json",
                cwd=ROOT,
                env={**inherited, CRASH_VARIABLE: crash_at},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
            )

    async def serving(self) -> None:
        """Wait until it answers that it is ready."""
        async with aiohttp.ClientSession() as session:
            try:
                async with asyncio.timeout(_READY_S):
                    while True:
                        if await self._is_ready(session):
                            return
                        await asyncio.sleep(_ASK_S)
            except TimeoutError:
                raise self.failed("is not ready") from None

    async def _is_ready(self, session: aiohttp.ClientSession) -> bool:
        if self._running.returncode is not None:
            raise self.failed(f"ended with {self._running.returncode} before it was ready")
        try:
            async with session.get(f"{self.address}/readyz") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def ended(self, within_s: float) -> int:
        """Wait for the process to end by itself; gives its return code, or raises ``StillRuns``."""
        try:
            async with asyncio.timeout(within_s):
                return await self._running.wait()
        except TimeoutError:
            raise StillRuns(self._told(f"has not ended within {within_s:.0f} s")) from None

    async def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._running.returncode is None:
            self._running.kill()
        await self._running.wait()

    async def stop(self) -> None:
        """Ask it to drain and end. Raises :class:`GatewayFailed` when it does not end cleanly."""
        if self._running.returncode is None:
            self._running.terminate()
        code = await self.ended(_STOP_S)
        if code != 0:
            raise self.failed(f"ended with {code} when asked to stop")

    async def close(self) -> None:
        """Leave nothing running, whatever happened."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    @property
    def _running(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "not started"
        return self._process

    def failed(self, what: str) -> GatewayFailed:
        """The error that tells what it did instead, with the end of its log."""
        return GatewayFailed(self._told(what))

    def _told(self, what: str) -> str:
        said = self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
        return f"the gateway {what}; it said:\n{said}"


def write_config(settings: Settings, path: Path) -> None:
    """Write settings as the TOML file that a deployment has."""
    lines: list[str] = []
    sections: list[str] = []
    for name, value in settings.model_dump(mode="json", exclude_none=True).items():
        if not isinstance(value, dict):
            lines.append(f"{name} = {_value(value)}")
        elif all(isinstance(one, dict) for one in value.values()):
            for key, section in value.items():
                sections += _section(f"{name}.{key}", section)
        else:
            sections += _section(name, value)
    path.write_text("\n".join([*lines, *sections]) + "\n", encoding="utf-8")
    assert load_settings(path) == settings


def _section(name: str, values: dict[str, object]) -> list[str]:
    return [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in values.items())]


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case list():
            return f"[{', '.join(map(_value, value))}]"
        case str():
            return f'"{value}"'
        case _:
            return str(value)
