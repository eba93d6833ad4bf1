"""Everything that is kept of one case, as it was received, signed and answered.

Bytes go to whom they belong, as everywhere (``store.read_models``): what a tenant may not have is
named with the reason instead of given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, select

from gateway.domain.codec import revision_to_doc
from gateway.domain.events import EventKind
from gateway.domain.ids import CaseId, MessageId, ReceiptId, TenantId
from gateway.domain.papers import PaperKind
from store.access import Access
from store.crypto import StoreKeys
from store.evidence import records_of
from store.papers import PaperPlace, open_revision
from store.read_models import SqlReadModels
from store.tables import attempt, case_, event, inbox, message, paper, raw

_SHARED: Final = (
    "the file holds records of other tenants; this case's own are cut out of it / "
    "文件含其他租户的记录，仅摘出本案记录"
)
# Any: a row holds whatever its columns hold.
_Row = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One file of a dossier: its path in it, what it is, when it came or was made, the bytes."""

    path: str
    what: str
    at: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Dossier:
    """One case with its bytes. ``withheld`` names what may not be given, with the reason."""

    case_id: CaseId
    tenant: TenantId
    platform: str
    order_no: str
    direction: str
    profile_id: str
    stage: str
    events: int
    head_hash: bytes
    exhibits: tuple[Exhibit, ...]
    withheld: tuple[tuple[str, str], ...]


async def read_dossier(
    access: Access, keys: StoreKeys, reads: SqlReadModels, tenant: TenantId, case_id: CaseId
) -> Dossier | None:
    """The dossier of a case of this tenant, None when it has no such case."""
    async with access.read() as reading:
        row = await reading.run_sync(partial(_case, tenant, case_id))
        if row is None:
            return None
        own = await reading.run_sync(partial(_own_exhibits, keys, row))
        sent = await reading.run_sync(partial(_message_rows, case_id))
        received = await reading.run_sync(partial(_receipt_rows, case_id))
    exhibits, withheld = list(own), list[tuple[str, str]]()
    for message_id, at in sent:
        body = await reads.message(tenant, message_id)
        if body is None:
            withheld.append((f"messages/{message_id}", "it was never signed"))
        else:
            exhibits.append(Exhibit(f"messages/{message_id}.xml", "signed message", at, body))
    for receipt_id, at in received:
        body = await reads.receipt(tenant, receipt_id)
        if body is not None:
            exhibits.append(Exhibit(f"receipts/{receipt_id}.xml", "receipt file", at, body))
            continue
        withheld.append((f"receipts/{receipt_id}", _SHARED))
        async with access.read() as reading:
            shared = await reading.run_sync(partial(_own_records, keys, case_id, receipt_id))
        for position, record in shared:
            path = f"receipts/{receipt_id}-{position}.xml"
            exhibits.append(Exhibit(path, "own record of a shared receipt file", at, record))
    return Dossier(
        case_id=case_id,
        tenant=tenant,
        platform=row.platform,
        order_no=row.order_no,
        direction=row.direction,
        profile_id=row.profile_id,
        stage=row.stage,
        events=row.seq,
        head_hash=bytes(row.head_hash),
        exhibits=tuple(exhibits),
        withheld=tuple(withheld),
    )


def _case(tenant: TenantId, case_id: CaseId, connection: Connection) -> _Row | None:
    return connection.execute(
        select(case_).where(case_.c.case_id == case_id, case_.c.tenant == tenant)
    ).first()


def _own_exhibits(keys: StoreKeys, row: _Row, connection: Connection) -> list[Exhibit]:
    exhibits = [_history(row, connection), _attempts(row, connection)]
    if row.wrapped_key is not None:
        exhibits += _received(keys, row, connection)
        exhibits += _revisions(keys, row, connection)
    return exhibits


def _history(row: _Row, connection: Connection) -> Exhibit:
    """The chain of events with the very text that each hash covers (``store.events``)."""
    rows = connection.execute(
        select(event)
        # Not what was committed since the head was read: the chain ends at that head.
        .where(event.c.case_id == row.case_id, event.c.seq <= row.seq)
        .order_by(event.c.seq)
    )
    return Exhibit(
        "events.ndjson", "history, a hash chain", row.updated_at, _lines(map(_event_doc, rows))
    )


def _event_doc(row: _Row) -> dict[str, object]:
    return {
        "case": row.case_id,
        "seq": row.seq,
        "kind": row.kind,
        "at": row.at,
        "payload": row.payload,
        "prev_hash": bytes(row.prev_hash).hex(),
        "hash": bytes(row.hash).hex(),
    }


