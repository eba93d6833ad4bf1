"""The list of findings: what differs over all cases of a tenant, and what was done about it."""

from dataclasses import dataclass
from typing import Protocol

from gateway.domain.case import CaseKey, CaseStage
from gateway.domain.findings import Finding, Severity
from gateway.domain.ids import CaseId, ProfileId, TenantId
from gateway.ports.reads import Page


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings to list; empty fields do not filter. ``is_open``: of cases not yet final."""

    severities: frozenset[Severity] = frozenset()
    rule: str | None = None
    is_resolved: bool | None = None
    is_open: bool | None = None
    profile_id: ProfileId | None = None
    case_id: CaseId | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """How a finding was settled, by whom, when (UTC microseconds) and why."""

    how: str
    by: str
    reason: str
    at: int
    paper: str | None = None
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One finding that stands, with its case."""

    key: CaseKey
    stage: CaseStage
    updated_at: int
    finding_id: str
    finding: Finding
    resolution: Resolution | None


class FindingLists(Protocol):
    """Reads findings; every call is bound to one tenant."""

    async def findings(
        self, tenant: TenantId, wanted: FindingFilter, after: str | None, limit: int
    ) -> Page[FindingRow]:
        """A page of findings by case, newest case first; those of a case stay together.

        A page may be short, or empty, and yet not the last: ``after`` tells.
        """
        ...
