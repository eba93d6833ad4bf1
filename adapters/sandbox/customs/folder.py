"""Runs the authority over a pair of DXP folders, as a transfer client presents them."""

import asyncio
import contextlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.sandbox.customs.authority import CustomsAuthority

FILES_A_TURN = 32
"""Most files taken in one turn, so that receipts go out between bursts."""


def system_clock() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Folders:
    """Where files come from and go to; processed files move to ``done`` or are deleted."""

    inbox: Path
    outbox: Path
    done: Path | None = None


def waiting_files(inbox: Path, most: int) -> list[Path]:
    """Return complete files, oldest first; names starting ``.`` or ending ``.tmp`` are not."""
    with os.scandir(inbox) as entries:
        found = [
            (entry.stat().st_mtime_ns, entry.name)
            for entry in entries
            if not entry.name.startswith(".")
            and not entry.name.endswith(".tmp")
            and entry.is_file(follow_symlinks=False)
        ]
    return [inbox / name for _, name in sorted(found)[:most]]


def turn(authority: CustomsAuthority, folders: Folders, clock: Callable[[], datetime]) -> int:
    """Take waiting files, let the authority work and write what is due; returns files moved.

    A file is finished (moved or deleted) only after the authority has taken it, and written
    under a temporary name first, so that nobody ever sees half of one.
    """
    moved = 0
    for path in waiting_files(folders.inbox, FILES_A_TURN):
        data = path.read_bytes()
        authority.receive(data, clock())
        if folders.done is None:
            path.unlink()
        else:
            path.replace(folders.done / path.name)
        moved += 1
    for file in authority.due(clock()):
        hidden = folders.outbox / f".{file.name}.tmp"
        hidden.write_bytes(file.data)
        hidden.replace(folders.outbox / file.name)
        moved += 1
    return moved


async def run_folder(
    authority: CustomsAuthority,
    inbox: Path,
    outbox: Path,
    *,
    done: Path | None = None,
    clock: Callable[[], datetime] = system_clock,
    poll_s: float = 0.02,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve the folders until ``stop`` is set or the task is cancelled.

    Files are read and written, and the authority works, on one thread of its own; the event
    loop never waits for it. Nothing else may call the authority's methods meanwhile.
    """
    folders = Folders(inbox, outbox, done)
    for folder in (inbox, outbox, done):
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
    ended = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-customs") as executor:
        while not ended.is_set():
            moved = await loop.run_in_executor(executor, turn, authority, folders, clock)
            if moved < FILES_A_TURN:
                await _pause(ended, _wait_s(authority, clock(), poll_s))


def _wait_s(authority: CustomsAuthority, now: datetime, poll_s: float) -> float:
    due = authority.next_due()
    if due is None:
        return poll_s
    return min(poll_s, max(0.001, (due - now).total_seconds()))


async def _pause(ended: asyncio.Event, wait_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            await ended.wait()
