"""Files of papers: every row read as it stands, every fault named by column and line."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import edge
from gateway.api.decode import PaperItem, decode, to_item
from gateway.app.import_columns import columns_of
from gateway.app.import_files import open_rows
from gateway.app.import_rows import (
    MAX_ROW_BYTES,
    FileKind,
    Item,
    NDJSONRows,
    Row,
    RowFaulty,
    RowSource,
    UnusableFile,
    is_composed,
)
from gateway.app.import_tables import CSVRows
from gateway.domain.papers import Order, Waybill, as_sent
from tests.unit.api.fakes import goods_doc, order_doc, payment_doc, waybill_doc

SAMPLES = Path(__file__).parents[2] / "samples"


def csv_rows(text: str | bytes, kind: FileKind, profile: str | None = "alpha-9610") -> CSVRows:
    raw = text if isinstance(text, bytes) else text.encode()
    return CSVRows(io.BytesIO(raw), kind, profile)


def ndjson(raw: bytes, kind: FileKind = FileKind.MIXED, profile: str | None = None) -> NDJSONRows:
    return NDJSONRows(io.BytesIO(raw), kind, profile)


def faults(source: RowSource, row: Row) -> dict[str, str]:
    with pytest.raises(RowFaulty) as caught:
        source.decode(row)
    return {fault.path: fault.message for fault in caught.value.faults}


def read(source: RowSource) -> list[tuple[Row, Item]]:
    return [(row, source.decode(row)) for row in source.rows()]


def table(*rows: dict[str, Any]) -> str:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([row.get(name, "") for name in names] for row in rows)
    return text.getvalue()


def flat(doc: dict[str, Any]) -> list[dict[str, Any]]:
    """A document of the API as rows of a CSV."""
    head: dict[str, Any] = {}
    for name, value in doc.items():
        if isinstance(value, dict):
            head |= {f"{name}.{inner}": item for inner, item in value.items()}
        elif not isinstance(value, list):
            head[name] = value
    lines = [
        {f"lines.{name}": value for name, value in line.items() if name != "line_no"}
        for line in doc.get("lines", [])
    ]
    if not lines:
        return [head]
    again = {"order_no": doc["order_no"], "profile": doc["profile"]}
    return [{**(head if index == 0 else again), **line} for index, line in enumerate(lines)]


# --- NDJSON -----------------------------------------------------------------------------------


def test_every_line_is_one_item_with_its_place_and_bytes() -> None:
    lines = [{"type": "order", **order_doc()}, {"type": "goods", **goods_doc()}]
    raw = b"\xef\xbb\xbf" + orjson.dumps(lines[0]) + b"\r\n\n  \n" + orjson.dumps(lines[1])
    found = read(ndjson(raw))
    assert [row.number for row, _ in found] == [1, 4]
    assert [row.raw for row, _ in found] == [orjson.dumps(line) for line in lines]
    assert found[-1][0].end == len(raw)


@pytest.mark.parametrize("named", [True, False])
def test_a_profile_is_given_to_lines_that_name_none(named: bool) -> None:
    doc = order_doc() if named else {k: v for k, v in order_doc().items() if k != "profile"}
    source = ndjson(orjson.dumps(doc), FileKind.ORDER, "other")
    ((row, item),) = read(source)
    assert item.profile_id == ("alpha-9610" if named else "other")
    assert row.raw == orjson.dumps(doc)


@pytest.mark.parametrize("profile", [None, "p"])
@pytest.mark.parametrize(
    "raw, path, words",
    [
        (b'{"type":"order","order_no":', "order_no", "column 27"),
        (b'{"type":"parcel"}', "type", "must be one of"),
        (b'{"type":"payment","amount":1.5}', "amount", "JSON string"),
        (b'{"type":"order","order_no":"\xff"}', "", "iconv -f GB18030"),
    ],
)
def test_a_faulty_line_names_its_field_and_spoils_no_other(
    raw: bytes, path: str, words: str, profile: str | None
) -> None:
    good = orjson.dumps({"type": "waybill", **waybill_doc()})
    source = ndjson(raw + b"\n" + good, profile=profile)
    first, second = source.rows()
    assert words in faults(source, first)[path]
    item = source.decode(second)
    assert isinstance(item, PaperItem)
    assert isinstance(item.paper, Waybill)


def test_an_oversize_line_is_refused_and_skipped() -> None:
    long = b'{"note":"' + b"x" * (2 * MAX_ROW_BYTES) + b'"}\n'
    source = ndjson(long + orjson.dumps(payment_doc()), FileKind.PAYMENT)
    first, second = source.rows()
    assert "1 MiB" in faults(source, first)[""]
    assert len(first.raw) <= MAX_ROW_BYTES + 1
    assert (second.number, second.raw) == (2, orjson.dumps(payment_doc()))


def test_a_line_of_another_kind_is_refused() -> None:
    source = ndjson(orjson.dumps({"type": "payment", **payment_doc()}), FileKind.ORDER)
    (row,) = source.rows()
    assert "type" in faults(source, row)


@given(raw=st.binary(max_size=200))
def test_no_bytes_bring_a_line_down(raw: bytes) -> None:
    source = ndjson(raw)
    try:
        rows = list(source.rows())
    except UnusableFile:
        assert raw.startswith((b"\xff\xfe", b"\xfe\xff"))
        return
    for row in rows:
        assert faults(source, row)


# --- CSV --------------------------------------------------------------------------------------


def test_an_order_of_several_lines_is_several_rows() -> None:
    doc = order_doc()
    second = {**doc["lines"][0], "sku": "SKU2", "quantity": "1"}
    doc["lines"] = [doc["lines"][0], second]
    text = table(*flat(doc))
    ((row, item),) = read(csv_rows(text, FileKind.ORDER))
    assert (row.number, row.last, row.places) == (2, 3, (2, 3))
    assert row.raw.decode() == text
    second["line_no"] = 2
    assert item == to_item(decode(edge.ORDER, orjson.dumps(doc)))


@pytest.mark.parametrize(
    "kind, doc",
    [
        (FileKind.PAYMENT, payment_doc()),
        (FileKind.WAYBILL, waybill_doc()),
        (FileKind.GOODS, goods_doc()),
    ],
)
def test_a_row_says_what_the_same_json_says(kind: FileKind, doc: dict[str, Any]) -> None:
    ((_, item),) = read(csv_rows(table(*flat(doc)), kind, None))
    adapter: Any = {"payment": edge.PAYMENT, "waybill": edge.WAYBILL, "goods": edge.GOODS}[kind]
    assert item == to_item(decode(adapter, orjson.dumps(doc)))


def test_a_mixed_file_tells_its_rows_apart_by_type() -> None:
    docs = [("order", order_doc()), ("payment", payment_doc()), ("goods", goods_doc())]
    text = table(*({"type": kind, **flat(doc)[0]} for kind, doc in docs))
    kinds = [type(item).__name__ for _, item in read(csv_rows(text, FileKind.MIXED, None))]
    assert kinds == ["PaperItem", "PaperItem", "GoodsItem"]


TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1
)


@given(note=TEXTS, address=TEXTS.filter(lambda text: len(text) <= 200))
def test_any_text_comes_through_a_cell_unchanged(note: str, address: str) -> None:
    doc = order_doc()
    doc["note"] = note[:1000] + ' "quoted", and\nbroken'
    doc["consignee"]["address"] = address
    ((_, item),) = read(csv_rows(table(*flat(doc)), FileKind.ORDER))
    assert isinstance(item, PaperItem)
    assert isinstance(item.paper, Order)
    assert item.paper.note == doc["note"]
    assert item.paper.consignee.address == as_sent(address, "**")


def test_a_fault_of_a_line_names_column_and_line_of_the_file() -> None:
    doc = order_doc()
    doc["lines"] = [doc["lines"][0], {**doc["lines"][0], "price": "1,000.00"}]
    source = csv_rows(table(*flat(doc)), FileKind.ORDER)
    (row,) = source.rows()
    found = faults(source, row)
    assert list(found) == ["lines.price"]
    assert found["lines.price"].endswith("(line 3)")


def test_rows_of_one_order_must_stand_together() -> None:
    one, other = flat(order_doc(order_no="A")), flat(order_doc(order_no="B"))
    source = csv_rows(table(*one, *other, *one), FileKind.ORDER)
    first, second, third = source.rows()
    source.decode(first)
    source.decode(second)
    assert "stand together" in faults(source, third)["order_no"]


def test_rows_of_one_order_must_not_contradict() -> None:
    (row,) = flat(order_doc())
    source = csv_rows(table(row, {**row, "paid": "1.00"}), FileKind.ORDER)
    (found,) = source.rows()
    assert "line 3" in faults(source, found)["paid"]


def test_a_number_that_a_spreadsheet_rounded_is_told() -> None:
    (row,) = flat(order_doc())
    source = csv_rows(table({**row, "buyer.id_number": "1.10101E+17"}), FileKind.ORDER)
    (found,) = source.rows()
    assert "spreadsheet" in faults(source, found)["buyer.id_number"]


@pytest.mark.parametrize(
    "line, words",
    [
        (b"1,2", "2 cells"),
        (b"\xd5\xc5,1,2", "iconv"),
        (b'"a"b,1,2', "quotation"),
    ],
)
def test_a_broken_row_is_refused_alone(line: bytes, words: str) -> None:
    raw = b"order_no,transaction_id,amount\n" + line + b"\n,,\nA,T,1\n"
    source = csv_rows(raw, FileKind.PAYMENT)
    first, second = source.rows()
    assert words in faults(source, first)[""]
    assert second.number == 4


@pytest.mark.parametrize(
    "raw, words",
    [
        (b"", "must name the columns"),
        (b"order_no;amount\n", "separate columns by commas"),
        (b"order_no,amout\n", "did you mean amount?"),
        (b"order_no,order_no\n", "twice"),
        (b"amount\n", "transaction_id is missing"),
        (b"\xd5\xc5,amount\n", "UTF-8"),
        (b"\xff\xfeo\x00", "UTF-16"),
    ],
)
def test_a_header_that_cannot_be_used_stops_the_file(raw: bytes, words: str) -> None:
    with pytest.raises(UnusableFile, match=words.replace("?", r"\?")):
        csv_rows(raw, FileKind.PAYMENT)


def test_rows_before_a_quote_that_never_ends_are_read() -> None:
    source = csv_rows('transaction_id,amount\nA,1\n"B,2\nC,3\n', FileKind.PAYMENT)
    rows = source.rows()
    assert next(rows).number == 2
    with pytest.raises(UnusableFile, match="line 3: a quotation mark"):
        next(rows)


def test_a_mixed_csv_needs_its_type_column() -> None:
    with pytest.raises(UnusableFile, match="or say --kind"):
        csv_rows("order_no,amount\n", FileKind.MIXED)


@given(raw=st.binary(max_size=120))
def test_no_bytes_bring_a_csv_down(raw: bytes) -> None:
    source = csv_rows(b"transaction_id,amount,payer.name\n" + raw, FileKind.PAYMENT)
    rows = source.rows()
    while True:
        try:
            row = next(rows, None)
        except UnusableFile:
            assert raw.count(b'"') % 2
            return
        if row is None:
            return
        assert faults(source, row)


@pytest.mark.parametrize("kind", [kind for kind in FileKind if kind is not FileKind.MIXED])
def test_columns_are_the_fields_of_the_api(kind: FileKind) -> None:
    columns = columns_of(kind)
    assert len(set(columns)) == len(columns)
    assert set(columns) <= set(columns_of(FileKind.MIXED))
    docs = {"order": order_doc(), "payment": payment_doc(), "waybill": waybill_doc()}
    for row in flat({**docs, "goods": goods_doc()}[kind.value]):
        assert set(row) <= set(columns)


def test_the_ending_of_the_name_decides() -> None:
    with pytest.raises(UnusableFile, match="name the file"):
        open_rows(Path("orders.xls"), io.BytesIO(), FileKind.ORDER, None)


def test_decomposed_text_is_noticed() -> None:
    assert is_composed("é 张".encode())
    assert not is_composed("e\u0301".encode())


@pytest.mark.parametrize(
    "name, kind, papers",
    [
        ("orders.csv", FileKind.ORDER, 3),
        ("mixed.ndjson", FileKind.MIXED, 12),
        ("goods.csv", FileKind.GOODS, 3),
    ],
)
def test_the_samples_can_be_imported(name: str, kind: FileKind, papers: int) -> None:
    with (SAMPLES / name).open("rb") as file:
        assert len(read(open_rows(SAMPLES / name, file, kind, None))) == papers
