"""Sources that papers are pulled from: where each was read to, and pages not fully read yet."""

from dataclasses import dataclass, field
from typing import Protocol

from gateway.domain.ids import TenantId


@dataclass(frozen=True, slots=True)
class SourcePage:
    """One page as it came. ``page_id`` follows from source and bytes, so it is kept once."""

    page_id: str
    source: str
    tenant: TenantId
    body: bytes = field(repr=False)
    received_at: int


class SourceBook(Protocol):
    """What is stored of pulling: pages as they came, and a cursor for each source."""

    async def cursor(self, source: str) -> str | None:
        """Where a source was read to; None at first."""
        ...

    async def keep(self, page: SourcePage) -> None:
        """Keep the bytes of a page before anyone tries to understand them."""
        ...

    async def advance(self, page: SourcePage, cursor: str, *, is_read: bool) -> None:
        """Go on behind a page. One that was read to the last paper is dropped: each paper has its
        own bytes; the others are kept to be read again.
        """
        ...

    async def kept(self, source: str) -> list[SourcePage]:
        """The pages of a source that could not be read in full, oldest first."""
        ...
