"""The watchdog: timers that have come due, and work whose worker stopped."""

from dataclasses import dataclass
from typing import Final

from gateway.domain.case import VerdictKind
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId
from gateway.flow.context import Context
from gateway.ports import Changes, Command, Effect, EffectKind, Found, Views

TIMERS: Final = (EffectKind.ANSWER, EffectKind.DEADLINE)


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
    if view.state.verdict.kind is VerdictKind.WAITING:
        missing = ",".join(view.state.verdict.missing)
        view.record(Event(EventKind.ALARM_RAISED, {"alarm": "papers_overdue", "missing": missing}))
    return changes
