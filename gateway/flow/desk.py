"""What people may do to a case: hold, release, recheck, ask whether it can still be stopped, settle
findings, and a warehouse's acknowledgements.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar

from gateway.domain.asking import Ask, Standing, return_standing, standing
from gateway.domain.case import CaseStage, Wish
from gateway.domain.codec import to_micros
from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.errors import InvalidValue, TooLate, VersionMoved
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId, EffectId, TenantId
from gateway.domain.lifecycle import INVENTORY_DECLARED, OVER, case_stage, frozen_reason
from gateway.domain.money import plain
from gateway.domain.papers import Order, PaperKind
from gateway.domain.planning import delivery_event, return_event, returnable, to_refile
from gateway.domain.profile import FilingProfile
from gateway.domain.receipts import released_events
from gateway.domain.reports import tally_event
from gateway.domain.returns import (
    GivenBack,
    Journey,
    is_back,
    is_on_its_way,
    return_days,
    share_of_lines,
)
from gateway.domain.tax import tax_of
from gateway.flow.around import dutiable
from gateway.flow.clockwork import local_date
from gateway.flow.context import Context
from gateway.flow.match import Bench, declare_effect, plan, record_planned, settle
from gateway.flow.notify import Ack, acknowledge_command
from gateway.flow.remedies import Settled, Settlement, settle_command
from gateway.flow.reports import Report, Stages, report_command
from gateway.flow.return_watch import watch_return
from gateway.flow.status import stage_notices
from gateway.flow.summing import SummingUp, summing_command
from gateway.ports import CaseView, Changes, Command, Decide, Found, Views

R = TypeVar("R")


class Action(StrEnum):
    """What is asked of a case."""

    HOLD = "hold"
    RELEASE = "release"
    RECHECK = "recheck"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a question: what can be done, and where the case stands now."""

    standing: Standing
    stage: CaseStage
    is_held: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    action: Action | Ask
    tenant: TenantId
    case_id: CaseId
    by: str
    reason: str
    context: Context
    now: int
    version: int | None = None
    lines: Mapping[int, Decimal] | None = None
    number: int = 0
    at: datetime | None = None
    journey: Journey | None = None


def decide_download(
    facts: tuple[TenantId, str, str, str], views: Views, found: Found
) -> Changes[None]:
    """Pure: one event on each of the tenant's cases."""
    tenant, what, by, reason = facts
    payload = {"what": what, "by": by, "reason": reason}
    for view in views.values():
        if view.key.tenant == tenant:
            view.record(Event(EventKind.BYTES_DOWNLOADED, payload))
    return Changes(result=None)


