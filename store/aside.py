"""What was set aside for a person: read again, attached to a case, or put away for good.

Nothing here moves a case. A file that is to be read again goes back to the inbox, and whatever
works there judges it anew with every check; attaching only adds the link that was missing.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, select, update

from gateway.domain.errors import Conflict
from gateway.domain.ids import CaseId, ReceiptId, TenantId
from gateway.ports import Lookup
from store.changes import insert_into
from store.crypto import StoreKeys
from store.tables import InboxStage, claim, inbox, parked

UNMATCHED: Final = "unmatched"
_MOST_READ_AGAIN: Final = 200


@dataclass(frozen=True, slots=True)
class SetAside:
    """One parked record or file; ``position`` is the record's place in its file."""

    parked_id: str
    reason: str
    receipt_id: ReceiptId | None
    position: int
    case_id: CaseId | None
    tenant: TenantId | None


def find_set_aside(connection: Connection, parked_id: str) -> SetAside | None:
    """One that still waits for a person."""
    row = connection.execute(
        select(
            parked.c.parked_id,
            parked.c.reason,
            parked.c.receipt_id,
            parked.c.position,
            parked.c.case_id,
            parked.c.tenant,
        ).where(parked.c.parked_id == parked_id, parked.c.resolved_at.is_(None))
    ).first()
    return None if row is None else SetAside(*row)


def body_of(connection: Connection, keys: StoreKeys, receipt_id: ReceiptId) -> bytes | None:
    """The exact bytes of a receipt file, None when it is not there or shredded."""
    row = connection.execute(
        select(inbox.c.wrapped_key, inbox.c.body).where(inbox.c.receipt_id == receipt_id)
    ).first()
    if row is None or row.wrapped_key is None:
        return None
    return keys.unwrap("inbox", receipt_id, row.wrapped_key).open("inbox", receipt_id, row.body)


def read_again(connection: Connection, receipt_id: ReceiptId) -> bool:
    """Send a file back to the inbox; False when it waits there already or does not exist.

    What was parked of it is forgotten: what is still wrong is parked anew. Records that were
    applied repeat and change nothing.
    """
    again = connection.execute(
        update(inbox)
        .where(inbox.c.receipt_id == receipt_id, inbox.c.stage != InboxStage.NEW.value)
        .values(stage=InboxStage.NEW.value, problem=None)
    )
    if not again.rowcount:
        return False
    connection.execute(
        delete(parked).where(parked.c.receipt_id == receipt_id, parked.c.resolved_at.is_(None))
    )
    return True


def read_unmatched(connection: Connection, received_since: int) -> list[ReceiptId]:
    """Send files back whose records found no case when they came; the oldest 200 at most."""
    wanted = (
        select(inbox.c.receipt_id)
        .join(parked, parked.c.receipt_id == inbox.c.receipt_id)
        .where(
            parked.c.reason == UNMATCHED,
            parked.c.resolved_at.is_(None),
            inbox.c.received_at >= received_since,
        )
        .group_by(inbox.c.receipt_id, inbox.c.received_at)
        .order_by(inbox.c.received_at, inbox.c.receipt_id)
        .limit(_MOST_READ_AGAIN)
    )
    found = [ReceiptId(one) for one in connection.execute(wanted).scalars()]
    return [one for one in found if read_again(connection, one)]


def attach(
    connection: Connection, keys: StoreKeys, lookup: Lookup, case_id: CaseId, tenant: TenantId
) -> None:
    """Let a number that a record names lead to a case. Raises ``Conflict`` when it leads to another
    case already.
    """
    key_hash = keys.lookup_hash(lookup)
    holder = connection.execute(
        select(claim.c.case_id).where(claim.c.key_hash == key_hash)
    ).scalar()
    if holder is not None and holder != case_id:
        raise Conflict("what this record names belongs to another case")
    if holder is None:
        connection.execute(
            insert_into(connection, claim)
            .values(key_hash=key_hash, kind=lookup.kind, case_id=case_id, tenant=tenant)
            .on_conflict_do_nothing()
        )


def put_away(connection: Connection, parked_id: str, by: str, now: int) -> bool:
    """A person has dealt with it; False when nothing of this id waits."""
    done = connection.execute(
        update(parked)
        .where(parked.c.parked_id == parked_id, parked.c.resolved_at.is_(None))
        .values(resolved_at=now, resolved_by=by)
    )
    return bool(done.rowcount)
