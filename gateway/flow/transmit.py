"""Stage 6, transmit: the stored bytes go to the channel, and T4 records what became of the attempt.

The outcome of an attempt is handed over, refused or unknown. After unknown, nothing is sent in
haste: the same bytes go again, once in the port's gap, until an answer comes or the limit is
reached.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId, MessageId, effect_id
from gateway.domain.lifecycle import case_stage
from gateway.domain.profile import FilingProfile
from gateway.flow.context import SECOND_US, Context
from gateway.flow.declare import build_message, profile_of, send_effect
from gateway.flow.sign import record_sending, sign_message
from gateway.flow.status import stage_notices
from gateway.ports import (
    AttemptClosed,
    AttemptOpened,
    Changes,
    Command,
    Effect,
    EffectKind,
    Found,
    MasterData,
    Member,
    MessageStage,
    MessageStaged,
    NewMessage,
    SendOutcome,
    StoredMember,
    StoredMessage,
    Views,
)

_WAITING: Final = frozenset(
    {DeclarationStage.CLAIMED, DeclarationStage.SENT, DeclarationStage.UNKNOWN}
)
# After 2, 4 and 8 times the wait for an answer.
_LODGED_LOOKS: Final = 3
_OUTCOME: Final = {
    SendOutcome.HANDED_OVER: MessageStage.HANDED_OVER,
    SendOutcome.REFUSED: MessageStage.NOT_HANDED_OVER,
    SendOutcome.UNKNOWN: MessageStage.UNKNOWN,
}


async def deliver_message(context: Context, message: StoredMessage) -> SendOutcome | None:
    """Take a claimed message to its channel: build, sign, T3, send, T4. None when it came out
    empty.
    """
    remaining, built = await build_message(context, message)
    if built is None:
        return None
    signed = await sign_message(context, remaining, built.body)
    return await send_message(context, signed)


async def resume_message(context: Context, message_id: MessageId) -> SendOutcome | None:
    """Go on with a message whose worker stopped; None when nothing is left to do.

    Without stored bytes it is built and signed now. With an attempt left open, nobody knows
    whether bytes left: the attempt is closed as unknown and the wait for an answer begins.
    """
    message = await load_live(context, message_id, with_body=True)
    if message is None:
        return None
    if message.stage is MessageStage.CLAIMED:
        return await deliver_message(context, message)
    if message.stage is MessageStage.SIGNED:
        await close_attempt(context, message, SendOutcome.UNKNOWN, "worker stopped")
        return SendOutcome.UNKNOWN
    if message.stage is MessageStage.NOT_HANDED_OVER:
        return await _send_again(context, message)
    return None


async def _send_again(context: Context, message: StoredMessage) -> SendOutcome | None:
    """Open the next attempt after one that surely handed nothing over."""
    facts = _AgainFacts(message, profile_of(context, message), context.clock.now())
    again = await context.store.submit(
        Command(
            decide=decide_again,
            facts=facts,
            load=tuple(member.key.case_id for member in message.members),
            lane=message.group,
            stage="transmit",
        )
    )
    return await send_message(context, again)


@dataclass(frozen=True, slots=True)
class _AgainFacts:
    message: StoredMessage
    profile: FilingProfile
    now: int


def decide_again(facts: _AgainFacts, views: Views, found: Found) -> Changes[StoredMessage]:
    """Pure: the next attempt with the same bytes; the effect of the one before is done."""
    message = facts.message
    again = replace(message, attempt=message.attempt + 1, stage=MessageStage.SIGNED)
    record_sending(message, views, again.attempt, facts.now)
    changes = Changes(result=again)
    changes.attempts_opened.append(
        AttemptOpened(message.message_id, again.attempt, facts.now, facts.profile.channel)
    )
    changes.effects_done.append(send_effect(message.message_id, "", 0, message.attempt).effect_id)
    changes.effects.append(
        send_effect(message.message_id, facts.profile.channel, facts.now, again.attempt)
    )
    return changes


async def load_live(
    context: Context, message_id: MessageId, *, with_body: bool
) -> StoredMessage | None:
    """A message with the members that it still carries."""
    message = await context.store.load_message(message_id, with_body=with_body)
    if message is None:
        return None
    live = tuple(
        member
        for member in message.members
        if member.declaration.message_id == message_id
        and member.declaration.stage is not DeclarationStage.WITHDRAWN
    )
    return replace(message, members=live)


async def send_message(context: Context, message: StoredMessage) -> SendOutcome:
    """Hand the stored bytes of an opened attempt to the channel and record the outcome (T4)."""
    assert message.body is not None
    profile = profile_of(context, message)
    channel = context.channels[profile.channel]
    envelope = context.regime.wrap(message, profile, message.body, message.created_at)
    context.crash.reach("transmit.before_first_byte")
    try:
        async with asyncio.timeout(context.settings.send_timeout_s):
            outcome = await channel.send(context.regime.file_name(message), envelope)
    except TimeoutError:
        outcome = SendOutcome.UNKNOWN
    context.crash.reach("transmit.after_last_byte")
    await close_attempt(context, message, outcome, "")
    return outcome


@dataclass(frozen=True, slots=True)
class _ClosedFacts:
    message: StoredMessage
    profile: FilingProfile
    outcome: SendOutcome
    detail: str
    now: int


async def close_attempt(
    context: Context, message: StoredMessage, outcome: SendOutcome, detail: str
) -> None:
    """T4: the outcome of an attempt; the wait for an answer starts with it."""
    profile = profile_of(context, message)
    facts = _ClosedFacts(message, profile, outcome, detail, context.clock.now())
    unknown = outcome is SendOutcome.UNKNOWN
    await context.store.submit(
        Command(
            decide=decide_closed,
            facts=facts,
            load=tuple(one.key.case_id for one in message.members) if unknown else (),
            lane=message.group,
            stage="transmit",
        )
    )


def decide_closed(facts: _ClosedFacts, views: Views, found: Found) -> Changes[None]:
    """T4, pure. A refused attempt leaves the SEND effect open: the same bytes are tried again."""
    message = facts.message
    changes: Changes[None] = Changes(result=None)
    changes.attempts_closed.append(
        AttemptClosed(
            message.message_id, message.attempt, facts.now, _OUTCOME[facts.outcome], facts.detail
        )
    )
    if facts.outcome is SendOutcome.REFUSED:
        return changes
    wait_s = facts.profile.answer_timeout_s
    if facts.outcome is SendOutcome.UNKNOWN:
        wait_s = facts.profile.resend_gap_s
        _record_unanswered(message, views)
    changes.effects_done.append(send_effect(message.message_id, "", 0, message.attempt).effect_id)
    changes.effects.append(answer_effect(message, facts.now + wait_s * SECOND_US))
    return changes


def _record_unanswered(message: StoredMessage, views: Views) -> list[StoredMember]:
    """Mark every declaration of a message that has no answer yet as unknown."""
    silent: list[StoredMember] = []
    for member in message.members:
        view = views.get(member.key.case_id)
        declaration = view.state.declaration(message.kind) if view else None
        if view is None or declaration is None or declaration.message_id != message.message_id:
            continue
        if declaration.stage not in (DeclarationStage.SENT, DeclarationStage.UNKNOWN):
            continue
        silent.append(member)
        if declaration.stage is DeclarationStage.SENT:
            view.record(
                Event(
                    EventKind.DECLARATION_UNANSWERED,
                    {"kind": message.kind.value, "version": declaration.version},
                )
            )
    return silent


def answer_effect(message: StoredMessage, due_at: int, look: int = 0) -> Effect:
    """The timer that looks whether a message was answered; ``look`` counts the later looks after
    records of which customs has said no more than that they are lodged.
    """
    parts = (message.attempt, look) if look else (message.attempt,)
    return Effect(
        effect_id=effect_id(CaseId(message.message_id), "answer", *parts),
        kind=EffectKind.ANSWER,
        group="answer",
        due_at=due_at,
        ref=message.message_id,
        payload={"attempt": message.attempt, "look": look},
    )


# --- no answer ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OverdueFacts:
    message: StoredMessage
    profile: FilingProfile
    timer: Effect
    now: int


async def check_answer(context: Context, timer: Effect) -> SendOutcome | None:
    """A message's answer is overdue: send the same bytes again, or call a person at the limit."""
    message = await load_live(context, MessageId(timer.ref), with_body=True)
    if message is None or message.body is None:
        await context.store.finish([(timer.effect_id, timer.attempt)], [])
        return None
    facts = _OverdueFacts(message, profile_of(context, message), timer, context.clock.now())
    again = await context.store.submit(
        Command(
            decide=decide_overdue,
            facts=facts,
            load=tuple(member.key.case_id for member in message.members),
            lane=message.group,
            stage="transmit",
        )
    )
    return await send_message(context, again) if again is not None else None


