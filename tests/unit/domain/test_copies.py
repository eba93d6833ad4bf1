"""Papers that others file, confirmed by subscribed copies of customs' answers (class B)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.case import CaseState
from gateway.domain.codec import state_from_doc, state_to_doc
from gateway.domain.declaration import DeclarationKind, ReceiptFact, Word
from gateway.domain.events import Event
from gateway.domain.evidence import EvidenceClass, Source, bases
from gateway.domain.papers import PaperKind
from gateway.domain.planning import awaited, plan_events
from gateway.domain.profile import ConfirmedBy, FiledBy, PaperFiling
from gateway.domain.receipts import copy_events, subscribed_paper
from tests.unit.domain.papers import profile
from tests.unit.domain.test_lifecycle import KEY, LATER, fact, folded, matched

BY_COPY = PaperFiling(FiledBy.OTHER, ConfirmedBy.SUBSCRIPTION)
KIND = {PaperKind.ORDER: DeclarationKind.ORDER, PaperKind.PAYMENT: DeclarationKind.PAYMENT}


def subscribed(paper: PaperKind) -> Any:
    others = {kind: PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT) for kind in PaperKind}
    return replace(profile(), filings={**others, paper: BY_COPY})


def copied(
    state: CaseState, paper: PaperKind, *facts: ReceiptFact
) -> tuple[CaseState, list[Event]]:
    told: list[Event] = []
    for one in facts:
        decision = copy_events(state, paper, one, LATER)
        assert decision.parked is None
        state = folded(state, *decision.events)
        told += decision.events
    return state, told


def is_declared(state: CaseState, paper: PaperKind) -> bool:
    planned = plan_events(state, KEY, subscribed(paper), {"SKU-1": 1})
    return DeclarationKind.INVENTORY.value in {one.payload.get("kind") for one in planned}


@pytest.mark.parametrize("paper", KIND)
def test_only_a_copy_that_says_stored_opens_the_gate(paper: PaperKind) -> None:
    state = matched()
    assert awaited(state, subscribed(paper)) == {paper}
    assert not is_declared(state, paper)
    state, told = copied(state, paper, fact(Word.LODGED, 1, KIND[paper]))
    assert not is_declared(state, paper)
    state, more = copied(state, paper, fact(Word.STORED, 2, KIND[paper]))
    assert is_declared(state, paper)
    assert awaited(state, subscribed(paper)) == frozenset()
    basis = next(one for one in bases(state, told + more, subscribed(paper)) if one.about == paper)
    assert (basis.evidence, basis.source) == (EvidenceClass.SUBSCRIBED_COPY, Source.COPY)
    assert (basis.receipt, basis.status) == ("r2", "120")
    assert state_from_doc(state_to_doc(state)) == state
    # What customs turns down afterwards stands no more; an older or repeated copy says nothing.
    again = fact(Word.STORED, 2, KIND[paper])
    assert copied(state, paper, again, fact(Word.LODGED, 1, KIND[paper]))[1] == []
    state, _ = copied(state, paper, fact(Word.REJECTED, 3, KIND[paper]))
    assert not is_declared(state, paper)


def test_a_copy_that_does_not_fit_confirms_nothing() -> None:
    paper, stored = PaperKind.ORDER, fact(Word.STORED, 2, DeclarationKind.ORDER)
    foreign = stored._replace(checks={"merchant": "other"})
    assert copy_events(matched(), paper, foreign, LATER).parked == "merchant_differs"
    early = copy_events(matched(), paper, stored, stored.returned_at_us - 3_600_000_000)
    assert early.parked == "returned_in_the_future"
    assert copy_events(CaseState(), paper, stored, LATER).parked == "nothing_sent"
    assert subscribed_paper(stored, subscribed(paper)) is paper
    assert subscribed_paper(stored, profile()) is None
    assert subscribed_paper(fact(Word.RELEASED, 2), subscribed(paper)) is None
