"""What API, console and CLI read: every query carries the tenant it is asked for.

Lists go newest first by the time a case was created, which never changes, so that paging neither
skips nor repeats. A number is looked up by its keyed hash. Bytes go to whom they belong:
a message to the tenant that filed it, a receipt file to a tenant whose records are all there is in
it, raw papers to the tenant that sent them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import orjson
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Row,
    Select,
    literal_column,
    select,
    true,
    tuple_,
)

from gateway.domain.case import CaseKey, CaseStage, CaseState
from gateway.domain.codec import state_from_doc
from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import InvalidValue
from gateway.domain.events import EventKind
from gateway.domain.ids import (
    CaseId,
    Direction,
    MessageId,
    ProfileId,
    RawId,
    ReceiptId,
    TenantId,
)
from gateway.domain.lifecycle import FINAL_STAGES, apply, case_stage
from gateway.domain.papers import PaperKind, PaperRevision
from gateway.domain.profile import FilingProfile
from gateway.ports import (
    CaseDetail,
    CaseFilter,
    CaseRow,
    EffectKind,
    Lookup,
    MessageStage,
    NoticeRow,
    Page,
    StoredEvent,
)
from store.access import Access
from store.crypto import StoreKeys
from store.cursors import ListPlace, list_place, stream_place
from store.evidence import element_texts
from store.master import chunks
from store.notices import notice_of
from store.papers import PaperPlace, open_revision
from store.stream import EVENT_COLUMNS, read_kind_since, read_stream, stored_event
from store.tables import (
    OutboxStage,
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
)

MAX_PAGE: Final = 1_000
_OF_RECORDS: Final = (EventKind.RECEIPT_RECORDED.value, EventKind.COPY_RECORDED.value)
_MAX_CASE_EVENTS: Final = 5_000
_MAX_CASE_NOTICES: Final = 1_000
_MAX_NUMBER_LENGTH: Final = 64

CASE_COLUMNS: Final = (
    case_.c.case_id,
    case_.c.tenant,
    case_.c.direction,
    case_.c.platform,
    case_.c.order_no,
    case_.c.profile_id,
    case_.c.stage,
    case_.c.is_held,
    case_.c.findings,
    case_.c.created_at,
    case_.c.updated_at,
    case_.c.version,
)
# Says nothing new of an open stage, and lets the database walk the index of open cases, which is
# made with exactly this text.
IS_OPEN: Final = literal_column("is_open", Boolean())
# Any: a row holds whatever its columns hold.
_Row = Row[*tuple[Any, ...]]
_T = TypeVar("_T")


class Profiles(Protocol):
    """Which profiles a tenant has (``store.master_cache.MasterCache``)."""

    def profiles(self, tenant: TenantId) -> Sequence[FilingProfile]:
        """The newest version of each."""
        ...


class SqlReadModels:
    """Implements ``ports.ReadModels`` over an opened store."""

    def __init__(self, access: Access, keys: StoreKeys, profiles: Profiles) -> None:
        self._access = access
        self._keys = keys
        self._profiles = profiles

    async def cases(
        self, tenant: TenantId, wanted: CaseFilter, after: str | None, limit: int
    ) -> Page[CaseRow]:
        """A page of cases, newest first. Raises ``InvalidValue`` for a foreign cursor."""
        place = list_place(after) if after is not None else None
        hashes = self._hashes(tenant, wanted.number) if wanted.number is not None else ()
        statement = _list_statement(tenant, wanted, hashes, place, _page_size(limit))
        async with self._access.read() as reading:
            rows = await reading.run_sync(partial(_all, statement))
        more = len(rows) > _page_size(limit)
        shown = rows[: _page_size(limit)]
        last = ListPlace(shown[-1].created_at, shown[-1].case_id) if more else None
        return Page(tuple(map(case_row, shown)), last.cursor if last else None)

    def _hashes(self, tenant: TenantId, number: str) -> Sequence[bytes]:
        """Under which keyed hashes a number of any paper of this tenant may be claimed."""
        if not number or len(number) > _MAX_NUMBER_LENGTH:
            raise InvalidValue("number", "use 1 to 64 characters")
        lookups = {Lookup("cop_no", number)}
        for profile in self._profiles.profiles(tenant):
            lookups.add(Lookup("order", f"{profile.platform.code}|{number}"))
            lookups |= {
                Lookup("payment", f"{party.code}|{number}") for party in profile.payment_companies
            }
            lookups |= {
                Lookup(kind, f"{party.code}|{number}")
                for kind in ("waybill", "export_waybill")
                for party in profile.carriers
            }
            lookups.add(Lookup("export_order", f"{profile.platform.code}|{number}"))
        return [self._keys.lookup_hash(lookup) for lookup in sorted(lookups)]

    async def case(self, tenant: TenantId, case_id: CaseId) -> CaseDetail | None:
        """One case of this tenant, its papers decrypted; without papers once it is shredded."""
        async with self._access.read() as reading:
            return await reading.run_sync(partial(_detail, self._keys, tenant, case_id))

    async def case_at(self, tenant: TenantId, case_id: CaseId, at: int) -> CaseDetail | None:
        """A case as it stood at a past moment, UTC microseconds: the fold of its events until then.

        None before its first event. ``version`` of the row is the number of those events.
        """
        now = await self.case(tenant, case_id)
        return None if now is None else await self._back_to(now, at)

    async def _back_to(self, now: CaseDetail, at: int) -> CaseDetail | None:
        events = tuple(one for one in now.events if one.at <= at)
        if not events:
            return None
        state = CaseState()
        for one in events:
            state = apply(state, one.event)
        async with self._access.read() as reading:
            papers = await reading.run_sync(
                partial(_papers_of, self._keys, now.row.key.case_id, state)
            )
        return CaseDetail(
            row=replace(
                now.row,
                stage=case_stage(state),
                held=state.hold is not None,
                findings=len(state.verdict.findings) if state.verdict else 0,
                updated_at=events[-1].at,
                version=len(events),
            ),
            state=state,
            papers=papers,
            events=events,
            notices=tuple(_notice_at(one, at) for one in now.notices if one.effect.due_at <= at),
        )

    async def events(self, tenant: TenantId, after: str | None, limit: int) -> Page[StoredEvent]:
        """The stream after a cursor, in commit order, skipping nothing that commits later."""
        place = stream_place(after) if after is not None else None
        return await self._page(partial(read_stream, tenant, place), limit)

    async def events_since(
        self, tenant: TenantId, kind: EventKind, since: int, after: str | None, limit: int
    ) -> Page[StoredEvent]:
        """The events of one kind that were recorded at a time (UTC microseconds) and later, in
        commit order after a cursor. What lies long before is not read.
        """
        place = stream_place(after) if after is not None else None
        return await self._page(partial(read_kind_since, tenant, kind, since, place), limit)

    async def _page(
        self, read: Callable[[int, Connection], list[_Row]], limit: int
    ) -> Page[StoredEvent]:
        size = _page_size(limit)
        async with self._access.read() as reading:
            rows = await reading.run_sync(partial(read, size + 1))
        shown = tuple(stored_event(row, row.order_no) for row in rows[:size])
        return Page(shown, shown[-1].cursor if len(rows) > size else None)

    async def message(self, tenant: TenantId, message_id: MessageId) -> bytes | None:
        """The exact signed bytes, for the tenant that filed the message only."""
        statement = select(message.c.wrapped_key, message.c.body).where(
            message.c.message_id == message_id,
            message.c.tenant == tenant,
            message.c.body.is_not(None),
        )
        async with self._access.read() as reading:
            row = await reading.run_sync(partial(_first, statement))
        if row is None:
            return None
        key = self._keys.unwrap("message", message_id, row.wrapped_key)
        return key.open("message", message_id, row.body)

    async def messages_of(
        self, tenant: TenantId, case_id: CaseId
    ) -> Sequence[tuple[MessageId, DeclarationKind, int, MessageStage]]:
        """The messages that carried a case's declarations, also those split since, in order."""
        async with self._access.read() as reading:
            return await reading.run_sync(partial(_messages_of, tenant, case_id))

    async def receipt(self, tenant: TenantId, receipt_id: ReceiptId) -> bytes | None:
        """The exact bytes of a receipt file, if every record in it is this tenant's.

        A record is this tenant's when it stands in the history of one of its cases, or was parked
        for one. A file that proves nothing of the kind (not yet read, unreadable, about a whole
        message, only repeating what was known) is shown to nobody.
        """
        async with self._access.read() as reading:
            return await reading.run_sync(partial(_own_receipt, self._keys, tenant, receipt_id))

    async def cases_in(self, tenant: TenantId, what: MessageId | ReceiptId) -> Sequence[CaseId]:
        """The tenant's cases whose records stand in a message (or in what it was split into), or in
        a receipt file.
        """
        async with self._access.read() as reading:
            return await reading.run_sync(partial(_cases_in, self._keys, tenant, what))

    async def raw(self, tenant: TenantId, raw_id: RawId) -> bytes | None:
        """The exact bytes of one intake."""
        statement = (
            select(raw.c.case_id, raw.c.body, case_.c.wrapped_key)
            .join(case_, case_.c.case_id == raw.c.case_id)
            .where(raw.c.raw_id == raw_id, raw.c.tenant == tenant, case_.c.tenant == tenant)
        )
        async with self._access.read() as reading:
            row = await reading.run_sync(partial(_first, statement))
        if row is None or row.wrapped_key is None:
            return None
        return self._keys.unwrap("case_", row.case_id, row.wrapped_key).open(
            "raw", raw_id, row.body
        )