@dataclass(frozen=True, slots=True)
class Desk:
    """Runs people's commands against the live state of a case.

    With a ``version`` a command raises ``VersionMoved`` unless the case is at exactly that.
    """

    context: Context

    async def hold(
        self,
        tenant: TenantId,
        case_id: CaseId,
        by: str,
        reason: str,
        version: int | None = None,
    ) -> CaseStage | None:
        """Stop a case before it is sent; None when the tenant has no such case.

        Raises ``TooLate`` when its inventory is with customs: a hold would stop nothing.
        """
        asked = self._asked(Action.HOLD, tenant, case_id, by, reason, version)
        return await self._run(decide_asked, asked)

    async def release(
        self, tenant: TenantId, case_id: CaseId, by: str, version: int | None = None
    ) -> CaseStage | None:
        """Let a held case go on; None when the tenant has no such case."""
        asked = self._asked(Action.RELEASE, tenant, case_id, by, "", version)
        return await self._run(decide_asked, asked)

    async def recheck(
        self, tenant: TenantId, case_id: CaseId, by: str, version: int | None = None
    ) -> CaseStage | None:
        """Match a case anew, with today's goods records, profile and rules."""
        asked = self._asked(Action.RECHECK, tenant, case_id, by, "", version)
        return await self._run(decide_asked, asked)

    async def ask(
        self,
        ask: Ask,
        tenant: TenantId,
        case_id: CaseId,
        by: str,
        reason: str,
        version: int | None = None,
        lines: Mapping[int, Decimal] | None = None,
        *,
        journey: Journey | None = None,
    ) -> Reply | None:
        """Whether a case can still be stopped; when it can, it is, in the same commit.

        ``lines`` says of which order lines how much comes back; without it everything does.
        ``journey`` is what exported goods come home on: their return needs it. None when the tenant
        has no such case. Raises ``InvalidValue`` for lines that are not there, and for a journey
        that is missing or not asked for.
        """
        asked = self._asked(ask, tenant, case_id, by, reason, version)
        return await self._run(decide_question, replace(asked, lines=lines, journey=journey))

    async def goods_back(
        self, tenant: TenantId, case_id: CaseId, number: int, by: str
    ) -> CaseStage | None:
        """Record that the goods of a return are back; saying it again changes nothing.

        ``number`` counts the returns of the case from 1. None when the tenant has no such case or
        the case no such return. Raises ``InvalidValue`` for a return that customs refused.
        """
        asked = self._asked(Action.RECHECK, tenant, case_id, by, "", None)
        return await self._run(decide_goods_back, replace(asked, number=number))

    async def delivered(
        self, tenant: TenantId, case_id: CaseId, at: datetime, by: str
    ) -> CaseStage | None:
        """File that the parcel of a case was delivered; saying it again changes nothing.

        None when the tenant has no such case. Raises ``InvalidValue`` when it cannot be filed.
        """
        asked = self._asked(Action.RECHECK, tenant, case_id, by, "", None)
        return await self._run(decide_delivered, replace(asked, at=at))

    async def tallied(
        self, tenant: TenantId, case_id: CaseId, number: int, by: str, location: str | None = None
    ) -> CaseStage | None:
        """File that the site counted the exported goods of a return (215): they are back.

        ``number`` and None as in :meth:`goods_back`; ``location`` is where they are stacked. Saying
        it again changes nothing. Raises ``InvalidValue`` when it cannot be filed.
        """
        asked = self._asked(Action.RECHECK, tenant, case_id, by, location or "", None)
        return await self._run(decide_tallied, replace(asked, number=number))

    async def report(
        self,
        kind: DeclarationKind,
        tenant: TenantId,
        cases: Sequence[CaseId],
        facts: Mapping[str, str],
        by: str,
    ) -> Stages:
        """File what became of parcels of one bill (507, 509), for all of them or for none.

        Saying it again changes nothing. Raises ``InvalidValue`` naming a case by its place.
        """
        now = self.context.clock.now()
        asked = Report(kind, tenant, tuple(dict.fromkeys(cases)), facts, by, self.context, now)
        return await self.context.store.submit(report_command(asked))

    async def sum_up(self, tenant: TenantId, cases: Sequence[CaseId], by: str) -> Stages:
        """Have released exports summed up (701) together now, not at the end of their period.

        What was requested already stays so. Raises ``InvalidValue`` naming a case by its place.
        """
        named = tuple(dict.fromkeys(cases))
        wanted = SummingUp(tenant, named, by, self.context, self.context.clock.now())
        return await self.context.store.submit(summing_command(wanted))

    async def record_download(
        self, tenant: TenantId, cases: Sequence[CaseId], what: str, by: str, reason: str
    ) -> None:
        """Write into the histories of these cases that somebody took exact bytes, and why.

        ``what`` names them (``message/ID``, ``receipt/ID``). On return it is durable.
        """
        await self.context.store.submit(
            Command(
                decide=decide_download,
                facts=(tenant, what, by, reason),
                load=tuple(cases),
                lane=what,
                stage="desk",
            )
        )

    async def settle(
        self, tenant: TenantId, case_id: CaseId, by: str, wanted: Sequence[Settlement]
    ) -> list[Settled]:
        """Record how findings of one case were settled; one result each, in order."""
        return await self.context.store.submit(settle_command(tenant, case_id, by, wanted))

    async def acknowledge(self, tenant: TenantId, acks: Sequence[Ack]) -> list[str]:
        """Record what a warehouse did with notices; each is ``ok``, ``repeated`` or ``unknown``."""
        rows = await self.context.store.find_notices([EffectId(ack.notice_id) for ack in acks])
        answers: list[str] = []
        fresh: list[tuple[CaseId | None, Ack]] = []
        undelivered: list[EffectId] = []
        for ack in acks:
            row = rows.get(EffectId(ack.notice_id))
            if row is None or row.effect.tenant != tenant:
                answers.append("unknown")
            elif row.acked_at is not None:
                answers.append("repeated")
            else:
                answers.append("ok")
                fresh.append((row.effect.case_id, ack))
                if row.done_at is None:
                    undelivered.append(row.effect.effect_id)
        if fresh:
            now = self.context.clock.now()
            await self.context.store.submit(acknowledge_command(fresh, undelivered, now))
        return answers

    def _asked(
        self,
        action: Action | Ask,
        tenant: TenantId,
        case_id: CaseId,
        by: str,
        reason: str,
        version: int | None,
    ) -> _Asked:
        now = self.context.clock.now()
        return _Asked(action, tenant, case_id, by, reason, self.context, now, version)

    async def _run(self, decide: Decide[R], asked: _Asked) -> R:
        return await self.context.store.submit(
            Command(
                decide=decide,
                facts=asked,
                load=(asked.case_id,),
                with_papers=True,
                lane=asked.case_id,
                stage="match",
            )
        )


