"""The orders of a simulated world: their papers, when each arrives, and what must become of them.

``EXPECTED`` is the table of scenario → final stage; ``EXPECTED_OF_PROBLEM`` that of the planted
problems. A case ends exactly there, whatever faults there were on the way.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import orjson

from gateway.app.demo_orders import PROBLEMS, DemoOrder
from gateway.app.demo_orders import _demo_order as demo_order
from gateway.app.demo_world import PROFILE
from gateway.domain.case import CaseStage
from tests.sim.faults import Fault, Faults
from tests.sim.trade import EXPORTED, Trade

_S: Final = CaseStage

EXPECTED: Final[Mapping[str, CaseStage]] = {
    "RELEASE": _S.RELEASED,
    "INSPECT": _S.RELEASED,
    "REVIEW": _S.RELEASED,
    "DUPLICATE": _S.RELEASED,
    "EARLY": _S.RELEASED,
    "REORDER": _S.RELEASED,
    "SILENT": _S.RELEASED,
    "ORDERSILENT": _S.RELEASED,
    "BUSY": _S.RELEASED,
    "LATE": _S.RELEASED,
    "NEGATIVE": _S.RELEASED,
    "REJECT1327": _S.REJECTED,
    "REJECT1320": _S.REJECTED,
    "REJECT1313": _S.REJECTED,
    "REJECT621012": _S.REJECTED,
    "ORDERREJECT": _S.REJECTED,
    "RECALL": _S.REJECTED,
    "BADRECORD": _S.REJECTED,
    "DETAIN": _S.DETAINED,
    "SUSPEND": _S.SUSPENDED,
    "ABROAD": _S.RETURNED_ABROAD,
    # Never answered: a person is told, the stage stays where the last bytes went.
    "LOST": _S.SENT,
    "ORDERLOST": _S.WAITING_FILINGS,
}
ENDS: Final[Mapping[str, CaseStage]] = {**EXPECTED, "PENDING": _S.ACCEPTED, "NOCANCEL": _S.ACCEPTED}
"""The same with what is only there to be asked about: it is never drawn."""

CORRECTABLE: Final = frozenset({"REJECT1327", "REJECT1320", "ORDERREJECT"})
UNANSWERED: Final = frozenset({"LOST", "ORDERLOST"})
SILENT: Final = frozenset({"SILENT", "ORDERSILENT"})

EXPECTED_OF_PROBLEM: Final[Mapping[str, CaseStage]] = {
    "amount": _S.MISMATCH,
    "payer": _S.MISMATCH,
    "check_digit": _S.BLOCKED,
    "no_payment": _S.COLLECTING,
    "no_waybill": _S.COLLECTING,
    "head_sum": _S.BLOCKED,
    "address": _S.RELEASED,
    "limit": _S.BLOCKED,
    "payment_twice": _S.BLOCKED,
    "no_goods": _S.COLLECTING,
}

_COMMON: Final = 4
_PROBLEM_SHARE: Final = 0.12
_CORRECTED_SHARE: Final = 0.5
_ARRIVE_S: Final = 15.0
_LATE_S: Final = (10.0, 40.0)


class PaperType(StrEnum):
    """The papers of an order as the lines of a batch name them."""

    ORDER = "order"
    PAYMENT = "payment"
    WAYBILL = "waybill"


@dataclass(slots=True)
class Planned:
    """One order of a world.

    ``correction`` is a better order to send once customs refused the first one, ``goods_come``
    tells that the missing goods record will be imported, ``inventories`` how many are filed one
    after the other, ``requests`` each request to cancel or return with its end, in order.
    ``acknowledged`` holds the bytes of the last line of each paper that the gateway answered as
    taken.
    """

    order_no: str
    scenario: str
    problem: str | None
    lines: Mapping[PaperType, bytes]
    expected: CaseStage
    correction: bytes | None = None
    missing_sku: str | None = None
    goods_come: bool = False
    inventories: int = 1
    requests: tuple[str, ...] = ()
    acknowledged: dict[PaperType, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arrival:
    """Lines that a client sends together, at a moment in virtual seconds."""

    at_s: float
    lines: tuple[tuple[Planned, PaperType, bytes], ...]


def plan_orders(
    seed: int, count: int, faults: Faults, scenarios: Sequence[str], trade: Trade
) -> tuple[list[Planned], list[Arrival]]:
    """The orders of a world and the arrival of their papers, in order of time.

    ``scenarios`` are there for sure; the others are drawn. Exports have no planted problems.
    """
    rng = random.Random(f"orders {seed}")
    if trade.lines is not None:
        planned = _exports(seed, count, scenarios, trade.lines, rng)
        return planned, _arrivals(planned, rng, faults)
    names = [*EXPECTED, *["RELEASE"] * (_COMMON * len(EXPECTED) // 3)]
    planned = []
    for number in range(count):
        scenario = scenarios[number] if number < len(scenarios) else rng.choice(names)
        problem = None
        if number >= len(scenarios) and rng.random() < _PROBLEM_SHARE:
            scenario, problem = "RELEASE", rng.choice(PROBLEMS)
        order_no = f"SIM-{scenario}-S{seed % 100_000:05d}{number:04d}"
        order = demo_order(PROFILE, order_no, number, problem, rng)
        planned.append(_planned(order, scenario, problem, number, rng))
    _one_payment_wins(planned)
    if trade.pays is not None:
        trade.pays(planned)
    return planned, _arrivals(planned, rng, faults)


def _exports(
    seed: int,
    count: int,
    scenarios: Sequence[str],
    lines: Callable[[str, int], Mapping[str, bytes]],
    rng: random.Random,
) -> list[Planned]:
    planned = []
    for number in range(count):
        scenario = scenarios[number] if number < len(scenarios) else rng.choice(EXPORTED)
        order_no = f"SIM-{scenario}-S{seed % 100_000:05d}{number:04d}"
        made = {PaperType(kind): line for kind, line in lines(order_no, number).items()}
        planned.append(Planned(order_no, scenario, None, made, ENDS[scenario]))
    return planned


def _planned(
    order: DemoOrder, scenario: str, problem: str | None, number: int, rng: random.Random
) -> Planned:
    lines = {PaperType(line["type"]): orjson.dumps(line) for line in order.lines()}
    expected = ENDS[scenario] if problem is None else EXPECTED_OF_PROBLEM[problem]
    planned = Planned(order.order_no, scenario, problem, lines, expected)
    if problem is None and scenario in CORRECTABLE and rng.random() < _CORRECTED_SHARE:
        planned.correction = orjson.dumps(_other_phone(order, number))
        planned.expected = CaseStage.RELEASED
    if problem == "no_goods":
        planned.missing_sku = order.order["lines"][0]["sku"]
        planned.goods_come = rng.random() < 0.5
        if planned.goods_come:
            planned.expected = CaseStage.RELEASED
    return planned


def _other_phone(order: DemoOrder, number: int) -> dict[str, Any]:
    buyer = {**order.order["buyer"], "phone": f"138000{(number + 50) % 100:05d}"}
    return {"type": "order", **order.order, "buyer": buyer}


def _one_payment_wins(planned: Sequence[Planned]) -> None:
    """Of several orders with one payment number exactly one may go on; which, arrival decides."""
    twice = [one for one in planned if one.problem == "payment_twice"]
    if len(twice) == 1:
        twice[0].expected = CaseStage.RELEASED


def _arrivals(planned: Sequence[Planned], rng: random.Random, faults: Faults) -> list[Arrival]:
    """Each paper at a moment of its own, some twice, some late, some revised; clients batch."""
    single: list[tuple[float, Planned, PaperType, bytes]] = []
    for number, one in enumerate(planned):
        together = rng.random() < 0.5
        shared = rng.uniform(0, _ARRIVE_S)
        for kind, line in one.lines.items():
            at_s = shared if together else rng.uniform(0, _ARRIVE_S)
            if faults.strikes(Fault.PAPER_LATE):
                at_s += faults.draw(Fault.PAPER_LATE, *_LATE_S)
            single.append((at_s, one, kind, line))
            if faults.strikes(Fault.PAPER_TWICE):
                again = at_s + faults.draw(Fault.PAPER_TWICE, 0, 20)
                single.append((again, one, kind, line))
        if one.expected is CaseStage.RELEASED and one.correction is None and one.problem is None:
            if "buyer" in orjson.loads(one.lines[PaperType.ORDER]) and faults.strikes(
                Fault.PAPER_REVISED
            ):
                at_s = shared + faults.draw(Fault.PAPER_REVISED, 0, 20)
                single.append((at_s, one, PaperType.ORDER, _revised(one, number)))
    single.sort(key=lambda entry: (entry[0], entry[1].order_no, entry[2].value))
    return list(_batched(single, rng))


def _revised(one: Planned, number: int) -> bytes:
    order = orjson.loads(one.lines[PaperType.ORDER])
    order["buyer"]["phone"] = f"138000{(number + 70) % 100:05d}"
    return orjson.dumps(order)


def _batched(
    single: Sequence[tuple[float, Planned, PaperType, bytes]], rng: random.Random
) -> list[Arrival]:
    arrivals: list[Arrival] = []
    start = 0
    while start < len(single):
        end = min(start + rng.choice((1, 1, 3, 10)), len(single))
        some = single[start:end]
        arrivals.append(Arrival(some[-1][0], tuple(entry[1:] for entry in some)))
        start = end
    return arrivals
