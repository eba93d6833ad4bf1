from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.sandbox.customs import CustomsAuthority, OutgoingFile, Settings, Timing
from adapters.sandbox.customs.folder import FILES_A_TURN, Folders, run_folder, turn, waiting_files
from tests.unit.sandbox import wire

SETTINGS = Settings(any_certificate=True, timing=Timing.instant())


def clock() -> datetime:
    return wire.NOW


def drop(inbox: Path, name: str, data: bytes) -> None:
    hidden = inbox / f".{name}.tmp"
    hidden.write_bytes(data)
    hidden.replace(inbox / name)


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    made = Folders(tmp_path / "in", tmp_path / "out", tmp_path / "done")
    for folder in (made.inbox, made.outbox, made.done):
        assert folder is not None
        folder.mkdir()
    return made


def test_only_complete_files_are_taken_oldest_first(folders: Folders) -> None:
    for age, name in enumerate(["b.xml", "a.xml", ".c.xml", "d.tmp"]):
        path = folders.inbox / name
        path.write_bytes(b"x")
        os.utime(path, (1000 + age, 1000 + age))
    (folders.inbox / "folder").mkdir()
    assert [path.name for path in waiting_files(folders.inbox, 10)] == ["b.xml", "a.xml"]
    assert [path.name for path in waiting_files(folders.inbox, 1)] == ["b.xml"]


def test_a_turn_moves_files_and_leaves_no_temporary(folders: Folders, signer: wire.Signer) -> None:
    data = wire.envelope(signer.sign(wire.message(wire.order("A"))))
    drop(folders.inbox, "one.xml", data)
    drop(folders.inbox, "two.xml", b"junk")
    authority = CustomsAuthority(1, SETTINGS)
    assert turn(authority, folders, clock) == 4
    assert list(folders.inbox.iterdir()) == []
    assert folders.done is not None
    assert (folders.done / "one.xml").read_bytes() == data
    names = sorted(path.name for path in folders.outbox.iterdir())
    assert len(names) == 2
    assert all(not name.startswith(".") and name.endswith(".xml") for name in names)
    kinds = {name.split("_")[-1] for name in names}
    assert kinds == {"DxpRep.xml", "CEB312Message.xml"}


def test_files_are_deleted_without_a_done_folder(folders: Folders) -> None:
    drop(folders.inbox, "one.xml", b"junk")
    turn(CustomsAuthority(1, SETTINGS), Folders(folders.inbox, folders.outbox), clock)
    assert list(folders.inbox.iterdir()) == []
    assert folders.done is not None
    assert list(folders.done.iterdir()) == []


async def test_folders_are_served_until_stopped(tmp_path: Path, signer: wire.Signer) -> None:
    inbox, outbox = tmp_path / "in", tmp_path / "out"
    authority = CustomsAuthority(1, SETTINGS)
    stop = asyncio.Event()
    count = FILES_A_TURN + 3
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(
            run_folder(
                authority, inbox, outbox, clock=lambda: datetime.now(UTC), poll_s=0.005, stop=stop
            )
        )
        await wire.until(inbox.exists)
        for number in range(count):
            message = signer.sign(wire.message(wire.order(f"N{number}")))
            drop(inbox, f"{number}.xml", wire.envelope(message, cop_msg_id=f"M{number}"))
        seen: list[str] = []
        taken: set[str] = set()
        while len(seen) < 2 * count:
            for path in sorted(outbox.glob("[!.]*.xml")):
                if path.name not in taken:
                    taken.add(path.name)
                    file = OutgoingFile(path.name, path.read_bytes(), "")
                    seen.extend(answer.status for answer in wire.read(file))
            await asyncio.sleep(0.005)
        stop.set()
    assert sorted(seen) == ["120"] * count + ["2"] * count
    assert list(inbox.iterdir()) == []
