"""Spreadsheets of papers (XLSX): cells come in exactly, or their paper is refused.

A spreadsheet keeps numbers as binary fractions of which 15 decimal digits are sure, drops leading
zeros, and knows no time zones. So an amount is taken when its digits are sure; what is not an
amount or a count must be text; a time is Beijing time. What a cell lost is never guessed.
The file is looked through first (:mod:`gateway.app.import_workbook`): a hostile one costs little.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import IO, Any, Final

import orjson
from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from gateway.api.faults import Fault
from gateway.app.import_columns import Content
from gateway.app.import_rows import FileKind, Row, UnusableFile
from gateway.app.import_tables import Place, TableRows
from gateway.app.import_workbook import letters, look
from gateway.domain.money import plain
from gateway.flow.clockwork import BEIJING

# IEEE 754 doubles: every decimal of 15 digits comes back as it went in.
_SURE_DIGITS: Final = 15
_SURE: Final = 10**_SURE_DIGITS
# Eleven digits that begin with 1: no leading zero can be missing from a mobile number.
_MOBILE: Final = re.compile(r"1[0-9]{10}", re.ASCII)
_PHONE: Final = ("phone",)


class _CellFaulty(Exception):
    def __init__(self, message: str, message_zh: str) -> None:
        super().__init__(message)
        self.texts = (message, message_zh)


class SheetRows(TableRows):
    """A sheet of a workbook: the first visible one, or the one that is named."""

    def __init__(
        self, file: IO[bytes], kind: FileKind, profile: str | None, sheet: str | None = None
    ) -> None:
        super().__init__(kind, profile)
        self._look = look(file, sheet)
        self._size = file.seek(0, 2)
        self._cells = _cells(file, self._look.name)
        self._number = 0
        first = self._next()
        if first is None:
            raise UnusableFile(
                f"sheet {self._look.name!r} is empty; its first row names columns",
                "工作表为空，首行应为列名",
            )
        while first and first[-1] == "":
            first.pop()
        if any(row == self._number for row in self._look.lost_rows):
            raise UnusableFile(
                f"row {self._number}: a column name is an error or an open formula",
                "列名是错误值或未计算的公式",
            )
        names = [one if isinstance(one, str) else _shown(one) for one in first]
        self.take_header(f"row {self._number}", [str(name) for name in names])
        self._header = self._raw(first)

    def place(self, column: str, number: int) -> Place | None:
        """A cell as the spreadsheet names it."""
        if column not in self._columns:
            return f"row {number}", f"第 {number} 行"
        cell = f"{letters(self._columns.index(column))}{number}"
        return f"cell {cell}", f"单元格 {cell}"

    def records(self) -> Iterator[Row]:
        """Every row that is not blank."""
        while (values := self._next()) is not None:
            number = self._number
            cells: dict[str, str] = {}
            faults: list[Fault] = []
            for index, (name, value) in enumerate(zip(self._columns, values, strict=False)):
                try:
                    self._refuse_lost(index)
                    text = "" if value == "" else _text(value, name, self._contents[name])
                except _CellFaulty as error:
                    faults.append(self._fault(name, number, error))
                    # Not absent: nothing else is to be said of this cell.
                    text = "?"
                if text != "":
                    cells[name] = text
            if any(value != "" for value in values[len(self._columns) :]):
                faults.append(_nameless(number))
            if not cells and not faults:
                continue
            end = self._size * number // max(self._look.rows, number)
            raw = self._raw(values)
            yield Row(number, number, raw, end, (cells,), (number,), tuple(faults))

    def _next(self) -> list[Any] | None:
        """The values of the next row that holds any, with its number in ``_number``."""
        for values in self._cells:
            self._number += 1
            is_blank = all(one == "" for one in values)
            if not is_blank or self._number in self._look.lost_rows:
                return values
        return None

    def _refuse_lost(self, index: int) -> None:
        why = self._look.lost.get((self._number, index))
        if why == "error":
            raise _CellFaulty(
                "holds an error (#N/A, #DIV/0! …); mend its formula", "是错误值，请修正公式"
            )
        if why == "formula":
            raise _CellFaulty(
                "holds a formula without its result; open the file in a spreadsheet and save it",
                "是没有计算结果的公式；请用电子表格软件打开并保存",
            )

    def _fault(self, name: str, number: int, error: _CellFaulty) -> Fault:
        place = self.place(name, number) or ("", "")
        message, message_zh = error.texts
        return Fault(name, f"{message} ({place[0]})", f"{message_zh}（{place[1]}）")

    def _raw(self, values: list[Any]) -> bytes:
        """A row's values as a line of JSON: what is kept of the file for its paper."""
        doc = {"sheet": self._look.name, "row": self._number, "cells": [_shown(v) for v in values]}
        return orjson.dumps(doc, option=orjson.OPT_APPEND_NEWLINE)


