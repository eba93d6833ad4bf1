"""The knowledge base: what a tenant's own cases teach about rejections, read from its events."""

from collections.abc import Sequence
from typing import Final

from gateway.domain.ids import TenantId
from gateway.domain.lessons import Lesson, Lessons
from gateway.ports import ReadModels

_PAGE: Final = 1_000


async def learn(reads: ReadModels, tenant: TenantId) -> Sequence[Lesson]:
    """Every rejection code of the tenant's history, the one seen most often first."""
    lessons, after = Lessons(), None
    while True:
        page = await reads.events(tenant, after, _PAGE)
        for stored in page.items:
            lessons.add(stored.case_id, stored.event)
        if not page.items or page.after is None or page.after == after:
            return lessons.all()
        after = page.after