def _attempts(row: _Row, connection: Connection) -> Exhibit:
    ids = [message_id for message_id, _ in _message_rows(row.case_id, connection)]
    rows = connection.execute(
        select(attempt)
        .where(attempt.c.message_id.in_(ids))
        .order_by(attempt.c.opened_at, attempt.c.message_id, attempt.c.attempt)
    )
    body = _lines(map(_attempt_doc, rows))
    return Exhibit("attempts.ndjson", "each try to send", row.updated_at, body)


def _attempt_doc(row: _Row) -> dict[str, object]:
    return {
        "message": row.message_id,
        "attempt": row.attempt,
        "channel": row.channel,
        "opened_at": row.opened_at,
        "closed_at": row.closed_at,
        "outcome": row.outcome,
        "detail": row.detail,
    }


def _lines(docs: Iterator[dict[str, object]]) -> bytes:
    return b"".join(orjson.dumps(doc) + b"\n" for doc in docs)


def _received(keys: StoreKeys, row: _Row, connection: Connection) -> Iterator[Exhibit]:
    """The papers exactly as they came in."""
    key = keys.unwrap("case_", row.case_id, row.wrapped_key)
    rows = connection.execute(
        select(raw).where(raw.c.case_id == row.case_id).order_by(raw.c.received_at, raw.c.raw_id)
    )
    for one in rows:
        body = key.open("raw", one.raw_id, one.body)
        yield Exhibit(f"raw/{one.raw_id}", f"received from {one.source}", one.received_at, body)


def _revisions(keys: StoreKeys, row: _Row, connection: Connection) -> Iterator[Exhibit]:
    """Every revision of every paper, as it was composed from what came in."""
    key = keys.unwrap("case_", row.case_id, row.wrapped_key)
    rows = connection.execute(
        select(paper).where(paper.c.case_id == row.case_id).order_by(paper.c.kind, paper.c.revision)
    )
    for one in rows:
        kind = PaperKind(one.kind)
        revision = open_revision(PaperPlace(row.case_id, kind, one.revision), one.body, key)
        body = orjson.dumps(revision_to_doc(revision), option=orjson.OPT_INDENT_2)
        path = f"papers/{kind.value}-{one.revision}.json"
        yield Exhibit(path, "paper as composed", one.received_at, body)


def _message_rows(case_id: CaseId, connection: Connection) -> list[tuple[MessageId, int]]:
    """The messages that carried the case's declarations, also those split since, with their age."""
    kinds = (EventKind.DECLARATION_CLAIMED, EventKind.DECLARATION_MOVED)
    ids = [payload["message"] for payload in _payloads(case_id, kinds, connection)]
    rows = connection.execute(
        select(message.c.message_id, message.c.created_at)
        .where(message.c.message_id.in_(ids))
        .order_by(message.c.created_at, message.c.message_id)
    )
    return [(MessageId(row.message_id), row.created_at) for row in rows]


def _receipt_rows(case_id: CaseId, connection: Connection) -> list[tuple[ReceiptId, int]]:
    """The receipt files with a record about the case, or that refused a message of it alone."""
    kinds = (EventKind.RECEIPT_RECORDED, EventKind.COPY_RECORDED, EventKind.DECLARATION_REFUSED)
    payloads = _payloads(case_id, kinds, connection)
    rows = connection.execute(
        select(inbox.c.receipt_id, inbox.c.received_at)
        .where(inbox.c.receipt_id.in_([one["receipt"] for one in payloads if "receipt" in one]))
        .order_by(inbox.c.received_at, inbox.c.receipt_id)
    )
    return [(ReceiptId(row.receipt_id), row.received_at) for row in rows]


def _own_records(
    keys: StoreKeys, case_id: CaseId, receipt_id: ReceiptId, connection: Connection
) -> list[tuple[int, bytes]]:
    """The records of a shared receipt file that the case's own events rest on, cut out of it."""
    kinds = (EventKind.RECEIPT_RECORDED, EventKind.COPY_RECORDED)
    own = {
        int(one["position"])
        for one in _payloads(case_id, kinds, connection)
        if one.get("receipt") == receipt_id and "position" in one
    }
    row = connection.execute(
        select(inbox.c.wrapped_key, inbox.c.body).where(inbox.c.receipt_id == receipt_id)
    ).first()
    if row is None or row.wrapped_key is None:
        return []
    body = keys.unwrap("inbox", receipt_id, row.wrapped_key).open("inbox", receipt_id, row.body)
    records = records_of(body)
    return [(position, records[position]) for position in sorted(own) if position < len(records)]


def _payloads(
    case_id: CaseId, kinds: Sequence[EventKind], connection: Connection
) -> list[dict[str, str]]:
    rows = connection.execute(
        select(event.c.payload).where(
            event.c.case_id == case_id, event.c.kind.in_([kind.value for kind in kinds])
        )
    )
    return [orjson.loads(row.payload) for row in rows]
