"""A request to the console and what a view makes of it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web

from gateway.domain.ids import TenantId
from gateway.ports.people import Role, Session

BASE: Final = "/console"
EVERYBODY: Final = frozenset(Role)
DESK: Final = frozenset({Role.CLERK, Role.SUPERVISOR})
MAY_REVEAL: Final = frozenset({Role.CLERK, Role.SUPERVISOR})
MAY_DOWNLOAD: Final = frozenset({Role.SUPERVISOR, Role.OPERATOR, Role.AUDITOR})
OPERATORS: Final = frozenset({Role.OPERATOR})
CHECKERS: Final = frozenset({Role.SUPERVISOR})


class Missing(Exception):
    """There is no such thing, or it is another tenant's."""


class Stale(Exception):
    """The case moved since the form was shown; ``case_id`` and what the form had seen."""

    def __init__(self, case_id: str, seen: int) -> None:
        super().__init__(case_id)
        self.case_id = case_id
        self.seen = seen


@dataclass(frozen=True, slots=True)
class Call:
    """One request of somebody who is signed in."""

    request: web.Request
    session: Session
    form: Mapping[str, str]
    many: Mapping[str, Sequence[str]]
    now: int
    language: str

    @property
    def tenant(self) -> TenantId:
        """The tenant being looked at."""
        return self.session.tenant

    @property
    def role(self) -> Role:
        """What the person may do."""
        return self.session.user.role

    @property
    def actor(self) -> str:
        """The name for histories."""
        return self.session.user.actor

    def match(self, name: str) -> str:
        """A part of the path."""
        value = self.request.match_info[name]
        if len(value) > 128:
            raise Missing
        return value

    def query(self, name: str, default: str = "") -> str:
        """A value of the query, at most 200 characters of it."""
        return self.request.query.get(name, default)[:200]

    def field(self, name: str, most: int = 2000) -> str:
        """A field of the form, without surrounding space."""
        return self.form.get(name, "")[:most].strip()


@dataclass(frozen=True, slots=True)
class Grid:
    """A list as CSV and XLSX files have it: message ids of the columns, rows of values."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]  # Any: text, whole numbers, times


@dataclass(frozen=True, slots=True)
class Page:
    """A page: its template, its title (that begins with the thing) and what it shows.

    ``model`` is also the page's ``.json``; ``grid`` its ``.csv`` and ``.xlsx``; ``extra`` is only
    for the template.
    """

    template: str
    title: str
    model: Mapping[str, Any]
    status: int = 200
    grid: Grid | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Go:
    """Done: see another page. ``done`` is a word for what was done."""

    path: str
    done: str = ""

    @property
    def location(self) -> str:
        """The address to go to."""
        if not self.done:
            return BASE + self.path
        mark = "&" if "?" in self.path else "?"
        return f"{BASE}{self.path}{mark}{urlencode({'done': self.done})}"


@dataclass(frozen=True, slots=True)
class File:
    """Bytes to keep."""

    name: str
    body: bytes
    media: str


@dataclass(frozen=True, slots=True)
class Stream:
    """An answer that writes itself."""

    write: Callable[[web.StreamResponse], Awaitable[None]]


Answer = Page | Go | File | Stream
View = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One address: who may ask, and the view. A ``list`` also comes as CSV and XLSX."""

    method: str
    path: str
    view: View
    roles: frozenset[Role] = EVERYBODY
    is_list: bool = False
    has_json: bool = True
