"""When no answer comes: the same bytes go again, never sooner than the port's gap allows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from gateway.domain.codec import to_micros
from gateway.domain.declaration import DeclarationKind
from gateway.domain.ids import MessageId
from gateway.flow.context import SECOND_US
from gateway.flow.transmit import (
    _ClosedFacts,
    _OverdueFacts,
    _Signer,
    decide_closed,
    decide_overdue,
)
from gateway.ports import (
    CaseView,
    Effect,
    Found,
    MessageStage,
    SendOutcome,
    StoredMember,
    StoredMessage,
)
from tests.unit.domain.papers import profile
from tests.unit.domain.test_lifecycle import KEY, SENT_AT, order_sent

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
