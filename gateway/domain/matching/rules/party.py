"""Rules about people and enterprises: buyer, payer, consignee and the profile's codes.

Normal forms only compare. A value is filed as its source spells it; which spelling is right is the
payer's, because the payment company's copy is with customs already.
"""

from collections.abc import Callable
from typing import Final

from gateway.domain.findings import Fix, Severity
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
    form_fix,
    hidden,
    hidden_name,
    unknown,
)
from gateway.domain.papers import IdentityCheck, Masked, PaperKind
from gateway.domain.party import (
    is_enterprise_code,
    normal_address,
    normal_id,
    normal_name,
    normal_phone,
)

_ORDER: Final = (PaperKind.ORDER,)
_ORDER_PAYMENT: Final = (PaperKind.ORDER, PaperKind.PAYMENT)
_ORDER_WAYBILL: Final = (PaperKind.ORDER, PaperKind.WAYBILL)
_RESIDENT_CARD: Final = "1"
_LONGEST_CODE: Final = 18

Value = str | Masked | None
Normal = Callable[[str], str]
Hide = Callable[[Value], str | None]


def _contradict(one: Value, other: Value, normal: Normal) -> bool | None:
    """Whether two values cannot be the same; None when what is shown of them cannot tell."""
    if not one or not other:
        return None
    if isinstance(one, str) and isinstance(other, str):
        return one != other and normal(one) != normal(other)
    if isinstance(one, Masked) and isinstance(other, Masked):
        return None
    masked, full = (one, other) if isinstance(one, Masked) else (other, one)
    assert isinstance(masked, Masked)
    assert isinstance(full, str)
    head, star, rest = masked.shown.partition("*")
    tail = rest.rpartition("*")[2]
    if not star:
        return None
    text = normal(full)
    fits = text.startswith(normal(head)) and text.endswith(normal(tail))
    return None if fits else True


def _fault(
    first: tuple[str, Value], second: tuple[str, Value], hide: Hide, *fixes: Fix
) -> tuple[Fault, ...]:
    one, other = hide(first[1]), hide(second[1])
    return (
        Fault(
            paths={first[0]: one, second[0]: other},
            params={"one": one or "-", "other": other or "-"},
            fixes=fixes,
        ),
    )


def payer_name(facts: Facts) -> Faults:
    """The payer's name is the buyer's."""
    buyer, payer = facts.order.buyer.name, facts.payment.payer.name
    if buyer == payer and buyer.__class__ is str:
        return HOLDS
    if facts.payment.identity_check is not None and payer.__class__ is not str:
        return HOLDS
    differs = _contradict(buyer, payer, normal_name)
    if differs is None:
        return unknown("order.buyer.name", "payment.payer.name")
    if not differs:
        return HOLDS
    return _fault(
        ("order.buyer.name", buyer),
        ("payment.payer.name", payer),
        hidden_name,
        fact_fix("order.buyer.name", Owner.SELLER, hidden_name(payer)),
        fact_fix("payment.payer.name", Owner.PAYMENT_COMPANY, hidden_name(buyer)),
    )


def payer_id(facts: Facts) -> Faults:
    """The payer's identity number is the buyer's."""
    buyer, payer = facts.order.buyer.id_number, facts.payment.payer.id_number
    if buyer == payer and buyer.__class__ is str:
        return HOLDS
    if facts.payment.identity_check is not None and payer.__class__ is not str:
        return HOLDS
    differs = _contradict(buyer, payer, normal_id)
    if differs is None:
        return unknown("order.buyer.id_number", "payment.payer.id_number")
    if not differs:
        return HOLDS
    return _fault(
        ("order.buyer.id_number", buyer),
        ("payment.payer.id_number", payer),
        hidden,
        fact_fix("order.buyer.id_number", Owner.SELLER, hidden(payer)),
        fact_fix("payment.payer.id_number", Owner.PAYMENT_COMPANY, hidden(buyer)),
    )


def payer_spelling(facts: Facts) -> Faults:
    """Buyer and payer, being the same, are spelled the same."""
    buyer, payer = facts.order.buyer, facts.payment.payer
    if buyer.name == payer.name and buyer.id_number == payer.id_number:
        return HOLDS
    found: list[Fault] = []
    pairs: tuple[tuple[str, Value, Value, Normal, Hide], ...] = (
        ("name", buyer.name, payer.name, normal_name, hidden_name),
        ("id_number", buyer.id_number, payer.id_number, normal_id, hidden),
    )
    for name, one, other, normal, hide in pairs:
        if one != other and _is_respelled(one, other, normal):
            place = f"order.buyer.{name}"
            fix = form_fix(place, Owner.SELLER, hide(other))
            found.extend(_fault((place, one), (f"payment.payer.{name}", other), hide, fix))
    return found


