"""What the console reads: the queue, figures, deliveries, messages and histories of one tenant.

A list of work is small beside all cases, so it is found by partial indexes; what counts over many
rows is kept for some seconds. The queue keeps what it parsed: a case is read again when its version
moved.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import Connection, case, func, select

from gateway.domain.case import CaseStage
from gateway.domain.codec import state_from_doc
from gateway.domain.declaration import DeclarationStage
from gateway.domain.events import EventKind
from gateway.domain.ids import CaseId, MessageId, TenantId
from gateway.domain.lifecycle import FINAL_STAGES
from gateway.domain.papers import Order, PaperKind
from gateway.ports import Clock, EffectKind, NoticeRow, StoredEvent
from gateway.ports.console import (
    Approval,
    AttemptInfo,
    Checkpoint,
    Figures,
    HistoryFilter,
    Mark,
    MessageInfo,
    ParkedRecord,
    QueueItem,
    StageAge,
    Trend,
    Unanswered,
)
from gateway.ports.people import ChainReport
from store.access import Access
from store.console_tables import approval, case_mark, console_log
from store.console_work import approval_of
from store.crypto import StoreKeys
from store.events import GENESIS, event_hash, event_of
from store.master import chunks
from store.notices import notice_of
from store.papers import PaperPlace, open_revision
from store.read_models import CASE_COLUMNS, IS_OPEN, case_row
from store.tables import (
    OutboxStage,
    attempt,
    case_,
    checkpoint,
    endpoint,
    event,
    message,
    outbox,
    paper,
    parked,
)

QUEUE_CASES: Final = 5_000
"""How many cases the queue looks at: the oldest ones."""
_HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * _HOUR_US
_QUEUE_US: Final = 1_000_000
_FIGURES_US: Final = 3_000_000
# What is made anew may take this part of the time.
_SHARE: Final = 20
_TREND_US: Final = 60_000_000
_TREND_CASES: Final = 2_000
_STEP_CASES: Final = 200
_HISTORY: Final = 5_000
_UNANSWERED: Final = 1_000
_RECENT_CASES: Final = 500

T = TypeVar("T")
# Any: a row holds whatever its columns hold.
_Row = Any


@dataclass(slots=True)
class _Kept:
    """Something that may be a little old, made by one caller at a time."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    at: int = 0
    cost: int = 0
    value: Any = None


