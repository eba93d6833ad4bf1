"""Rules about the order alone: its sums, its lines and its texts."""

from dataclasses import replace
from decimal import Decimal
from typing import Final

from gateway.domain.findings import Confidence, Fix, LedgerRow, Severity
from gateway.domain.matching.facts import NO_ORDER, Facts
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
    form_fix,
    number,
)
from gateway.domain.matching.texts import TextProblem
from gateway.domain.money import CNY
from gateway.domain.papers import DeductionKind, Order, OrderLine, PaperKind

_ORDER: Final = (PaperKind.ORDER,)
_SHORT_SKU: Final = 20


def missing(facts: Facts) -> Faults:
    """The order has come."""
    return (Fault(paths={"order": None}),) if facts.order is NO_ORDER else HOLDS


def head_sum(facts: Facts, *, tolerance: Decimal) -> Faults:
    """What was paid is goods and freight and tax less the non-cash part."""
    order = facts.order
    goods, freight = order.goods_value.amount, order.freight.amount
    tax, discount, paid = order.tax.amount, order.discount.amount, order.paid.amount
    due = goods + freight + tax - discount
    if paid == due or abs(paid - due) <= tolerance:
        return HOLDS
    values = {
        "goods_value": number(goods),
        "freight": number(freight),
        "tax": number(tax),
        "discount": number(discount),
        "paid": number(paid),
    }
    return (
        Fault(
            paths={f"order.{name}": value for name, value in values.items()},
            params={**values, "due": number(due), "delta": difference(paid - due)},
            delta=difference(paid - due),
            fixes=_head_fixes(order, goods + freight + tax - paid),
            ledger=(
                LedgerRow("order.goods_value", number(goods)),
                LedgerRow("order.freight", difference(freight)),
                LedgerRow("order.tax", difference(tax)),
                LedgerRow("order.discount", difference(-discount)),
                LedgerRow("due", number(due)),
                LedgerRow("order.paid", number(paid)),
                *trace(order, paid - due),
            ),
        ),
    )


def _head_fixes(order: Order, discount: Decimal) -> tuple[Fix, ...]:
    """A discount is proposed only where the shop's records of what paid without cash give it."""
    records = [
        (f"order.deductions.{at}", one.amount.amount)
        for at, one in enumerate(order.deductions, 1)
        if not one.is_in_prices
        and not one.kind.lowers_price
        and one.kind is not DeductionKind.UNKNOWN
    ]
    paid = fact_fix("order.paid", Owner.SELLER)
    if records and sum(amount for _, amount in records) == discount:
        places = tuple(path for path, _ in records)
        known = fact_fix("order.discount", Owner.SELLER, number(discount))
        return (replace(known, confidence=Confidence.HIGH, evidence=places), paid)
    return (paid, fact_fix("order.discount", Owner.SELLER))


def lines_sum(facts: Facts, *, tolerance: Decimal) -> Faults:
    """The line totals add up to the goods value."""
    total = Decimal(0)
    for line in facts.lines:
        total += line.total.amount
    goods = facts.order.goods_value.amount
    if total == goods or abs(total - goods) <= tolerance:
        return HOLDS
    delta = difference(total - goods)
    return (
        Fault(
            paths={"order.goods_value": number(goods), "order.lines": number(total)},
            params={"goods_value": number(goods), "total": number(total), "delta": delta},
            delta=delta,
            fixes=(fact_fix("order.goods_value", Owner.SELLER, number(total)),),
            ledger=(
                LedgerRow("order.lines", number(total)),
                LedgerRow("order.goods_value", number(goods)),
                *trace(facts.order, total - goods),
            ),
        ),
    )


def line_total(facts: Facts, *, tolerance: Decimal) -> Faults:
    """Each line total is quantity times price; a gift has price 0."""
    found = []
    for line in facts.lines:
        due = line.quantity * line.price.amount
        if line.total.amount != due:
            found.append(_line_total_fault(line, due, tolerance))
    return found


