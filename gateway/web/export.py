"""Lists as files: CSV and XLSX, safe to open in a spreadsheet."""

import csv
from collections.abc import Iterable
from io import BytesIO, StringIO
from typing import Any, Final

from xlsxwriter import Workbook

from gateway.web.call import File, Grid
from gateway.web.render import Renderer

# A cell that begins so would be run as a formula by a spreadsheet.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def csv_file(grid: Grid, renderer: Renderer) -> File:
    """A list as CSV in UTF-8, with the mark that spreadsheets look for."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow([renderer.gettext(column) for column in grid.columns])
    for row in grid.rows:
        writer.writerow([_harmless(value) for value in row])
    return File(f"{grid.name}.csv", b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace"),
                "text/csv; charset=utf-8")  # fmt: skip


def xlsx_file(grid: Grid, renderer: Renderer) -> File:
    """A list as a workbook with one sheet; every cell is text or a number, never a formula."""
    out = BytesIO()
    book = Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    sheet = book.add_worksheet(grid.name[:31])
    bold = book.add_format({"bold": True})
    for place, column in enumerate(grid.columns):
        sheet.write_string(0, place, renderer.gettext(column), bold)
    for number, row in enumerate(grid.rows, 1):
        _write(sheet, number, row)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(len(grid.rows), 1), len(grid.columns) - 1)
    sheet.set_column(0, len(grid.columns) - 1, 20)
    book.close()
    return File(f"{grid.name}.xlsx", out.getvalue(), XLSX_TYPE)


def _write(sheet: Any, number: int, row: Iterable[Any]) -> None:  # Any: xlsxwriter has no types
    for place, value in enumerate(row):
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15:
            sheet.write_number(number, place, value)
        else:
            sheet.write_string(number, place, "" if value is None else str(value)[:32_000])


def _harmless(value: Any) -> str:
    text = "" if value is None else str(value)
    return "'" + text if text.startswith(_FORMULA) else text
