"""Rules about the personal limits of a transaction."""

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
from gateway.domain.papers import PaperKind
from gateway.domain.quota import QuotaAnswer

_ORDER: Final = (PaperKind.ORDER,)


def _is_indivisible(facts: Facts) -> bool:
    return len(facts.lines) == 1 and facts.lines[0].quantity == 1


def single(facts: Facts) -> Faults:
    """The dutiable value stays within the single limit, one indivisible item within the annual."""
    value = facts.dutiable()
    limit = facts.limit
    if value <= limit.single or (value <= limit.annual and _is_indivisible(facts)):
        return HOLDS
    most = limit.annual if _is_indivisible(facts) else limit.single
    return (_over(value, most),)


def indivisible(facts: Facts) -> Faults:
    """A value above the single limit is only possible with full tax."""
    value = facts.dutiable()
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


def annual(facts: Facts) -> Faults:
    """The buyer's annual limit covers this order beside what is used and reserved.

    What alone is above it is a matter of the single limit.
    """
    if facts.dutiable() > facts.limit.annual:
        return HOLDS
    return _quota(facts, QuotaAnswer.OVER, Decimal(0))


def near(facts: Facts, *, share: Decimal) -> Faults:
    """A good part of the annual limit stays: the buyer shops elsewhere, too."""
    return _quota(facts, QuotaAnswer.NEAR, share)


def _quota(facts: Facts, wanted: QuotaAnswer, share: Decimal) -> Faults:
    quota = facts.around.quota
    if quota is None:
        return HOLDS
    value = facts.dutiable()
    if quota.answer(value, share) is not wanted:
        return HOLDS
    left = difference(quota.left - value)
    rows = (
        LedgerRow("limit", number(quota.limit)),
        LedgerRow("used", difference(-quota.used)),
        LedgerRow("reserved", difference(-quota.reserved)),
        LedgerRow("order", difference(-value)),
        LedgerRow("left", left),
    )
    return (
        Fault(
            paths={"order.goods_value": number(value), "quota.left": number(quota.left)},
            params={"value": number(value), "limit": number(quota.limit)}
            | {"left": number(quota.left), "year": str(quota.year)},
            delta=left,
            fixes=(fact_fix("order.buyer.id_number", Owner.SELLER),),
            ledger=rows,
        ),
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
    Rule(
        RuleInfo(
            id="LIMIT-ANNUAL",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="annual limit of a buyer; the gateway's sum is a lower bound",
            code="-621018",
            zh=Text(
                "年度限值",
                "订购人 {year} 年度限值 {limit} 元，仅余 {left} 元，本单完税价格 {value} 元。",
                "请告知买家改由他人订购，或待次年再购。",
            ),
            en=Text(
                "Annual limit",
                "Of the buyer's annual limit {year} of {limit} CNY {left} CNY are left; this order "
                "has a dutiable value of {value} CNY.",
                "Tell the buyer; somebody else may order, or the buyer next year.",
            ),
        ),
        annual,
        reads_around="quota",
    ),
    Rule(
        RuleInfo(
            id="LIMIT-NEAR",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.SELLER,
            source="annual limit of a buyer; purchases elsewhere are not known",
            code="-621018",
            parameters={"share": Decimal("0.1")},
            zh=Text(
                "接近年度限值",
                "订购人 {year} 年度限值 {limit} 元，余 {left} 元，本单 {value} 元后所剩无几。",
                "请提醒买家查询个人额度：在其他平台的消费此处无法得知。",
            ),
            en=Text(
                "Near the annual limit",
                "Of the buyer's annual limit {year} of {limit} CNY {left} CNY are left; this order "
                "takes {value} CNY of it.",
                "Have the buyer look up the quota: purchases elsewhere are not known here.",
            ),
        ),
        near,
        reads_around="quota",
    ),
)