def _own(facts: _Asked, views: Views) -> CaseView | None:
    """The case, if it is the tenant's; raises ``VersionMoved``."""
    view = views.get(facts.case_id)
    if view is None or view.key.tenant != facts.tenant:
        return None
    if facts.version is not None and view.version != facts.version:
        raise VersionMoved(f"the case is at version {view.version}")
    return view


def decide_question(facts: _Asked, views: Views, found: Found) -> Changes[Reply | None]:
    """Pure: the answer from the live state; what it promises is done with it."""
    changes: Changes[Reply | None] = Changes(result=None)
    view = _own(facts, views)
    if view is None:
        return changes
    assert isinstance(facts.action, Ask)
    before = view.state
    answer = standing(facts.action, view.state)
    if answer.files:
        answer = _take_back(view, changes, facts)
    elif answer.asks:
        _wish(view, Wish(facts.action.value), facts)
    if answer.holds and view.state.hold is None:
        reason = f"{facts.action.value}: {facts.reason}"
        view.record(Event(EventKind.CASE_HELD, {"by": facts.by, "reason": reason}))
    if answer.asks:
        bench = _bench(view, facts)
        plan(view, changes, bench, bench.goods_versions(view.papers))
    stage_notices(view, changes, facts.context.master, before, facts.now)
    is_held = view.state.hold is not None
    changes.result = Reply(answer, case_stage(view.state), is_held)
    return changes


def _wish(view: CaseView, wish: Wish, facts: _Asked) -> None:
    """Record what is wanted of the inventory; what must be filed again first is found now."""
    payload = {"ask": wish.value, "by": facts.by, "reason": facts.reason}
    after = to_refile(view.state) if wish is Wish.REDECLARE else {}
    view.record(Event(EventKind.CASE_ASKED, payload | ({"after": after} if after else {})))


def _take_back(view: CaseView, changes: Changes[Any], facts: _Asked) -> Standing:
    """File the return of what customs released, if it can still be asked for."""
    order = view.papers.get(PaperKind.ORDER)
    assert order is not None
    assert isinstance(order.paper, Order)
    left, bench = returnable(view.state, order.paper), _bench(view, facts)
    days, today = return_days(view.state, bench.profile), local_date(facts.now)
    until = None if days is None else days.apply_until
    answer = return_standing(
        view.state,
        today,
        until,
        is_anything_left=bool(left),
        is_one_on_its_way=is_on_its_way(view.state),
    )
    if not answer.files:
        return answer
    journey = _journey(facts.journey, bench.profile)
    wanted = left if facts.lines is None else facts.lines
    for line_no, quantity in wanted.items():
        if not 0 < quantity <= left.get(line_no, 0):
            most = plain(left.get(line_no, Decimal(0)))
            raise InvalidValue(f"lines.{line_no}", f"at most {most} of this line can be returned")
    is_export = bench.profile.is_export
    share = GivenBack() if is_export else _given_back(view, bench, order.paper, wanted)
    event = return_event(view.state, view.key, bench.profile, facts.reason, wanted, share, journey)
    record_planned(view, changes, bench, event, facts.by)
    watch_return(view, view.state.declarations[-1], changes, bench.profile)
    return answer


def _journey(journey: Journey | None, profile: FilingProfile) -> dict[str, str]:
    """What a return says of the way home: that of exported goods, and of no others."""
    if not profile.is_export:
        if journey is not None:
            raise InvalidValue("journey", "belongs to the return of an export alone")
        return {}
    if journey is None:
        raise InvalidValue("journey", "is required: what the exported goods come home on (213)")
    return journey.to_request(profile.traf_mode)


def decide_goods_back(facts: _Asked, views: Views, found: Found) -> Changes[CaseStage | None]:
    """Pure: the goods of one return are back."""
    changes: Changes[CaseStage | None] = Changes(result=None)
    view = _own(facts, views)
    if view is None:
        return changes
    for one in view.state.declarations:
        if not one.kind.is_return or one.version != facts.number:
            continue
        if one.stage in OVER:
            raise InvalidValue("return", "customs refused this return")
        if not is_back(one):
            view.record(_arrived(one, facts))
        changes.result = case_stage(view.state)
    return changes


