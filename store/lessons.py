"""The knowledge base, stored: events are learned from once, a part of the stream at a time.

A mark says how far. Learning takes the tenant's mark first, so two processes follow each other and
no event counts twice; what was learned and the mark are one commit.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, case, delete, select, tuple_

from gateway.domain.events import EventKind
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.lessons import Lesson, Lessons, Waiting
from gateway.ports.lessons import Learned
from store.access import Access
from store.changes import insert_into
from store.cursors import StreamPlace
from store.events import event_of
from store.lesson_tables import lesson, lesson_mark, lesson_open
from store.stream import SETTLED
from store.tables import event

_PART: Final = 1_000
"""How many events one transaction learns from: short enough to let orders pass."""
_TEACHES: Final = (EventKind.RECEIPT_RECORDED.value, EventKind.PAPERS_RECEIVED.value)
_BEGINNING: Final = StreamPlace(0, "", 0)


class StoredLessons:
    """Implements ``ports.lessons.LessonBook``."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def learn(self, tenant: TenantId, most: int) -> Learned:
        """Learn from the events that came since, at most about ``most`` of them, and tell all."""
        is_complete = False
        for _ in range(max(1, most // _PART)):
            if not await self._is_behind(tenant):
                is_complete = True
                break
            await self._access.execute(partial(learn_part, tenant))
        async with self._access.read() as reading:
            found = await reading.run_sync(partial(_lessons, tenant))
        return Learned(Lessons(found).all(), is_complete or not await self._is_behind(tenant))

    async def _is_behind(self, tenant: TenantId) -> bool:
        """Whether there is an event that was not learned from: asked without a write."""
        async with self._access.read() as reading:
            return await reading.run_sync(
                lambda on: bool(_events(on, tenant, _mark(on, tenant) or _BEGINNING, 1))
            )


def learn_part(tenant: TenantId, connection: Connection, size: int = _PART) -> int:
    """Learn from the next events of a tenant, in the transaction of the caller; how many."""
    beginning = {"tenant": tenant, **_BEGINNING._asdict()}
    statement = insert_into(connection, lesson_mark).values(beginning)
    connection.execute(statement.on_conflict_do_nothing())
    place = _mark(connection, tenant, is_taken=True)
    assert place is not None
    rows = _events(connection, tenant, place, size)
    if not rows:
        return 0
    cases = sorted({CaseId(row.case_id) for row in rows if row.payload is not None})
    before = {one.code: one for one in _lessons(tenant, connection)}
    waiting = _waiting(connection, cases)
    lessons = Lessons(before.values(), waiting)
    for row in rows:
        if row.payload is not None:
            lessons.add(CaseId(row.case_id), event_of(row.kind, row.payload))
    _keep_lessons(connection, tenant, lessons.all())
    _keep_waiting(connection, waiting, lessons.waiting)
    last = rows[-1]
    connection.execute(
        lesson_mark.update()
        .where(lesson_mark.c.tenant == tenant)
        .values(pos=last.pos, case_id=last.case_id, seq=last.seq)
    )
    return len(rows)


def _mark(
    connection: Connection, tenant: TenantId, *, is_taken: bool = False
) -> StreamPlace | None:
    columns = (lesson_mark.c.pos, lesson_mark.c.case_id, lesson_mark.c.seq)
    statement = select(*columns).where(lesson_mark.c.tenant == tenant)
    if is_taken:
        statement = statement.with_for_update()
    row = connection.execute(statement).one_or_none()
    return None if row is None else StreamPlace(*row)


def _events(
    connection: Connection, tenant: TenantId, place: StreamPlace, size: int
) -> Sequence[Row[*tuple[Any, ...]]]:
    """The next events; those that teach nothing come without their payload."""
    key = (event.c.pos, event.c.case_id, event.c.seq)
    payload = case((event.c.kind.in_(_TEACHES), event.c.payload), else_=None)
    statement = (
        select(*key, event.c.kind, payload.label("payload"))
        .where(event.c.tenant == tenant, tuple_(*key) > tuple(place))
        .order_by(*key)
        .limit(size)
    )
    if connection.dialect.name == "postgresql":
        statement = statement.where(SETTLED)
    return list(connection.execute(statement))


def _lessons(tenant: TenantId, connection: Connection) -> list[Lesson]:
    found: dict[str, Lesson] = {}
    for row in connection.execute(select(lesson).where(lesson.c.tenant == tenant)):
        one = found.setdefault(row.code, Lesson(row.code))
        if not row.change:
            one.seen = row.seen
            continue
        if row.helped:
            one.helped[row.change] = row.helped
        if row.failed:
            one.failed[row.change] = row.failed
    return list(found.values())


def _waiting(connection: Connection, cases: Sequence[CaseId]) -> dict[CaseId, dict[str, Waiting]]:
    found: dict[CaseId, dict[str, Waiting]] = {}
    if not cases:
        return found
    statement = select(lesson_open).where(lesson_open.c.case_id.in_(cases))
    for row in connection.execute(statement):
        codes, changes = orjson.loads(row.codes), orjson.loads(row.changes)
        found.setdefault(CaseId(row.case_id), {})[row.kind] = Waiting(tuple(codes), set(changes))
    return found


def _keep_lessons(connection: Connection, tenant: TenantId, lessons: Iterable[Lesson]) -> None:
    rows = []
    for one in lessons:
        key = {"tenant": tenant, "code": one.code}
        rows.append({**key, "change": "", "seen": one.seen, "helped": 0, "failed": 0})
        for change in sorted({*one.helped, *one.failed}):
            counts = {"helped": one.helped[change], "failed": one.failed[change]}
            rows.append({**key, "change": change, "seen": 0, **counts})
    if not rows:
        return
    statement = insert_into(connection, lesson)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=[lesson.c.tenant, lesson.c.code, lesson.c.change],
            set_={name: statement.excluded[name] for name in ("seen", "helped", "failed")},
        ),
        rows,
    )


def _keep_waiting(
    connection: Connection,
    before: Mapping[CaseId, Mapping[str, Waiting]],
    after: Mapping[CaseId, Mapping[str, Waiting]],
) -> None:
    """Replace what waits of the cases that were looked at."""
    if before:
        connection.execute(delete(lesson_open).where(lesson_open.c.case_id.in_(sorted(before))))
    rows = [
        {
            "case_id": name,
            "kind": kind,
            "codes": orjson.dumps(one.codes).decode(),
            "changes": orjson.dumps(sorted(one.changes)).decode(),
        }
        for name, kinds in sorted(after.items())
        for kind, one in kinds.items()
    ]
    if rows:
        connection.execute(lesson_open.insert(), rows)
