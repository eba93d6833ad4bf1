"""Inbox and outbox as an operator sees them: how much stands where, and since when."""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from gateway.ports import EffectKind
from store.crypto import StoreKeys
from store.submissions import waiting_submissions
from store.tables import case_, endpoint, inbox, outbox, parked


@dataclass(frozen=True, slots=True)
class OutboxCount:
    """Effects of one kind at one stage; ``oldest`` is when the oldest became due."""

    kind: str
    stage: str
    count: int
    oldest: int


@dataclass(frozen=True, slots=True)
class InboxCount:
    """Receipt files of one channel at one stage; ``oldest`` and ``newest`` are times received."""

    channel: str
    stage: str
    count: int
    oldest: int
    newest: int


@dataclass(frozen=True, slots=True)
class Queues:
    """What is open in the whole deployment: gauges for metrics.

    ``due`` counts effects by kind that are due and nobody holds, ``late_us`` how long the oldest of
    them has been so; ``parked`` counts effects, receipt files and records that wait for a person.
    """

    due: dict[str, int]
    late_us: int
    receipts: int
    submissions: int
    parked: dict[str, int]
    endpoints_off: int
    open_cases: int


def left_declarations(connection: Connection, now: int, most: int) -> int:
    """How many planned declarations are due and were never begun by a worker, counted up to
    ``most``. What a paused channel holds back was begun, so it does not count.
    """
    rows = (
        select(outbox.c.effect_id)
        .where(
            outbox.c.stage == "open",
            outbox.c.kind == EffectKind.DECLARE.value,
            outbox.c.lease_until <= now,
            outbox.c.attempt == 0,
        )
        .limit(most)
    )
    return connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()


def outbox_counts(connection: Connection) -> list[OutboxCount]:
    """Every kind and stage of the outbox; reads the whole of it."""
    rows = connection.execute(
        select(outbox.c.kind, outbox.c.stage, func.count(), func.min(outbox.c.due_at))
        .group_by(outbox.c.kind, outbox.c.stage)
        .order_by(outbox.c.kind, outbox.c.stage)
    )
    return [OutboxCount(*row) for row in rows]


def inbox_counts(connection: Connection) -> list[InboxCount]:
    """Every channel and stage of the inbox; reads the whole of it."""
    received = inbox.c.received_at
    rows = connection.execute(
        select(inbox.c.channel, inbox.c.stage, func.count(), func.min(received), func.max(received))
        .group_by(inbox.c.channel, inbox.c.stage)
        .order_by(inbox.c.channel, inbox.c.stage)
    )
    return [InboxCount(*row) for row in rows]


def queues(connection: Connection, now: int) -> Queues:
    """The gauges; reads only what partial indexes lead to."""
    is_due = (outbox.c.stage == "open", outbox.c.lease_until <= now)
    due = connection.execute(
        select(outbox.c.kind, func.count(), func.min(outbox.c.lease_until))
        .where(*is_due)
        .group_by(outbox.c.kind)
    ).all()
    oldest = min((row[2] for row in due), default=now)
    receipts = select(func.count()).select_from(inbox).where(inbox.c.stage == "new")
    effects = select(func.count()).select_from(outbox).where(outbox.c.stage == "parked")
    records = select(func.count()).select_from(parked).where(parked.c.resolved_at.is_(None))
    off = select(func.count()).select_from(endpoint).where(~endpoint.c.is_active)
    cases = select(func.count()).select_from(case_).where(case_.c.is_open)
    return Queues(
        due={row[0]: row[1] for row in due},
        late_us=now - oldest,
        receipts=connection.execute(receipts).scalar_one(),
        submissions=waiting_submissions(connection),
        parked={
            "effects": connection.execute(effects).scalar_one(),
            "records": connection.execute(records).scalar_one(),
        },
        endpoints_off=connection.execute(off).scalar_one(),
        open_cases=connection.execute(cases).scalar_one(),
    )


def inbox_has(connection: Connection, channel: str, body: bytes) -> bool:
    """Whether a channel gave exactly these bytes."""
    digest = hashlib.sha256(body).digest()
    found = select(inbox.c.receipt_id).where(inbox.c.channel == channel, inbox.c.sha256 == digest)
    return connection.execute(found).first() is not None


def inbox_since(connection: Connection, keys: StoreKeys, channel: str, since: int) -> list[bytes]:
    """The bodies of the files that a channel gave since a moment (UTC microseconds). Reads through
    the whole table: no index knows when a file came.
    """
    rows = connection.execute(
        select(inbox.c.receipt_id, inbox.c.wrapped_key, inbox.c.body).where(
            inbox.c.channel == channel,
            inbox.c.received_at >= since,
            inbox.c.wrapped_key.is_not(None),
        )
    )
    return [
        keys.unwrap("inbox", row.receipt_id, row.wrapped_key).open(
            "inbox", row.receipt_id, row.body
        )
        for row in rows
    ]
