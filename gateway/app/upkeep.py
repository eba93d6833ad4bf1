"""Upkeep beside the flow: signed checkpoints of the history, and whether this process is ready."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import structlog

from adapters.base import ChannelDown
from adapters.customs.channels.folder import FolderChannel
from gateway.app.config import ConfigError, FolderSection, Settings
from gateway.app.keyring import ConfiguredRings, KeyRings
from gateway.domain.codec import from_micros
from gateway.ports import Channel, Clock
from gateway.ports.lessons import LessonBook
from signing import SigningError
from signing.ring import Health, days_left, forecast
from store.admin import MasterAdmin
from store.aside import read_unmatched
from store.checkpoints import write_checkpoint
from store.sql import SQLStore
from store.work import open_work

KEYS_CHECKED_S: Final = 60.0
KEYS_READ_S: Final = 5.0
_HOUR_US: Final = 3600 * 1_000_000
_PURGE_S: Final = 600.0
_READ_AGAIN_S: Final = 300.0
_READ_AGAIN_FOR_US: Final = 2 * _HOUR_US
# Between two looks for something new, and between two parts of a history that is behind.
_LEARN_S: Final = 30.0
_LEARN_ON_S: Final = 0.5
_LEARNED_A_TURN: Final = 2_000
_LOG = structlog.get_logger("clearance.upkeep")


async def keep_checkpoints(store: SQLStore, clock: Clock, settings: Settings) -> None:
    """Write a signed checkpoint from time to time, and its line to a second place; for ever."""
    while True:
        await clock.sleep(settings.store.checkpoint_s)
        made = await write_checkpoint(store, store.keys, clock.now())
        if made is None or settings.store.checkpoint_file is None:
            continue
        try:
            _append(settings.store.checkpoint_file, made.line)
        except OSError as error:
            _LOG.error("checkpoint_not_kept", reason=type(error).__name__)


async def keep_lessons(clock: Clock, admin: MasterAdmin, book: LessonBook) -> None:
    """Learn from what customs answered, tenant by tenant, so that asking finds it done; for ever.

    A history that nobody learned from yet is worked off in parts, with pauses for orders.
    """
    while True:
        is_behind = False
        for one in await admin.list_tenants():
            if one.is_active:
                is_behind |= not (await book.learn(one.tenant, _LEARNED_A_TURN)).is_complete
        await clock.sleep(_LEARN_ON_S if is_behind else _LEARN_S)


async def keep_unmatched(store: SQLStore, clock: Clock) -> None:
    """Read receipts again that found no case when they came: what they wait for may have come
    since (a tax bill before the release that numbers its inventory); for ever.

    Two hours long; then a person is left with them.
    """
    while True:
        await clock.sleep(_READ_AGAIN_S)
        since = clock.now() - _READ_AGAIN_FOR_US
        done = await store.execute(partial(read_unmatched, received_since=since))
        if done:
            _LOG.info("receipts_read_again", files=len(done))


async def keep_keys_well(rings: KeyRings, clock: Clock) -> None:
    """Have every key sign a probe from time to time, and tell when certificates near their end;
    for ever.
    """
    told: dict[str, int | None] = {}
    while True:
        await clock.sleep(KEYS_CHECKED_S)
        for ring in rings.rings.values():
            await ring.check()
        now = from_micros(clock.now())
        for name, key in rings.keys.items():
            stage = forecast(key.certificate, now)
            if stage is not None and told.get(name) != stage:
                left = days_left(key.certificate, now)
                _LOG.warning("certificate_ends", key=name, serial=key.key_name, days_left=left)
            told[name] = stage


async def keep_keys_new(
    rings: ConfiguredRings, clock: Clock, read: Callable[[], Settings], asked: asyncio.Event
) -> None:
    """Take up keys that are added, changed or removed in the settings or their files; for ever.

    Looks every few seconds, and at once when it is asked. Settings or keys that cannot be used
    change nothing: they are told once, and looked at again.
    """
    told: tuple[str, str] | None = None
    while True:
        try:
            settings = await asyncio.to_thread(read)
            names = await rings.take(settings.keys)
            if names:
                _LOG.info("keys_taken", keys=names)
        except (ConfigError, OSError) as error:
            cause = error.__cause__
            fault = cause.code if isinstance(cause, SigningError) else type(error).__name__
            where = str(error).partition(":")[0]
            if (fault, where) != told:
                _LOG.error("keys_not_taken", where=where, code=fault)
            told = (fault, where)
        else:
            told = None
        await _asked_or_time(clock, asked)


async def _asked_or_time(clock: Clock, asked: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as tasks:
        waits = (tasks.create_task(asked.wait()), tasks.create_task(clock.sleep(KEYS_READ_S)))
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()
    asked.clear()


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="ascii") as file:
        file.write(line + "\n")


async def purge_folders(channels: Mapping[str, Channel], clock: Clock, settings: Settings) -> None:
    """Clear the done and error folders of files that are old enough; for ever."""
    hours = {
        name: section.purge_hours
        for name, section in settings.channels.items()
        if isinstance(section, FolderSection) and section.purge_hours is not None
    }
    while hours:
        for name, old in hours.items():
            channel = channels[name]
            assert isinstance(channel, FolderChannel)
            gone = await channel.purge(clock.now() - old * _HOUR_US)
            if gone:
                _LOG.info("folders_purged", channel=name, files=gone)
        await clock.sleep(_PURGE_S)


async def readiness(
    store: SQLStore,
    rings: KeyRings,
    settings: Settings,
    clock: Clock,
    channels: Mapping[str, Channel],
) -> Mapping[str, bool]:
    """Which parts can do their work now: the database, the keys, the folders of each channel.

    A broker or a relay that is away keeps nobody from sending papers here: of those the metrics
    tell.
    """
    now = clock.now()
    states = rings.states().values()
    ready = {"keys": all(any(key.health is Health.READY for key in ring) for ring in states)}
    async with store.read() as reading:
        await reading.run_sync(lambda connection: open_work(connection, now))
    ready["store"] = store.waiting < settings.store.queue
    for name, channel in channels.items():
        if isinstance(channel, FolderChannel):
            ready[f"channel.{name}"] = await _is_there(channel)
    return ready


async def _is_there(channel: Channel) -> bool:
    try:
        await channel.check()
    except ChannelDown:
        return False
    return True
