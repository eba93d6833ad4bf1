"""Tables in an empty database, a clock and chance of the tests' own, and values to store."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, Select, event

from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import CaseId, ProfileId, TenantId
from gateway.domain.profile import FilingProfile, Party, TradeMode
from store.admin import MasterAdmin
from store.crypto import StoreKeys
from store.keys import KeyDirectory
from store.master_cache import MasterCache
from store.open import Surroundings, open_store
from store.sql import SQLStore

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


class NoCrash:
    """Crash points that nobody waits at."""

    def reach(self, point: str) -> None:
        """Pass on."""


@dataclass
class Bench:
    """One database, and what one process holds of it."""

    access: SQLStore
    clock: TestClock
    rng: TestRng
    woken: list[tuple[TenantId, list[CaseId]]] = field(default_factory=list)

    @property
    def keys(self) -> StoreKeys:
        """The keys of the database."""
        return self.access.keys

    async def write(self, function: Callable[[Connection], object]) -> None:
        """Change the tables behind everybody's back."""

        def run(connection: Connection) -> None:
            function(connection)

        await self.access.execute(run)

    async def rows(self, statement: Select[*tuple[Any, ...]]) -> list[Any]:
        """What a query finds."""
        async with self.access.read() as reading:
            return await reading.run_sync(lambda on: list(on.execute(statement)))

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
    """A store over an empty database."""
    clock, rng = TestClock(), TestRng()
    async with open_store(url, bytes(range(32)), Surroundings(clock, rng, NoCrash())) as store:
        yield Bench(store, clock, rng)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are run meanwhile."""
    seen: list[str] = []

    def note(*call: Any) -> None:
        if not call[2].startswith(("BEGIN", "COMMIT")):
            seen.append(call[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)
