"""Stage 6, transmit: the stored bytes go to the channel, and T4 records what became of the attempt.

The outcome of an attempt is handed over, refused or unknown. After unknown, nothing is sent in
haste: the same bytes go again, once in the port's gap, until an answer comes or the limit is
reached.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, NamedTuple

from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.events import Alarm, Event, EventKind
from gateway.domain.ids import CaseId, MessageId, ReceiptId, effect_id
from gateway.domain.lifecycle import ENDED
from gateway.domain.profile import FilingProfile
from gateway.flow.context import SECOND_US, Context
from gateway.flow.declare import (
    build_message,
    profile_of,
    send_effect,
)
from gateway.flow.gate_plan import overdue_gates
from gateway.flow.moving import Moving, moved
from gateway.flow.sign import record_sending, sign_message, signing_enterprise
from gateway.flow.status import stage_notices
from gateway.ports import (
    AttemptClosed,
    AttemptOpened,
    Changes,
    Channel,
    Command,
    Effect,
    EffectKind,
    Found,
    MasterData,
    MessageStage,
    MessageStaged,
    Regime,
    SendOutcome,
    StoredMember,
    StoredMessage,
    Views,
)
from gateway.ports.ways import WayShut

_WAITING: Final = frozenset(
    {DeclarationStage.CLAIMED, DeclarationStage.SENT, DeclarationStage.UNKNOWN}
)
# Customs refuses a list with 100 after it was lodged, with all parcels in it.
_LODGED: Final = DeclarationStage.LODGED
# After 2, 4 and 8 times the wait for an answer.
_UNSIGNED: Final = "signature refused"
_LODGED_LOOKS: Final = 3
_KEY_WAIT_S: Final = 30
PART: Final = "part"
"""The group of the effects that part refused lists."""
NOT_SENT: Final = frozenset({SendOutcome.REFUSED, SendOutcome.DECLINED})
"""The outcomes that surely handed nothing over."""
_OUTCOME: Final = {
    SendOutcome.HANDED_OVER: MessageStage.HANDED_OVER,
    SendOutcome.REFUSED: MessageStage.NOT_HANDED_OVER,
    SendOutcome.DECLINED: MessageStage.NOT_HANDED_OVER,
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
    ids = (MessageId(context.rng.guid()), context.rng.guid())
    facts = _AgainFacts(
        message, profile_of(context, message), ids, context.regime, context.clock.now()
    )
    again = await context.store.submit(
        Command(
            decide=decide_again,
            facts=facts,
            load=tuple(member.key.case_id for member in message.members),
            lane=message.group,
            stage="transmit",
        )
    )
    return await _go_on(context, again)


async def _go_on(context: Context, again: StoredMessage | None) -> SendOutcome | None:
    """Send the next attempt of a message, or deliver the one that its records moved to."""
    if again is None:
        return None
    if again.stage is MessageStage.CLAIMED:
        return await deliver_message(context, again)
    return await send_message(context, again)


@dataclass(frozen=True, slots=True)
class _AgainFacts:
    message: StoredMessage
    profile: FilingProfile
    ids: tuple[MessageId, str]
    regime: Regime
    now: int


def decide_again(facts: _AgainFacts, views: Views, found: Found) -> Changes[StoredMessage | None]:
    """Pure: the next attempt with the same bytes; the effect of the one before is done.

    An answer to an earlier attempt may have come meanwhile: who has it is not sent again.
    """
    message = facts.message
    changes: Changes[StoredMessage | None] = Changes(result=None)
    changes.effects_done.append(send_effect(message.message_id, "", 0, message.attempt).effect_id)
    silent = [
        member
        for member in message.members
        if _is_waiting(views, member, message.kind, message.message_id)
    ]
    if not silent:
        changes.messages_staged.append(
            MessageStaged(message.message_id, MessageStage.EMPTY, "answered")
        )
        due_at = facts.now + facts.profile.answer_timeout_s * SECOND_US
        changes.effects.append(answer_effect(message, due_at, Looking()))
        return changes
    _send_silent(facts, views, silent, changes)
    return changes


def _send_silent(
    facts: "_AgainFacts | _OverdueFacts",
    views: Views,
    silent: Sequence[StoredMember],
    changes: Changes[StoredMessage | None],
) -> None:
    """The same bytes go again, unless they would file anew what has come to an end or been
    corrected since; then only the silent records go, in a message of their own.
    """
    message = facts.message
    if any(_is_past(views, member, message.kind) for member in message.members):
        changes.result = _moved_again(facts, views, silent, "resend", changes)
        return
    attempt = message.attempt + 1
    record_sending(message, views, attempt, facts.now)
    changes.attempts_opened.append(
        AttemptOpened(message.message_id, attempt, facts.now, facts.profile.channel)
    )
    changes.effects.append(
        send_effect(message.message_id, facts.profile.channel, facts.now, attempt)
    )
    changes.result = replace(message, attempt=attempt, stage=MessageStage.SIGNED)


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
        async with context.ways.turn(profile.channel) as turn:
            outcome = await _hand_over(context, channel, message, envelope)
            turn.tell(outcome)
    except WayShut:
        outcome = SendOutcome.REFUSED
    context.crash.reach("transmit.after_last_byte")
    await close_attempt(context, message, outcome, "")
    return outcome


async def _hand_over(
    context: Context, channel: Channel, message: StoredMessage, envelope: bytes
) -> SendOutcome:
    try:
        async with asyncio.timeout(context.settings.send_timeout_s):
            return await channel.send(context.regime.file_name(message), envelope)
    except TimeoutError:
        return SendOutcome.UNKNOWN


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
    if facts.outcome in NOT_SENT:
        return changes
    again_at = facts.now + facts.profile.resend_gap_s * SECOND_US
    due_at = facts.now + facts.profile.answer_timeout_s * SECOND_US
    if facts.outcome is SendOutcome.UNKNOWN:
        due_at = again_at
        _record_unanswered(message, views)
    changes.effects_done.append(send_effect(message.message_id, "", 0, message.attempt).effect_id)
    changes.effects.append(answer_effect(message, due_at, Looking(again_at)))
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


class Looking(NamedTuple):
    """What a look for an answer has to know of those before it.

    ``again_at`` (UTC microseconds) is when the port's gap after the last attempt ends: the same
    bytes do not go again before it. ``look`` counts the later looks after records of which customs
    has said no more than that they are lodged, ``waits`` how often a look was put off: until that
    gap ends, or until a key may sign what customs refused.
    """

    again_at: int = 0
    look: int = 0
    waits: int = 0


def answer_effect(message: StoredMessage, due_at: int, looking: Looking) -> Effect:
    """The timer that looks whether a message was answered."""
    counts = (looking.look, looking.waits) if looking.look or looking.waits else ()
    return Effect(
        effect_id=effect_id(CaseId(message.message_id), "answer", message.attempt, *counts),
        kind=EffectKind.ANSWER,
        group="answer",
        due_at=due_at,
        ref=message.message_id,
        payload={"attempt": message.attempt, **looking._asdict()},
    )


def _looking(timer: Effect) -> Looking:
    return Looking(*(int(timer.payload.get(name, 0)) for name in Looking._fields))


# --- no answer ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OverdueFacts:
    message: StoredMessage
    profile: FilingProfile
    timer: Effect
    ids: tuple[MessageId, str]
    regime: Regime
    now: int
    signer: "_Signer"


class _Signer(StrEnum):
    """How the key stands that signed a message: well, or set aside, with another to sign or not."""

    WELL = "well"
    REPLACED = "replaced"
    AWAITED = "awaited"


def _signer(context: Context, message: StoredMessage, profile: FilingProfile) -> _Signer:
    if message.certificate_serial not in context.aside_keys.aside:
        return _Signer.WELL
    owner = signing_enterprise(profile, message.kind)
    is_ready = context.keys.is_ready(profile.key_ring, owner)
    return _Signer.REPLACED if is_ready else _Signer.AWAITED


def part_effect(message_id: MessageId, code: str, receipt: ReceiptId, now: int) -> Effect:
    """The outbox row that parts a list which customs refused, until the bad parcel stands alone."""
    return Effect(
        effect_id=effect_id(CaseId(message_id), PART),
        kind=EffectKind.ANSWER,
        group=PART,
        due_at=now,
        ref=message_id,
        payload={"code": code, "receipt": receipt},
    )


async def part_list(context: Context, effect: Effect) -> list[StoredMessage]:
    """Part a refused list; gives its two halves to deliver, none when it was parted before."""
    message = await load_live(context, MessageId(effect.ref), with_body=False)
    halves: list[StoredMessage] = []
    if message is not None:
        receipt = ReceiptId(effect.payload["receipt"])
        halves = await split_refused(context, message, effect.payload["code"], receipt)
    await context.store.finish([(effect.effect_id, effect.attempt)], [])
    return halves


async def check_answer(context: Context, timer: Effect) -> SendOutcome | None:
    """A message's answer is overdue: send the same bytes again, or call a person at the limit.

    What customs refused for its signature goes again once its key was readmitted, or signed by
    another key as soon as there is one; until then it waits and uses up no try.
    """
    message = await load_live(context, MessageId(timer.ref), with_body=True)
    if message is None or message.body is None:
        await context.store.finish([(timer.effect_id, timer.attempt)], [])
        return None
    ids = (MessageId(context.rng.guid()), context.rng.guid())
    profile = profile_of(context, message)
    facts = _OverdueFacts(
        message, profile, timer, ids, context.regime, context.clock.now(),
        _signer(context, message, profile),
    )  # fmt: skip
    again = await context.store.submit(
        Command(
            decide=decide_overdue,
            facts=facts,
            load=tuple(member.key.case_id for member in message.members),
            lane=message.group,
            stage="transmit",
        )
    )
    return await _go_on(context, again)


def decide_overdue(
    facts: _OverdueFacts, views: Views, found: Found
) -> Changes[StoredMessage | None]:
    """Pure: who has no answer becomes unknown; the same bytes go again while the limit allows."""
    message = facts.message
    changes: Changes[StoredMessage | None] = Changes(result=None)
    changes.effects_done.append(facts.timer.effect_id)
    if message.stage in (MessageStage.REFUSED, MessageStage.SPLIT):
        return changes
    if facts.timer.payload.get("attempt") != message.attempt:
        return changes
    refused = _refused_signatures(message, views) if facts.signer is not _Signer.WELL else []
    if refused and facts.signer is _Signer.AWAITED:
        due_at = facts.now + min(_KEY_WAIT_S, facts.profile.resend_gap_s) * SECOND_US
        return _put_off(facts, due_at, changes)
    silent = _record_unanswered(message, views)
    changes.effects += overdue_gates(message, facts.profile, views)
    if refused:
        changes.result = _moved_again(facts, views, silent, _UNSIGNED, changes)
        return changes
    tries = max((_tries(views, member, message.kind) for member in silent), default=0)
    if not silent or tries > facts.profile.resend_limit:
        _raise_alarm(Alarm.NO_ANSWER, message, silent, views)
        _follow_lodged(facts, views, changes)
        return changes
    if facts.now < (again_at := _looking(facts.timer).again_at):
        return _put_off(facts, again_at, changes)
    _send_silent(facts, views, silent, changes)
    return changes


def _put_off(facts: _OverdueFacts, due_at: int, changes: Changes[Any]) -> Changes[Any]:
    """Look once more, no sooner than ``due_at``; it uses up no try."""
    looking = _looking(facts.timer)
    looking = looking._replace(waits=looking.waits + 1)
    changes.effects.append(answer_effect(facts.message, due_at, looking))
    return changes


def _refused_signatures(message: StoredMessage, views: Views) -> list[StoredMember]:
    """The records of a message that wait because customs refuses its signature."""
    return [
        member
        for member in message.members
        if _is_waiting(views, member, message.kind, message.message_id)
        and Alarm.SIGNATURE_REFUSED in views[member.key.case_id].state.alarms
    ]


def _moved_again(
    facts: _OverdueFacts | _AgainFacts,
    views: Views,
    silent: Sequence[StoredMember],
    detail: str,
    changes: Changes[Any],
) -> StoredMessage:
    """The silent records of a message in a new one, which is signed anew.

    Each stays as it was, its appTime too, as a resend keeps it: customs that has it knows
    the repeat. What customs refused with its signature is filed anew.
    """
    message = facts.message
    changes.messages_staged.append(MessageStaged(message.message_id, MessageStage.SPLIT, detail))
    regime = facts.regime if detail == _UNSIGNED else None
    moving = Moving(message, facts.profile, views, facts.now, regime, is_resend=True)
    return moved(moving, silent, facts.ids, changes)


def _tries(views: Views, member: StoredMember, kind: DeclarationKind) -> int:
    declaration = views[member.key.case_id].state.declaration(kind)
    return declaration.attempt if declaration is not None else 0


def _is_past(views: Views, member: StoredMember, kind: DeclarationKind) -> bool:
    """Whether a member has given way to a newer version, or has come to an end at customs: its
    bytes would be a new declaration there.
    """
    view = views.get(member.key.case_id)
    declaration = view.state.declaration(kind) if view else None
    return declaration is not None and (
        declaration.version != member.declaration.version or declaration.stage in ENDED
    )


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
    look = _looking(facts.timer).look + 1
    if look > _LODGED_LOOKS:
        _raise_alarm(Alarm.NO_OUTCOME, message, lodged, views)
        return
    wait_us = (facts.profile.answer_timeout_s << look) * SECOND_US
    changes.effects.append(answer_effect(message, facts.now + wait_us, Looking(look=look)))


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
    alarm: Alarm, message: StoredMessage, members: Sequence[StoredMember], views: Views
) -> None:
    for member in members:
        views[member.key.case_id].record(
            Event(
                EventKind.ALARM_RAISED,
                {
                    "alarm": alarm.value,
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
    receipt: ReceiptId
    ids: tuple[tuple[MessageId, str], tuple[MessageId, str]]
    now: int


async def split_refused(
    context: Context, message: StoredMessage, code: str, receipt: ReceiptId
) -> list[StoredMessage]:
    """Customs refused a whole message: halve it until the bad record stands alone.

    ``receipt`` is the file that says so. Gives the two new messages to deliver; none when one
    record was refused by itself.
    """
    rng = context.rng
    ids = (
        (MessageId(rng.guid()), rng.guid()),
        (MessageId(rng.guid()), rng.guid()),
    )
    facts = _RefusedFacts(
        message, profile_of(context, message), context.master, code, receipt, ids,
        context.clock.now(),
    )  # fmt: skip
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
    moving = Moving(message, facts.profile, views, facts.now)
    for ids, half in zip(facts.ids, (waiting[:middle], waiting[middle:]), strict=True):
        changes.result.append(moved(moving, half, ids, changes))
    return changes


def _is_waiting(
    views: Views, member: StoredMember, kind: DeclarationKind, message_id: MessageId
) -> bool:
    view = views.get(member.key.case_id)
    declaration = view.state.declaration(kind) if view else None
    return (
        declaration is not None
        and declaration.message_id == message_id
        and (declaration.stage in _WAITING or (kind.is_list and declaration.stage is _LODGED))
    )


def _refuse_alone(
    facts: _RefusedFacts,
    views: Views,
    member: StoredMember,
    changes: Changes[list[StoredMessage]],
) -> None:
    view = views[member.key.case_id]
    before = view.state
    view.record(
        Event(
            EventKind.DECLARATION_REFUSED,
            {
                "kind": facts.message.kind.value,
                "version": member.declaration.version,
                "code": facts.code,
                "receipt": facts.receipt,
            },
        )
    )
    if facts.message.kind.is_list:
        # A list moves no case, so nothing else calls a person to the parcel that stands alone.
        _raise_alarm(Alarm.LIST_REFUSED, facts.message, [member], views)
    stage_notices(view, changes, facts.master, before, facts.now)
    changes.messages_staged.append(
        MessageStaged(facts.message.message_id, MessageStage.REFUSED, facts.code)
    )
