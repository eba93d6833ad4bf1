"""Master data: profiles, goods records and endpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Protocol

from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import (
    EndpointId,
    ProfileId,
    TenantId,
)
from gateway.domain.profile import FilingProfile


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

    def endpoints(self, tenant: TenantId, event_type: str) -> Sequence["Endpoint"]:
        """Where notices of a type go."""
        ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a seller or a warehouse is told things. ``secret`` never leaves the process."""

    endpoint_id: EndpointId
    tenant: TenantId
    role: str
    url: str
    secret: str = field(repr=False)
    batch_size: int = 1
    event_types: frozenset[str] = frozenset()
