"""Spreadsheets: what a cell holds comes in exactly, what a cell lost is told with its place."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.api import edge
from gateway.api.decode import GoodsItem, PaperItem, decode, to_item
from gateway.app import import_workbook
from gateway.app.import_rows import FileKind, Item, Row, RowFaulty, UnusableFile
from gateway.app.import_sheet import SheetRows
from gateway.app.import_workbook import letters
from gateway.app.preflight_rows import read_rows
from gateway.domain.papers import Order, PaymentSlip
from tests.unit.api.fakes import goods_doc, order_doc, payment_doc, waybill_doc
from tests.unit.app.test_import_rows import flat

Cell = Any  # Any: whatever xlsxwriter writes
AT = {"num_format": "yyyy-mm-dd hh:mm:ss"}


def workbook(
    *rows: Mapping[str, Cell],
    sheet: str = "papers",
    more: Callable[[xlsxwriter.Workbook, Any], None] = lambda *_: None,
) -> bytes:
    """A workbook as a spreadsheet writes it: texts as text, numbers as numbers."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    page = book.add_worksheet(sheet)
    moment, day = book.add_format(AT), book.add_format({"num_format": "yyyy-mm-dd"})
    names = list(dict.fromkeys(name for row in rows for name in row))
    page.write_row(0, 0, names)
    for at, row in enumerate(rows, 1):
        for name, value in row.items():
            place = (at, names.index(name))
            if isinstance(value, datetime):
                page.write_datetime(*place, value, moment)
            elif isinstance(value, date):
                page.write_datetime(*place, value, day)
            elif isinstance(value, str) and value.startswith("="):
                page.write_formula(*place, value, None, "")
            elif isinstance(value, str):
                page.write_string(*place, value)
            else:
                page.write(*place, value)
    more(book, page)
    book.close()
    return file.getvalue()


def opened(raw: bytes, kind: FileKind, sheet: str | None = None) -> SheetRows:
    return SheetRows(io.BytesIO(raw), kind, "alpha-9610", sheet)


def read(raw: bytes, kind: FileKind, sheet: str | None = None) -> list[tuple[Row, Item]]:
    source = opened(raw, kind, sheet)
    return [(row, source.decode(row)) for row in source.rows()]


def faults(raw: bytes, kind: FileKind) -> dict[str, str]:
    source = opened(raw, kind)
    (row,) = source.rows()
    with pytest.raises(RowFaulty) as caught:
        source.decode(row)
    assert all(re.search(r"[\u4e00-\u9fff]", fault.message_zh) for fault in caught.value.faults)
    return {fault.path: fault.message for fault in caught.value.faults}


def payment(**cells: Cell) -> dict[str, Cell]:
    (row,) = flat(payment_doc())
    return {**row, **cells}


def slip(raw: bytes) -> PaymentSlip:
    ((_, item),) = read(raw, FileKind.PAYMENT)
    assert isinstance(item, PaperItem)
    assert isinstance(item.paper, PaymentSlip)
    return item.paper


@pytest.mark.parametrize(
    "kind, doc",
    [
        (FileKind.ORDER, order_doc()),
        (FileKind.PAYMENT, payment_doc()),
        (FileKind.WAYBILL, waybill_doc()),
        (FileKind.GOODS, goods_doc()),
    ],
)
def test_a_row_says_what_the_same_json_says(kind: FileKind, doc: dict[str, Any]) -> None:
    ((row, item),) = read(workbook(*flat(doc)), kind)
    adapters = {
        "order": edge.ORDER, "payment": edge.PAYMENT, "waybill": edge.WAYBILL, "goods": edge.GOODS,
    }  # fmt: skip
    adapter: Any = adapters[kind.value]
    assert item == to_item(decode(adapter, orjson.dumps(doc)))
    assert (row.number, row.places[0]) == (2, 2)
    # What is kept of the file for the paper: the names of the columns, then its own cells.
    kept = [orjson.loads(line) for line in row.raw.splitlines()]
    assert [one["row"] for one in kept] == [1, *row.places]
    assert str(doc.get("order_no", doc.get("sku"))) in kept[1]["cells"]


def test_an_order_of_several_lines_is_several_rows_and_a_fault_names_its_cell() -> None:
    doc = order_doc()
    doc["lines"] = [doc["lines"][0], {**doc["lines"][0], "sku": "SKU2"}]
    raw = workbook(*flat(doc))
    ((row, item),) = read(raw, FileKind.ORDER)
    assert (row.number, row.last) == (2, 3)
    assert isinstance(item, PaperItem)
    assert isinstance(item.paper, Order)
    assert [line.sku for line in item.paper.lines] == ["SKU1", "SKU2"]
    rows = flat(doc)
    column = letters(list(dict.fromkeys(n for one in rows for n in one)).index("lines.price"))
    rows[1]["lines.price"] = "1,000.00"
    assert faults(workbook(*rows), FileKind.ORDER)["lines.price"].endswith(f"(cell {column}3)")


# --- numbers ----------------------------------------------------------------------------------


