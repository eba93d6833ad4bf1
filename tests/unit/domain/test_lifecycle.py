"""The lifecycle: receipts in any order, forged ones, and what a case plans next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.case import (
    CaseKey,
    CaseStage,
    CaseState,
    Hold,
    PaperStamp,
    Verdict,
    VerdictKind,
)
from gateway.domain.codec import state_from_doc, state_to_doc, to_micros, verdict_to_doc
from gateway.domain.declaration import (
    DeclarationKind,
    DeclarationStage,
    DeclarationState,
    ReceiptFact,
    Word,
)
from gateway.domain.errors import IllegalTransition
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import Direction, ProfileId, TenantId, case_id
from gateway.domain.lifecycle import (
    apply,
    case_stage,
    frozen_reason,
)
from gateway.domain.papers import PaperKind
from gateway.domain.planning import plan_events
from gateway.domain.profile import ConfirmedBy, FiledBy, PaperFiling
from gateway.domain.receipts import FUTURE_TOLERANCE_US, receipt_events, released_events
from tests.unit.domain.papers import profile

TENANT = TenantId("t1")
CASE = case_id(TENANT, Direction.IMPORT, "P", "SO-1")
KEY = CaseKey(CASE, TENANT, Direction.IMPORT, "P", "SO-1", ProfileId("p1"))
SENT_AT = datetime(2026, 11, 11, 2, 0, tzinfo=UTC)
LATER = to_micros(SENT_AT + timedelta(days=1))
STATUS = {
    Word.LODGED: "2",
    Word.STORED: "120",
    Word.ACCEPTED: "120",
    Word.REVIEW: "300",
    Word.APPROVED: "399",
    Word.INSPECTION: "500",
    Word.DETAINED: "501",
    Word.SUSPENDED: "600",
    Word.REJECTED: "100",
    Word.RETURNED_ABROAD: "700",
    Word.RELEASED: "800",
    Word.CLOSED: "899",
}
INVENTORY, ORDER = DeclarationKind.INVENTORY, DeclarationKind.ORDER


def fact(word: Word, minute: int, kind: DeclarationKind = INVENTORY, **more: Any) -> ReceiptFact:
    returned = SENT_AT + timedelta(minutes=minute)
    fresh = ReceiptFact(
        kind=kind,
        word=word,
        status=STATUS.get(word, word.value),
        returned_at=(returned + timedelta(hours=8)).strftime("%Y%m%d%H%M%S000"),
        returned_at_us=to_micros(returned),
        receipt_id=f"r{minute}",
        position=0,
        guid=f"g{minute}",
        pre_no="P1" if kind is INVENTORY else None,
        invt_no="29912026I000000001" if kind is INVENTORY else None,
    )
    return fresh._replace(**more)


def papers(**revisions: int) -> dict[str, Any]:
    return {
        "papers": [
            {"kind": kind, "revision": revision, "digest": f"{kind}{revision}"}
            for kind, revision in revisions.items()
        ]
    }


def folded(state: CaseState, *events: Event) -> CaseState:
    for event in events:
        state = apply(state, event)
    return state


def matched() -> CaseState:
    return folded(
        CaseState(),
        Event(EventKind.PAPERS_RECEIVED, papers(order=1, payment=1, waybill=1)),
        Event(EventKind.CASE_MATCHED, verdict_to_doc(Verdict(VerdictKind.MATCHED))),
    )


def send(state: CaseState, kind: DeclarationKind, at: datetime = SENT_AT) -> CaseState:
    """Claim, sign and hand over the planned declaration of a kind."""
    found = state.declaration(kind)
    assert found is not None
    base = {"kind": kind.value, "version": found.version}
    return folded(
        state,
        Event(
            EventKind.DECLARATION_CLAIMED, {**base, "message": "m1", "app_time": "20261111100000"}
        ),
        Event(EventKind.DECLARATION_SENDING, {**base, "attempt": 1, "at": to_micros(at)}),
    )


def plan(state: CaseState, **changes: Any) -> CaseState:
    return folded(state, *plan_events(state, KEY, profile(**changes), {"SKU-1": 1}))


def order_sent() -> CaseState:
    return send(plan(matched()), ORDER)


def inventory_sent() -> CaseState:
    state = received(order_sent(), fact(Word.STORED, 1, ORDER))
    return send(plan(state), INVENTORY)


def received(state: CaseState, *facts: ReceiptFact, now: int = LATER) -> CaseState:
    for one in facts:
        decision = receipt_events(state, one, now)
        assert decision.parked is None
        state = folded(state, *decision.events)
    return state


def stage(state: CaseState, kind: DeclarationKind = INVENTORY) -> DeclarationStage:
    found = state.declaration(kind)
    assert found is not None
    return found.stage


LEGAL: list[tuple[tuple[Word, ...], DeclarationStage]] = [
    ((Word.LODGED, Word.ACCEPTED, Word.RELEASED), DeclarationStage.RELEASED),
    ((Word.LODGED, Word.ACCEPTED, Word.RELEASED, Word.CLOSED), DeclarationStage.CLOSED),
    ((Word.LODGED, Word.ACCEPTED, Word.REVIEW, Word.RELEASED), DeclarationStage.RELEASED),
    (
        (Word.LODGED, Word.ACCEPTED, Word.INSPECTION, Word.REVIEW, Word.RELEASED),
        DeclarationStage.RELEASED,
    ),
    ((Word.LODGED, Word.ACCEPTED, Word.REVIEW, Word.INSPECTION), DeclarationStage.INSPECTION),
    ((Word.LODGED, Word.ACCEPTED, Word.DETAINED, Word.APPROVED), DeclarationStage.APPROVED),
    ((Word.LODGED, Word.ACCEPTED, Word.REVIEW, Word.REJECTED), DeclarationStage.REJECTED),
    ((Word.LODGED, Word.REJECTED), DeclarationStage.REJECTED),
    (
        (Word.LODGED, Word.ACCEPTED, Word.SUSPENDED, Word.RETURNED_ABROAD),
        DeclarationStage.RETURNED_ABROAD,
    ),
    ((Word.INSPECTION, Word.RELEASED), DeclarationStage.RELEASED),
]


@pytest.mark.parametrize("words, end", LEGAL, ids=lambda value: str(value)[:60])
def test_receipts_in_any_order_end_in_one_stage(
    words: tuple[Word, ...], end: DeclarationStage
) -> None:
    facts = [fact(word, 2 + minute) for minute, word in enumerate(words)]
    for order in permutations(facts):
        state = received(inventory_sent(), *order)
        assert stage(state) is end, [one.word for one in order]
        released = end in (DeclarationStage.RELEASED, DeclarationStage.CLOSED)
        assert state.release_sequence == int(released), [one.word for one in order]


@given(st.data())
def test_repeated_receipts_change_nothing(data: st.DataObject) -> None:
    words, end = data.draw(st.sampled_from(LEGAL))
    facts = [fact(word, 2 + minute) for minute, word in enumerate(words)]
    more = data.draw(st.lists(st.sampled_from(facts), max_size=4))
    state = received(inventory_sent(), *data.draw(st.permutations(facts)), *more)
    assert stage(state) is end
    assert receipt_events(state, data.draw(st.sampled_from(facts)), LATER).events == ()


def test_a_record_about_another_order_is_no_repeat_even_of_the_same_moment() -> None:
    state = received(inventory_sent(), fact(Word.ACCEPTED, 3))
    other = fact(Word.ACCEPTED, 3)._replace(checks={"order_no": "SO-2"})
    decision = receipt_events(state, other, LATER)
    assert (decision.parked, decision.events) == ("order_no_differs", ())


def test_a_release_waits_for_a_sibling() -> None:
    state = received(inventory_sent(), fact(Word.RELEASED, 5))
    assert stage(state) is DeclarationStage.SENT
    assert state.release_sequence == 0
    assert state.declaration(INVENTORY).deferred is not None  # type: ignore[union-attr]
    state = received(state, fact(Word.ACCEPTED, 3))
    assert stage(state) is DeclarationStage.RELEASED
    assert case_stage(state) is CaseStage.RELEASED
    assert state.release_sequence == 1


def test_a_second_release_is_no_sibling_of_the_first() -> None:
    state = received(inventory_sent(), fact(Word.RELEASED, 5), fact(Word.RELEASED, 6))
    assert stage(state) is DeclarationStage.SENT
    assert state.release_sequence == 0
    state = received(state, fact(Word.ACCEPTED, 3))
    assert stage(state) is DeclarationStage.RELEASED
    assert state.release_sequence == 1


def test_a_closing_is_no_release() -> None:
    state = received(inventory_sent(), fact(Word.ACCEPTED, 2), fact(Word.CLOSED, 6))
    assert stage(state) is DeclarationStage.ACCEPTED
    state = received(state, fact(Word.RELEASED, 5))
    assert stage(state) is DeclarationStage.CLOSED
    assert state.release_sequence == 1


@pytest.mark.parametrize("word", [Word.REJECTED, Word.RETURNED_ABROAD, Word.INSPECTION])
def test_a_contradiction_after_release_is_an_alarm_and_a_hold(word: Word) -> None:
    released = received(inventory_sent(), fact(Word.ACCEPTED, 2), fact(Word.RELEASED, 3))
    state = received(released, fact(word, 4))
    assert stage(state) is DeclarationStage.RELEASED
    assert state.alarms == ("contradiction_after_release",)
    assert state.hold == Hold("gateway", "contradiction_after_release")
    earlier = received(released, fact(word, 2))
    assert earlier.alarms == ()
    assert earlier.hold is None


@pytest.mark.parametrize("before", [(), (fact(Word.ACCEPTED, 2),)])
def test_closings_without_a_release_release_nothing_however_many_come(
    before: tuple[ReceiptFact, ...],
) -> None:
    state = received(inventory_sent(), *before)
    was = stage(state)
    closed = received(state, fact(Word.CLOSED, 6), fact(Word.CLOSED, 7), fact(Word.CLOSED, 8))
    assert stage(closed) is was
    done = received(closed, fact(Word.ACCEPTED, 3), fact(Word.RELEASED, 5))
    assert stage(done) is DeclarationStage.CLOSED


@pytest.mark.parametrize("word", [Word.REJECTED, Word.RETURNED_ABROAD])
@pytest.mark.parametrize("release", [Word.RELEASED, Word.CLOSED])
def test_a_release_that_a_rejection_overtook_is_the_same_contradiction(
    word: Word, release: Word
) -> None:
    state = received(inventory_sent(), fact(Word.ACCEPTED, 2), fact(word, 4), fact(release, 3))
    assert stage(state) in (DeclarationStage.REJECTED, DeclarationStage.RETURNED_ABROAD)
    assert state.alarms == ("contradiction_after_release",)
    assert state.hold == Hold("gateway", "contradiction_after_release")
    assert state.release_sequence == 0


FORGED: list[tuple[str, ReceiptFact]] = [
    ("agent_differs", fact(Word.RELEASED, 5, checks={"agent": "X", "merchant": None})),
    ("unknown_status", fact(Word.UNKNOWN, 5)),
    ("stored_as_draft", fact(Word.DRAFT_ONLY, 5)),
    ("returned_before_sent", fact(Word.RELEASED, -2)),
    ("released_without_invt_no", fact(Word.RELEASED, 5, invt_no=None)),
    (
        "returned_in_the_future",
        fact(Word.RELEASED, 5, returned_at_us=LATER + FUTURE_TOLERANCE_US + 1),
    ),
]


@pytest.mark.parametrize("reason, forged", FORGED, ids=[reason for reason, _ in FORGED])
def test_a_receipt_that_cannot_be_ours_is_parked(reason: str, forged: ReceiptFact) -> None:
    decision = receipt_events(inventory_sent(), forged, LATER)
    assert decision.parked == reason
    assert decision.events == ()


@pytest.mark.parametrize("name", ["invt_no", "pre_no"])
def test_a_receipt_with_other_numbers_is_parked(name: str) -> None:
    state = received(inventory_sent(), fact(Word.ACCEPTED, 2))
    other = fact(Word.RELEASED, 3)._replace(**{name: "other"})  # type: ignore[arg-type]
    decision = receipt_events(state, other, LATER)
    assert decision.parked == f"{name}_differs"


def test_nothing_sent_nothing_answered() -> None:
    assert receipt_events(matched(), fact(Word.RELEASED, 5), LATER).parked == "nothing_sent"
    planned = plan(matched())
    order = fact(Word.STORED, 1, ORDER)
    assert receipt_events(planned, order, LATER).parked == "nothing_sent"


def refiled() -> CaseState:
    """A rejected inventory, its papers revised, filed again half an hour later."""
    state = received(inventory_sent(), fact(Word.LODGED, 2), fact(Word.REJECTED, 3))
    state = folded(state, Event(EventKind.PAPERS_RECEIVED, papers(waybill=2)))
    state = plan(state)
    assert state.declaration(INVENTORY).version == 2  # type: ignore[union-attr]
    return send(state, INVENTORY, SENT_AT + timedelta(minutes=30))


def test_a_receipt_of_the_version_before_moves_nothing() -> None:
    state = received(refiled(), fact(Word.ACCEPTED, 4))
    assert stage(state) is DeclarationStage.SENT
    assert stage(received(state, fact(Word.ACCEPTED, 31))) is DeclarationStage.ACCEPTED


def refiled_at_once() -> CaseState:
    """As :func:`refiled`, but half a minute after the rejection: clocks tell little apart."""
    state = received(inventory_sent(), fact(Word.LODGED, 2), fact(Word.REJECTED, 3))
    state = plan(folded(state, Event(EventKind.PAPERS_RECEIVED, papers(waybill=2))))
    return send(state, INVENTORY, SENT_AT + timedelta(minutes=4, seconds=30))


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("word", [Word.RELEASED, Word.CLOSED])
def test_a_release_from_before_this_version_was_accepted_releases_nothing(
    word: Word, is_first: bool
) -> None:
    stale, accepted = fact(word, 4), fact(Word.ACCEPTED, 6)
    told = (stale, accepted) if is_first else (accepted, stale)
    state = received(refiled_at_once(), *told, fact(Word.CLOSED, 4, position=1))
    assert stage(state) is DeclarationStage.ACCEPTED
    assert state.release_sequence == 0
    # It waits where the watchdog sees it, and the true one is still taken.
    assert state.declaration(INVENTORY).deferred is not None  # type: ignore[union-attr]
    assert stage(received(state, fact(Word.RELEASED, 7))) is DeclarationStage.RELEASED


def test_nobody_lets_a_release_pass_that_may_be_of_the_version_before() -> None:
    state = received(refiled_at_once(), fact(Word.ACCEPTED, 6), fact(Word.RELEASED, 4))
    assert state.declaration(INVENTORY).deferred is not None  # type: ignore[union-attr]
    assert released_events(state) == []


@pytest.mark.parametrize(
    "told",
    [
        ((Word.RELEASED, 4), (Word.CLOSED, 5), (Word.ACCEPTED, 6)),
        ((Word.CLOSED, 5), (Word.RELEASED, 4), (Word.ACCEPTED, 6)),
        ((Word.ACCEPTED, 6), (Word.RELEASED, 4), (Word.CLOSED, 7)),
    ],
)
def test_a_closing_is_no_sibling_of_a_release_where_a_version_went_before(
    told: tuple[tuple[Word, int], ...],
) -> None:
    state = received(refiled_at_once(), *(fact(word, minute) for word, minute in told))
    assert stage(state) is DeclarationStage.ACCEPTED
    assert state.release_sequence == 0


def test_a_release_that_overtook_its_siblings_counts_for_a_second_version_too() -> None:
    state = received(refiled_at_once(), fact(Word.RELEASED, 8), fact(Word.ACCEPTED, 6))
    assert stage(state) is DeclarationStage.RELEASED


def test_a_duplicate_answer_proves_at_most_that_the_first_try_arrived() -> None:
    first = received(inventory_sent(), fact(Word.DUPLICATE, 2))
    assert stage(first) is DeclarationStage.REJECTED
    again = inventory_sent()
    base = {"kind": "inventory", "version": 1}
    again = folded(
        again,
        Event(EventKind.DECLARATION_UNANSWERED, base),
        Event(EventKind.DECLARATION_SENDING, {**base, "attempt": 2, "at": LATER}),
    )
    assert stage(received(again, fact(Word.DUPLICATE, 2))) is DeclarationStage.LODGED
    lodged = received(inventory_sent(), fact(Word.ACCEPTED, 2), fact(Word.DUPLICATE, 3))
    assert stage(lodged) is DeclarationStage.ACCEPTED


def test_what_only_exists_already_rejected_goes_on_when_customs_speaks_of_it() -> None:
    doubled = received(inventory_sent(), fact(Word.DUPLICATE, 2, status="-621004"))
    assert stage(doubled) is DeclarationStage.REJECTED
    # The 2 of the same try was overtaken; nothing is said twice, nothing alarms.
    lodged = received(doubled, fact(Word.LODGED, 1))
    assert stage(lodged) is DeclarationStage.LODGED
    assert "answer_after_rejection" not in lodged.alarms
    released = received(lodged, fact(Word.ACCEPTED, 3), fact(Word.RELEASED, 4))
    assert stage(released) is DeclarationStage.RELEASED
    # A release without its siblings still waits for them.
    assert stage(received(doubled, fact(Word.RELEASED, 4))) is DeclarationStage.REJECTED
    # Customs' own rejection is final, before and after it.
    refused = received(doubled, fact(Word.REJECTED, 3))
    assert stage(received(refused, fact(Word.ACCEPTED, 5))) is DeclarationStage.REJECTED
    # Neither does another failure of that try reopen anything.
    assert stage(received(doubled, fact(Word.FAILED_SYSTEM, 3))) is DeclarationStage.REJECTED


def test_negative_answers_by_class() -> None:
    assert stage(received(inventory_sent(), fact(Word.FAILED, 2))) is DeclarationStage.REJECTED
    signature = received(inventory_sent(), fact(Word.FAILED_SIGNATURE, 2))
    assert stage(signature) is DeclarationStage.SENT
    assert signature.alarms == ("signature_refused",)
    system = received(inventory_sent(), fact(Word.LODGED, 2), fact(Word.FAILED_SYSTEM, 3))
    assert stage(system) is DeclarationStage.SENT
    late = received(inventory_sent(), fact(Word.LODGED, 2), fact(Word.FAILED, 3))
    assert stage(late) is DeclarationStage.LODGED
    assert late.alarms == ("failed_after_lodged",)


def test_a_record_that_moved_to_another_message_is_answered_as_sent() -> None:
    """Its first message was refused as a whole, while customs speaks of it all the same."""
    state = inventory_sent()
    moved = {"kind": INVENTORY.value, "version": 1, "message": "m2"}
    state = folded(state, Event(EventKind.DECLARATION_MOVED, moved))
    assert stage(state) is DeclarationStage.CLAIMED
    state = received(state, fact(Word.LODGED, 1))
    assert stage(state) is DeclarationStage.LODGED


def test_a_word_that_a_kind_does_not_know_is_an_alarm() -> None:
    state = received(order_sent(), fact(Word.RELEASED, 2, ORDER, invt_no="x"))
    assert stage(state, ORDER) is DeclarationStage.SENT
    assert state.alarms == ("odd_status",)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(STATUS)), st.integers(1, 9)), max_size=8, unique=True)
)
def test_no_sequence_of_receipts_breaks_the_fold(words: Sequence[tuple[Word, int]]) -> None:
    state = inventory_sent()
    has_released = False
    for word, minute in words:
        decision = receipt_events(state, fact(Word(word), minute), LATER)
        state = folded(state, *decision.events)
        has_released = has_released or stage(state) is DeclarationStage.RELEASED
        if has_released:
            assert stage(state) in (DeclarationStage.RELEASED, DeclarationStage.CLOSED)
        assert state_from_doc(state_to_doc(state)) == state
        assert isinstance(case_stage(state), CaseStage)
    assert state.release_sequence <= 1


# --- illegal steps and frozen papers ----------------------------------------------------------


@pytest.mark.parametrize(
    "kind, payload",
    [
        (EventKind.DECLARATION_CLAIMED, {"message": "m", "app_time": "x"}),
        (EventKind.DECLARATION_WITHDRAWN, {"reason": "x"}),
    ],
)
def test_an_event_that_cannot_follow_is_refused(kind: EventKind, payload: dict[str, Any]) -> None:
    state = inventory_sent()
    with pytest.raises(IllegalTransition):
        apply(state, Event(kind, {"kind": "inventory", "version": 1, **payload}))
    with pytest.raises(IllegalTransition):
        apply(state, Event(kind, {"kind": "inventory", "version": 9, **payload}))


def test_papers_are_frozen_once_the_inventory_is_out() -> None:
    assert frozen_reason(matched(), PaperKind.ORDER) is None
    assert frozen_reason(order_sent(), PaperKind.ORDER) == "order_awaits_answer"
    assert frozen_reason(order_sent(), PaperKind.WAYBILL) is None
    for kind in PaperKind:
        assert frozen_reason(inventory_sent(), kind) == "inventory_declared"
    rejected = received(inventory_sent(), fact(Word.REJECTED, 2))
    assert frozen_reason(rejected, PaperKind.WAYBILL) is None


# --- planning ---------------------------------------------------------------------------------


def kinds(state: CaseState, **changes: Any) -> list[tuple[str, str]]:
    return [
        (event.payload["kind"], event.payload.get("app_type", event.kind.value))
        for event in plan_events(state, KEY, profile(**changes), {"SKU-1": 1})
    ]


def test_the_order_goes_first_and_opens_the_gate() -> None:
    assert kinds(matched()) == [("order", "1")]
    assert kinds(plan(matched())) == []
    assert kinds(order_sent()) == []
    assert kinds(received(order_sent(), fact(Word.LODGED, 1, ORDER))) == []
    assert kinds(received(order_sent(), fact(Word.STORED, 1, ORDER))) == [("inventory", "1")]
    assert kinds(inventory_sent()) == []


def test_an_open_gate_does_not_wait_for_the_order() -> None:
    filings = {PaperKind.ORDER: PaperFiling(FiledBy.US, ConfirmedBy.RECEIPT, gate=False)}
    assert kinds(order_sent(), filings=filings) == [("inventory", "1")]


def test_an_order_filed_by_the_platform_is_not_filed_again() -> None:
    filings = {PaperKind.ORDER: PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT)}
    assert kinds(matched(), filings=filings) == [("inventory", "1")]


def test_a_statement_that_has_not_come_keeps_the_gate_shut() -> None:
    state = matched()._replace(
        papers={kind: PaperStamp(1, "d") for kind in (PaperKind.ORDER, PaperKind.PAYMENT)},
    )
    filings = {PaperKind.ORDER: PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT)}
    assert kinds(state, filings=filings) == []
    open_gate = {PaperKind.WAYBILL: PaperFiling(FiledBy.OTHER, ConfirmedBy.STATEMENT, gate=False)}
    assert kinds(state, filings=filings | open_gate) == [("inventory", "1")]


def test_nothing_is_planned_while_held_or_unmatched() -> None:
    assert kinds(matched()._replace(hold=Hold("somebody", "why"))) == []
    assert kinds(matched()._replace(verdict=None)) == []
    for kind in (VerdictKind.WAITING, VerdictKind.MISMATCH, VerdictKind.BLOCKED):
        assert kinds(matched()._replace(verdict=Verdict(kind))) == []


def test_a_planned_order_whose_paper_moved_is_withdrawn_and_planned_anew() -> None:
    state = folded(plan(matched()), Event(EventKind.PAPERS_RECEIVED, papers(order=2)))
    assert kinds(state) == [("order", "declaration_withdrawn"), ("order", "1")]
    again = plan(state)
    assert again.declaration(ORDER).version == 2  # type: ignore[union-attr]
    assert kinds(again) == []


def test_a_stored_order_whose_paper_moved_is_changed() -> None:
    state = received(order_sent(), fact(Word.STORED, 1, ORDER))
    state = folded(state, Event(EventKind.PAPERS_RECEIVED, papers(order=2)))
    assert kinds(state) == [("order", "2")]


def test_a_rejected_inventory_is_planned_again_when_a_paper_moved() -> None:
    state = received(inventory_sent(), fact(Word.LODGED, 2), fact(Word.REJECTED, 3))
    assert kinds(state) == []
    assert case_stage(state) is CaseStage.REJECTED
    state = folded(state, Event(EventKind.PAPERS_RECEIVED, papers(waybill=2)))
    assert kinds(state) == [("inventory", "1")]
    first, second = state.declaration(INVENTORY), plan(state).declaration(INVENTORY)
    assert isinstance(first, DeclarationState)
    assert isinstance(second, DeclarationState)
    assert first.cop_no == second.cop_no
    assert second.pinned.papers["waybill"] == 2


@pytest.mark.parametrize(
    "kind, stage",
    [
        (VerdictKind.MATCHED, CaseStage.READY),
        (VerdictKind.MISMATCH, CaseStage.MISMATCH),
        (VerdictKind.BLOCKED, CaseStage.BLOCKED),
        (VerdictKind.WAITING, CaseStage.COLLECTING),
    ],
)
def test_a_stored_order_hides_no_later_verdict(kind: VerdictKind, stage: CaseStage) -> None:
    state = received(order_sent(), fact(Word.STORED, 1, ORDER))
    verdict = Event(EventKind.CASE_MATCHED, verdict_to_doc(Verdict(kind)))
    assert case_stage(folded(state, verdict)) is stage
