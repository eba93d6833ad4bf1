"""Opening a store: engines, connections and their settings, schema, master key, writer.

SQLite keeps one writing connection in a thread of its own (``BEGIN IMMEDIATE``, WAL,
``synchronous=FULL``) and a few read-only ones; an address without a file is the simulation's
in-memory database, run inline. PostgreSQL keeps one connection per lane and a pool for reads.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import URL, Connection, create_engine, event, make_url, select
from sqlalchemy.engine import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from gateway.ports import Clock, CrashPoints, Effect, Rng
from store.access import Reading
from store.catalogue import Dialect
from store.changes import insert_into
from store.crypto import StoreKeys
from store.errors import WrongMasterKey
from store.group import Tools
from store.papers import PaperCache
from store.runners import AsyncRunner, InlineReading, InlineRunner, ThreadRunner
from store.schema import upgrade
from store.sql import SQLStore
from store.statements import compose
from store.states import StateCache
from store.tables import meta
from store.writer import Runner, Writer, WriterLimits

_KEY_CHECK: Final = "key_check"
# Any number that other users of the database do not lock.
_SCHEMA_LOCK: Final = 7_215_330_621
_CONNECT_S: Final = 10

# SQLite: durable with every commit; a reader never waits for the writer.
_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -65536",
    "PRAGMA mmap_size = 268435456",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)
# PostgreSQL: plans made while the tables were empty must not outlive that; keys come in arrays of
# unknown length, for which an index is always right.
_WRITE_SETTINGS: Final = {
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "plan_cache_mode": "force_generic_plan",
    "synchronous_commit": "on",
    "lock_timeout": "4s",
    "statement_timeout": "30s",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
}
_READ_SETTINGS: Final = {
    "jit": "off",
    "default_transaction_read_only": "on",
    "statement_timeout": "30s",
    "timezone": "UTC",
}


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """Bounds of one opened store.

    ``lanes`` and ``readers`` count connections (SQLite has one lane whatever is said);
    ``known_cases`` bounds the states kept in memory; ``lease_us`` is how long an effect is born
    leased to this process, which ``process`` names in the roll.
    """

    writer: WriterLimits = field(default_factory=WriterLimits)
    lanes: int = 2
    readers: int = 4
    papers_bytes: int = 192 * 1024 * 1024
    known_cases: int = 20_000
    lease_us: int = 30_000_000
    process: str | None = None
    busy_timeout_ms: int = 10_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time, chance and crash points, as the caller has them; ``rng`` is used from threads."""

    clock: Clock
    rng: Rng
    crash: CrashPoints


@dataclass(frozen=True, slots=True)
class _Opened:
    """A database ready for work: a runner per lane and a way to read."""

    runners: Sequence[Runner]
    reading: Callable[[], AbstractAsyncContextManager[Reading]]


@asynccontextmanager
async def open_store(
    url: str,
    master_key: bytes,
    surroundings: Surroundings,
    limits: StoreLimits | None = None,
    memory: Engine | None = None,
) -> AsyncIterator[SQLStore]:
    """Open the store at an SQLAlchemy address; on leaving, what is queued is written first.

    ``sqlite:///file``, ``sqlite://`` (in memory, inline) or ``postgresql+asyncpg://...``. Brings
    the schema up to date. Raises ``WrongMasterKey`` when the database was made with another key.
    ``memory`` is an in-memory database of :func:`memory_engine` that outlives this opening.
    """
    limits = limits or StoreLimits()
    address = make_url(url)
    dialect = Dialect(address.get_backend_name())
    keys = StoreKeys(master_key)
    tools = Tools(
        keys=keys,
        clock=surroundings.clock,
        rng=surroundings.rng,
        crash=surroundings.crash,
        statements=compose(dialect),
        papers=PaperCache(limits.papers_bytes),
        states=StateCache(limits.known_cases),
        lease_us=limits.lease_us,
        process=limits.process,
    )
    listeners: list[Callable[[Sequence[Effect]], None]] = []

    def committed(effects: list[Effect]) -> None:
        for listener in listeners:
            listener(effects)

    async with AsyncExitStack() as stack:
        opened = await _open(stack, address, dialect, tools, limits, memory)
        writer = Writer(opened.runners, limits.writer, surroundings.clock, committed)
        async with asyncio.TaskGroup() as tasks:
            writer.start(tasks)
            try:
                yield SQLStore(tools, writer, opened.reading, listeners)
            finally:
                writer.close()


async def _open(
    stack: AsyncExitStack,
    address: URL,
    dialect: Dialect,
    tools: Tools,
    limits: StoreLimits,
    memory: Engine | None,
) -> _Opened:
    if dialect is Dialect.POSTGRESQL:
        return await _open_postgresql(stack, address, tools, limits)
    if address.database in (None, "", ":memory:"):
        return _open_memory(stack, tools, memory)
    return await _open_file(stack, address, tools, limits)


