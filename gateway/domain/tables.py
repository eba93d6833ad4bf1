"""Reference tables: what customs or the account book publish, imported as dated values.

Positive list, tax rates, stock of the account books, registered enterprises and what is left of
guarantees change by announcement or by the day, never by a release of the gateway: they are
imported, kept in versions and reach the rules as values. A table that was never imported is empty,
and the rules that read it are not asked. ``is_sample`` marks invented data, which no deployment
should rely on.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from gateway.domain.errors import InvalidValue
from gateway.domain.money import parse_decimal
from gateway.domain.party import is_enterprise_code

_MODES: Final = frozenset({"9610", "1210", "1239"})
_ZERO: Final = Decimal(0)


class TableKind(StrEnum):
    """The tables that there are; some are a tenant's, the others everybody's."""

    POSITIVE_LIST = "positive-list"
    TAX_RATES = "tax-rates"
    ACCOUNT_STOCK = "account-stock"
    ENTERPRISES = "enterprises"
    GUARANTEES = "guarantees"

    @property
    def is_of_tenant(self) -> bool:
        """Whether a table belongs to one tenant, and is shown to nobody else."""
        return self in (TableKind.ACCOUNT_STOCK, TableKind.GUARANTEES)


@dataclass(frozen=True, slots=True)
class PositiveItem:
    """One entry of the positive list (跨境电商零售进口商品清单) of a year.

    ``hs_code`` has 8 or 10 digits; ``modes`` are the trade modes that the remark allows.
    """

    hs_code: str
    year: int
    name: str
    modes: frozenset[str] = _MODES
    remark: str = ""

    def check(self) -> None:
        """Raise :class:`InvalidValue` when the entry cannot be right."""
        _hs(self.hs_code)
        if not self.modes or not self.modes <= _MODES:
            raise InvalidValue("modes", f"must be some of {', '.join(sorted(_MODES))}")


@dataclass(frozen=True, slots=True)
class TaxRate:
    """The statutory rates of one tariff number from a day on; rates are fractions of one.

    ``consumption_specific`` is CNY for each ``specific_unit`` (customs unit code). With
    ``consumption_from`` the consumption tax is due only at a dutiable value of at least so many CNY
    for each ``specific_unit``.
    """

    hs_code: str
    valid_from: date
    tariff: Decimal
    vat: Decimal
    consumption: Decimal = _ZERO
    consumption_specific: Decimal = _ZERO
    specific_unit: str | None = None
    consumption_from: Decimal | None = None
    valid_to: date | None = None

    def check(self) -> None:
        """Raise :class:`InvalidValue` when the row contradicts itself."""
        _hs(self.hs_code)
        for name in ("tariff", "vat"):
            if not 0 <= getattr(self, name) <= 5:
                raise InvalidValue(name, "must be a fraction of one, such as 0.13")
        if not 0 <= self.consumption < 1:
            raise InvalidValue("consumption", "must be a fraction of one, below 1")
        needs_unit = self.consumption_specific or self.consumption_from is not None
        if needs_unit and self.specific_unit is None:
            raise InvalidValue("specific_unit", "is needed with a specific rate or a threshold")
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise InvalidValue("valid_to", "must not lie before valid_from")

    def holds_on(self, day: date) -> bool:
        """Whether the row is in force on a day."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class StockItem:
    """One item of an account book (账册): what may still leave, in its declared unit."""

    account_book: str
    item_record_no: str
    hs_code: str
    unit: str
    quantity: Decimal
    name: str = ""

    def check(self) -> None:
        """Raise :class:`InvalidValue` when the row cannot be right."""
        _hs(self.hs_code)
        if not self.account_book or not self.item_record_no:
            raise InvalidValue("item_record_no", "needs both account_book and item_record_no")


@dataclass(frozen=True, slots=True)
class Registration:
    """One enterprise as customs has registered it, under its 10- or 18-character code."""

    code: str
    name: str
    roles: frozenset[str] = frozenset()
    valid_from: date | None = None
    valid_to: date | None = None

    def check(self) -> None:
        """Raise :class:`InvalidValue` when the row cannot be right."""
        if not is_enterprise_code(self.code):
            raise InvalidValue("code", "must be a 10-character customs or 18-character credit code")
        if not self.name:
            raise InvalidValue("name", "must be the registered name")

    def holds_on(self, day: date) -> bool:
        """Whether the registration is valid on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a guarantor's security still covers (``left``, CNY), unsettled tax bills taken off.

    A row without ``customs_code`` speaks for every customs office that has no row of its own.
    ``valid_to`` is the last day on which the figure is believed.
    """

    assure_code: str
    left: Decimal
    customs_code: str = ""
    valid_to: date | None = None

    def check(self) -> None:
        """Raise :class:`InvalidValue` when the row cannot be right."""
        if not is_enterprise_code(self.assure_code):
            reason = "must be a 10-character customs or 18-character credit code"
            raise InvalidValue("assure_code", reason)
        if self.left < 0:
            raise InvalidValue("left", "must not be below 0")


TableRow = PositiveItem | TaxRate | StockItem | Registration | Guarantee


@dataclass(frozen=True, slots=True)
class TableInfo:
    """What stands above an imported table: where it is from, and whether it is only a sample."""

    kind: TableKind
    version: int
    source: str
    is_sample: bool
    rows: int


