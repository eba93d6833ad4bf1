"""Files of papers: NDJSON (one JSON object a line) and CSV (one row a paper, a row an order line).

A file is UTF-8, with or without a byte order mark. It is read row by row, so its size does not
matter, and every row keeps its exact bytes and its place. The columns of a CSV are the JSON names
of the API joined by points (``buyer.name``, ``lines.sku``); an empty cell is an absent field.
"""

import codecs
import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import IO, Any, Final, Protocol, Union, get_args, get_origin

import orjson
from pydantic import BaseModel, TypeAdapter

from gateway.api.decode import GoodsItem, PaperItem, decode, to_item
from gateway.api.edge import (
    BATCH_LINE,
    GOODS,
    MAX_LINES,
    ORDER,
    PAYMENT,
    WAYBILL,
    GoodsIn,
    OrderIn,
    PaymentIn,
    WaybillIn,
)
from gateway.api.faults import Fault, InvalidFields, InvalidJSON, broken_json
from gateway.api.repeats import repeated_keys

MAX_ROW_BYTES: Final = 1024 * 1024
_NDJSON: Final = frozenset({".ndjson", ".jsonl"})
_BLOCK: Final = 64 * 1024


class FileKind(StrEnum):
    """What the rows of a file are; ``mixed`` rows say so themselves in ``type``."""

    MIXED = "mixed"
    ORDER = "order"
    PAYMENT = "payment"
    WAYBILL = "waybill"
    GOODS = "goods"


Item = PaperItem | GoodsItem
# Any: each adapter gives its own model.
_ADAPTER: Final[Mapping[FileKind, TypeAdapter[Any]]] = {
    FileKind.MIXED: BATCH_LINE,
    FileKind.ORDER: ORDER,
    FileKind.PAYMENT: PAYMENT,
    FileKind.WAYBILL: WAYBILL,
    FileKind.GOODS: GOODS,
}
_MODEL: Final[Mapping[FileKind, type[BaseModel]]] = {
    FileKind.ORDER: OrderIn,
    FileKind.PAYMENT: PaymentIn,
    FileKind.WAYBILL: WaybillIn,
    FileKind.GOODS: GoodsIn,
}


class UnusableFile(Exception):
    """A file that cannot be read at all; the text says where and what to do."""


