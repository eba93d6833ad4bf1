"""What follows an accepted inventory: cancelled, declared anew, returned, taxed."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from gateway.domain.asking import Answered, return_standing
from gateway.domain.case import CaseStage, CaseState, Wish
from gateway.domain.codec import state_from_doc, state_to_doc, to_micros
from gateway.domain.declaration import (
    BillFact,
    BillStatus,
    DeclarationKind,
    DeclarationStage,
    DeclarationState,
    Word,
)
from gateway.domain.errors import IllegalTransition
from gateway.domain.events import Event, EventKind
from gateway.domain.lifecycle import DECLARATION, LEVEL, apply, case_stage, frozen_reason
from gateway.domain.papers import PaperKind
from gateway.domain.planning import return_event, returnable, to_refile
from gateway.domain.receipts import record_events, released_events
from gateway.domain.returns import (
    GivenBack,
    ReturnedLine,
    given_back,
    ledger,
    return_days,
    share_of_lines,
    standing_returns,
    tax_given_back,
)
from gateway.domain.tax import LineTax, TaxSum
from tests.unit.domain.papers import good, profile
from tests.unit.domain.test_lifecycle import (
    INVENTORY,
    KEY,
    LATER,
    ORDER,
    SENT_AT,
    fact,
    folded,
    inventory_sent,
    kinds,
    papers,
    plan,
    received,
    send,
)

DUTIABLE = Decimal("47.00")
ZERO = Decimal(0)
CANCELLATION, RETURN = DeclarationKind.CANCELLATION, DeclarationKind.RETURN


def accepted(minute: int = 2) -> CaseState:
    return received(inventory_sent(), fact(Word.ACCEPTED, minute))


def asked(state: CaseState, wish: Wish, **more: Any) -> CaseState:
    payload = {"ask": wish.value, "by": "clerk", "reason": "wrong goods", **more}
    return folded(state, Event(EventKind.CASE_ASKED, payload))


def cancelling(wish: Wish = Wish.CANCEL) -> CaseState:
    """Accepted, asked for, and the request is with customs."""
    return send(plan(asked(accepted(), wish)), CANCELLATION, SENT_AT + timedelta(minutes=5))


def newest(state: CaseState, kind: DeclarationKind) -> DeclarationState:
    found = state.declaration(kind)
    assert found is not None
    return found


def of(word: Word, minute: int, kind: DeclarationKind, state: CaseState, **more: Any) -> CaseState:
    cop_no = newest(state, kind).cop_no
    return received(state, fact(word, minute, kind, cop_no=cop_no, **more))


# --- cancelling -------------------------------------------------------------------------------


def test_a_request_to_cancel_names_what_customs_numbered() -> None:
    state = asked(accepted(), Wish.CANCEL)
    assert case_stage(state) is CaseStage.CANCELLING
    assert kinds(state) == [("cancellation", "1")]
    request = newest(plan(state), CANCELLATION)
    inventory = newest(state, INVENTORY)
    assert request.request["invt_no"] == inventory.invt_no
    assert request.request["reason"] == "wrong goods"
    assert request.pinned == inventory.pinned
    assert request.cop_no != inventory.cop_no
    assert kinds(plan(state)) == []


def test_a_wish_waits_until_customs_has_decided() -> None:
    state = asked(inventory_sent(), Wish.CANCEL)
    assert kinds(state) == []
    assert case_stage(state) is CaseStage.CANCELLING
    lodged = received(state, fact(Word.LODGED, 2, invt_no=None))
    assert kinds(lodged) == []
    # 120 without the number of the inventory cannot be cancelled yet: a 623 names it.
    unnumbered = received(lodged, fact(Word.ACCEPTED, 3, invt_no=None))
    assert kinds(unnumbered) == []
    assert kinds(received(unnumbered, fact(Word.REVIEW, 4))) == [("cancellation", "1")]
    refused = received(lodged, fact(Word.REJECTED, 3))
    assert kinds(refused) == []
    assert case_stage(refused) is CaseStage.ABANDONED


def test_customs_grants_a_cancellation() -> None:
    state = cancelling()
    assert case_stage(state) is CaseStage.CANCELLING
    for word in (Word.LODGED, Word.ACCEPTED):
        state = of(word, 6, CANCELLATION, state)
        assert case_stage(state) is CaseStage.CANCELLING
    state = of(Word.APPROVED, 7, CANCELLATION, state)
    assert newest(state, INVENTORY).stage is DeclarationStage.CANCELLED
    assert case_stage(state) is CaseStage.CANCELLED
    assert kinds(state) == []
    assert state_from_doc(state_to_doc(state)) == state
    late = received(state, fact(Word.RELEASED, 9))
    assert newest(late, INVENTORY).stage is DeclarationStage.CANCELLED
    assert "answer_after_cancellation" in late.alarms
    assert late.release_sequence == 0


def test_a_refused_cancellation_gives_the_former_state_back() -> None:
    state = of(Word.REJECTED, 7, CANCELLATION, cancelling())
    assert case_stage(state) is CaseStage.ACCEPTED
    assert state.asked is None
    assert kinds(state) == []
    assert case_stage(received(state, fact(Word.RELEASED, 8))) is CaseStage.RELEASED
    again = asked(state, Wish.CANCEL)
    assert kinds(again) == [("cancellation", "1")]
    assert newest(plan(again), CANCELLATION).cop_no != newest(state, CANCELLATION).cop_no


def test_a_second_word_on_a_granted_cancellation_changes_nothing() -> None:
    state = of(Word.APPROVED, 7, CANCELLATION, cancelling())
    after = of(Word.REJECTED, 8, CANCELLATION, state)
    assert newest(after, INVENTORY).stage is DeclarationStage.CANCELLED
    assert "rejected_after_approval" in after.alarms


def test_a_release_while_cancelling_waits_for_a_person() -> None:
    state = received(cancelling(), fact(Word.RELEASED, 6))
    assert state.release_sequence == 0
    assert "released_while_cancelling" in state.alarms
    assert state.hold is not None
    # No sibling that comes late lets it go.
    assert received(state, fact(Word.REVIEW, 4)).release_sequence == 0
    granted = of(Word.APPROVED, 7, CANCELLATION, state)
    assert case_stage(granted) is CaseStage.CANCELLED
    assert released_events(granted) == []
    refused = of(Word.REJECTED, 7, CANCELLATION, state)
    let_go = folded(refused, Event(EventKind.CASE_UNHELD, {"by": "clerk"}))
    done = folded(let_go, *released_events(let_go))
    assert case_stage(done) is CaseStage.RELEASED
    assert done.release_sequence == 1


def test_a_cancellation_granted_after_release_is_an_alarm() -> None:
    state = of(Word.REJECTED, 6, CANCELLATION, cancelling())
    state = received(state, fact(Word.RELEASED, 7))
    (request,) = [one for one in state.declarations if one.kind is CANCELLATION]
    # As if customs contradicted itself: the request was only lodged, then granted too late.
    lodged = request._replace(stage=DeclarationStage.LODGED)
    state = state._replace(
        declarations=tuple(lodged if one is request else one for one in state.declarations)
    )
    state = of(Word.APPROVED, 8, CANCELLATION, state)
    assert "cancelled_after_release" in state.alarms
    assert state.hold is not None
    assert case_stage(state) is CaseStage.RELEASED


# --- declared anew ----------------------------------------------------------------------------


def test_what_follows_a_cancellation_has_a_number_of_its_own() -> None:
    state = of(Word.APPROVED, 7, CANCELLATION, cancelling(Wish.REDECLARE))
    assert kinds(state) == [("inventory", "1")]
    first, state = newest(state, INVENTORY), plan(state)
    second = newest(state, INVENTORY)
    assert second.cop_no != first.cop_no
    assert state.asked is None
    assert case_stage(state) is CaseStage.DECLARING
    state = send(state, INVENTORY, SENT_AT + timedelta(minutes=10))
    # A late receipt of the cancelled one finds it by its number and moves nothing.
    late = received(state, fact(Word.RELEASED, 12, cop_no=first.cop_no))
    assert case_stage(late) is CaseStage.SENT
    done = received(
        state, fact(Word.ACCEPTED, 12, cop_no=second.cop_no, invt_no="29912026I000000002")
    )
    assert case_stage(done) is CaseStage.ACCEPTED


def test_a_change_waits_for_the_corrected_paper() -> None:
    state = of(Word.APPROVED, 7, CANCELLATION, cancelling(Wish.CHANGE))
    assert kinds(state) == []
    assert frozen_reason(state, PaperKind.ORDER) is None
    state = folded(state, Event(EventKind.PAPERS_RECEIVED, papers(order=2)))
    assert kinds(state) == [("order", "2")]
    state = send(plan(state), ORDER, SENT_AT + timedelta(minutes=9))
    assert kinds(state) == []
    state = received(state, fact(Word.STORED, 10, ORDER))
    assert kinds(state) == [("inventory", "1")]


@pytest.mark.parametrize(
    "code, first", [("1327", [("order", "2")]), ("1320", [("inventory", "1")]), (None, None)]
)
def test_a_rejection_is_filed_again_as_its_code_says(
    code: str | None, first: list[tuple[str, str]] | None
) -> None:
    codes = (code,) if code else ()
    state = received(inventory_sent(), fact(Word.REJECTED, 3, codes=codes))
    assert kinds(state) == []
    state = asked(state, Wish.REDECLARE, after=to_refile(state))
    assert kinds(state) == (first or [("inventory", "1")])
    if code != "1327":
        return
    state = send(plan(state), ORDER, SENT_AT + timedelta(minutes=5))
    assert kinds(state) == []
    state = received(state, fact(Word.STORED, 6, ORDER))
    assert kinds(state) == [("inventory", "1")]
    assert kinds(plan(state)) == []
    kept = newest(plan(state), INVENTORY)
    assert kept.cop_no == newest(state, INVENTORY).cop_no


def test_declared_already_is_tried_once_as_a_change() -> None:
    state = received(inventory_sent(), fact(Word.REJECTED, 3))
    state = folded(state, Event(EventKind.PAPERS_RECEIVED, papers(waybill=2)))
    state = send(plan(state), INVENTORY, SENT_AT + timedelta(minutes=5))
    state = received(state, fact(Word.DUPLICATE, 6, status="-621004"))
    assert kinds(state) == [("inventory", "2")]
    change = newest(plan(state), INVENTORY)
    assert change.request["invt_no"] == "29912026I000000001"
    state = send(plan(state), INVENTORY, SENT_AT + timedelta(minutes=8))
    # What customs says then is for a person.
    state = received(state, fact(Word.FAILED, 9, status="-621011"))
    assert kinds(state) == []


def test_a_first_filing_that_exists_already_is_for_a_person() -> None:
    state = received(inventory_sent(), fact(Word.DUPLICATE, 3, status="-621004"))
    assert kinds(state) == []
    assert "exists_already" in state.alarms


# --- returns ----------------------------------------------------------------------------------


def shared(state: CaseState, lines: dict[int, Decimal]) -> GivenBack:
    paper = good().order
    assert paper is not None
    return share_of_lines(state, paper, lines, dutiable=DUTIABLE)


def returned(state: CaseState, lines: dict[int, Decimal]) -> CaseState:
    state = folded(state, return_event(state, KEY, profile(), "size", lines, shared(state, lines)))
    return send(state, RETURN, SENT_AT + timedelta(hours=5))


def released() -> CaseState:
    return received(accepted(), fact(Word.RELEASED, 4))


def test_returns_keep_a_ledger_of_their_lines() -> None:
    paper = good().order
    assert paper is not None
    state = released()
    whole = returnable(state, paper)
    assert whole == {line.line_no: line.quantity for line in paper.lines}
    one = min(whole)
    state = returned(state, {one: Decimal(1)})
    assert returnable(state, paper).get(one, Decimal(0)) == whole[one] - 1
    assert case_stage(state) is CaseStage.RELEASED
    refused = of(
        Word.REJECTED,
        60 * 6,
        RETURN,
        state,
        pre_no=None,
        invt_no=None,
    )
    assert returnable(refused, paper) == whole
    granted = of(Word.APPROVED, 60 * 6, RETURN, state, pre_no=None, invt_no=None)
    assert newest(granted, RETURN).stage is DeclarationStage.APPROVED
    assert returnable(granted, paper) == returnable(state, paper)
    assert case_stage(granted) is CaseStage.RELEASED
    assert state_from_doc(state_to_doc(granted)) == granted


def test_what_returns_give_back_adds_up_to_the_whole() -> None:
    paper = good().order
    assert paper is not None
    state, given = released(), []
    for line in paper.lines:
        for part in (line.quantity - 1, Decimal(1)):
            if not part:
                continue
            state = returned(state, {line.line_no: part})
            state = of(Word.APPROVED, 60 * 6, RETURN, state, pre_no=None, invt_no=None)
            given.append(given_back(newest(state, RETURN)))
    assert len(given) > 2
    assert sum(one.value for one in given) == DUTIABLE
    assert sum(one.tax for one in given) == paper.tax.amount == tax_given_back(state)
    # One that customs refused gives nothing, and the next counts from what stands.
    refused = of(Word.REJECTED, 60 * 6, RETURN, returned(released(), {1: Decimal(1)}))
    assert tax_given_back(refused) == 0
    assert shared(refused, {1: Decimal(1)}) == given[0]


def test_tax_of_a_return_goes_by_the_rates_of_its_lines_where_they_are_known() -> None:
    paper = good().order
    assert paper is not None
    first, second = paper.lines[0].line_no, paper.lines[1].line_no
    quantity = paper.lines[0].quantity
    due = tuple(
        LineTax(number, Decimal(1), Decimal(0), Decimal(0), Decimal(vat))
        for number, vat in ((first, 3), (second, 1))
    )
    taxes = TaxSum(due, is_full=False)

    def tax(taxes: TaxSum) -> Decimal:
        lines = {first: quantity}
        return share_of_lines(released(), paper, lines, dutiable=DUTIABLE, taxes=taxes).tax

    whole = paper.tax.amount
    assert tax(taxes) == (whole * 3 / 4).quantize(Decimal("0.01"), ROUND_HALF_UP)
    by_totals = tax(TaxSum(due[:1], is_full=False, unknown=(second,)))
    assert by_totals == shared(released(), {first: quantity}).tax


def test_each_return_answers_to_its_own_number() -> None:
    state = of(
        Word.REJECTED,
        60 * 6,
        RETURN,
        returned(released(), {1: Decimal(1)}),
        invt_no=None,
        pre_no=None,
    )
    first = newest(state, RETURN)
    second = returned(state, {1: Decimal(1)})
    assert newest(second, RETURN).cop_no != first.cop_no
    late = fact(Word.APPROVED, 60 * 7, RETURN, cop_no=first.cop_no, invt_no=None, pre_no=None)
    assert newest(received(second, late), RETURN).stage is DeclarationStage.SENT


@pytest.mark.parametrize(
    "day, is_anything_left, is_one_on_its_way, answered, reason",
    [
        (date(2026, 11, 12), True, False, Answered.STOPPABLE, "return_filed"),
        (date(2026, 12, 11), True, False, Answered.STOPPABLE, "return_filed"),
        (date(2026, 12, 12), True, False, Answered.TOO_LATE, "return_window_over"),
        (date(2026, 11, 12), False, False, Answered.TOO_LATE, "nothing_left_to_return"),
        (date(2026, 11, 12), True, True, Answered.TOO_EARLY, "return_on_its_way"),
        (date(2026, 12, 12), True, True, Answered.TOO_LATE, "return_window_over"),
    ],
)
def test_a_return_has_thirty_days_unless_the_profile_says_otherwise(
    day: date, is_anything_left: bool, is_one_on_its_way: bool, answered: Answered, reason: str
) -> None:
    days = return_days(released(), profile())
    assert days is not None
    assert days == (date(2026, 12, 11), date(2026, 12, 26))
    answer = return_standing(
        released(),
        day,
        days.apply_until,
        is_anything_left=is_anything_left,
        is_one_on_its_way=is_one_on_its_way,
    )
    assert (answer.answered, answer.reason) == (answered, reason)
    shorter = profile(return_apply_days=3, return_back_days=7)
    assert return_days(released(), shorter) == (date(2026, 11, 14), date(2026, 11, 18))


def test_the_days_count_from_release_whatever_customs_says_later() -> None:
    closed = received(released(), fact(Word.CLOSED, 60 * 24 * 20), now=LATER + 30 * 86_400_000_000)
    assert case_stage(closed) is CaseStage.CLOSED
    assert return_days(closed, profile()) == return_days(released(), profile())
    assert return_days(accepted(), profile()) is None
    assert state_from_doc(state_to_doc(closed)) == closed


def test_several_returns_stand_side_by_side_in_one_ledger() -> None:
    paper = good().order
    assert paper is not None
    one, ordered = paper.lines[0].line_no, paper.lines[0].quantity
    half = ordered / 2
    state = returned(returned(released(), {one: half}), {one: half})
    first, second = standing_returns(state)
    assert first.cop_no != second.cop_no
    assert ledger(state, paper)[0] == ReturnedLine(one, ordered, ordered, ZERO, ZERO, ZERO)
    assert ledger(state, paper)[1].left == paper.lines[1].quantity
    for asked, minute in ((second, 60 * 6), (first, 60 * 6 + 1)):
        cop_no = asked.cop_no
        granted = fact(Word.APPROVED, minute, RETURN, cop_no=cop_no, invt_no=None, pre_no=None)
        state = received(state, granted)
    assert ledger(state, paper)[0] == ReturnedLine(one, ordered, ZERO, ordered, ZERO, ZERO)
    back = Event(EventKind.RETURN_ARRIVED, {"version": 2, "at": 1, "by": "clerk"})
    state = apply(state, back)
    assert ledger(state, paper)[0] == ReturnedLine(one, ordered, ZERO, ordered, half, ZERO)
    with pytest.raises(IllegalTransition):
        apply(state, back)


# --- tax bills --------------------------------------------------------------------------------


def bill(minute: int, status: BillStatus = BillStatus.DRAWN, **more: Any) -> BillFact:
    returned_at = SENT_AT + timedelta(minutes=minute)
    fresh = BillFact(
        bill_no="T1",
        invt_no="29912026I000000001",
        status=status,
        returned_at=(returned_at + timedelta(hours=8)).strftime("%Y%m%d%H%M%S000"),
        returned_at_us=to_micros(returned_at),
        receipt_id=f"b{minute}",
        position=0,
        guid="g",
        tariff="0",
        vat="18.11",
        consumption="2.5",
    )
    return fresh._replace(**more)


def billed(state: CaseState, *facts: BillFact) -> CaseState:
    for one in facts:
        decision = record_events(state, one, LATER)
        assert decision.parked is None
        state = folded(state, *decision.events)
    return state


NOTHING = {"tariff": None, "vat": None, "consumption": None}


def test_a_bill_stands_until_it_is_void_whatever_the_order() -> None:
    drawn, void = bill(5), bill(7, BillStatus.VOIDED, **NOTHING)
    assert billed(released(), drawn).billed_tax == Decimal("20.61")
    states = [billed(released(), drawn, void), billed(released(), void, drawn)]
    for state in states:
        assert state.billed_tax is None
        assert state.bills[0].vat == "18.11"
        assert state_from_doc(state_to_doc(state)) == state
    assert states[0].bills == states[1].bills
    again = billed(states[0], bill(9, bill_no="T2"))
    assert again.billed_tax == Decimal("20.61")
    assert record_events(again, drawn, LATER).events == ()


def test_a_bill_of_another_inventory_is_parked() -> None:
    other = bill(5, invt_no="29912026I000000009")
    assert record_events(released(), other, LATER).parked == "nothing_declared_under_invt_no"
    forged = bill(5, checks={"agent": "X"})
    assert record_events(released(), forged, LATER).parked == "agent_differs"
    future = bill(5, returned_at_us=LATER + 10**12)
    assert record_events(released(), future, LATER).parked == "returned_in_the_future"


# --- the table --------------------------------------------------------------------------------


def test_every_stage_that_a_word_leads_to_has_a_level_or_is_an_end() -> None:
    assert set(DECLARATION) == set(DeclarationKind)
    for row in DECLARATION.values():
        for stage in row.values():
            assert stage in LEVEL or stage in (
                DeclarationStage.REJECTED,
                DeclarationStage.RETURNED_ABROAD,
            )
