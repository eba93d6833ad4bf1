"""Reference tables: rows of files, look-ups, and what is refused."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from gateway.domain.errors import InvalidValue
from gateway.domain.tables import (
    COLUMNS,
    NO_TABLES,
    Guarantee,
    PositiveItem,
    Registration,
    StockItem,
    TableInfo,
    TableKind,
    TableRow,
    TaxRate,
    gather,
    read_row,
)

ROWS = {
    TableKind.POSITIVE_LIST: {"hs_code": "33049900", "year": "2026", "name": "面霜"},
    TableKind.TAX_RATES: {
        "hs_code": "3304990039",
        "valid_from": "2026-01-01",
        "tariff": "0.01",
        "vat": "0.13",
    },
    TableKind.ACCOUNT_STOCK: {
        "account_book": "T1",
        "item_record_no": "R1",
        "hs_code": "3304990039",
        "unit": "142",
        "quantity": "10.5",
    },
    TableKind.GUARANTEES: {"assure_code": "3301960P01", "left": "10.00"},
    TableKind.ENTERPRISES: {"code": "3301960P01", "name": "某某", "roles": "platform merchant"},
}


def info(kind: TableKind) -> TableInfo:
    return TableInfo(kind, 1, "test", is_sample=True, rows=1)


@pytest.mark.parametrize("kind", list(TableKind))
def test_every_kind_of_row_is_read(kind: TableKind) -> None:
    row = read_row(kind, ROWS[kind] | {COLUMNS[kind][1][-1]: ""})
    tables = gather([(info(kind), [row])])
    assert tables.infos == (info(kind),)
    for name in COLUMNS[kind][0]:
        lacking = {key: value for key, value in ROWS[kind].items() if key != name}
        with pytest.raises(InvalidValue, match=f"{name}: is missing"):
            read_row(kind, lacking)


@pytest.mark.parametrize(
    "kind, column, text, fault",
    [
        (TableKind.POSITIVE_LIST, "hs_code", "3304", "8 or 10 digits"),
        (TableKind.POSITIVE_LIST, "year", "26", "must be a year"),
        (TableKind.POSITIVE_LIST, "modes", "9610 9999", "must be some of"),
        (TableKind.POSITIVE_LIST, "mode", "9610", "is no column"),
        (TableKind.TAX_RATES, "valid_from", "1.1.2026", "must be a day"),
        (TableKind.TAX_RATES, "vat", "13%", "plain decimal"),
        (TableKind.TAX_RATES, "vat", "13", "fraction of one"),
        (TableKind.TAX_RATES, "tariff", "9", "fraction of one"),
        (TableKind.TAX_RATES, "consumption", "1", "below 1"),
        (TableKind.TAX_RATES, "consumption_specific", "5", "specific_unit"),
        (TableKind.TAX_RATES, "consumption_from", "10", "specific_unit"),
        (TableKind.TAX_RATES, "valid_to", "2025-12-31", "before valid_from"),
        (TableKind.ACCOUNT_STOCK, "quantity", "-1", "plain decimal"),
        (TableKind.ENTERPRISES, "code", "33", "10-character"),
        (TableKind.GUARANTEES, "assure_code", "33", "10-character"),
        (TableKind.GUARANTEES, "left", "-1", "plain decimal"),
    ],
)
def test_a_faulty_cell_names_its_column(
    kind: TableKind, column: str, text: str, fault: str
) -> None:
    with pytest.raises(InvalidValue, match=fault):
        read_row(kind, ROWS[kind] | {column: text})


def test_rows_made_in_code_are_checked_too() -> None:
    with pytest.raises(InvalidValue):
        StockItem("", "R1", "3304990039", "142", Decimal(1)).check()
    with pytest.raises(InvalidValue):
        Registration("3301960P01", "").check()


def test_a_guarantee_is_that_of_the_office_else_of_all_until_its_last_day() -> None:
    day = date(2026, 5, 1)
    rows: list[TableRow] = [
        Guarantee("3301960P01", Decimal(100)),
        Guarantee("3301960P01", Decimal(7), "2991", valid_to=day),
    ]
    tables = gather([(info(TableKind.GUARANTEES), rows)])
    assert tables.guarantee_left("3301960P01", "2991", day) == 7
    assert tables.guarantee_left("3301960P01", "2991", date(2026, 5, 2)) == 100
    assert tables.guarantee_left("3301960P01", "5100", day) == 100
    assert tables.guarantee_left("3301960P02", "2991", day) is None
    with pytest.raises(InvalidValue):
        Guarantee("3301960P01", Decimal(-1)).check()


def test_a_tariff_number_is_found_by_ten_digits_or_eight() -> None:
    rows: list[TableRow] = [
        PositiveItem("33049900", 2026, "short"),
        PositiveItem("3304990039", 2026, "long"),
    ]
    tables = gather([(info(TableKind.POSITIVE_LIST), rows)])
    found = [
        tables.positive_item(code, 2026) for code in ("3304990039", "3304990099", "3305000000")
    ]
    assert [one and one.name for one in found] == ["long", "short", None]
    assert tables.positive_item("3304990039", 2025) is None


def test_rates_hold_from_their_day_to_their_day() -> None:
    rows: list[TableRow] = [
        TaxRate("33049900", date(2026, 1, 1), Decimal(0), Decimal("0.13")),
        TaxRate(
            "33049900", date(2025, 1, 1), Decimal(0), Decimal("0.16"), valid_to=date(2026, 6, 1)
        ),
        TaxRate("3304990039", date(2026, 5, 1), Decimal(0), Decimal("0.09")),
    ]
    tables = gather([(info(TableKind.TAX_RATES), rows)])

    def vat(code: str, day: date) -> Decimal | None:
        row = tables.rate(code, day)
        return None if row is None else row.vat

    assert vat("3304990011", date(2025, 12, 31)) == Decimal("0.16")
    assert vat("3304990011", date(2026, 1, 1)) == Decimal("0.13")
    assert vat("3304990039", date(2026, 4, 30)) == Decimal("0.13")
    assert vat("3304990039", date(2026, 5, 1)) == Decimal("0.09")
    assert vat("3304990011", date(2024, 12, 31)) is None
    assert vat("9999999999", date(2026, 1, 1)) is None


def test_a_row_stands_once() -> None:
    row = Registration("3301960P01", "某某")
    with pytest.raises(InvalidValue, match="twice"):
        gather([(info(TableKind.ENTERPRISES), [row, row])])


def test_registrations_have_a_term() -> None:
    row = Registration("3301960P01", "某某", frozenset(), date(2026, 1, 1), date(2026, 12, 31))
    assert [row.holds_on(date(year, 6, 1)) for year in (2025, 2026, 2027)] == [False, True, False]
    assert Registration("3301960P01", "某某").holds_on(date(2026, 1, 1))


def test_nothing_imported_finds_nothing() -> None:
    assert NO_TABLES.positive_item("3304990039", 2026) is None
    assert NO_TABLES.rate("3304990039", date(2026, 1, 1)) is None