def decide_overdue(
    facts: _OverdueFacts, views: Views, found: Found
) -> Changes[StoredMessage | None]:
    """Pure: who has no answer becomes unknown; the same bytes go again while the limit allows."""
    message = facts.message
    changes: Changes[StoredMessage | None] = Changes(result=None)
    changes.effects_done.append(facts.timer.effect_id)
    if message.stage in (MessageStage.REFUSED, MessageStage.SPLIT, MessageStage.EMPTY):
        return changes
    if facts.timer.payload.get("attempt") != message.attempt:
        return changes
    silent = _record_unanswered(message, views)
    if not silent or message.attempt > facts.profile.resend_limit:
        _raise_alarm("no_answer", message, silent, views)
        _follow_lodged(facts, views, changes)
        return changes
    attempt = message.attempt + 1
    record_sending(message, views, attempt, facts.now)
    changes.attempts_opened.append(
        AttemptOpened(message.message_id, attempt, facts.now, facts.profile.channel)
    )
    changes.effects.append(
        send_effect(message.message_id, facts.profile.channel, facts.now, attempt)
    )
    changes.result = replace(message, attempt=attempt, stage=MessageStage.SIGNED)
    return changes


def _follow_lodged(
    facts: _OverdueFacts, views: Views, changes: Changes[StoredMessage | None]
) -> None:
    """Customs has these records and says no more: look again, ever later, then call a person."""
    message = facts.message
    lodged = [
        member
        for member in message.members
        if _stands_at(views, member, message, DeclarationStage.LODGED)
    ]
    if not lodged:
        return
    look = int(facts.timer.payload.get("look", 0)) + 1
    if look > _LODGED_LOOKS:
        _raise_alarm("no_outcome", message, lodged, views)
        return
    wait_us = (facts.profile.answer_timeout_s << look) * SECOND_US
    changes.effects.append(answer_effect(message, facts.now + wait_us, look))