class RowFaulty(Exception):
    """A row that cannot be taken; ``faults`` name every faulty field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Row:
    """One paper of a file: its exact bytes, the lines it stands on (from 1), and where it ends.

    ``cells`` are the rows of a CSV by column, ``fault`` is set where the bytes could not be read.
    """

    number: int
    last: int
    raw: bytes
    end: int
    cells: tuple[Mapping[str, str], ...] = ()
    places: tuple[int, ...] = ()
    fault: Fault | None = None


class RowSource(Protocol):
    """An opened file of papers."""

    def rows(self) -> Iterator[Row]:
        """The rows, in order. Raises :class:`UnusableFile`."""
        ...

    def decode(self, row: Row) -> Item:
        """What a row holds. Raises :class:`RowFaulty`."""
        ...

    def doc(self, row: Row) -> dict[str, Any]:
        """The JSON object of a row, not yet looked into (Any). Raises :class:`RowFaulty`."""
        ...


def open_rows(path: Path, file: IO[bytes], kind: FileKind, profile: str | None) -> RowSource:
    """The rows of a file by its name's ending; ``profile`` is for rows that name none.

    Raises :class:`UnusableFile` for another ending or a header that cannot be used.
    """
    suffix = path.suffix.lower()
    if suffix in _NDJSON:
        return NDJSONRows(file, kind, profile)
    if suffix == ".csv":
        return CSVRows(file, kind, profile)
    raise UnusableFile(f"{path.name}: name the file .ndjson, .jsonl or .csv by what it holds")


@dataclass(slots=True)
class _Lines:
    """The lines of a file with their numbers; a mark at the beginning is left out."""

    file: IO[bytes]
    number: int = 0
    at: int = 0

    def next(self) -> bytes:
        """The next line with its ending; empty at the end of the file."""
        line = self.file.readline(MAX_ROW_BYTES + 1)
        self.number += 1
        self.at += len(line)
        if self.number == 1:
            if line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise UnusableFile("the file is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8)")
            line = line.removeprefix(codecs.BOM_UTF8)
        if len(line) > MAX_ROW_BYTES:
            self._skip_line(line)
        return line

    def _skip_line(self, line: bytes) -> None:
        part = line
        while part and not part.endswith(b"\n"):
            part = self.file.readline(_BLOCK)
            self.at += len(part)


@dataclass(frozen=True, slots=True)
class NDJSONRows:
    """One JSON object a line."""

    file: IO[bytes]
    kind: FileKind
    profile: str | None

    def rows(self) -> Iterator[Row]:
        """Every line that is not blank."""
        lines = _Lines(self.file)
        while line := lines.next():
            raw = line.rstrip(b"\r\n")
            fault = _too_long() if len(line) > MAX_ROW_BYTES else None
            if not raw.isspace() and raw:
                yield Row(lines.number, lines.number, raw, lines.at, fault=fault)

    def decode(self, row: Row) -> Item:
        """The paper or goods record of a line. Raises :class:`RowFaulty`."""
        if row.fault is not None:
            raise RowFaulty((row.fault,))
        adapter = _ADAPTER[self.kind]
        if self.profile is not None and _PROFILE_KEY not in row.raw:
            try:
                return _item(adapter, _with_profile(row.raw, self.profile))
            except InvalidJSON:
                # Read it once more as it stands, so that the column named is the file's.
                pass
            except InvalidFields as error:
                raise RowFaulty(error.faults) from None
        try:
            return _item(adapter, row.raw)
        except InvalidJSON as error:
            raise RowFaulty((_in_row(error.fault),)) from None
        except InvalidFields as error:
            raise RowFaulty(error.faults) from None

    def doc(self, row: Row) -> dict[str, Any]:
        """The object of a line. Raises :class:`RowFaulty` for what is none, or repeats a key."""
        try:
            found = orjson.loads(row.raw)
        except orjson.JSONDecodeError as error:
            raise RowFaulty(
                (
                    _in_row(
                        broken_json(row.raw, f"{error.msg} at line 1 column {error.colno}").fault
                    ),
                )
            ) from None
        if not isinstance(found, dict):
            raise RowFaulty((Fault("", "must be a JSON object", "必须是 JSON 对象"),))
        repeated = repeated_keys(row.raw)
        if repeated:
            raise RowFaulty(repeated)
        return found


# Inside a text the quotes would be escaped, and no object below the paper has such a key.
_PROFILE_KEY: Final = b'"profile"'


def _item(adapter: TypeAdapter[Any], raw: bytes) -> Item:
    return to_item(decode(adapter, raw))


def _with_profile(raw: bytes, profile: str) -> bytes:
    """The object, which names no profile itself, with this one before its own fields."""
    inner = raw.lstrip()
    if not inner.startswith(b"{"):
        return raw
    rest = inner[1:].lstrip()
    comma = b"" if rest.startswith(b"}") else b","
    return b'{"profile":%b%b%b' % (orjson.dumps(profile), comma, rest)


def _too_long() -> Fault:
    return Fault("", "has more than 1 MiB; a row is one paper", "超过 1 MiB；每行应为一份单证")


def _in_row(fault: Fault) -> Fault:
    """A fault of a row's bytes: its line is the row's, so only the column is told."""
    message = fault.message.replace("(line 1, column", "(column")
    message_zh = fault.message_zh.replace("（第 1 行，第", "（第")
    if "UTF-8" in message:
        return _encoding_fault(message, message_zh)
    return Fault(fault.path, message, message_zh)


def _encoding_fault(message: str, message_zh: str) -> Fault:
    return Fault(
        "",
        f"{message}; save the file as UTF-8, or: iconv -f GB18030 -t UTF-8 FILE",
        f"{message_zh}；请将文件另存为 UTF-8，或用 iconv -f GB18030 -t UTF-8 转换",
    )


def is_composed(raw: bytes) -> bool:
    """Whether the text is in Unicode's composed form (NFC), which customs compares literally."""
    return raw.isascii() or unicodedata.is_normalized("NFC", raw.decode(errors="replace"))


# --- CSV --------------------------------------------------------------------------------------


def columns_of(kind: FileKind) -> tuple[str, ...]:
    """The columns that a CSV of one kind may have, in the order of the API's fields."""
    if kind is FileKind.MIXED:
        kinds = (FileKind.ORDER, FileKind.PAYMENT, FileKind.WAYBILL, FileKind.GOODS)
        return tuple(dict.fromkeys(name for one in kinds for name in columns_of(one)))
    return tuple(name for name, _ in _flat(_MODEL[kind]))


