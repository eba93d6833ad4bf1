"""Notices to sellers and warehouses, and matching."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.domain.case import Verdict
from gateway.domain.circumstances import NOTHING_KNOWN, Circumstances
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import (
    CaseId,
    EffectId,
)
from gateway.domain.limits import PersonalLimit
from gateway.domain.papers import PaperKind, PaperRevision
from gateway.domain.profile import FilingProfile
from gateway.ports.commands import Effect
from gateway.ports.master import Endpoint


@dataclass(frozen=True, slots=True)
class NoticeResult:
    """What an endpoint said of one notice: ``ok``, ``retry``, ``refused``, or ``gone``: refused
    with everything else that may come. ``code`` is the HTTP status, None when nothing answered.
    """

    effect_id: EffectId
    status: str
    detail: str = ""
    code: int | None = None


class Notifier(Protocol):
    """Delivers signed notices over HTTP."""

    async def deliver(
        self, endpoint: Endpoint, notices: Sequence[Effect], now: int
    ) -> list[NoticeResult]:
        """One POST with one or up to 100 notices; never raises for what the other side does."""
        ...


class Matcher(Protocol):
    """Matching with the rule packs that the deployment has loaded."""

    def __call__(
        self,
        papers: Mapping[PaperKind, PaperRevision],
        profile: FilingProfile,
        goods: Mapping[str, GoodsRecord],
        taken: Mapping[str, CaseId],
        now: int,
        around: Circumstances = NOTHING_KNOWN,
    ) -> Verdict:
        """The verdict of a case's papers; ``taken`` maps a claim kind to another case that holds
        it, ``around`` is what else is known.
        """
        ...

    def limit(self, profile: FilingProfile, now: int) -> PersonalLimit:
        """The personal limits that the pack of a profile has in force."""
        ...

    def pack_of(self, profile: FilingProfile) -> str:
        """Name and version of the pack that judges a profile (``hangzhou@3``)."""
        ...

    def beside(
        self,
        verdict: Verdict,
        papers: Mapping[PaperKind, PaperRevision],
        profile: FilingProfile,
        goods: Mapping[str, GoodsRecord],
        taken: Mapping[str, CaseId],
        now: int,
        around: Circumstances = NOTHING_KNOWN,
    ) -> Mapping[str, Any] | None:
        """What a shadow pack says otherwise than ``verdict`` (Any: JSON values); None: nothing."""
        ...
