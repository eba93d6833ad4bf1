"""Errors of the client.

::

    ClientError
    ├── Unreachable            no answer after every try
    ├── SignatureInvalid       a webhook is not provably the gateway's
    └── Refused                the gateway answered with a problem (RFC 9457)
        ├── InvalidRequest     400, 413, 415, 422: correct the fields in ``errors``
        ├── NotAllowed         401, 403
        ├── NotFound           404
        ├── Conflict           409: frozen, too late, too early, taken
        ├── Moved              412: the case changed meanwhile
        └── Busy               408, 429, 503 and other 5xx: tried again, in vain
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One faulty field; ``path`` as ``lines[0].price``, ``line`` in a text of many lines."""

    path: str
    message: str
    message_zh: str
    line: int | None = None


class ClientError(Exception):
    """Root of what the client raises."""


class Unreachable(ClientError):
    """There was no answer, however often it was asked."""


class SignatureInvalid(ClientError):
    """A webhook is not provably the gateway's, or too old: do not believe it."""


class Refused(ClientError):
    """The gateway refused; nothing was stored.

    ``code`` is stable (``API-102``), ``detail`` a plain sentence in the language asked for,
    ``extra`` what is particular (Any: JSON members vary by problem).
    """

    def __init__(self, status: int, doc: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(doc.get("code", ""))
        self.title = str(doc.get("title", ""))
        self.detail = str(doc.get("detail", ""))
        self.request_id = doc.get("request_id")
        self.errors = tuple(
            Fault(str(one["path"]), str(one["message"]), str(one["message_zh"]), one.get("line"))
            for one in doc.get("errors", ())
        )
        known = {"type", "title", "status", "detail", "code", "errors", "request_id"}
        self.extra = {name: value for name, value in doc.items() if name not in known}
        super().__init__(f"{status} {self.code} {self.title}: {self.detail}")


class InvalidRequest(Refused):
    """The request is faulty: ``errors`` names every field."""


class NotAllowed(Refused):
    """The key is missing, wrong, or may not do this."""


class NotFound(Refused):
    """There is nothing at this address for this key."""


class Conflict(Refused):
    """The state of the case or of a unique fact stands against it."""


class Moved(Refused):
    """The case is no longer at the version that was given."""


class Busy(Refused):
    """The gateway was too busy, or failed, at every try."""


_BY_STATUS: Mapping[int, type[Refused]] = {
    400: InvalidRequest,
    401: NotAllowed,
    403: NotAllowed,
    404: NotFound,
    409: Conflict,
    412: Moved,
    413: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    408: Busy,
    429: Busy,
}


def refused(status: int, doc: Mapping[str, Any]) -> Refused:
    """The error of a problem document (Any: JSON)."""
    default = Busy if status >= 500 else Refused
    return _BY_STATUS.get(status, default)(status, doc)
