"""Stage 3, match: the verdict over a case's papers, and what follows from it at once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any, Final

from gateway.domain.case import CaseKey, Verdict, VerdictKind
from gateway.domain.circumstances import NOTHING_KNOWN, Circumstances
from gateway.domain.codec import to_micros, verdict_to_doc
from gateway.domain.declaration import DeclarationKind
from gateway.domain.events import Event, EventKind
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId, TenantId, effect_id
from gateway.domain.papers import Order, PaperKind, PaperRevision
from gateway.domain.planning import plan_events
from gateway.domain.profile import FilingProfile
from gateway.domain.reports import report_key
from gateway.flow.around import circumstances, reserve
from gateway.flow.clockwork import BEIJING, local_date
from gateway.flow.filing_plan import plan_filings
from gateway.flow.gate_plan import watch_gates
from gateway.flow.status import stage_notices
from gateway.ports import CaseView, Changes, CrashPoints, Effect, EffectKind, Lookup, MasterData
from gateway.ports import Matcher as Matching

_GOODS_PREFIX = "goods:"

SHADOWED_BY: Final = "golive"
"""Who holds the cases outside the ramp of a going live."""
SHADOW_REASON: Final = "shadow: outside the ramp of {percent} % / 影子运行，灰度 {percent}% 之外"


@dataclass(frozen=True, slots=True)
class Bench:
    """What deciding about a case needs beside the case itself; reading it has no effects."""

    profile: FilingProfile
    master: MasterData
    matcher: Matching
    crash: CrashPoints
    now: int
    relists: bool = False

    def goods(self, papers: Mapping[PaperKind, PaperRevision]) -> dict[str, GoodsRecord]:
        """The goods records of the order's SKUs, valid today."""
        order = papers.get(PaperKind.ORDER)
        if order is None or not isinstance(order.paper, Order):
            return {}
        return self.master.goods(
            self.profile.tenant,
            self.profile.goods_scope,
            [line.sku for line in order.paper.lines],
            local_date(self.now),
        )

    def goods_versions(self, papers: Mapping[PaperKind, PaperRevision]) -> dict[str, int]:
        """Which versions of the goods records a declaration made today stands on."""
        return {sku: record.version for sku, record in self.goods(papers).items()}

    def around(self, view: CaseView, changes: Changes[Any]) -> Circumstances:
        """What else is known around a case, which takes its place in it.

        The limits of buyers and the tables of imports say nothing of an export.
        """
        if self.profile.is_export:
            return NOTHING_KNOWN
        limit = self.matcher.limit(self.profile, self.now).annual
        reserve(view, changes, limit, self.now)
        return circumstances(view, self.profile, self.master, limit, self.now)


def settle(view: CaseView, changes: Changes[Any], bench: Bench) -> None:
    """Match the papers anew, record a changed verdict, plan what may be filed and tell who waits.

    Takes the papers of ``view`` as they stand; every event is recorded on the view.
    """
    before = view.state
    goods = bench.goods(view.papers)
    taken = {
        kind.value: CaseId(stamp.taken)
        for kind, stamp in (view.state.papers or {}).items()
        if stamp.taken
    }
    around = bench.around(view, changes)
    verdict = bench.matcher(view.papers, bench.profile, goods, taken, bench.now, around)
    if view.state.verdict is None or verdict_to_doc(view.state.verdict) != verdict_to_doc(verdict):
        view.record(
            Event(
                EventKind.CASE_MATCHED,
                verdict_to_doc(verdict) | _judged_by(bench, view, verdict, goods, taken, around),
            )
        )
    _await_missing(view, changes, verdict.missing)
    is_waiting = verdict.kind is VerdictKind.WAITING or bool(bench.profile.waits)
    if is_waiting and verdict.until is not None:
        changes.effects.append(_deadline(view.key, verdict.until))
    _shadow(view, bench.profile)
    plan_filings(view, changes, bench.profile, bench.now)
    plan(view, changes, bench, {sku: record.version for sku, record in goods.items()})
    watch_gates(view, before, changes, bench.profile, bench.now)
    bench.crash.reach("match.decided")
    stage_notices(view, changes, bench.master, before, bench.now)


def _shadow(view: CaseView, profile: FilingProfile) -> None:
    """Hold a case that the ramp of a going live leaves to whoever filed before us.

    Only a case of which nothing was asked for yet: one that a person let go is declared.
    """
    state = view.state
    if profile.declares(view.key.case_id) or state.hold is not None:
        return
    is_fresh = not state.declarations and not state.filings
    if is_fresh and state.verdict is not None and state.verdict.kind is VerdictKind.MATCHED:
        reason = SHADOW_REASON.format(percent=profile.ramp_percent)
        view.record(Event(EventKind.CASE_HELD, {"by": SHADOWED_BY, "reason": reason}))


def _judged_by(
    bench: Bench,
    view: CaseView,
    verdict: Verdict,
    goods: Mapping[str, GoodsRecord],
    taken: Mapping[str, CaseId],
    around: Circumstances,
) -> dict[str, Any]:
    """Which version of which pack gave a verdict, and what a shadow says otherwise."""
    matcher, profile = bench.matcher, bench.profile
    found: dict[str, Any] = {"pack": matcher.pack_of(profile)}
    shadow = matcher.beside(verdict, view.papers, profile, goods, taken, bench.now, around)
    return found if shadow is None else found | {"shadow": dict(shadow)}


