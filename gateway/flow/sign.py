"""Stage 5, sign: outside any transaction, then T3 stores the signed bytes with the attempt opened.

A signature that was not stored was never sent; at most one signed version of a message can be
stored.
"""

from dataclasses import dataclass, replace

from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.events import Event, EventKind
from gateway.domain.profile import FilingProfile
from gateway.flow.context import Context
from gateway.flow.declare import profile_of
from gateway.ports import (
    AttemptOpened,
    Changes,
    Command,
    Found,
    MessageStage,
    SignedBytes,
    SignedMessage,
    StoredMember,
    StoredMessage,
    Views,
)
from signing import Priority, Urgency


@dataclass(frozen=True, slots=True)
class _SignedFacts:
    message: StoredMessage
    signed: SignedMessage
    channel: str
    now: int


async def sign_message(context: Context, message: StoredMessage, body: bytes) -> StoredMessage:
    """Sign a built message and store it (T3). Raises ``Fenced`` when another worker stored one
    first.
    """
    profile = profile_of(context, message)
    signed = await context.keys.sign(
        profile.key_ring,
        body,
        urgency_of(profile, message.kind, message.created_at),
        enterprises=signing_enterprise(profile, message.kind),
    )
    context.crash.reach("sign.signed")
    facts = _SignedFacts(message, signed, profile.channel, context.clock.now())
    return await context.store.submit(
        Command(
            decide=decide_signed,
            facts=facts,
            load=tuple(member.key.case_id for member in message.members),
            lane=message.group,
            stage="sign",
        )
    )


def urgency_of(profile: FilingProfile, kind: DeclarationKind, planned_at: int) -> Urgency:
    """What goes first when keys are busy, for a UKey signs four messages a second.

    Cancellations and returns, then inventories by the cut-off of their warehouse, then papers in
    the order they came.
    """
    if kind.is_of_papers:
        return Urgency(Priority.PAPER, cut_off=planned_at)
    if kind.is_inventory or kind.is_list:
        return Urgency(Priority.INVENTORY, cut_off=profile.cut_off_after(planned_at))
    return Urgency(Priority.CHANGE, cut_off=planned_at)


def signing_enterprise(profile: FilingProfile, kind: DeclarationKind) -> frozenset[str]:
    """The codes of the enterprise whose key signs a kind of message.

    An inventory is signed by its agent (agentCode), papers by the enterprise that transmits them
    (BaseTransfer.copCode), an entry list and what reached a site, also on its way back, by the
    site's operator.
    """
    party = profile.transfer if kind.is_of_papers else profile.agent
    of_a_site = (
        DeclarationKind.ENTRY_LIST,
        DeclarationKind.SITE_ARRIVAL,
        DeclarationKind.RETURN_TALLY,
    )
    if kind in of_a_site and profile.consigning is not None:
        party = profile.consigning.operator or party
    return frozenset({party.code})


def decide_signed(facts: _SignedFacts, views: Views, found: Found) -> Changes[StoredMessage]:
    """T3, pure."""
    message = facts.message
    sent = replace(
        message,
        stage=MessageStage.SIGNED,
        attempt=1,
        body=facts.signed.body,
        certificate_serial=facts.signed.certificate_serial,
        members=record_sending(message, views, 1, facts.now),
    )
    changes: Changes[StoredMessage] = Changes(result=sent)
    changes.signed.append(
        SignedBytes(
            message.message_id,
            facts.signed.body,
            facts.signed.certificate_serial,
            facts.signed.signature_profile,
        )
    )
    changes.attempts_opened.append(AttemptOpened(message.message_id, 1, facts.now, facts.channel))
    return changes


def record_sending(
    message: StoredMessage, views: Views, attempt: int, now: int
) -> tuple[StoredMember, ...]:
    """Record the opened attempt on every case that still waits for an answer to this message."""
    members: list[StoredMember] = []
    for member in message.members:
        view = views.get(member.key.case_id)
        declaration = view.state.declaration(message.kind) if view else None
        if view is None or declaration is None:
            continue
        if declaration.message_id != message.message_id or declaration.stage not in _AWAITING:
            continue
        view.record(
            Event(
                EventKind.DECLARATION_SENDING,
                {
                    "kind": message.kind.value,
                    "version": declaration.version,
                    "message": message.message_id,
                    "attempt": attempt,
                    "at": now,
                },
            )
        )
        changed = view.state.declaration(message.kind)
        assert changed is not None
        members.append(replace(member, declaration=changed))
    return tuple(members)


_AWAITING = frozenset({DeclarationStage.CLAIMED, DeclarationStage.SENT, DeclarationStage.UNKNOWN})
