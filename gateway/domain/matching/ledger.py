"""Where the cent went: what a difference of money is equal to, if anything."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from gateway.domain.findings import LedgerRow
from gateway.domain.matching.rule import difference
from gateway.domain.papers import Order, PaymentSlip

_CENT: Final = Decimal("0.01")


def trace(order: Order, delta: Decimal, slip: PaymentSlip | None = None) -> tuple[LedgerRow, ...]:
    """The difference, and each amount of the papers that it is equal to, up to its sign.

    ``rounding`` where it is no more than one fen for each line. A name tells the amount that was
    left out or counted twice (``order.tax``, ``order.deductions.points``).
    """
    rows = [LedgerRow("delta", difference(delta))]
    size = abs(delta)
    for name, amount in _amounts(order, slip):
        if amount == size:
            rows.append(LedgerRow(f"equals {name}", difference(delta)))
    if len(rows) == 1 and size <= _CENT * len(order.lines):
        rows.append(LedgerRow("rounding", difference(delta)))
    return tuple(rows)


def _amounts(order: Order, slip: PaymentSlip | None) -> Iterator[tuple[str, Decimal]]:
    yield "order.discount", order.discount.amount
    yield "order.freight", order.freight.amount
    yield "order.tax", order.tax.amount
    for deduction in order.deductions:
        yield f"order.deductions.{deduction.kind.value}", deduction.amount.amount
    if slip is not None and slip.refunded is not None:
        yield "payment.refunded", slip.refunded.amount
    if slip is not None and slip.original_amount is not None:
        yield "payment.original_amount", slip.original_amount.amount
    for line in order.lines:
        yield f"order.lines.{line.line_no}.total", line.total.amount
