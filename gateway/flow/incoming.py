"""What comes in: one paper with its exact bytes, and the durable answer to it."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.domain.case import CaseStage, Verdict
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.papers import Paper
from gateway.domain.profile import FilingProfile


@dataclass(frozen=True, slots=True)
class Incoming:
    """One paper as its source gave it: the parsed paper, and the exact bytes it was read from.

    ``order_no`` is the declared order number where it is known from elsewhere (a link),
    ``received_at`` when it came (UTC microseconds) where that was before now.
    """

    tenant: TenantId
    profile: FilingProfile
    paper: Paper
    source: str
    raw: bytes
    offset: int = 0
    length: int = -1
    order_no: str | None = None
    received_at: int | None = None


class IntakeStatus(StrEnum):
    """What became of one incoming paper.

    ``superseded``: its source has said something newer meanwhile, and that stands.
    """

    ACCEPTED = "accepted"
    UNCHANGED = "unchanged"
    SUPERSEDED = "superseded"
    UNLINKED = "unlinked"
    FROZEN = "frozen"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class IntakeResult:
    """The durable answer to one incoming paper.

    ``changed`` names what differs from the revision before (``FROZEN``: from the one that was
    filed), ``reason`` says why a paper was not taken, as a stable word.
    """

    status: IntakeStatus
    case_id: CaseId | None
    order_no: str
    revision: int = 0
    stage: CaseStage | None = None
    verdict: Verdict | None = None
    changed: tuple[str, ...] = ()
    reason: str | None = None