def prepare(connection: Connection, keys: StoreKeys) -> None:
    """Bring the schema up to date and check the master key, inside the connection's transaction."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_SCHEMA_LOCK})")
    upgrade(connection)
    statement = insert_into(connection, meta).values(name=_KEY_CHECK, value=keys.check_value)
    connection.execute(statement.on_conflict_do_nothing())
    found = connection.execute(select(meta.c.value).where(meta.c.name == _KEY_CHECK)).scalar_one()
    if found != keys.check_value:
        raise WrongMasterKey("the master key is not the one this database was made with")


# --- SQLite -----------------------------------------------------------------------------------


def _sqlite_engine(address: URL, begin: str, pragmas: Sequence[str], **options: Any) -> Engine:
    """A SQLite engine whose transactions begin with ``begin`` (Any: options of SQLAlchemy)."""
    engine = create_engine(address, **options)
    _listen(engine, begin, pragmas)
    return engine


def _listen(engine: Engine, begin: str, pragmas: Sequence[str]) -> None:
    @event.listens_for(engine, "connect")
    def connected(driver: Any, record: object) -> None:
        # The driver must not begin transactions by itself: it would begin them deferred, and a
        # deferred one that turns to writing fails at once when another writer is active.
        driver.isolation_level = None
        cursor = driver.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine, "begin")
    def began(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def sqlite_readers(address: URL, busy_timeout_ms: int = 10_000, **options: Any) -> AsyncEngine:
    """Connections that only read a database file, each transaction one picture of it.

    Left to itself the driver begins none for a SELECT: what a writer commits between two of them
    would show in the second (Any: options of SQLAlchemy).
    """
    readers = create_async_engine(
        address.set(
            drivername="sqlite+aiosqlite",
            database=f"file:{address.database}",
            query={"mode": "ro", "uri": "true"},
        ),
        **options,
    )
    busy = f"PRAGMA busy_timeout = {busy_timeout_ms}"
    _listen(readers.sync_engine, "BEGIN", (busy, "PRAGMA query_only = ON", *_PRAGMAS[2:6]))
    return readers


def memory_engine() -> Engine:
    """A new in-memory database on one connection; it lives until the engine is disposed of."""
    return _sqlite_engine(
        make_url("sqlite://"),
        "BEGIN IMMEDIATE",
        (),
        poolclass=StaticPool,
        connect_args={"check_same_thread": False},
    )


def _open_memory(stack: AsyncExitStack, tools: Tools, memory: Engine | None) -> _Opened:
    engine = memory
    if engine is None:
        engine = memory_engine()
        stack.callback(engine.dispose)
    with engine.begin() as connection:
        prepare(connection, tools.keys)

    @asynccontextmanager
    async def reading() -> AsyncIterator[Reading]:
        with engine.connect() as connection:
            yield InlineReading(connection)

    return _Opened([InlineRunner(engine, tools)], reading)


async def _open_file(
    stack: AsyncExitStack, address: URL, tools: Tools, limits: StoreLimits
) -> _Opened:
    busy = f"PRAGMA busy_timeout = {limits.busy_timeout_ms}"
    engine = _sqlite_engine(
        address.set(drivername="sqlite"),
        "BEGIN IMMEDIATE",
        (busy, *_PRAGMAS),
        poolclass=NullPool,
        connect_args={"check_same_thread": False, "cached_statements": 256},
    )
    thread = stack.enter_context(ThreadPoolExecutor(1, thread_name_prefix="store-writer"))
    stack.callback(engine.dispose)
    await asyncio.get_running_loop().run_in_executor(thread, _prepare_file, engine, tools.keys)
    readers = sqlite_readers(
        address, limits.busy_timeout_ms, pool_size=limits.readers, max_overflow=0
    )
    stack.push_async_callback(readers.dispose)
    return _Opened([ThreadRunner(engine, tools, thread)], _pooled(readers))


def _prepare_file(engine: Engine, keys: StoreKeys) -> None:
    with engine.begin() as connection:
        prepare(connection, keys)


# --- PostgreSQL -------------------------------------------------------------------------------


async def _open_postgresql(
    stack: AsyncExitStack, address: URL, tools: Tools, limits: StoreLimits
) -> _Opened:
    writing = create_async_engine(
        address,
        poolclass=NullPool,
        connect_args={"server_settings": dict(_WRITE_SETTINGS), "timeout": _CONNECT_S},
    )
    stack.push_async_callback(writing.dispose)
    async with writing.begin() as connection:
        await connection.run_sync(prepare, tools.keys)
    readers = create_async_engine(
        address,
        pool_size=limits.readers,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args={"server_settings": dict(_READ_SETTINGS), "timeout": _CONNECT_S},
    )
    stack.push_async_callback(readers.dispose)
    runners = [AsyncRunner(writing, tools) for _ in range(limits.lanes)]
    return _Opened(runners, _pooled(readers))


def _pooled(engine: AsyncEngine) -> Callable[[], AbstractAsyncContextManager[Reading]]:
    @asynccontextmanager
    async def reading() -> AsyncIterator[Reading]:
        async with engine.connect() as connection:
            yield connection

    return reading
