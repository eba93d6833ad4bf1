"""Rules about references that only one case may hold in the whole deployment."""

from typing import Final

from gateway.domain.findings import Severity
from gateway.domain.matching.facts import Facts
from gateway.domain.matching.rule import (
    HOLDS,
    Fault,
    Faults,
    Owner,
    Rule,
    RuleInfo,
    Text,
    fact_fix,
)
from gateway.domain.papers import PaperKind

_ORDER: Final = (PaperKind.ORDER,)
_PAYMENT: Final = (PaperKind.PAYMENT,)
_WAYBILL: Final = (PaperKind.WAYBILL,)


def order_taken(facts: Facts) -> Faults:
    """No other case declares this order number on this platform."""
    if "order" not in facts.taken:
        return HOLDS
    return _taken("order.order_no", facts.order.order_no, Owner.SELLER)


def payment_taken(facts: Facts) -> Faults:
    """No other case is paid by this payment."""
    if "payment" not in facts.taken:
        return HOLDS
    return _taken("payment.transaction_id", facts.payment.transaction_id, Owner.PAYMENT_COMPANY)


def waybill_taken(facts: Facts) -> Faults:
    """No other case travels under this waybill."""
    if "waybill" not in facts.taken:
        return HOLDS
    return _taken("waybill.waybill_no", facts.waybill.waybill_no, Owner.CARRIER)


def _taken(path: str, value: str, owner: Owner) -> Faults:
    """The other case stays unnamed: it may belong to another tenant."""
    return (Fault(paths={path: value}, params={"value": value}, fixes=(fact_fix(path, owner),)),)


RULES: Final = (
    Rule(
        RuleInfo(
            id="CLAIM-ORDER",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="filing claims; order numbers are unique per platform",
            code="-301010",
            zh=Text(
                "订单编号重复",
                "订单编号 {value} 已被另一申报占用。",
                "请核对订单编号，勿重复申报。",
            ),
            en=Text(
                "Order number taken",
                "Another case declares order {value} already.",
                "Check the order number; do not declare an order twice.",
            ),
        ),
        order_taken,
    ),
    Rule(
        RuleInfo(
            id="CLAIM-PAYMENT",
            reads=_PAYMENT,
            severity=Severity.BLOCK,
            owner=Owner.PAYMENT_COMPANY,
            source="filing claims; exactly one filed payment per declared order",
            code="-401007",
            zh=Text(
                "支付单重复使用",
                "支付交易 {value} 已用于另一订单。",
                "一笔支付对应多个订单时，请支付企业拆单推送。",
            ),
            en=Text(
                "Payment used twice",
                "Payment {value} belongs to another case already.",
                "If one payment covers several orders, have the payment company push it split.",
            ),
        ),
        payment_taken,
    ),
    Rule(
        RuleInfo(
            id="CLAIM-WAYBILL",
            reads=_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB511: a carrier does not reuse a number within six months",
            code="-504015",
            zh=Text(
                "运单重复使用",
                "运单 {value} 已用于另一订单。",
                "请物流企业换发新的运单编号。",
            ),
            en=Text(
                "Waybill used twice",
                "Waybill {value} belongs to another case already.",
                "Ask the carrier for a new waybill number.",
            ),
        ),
        waybill_taken,
    ),
)
