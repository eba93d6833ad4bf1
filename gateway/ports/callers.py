"""Who calls the API: the bearer of a key, and for which tenant."""

from dataclasses import dataclass

from gateway.domain.ids import KeyId, TenantId


@dataclass(frozen=True, slots=True)
class ActingFor:
    """A caller at work for one tenant; ``role`` says what it may do there."""

    tenant: TenantId
    key_id: KeyId
    role: str


@dataclass(frozen=True, slots=True)
class SpanningKey:
    """The key of an agent or a warehouse: ``tenants`` mandate its enterprise today.

    It does nothing by itself: every request names the one tenant that it is for.
    """

    key_id: KeyId
    role: str
    enterprise_code: str
    tenants: frozenset[TenantId]

    def acting_for(self, tenant: str) -> ActingFor | None:
        """The caller at work for a tenant; None when that gives this enterprise no mandate."""
        if tenant not in self.tenants:
            return None
        return ActingFor(TenantId(tenant), self.key_id, self.role)
