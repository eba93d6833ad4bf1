"""Rules about how payments, orders and parcels hang together: one of each, or declared as parts."""

from collections.abc import Callable
from typing import Final

from gateway.domain.findings import LedgerRow, Severity
from gateway.domain.matching.facts import Facts
from gateway.domain.matching.rule import (
    HOLDS,
    Fault,
    Faults,
    Outcome,
    Owner,
    Rule,
    RuleInfo,
    Text,
    difference,
    fact_fix,
    number,
)
from gateway.domain.papers import PaperKind, PaymentPart
from gateway.domain.relations import BrokenTie, TieFault

_ORDER: Final = (PaperKind.ORDER,)
_PAYMENT: Final = (PaperKind.PAYMENT,)
_BOTH: Final = (PaperKind.ORDER, PaperKind.PAYMENT)
_PARTIAL: Final = (PaymentPart.DEPOSIT, PaymentPart.BALANCE)


def _tied(fault: TieFault, path: str, owner: Owner) -> Callable[[Facts], Faults]:
    """A rule that no broken relation of one kind touches the case."""

    def check(facts: Facts) -> Faults:
        return [_of_tie(tie, path, owner) for tie in facts.around.ties if tie.fault is fault]

    return check


def _of_tie(tie: BrokenTie, path: str, owner: Owner) -> Fault:
    others = ", ".join(other.value for other in tie.others)
    return Fault(
        paths={path: tie.at.value},
        params={"value": tie.at.value, "others": others or "-"},
        fixes=(fact_fix(path, owner),),
        ledger=tuple(LedgerRow(name, number(amount)) for name, amount in tie.amounts),
    )


def parcels(facts: Facts) -> Faults:
    """An order travels in one parcel; one whose waybill has another number is WAYBILL-NUMBER's."""
    named = facts.order.waybill_no
    pair = {named, facts.waybill.waybill_no} if named else set()
    return [
        _of_tie(tie, "waybill.waybill_no", Owner.CARRIER)
        for tie in facts.around.ties
        if tie.fault is TieFault.SEVERAL_PARCELS and {one.value for one in tie.others} != pair
    ]


def several_payments(facts: Facts) -> Faults:
    """An order is paid by one filed payment: a deposit and a balance need one merged document."""
    found = [
        _of_tie(tie, "payment.transaction_id", Owner.PAYMENT_COMPANY)
        for tie in facts.around.ties
        if tie.fault is TieFault.SEVERAL_PAYMENTS
    ]
    part = facts.payment.part
    if found or part not in _PARTIAL:
        return found
    value = facts.payment.transaction_id
    return (
        Fault(
            paths={"payment.part": part.value, "payment.transaction_id": value},
            params={"value": value, "others": "-"},
            fixes=(fact_fix("payment.part", Owner.PAYMENT_COMPANY, PaymentPart.MERGED.value),),
        ),
    )


def split_sum(facts: Facts) -> Faults:
    """The parts of a payment stay within what was paid less what was given back."""
    found = [
        _of_tie(tie, "payment.amount", Owner.PAYMENT_COMPANY)
        for tie in facts.around.ties
        if tie.fault is TieFault.SPLIT_ABOVE_PAYMENT
    ]
    slip = facts.payment
    if found or slip.original_amount is None:
        return found
    paid = slip.original_amount.amount
    refunded = slip.refunded.amount if slip.refunded is not None else paid - paid
    amount = slip.amount.amount
    if amount <= paid - refunded:
        return HOLDS
    over = difference(amount - (paid - refunded))
    return (
        Fault(
            paths={"payment.amount": number(amount), "payment.original_amount": number(paid)},
            params={"value": slip.transaction_id, "others": slip.original_id or "-"},
            delta=over,
            fixes=(fact_fix("payment.amount", Owner.PAYMENT_COMPANY),),
            ledger=(
                LedgerRow("paid", number(paid)),
                LedgerRow("refunded", difference(-refunded)),
                LedgerRow("parts", number(amount)),
                LedgerRow("delta", over),
            ),
        ),
    )


def attempt(facts: Facts) -> Faults:
    """The number of the try to pay does not stand where the transaction's belongs."""
    slip, named = facts.payment, facts.order.payment.transaction_id
    tried = slip.attempt_no
    if not tried:
        return HOLDS
    if tried == slip.transaction_id:
        path, value = "payment.transaction_id", None
    elif named == tried:
        path, value = "order.payment.transaction_id", slip.transaction_id
    else:
        return HOLDS
    owner = Owner.PAYMENT_COMPANY if value is None else Owner.SELLER
    return (
        Fault(
            paths={path: tried, "payment.attempt_no": tried},
            params={"value": tried, "others": value or "-"},
            fixes=(fact_fix(path, owner, value),),
        ),
    )


def place(facts: Facts) -> Faults:
    """The payment is filed at a customs place that serves the profile's port."""
    places, named = facts.profile.payment_places, facts.payment.place
    if not places or not named or named in places:
        return HOLDS
    shown = ", ".join(places)
    return (
        Fault(
            paths={"payment.place": named, "profile.payment_places": shown},
            params={"value": named, "others": shown},
            fixes=(fact_fix("payment.place", Owner.PAYMENT_COMPANY, places[0]),),
        ),
    )


