"""Notices as their owners see them: what waits, what was given up, and trying that again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, or_, select, update

from gateway.domain.ids import CaseId, EffectId, EndpointId, TenantId
from gateway.ports import Clock, Effect, EffectKind, NoticeRow, Page
from gateway.ports.mailbox import MOST_REPLAYED, NoticeFilter, NoticeStatus
from gateway.ports.master import KEEP_US
from store.access import Access
from store.cursors import ListPlace, list_place
from store.tables import OutboxStage, endpoint, outbox


def list_notices(
    connection: Connection, tenant: TenantId, wanted: NoticeFilter, after: str | None, limit: int
) -> Page[NoticeRow]:
    """Notices of a tenant, oldest first. Raises ``InvalidValue`` for a wrong cursor."""
    at = _time_of(wanted.status)
    statement = (
        select(outbox)
        .where(*_conditions(tenant, wanted))
        .order_by(at, outbox.c.effect_id)
        .limit(limit + 1)
    )
    if after is not None:
        place = list_place(after)
        later = and_(at == place.created_at, outbox.c.effect_id > place.case_id)
        statement = statement.where(or_(at > place.created_at, later))
    rows = connection.execute(statement).all()
    items = tuple(notice_of(row) for row in rows[:limit])
    cursor = None
    if len(rows) > limit:
        last = rows[limit - 1]
        moment = last.done_at if wanted.status is NoticeStatus.PARKED else last.due_at
        cursor = ListPlace(moment, last.effect_id).cursor
    return Page(items, cursor)


def replay_notices(
    connection: Connection, tenant: TenantId, wanted: NoticeFilter, now: int
) -> list[EffectId]:
    """Try parked notices again, oldest first, at most ``MOST_REPLAYED``; gives their ids.

    Those of an endpoint that is switched off stay parked. A notice keeps its id and its content,
    and is tried for as long as a new one.
    """
    conditions = _conditions(tenant, replace(wanted, status=NoticeStatus.PARKED))
    return _send_again(connection, tenant, conditions, OutboxStage.PARKED, now)


def resend_notices(
    connection: Connection, tenant: TenantId, ids: frozenset[EffectId], now: int
) -> list[EffectId]:
    """Send delivered notices once more, as a replay does with parked ones; gives their ids."""
    conditions = (
        outbox.c.tenant == tenant,
        outbox.c.kind == EffectKind.NOTICE.value,
        outbox.c.stage == OutboxStage.DONE.value,
        outbox.c.effect_id.in_(sorted(ids)),
    )
    return _send_again(connection, tenant, conditions, OutboxStage.DONE, now)


def _send_again(
    connection: Connection,
    tenant: TenantId,
    conditions: Sequence[ColumnElement[bool]],
    stage: OutboxStage,
    now: int,
) -> list[EffectId]:
    active = select(endpoint.c.endpoint_id, endpoint.c.url).where(
        endpoint.c.tenant == tenant, endpoint.c.is_active
    )
    is_pulled = {row.endpoint_id: not row.url for row in connection.execute(active)}
    statement = (
        select(outbox.c.effect_id, outbox.c.group_key, outbox.c.payload)
        .where(*conditions, outbox.c.group_key.in_(sorted(is_pulled)))
        .order_by(outbox.c.done_at, outbox.c.effect_id)
        .limit(MOST_REPLAYED)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(statement).all()
    if not rows:
        return []
    values = []
    for row in rows:
        due_at = now + KEEP_US if is_pulled[row.group_key] else now
        payload = {**orjson.loads(row.payload), "again_at": now}
        values.append({"one": row.effect_id, "due": due_at, "body": orjson.dumps(payload).decode()})
    connection.execute(
        update(outbox)
        .where(outbox.c.effect_id == bindparam("one"), outbox.c.stage == stage.value)
        .values(
            stage=OutboxStage.OPEN.value,
            done_at=None,
            detail=None,
            answer_code=None,
            answer_us=None,
            due_at=bindparam("due"),
            lease_until=bindparam("due"),
            payload=bindparam("body"),
        ),
        values,
    )
    return [EffectId(row.effect_id) for row in rows]


def _time_of(status: NoticeStatus) -> ColumnElement[int]:
    return outbox.c.done_at if status is NoticeStatus.PARKED else outbox.c.due_at


def _conditions(tenant: TenantId, wanted: NoticeFilter) -> Sequence[ColumnElement[bool]]:
    is_parked = wanted.status is NoticeStatus.PARKED
    stage = OutboxStage.PARKED if is_parked else OutboxStage.OPEN
    at = _time_of(wanted.status)
    found: list[ColumnElement[bool]] = [
        outbox.c.tenant == tenant,
        outbox.c.kind == EffectKind.NOTICE.value,
        outbox.c.stage == stage.value,
    ]
    if wanted.roles:
        mine = select(endpoint.c.endpoint_id).where(
            endpoint.c.tenant == tenant, endpoint.c.role.in_(sorted(wanted.roles))
        )
        found.append(outbox.c.group_key.in_(mine))
    if wanted.endpoint_id is not None:
        found.append(outbox.c.group_key == wanted.endpoint_id)
    if wanted.event_type is not None:
        found.append(outbox.c.ref == wanted.event_type)
    if wanted.since is not None:
        found.append(at >= wanted.since)
    if wanted.until is not None:
        found.append(at < wanted.until)
    if wanted.ids:
        found.append(outbox.c.effect_id.in_(sorted(wanted.ids)))
    return found


def notice_of(row: Row[*tuple[object, ...]]) -> NoticeRow:
    """The notice of a row with every column of ``outbox``."""
    values = row._mapping
    case_id, tenant = values["case_id"], values["tenant"]
    return NoticeRow(
        effect=Effect(
            effect_id=EffectId(values["effect_id"]),
            kind=EffectKind(values["kind"]),
            group=values["group_key"],
            due_at=values["due_at"],
            case_id=None if case_id is None else CaseId(case_id),
            tenant=TenantId(tenant),
            ref=values["ref"],
            payload=orjson.loads(values["payload"]),
            attempt=values["attempt"],
        ),
        endpoint_id=EndpointId(values["group_key"]),
        status=values["stage"],
        detail=values["detail"] or "",
        done_at=values["done_at"],
        acked_at=values["acked_at"],
        answer_code=values["answer_code"],
        answer_us=values["answer_us"],
    )


@dataclass(frozen=True, slots=True)
class SqlMailbox:
    """Implements ``ports.mailbox.Mailbox`` over the rows alone."""

    access: Access
    clock: Clock

    async def listing(
        self, tenant: TenantId, wanted: NoticeFilter, after: str | None, limit: int
    ) -> Page[NoticeRow]:
        """A page of notices, oldest first. Raises ``InvalidValue`` for a wrong cursor."""
        async with self.access.read() as reading:
            return await reading.run_sync(lambda on: list_notices(on, tenant, wanted, after, limit))

    async def replay(self, tenant: TenantId, wanted: NoticeFilter) -> list[EffectId]:
        """Try parked notices again; gives their ids."""
        now = self.clock.now()
        return await self.access.execute(lambda on: replay_notices(on, tenant, wanted, now))
