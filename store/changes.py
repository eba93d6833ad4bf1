"""Change counters: how a process learns cheaply that somebody else wrote.

A counter is one row of ``meta``. Every change writes a note of what changed into one of the
counter's slots; a reader that is not too far behind reads only those notes, any other reloads all.
Whoever writes takes the counter's row first, so writers of one subject follow each other.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sqlalchemy import Connection, Insert, Table, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from gateway.domain.errors import Retry, StoreError
from gateway.ports import Clock
from store.tables import meta

SLOTS: Final = 128


async def follow(refresh: Callable[[], Awaitable[object]], clock: Clock, every_s: float) -> None:
    """Refresh for ever; while the database is away, what was read last goes on holding.

    What no waiting can mend (a secret that does not open) is raised.
    """
    while True:
        await clock.sleep(every_s)
        try:
            await refresh()
        except StoreError as fault:
            if fault.retry is Retry.NEVER:
                raise
        except (SQLAlchemyError, OSError):
            continue


def insert_into(connection: Connection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT that knows ``ON CONFLICT`` in the dialect of a connection."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def take_counter(connection: Connection, name: str) -> int:
    """Lock a counter until the end of the transaction; its value, 0 at first."""
    if not _touch(connection, name):
        connection.execute(_missing(connection, name))
        _touch(connection, name)
    return read_counter(connection, name)


def read_counter(connection: Connection, name: str) -> int:
    """The value of a counter: equal values mean that nothing changed."""
    found = connection.execute(select(meta.c.value).where(meta.c.name == name)).scalar()
    return int(found) if found else 0


def raise_counter(connection: Connection, name: str, notes: Sequence[str]) -> int:
    """Count one change for each note, on a counter that was taken; gives the new value."""
    value = read_counter(connection, name)
    rows = []
    for note in notes:
        value += 1
        rows.append({"name": _slot(name, value), "value": f"{value} {note}"})
    if rows:
        statement = insert_into(connection, meta)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[meta.c.name], set_={"value": statement.excluded.value}
            ),
            rows[-SLOTS:],
        )
        connection.execute(update(meta).where(meta.c.name == name).values(value=str(value)))
    return value


def notes_between(connection: Connection, name: str, seen: int, value: int) -> list[str] | None:
    """The notes of the changes after ``seen`` up to ``value``; None when no longer kept."""
    if not 0 <= value - seen <= SLOTS:
        return None
    wanted = {_slot(name, number): number for number in range(seen + 1, value + 1)}
    rows = connection.execute(select(meta.c.name, meta.c.value).where(meta.c.name.in_(wanted)))
    notes: dict[int, str] = {}
    for slot, text in rows:
        number, _, note = text.partition(" ")
        if int(number) != wanted[slot]:
            return None
        notes[wanted[slot]] = note
    if len(notes) != len(wanted):
        return None
    return [notes[number] for number in sorted(notes)]


def _slot(name: str, number: int) -> str:
    return f"{name}.{number % SLOTS}"


def _touch(connection: Connection, name: str) -> bool:
    statement = update(meta).where(meta.c.name == name).values(value=meta.c.value)
    return bool(connection.execute(statement).rowcount)


def _missing(connection: Connection, name: str) -> Insert:
    statement = insert_into(connection, meta).values(name=name, value="0")
    return statement.on_conflict_do_nothing(index_elements=[meta.c.name])
