"""Rules about goods records against the lines of an order."""

from typing import Final

from gateway.domain.findings import Severity
from gateway.domain.goods import GoodsRecord
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
    fact_fix,
)
from gateway.domain.papers import OrderLine, PaperKind

_ORDER: Final = (PaperKind.ORDER,)


def missing(facts: Facts) -> Faults:
    """Every SKU has a goods record in the scope of the profile."""
    for line in facts.lines:
        if line.sku not in facts.goods:
            break
    else:
        return HOLDS
    skus = dict.fromkeys(line.sku for line in facts.lines if line.sku not in facts.goods)
    return [
        Fault(
            paths={f"goods:{sku}": None},
            params={"sku": sku, "scope": str(facts.profile.goods_scope)},
            fixes=(fact_fix(f"goods:{sku}", Owner.DECLARANT),),
        )
        for sku in skus
    ]


def unit(facts: Facts) -> Faults:
    """A line is counted in the unit of its goods record."""
    found = []
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        if record is not None and record.unit != line.unit:
            found.append(_differs(line, "unit", line.unit, record.unit))
    return found


def origin(facts: Facts) -> Faults:
    """A line comes from the country of its goods record."""
    found = []
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        if record is not None and record.origin != line.origin:
            found.append(_differs(line, "origin", line.origin, record.origin))
    return found


def _differs(line: OrderLine, name: str, ordered: str, recorded: str) -> Fault:
    path = f"order.lines.{line.line_no}.{name}"
    return Fault(
        paths={path: ordered, f"goods:{line.sku}.{name}": recorded},
        params={"line": str(line.line_no), "ordered": ordered, "recorded": recorded},
        fixes=(
            fact_fix(path, Owner.SELLER, recorded),
            fact_fix(f"goods:{line.sku}.{name}", Owner.DECLARANT, ordered),
        ),
    )


def valid(facts: Facts) -> Faults:
    """A goods record holds on the day."""
    day = facts.day
    found = []
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        if record is not None and not record.holds_on(day):
            found.append(_not_valid(line, record, day.isoformat()))
    return found


def _not_valid(line: OrderLine, record: GoodsRecord, day: str) -> Fault:
    since = record.valid_from.isoformat() if record.valid_from else "-"
    until = record.valid_to.isoformat() if record.valid_to else "-"
    return Fault(
        paths={
            f"goods:{line.sku}.valid_from": since,
            f"goods:{line.sku}.valid_to": until,
        },
        params={"line": str(line.line_no), "sku": line.sku, "since": since, "until": until}
        | {"day": day},
        fixes=(fact_fix(f"goods:{line.sku}.valid_to", Owner.DECLARANT),),
    )


RULES: Final = (
    Rule(
        RuleInfo(
            id="GOODS-MISSING",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.DECLARANT,
            source="the inventory is a function of the goods records",
            outcome=Outcome.WAITING,
            zh=Text(
                "缺少商品备案",
                "商品 {sku} 在 {scope} 没有备案资料。",
                "请导入该商品的备案资料。",
            ),
            en=Text(
                "Goods record missing",
                "There is no goods record of {sku} for {scope}.",
                "Import the goods record.",
            ),
        ),
        missing,
    ),
    Rule(
        RuleInfo(
            id="GOODS-UNIT",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.DECLARANT,
            source="CEB311/621: lines correspond by gnum",
            code="1322",
            zh=Text(
                "计量单位",
                "第 {line} 行计量单位 {ordered}，商品备案为 {recorded}。",
                "请按备案单位换算数量，或更正备案。",
            ),
            en=Text(
                "Unit",
                "Line {line} is counted in unit {ordered}, its goods record in {recorded}.",
                "Convert the quantity to the recorded unit, or correct the record.",
            ),
        ),
        unit,
    ),
    Rule(
        RuleInfo(
            id="GOODS-ORIGIN",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.DECLARANT,
            source="CEB311/621: lines correspond by gnum",
            code="1322",
            zh=Text(
                "原产国",
                "第 {line} 行原产国 {ordered}，商品备案为 {recorded}。",
                "请核实原产国并更正订单或备案。",
            ),
            en=Text(
                "Country of origin",
                "Line {line} comes from {ordered}, its goods record says {recorded}.",
                "Find out which is right and correct the order or the record.",
            ),
        ),
        origin,
    ),
    Rule(
        RuleInfo(
            id="GOODS-VALID",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.DECLARANT,
            source="goods records are valid from/to",
            zh=Text(
                "备案有效期",
                "第 {line} 行商品 {sku} 的备案有效期为 {since} 至 {until}，不含 {day}。",
                "请导入当日有效的备案资料。",
            ),
            en=Text(
                "Validity of the goods record",
                "The record of {sku} (line {line}) holds from {since} to {until}, not on {day}.",
                "Import a goods record that is valid on the day.",
            ),
        ),
        valid,
    ),
)
