"""What a route is given and gives: one admitted request, one answer, and the route itself."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

import orjson
from aiohttp import web

from gateway.api.problems import PROBLEM_TYPE, Problem, language_of
from gateway.api.services import Credential
from gateway.domain.ids import TenantId

JSON_TYPE: Final = "application/json"
XML_TYPE: Final = "application/xml"
NDJSON_TYPE: Final = "application/x-ndjson"
PREFER: Final = "Prefer"
_RESPOND_ASYNC: Final = "respond-async"
# Writes a body piece by piece; returns when there is nothing more to say.
Stream = Callable[[web.StreamResponse], Awaitable[None]]


class Body(Enum):
    """Which body a route takes, by its media types; the size limit follows."""

    NONE = frozenset[str]()
    OBJECT = frozenset({JSON_TYPE})
    PAPERS = frozenset({JSON_TYPE, XML_TYPE})
    BATCH = frozenset({NDJSON_TYPE, "application/ndjson", "application/jsonl"})


@dataclass(frozen=True, slots=True)
class Call:
    """One admitted request, as a route sees it.

    ``spans`` are the tenants that a key which spans tenants may name; such a key has a credential
    only where the request names one.
    """

    request: web.Request
    request_id: str
    credential: Credential | None
    body: bytes
    spans: frozenset[TenantId] = frozenset()

    @property
    def tenant(self) -> TenantId:
        """The tenant of the caller's key; routes that are open to all have none to ask for."""
        return self.caller.tenant

    @property
    def caller(self) -> Credential:
        """Who is calling."""
        assert self.credential is not None, "an open route asked who is calling"
        return self.credential

    @property
    def language(self) -> str:
        """``zh`` or ``en``."""
        return language_of(self.request.headers.get("Accept-Language"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route says: exact bytes, their media type, further headers.

    ``stream`` writes the body instead, for as long as it likes. An answer that is not ``is_final``
    asks the caller to send some of it again, so it is not kept under an idempotency key.
    """

    body: bytes
    status: int = 200
    media: str = JSON_TYPE
    headers: Mapping[str, str] | None = None
    code: str = ""
    stream: Stream | None = None
    is_final: bool = True


def may_wait(headers: Mapping[str, str]) -> bool:
    """Whether a caller prefers to be answered before what it sends is taken in (RFC 7240)."""
    if PREFER not in headers:
        return False
    wish = headers[PREFER]
    if wish == _RESPOND_ASYNC:
        return True
    wishes = wish.split(",")
    return any(one.partition(";")[0].strip().lower() == _RESPOND_ASYNC for one in wishes)


def refused(problem: Problem, language: str) -> Answer:
    """The answer to what was refused after its sender had gone."""
    body = orjson.dumps(problem.to_doc(language, None))
    return Answer(body, problem.status, PROBLEM_TYPE, code=problem.kind.value.code)


Handle = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """One route: ``roles`` who may call it (None: everybody, without a key), and what it does.

    ``takes`` and ``gives`` name the types of its bodies for the OpenAPI document (``gives_else``
    what customs' XML is answered with), ``query`` its parameters with their meaning,
    ``problems`` statuses beyond those that follow from the rest,
    ``other_media`` what it can also answer in. What ``is_about_key`` needs no tenant to be named;
    what ``is_intake`` is refused while too much is in hand. ``gives_later`` answers (202) a caller
    who prefers not to wait.
    """

    method: str
    path: str
    handle: Handle
    summary: str
    roles: frozenset[str] | None
    body: Body = Body.NONE
    takes: Any = None
    gives: Any = None
    status: tuple[int, ...] = (200,)
    query: tuple[tuple[str, str], ...] = ()
    media: str = JSON_TYPE
    problems: tuple[int, ...] = ()
    other_media: tuple[str, ...] = ()
    is_about_key: bool = False
    is_intake: bool = False
    gives_else: Any = None
    gives_later: Any = None
