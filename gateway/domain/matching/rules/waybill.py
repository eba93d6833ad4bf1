"""Rules about the waybill: alone and against the order."""

from decimal import Decimal
from typing import Final

from gateway.domain.findings import Severity
from gateway.domain.matching.facts import NO_WAYBILL, Facts
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
    form_fix,
    number,
    unknown,
)
from gateway.domain.matching.texts import TextProblem
from gateway.domain.money import CNY
from gateway.domain.papers import PaperKind

_WAYBILL: Final = (PaperKind.WAYBILL,)
_BOTH: Final = (PaperKind.ORDER, PaperKind.WAYBILL)


def missing(facts: Facts) -> Faults:
    """The waybill has come."""
    return (Fault(paths={"waybill": None}),) if facts.waybill is NO_WAYBILL else HOLDS


def order_no(facts: Facts) -> Faults:
    """The waybill names the declared order number."""
    declared, named = facts.order.order_no, facts.waybill.order_no
    if named == declared:
        return HOLDS
    if not named:
        return unknown("waybill.order_no")
    return (
        Fault(
            paths={"order.order_no": declared, "waybill.order_no": named},
            params={"declared": declared or "-", "named": named},
            fixes=(fact_fix("waybill.order_no", Owner.CARRIER, declared or None),),
        ),
    )


def waybill_number(facts: Facts) -> Faults:
    """If the order names its waybill, it names this one."""
    named, found = facts.order.waybill_no, facts.waybill.waybill_no
    if not named or named == found:
        return HOLDS
    return (
        Fault(
            paths={"order.waybill_no": named, "waybill.waybill_no": found},
            params={"named": named, "found": found},
            fixes=(fact_fix("order.waybill_no", Owner.SELLER, found),),
        ),
    )


def carrier_known(facts: Facts) -> Faults:
    """The carrier is one that the profile lists; the only one goes unsaid."""
    code = facts.waybill.carrier_code or facts.view.sole_carrier
    if code in facts.view.carriers:
        return HOLDS
    return (
        Fault(
            paths={"waybill.carrier_code": code},
            params={"code": code or "-"},
            fixes=(fact_fix("waybill.carrier_code", Owner.DECLARANT),),
        ),
    )


def currency(facts: Facts) -> Faults:
    """Freight and insurance of the waybill are in CNY."""
    waybill = facts.waybill
    if (waybill.freight is None or waybill.freight.currency == CNY) and (
        waybill.insurance is None or waybill.insurance.currency == CNY
    ):
        return HOLDS
    paths: dict[str, str | None] = {
        f"waybill.{name}": amount.currency
        for name, amount in (("freight", waybill.freight), ("insurance", waybill.insurance))
        if amount is not None and amount.currency != CNY
    }
    fixes = tuple(fact_fix(path, Owner.CARRIER) for path in paths)
    currencies = ", ".join(sorted({str(value) for value in paths.values()}))
    return (Fault(paths=paths, params={"currencies": currencies}, fixes=fixes),)


def pack_count(facts: Facts, *, allowed: int) -> Faults:
    """A declared order travels in one piece."""
    count = facts.waybill.pack_count
    if count == allowed:
        return HOLDS
    if count is None:
        return unknown("waybill.pack_count")
    return (
        Fault(
            paths={"waybill.pack_count": str(count)},
            params={"count": str(count), "allowed": str(allowed)},
            fixes=(fact_fix("waybill.pack_count", Owner.CARRIER, str(allowed)),),
        ),
    )


def weight(facts: Facts) -> Faults:
    """The gross weight is greater than 0 and not below the net weight."""
    gross, net = facts.waybill.gross_weight_kg, facts.waybill.net_weight_kg
    if gross is None:
        return HOLDS if net is None or net > 0 else _weight_fault(gross, net)
    if gross > 0 and (net is None or 0 < net <= gross):
        return HOLDS
    return _weight_fault(gross, net)


