"""The roll of processes: who lives, and what the dead had leased.

A process raises its count from time to time and looks at the counts of the others. One whose
count stands still for as many looks as the looker allows is dead to it: its row goes, and with it
its hold on what it had leased. Looks are counted, not times compared, so clocks that disagree or
jump do no harm. A process that was only paused is not hurt either: who took its work raised the
attempt number, which fences what it still writes, and its next beat puts it on the roll again.
"""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, exists, select, update

from gateway.ports import EffectKind
from store.changes import insert_into
from store.tables import OutboxStage, outbox, process


def join_roll(connection: Connection, process_id: str, now: int, *, alone: bool) -> None:
    """Put a process on the roll; ``alone`` strikes off all others, which cannot be alive."""
    if alone:
        connection.execute(delete(process).where(process.c.process_id != process_id))
    connection.execute(
        insert_into(connection, process)
        .values(process_id=process_id, beats=0, joined_at=now)
        .on_conflict_do_nothing()
    )


def beat(connection: Connection, process_id: str, now: int) -> dict[str, int]:
    """Raise the count of a process, which joins anew if it was struck off; the others' counts."""
    mine = process.c.process_id == process_id
    raised = connection.execute(update(process).where(mine).values(beats=process.c.beats + 1))
    if raised.rowcount == 0:
        join_roll(connection, process_id, now, alone=False)
    rows = connection.execute(select(process.c.process_id, process.c.beats).where(~mine))
    return {row.process_id: row.beats for row in rows}


def strike_off(connection: Connection, silent: Mapping[str, int]) -> int:
    """Strike processes off whose counts are still these; how many are gone by this."""
    gone = 0
    for process_id, beats in sorted(silent.items()):
        is_silent = (process.c.process_id == process_id, process.c.beats == beats)
        gone += connection.execute(delete(process).where(*is_silent)).rowcount
    return gone


def leave_roll(connection: Connection, process_id: str) -> None:
    """A process that ends takes nothing with it."""
    connection.execute(delete(process).where(process.c.process_id == process_id))


def free_leases(connection: Connection, now: int, lease_us: int) -> int:
    """End the leases of processes that are not on the roll; how many.

    A timer has no lease: it is due when its row says. ``lease_us`` bounds the rows looked at to
    those whose lease may run now.
    """
    columns = outbox.c
    is_held = ~exists().where(process.c.process_id == columns.held_by)
    freed = connection.execute(
        update(outbox)
        .where(
            columns.stage == OutboxStage.OPEN.value,
            columns.kind.in_([kind.value for kind in EffectKind]),
            columns.lease_until > now,
            columns.lease_until <= now + 2 * lease_us,
            columns.lease_until > columns.due_at,
            columns.held_by.is_not(None),
            is_held,
        )
        .values(lease_until=columns.due_at, held_by=None)
    )
    return freed.rowcount


def is_gone(connection: Connection, held_by: str | None, asking: str | None) -> bool:
    """Whether who holds something is known to be no more; who asks never is."""
    if held_by is None or asking is None or held_by == asking:
        return False
    found = connection.execute(select(process.c.beats).where(process.c.process_id == held_by))
    return found.first() is None