class SqlConsole:
    """Implements ``ports.console.ConsoleReads``."""

    def __init__(self, access: Access, keys: StoreKeys, clock: Clock) -> None:
        self._access = access
        self._keys = keys
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._parsed: dict[CaseId, QueueItem] = {}

    async def _read(self, function: Callable[[Connection], T]) -> T:
        async with self._access.read() as reading:
            return await reading.run_sync(function)

    async def _once(
        self, name: str, tenant: str, age_us: int, make: Callable[[], Awaitable[T]]
    ) -> T:
        """What may be this old; what is dear to make is kept twenty times as long as it took."""
        kept = self._kept.setdefault((name, tenant), _Kept())
        async with kept.lock:
            now = self._clock.now()
            if kept.value is None or now - kept.at > max(age_us, _SHARE * kept.cost):
                kept.value, kept.at = await make(), now
                kept.cost = self._clock.now() - now
            value: T = kept.value
            return value

    def forget(self, tenant: TenantId) -> None:
        """Somebody changed something: the next look at the queue is a fresh one."""
        self._kept.pop(("queue", tenant), None)

    async def figures(self, tenant: TenantId, now: int, day_start: int) -> Figures:
        """The numbers of the Today page; at most some seconds old."""

        async def make() -> Figures:
            silent = len(await self.unanswered(tenant))
            return await self._read(lambda on: _figures(on, tenant, now, day_start, silent))

        return await self._once("figures", tenant, _FIGURES_US, make)

    async def trend(self, tenant: TenantId, now: int) -> Trend:
        """What the newest cases came to; at most a minute old."""

        async def make() -> Trend:
            return await self._read(lambda on: _trend(on, tenant, now))

        return await self._once("trend", tenant, _TREND_US, make)

    async def queue(self, tenant: TenantId, now: int) -> Sequence[QueueItem]:
        """Open cases with findings, oldest first: the oldest ``QUEUE_CASES``; a second old at most,
        and fresh after :meth:`forget`. The same sequence is given until it is read anew.
        """
        return await self._once("queue", tenant, _QUEUE_US, lambda: self._queue(tenant))

    async def _queue(self, tenant: TenantId) -> Sequence[QueueItem]:
        statement = (
            select(case_.c.case_id, case_.c.version)
            .where(case_.c.tenant == tenant, IS_OPEN, case_.c.findings > 0)
            .order_by(case_.c.created_at, case_.c.case_id)
            .limit(QUEUE_CASES)
        )
        places = await self._read(lambda on: list(on.execute(statement)))
        known = self._parsed
        moved = [
            CaseId(row.case_id)
            for row in places
            if row.case_id not in known or known[CaseId(row.case_id)].version != row.version
        ]
        if moved:
            for item in await self._read(lambda on: list(_queue_items(on, tenant, moved))):
                known[item.key.case_id] = item
        if len(known) > 8 * QUEUE_CASES:
            wanted = {row.case_id for row in places}
            self._parsed = {name: one for name, one in known.items() if name in wanted}
        return [known[CaseId(row.case_id)] for row in places if row.case_id in known]

    async def marks(self, tenant: TenantId) -> Mapping[CaseId, Mark]:
        """The marks of a tenant's cases."""
        statement = select(case_mark).where(case_mark.c.tenant == tenant)
        rows = await self._read(lambda on: list(on.execute(statement)))
        return {CaseId(row.case_id): Mark(row.assignee, row.snoozed_until) for row in rows}

    async def paid(self, tenant: TenantId, cases: Sequence[CaseId]) -> Mapping[CaseId, str]:
        """What was paid in each case, as text with its currency."""
        if not cases:
            return {}
        statement = (
            select(paper.c.case_id, paper.c.revision, paper.c.body, case_.c.wrapped_key)
            .join(case_, case_.c.case_id == paper.c.case_id)
            .where(
                paper.c.case_id.in_(cases),
                paper.c.kind == "order",
                case_.c.tenant == tenant,
                case_.c.wrapped_key.is_not(None),
            )
            .order_by(paper.c.case_id, paper.c.revision)
        )
        rows = await self._read(lambda on: list(on.execute(statement)))
        return {case_id: text for case_id, text in map(self._paid, _newest(rows)) if text}

    def _paid(self, row: _Row) -> tuple[CaseId, str]:
        case_id = CaseId(row.case_id)
        key = self._keys.unwrap("case_", case_id, row.wrapped_key)
        order = open_revision(
            PaperPlace(case_id, PaperKind.ORDER, row.revision), row.body, key
        ).paper
        return case_id, str(order.paid) if isinstance(order, Order) else ""

    async def stages(self, tenant: TenantId, cases: Sequence[CaseId]) -> Mapping[CaseId, str]:
        """Where each case stands now."""

        def load(connection: Connection) -> dict[CaseId, str]:
            found: dict[CaseId, str] = {}
            for some in chunks(cases):
                rows = connection.execute(
                    select(case_.c.case_id, case_.c.stage).where(
                        case_.c.case_id.in_(some), case_.c.tenant == tenant
                    )
                )
                found |= {CaseId(row.case_id): row.stage for row in rows}
            return found

        return await self._read(load)

    async def unanswered(self, tenant: TenantId) -> Sequence[Unanswered]:
        """Declarations that were sent and not answered, oldest first."""

        async def make() -> Sequence[Unanswered]:
            return await self._read(lambda on: list(_unanswered(on, tenant)))

        return await self._once("unanswered", tenant, _QUEUE_US, make)

    async def notices(
        self, tenant: TenantId, roles: frozenset[str], status: str, limit: int
    ) -> Sequence[NoticeRow]:
        """Notices to endpoints of these roles, newest first; delivered ones of recent cases."""
        return await self._read(lambda on: _notices(on, tenant, roles, status, limit))

    async def messages(
        self, tenant: TenantId, ids: Sequence[MessageId]
    ) -> tuple[Sequence[MessageInfo], Sequence[AttemptInfo]]:
        """Messages this tenant filed, and every attempt to send them."""
        return await self._read(lambda on: _messages(on, tenant, ids))

    async def parked(self, tenant: TenantId) -> Sequence[ParkedRecord]:
        """What was put aside and nobody has dealt with, newest first."""
        statement = (
            select(parked)
            .where(parked.c.tenant == tenant, parked.c.resolved_at.is_(None))
            .order_by(parked.c.at.desc(), parked.c.parked_id)
            .limit(200)
        )
        rows = await self._read(lambda on: list(on.execute(statement)))
        return [
            ParkedRecord(row.parked_id, row.subject, row.reason, row.at, row.case_id, row.detail)
            for row in rows
        ]

    async def history(
        self, tenant: TenantId, wanted: HistoryFilter, limit: int
    ) -> Sequence[StoredEvent]:
        """Events newest first, out of the newest some thousand (or of one case)."""
        return await self._read(lambda on: _history(on, tenant, wanted, limit))

    async def check_case(self, tenant: TenantId, case_id: CaseId) -> ChainReport:
        """Walk the chain of one case."""
        return await self._read(lambda on: _check_case(on, tenant, case_id))

    async def checkpoint(self) -> Checkpoint | None:
        """The newest signed checkpoint."""
        statement = select(checkpoint).order_by(checkpoint.c.number.desc()).limit(1)
        row = await self._read(lambda on: on.execute(statement).first())
        return None if row is None else Checkpoint(row.number, row.at, row.cases, row.events)

    async def approvals(self, tenant: TenantId, *, undecided: bool) -> Sequence[Approval]:
        """What needs, or needed, a second person; newest first."""
        statement = (
            select(approval, case_.c.order_no)
            .outerjoin(case_, case_.c.case_id == approval.c.case_id)
            .where(approval.c.tenant == tenant)
            .order_by(approval.c.asked_at.desc(), approval.c.approval_id)
            .limit(200)
        )
        if undecided:
            statement = statement.where(approval.c.decided_at.is_(None))
        rows = await self._read(lambda on: list(on.execute(statement)))
        return [replace(approval_of(row), order_no=row.order_no or "") for row in rows]


