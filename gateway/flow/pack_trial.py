"""A pack tried on stored cases, and what a shadow said of those that were judged beside it.

Nothing is stored and no verdict moves: both packs judge the papers as they are now, and with them
what stands around each case now (the buyer's limit, relations, shared phones and addresses), which
is read without taking part in it.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, Protocol, Self

from gateway.domain.circumstances import NOTHING_KNOWN, Circumstances
from gateway.domain.events import EventKind
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId, Direction, TenantId
from gateway.domain.matching import DEFAULT_PACK, PaperMatcher, RulePack, compile_pack
from gateway.domain.papers import Order, PaperKind
from gateway.domain.profile import FilingProfile
from gateway.flow.around import circumstances
from gateway.flow.clockwork import local_date
from gateway.flow.incoming import Incoming
from gateway.flow.neighbours import ReadsBooks
from gateway.flow.packs import Around, Difference, Differences, difference, under_limit
from gateway.flow.preflight import Foreseen, Tried
from gateway.ports import CaseDetail, CaseFilter, Clock, MasterData, Matcher, ReadModels
from gateway.ports.packs import StoredPack

_PAGE: Final = 200
_EVENTS: Final = 1_000


class Foresees(Protocol):
    """Tells what would become of papers, under one matcher or another."""

    def under(self, matcher: Matcher) -> Self:
        """The same with another matcher."""
        ...

    async def foresee(
        self, items: Sequence[Incoming], goods: Mapping[str, GoodsRecord]
    ) -> Foreseen:
        """The answers that intake would give to papers of one order; nothing is stored."""
        ...


@dataclass(frozen=True, slots=True)
class PackTrial:
    """Compares a candidate with the packs in force over the cases of one tenant."""

    reads: ReadModels
    master: MasterData
    clock: Clock
    live: Matcher
    find: Callable[[str], str]
    books: ReadsBooks

    async def on_history(
        self, tenant: TenantId, text: str, since: int, most: int | None = None
    ) -> Differences:
        """What a pack would have said otherwise of the cases of its direction that moved since.

        ``since`` is UTC microseconds; at most the newest ``most`` cases. Raises ``PackInvalid``.
        """
        found = Differences(Around.NOW)
        pack = compile_pack(text, self.find)
        judge = _judge(pack)
        wanted = CaseFilter(updated_since=since)
        async for detail in self._cases(tenant, wanted, pack.direction):
            if most is not None and found.cases >= most:
                break
            found.add(await self._compared(detail, judge))
        return found

    async def on_papers(self, preflight: Foresees, sets: Sequence[Tried], text: str) -> Differences:
        """What a pack would say otherwise of papers that nobody stored; one set an order.

        Raises ``PackInvalid``.
        """
        found = Differences(Around.NOW)
        pack = compile_pack(text, self.find)
        judge = _judge(pack)
        for items, goods in sets:
            if items[0].profile.direction is not pack.direction:
                continue
            candidate = preflight.under(judge(items[0].profile.rule_pack))
            verdicts = [
                (await one.foresee(items, goods)).results[-1].verdict
                for one in (preflight, candidate)
            ]
            if verdicts[0] is not None and verdicts[1] is not None:
                found.add(difference(verdicts[0], verdicts[1]))
        return found

    async def of_shadow(self, pack: StoredPack, most: int | None = None) -> Differences:
        """What a shadow said otherwise of every verdict given since it stood there, at most of the
        first ``most``.
        """
        found = Differences(Around.THEN)
        since = pack.decided_at or pack.proposed_at
        async for payload in self._verdicts(pack.scope.tenant, since):
            if most is not None and found.cases >= most:
                break
            shadow = payload.get("shadow")
            is_its = shadow is not None and shadow["pack"] == pack.label
            found.add(shadow if is_its else None)
        return found

    async def _cases(
        self, tenant: TenantId, wanted: CaseFilter, direction: Direction
    ) -> AsyncIterator[CaseDetail]:
        after = None
        while True:
            page = await self.reads.cases(tenant, wanted, after, _PAGE)
            for row in page.items:
                if row.key.direction is not direction:
                    continue
                detail = await self.reads.case(tenant, row.key.case_id)
                if detail is not None and detail.papers:
                    yield detail
            after = page.after
            if after is None:
                return

    async def _compared(
        self, detail: CaseDetail, judge: Callable[[str], Matcher]
    ) -> Difference | None:
        key = detail.row.key
        profile = self.master.profile(key.tenant, key.profile_id)
        if profile is None:
            return None
        now = self.clock.now()
        order = detail.papers.get(PaperKind.ORDER)
        paper = None if order is None else order.paper
        skus = [line.sku for line in paper.lines] if isinstance(paper, Order) else []
        goods: Mapping[str, GoodsRecord] = self.master.goods(
            key.tenant, profile.goods_scope, skus, local_date(now)
        )
        taken = {
            kind.value: CaseId(stamp.taken)
            for kind, stamp in (detail.state.papers or {}).items()
            if stamp.taken
        }
        limit = self.live.limit(profile, now).annual
        around = await self._around(detail, profile, limit, now)
        live = self.live(detail.papers, profile, goods, taken, now, around)
        candidate = judge(profile.rule_pack)
        around = under_limit(around, candidate.limit(profile, now).annual)
        return difference(live, candidate(detail.papers, profile, goods, taken, now, around))

    async def _around(
        self, detail: CaseDetail, profile: FilingProfile, limit: Decimal, now: int
    ) -> Circumstances:
        """What stands around a case now, as a decision about it would read it."""
        if profile.is_export:
            return NOTHING_KNOWN
        view = detail.view()
        view.books = await self.books.load_books(view, ())
        return circumstances(view, profile, self.master, limit, now)

    async def _verdicts(
        self, tenant: TenantId, since: int
    ) -> AsyncIterator[Mapping[str, Any]]:  # Any: JSON values
        after = None
        while True:
            page = await self.reads.events_since(
                tenant, EventKind.CASE_MATCHED, since, after, _EVENTS
            )
            for stored in page.items:
                yield stored.event.payload
            after = page.after
            if after is None:
                return


def _judge(pack: RulePack) -> Callable[[str], Matcher]:
    """The pack as the matcher of profiles, whichever pack they name."""
    known: dict[str, Matcher] = {}

    def under(name: str) -> Matcher:
        if name not in known:
            known[name] = PaperMatcher([replace(pack, name=one) for one in {DEFAULT_PACK, name}])
        return known[name]

    return under