@dataclass(frozen=True, slots=True)
class Tables:
    """Every table that a tenant's papers are held against, ready for look-ups."""

    positive: Mapping[int, Mapping[str, PositiveItem]] = field(default_factory=dict)
    rates: Mapping[str, tuple[TaxRate, ...]] = field(default_factory=dict)
    stock: Mapping[tuple[str, str], StockItem] = field(default_factory=dict)
    books: frozenset[str] = frozenset()
    enterprises: Mapping[str, Registration] = field(default_factory=dict)
    infos: tuple[TableInfo, ...] = ()
    guarantees: Mapping[tuple[str, str], Guarantee] = field(default_factory=dict)

    def guarantee_left(self, assure_code: str, customs_code: str, day: date) -> Decimal | None:
        """What a guarantor still covers at a customs office on a day (CNY); None: not known."""
        for place in (customs_code, ""):
            row = self.guarantees.get((assure_code, place))
            if row is not None and (row.valid_to is None or day <= row.valid_to):
                return row.left
        return None

    def positive_item(self, hs_code: str, year: int) -> PositiveItem | None:
        """The entry of a tariff number in the list of a year: by 10 digits, else by the first 8."""
        listed = self.positive.get(year, {})
        return listed.get(hs_code) or listed.get(hs_code[:8])

    def rate(self, hs_code: str, day: date) -> TaxRate | None:
        """The rates of a tariff number on a day: by 10 digits, else by the first 8."""
        for code in (hs_code, hs_code[:8]):
            for row in reversed(self.rates.get(code, ())):
                if row.holds_on(day):
                    return row
        return None


NO_TABLES: Final = Tables()


def gather(tables: Iterable[tuple[TableInfo, Iterable[TableRow]]]) -> Tables:
    """The look-ups over some tables, one of each kind; raises ``InvalidValue`` for a double row."""
    positive: dict[int, dict[str, PositiveItem]] = {}
    rates: dict[str, list[TaxRate]] = {}
    stock: dict[tuple[str, str], StockItem] = {}
    enterprises: dict[str, Registration] = {}
    guarantees: dict[tuple[str, str], Guarantee] = {}
    infos: list[TableInfo] = []
    for info, rows in tables:
        infos.append(info)
        for row in rows:
            match row:
                case PositiveItem():
                    _put(positive.setdefault(row.year, {}), row.hs_code, row)
                case TaxRate():
                    rates.setdefault(row.hs_code, []).append(row)
                case StockItem():
                    _put(stock, (row.account_book, row.item_record_no), row)
                case Registration():
                    _put(enterprises, row.code, row)
                case Guarantee():
                    _put(guarantees, (row.assure_code, row.customs_code), row)
    return Tables(
        positive,
        {code: tuple(sorted(rows, key=_since)) for code, rows in rates.items()},
        stock,
        frozenset(book for book, _ in stock),
        enterprises,
        tuple(infos),
        guarantees,
    )


def _since(row: TaxRate) -> date:
    return row.valid_from


def _put(rows: dict[Any, Any], key: object, row: object) -> None:
    if key in rows:
        raise InvalidValue(str(key), "stands twice in the table")
    rows[key] = row


# --- rows of files ----------------------------------------------------------------------------

COLUMNS: Final[Mapping[TableKind, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    TableKind.POSITIVE_LIST: (("hs_code", "year", "name"), ("modes", "remark")),
    TableKind.TAX_RATES: (
        ("hs_code", "valid_from", "tariff", "vat"),
        (
            "consumption",
            "consumption_specific",
            "specific_unit",
            "consumption_from",
            "valid_to",
        ),
    ),
    TableKind.ACCOUNT_STOCK: (
        ("account_book", "item_record_no", "hs_code", "unit", "quantity"),
        ("name",),
    ),
    TableKind.ENTERPRISES: (("code", "name"), ("roles", "valid_from", "valid_to")),
    TableKind.GUARANTEES: (("assure_code", "left"), ("customs_code", "valid_to")),
}
"""The columns that a file of each kind needs, and those that it may have."""


def read_row(kind: TableKind, cells: Mapping[str, str]) -> TableRow:
    """One row of a table from its cells by column; an empty cell is an absent value.

    Raises :class:`InvalidValue` naming the column.
    """
    needed, optional = COLUMNS[kind]
    given = {name: text.strip() for name, text in cells.items() if text and text.strip()}
    for name in given:
        if name not in needed and name not in optional:
            raise InvalidValue(name, f"is no column; there are {', '.join((*needed, *optional))}")
    for name in needed:
        if name not in given:
            raise InvalidValue(name, "is missing")
    row = _ROW[kind](**{name: _CELL.get(name, _text)(name, text) for name, text in given.items()})
    row.check()
    return row


_ROW: Final[Mapping[TableKind, Callable[..., TableRow]]] = {
    TableKind.POSITIVE_LIST: PositiveItem,
    TableKind.TAX_RATES: TaxRate,
    TableKind.ACCOUNT_STOCK: StockItem,
    TableKind.ENTERPRISES: Registration,
    TableKind.GUARANTEES: Guarantee,
}


def _text(name: str, text: str) -> str:
    return text


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidValue(name, "must be a day, such as 2026-01-01") from None


def _year(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) == 4):
        raise InvalidValue(name, "must be a year, such as 2026")
    return int(text)


def _amount(name: str, text: str) -> Decimal:
    return parse_decimal(text, name)


def _words(name: str, text: str) -> frozenset[str]:
    return frozenset(text.split())


_CELL: Final[Mapping[str, Callable[[str, str], Any]]] = {
    "year": _year,
    "valid_from": _day,
    "valid_to": _day,
    "tariff": _amount,
    "vat": _amount,
    "consumption": _amount,
    "consumption_specific": _amount,
    "consumption_from": _amount,
    "quantity": _amount,
    "left": _amount,
    "modes": _words,
    "roles": _words,
}


def _hs(code: str) -> None:
    if len(code) not in (8, 10) or not (code.isascii() and code.isdecimal()):
        raise InvalidValue("hs_code", "must be 8 or 10 digits")
