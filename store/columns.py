"""Kinds of columns, and the metadata in which every table stands."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import CheckConstraint, Column, Integer, LargeBinary, MetaData, Text

from store.types import DecimalText, id_text, micros

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)

# A table that is all key and small values is stored in its primary key on SQLite.
IN_KEY: Final[dict[str, Any]] = {"sqlite_with_rowid": False}


def id_column(name: str) -> Column[str]:
    """An id."""
    return Column(name, id_text(), nullable=False)


def maybe_id(name: str) -> Column[str]:
    """An id, or NULL."""
    return Column(name, id_text(), nullable=True)


def time_column(name: str) -> Column[int]:
    """A time."""
    return Column(name, micros(), nullable=False)


def maybe_time(name: str) -> Column[int]:
    """A time, or NULL."""
    return Column(name, micros(), nullable=True)


def count(name: str) -> Column[int]:
    """A whole number."""
    return Column(name, Integer, nullable=False)


def amount(name: str) -> Column[Decimal]:
    """A decimal, exact, as text."""
    return Column(name, DecimalText(), nullable=False)


def maybe_amount(name: str) -> Column[Decimal]:
    """A decimal as text, or NULL."""
    return Column(name, DecimalText(), nullable=True)


def blob(name: str) -> Column[bytes]:
    """Bytes."""
    return Column(name, LargeBinary, nullable=False)


def maybe_blob(name: str) -> Column[bytes]:
    """Bytes, or NULL."""
    return Column(name, LargeBinary, nullable=True)


def prose(name: str) -> Column[str]:
    """Text."""
    return Column(name, Text, nullable=False)


def maybe_prose(name: str) -> Column[str]:
    """Text, or NULL."""
    return Column(name, Text, nullable=True)


def one_of(column: str, values: type[StrEnum]) -> CheckConstraint:
    """A column holds one of these values."""
    listed: Iterable[str] = (f"'{member.value}'" for member in values)
    return CheckConstraint(f"{column} IN ({', '.join(listed)})", name=column)
