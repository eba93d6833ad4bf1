"""Rule packs at work: which pack judges which profile, what a shadow would say, who may activate.

A pack in force for a tenant's port goes before one for the whole tenant, and both before the pack
that the profile names. A pack judges one direction: exports where it extends export-default. A
shadow is asked beside the live pack; its answer decides nothing and is kept with the verdict where
it differs.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from gateway.domain.case import Verdict
from gateway.domain.circumstances import NOTHING_KNOWN, Circumstances
from gateway.domain.errors import InvalidValue
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId, Direction
from gateway.domain.limits import PersonalLimit
from gateway.domain.matching import PaperMatcher, RulePack, compile_pack
from gateway.domain.papers import PaperKind, PaperRevision
from gateway.domain.profile import FilingProfile
from gateway.ports.packs import PackBook, PackScope, PackStage, StoredPack
from gateway.ports.people import ConsoleLog

Difference = Mapping[str, Any]  # Any: JSON values

_COMPILED: Final = 64
MOVES: Final[Mapping[PackStage, tuple[PackStage, ...]]] = {
    PackStage.PROPOSED: (PackStage.SHADOW, PackStage.ACTIVE, PackStage.RETIRED),
    PackStage.SHADOW: (PackStage.ACTIVE, PackStage.RETIRED),
    PackStage.ACTIVE: (PackStage.RETIRED,),
    PackStage.RETIRED: (PackStage.SHADOW, PackStage.ACTIVE),
}
"""Where a version may go from where it stands."""


class LivePacks:
    """Implements ``ports.Matcher`` with the packs of a deployment over those that come with it."""

    def __init__(self, builtin: PaperMatcher, find: Callable[[str], str]) -> None:
        self._builtin = builtin
        self._find = find
        self._active: Mapping[PackScope, StoredPack] = {}
        self._shadows: Mapping[PackScope, StoredPack] = {}
        self._compiled: dict[tuple[str, str], tuple[PaperMatcher, RulePack]] = {}
        self._directions: dict[str, Direction] = {}

    def load(self, packs: Iterable[StoredPack]) -> None:
        """Let these versions be in force, or in the shadow, from the next verdict on."""
        found = list(packs)
        self._active = {one.scope: one for one in found if one.stage is PackStage.ACTIVE}
        self._shadows = {one.scope: one for one in found if one.stage is PackStage.SHADOW}

    def __call__(
        self,
        papers: Mapping[PaperKind, PaperRevision],
        profile: FilingProfile,
        goods: Mapping[str, GoodsRecord],
        taken: Mapping[str, CaseId],
        now: int,
        around: Circumstances = NOTHING_KNOWN,
    ) -> Verdict:
        """The verdict of the pack in force."""
        matcher = self._matcher(self._of(self._active, profile), profile)
        return matcher(papers, profile, goods, taken, now, around)

    def limit(self, profile: FilingProfile, now: int) -> PersonalLimit:
        """The personal limits that the pack in force says."""
        return self._matcher(self._of(self._active, profile), profile).limit(profile, now)

    def pack_of(self, profile: FilingProfile) -> str:
        """Name and version of the pack in force for a profile."""
        stored = self._of(self._active, profile)
        return self._builtin.pack_of(profile) if stored is None else stored.label

    def beside(
        self,
        verdict: Verdict,
        papers: Mapping[PaperKind, PaperRevision],
        profile: FilingProfile,
        goods: Mapping[str, GoodsRecord],
        taken: Mapping[str, CaseId],
        now: int,
        around: Circumstances = NOTHING_KNOWN,
    ) -> Difference | None:
        """What the shadow says otherwise, None when there is none or it says the same."""
        shadow = self._of(self._shadows, profile)
        if shadow is None:
            return None
        matcher = self._matcher(shadow, profile)
        around = under_limit(around, matcher.limit(profile, now).annual)
        other = matcher(papers, profile, goods, taken, now, around)
        found = difference(verdict, other)
        return None if found is None else {"pack": shadow.label, **found}

    def _of(
        self, packs: Mapping[PackScope, StoredPack], profile: FilingProfile
    ) -> StoredPack | None:
        """The pack of a profile's scope that judges its direction; the port's goes first."""
        if not packs:
            return None
        tenant = profile.tenant
        for scope in (PackScope(tenant, profile.port_code), PackScope(tenant)):
            stored = packs.get(scope)
            if stored is not None and self._direction(stored) is profile.direction:
                return stored
        return None

    def _direction(self, stored: StoredPack) -> Direction:
        known = self._directions.get(stored.text)
        if known is None:
            known = compile_pack(stored.text, self._find).direction
            if len(self._directions) >= _COMPILED:
                self._directions = {}
            self._directions[stored.text] = known
        return known

    def _matcher(self, stored: StoredPack | None, profile: FilingProfile) -> PaperMatcher:
        if stored is None:
            return self._builtin
        key = (stored.text, profile.rule_pack)
        known = self._compiled.get(key)
        if known is None:
            pack = compile_pack(stored.text, self._find)
            # A matcher finds its pack under the name that the profile gives.
            known = (PaperMatcher([replace(pack, name=profile.rule_pack)]), pack)
            if len(self._compiled) >= _COMPILED:
                self._compiled = {}
            self._compiled[key] = known
        return known[0]


def under_limit(around: Circumstances, limit: Decimal) -> Circumstances:
    """The same circumstances with the annual limit (CNY) that another pack has in force."""
    if around.quota is None or around.quota.limit == limit:
        return around
    return replace(around, quota=replace(around.quota, limit=limit))


def difference(live: Verdict, other: Verdict) -> Difference | None:
    """How another verdict differs: its kind, the rules it adds and those it leaves out."""
    before = Counter((one.rule, one.severity.value) for one in live.findings)
    after = Counter((one.rule, one.severity.value) for one in other.findings)
    added = sorted(f"{rule}:{severity}" for rule, severity in (after - before))
    removed = sorted(f"{rule}:{severity}" for rule, severity in (before - after))
    if not added and not removed and live.kind is other.kind:
        return None
    return {
        "live": live.kind.value,
        "kind": other.kind.value,
        "added": added,
        "removed": removed,
    }


class Around(StrEnum):
    """As of when a comparison knew what stands around a case: the buyer's limit, relations to
    other cases, phones and addresses that orders share, imported tables.
    """

    NOW = "now"
    THEN = "then"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Differences:
    """A difference report, counted over cases.

    ``around``: as they stand now, as they stood when each verdict was given, or not known (files).
    """

    around: Around = Around.UNKNOWN
    cases: int = 0
    differing: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)

    def add(self, found: Difference | None) -> None:
        """Count one case."""
        self.cases += 1
        if found is None:
            return
        self.differing += 1
        if found["live"] != found["kind"]:
            self.verdicts[f"{found['live']} -> {found['kind']}"] += 1
        self.rules.update(f"+{one}" for one in found["added"])
        self.rules.update(f"-{one}" for one in found["removed"])

    def to_doc(self) -> dict[str, Any]:
        """The JSON value."""
        return {
            "cases": self.cases,
            "differing": self.differing,
            "around": self.around.value,
            "verdicts": dict(sorted(self.verdicts.items())),
            "rules": dict(sorted(self.rules.items())),
        }


@dataclass(frozen=True, slots=True)
class PackOffice:
    """Proposes and activates packs; nobody activates what they proposed.

    Who did what stands in the log of what people did.
    """

    book: PackBook
    find: Callable[[str], str]
    log: ConsoleLog

    async def found(self, scope: PackScope, label: str) -> StoredPack | None:
        """A version in its scope."""
        packs = await self.book.packs(scope.tenant)
        return next((one for one in packs if one.scope == scope and one.label == label), None)

    async def propose(self, scope: PackScope, text: str, by: str, now: int) -> StoredPack:
        """Keep a version after it was found in order.

        Raises ``PackInvalid`` with the line of every fault, :class:`InvalidValue` when this version
        is there already with another text.
        """
        pack = compile_pack(text, self.find)
        made = StoredPack(scope, pack.name, pack.version, text, PackStage.PROPOSED, by, now)
        if not await self.book.put(made):
            raise InvalidValue("version", f"{made.label} is there already; raise the version")
        await self.log.note(scope.tenant, by, "pack_proposed", made.label, {"port": scope.port})
        return made

    async def move(
        self, scope: PackScope, label: str, stage: PackStage, by: str, now: int
    ) -> StoredPack:
        """Put a version into the shadow or in force, or retire it.

        Raises :class:`InvalidValue`: unknown, proposed by the same person, or moved meanwhile.
        """
        found = await self.found(scope, label)
        if found is None:
            raise InvalidValue("pack", f"there is no {label} in this scope")
        if stage is PackStage.ACTIVE and by == found.proposed_by:
            raise InvalidValue("by", "a pack is activated by another person than who proposed it")
        if stage not in MOVES[found.stage]:
            raise InvalidValue("stage", f"{label} is {found.stage.value}")
        if not await self.book.decide(found, stage, by, now):
            raise InvalidValue("stage", "was changed by somebody else meanwhile")
        moved = {"to": stage.value, "port": scope.port}
        await self.log.note(scope.tenant, by, "pack_moved", label, moved)
        return replace(found, stage=stage, decided_by=by, decided_at=now)
