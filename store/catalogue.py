"""The statement catalogue: one set-based text per operation and dialect, made from the tables.

Constructing ``insert()`` and ``update()`` for every write costs 40 % of the throughput of a
complete order, running prepared texts with ``exec_driver_sql`` 8 %. On PostgreSQL every column of a
set-based statement comes from ``unnest`` of one array per column; on SQLite the driver repeats the
statement over the rows. Parameters stand in the order in which the columns are named.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, Table

from store.types import array_type

# A row of values for the driver (Any: each column has its own type).
Values = tuple[Any, ...]
# SQLite selects by lists of keys of these lengths, so that its statement cache is of use.
_SIZES: Final = (1, 4, 16, 64, 256, 1024)


class Dialect(StrEnum):
    """The databases the store speaks to."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True, slots=True)
class Write:
    """One set-based INSERT, UPDATE or DELETE."""

    text: str
    takes_arrays: bool

    def run(self, connection: Connection, rows: Sequence[Values]) -> int:
        """Write all rows at once; returns how many the database changed."""
        if not rows:
            return 0
        if self.takes_arrays:
            return connection.exec_driver_sql(self.text, tuple(zip(*rows, strict=True))).rowcount
        return connection.exec_driver_sql(self.text, list(rows)).rowcount


@dataclass(frozen=True, slots=True)
class Select:
    """One SELECT by a list of keys; missing keys give no row."""

    texts: tuple[str, ...]
    width: int
    takes_arrays: bool

    def run(self, connection: Connection, keys: Sequence[Values]) -> list[Values]:
        """The rows of these keys."""
        if not keys:
            return []
        if self.takes_arrays:
            columns = tuple(zip(*keys, strict=True))
            result = connection.exec_driver_sql(self.texts[0], columns)
            return [tuple(row) for row in result]
        found: list[Values] = []
        for part in _parts(keys):
            place = next(place for place, size in enumerate(_SIZES) if size >= len(part))
            padding = (None,) * (self.width * (_SIZES[place] - len(part)))
            values = tuple(value for key in part for value in key) + padding
            result = connection.exec_driver_sql(self.texts[place], values)
            found += [tuple(row) for row in result]
        return found


def _parts(keys: Sequence[Values]) -> Iterator[Sequence[Values]]:
    for start in range(0, len(keys), _SIZES[-1]):
        yield keys[start : start + _SIZES[-1]]


