"""One group of a batch in its transaction: what it works on and what it collects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from gateway.domain.case import CaseState
from gateway.domain.ids import CaseId, EffectId, TenantId
from gateway.domain.papers import PaperKind, PaperRevision
from gateway.domain.quota import AccountKey, QuotaAccount, QuotaEntry, QuotaMove
from gateway.ports import (
    AttemptClosed,
    AttemptOpened,
    CaseView,
    Changes,
    Clock,
    Command,
    CrashPoints,
    Effect,
    Lookup,
    MessageStaged,
    Neighbour,
    NewMessage,
    NumberUse,
    Parked,
    RawBlob,
    ReceiptDone,
    Rng,
    SignedBytes,
)
from store.crypto import DataKey, StoreKeys
from store.papers import PaperCache, PaperPlace
from store.statements import Statements
from store.states import StateCache
from store.tables import OutboxStage

MessageChange = NewMessage | SignedBytes | AttemptOpened | AttemptClosed | MessageStaged


@dataclass(frozen=True, slots=True)
class Job:
    """Other work that joins a group commit: a function over the connection and the time.

    It runs after the changes of the group's commands, maybe more than once. ``is_alone`` gives it
    a transaction of its own, ``effects`` is the work that follows from it.
    """

    function: Callable[[Connection, int], Any]
    is_alone: bool = False
    effects: Sequence[Effect] = ()


Settled = tuple[EffectId, int, OutboxStage, str | None, int | None, int | None]
Retried = tuple[EffectId, int, int, str | None, int | None, int | None]


@dataclass(frozen=True, slots=True)
class Marks:
    """What became of leased effects; each is fenced by its attempt number, stale ones are ignored.

    ``settled``: (id, attempt, stage, detail, code and time of the answer). ``delayed``: (id,
    attempt, due_at). ``retried``: those that were tried, with detail, code and time besides.
    """

    settled: Sequence[Settled] = ()
    delayed: Sequence[tuple[EffectId, int, int]] = ()
    retried: Sequence[Retried] = ()


Item = Command[Any] | Job | Marks


@dataclass(slots=True)
class Tools:
    """What writing needs beside a connection; one for all lanes of a store.

    ``lease_us`` is how long effects are born leased to this process, which ``process`` names in
    the roll (None: it is in none); ``hands_over`` says whether somebody here takes them.
    """

    keys: StoreKeys
    clock: Clock
    rng: Rng
    crash: CrashPoints
    statements: Statements
    papers: PaperCache
    states: StateCache
    lease_us: int
    hands_over: bool = False
    process: str | None = None


class Faulty(Exception):
    """One command of a group cannot be stored: the group runs again without it."""

    def __init__(self, index: int, error: Exception) -> None:
        super().__init__(str(error))
        self.index = index
        self.error = error


class Moved(Exception):
    """Somebody else changed what the group was decided on: it is decided again.

    ``claims`` are references that turned out to be taken.
    """

    def __init__(self, claims: Sequence[Lookup] = ()) -> None:
        super().__init__("the rows moved under the group")
        self.claims = tuple(claims)


@dataclass(slots=True)
class CaseInWork:
    """One case of a group: the view shared by its commands, and what its row said when loaded."""

    view: CaseView
    loaded_version: int
    # The number and the hash of the last event: as loaded, after the write as it became.
    head: tuple[int, bytes]
    wrapped_key: bytes | None
    # Whether the stored row says that the case is open.
    was_open: bool
    # Whether commands that only ``load`` may see it: it is stored, or created earlier in the group.
    is_live: bool
    key: DataKey | None = None

    def data_key(self, tools: Tools) -> DataKey:
        """The data key of the case, made with its first blob."""
        if self.key is None:
            case_id = self.view.key.case_id
            if self.wrapped_key is None and self.loaded_version == 0:
                fresh = tools.keys.new_key("case_", case_id, tools.rng)
                self.key, self.wrapped_key = fresh.key, fresh.wrapped
            else:
                self.key = tools.keys.unwrap("case_", case_id, self.wrapped_key)
        return self.key


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A view before a decision, to put back when the decision fails."""

    case: CaseInWork
    state: CaseState
    version: int
    events: int
    papers: dict[PaperKind, PaperRevision]
    earlier: dict[PaperKind, tuple[PaperRevision, ...]]

    @classmethod
    def of(cls, case: CaseInWork) -> "Snapshot":
        """Remember a view as it is."""
        view = case.view
        return cls(
            case,
            view.state,
            view.version,
            len(view.new_events),
            dict(view.papers),
            dict(view.earlier),
        )

    def restore(self) -> None:
        """Put the view back."""
        view = self.case.view
        view.state, view.version, view.papers = self.state, self.version, self.papers
        view.earlier = self.earlier
        del view.new_events[self.events :]


