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
    if facts.view.is_direct:
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
    net = Decimal(0)
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        if record is None:
            return HOLDS
        net += line.quantity * record.net_weight_kg
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
)
