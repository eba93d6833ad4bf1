"""What people did in the console, stored: an append-only table with a hash chain of its own."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Select, insert, select

from gateway.domain.errors import InvalidValue
from gateway.ports import Clock, Page
from gateway.ports.people import ChainReport, LogEntry, LogFilter
from store.access import Access
from store.changes import take_counter
from store.console_tables import console_log
from store.events import GENESIS, canonical_json

COUNTER: Final = "console_log"
_PART: Final = 2_000


def _link(prev: bytes, seq: int, at: int, words: tuple[str | None, ...], detail: str) -> bytes:
    text = "\n".join([str(seq), str(at), *(word or "" for word in words), detail])
    return hashlib.sha256(prev + text.encode()).digest()


def append_entry(
    connection: Connection,
    now: int,
    words: tuple[str | None, str, str, str | None],
    detail: Mapping[str, Any],
) -> None:
    """Add an entry (tenant, actor, action, subject) to the chain (Any: details vary by action)."""
    take_counter(connection, COUNTER)
    last = connection.execute(
        select(console_log.c.seq, console_log.c.hash).order_by(console_log.c.seq.desc()).limit(1)
    ).first()
    seq, prev = (last.seq + 1, last.hash) if last else (1, GENESIS)
    tenant, actor, action, subject = words
    text = canonical_json(detail).decode()
    connection.execute(
        insert(console_log).values(
            seq=seq,
            at=now,
            tenant=tenant,
            actor=actor,
            action=action,
            subject=subject,
            detail=text,
            prev_hash=prev,
            hash=_link(prev, seq, now, words, text),
        )
    )


class SqlConsoleLog:
    """Implements ``ports.people.ConsoleLog``."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock

    async def note(
        self,
        tenant: str | None,
        actor: str,
        action: str,
        subject: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an entry; it is stored when this returns."""
        now = self._clock.now()
        words = (tenant, actor, action, subject)
        await self._access.execute(lambda on: append_entry(on, now, words, detail or {}))

    async def entries(
        self, tenant: str | None, wanted: LogFilter, after: str | None, limit: int
    ) -> Page[LogEntry]:
        """A page of entries, newest first. Raises ``InvalidValue`` for a foreign cursor."""
        table = console_log.c
        statement = select(console_log).order_by(table.seq.desc()).limit(limit + 1)
        if after is not None:
            if not after.isdecimal() or len(after) > 12:
                raise InvalidValue("after", "is not a cursor of this list; leave it out to begin")
            statement = statement.where(table.seq < int(after))
        if tenant is not None:
            statement = statement.where(table.tenant == tenant)
        for column, value in (
            (table.actor, wanted.actor),
            (table.action, wanted.action),
        ):
            if value is not None:
                statement = statement.where(column == value)
        if wanted.subjects:
            statement = statement.where(table.subject.in_(sorted(wanted.subjects)))
        if wanted.since is not None:
            statement = statement.where(table.at >= wanted.since)
        if wanted.until is not None:
            statement = statement.where(table.at < wanted.until)
        async with self._access.read() as reading:
            rows = await reading.run_sync(lambda on: list(on.execute(statement)))
        shown = tuple(_entry(row) for row in rows[:limit])
        return Page(shown, str(shown[-1].seq) if len(rows) > limit else None)

    async def check(self) -> ChainReport:
        """Walk the whole chain, a part at a time."""
        seq, prev, newest = 0, GENESIS, None
        while True:
            statement = (
                select(console_log)
                .where(console_log.c.seq > seq)
                .order_by(console_log.c.seq)
                .limit(_PART)
            )
            async with self._access.read() as reading:
                rows = await reading.run_sync(partial(_rows, statement))
            for row in rows:
                words = (row.tenant, row.actor, row.action, row.subject)
                link = _link(prev, row.seq, row.at, words, row.detail)
                if row.seq != seq + 1 or row.prev_hash != prev or row.hash != link:
                    return ChainReport(seq, seq + 1, newest)
                seq, prev, newest = row.seq, row.hash, row.at
            if len(rows) < _PART:
                return ChainReport(seq, None, newest)


def _rows(statement: Select[*tuple[Any, ...]], connection: Connection) -> list[Any]:
    return list(connection.execute(statement))


def _entry(row: Any) -> LogEntry:  # Any: a row holds whatever its columns hold
    return LogEntry(
        seq=row.seq,
        at=row.at,
        tenant=row.tenant,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=orjson.loads(row.detail),
        hash=row.hash,
    )
