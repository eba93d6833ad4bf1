"""What a case shares with others, invented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from gateway.domain.ids import CaseId, TenantId
from gateway.domain.quota import QuotaEntry, QuotaFloor, QuotaStage, QuotaStanding
from gateway.domain.relations import BrokenTie, Ref, RefKind, Relation, Step, Tie, TieFault
from gateway.flow.neighbours import BuyerQuota, Lineage
from gateway.ports import CaseDetail

_NOON = 1_793_700_000_000_000


@dataclass
class Around:
    """Every case of the read models has a buyer and a shop order."""

    details: Mapping[tuple[TenantId, CaseId], CaseDetail]

    async def quota(self, tenant: TenantId, case_id: CaseId) -> BuyerQuota | None:
        if (tenant, case_id) not in self.details:
            return None
        floor = QuotaFloor(Decimal("900"), _NOON, "1313")
        entry = QuotaEntry(case_id, Decimal("300"), QuotaStage.RESERVED, _NOON, _NOON + 1)
        amounts = Decimal("26000"), Decimal("900"), Decimal("300")
        return BuyerQuota(case_id, QuotaStanding(2026, *amounts, floor), entry)

    async def lineage(self, tenant: TenantId, case_id: CaseId) -> Lineage | None:
        detail = self.details.get((tenant, case_id))
        if detail is None:
            return None
        order = Ref(RefKind.ORDER, detail.row.key.order_no, "3120986022")
        shop = Ref(RefKind.SHOP_ORDER, "S-1", "3120986022")
        part = Relation(order, Tie.PART_OF, shop, Decimal("1.50"))
        fault = BrokenTie(TieFault.SEVERAL_PARCELS, order, (shop,), (("parts", Decimal(2)),))
        return Lineage((Step(0, order), Step(1, shop, part)), (fault,), {order: case_id})
