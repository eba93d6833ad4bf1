"""Filings by partners: what the API of a payment company or a carrier is asked to do, and did.

``sending`` is committed before the first byte leaves; a worker that finds it so asks the partner
what became of it and sends nothing. The answer, with the paper that the partner tells of, opens
the gate before the inventory.
"""

from dataclasses import dataclass
from typing import Final

from gateway.domain.case import CaseKey
from gateway.domain.events import Alarm, Event, EventKind
from gateway.domain.filing import FILING, FINAL, FilingStage, PartnerFiling
from gateway.domain.goods import GoodsRecord
from gateway.domain.papers import Order, PaperKind, kind_of
from gateway.domain.profile import FilingProfile
from gateway.flow.clockwork import local_date
from gateway.flow.context import SECOND_US, Context
from gateway.flow.filing_plan import filing_recorded, order_of, slip_of
from gateway.flow.incoming import Incoming
from gateway.flow.ingest import Ingest
from gateway.flow.match import Bench, settle
from gateway.ports import Changes, Command, Effect, Found, Views
from gateway.ports.partners import FilingAnswer, FilingRequest, Partner

_S: Final = FilingStage
_UNSERVED_S: Final = 300
_TRIES_S: Final = (2, 10, 60, 300)


@dataclass(frozen=True, slots=True)
class _Step:
    """What is to be done now: the filing as it stood, and the request to the partner."""

    key: CaseKey
    profile: FilingProfile
    filing: PartnerFiling
    request: FilingRequest
    is_held: bool


@dataclass(frozen=True, slots=True)
class _BeginFacts:
    effect: Effect
    kind: PaperKind
    number: int
    context: Context
    now: int


async def run_filing(context: Context, effect: Effect) -> None:
    """Take a filing one step on: ask for it, or ask what became of it; then wait, or end."""
    assert effect.case_id is not None
    name, _, number = effect.ref.partition("/")
    facts = _BeginFacts(effect, PaperKind(name), int(number), context, context.clock.now())
    step = await context.store.submit(
        Command(
            decide=decide_begin,
            facts=facts,
            load=(effect.case_id,),
            with_papers=True,
            lane=effect.case_id,
            stage="filing",
        )
    )
    if step is None:
        return
    partner = _partner(context, step.key, step.profile, step.request)
    if partner is None:
        await _later(context, effect, _UNSERVED_S)
        return
    if _sends(step.filing, partner) and step.is_held:
        await _later(context, effect, _UNSERVED_S)
        return
    context.crash.reach("filing.before_first_byte")
    answer = await _asked(partner, step)
    context.crash.reach("filing.after_last_byte")
    if answer.paper is not None and answer.stage in (_S.PENDING, _S.FILED):
        await _take_paper(context, step, partner, answer)
    context.crash.reach("filing.paper_taken")
    await _close(context, effect, step, partner, answer)


def _partner(
    context: Context, key: CaseKey, profile: FilingProfile, request: FilingRequest
) -> Partner | None:
    slip = request.slip if request.kind is PaperKind.PAYMENT else None
    code = None if slip is None else slip.company_code
    return context.partners.partner(key.tenant, profile.profile_id, request.kind, code)


def decide_begin(facts: _BeginFacts, views: Views, found: Found) -> Changes[_Step | None]:
    """Pure: whether there is something to do, and ``sending`` before the first byte leaves."""
    changes: Changes[_Step | None] = Changes(result=None)
    view = views.get(facts.effect.case_id) if facts.effect.case_id else None
    filing = view.state.filing(facts.kind) if view else None
    if view is None or filing is None or filing.number != facts.number or filing.stage in FINAL:
        changes.effects_done.append(facts.effect.effect_id)
        return changes
    profile = facts.context.master.profile(view.key.tenant, view.key.profile_id)
    order = order_of(view)
    if profile is None or order is None:
        return changes
    request = FilingRequest(
        kind=facts.kind,
        reference=view.key.case_id,
        order=order,
        slip=slip_of(view),
        goods=_goods(facts.context, profile, order, facts.now),
        is_change=filing.is_change,
    )
    partner = _partner(facts.context, view.key, profile, request)
    if partner is None:
        if "filing_unserved" not in view.state.alarms:
            view.record(_alarm(Alarm.FILING_UNSERVED, facts.kind))
    elif _sends(filing, partner) and view.state.hold is None:
        view.record(filing_recorded(facts.kind, facts.number, _S.SENDING, facts.now))
    changes.result = _Step(view.key, profile, filing, request, is_held=view.state.hold is not None)
    return changes


