"""Timers of gates: when the wait for a paper's confirmation ends, decided with the match (T1).

The timer begins when everything agrees and only a confirmation is missing. For what we file
ourselves it begins with the first overdue answer, so that the many that are answered need none.
"""

from dataclasses import replace
from typing import Any, Final

from gateway.domain.case import CaseKey, CaseState
from gateway.domain.course import PAPER_OF
from gateway.domain.declaration import DeclarationStage
from gateway.domain.ids import effect_id
from gateway.domain.papers import PaperKind
from gateway.domain.planning import awaited
from gateway.domain.profile import FiledBy, FilingProfile
from gateway.flow.context import SECOND_US
from gateway.ports import CaseView, Changes, Effect, EffectKind, StoredMessage, Views

GATE: Final = "gate"


def gate_effect(key: CaseKey, paper: PaperKind, since: str, due_at: int) -> Effect:
    """The timer of a gate; ``since`` tells one wait from a later one."""
    return Effect(
        effect_id=effect_id(key.case_id, GATE, paper.value, since),
        kind=EffectKind.DEADLINE,
        group=GATE,
        due_at=due_at,
        case_id=key.case_id,
        tenant=key.tenant,
        ref=paper.value,
    )


def copy_effect(key: CaseKey, paper: PaperKind, returned_at: str, now: int) -> Effect:
    """A subscribed copy came: what waited for it goes on, in a command that has the papers."""
    effect = gate_effect(key, paper, f"copy{returned_at}", now)
    return replace(effect, payload={"copy": True})


def watch_gates(
    view: CaseView, before: CaseState, changes: Changes[Any], profile: FilingProfile, now: int
) -> None:
    """Begin to wait for what others confirm, where the case did not wait for it before."""
    new = awaited(view.state, profile) - awaited(before, profile)
    for paper in sorted(new):
        filing = profile.filing(paper)
        if filing.filed_by is not FiledBy.US:
            due_at = now + filing.max_wait_s * SECOND_US
            changes.effects.append(gate_effect(view.key, paper, str(view.state.seq), due_at))


_UNCONFIRMED: Final = frozenset(
    {DeclarationStage.SENT, DeclarationStage.UNKNOWN, DeclarationStage.LODGED}
)


def overdue_gates(message: StoredMessage, profile: FilingProfile, views: Views) -> list[Effect]:
    """The timers of cases whose own paper went with this message and is not confirmed yet."""
    paper = PAPER_OF.get(message.kind)
    if paper is None or not profile.filing(paper).gate:
        return []
    due_at = message.created_at + profile.filing(paper).max_wait_s * SECOND_US
    timers = []
    for member in message.members:
        view = views.get(member.key.case_id)
        filed = view.state.declaration(message.kind) if view else None
        if filed is not None and filed.stage in _UNCONFIRMED:
            timers.append(gate_effect(member.key, paper, f"v{filed.version}", due_at))
    return timers
