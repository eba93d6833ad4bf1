"""The files that ``clearance verify`` looks at: single ones, folders and zip archives.

An archive is read in memory, member by member, under limits that hold whatever its directory
claims: a bomb costs its reader the limit of one member.
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from schemas.loader import LARGE

MOST_MEMBERS: Final = 20_000
MOST_BYTES: Final = 512 * 1024 * 1024
MOST_RATIO: Final = 200
_RATIO_FROM: Final = 1024 * 1024
_ZIP: Final = b"PK\x03\x04"
_EMPTY_ZIP: Final = b"PK\x05\x06"
_PEEK: Final = 64
_SPACE: Final = b" \t\r\n\xef\xbb\xbf"


class ArchiveRefused(Exception):
    """An archive, or one member of it, is not read; the words say why in both languages."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.zh = zh
        self.en = en


@dataclass(frozen=True, slots=True)
class Candidate:
    """One document to look at; ``member`` is its name in an archive, None for a plain file."""

    path: Path
    member: str | None = None
    size: int = 0

    @property
    def name(self) -> str:
        """How it is called in the report."""
        return str(self.path) if self.member is None else f"{self.path}!{self.member}"


def candidates(paths: list[Path]) -> Iterator[Candidate]:
    """Every document under some paths, in the order of names; of folders what looks like one.

    Raises :class:`ArchiveRefused` never: an archive that cannot be listed is itself a candidate.
    """
    for path in paths:
        for file in _documents(path) if path.is_dir() else (path,):
            yield from _of_file(file)


def read(candidate: Candidate) -> bytes:
    """The bytes of a document. Raises :class:`ArchiveRefused` and ``OSError``.

    More than the largest document are cut one byte above the limit, so that the reader of
    documents refuses it.
    """
    most = LARGE.size_bytes + 1
    if candidate.member is None:
        with candidate.path.open("rb") as file:
            start = file.read(most)
        if start[:4] in (_ZIP, _EMPTY_ZIP):
            raise _archive_error(candidate.path)
        return start
    try:
        with zipfile.ZipFile(candidate.path) as archive:
            info = archive.getinfo(candidate.member)
            _refuse_bomb(info)
            with archive.open(info) as member:
                return _bounded(member, most)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise ArchiveRefused("成员已损坏、加密或压缩方式不支持。", _reason(error)) from error


def is_archive(path: Path) -> bool:
    """Whether a file begins as a zip archive does."""
    try:
        with path.open("rb") as file:
            return file.read(4) in (_ZIP, _EMPTY_ZIP)
    except OSError:
        return False


def _documents(folder: Path) -> Iterator[Path]:
    """The files below a folder that look like documents or archives."""
    for file in sorted(folder.rglob("*")):
        if file.is_file() and (_looks_like_document(file) or is_archive(file)):
            yield file


def _of_file(path: Path) -> Iterator[Candidate]:
    if not is_archive(path):
        size = path.stat().st_size if path.is_file() else 0
        yield Candidate(path, size=size)
        return
    try:
        members = _members(path)
    except (ArchiveRefused, zipfile.BadZipFile, OSError):
        yield Candidate(path)
        return
    if not members:
        yield Candidate(path)
    for info in members:
        yield Candidate(path, info.filename, info.compress_size)


def _members(path: Path) -> list[zipfile.ZipInfo]:
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
    if len(infos) > MOST_MEMBERS:
        raise ArchiveRefused(
            f"成员超过 {MOST_MEMBERS} 个。", f"it holds more than {MOST_MEMBERS} members."
        )
    if sum(info.file_size for info in infos) > MOST_BYTES:
        most = MOST_BYTES // 1024 // 1024
        raise ArchiveRefused(f"解压后超过 {most} MiB。", f"unpacked it exceeds {most} MiB.")
    return sorted(infos, key=lambda info: info.filename)


def _archive_error(path: Path) -> ArchiveRefused:
    """Why an archive could not be listed."""
    try:
        _members(path)
    except ArchiveRefused as error:
        return error
    except (zipfile.BadZipFile, OSError) as error:
        return ArchiveRefused("压缩包已损坏。", _reason(error))
    return ArchiveRefused("压缩包中没有文件。", "it holds no file.")


def _refuse_bomb(info: zipfile.ZipInfo) -> None:
    if info.file_size > _RATIO_FROM and info.file_size > MOST_RATIO * max(info.compress_size, 1):
        raise ArchiveRefused(
            f"压缩比超过 {MOST_RATIO}，疑为压缩炸弹。",
            f"it unpacks to more than {MOST_RATIO} times its size.",
        )


def _bounded(member: IO[bytes], most: int) -> bytes:
    data = member.read(most)
    if data[:4] == _ZIP:
        raise ArchiveRefused(
            "不读取压缩包中的压缩包。", "an archive inside an archive is not read."
        )
    return data


def _looks_like_document(path: Path) -> bool:
    if path.suffix.lower() == ".xml":
        return True
    try:
        with path.open("rb") as file:
            return file.read(_PEEK).lstrip(_SPACE).startswith(b"<")
    except OSError:
        return False


def _reason(error: Exception) -> str:
    return f"it is damaged, encrypted or packed in a way not known ({type(error).__name__})."
