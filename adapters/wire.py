"""What partners send and want on the wire: JSON read with a path for every fault, forms."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote_plus

import orjson

from adapters.amounts import MOST_FEN, from_fen
from adapters.base import Request
from gateway.domain.money import Money

_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)
_EARLIEST_S: Final = 946_684_800
_LATEST_S: Final = 4_102_444_800
_LONGEST: Final = 2000
_BLANK: Final = b" \t\r\n"


class Unreadable(ValueError):
    """A value is not what its format says; ``path`` is a JSON pointer, the text has no value."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and where it stands; every accessor raises :class:`Unreadable` with the path."""

    value: object
    path: str = ""

    def get(self, name: str) -> "Node":
        """A member of an object; absent members and null have the value None."""
        if not isinstance(self.value, dict):
            raise Unreadable(self.path, "must be an object")
        return Node(self.value.get(name), f"{self.path}/{name}")

    @property
    def is_absent(self) -> bool:
        """Whether there is nothing: not given, null, or an empty text."""
        return self.value is None or self.value == ""

    def items(self) -> Iterator["Node"]:
        """The elements of a list; none of an absent one."""
        if self.value is None:
            return
        if not isinstance(self.value, list):
            raise Unreadable(self.path, "must be a list")
        for index, value in enumerate(self.value):
            yield Node(value, f"{self.path}/{index}")

    def text(self) -> str:
        """A text that is there."""
        text = self.text_or_none()
        if text is None:
            raise Unreadable(self.path, "is missing")
        return text

    def text_or_none(self) -> str | None:
        """A text, or a whole number as its text; None when absent."""
        value = self.value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is not None and not isinstance(value, str):
            raise Unreadable(self.path, "must be a text")
        if not value or not value.strip():
            return None
        if len(value) > _LONGEST:
            raise Unreadable(self.path, f"must have at most {_LONGEST} characters")
        return value

    def whole(self, default: int | None = None, *, most: int = 2**63 - 1) -> int:
        """A whole number from 0, also when written as a text; ``default`` when absent."""
        value = self.value
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
            value = int(value)
        if value is None or value == "":
            if default is None:
                raise Unreadable(self.path, "is missing")
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise Unreadable(self.path, f"must be a whole number from 0 to {most}")
        return value

    def fen(self, default: int | None = None) -> int:
        """An amount in hundredth parts."""
        return self.whole(default, most=MOST_FEN)

    def money(self) -> Money:
        """An amount in hundredth parts, as money."""
        return from_fen(self.fen())

    def moment(self) -> datetime | None:
        """A time in seconds since 1970; None when absent or 0."""
        seconds = self.whole(0)
        if not seconds:
            return None
        if not _EARLIEST_S <= seconds < _LATEST_S:
            raise Unreadable(self.path, "must be seconds since 1970 of this century")
        return datetime.fromtimestamp(seconds, UTC)


def loads(raw: bytes | str, path: str = "") -> Node:
    """Read JSON; raises :class:`Unreadable` for anything else, however it is broken."""
    try:
        return Node(orjson.loads(raw), path)
    except (orjson.JSONDecodeError, RecursionError):
        raise Unreadable(path, "is not JSON") from None


def element_spans(raw: bytes, path: Sequence[str]) -> list[tuple[int, int]]:
    """Offset and length of each element of the list at ``path`` in valid JSON bytes.

    So one order of a page can be kept without its neighbours'. Where a name is given twice the
    last one counts, as for every JSON reader; no list there gives none.
    """
    scan = _Scan(tuple(path), raw)
    for token in _TOKENS.finditer(raw):
        match token.group():
            case b"{" | b"[" as opened:
                scan.open(opened, token.end())
            case b"}" | b"]":
                scan.close(token.start())
            case b",":
                scan.next(token.start(), token.end())
            case text:
                scan.text(text)
    return scan.spans


class _Scan:
    """A walk through JSON bytes: where we are, and the elements found."""

    def __init__(self, path: tuple[str, ...], raw: bytes) -> None:
        self._path = path
        self._raw = raw
        self.spans: list[tuple[int, int]] = []
        # Of each open container: the member we are in (of a list None), and whether it has any.
        self._names: list[str | None] = []
        self._objects: list[bool] = []
        self._awaits_name = False
        self._depth = -1
        self._start = 0

    def open(self, kind: bytes, at: int) -> None:
        if kind == b"[" and tuple(self._names) == self._path:
            self._depth = len(self._names) + 1
            self._start = at
        self._names.append(None)
        self._objects.append(kind == b"{")
        self._awaits_name = kind == b"{"

    def close(self, at: int) -> None:
        if len(self._names) == self._depth:
            self._keep(at)
            self._depth = -1
        self._names.pop()
        self._objects.pop()
        self._awaits_name = False

    def next(self, at: int, after: int) -> None:
        if len(self._names) == self._depth:
            self._keep(at)
            self._start = after
        self._awaits_name = self._objects[-1]

    def text(self, quoted: bytes) -> None:
        if not self._awaits_name:
            return
        self._awaits_name = False
        self._names[-1] = str(orjson.loads(quoted))
        if tuple(self._names) == self._path[: len(self._names)]:
            self.spans.clear()

    def _keep(self, end: int) -> None:
        part = self._raw[self._start : end]
        content = part.strip(_BLANK)
        if content:
            lead = len(part) - len(part.lstrip(_BLANK))
            self.spans.append((self._start + lead, len(content)))


def form_value(text: str) -> str:
    """A value as in a form (space ``+``, ``* - . _`` kept, ``~`` escaped, UTF-8)."""
    return quote_plus(text, safe="*").replace("~", "%7E")


def form(fields: Mapping[str, str]) -> str:
    """``name=value&…`` in the order given."""
    return "&".join(f"{form_value(name)}={form_value(value)}" for name, value in fields.items())


def path_and_query(url: str) -> str:
    """What stands in the request line for an absolute address."""
    host = url.index("//") + 2
    at = url.find("/", host)
    return url[at:] if at >= 0 else "/"


def post_json(url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Request:
    """A POST of JSON bytes."""
    given = {"content-type": "application/json", "accept": "application/json"}
    return Request("POST", url, given | dict(headers or {}), body)
