"""A payment company that outlives every life of the gateway: what it was asked to file, and by whom
nobody knows whether the answer arrived.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from gateway.domain.filing import FilingStage
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.papers import PaperKind
from gateway.ports.partners import FilingAnswer, FilingRequest, Pace, Partner

if TYPE_CHECKING:
    from tests.sim.life import Life

_S: Final = FilingStage
_WORKS_US: Final = 4_000_000
_WAY_S: Final = 0.05
_PACE: Final = Pace((2, 5), 7200, 5, 3)


@dataclass(slots=True)
class Company:
    """The ledger of the company: filings by reference, and when each came in.

    Every third request is lost on its way, every third is taken and its answer lost.
    """

    filed: Counter[str] = field(default_factory=Counter)
    since: dict[str, int] = field(default_factory=dict)
    requests: int = 0
    behind: set[str] = field(default_factory=set)
    """The transactions of which a part was to be filed."""

    def take(self, reference: str, now: int) -> FilingAnswer:
        """A request for a filing."""
        self.requests += 1
        if self.requests % 3 == 1:
            return FilingAnswer(_S.UNKNOWN, code="lost")
        self.filed[reference] += 1
        self.since.setdefault(reference, now)
        return FilingAnswer(_S.UNKNOWN if self.requests % 3 == 2 else _S.PENDING)

    def tell(self, reference: str, now: int) -> FilingAnswer:
        """What became of a filing."""
        since = self.since.get(reference)
        if since is None:
            return FilingAnswer(_S.NOT_SEEN)
        return FilingAnswer(_S.FILED if now - since >= _WORKS_US else _S.PENDING)


@dataclass(frozen=True, slots=True)
class SimPartner:
    """The company as one life of the gateway reaches it."""

    company: Company
    life: Life
    name: str = "company"
    pace: Pace = _PACE

    async def file(self, request: FilingRequest) -> FilingAnswer:
        """Ask for the filing."""
        await self.life.sleep(_WAY_S)
        if request.slip is not None and request.slip.original_id is not None:
            self.company.behind.add(request.slip.original_id)
        answer = self.company.take(request.reference, self.life.now())
        await self.life.sleep(_WAY_S)
        return answer

    async def ask(self, request: FilingRequest) -> FilingAnswer:
        """Ask what became of it."""
        await self.life.sleep(_WAY_S)
        return self.company.tell(request.reference, self.life.now())

    async def push(self, request: FilingRequest) -> FilingAnswer:
        """No filing of this company is ever faulted."""
        raise AssertionError("nothing was faulted")


@dataclass(frozen=True, slots=True)
class SimPartners:
    """Implements ``ports.partners.Partners``: one company for every payment slip."""

    held: SimPartner

    def partner(
        self, tenant: TenantId, profile_id: ProfileId, kind: PaperKind, code: str | None
    ) -> Partner | None:
        """The company, for payments."""
        return self.held if kind is PaperKind.PAYMENT else None