def _arrived(one: DeclarationState, facts: _Asked) -> Event:
    payload = {"kind": one.kind.value, "version": one.version, "at": facts.now, "by": facts.by}
    return Event(EventKind.RETURN_ARRIVED, payload)


def decide_tallied(facts: _Asked, views: Views, found: Found) -> Changes[CaseStage | None]:
    """Pure: the goods of one return are back and counted, so the site's report goes to customs."""
    changes: Changes[CaseStage | None] = Changes(result=None)
    view = _own(facts, views)
    if view is None:
        return changes
    one = next(
        (
            one
            for one in view.state.declarations
            if one.kind.is_return and one.version == facts.number
        ),
        None,
    )
    if one is None:
        return changes
    bench = _bench(view, facts)
    event = tally_event(view.state, view.key, bench.profile, one, facts.reason)
    if event is not None:
        record_planned(view, changes, bench, event, facts.by)
    if not is_back(one):
        view.record(_arrived(one, facts))
    changes.result = case_stage(view.state)
    return changes


def decide_delivered(facts: _Asked, views: Views, found: Found) -> Changes[CaseStage | None]:
    """Pure: the parcel was delivered, so its carrier's report goes to customs."""
    changes: Changes[CaseStage | None] = Changes(result=None)
    view = _own(facts, views)
    if view is None:
        return changes
    assert facts.at is not None
    if to_micros(facts.at) > facts.now:
        raise InvalidValue("at", "must not lie in the future")
    bench = _bench(view, facts)
    event = delivery_event(view.state, view.key, bench.profile, facts.at.isoformat())
    if event is not None:
        record_planned(view, changes, bench, event, facts.by)
    changes.result = case_stage(view.state)
    return changes


def _given_back(
    view: CaseView, bench: Bench, order: Order, wanted: Mapping[int, Decimal]
) -> GivenBack:
    """What a return of these lines gives back; tax by their rates, where they are known."""
    value = dutiable(view.papers)
    assert value is not None
    tables, goods = bench.master.tables(view.key.tenant), bench.goods(view.papers)
    costs = max(value - order.goods_value.amount, Decimal(0))
    day = local_date(bench.now)
    taxes = tax_of(order.lines, goods, tables, day, costs=costs, is_full=False)
    return share_of_lines(view.state, order, wanted, dutiable=value, taxes=taxes)


def _bench(view: CaseView, facts: _Asked) -> Bench:
    context = facts.context
    profile = context.master.profile(view.key.tenant, view.key.profile_id)
    assert profile is not None
    return Bench(profile, context.master, context.matcher, context.crash, facts.now)


def decide_asked(facts: _Asked, views: Views, found: Found) -> Changes[CaseStage | None]:
    """Pure: a person's command against the live state."""
    changes: Changes[CaseStage | None] = Changes(result=None)
    view = _own(facts, views)
    if view is None:
        return changes
    bench = _bench(view, facts)
    match facts.action:
        case Action.HOLD:
            if frozen_reason(view.state, PaperKind.ORDER) == INVENTORY_DECLARED:
                raise TooLate("the inventory is with customs: a hold would stop nothing")
            view.record(Event(EventKind.CASE_HELD, {"by": facts.by, "reason": facts.reason}))
        case Action.RELEASE:
            _let_go(view, changes, facts, bench)
        case Action.RECHECK:
            settle(view, changes, replace(bench, relists=True))
        case Ask():
            raise AssertionError("questions have a decision of their own")
    changes.result = case_stage(view.state)
    return changes


def _let_go(view: CaseView, changes: Changes[Any], facts: _Asked, bench: Bench) -> None:
    if view.state.hold is None:
        return
    before = view.state
    view.record(Event(EventKind.CASE_UNHELD, {"by": facts.by}))
    view.record(*released_events(view.state))
    stage_notices(view, changes, bench.master, before, bench.now)
    # The person decides for this case: it is declared, whatever the ramp covers.
    settle(view, changes, replace(bench, profile=replace(bench.profile, ramp_percent=100)))
    for declaration in view.state.declarations:
        if declaration.stage is DeclarationStage.PLANNED:
            changes.effects.append(
                declare_effect(
                    view.key,
                    bench.profile,
                    declaration.kind,
                    declaration.version,
                    facts.now,
                    again=view.state.seq,
                )
            )
