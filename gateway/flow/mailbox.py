"""The mailbox: notices with the content that a post would have, for those who fetch them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gateway.domain.ids import EffectId, TenantId
from gateway.flow.context import Context
from gateway.flow.notify import assembled
from gateway.ports import NoticeRow, Page
from gateway.ports.mailbox import Mailbox, NoticeFilter


@dataclass(frozen=True, slots=True)
class FullMailbox:
    """Joins in what a notice's content needs beside its row; ``rows`` gives the rows."""

    context: Context
    rows: Mailbox

    async def listing(
        self, tenant: TenantId, wanted: NoticeFilter, after: str | None, limit: int
    ) -> Page[NoticeRow]:
        """A page of notices, oldest first, as a post would carry them."""
        page = await self.rows.listing(tenant, wanted, after, limit)
        full = await assembled(self.context, [row.effect for row in page.items])
        items = (replace(row, effect=one) for row, one in zip(page.items, full, strict=True))
        return Page(tuple(items), page.after)

    async def replay(self, tenant: TenantId, wanted: NoticeFilter) -> Sequence[EffectId]:
        """Try parked notices again."""
        return await self.rows.replay(tenant, wanted)
