"""Facts for the watchdog's report: answers with their times, open cases, queues. Reads only."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import ColumnElement, Connection, FromClause, Row, exists, func, or_, select, text

from gateway.domain.case import CaseStage, CaseState
from gateway.domain.codec import state_from_doc
from gateway.domain.declaration import DeclarationKind
from gateway.domain.events import EventKind
from gateway.domain.ids import CaseId, ProfileId, TenantId
from gateway.domain.lifecycle import FINAL_STAGES
from gateway.flow.return_watch import RETURNS
from gateway.ports import EffectKind, MessageStage
from store.read_models import IS_OPEN
from store.tables import OutboxStage, case_, declaration, event, message, outbox

MOST_EVENTS: Final = 200_000
_MOST_DAYS: Final = 200
_MOST_CASES: Final = 20_000
_S: Final = CaseStage
_TO_SEND: Final = tuple(one.value for one in (_S.MATCHED, _S.READY, _S.DECLARING))
_AT_CUSTOMS: Final = tuple(
    one.value
    for one in (
        *(_S.WAITING_FILINGS, _S.SENT, _S.LODGED, _S.ACCEPTED, _S.IN_REVIEW, _S.APPROVED),
        *(_S.INSPECTION, _S.SUSPENDED, _S.CANCELLING),
    )
)
_UNSENT: Final = tuple(
    one.value for one in (MessageStage.CLAIMED, MessageStage.SIGNED, MessageStage.NOT_HANDED_OVER)
)

# Any: a row holds whatever its columns hold.
_Row = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: the profile it came under, to what, the word, and how long it took (us)."""

    profile_id: str
    kind: DeclarationKind
    reached: str
    took_us: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """One open case that waits for customs."""

    case_id: CaseId
    order_no: str
    profile_id: str
    state: CaseState
    updated_at: int


def _newest(tenant: TenantId) -> FromClause:
    """The newest events of a tenant, of any kind: read off the end of the stream's index.

    The bound is on what is looked at, not on what is found, so that the length of the history does
    not matter.
    """
    columns = event.c
    return (
        select(columns.case_id, columns.seq, columns.kind, columns.payload, columns.at)
        .where(columns.tenant == tenant)
        .order_by(columns.pos.desc(), columns.case_id.desc(), columns.seq.desc())
        .limit(MOST_EVENTS)
        .subquery("newest")
    )


def answers(connection: Connection, tenant: TenantId, since: int) -> list[Answered]:
    """The first answers of each kind since a moment, of the newest events."""
    kinds = (EventKind.DECLARATION_SENDING.value, EventKind.RECEIPT_RECORDED.value)
    newest = _newest(tenant)
    rows = connection.execute(
        select(newest, case_.c.profile_id)
        .join(case_, case_.c.case_id == newest.c.case_id)
        .where(newest.c.at >= since, newest.c.kind.in_(kinds))
        .order_by(newest.c.case_id, newest.c.seq)
    )
    return list(_answered(rows))


def _answered(rows: Iterator[_Row] | Any) -> Iterator[Answered]:
    """Each answer after its sending; the rows of a case follow each other (Any: a result)."""
    sent: dict[tuple[str, int], int] = {}
    seen: set[tuple[str, int, str]] = set()
    case_id = ""
    for row in rows:
        if row.case_id != case_id:
            case_id = row.case_id
            sent.clear()
            seen.clear()
        payload = orjson.loads(row.payload)
        if row.kind == EventKind.DECLARATION_SENDING.value:
            sent.setdefault((payload["kind"], payload["version"]), row.at)
            continue
        key = payload.get("kind"), payload.get("version")
        word = payload.get("word")
        if key in sent and word and (*key, word) not in seen:
            seen.add((*key, word))
            yield Answered(row.profile_id, DeclarationKind(key[0]), word, row.at - sent[key])


def waiting(connection: Connection, tenant: TenantId) -> list[Waiting]:
    """Open cases at customs, oldest first, at most 20,000."""
    rows = connection.execute(
        select(
            case_.c.case_id, case_.c.order_no, case_.c.profile_id, case_.c.doc, case_.c.updated_at
        )
        .where(
            case_.c.tenant == tenant,
            IS_OPEN,
            case_.c.stage.in_(_AT_CUSTOMS),
        )
        .order_by(case_.c.created_at, case_.c.case_id)
        .limit(_MOST_CASES)
    )
    return [
        Waiting(
            CaseId(row.case_id),
            row.order_no,
            row.profile_id,
            state_from_doc(orjson.loads(row.doc)),
            row.updated_at,
        )
        for row in rows
    ]


