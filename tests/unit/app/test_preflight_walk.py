"""Files as shops really have them: the clean ones stay clean, each odd one gives its rule alone."""

from __future__ import annotations

import copy
import csv
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.app.test_preflight import GOODS, Rows, agreeing, judged, neighbour, told, written

Change = Callable[[Rows], Any]


def gift(rows: Rows) -> None:
    """Somebody else receives it."""
    for row in (rows[0], rows[2]):
        row["consignee"] |= {"name": "钱收礼", "phone": "13911112222", "address": "上海市另一路9号"}


def paid(rows: Rows, amount: str, **order: Any) -> None:
    rows[0] |= {"paid": amount, **order}
    rows[1]["amount"] = amount


def points(rows: Rows) -> None:
    paid(rows, "141.65", discount="10.00", deductions=[{"kind": "points", "amount": "10.00"}])


def coupon_and_points(rows: Rows) -> None:
    rows[0]["lines"][0] |= {"price": "119.00", "total": "119.00"}
    coupon = {"kind": "coupon", "amount": "20.00", "is_in_prices": True}
    both = [coupon, {"kind": "points", "amount": "5.00"}]
    paid(rows, "126.65", goods_value="119.00", discount="5.00", deductions=both)


def coupon_twice(rows: Rows) -> None:
    coupon_and_points(rows)
    paid(rows, "111.65", discount="20.00", deductions=rows[0]["deductions"][:1])


def coupon_as_discount(rows: Rows) -> None:
    paid(rows, "131.65", discount="20.00", deductions=[{"kind": "coupon", "amount": "20.00"}])


def deposit_and_balance(rows: Rows) -> None:
    balance = {**rows[1], "transaction_id": "PAY-BALANCE", "amount": "51.65", "part": "balance"}
    rows[1] |= {"amount": "100.00", "part": "deposit"}
    rows.append(balance)


def merged(rows: Rows) -> None:
    deposit_and_balance(rows)
    whole = {"transaction_id": "PAY-MERGED", "amount": "151.65", "part": "merged"}
    rows.append({**rows[1], **whole})


def one_payment_for_two_orders(whole: str) -> Change:
    def change(rows: Rows) -> None:
        other = neighbour()
        for slip in (rows[1], other[1]):
            slip |= {"original_id": "ORIGINAL-1", "original_amount": whole}
        rows.extend(other)

    return change


def worth(price: str, quantity: str = "1") -> Change:
    def change(rows: Rows) -> None:
        total = Decimal(price) * Decimal(quantity)
        rows[0]["lines"][0] |= {"price": price, "quantity": quantity, "total": str(total)}
        paid(rows, str(total + Decimal("12.65")), goods_value=str(total))
        rows[2]["gross_weight_kg"] = str(Decimal("1.3") * Decimal(quantity))

    return change


def taxed(**changes: Any) -> Change:
    def change(rows: Rows) -> None:
        rows[3] |= {"vat_rate": "0.13", "consumption_rate": "0"}
        rows[3] |= {name: value for name, value in changes.items() if name == "rate_year"}
        if "tax" in changes:
            total = str(Decimal("139.00") + Decimal(changes["tax"]))
            paid(rows, total, tax=changes["tax"])

    return change


def present(rows: Rows) -> None:
    """A line that costs nothing."""
    free = {"line_no": 2, "price": "0", "total": "0", "name": "赠品"}
    rows[0]["lines"].append({**rows[0]["lines"][0], **free})
    rows[2]["gross_weight_kg"] = "2.3"


def buyer(number: str, id_type: str = "1") -> Change:
    def change(rows: Rows) -> None:
        rows[0]["buyer"] |= {"id_number": number, "id_type": id_type}
        rows[1]["payer"] |= {"id_number": number, "id_type": id_type}

    return change


def spelled(order: str, slip: str) -> Change:
    def change(rows: Rows) -> None:
        rows[0]["buyer"]["name"], rows[1]["payer"]["name"] = order, slip

    return change


def address(rows: Rows) -> None:
    rows[2]["consignee"] |= {
        "address": "浙江省杭州市西湖区示例路４号",
        "phone": "+86 138-0000-0004",
    }


