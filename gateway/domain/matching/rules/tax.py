"""Rules about taxes: what the order withheld against what the rates come to."""

from decimal import Decimal
from typing import Final

from gateway.domain.findings import LedgerRow, Severity
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
    number,
)
from gateway.domain.papers import PaperKind
from gateway.domain.tax import TaxSum, rates_of, tax_of

_ORDER: Final = (PaperKind.ORDER,)
_ZERO: Final = Decimal(0)


def _due(facts: Facts, discount: Decimal = _ZERO) -> TaxSum | None:
    """What the rates come to; None when no line has rates at all, so there is nothing to compare.

    ``discount`` is taken off the value. A record that was not found is another rule's finding.
    """
    tables, day = facts.around.tables, facts.day
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        if record is None:
            return None
        if record.vat_rate is not None or rates_of(record, tables, day) is not None:
            break
    else:
        return None
    is_full = facts.dutiable() > facts.limit.single
    return tax_of(
        facts.lines, facts.goods, tables, day, costs=facts.costs() - discount, is_full=is_full
    )


def amount(facts: Facts, *, tolerance: Decimal, share: Decimal) -> Faults:
    """The tax withheld is about what is due; none withheld is legal.

    Platforms count it on the value with or without what was paid without cash: both pass.
    """
    tax = facts.order.tax.amount
    if not tax:
        return HOLDS
    due = _due(facts)
    if due is None:
        return HOLDS
    if due.unknown:
        places = [f"order.lines.{line_no}" for line_no in due.unknown]
        return (Fault(paths=dict.fromkeys(places), is_verifiable=False),)
    total = due.total
    slack = max(tolerance, total * share)
    if abs(tax - total) <= slack:
        return HOLDS
    discount = facts.order.discount.amount
    less = _due(facts, discount) if discount and tax < total else None
    if less is not None and less.total - slack <= tax:
        return HOLDS
    delta = difference(tax - total)
    rows = [
        LedgerRow(f"order.lines.{line.line_no}.{name}", number(value))
        for line in due.lines
        for name, value in (
            ("tariff", line.tariff),
            ("consumption_tax", line.consumption),
            ("vat", line.vat),
        )
        if value
    ]
    return (
        Fault(
            paths={"order.tax": number(tax)},
            params={"tax": number(tax), "due": number(total), "delta": delta}
            | {"share": "100" if due.is_full else "70"},
            delta=delta,
            fixes=(fact_fix("order.tax", Owner.SELLER, number(total)),),
            ledger=(*rows, LedgerRow("due", number(total)), LedgerRow("delta", delta)),
        ),
    )


def rate_year(facts: Facts) -> Faults:
    """The rates of a goods record are those of the year."""
    year = facts.day.year
    found = []
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        if record is None or record.rate_year is None or record.rate_year >= year:
            continue
        path = f"goods:{line.sku}.rate_year"
        found.append(
            Fault(
                paths={path: str(record.rate_year)},
                params={"line": str(line.line_no), "sku": line.sku, "year": str(year)}
                | {"recorded": str(record.rate_year)},
                fixes=(fact_fix(path, Owner.DECLARANT),),
            )
        )
    return found


def rate(facts: Facts) -> Faults:
    """The rates of a goods record are those of the imported rate table."""
    tables = facts.around.tables
    if not tables.rates:
        return HOLDS
    found = []
    for line in facts.lines:
        record = facts.goods.get(line.sku)
        row = None if record is None else tables.rate(record.hs_code, facts.day)
        if record is None or row is None:
            continue
        pairs = (
            ("vat_rate", record.vat_rate, row.vat),
            ("consumption_rate", record.consumption_rate, row.consumption),
            ("tariff_rate", record.tariff_rate, row.tariff),
        )
        for name, recorded, listed in pairs:
            if recorded is None or recorded == listed:
                continue
            path = f"goods:{line.sku}.{name}"
            found.append(
                Fault(
                    paths={
                        path: number(recorded),
                        f"table:tax-rates.{record.hs_code}.{name}": number(listed),
                    },
                    params={"line": str(line.line_no), "sku": line.sku, "name": name}
                    | {"recorded": number(recorded), "listed": number(listed)},
                    fixes=(fact_fix(path, Owner.DECLARANT, number(listed)),),
                )
            )
    return found


