"""The stream of events: pages after a place, and events of one kind from a time on."""

from typing import Any, Final

from sqlalchemy import Connection, Row, Select, func, select, text, tuple_

from gateway.domain.events import EventKind
from gateway.domain.ids import TenantId
from gateway.ports import StoredEvent
from store.cursors import StreamPlace
from store.events import event_of
from store.tables import case_, event

EVENT_COLUMNS: Final = (
    event.c.pos,
    event.c.case_id,
    event.c.seq,
    event.c.tenant,
    event.c.kind,
    event.c.payload,
    event.c.at,
    event.c.hash,
)
# A transaction that is still open may yet commit rows below this; what lies before is settled.
SETTLED: Final = text(
    "event.pos < CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"
)

# The stream follows the times of its events about: commits and the clocks of hosts differ by less.
_ABOUT_US: Final = 10 * 60 * 1_000_000
# Any: columns of differing types.
_Row = Row[*tuple[Any, ...]]
_Select = Select[*tuple[Any, ...]]
_KEY: Final = (event.c.pos, event.c.case_id, event.c.seq)


def read_stream(
    tenant: TenantId, place: StreamPlace | None, size: int, connection: Connection
) -> list[_Row]:
    """The rows of the stream after a place."""
    return list(connection.execute(_after(_page(tenant, size), place, connection)))


def read_kind_since(
    tenant: TenantId,
    kind: EventKind,
    since: int,
    place: StreamPlace | None,
    size: int,
    connection: Connection,
) -> list[_Row]:
    """The rows of one kind recorded at a time (UTC microseconds) and later, after a place."""
    start = place or _place_of(tenant, since - _ABOUT_US, connection)
    if start is None:
        return []
    wanted = _page(tenant, size).where(event.c.kind == kind.value, event.c.at >= since)
    return list(connection.execute(_after(wanted, start, connection)))


def _page(tenant: TenantId, size: int) -> _Select:
    return (
        select(*EVENT_COLUMNS, case_.c.order_no)
        .join(case_, case_.c.case_id == event.c.case_id)
        .where(event.c.tenant == tenant)
        .order_by(*_KEY)
        .limit(size)
    )


def _after(statement: _Select, place: StreamPlace | None, connection: Connection) -> _Select:
    if place is not None:
        statement = statement.where(tuple_(*_KEY) > tuple(place))
    if connection.dialect.name == "postgresql":
        statement = statement.where(SETTLED)
    return statement


def _place_of(tenant: TenantId, at: int, connection: Connection) -> StreamPlace | None:
    """A place before every event of a time and later: halving the stream, one row a step."""
    ends = select(func.min(event.c.pos), func.max(event.c.pos)).where(event.c.tenant == tenant)
    low, high = connection.execute(ends).one()
    if low is None:
        return None
    low -= 1
    while low < high:
        middle = (low + high) // 2
        row = connection.execute(
            select(event.c.pos, event.c.at)
            .where(event.c.tenant == tenant, event.c.pos > middle)
            .order_by(*_KEY)
            .limit(1)
        ).one()
        if row.at < at:
            low = row.pos
        else:
            high = middle
    return StreamPlace(low + 1, "", 0)


def stored_event(row: _Row, order_no: str) -> StoredEvent:
    """The event of a row."""
    return StoredEvent(
        cursor=StreamPlace(row.pos, row.case_id, row.seq).cursor,
        tenant=row.tenant,
        case_id=row.case_id,
        order_no=order_no,
        seq=row.seq,
        at=row.at,
        event=event_of(row.kind, row.payload),
        hash=row.hash,
    )