def _sends(filing: PartnerFiling, partner: Partner) -> bool:
    """Whether the next step sends a filing, or pushes a faulted one, instead of asking."""
    if filing.stage is _S.FAULTED:
        return filing.tries <= partner.pace.again_most
    return filing.stage is _S.REQUESTED


def _goods(
    context: Context, profile: FilingProfile, order: Order, now: int
) -> dict[str, GoodsRecord]:
    skus = [line.sku for line in order.lines]
    return context.master.goods(profile.tenant, profile.goods_scope, skus, local_date(now))


def _alarm(alarm: Alarm, kind: PaperKind) -> Event:
    return Event(EventKind.ALARM_RAISED, {"alarm": alarm.value, "paper": kind.value})


async def _asked(partner: Partner, step: _Step) -> FilingAnswer:
    if _sends(step.filing, partner):
        is_push = step.filing.stage is _S.FAULTED
        return await (partner.push if is_push else partner.file)(step.request)
    answer = await partner.ask(step.request)
    if step.filing.stage is _S.NOT_SEEN and answer.stage is _S.NOT_SEEN:
        return FilingAnswer(_S.REQUESTED, code="not_seen_twice")
    return answer


async def _take_paper(
    context: Context, step: _Step, partner: Partner, answer: FilingAnswer
) -> None:
    """What the partner tells of the paper is a source fact like any other."""
    assert answer.paper is not None
    assert kind_of(answer.paper) is step.filing.kind
    incoming = Incoming(
        tenant=step.key.tenant,
        profile=step.profile,
        paper=answer.paper,
        source=f"partner:{partner.name}",
        raw=answer.raw,
        order_no=step.key.order_no,
    )
    await Ingest(context).take([incoming])


# --- after it ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _EndFacts:
    effect: Effect
    step: _Step
    answer: FilingAnswer
    alarm_after_us: int
    bench: Bench


async def _close(
    context: Context, effect: Effect, step: _Step, partner: Partner, answer: FilingAnswer
) -> None:
    """Record what the partner said; until it is final, ask again later."""
    bench = Bench(
        profile=step.profile,
        master=context.master,
        matcher=context.matcher,
        crash=context.crash,
        now=context.clock.now(),
    )
    alarm_after_us = partner.pace.alarm_after_s * SECOND_US
    stage = await context.store.submit(
        Command(
            decide=decide_end,
            facts=_EndFacts(effect, step, answer, alarm_after_us, bench),
            load=(step.key.case_id,),
            with_papers=True,
            lane=step.key.case_id,
            stage="filing",
        )
    )
    if stage is not None:
        await _later(context, effect, _pause_s(partner, effect, stage))


def decide_end(facts: _EndFacts, views: Views, found: Found) -> Changes[FilingStage | None]:
    """Pure: the filing at its next stage, None when that is final. An answer that the FILING table
    does not let follow changes nothing.
    """
    changes: Changes[FilingStage | None] = Changes(result=None)
    kind, number = facts.step.filing.kind, facts.step.filing.number
    view = views.get(facts.step.key.case_id)
    filing = view.state.filing(kind) if view else None
    if view is None or filing is None or filing.number != number:
        changes.effects_done.append(facts.effect.effect_id)
        return changes
    stage, now = facts.answer.stage, facts.bench.now
    if stage is not None and stage in FILING[filing.stage] and stage is not filing.stage:
        view.record(filing_recorded(kind, number, stage, now, code=facts.answer.code))
        filing = view.state.filing(kind)
        assert filing is not None
    if filing.stage in FINAL:
        changes.effects_done.append(facts.effect.effect_id)
        if filing.stage is _S.REFUSED:
            view.record(_alarm(Alarm.FILING_REFUSED, kind))
        else:
            settle(view, changes, facts.bench)
        return changes
    if now - filing.since > facts.alarm_after_us and "filing_overdue" not in view.state.alarms:
        view.record(_alarm(Alarm.FILING_OVERDUE, kind))
    changes.result = filing.stage
    return changes


def _pause_s(partner: Partner, effect: Effect, stage: FilingStage) -> int:
    tried = effect.attempt + 1
    if stage is _S.REQUESTED:
        return _TRIES_S[min(tried, len(_TRIES_S)) - 1]
    return partner.pace.again_gap_s if stage is _S.FAULTED else partner.pace.pause_s(tried)


async def _later(context: Context, effect: Effect, seconds: int) -> None:
    due_at = context.clock.now() + seconds * SECOND_US
    await context.store.reschedule([(effect.effect_id, effect.attempt, due_at)])