def _weight_fault(gross: Decimal | None, net: Decimal | None) -> Faults:
    shown_gross = None if gross is None else number(gross)
    shown_net = None if net is None else number(net)
    return (
        Fault(
            paths={"waybill.gross_weight_kg": shown_gross, "waybill.net_weight_kg": shown_net},
            params={"gross": shown_gross or "-", "net": shown_net or "-"},
            fixes=(fact_fix("waybill.gross_weight_kg", Owner.CARRIER),),
        ),
    )


def weight_of_goods(facts: Facts, *, share: Decimal) -> Faults:
    """The parcel is not lighter than its goods in their own packing.

    How much heavier it may be nobody can say: cartons and filling differ. A parcel below even the
    net weight is INVENTORY-WEIGHT's finding.
    """
    parcel = facts.waybill.gross_weight_kg
    if parcel is None:
        return HOLDS
    weights = facts.goods_weights()
    if weights is None:
        return HOLDS
    net, goods = weights
    if goods * (1 - share) <= parcel or net > parcel:
        return HOLDS
    delta = difference(parcel - goods)
    return (
        Fault(
            paths={
                "waybill.gross_weight_kg": number(parcel),
                "goods.gross_weight_kg": number(goods),
            },
            params={"parcel": number(parcel), "goods": number(goods), "delta": delta},
            delta=delta,
            fixes=(
                fact_fix("waybill.gross_weight_kg", Owner.CARRIER),
                fact_fix("goods.gross_weight_kg", Owner.DECLARANT),
            ),
        ),
    )


def text_length(facts: Facts) -> Faults:
    """The waybill number is there and every text fits its field."""
    texts = facts.waybill_texts()
    if not texts:
        return HOLDS
    return [
        Fault(
            paths={text.path: text.detail or None},
            params={
                "path": text.path,
                "element": text.field.element,
                "length": text.detail or "0",
                "longest": str(text.field.longest),
            },
            fixes=(form_fix(text.path, Owner.CARRIER),),
        )
        for text in texts
        if text.problem is not TextProblem.CHARACTER
    ]


def text_characters(facts: Facts) -> Faults:
    """No text holds a character that XML cannot carry."""
    texts = facts.waybill_texts()
    if not texts:
        return HOLDS
    return [
        Fault(
            paths={text.path: text.detail},
            params={"path": text.path, "character": text.detail},
            fixes=(form_fix(text.path, Owner.CARRIER),),
        )
        for text in texts
        if text.problem is TextProblem.CHARACTER
    ]