def billed(facts: Facts, *, tolerance: Decimal, share: Decimal) -> Faults:
    """Customs' tax bill charges about what was withheld from the buyer.

    Tax on lines that came back is not levied, so a bill may also leave that out.
    """
    charged, returned = facts.around.billed_tax, facts.around.returned_tax
    tax = facts.order.tax.amount
    if charged is None:
        return HOLDS
    slack = max(tolerance, charged * share)
    if abs(charged - tax) <= slack or abs(charged - (tax - returned)) <= slack:
        return HOLDS
    delta = difference(tax - charged)
    return (
        Fault(
            paths={"order.tax": number(tax), "bill.tax": number(charged)},
            params={"tax": number(tax), "charged": number(charged), "delta": delta},
            delta=delta,
            fixes=(fact_fix("order.tax", Owner.SELLER, number(charged)),),
            ledger=(
                LedgerRow("order.tax", number(tax)),
                LedgerRow("bill.tax", number(charged)),
                LedgerRow("delta", delta),
            ),
        ),
    )


RULES: Final = (
    Rule(
        RuleInfo(
            id="TAX-AMOUNT",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.SELLER,
            source="70 % of VAT and consumption tax within the limits, full rates above",
            parameters={"tolerance": Decimal("0.05"), "share": Decimal("0.01")},
            zh=Text(
                "代扣税款",
                "订单代扣税款 {tax}，按税率（征收比例 {share}%）计算应为 {due}，相差 {delta}。",
                "请商家核对税款，或更新商品备案的税率。",
            ),
            en=Text(
                "Tax withheld",
                "The order withheld {tax} of tax; the rates ({share} % due) come to {due} "
                "({delta}).",
                "Have the seller check the tax, or bring the rates of the goods record up to date.",
            ),
        ),
        amount,
    ),
    Rule(
        RuleInfo(
            id="TAX-RATE-YEAR",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.DECLARANT,
            source="the tariff changes on 1 January of each year",
            zh=Text(
                "税率年度",
                "第 {line} 行商品 {sku} 的税率是 {recorded} 年的，申报年度为 {year}。",
                "请按 {year} 年税则更新商品备案。",
            ),
            en=Text(
                "Year of the rates",
                "The rates of {sku} (line {line}) are those of {recorded}; it is {year}.",
                "Bring the goods record up to the tariff of {year}.",
            ),
        ),
        rate_year,
    ),
    Rule(
        RuleInfo(
            id="TAX-RATE",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.DECLARANT,
            source="the imported table of tax rates",
            zh=Text(
                "备案税率",
                "第 {line} 行商品 {sku} 备案的 {name} 为 {recorded}，税率表为 {listed}。",
                "请核对商品编码，并按税率表更新备案。",
            ),
            en=Text(
                "Rates of the goods record",
                "The {name} of {sku} (line {line}) is {recorded}, in the rate table {listed}.",
                "Check the HS code and bring the goods record up to the table.",
            ),
        ),
        rate,
        reads_around="tables",
    ),
    Rule(
        RuleInfo(
            id="TAX-BILL",
            reads=_ORDER,
            severity=Severity.WARN,
            owner=Owner.SELLER,
            source="CEB816: the tax bill after release",
            parameters={"tolerance": Decimal("0.05"), "share": Decimal("0.01")},
            zh=Text(
                "电子税单",
                "海关税单金额 {charged}，订单代扣税款 {tax}，相差 {delta}。",
                "请核对商品税率，并与商家结清差额。",
            ),
            en=Text(
                "Tax bill",
                "Customs charges {charged}, the order withheld {tax} ({delta}).",
                "Check the rates and settle the difference with the seller.",
            ),
        ),
        billed,
        reads_around="billed_tax",
    ),
)
