"""Notices as their owners see them: fetched instead of posted, or given up and tried again."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from gateway.domain.ids import EffectId, EndpointId, TenantId
from gateway.ports.reads import NoticeRow, Page

MOST_REPLAYED: Final = 1_000
"""How many notices one replay takes up; asked again it goes on."""


class NoticeStatus(StrEnum):
    """Which notices to list: not yet delivered or fetched, or given up."""

    WAITING = "waiting"
    PARKED = "parked"


@dataclass(frozen=True, slots=True)
class NoticeFilter:
    """Which notices; empty fields do not filter. Times (UTC microseconds) are those of parking,
    or of becoming due. ``roles`` are those of the endpoints they go to.
    """

    status: NoticeStatus = NoticeStatus.WAITING
    roles: frozenset[str] = frozenset()
    endpoint_id: EndpointId | None = None
    event_type: str | None = None
    since: int | None = None
    until: int | None = None
    ids: frozenset[EffectId] = frozenset()


class Mailbox(Protocol):
    """Lists notices and takes parked ones up again, for one tenant at a time."""

    async def listing(
        self, tenant: TenantId, wanted: NoticeFilter, after: str | None, limit: int
    ) -> Page[NoticeRow]:
        """A page of notices, oldest first. Raises ``InvalidValue`` for a wrong cursor."""
        ...

    async def replay(self, tenant: TenantId, wanted: NoticeFilter) -> Sequence[EffectId]:
        """Try parked notices again, oldest first, at most ``MOST_REPLAYED``; gives their ids.

        Those of an endpoint that is switched off stay parked.
        """
        ...