@given(
    cents=st.integers(0, 10**13),
    places=st.integers(0, 5),
)
@settings(max_examples=60, deadline=None)
def test_an_amount_that_a_spreadsheet_keeps_comes_in_to_the_last_digit(
    cents: int, places: int
) -> None:
    amount = Decimal(cents).scaleb(-places)
    found = slip(workbook(payment(amount=float(amount))))
    assert found.amount.amount == amount


@pytest.mark.parametrize("amount", [199.1, 0.3, 401.49, 1e-05, 99999999999999.0])
def test_the_shortest_decimal_of_a_number_is_what_was_typed(amount: float) -> None:
    assert slip(workbook(payment(amount=amount))).amount.amount == Decimal(repr(amount))


@pytest.mark.parametrize("amount", [1e15, 12345678901234.12345, 110101199003070003])
def test_an_amount_that_lost_digits_is_refused_with_its_cell(amount: float) -> None:
    row = payment(amount=amount)
    column = letters(list(row).index("amount"))
    found = faults(workbook(row), FileKind.PAYMENT)["amount"]
    assert "more than 15 digits" in found
    assert found.endswith(f"(cell {column}2)")


def test_a_sum_that_was_not_rounded_is_refused() -> None:
    raw = changed(
        workbook(payment(amount=7)),
        SHEET,
        lambda part: re.sub(
            NUMBER, rb'<c r="\g<1>2"><f>0.1+0.2</f><v>0.30000000000000004</v></c>', part
        ),
    )
    assert "=ROUND(…,2)" in faults(raw, FileKind.PAYMENT)["amount"]


@pytest.mark.parametrize("value", [110101199003070003, 1234, 12.5, -1])
def test_a_number_where_a_text_belongs_is_refused(value: float) -> None:
    row = payment(**{"payer.id_number": value, "transaction_id": value})
    found = faults(workbook(row), FileKind.PAYMENT)
    assert set(found) == {"payer.id_number", "transaction_id"}
    assert all("as text" in text and "(cell " in text for text in found.values())


def test_a_mobile_number_has_no_leading_zero_to_lose() -> None:
    (row,) = flat(order_doc())
    assert read(workbook({**row, "buyer.phone": 13800000001}), FileKind.ORDER)
    landline = {**row, "buyer.phone": 1088888888}
    assert "leading zeros" in faults(workbook(landline), FileKind.ORDER)["buyer.phone"]


# --- times ------------------------------------------------------------------------------------


@given(seconds=st.integers(0, 20 * 365 * 86_400))
@settings(max_examples=60, deadline=None)
def test_a_time_is_beijing_time_to_the_second(seconds: int) -> None:
    at = datetime(2020, 1, 1) + timedelta(seconds=seconds)  # noqa: DTZ001 - cells have no zone
    found = slip(workbook(payment(paid_at=at)))
    assert found.paid_at == (at - timedelta(hours=8)).replace(tzinfo=UTC)


def test_a_day_is_a_day() -> None:
    (row,) = flat(goods_doc())
    ((_, item),) = read(workbook({**row, "valid_from": date(2026, 1, 2)}), FileKind.GOODS)
    assert isinstance(item, GoodsItem)
    assert item.model.valid_from == date(2026, 1, 2)
    noon = datetime(2026, 1, 2, 12)  # noqa: DTZ001
    found = faults(workbook({**row, "valid_from": noon}), FileKind.GOODS)
    assert "leave the time out" in found["valid_from"]


@pytest.mark.parametrize(
    "cells, path, words",
    [
        ({"paid_at": 46000}, "paid_at", "format the cell as a date"),
        ({"paid_at": True}, "paid_at", "TRUE or FALSE"),
        ({"amount": date(2026, 1, 2)}, "amount", "date where a text"),
        ({"transaction_id": date(2026, 1, 2)}, "transaction_id", "date where a text"),
        ({"amount": "1,000.00"}, "amount", "(cell "),
    ],
)
def test_a_cell_of_another_kind_is_told(cells: dict[str, Cell], path: str, words: str) -> None:
    assert words in faults(workbook(payment(**cells)), FileKind.PAYMENT)[path]


# --- what a reader would give as empty --------------------------------------------------------


