"""Contracts of adapters: what a module hands to the gateway.

A module (or the ``__init__`` of a package) below ``adapters`` exposes exactly one constant,
``ADAPTER``, of a type from here; :mod:`adapters.discovery` finds it. Sources, payments, carriers,
warehouses and notify adapters do no I/O: they are generators that yield a :class:`Request` and
are sent its :class:`Response`.

::

    AdapterError                 ADAPTER-000
    ├── AdapterConflict          ADAPTER-101  two adapters of one type share an id
    ├── AdapterUnknown           ADAPTER-102  no adapter of that id
    └── ChannelDown              ADAPTER-201  a channel cannot be reached at all
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from gateway.domain.errors import GatewayError, Retry
from gateway.ports import Regime

T = TypeVar("T")

NO_ANSWER: Final = 599
"""The status of a :class:`Response` when there was none: refused, reset, timed out, too large."""
NOT_ALLOWED: Final = 597
"""The status of a :class:`Response` to a request that was not made: the address is refused. The
body says why."""


class AdapterError(GatewayError):
    """An adapter, or the search for one, failed."""

    code = "ADAPTER-000"


class AdapterConflict(AdapterError):
    """Two adapters of one type share an id: neither is chosen by chance."""

    code = "ADAPTER-101"


class AdapterUnknown(AdapterError):
    """No adapter of that type has that id; the text lists the known ones."""

    code = "ADAPTER-102"


class ChannelDown(AdapterError):
    """A channel cannot be reached at all (its folder is gone, its broker refuses): ask later."""

    code = "ADAPTER-201"
    retry = Retry.LATER


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP exchange that a generator asks for; the gateway's one client performs it.

    ``url`` is absolute; ``timeout_s`` covers the exchange from connect to the last byte.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout_s: int = 10


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; header names are in lower case, the body is capped by the client."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Exchange = Generator[Request, Response, T]
"""A conversation without I/O: yields requests, is sent responses, returns its result."""


@dataclass(frozen=True, slots=True)
class RegimeAdapter:
    """A customs regime. ``create`` builds one that may be shared by all threads of a process.

    ``editions`` are the schema editions it can declare under, newest last; old ones stay because
    a case keeps the edition it was declared under.
    """

    id: str
    title_zh: str
    title_en: str
    create: Callable[[], Regime]
    editions: tuple[str, ...]