def _page_size(limit: int) -> int:
    if limit < 1:
        raise InvalidValue("limit", "must be at least 1")
    return min(limit, MAX_PAGE)


def _first(statement: Select[*tuple[Any, ...]], connection: Connection) -> _Row | None:
    return connection.execute(statement).first()


def _all(statement: Select[*tuple[Any, ...]], connection: Connection) -> list[_Row]:
    return list(connection.execute(statement))


# --- lists ------------------------------------------------------------------------------------


def _list_statement(
    tenant: TenantId,
    wanted: CaseFilter,
    hashes: Sequence[bytes],
    place: ListPlace | None,
    size: int,
) -> Select[*tuple[Any, ...]]:
    of_tenant = case_.c.tenant == tenant
    created: ColumnElement[int] = case_.c.created_at
    statement = select(*CASE_COLUMNS).where(of_tenant, *_conditions(wanted))
    if wanted.order_no is not None or wanted.number is not None:
        # Few rows: found by number and then sorted, not picked out while walking the list.
        created = case_.c.created_at + 0
    if wanted.number is not None:
        # The tenant as an expression, so that no index of it is walked instead of the few ids.
        statement = select(*CASE_COLUMNS).where(
            case_.c.tenant.concat("") == tenant,
            *_conditions(wanted),
            case_.c.case_id.in_(
                select(case_.c.case_id)
                .where(of_tenant, case_.c.order_no == wanted.number)
                .union(
                    select(claim.c.case_id).where(
                        claim.c.key_hash.in_(hashes), claim.c.tenant == tenant
                    )
                )
            ),
        )
    if place is not None:
        statement = statement.where(tuple_(created, case_.c.case_id) < tuple(place))
    return statement.order_by(created.desc(), case_.c.case_id.desc()).limit(size + 1)


