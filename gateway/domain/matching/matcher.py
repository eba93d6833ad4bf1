"""Matching: every rule of a pack over the papers of one case, and the verdict that follows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from gateway.domain.case import Verdict, VerdictKind
from gateway.domain.circumstances import NOTHING_KNOWN, Circumstances
from gateway.domain.errors import InvalidValue
from gateway.domain.findings import Finding, Severity
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId
from gateway.domain.limits import LimitTable, PersonalLimit
from gateway.domain.matching.catalogue import RULE_FAILED, RULES
from gateway.domain.matching.facts import (
    NO_ORDER,
    NO_PAYMENT,
    NO_WAYBILL,
    Facts,
    ProfileView,
    beijing_day,
    in_line_order,
    view_of,
)
from gateway.domain.matching.pack import RulePack
from gateway.domain.matching.rule import Check, Fault, Faults, Outcome, Rule
from gateway.domain.papers import Order, PaperKind, PaperRevision, PaymentSlip
from gateway.domain.profile import FilingProfile
from gateway.domain.tables import NO_TABLES

_RANK: Final[Mapping[Severity, int]] = {Severity.NOTE: 0, Severity.WARN: 1, Severity.BLOCK: 2}
_PROFILES_KEPT: Final = 256
_ORDER_BIT: Final = 1
_PAYMENT_BIT: Final = 2
_WAYBILL_BIT: Final = 4
_ALL_BITS: Final = 7
_BIT: Final[Mapping[PaperKind, int]] = {
    PaperKind.ORDER: _ORDER_BIT,
    PaperKind.PAYMENT: _PAYMENT_BIT,
    PaperKind.WAYBILL: _WAYBILL_BIT,
}
_NO_GOODS: Final[Mapping[str, GoodsRecord]] = {}
_NOTHING_TAKEN: Final[Mapping[str, CaseId]] = {}


@dataclass(frozen=True, slots=True)
class _Bound:
    """A rule with the parameters and severities of its pack."""

    rule: Rule
    check: Check
    severity: Severity
    unverifiable: Severity | None
    outcome: Outcome
    position: int


_FAILED: Final = _Bound(
    RULE_FAILED, RULE_FAILED.check, Severity.BLOCK, Severity.BLOCK, Outcome.BLOCKED, 0
)
_Plan = tuple[tuple[Check, _Bound], ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """A profile, its view, and what the rules that ask the profile alone found in it."""

    profile: FilingProfile
    view: ProfileView
    faults: tuple[tuple[_Bound, Faults], ...]


class PaperMatcher:
    """Matches with the packs of a deployment; a profile names its pack.

    The same papers, profile, goods records, claims and time always give the same verdict, in
    whatever order the papers came. Raises :class:`InvalidValue` for a profile whose pack is not
    among ``packs``.
    """

    def __init__(self, packs: Iterable[RulePack]) -> None:
        self._packs = {pack.name: _CompiledPack(pack) for pack in packs}

    def limit(self, profile: FilingProfile, now: int) -> PersonalLimit:
        """The personal limits that the pack of a profile has in force at a time (UTC µs)."""
        pack = self._packs.get(profile.rule_pack)
        if pack is None:
            raise InvalidValue("rule_pack", "names a rule pack that is not loaded")
        return pack.limits.on(beijing_day(now))

    def pack_of(self, profile: FilingProfile) -> str:
        """Name and version of the pack that judges a profile."""
        pack = self._packs.get(profile.rule_pack)
        return profile.rule_pack if pack is None else f"{profile.rule_pack}@{pack.version}"

    def beside(
        self,
        verdict: Verdict,
        papers: Mapping[PaperKind, PaperRevision],
        profile: FilingProfile,
        goods: Mapping[str, GoodsRecord],
        taken: Mapping[str, CaseId],
        now: int,
        around: Circumstances = NOTHING_KNOWN,
    ) -> None:
        """These packs have no shadow."""

    def __call__(
        self,
        papers: Mapping[PaperKind, PaperRevision],
        profile: FilingProfile,
        goods: Mapping[str, GoodsRecord],
        taken: Mapping[str, CaseId],
        now: int,
        around: Circumstances = NOTHING_KNOWN,
    ) -> Verdict:
        """The verdict of a case's papers (the ``Matcher`` port)."""
        pack = self._packs.get(profile.rule_pack)
        if pack is None:
            raise InvalidValue("rule_pack", "names a rule pack that is not loaded")
        return pack.match(papers, profile, goods, taken, now, around)


