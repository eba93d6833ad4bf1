"""Work that goes on after its form was answered, one piece after another."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from gateway.domain.errors import GatewayError

_LOG: Final = structlog.get_logger("gateway.web")
Work = Callable[[], Awaitable[None]]


class Backlog:
    """Pieces of work by name; what a process that ends leaves open, a person lets go on."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[str, Work]] = asyncio.Queue()
        self._names: set[str] = set()

    def add(self, name: str, work: Work) -> None:
        """Do it as soon as what was added before is done."""
        self._names.add(name)
        self._queue.put_nowait((name, work))

    def has(self, name: str) -> bool:
        """Whether it waits or is being worked on in this process."""
        return name in self._names

    async def run(self) -> None:
        """Work for ever; end it by cancelling."""
        while True:
            name, work = await self._queue.get()
            try:
                await work()
            except GatewayError as error:
                _LOG.error("backlog_failed", name=name, error=type(error).__name__)
            finally:
                self._names.discard(name)
