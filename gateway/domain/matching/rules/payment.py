"""Rules about the payment slip: alone and against the order."""

from decimal import Decimal
from typing import Final

from gateway.domain.findings import LedgerRow, Severity
from gateway.domain.matching.facts import NO_PAYMENT, Facts
from gateway.domain.matching.ledger import trace
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
    unknown,
)
from gateway.domain.money import CNY
from gateway.domain.papers import PaperKind
from gateway.domain.profile import FiledBy

_PAYMENT: Final = (PaperKind.PAYMENT,)
_BOTH: Final = (PaperKind.ORDER, PaperKind.PAYMENT)
_LONGEST_NUMBER: Final = 60


def missing(facts: Facts) -> Faults:
    """The payment slip has come; an export may need none."""
    if facts.profile.filing(PaperKind.PAYMENT).filed_by is FiledBy.NOBODY:
        return HOLDS
    return (Fault(paths={"payment": None}),) if facts.payment is NO_PAYMENT else HOLDS


def amount(facts: Facts, *, tolerance: Decimal) -> Faults:
    """The amount of the slip is what the order says was paid."""
    paid, slip = facts.order.paid.amount, facts.payment.amount.amount
    if paid == slip or abs(paid - slip) <= tolerance:
        return HOLDS
    delta = difference(slip - paid)
    return (
        Fault(
            paths={"order.paid": number(paid), "payment.amount": number(slip)},
            params={"paid": number(paid), "amount": number(slip), "delta": delta},
            delta=delta,
            fixes=(
                fact_fix("order.paid", Owner.SELLER, number(slip)),
                fact_fix("payment.amount", Owner.PAYMENT_COMPANY, number(paid)),
            ),
            ledger=(
                LedgerRow("order.paid", number(paid)),
                LedgerRow("payment.amount", number(slip)),
                *trace(facts.order, slip - paid, facts.payment),
            ),
        ),
    )


def currency(facts: Facts) -> Faults:
    """The slip is in CNY."""
    found = facts.payment.amount.currency
    if found == CNY:
        return HOLDS
    return (
        Fault(
            paths={"payment.amount": found},
            params={"currency": found},
            fixes=(fact_fix("payment.amount", Owner.PAYMENT_COMPANY),),
        ),
    )


def order_no(facts: Facts) -> Faults:
    """The slip names the declared order number."""
    declared, named = facts.order.order_no, facts.payment.order_no
    if named == declared:
        return HOLDS
    if not named:
        return unknown("payment.order_no")
    return (
        Fault(
            paths={"order.order_no": declared, "payment.order_no": named},
            params={"declared": declared or "-", "named": named},
            fixes=(fact_fix("payment.order_no", Owner.PAYMENT_COMPANY, declared or None),),
        ),
    )


def company(facts: Facts) -> Faults:
    """Order and slip name the same payment company; the only one of the profile goes unsaid."""
    sole = facts.view.sole_payment_company
    ordered = facts.order.payment.company_code or sole
    paid = facts.payment.company_code or sole
    if ordered is None or paid is None:
        return unknown("order.payment.company_code", "payment.company_code")
    if ordered == paid:
        return HOLDS
    return (
        Fault(
            paths={"order.payment.company_code": ordered, "payment.company_code": paid},
            params={"ordered": ordered, "paid": paid},
            fixes=(fact_fix("order.payment.company_code", Owner.SELLER, paid),),
        ),
    )


def company_known(facts: Facts) -> Faults:
    """The payment company is one that the profile lists."""
    code = facts.payment.company_code or facts.view.sole_payment_company
    if code in facts.view.payment_companies:
        return HOLDS
    return (
        Fault(
            paths={"payment.company_code": code},
            params={"code": code or "-"},
            fixes=(fact_fix("payment.company_code", Owner.DECLARANT),),
        ),
    )


def reference(facts: Facts) -> Faults:
    """If the order names its payment, it names this one."""
    named, found = facts.order.payment.transaction_id, facts.payment.transaction_id
    if not named or named == found:
        return HOLDS
    if named == facts.payment.attempt_no:
        return HOLDS  # PAYMENT-ATTEMPT says what is wrong
    return (
        Fault(
            paths={"order.payment.transaction_id": named, "payment.transaction_id": found},
            params={"named": named, "found": found},
            fixes=(fact_fix("order.payment.transaction_id", Owner.SELLER, found),),
        ),
    )


def number_form(facts: Facts) -> Faults:
    """The transaction number fits into the order's record and holds nothing that nobody sees."""
    found = facts.payment.transaction_id
    if 0 < len(found) <= _LONGEST_NUMBER and found.isprintable():
        return HOLDS
    return (
        Fault(
            paths={"payment.transaction_id": str(len(found))},
            params={"length": str(len(found)), "longest": str(_LONGEST_NUMBER)},
            fixes=(fact_fix("payment.transaction_id", Owner.PAYMENT_COMPANY),),
        ),
    )


