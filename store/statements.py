"""Every statement of the command store, composed once per dialect."""

from dataclasses import dataclass
from typing import Final

from store.book_tables import paper_number, quota_account, quota_entry
from store.catalogue import Composer, Dialect, Select, Write
from store.tables import (
    attempt,
    case_,
    claim,
    declaration,
    event,
    inbox,
    message,
    outbox,
    paper,
    parked,
    raw,
    wait,
)

# What a decision needs of a case, in the order in which store.batch reads it: first what changes
# with every commit, then what is read only where the state is not known.
CASE_HEAD: Final = (
    "case_id",
    "version",
    "seq",
    "head_hash",
    "wrapped_key",
    "is_open",
)
CASE_COLUMNS: Final = (
    *CASE_HEAD,
    "tenant",
    "direction",
    "platform",
    "order_no",
    "profile_id",
    "doc",
)
CASE_INSERTED: Final = (
    *CASE_COLUMNS,
    "stage",
    "is_held",
    "findings",
    "created_at",
    "updated_at",
)
CASE_UPDATED: Final = (
    "version",
    "doc",
    "seq",
    "head_hash",
    "stage",
    "is_held",
    "findings",
    "updated_at",
)
ACCOUNT_KEY: Final = ("tenant", "buyer", "year")
# More cases than this that name one number are not looked at.
NEIGHBOURS: Final = 256
# Of a phone or address no more cases are counted in a span of days: who asks wants to know of 20.
TRACES: Final = 64
ENTRY_COLUMNS: Final = ("case_id", *ACCOUNT_KEY, "amount", "stage", "at", "until", "returned")
EFFECT_COLUMNS: Final = (
    "effect_id",
    "kind",
    "group_key",
    "tenant",
    "case_id",
    "ref",
    "payload",
    "due_at",
    "attempt",
)
NOTICE_COLUMNS: Final = (*EFFECT_COLUMNS, "stage", "detail", "done_at", "acked_at")
MESSAGE_COLUMNS: Final = (
    "message_id",
    "guid",
    "kind",
    "tenant",
    "profile_id",
    "group_key",
    "stage",
    "created_at",
    "attempt",
    "certificate_serial",
    "wrapped_key",
    "body",
)
_EVENT_COLUMNS: Final = (
    "case_id",
    "seq",
    "tenant",
    "kind",
    "payload",
    "at",
    "prev_hash",
    "hash",
)
_DECLARATION_KEY: Final = ("case_id", "kind", "version")
# The transaction's own id orders the stream; see store.tables.event.
_TRANSACTION_ID: Final = "pg_current_xact_id()::text::bigint"


@dataclass(frozen=True, slots=True)
class CaseStatements:
    """Cases and what hangs on them."""

    lock: Select
    load: Select
    load_keys: Select
    insert: Write
    # Most changes leave ``is_open`` alone, and with it an index; ``turn`` also writes that.
    update: Write
    turn: Write
    load_papers: Select
    insert_papers: Write
    insert_raws: Write
    load_claims: Select
    insert_claims: Write
    delete_lapsed: Write
    delete_waits: Write
    insert_waits: Write
    insert_events: Write
    last_position: str


@dataclass(frozen=True, slots=True)
class BookStatements:
    """What cases share: accounts of buyers and numbers."""

    lock_accounts: Select
    read_accounts: Select
    insert_accounts: Write
    update_accounts: Write
    raise_floor: Write
    load_entries: Select
    lock_entries: Select
    read_entries: Select
    put_entries: Write
    lock_numbers: str
    load_numbers: Select
    load_traces: Select
    insert_numbers: Write


@dataclass(frozen=True, slots=True)
class DeclarationStatements:
    """Which declaration stands in which message."""

    load: Select
    load_members: str
    insert: Write
    move: Write


@dataclass(frozen=True, slots=True)
class MessageStatements:
    """Messages, their declarations and their attempts."""

    load: Select
    load_whole: Select
    lock: Select
    insert: Write
    sign: Write
    stage: Write
    load_attempts: Select
    insert_attempts: Write
    close_attempts: Write
    declarations: DeclarationStatements


@dataclass(frozen=True, slots=True)
class InboxStatements:
    """Receipt files and what waits for a person."""

    find: Select
    insert: Write
    load_open: str
    lock: Select
    close: Write
    insert_parked: Write


@dataclass(frozen=True, slots=True)
class OutboxStatements:
    """Effects and their leases."""

    insert: Write
    end: Write
    settle: Write
    delay: Write
    retry: Write
    acknowledge: Write
    find_notices: Select
    lease: str


@dataclass(frozen=True, slots=True)
class Statements:
    """The whole catalogue of one dialect."""

    dialect: Dialect
    case: CaseStatements
    books: BookStatements
    message: MessageStatements
    inbox: InboxStatements
    outbox: OutboxStatements


