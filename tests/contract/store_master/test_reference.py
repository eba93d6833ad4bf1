"""Reference tables on each database: versions, whose they are, caches that follow."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from gateway.domain.errors import InvalidValue
from gateway.domain.tables import (
    NO_TABLES,
    Guarantee,
    PositiveItem,
    Registration,
    StockItem,
    TableInfo,
    TableKind,
    TableRow,
    TaxRate,
)
from store.reference import EVERYBODY, list_tables
from tests.contract.store_master.bench import ACME, OTHER, Bench

LISTED = PositiveItem("33049900", 2026, "面霜", frozenset({"9610"}), "only direct")
RATE = TaxRate(
    "33049900", date(2026, 1, 1), Decimal("0.02"), Decimal("0.13"), specific_unit="036",
    consumption_from=Decimal(10),
)  # fmt: skip
STOCK = StockItem("T1", "R1", "3304990039", "142", Decimal("12.5"), "面霜")
LEFT = Guarantee("3301960P01", Decimal("10.50"), "2991", date(2026, 12, 31))
FIRM = Registration("3301960P01", "某某", frozenset({"platform"}), date(2020, 1, 1))


def info(kind: TableKind, source: str = "notice 1", *, is_sample: bool = False) -> TableInfo:
    return TableInfo(kind, 0, source, is_sample, 0)


@pytest.mark.parametrize(
    "kind, row",
    [
        (TableKind.POSITIVE_LIST, LISTED),
        (TableKind.TAX_RATES, RATE),
        (TableKind.ACCOUNT_STOCK, STOCK),
        (TableKind.ENTERPRISES, FIRM),
        (TableKind.GUARANTEES, LEFT),
    ],
)
async def test_every_kind_comes_back_as_it_went(
    bench: Bench, kind: TableKind, row: TableRow
) -> None:
    cache = bench.new_cache()
    owner = ACME if kind.is_of_tenant else EVERYBODY
    stored = await bench.admin(cache).put_table(info(kind, is_sample=True), owner, [row])
    assert (stored.info.version, stored.changed) == (1, True)
    tables = cache.tables(ACME)
    assert tables.infos == (TableInfo(kind, 1, "notice 1", True, 1),)
    found: list[TableRow] = [
        *(one for listed in tables.positive.values() for one in listed.values()),
        *(one for rows in tables.rates.values() for one in rows),
        *tables.stock.values(),
        *tables.enterprises.values(),
        *tables.guarantees.values(),
    ]
    assert found == [row]


async def test_the_same_content_is_no_new_version(bench: Bench) -> None:
    admin = bench.admin(bench.new_cache())
    kind = TableKind.ENTERPRISES
    first = await admin.put_table(info(kind), EVERYBODY, [FIRM])
    again = await admin.put_table(info(kind), EVERYBODY, [FIRM])
    assert (again.info.version, again.changed) == (1, False)
    assert again.created_at == first.created_at
    other = await admin.put_table(info(kind, "notice 2"), EVERYBODY, [FIRM])
    assert (other.info.version, other.changed) == (2, True)
    async with bench.access.read() as reading:
        listed = await reading.run_sync(list_tables)
    assert [(one.info.version, one.info.source) for one in listed] == [(2, "notice 2")]


async def test_a_tenant_sees_everybodys_tables_and_its_own(bench: Bench) -> None:
    cache, follower = bench.new_cache(), bench.new_cache()
    admin = bench.admin(cache)
    await follower.refresh()
    assert follower.tables(ACME) is NO_TABLES or not follower.tables(ACME).infos
    await admin.put_table(info(TableKind.ENTERPRISES), EVERYBODY, [FIRM])
    await admin.put_table(info(TableKind.ACCOUNT_STOCK), ACME, [STOCK])
    await follower.refresh()
    assert follower.tables(ACME).books == {"T1"}
    assert follower.tables(OTHER).books == frozenset()
    for tenant in (ACME, OTHER):
        assert list(follower.tables(tenant).enterprises) == [FIRM.code]


@pytest.mark.parametrize(
    "kind, owner, rows, fault",
    [
        (TableKind.ENTERPRISES, EVERYBODY, [], "rows"),
        (TableKind.ENTERPRISES, ACME, [FIRM], "tenant"),
        (TableKind.ACCOUNT_STOCK, EVERYBODY, [STOCK], "tenant"),
        (TableKind.ENTERPRISES, EVERYBODY, [FIRM, FIRM], "twice"),
    ],
)
async def test_what_cannot_be_stored_leaves_nothing(
    bench: Bench, kind: TableKind, owner: object, rows: list[TableRow], fault: str
) -> None:
    cache = bench.new_cache()
    with pytest.raises(InvalidValue, match=fault):
        await bench.admin(cache).put_table(info(kind), owner, rows)  # type: ignore[arg-type]
    assert not cache.tables(ACME).infos
