"""Opening a file of papers by the ending of its name: NDJSON, CSV or XLSX."""

from pathlib import Path
from typing import IO, Final

from gateway.app.import_rows import FileKind, NDJSONRows, RowSource, UnusableFile
from gateway.app.import_sheet import SheetRows
from gateway.app.import_tables import CSVRows

_NDJSON: Final = frozenset({".ndjson", ".jsonl"})


def open_rows(
    path: Path, file: IO[bytes], kind: FileKind, profile: str | None, sheet: str | None = None
) -> RowSource:
    """The rows of a file; ``profile`` is for rows that name none, ``sheet`` for a spreadsheet.

    Raises :class:`UnusableFile` for another ending or a header that cannot be used.
    """
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        return SheetRows(file, kind, profile, sheet)
    if sheet is not None:
        raise UnusableFile(
            f"{path.name}: only a spreadsheet (.xlsx) has sheets; leave --sheet out",
            "只有电子表格（.xlsx）才有工作表，请去掉 --sheet",
        )
    if suffix in _NDJSON:
        return NDJSONRows(file, kind, profile)
    if suffix == ".csv":
        return CSVRows(file, kind, profile)
    raise UnusableFile(
        f"{path.name}: name the file .ndjson, .jsonl, .csv or .xlsx by what it holds",
        "请改用所列扩展名之一",
    )
