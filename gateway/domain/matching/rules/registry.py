"""Rules about imported tables: positive list, account book, registered enterprises, guarantee.

A table that was never imported asks nothing. The newest positive list of this year or an earlier
one counts, because a list stays in force until the next one.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from gateway.domain.findings import Severity
from gateway.domain.goods import GoodsRecord
from gateway.domain.matching.facts import Facts
from gateway.domain.matching.rule import (
    HOLDS,
    Check,
    Fault,
    Faults,
    Owner,
    Rule,
    RuleInfo,
    Text,
    fact_fix,
    form_fix,
    number,
)
from gateway.domain.papers import OrderLine, PaperKind
from gateway.domain.party import normal_name
from gateway.domain.tables import PositiveItem, StockItem

_ORDER: Final = (PaperKind.ORDER,)


def _listed(facts: Facts) -> Iterator[tuple[OrderLine, GoodsRecord, PositiveItem | None]]:
    """Every line that has a goods record, with its entry in the newest list in force."""
    tables = facts.around.tables
    years = [year for year in tables.positive if year <= facts.day.year]
    if not years:
        return
    year = max(years)
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        if record is not None:
            yield line, record, tables.positive_item(record.hs_code, year)


def positive_list(facts: Facts) -> Faults:
    """The tariff number of each line is on the positive list."""
    return [
        Fault(
            paths={f"goods:{line.sku}.hs_code": record.hs_code},
            params={"line": str(line.line_no), "sku": line.sku, "hs_code": record.hs_code},
            fixes=(fact_fix(f"goods:{line.sku}.hs_code", Owner.DECLARANT),),
        )
        for line, record, item in _listed(facts)
        if item is None
    ]


def list_mode(facts: Facts) -> Faults:
    """The remark of the positive list allows the trade mode."""
    mode = facts.profile.mode.value
    return [
        Fault(
            paths={f"goods:{line.sku}.hs_code": record.hs_code, "profile.mode": mode},
            params={"line": str(line.line_no), "sku": line.sku, "hs_code": record.hs_code}
            | {"mode": mode, "modes": ", ".join(sorted(item.modes)), "remark": item.remark or "-"},
            fixes=(fact_fix(f"goods:{line.sku}.hs_code", Owner.DECLARANT),),
        )
        for line, record, item in _listed(facts)
        if item is not None and mode not in item.modes
    ]


def _booked(facts: Facts) -> Iterator[tuple[OrderLine, GoodsRecord, StockItem | None]]:
    """Every line with its item in the account book; nothing where the book was not imported."""
    book = facts.profile.account_book
    tables = facts.around.tables
    if facts.view.is_direct or not book or book not in tables.books:
        return
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        if record is not None and record.item_record_no:
            yield line, record, tables.stock.get((book, record.item_record_no))


def item_unknown(facts: Facts) -> Faults:
    """The account book has the item of each line."""
    return [
        Fault(
            paths={f"goods:{line.sku}.item_record_no": record.item_record_no},
            params={"line": str(line.line_no), "sku": line.sku}
            | {"item": record.item_record_no or "-", "book": facts.profile.account_book or "-"},
            fixes=(fact_fix(f"goods:{line.sku}.item_record_no", Owner.DECLARANT),),
        )
        for line, record, item in _booked(facts)
        if item is None
    ]


def item_hs(facts: Facts) -> Faults:
    """The account book has the item under the tariff number of its goods record."""
    return [
        _item_differs(line, "hs_code", record.hs_code, item)
        for line, record, item in _booked(facts)
        if item is not None and item.hs_code[:8] != record.hs_code[:8]
    ]


def item_unit(facts: Facts) -> Faults:
    """The account book counts the item in the unit of its goods record."""
    return [
        _item_differs(line, "unit", record.unit, item)
        for line, record, item in _booked(facts)
        if item is not None and item.unit != record.unit
    ]


def _item_differs(line: OrderLine, name: str, recorded: str, item: StockItem) -> Fault:
    booked = item.hs_code if name == "hs_code" else item.unit
    path = f"goods:{line.sku}.{name}"
    return Fault(
        paths={path: recorded, f"table:account-stock.{item.item_record_no}.{name}": booked},
        params={"line": str(line.line_no), "sku": line.sku, "item": item.item_record_no}
        | {"recorded": recorded, "booked": booked},
        fixes=(fact_fix(path, Owner.DECLARANT, booked),),
    )


def stock(facts: Facts) -> Faults:
    """The account book still holds what the order takes out of it."""
    wanted: dict[str, Decimal] = {}
    items: dict[str, tuple[OrderLine, StockItem]] = {}
    for line, _, item in _booked(facts):
        if item is not None:
            no = item.item_record_no
            wanted[no] = wanted.get(no, Decimal(0)) + line.quantity
            items.setdefault(no, (line, item))
    found = []
    for no, quantity in wanted.items():
        line, item = items[no]
        if quantity > item.quantity:
            found.append(
                Fault(
                    paths={
                        f"order.lines.{line.line_no}.quantity": number(quantity),
                        f"table:account-stock.{no}.quantity": number(item.quantity),
                    },
                    params={"item": no, "sku": line.sku, "wanted": number(quantity)}
                    | {"left": number(item.quantity)},
                    fixes=(fact_fix(f"order.lines.{line.line_no}.quantity", Owner.SELLER),),
                )
            )
    return found


def _parties(facts: Facts) -> list[tuple[str, str, str]]:
    """The enterprises of this declaration: place, code and name; no code twice."""
    profile = facts.profile
    found = [
        ("profile.merchant", profile.merchant),
        ("profile.agent", profile.agent),
        ("profile.area", profile.area),
        ("profile.carriers", profile.carrier(facts.waybill.carrier_code)),
        ("profile.payment_companies", profile.payment_company(facts.payment.company_code)),
    ]
    first: dict[str, tuple[str, str, str]] = {}
    for path, party in found:
        if party is not None:
            first.setdefault(party.code, (path, party.code, party.name))
    return list(first.values())


def enterprise(facts: Facts) -> Faults:
    """Every enterprise of the declaration is registered on the day."""
    known = facts.around.tables.enterprises
    if not known:
        return HOLDS
    found = []
    for path, code, _ in _parties(facts):
        entry = known.get(code)
        if entry is None or not entry.holds_on(facts.day):
            found.append(
                Fault(
                    paths={f"{path}.code": code},
                    params={"role": path.removeprefix("profile."), "code": code}
                    | {"day": facts.day.isoformat()},
                    fixes=(fact_fix(f"{path}.code", Owner.DECLARANT),),
                )
            )
    return found


def enterprise_name(facts: Facts) -> Faults:
    """Every enterprise is named as it is registered."""
    known = facts.around.tables.enterprises
    if not known:
        return HOLDS
    found = []
    for path, code, name in _parties(facts):
        entry = known.get(code)
        if entry is None or entry.name == name:
            continue
        is_form = normal_name(entry.name) == normal_name(name)
        fix = form_fix if is_form else fact_fix
        found.append(
            Fault(
                paths={f"{path}.name": name, f"table:enterprises.{code}.name": entry.name},
                params={"role": path.removeprefix("profile."), "code": code}
                | {"name": name, "registered": entry.name},
                fixes=(fix(f"{path}.name", Owner.DECLARANT, entry.name),),
            )
        )
    return found


def guarantee(facts: Facts) -> Faults:
    """The guarantor's security covers the tax of this order too."""
    profile = facts.profile
    left = facts.around.tables.guarantee_left(profile.assure_code, profile.customs_code, facts.day)
    tax = facts.order.tax.amount
    if left is None or tax <= left:
        return HOLDS
    code = profile.assure_code
    return (
        Fault(
            paths={"profile.assure_code": code, "order.tax": number(tax)},
            params={"code": code, "tax": number(tax), "left": number(left)},
            fixes=(fact_fix("profile.assure_code", Owner.DECLARANT),),
        ),
    )