@dataclass(frozen=True, slots=True)
class Composer:
    """Composes the texts of one dialect."""

    dialect: Dialect
    _arrays: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_arrays", self.dialect is Dialect.POSTGRESQL)

    def insert(
        self,
        table: Table,
        columns: Sequence[str],
        *,
        computed: Mapping[str, str] | None = None,
        or_nothing: bool = False,
        or_update: Sequence[str] = (),
    ) -> Write:
        """INSERT of many rows; ``computed`` columns come from SQL expressions.

        ``or_update`` names a key: a row that has it already takes the other values.
        """
        extra = dict(computed or {})
        names = ", ".join((*columns, *extra))
        tail = " ON CONFLICT DO NOTHING" if or_nothing else ""
        if or_update:
            sets = ", ".join(
                f"{name} = excluded.{name}" for name in columns if name not in or_update
            )
            tail = f" ON CONFLICT ({', '.join(or_update)}) DO UPDATE SET {sets}"
        if self._arrays:
            values = ", ".join((*(f"u.c{n}" for n in range(len(columns))), *extra.values()))
            text = f"INSERT INTO {table.name} ({names}) SELECT {values} FROM {self._unnest(table, columns)}"  # noqa: E501, S608
        else:
            values = ", ".join((*("?" for _ in columns), *extra.values()))
            text = f"INSERT INTO {table.name} ({names}) VALUES ({values})"  # noqa: S608
        return Write(text + tail, self._arrays)

    def update(
        self,
        table: Table,
        keys: Sequence[str],
        values: Sequence[str],
        *,
        computed: Mapping[str, str] | None = None,
        condition: str = "",
    ) -> Write:
        """UPDATE of many rows; parameters are the keys, then the values.

        A column may be both: the key is then what it must still be, the value what it becomes.
        """
        count = len(keys)
        marks = [f"u.c{n}" if self._arrays else f"?{n + 1}" for n in range(len(keys) + len(values))]
        sets = [f"{name} = {mark}" for name, mark in zip(values, marks[count:], strict=True)]
        sets += [f"{name} = {text}" for name, text in (computed or {}).items()]
        tests = [f"{table.name}.{name} = {mark}" for name, mark in zip(keys, marks, strict=False)]
        tests += [condition] if condition else []
        source = f" FROM {self._unnest(table, (*keys, *values))}" if self._arrays else ""
        text = f"UPDATE {table.name} SET {', '.join(sets)}{source} WHERE {' AND '.join(tests)}"  # noqa: S608
        return Write(text, self._arrays)

    def delete(self, table: Table, keys: Sequence[str]) -> Write:
        """DELETE of many rows by key."""
        if self._arrays:
            tests = " AND ".join(f"{table.name}.{name} = u.c{n}" for n, name in enumerate(keys))
            source = f" USING {self._unnest(table, keys)}"
        else:
            tests, source = " AND ".join(f"{name} = ?" for name in keys), ""
        return Write(f"DELETE FROM {table.name}{source} WHERE {tests}", self._arrays)  # noqa: S608

    def select(
        self, table: Table, keys: Sequence[str], columns: Sequence[str], *, lock: bool = False
    ) -> Select:
        """SELECT by keys, sorted by them; ``lock`` also locks the rows, in that order."""
        listed = ", ".join(f"t.{name}" if name.isidentifier() else name for name in columns)
        tests = " AND ".join(f"t.{name} = u.c{n}" for n, name in enumerate(keys))
        order = ", ".join(f"t.{name}" for name in keys)
        if self._arrays:
            source = self._unnest(table, keys)
            text = f"SELECT {listed} FROM {source} JOIN {table.name} t ON {tests} ORDER BY {order}"  # noqa: S608
            return Select((text + (" FOR UPDATE OF t" if lock else ""),), len(keys), True)
        names = ", ".join(f"c{n}" for n in range(len(keys)))
        row = "(" + ", ".join("?" for _ in keys) + ")"
        texts = tuple(
            f"WITH u({names}) AS (VALUES {', '.join([row] * size)}) "  # noqa: S608
            f"SELECT {listed} FROM u CROSS JOIN {table.name} t ON {tests} ORDER BY {order}"
            for size in _SIZES
        )
        return Select(texts, len(keys), False)

    def first(self, table: Table, key: str, column: str, limit: int) -> Select:
        """SELECT key and column by key: the least values of a column, at most ``limit`` a key.

        Both must lead the primary key, in this order: what is beyond the limit is not even read.
        """
        few = (
            f"SELECT DISTINCT n.{column} FROM {table.name} n WHERE n.{key} = u.c0 "  # noqa: S608
            f"ORDER BY n.{column} LIMIT {limit}"
        )
        if self._arrays:
            source = f"{self._unnest(table, (key,))} CROSS JOIN LATERAL ({few}) t"
            return Select((f"SELECT u.c0, t.{column} FROM {source}",), 1, True)  # noqa: S608
        texts = tuple(
            f"WITH u(c0) AS (VALUES {', '.join(['(?)'] * size)}) "  # noqa: S608
            f"SELECT DISTINCT t.{key}, t.{column} FROM u CROSS JOIN {table.name} t "
            f"ON t.{key} = u.c0 AND t.{column} IN ({few})"
            for size in _SIZES
        )
        return Select(texts, 1, False)

    def _unnest(self, table: Table, columns: Sequence[str]) -> str:
        arrays = ", ".join(
            f"${n + 1}::{array_type(table.c[name].type)}[]" for n, name in enumerate(columns)
        )
        return f"unnest({arrays}) AS u({', '.join(f'c{n}' for n in range(len(columns)))})"
