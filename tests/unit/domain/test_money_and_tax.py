"""Money to the fen: allocation, taxes, and the small account behind a finding."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import InvalidValue
from gateway.domain.findings import Confidence, Finding, LedgerRow
from gateway.domain.goods import GoodsRecord
from gateway.domain.money import allocate
from gateway.domain.papers import Deduction, DeductionKind
from gateway.domain.tables import NO_TABLES, TableInfo, TableKind, TaxRate, gather
from gateway.domain.tax import Rates, count_in, line_tax, rates_of, tax_of
from tests.unit.domain.papers import Case, cny, good, line, record, single_item

DAY = date(2026, 11, 11)
D = Decimal


def only(case: Case, rule: str) -> Finding:
    found = [one for one in case.match().findings if one.rule == rule]
    assert len(found) == 1
    return found[0]


# --- allocation -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "total, weights, parts",
    [
        ("10.00", "1 1 1", "3.34 3.33 3.33"),
        ("0.01", "5 5", "0.01 0"),
        ("0.02", "1 3 1", "0.01 0.01 0"),
        ("-1.00", "1 2", "-0.33 -0.67"),
        ("3", "0 0", "1.50 1.50"),
        ("0.005", "1 1", "0.005 0"),
        ("5", "1 0", "5 0"),
    ],
)
def test_the_largest_remainder_gets_the_fen(total: str, weights: str, parts: str) -> None:
    found = allocate(D(total), [D(one) for one in weights.split()])
    assert found == [D(one) for one in parts.split()]


def test_nothing_is_allocated_to_nobody() -> None:
    assert allocate(D(1), []) == []
    with pytest.raises(InvalidValue):
        allocate(D(1), [D(1), D(-1)])


AMOUNTS = st.integers(0, 10**7).map(lambda fen: D(fen) / 100)


@given(AMOUNTS, st.lists(AMOUNTS, min_size=1, max_size=40))
def test_parts_add_up_and_stay_within_a_fen_of_their_share(
    total: Decimal, weights: list[Decimal]
) -> None:
    parts = allocate(total, weights)
    assert sum(parts) == total
    whole = sum(weights) or D(len(weights))
    for part, weight in zip(parts, weights, strict=True):
        share = total * (weight if sum(weights) else 1) / whole
        assert part >= 0
        assert abs(part - share) <= D("0.01")


# --- taxes ------------------------------------------------------------------------------------

VAT = Rates(tariff=D("0.05"), vat=D("0.13"))


def test_within_the_limits_seventy_percent_and_no_tariff() -> None:
    tax = line_tax(1, D("1000"), VAT, None, is_full=False)
    assert tax is not None
    assert [tax.tariff, tax.consumption, tax.vat] == [0, 0, D("91.00")]


def test_above_them_tariff_and_vat_in_full() -> None:
    tax = line_tax(1, D("1000"), VAT, None, is_full=True)
    assert tax is not None
    assert [tax.tariff, tax.vat] == [D("50.00"), D("136.50")]
    assert tax.total == D("186.50")


def test_ad_valorem_consumption_tax_is_part_of_its_own_base() -> None:
    rates = Rates(D(0), D("0.13"), consumption=D("0.15"))
    tax = line_tax(1, D("850"), rates, None, is_full=False)
    assert tax is not None
    # 850 / 0.85 = 1000: consumption tax 150, VAT 130, both at 70 %.
    assert [tax.consumption, tax.vat] == [D("105.00"), D("91.00")]
    formula = D("0.7") * 850 * (D("0.13") + D("0.15")) / (1 - D("0.15"))
    assert tax.total == formula


def test_a_specific_and_a_composite_rate() -> None:
    specific = Rates(D(0), D("0.13"), specific=D("240"), unit="035")
    tax = line_tax(1, D("1000"), specific, D("0.5"), is_full=True)
    assert tax is not None
    assert [tax.consumption, tax.vat] == [D("120.00"), D("145.60")]
    both = replace(specific, consumption=D("0.2"))
    tax = line_tax(1, D("1000"), both, D("0.5"), is_full=True)
    assert tax is not None
    # (1000 + 120) / 0.8 * 0.2 + 120
    assert tax.consumption == D("400.00")


def test_consumption_tax_may_begin_at_a_price() -> None:
    rates = Rates(D(0), D("0.13"), consumption=D("0.15"), unit="036", consumption_from=D(10))
    cheap = line_tax(1, D("499.99"), rates, D(50), is_full=False)
    dear = line_tax(1, D("500"), rates, D(50), is_full=False)
    assert cheap is not None
    assert dear is not None
    assert cheap.consumption == 0
    assert dear.consumption > 0


def test_what_cannot_be_counted_is_not_guessed() -> None:
    rates = Rates(D(0), D("0.13"), specific=D(1), unit="999")
    assert line_tax(1, D(10), rates, None, is_full=False) is None
    assert line_tax(1, D(10), Rates(D(0), D(0), consumption=D(1)), None, is_full=False) is None
    two = [line(1), line(2)]
    goods = {"SKU-1": record(1, vat_rate=D("0.13"))}
    found = tax_of(two, goods, NO_TABLES, DAY, costs=D(0), is_full=False)
    assert found.unknown == (2,)
    assert len(found.lines) == 1


@pytest.mark.parametrize(
    "unit, count",
    [("142", "2"), ("035", "0.10"), ("036", "100.00"), ("007", "6"), ("999", None), (None, None)],
)
def test_units_are_converted_by_the_goods_record(unit: str | None, count: str | None) -> None:
    goods = record(1, unit2="007", factor2=D(3))
    found = count_in(unit, D(2), goods)
    assert found == (None if count is None else D(count))
    assert count_in("035", D(2), replace(goods, unit1="011")) == D("0.10")


def test_the_rates_of_the_record_go_before_the_table() -> None:
    row = TaxRate("33049900", date(2026, 1, 1), D(0), D("0.09"))
    info = TableInfo(TableKind.TAX_RATES, 1, "test", is_sample=True, rows=1)
    tables = gather([(info, [row])])
    bare = record(1)
    assert rates_of(bare, NO_TABLES, DAY) is None
    found = rates_of(bare, tables, DAY)
    assert found is not None
    assert found.vat == D("0.09")
    own = rates_of(replace(bare, vat_rate=D("0.13")), tables, DAY)
    assert own is not None
    assert own.vat == D("0.13")
    assert rates_of(replace(bare, hs_code="9999999999"), tables, DAY) is None


# --- findings ---------------------------------------------------------------------------------


def taxed(tax: str, **goods: object) -> Case:
    case = (
        good().with_record(1, vat_rate=D("0.13")).with_record(2, **{"vat_rate": D("0.13"), **goods})
    )
    paid = cny(str(D(46) + D(tax)))
    return case.with_order(tax=cny(tax), paid=paid).with_payment(amount=paid)


def test_no_tax_withheld_is_legal_and_no_rates_are_no_finding() -> None:
    assert taxed("0").match().findings == ()
    assert good().match().findings == ()


# With the discount of 1 off the value it would be 2 x 23 x 0.13 x 0.7 = 2 x 2.09.
@pytest.mark.parametrize("tax, is_found", [("4.13", False), ("4.12", True), ("4.33", False),
                                           ("4.34", True)])  # fmt: skip
def test_tax_is_compared_with_a_small_tolerance(tax: str, is_found: bool) -> None:
    # 2 x (21 + 2.50) x 0.13 x 0.7 = 2 x 2.14
    findings = taxed(tax).match().findings
    assert [one.rule for one in findings] == ["TAX-AMOUNT"] * is_found


def test_the_ledger_of_a_tax_adds_up() -> None:
    finding = only(taxed("5"), "TAX-AMOUNT")
    rows = {row.name: D(row.amount) for row in finding.ledger}
    assert rows["order.lines.1.vat"] + rows["order.lines.2.vat"] == rows["due"] == D("4.28")
    assert rows["delta"] == D("0.72")
    assert finding.fixes[0].value == "4.28"


def test_a_line_without_rates_beside_one_with_them_is_unverifiable() -> None:
    finding = only(taxed("4.28", vat_rate=None), "TAX-AMOUNT")
    assert finding.state == "unverifiable"
    assert list(finding.paths) == ["order.lines.2"]


def test_one_item_above_the_limit_is_taxed_in_full() -> None:
    case = single_item("5000").with_record(1, vat_rate=D("0.13"), tariff_rate=D("0.1"))
    # 5005 x 0.1 = 500.50; (5005 + 500.50) x 0.13 = 715.72
    paid = cny("6221.22")
    case = case.with_order(tax=cny("1216.22"), paid=paid).with_order(discount=cny("0"))
    case = case.with_order(paid=cny("6221.22")).with_payment(amount=paid)
    assert {one.rule for one in case.match().findings} == {"LIMIT-INDIVISIBLE"}
    reduced = case.with_order(tax=cny("455.46"))
    assert only(reduced, "TAX-AMOUNT").params["share"] == "100"


def test_a_value_of_just_the_limit_is_taxed_at_the_reduced_rate() -> None:
    # 4995 and 5 of freight: 5000 x 0.13 x 0.7 = 455.00
    case = single_item("4995").with_record(1, vat_rate=D("0.13"), tariff_rate=D("0.1"))
    paid = cny("5455.00")
    case = case.with_order(tax=cny("455.00"), discount=cny("0"), paid=paid)
    assert case.with_payment(amount=paid).match().findings == ()


def test_the_head_sum_says_where_the_money_went() -> None:
    finding = only(good().with_order(paid=cny("46.00")), "ORDER-HEAD-SUM")
    assert finding.ledger == (
        LedgerRow("order.goods_value", "42"),
        LedgerRow("order.freight", "+5"),
        LedgerRow("order.tax", "+2"),
        LedgerRow("order.discount", "-1"),
        LedgerRow("due", "48"),
        LedgerRow("order.paid", "46"),
        LedgerRow("delta", "-2"),
        LedgerRow("equals order.tax", "-2"),
    )


def test_a_fen_on_each_line_is_rounding() -> None:
    finding = only(good().with_order(paid=cny("47.99")), "ORDER-HEAD-SUM")
    assert finding.ledger[-1] == LedgerRow("rounding", "-0.01")
    far = only(good().with_order(paid=cny("47.97")), "ORDER-HEAD-SUM")
    assert far.ledger[-1] == LedgerRow("delta", "-0.03")


def test_a_discount_is_proposed_only_where_a_source_names_its_kind() -> None:
    short = good().with_order(paid=cny("45.50"))
    assert [fix.value for fix in only(short, "ORDER-HEAD-SUM").fixes] == [None, None]
    points = Deduction(DeductionKind.POINTS, cny("3.50"))
    told = only(short.with_order(deductions=(points,)), "ORDER-HEAD-SUM")
    assert told.fixes[0].path == "order.discount"
    assert told.fixes[0].value == "3.5"
    assert told.fixes[0].confidence is Confidence.HIGH
    assert told.fixes[0].evidence == ("order.deductions.1",)
    cut = Deduction(DeductionKind.PRICE_CUT, cny("3.50"))
    other = only(short.with_order(deductions=(cut,)), "ORDER-HEAD-SUM")
    assert other.fixes[0].path == "order.paid"
    assert LedgerRow("equals order.deductions.points", "-2.5") not in other.ledger


def test_a_payment_that_is_short_by_the_refund_says_so() -> None:
    case = good().with_payment(amount=cny("46.50"), refunded=cny("1.50"))
    finding = only(case, "PAYMENT-AMOUNT")
    assert LedgerRow("equals payment.refunded", "-1.5") in finding.ledger
    assert finding.fixes[0].confidence is Confidence.MEDIUM
    assert finding.fixes[0].evidence == ("payment.amount",)


def test_goods_records_say_their_own_rates() -> None:
    assert isinstance(record(1), GoodsRecord)
    assert rates_of(record(1, vat_rate=D("0.13"), consumption_rate=D("0.15")), NO_TABLES, DAY) == (
        Rates(D(0), D("0.13"), D("0.15"))
    )
