"""Rule packs of a deployment: who proposed which version, and where each is in force."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.domain.ids import TenantId


class PackStage(StrEnum):
    """Where a version of a pack stands."""

    PROPOSED = "proposed"
    SHADOW = "shadow"
    ACTIVE = "active"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class PackScope:
    """Where a pack holds: a tenant, at one port or (empty) at all of them."""

    tenant: TenantId
    port: str = ""


@dataclass(frozen=True, slots=True)
class StoredPack:
    """One version of a pack in one scope. Times are UTC microseconds."""

    scope: PackScope
    name: str
    version: int
    text: str
    stage: PackStage
    proposed_by: str
    proposed_at: int
    decided_by: str | None = None
    decided_at: int | None = None

    @property
    def label(self) -> str:
        """Name and version as verdicts store them."""
        return f"{self.name}@{self.version}"


class PackBook(Protocol):
    """Keeps the packs of a deployment."""

    async def put(self, pack: StoredPack) -> bool:
        """Keep a proposal; False when this version is there already: a version never changes."""
        ...

    async def decide(self, pack: StoredPack, stage: PackStage, by: str, at: int) -> bool:
        """Move a version; what had its stage in its scope before is retired, in one commit.

        False when somebody else moved it meanwhile.
        """
        ...

    async def packs(self, tenant: TenantId | None = None) -> Sequence[StoredPack]:
        """Every version, oldest first; of one tenant or of all."""
        ...