class Queues(NamedTuple):
    """Open cases by profile: what is still to be sent, and what waits for customs."""

    to_send: dict[str, int]
    at_customs: dict[str, int]


def queues(connection: Connection, tenant: TenantId) -> Queues:
    """How many cases stand in each queue, the held ones left out: nobody works on those.

    A case of which something is planned and not sent waits for us, whatever else of it is at
    customs; but a list gathers parcels until its time.
    """
    rows = connection.execute(
        select(case_.c.profile_id, case_.c.stage.in_(_AT_CUSTOMS) & ~_is_unsent(), func.count())
        .where(
            case_.c.tenant == tenant,
            IS_OPEN,
            case_.c.is_held.is_(False),
            case_.c.stage.in_([*_TO_SEND, *_AT_CUSTOMS]),
        )
        .group_by(text("1"), text("2"))
    )
    found = Queues({}, {})
    for profile_id, is_at_customs, count in rows:
        (found.at_customs if is_at_customs else found.to_send)[profile_id] = count
    return found


def _is_unsent() -> ColumnElement[bool]:
    """Whether a declaration of a case is planned, or stands in a message that is not handed over.

    What waits for a maintenance window to end is put off, and is not sent either.
    """
    gathers = or_(*(outbox.c.ref.startswith(f"{one}/") for one in DeclarationKind if one.is_list))
    planned = exists().where(
        outbox.c.case_id == case_.c.case_id,
        outbox.c.stage == OutboxStage.OPEN.value,
        outbox.c.kind == EffectKind.DECLARE.value,
        ~gathers,
    )
    taken = exists().where(
        declaration.c.case_id == case_.c.case_id,
        message.c.message_id == declaration.c.message_id,
        message.c.stage.in_(_UNSENT),
    )
    return planned | taken


def held_by(connection: Connection, tenant: TenantId, profile_id: ProfileId, who: str) -> int:
    """How many open cases of a profile somebody holds."""
    held = orjson.dumps({"hold": [who]})[1:-2].decode()
    return connection.execute(
        select(func.count()).where(
            case_.c.tenant == tenant,
            IS_OPEN,
            case_.c.is_held,
            case_.c.profile_id == profile_id,
            case_.c.doc.contains(held, autoescape=True),
        )
    ).scalar_one()


class Moved(NamedTuple):
    """By profile, inventories sent and cases that became final, since ``since``."""

    sent: dict[str, int]
    final: dict[str, int]
    since: int


def moved_counts(connection: Connection, tenant: TenantId, since: int) -> Moved:
    """What moved since a moment, or since the oldest of the newest events where that is later."""
    newest = _newest(tenant)
    count, oldest = connection.execute(select(func.count(), func.min(newest.c.at))).one()
    if count == MOST_EVENTS:
        since = max(since, oldest)
    sent = connection.execute(
        select(case_.c.profile_id, func.count(func.distinct(newest.c.case_id)))
        .join(case_, case_.c.case_id == newest.c.case_id)
        .where(
            newest.c.at >= since,
            newest.c.kind == EventKind.DECLARATION_SENDING.value,
            newest.c.payload.like('%"kind":"inventory"%'),
        )
        .group_by(case_.c.profile_id)
    )
    final = connection.execute(
        select(case_.c.profile_id, func.count(func.distinct(newest.c.case_id)))
        .join(case_, case_.c.case_id == newest.c.case_id)
        .where(
            newest.c.at >= since,
            newest.c.kind.in_((EventKind.RECEIPT_RECORDED.value, EventKind.CASE_ASKED.value)),
            case_.c.stage.in_(sorted(one.value for one in FINAL_STAGES)),
        )
        .group_by(case_.c.profile_id)
    )
    return Moved({row[0]: row[1] for row in sent}, {row[0]: row[1] for row in final}, since)


class ReturnDay(NamedTuple):
    """A day of a return that is still watched: of which case, what is told, and when."""

    case_id: str
    order_no: str
    alarm: str
    due_at: int


def return_dates(connection: Connection, tenant: TenantId) -> list[ReturnDay]:
    """The days of returns that come next, at most 200."""
    rows = connection.execute(
        select(outbox.c.case_id, case_.c.order_no, outbox.c.ref, outbox.c.due_at)
        .join(case_, case_.c.case_id == outbox.c.case_id)
        .where(
            outbox.c.stage == OutboxStage.OPEN.value,
            outbox.c.kind == EffectKind.DEADLINE.value,
            outbox.c.group_key == RETURNS,
            outbox.c.tenant == tenant,
        )
        .order_by(outbox.c.lease_until)
        .limit(_MOST_DAYS)
    )
    return [ReturnDay(*row) for row in rows]
