"""Rules about what the inventory must carry in its trade mode, and its weights."""

from decimal import Decimal
from typing import Final

from gateway.domain.findings import Severity
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
    form_fix,
    number,
)
from gateway.domain.papers import PaperKind

_ALL: Final = (PaperKind.ORDER, PaperKind.WAYBILL)
_WAYBILL: Final = (PaperKind.WAYBILL,)
_ORDER: Final = (PaperKind.ORDER,)


def direct_fields(facts: Facts) -> Faults:
    """Direct purchase names the means of transport, the voyage and the bill of lading."""
    if not facts.view.is_direct:
        return HOLDS
    waybill = facts.waybill
    if waybill.transport_no and waybill.voyage_no and waybill.bill_no:
        return HOLDS
    values = (
        ("transport_no", "trafNo", waybill.transport_no),
        ("voyage_no", "voyageNo", waybill.voyage_no),
        ("bill_no", "billNo", waybill.bill_no),
    )
    return [
        Fault(
            paths={f"waybill.{name}": None},
            params={"path": f"waybill.{name}", "element": element},
            fixes=(fact_fix(f"waybill.{name}", Owner.CARRIER),),
        )
        for name, element, value in values
        if not value
    ]


def bonded_profile(facts: Facts) -> Faults:
    """A bonded mode names its account book and the enterprise in the zone."""
    profile = facts.profile
    if not profile.mode.is_bonded:
        return HOLDS
    missing = [] if profile.area is not None else [("area", "areaCode")]
    if not profile.account_book:
        missing.append(("account_book", "emsNo"))
    return [
        Fault(
            paths={f"profile.{name}": None},
            params={"path": f"profile.{name}", "element": element},
            fixes=(fact_fix(f"profile.{name}", Owner.DECLARANT),),
        )
        for name, element in missing
    ]


def bonded_goods(facts: Facts) -> Faults:
    """In a bonded mode each goods record has its number in the account book."""
    if not facts.profile.mode.is_bonded:
        return HOLDS
    found = []
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        if record is not None and not record.item_record_no:
            path = f"goods:{line.sku}.item_record_no"
            found.append(
                Fault(
                    paths={path: None},
                    params={"line": str(line.line_no), "sku": line.sku},
                    fixes=(fact_fix(path, Owner.DECLARANT),),
                )
            )
    return found


def weight(facts: Facts) -> Faults:
    """The goods alone do not weigh more than the parcel."""
    gross = facts.waybill.gross_weight_kg
    if gross is None:
        return HOLDS
    weights = facts.goods_weights()
    if weights is None:
        return HOLDS
    net = weights[0]
    if net <= gross:
        return HOLDS
    delta = difference(net - gross)
    return (
        Fault(
            paths={"waybill.gross_weight_kg": number(gross), "goods.net_weight_kg": number(net)},
            params={"gross": number(gross), "net": number(net), "delta": delta},
            delta=delta,
            fixes=(
                fact_fix("waybill.gross_weight_kg", Owner.CARRIER),
                fact_fix("goods.net_weight_kg", Owner.DECLARANT),
            ),
        ),
    )


def freight(facts: Facts) -> Faults:
    """The inventory declares the waybill's freight, which is the order's."""
    order, waybill = facts.order.freight, facts.waybill.freight
    if waybill is None or waybill == order or waybill.currency != order.currency:
        return HOLDS
    delta = difference(waybill.amount - order.amount)
    ordered, carried = number(order.amount), number(waybill.amount)
    return (
        Fault(
            paths={"order.freight": ordered, "waybill.freight": carried},
            params={"ordered": ordered, "carried": carried, "delta": delta},
            delta=delta,
            fixes=(fact_fix("waybill.freight", Owner.CARRIER, ordered),),
        ),
    )


def statutory_kg(facts: Facts, *, share: Decimal) -> Faults:
    """A statutory quantity in kilograms or grams is about the net weight.

    Where the goods would weigh more than their parcel, the net weight is wrong: INVENTORY-WEIGHT.
    """
    found: list[Fault] = []
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        if record is None:
            continue
        if record.unit1 == "035" and record.factor1 == record.net_weight_kg and not record.unit2:
            continue  # nearly every record, told without a multiplication
        for unit, factor, name in (
            (record.unit1, record.factor1, "factor1"),
            (record.unit2, record.factor2, "factor2"),
        ):
            grams = _GRAMS.get(unit or "")
            if grams is None or factor is None:
                continue
            kg, net = factor * grams / 1000, record.net_weight_kg
            if abs(kg - net) > net * share:
                found.append(_weight_differs(line.line_no, line.sku, name, kg, net))
    return HOLDS if found and weight(facts) else found


_GRAMS: Final = {"035": Decimal(1000), "036": Decimal(1)}


def _weight_differs(line_no: int, sku: str, name: str, kg: Decimal, net: Decimal) -> Fault:
    return Fault(
        paths={f"goods:{sku}.{name}": number(kg), f"goods:{sku}.net_weight_kg": number(net)},
        params={"line": str(line_no), "sku": sku, "statutory": number(kg), "net": number(net)},
        delta=difference(kg - net),
        fixes=(
            fact_fix(f"goods:{sku}.{name}", Owner.DECLARANT),
            fact_fix(f"goods:{sku}.net_weight_kg", Owner.DECLARANT),
        ),
    )


