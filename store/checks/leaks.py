"""no_canary: a text that only ever entered as personal data stands nowhere in the clear."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table, select

from store.checks.base import CheckName, Probe, Violation
from store.tables import metadata

_BLOCK: Final = 1 << 20
_ROWS: Final = 500


def no_canary(probe: Probe) -> Iterator[Violation]:
    """No canary in any column of any table, nor in the given files (database files, logs).

    Looks for the text as UTF-8, as GB18030 and as JSON escapes. The evidence names the place and
    the number of the canary, never its text.
    """
    needles = [
        (number, needle)
        for number, canary in enumerate(probe.settings.canaries, 1)
        for needle in _spellings(canary)
    ]
    if not needles:
        return
    for table in metadata.sorted_tables:
        yield from _in_table(probe, table, needles)
    for path in probe.settings.files:
        probe.examined += 1
        for number in sorted(_in_file(path, needles)):
            yield Violation(CheckName.NO_CANARY, f"file {path.name}", f"holds canary {number}")


def _spellings(canary: str) -> set[bytes]:
    escaped = canary.encode("ascii", "backslashreplace").decode("ascii")
    return {canary.encode(), canary.encode("gb18030"), escaped.encode()} - {b""}


def _in_table(
    probe: Probe, table: Table, needles: Sequence[tuple[int, bytes]]
) -> Iterator[Violation]:
    rows = probe.connection.execute(select(*table.columns).execution_options(yield_per=_ROWS))
    names = [column.name for column in table.columns]
    for row in rows:
        probe.examined += 1
        for name, value in zip(names, row, strict=True):
            content = _bytes(value)
            for number in sorted({one for one, needle in needles if needle in content}):
                yield Violation(
                    CheckName.NO_CANARY, f"{table.name}.{name}", f"holds canary {number}"
                )


def _bytes(value: Any) -> bytes:
    """A stored value as bytes (Any: whatever a column holds)."""
    if isinstance(value, bytes | memoryview):
        return bytes(value)
    return value.encode() if isinstance(value, str) else b""


def _in_file(path: Path, needles: Sequence[tuple[int, bytes]]) -> set[int]:
    overlap = max(len(needle) for _, needle in needles) - 1
    found: set[int] = set()
    tail = b""
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            window = tail + block
            found |= {number for number, needle in needles if needle in window}
            tail = window[-overlap:] if overlap else b""
    return found