class _CompiledPack:
    """One pack as flat lists of bound functions, one list for each set of papers present."""

    def __init__(self, pack: RulePack) -> None:
        bound = _bound(pack)
        self.version: Final = pack.version
        self.limits: Final[LimitTable] = pack.limits
        self._per_profile = tuple(one for one in bound if one.rule.is_per_profile)
        self._bound = bound
        self._plans: dict[int, _Plan] = {}
        self._known: dict[int, _Known] = {}

    def match(
        self,
        papers: Mapping[PaperKind, PaperRevision],
        profile: FilingProfile,
        goods: Mapping[str, GoodsRecord],
        taken: Mapping[str, CaseId],
        now: int,
        around: Circumstances,
    ) -> Verdict:
        """Ask every rule that the papers present allow."""
        known = self._known.get(id(profile)) or self._learn(profile)
        facts, present = self._facts(known.view, papers, now)
        facts.goods, facts.taken, facts.around = goods, taken, around
        aspects = 0 if around is NOTHING_KNOWN else _aspects(around)
        plan = self._plans.get(present + 8 * aspects) or self._plan(present, aspects)
        broken: list[tuple[_Bound, Faults]] = []
        try:
            for check, bound in plan:
                faults = check(facts)
                if faults:
                    broken.append((bound, faults))
        except Exception:
            broken = _carefully(facts, plan)
        if not broken and not known.faults:
            return Verdict(VerdictKind.MATCHED)
        broken.extend(known.faults)
        broken.sort(key=_by_position)
        return _verdict(facts, broken)

    def _plan(self, present: int, aspects: int) -> _Plan:
        """What is asked with these papers and circumstances; worked out once for each mixture."""
        asked = [
            one
            for one in self._bound
            if one.rule.reads_around is None or _ASPECTS[one.rule.reads_around] & aspects
        ]
        return self._plans.setdefault(present + 8 * aspects, _plan(asked, present))

    def _facts(
        self, view: ProfileView, papers: Mapping[PaperKind, PaperRevision], now: int
    ) -> tuple[Facts, int]:
        """The facts of a case, and which papers are present as bits."""
        present = 0
        order, payment, waybill = NO_ORDER, NO_PAYMENT, NO_WAYBILL
        for revision in papers.values():
            paper = revision.paper
            if isinstance(paper, Order):
                order, present = paper, present | _ORDER_BIT
            elif isinstance(paper, PaymentSlip):
                payment, present = paper, present | _PAYMENT_BIT
            else:
                waybill, present = paper, present | _WAYBILL_BIT
        day = beijing_day(now)
        facts = Facts(
            order,
            payment,
            waybill,
            in_line_order(order.lines),
            papers,
            _NO_GOODS,
            view,
            _NOTHING_TAKEN,
            now,
            day,
            self.limits.on(day),
        )
        return facts, present

    def _learn(self, profile: FilingProfile) -> _Known:
        """Ask the rules about the profile alone, once for each profile object.

        The profile is kept beside its answers, so its identity stays its own.
        """
        view = view_of(profile)
        facts, _ = self._facts(view, {}, 0)
        plan = tuple((bound.check, bound) for bound in self._per_profile)
        known = _Known(profile, view, tuple(_carefully(facts, plan)))
        if len(self._known) >= _PROFILES_KEPT:
            self._known = {}
        self._known[id(profile)] = known
        return known


def _carefully(facts: Facts, plan: _Plan) -> list[tuple[_Bound, Faults]]:
    """Ask every rule, each on its own: one that raises is a finding about the system.

    Such a case never passes, and no other case is touched by it.
    """
    broken: list[tuple[_Bound, Faults]] = []
    for check, bound in plan:
        try:
            faults = check(facts)
        except Exception as error:
            failed = Fault(
                paths={f"rule:{bound.rule.info.id}": type(error).__name__},
                params={"rule": bound.rule.info.id, "error": type(error).__name__},
            )
            broken.append((replace(_FAILED, position=bound.position), (failed,)))
            continue
        if faults:
            broken.append((bound, faults))
    return broken


