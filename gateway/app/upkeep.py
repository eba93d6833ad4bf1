"""Upkeep beside the flow: signed checkpoints of the history, and whether this process is ready."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from gateway.app.config import Settings
from gateway.app.keyring import FileKeyRing
from gateway.domain.codec import from_micros
from gateway.ports import Clock
from store.checkpoints import write_checkpoint
from store.sql import SQLStore
from store.work import open_work

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


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="ascii") as file:
        file.write(line + "\n")


async def readiness(
    store: SQLStore, ring: FileKeyRing, settings: Settings, clock: Clock
) -> Mapping[str, bool]:
    """Which parts can do their work now: the database, the keys, the folders of each channel."""
    now = clock.now()
    ready = {
        "keys": all(key.certificate.is_valid_at(from_micros(now)) for key in ring.keys.values())
    }
    async with store.read() as reading:
        await reading.run_sync(lambda connection: open_work(connection, now))
    ready["store"] = store.waiting < settings.store.queue
    for name, channel in settings.channels.items():
        ready[f"channel.{name}"] = channel.send.is_dir() and channel.receive.is_dir()
    return ready
