"""Answers kept by idempotency key: the row's primary key is the lock between twins.

A turn that nobody ends passes on after a while, and at once when its process is known to be dead.
Answers are sealed: they may hold a secret that is shown once. Expired rows go with later requests,
a few at a time.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import orjson
from sqlalchemy import ColumnElement, Connection, delete, select, update

from gateway.domain.ids import TenantId
from gateway.ports import Begun, Clock, KeptAnswer, Lookup, Rng, Turn
from store.changes import insert_into
from store.crypto import StoreKeys
from store.roll import is_gone
from store.tables import idempotency

KEPT_US: Final = 8 * 24 * 3600 * 1_000_000
TURN_US: Final = 120 * 1_000_000
_PURGE_EVERY_US: Final = 60 * 1_000_000
_PURGED_AT_ONCE: Final = 500
_TABLE: Final = "idempotency"
# One lane for all, so that the rows are locked in one order.
_LANE: Final = "idempotency"

T = TypeVar("T")


class Joins(Protocol):
    """A store whose group commits further work may join."""

    async def join(self, function: Callable[[Connection, int], T], lane: str) -> T:
        """The result of a function over the connection and the time, after the commit."""
        ...


class KeptAnswers:
    """Implements ``ports.AnswerBook``."""

    def __init__(
        self, store: Joins, keys: StoreKeys, clock: Clock, rng: Rng, process: str | None = None
    ) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._rng = rng
        self._process = process
        self._purge_at = 0

    async def begin(self, tenant: TenantId, scope: str, request: bytes) -> Begun:
        """Take the turn for a scope, or learn why not."""
        key_hash = self._hash(scope)
        now = self._clock.now()
        purge = now >= self._purge_at
        if purge:
            self._purge_at = now + _PURGE_EVERY_US

        def begin(connection: Connection, _: int) -> Begun:
            if purge:
                _purge(connection, now)
            return self._begin(connection, tenant, key_hash, request, now)

        return await self._store.join(begin, _LANE)

    async def keep(self, scope: str, attempt: int, answer: KeptAnswer) -> None:
        """Keep the answer of a turn; ignored when the turn has passed to somebody else."""
        key_hash = self._hash(scope)
        head = orjson.dumps([answer.status, answer.media, dict(answer.headers)])
        sealed = self._keys.seal_secret(
            _TABLE, key_hash.hex(), head + b"\n" + answer.body, self._rng
        )
        values = {"body": sealed, "expires_at": self._clock.now() + KEPT_US}
        statement = update(idempotency).where(*_turn(key_hash, attempt)).values(values)
        await self._store.join(partial(_run, statement), _LANE)

    async def give_back(self, scope: str, attempt: int) -> None:
        """Nothing was done: the key is free again."""
        statement = delete(idempotency).where(*_turn(self._hash(scope), attempt))
        await self._store.join(partial(_run, statement), _LANE)

    def _hash(self, scope: str) -> bytes:
        return self._keys.lookup_hash(Lookup(_TABLE, scope))

    def _begin(
        self, connection: Connection, tenant: TenantId, key_hash: bytes, request: bytes, now: int
    ) -> Begun:
        fresh = {
            "tenant": tenant,
            "request": request,
            "lease_until": now + TURN_US,
            "expires_at": now + KEPT_US,
            "body": None,
            "held_by": self._process,
        }
        made = connection.execute(
            insert_into(connection, idempotency)
            .values(key_hash=key_hash, attempt=1, **fresh)
            .on_conflict_do_nothing(index_elements=["key_hash"])
        )
        if made.rowcount == 1:
            return Begun(Turn.OURS, 1)
        row = connection.execute(
            select(idempotency).where(idempotency.c.key_hash == key_hash)
        ).one()
        is_over = row.expires_at <= now
        if not is_over and bytes(row.request) != request:
            return Begun(Turn.DIFFERS)
        if not is_over and row.body is not None:
            return Begun(Turn.KEPT, row.attempt, self._answer(key_hash, row.body))
        is_live = row.lease_until > now and not is_gone(connection, row.held_by, self._process)
        if not is_over and is_live:
            return Begun(Turn.BUSY)
        attempt = row.attempt + 1
        taken = connection.execute(
            update(idempotency)
            .where(idempotency.c.key_hash == key_hash, idempotency.c.attempt == row.attempt)
            .values(attempt=attempt, **fresh)
        )
        return Begun(Turn.OURS, attempt) if taken.rowcount == 1 else Begun(Turn.BUSY)

    def _answer(self, key_hash: bytes, sealed: bytes) -> KeptAnswer:
        whole = self._keys.open_secret(_TABLE, key_hash.hex(), bytes(sealed))
        head, _, body = whole.partition(b"\n")
        status, media, headers = orjson.loads(head)
        return KeptAnswer(status, media, body, headers)


def _turn(key_hash: bytes, attempt: int) -> tuple[ColumnElement[bool], ...]:
    """The row of a turn that has no answer yet."""
    columns = idempotency.c
    return (columns.key_hash == key_hash, columns.attempt == attempt, columns.body.is_(None))


def _run(statement: Any, connection: Connection, _: int) -> None:
    """Run one statement (Any: an update or a delete)."""
    connection.execute(statement)


def _purge(connection: Connection, now: int) -> None:
    over = (
        select(idempotency.c.key_hash)
        .where(idempotency.c.expires_at <= now)
        .order_by(idempotency.c.expires_at)
        .limit(_PURGED_AT_ONCE)
    )
    connection.execute(delete(idempotency).where(idempotency.c.key_hash.in_(over)))
