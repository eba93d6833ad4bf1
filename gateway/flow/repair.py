"""Repair: findings are mended by corrections that lie over what was received.

A correction is one more source fact of a paper: what its source said stays, byte for byte, and a
newer paper of the source replaces the correction. A goods record is corrected by its next version.
After it the case is matched anew and, if that was agreed, declared anew. What a fix needs before:
``gateway.domain.repair``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import orjson

from gateway.domain.case import CaseState
from gateway.domain.codec import from_micros
from gateway.domain.errors import InvalidValue
from gateway.domain.events import Event, EventKind
from gateway.domain.findings import Finding, Fix, Remedy, Severity, finding_id
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId, RawId, TenantId, effect_id
from gateway.domain.lifecycle import case_stage, frozen_reason
from gateway.domain.papers import PaperKind, SourceFact
from gateway.domain.repair import (
    Need,
    cause_of,
    goods_place,
    kind_of_path,
    needs_of,
    value_from,
    with_goods_value,
    with_value,
)
from gateway.flow.around import uses_of
from gateway.flow.clockwork import local_date
from gateway.flow.context import SECOND_US, Context
from gateway.flow.ingest import claim_of
from gateway.flow.links import lapses_of
from gateway.flow.match import Bench, settle
from gateway.flow.normalise import composed
from gateway.flow.preflight import WithGoods
from gateway.flow.status import repair_notice
from gateway.ports import (
    CaseView,
    Changes,
    Command,
    Effect,
    EffectKind,
    FindingFilter,
    FindingLists,
    Found,
    Lookup,
    Parked,
    RawBlob,
    ReadModels,
    Views,
)
from gateway.ports.repairs import Approval, Repair, RepairBook, RepairItem, RepairStage

MOST: Final = 500
REPAIR: Final = "repair"
SELLER: Final = "seller"
_DECIDERS: Final = frozenset({"supervisor", "operator"})
IDENTITIES: Final = frozenset({"payment.transaction_id", "waybill.waybill_no"})
"""The number of a paper is its identity: to correct it takes its owner, and the number's claim."""
_HOUR_US: Final = 3600 * SECOND_US


class KeepsGoods(Protocol):
    """Keeps goods records; each change is another version."""

    async def put_goods(self, tenant: TenantId, records: Sequence[GoodsRecord]) -> object:
        """Store records, whole or not at all."""
        ...


class NotPossible(InvalidValue):
    """A repair that cannot be made; ``path`` names the member of the request, or a word."""


