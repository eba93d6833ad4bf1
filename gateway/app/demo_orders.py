"""Invented orders for the demo and the benchmark: nine good ones to one with a planted problem.

The order number names a scenario of the sandbox customs (``SIM-<SCENARIO>-<n>``). Identity numbers
have a sequence that is never issued.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from random import Random
from typing import Any, Final

from gateway.domain.goods import GoodsRecord, GoodsScope

_PEOPLE: Final = (
    ("张示例", "110101199003070003"),
    ("李样本", "310104198512240009"),
    ("王演示", "440305199506010005"),
    ("赵虚构", "330102197908150006"),
)
_REGIONS: Final = ("110101", "310104", "440305", "330102", "510107", "420106", "610104")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_FIRST_BIRTH: Final = date(1950, 1, 1)
_BIRTHS: Final = 20_000
_STREETS: Final = ("示例路", "演示街", "样本大道")
_TAX: Final = Decimal("0.091")
_CENT: Final = Decimal("0.01")

# What customs does with an order that is right, with its share of a hundred.
_SCENARIOS: Final = (
    ("RELEASE", 88),
    ("INSPECT", 4),
    ("REVIEW", 2),
    ("DUPLICATE", 2),
    ("EARLY", 1),
    ("REORDER", 1),
    ("REJECT1327", 2),
)

# What is wrong with the papers of a planted problem.
PROBLEMS: Final = (
    "amount",
    "payer",
    "check_digit",
    "no_payment",
    "no_waybill",
    "head_sum",
    "address",
    "limit",
    "payment_twice",
    "no_goods",
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing on sale."""

    sku: str
    name: str
    model: str
    hs_code: str
    price: Decimal
    unit: str
    origin: str
    record_no: str
    net_kg: Decimal
    gross_kg: Decimal


ITEMS: Final = (
    Item("MILK-900", "婴儿配方奶粉", "品牌:示例|900克/罐|牛奶", "1901101000", Decimal("139.00"),
         "122", "601", "0001", Decimal("0.9"), Decimal("1.1")),
    Item("CREAM-50", "保湿面霜", "品牌:示例|50毫升/瓶|面霜", "3304990039", Decimal("110.00"),
         "142", "305", "0002", Decimal("0.05"), Decimal("0.12")),
    Item("VITC-60", "维生素C片", "品牌:示例|60片/瓶", "2106909090", Decimal("88.50"),
         "142", "502", "0003", Decimal("0.09"), Decimal("0.15")),
)  # fmt: skip


def goods_docs(profile: str) -> list[dict[str, Any]]:
    """The goods of the demo as the API takes them."""
    return [
        {
            "profile": profile,
            "sku": item.sku,
            "hs_code": item.hs_code,
            "name": item.name,
            "model": item.model,
            "origin": item.origin,
            "unit": item.unit,
            "unit1": "035",
            "factor1": str(item.net_kg),
            "net_weight_kg": str(item.net_kg),
            "gross_weight_kg": str(item.gross_kg),
            "item_record_no": item.record_no,
            "vat_rate": "0.13",
            "consumption_rate": "0",
        }
        for item in ITEMS
    ]


def goods_records(scope: GoodsScope) -> list[GoodsRecord]:
    """The goods of the demo as domain values."""
    return [
        GoodsRecord(
            sku=item.sku,
            scope=scope,
            version=1,
            hs_code=item.hs_code,
            name=item.name,
            model=item.model,
            origin=item.origin,
            unit=item.unit,
            unit1="035",
            factor1=item.net_kg,
            net_weight_kg=item.net_kg,
            gross_weight_kg=item.gross_kg,
            item_record_no=item.record_no,
        )
        for item in ITEMS
    ]


