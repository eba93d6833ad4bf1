"""Rules about copies that others filed: what we declare must equal what customs already has.

Where somebody else files a paper, customs compares the inventory with *their* copy. The copy is
the paper's own revision when that is as filed, else it stands among the circumstances. Without it
the answer is unverifiable, never "equal".
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
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
    difference,
    fact_fix,
    hidden,
    hidden_name,
    number,
    unknown,
)
from gateway.domain.money import Money
from gateway.domain.papers import Basis, Masked, Order, PaperKind, PaymentSlip, Waybill
from gateway.domain.party import normal_address

_ORDER: Final = (PaperKind.ORDER,)
_PAYMENT: Final = (PaperKind.PAYMENT,)
_WAYBILL: Final = (PaperKind.WAYBILL,)
Value = str | Masked | None


def _filed_order(facts: Facts) -> Order | None:
    filed = facts.around.filed.get(PaperKind.ORDER)
    return filed if isinstance(filed, Order) else None


def _copy_known(kind: PaperKind, facts: Facts) -> Faults:
    """What was filed of a paper is known, where somebody else files it."""
    if kind not in facts.view.filed_elsewhere or kind in facts.around.filed:
        return HOLDS
    revision = facts.papers.get(kind)
    if revision is None or revision.basis is Basis.AS_FILED:
        return HOLDS
    return unknown(f"filed.{kind.value}")


def copy_known(facts: Facts) -> Faults:
    """The order that the platform filed is known, where the platform files it."""
    return _copy_known(PaperKind.ORDER, facts)


def payment_copy_known(facts: Facts) -> Faults:
    """The payment that its company filed is known, where the company files it."""
    return _copy_known(PaperKind.PAYMENT, facts)


def waybill_copy_known(facts: Facts) -> Faults:
    """The waybill that the carrier filed is known, where the carrier files it."""
    return _copy_known(PaperKind.WAYBILL, facts)


def line_count(facts: Facts) -> Faults:
    """The inventory has as many lines as the filed order."""
    filed = _filed_order(facts)
    if filed is None or len(filed.lines) == len(facts.lines):
        return HOLDS
    ours, theirs = str(len(facts.lines)), str(len(filed.lines))
    return (
        Fault(
            paths={"order.lines": ours, "filed.order.lines": theirs},
            params={"ours": ours, "theirs": theirs},
            fixes=(fact_fix("order.lines", Owner.SELLER),),
        ),
    )


def lines(facts: Facts) -> Faults:
    """The lines of the inventory are those of the filed order: name, unit, quantity, price."""
    filed = _filed_order(facts)
    if filed is None or len(filed.lines) != len(facts.lines):
        return HOLDS
    theirs = {line.line_no: line for line in filed.lines}
    if len({line.line_no for line in facts.lines}) != len(facts.lines):
        # Which line is which nobody knows: ORDER-LINE-NUMBERS says so.
        return HOLDS
    found = []
    for line in facts.lines:
        other = theirs.get(line.line_no)
        if other is None:
            path = f"order.lines.{line.line_no}"
            found.append(_differs(path, "line_no", str(line.line_no), None))
            continue
        pairs: tuple[tuple[str, str, str], ...] = (
            ("name", line.name, other.name),
            ("unit", line.unit, other.unit),
            ("quantity", number(line.quantity), number(other.quantity)),
            ("price", number(line.price.amount), number(other.price.amount)),
        )
        if facts.profile.is_export:
            # Imports are of one currency, which has a rule of its own.
            pairs += (("currency", line.total.currency, other.total.currency),)
        prefix = f"order.lines.{line.line_no}"
        for name, ours, their in pairs:
            if ours != their:
                found.append(_differs(prefix, name, ours, their))
        if line.origin and other.origin and line.origin != other.origin:
            found.append(_differs(prefix, "origin", line.origin, other.origin, Severity.WARN))
    return found


def _differs(
    prefix: str,
    name: str,
    ours: str,
    theirs: str | None,
    severity: Severity | None = None,
    owner: Owner = Owner.SELLER,
) -> Fault:
    path = f"{prefix}.{name}"
    return Fault(
        paths={path: ours, f"filed.{path}": theirs},
        params={"path": path, "ours": ours, "theirs": theirs or "-"},
        fixes=(fact_fix(path, owner, theirs),),
        severity=severity,
    )


def address(facts: Facts) -> Faults:
    """The consignee's address is that of the filed order, spaces and punctuation aside."""
    return _person(
        facts, "consignee.address", lambda order: order.consignee.address, hidden, normal_address
    )