@dataclass(slots=True)
class Collected:
    """What the decisions of a group want stored, in the order of the commands."""

    papers: list[tuple[PaperPlace, PaperRevision]] = field(default_factory=list)
    raws: list[RawBlob] = field(default_factory=list)
    # The holder, its tenant, and from when on the claim lapses (None: never).
    claims: dict[Lookup, tuple[CaseId, TenantId, int | None]] = field(default_factory=dict)
    waits: dict[CaseId, set[tuple[TenantId, str]]] = field(default_factory=dict)
    waits_over: set[CaseId] = field(default_factory=set)
    messages: list[tuple[int, MessageChange]] = field(default_factory=list)
    receipts: list[tuple[int, ReceiptDone]] = field(default_factory=list)
    parked: list[Parked] = field(default_factory=list)
    effects: dict[EffectId, Effect] = field(default_factory=dict)
    effects_done: set[EffectId] = field(default_factory=set)
    acked: dict[EffectId, int] = field(default_factory=dict)
    settled: list[Settled] = field(default_factory=list)
    delayed: list[tuple[EffectId, int, int]] = field(default_factory=list)
    retried: list[Retried] = field(default_factory=list)

    def add(self, index: int, changes: Changes[Any]) -> None:
        """Take over what one command's decision wants stored, its claims left out."""
        for case_id, revision in changes.papers:
            place = PaperPlace(case_id, revision.kind, revision.revision)
            self.papers.append((place, revision))
        self.raws += changes.raws
        for case_id in changes.waits_over:
            self.waits_over.add(case_id)
            self.waits.pop(case_id, None)
        for case_id, tenant, ref in changes.waits:
            self.waits.setdefault(case_id, set()).add((tenant, ref))
        for part in (
            changes.messages,
            changes.signed,
            changes.attempts_opened,
            changes.attempts_closed,
            changes.messages_staged,
        ):
            for change in part:
                self.messages.append((index, change))
        for done in changes.receipts_done:
            self.receipts.append((index, done))
        self.parked += changes.parked
        for effect in changes.effects:
            self.effects.setdefault(effect.effect_id, effect)
        self.effects_done.update(changes.effects_done)
        for effect_id, at in changes.notices_acked:
            self.acked.setdefault(effect_id, at)


@dataclass(slots=True)
class BooksInWork:
    """What the cases of a group share (``store.books``): as loaded, and as decisions changed it.

    ``versions`` are those of the stored accounts. ``users`` are the cases that name a number of a
    tenant. ``reserved``, ``moves`` and ``numbers`` are to be written.
    """

    accounts: dict[AccountKey, QuotaAccount] = field(default_factory=dict)
    versions: dict[AccountKey, int] = field(default_factory=dict)
    users: dict[tuple[TenantId, str], dict[CaseId, None]] = field(default_factory=dict)
    neighbours: dict[CaseId, Neighbour] = field(default_factory=dict)
    reserved: dict[CaseId, tuple[AccountKey, QuotaEntry]] = field(default_factory=dict)
    moves: list[QuotaMove] = field(default_factory=list)
    numbers: list[tuple[TenantId, NumberUse]] = field(default_factory=list)

    def add(self, changes: Changes[Any], cases: Mapping[CaseId, "CaseInWork"]) -> None:
        """Take over what one command's decision wants kept, visible to those after it."""
        for key, entry in changes.reserved:
            self.reserved[entry.case_id] = (key, entry)
            self.accounts[key] = self.accounts[key].with_entry(entry)
        self.moves += changes.quota_moves
        for use in changes.numbers:
            tenant = cases[use.case_id].view.key.tenant
            self.numbers.append((tenant, use))
            self.users.setdefault((tenant, use.number), {})[use.case_id] = None


@dataclass(slots=True)
class Group:
    """One try of a group: the cases it loaded, who holds which reference, what it collects."""

    connection: Connection
    tools: Tools
    now: int
    cases: dict[CaseId, CaseInWork] = field(default_factory=dict)
    holders: dict[Lookup, CaseId] = field(default_factory=dict)
    # Claims that are stored but hold nothing any more, and since when.
    lapsed: dict[Lookup, int] = field(default_factory=dict)
    hashes: dict[Lookup, bytes] = field(default_factory=dict)
    collected: Collected = field(default_factory=Collected)
    books: BooksInWork = field(default_factory=BooksInWork)
    # Papers written by this group with the size of their documents: cached after the commit.
    written: list[tuple[PaperPlace, PaperRevision, int]] = field(default_factory=list)

    def hash_of(self, lookup: Lookup) -> bytes:
        """The keyed hash of a reference, worked out once a group."""
        found = self.hashes.get(lookup)
        if found is None:
            found = self.hashes[lookup] = self.tools.keys.lookup_hash(lookup)
        return found
