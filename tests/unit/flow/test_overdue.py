"""When no answer comes: the same bytes go again, never sooner than the port's gap allows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from gateway.app.regimes import customs_regime
from gateway.domain.codec import to_micros
from gateway.domain.declaration import DeclarationKind, Word
from gateway.domain.ids import CaseId, MessageId
from gateway.flow.context import SECOND_US
from gateway.flow.transmit import (
    Looking,
    _AgainFacts,
    _ClosedFacts,
    _OverdueFacts,
    _Signer,
    answer_effect,
    decide_again,
    decide_closed,
    decide_overdue,
)
from gateway.ports import (
    CaseView,
    Changes,
    Effect,
    Found,
    MessageStage,
    SendOutcome,
    StoredMember,
    StoredMessage,
)
from tests.unit.domain.papers import profile
from tests.unit.domain.test_lifecycle import KEY, SENT_AT, fact, order_sent, received

SENT = to_micros(SENT_AT)
PROFILE = replace(profile(), answer_timeout_s=8, resend_gap_s=30)


def message(view: CaseView) -> StoredMessage:
    filed = view.state.declaration(DeclarationKind.ORDER)
    assert filed is not None
    members = (StoredMember(KEY, filed, 0),)
    return StoredMessage(
        MessageId("m1"), "G", DeclarationKind.ORDER, KEY.tenant, PROFILE.profile_id, "g",
        MessageStage.HANDED_OVER, SENT, 1, b"<x/>", members,
    )  # fmt: skip


def together(*ends: Word | None) -> tuple[StoredMessage, dict[CaseId, CaseView]]:
    """One message of several orders, each with the answer that came for it."""
    views: dict[CaseId, CaseView] = {}
    members = []
    for position, end in enumerate(ends):
        key = replace(KEY, case_id=CaseId(f"C{position}"))
        state = order_sent()
        filed = state.declaration(DeclarationKind.ORDER)
        assert filed is not None
        members.append(StoredMember(key, filed, position))
        if end is not None:
            state = received(state, fact(end, 1, DeclarationKind.ORDER))
        views[key.case_id] = CaseView(key, state, 1, {})
    first = message(CaseView(KEY, order_sent(), 1, {}))
    return replace(first, members=tuple(members)), views


def after_refusal(sent: StoredMessage, views: dict[CaseId, CaseView]) -> Changes[Any]:
    """The second attempt did not reach the channel: what goes next."""
    refused = replace(sent, attempt=2, stage=MessageStage.NOT_HANDED_OVER)
    facts = _AgainFacts(refused, PROFILE, (MessageId("m2"), "G2"), customs_regime(), SENT)
    return decide_again(facts, views, cast(Found, {}))


@pytest.mark.parametrize("is_overdue", [True, False])
def test_what_customs_rejected_is_not_filed_again_with_its_silent_neighbour(
    is_overdue: bool,
) -> None:
    sent, views = together(Word.REJECTED, None, Word.STORED)
    if is_overdue:
        timer = answer_effect(sent, SENT, Looking())
        facts = _OverdueFacts(
            sent, PROFILE, timer, (MessageId("m2"), "G2"), customs_regime(), SENT, _Signer.WELL
        )
        changes: Changes[Any] = decide_overdue(facts, views, cast(Found, {}))
    else:
        changes = after_refusal(sent, views)
    (new,) = changes.messages
    assert [one.case_id for one in new.members] == ["C1"]
    # The record stays what customs may have already, its appTime too.
    assert new.members[0].app_time == sent.members[1].declaration.app_time
    assert changes.result.stage is MessageStage.CLAIMED
    assert changes.attempts_opened == []
    assert views[CaseId("C0")].new_events == []


def test_nothing_goes_again_once_everybody_was_answered() -> None:
    changes = after_refusal(*together(Word.STORED, Word.LODGED))
    assert changes.result is None
    assert changes.attempts_opened == []
    # What is only lodged is looked after further.
    assert [one.kind.value for one in changes.effects] == ["answer"]


def timer_after(outcome: SendOutcome, view: CaseView) -> Effect:
    facts = _ClosedFacts(message(view), PROFILE, outcome, "", SENT)
    return decide_closed(facts, {KEY.case_id: view}, cast(Found, {})).effects[0]


def test_the_same_bytes_wait_for_the_gap_of_the_port() -> None:
    view = CaseView(KEY, order_sent(), 1, {})
    timer = timer_after(SendOutcome.HANDED_OVER, view)
    assert timer.due_at == SENT + 8 * SECOND_US

    def look(timer: Effect) -> Any:
        facts = _OverdueFacts(
            message(view), PROFILE, timer, (MessageId("m2"), "G2"), cast(Any, None), timer.due_at,
            _Signer.WELL,
        )  # fmt: skip
        return decide_overdue(facts, {KEY.case_id: view}, cast(Found, {}))

    early = look(timer)
    # Known as unanswered at once, and looked at again only when the gap is over.
    assert [one.kind.value for one in view.new_events] == ["declaration_unanswered"]
    assert early.result is None
    assert early.attempts_opened == []
    again = early.effects[-1]
    assert again.due_at == SENT + 30 * SECOND_US
    assert again.effect_id != timer.effect_id
    sent = look(again)
    assert sent.result is not None
    assert sent.result.attempt == 2
    assert view.new_events[-1].payload["attempt"] == 2
