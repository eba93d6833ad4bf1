"""Sources as operators see them: how far each was read, and reading on, or again, at once."""

import asyncio
from collections.abc import Sequence
from typing import Final

from adapters.http import HTTPClient
from gateway.app.config import ConfigError, Settings
from gateway.app.pulling import cursor_of, puller, source_policy
from gateway.domain.errors import GatewayError
from gateway.domain.ids import TenantId
from gateway.flow.context import Context
from gateway.flow.pull import Intake, PullReport, pull
from gateway.web.services import SourceInfo, SourcePulled
from store.sources import SqlSourceBook

_PAGES: Final = 50
_PATIENCE_S: Final = 30


class SourceDesk:
    """Implements ``web.services.Sources`` over the sources of the settings."""

    def __init__(
        self, settings: Settings, context: Context, intake: Intake, book: SqlSourceBook
    ) -> None:
        self._settings = settings
        self._context = context
        self._intake = intake
        self._book = book
        self._busy: set[str] = set()

    async def listing(self, tenant: TenantId) -> Sequence[SourceInfo]:
        """The sources of a tenant, with how far each was read (UTC microseconds)."""
        found = []
        for name, section in sorted(self._settings.sources.items()):
            if section.tenant != tenant:
                continue
            cursor = await self._book.cursor(name)
            found.append(
                SourceInfo(
                    name=name,
                    adapter=section.adapter,
                    read_to=None if cursor is None else cursor_of(cursor).start,
                    unread_pages=len(await self._book.kept(name)),
                )
            )
        return found

    async def pull(self, tenant: TenantId, name: str, since: int | None) -> SourcePulled | None:
        """Read on from where a source was read to, or again from ``since``; some pages at most.

        None when the tenant has no such source. What is known already changes nothing.
        """
        section = self._settings.sources.get(name)
        if section is None or section.tenant != tenant:
            return None
        if name in self._busy:
            return SourcePulled(fault="busy")
        self._busy.add(name)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return await self._pull(name, since)
        except TimeoutError:
            return SourcePulled(fault="slow")
        except GatewayError as error:
            return SourcePulled(fault=error.code)
        except ConfigError:
            return SourcePulled(fault="settings")
        finally:
            self._busy.discard(name)

    async def _pull(self, name: str, since: int | None) -> SourcePulled:
        context = self._context
        async with HTTPClient(source_policy(self._settings)) as client:
            one = puller(name, self._settings, context.master, client, context.clock, context.rng)
            if since is not None:
                await self._book.rewind(name, one.beginning(since))
            return _pulled(await pull(one, self._book, self._intake, context.clock, _PAGES))


def _pulled(report: PullReport) -> SourcePulled:
    stopped = report.stopped
    return SourcePulled(
        pages=report.pages,
        statuses=dict(report.statuses),
        unread=len(report.unread),
        fault="" if stopped is None else stopped.code or "",
        until=None if stopped is None else stopped.until,
    )