def parties(facts: Facts) -> Faults:
    """Platform and merchant of the inventory are those of the filed order."""
    theirs = facts.around.filed_parties
    if not theirs:
        return HOLDS
    profile = facts.profile
    ours = {"platform": profile.platform.code, "merchant": profile.merchant.code}
    return [
        Fault(
            paths={f"profile.{role}": ours[role], f"filed.order.{role}": code},
            params={"path": f"profile.{role}", "ours": ours[role], "theirs": code},
            fixes=(fact_fix(f"profile.{role}", Owner.DECLARANT),),
        )
        for role, code in theirs.items()
        if role in ours and ours[role] != code
    ]


def waybill_named(facts: Facts) -> Faults:
    """The inventory names the number and the carrier of the filed waybill."""
    filed = facts.around.filed.get(PaperKind.WAYBILL)
    if not isinstance(filed, Waybill):
        return HOLDS
    waybill = facts.waybill
    pairs = (
        ("waybill_no", waybill.waybill_no, filed.waybill_no),
        ("carrier_code", waybill.carrier_code, filed.carrier_code),
    )
    return [
        _differs("waybill", name, ours, theirs, owner=Owner.CARRIER)
        for name, ours, theirs in pairs
        if ours and theirs and ours != theirs
    ]


def costs(facts: Facts) -> Faults:
    """Freight and insurance of the inventory are those of the filed waybill."""
    filed = facts.around.filed.get(PaperKind.WAYBILL)
    if not isinstance(filed, Waybill):
        return HOLDS
    waybill = facts.waybill
    pairs = (
        ("freight", waybill.freight, filed.freight),
        ("insurance", waybill.insurance, filed.insurance),
    )
    return [
        _differs("waybill", name, *_amounts(ours, theirs), owner=Owner.CARRIER)
        for name, ours, theirs in pairs
        if ours is not None and theirs is not None and ours != theirs
    ]


def _amounts(ours: Money, theirs: Money) -> tuple[str, str]:
    """Both amounts, with their currencies where these differ."""
    shown = number(ours.amount), number(theirs.amount)
    if ours.currency == theirs.currency:
        return shown
    return f"{shown[0]} {ours.currency}", f"{shown[1]} {theirs.currency}"


def _person(
    facts: Facts,
    name: str,
    pick: Callable[[Order], Value],
    hide: Callable[[Value], str | None],
    normal: Callable[[str], str] = str,
) -> Faults:
    """Hold one thing said of a person against the filed order, both in their ``normal`` form."""
    filed = _filed_order(facts)
    if filed is None:
        return HOLDS
    path = f"order.{name}"
    ours, theirs = pick(facts.order), pick(filed)
    if not ours or not theirs or isinstance(ours, Masked) or isinstance(theirs, Masked):
        return unknown(path, f"filed.{path}")
    if normal(ours) == normal(theirs):
        return HOLDS
    one, other = hide(ours), hide(theirs)
    return (
        Fault(
            paths={path: one, f"filed.{path}": other},
            params={"one": one or "-", "other": other or "-"},
            fixes=(fact_fix(path, Owner.SELLER, other),),
        ),
    )


def buyer_name(facts: Facts) -> Faults:
    """The buyer's name is spelled as in the filed order."""
    return _person(facts, "buyer.name", lambda order: order.buyer.name, hidden_name)


def buyer_phone(facts: Facts) -> Faults:
    """The buyer's phone is that of the filed order."""
    return _person(facts, "buyer.phone", lambda order: order.buyer.phone, hidden)


def buyer_id(facts: Facts) -> Faults:
    """The buyer's identity number is that of the filed order."""
    return _person(facts, "buyer.id_number", lambda order: order.buyer.id_number, hidden)


def payment(facts: Facts) -> Faults:
    """The filed payment has the amount and number that the slip says."""
    filed = facts.around.filed.get(PaperKind.PAYMENT)
    if not isinstance(filed, PaymentSlip):
        return HOLDS
    slip = facts.payment
    found = []
    for name, ours, theirs in (
        ("amount", number(slip.amount.amount), number(filed.amount.amount)),
        ("transaction_id", slip.transaction_id, filed.transaction_id),
    ):
        if ours != theirs:
            path = f"payment.{name}"
            found.append(
                Fault(
                    paths={path: ours, f"filed.{path}": theirs},
                    params={"path": path, "ours": ours, "theirs": theirs},
                    fixes=(fact_fix(path, Owner.PAYMENT_COMPANY, theirs),),
                )
            )
    return found


