"""Pulling: papers fetched from a source go the way of all others, and the cursor follows them.

The bytes of a page are stored first, then its papers are taken in, then the cursor goes on: a
process that stops between them reads the page again, and what is known already changes nothing.
A page with a paper that could not be read is kept; its neighbours are on their way.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.domain.ids import TenantId
from gateway.flow.incoming import Incoming, IntakeResult, IntakeStatus
from gateway.ports import Clock
from gateway.ports.sources import SourceBook, SourcePage


@dataclass(frozen=True, slots=True)
class Unread:
    """A part of a page that is no paper: where it stands and why, without its values."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """A page: its bytes, the papers that may go on their way, and where to read on.

    ``standings`` counts every paper by what the source says of it.
    """

    raw: bytes = field(repr=False)
    cursor: str
    papers: tuple[Incoming, ...] = field(repr=False)
    unread: tuple[Unread, ...] = ()
    standings: Counter[str] = field(default_factory=Counter)
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Stopped:
    """No page now: nothing to read before ``until``, or a failure and whether to try again."""

    until: int | None = None
    code: str | None = None
    reason: str = ""
    is_final: bool = False


class Puller(Protocol):
    """Fetches pages of one source; the adapter and the client behind it are not our business."""

    @property
    def name(self) -> str:
        """The name of the source."""
        ...

    @property
    def tenant(self) -> TenantId:
        """Whose orders these are."""
        ...

    async def fetch(self, cursor: str | None) -> Fetched | Stopped:
        """The next page."""
        ...


class Intake(Protocol):
    """Takes papers in; what it returns is durable."""

    async def take(self, items: Sequence[Incoming]) -> list[IntakeResult]:
        """One result each, in order."""
        ...


@dataclass(slots=True)
class PullReport:
    """What a pull came to. ``stopped`` says why it ended."""

    pages: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    standings: Counter[str] = field(default_factory=Counter)
    unread: list[Unread] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    stopped: Stopped | None = None


async def pull(
    puller: Puller, book: SourceBook, intake: Intake, clock: Clock, most_pages: int = 1000
) -> PullReport:
    """Read a source until there is nothing left, it fails, or ``most_pages`` are read.

    Raises ``StoreError`` when the store is out of order; the cursor then stands before the page.
    """
    report = PullReport()
    while report.pages < most_pages:
        found = await puller.fetch(await book.cursor(puller.name))
        if isinstance(found, Stopped):
            report.stopped = found
            return report
        page = SourcePage(
            _page_id(puller.name, found.raw), puller.name, puller.tenant, found.raw, clock.now()
        )
        await book.keep(page)
        results = await intake.take(found.papers) if found.papers else []
        failed = [one for one in results if one.status is IntakeStatus.FAILED]
        await book.advance(page, found.cursor, is_read=not found.unread and not failed)
        report.pages += 1
        report.statuses.update(one.status.value for one in results)
        report.standings.update(found.standings)
        report.unread += found.unread
        if found.trouble is not None:
            report.troubles.append(found.trouble)
    return report


def _page_id(source: str, raw: bytes) -> str:
    return hashlib.sha256(source.encode() + b"\0" + raw).hexdigest()[:32]
