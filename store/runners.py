"""How a lane reaches its connection: in a thread, through asyncpg, or right here."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from store.batch import BatchResult, run_batch
from store.errors import StoreUnavailable
from store.group import Item, Tools

T = TypeVar("T")


class InlineRunner:
    """Runs a batch right where it is called, on one connection: for the simulation."""

    def __init__(self, engine: Engine, tools: Tools) -> None:
        self._connection = engine.connect()
        self._tools = tools

    async def run(self, items: Sequence[Item]) -> BatchResult:
        """Run a batch without leaving the loop."""
        return run_batch(self._connection, items, self._tools)

    async def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class ThreadRunner:
    """Runs whole batches in one hop to a thread that owns the one writing connection (SQLite)."""

    def __init__(self, engine: Engine, tools: Tools, thread: ThreadPoolExecutor) -> None:
        self._engine = engine
        self._tools = tools
        self._thread = thread
        self._connection: Connection | None = None

    async def run(self, items: Sequence[Item]) -> BatchResult:
        """Run a batch in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, items)

    def _run(self, items: Sequence[Item]) -> BatchResult:
        if self._connection is None:
            self._connection = self._engine.connect()
        return run_batch(self._connection, items, self._tools)

    async def close(self) -> None:
        """Close the connection in its thread."""
        if self._connection is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._thread, self._connection.close)


class AsyncRunner:
    """Runs batches on one asyncpg connection, which is replaced when it breaks (PostgreSQL)."""

    def __init__(self, engine: AsyncEngine, tools: Tools) -> None:
        self._engine = engine
        self._tools = tools
        self._connection: AsyncConnection | None = None

    async def run(self, items: Sequence[Item]) -> BatchResult:
        """Run a batch; raises ``StoreUnavailable`` when the database cannot be reached."""
        if self._connection is None:
            self._connection = await self._connected()
        try:
            result = await self._connection.run_sync(run_batch, items, self._tools)
        except (SQLAlchemyError, OSError) as fault:
            await self.close()
            raise StoreUnavailable("the database does not answer") from fault
        if self._connection.invalidated:
            await self.close()
        return result

    async def _connected(self) -> AsyncConnection:
        try:
            return await self._engine.connect()
        except Exception as fault:
            # A server that starts or stops refuses in ways that SQLAlchemy does not translate.
            raise StoreUnavailable("the database does not answer") from fault

    async def close(self) -> None:
        """Close the connection; the next batch opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


class InlineReading:
    """Reads on the simulation's one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def run_sync(self, fn: Callable[[Connection], T], /) -> T:
        """The result of a function over the connection, in a transaction that is closed again."""
        with self._connection.begin():
            return fn(self._connection)
