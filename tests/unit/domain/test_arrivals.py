"""Papers arrive in any order, late, twice and changed: the verdict knows only what is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.domain.case import Verdict, VerdictKind
from gateway.domain.codec import to_micros
from gateway.domain.ids import RawId
from gateway.domain.matching import PaperMatcher
from gateway.domain.papers import (
    IdentityCheck,
    Masked,
    Paper,
    PaperKind,
    PaperRevision,
    SourceFact,
    compose,
    kind_of,
)
from tests.unit.domain.papers import DEFAULT, RECEIVED, cny, good

pytestmark = pytest.mark.law
MATCHER = PaperMatcher([DEFAULT])
GOOD = good()
KINDS = st.sampled_from(list(PaperKind))


def _facts_of(kind: PaperKind) -> list[Paper]:
    """What sources may say of one paper: all of it, a part, another amount."""
    order, payment, waybill = GOOD.order, GOOD.payment, GOOD.waybill
    assert order is not None
    assert payment is not None
    assert waybill is not None
    facts: dict[PaperKind, list[Paper]] = {
        PaperKind.ORDER: [
            order,
            replace(order, waybill_no=None, buyer=replace(order.buyer, id_number=Masked("1101"))),
            replace(order, discount=cny("2.00")),
        ],
        PaperKind.PAYMENT: [
            payment,
            replace(payment, payer=replace(payment.payer, name=None)),
            replace(payment, amount=cny("40.00")),
            replace(payment, identity_check=IdentityCheck.DIFFERENT),
        ],
        PaperKind.WAYBILL: [
            waybill,
            replace(waybill, pack_count=2),
            replace(waybill, freight=None),
        ],
    }
    return facts[kind]


class Arrivals(RuleBasedStateMachine):
    """One case to which facts come; ``heard`` is what came, in order, of each paper."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: dict[PaperKind, list[tuple[Paper, datetime]]] = {}
        self.goods: set[str] = set()
        self.now = RECEIVED
        self.last: Verdict | None = None

    @initialize(kind=KINDS)
    def begin(self, kind: PaperKind) -> None:
        self.heard[kind] = [(_facts_of(kind)[0], self.now)]

    @rule(kind=KINDS, which=st.integers(0, 3))
    def arrive(self, kind: PaperKind, which: int) -> None:
        facts = _facts_of(kind)
        self.heard.setdefault(kind, []).append((facts[which % len(facts)], self.now))

    @rule(kind=KINDS)
    def arrive_again(self, kind: PaperKind) -> None:
        said = self.heard.get(kind)
        if said:
            before = self.verdict()
            said.append((said[-1][0], self.now))
            after = self.verdict()
            assert after == before

    @rule(sku=st.sampled_from(["SKU-1", "SKU-2"]))
    def import_goods(self, sku: str) -> None:
        self.goods.add(sku)

    @rule(hours=st.integers(1, 40))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    def verdict(self, kinds: list[PaperKind] | None = None) -> Verdict:
        """Match what was heard, the papers taken in one order or another."""
        papers: dict[PaperKind, PaperRevision] = {}
        for kind in kinds or list(self.heard):
            said = self.heard[kind]
            paper = said[0][0]
            for later, _ in said[1:]:
                paper = compose(paper, later)  # type: ignore[type-var]
            assert kind_of(paper) is kind
            facts = tuple(SourceFact("s", RawId("r"), 0, 1, at, one) for one, at in said)
            papers[kind] = PaperRevision(kind, len(said), "d", paper, facts)
        goods = {sku: GOOD.goods[sku] for sku in self.goods}
        return MATCHER(papers, GOOD.profile, goods, {}, to_micros(self.now))

    @invariant()
    def the_order_of_papers_does_not_matter(self) -> None:
        if not self.heard:
            return
        kinds = sorted(self.heard)
        assert self.verdict(kinds) == self.verdict(kinds[::-1]) == self.verdict()

    @invariant()
    def what_is_missing_is_named_until_the_deadline(self) -> None:
        if not self.heard:
            return
        found = self.verdict()
        first = min(at for said in self.heard.values() for _, at in said)
        is_late = self.now >= first + timedelta(hours=72)
        lacking = {kind.value for kind in PaperKind if kind not in self.heard}
        if PaperKind.ORDER in self.heard:
            lacking |= {f"goods:{sku}" for sku in GOOD.goods if sku not in self.goods}
        if is_late:
            assert not found.missing
            rules = {one.rule for one in found.findings}
            wanted = {f"{name.partition(':')[0].upper()}-MISSING" for name in lacking}
            assert wanted <= rules
            assert not wanted or found.kind is VerdictKind.BLOCKED
        else:
            assert set(found.missing) == lacking
            assert found.kind is not VerdictKind.MATCHED or not lacking
            assert not lacking or found.until == to_micros(first + timedelta(hours=72))

    @invariant()
    def only_blocking_findings_stop_a_case(self) -> None:
        if not self.heard:
            return
        found = self.verdict()
        blocks = any(one.severity.value == "block" for one in found.findings)
        stops = found.kind in (VerdictKind.BLOCKED, VerdictKind.MISMATCH)
        assert blocks is stops


TestArrivals: Any = Arrivals.TestCase
TestArrivals.settings = settings(
    max_examples=max(settings().max_examples // 3, 30), stateful_step_count=15, deadline=None
)
