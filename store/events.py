"""The hash chain of a case's events: history, audit and stream in one row each.

``hash = sha256(prev_hash | case_id LF seq LF kind LF at LF payload)`` over the very text that is
stored. JSON text holds no raw line feed, so the parts cannot run into each other. The chain of a
case begins at 32 zero bytes; its head stands in the case's row.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson

from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId

GENESIS: Final = bytes(32)


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """A JSON value with sorted keys and no spaces (Any: payloads vary by kind)."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def event_hash(
    prev_hash: bytes, case_id: str, seq: int, kind: str, at: int, payload: bytes
) -> bytes:
    """The link of one event to the one before."""
    text = b"%b%b\n%d\n%b\n%d\n%b" % (
        prev_hash,
        case_id.encode(),
        seq,
        kind.encode(),
        at,
        payload,
    )
    return hashlib.sha256(text).digest()


def event_of(kind: str, payload: str) -> Event:
    """The domain event of a stored row."""
    return Event(EventKind(kind), orjson.loads(payload))


# case_id, seq, tenant, kind, payload, at, prev_hash, hash
EventRow = tuple[CaseId, int, str, str, str, int, bytes, bytes]


def chain_rows(
    case_id: CaseId, tenant: str, head: tuple[int, bytes], events: list[Event], at: int
) -> list[EventRow]:
    """The rows of new events after a head ``(seq, hash)``, in order."""
    seq, prev = head
    rows: list[EventRow] = []
    for event in events:
        seq += 1
        payload = canonical_json(event.payload)
        link = event_hash(prev, case_id, seq, event.kind.value, at, payload)
        rows.append((case_id, seq, tenant, event.kind.value, payload.decode(), at, prev, link))
        prev = link
    return rows