def _is_respelled(one: Value, other: Value, normal: Normal) -> bool:
    if not isinstance(one, str) or not isinstance(other, str) or one == other:
        return False
    return normal(one) == normal(other)


def identity_different(facts: Facts) -> Faults:
    """The payment company did not find payer and buyer to be different people."""
    if facts.payment.identity_check is not IdentityCheck.DIFFERENT:
        return HOLDS
    return (
        Fault(
            paths={"payment.identity_check": IdentityCheck.DIFFERENT.value},
            fixes=(
                fact_fix("order.buyer.id_number", Owner.SELLER),
                fact_fix("order.buyer.name", Owner.SELLER),
            ),
        ),
    )


def identity_unchecked(facts: Facts) -> Faults:
    """Somebody compared payer and buyer: the payment company, or we by both values in full."""
    payment = facts.payment
    if payment.identity_check is not IdentityCheck.UNCHECKED:
        return HOLDS
    if payment.payer.name.__class__ is str and payment.payer.id_number.__class__ is str:
        return HOLDS
    return (
        Fault(
            paths={"payment.identity_check": IdentityCheck.UNCHECKED.value},
            fixes=(fact_fix("payment.identity_check", Owner.PAYMENT_COMPANY),),
            severity=None if facts.profile.require_identity_check else Severity.WARN,
        ),
    )


def id_type(facts: Facts) -> Faults:
    """The buyer's document is the resident identity card; a source that is silent means that."""
    found = facts.order.buyer.id_type
    if found is None or found == _RESIDENT_CARD:
        return HOLDS
    return (
        Fault(
            paths={"order.buyer.id_type": found},
            params={"type": found},
            fixes=(fact_fix("order.buyer.id_type", Owner.SELLER, _RESIDENT_CARD),),
        ),
    )


def consignee_name(facts: Facts) -> Faults:
    """Order and waybill go to one consignee."""
    one, other = facts.order.consignee.name, facts.waybill.consignee.name
    if one == other and one.__class__ is str:
        return HOLDS
    return _consignee(facts, "name", one, other, normal_name, hidden_name)


def consignee_phone(facts: Facts) -> Faults:
    """Order and waybill have one phone of the consignee."""
    one, other = facts.order.consignee.phone, facts.waybill.consignee.phone
    if one == other and one.__class__ is str:
        return HOLDS
    return _consignee(facts, "phone", one, other, normal_phone, hidden)


def _consignee(
    facts: Facts, name: str, one: Value, other: Value, normal: Normal, hide: Hide
) -> Faults:
    differs = _contradict(one, other, normal)
    here, there = f"order.consignee.{name}", f"waybill.consignee.{name}"
    if differs is None:
        return unknown(here, there)
    if not differs:
        return HOLDS
    fix = fact_fix(there, Owner.CARRIER, hide(one))
    fault = _fault((here, one), (there, other), hide, fix)[0]
    return (_lower(fault, is_blocking=facts.holds_waybill_as_filed),)


def consignee_address(facts: Facts) -> Faults:
    """Order and waybill go to one address, spaces and punctuation aside."""
    one, other = facts.order.consignee.address, facts.waybill.consignee.address
    if one == other and one.__class__ is str:
        return HOLDS
    here, there = "order.consignee.address", "waybill.consignee.address"
    if not isinstance(one, str) or not isinstance(other, str) or not one or not other:
        return unknown(here, there)
    if normal_address(one) == normal_address(other):
        return HOLDS
    fix = form_fix(there, Owner.CARRIER, hidden(one))
    fault = _fault((here, one), (there, other), hidden, fix)[0]
    return (_lower(fault, is_blocking=facts.view.files_waybill),)


def _lower(fault: Fault, *, is_blocking: bool) -> Fault:
    if is_blocking:
        return fault
    return Fault(fault.paths, fault.params, fault.delta, fault.fixes, Severity.WARN)


def consignee_spelling(facts: Facts) -> Faults:
    """The waybill that customs gets from us spells the consignee as the order does."""
    one, other = facts.order.consignee, facts.waybill.consignee
    if (one.name, one.phone, one.address) == (other.name, other.phone, other.address):
        return HOLDS
    if not facts.holds_waybill_as_filed:
        return HOLDS
    found: list[Fault] = []
    parts: tuple[tuple[str, Value, Value, Normal, Hide], ...] = (
        ("name", one.name, other.name, normal_name, hidden_name),
        ("phone", one.phone, other.phone, normal_phone, hidden),
        ("address", one.address, other.address, normal_address, hidden),
    )
    for name, here, there, normal, hide in parts:
        if _is_respelled(here, there, normal):
            place = f"waybill.consignee.{name}"
            fix = form_fix(place, Owner.CARRIER, hide(here))
            found.extend(_fault((f"order.consignee.{name}", here), (place, there), hide, fix))
    return found