@dataclass(frozen=True, slots=True)
class DemoOrder:
    """The papers of one invented order as the API takes them; a missing paper is None."""

    order_no: str
    problem: str | None
    order: dict[str, Any]
    payment: dict[str, Any] | None
    waybill: dict[str, Any] | None

    def lines(self) -> list[dict[str, Any]]:
        """The papers as lines of a mixed batch."""
        lines = [{"type": "order", **self.order}]
        if self.payment is not None:
            lines.append({"type": "payment", **self.payment})
        if self.waybill is not None:
            lines.append({"type": "waybill", **self.waybill})
        return lines


def demo_orders(
    profile: str, count: int, seed: int, *, problems: bool = True, run: str = "D"
) -> Iterator[DemoOrder]:
    """``count`` orders, every tenth with a planted problem unless ``problems`` is off.

    The same seed gives the same orders. ``run`` sets the numbers of two runs apart.
    """
    random = Random(seed)  # noqa: S311 -- invented orders, repeatable by seed
    for number in range(count):
        problem = None
        if problems and number % 10 == 9:
            problem = PROBLEMS[number // 10 % len(PROBLEMS)]
        scenario = "RELEASE" if problem or not problems else _scenario(random)
        yield _demo_order(profile, f"SIM-{scenario}-{run}{number:06d}", number, problem, random)


_PRACTISED: Final = 500_000


def practice_orders(
    profile: str, problem: str | None, scenario: str, count: int
) -> list[DemoOrder]:
    """Orders to practise on in the console: all with one problem, or with one fate at customs."""
    random = Random(scenario)  # noqa: S311 -- invented orders, the same each time
    made = []
    for at in range(count):
        number = _PRACTISED + at
        name = f"SIM-{scenario}-{(problem or 'P').upper()}{at:03d}"
        made.append(_demo_order(profile, name, number, problem, random))
    return made


# What a seeded case waits for or suffers from; none of them is ever declared.
_SEEDED: Final = (
    "no_payment",
    "no_waybill",
    "amount",
    "no_payment",
    "head_sum",
    "payer",
    "no_waybill",
    "check_digit",
    "address",
    "no_goods",
)


def seed_orders(profile: str, first: int, count: int, seed: int) -> Iterator[DemoOrder]:
    """Orders numbered from ``first`` whose cases stay open: each lacks or breaks something."""
    random = Random(seed * 1_000_003 + first)  # noqa: S311 -- invented orders, repeatable by seed
    for number in range(first, first + count):
        problem = _SEEDED[number % len(_SEEDED)]
        yield _demo_order(profile, f"SEED-{seed}-{number:08d}", number, problem, random)


def seed_buyers(count: int) -> dict[str, list[str]]:
    """Identity numbers of invented buyers without their check digit, by the digit that fits.

    There are no more than 140,000.
    """
    found: dict[str, list[str]] = {}
    most = min(count, _BIRTHS * len(_REGIONS))
    for number in range(len(_PEOPLE), len(_PEOPLE) + most):
        _, id_number = _person(number)
        found.setdefault(id_number[-1], []).append(id_number[:-1])
    return found


def _scenario(random: Random) -> str:
    names = [name for name, _ in _SCENARIOS]
    return random.choices(names, [share for _, share in _SCENARIOS])[0]


def _person(number: int) -> tuple[str, str]:
    """Name and identity number of a buyer: many, so that nobody buys beyond the limit of a year."""
    name, id_number = _PEOPLE[number % len(_PEOPLE)]
    if number < len(_PEOPLE):
        return name, id_number
    birth = _FIRST_BIRTH + timedelta(days=number * 7_919 % _BIRTHS)
    region = _REGIONS[number // _BIRTHS % len(_REGIONS)]
    body = f"{region}{birth:%Y%m%d}000"
    return name, body + check_digit(body)


def check_digit(body: str) -> str:
    """The last character of a resident's number whose first 17 are these (GB 11643)."""
    total = sum(int(digit) * weight for digit, weight in zip(body, _WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def _demo_order(
    profile: str, order_no: str, number: int, problem: str | None, random: Random
) -> DemoOrder:
    name, id_number = _person(number)
    phone = f"138{number % 100_000_000:08d}"
    address = f"浙江省 杭州市 西湖区 {random.choice(_STREETS)}{number % 900 + 1}号"
    lines, goods_value, gross = _lines(random, problem)
    discount = Decimal("20.00") if number % 3 == 0 else Decimal("0.00")
    tax = ((goods_value - discount) * _TAX).quantize(_CENT, ROUND_HALF_UP)
    paid = goods_value + tax - discount
    buyer = {"account": f"u{number}", "name": name, "phone": phone, "id_number": id_number}
    consignee = {"name": name, "phone": phone, "address": address, "district": "330106"}
    order = {
        "profile": profile,
        "order_no": order_no,
        "goods_value": str(goods_value),
        "freight": "0.00",
        "discount": str(discount),
        "tax": str(tax),
        "paid": str(paid),
        "buyer": buyer,
        "consignee": consignee,
        "lines": lines,
    }
    payment: dict[str, Any] | None = {
        "profile": profile,
        "order_no": order_no,
        "transaction_id": f"PAY{order_no[4:]}",
        "payer": {"name": name, "id_type": "1", "id_number": id_number},
        "amount": str(paid),
        "paid_at": "2026-11-20T10:00:00+08:00",
    }
    waybill: dict[str, Any] | None = {
        "profile": profile,
        "order_no": order_no,
        "waybill_no": f"WB{order_no[4:]}",
        "freight": "0.00",
        "insurance": "0.00",
        "gross_weight_kg": str(gross),
        "pack_count": 1,
        "goods_info": "日用品",
        "consignee": consignee,
    }
    assert payment is not None
    assert waybill is not None
    planted = _plant(problem, number, order, payment, waybill)
    return DemoOrder(order_no, problem, order, *planted)


def _lines(random: Random, problem: str | None) -> tuple[list[dict[str, Any]], Decimal, Decimal]:
    items = random.sample(ITEMS, random.randint(1, len(ITEMS)))
    lines: list[dict[str, Any]] = []
    value, gross = Decimal(0), Decimal("0.2")
    for line_no, item in enumerate(items, 1):
        quantity = random.randint(1, 3)
        if problem == "limit" and line_no == 1:
            quantity = 60
        total = item.price * quantity
        value += total
        gross += item.gross_kg * quantity
        lines.append(
            {
                "line_no": line_no,
                "sku": item.sku,
                "name": item.name,
                "model": item.model,
                "unit": item.unit,
                "quantity": str(quantity),
                "price": str(item.price),
                "total": str(total),
                "origin": item.origin,
            }
        )
    return lines, value, gross


def _plant(
    problem: str | None,
    number: int,
    order: dict[str, Any],
    payment: dict[str, Any],
    waybill: dict[str, Any],
) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Spoil the papers of one order in the way that the problem names."""
    match problem:
        case "amount":
            payment["amount"] = str(Decimal(payment["amount"]) - 1)
        case "payer":
            other, other_id = _person(number + 1)
            payment["payer"] = {"name": other, "id_type": "1", "id_number": other_id}
        case "check_digit":
            right = order["buyer"]["id_number"]
            wrong = right[:-1] + ("1" if right.endswith("X") else "X")
            order["buyer"] = {**order["buyer"], "id_number": wrong}
            payment["payer"] = {**payment["payer"], "id_number": wrong}
        case "no_payment":
            return None, waybill
        case "no_waybill":
            return payment, None
        case "head_sum":
            paid = str(Decimal(order["paid"]) + 5)
            order["paid"] = payment["amount"] = paid
        case "address":
            waybill["consignee"] = {**waybill["consignee"], "name": "别人"}
        case "payment_twice":
            payment["transaction_id"] = "PAY-TAKEN"
        case "no_goods":
            order["lines"][0]["sku"] = f"NEW-{number}"
        case _:
            pass
    return payment, waybill
