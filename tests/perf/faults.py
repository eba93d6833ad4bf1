"""Recall and precision of every matching rule over generated faults.

``python -m tests.perf.faults [--cases N] [--json]``. A case is a base case in which everything
agrees, varied in what does not matter (names, numbers, people, spellings, gifts, attested
identities), with the fault of one rule planted. Recall counts the cases in which the rule was
found, precision how many of its findings stood where its fault was planted. Cases without any
fault, as varied, count against the precision of whatever they break.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from gateway.domain.matching import PaperMatcher, builtin_text, catalogue, compile_pack
from gateway.domain.matching.examples import Example, examples, varied

Changes = dict[str, Any]
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_FAMILY, _GIVEN = "赵钱孙李周吴郑王冯陈", "伟芳娜敏静丽强磊军洋勇艳杰涛明超秀霞平刚"


def _id_number(rng: random.Random) -> str:
    body = f"{rng.choice(['110101', '310104', '440305', '510107', '830000'])}"
    body += f"{rng.randint(1950, 2005)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}"
    body += f"{rng.randint(0, 999):03}"
    return body + "10X98765432"[sum(w * int(d) for w, d in zip(_WEIGHTS, body, strict=True)) % 11]


def _name(rng: random.Random) -> str:
    return rng.choice(_FAMILY) + "".join(rng.sample(_GIVEN, rng.randint(1, 2)))


def _numbers(rng: random.Random) -> Changes:
    number = f"X{rng.randint(10**9, 10**12)}"
    return dict.fromkeys(("order.order_no", "payment.order_no", "waybill.order_no"), number)


def _payment_number(rng: random.Random) -> Changes:
    number = f"42{rng.randint(10**20, 10**25)}"
    return dict.fromkeys(("order.payment.transaction_id", "payment.transaction_id"), number)


def _person(rng: random.Random) -> Changes:
    name, number = _name(rng), _id_number(rng)
    shown = number.lower() if rng.random() < 0.2 else number
    return {
        "order.buyer.name": name,
        "payment.payer.name": name,
        "order.buyer.id_number": number,
        "payment.payer.id_number": shown if shown == number else number,
    }


def _attested(rng: random.Random) -> Changes:
    return {
        "payment.payer": {"name": {"masked": "*"}, "id_number": {"masked": "****"}},
        "payment.identity_check": "SAME",
    }


def _gift(rng: random.Random) -> Changes:
    name, phone = _name(rng), f"13{rng.randint(10**8, 10**9 - 1)}"
    address = f"广东省深圳市南山区科技路{rng.randint(1, 999)}号"
    return {
        f"{paper}.consignee.{field}": value
        for paper in ("order", "waybill")
        for field, value in (("name", name), ("phone", phone), ("address", address))
    }


def _address_form(rng: random.Random) -> Changes:
    return {"waybill.consignee.address": "浙江省 杭州市，滨江区某某路1号"}


def _texts(rng: random.Random) -> Changes:
    return {
        "order.note": "请勿折叠 🎁",
        "order.lines.1.name": f"Crème “{rng.randint(1, 99)}” · 面霜",
        "order.lines.2.name": "㍿面膜（５片装）",
        "order.buyer.phone": f"+86 1{rng.randint(30, 99)}{rng.randint(10**7, 10**8 - 1)}",
        "waybill.goods_info": "护肤品",
    }


def _times(rng: random.Random) -> Changes:
    minute = rng.randint(1, 55)
    return {
        "order.ordered_at": f"2026-11-11T00:{minute:02}:00+00:00",
        "payment.paid_at": f"2026-11-11T00:{minute + 1:02}:30+00:00",
    }


def _no_tax(rng: random.Random) -> Changes:
    return {
        "order.tax": "0 CNY",
        "order.paid": "46.00 CNY",
        "payment.amount": "46.00 CNY",
    }


NOISE: tuple[Callable[[random.Random], Changes], ...] = (
    _numbers, _payment_number, _person, _attested, _gift, _address_form, _texts, _times, _no_tax,
)  # fmt: skip


def noise(rng: random.Random, fault: Mapping[str, Any]) -> Changes:
    """Changes that must not matter, none of them near what the fault changes."""
    touched = {path.rpartition(".")[2] for path in fault}
    roots = {path.partition(".")[0] for path in fault}
    near = {"goods_value", "paid", "amount", "discount", "tax", "freight", "price", "total"}
    if "lines" in touched:
        touched |= {"name"} | near
    if touched & (near | {"original_amount", "refunded"}) or roots & {
        "around",
        "goods",
        "now",
        "basis",
        "profile",
    }:
        # Circumstances and sums are tied to the amounts, numbers and people of their base.
        touched |= near | {"order_no", "transaction_id", "name", "id_number", "phone"}
    if touched & {"payer", "identity_check"}:
        touched |= {"name", "id_number", "payer", "identity_check"}
    if touched & {"name", "id_number", "id_type"}:
        touched |= {"payer", "identity_check", "name", "id_number"}
    if touched & {"phone", "address"}:
        touched |= {"phone", "address"}
    if touched & {"ordered_at", "paid_at"}:
        touched |= {"ordered_at", "paid_at"}
    if touched & {"transaction_id", "payment", "attempt_no"}:
        touched |= {"transaction_id"}
    found: Changes = {}
    for make in NOISE:
        changes = make(rng)
        names = {path.rpartition(".")[2] for path in changes}
        if (
            rng.random() < 0.5
            and not names & touched
            and not any(
                path.startswith(other) or other.startswith(path)
                for path in found
                for other in changes
            )
        ):
            found |= changes
    return found


def measure(cases: int, seed: int) -> dict[str, dict[str, int]]:
    """For each rule: planted, found, and findings of it where it was not planted."""
    rng = random.Random(seed)
    matcher = PaperMatcher([compile_pack(builtin_text("import-default"))])
    planted: Counter[str] = Counter()
    found: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for example in examples():
        for fault, rule in ((example.bad, example.rule), (example.good, None)):
            for _ in range(cases):
                _count(example, fault, rule, rng, matcher, (planted, found, false))
    return {
        info.id: {
            "planted": planted[info.id],
            "found": found[info.id],
            "false": false[info.id],
        }
        for info in catalogue()
    }


def _count(
    example: Example,
    fault: Mapping[str, Any],
    rule: str | None,
    rng: random.Random,
    matcher: PaperMatcher,
    counts: tuple[Counter[str], Counter[str], Counter[str]],
) -> None:
    planted, found, false = counts
    case = varied(example.base, noise(rng, fault) | dict(fault))
    rules = {one.rule for one in case.match(matcher).findings}
    if rule is not None:
        planted[rule] += 1
        found[rule] += rule in rules
    false.update(rules - {rule})


def main(arguments: list[str]) -> int:
    """Print the report; exit code 1 when a rule missed a fault or found one that is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    rows = measure(asked.cases, asked.seed)
    if asked.json:
        print(json.dumps(rows))
    else:
        print(f"{'rule':28}{'planted':>9}{'recall':>9}{'precision':>11}")
        for rule, row in rows.items():
            shown = row["found"] + row["false"]
            precision = row["found"] / shown if shown else 1
            recall = row["found"] / row["planted"]
            print(f"{rule:28}{row['planted']:>9}{recall:>9.3f}{precision:>11.3f}")
        print(f"{len(rows)} rules, {asked.cases * 2 * len(rows)} cases")
    return int(any(row["false"] or row["found"] < row["planted"] for row in rows.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
