"""Rule packs, stored: a row for each version in each scope."""

from collections.abc import Callable, Sequence
from typing import Final

from sqlalchemy import Connection, and_, select, update

from gateway.domain.ids import TenantId
from gateway.ports import Clock
from gateway.ports.packs import PackScope, PackStage, StoredPack
from store.access import Access
from store.changes import follow, insert_into
from store.tables import rule_pack as table

_ONE_PER_SCOPE: Final = frozenset({PackStage.ACTIVE, PackStage.SHADOW})


class StoredPacks:
    """Implements ``ports.packs.PackBook``; ``loaded`` hears of every version on each refresh."""

    def __init__(
        self, access: Access, loaded: Callable[[Sequence[StoredPack]], None] = lambda _: None
    ) -> None:
        self._access = access
        self._loaded = loaded

    async def put(self, pack: StoredPack) -> bool:
        """Keep a proposal; False when this version is there already."""
        done = await self._access.execute(lambda on: _insert(on, pack))
        await self.refresh()
        return done

    async def decide(self, pack: StoredPack, stage: PackStage, by: str, at: int) -> bool:
        """Move a version; what had its stage in its scope before is retired, in one commit."""
        done = await self._access.execute(lambda on: _move(on, pack, stage, by, at))
        await self.refresh()
        return done

    async def packs(self, tenant: TenantId | None = None) -> Sequence[StoredPack]:
        """Every version, oldest first; of one tenant or of all."""
        async with self._access.read() as reading:
            found = await reading.run_sync(load_packs)
        return [one for one in found if tenant is None or one.scope.tenant == tenant]

    async def refresh(self) -> None:
        """Load the packs."""
        self._loaded(await self.packs())

    async def follow(self, clock: Clock, every_s: float = 1.0) -> None:
        """Refresh for ever; end it by cancelling. A database that is away is asked again."""
        await follow(self.refresh, clock, every_s)


def load_packs(connection: Connection) -> list[StoredPack]:
    """Every version, oldest first."""
    order = (table.c.proposed_at, table.c.tenant, table.c.port, table.c.name, table.c.version)
    return [
        StoredPack(
            PackScope(TenantId(row.tenant), row.port),
            row.name,
            row.version,
            row.text,
            PackStage(row.stage),
            row.proposed_by,
            row.proposed_at,
            row.decided_by,
            row.decided_at,
        )
        for row in connection.execute(select(table).order_by(*order))
    ]


def _insert(connection: Connection, pack: StoredPack) -> bool:
    values = {
        "tenant": pack.scope.tenant,
        "port": pack.scope.port,
        "name": pack.name,
        "version": pack.version,
        "text": pack.text,
        "stage": pack.stage.value,
        "proposed_by": pack.proposed_by,
        "proposed_at": pack.proposed_at,
    }
    statement = insert_into(connection, table).values(values).on_conflict_do_nothing()
    return bool(connection.execute(statement).rowcount)


def _move(connection: Connection, pack: StoredPack, stage: PackStage, by: str, at: int) -> bool:
    scope = (table.c.tenant == pack.scope.tenant, table.c.port == pack.scope.port)
    this = (table.c.name == pack.name, table.c.version == pack.version)
    decided = {"stage": stage.value, "decided_by": by, "decided_at": at}
    moved = update(table).where(*scope, *this, table.c.stage == pack.stage.value)
    if connection.execute(moved.values(decided)).rowcount != 1:
        return False
    if stage in _ONE_PER_SCOPE:
        others = update(table).where(*scope, table.c.stage == stage.value, ~and_(*this))
        connection.execute(others.values(decided | {"stage": PackStage.RETIRED.value}))
    return True
