"""Where the values of a message come from: the vocabulary of a mapping module.

A mapping is data: a path below the record element and a source for it. The writer compiles it, so
a mapping costs nothing per record. Values are ``str`` for texts, ``Decimal`` or ``int`` for
numbers, ``None`` for what is absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from keyword import iskeyword
from typing import TypeAlias

from schemas.errors import MappingError

Value: TypeAlias = "str | Decimal | int | None"
"""What one source may yield for one element."""


@dataclass(frozen=True, slots=True)
class Attr:
    """A dotted path that starts at a named argument; None on the way means absent."""

    path: str


@dataclass(frozen=True, slots=True)
class Const:
    """A value known when the writer is compiled."""

    value: str | Decimal | int


@dataclass(frozen=True, slots=True)
class Call:
    """A pure function over arguments (each a dotted path); it may be called twice for a record."""

    function: Callable[..., object]
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """A repeated element: one for each item, whose sources may use ``var``."""

    items: Attr | Call
    var: str
    sources: Mapping[str, Source]


Source: TypeAlias = Attr | Const | Call | Each


def attr(path: str) -> Attr:
    """Take the value at ``path``, for example ``order.goods_value.amount``."""
    _check_path(path)
    return Attr(path)


def const(value: str | Decimal | int) -> Const:
    """Take this value; it is escaped and folded into the compiled writer."""
    return Const(value)


def call(function: Callable[..., Value | Iterable[object]], *arguments: str) -> Call:
    """Take what ``function`` returns for these arguments; it must be pure."""
    for path in arguments:
        _check_path(path)
    return Call(function, arguments)


def each(items: str | Call, *, var: str, sources: Mapping[str, Source]) -> Each:
    """Repeat the element for each item of a path or a call; ``var`` names the item."""
    _check_path(var)
    return Each(attr(items) if isinstance(items, str) else items, var, dict(sources))


def _check_path(path: str) -> None:
    """Refuse what is not a dotted path of plain names; it becomes part of generated code."""
    names = path.split(".")
    if not all(
        name.isidentifier() and not iskeyword(name) and not name.startswith("__") for name in names
    ):
        raise MappingError(f"not a dotted path: {path!r}")