WALK: dict[str, tuple[Change, list[str]]] = {
    "a gift": (gift, []),
    "an address in other spaces": (address, []),
    "points": (points, []),
    "a coupon in the prices and points": (coupon_and_points, []),
    "a coupon counted twice": (coupon_twice, ["ORDER-DISCOUNT-TWICE"]),
    "a coupon as discount": (coupon_as_discount, ["ORDER-DISCOUNT-KIND"]),
    "a merged payment": (merged, []),
    "a deposit and a balance": (deposit_and_balance, ["PAYMENT-SEVERAL"]),
    "one payment for two orders": (one_payment_for_two_orders("303.30"), []),
    "parts above their payment": (one_payment_for_two_orders("300"), ["PAYMENT-SPLIT-SUM"] * 2),
    "another parcel": (
        lambda rows: rows.append({**rows[2], "waybill_no": "WB-2"}),
        ["WAYBILL-PARCELS"],
    ),
    "another waybill than the order names": (
        lambda rows: rows[0].update(waybill_no="WB-OTHER"),
        ["WAYBILL-NUMBER"],
    ),
    "a line that costs nothing": (present, []),
    "full-width letters": (spelled("ＪＯＨＮ·王", "JOHN·王"), ["PARTY-PAYER-SPELLING"]),
    "another middle dot": (
        spelled("阿卜杜拉·买买提", "阿卜杜拉•买买提"),
        ["PARTY-PAYER-SPELLING"],
    ),
    "a passport": (buyer("E12345678", "2"), ["PARTY-ID-TYPE", "PARTY-PAYER-ID-TYPE"]),
    "a birth date that is none": (buyer("330102197902300008"), ["PARTY-ID-NUMBER"]),
    "a masked number that may be it": (
        lambda rows: rows[1]["payer"].update(id_number="3301**********0006"),
        [],
    ),
    "a masked number that cannot be it": (
        lambda rows: rows[1]["payer"].update(id_number="1101**********0003"),
        ["PARTY-PAYER-ID"],
    ),
    "both in dollars": (
        lambda rows: [row.update(currency="USD") for row in rows[:2]],
        ["ORDER-CURRENCY", "PAYMENT-CURRENCY"],
    ),
    "one dear thing": (worth("6000"), ["LIMIT-INDIVISIBLE"]),
    "two dear things": (worth("2600", "2"), ["LIMIT-SINGLE"]),
    "one thing above the annual limit": (worth("27000"), ["LIMIT-SINGLE"]),
    "no tax withheld": (taxed(tax="0"), []),
    "too much tax": (taxed(tax="20.00"), ["TAX-AMOUNT"]),
    "the rates of last year": (taxed(rate_year=2025), ["TAX-RATE-YEAR"]),
}


@pytest.mark.parametrize("name", WALK)
async def test_a_file_gives_its_rules_and_no_others(name: str, tmp_path: Path) -> None:
    change, rules = WALK[name]
    rows = [*agreeing(), dict(GOODS)]
    change(rows)
    report = await judged(written(tmp_path / "f.ndjson", rows))
    assert sorted(rule for _, rule in told(report)) == rules
    assert report.faults == []


async def test_orders_of_one_buyer_use_up_the_annual_limit_together(tmp_path: Path) -> None:
    rows = [*agreeing(), dict(GOODS)]
    worth("4900")(rows)
    first = copy.deepcopy(rows[:3])
    for number in range(2, 7):
        more = copy.deepcopy(first)
        for row in more:
            row["order_no"] = f"MANY-{number}"
        more[1]["transaction_id"], more[2]["waybill_no"] = f"P-{number}", f"W-{number}"
        rows.extend(more)
    report = await judged(written(tmp_path / "f.ndjson", rows))
    assert told(report) == [("MANY-5", "LIMIT-NEAR"), ("MANY-6", "LIMIT-ANNUAL")]
    assert [case.blocks for case in report.trial.cases] == [False] * 5 + [True]


async def test_a_space_around_a_number_is_the_only_fault(tmp_path: Path) -> None:
    rows = [*agreeing(), dict(GOODS)]
    rows[1]["order_no"] = " MIX-0001"
    report = await judged(written(tmp_path / "f.ndjson", rows))
    assert told(report) == []
    assert [one.fault.path for one in report.faults] == ["order_no"]
    assert report.blocks


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row as a table has it: with dotted names, for an order of one line."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        parts = value[0] if name == "lines" else value
        if isinstance(parts, dict):
            found |= {f"{name}.{part}": one for part, one in parts.items()}
        elif name != "type":
            found[name] = value
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize(
    "change, rules",
    [(gift, []), (lambda rows: rows[1].update(amount="150"), ["PAYMENT-AMOUNT"])],
)
async def test_tables_one_for_each_paper(
    change: Change, rules: list[str], encoding: str, tmp_path: Path
) -> None:
    rows = [*agreeing(), dict(GOODS)]
    change(rows)
    paths = []
    for name, row in zip(("orders", "payments", "waybills", "goods"), rows, strict=True):
        paths.append(tmp_path / f"{name}.csv")
        with paths[-1].open("w", newline="", encoding=encoding) as file:
            writer = csv.DictWriter(file, list(flat(row)))
            writer.writeheader()
            writer.writerow(flat(row))
    report = await judged(*paths)
    assert [rule for _, rule in told(report)] == rules
    assert report.faults == []


async def test_line_ends_and_a_byte_order_mark_are_no_fault(tmp_path: Path) -> None:
    rows = [json.dumps(row, ensure_ascii=False) for row in (*agreeing(), GOODS)]
    path = tmp_path / "f.ndjson"
    path.write_text("\ufeff" + "\r\n".join(rows) + "\r\n\r\n", "utf-8", newline="")
    report = await judged(path)
    assert told(report) == []
    assert report.faults == []
