"""Rules about the personal limits of a transaction."""

from decimal import Decimal
from typing import Final

from gateway.domain.findings import Severity
from gateway.domain.limits import dutiable_value
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
from gateway.domain.papers import PaperKind

_ORDER: Final = (PaperKind.ORDER,)


def _value(facts: Facts) -> Decimal:
    """The dutiable value as the inventory will declare it: the waybill's freight goes first."""
    order, waybill = facts.order, facts.waybill
    freight = waybill.freight or order.freight
    insurance = waybill.insurance.amount if waybill.insurance is not None else Decimal(0)
    return dutiable_value(order.goods_value.amount, freight.amount, insurance)


def _is_indivisible(facts: Facts) -> bool:
    return len(facts.lines) == 1 and facts.lines[0].quantity == 1


def single(facts: Facts) -> Faults:
    """The dutiable value stays within the single limit, one indivisible item within the annual."""
    value = _value(facts)
    limit = facts.limit
    if value <= limit.single or (value <= limit.annual and _is_indivisible(facts)):
        return HOLDS
    most = limit.annual if _is_indivisible(facts) else limit.single
    return (_over(value, most),)


def indivisible(facts: Facts) -> Faults:
    """A value above the single limit is only possible with full tax."""
    value = _value(facts)
    limit = facts.limit
    if value <= limit.single or value > limit.annual or not _is_indivisible(facts):
        return HOLDS
    return (_over(value, limit.single),)


def _over(value: Decimal, most: Decimal) -> Fault:
    delta = difference(value - most)
    return Fault(
        paths={"order.goods_value": number(value)},
        params={"value": number(value), "limit": number(most), "delta": delta},
        delta=delta,
        fixes=(fact_fix("order.lines", Owner.SELLER),),
    )


RULES: Final = (
    Rule(
        RuleInfo(
            id="LIMIT-SINGLE",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="Single-transaction limit on the dutiable value, in force since 2019-01-01",
            code="-621005",
            zh=Text(
                "单次交易限值",
                "完税价格（商品+运费+保费）{value} 元，超过限值 {limit} 元（{delta}）。",
                "请由买家拆分为多个订单；不可分割的单件商品不得超过年度限值。",
            ),
            en=Text(
                "Single-transaction limit",
                "The dutiable value (goods, freight, insurance) of {value} CNY is above the "
                "limit of {limit} CNY ({delta}).",
                "The buyer has to order in several orders; one indivisible item may reach "
                "the annual limit.",
            ),
        ),
        single,
    ),
    Rule(
        RuleInfo(
            id="LIMIT-INDIVISIBLE",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.SELLER,
            source="One indivisible item within the annual limit: full tax",
            zh=Text(
                "单件超限",
                "单件不可分割商品完税价格 {value} 元，超过 {limit} 元：将按全额征税。",
                "请确认税款已按全额计收。",
            ),
            en=Text(
                "One item above the limit",
                "One indivisible item with a dutiable value of {value} CNY is above {limit} "
                "CNY: full tax applies.",
                "Make sure that full tax was collected.",
            ),
        ),
        indivisible,
    ),
)
