"""Repairs: proposals to mend findings, what each still needs, and what became of every case."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.domain.ids import CaseId, TenantId
from gateway.domain.repair import Need


class RepairStage(StrEnum):
    """Where a repair stands. ``asked``: its owner is to give the value."""

    PROPOSED = "proposed"
    ASKED = "asked"
    APPLIED = "applied"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RepairItem:
    """One case of a repair: the field of the finding to be mended and its new value.

    ``value`` is personal where the field is. ``status`` is ``open`` until it is applied, then
    ``repaired``, ``remains`` (applied, but the finding stands) or ``failed`` with a reason word.
    """

    case_id: CaseId
    order_no: str
    finding: str
    path: str
    value: str | None = None
    status: str = "open"
    reason: str | None = None
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """Who gave which need, when (UTC microseconds), and on what ground."""

    need: Need
    by: str
    at: int
    statement: str = ""


@dataclass(frozen=True, slots=True)
class Repair:
    """A proposal for one case or for all cases with one cause.

    ``redeclare`` says whether what is mended may be declared at once; else the case is held.
    ``deadline`` is until when an asked owner should answer.
    """

    repair_id: str
    tenant: TenantId
    stage: RepairStage
    rule: str
    kind: str
    owner: str
    needs: frozenset[Need]
    items: tuple[RepairItem, ...]
    proposed_by: str
    reason: str
    created_at: int
    redeclare: bool = True
    approvals: tuple[Approval, ...] = ()
    deadline: int | None = None
    ended_at: int | None = None

    @property
    def open_needs(self) -> frozenset[Need]:
        """What nobody has given yet."""
        return self.needs - {one.need for one in self.approvals}


class RepairBook(Protocol):
    """Keeps repairs; every call is bound to one tenant."""

    async def put(self, repair: Repair) -> None:
        """Keep a new repair."""
        ...

    async def change(self, repair: Repair, before: RepairStage, approvals: int) -> bool:
        """Keep a repair anew; False when its stage or number of approvals moved meanwhile."""
        ...

    async def get(self, tenant: TenantId, repair_id: str) -> Repair | None:
        """A repair of this tenant."""
        ...

    async def listing(
        self, tenant: TenantId, stages: frozenset[RepairStage], limit: int
    ) -> Sequence[Repair]:
        """The newest repairs first; empty ``stages`` do not filter."""
        ...

    async def outcomes(self, tenant: TenantId) -> Mapping[tuple[str, str], tuple[int, int]]:
        """For each rule and corrected field: how many cases it mended, and how many not."""
        ...
