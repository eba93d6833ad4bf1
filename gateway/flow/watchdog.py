"""The watchdog: timers that have come due, and work whose worker stopped."""

from dataclasses import dataclass
from typing import Final

from gateway.domain.case import CaseKey, VerdictKind
from gateway.domain.events import Alarm, Event, EventKind
from gateway.domain.ids import CaseId, effect_id
from gateway.flow.context import Context
from gateway.ports import CaseView, Changes, Command, Effect, EffectKind, Found, Views

_SIBLINGS: Final = "release_siblings"


def siblings_effect(key: CaseKey, due_at: int) -> Effect:
    """The timer of a release that came before any sign that customs had taken the inventory."""
    return Effect(
        effect_id=effect_id(key.case_id, _SIBLINGS, due_at),
        kind=EffectKind.DEADLINE,
        group="deadline",
        due_at=due_at,
        case_id=key.case_id,
        tenant=key.tenant,
        ref=_SIBLINGS,
    )


@dataclass(frozen=True, slots=True)
class _DeadlineFacts:
    effect: Effect
    case_id: CaseId


async def check_deadline(context: Context, effect: Effect) -> None:
    """A case has waited for its papers until its deadline: a person is told, once."""
    assert effect.case_id is not None
    await context.store.submit(
        Command(
            decide=decide_deadline,
            facts=_DeadlineFacts(effect, effect.case_id),
            load=(effect.case_id,),
            lane=effect.case_id,
            stage="match",
        )
    )


def decide_deadline(facts: _DeadlineFacts, views: Views, found: Found) -> Changes[None]:
    """Pure: still waiting at the deadline raises an alarm; otherwise the timer has lost its
    reason.
    """
    changes: Changes[None] = Changes(result=None)
    changes.effects_done.append(facts.effect.effect_id)
    view = views.get(facts.case_id)
    if view is None or view.state.verdict is None:
        return changes
    if facts.effect.ref == _SIBLINGS:
        _alarm_lonely_release(view)
        return changes
    if view.state.verdict.kind is VerdictKind.WAITING:
        missing = ",".join(view.state.verdict.missing)
        view.record(
            Event(EventKind.ALARM_RAISED, {"alarm": Alarm.PAPERS_OVERDUE.value, "missing": missing})
        )
    return changes


def _alarm_lonely_release(view: CaseView) -> None:
    """A release whose siblings never came moves nothing; a person looks at it."""
    inventory = view.state.inventory()
    # While a person has the case anyway, nothing more is to be told.
    if view.state.hold is None and inventory is not None and inventory.deferred is not None:
        view.record(
            Event(
                EventKind.ALARM_RAISED,
                {
                    "alarm": Alarm.RELEASE_WITHOUT_SIBLINGS.value,
                    "kind": inventory.kind.value,
                    "version": inventory.version,
                },
            )
        )
