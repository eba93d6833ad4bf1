"""Column types: exact on both databases.

Text ids compare by byte on PostgreSQL (``COLLATE "C"``), so that a keyset cursor and a sorted lock
order mean the same everywhere. SQLite's NUMERIC keeps a decimal as a binary fraction and loses
digits, so a decimal is TEXT. A time is a BIGINT of UTC microseconds.
"""

from decimal import Decimal, InvalidOperation
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Integer, LargeBinary, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


def id_text() -> TypeEngine[str]:
    """TEXT that compares byte by byte on every database: ids, kinds, stages."""
    return Text().with_variant(Text(collation="C"), "postgresql")


def micros() -> TypeEngine[int]:
    """A time as UTC microseconds since 1970."""
    return BigInteger()


class DecimalText(TypeDecorator[Decimal]):
    """A decimal as text in plain notation, every digit kept."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        """The text to store; raises ``ValueError`` for what is not a finite number."""
        if value is None:
            return None
        if not value.is_finite():
            raise ValueError("only finite decimals can be stored")
        return format(value, "f")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:
        """The decimal of a stored text; raises ``ValueError`` for a damaged one."""
        if value is None:
            return None
        try:
            return Decimal(value)
        except InvalidOperation as fault:
            raise ValueError("a stored decimal is damaged") from fault


# How PostgreSQL names the element type of an array parameter for a column of ours.
_ARRAY_TYPE: Final[tuple[tuple[type[TypeEngine[Any]], str], ...]] = (
    (BigInteger, "bigint"),
    (Integer, "integer"),
    (Boolean, "boolean"),
    (LargeBinary, "bytea"),
    (Text, "text"),
)


def array_type(column_type: TypeEngine[Any]) -> str:
    """PostgreSQL's element type for the array that carries a column (Any: of whatever values)."""
    plain = column_type.impl if isinstance(column_type, TypeDecorator) else column_type
    for cls, name in _ARRAY_TYPE:
        if isinstance(plain, cls):
            return name
    raise TypeError(f"no array type for {column_type!r}")