@dataclass(frozen=True, slots=True)
class Person:
    """Who asks: an id for the history, and a role of the API or the console."""

    by: str
    role: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which fix to apply: the one of this finding that leads to ``path``.

    ``value`` is for a fix that has none, or another one. ``everywhere`` takes all open cases with
    the same cause along, up to ``MOST``.
    """

    case_id: CaseId
    finding: str
    path: str
    reason: str
    value: str | None = None
    everywhere: bool = False
    redeclare: bool = True


@dataclass(frozen=True, slots=True)
class _Facts:
    context: Context
    tenant: TenantId
    item: RepairItem
    goods: Mapping[str, GoodsRecord]
    claims: Sequence[Lookup]
    repair_id: str
    by: str
    approvals: tuple[Approval, ...]
    reason: str
    redeclare: bool
    now: int


@dataclass(frozen=True, slots=True)
class Repairs:
    """Proposes, approves and applies repairs; what it answers is durable but for a dry run."""

    context: Context
    reads: ReadModels
    findings: FindingLists
    book: RepairBook
    goods: KeepsGoods

    async def dry_run(self, tenant: TenantId, person: Person, wanted: Wanted) -> Repair:
        """What a repair would come to, case by case; nothing is stored.

        Raises :class:`NotPossible`.
        """
        repair = await self._drafted(tenant, person, wanted)
        goods = await self._corrected_goods(repair)
        commands = await self._commands(repair, goods, person.by)
        outcomes = await self.context.store.foresee(commands)
        return _with_outcomes(repair, outcomes)

    async def propose(self, tenant: TenantId, person: Person, wanted: Wanted) -> Repair:
        """Apply a repair that needs nobody else at once, keep any other as a proposal.

        Raises :class:`NotPossible`.
        """
        repair = await self._drafted(tenant, person, wanted)
        if not repair.open_needs:
            repair = await self._applied(repair, person.by)
        await self.book.put(repair)
        return repair

    async def approve(
        self,
        tenant: TenantId,
        person: Person,
        repair_id: str,
        statement: str = "",
        value: str | None = None,
    ) -> Repair | None:
        """Give what this person may give; once nothing is open any more it is applied.

        ``statement`` says on what ground an owner outside confirms, ``value`` answers an asked
        repair. None when the tenant has no such repair. Raises :class:`NotPossible`.
        """
        repair = await self.book.get(tenant, repair_id)
        if repair is None:
            return None
        if repair.stage not in (RepairStage.PROPOSED, RepairStage.ASKED):
            raise NotPossible("stage", "has ended already")
        changed = _answered(repair, value)
        given = _given(repair, person, statement, self.context.clock.now())
        if not given:
            raise NotPossible("approval", "needs somebody else")
        changed = replace(changed, approvals=(*repair.approvals, *given))
        if not changed.open_needs:
            changed = await self._applied(changed, person.by)
        if not await self.book.change(changed, repair.stage, len(repair.approvals)):
            raise NotPossible("stage", "was changed by somebody else meanwhile")
        return changed

    async def refuse(
        self, tenant: TenantId, person: Person, repair_id: str, reason: str
    ) -> Repair | None:
        """Drop a proposal. None when the tenant has no such repair."""
        repair = await self.book.get(tenant, repair_id)
        if repair is None:
            return None
        if repair.stage not in (RepairStage.PROPOSED, RepairStage.ASKED):
            raise NotPossible("stage", "has ended already")
        reason = f"{repair.reason}; refused by {person.by}: {reason}"
        ended = replace(
            repair, stage=RepairStage.REFUSED, ended_at=self.context.clock.now(), reason=reason
        )
        if not await self.book.change(ended, repair.stage, len(repair.approvals)):
            raise NotPossible("stage", "was changed by somebody else meanwhile")
        return ended

    async def ask(self, tenant: TenantId, person: Person, wanted: Wanted, hours: int) -> Repair:
        """Ask the owner for the value, by webhook and with a deadline; a person is told after it.

        Raises :class:`NotPossible`.
        """
        repair = await self._drafted(tenant, person, replace(wanted, everywhere=False))
        deadline = repair.created_at + hours * _HOUR_US
        repair = replace(
            repair,
            stage=RepairStage.ASKED,
            needs=repair.needs | {Need.OWNER},
            approvals=(),
            deadline=deadline,
        )
        await self.book.put(repair)
        await self.context.store.submit(
            Command(
                decide=decide_asking,
                facts=(repair, self.context),
                load=(wanted.case_id,),
                lane=wanted.case_id,
                stage="match",
            )
        )
        return repair

    async def overdue(self, effect: Effect) -> None:
        """The deadline of an asked repair has come: a person is told if it still waits.

        A question that was settled otherwise meanwhile is dropped.
        """
        assert effect.tenant is not None
        repair = await self.book.get(effect.tenant, effect.ref)
        waits = repair is not None and repair.stage is RepairStage.ASKED
        if repair is not None and waits and not await self._stands(repair):
            reason = f"{repair.reason}; the finding stands no more"
            now = self.context.clock.now()
            dropped = replace(repair, stage=RepairStage.REFUSED, ended_at=now, reason=reason)
            # An answer at the same moment ends it itself.
            await self.book.change(dropped, repair.stage, len(repair.approvals))
            waits = False
        await self.context.store.submit(
            Command(
                decide=decide_overdue,
                facts=(effect, waits, self.context.clock.now()),
                lane=effect.ref,
                stage="match",
            )
        )

    async def _stands(self, repair: Repair) -> bool:
        item = repair.items[0]
        detail = await self.reads.case(repair.tenant, item.case_id)
        return detail is not None and _standing(detail.state, item.finding) is not None

    # --- drafting -----------------------------------------------------------------------------

    async def _drafted(self, tenant: TenantId, person: Person, wanted: Wanted) -> Repair:
        """The proposal with all its items; nothing is stored."""
        detail = await self.reads.case(tenant, wanted.case_id)
        finding = None if detail is None else _standing(detail.state, wanted.finding)
        if detail is None or finding is None:
            raise NotPossible("finding", "does not stand in this case")
        fix = next((one for one in finding.fixes if one.path == wanted.path), None)
        if fix is None:
            raise NotPossible("path", "is none of the fixes of this finding")
        place = goods_place(fix.path)
        if place is None and kind_of_path(fix.path) is None:
            raise NotPossible("path", "is not corrected here; its owner sends it anew")
        if fix.path in IDENTITIES and wanted.everywhere:
            raise NotPossible("scope", "a number belongs to one case; correct it there")
        if place is not None and wanted.value is None:
            # One record serves all cases: one value for them.
            wanted = replace(wanted, value=fix.value)
        order_no = detail.row.key.order_no
        items = [RepairItem(wanted.case_id, order_no, wanted.finding, fix.path, wanted.value)]
        if wanted.everywhere:
            items += await self._alike(tenant, wanted, finding, fix)
        now = self.context.clock.now()
        repair = Repair(
            repair_id=self.context.rng.bytes(12).hex(),
            tenant=tenant,
            stage=RepairStage.PROPOSED,
            rule=finding.rule,
            kind=fix.kind.value,
            owner=fix.owner,
            needs=needs_of(fix),
            items=tuple(items[:MOST]),
            proposed_by=person.by,
            reason=wanted.reason,
            created_at=now,
            redeclare=wanted.redeclare,
        )
        if wanted.value is not None:
            await self._corrected_goods(repair)
        if Need.OWNER in repair.needs and _owns(person, repair):
            owner = Approval(Need.OWNER, person.by, now, "proposed by the owner")
            repair = replace(repair, approvals=(owner,))
        return repair

    async def _alike(
        self, tenant: TenantId, wanted: Wanted, finding: Finding, fix: Fix
    ) -> list[RepairItem]:
        """The same fix for every other open finding with the same cause."""
        cause, after = cause_of(finding), None
        found: list[RepairItem] = []
        seen = {(wanted.case_id, wanted.finding)}
        filters = FindingFilter(rule=finding.rule, is_open=True, is_resolved=False)
        while len(found) < MOST - 1:
            page = await self.findings.findings(tenant, filters, after, MOST)
            for row in page.items:
                place = (row.key.case_id, row.finding_id)
                if place in seen or cause_of(row.finding) != cause:
                    continue
                seen.add(place)
                found += [
                    RepairItem(*place[:1], row.key.order_no, place[1], one.path, wanted.value)
                    for one in row.finding.fixes
                    if _alike(one, fix)
                ]
            after = page.after
            if after is None:
                break
        return found[: MOST - 1]

    # --- applying -----------------------------------------------------------------------------

    async def _applied(self, repair: Repair, by: str) -> Repair:
        """Every item decided and committed on its own; what fails spoils no other."""
        records = await self._corrected_goods(repair)
        if records:
            await self.goods.put_goods(repair.tenant, list(records.values()))
        commands = await self._commands(repair, {}, by)
        outcomes = await self.context.store.submit_all(commands)
        ended = _with_outcomes(repair, outcomes)
        return replace(ended, stage=RepairStage.APPLIED, ended_at=self.context.clock.now())

    async def _commands(
        self, repair: Repair, goods: Mapping[str, GoodsRecord], by: str
    ) -> list[Command[RepairItem]]:
        """One command for each item; ``goods`` are records to be tried."""
        commands = []
        for item in repair.items:
            claims = await self._claims(repair, item)
            commands.append(
                Command(
                    decide=decide_repair,
                    facts=self._facts(repair, item, goods, claims, by),
                    load=(item.case_id,),
                    lookups=claims,
                    with_papers=True,
                    lane=item.order_no,
                    stage="match",
                )
            )
        return commands

    # --- goods and numbers --------------------------------------------------------------------

    async def _corrected_goods(self, repair: Repair) -> Mapping[str, GoodsRecord]:
        """The goods record of a repair with the new value, by SKU; empty where none is corrected.

        Raises :class:`NotPossible`: the record is not there, or the value does not fit it.
        """
        first = repair.items[0]
        place = goods_place(first.path)
        if place is None:
            return {}
        if first.value is None:
            raise NotPossible("value", "is needed: nothing tells what the goods record should say")
        detail = await self.reads.case(repair.tenant, first.case_id)
        profile = None
        if detail is not None:
            key = detail.row.key
            profile = self.context.master.profile(key.tenant, key.profile_id)
        known: Mapping[str, GoodsRecord] = {}
        if profile is not None:
            day = local_date(self.context.clock.now())
            known = self.context.master.goods(repair.tenant, profile.goods_scope, [place[0]], day)
        if place[0] not in known:
            raise NotPossible("path", "names no goods record that holds today")
        try:
            return {place[0]: with_goods_value(known[place[0]], first.path, first.value)}
        except InvalidValue as error:
            raise NotPossible("value", error.reason) from None

    async def _claims(self, repair: Repair, item: RepairItem) -> Sequence[Lookup]:
        """The claim of the number that an item gives to a paper; empty for any other field."""
        kind = kind_of_path(item.path)
        if item.path not in IDENTITIES or item.value is None or kind is None:
            return ()
        detail = await self.reads.case(repair.tenant, item.case_id)
        current = None if detail is None else detail.papers.get(kind)
        if detail is None or current is None:
            return ()
        key = detail.row.key
        profile = self.context.master.profile(key.tenant, key.profile_id)
        if profile is None:
            return ()
        try:
            return (claim_of(with_value(current.paper, item.path, item.value), profile),)
        except InvalidValue:
            return ()

    def _facts(
        self,
        repair: Repair,
        item: RepairItem,
        goods: Mapping[str, GoodsRecord],
        claims: Sequence[Lookup],
        by: str,
    ) -> _Facts:
        return _Facts(
            self.context,
            repair.tenant,
            item,
            goods,
            claims,
            repair.repair_id,
            by if by == repair.proposed_by else f"{repair.proposed_by}, {by}",
            repair.approvals,
            repair.reason,
            repair.redeclare,
            self.context.clock.now(),
        )


def _with_outcomes(repair: Repair, outcomes: Sequence[RepairItem | Exception]) -> Repair:
    """The repair with what became of every item; an error is told as ours."""
    items = [
        replace(item, status="failed", reason="internal")
        if isinstance(outcome, Exception)
        else outcome
        for item, outcome in zip(repair.items, outcomes, strict=True)
    ]
    return replace(repair, items=tuple(items))


def _standing(state: CaseState, wanted: str) -> Finding | None:
    verdict = state.verdict
    found = verdict.findings if verdict is not None else ()
    return next((one for one in found if finding_id(one) == wanted), None)


def _alike(one: Fix, other: Fix) -> bool:
    """Whether two fixes change the same field of the same paper, whichever line it is of."""
    names = [[part for part in fix.path.split(".") if not part.isdecimal()] for fix in (one, other)]
    return names[0] == names[1] and (one.kind, one.owner) == (other.kind, other.owner)


def _owns(person: Person, repair: Repair) -> bool:
    return person.role == SELLER and repair.owner == SELLER


def _answered(repair: Repair, value: str | None) -> Repair:
    """The repair with the value that its owner gives."""
    if value is None:
        if repair.stage is RepairStage.ASKED and all(one.value is None for one in repair.items):
            raise NotPossible("value", "is what was asked for")
        return repair
    if repair.stage is not RepairStage.ASKED:
        raise NotPossible("value", "was proposed already; refuse the repair to propose another")
    return replace(repair, items=tuple(replace(one, value=value) for one in repair.items))


def _given(repair: Repair, person: Person, statement: str, now: int) -> list[Approval]:
    """The needs that this person gives: never the one who proposed, unless as the owner."""
    given = []
    is_other = person.by != repair.proposed_by
    for need in sorted(repair.open_needs):
        if need is Need.SECOND_PERSON:
            may = is_other and person.role in _DECIDERS
            # An owner who answers is another person than the one who asked.
            may = may or (is_other and _owns(person, repair))
        else:
            outside = repair.owner != SELLER and person.role in _DECIDERS
            may = _owns(person, repair) or (outside and is_other and bool(statement))
        if may:
            given.append(Approval(need, person.by, now, statement))
    return given


# --- decisions --------------------------------------------------------------------------------


def decide_repair(facts: _Facts, views: Views, found: Found) -> Changes[RepairItem]:
    """Pure: one field corrected, the case matched anew, and what followed from it."""
    item = facts.item
    changes: Changes[RepairItem] = Changes(result=replace(item, status="failed"))
    view = views.get(item.case_id)
    if view is None or view.key.tenant != facts.tenant:
        changes.result = replace(item, status="failed", reason="unknown_case")
        return changes
    finding = _standing(view.state, item.finding)
    fix = next((one for one in finding.fixes if one.path == item.path), None) if finding else None
    if finding is None or fix is None:
        changes.result = replace(item, status="failed", reason="stands_no_more")
        return changes
    if goods_place(fix.path) is None:
        reason = _corrected(view, finding, fix, facts, found, changes)
    else:
        # The record has its next version already: the case is only matched anew.
        reason = frozen_reason(view.state, PaperKind.ORDER) and "frozen"
    if reason is not None:
        changes.result = replace(item, status="failed", reason=reason)
        return changes
    if not facts.redeclare and view.state.hold is None:
        held = {"by": facts.by, "reason": "repaired, not to be declared yet"}
        view.record(Event(EventKind.CASE_HELD, held))
    settle(view, changes, _bench(view, facts))
    verdict = view.state.verdict
    assert verdict is not None
    stands = any(one.rule == finding.rule for one in _alike_findings(view, finding))
    if not stands:
        _resolve(view, finding, fix, facts)
    changes.result = replace(
        item,
        status="remains" if stands else "repaired",
        verdict=case_stage(view.state).value,
    )
    return changes


def _alike_findings(view: CaseView, finding: Finding) -> list[Finding]:
    """Findings of the same rule at the same places, whatever their values."""
    verdict = view.state.verdict
    return [
        one
        for one in (verdict.findings if verdict is not None else ())
        if one.rule == finding.rule and set(one.paths) == set(finding.paths)
    ]


def _bench(view: CaseView, facts: _Facts) -> Bench:
    context = facts.context
    profile = context.master.profile(view.key.tenant, view.key.profile_id)
    assert profile is not None
    master = WithGoods(context.master, facts.goods) if facts.goods else context.master
    return Bench(profile, master, context.matcher, context.crash, facts.now)


def _corrected(
    view: CaseView,
    finding: Finding,
    fix: Fix,
    facts: _Facts,
    found: Found,
    changes: Changes[RepairItem],
) -> str | None:
    """Lay the correction over the paper; a stable word when it cannot be."""
    kind = kind_of_path(fix.path)
    current = None if kind is None else view.papers.get(kind)
    if kind is None or current is None:
        return "no_paper"
    if frozen_reason(view.state, kind) is not None:
        return "frozen"
    papers = {one: revision.paper for one, revision in view.papers.items()}
    value = facts.item.value or value_from(fix, finding, papers)
    if value is None:
        return "value_needed"
    try:
        paper = with_value(current.paper, fix.path, value)
    except InvalidValue:
        return "value_invalid"
    record = {
        "repair": facts.repair_id,
        "finding": facts.item.finding,
        "rule": finding.rule,
        "path": fix.path,
        "value": value,
        "by": facts.by,
        "reason": facts.reason,
        "approvals": [[one.need.value, one.by, one.statement] for one in facts.approvals],
    }
    body = orjson.dumps(record)
    raw_id = RawId(effect_id(view.key.case_id, REPAIR, facts.repair_id, fix.path))
    fact = SourceFact(REPAIR, raw_id, 0, len(body), from_micros(facts.now), paper)
    revision = composed(current, fact).revision
    if revision is None:
        return "nothing_changes"
    changes.raws.append(RawBlob(raw_id, view.key.case_id, view.key.tenant, REPAIR, body, facts.now))
    changes.papers.append((view.key.case_id, revision))
    view.papers[kind] = revision
    changes.numbers += uses_of(view, revision, facts.now)
    entry: dict[str, object] = {
        "kind": kind.value,
        "revision": revision.revision,
        "digest": revision.digest,
        "source": REPAIR,
        "path": fix.path,
        "rule": finding.rule,
        "repair": facts.repair_id,
        "by": facts.by,
    }
    stamp = view.state.paper(kind)
    taken = None if stamp is None else stamp.taken
    for claim in facts.claims:
        holder = found.get(claim)
        taken = None if holder in (None, view.key.case_id) else str(holder)
        if holder is None:
            changes.claims.append((claim, view.key.case_id, view.key.tenant))
            profile = facts.context.master.profile(view.key.tenant, view.key.profile_id)
            changes.lapses |= lapses_of([claim], profile, facts.now)
    if taken is not None:
        entry["taken"] = taken
    if stamp is not None and stamp.earlier:
        entry["earlier"] = list(stamp.earlier)
    view.record(Event(EventKind.PAPERS_RECEIVED, {"papers": [entry]}))
    return None


def _resolve(view: CaseView, finding: Finding, fix: Fix, facts: _Facts) -> None:
    kind = kind_of_path(fix.path)
    payload: dict[str, object] = {
        "finding": facts.item.finding,
        "rule": finding.rule,
        "severity": Severity(finding.severity).value,
        "how": (Remedy.NEW_GOODS if kind is None else Remedy.NEW_PAPER).value,
        "by": facts.by,
        "reason": facts.reason,
    }
    if kind is None:
        payload["path"] = fix.path
    else:
        payload |= {"paper": kind.value, "revision": view.papers[kind].revision}
    view.record(Event(EventKind.FINDING_RESOLVED, payload))


def decide_asking(facts: tuple[Repair, Context], views: Views, found: Found) -> Changes[None]:
    """Pure: the webhook that asks, and the timer that ends the asking."""
    repair, context = facts
    changes: Changes[None] = Changes(result=None)
    item = repair.items[0]
    view = views.get(item.case_id)
    if view is None or view.key.tenant != repair.tenant:
        return changes
    data = {
        "repair": repair.repair_id,
        "rule": repair.rule,
        "finding": item.finding,
        "path": item.path,
        "owner": repair.owner,
        "deadline": repair.deadline,
    }
    repair_notice(view, changes, context.master, data, repair.created_at)
    assert repair.deadline is not None
    changes.effects.append(
        Effect(
            effect_id=effect_id(item.case_id, REPAIR, repair.repair_id),
            kind=EffectKind.DEADLINE,
            group=REPAIR,
            due_at=repair.deadline,
            case_id=item.case_id,
            tenant=repair.tenant,
            ref=repair.repair_id,
        )
    )
    return changes


def decide_overdue(facts: tuple[Effect, bool, int], views: Views, found: Found) -> Changes[None]:
    """Pure: nobody has answered by the deadline, so a person has to."""
    effect, waits, now = facts
    changes: Changes[None] = Changes(result=None)
    changes.effects_done.append(effect.effect_id)
    if waits:
        changes.parked.append(
            Parked(
                parked_id=f"repair-{effect.ref}",
                subject="repair",
                reason="owner_did_not_answer",
                at=now,
                case_id=effect.case_id,
                tenant=effect.tenant,
            )
        )
    return changes


__all__ = ["MOST", "NotPossible", "Person", "Repairs", "Wanted", "decide_repair"]