def _conditions(wanted: CaseFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.stages:
        yield case_.c.stage.in_(sorted(stage.value for stage in wanted.stages))
        if not wanted.stages & FINAL_STAGES:
            yield IS_OPEN
    if wanted.held is not None:
        yield case_.c.is_held.is_(wanted.held)
    if wanted.profile_id is not None:
        yield case_.c.profile_id == wanted.profile_id
    if wanted.order_no is not None:
        yield case_.c.order_no == wanted.order_no
    if wanted.updated_since is not None:
        yield case_.c.updated_at >= wanted.updated_since
    if wanted.created_since is not None:
        yield case_.c.created_at >= wanted.created_since
    if wanted.created_before is not None:
        yield case_.c.created_at < wanted.created_before


def _case_key(row: _Row) -> CaseKey:
    return CaseKey(
        CaseId(row.case_id),
        TenantId(row.tenant),
        Direction(row.direction),
        row.platform,
        row.order_no,
        ProfileId(row.profile_id),
    )


def case_row(row: _Row) -> CaseRow:
    """The line of a list for a row of ``CASE_COLUMNS``."""
    return CaseRow(
        key=_case_key(row),
        stage=CaseStage(row.stage),
        held=bool(row.is_held),
        findings=row.findings,
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
    )


# --- one case ---------------------------------------------------------------------------------


def _detail(
    keys: StoreKeys, tenant: TenantId, case_id: CaseId, connection: Connection
) -> CaseDetail | None:
    row = connection.execute(
        select(*CASE_COLUMNS, case_.c.doc, case_.c.wrapped_key).where(
            case_.c.case_id == case_id, case_.c.tenant == tenant
        )
    ).first()
    if row is None:
        return None
    events = connection.execute(
        select(*EVENT_COLUMNS)
        .where(event.c.case_id == case_id, event.c.tenant == tenant)
        .order_by(event.c.seq)
        .limit(_MAX_CASE_EVENTS)
    )
    state = state_from_doc(orjson.loads(row.doc))
    opened = _papers(keys, case_id, state, row.wrapped_key, connection)
    return CaseDetail(
        row=case_row(row),
        state=state,
        papers={kind: revisions[-1] for kind, revisions in opened.items()},
        events=tuple(stored_event(one, row.order_no) for one in events),
        notices=_notices(tenant, case_id, connection),
        earlier={kind: tuple(some[:-1]) for kind, some in opened.items() if some[1:]},
    )


def _papers_of(
    keys: StoreKeys, case_id: CaseId, state: CaseState, connection: Connection
) -> dict[PaperKind, PaperRevision]:
    """The papers in the revisions that a state stands on."""
    wrapped_key = connection.execute(
        select(case_.c.wrapped_key).where(case_.c.case_id == case_id)
    ).scalar_one()
    revisions = {kind: stamp.revision for kind, stamp in (state.papers or {}).items()}
    if wrapped_key is None or not revisions:
        return {}
    rows = connection.execute(
        select(paper.c.kind, paper.c.revision, paper.c.body).where(
            paper.c.case_id == case_id,
            tuple_(paper.c.kind, paper.c.revision).in_(
                [(kind.value, revision) for kind, revision in revisions.items()]
            ),
        )
    )
    key = keys.unwrap("case_", case_id, wrapped_key)
    return {
        PaperKind(row.kind): open_revision(
            PaperPlace(case_id, PaperKind(row.kind), row.revision), row.body, key
        )
        for row in rows
    }


def _notice_at(notice: NoticeRow, at: int) -> NoticeRow:
    """A notice as it stood: what was answered later was open then."""
    if notice.done_at is not None and notice.done_at > at:
        is_open = OutboxStage.OPEN.value
        return replace(notice, status=is_open, detail="", done_at=None, acked_at=None)
    if notice.acked_at is not None and notice.acked_at > at:
        return replace(notice, acked_at=None)
    return notice


def _papers(
    keys: StoreKeys,
    case_id: CaseId,
    state: CaseState,
    wrapped_key: bytes | None,
    connection: Connection,
) -> dict[PaperKind, list[PaperRevision]]:
    """The papers of a case, the newest revision of each kind last; before it those of other numbers
    that stand beside it.
    """
    if wrapped_key is None:
        return {}
    rows = connection.execute(
        select(paper.c.kind, paper.c.revision, paper.c.body)
        .where(paper.c.case_id == case_id)
        .order_by(paper.c.kind, paper.c.revision)
    ).all()
    wanted = {(row.kind, row.revision) for row in {row.kind: row for row in rows}.values()}
    for kind, stamp in (state.papers or {}).items():
        wanted.update((kind.value, revision) for revision in stamp.earlier)
    key = keys.unwrap("case_", case_id, wrapped_key)
    found: dict[PaperKind, list[PaperRevision]] = {}
    for row in rows:
        if (row.kind, row.revision) in wanted:
            place = PaperPlace(case_id, PaperKind(row.kind), row.revision)
            found.setdefault(place.kind, []).append(open_revision(place, row.body, key))
    return found


def _notices(tenant: TenantId, case_id: CaseId, connection: Connection) -> tuple[NoticeRow, ...]:
    rows = connection.execute(
        select(outbox)
        .where(
            outbox.c.case_id == case_id,
            outbox.c.tenant == tenant,
            outbox.c.kind == EffectKind.NOTICE.value,
        )
        .order_by(outbox.c.due_at, outbox.c.effect_id)
        .limit(_MAX_CASE_NOTICES)
    )
    return tuple(notice_of(row) for row in rows)


def _messages_of(
    tenant: TenantId, case_id: CaseId, connection: Connection
) -> list[tuple[MessageId, DeclarationKind, int, MessageStage]]:
    kinds = (EventKind.DECLARATION_CLAIMED.value, EventKind.DECLARATION_MOVED.value)
    rows = connection.execute(
        select(event.c.payload)
        .where(event.c.case_id == case_id, event.c.tenant == tenant, event.c.kind.in_(kinds))
        .order_by(event.c.seq)
    )
    carried = [orjson.loads(row.payload) for row in rows]
    ids = {one["message"] for one in carried}
    stages = {
        row.message_id: MessageStage(row.stage)
        for row in connection.execute(
            select(message.c.message_id, message.c.stage).where(message.c.message_id.in_(ids))
        )
    }
    return [
        (one["message"], DeclarationKind(one["kind"]), one["version"], stages[one["message"]])
        for one in carried
        if one["message"] in stages
    ]


# --- the stream -------------------------------------------------------------------------------


# --- whose receipt ----------------------------------------------------------------------------


def _own_receipt(
    keys: StoreKeys, tenant: TenantId, receipt_id: ReceiptId, connection: Connection
) -> bytes | None:
    row = connection.execute(
        select(inbox.c.wrapped_key, inbox.c.body, inbox.c.records).where(
            inbox.c.receipt_id == receipt_id, inbox.c.stage != "new"
        )
    ).first()
    if row is None or row.wrapped_key is None or not row.records:
        return None
    body = keys.unwrap("inbox", receipt_id, row.wrapped_key).open("inbox", receipt_id, row.body)
    own = _own_positions(keys, tenant, receipt_id, body, connection)
    return body if len(own) == row.records else None


def _cases_in(
    keys: StoreKeys, tenant: TenantId, what: MessageId | ReceiptId, connection: Connection
) -> list[CaseId]:
    row = connection.execute(
        select(inbox.c.wrapped_key, inbox.c.body).where(inbox.c.receipt_id == what)
    ).first()
    if row is not None and row.wrapped_key is not None:
        body = keys.unwrap("inbox", what, row.wrapped_key).open("inbox", what, row.body)
        return sorted(_named_cases(keys, tenant, body, connection))
    messages, found = [what], set[CaseId]()
    while messages:
        found |= _found(
            connection, declaration.c.case_id, true(), declaration.c.message_id, messages
        )
        messages = sorted(
            _found(connection, message.c.message_id, true(), message.c.parent, messages)
        )
    own = _found(
        connection, case_.c.case_id, case_.c.tenant == tenant, case_.c.case_id, sorted(found)
    )
    return sorted(own)


def _named_cases(
    keys: StoreKeys, tenant: TenantId, body: bytes, connection: Connection
) -> set[CaseId]:
    """The tenant's cases that any text in a file names."""
    numbers = sorted(element_texts(body))
    hashes = [keys.lookup_hash(Lookup("cop_no", number)) for number in numbers]
    cases = _found(connection, claim.c.case_id, claim.c.tenant == tenant, claim.c.key_hash, hashes)
    return cases | _found(
        connection, case_.c.case_id, case_.c.tenant == tenant, case_.c.order_no, numbers
    )


def _own_positions(
    keys: StoreKeys,
    tenant: TenantId,
    receipt_id: ReceiptId,
    body: bytes,
    connection: Connection,
) -> set[int]:
    """The records of a file that are provably about cases of one tenant."""
    own = {
        row.position
        for row in connection.execute(
            select(parked.c.position).where(
                parked.c.receipt_id == receipt_id,
                parked.c.tenant == tenant,
                parked.c.case_id.is_not(None),
            )
        )
    }
    cases = _named_cases(keys, tenant, body, connection)
    of_tenant = (event.c.tenant == tenant) & event.c.kind.in_(_OF_RECORDS)
    for text_ in _found(connection, event.c.payload, of_tenant, event.c.case_id, sorted(cases)):
        payload = orjson.loads(text_)
        if payload["receipt"] == receipt_id:
            own.add(payload["position"])
    return own


def _found(
    connection: Connection,
    column: ColumnElement[_T],
    condition: ColumnElement[bool],
    key: ColumnElement[Any],
    values: Sequence[Any],
) -> set[_T]:
    """The values of a column in the rows whose key is listed (Any: ids or hashes)."""
    parts: Iterable[Sequence[Any]] = chunks(values)
    return {
        row[0]
        for some in parts
        for row in connection.execute(select(column).where(condition, key.in_(some)))
    }
