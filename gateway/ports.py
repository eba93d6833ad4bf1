"""What the flow needs from outside: Protocols and the values that cross them.

Times are UTC microseconds (int) at every port. Blobs are plain bytes here; the store encrypts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from gateway.domain.case import CaseKey, CaseStage, CaseState, Verdict
from gateway.domain.declaration import DeclarationKind, DeclarationState, ReceiptFact
from gateway.domain.events import Event
from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import (
    CaseId,
    EffectId,
    EndpointId,
    MessageId,
    ProfileId,
    RawId,
    ReceiptId,
    TenantId,
)
from gateway.domain.lifecycle import apply
from gateway.domain.papers import Order, PaperKind, PaperRevision, Waybill
from gateway.domain.profile import FilingProfile

R = TypeVar("R")
T = TypeVar("T")

# --- time, chance, crash, CPU ------------------------------------------------------------------


class Clock(Protocol):
    """Time: the only source of it."""

    def now(self) -> int:
        """UTC microseconds since 1970."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait (the one place where a float is a duration, as asyncio has it)."""
        ...


class Rng(Protocol):
    """Chance: the only source of it."""

    def bytes(self, count: int) -> bytes:
        """Unpredictable bytes (predictable under a seed in the simulation)."""
        ...

    def guid(self) -> str:
        """A new upper-case UUID text."""
        ...


class CrashPoints(Protocol):
    """Named places where a test may kill the process; does nothing otherwise."""

    def reach(self, point: str) -> None:
        """Called on passing ``point``; every name stands in ``gateway.flow.crash.POINTS``."""
        ...


class Executor(Protocol):
    """Where CPU work goes: a bounded thread pool, inline in the simulation."""

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """The result of the call (Any: it passes arguments through)."""
        ...


# --- the command store -------------------------------------------------------------------------


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
    """A try to hand a message to its channel, stored before the first byte leaves."""

    message_id: MessageId
    attempt: int
    opened_at: int
    channel: str


