"""The command store: commands, what they change, and the store that runs them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar

from gateway.domain.case import CaseKey, CaseState
from gateway.domain.declaration import DeclarationKind, DeclarationState
from gateway.domain.events import Event
from gateway.domain.ids import (
    CaseId,
    EffectId,
    MessageId,
    ProfileId,
    RawId,
    ReceiptId,
    TenantId,
)
from gateway.domain.lifecycle import apply
from gateway.domain.papers import Paper, PaperKind, PaperRevision
from gateway.domain.quota import QuotaMove
from gateway.ports.books import NO_BOOKS, Books, NumberUse, Reserved

if TYPE_CHECKING:
    from gateway.ports.reads import NoticeRow

R = TypeVar("R")


class Lookup(NamedTuple):
    """A unique reference. As a claim: kind ``order`` (platform|order no.), ``payment``
    (company|no.), ``waybill`` (carrier|no.), ``cop_no``; as a link: ``link:<tenant>:<what>``.
    """

    kind: str
    value: str


class EffectKind(StrEnum):
    """What an outbox row asks for."""

    DECLARE = "declare"
    SEND = "send"
    ANSWER = "answer"
    DEADLINE = "deadline"
    NOTICE = "notice"
    RECHECK = "recheck"


@dataclass(frozen=True, slots=True)
class Effect:
    """One row of the outbox: work that follows from a commit and is done after it, at least once.

    ``group`` is what is batched together (a message group, an endpoint). ``due_at`` in the future
    makes it a timer. ``payload`` is JSON without personal data (Any: its members vary by kind).
    """

    effect_id: EffectId
    kind: EffectKind
    group: str
    due_at: int
    case_id: CaseId | None = None
    tenant: TenantId | None = None
    ref: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class NoticeAnswer:
    """What the other side said when a notice was tried: its HTTP status (None: nothing answered),
    how long it took in microseconds, and the reason why it was not taken.
    """

    code: int | None
    took_us: int
    detail: str = ""


Answers = Mapping[EffectId, NoticeAnswer]
NO_ANSWERS: Final[Answers] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RawBlob:
    """Received bytes of one case, kept before anyone understands them."""

    raw_id: RawId
    case_id: CaseId
    tenant: TenantId
    source: str
    body: bytes
    received_at: int


@dataclass(frozen=True, slots=True)
class Member:
    """One declaration's place in a message."""

    case_id: CaseId
    kind: DeclarationKind
    version: int
    position: int
    cop_no: str
    app_time: str


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message claimed at T2: its ids are fixed, its bytes do not exist yet."""

    message_id: MessageId
    guid: str
    kind: DeclarationKind
    tenant: TenantId
    profile_id: ProfileId
    group: str
    created_at: int
    members: tuple[Member, ...]
    parent: MessageId | None = None


class MessageStage(StrEnum):
    """Where a message stands."""

    CLAIMED = "claimed"
    SIGNED = "signed"
    HANDED_OVER = "handed_over"
    NOT_HANDED_OVER = "not_handed_over"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    SPLIT = "split"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class SignedBytes:
    """T3: the one signed version of a message, with its first attempt opened."""

    message_id: MessageId
    body: bytes
    certificate_serial: str
    signature_profile: str


@dataclass(frozen=True, slots=True)
class AttemptOpened:
    """A try to hand a message to its channel, stored before the first byte leaves.

    The message is ``signed`` again with this attempt as its newest.
    """

    message_id: MessageId
    attempt: int
    opened_at: int
    channel: str


@dataclass(frozen=True, slots=True)
class AttemptClosed:
    """T4: one attempt ended ``handed_over``, ``not_handed_over`` or ``unknown``; so stands the
    message.
    """

    message_id: MessageId
    attempt: int
    closed_at: int
    outcome: MessageStage
    detail: str = ""


@dataclass(frozen=True, slots=True)
class MessageStaged:
    """A message moves to a stage without an attempt (refused later, split, emptied)."""

    message_id: MessageId
    stage: MessageStage
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ReceiptDone:
    """R2: a receipt file is dealt with; ``parked`` counts its parked records."""

    receipt_id: ReceiptId
    kind: str
    records: int
    parked: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Parked:
    """Something that a person must look at: a record that fits no declaration, or not provably."""

    parked_id: str
    subject: str
    reason: str
    at: int
    receipt_id: ReceiptId | None = None
    position: int = 0
    case_id: CaseId | None = None
    tenant: TenantId | None = None
    detail: str = ""


@dataclass(slots=True)
class CaseView:
    """One case as a decision sees it: the command's own working copy.

    ``record`` folds an event at once, so a later command of the same batch sees it. ``earlier`` are
    the revisions that the paper stamps name as papers of other numbers; ``books`` is what other
    cases say of the same buyer and numbers. Both are loaded with the papers.
    """

    key: CaseKey
    state: CaseState
    version: int
    papers: dict[PaperKind, PaperRevision]
    new_events: list[Event] = field(default_factory=list)
    earlier: dict[PaperKind, tuple[PaperRevision, ...]] = field(default_factory=dict)
    books: Books = NO_BOOKS

    def record(self, *events: Event) -> None:
        """Fold events into the state and remember them for the commit."""
        for event in events:
            self.state = apply(self.state, event)
            self.new_events.append(event)


@dataclass(slots=True)
class Changes(Generic[R]):
    """What a decision wants stored beside the events on its views; all of it commits, or none.

    ``lapses`` says from when on a claim holds nothing any more (micros); others hold for good.
    """

    result: R
    papers: list[tuple[CaseId, PaperRevision]] = field(default_factory=list)
    raws: list[RawBlob] = field(default_factory=list)
    claims: list[tuple[Lookup, CaseId, TenantId]] = field(default_factory=list)
    lapses: dict[Lookup, int] = field(default_factory=dict)
    waits: list[tuple[CaseId, TenantId, str]] = field(default_factory=list)
    waits_over: list[CaseId] = field(default_factory=list)
    messages: list[NewMessage] = field(default_factory=list)
    signed: list[SignedBytes] = field(default_factory=list)
    attempts_opened: list[AttemptOpened] = field(default_factory=list)
    attempts_closed: list[AttemptClosed] = field(default_factory=list)
    messages_staged: list[MessageStaged] = field(default_factory=list)
    receipts_done: list[ReceiptDone] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    effects_done: list[EffectId] = field(default_factory=list)
    notices_acked: list[tuple[EffectId, int]] = field(default_factory=list)
    reserved: list[Reserved] = field(default_factory=list)
    quota_moves: list[QuotaMove] = field(default_factory=list)
    numbers: list[NumberUse] = field(default_factory=list)


Views = Mapping[CaseId, CaseView]
Found = Mapping[Lookup, CaseId]
Decide = Callable[[Any, Views, Found], Changes[R]]


@dataclass(slots=True)
class Command(Generic[R]):
    """(keys, facts, decide): what to load, what is known, and a pure function from both to changes.

    ``create`` lists cases to insert when missing; ``load`` names cases that must exist already
    (missing ones have no view). ``lookups`` are resolved in the same transaction. ``with_papers``
    also loads the newest revisions, and the books around them and around the papers ``coming``.
    ``lane`` chooses the writer (by order number); ``facts`` is
    whatever ``decide`` takes.
    """

    decide: Decide[R]
    facts: Any
    create: Sequence[CaseKey] = ()
    load: Sequence[CaseId] = ()
    lookups: Sequence[Lookup] = ()
    with_papers: bool = False
    coming: Sequence[Paper] = ()
    lane: str = ""
    stage: str = "command"


@dataclass(frozen=True, slots=True)
class InboxItem:
    """A receipt file as the channel gave it, already durable (R1)."""

    receipt_id: ReceiptId
    channel: str
    name: str
    body: bytes
    received_at: int


@dataclass(frozen=True, slots=True)
class StoredMember:
    """One record of a stored message, with what rebuilding or following it needs."""

    key: CaseKey
    declaration: DeclarationState
    position: int


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as stored; ``body`` and ``certificate_serial`` (its signer's) are None until T3."""

    message_id: MessageId
    guid: str
    kind: DeclarationKind
    tenant: TenantId
    profile_id: ProfileId
    group: str
    stage: MessageStage
    created_at: int
    attempt: int
    body: bytes | None
    members: tuple[StoredMember, ...]
    certificate_serial: str | None = None


@dataclass(frozen=True, slots=True)
class UnlinkedPaper:
    """A paper that names no order: it waits under its own number until another paper names that.

    ``number`` is a link (see :class:`Lookup`), ``paper`` the document of the paper, ``deadline``
    when a person is told that nobody has named it.
    """

    number: Lookup
    tenant: TenantId
    profile_id: ProfileId
    kind: PaperKind
    source: str
    paper: Mapping[str, Any]
    raw: bytes
    received_at: int
    deadline: int


class Store(Protocol):
    """The one store of the gateway: SQLite or PostgreSQL, one implementation."""

    async def submit(self, command: Command[R]) -> R:
        """Decide and commit with a group; returns the decision's result after the commit.

        Raises ``Overloaded`` when the queue is full, ``Fenced`` when a guard no longer holds, and
        what ``decide`` raised; in each case nothing of this command was stored.
        """
        ...

    async def submit_all(self, commands: Sequence[Command[R]]) -> list[R | Exception]:
        """Submit many at once without a task each: the result or the error of every command, in
        order.

        Raises ``Overloaded`` before anything is queued when not all of them fit.
        """
        ...

    async def foresee(self, commands: Sequence[Command[R]]) -> list[R | Exception]:
        """What each command would come to by itself: its result or its error; nothing is stored."""
        ...

    async def keep_receipts(self, items: Sequence[InboxItem]) -> list[InboxItem]:
        """R1: store receipt bytes before the channel is acknowledged; returns those not seen
        before.
        """
        ...

    async def keep_unlinked(self, paper: UnlinkedPaper) -> str:
        """Store a paper whose case is not known; gives its id."""
        ...

    async def find_unlinked(self, numbers: Sequence[Lookup]) -> list[tuple[str, UnlinkedPaper]]:
        """Papers that wait under these numbers."""
        ...

    async def case_keys(self, ids: Sequence[CaseId]) -> dict[CaseId, CaseKey]:
        """Which cases these ids belong to."""
        ...

    async def end_unlinked(self, ids: Sequence[str]) -> None:
        """These papers have found their cases."""
        ...

    async def is_unlinked(self, unlinked_id: str) -> bool:
        """Whether a paper still waits for its case."""
        ...

    async def open_receipts(self, limit: int) -> list[InboxItem]:
        """Receipt files that R2 has not dealt with, oldest first."""
        ...

    async def find_claims(self, lookups: Sequence[Lookup]) -> dict[Lookup, CaseId]:
        """The cases that hold these references."""
        ...

    async def load_books(self, view: CaseView, coming: Sequence[Paper]) -> Books:
        """The books around a case and papers that are to come, without taking part in them."""
        ...

    async def load_papers(
        self, wanted: Sequence[tuple[CaseId, PaperKind, int]]
    ) -> dict[tuple[CaseId, PaperKind], PaperRevision]:
        """Exact paper revisions, from the cache of papers just taken in or from the database."""
        ...

    async def load_message(self, message_id: MessageId, *, with_body: bool) -> StoredMessage | None:
        """A message with its members, each with its folded declaration."""
        ...

    async def find_listed(
        self, asked: Sequence[tuple[CaseId, DeclarationKind, str | None]]
    ) -> dict[tuple[CaseId, str], tuple[CaseId, ...]]:
        """Who stands in lists of parcels: by a case, the kind and the list's copNo (None: its
        newest list, found under an empty number)."""
        ...

    async def find_message(self, guid: str) -> MessageId | None:
        """The message of a root guid: a transfer client may have drawn its own CopMsgId."""
        ...

    async def lease(
        self, kinds: Sequence[EffectKind], limit: int, now: int, lease_us: int
    ) -> list[Effect]:
        """Claim due effects whose lease has run out; each comes with its attempt number raised."""
        ...

    async def reschedule(
        self, effects: Sequence[tuple[EffectId, int, int]], answers: Answers = NO_ANSWERS
    ) -> None:
        """Give effects back: (id, attempt as a fence, due_at). Stale ones are ignored.

        ``answers`` is what the other side said of those that were tried.
        """
        ...

    async def finish(
        self,
        done: Sequence[tuple[EffectId, int]],
        parked: Sequence[tuple[EffectId, int, str]],
        answers: Answers = NO_ANSWERS,
    ) -> None:
        """Effects delivered, or parked with a reason, fenced by attempt number."""
        ...

    async def find_notices(self, ids: Sequence[EffectId]) -> dict[EffectId, "NoticeRow"]:
        """Notices by id, of every tenant: the caller checks whose they are."""
        ...

    def subscribe(self, listener: Callable[[Sequence[Effect]], None]) -> None:
        """Hand over effects of this process's own commits in memory, after each commit.

        They are born leased to this process for ``lease_us`` of its configuration.
        """
        ...
