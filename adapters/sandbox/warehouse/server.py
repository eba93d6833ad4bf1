"""The warehouse's server and the sender of its acknowledgements."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import aiohttp

from adapters.sandbox.hooks import Behaviour, Notice, Receiver, Running, Tally, listen

PATHS: Final = ("/notices",)
BATCH: Final = 100
"""Most acknowledgements of one call."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Where and how acknowledgements are sent back.

    ``api`` is the gateway's base address, ``key`` a warehouse's API key. ``types`` names the
    notice types to acknowledge; ``None`` takes every type that has "release" in its name.
    Notices of a type in ``refuse`` are acknowledged as refused. Acknowledgements are gathered
    for ``linger_s`` seconds; a failed call is tried ``attempts`` times, ``pause_s`` apart.
    """

    api: str
    key: str
    types: frozenset[str] | None = None
    refuse: frozenset[str] = frozenset()
    linger_s: float = 0.05
    attempts: int = 5
    pause_s: float = 0.5
    timeout_s: float = 10

    def wants(self, notice: Notice) -> bool:
        """Tell whether a notice is to be acknowledged."""
        if self.types is not None:
            return notice.type in self.types
        return "release" in notice.type.lower()


def _system_clock() -> datetime:
    return datetime.now(UTC)


class AckSender:
    """Gathers acknowledgements and posts them in batches until it is cancelled."""

    def __init__(self, settings: Acknowledge, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.sent = 0
        self.failed = 0
        self.calls = 0

    def add(self, notice: Notice) -> None:
        """Queue the acknowledgement of a notice, if it is to have one."""
        settings = self._settings
        if settings.wants(notice):
            status = "refused" if notice.type in settings.refuse else "accepted"
            at = self._clock().isoformat().replace("+00:00", "Z")
            self._queue.put_nowait({"notice_id": notice.id, "status": status, "at": at})

    async def run(self) -> None:
        """Send what is queued, for as long as the server runs."""
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout_s)
        headers = {"Authorization": f"Bearer {self._settings.key}"}
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            while True:
                await self._send(session, await self._gather())

    async def _gather(self) -> list[dict[str, str]]:
        batch = [await self._queue.get()]
        if self._settings.linger_s and self._queue.qsize() < BATCH - 1:
            await asyncio.sleep(self._settings.linger_s)
        while len(batch) < BATCH and not self._queue.empty():
            batch.append(self._queue.get_nowait())
        return batch

    async def _send(self, session: aiohttp.ClientSession, batch: list[dict[str, str]]) -> None:
        url = self._settings.api.rstrip("/") + "/v1/notices/acks"
        for attempt in range(self._settings.attempts):
            if attempt:
                await asyncio.sleep(self._settings.pause_s)
            self.calls += 1
            if await self._took(session, url, batch):
                self.sent += len(batch)
                return
        self.failed += len(batch)

    async def _took(
        self, session: aiohttp.ClientSession, url: str, batch: list[dict[str, str]]
    ) -> bool:
        try:
            async with session.post(url, json={"acks": batch}) as response:
                return response.ok
        except (aiohttp.ClientError, TimeoutError):
            return False


class RunningWarehouse:
    """A started warehouse: its server and, when asked for, its acknowledgements."""

    def __init__(self, server: Running, acks: AckSender | None) -> None:
        self.server = server
        self.acks = acks
        self.url = server.url
        # The sender outlives this call and is ended by close(); a task group cannot span both.
        self._task = None if acks is None else asyncio.get_running_loop().create_task(acks.run())

    @property
    def tally(self) -> Tally:
        """Counters and the notices refused."""
        return self.server.tally

    @property
    def received(self) -> dict[str, Notice]:
        """Every notice taken, by id, in order of first arrival."""
        return self.server.tally.received

    def behave(self, behaviour: Behaviour) -> None:
        """Change how the warehouse behaves from the next request on."""
        self.server.behave(behaviour)

    async def close(self) -> None:
        """Stop the server, then the sender; queued acknowledgements are dropped."""
        await self.server.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task


async def start(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    secrets: Sequence[str],
    behaviour: Behaviour | None = None,
    acknowledge: Acknowledge | None = None,
    clock: Callable[[], datetime] = _system_clock,
) -> RunningWarehouse:
    """Start a warehouse.

    ``secrets`` are ``whsec_`` texts, any of which verifies a request. Without ``acknowledge``
    nothing is called back. Port 0 picks a free port; the address is the answer's ``url``.
    """
    acks = None if acknowledge is None else AckSender(acknowledge, clock)
    on_notice = None if acks is None else acks.add
    receiver = Receiver(secrets, behaviour or Behaviour(), on_notice)
    return RunningWarehouse(await listen(receiver, host, port, PATHS), acks)
