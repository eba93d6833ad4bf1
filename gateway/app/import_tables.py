"""Tables of papers: one row a paper, a row an order line; first of them CSV.

The columns are the JSON names of the API joined by points (``buyer.name``, ``lines.sku``); an
empty cell is an absent field.
"""

import csv
import difflib
import io
import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, Final

import orjson

from gateway.api.edge import BATCH_LINE, MAX_LINES
from gateway.api.faults import Fault, InvalidFields, InvalidJSON
from gateway.app.import_columns import KEY, Content, columns_of, contents_of
from gateway.app.import_rows import (
    ADAPTER,
    MAX_ROW_BYTES,
    FileKind,
    Item,
    Lines,
    Row,
    RowFaulty,
    UnusableFile,
    encoding_fault,
    read_item,
    too_long,
)

# What a spreadsheet makes of a long number in a cell that is not text.
_SCIENTIFIC: Final = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+[0-9]+", re.ASCII)
_WHOLE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_LINE_PATH: Final = re.compile(r"lines\[([0-9]+)\]\.?")
Place = tuple[str, str]
"""Where a cell stands, in English and Chinese."""


class TableRows(ABC):
    """A header with column names, then rows; several rows of one order stand together.

    What is read from where is for those below: CSV and spreadsheets.
    """

    def __init__(self, kind: FileKind, profile: str | None) -> None:
        self._kind = kind
        self._profile = profile
        self._contents = contents_of(kind)
        self._columns: tuple[str, ...] = ()
        # The header as bytes, so that a paper's bytes can be read without the file.
        self._header = b""
        self._seen: set[tuple[str, str]] = set()

    @abstractmethod
    def records(self) -> Iterator[Row]:
        """Every row below the header that is not blank. Raises :class:`UnusableFile`."""

    @abstractmethod
    def place(self, column: str, number: int) -> Place | None:
        """Where a column stands in a row; None where its row says enough."""

    def take_header(self, first: str, cells: Sequence[str]) -> None:
        """The column names, which stand in ``first``. Raises :class:`UnusableFile`."""
        names = tuple(unicodedata.normalize("NFC", name.strip()) for name in cells)
        if not any(names):
            raise UnusableFile(
                f"{first} must name the columns; see `clearance import --help`",
                "首行应为列名，见 `clearance import --help`",
            )
        known = columns_of(self._kind)
        unknown = [name for name in dict.fromkeys(names) if name not in known]
        if len(unknown) == 1 and len(names) == 1:
            raise UnusableFile(
                f"{first} holds one column; separate columns by commas",
                "只有一列，请用逗号分隔各列",
            )
        faults = [_unknown_column(name, known) for name in unknown]
        faults += [f"{name} stands there twice" for name in {*names} if names.count(name) > 1]
        needed = "type" if self._kind is FileKind.MIXED else KEY[self._kind]
        if needed not in names:
            other = ", or say --kind" if self._kind is FileKind.MIXED else ""
            faults.append(f"the column {needed} is missing; add it{other}")
        if faults:
            raise UnusableFile(f"{first}: " + "; ".join(faults), "列名有误或缺列，见所列各项")
        self._columns = names

    def rows(self) -> Iterator[Row]:
        """Every paper. Raises :class:`UnusableFile` where the file cannot be read on."""
        group: list[Row] = []
        records = self.records()
        broken: UnusableFile | None = None
        while True:
            try:
                row = next(records, None)
            except UnusableFile as error:
                row, broken = None, error
            if group and (row is None or not self._belongs(group[0], row)):
                yield self._paper(group)
                group = []
            if row is None:
                break
            group.append(row)
        if broken is not None:
            raise broken

    def _paper(self, group: list[Row]) -> Row:
        """The rows of one paper as one, with the header's bytes, so that it can be read again."""
        first, last = group[0], group[-1]
        return Row(
            first.number,
            last.last,
            b"".join([self._header, *(row.raw for row in group)]),
            last.end,
            tuple(cells for row in group for cells in row.cells),
            tuple(place for row in group for place in row.places),
            (*(fault for row in group for fault in row.faults), *self._apart(first)),
        )

    def _belongs(self, first: Row, row: Row) -> bool:
        """Whether a row is a further line of the order before it."""
        if not first.cells or not row.cells or self._kind_of(first.cells[0]) != FileKind.ORDER:
            return False
        one, other = first.cells[0], row.cells[0]
        same = all(one.get(name) == other.get(name) for name in ("order_no", "profile"))
        return same and self._kind_of(other) == FileKind.ORDER and "order_no" in one

    def _kind_of(self, cells: Mapping[str, str]) -> str:
        return cells.get("type", "") if self._kind is FileKind.MIXED else self._kind.value

    def decode(self, row: Row) -> Item:
        """The paper or goods record of a row. Raises :class:`RowFaulty`."""
        if row.faults:
            raise RowFaulty(row.faults)
        faults = [*_excel_faults(row), *self._contradictions(row)]
        if len(row.cells) > MAX_LINES:
            text = f"an order has at most {MAX_LINES} lines"
            faults.append(Fault("lines", text, f"订单最多 {MAX_LINES} 行"))
        if faults:
            raise RowFaulty(faults)
        kind = self._kind_of(row.cells[0])
        doc = self._doc(row, kind)
        adapter = BATCH_LINE if self._kind is FileKind.MIXED else ADAPTER[self._kind]
        try:
            return read_item(adapter, orjson.dumps(doc))
        except InvalidFields as error:
            raise RowFaulty([self._at(fault, row) for fault in error.faults]) from None
        except InvalidJSON as error:
            raise RowFaulty((error.fault,)) from None

    def _apart(self, row: Row) -> Iterator[Fault]:
        """The fault of an order whose rows do not stand together: half an order is none."""
        cells = row.cells[0] if row.cells else {}
        if "order_no" not in cells or self._kind_of(cells) != FileKind.ORDER:
            return
        key = (cells.get("profile", ""), cells["order_no"])
        if key not in self._seen:
            self._seen.add(key)
            return
        yield Fault(
            "order_no",
            "stands further up already; sort the file so that one order's rows stand together",
            "在前面已出现过；请按订单号排序，使同一订单的行相邻",
        )

    def doc(self, row: Row) -> dict[str, Any]:
        """The object that a row stands for. Raises :class:`RowFaulty` as :meth:`decode`."""
        faults = [*row.faults, *_excel_faults(row), *self._contradictions(row)]
        if faults:
            raise RowFaulty(faults)
        return self._doc(row, self._kind_of(row.cells[0]))

    # Any: a JSON object.
    def _doc(self, row: Row, kind: str) -> dict[str, Any]:
        doc: dict[str, Any] = {}
        if self._profile is not None:
            doc["profile"] = self._profile
        for name, value in row.cells[0].items():
            if not name.startswith("lines."):
                _put(doc, name, self._value(name, value))
        if kind != FileKind.ORDER:
            extra = {name: value for name, value in row.cells[0].items() if name[:6] == "lines."}
            for name, value in extra.items():
                _put(doc, name, value)
            return doc
        doc["lines"] = [
            {
                "line_no": position,
                **{
                    name[6:]: self._value(name, value)
                    for name, value in cells.items()
                    if name.startswith("lines.")
                },
            }
            for position, cells in enumerate(row.cells, 1)
        ]
        return doc

    def _value(self, name: str, text: str) -> str | int:
        is_whole = self._contents.get(name) is Content.WHOLE
        return int(text) if is_whole and _WHOLE.fullmatch(text) else text

    def _contradictions(self, row: Row) -> Iterator[Fault]:
        """Head fields of an order's further rows must be empty or say the same."""
        first = row.cells[0]
        for cells, number in zip(row.cells[1:], row.places[1:], strict=True):
            for name, value in cells.items():
                if not name.startswith("lines.") and first.get(name) != value:
                    place = self.place(name, number) or _line(number)
                    yield Fault(
                        name,
                        f"differs from the order's first row ({place[0]})",
                        f"与该订单首行不一致（{place[1]}）",
                    )

    def _at(self, fault: Fault, row: Row) -> Fault:
        """A fault with the place of its cell; one in an order's line named by its column."""
        found = _LINE_PATH.match(fault.path)
        index = int(found[1]) if found else 0
        if index >= len(row.places):
            return fault
        number, column = row.places[index], fault.path
        if found:
            column = f"lines.{fault.path[found.end() :]}".rstrip(".")
        place = self.place(column, number)
        if place is None and found:
            place = _line(number)
        if place is None:
            return fault
        return Fault(column, f"{fault.message} ({place[0]})", f"{fault.message_zh}（{place[1]}）")