def changed(raw: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """A workbook with one part rewritten."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(file, "w") as new:
        for one in old.infolist():
            content = old.read(one)
            new.writestr(one.filename, change(content) if one.filename == part else content)
    return file.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
NUMBER = rb'<c r="(.)2"><v>7</v></c>'


@pytest.mark.parametrize(
    "old, new, words",
    [
        (NUMBER, rb'<c r="\g<1>2" t="e"><v>#DIV/0!</v></c>', "an error"),
        (NUMBER, rb'<c r="\g<1>2"><f>1+6</f></c>', "without its result"),
        (NUMBER, rb'<c r="\g<1>2"><f>1+6</f><v/></c>', "without its result"),
    ],
)
def test_an_error_and_an_open_formula_are_no_empty_cells(
    old: bytes, new: bytes, words: str
) -> None:
    row = {**waybill(), "freight": 7}
    raw = changed(workbook(row), SHEET, lambda part: re.sub(old, new, part))
    assert words in faults(raw, FileKind.WAYBILL)["freight"]


def waybill() -> dict[str, Any]:
    (row,) = flat(waybill_doc())
    return row


def test_a_formula_with_its_result_is_that_result() -> None:
    raw = changed(
        workbook(payment(amount=7)),
        SHEET,
        lambda part: re.sub(NUMBER, rb'<c r="\g<1>2"><f>3+4</f><v>7</v></c>', part),
    )
    assert slip(raw).amount.amount == 7


def test_a_value_under_no_column_name_is_told() -> None:
    raw = workbook(payment(), more=lambda _, page: page.write(1, 40, "lost?"))
    assert "no column name" in faults(raw, FileKind.PAYMENT)[""]


def test_blank_rows_are_passed_over_and_rows_keep_their_numbers() -> None:
    one, other = payment(order_no="A"), payment(order_no="B")
    found = read(workbook(one, {}, {}, other), FileKind.PAYMENT)
    assert [row.number for row, _ in found] == [2, 5]


# --- sheets and files -------------------------------------------------------------------------


def test_the_first_visible_sheet_is_read_or_the_named_one() -> None:
    def add(book: xlsxwriter.Workbook, page: Any) -> None:
        other = book.add_worksheet("other")
        for at, (name, value) in enumerate(payment(order_no="OTHER").items()):
            other.write_string(0, at, name)
            other.write_string(1, at, str(value))
        other.activate()
        page.hide()

    raw = workbook(payment(order_no="HIDDEN"), more=add)
    assert [item.order_no for _, item in read(raw, FileKind.PAYMENT)] == ["OTHER"]  # type: ignore[union-attr]
    assert [item.order_no for _, item in read(raw, FileKind.PAYMENT, "papers")] == ["HIDDEN"]  # type: ignore[union-attr]
    with pytest.raises(UnusableFile, match="'papers', 'other'"):
        opened(raw, FileKind.PAYMENT, "none")


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"", "no workbook"),
        (b"PK\x03\x04 broken", "no workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "password"),
        (workbook(), "must name the columns|is empty"),
        (workbook({"amout": 1, "order_no": "A"}), "did you mean amount"),
        (changed(workbook(payment()), SHEET, lambda part: part[:40]), "cannot be read|is empty"),
        (changed(workbook(payment()), "xl/workbook.xml", lambda _: b"<!DOCTYPE a><a/>"), "Doctype"),
    ],
)
def test_what_cannot_be_read_is_told(raw: bytes, words: str) -> None:
    with pytest.raises(UnusableFile, match=words):
        opened(raw, FileKind.PAYMENT)


def test_a_cell_at_the_far_corner_makes_no_room_for_what_lies_between() -> None:
    raw = workbook(payment(), more=lambda _, page: page.write(1_048_575, 16_383, "x"))
    with pytest.raises(UnusableFile, match="A1048576"):
        opened(raw, FileKind.PAYMENT)


def test_a_workbook_that_unfolds_too_far_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_workbook, "_MAX_UNFOLDED", 1000)
    with pytest.raises(UnusableFile, match="unfolds"):
        opened(workbook(payment()), FileKind.PAYMENT)


def test_a_part_that_lies_about_its_size_is_refused() -> None:
    """The directory says 10 bytes; whoever believes it would unfold as much as there is."""
    raw = bytearray(workbook(payment()))
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        size = archive.getinfo(SHEET).file_size
    at = raw.rfind(b"PK\x01\x02", 0, raw.rfind(SHEET.encode()))
    assert raw[at + 24 : at + 28] == size.to_bytes(4, "little")
    raw[at + 24 : at + 28] = (10).to_bytes(4, "little")
    with pytest.raises(UnusableFile):
        opened(bytes(raw), FileKind.PAYMENT)


@given(place=st.integers(0, 4000), byte=st.integers(0, 255))
@settings(max_examples=150, deadline=None)
def test_no_damaged_byte_brings_the_reader_down(place: int, byte: int) -> None:
    raw = bytearray(WHOLE)
    raw[place % len(raw)] = byte
    try:
        source = opened(bytes(raw), FileKind.PAYMENT)
        for row in source.rows():
            source.decode(row)
    except (UnusableFile, RowFaulty):
        pass


WHOLE = workbook(payment())


def test_columns_are_named_as_a_spreadsheet_does() -> None:
    assert [letters(one) for one in (0, 25, 26, 701, 702, 16_383)] == [
        "A", "Z", "AA", "ZZ", "AAA", "XFD",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "kind, doc", [("order", order_doc()), ("payment", payment_doc()), ("goods", goods_doc())]
)
def test_a_workbook_is_tried_as_what_its_columns_say(
    kind: str, doc: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "papers.xlsx"
    path.write_bytes(workbook(*flat(doc)))
    (row,) = read_rows(path, None).rows
    assert (row.kind, row.faults) == (kind, ())
