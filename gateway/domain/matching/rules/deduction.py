"""Rules about what a buyer did not pay in cash, and about the form of amounts.

A price cut lowers the line prices; what pays without cash (points, vouchers, gift cards) is the
discount. The shop's own records of deductions tell which is which; without them nothing is asked.
"""

from decimal import Decimal
from typing import Final

from gateway.domain.findings import LedgerRow, Severity
from gateway.domain.matching.facts import Facts
from gateway.domain.matching.rule import (
    HOLDS,
    Fault,
    Faults,
    Owner,
    Rule,
    RuleInfo,
    Text,
    difference,
    fact_fix,
    number,
)
from gateway.domain.papers import DeductionKind, PaperKind

_ORDER: Final = (PaperKind.ORDER,)
_ZERO: Final = Decimal(0)
_TOP: Final = Decimal(10) ** 14
_DIGITS: Final = -5


def discount_kind(facts: Facts) -> Faults:
    """No price cut, coupon or unexplained deduction stands in the discount."""
    order = facts.order
    if not order.deductions:
        return HOLDS
    wrong = [
        (at, one)
        for at, one in enumerate(order.deductions, 1)
        if not one.is_in_prices
        and (one.kind.lowers_price or one.kind is DeductionKind.UNKNOWN)
        and one.amount.amount
    ]
    return [
        Fault(
            paths={
                f"order.deductions.{at}": one.kind.value,
                "order.discount": number(order.discount.amount),
            },
            params={"kind": one.kind.value, "amount": number(one.amount.amount)},
            fixes=(
                fact_fix("order.deductions", Owner.SELLER)
                if one.kind is DeductionKind.UNKNOWN
                else fact_fix("order.lines", Owner.SELLER),
            ),
        )
        for at, one in wrong
    ]


def discount_sum(facts: Facts) -> Faults:
    """The discount is the sum of the deductions that pay without cash, each counted once."""
    order = facts.order
    if not order.deductions:
        return HOLDS
    outside = [one for one in order.deductions if not one.is_in_prices]
    total = sum((one.amount.amount for one in outside), _ZERO)
    discount = order.discount.amount
    inside = sum((one.amount.amount for one in order.deductions if one.is_in_prices), _ZERO)
    if total == discount or (inside and discount == total + inside):
        return HOLDS  # the second is ORDER-DISCOUNT-TWICE
    delta = difference(discount - total)
    rows = tuple(
        LedgerRow(f"order.deductions.{one.kind.value}", number(one.amount.amount))
        for one in outside
    )
    return (
        Fault(
            paths={"order.discount": number(discount), "order.deductions": number(total)},
            params={"discount": number(discount), "total": number(total), "delta": delta},
            delta=delta,
            fixes=(fact_fix("order.discount", Owner.SELLER, number(total)),),
            ledger=(
                *rows,
                LedgerRow("order.discount", number(discount)),
                LedgerRow("delta", delta),
            ),
        ),
    )


def discount_twice(facts: Facts) -> Faults:
    """What the line prices are lower by already is not deducted once more."""
    order = facts.order
    if not order.deductions:
        return HOLDS
    inside = sum((one.amount.amount for one in order.deductions if one.is_in_prices), _ZERO)
    outside = sum((one.amount.amount for one in order.deductions if not one.is_in_prices), _ZERO)
    discount = order.discount.amount
    if not inside or discount != inside + outside:
        return HOLDS
    return (
        Fault(
            paths={"order.discount": number(discount), "order.deductions": number(inside)},
            params={"discount": number(discount), "inside": number(inside)},
            delta=difference(inside),
            fixes=(fact_fix("order.discount", Owner.SELLER, number(outside)),),
            ledger=(
                LedgerRow("deductions in prices", number(inside)),
                LedgerRow("other deductions", number(outside)),
                LedgerRow("order.discount", number(discount)),
            ),
        ),
    )