def _stands_at(
    views: Views, member: StoredMember, message: StoredMessage, stage: DeclarationStage
) -> bool:
    view = views.get(member.key.case_id)
    declaration = view.state.declaration(message.kind) if view else None
    return (
        declaration is not None
        and declaration.message_id == message.message_id
        and declaration.stage is stage
    )


def _raise_alarm(
    alarm: str, message: StoredMessage, members: Sequence[StoredMember], views: Views
) -> None:
    for member in members:
        views[member.key.case_id].record(
            Event(
                EventKind.ALARM_RAISED,
                {
                    "alarm": alarm,
                    "kind": message.kind.value,
                    "version": member.declaration.version,
                },
            )
        )


# --- refused as a whole ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _RefusedFacts:
    message: StoredMessage
    profile: FilingProfile
    master: MasterData
    code: str
    ids: tuple[tuple[MessageId, str], tuple[MessageId, str]]
    now: int


async def split_refused(context: Context, message: StoredMessage, code: str) -> list[StoredMessage]:
    """Customs refused a whole message: halve it until the bad record stands alone.

    Gives the two new messages to deliver; none when one record was refused by itself.
    """
    rng = context.rng
    ids = (
        (MessageId(rng.guid()), rng.guid()),
        (MessageId(rng.guid()), rng.guid()),
    )
    facts = _RefusedFacts(
        message, profile_of(context, message), context.master, code, ids, context.clock.now()
    )
    return await context.store.submit(
        Command(
            decide=decide_refused,
            facts=facts,
            load=tuple(member.key.case_id for member in message.members),
            lane=message.group,
            stage="receipt",
        )
    )


