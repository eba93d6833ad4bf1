"""Statements: the same rows through the texts of SQLite; the shape of those for PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, create_engine

from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId
from store.catalogue import Composer, Dialect
from store.events import GENESIS, canonical_json, chain_rows, event_hash, event_of
from store.types import id_text

THING = Table(
    "thing",
    MetaData(),
    Column("kind", id_text(), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("size", Integer),
)
LITE, POSTGRES = Composer(Dialect.SQLITE), Composer(Dialect.POSTGRESQL)


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        THING.create(connection)
        yield connection
    engine.dispose()


@pytest.mark.parametrize("count", [0, 1, 3, 70, 1_500])
def test_rows_come_back_sorted_by_key(connection: Connection, count: int) -> None:
    rows = [("k", number, number * 2) for number in range(count)]
    assert LITE.insert(THING, ("kind", "number", "size")).run(connection, rows[::-1]) == count
    select = LITE.select(THING, ("kind", "number"), ("kind", "number", "size"))
    keys = [row[:2] for row in rows]
    assert select.run(connection, [*keys, ("none", 1)]) == rows


def test_an_update_counts_what_fits_its_guard(connection: Connection) -> None:
    LITE.insert(THING, ("kind", "number", "size")).run(connection, [("a", 1, 5), ("b", 2, 5)])
    update = LITE.update(THING, ("kind", "number"), ("number", "size"), condition="thing.size = 5")
    assert update.run(connection, [("a", 1, 2, 6), ("b", 9, 3, 6)]) == 1
    assert update.run(connection, [("a", 2, 3, 7)]) == 0
    select = LITE.select(THING, ("kind",), ("kind", "number", "size"))
    assert select.run(connection, [("a",), ("b",)]) == [("a", 2, 6), ("b", 2, 5)]


def test_an_insert_or_nothing_counts_what_is_new(connection: Connection) -> None:
    insert = LITE.insert(THING, ("kind", "number", "size"), or_nothing=True)
    assert insert.run(connection, [("a", 1, 1), ("b", 1, 1)]) == 2
    assert insert.run(connection, [("b", 1, 2), ("c", 1, 2)]) == 1
    assert LITE.delete(THING, ("kind",)).run(connection, [("a",), ("b",), ("x",)]) == 2


def test_every_key_of_a_postgresql_statement_comes_from_unnest() -> None:
    source = "unnest($1::text[], $2::integer[], $3::integer[]) AS u(c0, c1, c2)"
    assert POSTGRES.insert(THING, ("kind", "number", "size")).text == (
        f"INSERT INTO thing (kind, number, size) SELECT u.c0, u.c1, u.c2 FROM {source}"
    )
    assert POSTGRES.update(THING, ("kind", "number"), ("size",)).text == (
        f"UPDATE thing SET size = u.c2 FROM {source} "
        "WHERE thing.kind = u.c0 AND thing.number = u.c1"
    )
    assert POSTGRES.delete(THING, ("kind",)).text == (
        "DELETE FROM thing USING unnest($1::text[]) AS u(c0) WHERE thing.kind = u.c0"
    )
    assert POSTGRES.select(THING, ("kind",), ("size",), lock=True).texts == (
        "SELECT t.size FROM unnest($1::text[]) AS u(c0) JOIN thing t ON t.kind = u.c0 "
        "ORDER BY t.kind FOR UPDATE OF t",
    )


# --- the chain --------------------------------------------------------------------------------

EVENTS = [
    Event(EventKind.CASE_HELD, {"reason": "b\nc", "by": "a"}),
    Event(EventKind.CASE_UNHELD, {"by": "a"}),
]


def test_a_chain_goes_on_from_its_head() -> None:
    rows = chain_rows(CaseId("c"), "t", (4, GENESIS), EVENTS, 7)
    assert [row[1] for row in rows] == [5, 6]
    assert rows[0][6] == GENESIS
    assert rows[1][6] == rows[0][7]
    assert rows == [
        *chain_rows(CaseId("c"), "t", (4, GENESIS), EVENTS[:1], 7),
        *chain_rows(CaseId("c"), "t", (5, rows[0][7]), EVENTS[1:], 7),
    ]
    assert event_of(rows[0][3], rows[0][4]) == EVENTS[0]


def test_the_order_of_keys_changes_no_hash() -> None:
    assert canonical_json({"b": 1, "a": 2}) == canonical_json({"a": 2, "b": 1}) == b'{"a":2,"b":1}'


@pytest.mark.parametrize("place", range(6))
def test_every_part_of_an_event_is_hashed(place: int) -> None:
    parts = (GENESIS, "c", 1, "case_held", 7, b"{}")
    changed = (b"\x01" * 32, "d", 2, "case_unheld", 8, b"[]")
    other = [*parts[:place], changed[place], *parts[place + 1 :]]
    assert event_hash(*parts) != event_hash(*other)  # type: ignore[arg-type]


def test_the_hash_of_an_event_is_fixed() -> None:
    """A stored chain must verify for years: this value may never change."""
    assert event_hash(GENESIS, "c1", 1, "case_held", 7, b'{"by":"a"}').hex() == (
        "065e73b867ebad79956b18b90c0fbd8bb032f4840444b5000268120bb7f6c1da"
    )
