"""Writing master data while the gateway runs: one transaction each, visible here at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import chain

from sqlalchemy import Connection

from gateway.domain.errors import InvalidValue
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import EndpointId, TenantId
from gateway.domain.profile import Enterprise, FilingProfile, Mandate, Role
from gateway.domain.tables import TableInfo, TableRow
from gateway.ports import Clock, Endpoint, Rng
from store import endpoints, keys, master, reference
from store.access import Access
from store.endpoints import SealSecret
from store.master import GoodsStored, Tenant
from store.master_cache import MasterCache
from store.reference import TableStored

MAX_IMPORT = 50_000


@dataclass(frozen=True, slots=True)
class MasterAdmin:
    """Stores master data and refreshes this process's cache; other processes follow by polling."""

    access: Access
    cache: MasterCache
    vault: SealSecret
    clock: Clock
    rng: Rng

    async def create_tenant(self, tenant: TenantId, name: str) -> Tenant:
        """A new tenant. Raises ``InvalidValue`` or ``Conflict``."""
        now = self.clock.now()
        return await self.access.execute(lambda on: master.create_tenant(on, tenant, name, now))

    async def list_tenants(self) -> Sequence[Tenant]:
        """Every tenant of the deployment."""
        async with self.access.read() as reading:
            return await reading.run_sync(master.list_tenants)

    async def set_tenant_active(self, tenant: TenantId, is_active: bool) -> bool:
        """Open or close a tenant's access with all its keys; False for an unknown tenant."""

        def change(connection: Connection) -> bool:
            keys.note_access_changed(connection)
            return master.set_tenant_active(connection, tenant, is_active)

        return await self.access.execute(change)

    async def put_enterprise(self, value: Enterprise) -> None:
        """Store or replace an enterprise. Raises ``InvalidValue`` or ``Conflict``."""
        now = self.clock.now()
        await self.access.execute(lambda on: master.put_enterprise(on, value, now))

    async def list_enterprises(self) -> Sequence[Enterprise]:
        """Every enterprise of the deployment."""
        async with self.access.read() as reading:
            return await reading.run_sync(master.list_enterprises)

    async def add_mandate(self, value: Mandate) -> Mandate:
        """Let a tenant use an enterprise, and that enterprise's keys open the tenant; gives the
        mandate as stored. Raises ``InvalidValue``.
        """

        def change(connection: Connection) -> Mandate:
            keys.note_access_changed(connection)
            return master.add_mandate(connection, value)

        return await self.access.execute(change)

    async def end_mandates(
        self, tenant: TenantId, code: str, role: Role, last_day: date
    ) -> Sequence[Mandate]:
        """End what a tenant mandates an enterprise to do, after a day; gives what was ended."""

        def change(connection: Connection) -> list[Mandate]:
            keys.note_access_changed(connection)
            return master.end_mandates(connection, tenant, code, role, last_day)

        return await self.access.execute(change)

    async def list_mandates(self, tenant: TenantId) -> Sequence[Mandate]:
        """The mandates of a tenant."""
        async with self.access.read() as reading:
            return await reading.run_sync(lambda on: master.list_mandates(on, tenant))

    async def put_profile(self, value: FilingProfile) -> FilingProfile:
        """Store a profile; gives its present version. Raises ``InvalidValue`` or ``Conflict``."""
        now = self.clock.now()
        stored = await self.access.execute(lambda on: master.put_profile(on, value, now))
        await self.cache.refresh()
        return stored

    async def put_goods(
        self, tenant: TenantId, records: Sequence[GoodsRecord], said_at: int | None = None
    ) -> Sequence[GoodsStored]:
        """Store goods records, one answer each, in order; cases that waited are checked again.

        Those that waited since ``said_at`` do not set back what was said later.
        Nothing is stored when a record contradicts itself (``InvalidValue`` names it). Thousands
        are stored in several transactions, so that orders go on beside an import; repeating an
        import that broke off changes only what is missing.
        """
        if len(records) > MAX_IMPORT:
            raise InvalidValue("goods", f"at most {MAX_IMPORT} records at a time")
        master.check_goods(records)
        now = self.clock.now()
        stored = [
            await self.access.execute(
                partial(master.put_goods, tenant_id=tenant, records=some, now=now, said_at=said_at)
            )
            for some in master.chunks(records)
        ]
        await self.cache.refresh()
        return list(chain.from_iterable(stored))

    async def put_table(
        self, info: TableInfo, tenant: TenantId, rows: Sequence[TableRow]
    ) -> TableStored:
        """Store a whole reference table as its newest version. Raises ``InvalidValue``."""
        now = self.clock.now()
        stored = await self.access.execute(
            lambda on: reference.put_table(on, info, tenant, rows, now)
        )
        await self.cache.refresh()
        return stored

    async def list_endpoints(self, tenant: TenantId) -> Sequence[Endpoint]:
        """Every endpoint of a tenant, also those switched off."""
        async with self.access.read() as reading:
            return await reading.run_sync(
                lambda on: endpoints.list_endpoints(on, self.vault, tenant)
            )

    async def new_endpoint(
        self,
        tenant: TenantId,
        *,
        url: str,
        role: str,
        event_types: frozenset[str],
        batch_size: int,
        with_ed25519: bool = False,
    ) -> Endpoint:
        """Create an endpoint; the answer holds its secret. Raises ``InvalidValue``.

        Without a ``url`` its notices wait to be pulled.
        """
        made = endpoints.new_endpoint(
            tenant,
            url=url,
            role=role,
            event_types=event_types,
            batch_size=batch_size,
            rng=self.rng,
            with_ed25519=with_ed25519,
        )
        now = self.clock.now()
        await self.access.execute(
            lambda on: endpoints.put_endpoint(on, made, self.vault, self.rng, now)
        )
        await self.cache.refresh()
        return made

    async def rotate_endpoint(
        self, tenant: TenantId, endpoint_id: EndpointId, overlap_us: int
    ) -> Endpoint | None:
        """New secrets, in the answer; the old ones sign along for the overlap. None for an unknown
        endpoint. Raises ``InvalidValue``.
        """
        now = self.clock.now()
        made = await self.access.execute(
            lambda on: endpoints.rotate_endpoint(
                on,
                tenant,
                endpoint_id,
                overlap_us=overlap_us,
                keys=self.vault,
                rng=self.rng,
                now=now,
            )
        )
        await self.cache.refresh()
        return made

    async def set_endpoint_active(
        self, tenant: TenantId, endpoint_id: EndpointId, is_active: bool, why: str = ""
    ) -> bool:
        """Switch an endpoint on, or off with a reason; False when the tenant has none of this id,
        or it is off already.
        """
        now = self.clock.now()
        done = await self.access.execute(
            lambda on: endpoints.set_endpoint_active(
                on, tenant, endpoint_id, is_active, why=why, now=now
            )
        )
        await self.cache.refresh()
        return done
