"""Master data: profiles, goods records and endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final, Protocol

from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import (
    EndpointId,
    ProfileId,
    TenantId,
)
from gateway.domain.profile import FilingProfile
from gateway.domain.tables import Tables

KEEP_US: Final = 72 * 3600 * 1_000_000
"""How long a notice waits to be fetched before it is parked."""


class MasterData(Protocol):
    """Profiles, goods records and endpoints, cached in memory and refreshed when they change."""

    def profile(self, tenant: TenantId, profile_id: ProfileId) -> FilingProfile | None:
        """The newest version of a profile of this tenant."""
        ...

    def profile_version(self, profile_id: ProfileId, version: int) -> FilingProfile:
        """One exact version."""
        ...

    def goods(
        self, tenant: TenantId, scope: GoodsScope, skus: Sequence[str], day: date
    ) -> dict[str, GoodsRecord]:
        """The records valid on a day, newest version each; unknown SKUs are absent."""
        ...

    def goods_version(
        self, tenant: TenantId, scope: GoodsScope, sku: str, version: int
    ) -> GoodsRecord:
        """One exact version."""
        ...

    def tables(self, tenant: TenantId) -> Tables:
        """The reference tables that a tenant's papers are held against."""
        ...

    def endpoints(self, tenant: TenantId, event_type: str) -> Sequence["Endpoint"]:
        """Where notices of a type go."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a seller or a warehouse is told things. Secrets never leave the process.

    Without a ``url`` its notices wait to be pulled. ``secret`` (``whsec_``) signs with HMAC,
    ``signing_key`` (``whsk_``), if any, with ed25519; after a rotation ``old_secrets`` sign along
    until ``old_until`` (UTC microseconds). ``disabled_why`` says who or what switched it off.
    """

    endpoint_id: EndpointId
    tenant: TenantId
    role: str
    url: str
    secret: str = field(repr=False)
    batch_size: int = 1
    event_types: frozenset[str] = frozenset()
    signing_key: str = field(default="", repr=False)
    old_secrets: tuple[str, ...] = field(default=(), repr=False)
    old_until: int = 0
    is_active: bool = True
    disabled_at: int | None = None
    disabled_why: str = ""

    @property
    def is_pulled(self) -> bool:
        """Whether its notices wait to be fetched instead of being posted."""
        return not self.url

    def due_at(self, now: int) -> int:
        """When a notice made now is to be dealt with: at once, or when nobody has fetched it."""
        return now + KEEP_US if self.is_pulled else now

    def secrets_at(self, now: int) -> tuple[str, ...]:
        """Everything that signs at a time, newest first."""
        current = (self.secret, self.signing_key) if self.signing_key else (self.secret,)
        return current + self.old_secrets if now < self.old_until else current
