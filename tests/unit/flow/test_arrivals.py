"""One case at two desks: what comes at once here comes late there, and the verdict is the same.

Both desks hear every source in its own order, as sources number what they send; between papers
nothing is ordered. What comes twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.domain.case import Verdict
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
    copy_source,
)
from gateway.flow.around import filed_copies
from gateway.flow.normalise import composed
from tests.unit.domain.papers import DEFAULT, RECEIVED, cny, good

pytestmark = pytest.mark.law
MATCHER = PaperMatcher([DEFAULT])
GOOD = good()
RUNS, STEPS = 100, 15
KINDS = st.sampled_from(list(PaperKind))
SHOP, CARRIER, FILED = "shop", "carrier", copy_source("3301960000")


def _said() -> dict[PaperKind, list[tuple[str, Paper]]]:
    """What sources may say of each paper: all of it, a part, something else, what they filed."""
    order, payment, waybill = GOOD.order, GOOD.payment, GOOD.waybill
    assert order is not None
    assert payment is not None
    assert waybill is not None
    masked = replace(order.buyer, id_number=Masked("1101"))
    return {
        PaperKind.ORDER: [
            (SHOP, order),
            (SHOP, replace(order, discount=cny("2.00"))),
            (CARRIER, replace(order, waybill_no=None, buyer=masked)),
        ],
        PaperKind.PAYMENT: [
            (SHOP, payment),
            (SHOP, replace(payment, amount=cny("40.00"))),
            (SHOP, replace(payment, identity_check=IdentityCheck.DIFFERENT)),
            (FILED, replace(payment, amount=cny("41.00"))),
        ],
        PaperKind.WAYBILL: [
            (CARRIER, waybill),
            (CARRIER, replace(waybill, pack_count=2)),
            (SHOP, replace(waybill, freight=None)),
            (FILED, replace(waybill, waybill_no="WB-FILED")),
        ],
    }


SAID = _said()


@dataclass
class Desk:
    """Takes facts in, as intake composes them, and judges."""

    papers: dict[PaperKind, PaperRevision] = field(default_factory=dict)

    def take(self, kind: PaperKind, fact: SourceFact) -> bool:
        """Whether the fact made a new revision."""
        revision = composed(self.papers.get(kind), fact).revision
        if revision is not None:
            self.papers[kind] = revision
        return revision is not None

    def after(self, facts: Iterable[tuple[PaperKind, SourceFact]]) -> Desk:
        """This desk once it has heard these as well."""
        other = Desk(dict(self.papers))
        for kind, fact in facts:
            other.take(kind, fact)
        return other

    def verdict(self, skus: Iterable[str], now: int) -> Verdict:
        goods = {sku: GOOD.goods[sku] for sku in skus}
        around = replace(GOOD.around, filed=filed_copies(self.papers))
        return MATCHER(self.papers, GOOD.profile, goods, {}, now, around)


class TwoDesks(RuleBasedStateMachine):
    """``prompt`` hears everything at once; for ``late`` it waits in ``post``, a queue a paper."""

    def __init__(self) -> None:
        super().__init__()
        self.prompt, self.late = Desk(), Desk()
        self.post: dict[PaperKind, list[SourceFact]] = {kind: [] for kind in PaperKind}
        self.newest: dict[tuple[PaperKind, str], SourceFact] = {}
        self.skus: set[str] = set()
        self.first = self.now = RECEIVED

    @rule(kind=KINDS, which=st.integers(0, 3))
    def arrive(self, kind: PaperKind, which: int) -> None:
        source, paper = SAID[kind][which % len(SAID[kind])]
        if not self.newest:
            self.first = self.now
        fact = SourceFact(source, RawId("r"), 0, 1, self.now, paper)
        self.prompt.take(kind, fact)
        self.post[kind].append(fact)
        self.newest[kind, source] = fact

    @precondition(lambda self: self.newest)
    @rule(data=st.data())
    def arrive_again(self, data: st.DataObject) -> None:
        """What a source said last comes once more, later: nothing changes."""
        kind, source = data.draw(st.sampled_from(sorted(self.newest)))
        again = replace(self.newest[kind, source], received_at=self.now)
        before, wait = dict(self.prompt.papers), self.verdict(self.prompt)
        is_last = self.prompt.papers[kind].facts[-1].source == source
        if is_last or len({one for at, one in self.newest if at is kind}) == 1:
            assert not self.prompt.take(kind, again)
            assert (self.prompt.papers, self.verdict(self.prompt)) == (before, wait)
        else:
            # Between sources the one that spoke last goes first, at both desks alike.
            self.prompt.take(kind, again)
        self.post[kind].append(again)

    @precondition(lambda self: any(self.post.values()))
    @rule(data=st.data())
    def catch_up(self, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from([one for one in PaperKind if self.post[one]]))
        self.late.take(kind, self.post[kind].pop(0))

    @rule(sku=st.sampled_from(["SKU-1", "SKU-2"]))
    def import_goods(self, sku: str) -> None:
        self.skus.add(sku)

    @rule(hours=st.integers(1, 40))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    def verdict(self, desk: Desk) -> Verdict:
        return desk.verdict(sorted(self.skus), to_micros(self.now))

    @invariant()
    def what_is_missing_has_until_the_deadline_of_the_first_fact(self) -> None:
        """However often a source changes what it said."""
        if not self.newest:
            return
        found = self.verdict(self.prompt)
        until = self.first + timedelta(seconds=GOOD.profile.waiting_s)
        if self.now >= until:
            assert not found.missing
        elif found.missing:
            assert found.until == to_micros(until)

    @invariant()
    def both_say_the_same_once_both_have_heard_it(self) -> None:
        for kinds in (list(PaperKind), list(PaperKind)[::-1]):
            rest = [(kind, fact) for kind in kinds for fact in self.post[kind]]
            other = self.late.after(rest)
            assert other.papers == self.prompt.papers
            assert self.verdict(other) == self.verdict(self.prompt)


TestTwoDesks: Any = TwoDesks.TestCase
TestTwoDesks.settings = settings(
    max_examples=max(settings().max_examples // 3, RUNS), stateful_step_count=STEPS, deadline=None
)
