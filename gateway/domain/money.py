"""Money: an exact decimal amount in one currency."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Final, NewType

from gateway.domain.errors import CurrencyMismatch, InvalidValue

Currency = NewType("Currency", str)
CNY: Final = Currency("CNY")

# The customs schema's N19,5: at most 14 digits before and 5 after the point.
_AMOUNT = re.compile(r"(?:0|[1-9][0-9]{0,13})(?:\.[0-9]{1,5})?", re.ASCII)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount of one currency; mixing two currencies raises :class:`CurrencyMismatch`."""

    amount: Decimal
    currency: Currency = CNY

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} do not mix")

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __mul__(self, factor: Decimal | int) -> "Money":
        return Money(self.amount * factor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount <= other.amount

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


def parse_decimal(text: str, path: str) -> Decimal:
    """Read a non-negative decimal of the customs format N19,5.

    Raises :class:`InvalidValue` naming ``path`` for anything else: a sign, an exponent, NaN,
    grouping, more than 14 digits before or 5 after the point.
    """
    if not _AMOUNT.fullmatch(text):
        raise InvalidValue(
            path, "must be a plain decimal with at most 14 digits before and 5 after the point"
        )
    return Decimal(text)


def plain(value: Decimal) -> str:
    """The shortest plain text of a decimal: no exponent, no trailing zeros after the point."""
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text


def allocate(
    total: Decimal, weights: Sequence[Decimal], step: Decimal = Decimal("0.01")
) -> list[Decimal]:
    """``total`` cut into parts in proportion to ``weights``, each a multiple of ``step``.

    The parts add up to ``total`` exactly: what is left by rounding down goes, one step each, to the
    parts that lost most by it, earlier ones first; a rest smaller than a step goes to the first of
    them. Weights that are all 0 count as equal. Raises :class:`InvalidValue` for a weight below 0.
    """
    if not weights:
        return []
    if any(weight < 0 for weight in weights):
        raise InvalidValue("weights", "must not be below 0")
    whole = sum(weights, Decimal(0))
    shares = [weight / whole if whole else Decimal(1) / len(weights) for weight in weights]
    exact = [total * share for share in shares]
    parts = [one.quantize(step, ROUND_DOWN) for one in exact]
    rest = total - sum(parts, Decimal(0))
    one_step = step if rest >= 0 else -step
    by_loss = sorted(range(len(parts)), key=lambda at: (-abs(exact[at] - parts[at]), at))
    for at in by_loss[: int(abs(rest) // step)]:
        parts[at] += one_step
        rest -= one_step
    parts[by_loss[0]] += rest
    return parts
