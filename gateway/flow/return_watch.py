"""The two dated alarms of a return: its days to be asked for, and for its goods to be back.

Both count from release (announcements 2020 no. 44 and 45) and come ``return_warn_days`` of the
profile before the last day, while something can still be done.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from gateway.domain.codec import to_micros
from gateway.domain.declaration import DeclarationState
from gateway.domain.events import Alarm, Event, EventKind
from gateway.domain.ids import CaseId, effect_id
from gateway.domain.lifecycle import OVER
from gateway.domain.papers import Order, PaperKind
from gateway.domain.planning import returnable
from gateway.domain.profile import FilingProfile
from gateway.domain.returns import is_back, is_unasked, return_days
from gateway.flow.clockwork import BEIJING
from gateway.flow.context import Context
from gateway.flow.status import return_notice
from gateway.ports import CaseView, Changes, Command, Effect, EffectKind, Found, Views

RETURNS: Final = "returns"
APPLY: Final = Alarm.RETURN_APPLY_ENDS.value
"""The alarm of a return that customs does not have, shortly before it takes none any more."""
BACK: Final = Alarm.RETURN_GOODS_MISSING.value
"""The alarm of a return whose goods are not back, shortly before they are too late."""


def watch_return(
    view: CaseView, one: DeclarationState, changes: Changes[Any], profile: FilingProfile
) -> None:
    """Begin to watch the days of a return that was just planned."""
    days = return_days(view.state, profile)
    if days is None:
        return
    for alarm, last in ((APPLY, days.apply_until), (BACK, days.back_until)):
        changes.effects.append(_timer(view, one.version, alarm, _warned_at(last, profile)))


def _warned_at(last: date, profile: FilingProfile) -> int:
    """Nine in the morning in Beijing, so many days before a last day."""
    day = last - timedelta(days=profile.return_warn_days)
    return to_micros(datetime.combine(day, time(9), BEIJING))


def _timer(view: CaseView, version: int, alarm: str, due_at: int) -> Effect:
    return Effect(
        effect_id=effect_id(view.key.case_id, RETURNS, alarm, version),
        kind=EffectKind.DEADLINE,
        group=RETURNS,
        due_at=due_at,
        case_id=view.key.case_id,
        tenant=view.key.tenant,
        ref=alarm,
        payload={"version": version},
    )


@dataclass(frozen=True, slots=True)
class _Due:
    effect: Effect
    case_id: CaseId
    context: Context
    now: int


async def check_return(context: Context, effect: Effect) -> None:
    """A day of a return is near: whoever must act is told, unless nothing is left to do."""
    assert effect.case_id is not None
    await context.store.submit(
        Command(
            decide=decide_return_due,
            facts=_Due(effect, effect.case_id, context, context.clock.now()),
            load=(effect.case_id,),
            with_papers=True,
            lane=effect.case_id,
            stage="match",
        )
    )


def decide_return_due(facts: _Due, views: Views, found: Found) -> Changes[None]:
    """Pure: an alarm and a notice while the goods are not asked for, or are not back."""
    changes: Changes[None] = Changes(result=None)
    changes.effects_done.append(facts.effect.effect_id)
    view = views.get(facts.case_id)
    if view is None:
        return changes
    version, alarm = facts.effect.payload["version"], facts.effect.ref
    returns = (one for one in view.state.declarations if one.kind.is_return)
    one = next((one for one in returns if one.version == version), None)
    profile = facts.context.master.profile(view.key.tenant, view.key.profile_id)
    if one is None or profile is None or not _is_open(view, one, alarm):
        return changes
    days = return_days(view.state, profile)
    assert days is not None
    last = days.apply_until if alarm == APPLY else days.back_until
    payload = {"alarm": alarm, "kind": one.kind.value, "version": version}
    view.record(Event(EventKind.ALARM_RAISED, payload | {"until": last.isoformat()}))
    told = {"why": alarm, "until": last.isoformat(), "cop_no": one.cop_no, "version": version}
    return_notice(view, changes, facts.context.master, told, facts.now)
    return changes


def _is_open(view: CaseView, one: DeclarationState, alarm: str) -> bool:
    """Whether something is still to be done about a return before a day."""
    if alarm == BACK:
        return one.stage not in OVER and not is_back(one)
    if not is_unasked(one):
        return False
    order = view.papers.get(PaperKind.ORDER)
    if one.stage not in OVER or order is None:
        return one.stage not in OVER
    # What was refused is not missed once another return asks for the goods.
    assert isinstance(order.paper, Order)
    left, lines = returnable(view.state, order.paper), one.request.get("lines", {})
    assert isinstance(lines, Mapping)
    return any(int(line_no) in left for line_no in lines)
