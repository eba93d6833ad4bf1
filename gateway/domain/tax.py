"""Import taxes of cross-border retail goods: what the buyer's tax should come to.

Within the limits tariff is 0 and VAT and consumption tax are due at 70 %; above them (one
indivisible item) all three in full. Ad valorem, specific and composite consumption tax are the
statute's: the specific amount is part of the value that the other taxes are counted on. All amounts
are CNY; each line is rounded to the fen, as the tax bill is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from gateway.domain.goods import GoodsRecord
from gateway.domain.money import allocate
from gateway.domain.papers import OrderLine
from gateway.domain.tables import Tables, TaxRate

_ZERO: Final = Decimal(0)
_FEN: Final = Decimal("0.01")
REDUCED: Final = Decimal("0.7")
"""The share of VAT and consumption tax that is due within the limits."""

_KILOGRAM: Final = "035"
_GRAM: Final = "036"


@dataclass(frozen=True, slots=True)
class Rates:
    """The rates of one line; ``specific`` is CNY for each ``unit``, the others fractions of one."""

    tariff: Decimal
    vat: Decimal
    consumption: Decimal = _ZERO
    specific: Decimal = _ZERO
    unit: str | None = None
    consumption_from: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LineTax:
    """The taxes of one line, each rounded to the fen."""

    line_no: int
    dutiable: Decimal
    tariff: Decimal
    consumption: Decimal
    vat: Decimal

    @property
    def total(self) -> Decimal:
        """What is due for the line."""
        return self.tariff + self.consumption + self.vat


@dataclass(frozen=True, slots=True)
class TaxSum:
    """The taxes of an order; ``unknown`` are the lines whose rates or units are not known."""

    lines: tuple[LineTax, ...]
    is_full: bool
    unknown: tuple[int, ...] = ()

    @property
    def total(self) -> Decimal:
        """What is due for all lines that could be counted."""
        return sum((line.total for line in self.lines), _ZERO)


def rates_of(record: GoodsRecord, tables: Tables, day: date) -> Rates | None:
    """The rates of a goods record: its own, else those of the rate table; None when neither has."""
    if record.vat_rate is not None:
        return Rates(record.tariff_rate or _ZERO, record.vat_rate, record.consumption_rate or _ZERO)
    row = tables.rate(record.hs_code, day) if tables.rates else None
    return None if row is None else rates_of_row(row)


def rates_of_row(row: TaxRate) -> Rates:
    """The rates of a row of the rate table."""
    return Rates(
        row.tariff,
        row.vat,
        row.consumption,
        row.consumption_specific,
        row.specific_unit,
        row.consumption_from,
    )


def line_tax(
    line_no: int, dutiable: Decimal, rates: Rates, count: Decimal | None, *, is_full: bool
) -> LineTax | None:
    """The taxes of one line of a dutiable value; ``count`` is its quantity in the rates' unit.

    None when the rates need a count and there is none, or make no sense.
    """
    needs_count = rates.specific or rates.consumption_from is not None
    if needs_count and not count:
        return None
    tariff = dutiable * rates.tariff if is_full else _ZERO
    specific = rates.specific * count if count is not None else _ZERO
    share = rates.consumption
    if share >= 1:
        return None
    if rates.consumption_from is not None and count is not None:
        if dutiable < rates.consumption_from * count:
            share = specific = _ZERO
    consumption = (dutiable + tariff + specific) / (1 - share) * share + specific
    vat = (dutiable + tariff + consumption) * rates.vat
    due = Decimal(1) if is_full else REDUCED
    return LineTax(line_no, dutiable, _fen(tariff), _fen(consumption * due), _fen(vat * due))


def tax_of(
    lines: Sequence[OrderLine],
    goods: Mapping[str, GoodsRecord],
    tables: Tables,
    day: date,
    *,
    costs: Decimal,
    is_full: bool,
) -> TaxSum:
    """The taxes of an order's lines; ``costs`` (freight and insurance) are spread over the lines.

    They are spread by value, to the fen, with the largest remainders first.
    """
    shares = allocate(costs, [line.total.amount for line in lines])
    found: list[LineTax] = []
    unknown: list[int] = []
    for line, share in zip(lines, shares, strict=True):
        record = goods.get(line.sku)
        rates = None if record is None else rates_of(record, tables, day)
        tax = None
        if record is not None and rates is not None:
            count = count_in(rates.unit, line.quantity, record)
            dutiable = line.total.amount + share
            tax = line_tax(line.line_no, dutiable, rates, count, is_full=is_full)
        if tax is None:
            unknown.append(line.line_no)
        else:
            found.append(tax)
    return TaxSum(tuple(found), is_full, tuple(unknown))


def count_in(unit: str | None, quantity: Decimal, record: GoodsRecord) -> Decimal | None:
    """A quantity of transaction units in another unit of the record, or by its net weight."""
    if unit is None:
        return None
    if unit == record.unit:
        return quantity
    if unit == record.unit1:
        return quantity * record.factor1
    if unit == record.unit2 and record.factor2 is not None:
        return quantity * record.factor2
    if unit == _KILOGRAM:
        return quantity * record.net_weight_kg
    return quantity * record.net_weight_kg * 1000 if unit == _GRAM else None


def _fen(value: Decimal) -> Decimal:
    return value.quantize(_FEN, ROUND_HALF_UP)
