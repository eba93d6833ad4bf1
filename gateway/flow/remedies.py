"""How findings are settled: by a newer paper that mended them, or by somebody who bears the risk.

A finding that blocks cannot be waved through: only a newer paper settles it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.domain.events import Event, EventKind
from gateway.domain.findings import Finding, Remedy, Severity, finding_id
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.papers import PaperKind
from gateway.ports import CaseView, Changes, Command, Found, Views

RESOLVED = "resolved"
REPEATED = "repeated"
UNKNOWN = "unknown"
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a person says of one finding.

    ``known`` is the finding as the history of the case has it, ``is_settled`` whether it was
    settled before, ``may_accept`` the severities whose risk this person may bear. ``paper`` and
    ``revision`` name the newer paper.
    """

    finding: str
    remedy: Remedy
    reason: str
    known: Finding | None
    is_settled: bool
    may_accept: frozenset[Severity]
    paper: PaperKind | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of it; ``reason`` is a stable word when it was refused."""

    finding: str
    status: str
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Facts:
    tenant: TenantId
    case_id: CaseId
    by: str
    wanted: tuple[Settlement, ...]


def settle_command(
    tenant: TenantId, case_id: CaseId, by: str, wanted: Sequence[Settlement]
) -> Command[list[Settled]]:
    """The command that records these settlements of one case."""
    return Command(
        decide=decide_settlements,
        facts=_Facts(tenant, case_id, by, tuple(wanted)),
        load=(case_id,),
        lane=case_id,
        stage="match",
    )


def decide_settlements(facts: _Facts, views: Views, found: Found) -> Changes[list[Settled]]:
    """Pure: each settlement against the live verdict and papers."""
    view = views.get(facts.case_id)
    if view is None or view.key.tenant != facts.tenant:
        return Changes(result=[Settled(one.finding, UNKNOWN) for one in facts.wanted])
    verdict = view.state.verdict
    standing = {finding_id(one) for one in verdict.findings} if verdict else set()
    return Changes(result=[_settle(view, one, standing, facts.by) for one in facts.wanted])


def _settle(view: CaseView, one: Settlement, standing: set[str], by: str) -> Settled:
    if one.known is None:
        return Settled(one.finding, UNKNOWN)
    if one.is_settled:
        return Settled(one.finding, REPEATED)
    refusal = _refusal(view, one, one.known, standing)
    if refusal is not None:
        return Settled(one.finding, REFUSED, refusal)
    payload: dict[str, object] = {
        "finding": one.finding,
        "rule": one.known.rule,
        "severity": one.known.severity.value,
        "how": one.remedy.value,
        "by": by,
        "reason": one.reason,
    }
    if one.paper is not None:
        payload |= {"paper": one.paper.value, "revision": one.revision}
    view.record(Event(EventKind.FINDING_RESOLVED, payload))
    return Settled(one.finding, RESOLVED)


def _refusal(view: CaseView, one: Settlement, known: Finding, standing: set[str]) -> str | None:
    """Why a settlement is not taken, None when it is."""
    if one.remedy is Remedy.ACCEPTED_RISK:
        if known.severity is Severity.BLOCK:
            return "block_cannot_be_accepted"
        if known.severity not in one.may_accept:
            return "not_for_your_role"
        return None if one.finding in standing else "stands_no_more"
    stamp = None if one.paper is None else view.state.paper(one.paper)
    if stamp is None or not 1 <= one.revision <= stamp.revision:
        return "no_such_revision"
    return "still_stands" if one.finding in standing else None