def _info(
    rule_id: str,
    reads: tuple[PaperKind, ...],
    source: str,
    code: str | None,
    zh: Text,
    en: Text,
) -> RuleInfo:
    return RuleInfo(
        id=rule_id,
        reads=reads,
        severity=Severity.BLOCK,
        owner=Owner.CARRIER if rule_id.startswith("WAYBILL") else Owner.PAYMENT_COMPANY,
        source=source,
        code=code,
        outcome=Outcome.BLOCKED,
        zh=zh,
        en=en,
    )


PAYMENT_RULES: Final = (
    Rule(
        _info(
            "PAYMENT-SEVERAL",
            _PAYMENT,
            "exactly one filed payment per declared order",
            "-401003",
            Text(
                "一单多次支付",
                "支付 {value}（{others}）只是订单款项的一部分，海关会找到多笔支付。",
                "请支付企业合并为一份支付单申报，或将订单拆分为多个申报订单。",
            ),
            Text(
                "Several payments for one order",
                "{value} ({others}) is only a part of what the order was paid with; customs "
                "would find several payments.",
                "Have the payment company file one merged document, or split the order.",
            ),
        ),
        several_payments,
    ),
    Rule(
        _info(
            "PAYMENT-SPLIT-SUM",
            _PAYMENT,
            "sum of the parts ≤ paid less refunds",
            None,
            Text(
                "拆单金额合计",
                "支付 {value} 拆分的金额超过实付减退款（{others}）。",
                "请核对各子订单金额，并请支付企业重新推送。",
            ),
            Text(
                "Sum of a split payment",
                "The parts of payment {value} are more than was paid less refunds ({others}).",
                "Check the amounts of the parts and have the payment pushed again.",
            ),
        ),
        split_sum,
    ),
    Rule(
        _info(
            "PAYMENT-SPLIT-MIXED",
            _PAYMENT,
            "split or unsplit is decided before the first push and is final",
            None,
            Text(
                "拆单与整单混用",
                "支付 {value} 既整单申报又拆单申报（{others}）。",
                "请与支付企业确认只保留一种方式。",
            ),
            Text(
                "Split and whole",
                "Payment {value} is filed both whole and in parts ({others}).",
                "Agree with the payment company on one of them.",
            ),
        ),
        _tied(TieFault.SPLIT_AND_WHOLE, "payment.original_id", Owner.PAYMENT_COMPANY),
        reads_around="ties",
    ),
    Rule(
        _info(
            "PAYMENT-FILED-TWICE",
            _PAYMENT,
            "(payment, declared order, customs place) is filed once",
            "-401003",
            Text(
                "支付单重复申报",
                "订单 {value} 在同一海关有多份支付单（{others}）。",
                "请支付企业撤销多余的支付单。",
            ),
            Text(
                "Payment filed twice",
                "Order {value} has several filed payments at one customs place ({others}).",
                "Have the payment company withdraw all but one.",
            ),
        ),
        _tied(TieFault.FILED_TWICE, "payment.transaction_id", Owner.PAYMENT_COMPANY),
        reads_around="ties",
    ),
    Rule(
        _info(
            "PAYMENT-ATTEMPT",
            _BOTH,
            "payTransactionId is the transaction, not the merchant's attempt",
            "-401004",
            Text(
                "支付请求号误作交易号",
                "{value} 是商户的支付请求号，不是支付交易编号（{others}）。",
                "请改用支付企业返回的、报送海关的交易编号。",
            ),
            Text(
                "Attempt instead of transaction",
                "{value} is the merchant's own number of the attempt, not the payment's "
                "({others}).",
                "Use the transaction number that the payment company files.",
            ),
        ),
        attempt,
    ),
    Rule(
        _info(
            "PAYMENT-PLACE",
            _PAYMENT,
            "the payment's customs place serves the port of the profile",
            "-401004",
            Text(
                "支付单申报地",
                "支付单申报地为 {value}，申报方案要求 {others}。",
                "请支付企业向该口岸重新推送支付单。",
            ),
            Text(
                "Customs place of the payment",
                "The payment is filed at {value}; the profile's port needs {others}.",
                "Have the payment company push it for that port.",
            ),
        ),
        place,
    ),
)

WAYBILL_RULES: Final = (
    Rule(
        _info(
            "WAYBILL-PARCELS",
            _ORDER,
            "a declared order travels in one parcel",
            None,
            Text(
                "一单多个包裹",
                "订单 {value} 有多个运单（{others}）。",
                "请按包裹拆分为多个申报订单，或作废多余的运单。",
            ),
            Text(
                "Several parcels for one order",
                "Order {value} travels under several waybills ({others}).",
                "Declare one order for each parcel, or cancel the waybills that are not used.",
            ),
        ),
        parcels,
        reads_around="ties",
    ),
)
