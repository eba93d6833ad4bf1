"""Preflight of customs' XML for the API: the same judgement as of files, over what runs here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.api.faults import Fault, InvalidFields
from gateway.api.views import Doc, Explain
from gateway.app.import_rows import UnusableFile
from gateway.app.preflight_rows import read_xml
from gateway.app.preflighting import preflight_files
from gateway.domain.case import CaseState
from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.papers import Order, PaperKind, PaperRevision
from gateway.domain.profile import FilingProfile
from gateway.domain.quota import QuotaAccount, buyer_of
from gateway.domain.tables import Tables
from gateway.flow.clockwork import local_date
from gateway.flow.context import Context
from gateway.flow.trial import case_key_of
from gateway.ports import CaseView, Lookup, ReadModels
from store.master_cache import MasterCache

# What the report calls the body of the request.
_MESSAGE: Final = "message"
# A message of customs has no more; of several in one body the sum counts.
MOST_RECORDS: Final = 100


@dataclass(frozen=True, slots=True)
class MessagePreflight:
    """Implements ``ForeseesMessages``."""

    context: Context
    reads: ReadModels
    cache: MasterCache
    explain: Explain

    async def foresee(self, tenant: TenantId, body: bytes, profile: str | None) -> Doc:
        """What is wrong with the papers of a message, order by order; nothing is stored.

        Raises ``InvalidFields`` for what is no message of papers or holds too many of them, and
        when it fits several profiles and none is named.
        """
        try:
            given = await self.context.executor.run(read_xml, _MESSAGE, body, MOST_RECORDS)
        except UnusableFile as error:
            fault = Fault("", error.en, f"报文无法预检：{error.zh}")
            raise InvalidFields((fault,)) from None
        known = _Running(self, tuple(self.cache.profiles(tenant)))
        now = self.context.clock.now()
        try:
            report = await preflight_files(
                {_MESSAGE: given}, known, self.context.matcher, now, profile
            )
        except UnusableFile:
            names = ", ".join(sorted(one.profile_id for one in known.profiles)[:20])
            text = f"is needed, for several profiles fit; one of: {names}"
            fault = Fault("profile", text, f"有多个申报方案适用，请指明其一：{names}")
            raise InvalidFields((fault,)) from None
        return report.to_doc(self.explain)


@dataclass(frozen=True, slots=True)
class _Running:
    """Implements ``Known`` over the gateway that runs, for one tenant."""

    here: MessagePreflight
    profiles: Sequence[FilingProfile]

    def goods(
        self, scope: GoodsScope, tenant: TenantId, skus: Sequence[str]
    ) -> dict[str, GoodsRecord]:
        """The goods records valid today."""
        today = local_date(self.here.context.clock.now())
        return self.here.cache.goods(tenant, scope, skus, today)

    async def holders(self, lookups: Sequence[Lookup]) -> Mapping[Lookup, CaseId]:
        """Which cases hold these numbers already."""
        return await self.here.context.store.find_claims(lookups)

    async def papers(self, tenant: TenantId, case: CaseId) -> Mapping[PaperKind, PaperRevision]:
        """The papers of a case that is stored."""
        detail = await self.here.reads.case(tenant, case)
        return {} if detail is None else detail.papers

    def tables(self, tenant: TenantId) -> Tables:
        """The reference tables that were imported."""
        return self.here.cache.tables(tenant)

    async def account(self, profile: FilingProfile, order: Order) -> QuotaAccount | None:
        """The account of an order's buyer."""
        view = CaseView(case_key_of(profile, order.order_no), CaseState(), 0, {})
        books = await self.here.context.store.load_books(view, (order,))
        found = books.account(buyer_of(order))
        return None if found is None else found[1]
