"""Gates that time out: an inventory does not wait for ever until a paper is confirmed."""

from dataclasses import dataclass
from typing import Any, Final

from gateway.domain.events import Event, EventKind
from gateway.domain.papers import PaperKind
from gateway.domain.planning import awaited, unconfirmed
from gateway.domain.profile import FilingProfile, OnTimeout
from gateway.flow.context import Context
from gateway.flow.match import Bench, settle
from gateway.flow.status import stage_notices
from gateway.ports import CaseView, Changes, Command, Effect, Found, Views

HELD_BY: Final = "gate"
_REASON: Final = (
    "unconfirmed: the filing of the {paper} was not confirmed within {seconds} s"
    " / {zh}的申报在 {seconds} 秒内未得到确认"
)
_ZH: Final = {
    PaperKind.ORDER: "订单",
    PaperKind.PAYMENT: "支付单",
    PaperKind.WAYBILL: "运单",
}


@dataclass(frozen=True, slots=True)
class _GateFacts:
    effect: Effect
    context: Context
    now: int


async def run_gate(context: Context, effect: Effect) -> None:
    """A gate has been shut for as long as its profile lets it: hold the case, or send."""
    assert effect.case_id is not None
    await context.store.submit(
        Command(
            decide=decide_gate,
            facts=_GateFacts(effect, context, context.clock.now()),
            load=(effect.case_id,),
            with_papers=True,
            lane=effect.case_id,
            stage="match",
        )
    )


def decide_gate(facts: _GateFacts, views: Views, found: Found) -> Changes[None]:
    """Pure: what is still not confirmed raises an alarm and does what the profile says, once; a
    copy that came lets the case go on.
    """
    changes: Changes[None] = Changes(result=None)
    changes.effects_done.append(facts.effect.effect_id)
    view = views.get(facts.effect.case_id) if facts.effect.case_id else None
    profile = None
    if view is not None:
        profile = facts.context.master.profile(view.key.tenant, view.key.profile_id)
    if view is None or profile is None:
        return changes
    paper = PaperKind(facts.effect.ref)
    if facts.effect.payload.get("copy"):
        master, matcher = facts.context.master, facts.context.matcher
        settle(view, changes, Bench(profile, master, matcher, facts.context.crash, facts.now))
    elif paper in awaited(view.state, profile) and unconfirmed(paper) not in view.state.alarms:
        _time_out(view, changes, paper, profile, facts)
    return changes


def _time_out(
    view: CaseView,
    changes: Changes[Any],
    paper: PaperKind,
    profile: FilingProfile,
    facts: _GateFacts,
) -> None:
    before, filing = view.state, profile.filing(paper)
    alarm = {"alarm": unconfirmed(paper), "paper": paper.value, "then": filing.on_timeout.value}
    view.record(Event(EventKind.ALARM_RAISED, alarm))
    context = facts.context
    if filing.on_timeout is OnTimeout.SEND:
        bench = Bench(profile, context.master, context.matcher, context.crash, facts.now)
        settle(view, changes, bench)
        return
    if view.state.hold is None:
        reason = _REASON.format(paper=paper.value, zh=_ZH[paper], seconds=filing.max_wait_s)
        view.record(Event(EventKind.CASE_HELD, {"by": HELD_BY, "reason": reason}))
    stage_notices(view, changes, context.master, before, facts.now)
