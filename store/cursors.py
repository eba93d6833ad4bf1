"""Cursors: where a list goes on, as opaque text that says nothing worth protecting.

A cursor only names a place in an order; the tenant of a query never comes from it.
"""

import base64
import binascii
import re
from typing import Final, NamedTuple

from gateway.domain.errors import InvalidValue

_LIST: Final = re.compile(r"c1\|([0-9]{1,18})\|([a-z0-9]{1,64})")
_STREAM: Final = re.compile(r"e1\|([0-9]{1,18})\|([a-z0-9]{1,64})\|([0-9]{1,9})")
_SUBMISSION: Final = re.compile(r"([0-9a-f]{24})-([0-9a-f]{1,4})", re.ASCII)
_MAX_LENGTH: Final = 200


class ListPlace(NamedTuple):
    """A place in a list of cases, newest first."""

    created_at: int
    case_id: str

    @property
    def cursor(self) -> str:
        """The opaque text of this place."""
        return _encoded(f"c1|{self.created_at}|{self.case_id}")


class StreamPlace(NamedTuple):
    """A place in the stream of events."""

    pos: int
    case_id: str
    seq: int

    @property
    def cursor(self) -> str:
        """The opaque text of this place."""
        return _encoded(f"e1|{self.pos}|{self.case_id}|{self.seq}")


def list_place(cursor: str) -> ListPlace:
    """The place of a cursor; raises ``InvalidValue`` for anything but a cursor of a list."""
    found = _decoded(cursor, _LIST)
    return ListPlace(int(found[1]), found[2])


def stream_place(cursor: str) -> StreamPlace:
    """The place of a cursor; raises ``InvalidValue`` for anything but a cursor of the stream."""
    found = _decoded(cursor, _STREAM)
    return StreamPlace(int(found[1]), found[2], int(found[3]))


def submission_place(cursor: str) -> tuple[str, int]:
    """The pack and the place of a submission's id, which is its cursor too; raises
    ``InvalidValue`` for anything else.
    """
    found = _SUBMISSION.fullmatch(cursor)
    if found is None:
        raise InvalidValue("after", "is not a cursor of this list; leave it out to begin")
    return found[1], int(found[2], 16)


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode("ascii")).decode("ascii").rstrip("=")


def _decoded(cursor: str, form: re.Pattern[str]) -> re.Match[str]:
    found = None
    if len(cursor) <= _MAX_LENGTH and re.fullmatch(r"[A-Za-z0-9_-]+", cursor, re.ASCII):
        try:
            raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            found = form.fullmatch(raw.decode("ascii"))
        except (binascii.Error, UnicodeDecodeError):
            found = None
    if found is None:
        raise InvalidValue("after", "is not a cursor of this list; leave it out to begin")
    return found