def codes(facts: Facts) -> Faults:
    """Every enterprise of the profile has a code that can exist.

    A platform without a registration is named by the id that the e-port publishes for it.
    """
    profile = facts.profile
    found: list[str] = []
    if not 0 < len(profile.platform.code) <= _LONGEST_CODE:
        found.append("platform")
    parties = [("merchant", profile.merchant), ("agent", profile.agent)]
    parties.append(("transfer", profile.transfer))
    if profile.area is not None:
        parties.append(("area", profile.area))
    parties.extend((f"carriers.{party.code}", party) for party in profile.carriers)
    parties.extend(
        (f"payment_companies.{party.code}", party) for party in profile.payment_companies
    )
    found.extend(path for path, party in parties if not is_enterprise_code(party.code))
    codes_at = {path: party.code for path, party in [("platform", profile.platform), *parties]}
    return [
        Fault(
            paths={f"profile.{path}": codes_at[path]},
            params={"role": path, "code": codes_at[path] or "-"},
            fixes=(fact_fix(f"profile.{path}", Owner.DECLARANT),),
        )
        for path in found
    ]


def guarantor(facts: Facts) -> Faults:
    """The guarantor is an enterprise of the declaration."""
    profile = facts.profile
    allowed = {profile.platform.code, profile.merchant.code, profile.agent.code}
    if profile.assure_code in allowed | facts.view.carriers:
        return HOLDS
    return (
        Fault(
            paths={"profile.assure_code": profile.assure_code},
            params={"code": profile.assure_code or "-"},
            fixes=(fact_fix("profile.assure_code", Owner.DECLARANT),),
        ),
    )