def _line_total_fault(line: OrderLine, due: Decimal, tolerance: Decimal) -> Fault:
    delta = line.total.amount - due
    path = f"order.lines.{line.line_no}."
    return Fault(
        paths={
            path + "total": number(line.total.amount),
            path + "quantity": number(line.quantity),
            path + "price": number(line.price.amount),
        },
        params={
            "line": str(line.line_no),
            "total": number(line.total.amount),
            "due": number(due),
            "delta": difference(delta),
        },
        delta=difference(delta),
        fixes=(fact_fix(path + "total", Owner.SELLER, number(due)),),
        severity=Severity.NOTE if abs(delta) <= tolerance else None,
    )


def currency(facts: Facts) -> Faults:
    """Every amount of the order is in CNY."""
    order = facts.order
    amounts = [order.goods_value, order.freight, order.discount, order.tax, order.paid]
    for line in facts.lines:
        amounts.append(line.price)
        amounts.append(line.total)
    for amount in amounts:
        if amount.currency != CNY:
            break
    else:
        return HOLDS
    others = sorted({amount.currency for amount in amounts} - {CNY})
    paths: dict[str, str | None] = {
        f"order.{name}": getattr(order, name).currency
        for name in ("goods_value", "freight", "discount", "tax", "paid")
        if getattr(order, name).currency != CNY
    }
    for line in facts.lines:
        for name, amount in (("price", line.price), ("total", line.total)):
            if amount.currency != CNY:
                paths[f"order.lines.{line.line_no}.{name}"] = amount.currency
    fixes = tuple(fact_fix(path, Owner.SELLER) for path in paths)
    return (Fault(paths=paths, params={"currencies": ", ".join(others)}, fixes=fixes),)


def line_numbers(facts: Facts) -> Faults:
    """Lines are numbered 1, 2, 3 … without a gap or a repetition."""
    expected = 1
    for line in facts.lines:
        if line.line_no != expected:
            break
        expected += 1
    else:
        return HOLDS
    numbers = ", ".join(str(line.line_no) for line in facts.lines)
    return (
        Fault(
            paths={"order.lines": numbers},
            params={"numbers": numbers},
            fixes=(form_fix("order.lines", Owner.SELLER),),
        ),
    )


def line_count(facts: Facts, *, most: int) -> Faults:
    """An order has at least one line, and no more than a record can carry."""
    count = len(facts.lines)
    if 0 < count <= most:
        return HOLDS
    return (
        Fault(
            paths={"order.lines": str(count)},
            params={"count": str(count), "most": str(most)},
            fixes=(fact_fix("order.lines", Owner.SELLER),),
        ),
    )


def line_quantity(facts: Facts) -> Faults:
    """Each quantity is greater than 0, and no price is below 0."""
    found = []
    for line in facts.lines:
        if line.quantity > 0 and line.price.amount >= 0:
            continue
        path = f"order.lines.{line.line_no}."
        values = {"quantity": number(line.quantity), "price": number(line.price.amount)}
        found.append(
            Fault(
                paths={path + name: value for name, value in values.items()},
                params={"line": str(line.line_no), **values},
                fixes=(fact_fix(path + "quantity", Owner.SELLER),),
            )
        )
    return found


def mandatory(facts: Facts) -> Faults:
    """Every text that the order or the inventory must carry is there, in full."""
    texts = facts.order_texts()
    if not texts:
        return HOLDS
    return [
        Fault(
            paths={text.path: None},
            params={"path": text.path, "element": text.field.element},
            fixes=(fact_fix(text.path, Owner.SELLER),),
        )
        for text in texts
        if text.problem is TextProblem.MISSING
    ]


def text_length(facts: Facts) -> Faults:
    """Every text fits its field."""
    texts = facts.order_texts()
    if not texts:
        return HOLDS
    return [
        Fault(
            paths={text.path: text.detail},
            params={
                "path": text.path,
                "element": text.field.element,
                "length": text.detail,
                "longest": str(text.field.longest),
            },
            fixes=(form_fix(text.path, Owner.SELLER),),
        )
        for text in texts
        if text.problem is TextProblem.LENGTH
    ]