# A second list beside the lines has no place in a row.
_NOT_IN_CSV: Final = frozenset({"deductions"})


def _flat(model: type[BaseModel]) -> Iterator[tuple[str, bool]]:
    """Every field by its dotted name, and whether it is a whole number."""
    # An explicit stack: a model's depth is small, but it is not ours to know.
    waiting: list[tuple[str, type[BaseModel]]] = [("", model)]
    while waiting:
        prefix, at = waiting.pop(0)
        for name, info in at.model_fields.items():
            if name in _NOT_IN_CSV:
                continue
            inner = _inner_model(info.annotation)
            if inner is None:
                yield prefix + name, _is_whole(info.annotation)
            else:
                waiting.append((f"{prefix}{name}.", inner))


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _is_whole(annotation: Any) -> bool:
    is_union = get_origin(annotation) in (Union, UnionType)
    first = get_args(annotation)[0] if is_union else annotation
    return (get_args(first)[0] if get_args(first) else first) is int


# What Excel makes of a long number in a cell that is not text.
_SCIENTIFIC: Final = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+[0-9]+", re.ASCII)
_WHOLE: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_LINE_PATH: Final = re.compile(r"lines\[([0-9]+)\]\.?")


class CSVRows:
    """A header with column names, then rows; several rows of one order stand together."""

    def __init__(self, file: IO[bytes], kind: FileKind, profile: str | None) -> None:
        self._lines = _Lines(file)
        self._kind = kind
        self._profile = profile
        self._header = b""
        self._columns = self._read_header()
        models = _MODEL.values() if kind is FileKind.MIXED else (_MODEL[kind],)
        self._whole = frozenset(
            name for model in models for name, is_whole in _flat(model) if is_whole
        )
        self._seen: set[tuple[str, str]] = set()

    def _read_header(self) -> tuple[str, ...]:
        self._header = self._lines.next()
        try:
            text = self._header.decode()
        except UnicodeDecodeError as error:
            raise UnusableFile(
                f"line 1, byte {error.start + 1}: these bytes are no UTF-8; save the file as CSV "
                "UTF-8, or: iconv -f GB18030 -t UTF-8 FILE"
            ) from None
        try:
            cells = next(csv.reader(io.StringIO(text, newline=""), strict=True), [])
        except csv.Error as error:
            raise UnusableFile(f"line 1: {error}; write column names separated by commas") from None
        names = tuple(unicodedata.normalize("NFC", name.strip()) for name in cells)
        if not any(names):
            raise UnusableFile("line 1 must name the columns; see `clearance import --help`")
        self._check_header(names)
        return names

    def _check_header(self, names: tuple[str, ...]) -> None:
        known = columns_of(self._kind)
        unknown = [name for name in dict.fromkeys(names) if name not in known]
        if len(unknown) == 1 and len(names) == 1:
            raise UnusableFile("line 1 holds one column; separate columns by commas")
        faults = [_unknown_column(name, known) for name in unknown]
        faults += [f"{name} stands there twice" for name in {*names} if names.count(name) > 1]
        needed = "type" if self._kind is FileKind.MIXED else _KEY[self._kind]
        if needed not in names:
            other = ", or say --kind" if self._kind is FileKind.MIXED else ""
            faults.append(f"the column {needed} is missing; add it{other}")
        if faults:
            raise UnusableFile("line 1: " + "; ".join(faults))

    def rows(self) -> Iterator[Row]:
        """Every paper. Raises :class:`UnusableFile` where a quotation mark is never closed."""
        group: list[Row] = []
        records = self._records()
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
            first.fault or self._apart(first),
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

    def _records(self) -> Iterator[Row]:
        while line := self._lines.next():
            number = self._lines.number
            record = bytearray(line)
            # A record ends at a line's end outside quotation marks: where they are even in number.
            while record.count(b'"') % 2 and len(record) <= MAX_ROW_BYTES:
                more = self._lines.next()
                if not more:
                    raise UnusableFile(
                        f"line {number}: a quotation mark opens and is never closed; "
                        "close it, or double the marks inside a cell"
                    )
                record += more
            row = self._record(bytes(record), number)
            if row is not None:
                yield row

    def _record(self, raw: bytes, number: int) -> Row | None:
        last, end = self._lines.number, self._lines.at
        if len(raw) > MAX_ROW_BYTES:
            return Row(number, last, raw, end, fault=_too_long())
        try:
            values = next(csv.reader(io.StringIO(raw.decode(), newline=""), strict=True), [])
        except UnicodeDecodeError as error:
            fault = _encoding_fault(
                f"these bytes are no UTF-8 (byte {error.start + 1} of the row)",
                f"不是合法的 UTF-8（本行第 {error.start + 1} 字节）",
            )
            return Row(number, last, raw, end, fault=fault)
        except csv.Error:
            fault = Fault("", "is no CSV: check its quotation marks", "不是合法的 CSV，请检查引号")
            return Row(number, last, raw, end, fault=fault)
        if not any(values):
            return None
        if len(values) != len(self._columns):
            fault = Fault(
                "",
                f"has {len(values)} cells where the header has {len(self._columns)}",
                f"有 {len(values)} 个单元格，表头有 {len(self._columns)} 列",
            )
            return Row(number, last, raw, end, fault=fault)
        cells = {
            name: value for name, value in zip(self._columns, values, strict=True) if value != ""
        }
        return Row(number, last, raw, end, (cells,), (number,))

    def decode(self, row: Row) -> Item:
        """The paper or goods record of a row. Raises :class:`RowFaulty`."""
        if row.fault is not None:
            raise RowFaulty((row.fault,))
        faults = [*_excel_faults(row), *_contradictions(row)]
        if len(row.cells) > MAX_LINES:
            text = f"an order has at most {MAX_LINES} lines"
            faults.append(Fault("lines", text, f"订单最多 {MAX_LINES} 行"))
        if faults:
            raise RowFaulty(faults)
        kind = self._kind_of(row.cells[0])
        doc = self._doc(row, kind)
        adapter = BATCH_LINE if self._kind is FileKind.MIXED else _ADAPTER[self._kind]
        try:
            return _item(adapter, orjson.dumps(doc))
        except InvalidFields as error:
            raise RowFaulty([_at_column(fault, row) for fault in error.faults]) from None
        except InvalidJSON as error:
            raise RowFaulty((error.fault,)) from None

    def _apart(self, row: Row) -> Fault | None:
        """The fault of an order whose rows do not stand together: half an order is none."""
        cells = row.cells[0] if row.cells else {}
        if "order_no" not in cells or self._kind_of(cells) != FileKind.ORDER:
            return None
        key = (cells.get("profile", ""), cells["order_no"])
        if key not in self._seen:
            self._seen.add(key)
            return None
        return Fault(
            "order_no",
            "stands further up already; sort the file so that one order's rows stand together",
            "在前面已出现过；请按订单号排序，使同一订单的行相邻",
        )

    def doc(self, row: Row) -> dict[str, Any]:
        """The object that a row stands for. Raises :class:`RowFaulty` as :meth:`decode`."""
        faults = [*_excel_faults(row), *_contradictions(row)]
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
        return int(text) if name in self._whole and _WHOLE.fullmatch(text) else text


_KEY: Final[Mapping[FileKind, str]] = {
    FileKind.ORDER: "order_no",
    FileKind.PAYMENT: "transaction_id",
    FileKind.WAYBILL: "waybill_no",
    FileKind.GOODS: "sku",
}


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


def _contradictions(row: Row) -> Iterator[Fault]:
    """Head fields of an order's further rows must be empty or say the same."""
    first = row.cells[0]
    for cells, number in zip(row.cells[1:], row.places[1:], strict=True):
        for name, value in cells.items():
            if not name.startswith("lines.") and first.get(name) != value:
                yield Fault(
                    name,
                    f"differs from the order's first row (line {number})",
                    f"与该订单首行不一致（第 {number} 行）",
                )


def _at_column(fault: Fault, row: Row) -> Fault:
    """A fault of a line of an order, named by column and line of the file."""
    found = _LINE_PATH.match(fault.path)
    index = int(found[1]) if found else 0
    if not found or index >= len(row.places):
        return fault
    column, number = f"lines.{fault.path[found.end() :]}".rstrip("."), row.places[index]
    return Fault(
        column, f"{fault.message} (line {number})", f"{fault.message_zh}（第 {number} 行）"
    )
