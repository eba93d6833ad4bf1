"""Signing keys that are set aside, stored: a row for each, followed by every process that signs."""

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, select, update

from gateway.ports import Clock
from gateway.ports.aside_keys import AsideKey
from store.access import Access
from store.changes import follow, insert_into
from store.tables import key_aside

Told = Callable[[Mapping[str, AsideKey]], None]


def put_aside(connection: Connection, value: AsideKey, signed_at: int) -> bool:
    """Set a key aside; False when it is already, or was readmitted after ``signed_at``."""
    columns = {"set_at": value.at, "set_by": value.by, "reason": value.reason}
    statement = insert_into(connection, key_aside).values(serial=value.serial, **columns)
    over = {**columns, "ended_at": None, "ended_by": None}
    done = connection.execute(
        statement.on_conflict_do_update(
            index_elements=["serial"],
            set_=over,
            where=key_aside.c.ended_at.is_not(None) & (key_aside.c.ended_at < signed_at),
        )
    )
    return bool(done.rowcount)


def end_aside(connection: Connection, serial: str, by: str, at: int) -> bool:
    """Let a key sign again; False when it was not set aside."""
    is_it = (key_aside.c.serial == serial) & key_aside.c.ended_at.is_(None)
    statement = update(key_aside).where(is_it).values(ended_at=at, ended_by=by)
    return bool(connection.execute(statement).rowcount)


def load_aside(connection: Connection) -> Mapping[str, AsideKey]:
    """Every key that is set aside, by serial."""
    found = select(key_aside).where(key_aside.c.ended_at.is_(None)).order_by(key_aside.c.serial)
    return {
        row.serial: AsideKey(row.serial, row.set_at, row.set_by, row.reason)
        for row in connection.execute(found)
    }


class AsideBook:
    """Implements ``ports.aside_keys.AsideKeys``; call :meth:`refresh` before the first use.

    ``told`` hears the keys of every refresh, so that the rings of the process do as it says.
    """

    def __init__(self, access: Access, clock: Clock, told: Told | None = None) -> None:
        self._access = access
        self._clock = clock
        self._told = told
        self._aside: Mapping[str, AsideKey] = {}

    @property
    def aside(self) -> Mapping[str, AsideKey]:
        """The keys that are set aside, by serial, as of the last refresh."""
        return self._aside

    async def set_aside(self, serial: str, by: str, reason: str, *, signed_at: int) -> bool:
        """Set a key aside; False when it is already, or was readmitted after ``signed_at``."""
        value = AsideKey(serial, self._clock.now(), by, reason)
        done = await self._access.execute(lambda on: put_aside(on, value, signed_at))
        await self.refresh()
        return done

    async def readmit(self, serial: str, by: str) -> bool:
        """Let a key sign again; False when it was not set aside."""
        now = self._clock.now()
        done = await self._access.execute(lambda on: end_aside(on, serial, by, now))
        await self.refresh()
        return done

    async def refresh(self) -> None:
        """Load what is set aside."""
        async with self._access.read() as reading:
            self._aside = await reading.run_sync(load_aside)
        if self._told is not None:
            self._told(self._aside)

    async def follow(self, clock: Clock, every_s: float = 1.0) -> None:
        """Refresh for ever; end it by cancelling. A database that is away is asked again."""
        await follow(self.refresh, clock, every_s)
