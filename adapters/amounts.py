"""Amounts of partners: the hundredth parts they count in, and how a sum is shared out."""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from gateway.domain.errors import InvalidValue
from gateway.domain.money import CNY, Currency, Money

MOST_FEN: Final = 10**16 - 1
"""The largest count of hundredth parts that customs' N19,5 can hold."""

_FIVE_PLACES: Final = Decimal("0.00001")


def from_fen(fen: int, currency: Currency = CNY) -> Money:
    """Money of a count of hundredth parts, exactly."""
    return Money(Decimal(fen).scaleb(-2), currency)


def to_fen(money: Money, path: str) -> int:
    """The count of hundredth parts of CNY; raises :class:`InvalidValue` where there is none."""
    fen = money.amount.scaleb(2)
    if money.currency != CNY or fen != fen.to_integral_value() or not 0 <= fen <= MOST_FEN:
        raise InvalidValue(path, "must be an amount in CNY with at most two decimal places")
    return int(fen)


def unit_price(total: Money, quantity: int) -> Money:
    """The price of one of several, to the five places that customs takes."""
    price = total.amount / quantity
    if price != price.quantize(_FIVE_PLACES):
        price = price.quantize(_FIVE_PLACES, ROUND_HALF_EVEN)
    return Money(price, total.currency)


def shares(total: int, weights: Sequence[int]) -> list[int]:
    """Share a whole amount out by weight, to the last hundredth part: largest remainder first.

    Equal remainders go in order. Without any weight the first one takes all.
    """
    whole = sum(weights)
    if not whole:
        return [total, *(0 for _ in weights[1:])] if weights else []
    parts = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda at: (-(total * weights[at] % whole), at))
    for at in order[: total - sum(parts)]:
        parts[at] += 1
    return parts
