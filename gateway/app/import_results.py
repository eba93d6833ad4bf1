"""The result file of an import: one JSON line for each row, beside the imported file.

It is written while the import runs and read when the file is imported again: a row that was taken
with the same content is not sent again. When a second run ends, the file is written anew with the
latest result of each row, in the order of the rows.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

import orjson

# A paper without a known case is kept too, and attached when an order names its number.
TAKEN: Final = frozenset({"accepted", "unchanged", "superseded", "unlinked"})
_SUFFIX: Final = ".results.ndjson"


def results_path(path: Path) -> Path:
    """Where the results of a file go."""
    return path.with_name(path.name + _SUFFIX)


def row_digest(context: str, raw: bytes) -> str:
    """What tells a row's content, tenant and options from another's."""
    return hashlib.sha256(context.encode() + b"\x00" + raw).hexdigest()[:32]


class ResultFile:
    """The results of earlier runs, and those of this one as they come."""

    def __init__(self, path: Path, file: IO[bytes], taken: Mapping[int, str]) -> None:
        self.path = path
        self._file = file
        self._taken = taken

    def is_taken(self, number: int, digest: str) -> bool:
        """Whether the row on this line was taken before, with just this content."""
        return self._taken.get(number) == digest

    # Any: a JSON object.
    def add(self, doc: Mapping[str, Any]) -> None:
        """Write one result."""
        self._file.write(orjson.dumps(doc, option=orjson.OPT_APPEND_NEWLINE))

    def flush(self) -> None:
        """Hand what was written to the system: called when a batch is durable."""
        self._file.flush()


@contextmanager
def open_results(path: Path, *, again: bool = False) -> Iterator[ResultFile]:
    """The result file of an import; ``again`` forgets what earlier runs wrote."""
    if again:
        path.unlink(missing_ok=True)
    taken, had_results = _read_taken(path)
    try:
        with path.open("ab") as file:
            # A line that a crash cut short must not swallow the next one.
            if had_results and not _ends_with_newline(path):
                file.write(b"\n")
            yield ResultFile(path, file, taken)
    finally:
        if had_results:
            _keep_latest(path)


def _read_taken(path: Path) -> tuple[dict[int, str], bool]:
    taken: dict[int, str] = {}
    if not path.exists():
        return taken, False
    had_results = False
    with path.open("rb") as file:
        for line in file:
            had_results = True
            doc = _doc(line)
            if doc is None:
                continue
            if doc.get("status") in TAKEN:
                taken[doc["row"]] = str(doc.get("digest"))
            else:
                taken.pop(doc["row"], None)
    return taken, had_results


# Any: a JSON object.
def _doc(line: bytes) -> dict[str, Any] | None:
    """A result, None for a line that a crash cut short or that somebody else wrote."""
    try:
        doc = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return doc if isinstance(doc, dict) and isinstance(doc.get("row"), int) else None


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _keep_latest(path: Path) -> None:
    """Write the file anew with the latest line of each row; the old one stays until it is whole."""
    places: dict[int, tuple[int, int]] = {}
    with path.open("rb") as file:
        at = 0
        for line in file:
            doc = _doc(line)
            if doc is not None:
                places[doc["row"]] = (at, len(line))
            at += len(line)
    fresh = path.with_name(path.name + ".new")
    with path.open("rb") as file, fresh.open("wb") as new:
        for number in sorted(places):
            at, size = places[number]
            file.seek(at)
            new.write(file.read(size))
        new.flush()
        os.fsync(new.fileno())
    fresh.replace(path)