def weight(facts: Facts, *, share: Decimal) -> Faults:
    """The parcel weighs in the inventory about what the filed waybill says."""
    filed = facts.around.filed.get(PaperKind.WAYBILL)
    if not isinstance(filed, Waybill):
        return HOLDS
    ours, theirs = facts.waybill.gross_weight_kg, filed.gross_weight_kg
    if ours is None or theirs is None or abs(ours - theirs) <= theirs * share:
        return HOLDS
    delta = difference(ours - theirs)
    return (
        Fault(
            paths={
                "waybill.gross_weight_kg": number(ours),
                "filed.waybill.gross_weight_kg": number(theirs),
            },
            params={"ours": number(ours), "theirs": number(theirs), "delta": delta},
            delta=delta,
            fixes=(fact_fix("waybill.gross_weight_kg", Owner.CARRIER, number(theirs)),),
        ),
    )


_READS: Final[Mapping[str, str | None]] = {
    # They ask whether there is a copy.
    "INVENTORY-FILED-COPY": None,
    "PAYMENT-FILED-COPY": None,
    "WAYBILL-FILED-COPY": None,
    "INVENTORY-FILED-PARTIES": "filed_parties",
}


def _rule(
    rule_id: str,
    check: Callable[..., Faults],
    reads: tuple[PaperKind, ...],
    code: str | None,
    texts: tuple[Text, Text],
    **more: object,
) -> Rule:
    is_weight = rule_id.startswith("WAYBILL")
    more.setdefault("severity", Severity.WARN if is_weight else Severity.BLOCK)
    more.setdefault("owner", Owner.CARRIER if is_weight else Owner.SELLER)
    info = RuleInfo(
        id=rule_id,
        reads=reads,
        source="customs compares the inventory with the copy that was filed",
        code=code,
        zh=texts[0],
        en=texts[1],
        **more,  # type: ignore[arg-type]
    )
    return Rule(info, check, reads_around=_READS.get(rule_id, "filed"))


_FIX_ZH: Final = "请以已申报的订单为准更正，或请申报方变更订单。"
_FIX_EN: Final = "Follow the filed order, or have whoever filed it change it."


def _pair(zh: str, cause_zh: str, en: str, cause_en: str) -> tuple[Text, Text]:
    return Text(zh, cause_zh, _FIX_ZH), Text(en, cause_en, _FIX_EN)


_WAYBILL_FIX: Final = ("请以已申报的运单为准更正，或请物流企业变更运单。",
                       "Follow the filed waybill, or have the carrier change it.")  # fmt: skip
_WAYBILL_NAMED: Final = (
    Text(
        "与已申报运单的编号",
        "{path} 为 {ours}，已申报运单为 {theirs}。",
        _WAYBILL_FIX[0],
    ),
    Text(
        "Number of the filed waybill",
        "{path} is {ours}, in the filed waybill {theirs}.",
        _WAYBILL_FIX[1],
    ),
)
_COSTS: Final = (
    Text(
        "与已申报运单的运保费",
        "{path} 为 {ours}，已申报运单为 {theirs}。",
        _WAYBILL_FIX[0],
    ),
    Text(
        "Freight and insurance of the filed waybill",
        "{path} is {ours}, in the filed waybill {theirs}.",
        _WAYBILL_FIX[1],
    ),
)