def text_characters(facts: Facts) -> Faults:
    """No text holds a character that XML cannot carry."""
    texts = facts.order_texts()
    if not texts:
        return HOLDS
    return [
        Fault(
            paths={text.path: text.detail},
            params={"path": text.path, "character": text.detail},
            fixes=(form_fix(text.path, Owner.SELLER),),
        )
        for text in texts
        if text.problem is TextProblem.CHARACTER
    ]


def sku_length(facts: Facts) -> Faults:
    """A SKU fits itemNo of the inventory as the newer schema has it (20); the older allows 30."""
    for line in facts.lines:
        if len(line.sku) > _SHORT_SKU:
            break
    else:
        return HOLDS
    return [
        Fault(
            paths={f"order.lines.{line.line_no}.sku": str(len(line.sku))},
            params={"line": str(line.line_no), "length": str(len(line.sku))},
            fixes=(fact_fix(f"order.lines.{line.line_no}.sku", Owner.SELLER),),
        )
        for line in facts.lines
        if _SHORT_SKU < len(line.sku)
    ]


RULES: Final = (
    Rule(
        RuleInfo(
            id="ORDER-MISSING",
            reads=(),
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="COLLECTING until the deadline of the profile",
            outcome=Outcome.WAITING,
            zh=Text("缺少订单", "尚未收到订单。", "请商家或平台推送订单。"),
            en=Text(
                "Order missing",
                "The order has not come.",
                "Ask the seller or the platform to send the order.",
            ),
        ),
        missing,
    ),
    Rule(
        RuleInfo(
            id="ORDER-LINE-COUNT",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311/621 XSD: OrderList and InventoryList 1..99",
            code="-301001",
            parameters={"most": 99},
            zh=Text(
                "商品行数",
                "订单有 {count} 行商品，只允许 1 至 {most} 行。",
                "请补齐商品行，或拆分为多个申报订单。",
            ),
            en=Text(
                "Number of lines",
                "The order has {count} lines; 1 to {most} are possible.",
                "Add the lines, or split the order into several declared orders.",
            ),
        ),
        line_count,
    ),
    Rule(
        RuleInfo(
            id="ORDER-LINE-NUMBERS",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311: gnum is consecutive from 1",
            code="-301002",
            zh=Text(
                "商品序号",
                "商品序号应从 1 连续编号，现为 {numbers}。",
                "请重新编号，不得重复或跳号。",
            ),
            en=Text(
                "Line numbers",
                "Lines must be numbered 1, 2, 3 …; the order has {numbers}.",
                "Number the lines again, without a gap or a repetition.",
            ),
        ),
        line_numbers,
    ),
    Rule(
        RuleInfo(
            id="ORDER-LINE-QUANTITY",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311: qty N19,5; price 0 is for gifts",
            zh=Text(
                "数量与单价",
                "第 {line} 行数量 {quantity}、单价 {price}：数量必须大于 0，单价不得为负。",
                "请商家更正该行。",
            ),
            en=Text(
                "Quantity and price",
                "Line {line} has quantity {quantity} and price {price}: the quantity must be "
                "greater than 0 and the price not below 0.",
                "Ask the seller to correct the line.",
            ),
        ),
        line_quantity,
    ),
    Rule(
        RuleInfo(
            id="ORDER-LINE-TOTAL",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311: totalPrice = qty * price; up to 0.01 is a note",
            parameters={"tolerance": Decimal("0.01")},
            zh=Text(
                "行总价",
                "第 {line} 行总价 {total} 与数量×单价 {due} 相差 {delta}。",
                "请更正该行的总价、单价或数量。",
            ),
            en=Text(
                "Line total",
                "Line {line} totals {total}, but quantity × price is {due} ({delta}).",
                "Correct the line's total, price or quantity.",
            ),
        ),
        line_total,
    ),
    Rule(
        RuleInfo(
            id="ORDER-LINES-SUM",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311: goodsValue is the sum of totalPrice",
            parameters={"tolerance": Decimal(0)},
            zh=Text(
                "商品总价",
                "各行总价合计 {total}，与商品价格 {goods_value} 相差 {delta}。",
                "直接降价请调低行价；积分、代金券等非现金部分请计入 discount。",
            ),
            en=Text(
                "Sum of lines",
                "The lines total {total}, the goods value is {goods_value} ({delta}).",
                "A price cut lowers the lines; points and vouchers belong into the discount.",
            ),
        ),
        lines_sum,
    ),
    Rule(
        RuleInfo(
            id="ORDER-HEAD-SUM",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311: acturalPaid = goodsValue + freight + taxTotal - discount",
            parameters={"tolerance": Decimal(0)},
            zh=Text(
                "实付金额",
                "实付 {paid} 不等于 商品 {goods_value} + 运费 {freight} + 税款 {tax} - 抵扣 "
                "{discount} = {due}，相差 {delta}。",
                "请商家核对实付金额与非现金抵扣，并说明抵扣的种类。",
            ),
            en=Text(
                "Amount paid",
                "Paid {paid} is not goods {goods_value} + freight {freight} + tax {tax} - "
                "discount {discount} = {due} ({delta}).",
                "Ask the seller to check the amount paid and the discount, and what kind it is.",
            ),
        ),
        head_sum,
    ),
    Rule(
        RuleInfo(
            id="ORDER-CURRENCY",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311: currency is fixed to 142",
            zh=Text(
                "订单币制",
                "订单金额使用了 {currencies}，只能以人民币申报。",
                "请商家按人民币成交价提供金额。",
            ),
            en=Text(
                "Currency of the order",
                "The order has amounts in {currencies}; only CNY can be declared.",
                "Ask the seller for the amounts of the deal in CNY.",
            ),
        ),
        currency,
    ),
    Rule(
        RuleInfo(
            id="ORDER-MANDATORY",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311/621 XSD: mandatory elements; a masked value cannot be filed",
            zh=Text(
                "订单必填项",
                "{path}（{element}）缺失或被脱敏，无法申报。",
                "请商家提供完整的值。",
            ),
            en=Text(
                "Mandatory fields of the order",
                "{path} ({element}) is absent or masked and cannot be declared.",
                "Ask the seller for the full value.",
            ),
        ),
        mandatory,
    ),
    Rule(
        RuleInfo(
            id="ORDER-TEXT-LENGTH",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="CEB311/621 XSD: length facets of the edition",
            zh=Text(
                "订单字段长度",
                "{path}（{element}）有 {length} 个字符，规定 {longest} 个。",
                "请缩短或更正该字段。",
            ),
            en=Text(
                "Lengths of the order's texts",
                "{path} ({element}) has {length} characters; the schema allows {longest}.",
                "Shorten or correct the field.",
            ),
        ),
        text_length,
    ),
    Rule(
        RuleInfo(
            id="ORDER-TEXT-CHARACTERS",
            reads=_ORDER,
            severity=Severity.BLOCK,
            owner=Owner.SELLER,
            source="XML 1.0, production Char",
            zh=Text(
                "订单非法字符",
                "{path} 含有 XML 不允许的字符 {character}。",
                "请删除该字符。",
            ),
            en=Text(
                "Characters of the order's texts",
                "{path} holds the character {character}, which XML cannot carry.",
                "Remove the character.",
            ),
        ),
        text_characters,
    ),
    Rule(
        RuleInfo(
            id="ORDER-SKU-LENGTH",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.SELLER,
            source="CEB621 itemNo: 20 in the 2022 XSD, 30 in the 2018 XSD",
            zh=Text(
                "货号长度",
                "第 {line} 行货号有 {length} 个字符，部分口岸只接受 20 个。",
                "请确认口岸接受的长度，或改用较短的货号。",
            ),
            en=Text(
                "Length of the SKU",
                "The SKU of line {line} has {length} characters; some ports take 20 only.",
                "Ask the port what it takes, or use a shorter SKU.",
            ),
        ),
        sku_length,
    ),
)
