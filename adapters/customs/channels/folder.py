"""DXP folders: a transfer client watches a send folder and fills a receive folder.

Customs' note names no file names and no folders; clients differ only in where they are. What both
sides keep: a file is written under a hidden temporary name in the same folder and then renamed, so
a visible file is complete. A client may write in place all the same: a file that does not end as
a document does is left until it has stopped changing. Every call is one hop to the executor,
however many files it touches.
"""

import os
import re
import shutil
import stat
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from adapters.base import ChannelDown
from gateway.ports import Clock, Executor, Received, SendOutcome

TEMPORARY: Final = ".tmp"
MOST_BYTES: Final = 16 * 1024 * 1024
"""Larger files are not read: a full message of 100 records stays well below."""

_NAME_BYTES: Final = 180
_MODE: Final = 0o640
"""Messages hold personal data in clear: others may never read them, not even for a moment."""
_MOST_TOLD: Final = 1000
_ROOT: Final = re.compile(rb"<([^\s<>/?!=]+)")


class FolderChannel:
    """A send and a receive folder of one transfer client.

    ``done_dir`` keeps acknowledged files (None deletes them); ``error_dir`` takes files over
    ``most_bytes`` (None leaves them, unread). The folders may lie on different file systems.
    ``fsync`` makes a hand-over survive a power cut before it is reported. A file that does not end
    with its root's end tag is read once it has been unchanged for ``settle_s`` seconds of
    ``clock`` (without one, at once): taken earlier, what its writer still adds would never be
    read. ``set_aside`` is told
    the channel and the file name of every file over ``most_bytes``, once, from the executor's
    thread.
    """

    def __init__(
        self,
        name: str,
        send_dir: Path,
        receive_dir: Path,
        *,
        done_dir: Path | None,
        error_dir: Path | None,
        executor: Executor,
        fsync: bool = True,
        most_bytes: int = MOST_BYTES,
        settle_s: float = 0.0,
        clock: Clock | None = None,
        set_aside: Callable[[str, str], None] | None = None,
    ) -> None:
        self.name = name
        self._send_dir = send_dir
        self._receive_dir = receive_dir
        self._done_dir = done_dir
        self._error_dir = error_dir
        self._executor = executor
        self._fsync = fsync
        self._most_bytes = most_bytes
        self._clock = clock
        self._settle_us = int(settle_s * 1_000_000) if clock is not None else 0
        # Token of each file that does not look finished, and when it was first seen so.
        self._unfinished: dict[str, int] = {}
        self._set_aside = set_aside
        self._told: set[str] = set()
        # Tokens of files that were let go of and could not be put away: read, and still there.
        self._staying: set[str] = set()

    async def send(self, file_name: str, envelope: bytes) -> SendOutcome:
        """Put one file into the send folder; the same name again replaces it as a whole.

        REFUSED: surely not handed over (nothing became visible). UNKNOWN: the rename was reported
        as failed but may have happened, as network file systems do.
        """
        return await self._executor.run(self._write, file_name, envelope)

    async def receive(self, limit: int) -> list[Received]:
        """Up to ``limit`` complete files, oldest first; they stay until acknowledged.

        Hidden names, ``*.tmp``, links and folders are not looked at; a file that vanishes between
        listing and reading, or still seems to be written, is left out. Raises
        :class:`ChannelDown` when the folder is gone.
        """
        return await self._executor.run(self._read, limit)

    async def acknowledge(self, tokens: Sequence[str]) -> None:
        """Let go of files whose bytes are durable; unknown tokens are ignored.

        A file replaced since it was read stays: its new bytes have not been read yet. One that
        cannot be put away (a full disk, no such folder) stays too, is not read again by this
        channel, and is put away once that is possible: what comes after it does not wait for it.
        """
        await self._executor.run(self._let_go, tuple(tokens))

    async def check(self) -> None:
        """Raises :class:`ChannelDown` unless both folders are there and may be used."""
        await self._executor.run(self._look)

    async def purge(self, before_us: int) -> int:
        """Remove files last changed before a moment (UTC microseconds) from the done and error
        folders; how many.
        """
        return await self._executor.run(self._clear, before_us)

    def _look(self) -> None:
        for folder in (self._send_dir, self._receive_dir):
            if not (folder.is_dir() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)):
                raise ChannelDown(f"{self.name}: the {folder.name} folder cannot be used")

    def _clear(self, before_us: int) -> int:
        gone = 0
        for folder in (self._done_dir, self._error_dir):
            # A folder or file that cannot be read or removed now is looked at the next time.
            with suppress(OSError):
                for entry in os.scandir(folder) if folder is not None else ():
                    gone += self._clear_one(entry, before_us)
        return gone

    def _clear_one(self, entry: "os.DirEntry[str]", before_us: int) -> int:
        with suppress(OSError):
            facts = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(facts.st_mode) and facts.st_mtime_ns // 1000 < before_us:
                os.unlink(entry.path)
                return 1
        return 0

    def _write(self, file_name: str, envelope: bytes) -> SendOutcome:
        if not is_safe_name(file_name):
            return SendOutcome.REFUSED
        # One temporary name per writer: two writers of one file must not truncate each other.
        writer = f"{os.getpid()}-{threading.get_ident()}"
        temporary = self._send_dir / f".{file_name}.{writer}{TEMPORARY}"
        try:
            # What a writer that died left is no more than an obstacle: it may have another mode.
            _discard(temporary)
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE)
            with open(handle, "wb") as file:
                file.write(envelope)
                file.flush()
                if self._fsync:
                    os.fsync(file.fileno())
        except OSError:
            _discard(temporary)
            return SendOutcome.REFUSED
        try:
            temporary.replace(self._send_dir / file_name)
        except OSError:
            if not os.path.lexists(temporary):
                return SendOutcome.UNKNOWN
            _discard(temporary)
            return SendOutcome.REFUSED
        return self._made_durable()

    def _made_durable(self) -> SendOutcome:
        """Flush the folder, so that the new name survives a power cut."""
        if not self._fsync:
            return SendOutcome.HANDED_OVER
        try:
            handle = os.open(self._send_dir, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            return SendOutcome.UNKNOWN
        try:
            os.fsync(handle)
        except OSError:
            return SendOutcome.UNKNOWN
        finally:
            os.close(handle)
        return SendOutcome.HANDED_OVER

    def _read(self, limit: int) -> list[Received]:
        received: list[Received] = []
        unfinished: dict[str, int] = {}
        now_us = self._clock.now() if self._clock is not None else 0
        self._put_away_staying()
        for _, name in self._waiting():
            if len(received) >= limit:
                break
            found = self._read_one(name)
            if found is None:
                continue
            # A token is new whenever the file has changed: then its time begins again.
            since_us = self._unfinished.get(found.token, now_us)
            # A clock that was set back makes nothing wait for as long as it was wrong.
            if abs(now_us - since_us) < self._settle_us and not _is_whole(found.body):
                unfinished[found.token] = since_us
            else:
                received.append(found)
        self._unfinished = unfinished
        return received

    def _waiting(self) -> list[tuple[int, str]]:
        """(modification time, name) of every complete file, oldest first."""
        waiting: list[tuple[int, str]] = []
        staying: set[str] = set()
        try:
            entries = list(os.scandir(self._receive_dir))
        except OSError as error:
            raise ChannelDown(f"{self.name}: the receive folder cannot be read") from error
        for entry in entries:
            if not _is_complete(entry.name):
                continue
            with suppress(OSError):
                facts = entry.stat(follow_symlinks=False)
                if not stat.S_ISREG(facts.st_mode):
                    continue
                if self._staying and (token := _token(entry.name, facts)) in self._staying:
                    staying.add(token)
                else:
                    waiting.append((facts.st_mtime_ns, entry.name))
        self._staying = staying
        waiting.sort()
        return waiting

    def _read_one(self, name: str) -> Received | None:
        """One file, None when it vanished, cannot be read now, or is too large."""
        path = self._receive_dir / name
        try:
            # A name may become a link or a pipe after it was listed: neither may be followed.
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(handle, "rb") as file:
                facts = os.fstat(handle)
                # A file over the limit is not read; one that grows past it is not read whole.
                fits = facts.st_size <= self._most_bytes
                body = file.read(self._most_bytes + 1) if fits else b""
        except OSError:
            return None
        if not stat.S_ISREG(facts.st_mode):
            return None
        if not fits or len(body) > self._most_bytes:
            self._put_aside(path, _token(name, facts))
            return None
        return Received(_shown(name), body, _token(name, facts))

    def _put_aside(self, path: Path, token: str) -> None:
        """Move a file that is too large; one that cannot be moved is told once and left."""
        is_moved = self._error_dir is not None and _move(path, self._error_dir / path.name)
        is_new = token not in self._told
        if is_moved:
            self._told.discard(token)
        else:
            if len(self._told) >= _MOST_TOLD:
                self._told.clear()
            self._told.add(token)
        if is_new and self._set_aside is not None:
            self._set_aside(self.name, _shown(path.name))

    def _let_go(self, tokens: Sequence[str]) -> None:
        for token in tokens:
            if not self._is_gone(token):
                self._staying.add(token)

    def _put_away_staying(self) -> None:
        """Try the files that stayed once more; the first that still stays tells enough."""
        while self._staying:
            token = self._staying.pop()
            if not self._is_gone(token):
                self._staying.add(token)
                break

    def _is_gone(self, token: str) -> bool:
        """Put the file of a token away; False when it is still there as it was read."""
        name = _name_in(token)
        if name is None:
            return True
        path = self._receive_dir / name
        with suppress(OSError):
            if _token(name, path.lstat()) == token:
                self._put_away(path)
        with suppress(OSError):
            return _token(name, path.lstat()) != token
        return True

    def _put_away(self, path: Path) -> None:
        if self._done_dir is None:
            path.unlink()
        else:
            shutil.move(path, self._done_dir / path.name)


def is_safe_name(name: str) -> bool:
    """Whether a name that we give stays in its folder, is visible, and looks finished."""
    return (
        _is_complete(name)
        and name.isprintable()
        and not any(mark in name for mark in '/\\:*?"<>|')
        and len(name.encode()) <= _NAME_BYTES
    )


def _is_complete(name: str) -> bool:
    """Whether the name of a listed file is visible and not that of an unfinished one."""
    return bool(name) and not name.startswith(".") and not name.lower().endswith(TEMPORARY)


def _is_whole(body: bytes) -> bool:
    """Whether the last end tag is that of the root; UTF-16 counts without its zeros.

    Only a hint that needs no parser: what it doubts is read later, never refused.
    """
    text = body.replace(b"\0", b"") if b"\0" in body[:4] else body
    root, end = _ROOT.search(text), text.rfind(b"</")
    if root is None or end < 0:
        return False
    name, closed, _ = text[end + 2 :].partition(b">")
    return bool(closed) and name.rstrip() == root[1]


def _shown(name: str) -> str:
    """A file's name as text; clients on Chinese systems leave names that are no UTF-8."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _token(name: str, facts: os.stat_result) -> str:
    """Which bytes were read: a file replaced under the same name has another token."""
    return f"{facts.st_ino}-{facts.st_mtime_ns}-{facts.st_size}/{os.fsencode(name).hex()}"


def _name_in(token: str) -> str | None:
    """The name of a file directly in the folder, None when the token is not one of ours."""
    try:
        name = os.fsdecode(bytes.fromhex(token.partition("/")[2]))
    except ValueError:
        return None
    return name if _is_complete(name) and "/" not in name and "\0" not in name else None


def _discard(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _move(source: Path, target: Path) -> bool:
    try:
        shutil.move(source, target)
    except OSError:
        return False
    return True