def compose(dialect: Dialect) -> Statements:
    """The catalogue of a dialect."""
    composer = Composer(dialect)
    return Statements(
        dialect,
        _case_statements(composer),
        _book_statements(composer),
        _message_statements(composer),
        _inbox_statements(composer),
        _outbox_statements(composer),
    )


def _case_statements(make: Composer) -> CaseStatements:
    if make.dialect is Dialect.POSTGRESQL:
        events = make.insert(event, _EVENT_COLUMNS, computed={"pos": _TRANSACTION_ID})
    else:
        events = make.insert(event, (*_EVENT_COLUMNS, "pos"))
    return CaseStatements(
        lock=make.select(case_, ("case_id",), CASE_HEAD, lock=True),
        load=make.select(case_, ("case_id",), CASE_COLUMNS),
        load_keys=make.select(case_, ("case_id",), ("case_id", "wrapped_key")),
        insert=make.insert(case_, CASE_INSERTED, or_nothing=True),
        update=make.update(case_, ("case_id", "version"), CASE_UPDATED),
        turn=make.update(case_, ("case_id", "version"), (*CASE_UPDATED, "is_open")),
        load_papers=make.select(
            paper, ("case_id", "kind", "revision"), ("case_id", "kind", "revision", "body")
        ),
        insert_papers=make.insert(
            paper, ("case_id", "kind", "revision", "digest", "body", "received_at")
        ),
        insert_raws=make.insert(
            raw,
            (
                "raw_id",
                "case_id",
                "tenant",
                "source",
                "sha256",
                "size_bytes",
                "body",
                "received_at",
            ),
            or_nothing=True,
        ),
        load_claims=make.select(claim, ("key_hash",), ("key_hash", "case_id", "lapses_at")),
        insert_claims=make.insert(
            claim, ("key_hash", "kind", "case_id", "tenant", "lapses_at"), or_nothing=True
        ),
        delete_lapsed=make.delete(claim, ("key_hash", "lapses_at")),
        delete_waits=make.delete(wait, ("case_id",)),
        insert_waits=make.insert(wait, ("tenant", "ref", "case_id"), or_nothing=True),
        insert_events=events,
        # SQLite appends rows in commit order, so the last one has the highest position.
        last_position="SELECT pos FROM event ORDER BY rowid DESC LIMIT 1",
    )


def _book_statements(make: Composer) -> BookStatements:
    account = (*ACCOUNT_KEY, "version", "floor_used", "floor_at", "floor_code")
    floor = ("floor_used", "floor_at", "floor_code")
    number = ("key_hash", "case_id", "kind", "revision")
    return BookStatements(
        lock_accounts=make.select(quota_account, ACCOUNT_KEY, account, lock=True),
        read_accounts=make.select(quota_account, ACCOUNT_KEY, account),
        insert_accounts=make.insert(quota_account, (*ACCOUNT_KEY, "version"), or_nothing=True),
        update_accounts=make.update(quota_account, (*ACCOUNT_KEY, "version"), ("version",)),
        raise_floor=make.update(quota_account, ACCOUNT_KEY, floor),
        load_entries=make.select(quota_entry, (*ACCOUNT_KEY, "stage"), ENTRY_COLUMNS),
        read_entries=make.select(quota_entry, ("case_id",), ENTRY_COLUMNS),
        lock_entries=make.select(quota_entry, ("case_id",), ENTRY_COLUMNS, lock=True),
        put_entries=make.insert(quota_entry, ENTRY_COLUMNS, or_update=("case_id",)),
        lock_numbers="SELECT pg_advisory_xact_lock(u) FROM unnest($1::bigint[]) AS u",
        load_numbers=make.first(paper_number, "key_hash", "case_id", NEIGHBOURS),
        load_traces=make.first(paper_number, "key_hash", "case_id", TRACES),
        insert_numbers=make.insert(paper_number, number, or_nothing=True),
    )


def _message_statements(make: Composer) -> MessageStatements:
    return MessageStatements(
        load=make.select(
            message, ("message_id",), (*MESSAGE_COLUMNS[:-1], "CAST(NULL AS text) AS body")
        ),
        load_whole=make.select(message, ("message_id",), MESSAGE_COLUMNS),
        lock=make.select(
            message,
            ("message_id",),
            ("message_id", "stage", "attempt", "t.body IS NOT NULL"),
            lock=True,
        ),
        insert=make.insert(
            message,
            (
                "message_id",
                "guid",
                "kind",
                "tenant",
                "profile_id",
                "group_key",
                "stage",
                "attempt",
                "created_at",
                "parent",
                "record_count",
            ),
        ),
        sign=make.update(
            message,
            ("message_id",),
            (
                "wrapped_key",
                "body",
                "sha256",
                "certificate_serial",
                "signature_profile",
                "stage",
                "attempt",
                "detail",
            ),
            condition="message.body IS NULL AND message.stage = 'claimed'",
        ),
        stage=make.update(message, ("message_id",), ("stage", "attempt", "detail")),
        load_attempts=make.select(
            attempt, ("message_id", "attempt"), ("message_id", "attempt", "outcome"), lock=True
        ),
        insert_attempts=make.insert(attempt, ("message_id", "attempt", "channel", "opened_at")),
        close_attempts=make.update(
            attempt,
            ("message_id", "attempt"),
            ("closed_at", "outcome", "detail"),
            condition="attempt.outcome IS NULL",
        ),
        declarations=_declaration_statements(make),
    )


