"""Rules about times. They only warn: 311 has no order time, and waybills are drawn early."""

from datetime import datetime, timedelta
from typing import Final

from gateway.domain.codec import to_micros
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
    form_fix,
)
from gateway.domain.papers import PaperKind

_BOTH: Final = (PaperKind.ORDER, PaperKind.PAYMENT)
_ORDER: Final = (PaperKind.ORDER,)
_PAYMENT: Final = (PaperKind.PAYMENT,)


def paid_before_ordered(facts: Facts, *, tolerance_s: int) -> Faults:
    """Nobody pays an order before it was placed."""
    ordered, paid = facts.order.ordered_at, facts.payment.paid_at
    if ordered is None or paid is None or paid >= ordered:
        return HOLDS
    if ordered - paid <= timedelta(seconds=tolerance_s):
        return HOLDS
    values = {"order.ordered_at": ordered.isoformat(), "payment.paid_at": paid.isoformat()}
    return (
        Fault(
            paths=values,
            params={"ordered": ordered.isoformat(), "paid": paid.isoformat()},
            fixes=(form_fix("order.ordered_at", Owner.SELLER),),
        ),
    )


def ordered_in_future(facts: Facts, *, tolerance_s: int) -> Faults:
    """An order was placed in the past."""
    return _in_future(facts, "order.ordered_at", facts.order.ordered_at, tolerance_s)


def paid_in_future(facts: Facts, *, tolerance_s: int) -> Faults:
    """A payment was made in the past."""
    return _in_future(facts, "payment.paid_at", facts.payment.paid_at, tolerance_s)


def _in_future(facts: Facts, path: str, moment: datetime | None, tolerance_s: int) -> Faults:
    if moment is None or to_micros(moment) <= facts.now + tolerance_s * 1_000_000:
        return HOLDS
    owner = Owner.SELLER if path.startswith("order") else Owner.PAYMENT_COMPANY
    shown = moment.isoformat()
    return (Fault(paths={path: shown}, params={"at": shown}, fixes=(form_fix(path, owner),)),)


def paid_long_ago(facts: Facts, *, days: int) -> Faults:
    """A payment is not older than payment companies still file."""
    paid = facts.payment.paid_at
    if paid is None or to_micros(paid) + days * 86_400_000_000 >= facts.now:
        return HOLDS
    shown = paid.isoformat()
    return (
        Fault(
            paths={"payment.paid_at": shown},
            params={"at": shown, "days": str(days)},
            fixes=(form_fix("payment.paid_at", Owner.PAYMENT_COMPANY),),
        ),
    )


RULES: Final = (
    Rule(
        RuleInfo(
            id="TIME-PAID-BEFORE-ORDERED",
            reads=_BOTH,
            severity=Severity.WARN,
            owner=Owner.SELLER,
            source="time rules warn",
            parameters={"tolerance_s": 300},
            zh=Text(
                "支付早于下单",
                "支付时间 {paid} 早于下单时间 {ordered}。",
                "请核对时区与时间。",
            ),
            en=Text(
                "Paid before ordered",
                "Paid at {paid}, before the order of {ordered}.",
                "Check the times and their zones.",
            ),
        ),
        paid_before_ordered,
    ),
    Rule(
        RuleInfo(
            id="TIME-ORDERED-IN-FUTURE",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.SELLER,
            source="time rules warn",
            parameters={"tolerance_s": 600},
            zh=Text(
                "下单时间在未来",
                "下单时间 {at} 晚于当前时间。",
                "请核对时区与时间。",
            ),
            en=Text(
                "Ordered in the future",
                "The order's time {at} has not come yet.",
                "Check the time and its zone.",
            ),
        ),
        ordered_in_future,
    ),
    Rule(
        RuleInfo(
            id="TIME-PAID-IN-FUTURE",
            reads=_PAYMENT,
            severity=Severity.WARN,
            owner=Owner.PAYMENT_COMPANY,
            source="time rules warn",
            parameters={"tolerance_s": 600},
            zh=Text(
                "支付时间在未来",
                "支付时间 {at} 晚于当前时间。",
                "请核对时区与时间。",
            ),
            en=Text(
                "Paid in the future",
                "The payment's time {at} has not come yet.",
                "Check the time and its zone.",
            ),
        ),
        paid_in_future,
    ),
    Rule(
        RuleInfo(
            id="TIME-PAID-LONG-AGO",
            reads=_PAYMENT,
            severity=Severity.WARN,
            owner=Owner.PAYMENT_COMPANY,
            source="payment companies file payments of up to one year",
            parameters={"days": 365},
            zh=Text(
                "支付时间过早",
                "支付时间 {at} 距今超过 {days} 天，支付企业可能不再推送。",
                "请核对支付时间，或请支付企业确认仍可申报。",
            ),
            en=Text(
                "Paid long ago",
                "Paid at {at}, more than {days} days ago: the company may not file it any more.",
                "Check the time, or have the payment company confirm that it still files it.",
            ),
        ),
        paid_long_ago,
    ),
)
