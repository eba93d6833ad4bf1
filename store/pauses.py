"""Paused channels, stored: a row for each, followed by every process that sends."""

from collections.abc import Mapping

from sqlalchemy import Connection, delete, select

from gateway.ports import Clock
from gateway.ports.pauses import Pause
from store.access import Access
from store.changes import follow, insert_into
from store.tables import channel_pause


def put_pause(connection: Connection, value: Pause) -> bool:
    """Pause a channel; False when it is paused already: the first reason stays."""
    columns = {
        "channel": value.channel,
        "paused_at": value.at,
        "paused_by": value.by,
        "reason": value.reason,
    }
    statement = insert_into(connection, channel_pause).values(columns).on_conflict_do_nothing()
    return bool(connection.execute(statement).rowcount)


def end_pause(connection: Connection, channel: str) -> bool:
    """Let a channel send again; False when it was not paused."""
    statement = delete(channel_pause).where(channel_pause.c.channel == channel)
    return bool(connection.execute(statement).rowcount)


def load_pauses(connection: Connection) -> Mapping[str, Pause]:
    """Every pause, by channel."""
    return {
        row.channel: Pause(row.channel, row.paused_at, row.paused_by, row.reason)
        for row in connection.execute(select(channel_pause).order_by(channel_pause.c.channel))
    }


class PauseBook:
    """Implements ``ports.pauses.Pauses``; call :meth:`refresh` before the first use."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock
        self._paused: Mapping[str, Pause] = {}

    @property
    def paused(self) -> Mapping[str, Pause]:
        """The pauses by channel, as of the last refresh."""
        return self._paused

    async def pause(self, channel: str, by: str, reason: str) -> bool:
        """Pause a channel; False when it is paused already."""
        value = Pause(channel, self._clock.now(), by, reason)
        done = await self._access.execute(lambda on: put_pause(on, value))
        await self.refresh()
        return done

    async def resume(self, channel: str) -> bool:
        """Let a channel send again; False when it was not paused."""
        done = await self._access.execute(lambda on: end_pause(on, channel))
        await self.refresh()
        return done

    async def refresh(self) -> None:
        """Load the pauses."""
        async with self._access.read() as reading:
            self._paused = await reading.run_sync(load_pauses)

    async def follow(self, clock: Clock, every_s: float = 1.0) -> None:
        """Refresh for ever; end it by cancelling. A database that is away is asked again."""
        await follow(self.refresh, clock, every_s)
