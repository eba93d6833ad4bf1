"""What the console reads and keeps beyond the API's read models; times are UTC microseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.domain.case import CaseKey, CaseStage
from gateway.domain.declaration import DeclarationState
from gateway.domain.findings import Finding
from gateway.domain.ids import CaseId, EffectId, MessageId, TenantId
from gateway.ports.people import ChainReport
from gateway.ports.reads import NoticeRow, StoredEvent


@dataclass(frozen=True, slots=True)
class StageAge:
    """How many open cases stand at a stage, by how long ago they were made."""

    stage: CaseStage
    hour: int
    day: int
    older: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.hour + self.day + self.older


@dataclass(frozen=True, slots=True)
class Figures:
    """The numbers of the Today page, as of ``at``."""

    at: int
    open: tuple[StageAge, ...]
    finished_today: Mapping[CaseStage, int]
    held: int
    unanswered: int
    late: int
    parked_notices: int
    waiting_notices: int
    parked_records: int
    approvals: int


@dataclass(frozen=True, slots=True)
class Trend:
    """What the newest cases came to: ``cases`` were looked at.

    ``days`` maps a day (ISO date, UTC) to (cases, those without a finding that blocked); ``causes``
    counts customs' rejection codes; ``steps`` gives median microseconds between stages.
    """

    at: int
    cases: int
    days: tuple[tuple[str, int, int], ...]
    causes: tuple[tuple[str, int], ...]
    steps: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One case that waits for a person, with the findings that stand."""

    key: CaseKey
    stage: CaseStage
    held: bool
    version: int
    created_at: int
    updated_at: int
    findings: tuple[Finding, ...]
    until: int | None = None
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """Whose case it is to clear, and until when nobody wants to see it."""

    assignee: str | None = None
    snoozed_until: int | None = None


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A declaration that was sent and not answered; ``planned_at`` is when the flow looks at it, or
    sends it, next: None when it does so no more.
    """

    key: CaseKey
    stage: CaseStage
    version: int
    declaration: DeclarationState
    lookups: int = 0
    planned_at: int | None = None


@dataclass(frozen=True, slots=True)
class MessageInfo:
    """A message without its bytes."""

    message_id: MessageId
    guid: str
    kind: str
    stage: str
    created_at: int
    records: int
    sha256: str | None
    certificate_serial: str | None
    signature_profile: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class AttemptInfo:
    """One try to hand a message to a channel."""

    message_id: MessageId
    attempt: int
    channel: str
    opened_at: int
    closed_at: int | None
    outcome: str | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class ParkedRecord:
    """Something put aside for a person."""

    parked_id: str
    subject: str
    reason: str
    at: int
    case_id: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Approval:
    """Something that needs a second person; ``is_approved`` is None until somebody decided.

    ``order_no`` is filled where approvals are listed.
    """

    approval_id: str
    tenant: TenantId
    action: str
    case_id: CaseId
    payload: Mapping[str, Any]
    asked_by: str
    asked_at: int
    reason: str
    decided_by: str | None = None
    decided_at: int | None = None
    is_approved: bool | None = None
    order_no: str = ""


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which events of a tenant to look through; empty fields do not filter."""

    actor: str | None = None
    kind: str | None = None
    cases: frozenset[str] = frozenset()
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One case of a bulk run: waiting, done, failed, not_eligible or unknown."""

    case_id: CaseId
    order_no: str
    status: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BulkRun:
    """One action on many cases."""

    run_id: str
    tenant: TenantId
    action: str
    by: str
    reason: str
    created_at: int
    done_at: int | None = None
    items: tuple[BulkItem, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The newest signed checkpoint of all histories."""

    number: int
    at: int
    cases: int
    events: int