ORDER_RULES: Final = (
    _rule(
        "INVENTORY-FILED-COPY",
        copy_known,
        _ORDER,
        None,
        _pair(
            "已申报订单副本",
            "订单由他方申报，但没有收到已申报的副本。",
            "Copy of the filed order",
            "Somebody else files the order, and the copy that customs has is not known.",
        ),
    ),
    _rule(
        "INVENTORY-FILED-COUNT",
        line_count,
        _ORDER,
        "1320",
        _pair(
            "与已申报订单的行数",
            "清单将有 {ours} 行，已申报订单有 {theirs} 行。",
            "Lines of the filed order",
            "The inventory would have {ours} lines, the filed order has {theirs}.",
        ),
    ),
    _rule(
        "INVENTORY-FILED-LINES",
        lines,
        _ORDER,
        "1322",
        _pair(
            "与已申报订单的商品",
            "{path} 为 {ours}，已申报订单为 {theirs}。",
            "Goods of the filed order",
            "{path} is {ours}, in the filed order {theirs}.",
        ),
    ),
    _rule(
        "INVENTORY-FILED-BUYER",
        buyer_name,
        _ORDER,
        "13127",
        _pair(
            "与已申报订单的订购人姓名",
            "订购人 {one}，已申报订单为 {other}。",
            "Buyer of the filed order",
            "The buyer is {one}, in the filed order {other}.",
        ),
    ),
    _rule(
        "INVENTORY-FILED-PHONE",
        buyer_phone,
        _ORDER,
        "130126",
        _pair(
            "与已申报订单的订购人电话",
            "订购人电话 {one}，已申报订单为 {other}。",
            "Phone of the filed order",
            "The buyer's phone is {one}, in the filed order {other}.",
        ),
    ),
    _rule(
        "INVENTORY-FILED-ID",
        buyer_id,
        _ORDER,
        "1327",
        _pair(
            "与已申报订单的订购人证件",
            "订购人证件 {one}，已申报订单为 {other}。",
            "Identity number of the filed order",
            "The buyer's number is {one}, in the filed order {other}.",
        ),
    ),
    _rule(
        "INVENTORY-FILED-ADDRESS",
        address,
        _ORDER,
        None,
        _pair(
            "与已申报订单的收货地址",
            "收货地址 {one}，已申报订单为 {other}。",
            "Address of the filed order",
            "The consignee's address is {one}, in the filed order {other}.",
        ),
        severity=Severity.WARN,
    ),
    _rule(
        "INVENTORY-FILED-PARTIES",
        parties,
        _ORDER,
        None,
        _pair(
            "与已申报订单的企业",
            "{path} 为 {ours}，已申报订单为 {theirs}。",
            "Enterprises of the filed order",
            "{path} is {ours}, in the filed order {theirs}.",
        ),
        owner=Owner.DECLARANT,
    ),
    _rule(
        "INVENTORY-FILED-WAYBILL",
        waybill_named,
        _WAYBILL,
        None,
        _WAYBILL_NAMED,
        owner=Owner.CARRIER,
    ),
    _rule(
        "INVENTORY-FILED-COSTS",
        costs,
        _WAYBILL,
        None,
        _COSTS,
        owner=Owner.CARRIER,
        severity=Severity.WARN,
    ),
)

PAYMENT_RULES: Final = (
    _rule(
        "PAYMENT-FILED-COPY",
        payment_copy_known,
        _PAYMENT,
        None,
        (
            Text(
                "已申报支付单副本",
                "支付单由支付企业申报，但没有收到已申报的副本，无法核对海关所持内容。",
                "请向支付企业索取已申报的支付单，并注明 filed_by 提交。",
            ),
            Text(
                "Copy of the filed payment",
                "The payment company files the payment, and the copy that customs has is not"
                " known: whether it agrees cannot be said.",
                "Ask the payment company for what it filed, and send that with filed_by.",
            ),
        ),
        owner=Owner.PAYMENT_COMPANY,
    ),
    _rule(
        "PAYMENT-FILED",
        payment,
        _PAYMENT,
        "1332",
        (
            Text(
                "与已申报支付单",
                "{path} 为 {ours}，支付企业已申报的是 {theirs}。",
                "请以已申报的支付单为准，或请支付企业重新推送。",
            ),
            Text(
                "Filed payment",
                "{path} is {ours}, the payment company filed {theirs}.",
                "Follow the filed payment, or have the payment company push it again.",
            ),
        ),
    ),
)

WAYBILL_RULES: Final = (
    _rule(
        "WAYBILL-FILED-COPY",
        waybill_copy_known,
        _WAYBILL,
        None,
        (
            Text(
                "已申报运单副本",
                "运单由物流企业申报，但没有收到已申报的副本，无法核对海关所持内容。",
                "请向物流企业索取已申报的运单，并注明 filed_by 提交。",
            ),
            Text(
                "Copy of the filed waybill",
                "The carrier files the waybill, and the copy that customs has is not known:"
                " whether it agrees cannot be said.",
                "Ask the carrier for what it filed, and send that with filed_by.",
            ),
        ),
        severity=Severity.BLOCK,
    ),
    _rule(
        "WAYBILL-FILED-WEIGHT",
        weight,
        _WAYBILL,
        None,
        (
            Text(
                "与已申报运单的重量",
                "毛重 {ours} 千克，已申报运单为 {theirs} 千克（{delta}）。",
                "请重新称重，或请物流企业变更运单。",
            ),
            Text(
                "Weight of the filed waybill",
                "The parcel weighs {ours} kg, in the filed waybill {theirs} kg ({delta}).",
                "Weigh it again, or have the carrier change the waybill.",
            ),
        ),
        parameters={"share": Decimal("0.1")},
    ),
)
