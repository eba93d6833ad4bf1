"""The orders of a run: good ones of every kind that clears, and planted problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.app.demo_orders import DemoOrder, demo_orders, goods_docs
from gateway.app.demo_world import PROFILE
from gateway.domain.case import CaseStage

# What a planted problem comes to. The goods that ``no_goods`` lacks are imported during the run.
_PROBLEMS: Final = {
    "amount": CaseStage.MISMATCH,
    "no_payment": CaseStage.COLLECTING,
    "head_sum": CaseStage.BLOCKED,
    "no_goods": CaseStage.RELEASED,
}
_SCENARIOS: Final = ("INSPECT", "REVIEW", "DUPLICATE", "EARLY", "REORDER", "REJECT1327")
_REFUSED: Final = "REJECT1327"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One order, what has to become of it, and whether customs has to see it."""

    order: DemoOrder
    stage: CaseStage
    is_filed: bool

    @property
    def order_no(self) -> str:
        """The declared order number."""
        return self.order.order_no


def wanted_orders(releases: int, run: str = "K", problems: bool = True) -> list[Wanted]:
    """``releases`` plain orders, one of each other scenario that ends, and the planted problems."""
    drawn = list(demo_orders(PROFILE, 100 + 2 * releases, seed=7, run=run))
    good = [one for one in drawn if one.problem is None]
    plain = [one for one in good if "-RELEASE-" in one.order_no]
    chosen = [Wanted(one, CaseStage.RELEASED, is_filed=True) for one in plain[:releases]]
    chosen += [Wanted(one, *_fate(name)) for name in _SCENARIOS for one in [_first(good, name)]]
    if problems:
        chosen += [
            Wanted(one, _PROBLEMS[one.problem], one.problem == "no_goods")
            for one in drawn[:100]
            if one.problem in _PROBLEMS
        ]
    # Problems and scenarios stand between the plain ones, as they would.
    return sorted(chosen, key=lambda one: one.order_no[-6:])


def _first(orders: Sequence[DemoOrder], scenario: str) -> DemoOrder:
    return next(one for one in orders if f"-{scenario}-" in one.order_no)


def _fate(scenario: str) -> tuple[CaseStage, bool]:
    return (CaseStage.REJECTED if scenario == _REFUSED else CaseStage.RELEASED), True


def late_goods(orders: Sequence[Wanted]) -> list[dict[str, Any]]:
    """The goods records that orders of the problem ``no_goods`` wait for."""
    docs: list[dict[str, Any]] = []
    for wanted in orders:
        if wanted.order.problem != "no_goods":
            continue
        line = wanted.order.order["lines"][0]
        like = next(doc for doc in goods_docs(PROFILE) if doc["name"] == line["name"])
        docs.append({**like, "sku": line["sku"]})
    return docs