def forbidden(facts: Facts) -> Faults:
    """Bonded goods have no means of transport, voyage or bill of lading of their own."""
    if facts.view.is_direct:
        return HOLDS
    waybill = facts.waybill
    if not (waybill.transport_no or waybill.voyage_no or waybill.bill_no):
        return HOLDS
    values = (
        ("transport_no", "trafNo", waybill.transport_no),
        ("voyage_no", "voyageNo", waybill.voyage_no),
        ("bill_no", "billNo", waybill.bill_no),
    )
    return [
        Fault(
            paths={f"waybill.{name}": value},
            params={"path": f"waybill.{name}", "element": element},
            fixes=(form_fix(f"waybill.{name}", Owner.CARRIER),),
        )
        for name, element, value in values
        if value
    ]


RULES: Final = (
    Rule(
        RuleInfo(
            id="INVENTORY-DIRECT-FIELDS",
            reads=_WAYBILL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB621: trafNo, voyageNo and billNo are mandatory for 9610",
            zh=Text(
                "直购必填项",
                "9610 模式缺少 {path}（{element}）。",
                "请物流企业或货代提供该编号。",
            ),
            en=Text(
                "Mandatory for direct purchase",
                "Mode 9610 needs {path} ({element}).",
                "Ask the carrier or forwarder for the number.",
            ),
        ),
        direct_fields,
    ),
    Rule(
        RuleInfo(
            id="INVENTORY-BONDED-PROFILE",
            reads=(),
            severity=Severity.BLOCK,
            owner=Owner.DECLARANT,
            source="CEB621: emsNo, areaCode and areaName are mandatory for 1210",
            zh=Text(
                "保税必填项",
                "保税模式的申报方案缺少 {path}（{element}）。",
                "请补全申报方案。",
            ),
            en=Text(
                "Mandatory for bonded modes",
                "A bonded mode needs {path} ({element}).",
                "Complete the filing profile.",
            ),
        ),
        bonded_profile,
        is_per_profile=True,
    ),
    Rule(
        RuleInfo(
            id="INVENTORY-BONDED-GOODS",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.DECLARANT,
            source="CEB621: itemRecordNo is mandatory for 1210",
            zh=Text(
                "账册备案料号",
                "第 {line} 行商品 {sku} 的备案缺少账册备案料号（itemRecordNo）。",
                "请在商品备案中补充账册备案料号。",
            ),
            en=Text(
                "Account book item number",
                "The goods record of {sku} (line {line}) has no itemRecordNo.",
                "Add the account book's item number to the goods record.",
            ),
        ),
        bonded_goods,
    ),
    Rule(
        RuleInfo(
            id="INVENTORY-WEIGHT",
            reads=_ALL,
            severity=Severity.BLOCK,
            owner=Owner.CARRIER,
            source="CEB621: grossWeight is not below netWeight",
            outcome=Outcome.BLOCKED,
            zh=Text(
                "清单重量",
                "商品净重合计 {net} 千克，大于运单毛重 {gross} 千克（{delta}）。",
                "请核对运单毛重与商品备案的净重。",
            ),
            en=Text(
                "Weights of the inventory",
                "The goods weigh {net} kg net, the whole parcel only {gross} kg ({delta}).",
                "Check the parcel's weight and the net weights of the goods records.",
            ),
        ),
        weight,
    ),
    Rule(
        RuleInfo(
            id="INVENTORY-FREIGHT",
            reads=_ALL,
            severity=Severity.WARN,
            owner=Owner.CARRIER,
            source="CEB311/621: freight of inventory and order",
            zh=Text(
                "运费",
                "订单运费 {ordered}，清单将按运单申报 {carried}，相差 {delta}。",
                "请核对运费：运单运费应与订单一致。",
            ),
            en=Text(
                "Freight",
                "The order's freight is {ordered}; the inventory would declare the waybill's "
                "{carried} ({delta}).",
                "Check the freight: the waybill's should be the order's.",
            ),
        ),
        freight,
    ),
    Rule(
        RuleInfo(
            id="INVENTORY-STATUTORY-KG",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.DECLARANT,
            source="CEB621: a statutory quantity in kilograms is the net weight",
            parameters={"share": Decimal("0.03")},
            zh=Text(
                "法定数量（千克）",
                "第 {line} 行商品 {sku} 每单位法定数量折 {statutory} 千克，净重为 {net} 千克。",
                "请核对商品备案的换算系数与净重。",
            ),
            en=Text(
                "Statutory quantity in kilograms",
                "A unit of {sku} (line {line}) counts {statutory} kg by its factor and weighs "
                "{net} kg net.",
                "Check the factor and the net weight of the goods record.",
            ),
        ),
        statutory_kg,
    ),
    Rule(
        RuleInfo(
            id="INVENTORY-FORBIDDEN",
            reads=_WAYBILL,
            severity=Severity.WARN,
            owner=Owner.CARRIER,
            source="CEB621: trafNo, voyageNo and billNo are left out in bonded modes",
            zh=Text(
                "保税模式不填项",
                "保税模式不填 {path}（{element}），清单中将不申报。",
                "请确认监管方式；保税货物请去掉该编号。",
            ),
            en=Text(
                "Left out in bonded modes",
                "{path} ({element}) has no place in a bonded mode and is not declared.",
                "Make sure of the trade mode; take the number out for bonded goods.",
            ),
        ),
        forbidden,
    ),
)
