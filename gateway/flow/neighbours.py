"""For people: how much of the annual limit a buyer has left, and what hangs together with a case.

Reads only; what is decided is decided in the commit of the case (``gateway.flow.around``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.domain.ids import CaseId, TenantId
from gateway.domain.papers import Paper
from gateway.domain.quota import QuotaEntry, QuotaStanding, standing
from gateway.domain.relations import BrokenTie, Ref, RefKind, Step
from gateway.flow.around import buyer_account, case_graph
from gateway.ports import Books, CaseView, Clock, MasterData, Matcher, ReadModels


@dataclass(frozen=True, slots=True)
class BuyerQuota:
    """How the buyer of a case stands, the case's own entry included in what is used or reserved."""

    case_id: CaseId
    standing: QuotaStanding
    entry: QuotaEntry | None


@dataclass(frozen=True, slots=True)
class Lineage:
    """Every number that hangs together with a case, nearest first, and what is wrong with them.

    ``cases`` names the case of each declared order among them.
    """

    steps: tuple[Step, ...]
    faults: tuple[BrokenTie, ...]
    cases: dict[Ref, CaseId]


class ReadsBooks(Protocol):
    """Reads what is around a case."""

    async def load_books(self, view: CaseView, coming: Sequence[Paper]) -> Books:
        """The books around a case and papers that are to come."""
        ...


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Answers about one case of a tenant; None where the tenant has no such case."""

    books: ReadsBooks
    master: MasterData
    matcher: Matcher
    clock: Clock
    reads: ReadModels

    async def quota(self, tenant: TenantId, case_id: CaseId) -> BuyerQuota | None:
        """The standing of the case's buyer this year; None also where no buyer is known."""
        view = await self._view(tenant, case_id)
        profile = None if view is None else self.master.profile(tenant, view.key.profile_id)
        if view is None or profile is None:
            return None
        found = buyer_account(view)
        if found is None:
            return None
        now = self.clock.now()
        limit = self.matcher.limit(profile, now).annual
        return BuyerQuota(case_id, standing(found[1], limit, now), found[1].entry(case_id))

    async def lineage(self, tenant: TenantId, case_id: CaseId) -> Lineage | None:
        """What the papers of the case and of its neighbours say about numbers."""
        view = await self._view(tenant, case_id)
        profile = None if view is None else self.master.profile(tenant, view.key.profile_id)
        if view is None or profile is None:
            return None
        graph, own = case_graph(view, profile, self.master)
        start = Ref(RefKind.ORDER, view.key.order_no, view.key.platform)
        keys = [view.key, *(other.key for other in view.books.neighbours)]
        return Lineage(
            graph.lineage(start),
            tuple(tie for tie in graph.check() if tie.at in own),
            {Ref(RefKind.ORDER, key.order_no, key.platform): key.case_id for key in keys},
        )

    async def _view(self, tenant: TenantId, case_id: CaseId) -> CaseView | None:
        """The case with its papers, those of other numbers too, and the books around it."""
        detail = await self.reads.case(tenant, case_id)
        if detail is None:
            return None
        view = detail.view()
        view.books = await self.books.load_books(view, ())
        return view