def _bound(pack: RulePack) -> tuple[_Bound, ...]:
    places = {rule.info.id: (index, rule) for index, rule in enumerate(RULES)}
    bound = []
    for setting in pack.settings:
        position, rule = places[setting.rule]
        check = partial(rule.check, **setting.parameters) if setting.parameters else rule.check
        outcome = rule.info.leads_to
        bound.append(_Bound(rule, check, setting.severity, setting.unverifiable, outcome, position))
    return tuple(bound)


_ASPECTS: Final[Mapping[str, int]] = {
    "tables": 1,
    "ties": 2,
    "quota": 4,
    "filed": 8,
    "filed_parties": 16,
    "seen_elsewhere": 32,
    "billed_tax": 64,
}


def _aspects(around: Circumstances) -> int:
    """Which circumstances are known, as bits: most cases know one or two."""
    known = 0 if around.tables is NO_TABLES else 1
    if around.ties:
        known |= 2
    if around.quota is not None:
        known |= 4
    if around.filed:
        known |= 8
    if around.filed_parties:
        known |= 16
    if around.seen_elsewhere:
        known |= 32
    return known if around.billed_tax is None else known | 64


def _plan(bound: Sequence[_Bound], present: int) -> _Plan:
    """The rules whose papers are all present; what waits for a paper is asked when it is not."""
    plan = []
    for one in bound:
        needed = sum(_BIT[kind] for kind in one.rule.info.reads)
        if one.rule.is_per_profile or needed & ~present:
            continue
        if one.outcome is Outcome.WAITING and not needed and present == _ALL_BITS:
            continue
        plan.append((one.check, one))
    return tuple(plan)


def _by_position(entry: tuple[_Bound, Faults]) -> int:
    return entry[0].position


def _verdict(facts: Facts, broken: list[tuple[_Bound, Faults]]) -> Verdict:
    """All findings, what is missing, and the strongest outcome of them."""
    findings: list[Finding] = []
    counted: dict[str, None] = {}
    missing: dict[str, int] = {}
    outcomes: set[Outcome] = set()
    for bound, faults in broken:
        for fault in faults:
            waits = _waits(facts, fault) if bound.outcome is Outcome.WAITING else {}
            if waits:
                missing |= waits
                continue
            if bound.unverifiable is None and not fault.is_verifiable:
                counted[bound.rule.info.id] = None
                continue
            finding = _finding(bound, fault)
            findings.append(finding)
            if finding.severity is Severity.BLOCK:
                outcomes.add(bound.outcome)
    if outcomes & {Outcome.BLOCKED, Outcome.WAITING}:
        kind = VerdictKind.BLOCKED
    elif outcomes:
        kind = VerdictKind.MISMATCH
    elif missing:
        kind = VerdictKind.WAITING
    else:
        kind = VerdictKind.MATCHED
    until = min(missing.values(), default=None)
    return Verdict(
        kind, tuple(findings), tuple(missing), until, tuple(missing.values()), tuple(counted)
    )


def _waits(facts: Facts, fault: Fault) -> dict[str, int]:
    """What a fault says is missing, each with its deadline; nothing once that is over."""
    due = {path: facts.deadline(path) for path in fault.paths}
    return due if facts.now < min(due.values()) else {}


def _finding(bound: _Bound, fault: Fault) -> Finding:
    severity = bound.severity
    if not fault.is_verifiable and bound.unverifiable is not None:
        severity = bound.unverifiable
    elif fault.severity is not None and _RANK[fault.severity] < _RANK[severity]:
        severity = fault.severity
    info = bound.rule.info
    return Finding(
        rule=info.id,
        severity=severity,
        paths=fault.paths,
        delta=fault.delta,
        params=fault.params,
        fixes=fault.weighed() if fault.fixes else (),
        code=info.code,
        state="broken" if fault.is_verifiable else "unverifiable",
        ledger=fault.ledger,
    )