class ConsoleReads(Protocol):
    """What the console's pages read; every call but ``checkpoint`` is bound to one tenant."""

    async def figures(self, tenant: TenantId, now: int, day_start: int) -> Figures:
        """The numbers of the Today page; at most some seconds old."""
        ...

    async def trend(self, tenant: TenantId, now: int) -> Trend:
        """What the newest cases came to; at most a minute old."""
        ...

    async def queue(self, tenant: TenantId, now: int) -> Sequence[QueueItem]:
        """Open cases with findings, oldest first; a second old at most, fresh after ``forget``.

        The same sequence is given until it is read anew.
        """
        ...

    def forget(self, tenant: TenantId) -> None:
        """Somebody changed something of this tenant: read the queue anew."""
        ...

    async def marks(self, tenant: TenantId) -> Mapping[CaseId, Mark]:
        """The marks of a tenant's cases."""
        ...

    async def paid(self, tenant: TenantId, cases: Sequence[CaseId]) -> Mapping[CaseId, str]:
        """What was paid in each case, as text with its currency."""
        ...

    async def stages(self, tenant: TenantId, cases: Sequence[CaseId]) -> Mapping[CaseId, str]:
        """Where each case stands now."""
        ...

    async def unanswered(self, tenant: TenantId) -> Sequence[Unanswered]:
        """Declarations that were sent and not answered, oldest first."""
        ...

    async def notices(
        self, tenant: TenantId, roles: frozenset[str], status: str, limit: int
    ) -> Sequence[NoticeRow]:
        """Notices to endpoints of these roles: ``open``, ``parked`` or ``done``, newest first."""
        ...

    async def messages(
        self, tenant: TenantId, ids: Sequence[MessageId]
    ) -> tuple[Sequence[MessageInfo], Sequence[AttemptInfo]]:
        """Messages this tenant filed, and every attempt to send them."""
        ...

    async def parked(self, tenant: TenantId) -> Sequence[ParkedRecord]:
        """What was put aside and nobody has dealt with."""
        ...

    async def history(
        self, tenant: TenantId, wanted: HistoryFilter, limit: int
    ) -> Sequence[StoredEvent]:
        """Events newest first, out of the newest some thousand."""
        ...

    async def check_case(self, tenant: TenantId, case_id: CaseId) -> ChainReport:
        """Walk the chain of one case."""
        ...

    async def checkpoint(self) -> Checkpoint | None:
        """The newest signed checkpoint."""
        ...

    async def approvals(self, tenant: TenantId, *, undecided: bool) -> Sequence[Approval]:
        """What needs, or needed, a second person; newest first."""
        ...


class ConsoleWrites(Protocol):
    """What the console keeps: marks, approvals, bulk runs."""

    async def mark(self, tenant: TenantId, case_id: CaseId, mark: Mark) -> bool:
        """Set the mark of a case; False when the tenant has no such case."""
        ...

    async def ask_approval(self, approval: Approval) -> None:
        """Keep a question to a second person."""
        ...

    async def decide(
        self, tenant: TenantId, approval_id: str, by: str, *, is_approved: bool
    ) -> Approval | None:
        """Decide it once; None when it is unknown, decided already, or one's own."""
        ...

    async def read_again(self, tenant: TenantId, parked_id: str) -> bool:
        """Send the receipt file of a parked record back to the inbox; False when nothing of this
        id waits in this tenant, or it is no part of a file.
        """
        ...

    async def put_away(self, tenant: TenantId, parked_id: str, by: str) -> bool:
        """A person has dealt with it; False when nothing of this id waits in this tenant."""
        ...

    async def resend(self, tenant: TenantId, ids: frozenset[EffectId]) -> Sequence[EffectId]:
        """Send delivered notices once more, under the ids that they had; gives those that go.

        Whoever counts ids takes none of them twice.
        """
        ...

    async def start_run(self, run: BulkRun) -> None:
        """Keep a bulk run with its waiting items."""
        ...

    async def item_done(self, run_id: str, item: BulkItem) -> None:
        """What became of one item."""
        ...

    async def end_run(self, run_id: str) -> None:
        """Every item was tried."""
        ...

    async def run(self, tenant: TenantId, run_id: str) -> BulkRun | None:
        """A run with its items."""
        ...
