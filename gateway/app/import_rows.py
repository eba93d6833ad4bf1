"""Rows of files of papers, and the simplest of them: NDJSON, one JSON object a line.

A text file is UTF-8, with or without a byte order mark. It is read row by row, so its size does
not matter, and every row keeps its exact bytes and its place.
"""

import codecs
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import IO, Any, Final, Protocol

import orjson
from pydantic import TypeAdapter

from gateway.api.decode import GoodsItem, PaperItem, decode, to_item
from gateway.api.edge import BATCH_LINE, GOODS, ORDER, PAYMENT, WAYBILL
from gateway.api.faults import Fault, InvalidFields, InvalidJSON, broken_json
from gateway.api.repeats import repeated_keys
from gateway.app.told import Told

MAX_ROW_BYTES: Final = 1024 * 1024
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
ADAPTER: Final[Mapping[FileKind, TypeAdapter[Any]]] = {
    FileKind.MIXED: BATCH_LINE,
    FileKind.ORDER: ORDER,
    FileKind.PAYMENT: PAYMENT,
    FileKind.WAYBILL: WAYBILL,
    FileKind.GOODS: GOODS,
}


class UnusableFile(Told):
    """A file that cannot be read at all; the text says where and what to do."""


class RowFaulty(Exception):
    """A row that cannot be taken; ``faults`` name every faulty field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Row:
    """One paper of a file: its exact bytes, the lines it stands on (from 1), and where it ends.

    ``cells`` are the rows of a table by column, ``faults`` are set where they could not be read.
    """

    number: int
    last: int
    raw: bytes
    end: int
    cells: tuple[Mapping[str, str], ...] = ()
    places: tuple[int, ...] = ()
    faults: tuple[Fault, ...] = ()


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


@dataclass(slots=True)
class Lines:
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
                raise UnusableFile(
                    "the file is UTF-16; save it as UTF-8 (in Excel: CSV UTF-8)",
                    "文件为 UTF-16 编码，请另存为 UTF-8（Excel：CSV UTF-8）",
                )
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
        lines = Lines(self.file)
        while line := lines.next():
            raw = line.rstrip(b"\r\n")
            faults = (too_long(),) if len(line) > MAX_ROW_BYTES else ()
            if not raw.isspace() and raw:
                yield Row(lines.number, lines.number, raw, lines.at, faults=faults)

    def decode(self, row: Row) -> Item:
        """The paper or goods record of a line. Raises :class:`RowFaulty`."""
        if row.faults:
            raise RowFaulty(row.faults)
        adapter = ADAPTER[self.kind]
        if self.profile is not None and _PROFILE_KEY not in row.raw:
            try:
                return read_item(adapter, _with_profile(row.raw, self.profile))
            except InvalidJSON:
                # Read it once more as it stands, so that the column named is the file's.
                pass
            except InvalidFields as error:
                raise RowFaulty(error.faults) from None
        try:
            return read_item(adapter, row.raw)
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


def read_item(adapter: TypeAdapter[Any], raw: bytes) -> Item:
    """The paper or goods record of JSON bytes. Raises ``InvalidJSON`` or ``InvalidFields``."""
    return to_item(decode(adapter, raw))


def _with_profile(raw: bytes, profile: str) -> bytes:
    """The object, which names no profile itself, with this one before its own fields."""
    inner = raw.lstrip()
    if not inner.startswith(b"{"):
        return raw
    rest = inner[1:].lstrip()
    comma = b"" if rest.startswith(b"}") else b","
    return b'{"profile":%b%b%b' % (orjson.dumps(profile), comma, rest)


def too_long() -> Fault:
    """The fault of a row that is larger than a paper can be."""
    return Fault("", "has more than 1 MiB; a row is one paper", "超过 1 MiB；每行应为一份单证")


def _in_row(fault: Fault) -> Fault:
    """A fault of a row's bytes: its line is the row's, so only the column is told."""
    message = fault.message.replace("(line 1, column", "(column")
    message_zh = fault.message_zh.replace("（第 1 行，第", "（第")
    if "UTF-8" in message:
        return encoding_fault(message, message_zh)
    return Fault(fault.path, message, message_zh)


def encoding_fault(message: str, message_zh: str) -> Fault:
    """The fault of bytes that are no UTF-8, with what to do about it."""
    return Fault(
        "",
        f"{message}; save the file as UTF-8, or: iconv -f GB18030 -t UTF-8 FILE",
        f"{message_zh}；请将文件另存为 UTF-8，或用 iconv -f GB18030 -t UTF-8 转换",
    )


def is_composed(raw: bytes) -> bool:
    """Whether the text is in Unicode's composed form (NFC), which customs compares literally."""
    return raw.isascii() or unicodedata.is_normalized("NFC", raw.decode(errors="replace"))