def _rule(
    rule_id: str,
    check: Check,
    source: str,
    zh: Text,
    en: Text,
    severity: Severity = Severity.BLOCK,
) -> Rule:
    info = RuleInfo(
        id=rule_id,
        reads=_ORDER,
        severity=severity,
        owner=Owner.DECLARANT,
        source=source,
        zh=zh,
        en=en,
    )
    return Rule(info, check, reads_around="tables")


_LIST: Final = "positive list of cross-border e-commerce retail imports, of the year"
_BOOK: Final = "account book of the bonded warehouse; CEB621 itemRecordNo"

RULES: Final = (
    _rule(
        "REGISTRY-POSITIVE-LIST",
        positive_list,
        _LIST,
        Text(
            "正面清单",
            "第 {line} 行商品 {sku} 的税号 {hs_code} 不在正面清单内。",
            "请核对归类；不在清单内的商品不能按跨境电商零售进口申报。",
        ),
        Text(
            "Positive list",
            "The tariff number {hs_code} of {sku} (line {line}) is not on the positive list.",
            "Check the classification; what is not listed cannot come in this way.",
        ),
    ),
    _rule(
        "REGISTRY-LIST-MODE",
        list_mode,
        _LIST,
        Text(
            "正面清单备注",
            "第 {line} 行商品 {sku} 的税号 {hs_code} 只限 {modes}，不适用 {mode}（{remark}）。",
            "请改用清单允许的监管方式，或核对归类。",
        ),
        Text(
            "Remark of the positive list",
            "The tariff number {hs_code} of {sku} (line {line}) is for {modes} only, not for "
            "{mode} ({remark}).",
            "Use a trade mode that the list allows, or check the classification.",
        ),
    ),
    _rule(
        "REGISTRY-ITEM-UNKNOWN",
        item_unknown,
        _BOOK,
        Text(
            "账册料号",
            "第 {line} 行商品 {sku} 的料号 {item} 不在账册 {book} 中。",
            "请核对账册备案料号。",
        ),
        Text(
            "Item of the account book",
            "Item {item} of {sku} (line {line}) is not in account book {book}.",
            "Check the item number of the goods record.",
        ),
    ),
    _rule(
        "REGISTRY-ITEM-HS",
        item_hs,
        _BOOK,
        Text(
            "账册税号",
            "第 {line} 行商品 {sku} 备案税号 {recorded}，账册料号 {item} 为 {booked}。",
            "请按账册更正商品备案，或变更账册。",
        ),
        Text(
            "Tariff number in the account book",
            "{sku} (line {line}) is recorded under {recorded}, item {item} of the account book "
            "under {booked}.",
            "Correct the goods record by the account book, or have the book changed.",
        ),
    ),
    _rule(
        "REGISTRY-ITEM-UNIT",
        item_unit,
        _BOOK,
        Text(
            "账册计量单位",
            "第 {line} 行商品 {sku} 备案单位 {recorded}，账册料号 {item} 为 {booked}。",
            "请按账册单位更正备案并换算数量。",
        ),
        Text(
            "Unit in the account book",
            "{sku} (line {line}) is counted in {recorded}, item {item} of the account book in "
            "{booked}.",
            "Correct the unit of the goods record by the account book and convert quantities.",
        ),
    ),
    _rule(
        "REGISTRY-STOCK",
        stock,
        _BOOK,
        Text(
            "账册库存",
            "商品 {sku} 需要 {wanted}，账册料号 {item} 仅余 {left}。",
            "请补充入区，或减少数量。",
        ),
        Text(
            "Stock of the account book",
            "{wanted} of {sku} are wanted, item {item} of the account book has {left} left.",
            "Bring more into the zone, or take less.",
        ),
    ),
    _rule(
        "REGISTRY-ENTERPRISE",
        enterprise,
        "the imported table of registered enterprises",
        Text(
            "企业注册",
            "{role} 的企业代码 {code} 在 {day} 没有有效注册。",
            "请核对代码或办理注册。",
        ),
        Text(
            "Registration of an enterprise",
            "The code {code} of {role} has no valid registration on {day}.",
            "Check the code, or have the enterprise registered.",
        ),
    ),
    _rule(
        "REGISTRY-NAME",
        enterprise_name,
        "the imported table of registered enterprises",
        Text(
            "企业注册名称",
            "{role}（{code}）写作 {name}，注册名称为 {registered}。",
            "请按注册名称填写申报方案。",
        ),
        Text(
            "Registered name",
            "{role} ({code}) is named {name}; it is registered as {registered}.",
            "Use the registered name in the filing profile.",
        ),
        Severity.WARN,
    ),
    _rule(
        "REGISTRY-GUARANTEE",
        guarantee,
        "security of the guarantor (assureCode) less unsettled tax bills (816)",
        Text(
            "担保额度",
            "担保企业 {code} 剩余额度 {left} 元，不足以覆盖本单税款 {tax} 元。",
            "请增加担保或等待税单核销。",
        ),
        Text(
            "Guarantee",
            "The security of {code} covers {left} CNY more, less than this order's tax of {tax} "
            "CNY.",
            "Raise the security, or wait until tax bills are settled.",
        ),
        Severity.WARN,
    ),
)