RULES: Final = (
    Rule(
        RuleInfo(
            id="PARTY-PAYER-NAME",
            reads=_ORDER_PAYMENT,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311/411: buyer = payer",
            code="1327",
            zh=Text(
                "订购人与支付人姓名",
                "订购人 {one} 与支付人 {other} 不是同一人。",
                "订购人与支付人必须一致：请商家更正订购人，或由订购人本人重新支付。",
            ),
            en=Text(
                "Names of buyer and payer",
                "The buyer {one} and the payer {other} are not the same person.",
                "Buyer and payer must be one: have the seller correct the buyer, or the buyer pay.",
            ),
        ),
        payer_name,
    ),
    Rule(
        RuleInfo(
            id="PARTY-PAYER-ID",
            reads=_ORDER_PAYMENT,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311/411: buyer = payer",
            code="1327",
            zh=Text(
                "订购人与支付人证件号码",
                "订购人证件 {one} 与支付人证件 {other} 不同。",
                "请商家核对订购人证件号码，或由订购人本人重新支付。",
            ),
            en=Text(
                "Identity numbers of buyer and payer",
                "The buyer's number {one} is not the payer's {other}.",
                "Have the seller check the buyer's number, or the buyer pay.",
            ),
        ),
        payer_id,
    ),
    Rule(
        RuleInfo(
            id="PARTY-PAYER-SPELLING",
            reads=_ORDER_PAYMENT,
            severity=Severity.WARN,
            owner=Owner.SELLER,
            source="file the payer's exact spelling",
            code="1327",
            zh=Text(
                "订购人姓名写法",
                "订购人写作 {one}，支付人写作 {other}，仅写法不同。",
                "请按支付单的原样写法申报订购人。",
            ),
            en=Text(
                "Spelling of the buyer",
                "The buyer is spelled {one}, the payer {other}: the same, but not in every "
                "character.",
                "File the buyer exactly as the payment slip spells the payer.",
            ),
        ),
        payer_spelling,
    ),
    Rule(
        RuleInfo(
            id="PARTY-IDENTITY-DIFFERENT",
            reads=_ORDER_PAYMENT,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="Payment companies' identity check",
            code="1327",
            zh=Text(
                "支付企业验核不符",
                "支付企业验核：支付人与订购人不一致。",
                "请商家更正订购人姓名和证件号码，或由订购人本人重新支付。",
            ),
            en=Text(
                "Identity check failed",
                "The payment company says that payer and buyer are different people.",
                "Have the seller correct the buyer's name and number, or the buyer pay.",
            ),
        ),
        identity_different,
    ),
    Rule(
        RuleInfo(
            id="PARTY-IDENTITY-UNCHECKED",
            reads=_ORDER_PAYMENT,
            severity=Severity.BLOCK,
            owner=Owner.PAYMENT_COMPANY,
            source="Payment companies' identity check; FilingProfile.require_identity_check",
            code="1327",
            zh=Text(
                "身份未验核",
                "支付企业未验核支付人与订购人是否一致，支付单也未给出支付人。",
                "请带上订购人姓名和证件号码重新推送支付单。",
            ),
            en=Text(
                "Identity not checked",
                "The payment company did not compare payer and buyer, and does not show the payer.",
                "Have the payment pushed again with the buyer's name and number.",
            ),
        ),
        identity_unchecked,
    ),
    Rule(
        RuleInfo(
            id="PARTY-ID-TYPE",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311/411/621: buyerIdType 1 only",
            zh=Text(
                "证件类型",
                "订购人证件类型为 {type}，只接受 1（身份证）。",
                "请商家提供订购人的居民身份证。",
            ),
            en=Text(
                "Identity document type",
                "The buyer's document type is {type}; only 1, the resident identity card, is "
                "taken.",
                "Ask the seller for the buyer's resident identity card.",
            ),
        ),
        id_type,
    ),
    Rule(
        RuleInfo(
            id="PARTY-CONSIGNEE-NAME",
            reads=_ORDER_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB311/511: one consignee",
            zh=Text(
                "收货人姓名",
                "订单收货人 {one}，运单收货人 {other}。",
                "请物流企业按订单更正运单收货人。",
            ),
            en=Text(
                "Name of the consignee",
                "The order goes to {one}, the waybill to {other}.",
                "Have the carrier correct the waybill to the order's consignee.",
            ),
        ),
        consignee_name,
    ),
    Rule(
        RuleInfo(
            id="PARTY-CONSIGNEE-PHONE",
            reads=_ORDER_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB311/511: one consignee",
            zh=Text(
                "收货人电话",
                "订单收货人电话 {one}，运单为 {other}。",
                "请物流企业按订单更正运单电话。",
            ),
            en=Text(
                "Phone of the consignee",
                "The order has phone {one}, the waybill {other}.",
                "Have the carrier correct the waybill to the order's phone.",
            ),
        ),
        consignee_phone,
    ),
    Rule(
        RuleInfo(
            id="PARTY-CONSIGNEE-ADDRESS",
            reads=_ORDER_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB311/511: one consignee",
            zh=Text(
                "收货地址",
                "订单地址（{one}）与运单地址（{other}）不同。",
                "请在运单中使用订单的地址原文。",
            ),
            en=Text(
                "Address of the consignee",
                "The address of the order ({one}) is not that of the waybill ({other}).",
                "Use the order's text on the waybill.",
            ),
        ),
        consignee_address,
    ),
    Rule(
        RuleInfo(
            id="PARTY-CONSIGNEE-SPELLING",
            reads=_ORDER_WAYBILL,
            severity=Severity.WARN,
            owner=Owner.CARRIER,
            source="CEB311/511 rule 5; normal forms only compare",
            zh=Text(
                "收货人写法",
                "订单写作 {one}，运单写作 {other}，仅写法不同。",
                "请在运单中使用订单的原样写法。",
            ),
            en=Text(
                "Spelling of the consignee",
                "The order says {one}, the waybill {other}: the same, but not in every character.",
                "Use the order's exact text on the waybill.",
            ),
        ),
        consignee_spelling,
    ),
    Rule(
        RuleInfo(
            id="PARTY-CODES",
            reads=(),
            severity=Severity.BLOCK,
            owner=Owner.DECLARANT,
            source="GB 32100 and customs registration codes; party codes",
            zh=Text(
                "企业代码",
                "申报方案中 {role} 的代码 {code} 不是有效的海关注册编码或统一社会信用代码。",
                "请更正申报方案。",
            ),
            en=Text(
                "Enterprise codes",
                "The code {code} of {role} in the profile is no customs or social credit code.",
                "Correct the filing profile.",
            ),
        ),
        codes,
        is_per_profile=True,
    ),
    Rule(
        RuleInfo(
            id="PARTY-GUARANTOR",
            reads=(),
            severity=Severity.WARN,
            owner=Owner.DECLARANT,
            source="CEB621: assureCode platform, merchant or carrier (XSD: declarant)",
            zh=Text(
                "担保企业",
                "担保企业 {code} 不是平台、电商、物流或申报企业。",
                "请核对申报方案中的担保企业编号。",
            ),
            en=Text(
                "Guarantor",
                "The guarantor {code} is neither platform, merchant, carrier nor declarant.",
                "Check assure_code in the filing profile.",
            ),
        ),
        guarantor,
        is_per_profile=True,
    ),
)
