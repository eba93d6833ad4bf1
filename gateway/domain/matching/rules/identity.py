"""Rules about the buyer's identity number, and about buyers that turn up too often."""

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
    hidden,
)
from gateway.domain.papers import PaperKind
from gateway.domain.party import has_id_region, id_birth, is_resident_id

_ORDER: Final = (PaperKind.ORDER,)
_PAYMENT: Final = (PaperKind.PAYMENT,)


def _number(facts: Facts) -> str | None:
    """The number of a resident card, in full; another document is PARTY-ID-TYPE's finding."""
    buyer = facts.order.buyer
    found = buyer.id_number
    is_card = buyer.id_type is None or buyer.id_type == "1"
    return found if is_card and isinstance(found, str) and found else None


def number(facts: Facts) -> Faults:
    """The buyer's identity number can exist: shape and check digit."""
    found = _number(facts)
    if found is None or is_resident_id(found):
        return HOLDS
    return _fault(found)


def region(facts: Facts) -> Faults:
    """The number begins with a division that issues identity cards."""
    found = _number(facts)
    if found is None or has_id_region(found) or not is_resident_id(found):
        return HOLDS
    return _fault(found)


def birth(facts: Facts) -> Faults:
    """The birth date in the number is a day, and not in the future."""
    found = _number(facts)
    if found is None:
        return HOLDS
    born = id_birth(found)
    if (born is not None and born <= facts.day) or not is_resident_id(found):
        return HOLDS
    return _fault(found)


def _fault(found: str) -> Faults:
    return (
        Fault(
            paths={"order.buyer.id_number": hidden(found)},
            params={"number": hidden(found) or "-"},
            fixes=(fact_fix("order.buyer.id_number", Owner.SELLER),),
        ),
    )


def payer_type(facts: Facts) -> Faults:
    """The payer's document is the resident identity card; a source that is silent means that."""
    found = facts.payment.payer.id_type
    if found is None or found == "1":
        return HOLDS
    return (
        Fault(
            paths={"payment.payer.id_type": found},
            params={"type": found},
            fixes=(fact_fix("payment.payer.id_type", Owner.PAYMENT_COMPANY, "1"),),
        ),
    )


def repeated(facts: Facts, *, most: int) -> Faults:
    """Buyer, phone and address are not shared with too many other orders of late (刷单)."""
    counts = facts.around.seen_elsewhere
    return [
        Fault(
            paths={path: str(counts[what])},
            params={"what": path, "count": str(counts[what]), "most": str(most)},
            fixes=(fact_fix(path, Owner.SELLER),),
        )
        for what, path in (
            ("buyer", "order.buyer.id_number"),
            ("phone", "order.buyer.phone"),
            ("address", "order.consignee.address"),
        )
        if counts.get(what, 0) > most
    ]


RULES: Final = (
    Rule(
        RuleInfo(
            id="PARTY-ID-NUMBER",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="GB 11643",
            zh=Text(
                "身份证号码",
                "订购人证件号码 {number} 的位数或校验位有误。",
                "请商家核对订购人的身份证号码。",
            ),
            en=Text(
                "Identity number",
                "The buyer's number {number} fails the length or the check digit.",
                "Have the seller check the buyer's identity card.",
            ),
        ),
        number,
    ),
    Rule(
        RuleInfo(
            id="PARTY-ID-REGION",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="GB 11643 with GB/T 2260",
            zh=Text(
                "身份证地区码",
                "订购人证件号码 {number} 的前两位不是有效的省级代码。",
                "请商家核对订购人的身份证号码。",
            ),
            en=Text(
                "Region of the identity number",
                "The buyer's number {number} begins with no division that issues cards.",
                "Have the seller check the buyer's identity card.",
            ),
        ),
        region,
    ),
    Rule(
        RuleInfo(
            id="PARTY-ID-BIRTH",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="GB 11643",
            zh=Text(
                "身份证出生日期",
                "订购人证件号码 {number} 中的出生日期不存在或在未来。",
                "请商家核对订购人的身份证号码。",
            ),
            en=Text(
                "Birth date in the identity number",
                "The birth date in the buyer's number {number} is no day of the past.",
                "Have the seller check the buyer's identity card.",
            ),
        ),
        birth,
    ),
    Rule(
        RuleInfo(
            id="PARTY-PAYER-ID-TYPE",
            reads=_PAYMENT,
            severity=Severity.BLOCK,
            owner=Owner.PAYMENT_COMPANY,
            source="CEB411 payerIdType",
            zh=Text(
                "支付人证件类型",
                "支付人证件类型为 {type}，只接受 1（身份证）。",
                "请支付企业按支付人的居民身份证重新推送支付单。",
            ),
            en=Text(
                "Document type of the payer",
                "The payer's document type is {type}; only 1, the resident identity card, is "
                "taken.",
                "Have the payment company send the slip with the payer's resident identity card.",
            ),
        ),
        payer_type,
    ),
    Rule(
        RuleInfo(
            id="PARTY-REPEATED",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.SELLER,
            source="repeated buyers, phones and addresses point to invented orders",
            parameters={"most": 20},
            zh=Text(
                "重复的订购人信息",
                "{what} 近期还出现在其他 {count} 个订单中（上限 {most}）。",
                "请商家确认订单真实，避免刷单。",
            ),
            en=Text(
                "Buyers that repeat",
                "{what} is that of {count} other orders of late (at most {most}).",
                "Have the seller confirm that the orders are real.",
            ),
        ),
        repeated,
        reads_around="seen_elsewhere",
    ),
)
