"""The folder channel: complete files only, nothing lost, nothing outside its folders."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from adapters.base import ChannelDown
from adapters.customs.channels.folder import FolderChannel, is_safe_name
from gateway.ports import Channel, SendOutcome

T = TypeVar("T")


class Counting:
    """Runs inline and counts the hops."""

    def __init__(self) -> None:
        self.hops = 0

    async def run(self, function: Callable[..., T], *arguments: Any) -> T:
        self.hops += 1
        return function(*arguments)


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    made = {name: tmp_path / name for name in ("send", "receive", "done", "error")}
    for path in made.values():
        path.mkdir()
    return made


def channel(folders: dict[str, Path], **changes: Any) -> FolderChannel:
    values: dict[str, Any] = {
        "done_dir": folders["done"],
        "error_dir": folders["error"],
        "executor": Counting(),
    }
    return FolderChannel("dxp", folders["send"], folders["receive"], **(values | changes))


def put(folders: dict[str, Path], name: str, body: bytes, at: int = 1) -> Path:
    path = folders["receive"] / name
    path.write_bytes(body)
    os.utime(path, ns=(at, at))
    return path


def test_it_is_a_channel(folders: dict[str, Path]) -> None:
    way: Channel = channel(folders)
    assert way.name == "dxp"


class Hands:
    """A clock that a test sets."""

    seconds = 100.0

    def now(self) -> int:
        return int(self.seconds * 1_000_000)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class TestUnfinished:
    """A transfer client that writes in place, slowly."""

    WHOLE = b'<?xml version="1.0"?>\n<d:DxpMsg xmlns:d="urn:d"><d:Data>QQ==</d:Data></d:DxpMsg >\n'

    @pytest.mark.parametrize("cut", [0, 1, 30, 62, 80, len(WHOLE) - 3])
    async def test_is_left_until_it_is_whole(self, folders: dict[str, Path], cut: int) -> None:
        clock = Hands()
        way = channel(folders, settle_s=5.0, clock=clock)
        put(folders, "a.xml", self.WHOLE[:cut], at=1)
        assert await way.receive(10) == []
        clock.seconds += 4.9
        assert await way.receive(10) == []
        put(folders, "a.xml", self.WHOLE, at=2)
        assert [file.body for file in await way.receive(10)] == [self.WHOLE]

    async def test_is_read_once_it_stopped_changing(self, folders: dict[str, Path]) -> None:
        clock = Hands()
        way = channel(folders, settle_s=5.0, clock=clock)
        put(folders, "a.xml", b"<a><b>", at=1)
        assert await way.receive(10) == []
        clock.seconds += 4
        put(folders, "a.xml", b"<a><b></b>", at=2)
        assert await way.receive(10) == []
        clock.seconds += 4
        assert await way.receive(10) == []
        clock.seconds += 1
        assert [file.body for file in await way.receive(10)] == [b"<a><b></b>"]

    async def test_keeps_no_other_file_waiting(self, folders: dict[str, Path]) -> None:
        way = channel(folders, settle_s=5.0, clock=Hands())
        for number in range(5):
            put(folders, f"{number}.xml", b"<a>", at=number)
        put(folders, "b.xml", self.WHOLE, at=9)
        assert [file.name for file in await way.receive(1)] == ["b.xml"]

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
    async def test_whole_in_other_encodings(self, folders: dict[str, Path], encoding: str) -> None:
        put(folders, "a.xml", self.WHOLE.decode().encode(encoding))
        assert len(await channel(folders, settle_s=5.0, clock=Hands()).receive(10)) == 1


class TestSend:
    @pytest.mark.parametrize("fsync", [True, False])
    async def test_hands_over_one_complete_file(
        self, folders: dict[str, Path], fsync: bool
    ) -> None:
        way = channel(folders, fsync=fsync)
        assert await way.send("a.xml", b"one") is SendOutcome.HANDED_OVER
        assert await way.send("a.xml", b"one") is SendOutcome.HANDED_OVER
        assert [path.name for path in folders["send"].iterdir()] == ["a.xml"]
        assert (folders["send"] / "a.xml").read_bytes() == b"one"

    async def test_others_may_not_read_a_message(self, folders: dict[str, Path]) -> None:
        before = os.umask(0)
        try:
            assert await channel(folders).send("a.xml", b"one") is SendOutcome.HANDED_OVER
        finally:
            os.umask(before)
        assert (folders["send"] / "a.xml").stat().st_mode & 0o777 == 0o640

    async def test_what_a_dead_writer_left_does_not_decide_the_mode(
        self, folders: dict[str, Path]
    ) -> None:
        left = folders["send"] / f".a.xml.{os.getpid()}-{threading.get_ident()}.tmp"
        left.write_bytes(b"half")
        left.chmod(0o666)
        assert await channel(folders).send("a.xml", b"one") is SendOutcome.HANDED_OVER
        (file,) = folders["send"].iterdir()
        assert file.read_bytes() == b"one"
        assert file.stat().st_mode & 0o137 == 0

    @pytest.mark.parametrize(
        "name", ["", ".", "..", "../a", "a/b", "/a", ".a", "a.tmp", "a\0b", "a\nb", "x" * 181]
    )
    async def test_no_name_leaves_the_folder(self, folders: dict[str, Path], name: str) -> None:
        assert await channel(folders).send(name, b"x") is SendOutcome.REFUSED
        assert not list(folders["send"].iterdir())
        assert not is_safe_name(name)

    async def test_a_folder_that_is_gone_refuses(self, folders: dict[str, Path]) -> None:
        folders["send"].rmdir()
        assert await channel(folders).send("a.xml", b"x") is SendOutcome.REFUSED

    async def test_a_full_disk_refuses_and_leaves_nothing(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        assert await channel(folders).send("a.xml", b"x") is SendOutcome.REFUSED
        assert not list(folders["send"].iterdir())

    async def test_a_rename_that_surely_failed_refuses(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Path, target: Path) -> None:
            raise OSError(13, "Permission denied")

        monkeypatch.setattr(Path, "replace", refuse)
        assert await channel(folders).send("a.xml", b"x") is SendOutcome.REFUSED
        assert not list(folders["send"].iterdir())

    async def test_a_rename_whose_answer_was_lost_is_unknown(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def rename_and_fail(self: Path, target: Path) -> None:
            os.rename(self, target)
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(Path, "replace", rename_and_fail)
        assert await channel(folders).send("a.xml", b"x") is SendOutcome.UNKNOWN
        assert (folders["send"] / "a.xml").exists()

    async def test_a_folder_that_cannot_be_flushed_is_unknown(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real, calls = os.fsync, []

        def second_fails(handle: int) -> None:
            calls.append(handle)
            if len(calls) == 2:
                raise OSError(5, "Input/output error")
            real(handle)

        monkeypatch.setattr(os, "fsync", second_fails)
        assert await channel(folders).send("a.xml", b"x") is SendOutcome.UNKNOWN


class TestReceive:
    async def test_complete_files_oldest_first_up_to_a_limit(
        self, folders: dict[str, Path]
    ) -> None:
        for name, at in (("c.xml", 3), ("a.xml", 1), ("b.xml", 2), (".h", 0), ("d.TMP", 0)):
            put(folders, name, name.encode(), at)
        (folders["receive"] / "sub").mkdir()
        executor = Counting()
        way = channel(folders, executor=executor)
        found = await way.receive(2)
        assert [(file.name, file.body) for file in found] == [
            ("a.xml", b"a.xml"),
            ("b.xml", b"b.xml"),
        ]
        assert [file.name for file in await way.receive(9)] == ["a.xml", "b.xml", "c.xml"]
        assert executor.hops == 2

    async def test_links_and_pipes_are_not_read(self, folders: dict[str, Path]) -> None:
        secret = folders["done"] / "secret"
        secret.write_bytes(b"secret")
        (folders["receive"] / "link.xml").symlink_to(secret)
        os.mkfifo(folders["receive"] / "pipe.xml")
        assert await channel(folders).receive(9) == []

    async def test_a_file_that_vanishes_is_left_out(
        self, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(folders, "a.xml", b"a", 1)
        put(folders, "b.xml", b"b", 2)
        real = os.open

        def vanish(path: Path, flags: int) -> int:
            if path.name == "a.xml":
                path.unlink()
            return real(path, flags)

        monkeypatch.setattr(os, "open", vanish)
        assert [file.name for file in await channel(folders).receive(9)] == ["b.xml"]

    @pytest.mark.parametrize("kept", [True, False])
    async def test_an_oversize_file_is_set_aside_unread(
        self, folders: dict[str, Path], kept: bool
    ) -> None:
        put(folders, "big.xml", b"12345", 1)
        put(folders, "fits.xml", b"1234", 2)
        way = channel(folders, most_bytes=4, error_dir=folders["error"] if kept else None)
        assert [file.name for file in await way.receive(9)] == ["fits.xml"]
        assert (folders["error"] / "big.xml").exists() is kept
        assert (folders["receive"] / "big.xml").exists() is not kept

    @pytest.mark.parametrize("kept", [True, False])
    async def test_an_oversize_file_is_told_once(
        self, folders: dict[str, Path], kept: bool
    ) -> None:
        told: list[tuple[str, str]] = []
        way = channel(
            folders,
            most_bytes=4,
            error_dir=folders["error"] if kept else None,
            set_aside=lambda *words: told.append(words),
        )
        put(folders, "big.xml", b"12345")
        for _ in range(3):
            assert await way.receive(9) == []
        assert told == [("dxp", "big.xml")]
        put(folders, "big.xml", b"123456", 2)
        await way.receive(9)
        assert len(told) == 2

    async def test_a_name_in_another_encoding_can_be_acknowledged(
        self, folders: dict[str, Path]
    ) -> None:
        put(folders, os.fsdecode("回执.xml".encode("gbk")), b"x")
        way = channel(folders)
        (file,) = await way.receive(9)
        assert file.name.encode()
        await way.acknowledge([file.token])
        assert await way.receive(9) == []
        assert len(list(folders["done"].iterdir())) == 1

    async def test_a_folder_that_is_gone_is_said(self, folders: dict[str, Path]) -> None:
        folders["receive"].rmdir()
        with pytest.raises(ChannelDown):
            await channel(folders).receive(1)


class TestAcknowledge:
    @pytest.mark.parametrize("kept", [True, False])
    async def test_lets_go_of_what_was_read(self, folders: dict[str, Path], kept: bool) -> None:
        put(folders, "a.xml", b"a")
        way = channel(folders, done_dir=folders["done"] if kept else None)
        tokens = [file.token for file in await way.receive(9)]
        await way.acknowledge(tokens)
        await way.acknowledge(tokens)
        assert await way.receive(9) == []
        assert (folders["done"] / "a.xml").exists() is kept

    async def test_a_file_replaced_since_stays(self, folders: dict[str, Path]) -> None:
        put(folders, "a.xml", b"old", 1)
        way = channel(folders)
        (old,) = await way.receive(9)
        put(folders, "a.xml", b"new", 2)
        await way.acknowledge([old.token])
        assert [file.body for file in await way.receive(9)] == [b"new"]

    async def test_what_cannot_be_put_away_holds_up_nothing_and_goes_later(
        self, folders: dict[str, Path]
    ) -> None:
        for number in range(6):
            put(folders, f"{number}.xml", b"%d" % number, number + 1)
        folders["done"].rmdir()
        way = channel(folders)
        read: list[bytes] = []
        for _ in range(4):
            files = await way.receive(2)
            read += [file.body for file in files]
            await way.acknowledge([file.token for file in files])
        assert read == [b"0", b"1", b"2", b"3", b"4", b"5"]
        # A file that comes under the name of one that stayed is another file.
        put(folders, "3.xml", b"new", 9)
        assert [file.body for file in await way.receive(2)] == [b"new"]
        folders["done"].mkdir()
        await way.receive(0)
        assert {path.name for path in folders["receive"].iterdir()} == {"3.xml"}
        assert len(list(folders["done"].iterdir())) == 5

    @pytest.mark.parametrize("name", ["../send/x", "..", ".", "x\0", ""])
    async def test_foreign_tokens_do_nothing(self, folders: dict[str, Path], name: str) -> None:
        outside = folders["send"] / "x"
        outside.write_bytes(b"x")
        facts = outside.stat()
        prefix = f"{facts.st_ino}-{facts.st_mtime_ns}-{facts.st_size}/"
        await channel(folders).acknowledge([prefix + name.encode().hex(), name, "1/zz"])
        assert outside.exists()


class TestUpkeep:
    async def test_both_folders_must_be_there_to_be_used(self, folders: dict[str, Path]) -> None:
        way = channel(folders)
        await way.check()
        folders["send"].rmdir()
        with pytest.raises(ChannelDown):
            await way.check()

    async def test_old_files_are_purged_and_nothing_else(self, folders: dict[str, Path]) -> None:
        way = channel(folders)
        for name in ("done", "error", "receive", "send"):
            for age in (1, 9):
                path = folders[name] / f"{age}.xml"
                path.write_bytes(b"x")
                os.utime(path, (age, age))
        (folders["done"] / "kept").mkdir()
        (folders["done"] / "link").symlink_to(folders["receive"] / "1.xml")
        os.utime(folders["done"] / "kept", (1, 1))
        assert await way.purge(5 * 1_000_000) == 2
        left = {name: sorted(path.name for path in folders[name].iterdir()) for name in folders}
        assert left == {
            "done": ["9.xml", "kept", "link"],
            "error": ["9.xml"],
            "receive": ["1.xml", "9.xml"],
            "send": ["1.xml", "9.xml"],
        }

    async def test_a_folder_that_is_gone_purges_nothing(self, folders: dict[str, Path]) -> None:
        folders["done"].rmdir()
        assert await channel(folders).purge(5) == 0
        assert await channel(folders, done_dir=None, error_dir=None).purge(5) == 0
