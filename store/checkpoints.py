"""Signed checkpoints: from time to time a signature over the heads of all chains.

A chain proves that nothing inside it was changed; only something outside it can prove that its end
was not cut off. A checkpoint covers every event before a position of the stream up to which nothing
can be committed any more. Its signature includes the one before, so checkpoints form a chain too;
``Checkpoint.line`` is made to be written to a second place.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select, text

from store.access import Access
from store.changes import insert_into
from store.crypto import StoreKeys
from store.errors import DamagedBlob
from store.tables import checkpoint, event

_SPAN: Final = 2_000
_POSITION_BYTES: Final = 8
_SETTLED: Final = "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)"
# SQLite appends rows in commit order.
_LAST_WRITTEN: Final = "SELECT pos FROM event ORDER BY rowid DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One signed checkpoint; ``digest`` is the position (8 bytes), then SHA-256 over all heads."""

    number: int
    at: int
    cases: int
    events: int
    digest: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The checkpoint as one line of text, to be kept elsewhere."""
        return (
            f"{self.number} {self.at} {self.cases} {self.events} "
            f"{self.digest.hex()} {self.signature.hex()}"
        )


async def write_checkpoint(access: Access, keys: StoreKeys, now: int) -> Checkpoint | None:
    """Sign the heads of all chains as they stand; ``now`` is UTC microseconds.

    The heads are read beside the writers, which wait for one short INSERT only. None when another
    process wrote a checkpoint meanwhile.
    """
    async with access.read() as reading:
        made = await reading.run_sync(lambda connection: _signed(connection, keys, now))
    is_stored = await access.execute(lambda connection: _store(connection, made))
    return made if is_stored else None


def _signed(connection: Connection, keys: StoreKeys, now: int) -> Checkpoint:
    before = _newest(connection)
    position = _settled_position(connection)
    cases, events, heads = _heads(connection, position)
    number = before.number + 1 if before else 1
    digest = position.to_bytes(_POSITION_BYTES, "big") + heads
    content = _content(number, now, cases, events, digest, before)
    return Checkpoint(number, now, cases, events, digest, keys.sign_checkpoint(content))


def _store(connection: Connection, made: Checkpoint) -> bool:
    statement = insert_into(connection, checkpoint).values(
        number=made.number,
        at=made.at,
        cases=made.cases,
        events=made.events,
        digest=made.digest,
        signature=made.signature,
    )
    return bool(connection.execute(statement.on_conflict_do_nothing()).rowcount)


def verify_checkpoints(connection: Connection, keys: StoreKeys, anchor: int = 0) -> str | None:
    """What is wrong with the checkpoints or the events they cover; None when all holds.

    ``anchor`` is the newest number known from a second place: a missing one means truncation. The
    heads are compared with the newest checkpoint, which covers all that the earlier ones do.
    """
    before: Checkpoint | None = None
    statement = select(*checkpoint.columns).order_by(checkpoint.c.number)
    for row in connection.execute(statement):
        this = Checkpoint(*row)
        if this.number != (before.number + 1 if before else 1):
            return f"checkpoint {this.number - 1} is missing"
        content = _content(this.number, this.at, this.cases, this.events, this.digest, before)
        try:
            keys.verify_checkpoint(content, this.signature)
        except DamagedBlob:
            return f"the signature of checkpoint {this.number} does not fit"
        before = this
    if anchor > (before.number if before else 0):
        return f"checkpoint {anchor} was written and is missing"
    if before is None:
        return None
    position = int.from_bytes(before.digest[:_POSITION_BYTES], "big")
    cases, events, digest = _heads(connection, position)
    if (cases, events) != (before.cases, before.events):
        return (
            f"checkpoint {before.number} covers {before.cases} cases with {before.events} events, "
            f"{cases} with {events} are left"
        )
    if digest != before.digest[_POSITION_BYTES:]:
        return f"the heads are not those of checkpoint {before.number}"
    return None


def _content(
    number: int, at: int, cases: int, events: int, digest: bytes, before: Checkpoint | None
) -> bytes:
    earlier = before.signature.hex() if before else ""
    return f"{number} {at} {cases} {events} {digest.hex()} {earlier}".encode()


def _newest(connection: Connection) -> Checkpoint | None:
    row = connection.execute(
        select(*checkpoint.columns).order_by(checkpoint.c.number.desc()).limit(1)
    ).first()
    return None if row is None else Checkpoint(*row)


def _settled_position(connection: Connection) -> int:
    """The position before which nothing can be committed any more."""
    if connection.dialect.name == "postgresql":
        return int(connection.execute(text(_SETTLED)).scalar_one())
    return int(connection.execute(text(_LAST_WRITTEN)).scalar() or 0) + 1


def _heads(connection: Connection, position: int) -> tuple[int, int, bytes]:
    """How many cases have how many events before a position, and the digest over their heads."""
    digest = hashlib.sha256()
    cases = events = 0
    after = ""
    while True:
        heads = (
            select(
                event.c.case_id, func.max(event.c.seq).label("seq"), func.count().label("events")
            )
            .where(event.c.case_id > after, event.c.pos < position)
            .group_by(event.c.case_id)
            .order_by(event.c.case_id)
            .limit(_SPAN)
            .subquery("heads")
        )
        last = connection.execute(
            select(heads.c.case_id, heads.c.seq, heads.c.events, event.c.hash)
            .join(event, (event.c.case_id == heads.c.case_id) & (event.c.seq == heads.c.seq))
            .order_by(heads.c.case_id)
        ).all()
        if not last:
            return cases, events, digest.digest()
        for row in last:
            digest.update(f"{row.case_id} {row.seq} ".encode())
            digest.update(row.hash)
        cases += len(last)
        events += sum(row.events for row in last)
        after = last[-1].case_id