def _line(number: int) -> Place:
    return f"line {number}", f"第 {number} 行"


class CSVRows(TableRows):
    """A table as CSV in UTF-8."""

    def __init__(self, file: IO[bytes], kind: FileKind, profile: str | None) -> None:
        super().__init__(kind, profile)
        self._lines = Lines(file)
        self._read_header()

    def place(self, column: str, number: int) -> Place | None:
        """None: a row's number is its line, and columns have no letters."""
        return None

    def _read_header(self) -> None:
        self._header = self._lines.next()
        try:
            text = self._header.decode()
        except UnicodeDecodeError as error:
            raise UnusableFile(
                f"line 1, byte {error.start + 1}: these bytes are no UTF-8; save the file as CSV "
                "UTF-8, or: iconv -f GB18030 -t UTF-8 FILE",
                "不是 UTF-8 编码，请另存为 CSV UTF-8",
            ) from None
        try:
            cells = next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
        except csv.Error as error:
            raise UnusableFile(
                f"line 1: {error}; write column names separated by commas", "列名请用逗号分隔"
            ) from None
        self.take_header("line 1", cells)

    def records(self) -> Iterator[Row]:
        """Every record. Raises :class:`UnusableFile` where a quotation mark is never closed."""
        while line := self._lines.next():
            number = self._lines.number
            record = bytearray(line)
            # A record ends at a line's end outside quotation marks: where they are even in number.
            while record.count(b'"') % 2 and len(record) <= MAX_ROW_BYTES:
                more = self._lines.next()
                if not more:
                    raise UnusableFile(
                        f"line {number}: a quotation mark opens and is never closed; "
                        "close it, or double the marks inside a cell",
                        "引号没有闭合；请闭合，单元格内的引号请写两个",
                    )
                record += more
            row = self._record(bytes(record), number)
            if row is not None:
                yield row

    def _record(self, raw: bytes, number: int) -> Row | None:
        last, end = self._lines.number, self._lines.at
        if len(raw) > MAX_ROW_BYTES:
            return Row(number, last, raw, end, faults=(too_long(),))
        try:
            values = next(csv.reader(io.StringIO(raw.decode(), newline=""), strict=True), [])
        except UnicodeDecodeError as error:
            fault = encoding_fault(
                f"these bytes are no UTF-8 (byte {error.start + 1} of the row)",
                f"不是合法的 UTF-8（本行第 {error.start + 1} 字节）",
            )
            return Row(number, last, raw, end, faults=(fault,))
        except csv.Error:
            fault = Fault("", "is no CSV: check its quotation marks", "不是合法的 CSV，请检查引号")
            return Row(number, last, raw, end, faults=(fault,))
        if not any(values):
            return None
        if len(values) != len(self._columns):
            fault = Fault(
                "",
                f"has {len(values)} cells where the header has {len(self._columns)}",
                f"有 {len(values)} 个单元格，表头有 {len(self._columns)} 列",
            )
            return Row(number, last, raw, end, faults=(fault,))
        cells = {
            name: value for name, value in zip(self._columns, values, strict=True) if value != ""
        }
        return Row(number, last, raw, end, (cells,), (number,))


def _unknown_column(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}?" if near else "see `clearance import --help` for the names"
    return f"there is no column {name!r}; {hint}"


def _put(doc: dict[str, Any], name: str, value: str | int) -> None:
    """Set a dotted name in a nested object (Any: JSON values)."""
    *parents, last = name.split(".")
    for parent in parents:
        doc = doc.setdefault(parent, {})
    doc[last] = value


def _excel_faults(row: Row) -> Iterator[Fault]:
    for cells in row.cells:
        for name, value in cells.items():
            if _SCIENTIFIC.fullmatch(value):
                yield Fault(
                    name,
                    "was rounded by a spreadsheet (1.1E+17); format the column as text and "
                    "export it again",
                    "已被电子表格四舍五入（如 1.1E+17）；请将该列设为文本格式后重新导出",
                )
