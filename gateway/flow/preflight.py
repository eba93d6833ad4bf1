"""Preflight: everything that intake does, but storing: what would become of these papers?

The decision is intake's own, over the case as it is read now; what it would change is thrown away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

from gateway.domain.case import CaseState
from gateway.domain.events import EventKind
from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.papers import PaperKind
from gateway.domain.profile import FilingProfile
from gateway.domain.quota import QuotaStage, QuotaStanding, standing
from gateway.domain.tables import Tables
from gateway.flow import links
from gateway.flow.around import buyer_account, dutiable
from gateway.flow.context import Context
from gateway.flow.incoming import Incoming, IntakeResult, IntakeStatus
from gateway.flow.ingest import Item, case_key, claim_of, declared_order_no, intake_command
from gateway.flow.match import Bench
from gateway.ports import CaseView, Changes, Endpoint, MasterData, Matcher, ReadModels

Tried = tuple[Sequence[Incoming], Mapping[str, GoodsRecord]]
"""Papers of one order, and goods records to be tried with them by SKU."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of each paper, in order; ``declares`` names what would be declared.

    ``papers`` are the kinds that the case would then have. ``quota`` is how its buyer then stands,
    this order included.
    """

    results: tuple[IntakeResult, ...]
    is_new: bool
    papers: frozenset[PaperKind] = frozenset()
    declares: tuple[str, ...] = ()
    quota: QuotaStanding | None = None


@dataclass(frozen=True, slots=True)
class Preflight:
    """Foresees; reads only."""

    context: Context
    reads: ReadModels

    def under(self, matcher: Matcher) -> Self:
        """The same with another matcher, for instance that of a pack which is not in force."""
        return replace(self, context=replace(self.context, matcher=matcher))

    async def foresee(
        self, items: Sequence[Incoming], goods: Mapping[str, GoodsRecord]
    ) -> Foreseen:
        """The answers that :meth:`Ingest.take` would give to papers of one order.

        ``goods`` are records to be tried beside the stored ones, by SKU.
        """
        first = items[0]
        order_no = next(filter(None, map(declared_order_no, items)), None)
        if order_no is None:
            found = [links.own_link(first.tenant, item.paper) for item in items]
            wanted = [link for link in found if link is not None]
            keys = await links.resolved(self.context, wanted)
            order_no = next((key.order_no for key in keys.values()), None)
        if order_no is None:
            waits = IntakeResult(IntakeStatus.UNLINKED, None, "")
            return Foreseen((waits,) * len(items), is_new=True)
        key = case_key(first, order_no)
        bench = Bench(
            profile=first.profile,
            master=WithGoods(self.context.master, goods) if goods else self.context.master,
            matcher=self.context.matcher,
            crash=_NoCrash(),
            now=self.context.clock.now(),
        )
        taken = [
            Item(at, one, claim_of(one.paper, one.profile, order_no))
            for at, one in enumerate(items)
        ]
        command = intake_command(key, taken, bench)
        claims = await self.context.store.find_claims(command.lookups)
        stored = await self.reads.case(key.tenant, key.case_id)
        if stored is None:
            view = CaseView(key, CaseState(), 0, {})
        else:
            view = stored.view()
        view.books = await self.context.store.load_books(view, command.coming)
        changes = command.decide(command.facts, {key.case_id: view}, claims)
        declares = tuple(
            str(event.payload["kind"])
            for event in view.new_events
            if event.kind is EventKind.DECLARATION_PLANNED
        )
        return Foreseen(
            tuple(changes.result),
            stored is None,
            frozenset(view.papers),
            declares,
            self._quota(view, changes, bench),
        )

    def _quota(
        self, view: CaseView, changes: Changes[list[IntakeResult]], bench: Bench
    ) -> QuotaStanding | None:
        """The buyer's standing with what the order would reserve, or would be short of."""
        found = buyer_account(view)
        value = dutiable(view.papers)
        if found is None or value is None:
            return None
        limit = self.context.matcher.limit(bench.profile, bench.now).annual
        free = standing(found[1], limit, bench.now, without=view.key.case_id)
        own = next((one.entry for one in changes.reserved), found[1].entry(view.key.case_id))
        if own is not None and own.stage is QuotaStage.COMMITTED:
            return replace(free, used=free.used + own.used())
        return replace(free, reserved=free.reserved + value)


class _NoCrash:
    """Nothing is written, so there is no point to die at."""

    def reach(self, point: str) -> None:
        """Passed."""


@dataclass(frozen=True, slots=True)
class WithGoods:
    """Master data with some goods records on top, by SKU."""

    master: MasterData
    records: Mapping[str, GoodsRecord]

    def profile(self, tenant: TenantId, profile_id: ProfileId) -> FilingProfile | None:
        """As stored."""
        return self.master.profile(tenant, profile_id)

    def profile_version(self, profile_id: ProfileId, version: int) -> FilingProfile:
        """As stored."""
        return self.master.profile_version(profile_id, version)

    def goods(
        self, tenant: TenantId, scope: GoodsScope, skus: Sequence[str], day: date
    ) -> dict[str, GoodsRecord]:
        """The stored records, and over them those to be tried."""
        found = self.master.goods(tenant, scope, skus, day)
        return found | {sku: self.records[sku] for sku in skus if sku in self.records}

    def goods_version(
        self, tenant: TenantId, scope: GoodsScope, sku: str, version: int
    ) -> GoodsRecord:
        """As stored."""
        return self.master.goods_version(tenant, scope, sku, version)

    def tables(self, tenant: TenantId) -> Tables:
        """As stored."""
        return self.master.tables(tenant)

    def endpoints(self, tenant: TenantId, event_type: str) -> Sequence[Endpoint]:
        """Nobody is told of what is only tried."""
        return ()