RULES: Final = (
    Rule(
        RuleInfo(
            id="WAYBILL-MISSING",
            reads=(),
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="COLLECTING until the deadline of the profile",
            outcome=Outcome.WAITING,
            zh=Text("缺少运单", "尚未收到运单。", "请物流企业或仓库推送运单。"),
            en=Text(
                "Waybill missing",
                "The waybill has not come.",
                "Ask the carrier or the warehouse to send it.",
            ),
        ),
        missing,
    ),
    Rule(
        RuleInfo(
            id="WAYBILL-ORDER-NO",
            reads=_BOTH,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB511 orderNo equals CEB311 orderNo",
            zh=Text(
                "运单的订单编号",
                "运单的订单编号是 {named}，申报订单编号是 {declared}。",
                "请物流企业按申报订单编号更正运单。",
            ),
            en=Text(
                "Order number on the waybill",
                "The waybill names order {named}, declared is {declared}.",
                "Have the carrier correct the waybill to the declared order number.",
            ),
        ),
        order_no,
    ),
    Rule(
        RuleInfo(
            id="WAYBILL-NUMBER",
            reads=_BOTH,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB621 logisticsNo equals CEB511 logisticsNo",
            zh=Text(
                "运单编号",
                "订单写的运单编号是 {named}，运单是 {found}。",
                "请更正订单的运单编号，或推送正确的运单。",
            ),
            en=Text(
                "Waybill number",
                "The order names waybill {named}, the waybill is {found}.",
                "Correct the number on the order, or send the right waybill.",
            ),
        ),
        waybill_number,
    ),
    Rule(
        RuleInfo(
            id="WAYBILL-CARRIER-KNOWN",
            reads=_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.DECLARANT,
            source="the filing profile lists its carriers",
            zh=Text(
                "未登记的物流企业",
                "物流企业 {code} 不在申报方案中，或运单未写明物流企业。",
                "请核对代码，或将该企业加入申报方案。",
            ),
            en=Text(
                "Unknown carrier",
                "The profile does not list carrier {code}, or the waybill names none.",
                "Check the code, or add the carrier to the filing profile.",
            ),
        ),
        carrier_known,
    ),
    Rule(
        RuleInfo(
            id="WAYBILL-CURRENCY",
            reads=_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB511: currency is fixed to 142",
            zh=Text(
                "运单币制",
                "运费或保费的币制为 {currencies}，只能以人民币申报。",
                "请物流企业以人民币提供。",
            ),
            en=Text(
                "Currency of the waybill",
                "Freight or insurance is in {currencies}; only CNY can be declared.",
                "Ask the carrier for the amounts in CNY.",
            ),
        ),
        currency,
    ),
    Rule(
        RuleInfo(
            id="WAYBILL-PACK-COUNT",
            reads=_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB511/621: packNo = 1",
            parameters={"allowed": 1},
            zh=Text(
                "件数",
                "运单件数为 {count}，只允许 {allowed}。",
                "请拆分订单，一单一件。",
            ),
            en=Text(
                "Number of pieces",
                "The waybill has {count} pieces; only {allowed} is possible.",
                "Split the order: one declared order, one parcel.",
            ),
        ),
        pack_count,
    ),
    Rule(
        RuleInfo(
            id="WAYBILL-WEIGHT",
            reads=_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB621: grossWeight is not below netWeight",
            zh=Text(
                "运单重量",
                "毛重 {gross} 千克、净重 {net} 千克：须大于 0，且净重不得大于毛重。",
                "请物流企业重新称重并更正。",
            ),
            en=Text(
                "Weights of the waybill",
                "Gross {gross} kg, net {net} kg: both must be above 0, and net not above gross.",
                "Have the carrier weigh the parcel again and correct the waybill.",
            ),
        ),
        weight,
    ),
    Rule(
        RuleInfo(
            id="WAYBILL-TEXT-LENGTH",
            reads=_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB511/621 XSD: length facets of the edition",
            zh=Text(
                "运单字段长度",
                "{path}（{element}）有 {length} 个字符，规定 {longest} 个以内且不得为空。",
                "请更正该字段。",
            ),
            en=Text(
                "Lengths of the waybill's texts",
                "{path} ({element}) has {length} characters; 1 to {longest} fit.",
                "Correct the field.",
            ),
        ),
        text_length,
    ),
    Rule(
        RuleInfo(
            id="WAYBILL-TEXT-CHARACTERS",
            reads=_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="XML 1.0, production Char",
            zh=Text(
                "运单非法字符",
                "{path} 含有 XML 不允许的字符 {character}。",
                "请删除该字符。",
            ),
            en=Text(
                "Characters of the waybill's texts",
                "{path} holds the character {character}, which XML cannot carry.",
                "Remove the character.",
            ),
        ),
        text_characters,
    ),
    Rule(
        RuleInfo(
            id="WAYBILL-WEIGHT-GOODS",
            reads=_BOTH,
            severity=Severity.WARN,
            owner=Owner.CARRIER,
            source="CEB511/621: weight of waybill and inventory beyond 10 %",
            outcome=Outcome.MISMATCH,
            parameters={"share": Decimal("0.1")},
            zh=Text(
                "包裹与商品重量",
                "包裹毛重 {parcel} 千克，低于商品毛重合计 {goods} 千克（{delta}）。",
                "请重新称重，或核对商品备案的毛重。",
            ),
            en=Text(
                "Weight of parcel and goods",
                "The parcel weighs {parcel} kg, less than its goods with {goods} kg ({delta}).",
                "Weigh it again, or check the gross weights of the goods records.",
            ),
        ),
        weight_of_goods,
    ),
)
