"""Read models: what API, console and CLI show."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from gateway.domain.case import CaseKey, CaseStage, CaseState
from gateway.domain.declaration import DeclarationKind
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import (
    CaseId,
    EndpointId,
    MessageId,
    ProfileId,
    RawId,
    ReceiptId,
    TenantId,
)
from gateway.domain.papers import PaperKind, PaperRevision
from gateway.ports.commands import CaseView, Effect, MessageStage

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One line of a list of cases; no personal data."""

    key: CaseKey
    stage: CaseStage
    held: bool
    findings: int
    created_at: int
    updated_at: int
    version: int


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases to list; empty fields do not filter. ``number`` is any number on any paper."""

    stages: frozenset[CaseStage] = frozenset()
    held: bool | None = None
    profile_id: ProfileId | None = None
    order_no: str | None = None
    number: str | None = None
    updated_since: int | None = None
    created_since: int | None = None
    created_before: int | None = None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event of the stream. ``cursor`` is opaque and orders the stream without gaps."""

    cursor: str
    tenant: TenantId
    case_id: CaseId
    order_no: str
    seq: int
    at: int
    event: Event
    hash: bytes


@dataclass(frozen=True, slots=True)
class CaseDetail:
    """A case with everything that hangs on it; papers are decrypted, the caller masks.

    ``earlier`` are revisions of other numbers that stand beside the newest ones.
    """

    row: CaseRow
    state: CaseState
    papers: Mapping[PaperKind, PaperRevision]
    events: tuple[StoredEvent, ...]
    notices: tuple["NoticeRow", ...]
    earlier: Mapping[PaperKind, tuple[PaperRevision, ...]] = field(default_factory=dict)

    def view(self) -> CaseView:
        """The case as a decision would see it, to try one out."""
        return CaseView(
            self.row.key,
            self.state,
            self.row.version,
            dict(self.papers),
            earlier=dict(self.earlier),
        )


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One notice to an endpoint and how its delivery stands.

    ``answer_code`` is the HTTP status of the last answer (None: nothing answered), ``answer_us``
    how long the last try took.
    """

    effect: Effect
    endpoint_id: EndpointId
    status: str
    detail: str
    done_at: int | None
    acked_at: int | None = None
    answer_code: int | None = None
    answer_us: int | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; ``after`` continues it, None at the end."""

    items: tuple[T, ...]
    after: str | None


class ReadModels(Protocol):
    """What API, console and CLI read. Every call but ``check`` is bound to one tenant."""

    async def cases(
        self, tenant: TenantId, wanted: CaseFilter, after: str | None, limit: int
    ) -> Page[CaseRow]:
        """A page of cases, newest change first."""
        ...

    async def case(self, tenant: TenantId, case_id: CaseId) -> CaseDetail | None:
        """One case of this tenant."""
        ...

    async def events(self, tenant: TenantId, after: str | None, limit: int) -> Page[StoredEvent]:
        """The stream after a cursor, in commit order, skipping nothing that commits later."""
        ...

    async def events_since(
        self, tenant: TenantId, kind: EventKind, since: int, after: str | None, limit: int
    ) -> Page[StoredEvent]:
        """The events of one kind from a time on (UTC microseconds), after a cursor."""
        ...

    async def message(self, tenant: TenantId, message_id: MessageId) -> bytes | None:
        """The exact signed bytes, for the tenant that filed the message only."""
        ...

    async def messages_of(
        self, tenant: TenantId, case_id: CaseId
    ) -> Sequence[tuple[MessageId, DeclarationKind, int, MessageStage]]:
        """The messages that carried a case's declarations: id, kind, version, stage."""
        ...

    async def receipt(self, tenant: TenantId, receipt_id: ReceiptId) -> bytes | None:
        """The exact bytes of a receipt file, if every record in it is this tenant's."""
        ...

    async def cases_in(self, tenant: TenantId, what: MessageId | ReceiptId) -> Sequence[CaseId]:
        """The tenant's cases whose records stand in a message, or in a receipt file."""
        ...

    async def raw(self, tenant: TenantId, raw_id: RawId) -> bytes | None:
        """The exact bytes of one intake."""
        ...
