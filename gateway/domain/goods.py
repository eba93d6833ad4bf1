"""Goods records: what customs must know of a product and an order does not carry."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from gateway.domain.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class GoodsScope:
    """Where a goods record holds: port, trade mode and account book."""

    port_code: str
    mode: str
    account_book: str = ""

    def __str__(self) -> str:
        return f"{self.port_code}/{self.mode}/{self.account_book}"


@dataclass(frozen=True, slots=True)
class GoodsRecord:
    """One SKU as declared in one scope, in one version.

    ``factor1`` and ``factor2`` turn one transaction unit into statutory units (qty1 = qty *
    factor1). Weights are Decimal kilograms a transaction unit. Rates are fractions of one.
    """

    sku: str
    scope: GoodsScope
    version: int
    hs_code: str
    name: str
    model: str
    origin: str
    unit: str
    unit1: str
    factor1: Decimal
    net_weight_kg: Decimal
    gross_weight_kg: Decimal
    unit2: str | None = None
    factor2: Decimal | None = None
    item_record_no: str | None = None
    barcode: str | None = None
    vat_rate: Decimal | None = None
    consumption_rate: Decimal | None = None
    tariff_rate: Decimal | None = None
    rate_year: int | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    def check(self) -> None:
        """Raise :class:`InvalidValue` when the record contradicts itself."""
        if len(self.hs_code) != 10 or not self.hs_code.isdecimal():
            raise InvalidValue("hs_code", "must be 10 digits (8 tariff + 2 additional)")
        if (self.unit2 is None) != (self.factor2 is None):
            raise InvalidValue("unit2", "give unit2 and factor2 both, or neither")
        if self.factor1 <= 0 or (self.factor2 is not None and self.factor2 <= 0):
            raise InvalidValue("factor1", "a conversion factor must be greater than 0")
        if self.net_weight_kg > self.gross_weight_kg:
            raise InvalidValue("net_weight_kg", "must not exceed gross_weight_kg")
        if self.valid_from and self.valid_to and self.valid_to < self.valid_from:
            raise InvalidValue("valid_to", "must not lie before valid_from")

    def holds_on(self, day: date) -> bool:
        """Whether the record is valid on a day."""
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )
