"""Records on their way out of one message into another: a part of a refused one, or the silent
ones of one that may not go again as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.domain.events import Event, EventKind
from gateway.domain.ids import MessageId, list_no
from gateway.domain.profile import FilingProfile
from gateway.flow.declare import list_claim, risen_app_time, send_effect
from gateway.ports import (
    Changes,
    Member,
    MessageStage,
    NewMessage,
    Regime,
    StoredMember,
    StoredMessage,
    Views,
)


@dataclass(frozen=True, slots=True)
class Moving:
    """Records on their way out of one message into another.

    A resend keeps the tries of its records, and their copNo. With ``regime`` they are filed anew,
    under an appTime of now.
    """

    message: StoredMessage
    profile: FilingProfile
    views: Views
    now: int
    regime: Regime | None = None
    is_resend: bool = False


def moved(
    moving: Moving,
    leaving: Sequence[StoredMember],
    ids: tuple[MessageId, str],
    changes: Changes[Any],
) -> StoredMessage:
    """A new message of these records, each with its guid and copNo as before; a part of a list
    gets a number of its own.
    """
    message, (message_id, guid) = moving.message, ids
    stored = tuple(
        _moved_member(moving, member, position, message_id)
        for position, member in enumerate(leaving)
    )
    members = tuple(
        Member(
            one.key.case_id,
            message.kind,
            one.declaration.version,
            one.position,
            one.declaration.cop_no,
            one.declaration.app_time or "",
        )
        for one in stored
    )
    new = NewMessage(
        message_id,
        guid,
        message.kind,
        message.tenant,
        message.profile_id,
        message.group,
        moving.now,
        members,
        parent=message.message_id,
    )
    if message.kind.is_list and not moving.is_resend:
        changes.claims.append(list_claim(stored))
    changes.messages.append(new)
    changes.effects.append(send_effect(message_id, moving.profile.channel, moving.now))
    return replace(
        message,
        message_id=message_id,
        guid=guid,
        stage=MessageStage.CLAIMED,
        created_at=moving.now,
        attempt=0,
        body=None,
        certificate_serial=None,
        members=stored,
    )


def _moved_member(
    moving: Moving, member: StoredMember, position: int, message_id: MessageId
) -> StoredMember:
    kind = moving.message.kind
    view = moving.views[member.key.case_id]
    payload: dict[str, Any] = {
        "kind": kind.value,
        "version": member.declaration.version,
        "message": message_id,
    }
    if moving.is_resend:
        payload["is_resend"] = True
    if moving.regime is not None:
        payload["app_time"] = risen_app_time(moving.regime, view.state, kind, moving.now)
    elif kind.is_list and not moving.is_resend:
        # Each part of a list that is filed apart is a list of its own.
        payload["cop_no"] = list_no(moving.profile.cop_no_prefix, message_id)
    view.record(Event(EventKind.DECLARATION_MOVED, payload))
    now = view.state.declaration(kind)
    assert now is not None
    return StoredMember(member.key, now, position)