def amount_form(facts: Facts) -> Faults:
    """No amount of the order is below 0 or has more digits than its field (N19,5)."""
    order = facts.order
    # The sum has as many decimals as the longest of its terms: one look instead of thirteen.
    least = total = order.goods_value.amount
    for amount in (order.freight, order.discount, order.tax, order.paid):
        value = amount.amount
        total += value
        least = value if value < least else least
    for line in facts.lines:
        value = line.total.amount
        total += value + line.price.amount
        least = value if value < least else least
    if least >= 0 and _fits(total):
        return HOLDS
    found: list[tuple[str, Decimal]] = [
        (f"order.{name}", getattr(order, name).amount)
        for name in ("goods_value", "freight", "discount", "tax", "paid")
    ]
    faults = [(path, value) for path, value in found if not _fits(value)]
    for line in facts.lines:
        place = f"order.lines.{line.line_no}."
        if not _fits(line.total.amount):
            faults.append((place + "total", line.total.amount))
        if not _has_digits(line.price.amount):
            faults.append((place + "price", line.price.amount))
    return [
        Fault(
            paths={path: number(value)},
            params={"path": path, "value": number(value)},
            fixes=(fact_fix(path, Owner.SELLER),),
        )
        for path, value in faults
    ]


def _fits(value: Decimal) -> bool:
    return 0 <= value < _TOP and _has_digits(value)


def _has_digits(value: Decimal) -> bool:
    """Whether five decimals are enough; trailing zeros do not count."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        return False
    if exponent >= _DIGITS:
        return True
    return value == value.quantize(Decimal("0.00001"))


RULES: Final = (
    Rule(
        RuleInfo(
            id="ORDER-DISCOUNT-KIND",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311: discount is the non-cash part; goodsValue is the real deal price",
            zh=Text(
                "抵扣种类",
                "抵扣金额中的 {amount} 元属于 {kind}，不是非现金抵扣。",
                "降价与店铺优惠请调低行价；种类不明的请商家说明。",
            ),
            en=Text(
                "Kind of the discount",
                "{amount} CNY of the deductions are {kind}, which is no payment without cash.",
                "A price cut lowers the lines; of an unknown kind ask the seller.",
            ),
        ),
        discount_kind,
    ),
    Rule(
        RuleInfo(
            id="ORDER-DISCOUNT-SUM",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311: discount is the sum of what was paid without cash",
            zh=Text(
                "抵扣合计",
                "抵扣金额 {discount}，各项抵扣合计 {total}，相差 {delta}。",
                "请商家核对积分、代金券等各项金额。",
            ),
            en=Text(
                "Sum of the discount",
                "The discount is {discount}, its parts come to {total} ({delta}).",
                "Have the seller check points, vouchers and the like.",
            ),
        ),
        discount_sum,
    ),
    Rule(
        RuleInfo(
            id="ORDER-DISCOUNT-TWICE",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="discount_mode net | deduct: a deduction is counted once",
            zh=Text(
                "重复抵扣",
                "行价已扣减 {inside} 元，抵扣金额 {discount} 元中又计了一次。",
                "请从抵扣金额中去掉已体现在行价里的部分。",
            ),
            en=Text(
                "Deducted twice",
                "The line prices are lower by {inside} CNY already, and the discount of "
                "{discount} CNY counts that again.",
                "Take out of the discount what the prices show.",
            ),
        ),
        discount_twice,
    ),
    Rule(
        RuleInfo(
            id="ORDER-AMOUNT-FORM",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311 XSD: amounts are N19,5 and not below 0",
            zh=Text(
                "金额格式",
                "{path} 为 {value}：不得为负，且最多 14 位整数、5 位小数。",
                "请商家更正金额。",
            ),
            en=Text(
                "Form of amounts",
                "{path} is {value}: it must not be below 0 nor have more than 14 digits before "
                "and 5 after the point.",
                "Have the seller correct the amount.",
            ),
        ),
        amount_form,
    ),
)