def plan(view: CaseView, changes: Changes[Any], bench: Bench, goods: Mapping[str, int]) -> None:
    """Record the declarations that may be filed now and ask for them in the outbox."""
    for event in plan_events(view.state, view.key, bench.profile, goods, relists=bench.relists):
        if event.kind is not EventKind.DECLARATION_PLANNED:
            view.record(event)
        elif _may_be_filed(view, bench, event):
            record_planned(view, changes, bench, event)


def _may_be_filed(view: CaseView, bench: Bench, event: Event) -> bool:
    """Only what was declared to be summed up (statisticsFlag B) goes into a summary."""
    if event.payload["kind"] != DeclarationKind.SUMMARY_REQUEST.value:
        return True
    inventory = view.state.inventory()
    assert inventory is not None
    version = inventory.pinned.profile_version
    terms = bench.master.profile_version(view.key.profile_id, version).export
    return terms is not None and terms.is_summarised


def record_planned(
    view: CaseView, changes: Changes[Any], bench: Bench, event: Event, by: str | None = None
) -> None:
    """Record one planned declaration, claim its number and ask for it in the outbox.

    ``by`` is who asked for what no rule plans by itself; it stands in the history.
    """
    view.record(event if by is None else Event(event.kind, {**event.payload, "by": by}))
    kind, version = DeclarationKind(event.payload["kind"]), event.payload["version"]
    if kind is DeclarationKind.SUMMARY_REQUEST:
        changes.effects.append(_summary_effect(view, bench, version))
        return
    if kind.is_list:
        changes.effects.append(_list_effect(view, bench, kind, version))
        return
    changes.effects.append(declare_effect(view.key, bench.profile, kind, version, bench.now))
    if not kind.is_paper:
        claim = Lookup("cop_no", event.payload["cop_no"])
        changes.claims.append((claim, view.key.case_id, view.key.tenant))


def _list_effect(view: CaseView, bench: Bench, kind: DeclarationKind, version: int) -> Effect:
    """The outbox row of a parcel that is gathered with the others of its bill; what is reported
    together is filed at once, and apart from what was reported otherwise.
    """
    consigning, waybill = bench.profile.consigning, view.state.paper(PaperKind.WAYBILL)
    assert consigning is not None
    assert waybill is not None
    effect = declare_effect(view.key, bench.profile, kind, version, bench.now)
    group = f"{effect.group}/{waybill.bill or ''}"
    if kind.is_report:
        return replace(effect, group=f"{group}/{report_key(view.state.declarations[-1])}")
    return replace(effect, group=group, due_at=consigning.due_after(bench.now))


def _summary_effect(view: CaseView, bench: Bench, version: int) -> Effect:
    """The outbox row of an inventory that is summed up with the others of its period."""
    inventory, terms = view.state.inventory(), bench.profile.export
    assert inventory is not None
    assert inventory.released_at is not None
    assert terms is not None
    assert terms.summary is not None
    # Eight digits of the day in Beijing stand first in customs' time.
    name, day = terms.summary.period(date.fromisoformat(inventory.released_at[:8]))
    due_at = to_micros(datetime.combine(day, time(), BEIJING))
    kind = DeclarationKind.SUMMARY_REQUEST
    effect = declare_effect(view.key, bench.profile, kind, version, bench.now)
    return replace(effect, group=f"{effect.group}/{name}", due_at=max(due_at, bench.now))


def declare_effect(
    key: CaseKey,
    profile: FilingProfile,
    kind: DeclarationKind,
    version: int,
    now: int,
    again: int = 0,
) -> Effect:
    """The outbox row that asks for one planned declaration; ``again`` tells repeats after a hold
    apart.
    """
    return Effect(
        effect_id=effect_id(key.case_id, "declare", kind.value, version, again),
        kind=EffectKind.DECLARE,
        group=f"{key.tenant}/{profile.profile_id}/{profile.version}/{kind.value}",
        due_at=now,
        case_id=key.case_id,
        tenant=key.tenant,
        ref=f"{kind.value}/{version}",
    )


def _await_missing(view: CaseView, changes: Changes[Any], missing: tuple[str, ...]) -> None:
    """Remember which goods records a case waits for, so that importing them wakes it."""
    tenant: TenantId = view.key.tenant
    for name in missing:
        if name.startswith(_GOODS_PREFIX):
            changes.waits.append((view.key.case_id, tenant, name.removeprefix(_GOODS_PREFIX)))
    if not missing and view.state.seq > 0:
        changes.waits_over.append(view.key.case_id)


def _deadline(key: CaseKey, until: int) -> Effect:
    return Effect(
        effect_id=effect_id(key.case_id, "deadline", until),
        kind=EffectKind.DEADLINE,
        group="deadline",
        due_at=until,
        case_id=key.case_id,
        tenant=key.tenant,
    )
