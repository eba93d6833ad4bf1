"""Tables in an empty database, a clock and chance of the tests' own, and values to store."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import CaseId, ProfileId, TenantId
from gateway.domain.profile import FilingProfile, Party, TradeMode
from store.admin import MasterAdmin
from store.crypto import StoreKeys
from store.keys import KeyDirectory
from store.master_cache import MasterCache
from store.tables import metadata

T = TypeVar("T")

ACME = TenantId("acme")
OTHER = TenantId("other")
START = 1_790_000_000_000_000
SCOPE = GoodsScope("5141", "9610")

PROFILE = FilingProfile(
    profile_id=ProfileId("acme-import"),
    tenant=ACME,
    version=0,
    mode=TradeMode.DIRECT,
    customs_code="5141",
    port_code="5141",
    platform=Party("4401960PLT", "Example Platform"),
    merchant=Party("4401960SHP", "Example Shop"),
    agent=Party("4401980AGT", "Example Agent"),
    assure_code="4401980AGT",
    transfer=Party("4401980AGT", "Example Agent"),
    dxp_id="DXPENT0000012345",
    carriers=(Party("4401986CAR", "Example Carrier"),),
    payment_companies=(Party("312226T001", "Example Payments"),),
)


def goods(sku: str, **changes: object) -> GoodsRecord:
    record = GoodsRecord(
        sku=sku,
        scope=SCOPE,
        version=0,
        hs_code="3304990099",
        name="面霜",
        model="50ml",
        origin="116",
        unit="011",
        unit1="035",
        factor1=Decimal("0.05"),
        net_weight_kg=Decimal("0.05"),
        gross_weight_kg=Decimal("0.12"),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


@dataclass
class TestClock:
    """Time that stands still until a test moves it."""

    __test__ = False
    micros: int = START

    def now(self) -> int:
        return self.micros

    async def sleep(self, seconds: float) -> None:
        self.micros += int(seconds * 1_000_000)


@dataclass
class TestRng:
    """Chance under a seed."""

    __test__ = False
    source: random.Random = field(default_factory=lambda: random.Random(7))

    def bytes(self, count: int) -> bytes:
        return self.source.randbytes(count)

    def guid(self) -> str:
        return str(UUID(bytes=self.source.randbytes(16))).upper()


@dataclass
class EngineAccess:
    """Reads and writes through one engine."""

    engine: AsyncEngine

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        return self.engine.connect()

    async def execute(self, function: Callable[[Connection], T]) -> T:
        async with self.engine.begin() as connection:
            return await connection.run_sync(function)


@dataclass
class Bench:
    """One database, and what one process holds of it."""

    access: EngineAccess
    keys: StoreKeys = field(default_factory=lambda: StoreKeys(bytes(range(32))))
    clock: TestClock = field(default_factory=TestClock)
    rng: TestRng = field(default_factory=TestRng)
    woken: list[tuple[TenantId, list[CaseId]]] = field(default_factory=list)

    def new_cache(self) -> MasterCache:
        """Another process's cache of the same database."""
        return MasterCache(
            self.access,
            self.keys,
            lambda tenant, cases: self.woken.append((tenant, list(cases))),
        )

    def admin(self, cache: MasterCache) -> MasterAdmin:
        return MasterAdmin(self.access, cache, self.keys, self.clock, self.rng)

    def directory(self) -> KeyDirectory:
        return KeyDirectory(self.access, self.clock, self.rng)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Bench]:
    """An empty database with all tables."""
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    try:
        yield Bench(EngineAccess(engine))
    finally:
        await engine.dispose()