def decide_refused(
    facts: _RefusedFacts, views: Views, found: Found
) -> Changes[list[StoredMessage]]:
    """Pure: split the members that still wait, or refuse the only one."""
    message = facts.message
    changes: Changes[list[StoredMessage]] = Changes(result=[])
    waiting = [
        member
        for member in message.members
        if _is_waiting(views, member, message.kind, message.message_id)
    ]
    if message.stage in (MessageStage.SPLIT, MessageStage.REFUSED) or not waiting:
        return changes
    changes.effects_done.append(
        send_effect(message.message_id, "", 0, max(message.attempt, 1)).effect_id
    )
    if len(waiting) == 1:
        _refuse_alone(facts, views, waiting[0], changes)
        return changes
    changes.messages_staged.append(
        MessageStaged(message.message_id, MessageStage.SPLIT, facts.code)
    )
    middle = (len(waiting) + 1) // 2
    for (message_id, guid), half in zip(
        facts.ids, (waiting[:middle], waiting[middle:]), strict=True
    ):
        changes.result.append(_moved(facts, views, half, message_id, guid, changes))
    return changes


def _is_waiting(
    views: Views, member: StoredMember, kind: DeclarationKind, message_id: MessageId
) -> bool:
    view = views.get(member.key.case_id)
    declaration = view.state.declaration(kind) if view else None
    return (
        declaration is not None
        and declaration.message_id == message_id
        and declaration.stage in _WAITING
    )


def _refuse_alone(
    facts: _RefusedFacts,
    views: Views,
    member: StoredMember,
    changes: Changes[list[StoredMessage]],
) -> None:
    view = views[member.key.case_id]
    before = case_stage(view.state)
    view.record(
        Event(
            EventKind.DECLARATION_REFUSED,
            {
                "kind": facts.message.kind.value,
                "version": member.declaration.version,
                "code": facts.code,
            },
        )
    )
    stage_notices(view, changes, facts.master, before, facts.now)
    changes.messages_staged.append(
        MessageStaged(facts.message.message_id, MessageStage.REFUSED, facts.code)
    )


def _moved(
    facts: _RefusedFacts,
    views: Views,
    half: list[StoredMember],
    message_id: MessageId,
    guid: str,
    changes: Changes[list[StoredMessage]],
) -> StoredMessage:
    message = facts.message
    members: list[Member] = []
    stored: list[StoredMember] = []
    for position, member in enumerate(half):
        view = views[member.key.case_id]
        view.record(
            Event(
                EventKind.DECLARATION_MOVED,
                {
                    "kind": message.kind.value,
                    "version": member.declaration.version,
                    "message": message_id,
                },
            )
        )
        moved = view.state.declaration(message.kind)
        assert moved is not None
        members.append(
            Member(
                member.key.case_id,
                message.kind,
                moved.version,
                position,
                moved.cop_no,
                moved.app_time or "",
            )
        )
        stored.append(StoredMember(member.key, moved, position))
    changes.messages.append(
        NewMessage(
            message_id,
            guid,
            message.kind,
            message.tenant,
            message.profile_id,
            message.group,
            facts.now,
            tuple(members),
            parent=message.message_id,
        )
    )
    changes.effects.append(send_effect(message_id, facts.profile.channel, facts.now))
    return StoredMessage(
        message_id=message_id,
        guid=guid,
        kind=message.kind,
        tenant=message.tenant,
        profile_id=message.profile_id,
        group=message.group,
        stage=MessageStage.CLAIMED,
        created_at=facts.now,
        attempt=0,
        body=None,
        members=tuple(stored),
    )