RULES: Final = (
    Rule(
        RuleInfo(
            id="PAYMENT-MISSING",
            reads=(),
            severity=Severity.BLOCK,
            owner=Owner.PAYMENT_COMPANY,
            source="COLLECTING until the deadline of the profile",
            outcome=Outcome.WAITING,
            zh=Text("缺少支付单", "尚未收到支付单。", "请支付企业或商家推送支付单。"),
            en=Text(
                "Payment slip missing",
                "The payment slip has not come.",
                "Ask the payment company or the seller to send it.",
            ),
        ),
        missing,
    ),
    Rule(
        RuleInfo(
            id="PAYMENT-AMOUNT",
            reads=_BOTH,
            severity=Severity.BLOCK,
            owner=Owner.PAYMENT_COMPANY,
            source="CEB311/411: acturalPaid = amountPaid",
            code="1332",
            parameters={"tolerance": Decimal(0)},
            zh=Text(
                "支付金额",
                "订单实付 {paid}，支付单金额 {amount}，相差 {delta}。",
                "请商家更正订单实付，或请支付企业重新推送支付单。",
            ),
            en=Text(
                "Amount of the payment",
                "The order says {paid} was paid, the payment slip {amount} ({delta}).",
                "Have the seller correct the order, or the payment company send the slip again.",
            ),
        ),
        amount,
    ),
    Rule(
        RuleInfo(
            id="PAYMENT-CURRENCY",
            reads=_PAYMENT,
            severity=Severity.BLOCK,
            owner=Owner.PAYMENT_COMPANY,
            source="CEB411: currency is fixed to 142",
            zh=Text(
                "支付币制",
                "支付单币制为 {currency}，只能以人民币申报。",
                "请支付企业以人民币推送。",
            ),
            en=Text(
                "Currency of the payment",
                "The payment slip is in {currency}; only CNY can be declared.",
                "Ask the payment company to send it in CNY.",
            ),
        ),
        currency,
    ),
    Rule(
        RuleInfo(
            id="PAYMENT-ORDER-NO",
            reads=_BOTH,
            severity=Severity.BLOCK,
            owner=Owner.PAYMENT_COMPANY,
            source="CEB411 orderNo equals CEB311 orderNo",
            zh=Text(
                "支付单的订单编号",
                "支付单的订单编号是 {named}，申报订单编号是 {declared}。",
                "请按申报订单编号重新推送支付单。",
            ),
            en=Text(
                "Order number on the payment slip",
                "The payment slip names order {named}, declared is {declared}.",
                "Have the payment pushed again under the declared order number.",
            ),
        ),
        order_no,
    ),
    Rule(
        RuleInfo(
            id="PAYMENT-COMPANY",
            reads=_BOTH,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311/411: order and payment name one payment company",
            code="13035",
            zh=Text(
                "支付企业",
                "订单的支付企业是 {ordered}，支付单是 {paid}。",
                "请按实际支付企业更正订单。",
            ),
            en=Text(
                "Payment company",
                "The order names payment company {ordered}, the payment slip {paid}.",
                "Correct the order: name the company that took the payment.",
            ),
        ),
        company,
    ),
    Rule(
        RuleInfo(
            id="PAYMENT-COMPANY-KNOWN",
            reads=_PAYMENT,
            severity=Severity.BLOCK,
            owner=Owner.DECLARANT,
            source="the filing profile lists its payment companies",
            zh=Text(
                "未登记的支付企业",
                "支付企业 {code} 不在申报方案中，或支付单未写明支付企业。",
                "请核对代码，或将该企业加入申报方案。",
            ),
            en=Text(
                "Unknown payment company",
                "The profile does not list payment company {code}, or the slip names none.",
                "Check the code, or add the company to the filing profile.",
            ),
        ),
        company_known,
    ),
    Rule(
        RuleInfo(
            id="PAYMENT-REFERENCE",
            reads=_BOTH,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311 payTransactionId equals CEB411 payTransactionId",
            zh=Text(
                "支付交易编号",
                "订单写的支付交易编号是 {named}，支付单是 {found}。",
                "请更正订单的支付交易编号，或推送正确的支付单。",
            ),
            en=Text(
                "Payment transaction number",
                "The order names payment {named}, the payment slip is {found}.",
                "Correct the number on the order, or send the right payment slip.",
            ),
        ),
        reference,
    ),
    Rule(
        RuleInfo(
            id="PAYMENT-NUMBER-FORM",
            reads=_PAYMENT,
            severity=Severity.BLOCK,
            owner=Owner.PAYMENT_COMPANY,
            source="CEB311/411 XSD: payTransactionId C..60",
            zh=Text(
                "支付交易编号格式",
                "支付交易编号有 {length} 个字符，应为 1 至 {longest} 个可打印字符。",
                "请支付企业提供报送海关的交易编号。",
            ),
            en=Text(
                "Form of the payment number",
                "The payment number has {length} characters; 1 to {longest} printable ones fit.",
                "Ask the payment company for the number that customs sees.",
            ),
        ),
        number_form,
    ),
)