def _newest(rows: Iterable[_Row]) -> Iterable[_Row]:
    return {row.case_id: row for row in rows}.values()


def _figures(
    connection: Connection, tenant: TenantId, now: int, day_start: int, unanswered: int
) -> Figures:
    created = case_.c.created_at
    bucket = case((created > now - _HOUR_US, 0), (created > now - _DAY_US, 1), else_=2)
    of_tenant = case_.c.tenant == tenant
    counts: dict[str, list[int]] = {}
    held = 0
    grouped = select(case_.c.stage, bucket, case_.c.is_held, func.count())
    for stage, age, is_held, count in connection.execute(
        grouped.where(of_tenant, IS_OPEN).group_by(case_.c.stage, bucket, case_.c.is_held)
    ):
        counts.setdefault(stage, [0, 0, 0])[age] += count
        held += count if is_held else 0
    finished = connection.execute(
        select(case_.c.stage, func.count())
        .where(of_tenant, created >= day_start, ~case_.c.is_open)
        .group_by(case_.c.stage)
    ).all()
    notices = (outbox.c.kind == EffectKind.NOTICE.value, outbox.c.tenant == tenant)
    undone = {
        stage: _count(connection, *notices, outbox.c.stage == stage) for stage in ("open", "parked")
    }
    order = {stage.value: place for place, stage in enumerate(CaseStage)}
    return Figures(
        at=now,
        open=tuple(
            StageAge(CaseStage(stage), *counts[stage])
            for stage in sorted(counts, key=order.__getitem__)
        ),
        finished_today={CaseStage(stage): count for stage, count in finished},
        held=held,
        unanswered=unanswered,
        late=_count(connection, of_tenant, IS_OPEN, case_.c.findings > 0, created < now - _DAY_US),
        parked_notices=undone["parked"],
        waiting_notices=undone["open"],
        parked_records=_count(
            connection, parked.c.tenant == tenant, parked.c.resolved_at.is_(None)
        ),
        approvals=_count(connection, approval.c.tenant == tenant, approval.c.decided_at.is_(None)),
    )


def _count(connection: Connection, *conditions: Any) -> int:  # Any: SQL expressions
    return int(connection.execute(select(func.count()).where(*conditions)).scalar_one())


_REFUSED: Final = (DeclarationStage.REJECTED.value, DeclarationStage.REFUSED.value)


