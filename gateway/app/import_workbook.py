"""A look through a workbook before it is read: what would cost too much, and what cells lost.

An XLSX file is a zip of XML parts. A small one may unfold to gigabytes, or name one cell at the
far corner so that a reader makes room for all between. Errors and formulas without a result are
noted here because the reader gives them as empty cells.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Final
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError

from gateway.app.import_rows import UnusableFile
from schemas.errors import SchemaError
from schemas.loader import parse

MAX_ROWS: Final = 200_000
MAX_COLUMNS: Final = 256
_MAX_CELLS: Final = 5_000_000
_MAX_PARTS: Final = 2_000
_MAX_UNFOLDED: Final = 512 * 1024 * 1024
_CHUNK: Final = 1024 * 1024
_MAX_TAG: Final = 64 * 1024
_TAG: Final = re.compile(rb"<(/?)(?:[A-Za-z0-9]+:)?(row|c|f|v|is)((?:\s[^<>]*)?)>")
_ATTRIBUTE: Final = re.compile(rb"\s(r|t)\s*=\s*[\"']([A-Za-z0-9]{1,16})[\"']")
_REFERENCE: Final = re.compile(rb"([A-Z]{1,3})([0-9]{1,7})")
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_OLE: Final = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class SheetLook:
    """What was seen of a sheet: its name, how many rows it has, and cells (row from 1, column from
    0) whose value is not there: ``error`` or ``formula``.
    """

    name: str
    rows: int
    lost: Mapping[tuple[int, int], str]
    lost_rows: frozenset[int]


def letters(index: int) -> str:
    """The name of a column: A, B … Z, AA …"""
    name = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        name = chr(65 + rest) + name
    return name


def look(file: IO[bytes], sheet: str | None) -> SheetLook:
    """Look through a workbook's first visible sheet, or the named one.

    Raises :class:`UnusableFile` for what is no workbook, costs too much or has no such sheet.
    """
    if file.read(4) == _OLE:
        raise UnusableFile(
            "the workbook has a password or is of the old kind (.xls); save it as .xlsx without "
            "one",
            "工作簿有密码或为旧格式（.xls），请去掉密码并另存为 .xlsx",
        )
    file.seek(0)
    try:
        with ZipFile(file) as archive:
            _unfold(archive)
            name, part = _find_sheet(archive, sheet)
            with archive.open(part) as content:
                return _Scan(name).run(content)
    except (BadZipFile, ZlibError, EOFError, NotImplementedError, SchemaError) as error:
        raise UnusableFile(
            f"this is no workbook that can be read ({type(error).__name__}); "
            "open it in a spreadsheet and save it as .xlsx",
            "不是可读的工作簿，请用电子表格软件打开并另存为 .xlsx",
        ) from None
    except (KeyError, RuntimeError) as error:
        raise UnusableFile(
            "a part of the workbook is missing or encrypted; save it as .xlsx anew",
            "工作簿缺少部件或已加密，请重新另存为 .xlsx",
        ) from error


def _unfold(archive: ZipFile) -> None:
    """Read every part to its end: none is larger than it says, and all together not too large."""
    parts = archive.infolist()
    if len(parts) > _MAX_PARTS or len({one.filename for one in parts}) != len(parts):
        raise UnusableFile(
            "the workbook has too many parts, or one twice; save it as .xlsx anew",
            "工作簿部件过多或重复，请重新另存为 .xlsx",
        )
    if sum(one.file_size for one in parts) > _MAX_UNFOLDED:
        raise UnusableFile(
            "the workbook unfolds to more than 512 MiB; split it",
            "工作簿解压后超过 512 MiB，请拆分",
        )
    for one in parts:
        with archive.open(one) as content:
            while content.read(_CHUNK):
                pass


def _find_sheet(archive: ZipFile, wanted: str | None) -> tuple[str, str]:
    """The name of a sheet and of the part that holds it."""
    book = parse(archive.read("xl/workbook.xml"))
    relations = parse(archive.read("xl/_rels/workbook.xml.rels"))
    targets = {
        one.get("Id"): one.get("Target", "")
        for one in relations
        if one.get("Type", "").endswith("/worksheet")
    }
    sheets = {
        one.get("name", ""): (targets[found], one.get("state", "visible") == "visible")
        for one in book.iter("{*}sheet")
        if (found := _relation(dict(one.attrib))) in targets
    }
    if wanted is None:
        wanted = next((name for name, (_, is_visible) in sheets.items() if is_visible), None)
    if wanted is None or wanted not in sheets:
        names = ", ".join(repr(name) for name in list(sheets)[:20]) or "none"
        raise UnusableFile(
            f"the workbook has no such sheet; it has: {names}", "工作簿中没有此工作表"
        )
    target = sheets[wanted][0]
    return wanted, target[1:] if target.startswith("/") else f"xl/{target}"


def _relation(attributes: Mapping[str, str]) -> str | None:
    """The relation that a sheet names, whichever edition of the namespace is used."""
    found = (value for name, value in attributes.items() if name.endswith("}id"))
    return next(found, None)


class _Scan:
    """One pass over the bytes of a sheet."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._row = 0
        self._column = -1
        self._rows = 0
        self._columns = 0
        self._lost: dict[tuple[int, int], str] = {}
        # Whether the cell in hand has a formula and no value yet.
        self._is_open = False

    def run(self, content: IO[bytes]) -> SheetLook:
        rest = b""
        while chunk := content.read(_CHUNK):
            data = rest + chunk
            end = data.rfind(b">") + 1
            self._take(data[:end])
            rest = data[end:]
            if len(rest) > _MAX_TAG and rest.rfind(b"<") >= 0 and len(rest) > _CHUNK:
                raise UnusableFile(
                    "the sheet holds a cell that is too long to be one", "工作表中有过长的单元格"
                )
        self._end_cell()
        lost = self._lost
        return SheetLook(self._name, self._rows, lost, frozenset(row for row, _ in lost))

    def _take(self, data: bytes) -> None:
        for found in _TAG.finditer(data):
            is_end, tag, attributes = found[1], found[2], found[3]
            if tag == b"c" and not is_end:
                self._end_cell()
                self._begin_cell(dict(_ATTRIBUTE.findall(attributes)))
            elif tag == b"row" and not is_end:
                self._end_cell()
                number = dict(_ATTRIBUTE.findall(attributes)).get(b"r", b"")
                self._row = int(number) if number.isdigit() else self._row + 1
                self._column = -1
                self._grow()
            elif tag == b"f" and not is_end:
                self._is_open = True
            elif tag in (b"v", b"is") and not is_end and not attributes.endswith(b"/"):
                self._is_open = False

    def _begin_cell(self, attributes: Mapping[bytes, bytes]) -> None:
        place = _REFERENCE.fullmatch(attributes.get(b"r", b""))
        if place is None:
            self._column += 1
        else:
            self._row, self._column = int(place[2]), _index(place[1])
        self._grow()
        if attributes.get(b"t") == b"e":
            self._lost[self._row, self._column] = "error"

    def _end_cell(self) -> None:
        if self._is_open:
            self._lost.setdefault((self._row, self._column), "formula")
        self._is_open = False

    def _grow(self) -> None:
        self._rows = max(self._rows, self._row)
        self._columns = max(self._columns, self._column + 1)
        is_large = self._rows > MAX_ROWS or self._columns > MAX_COLUMNS
        if is_large or self._rows * self._columns > _MAX_CELLS:
            place = f"{letters(max(self._column, 0))}{self._row}"
            raise UnusableFile(
                f"the sheet reaches to {place}: at most {MAX_ROWS} rows, {MAX_COLUMNS} columns and "
                f"{_MAX_CELLS} cells are read; delete what is unused, or split it",
                f"工作表过大：最多 {MAX_ROWS} 行、{MAX_COLUMNS} 列、{_MAX_CELLS} 个单元格；"
                "请删除多余部分或拆分",
            )


def _index(name: bytes) -> int:
    index = 0
    for letter in name:
        index = index * 26 + letter - 64
    return index - 1
