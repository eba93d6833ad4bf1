"""What each state of a case rests on."""

from __future__ import annotations

from dataclasses import replace

from gateway.domain.case import CaseState
from gateway.domain.declaration import DeclarationKind, Word
from gateway.domain.events import Event, EventKind
from gateway.domain.evidence import Basis, EvidenceClass, Source, bases
from gateway.domain.papers import PaperKind
from gateway.domain.profile import ConfirmedBy, FiledBy, PaperFiling
from gateway.domain.receipts import receipt_events
from tests.unit.domain.papers import profile
from tests.unit.domain.test_lifecycle import LATER, fact, folded, inventory_sent


def _told(state: CaseState, *words: tuple[Word, int]) -> tuple[CaseState, list[Event]]:
    """The state after these words of customs, and the events that they gave."""
    events: list[Event] = []
    for word, minute in words:
        decision = receipt_events(state, fact(word, minute), LATER)
        events += decision.events
        state = folded(state, *decision.events)
    return state, events


def _inventory(found: list[Basis]) -> Basis:
    return next(one for one in found if one.about == DeclarationKind.INVENTORY)


def test_what_customs_answered_to_us_is_class_a_and_names_the_receipt() -> None:
    state, events = _told(inventory_sent(), (Word.ACCEPTED, 2), (Word.RELEASED, 4))
    found = _inventory(bases(state, events, None))
    assert (found.evidence, found.source, found.stage) == (
        EvidenceClass.OWN_RECEIPT, Source.RECEIPT, "released",
    )  # fmt: skip
    assert found.receipt == events[-1].payload["receipt"]
    assert found.returned_at == events[-1].payload["returned_at"]


def test_what_only_we_know_has_no_class() -> None:
    found = _inventory(bases(inventory_sent(), [], None))
    assert (found.evidence, found.source, found.stage) == (None, Source.OWN_RECORD, "sent")


def test_a_cancelled_inventory_rests_on_the_answer_to_the_request() -> None:
    state, events = _told(inventory_sent(), (Word.ACCEPTED, 2))
    granted = {"kind": "cancellation", "version": 1, "effect": "applied", "stage": "approved",
               "receipt": "R-624", "position": 1, "guid": "g", "status": "399",
               "returned_at": "20261111120000000"}  # fmt: skip
    gone = Event(EventKind.DECLARATION_CANCELLED, {"kind": "inventory", "version": 1, "by": 1})
    events += [Event(EventKind.RECEIPT_RECORDED, granted), gone]
    found = _inventory(bases(folded(state, gone), events, None))
    assert (found.stage, found.receipt, found.status) == ("cancelled", "R-624", "399")


def test_what_partners_state_of_their_papers_is_class_c() -> None:
    ours = profile()
    by_others = PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT)
    filings = {**ours.filings, PaperKind.WAYBILL: by_others}
    found = bases(inventory_sent(), [], replace(ours, filings=filings))
    waybill = next(one for one in found if one.about == PaperKind.WAYBILL)
    assert (waybill.evidence, waybill.source) == (EvidenceClass.STATEMENT, Source.STATEMENT)
    copies = replace(by_others, confirmed_by=ConfirmedBy.SUBSCRIPTION, gate=False)
    found = bases(inventory_sent(), [], replace(ours, filings={PaperKind.WAYBILL: copies}))
    assert PaperKind.WAYBILL not in {one.about for one in found}