def _trend(connection: Connection, tenant: TenantId, now: int) -> Trend:
    rows = connection.execute(
        select(case_.c.case_id, case_.c.created_at, case_.c.stage, case_.c.doc)
        .where(case_.c.tenant == tenant)
        .order_by(case_.c.created_at.desc(), case_.c.case_id.desc())
        .limit(_TREND_CASES)
    ).all()
    days: dict[str, list[int]] = {}
    causes: Counter[str] = Counter()
    for row in rows:
        day = datetime.fromtimestamp(row.created_at // 1_000_000, UTC).date().isoformat()
        doc = orjson.loads(row.doc)
        verdict = doc.get("verdict") or {}
        counted = days.setdefault(day, [0, 0])
        counted[0] += 1
        counted[1] += verdict.get("verdict") == "matched"
        for one in doc.get("declarations") or ():
            if one.get("stage") in _REFUSED:
                causes.update(one.get("codes") or ())
    ids = [row.case_id for row in rows if CaseStage(row.stage) in FINAL_STAGES][:_STEP_CASES]
    return Trend(
        at=now,
        cases=len(rows),
        days=tuple((day, *counted) for day, counted in sorted(days.items())),  # type: ignore[misc]
        causes=tuple(causes.most_common(10)),
        steps=tuple(_steps(connection, tenant, ids)),
    )


_STEPS: Final = (
    ("received", EventKind.PAPERS_RECEIVED),
    ("matched", EventKind.CASE_MATCHED),
    ("signed", EventKind.DECLARATION_CLAIMED),
    ("sent", EventKind.DECLARATION_SENDING),
    ("answered", EventKind.RECEIPT_RECORDED),
)


def _steps(
    connection: Connection, tenant: TenantId, ids: Sequence[str]
) -> Iterable[tuple[str, int]]:
    """Median microseconds from each step to the next, over finished cases."""
    first: dict[str, dict[str, int]] = {}
    for some in chunks(ids):
        rows = connection.execute(
            select(event.c.case_id, event.c.kind, func.min(event.c.at), func.max(event.c.at))
            .where(event.c.case_id.in_(some), event.c.tenant == tenant)
            .group_by(event.c.case_id, event.c.kind)
        )
        for case_id, kind, begun, ended in rows:
            times = first.setdefault(case_id, {})
            times[kind] = begun
            if kind == EventKind.RECEIPT_RECORDED.value:
                times["decided"] = ended
    named = [*_STEPS, ("decided", "decided")]
    for (_, before), (name, after) in pairwise(named):
        spans = [
            times[after] - times[before]
            for times in first.values()
            if before in times and after in times
        ]
        if spans:
            yield name, max(int(median(spans)), 0)


def _queue_items(
    connection: Connection, tenant: TenantId, ids: Sequence[CaseId]
) -> Iterable[QueueItem]:
    for some in chunks(ids):
        rows = connection.execute(
            select(*CASE_COLUMNS, case_.c.doc).where(
                case_.c.case_id.in_(some), case_.c.tenant == tenant
            )
        )
        for row in rows:
            state = state_from_doc(orjson.loads(row.doc))
            verdict = state.verdict
            listed = case_row(row)
            yield QueueItem(
                key=listed.key,
                stage=listed.stage,
                held=listed.held,
                version=listed.version,
                created_at=listed.created_at,
                updated_at=listed.updated_at,
                findings=verdict.findings if verdict else (),
                until=verdict.until if verdict else None,
                alarms=state.alarms,
            )


_AWAITING: Final = (CaseStage.SENT, CaseStage.WAITING_FILINGS, CaseStage.DECLARING)


def _unanswered(connection: Connection, tenant: TenantId) -> Iterable[Unanswered]:
    rows = connection.execute(
        select(*CASE_COLUMNS, case_.c.doc)
        .where(
            case_.c.tenant == tenant,
            IS_OPEN,
            case_.c.stage.in_([stage.value for stage in _AWAITING]),
            case_.c.doc.contains(f'"{DeclarationStage.UNKNOWN.value}"'),
        )
        .order_by(case_.c.created_at, case_.c.case_id)
        .limit(_UNANSWERED)
    ).all()
    looked = _lookups(connection, [row.case_id for row in rows])
    found = [
        Unanswered(listed.key, listed.stage, listed.version, one, looked.get(row.case_id, 0))
        for row in rows
        for listed in (case_row(row),)
        for one in state_from_doc(orjson.loads(row.doc)).declarations
        if one.stage is DeclarationStage.UNKNOWN
    ]
    planned = _planned(connection, {one.declaration.message_id for one in found})
    for one in found:
        yield replace(one, planned_at=planned.get(one.declaration.message_id))


def _planned(connection: Connection, messages: Set[str | None]) -> dict[str | None, int]:
    """When each message is looked at or sent next, of those of which anything is planned."""
    rows = connection.execute(
        select(outbox.c.ref, func.min(outbox.c.due_at))
        .where(
            outbox.c.stage == OutboxStage.OPEN.value,
            outbox.c.kind.in_([EffectKind.ANSWER.value, EffectKind.SEND.value]),
            outbox.c.ref.in_(sorted(filter(None, messages))),
        )
        .group_by(outbox.c.ref)
    )
    return {message_id: due_at for message_id, due_at in rows}


def _lookups(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    if not ids:
        return {}
    rows = connection.execute(
        select(console_log.c.subject, func.count())
        .where(console_log.c.subject.in_(ids), console_log.c.action == "looked_up")
        .group_by(console_log.c.subject)
    )
    return {subject: count for subject, count in rows}


def _notices(
    connection: Connection, tenant: TenantId, roles: frozenset[str], status: str, limit: int
) -> list[NoticeRow]:
    owners = select(endpoint.c.endpoint_id).where(
        endpoint.c.tenant == tenant, endpoint.c.role.in_(sorted(roles))
    )
    statement = select(outbox).where(
        outbox.c.kind == EffectKind.NOTICE.value,
        outbox.c.tenant == tenant,
        outbox.c.stage == status,
        outbox.c.group_key.in_(owners),
    )
    if status == "done":
        recent = (
            select(case_.c.case_id)
            .where(case_.c.tenant == tenant)
            .order_by(case_.c.created_at.desc())
            .limit(_RECENT_CASES)
        )
        statement = statement.where(outbox.c.case_id.in_(recent))
    order = outbox.c.due_at if status == "open" else outbox.c.done_at
    rows = connection.execute(statement.order_by(order.desc(), outbox.c.effect_id).limit(limit))
    return [notice_of(row) for row in rows]


def _messages(
    connection: Connection, tenant: TenantId, ids: Sequence[MessageId]
) -> tuple[list[MessageInfo], list[AttemptInfo]]:
    if not ids:
        return [], []
    columns = [column for column in message.c if column.name not in ("body", "wrapped_key")]
    rows = connection.execute(
        select(*columns).where(message.c.message_id.in_(ids), message.c.tenant == tenant)
    ).all()
    infos = [
        MessageInfo(
            message_id=MessageId(row.message_id),
            guid=row.guid,
            kind=row.kind,
            stage=row.stage,
            created_at=row.created_at,
            records=row.record_count,
            sha256=row.sha256.hex() if row.sha256 else None,
            certificate_serial=row.certificate_serial,
            signature_profile=row.signature_profile,
            detail=row.detail,
        )
        for row in rows
    ]
    own = [info.message_id for info in infos]
    tries = connection.execute(
        select(attempt)
        .where(attempt.c.message_id.in_(own))
        .order_by(attempt.c.opened_at, attempt.c.attempt)
    )
    return infos, [
        AttemptInfo(
            row.message_id,
            row.attempt,
            row.channel,
            row.opened_at,
            row.closed_at,
            row.outcome,
            row.detail,
        )
        for row in tries
    ]


def _history(
    connection: Connection, tenant: TenantId, wanted: HistoryFilter, limit: int
) -> list[StoredEvent]:
    key = (event.c.pos, event.c.case_id, event.c.seq)
    newest = select(event).where(event.c.tenant == tenant)
    if wanted.cases:
        newest = newest.where(event.c.case_id.in_(sorted(wanted.cases)))
    looks_further = wanted.kind or wanted.actor or wanted.since or wanted.until
    depth = _HISTORY if looks_further else limit
    newest = newest.order_by(*(column.desc() for column in key)).limit(depth)
    some = newest.subquery()
    statement = select(some, case_.c.order_no).join(case_, case_.c.case_id == some.c.case_id)
    if wanted.kind is not None:
        statement = statement.where(some.c.kind == wanted.kind)
    if wanted.actor is not None:
        named = orjson.dumps({"by": wanted.actor}).decode()[1:-1]
        statement = statement.where(some.c.payload.contains(named, autoescape=True))
    if wanted.since is not None:
        statement = statement.where(some.c.at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(some.c.at < wanted.until)
    order = (some.c.pos.desc(), some.c.case_id.desc(), some.c.seq.desc())
    rows = connection.execute(statement.order_by(*order).limit(limit))
    return [
        StoredEvent(
            cursor="",
            tenant=row.tenant,
            case_id=row.case_id,
            order_no=row.order_no,
            seq=row.seq,
            at=row.at,
            event=event_of(row.kind, row.payload),
            hash=row.hash,
        )
        for row in rows
    ]


def _check_case(connection: Connection, tenant: TenantId, case_id: CaseId) -> ChainReport:
    rows = connection.execute(
        select(event)
        .where(event.c.case_id == case_id, event.c.tenant == tenant)
        .order_by(event.c.seq)
    )
    seq, prev, newest = 0, GENESIS, None
    for row in rows:
        link = event_hash(prev, case_id, row.seq, row.kind, row.at, row.payload.encode())
        if row.seq != seq + 1 or row.prev_hash != prev or row.hash != link:
            return ChainReport(seq, seq + 1, newest)
        seq, prev, newest = row.seq, row.hash, row.at
    head = connection.execute(
        select(case_.c.seq, case_.c.head_hash).where(case_.c.case_id == case_id)
    ).first()
    is_whole = head is not None and head.seq == seq and head.head_hash == prev
    return ChainReport(seq, None if is_whole else seq + 1, newest)
