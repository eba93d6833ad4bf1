"""The personal limits of cross-border e-commerce imports, as dated values.

The figures themselves live in rule packs: they change by announcement, not by release.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from gateway.domain.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class PersonalLimit:
    """What one buyer may import, in CNY of dutiable value, from a day on.

    ``single`` holds for one transaction, ``annual`` for a calendar year.
    """

    in_force: date
    single: Decimal
    annual: Decimal

    def check(self) -> None:
        """Raise :class:`InvalidValue` when the figures contradict each other."""
        if not 0 < self.single <= self.annual:
            raise InvalidValue("single", "must be greater than 0 and not above annual")


@dataclass(frozen=True, slots=True)
class LimitTable:
    """The limits in the order of their dates in force; at least one row."""

    rows: tuple[PersonalLimit, ...]

    def check(self) -> None:
        """Raise :class:`InvalidValue` when rows are missing, doubled or out of order."""
        if not self.rows:
            raise InvalidValue("limits", "needs at least one row")
        for row in self.rows:
            row.check()
        days = [row.in_force for row in self.rows]
        if days != sorted(set(days)):
            raise InvalidValue("limits", "rows must follow each other by in_force")

    def on(self, day: date) -> PersonalLimit:
        """The row in force on a day; before the first row, the first row."""
        found = self.rows[0]
        for row in self.rows:
            if row.in_force <= day:
                found = row
        return found


def dutiable_value(goods: Decimal, freight: Decimal, insurance: Decimal) -> Decimal:
    """What the single limit is compared with: goods, freight and insurance, without tax.

    Not the amount paid: that includes tax and leaves non-cash parts out.
    """
    return goods + freight + insurance