@dataclass(frozen=True, slots=True)
class AttemptClosed:
    """T4: the outcome of one attempt: ``handed_over``, ``refused`` or ``unknown``."""

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

    ``record`` folds an event at once, so a later command of the same batch sees it.
    """

    key: CaseKey
    state: CaseState
    version: int
    papers: dict[PaperKind, PaperRevision]
    new_events: list[Event] = field(default_factory=list)

    def record(self, *events: Event) -> None:
        """Fold events into the state and remember them for the commit."""
        for event in events:
            self.state = apply(self.state, event)
            self.new_events.append(event)


@dataclass(slots=True)
class Changes(Generic[R]):
    """What a decision wants stored beside the events on its views; all of it commits, or none."""

    result: R
    papers: list[tuple[CaseId, PaperRevision]] = field(default_factory=list)
    raws: list[RawBlob] = field(default_factory=list)
    claims: list[tuple[Lookup, CaseId, TenantId]] = field(default_factory=list)
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


Views = Mapping[CaseId, CaseView]
Found = Mapping[Lookup, CaseId]
Decide = Callable[[Any, Views, Found], Changes[R]]


@dataclass(slots=True)
class Command(Generic[R]):
    """(keys, facts, decide): what to load, what is known, and a pure function from both to changes.

    ``create`` lists cases to insert when missing; ``load`` names cases that must exist already
    (missing ones have no view). ``lookups`` are resolved in the same transaction. ``with_papers``
    also loads the newest revisions. ``lane`` chooses the writer (by order number); ``facts`` is
    whatever ``decide`` takes.
    """

    decide: Decide[R]
    facts: Any
    create: Sequence[CaseKey] = ()
    load: Sequence[CaseId] = ()
    lookups: Sequence[Lookup] = ()
    with_papers: bool = False
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
    """A message as stored; ``body`` is None until T3."""

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

    async def keep_receipts(self, items: Sequence[InboxItem]) -> list[InboxItem]:
        """R1: store receipt bytes before the channel is acknowledged; returns those not seen
        before.
        """
        ...

    async def open_receipts(self, limit: int) -> list[InboxItem]:
        """Receipt files that R2 has not dealt with, oldest first."""
        ...

    async def find_claims(self, lookups: Sequence[Lookup]) -> dict[Lookup, CaseId]:
        """The cases that hold these references."""
        ...

    async def load_papers(
        self, wanted: Sequence[tuple[CaseId, PaperKind, int]]
    ) -> dict[tuple[CaseId, PaperKind], PaperRevision]:
        """Exact paper revisions, from the cache of papers just taken in or from the database."""
        ...

    async def load_message(self, message_id: MessageId, *, with_body: bool) -> StoredMessage | None:
        """A message with its members, each with its folded declaration."""
        ...

    async def lease(
        self, kinds: Sequence[EffectKind], limit: int, now: int, lease_us: int
    ) -> list[Effect]:
        """Claim due effects whose lease has run out; each comes with its attempt number raised."""
        ...

    async def reschedule(self, effects: Sequence[tuple[EffectId, int, int]]) -> None:
        """Give effects back: (id, attempt as a fence, due_at). Stale ones are ignored."""
        ...

    async def finish(
        self, done: Sequence[tuple[EffectId, int]], parked: Sequence[tuple[EffectId, int, str]]
    ) -> None:
        """Effects delivered, or parked with a reason, fenced by attempt number."""
        ...

    def subscribe(self, listener: Callable[[Sequence[Effect]], None]) -> None:
        """Hand over effects of this process's own commits in memory, after each commit.

        They are born leased to this process for ``lease_us`` of its configuration.
        """
        ...


# --- master data -------------------------------------------------------------------------------


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


# --- the regime, the key ring, the channels ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class DeclarationInput:
    """Everything one record is built from; building twice gives the same record."""

    key: CaseKey
    declaration: DeclarationState
    guid: str
    profile: FilingProfile
    order: Order
    waybill: Waybill | None
    payment_transaction_id: str | None
    goods: Mapping[str, GoodsRecord]


@dataclass(frozen=True, slots=True)
class BuildFault:
    """Why one record of a message cannot be built: its position, the field and the rule broken."""

    position: int
    path: str
    reason: str
    label_zh: str = ""
    label_en: str = ""


@dataclass(frozen=True, slots=True)
class BuiltMessage:
    """Unsigned canonical bytes, valid against the schema of its edition; or the faults that
    prevent it.
    """

    body: bytes
    faults: tuple[BuildFault, ...] = ()


class ReadKind(StrEnum):
    """What a received file turned out to be."""

    RECEIPTS = "receipts"
    REFUSAL = "refusal"
    TRANSPORT = "transport"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One receipt record: how to find its case, and the fact in neutral words; or its fault."""

    position: int
    lookup: Lookup | None
    fact: ReceiptFact | None
    values: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A received file, read. A refusal or transport answer speaks of a whole message.

    ``message_id`` or ``message_guid`` name that message; ``retry`` tells a refusal of these bytes
    for good (``never``) from trouble on the way (``later``), ``quarantine`` a signature or security answer.
    """

    kind: ReadKind
    message_kind: str = ""
    sender_id: str | None = None
    records: tuple[ReadRecord, ...] = ()
    message_id: str | None = None
    message_guid: str | None = None
    code: str = ""
    info: str = ""
    retry: str = "never"
    quarantine: bool = False
    notes: tuple[str, ...] = ()
    problem: str | None = None


class Regime(Protocol):
    """A customs regime: how neutral declarations become its messages, and its answers neutral
    words.
    """

    def build(
        self, kind: DeclarationKind, guid: str, inputs: Sequence[DeclarationInput]
    ) -> BuiltMessage:
        """Write and validate one message of 1..100 records. Pure CPU: run it on the executor."""
        ...

    def app_time(self, now: int) -> str:
        """The appTime text of a moment (customs' local time)."""
        ...

    def wrap(self, message: StoredMessage, profile: FilingProfile, body: bytes, now: int) -> bytes:
        """The transport envelope of a signed message; the same message gives the same bytes."""
        ...

    def file_name(self, message: StoredMessage) -> str:
        """The name under which a channel may store the envelope."""
        ...

    def read(self, receipt_id: ReceiptId, body: bytes) -> ReadFile:
        """Read a received file, tolerant as the field tables say; never raises. Pure CPU."""
        ...

    def checks(
        self, record: ReadRecord, key: CaseKey, profile: FilingProfile
    ) -> Mapping[str, str | None]:
        """Which repeated fields of a receipt contradict our declaration: name → value, None if
        fine.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """Signed bytes with the facts that T3 keeps."""

    body: bytes
    certificate_serial: str
    signature_profile: str


class KeyRing(Protocol):
    """Signs messages for an enterprise with a key that belongs to it."""

    async def sign(self, ring: str, body: bytes) -> SignedMessage:
        """Sign canonical bytes and verify what was made. Raises ``signing.errors.SigningError``."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """One file waiting at a channel; ``token`` acknowledges it."""

    name: str
    body: bytes
    token: str


class SendOutcome(StrEnum):
    """What a channel says of one hand-over."""

    HANDED_OVER = "handed_over"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Channel(Protocol):
    """A way to customs and back."""

    name: str

    async def send(self, file_name: str, envelope: bytes) -> SendOutcome:
        """Hand an envelope over. Sending the same file again replaces it or is harmless."""
        ...

    async def receive(self, limit: int) -> list[Received]:
        """Files that wait, oldest first; they stay until acknowledged."""
        ...

    async def acknowledge(self, tokens: Sequence[str]) -> None:
        """The bytes are durable with us: the channel may let go of them."""
        ...


# --- notices -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoticeResult:
    """What an endpoint said of one notice: ``ok``, ``retry`` or ``refused``."""

    effect_id: EffectId
    status: str
    detail: str = ""


class Notifier(Protocol):
    """Delivers signed notices over HTTP."""

    async def deliver(
        self, endpoint: Endpoint, notices: Sequence[Effect], now: int
    ) -> list[NoticeResult]:
        """One POST with one or up to 100 notices; never raises for what the other side does."""
        ...


class Matcher(Protocol):
    """Matching with the rule packs that the deployment has loaded."""

    def __call__(
        self,
        papers: Mapping[PaperKind, PaperRevision],
        profile: FilingProfile,
        goods: Mapping[str, GoodsRecord],
        taken: Mapping[str, CaseId],
        now: int,
    ) -> Verdict:
        """The verdict of a case's papers; ``taken`` maps a claim kind to another case that holds
        it.
        """
        ...


# --- read models -------------------------------------------------------------------------------


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
    """A case with everything that hangs on it; papers are decrypted, the caller masks."""

    row: CaseRow
    state: CaseState
    papers: Mapping[PaperKind, PaperRevision]
    events: tuple[StoredEvent, ...]
    notices: tuple["NoticeRow", ...]


@dataclass(frozen=True, slots=True)
class NoticeRow:
    """One notice to an endpoint and how its delivery stands."""

    effect: Effect
    endpoint_id: EndpointId
    status: str
    detail: str
    done_at: int | None


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

    async def raw(self, tenant: TenantId, raw_id: RawId) -> bytes | None:
        """The exact bytes of one intake."""
        ...
