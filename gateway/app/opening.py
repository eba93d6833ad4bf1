"""Opening a deployment's store for a command: to look, to write master data, to take papers in.

Looking never writes a byte, brings no schema up to date and takes no lock, so it works beside a
running gateway. Master data may be written beside one too: it follows what others write.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Never, TypeVar

from sqlalchemy import URL, Connection, make_url, select
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from adapters.http import HTTPClient
from gateway.app.beginning import make_database
from gateway.app.config import ConfigError, Settings
from gateway.app.container import Gateway, assemble
from gateway.app.keyring import KeyRings
from gateway.app.master_key import read_master_key
from gateway.app.notifier import WebhookNotifier, egress_policy
from gateway.app.surroundings import (
    NoCrash,
    SystemClock,
    SystemRng,
    ThreadExecutor,
    crash_points,
)
from gateway.domain.papers import Paper
from gateway.ports import Books, CaseView
from store.access import Access, Reading
from store.admin import MasterAdmin
from store.aside_keys import AsideBook
from store.books import read_books
from store.catalogue import Dialect
from store.crypto import StoreKeys
from store.errors import WrongMasterKey
from store.group import Tools
from store.keys import KeyDirectory
from store.master_cache import MasterCache
from store.open import Surroundings, open_store, sqlite_readers
from store.papers import PaperCache
from store.pauses import PauseBook
from store.read_models import SqlReadModels
from store.schema import current_version, newest_version
from store.statements import compose
from store.states import StateCache
from store.tables import meta

T = TypeVar("T")

_SQLITE = "sqlite"


@dataclass(frozen=True, slots=True)
class Reader:
    """A store opened for looking, with its read models."""

    settings: Settings
    access: Access
    keys: StoreKeys
    cache: MasterCache
    reads: SqlReadModels
    clock: SystemClock
    tools: Tools

    async def load_books(self, view: CaseView, coming: Sequence[Paper]) -> Books:
        """What is around a case and papers that are to come."""
        async with self.access.read() as reading:
            return await reading.run_sync(lambda on: read_books(on, self.tools, view, coming))


@dataclass(frozen=True, slots=True)
class Office:
    """A store opened for writing master data."""

    settings: Settings
    access: Access
    cache: MasterCache
    keys: KeyDirectory
    admin: MasterAdmin
    pauses: PauseBook
    aside_keys: AsideBook
    clock: SystemClock


class _ReadOnly:
    """Implements ``store.access.Access`` over an engine that cannot write."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reading]:
        """A connection; given back on leaving."""
        async with self._engine.connect() as connection:
            yield connection

    async def execute(self, function: Callable[[Connection], T]) -> Never:
        """Refuse: this store was opened for looking only."""
        raise AssertionError("a store opened for reading was written to")


@asynccontextmanager
async def open_reading(settings: Settings) -> AsyncIterator[Reader]:
    """Open the store for looking. Raises :class:`ConfigError` or ``WrongMasterKey``."""
    url = make_url(settings.store.url)
    _must_exist(url)
    keys = StoreKeys(read_master_key(settings.store.master_key_file))
    engine = _read_only_engine(url)
    try:
        access = _ReadOnly(engine)
        async with access.read() as reading:
            await reading.run_sync(lambda connection: _check(connection, keys))
        cache = MasterCache(access, keys)
        await cache.refresh()
        reads = SqlReadModels(access, keys, cache)
        yield Reader(settings, access, keys, cache, reads, SystemClock(), _looking(url, keys))
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_office(settings: Settings) -> AsyncIterator[Office]:
    """Open the store for writing master data; a new database is made where there is none."""
    clock, rng = SystemClock(), SystemRng()
    master_key = read_master_key(settings.store.master_key_file)
    make_database(settings.store.url)
    async with open_store(
        settings.store.url, master_key, Surroundings(clock, rng, NoCrash())
    ) as store:
        cache = MasterCache(store, store.keys)
        keys = KeyDirectory(store, clock, rng)
        await cache.refresh()
        admin = MasterAdmin(store, cache, store.keys, clock, rng)
        pauses, aside = PauseBook(store, clock), AsideBook(store, clock)
        yield Office(settings, store, cache, keys, admin, pauses, aside, clock)


@asynccontextmanager
async def open_intake(settings: Settings) -> AsyncIterator[Gateway]:
    """Open a gateway that takes papers in and does nothing else: no channel, no signing key.

    What it plans is declared by the processes that work. On SQLite the caller must be the only
    process that does (``serve.only_process``).
    """
    clock, rng, crash = SystemClock(), SystemRng(), crash_points(settings.environment)
    master_key = read_master_key(settings.store.master_key_file)
    make_database(settings.store.url)
    async with AsyncExitStack() as stack:
        executor = ThreadExecutor(1)
        stack.callback(executor.close)
        store = await stack.enter_async_context(
            open_store(settings.store.url, master_key, Surroundings(clock, rng, crash))
        )
        client = await stack.enter_async_context(HTTPClient(egress_policy(settings)))
        yield await assemble(
            settings,
            store,
            clock=clock,
            rng=rng,
            crash=crash,
            executor=executor,
            channels={},
            notifier=WebhookNotifier(client),
            key_ring=KeyRings({}),
        )


def _looking(url: URL, keys: StoreKeys) -> Tools:
    """The tools of somebody who writes nothing."""
    return Tools(
        keys=keys,
        clock=SystemClock(),
        rng=SystemRng(),
        crash=NoCrash(),
        statements=compose(Dialect(url.get_backend_name())),
        papers=PaperCache(0),
        states=StateCache(0),
        lease_us=0,
    )


def _must_exist(url: URL) -> None:
    if url.get_backend_name() != _SQLITE:
        return
    if not url.database or url.database == ":memory:":
        raise ConfigError(
            "store.url: an in-memory database ends with its process; name a file",
            "内存数据库随进程结束而消失，请指定文件",
        )
    if not Path(url.database).exists():
        raise ConfigError(
            f"{url.database}: there is no database here yet; `clearance tenants add` makes it, "
            "or name another settings file with --config",
            "尚无数据库；`clearance tenants add` 会创建，或用 --config 另指设置文件",
        )


def _read_only_engine(url: URL) -> AsyncEngine:
    if url.get_backend_name() == _SQLITE:
        return sqlite_readers(url)
    settings = {"default_transaction_read_only": "on", "jit": "off", "timezone": "UTC"}
    return create_async_engine(url, connect_args={"server_settings": settings})


def _check(connection: Connection, keys: StoreKeys) -> None:
    """Is this a database of this version, and is it ours to read?"""
    found = current_version(connection)
    if found is None:
        raise ConfigError(
            "store.url: this database was not made by clearance", "此数据库不是由 clearance 创建的"
        )
    if found != newest_version():
        raise ConfigError(
            f"the database has schema {found} and this program works with {newest_version()}; "
            "start `clearance serve` of the newer version once",
            "数据库版本与程序不符，请先启动一次较新版本的 `clearance serve`",
        )
    value = connection.execute(select(meta.c.value).where(meta.c.name == "key_check")).scalar()
    if value is not None and value != keys.check_value:
        raise WrongMasterKey("the master key is not the one this database was made with")