def header_of(file: IO[bytes]) -> list[str]:
    """What stands in the first row that is not blank. Raises :class:`UnusableFile`."""
    name = look(file, None).name
    first = next((row for row in _cells(file, name) if any(one != "" for one in row)), [])
    file.seek(0)
    return [one for one in first if isinstance(one, str)]


def _nameless(number: int) -> Fault:
    return Fault(
        "",
        f"holds a cell under no column name (row {number}); name the column or empty the cell",
        f"有单元格所在列没有列名（第 {number} 行）；请填写列名或清空该单元格",
    )


def _cells(file: IO[bytes], name: str) -> Iterator[list[Any]]:
    """The rows of a sheet from the first on, blank ones too."""
    file.seek(0)
    try:
        sheet = CalamineWorkbook.from_filelike(file).get_sheet_by_name(name)
        return iter(sheet.to_python(skip_empty_area=False))
    except PasswordError:
        raise UnusableFile(
            "the workbook has a password; save it without one", "工作簿有密码，请去掉密码后另存"
        ) from None
    except (CalamineError, OSError, ValueError) as error:
        raise UnusableFile(
            f"the workbook cannot be read ({type(error).__name__}); open it in a spreadsheet and "
            "save it as .xlsx",
            "工作簿无法读取，请用电子表格软件打开并另存为 .xlsx",
        ) from None


def _shown(value: Any) -> str | bool:
    """A value of a cell (Any: calamine's) as text that keeps all of it."""
    if isinstance(value, str | bool):
        return value
    return repr(value) if isinstance(value, int | float) else str(value)


def _text(value: Any, name: str, content: Content) -> str:
    """A cell's value (Any: calamine's) as the text that its column takes.

    Raises :class:`_CellFaulty`.
    """
    match value:
        case str():
            return value
        case bool():
            raise _CellFaulty(
                "is TRUE or FALSE; write a text or a number", "是逻辑值，请改为文本或数字"
            )
        case int() | float():
            return _of_number(value, name, content)
        case datetime() | date():
            return _of_date(value, content)
        case _:
            raise _CellFaulty(
                "is a time without a day; write day and time", "只有时间没有日期，请填写日期和时间"
            )


def _of_number(value: float, name: str, content: Content) -> str:
    if content in (Content.DAY, Content.MOMENT):
        raise _CellFaulty(
            "is a number; format the cell as a date", "是数字；请将单元格设为日期格式"
        )
    exact = Decimal(repr(value))
    digits = len(exact.normalize().as_tuple().digits)
    if abs(exact) >= _SURE or digits > _SURE_DIGITS:
        raise _CellFaulty(
            "is a number of more than 15 digits, which a spreadsheet has rounded; format the "
            "column as text and type it again (a sum: =ROUND(…,2))",
            "是超过 15 位的数字，已被电子表格舍入；请将该列设为文本格式后重新填写"
            "（求和请用 =ROUND(…,2)）",
        )
    text = plain(exact.normalize())
    if content is Content.TEXT and not (
        name.rpartition(".")[2] in _PHONE and _MOBILE.fullmatch(text)
    ):
        raise _CellFaulty(
            "is a number where a text belongs: leading zeros and digits may be lost; format the "
            "column as text and type it again",
            "是数字而应为文本：前导零或末尾数位可能已丢失；请将该列设为文本格式后重新填写",
        )
    return text


def _of_date(value: date, content: Content) -> str:
    is_whole_day = not isinstance(value, datetime)
    if content is Content.DAY:
        if not is_whole_day:
            raise _CellFaulty(
                "is a day with a time; leave the time out", "日期带有时间，请只填日期"
            )
        return value.isoformat()
    if content is Content.MOMENT:
        moment = value if isinstance(value, datetime) else datetime.combine(value, time())
        return moment.replace(tzinfo=BEIJING).isoformat()
    raise _CellFaulty(
        "is a date where a text or a number belongs; format the column as text",
        "是日期而应为文本或数字；请将该列设为文本格式",
    )
