"""Column types keep every digit, and the papers' cache its bound."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    LargeBinary,
    MetaData,
    Table,
    create_engine,
    create_mock_engine,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateTable

from gateway.domain.ids import CaseId
from gateway.domain.papers import PaperKind, PaperRevision, Waybill
from store.papers import PaperCache, PaperPlace
from store.types import DecimalText, array_type, id_text, micros

MONEY = Table("money", MetaData(), Column("amount", DecimalText))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=5))
def test_a_decimal_comes_back_as_it_went(value: Decimal) -> None:
    column = DecimalText()
    stored = column.process_bind_param(value, sqlite.dialect())
    assert stored is not None
    back = column.process_result_value(stored, sqlite.dialect())
    assert back == value
    assert "E" not in stored


def test_the_digits_that_numeric_loses_are_kept() -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        MONEY.create(connection)
        amounts = [Decimal("12345678901234.12345"), None]
        connection.execute(MONEY.insert(), [{"amount": amount} for amount in amounts])
        assert list(connection.scalars(select(MONEY.c.amount))) == amounts
    engine.dispose()


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_only_numbers_are_stored(value: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        DecimalText().process_bind_param(Decimal(value), sqlite.dialect())


def test_a_damaged_decimal_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="damaged"):
        DecimalText().process_result_value("12,5", sqlite.dialect())


def _ddl(table: Table, dialect: Dialect) -> str:
    return str(CreateTable(table).compile(dialect=dialect))


def test_ids_compare_byte_by_byte_everywhere() -> None:
    table = Table("t", MetaData(), Column("id", id_text()))
    assert 'COLLATE "C"' in _ddl(table, create_mock_engine("postgresql+asyncpg://", print).dialect)
    assert "COLLATE" not in _ddl(table, sqlite.dialect())


def test_arrays_have_the_columns_type() -> None:
    kinds = (id_text(), micros(), Boolean(), LargeBinary(), DecimalText())
    assert [array_type(kind) for kind in kinds] == ["text", "bigint", "boolean", "bytea", "text"]
    with pytest.raises(TypeError):
        array_type(Date())


# --- the cache of papers ----------------------------------------------------------------------


def place(number: int) -> PaperPlace:
    return PaperPlace(CaseId(f"c{number}"), PaperKind.WAYBILL, 1)


def revision(number: int) -> PaperRevision:
    return PaperRevision(PaperKind.WAYBILL, 1, str(number), Waybill(f"W{number}"))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 90)), max_size=40))
def test_the_cache_never_outgrows_its_bound(puts: list[tuple[int, int]]) -> None:
    cache = PaperCache(600)
    for number, size in puts:
        cache.put(place(number), revision(number), size)
        assert cache.size_bytes <= 600
    for number in range(10):
        found = cache.get(place(number))
        assert found is None or found == revision(number)


def test_the_longest_unused_goes_first() -> None:
    cache = PaperCache(6 * 30)
    for number in range(3):
        cache.put(place(number), revision(number), 10)
    assert cache.get(place(0)) is not None
    cache.put(place(3), revision(3), 10)
    kept = [number for number in range(4) if cache.get(place(number)) is not None]
    assert kept == [0, 2, 3]


def test_what_is_too_big_is_not_kept() -> None:
    cache = PaperCache(100)
    cache.put(place(1), revision(1), 17)
    assert cache.get(place(1)) is None
    assert cache.size_bytes == 0