def _declaration_statements(make: Composer) -> DeclarationStatements:
    marker = "$1" if make.dialect is Dialect.POSTGRESQL else "?"
    return DeclarationStatements(
        load=make.select(declaration, _DECLARATION_KEY, (*_DECLARATION_KEY, "message_id")),
        load_members=(
            "SELECT d.version, d.position, c.case_id, c.tenant, c.direction, c.platform, "  # noqa: S608
            "c.order_no, c.profile_id, c.doc FROM declaration d JOIN case_ c "
            f"ON c.case_id = d.case_id WHERE d.message_id = {marker} ORDER BY d.position"
        ),
        insert=make.insert(
            declaration,
            (*_DECLARATION_KEY, "message_id", "position", "cop_no", "app_time"),
            or_nothing=True,
        ),
        move=make.update(
            declaration,
            (*_DECLARATION_KEY, "message_id"),
            ("message_id", "position", "cop_no", "app_time"),
        ),
    )


def _inbox_statements(make: Composer) -> InboxStatements:
    marker = "$1" if make.dialect is Dialect.POSTGRESQL else "?"
    return InboxStatements(
        find=make.select(inbox, ("channel", "sha256"), ("channel", "sha256")),
        insert=make.insert(
            inbox,
            (
                "receipt_id",
                "channel",
                "name",
                "sha256",
                "wrapped_key",
                "body",
                "received_at",
                "stage",
            ),
            or_nothing=True,
        ),
        load_open=(
            "SELECT receipt_id, channel, name, wrapped_key, body, received_at FROM inbox "  # noqa: S608
            "WHERE stage = 'new' ORDER BY received_at, receipt_id "
            f"LIMIT {marker}"
        ),
        lock=make.select(inbox, ("receipt_id",), ("receipt_id", "stage"), lock=True),
        close=make.update(
            inbox,
            ("receipt_id",),
            ("stage", "kind", "records", "parked", "problem"),
            condition="inbox.stage = 'new'",
        ),
        insert_parked=make.insert(
            parked,
            (
                "parked_id",
                "subject",
                "reason",
                "at",
                "receipt_id",
                "position",
                "case_id",
                "tenant",
                "detail",
            ),
            or_nothing=True,
        ),
    )


def _outbox_statements(make: Composer) -> OutboxStatements:
    fence = ("effect_id", "attempt")
    is_open = "outbox.stage = 'open'"
    answer = ("answer_code", "answer_us")
    return OutboxStatements(
        insert=make.insert(
            outbox, (*EFFECT_COLUMNS, "lease_until", "stage", "held_by"), or_nothing=True
        ),
        end=make.update(outbox, ("effect_id",), ("stage", "done_at"), condition=is_open),
        settle=make.update(
            outbox, fence, ("stage", "detail", "done_at", *answer), condition=is_open
        ),
        delay=make.update(outbox, fence, ("due_at", "lease_until"), condition=is_open),
        retry=make.update(
            outbox, fence, ("due_at", "lease_until", "detail", *answer), condition=is_open
        ),
        acknowledge=make.update(
            outbox, ("effect_id",), ("acked_at",), condition="outbox.acked_at IS NULL"
        ),
        find_notices=make.select(outbox, ("effect_id",), NOTICE_COLUMNS),
        lease=_lease(make.dialect is Dialect.POSTGRESQL),
    )


def _lease(postgres: bool) -> str:
    """Claim open rows of one kind: parameters kind, now, limit, the end of the lease, who asks."""
    marks = [f"${n}" if postgres else f"?{n}" for n in range(1, 6)]
    casts = ("::text", "::bigint", "::bigint", "::bigint", "::text") if postgres else ("",) * 5
    kind, now, limit, until, who = (mark + cast for mark, cast in zip(marks, casts, strict=True))
    skip = " FOR UPDATE SKIP LOCKED" if postgres else ""
    returned = ", ".join(EFFECT_COLUMNS)
    if postgres:
        returned = ", ".join(f"outbox.{name}" for name in EFFECT_COLUMNS)
    # Materialised: a limit inside a join could be run again and lock more than it takes.
    return (
        "WITH due AS MATERIALIZED (SELECT o.effect_id FROM outbox o WHERE o.stage = 'open' "  # noqa: S608
        f"AND o.kind = {kind} AND o.lease_until <= {now} ORDER BY o.lease_until "
        f"LIMIT {limit}{skip}) "
        f"UPDATE outbox SET lease_until = {until}, held_by = {who}, attempt = outbox.attempt + 1 "
        f"FROM due WHERE outbox.effect_id = due.effect_id RETURNING {returned}"
    )
