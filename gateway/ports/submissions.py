"""Submissions: requests that are kept whole and answered at once, and taken in afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from gateway.domain.ids import TenantId
from gateway.ports.answers import KeptAnswer
from gateway.ports.commands import Effect
from gateway.ports.reads import Page

SUBMISSIONS: Final = "submissions"
"""The group of the effects under which packs wait."""


class Submission(NamedTuple):
    """One request as it came: what it was sent to (the last word of its route), in whose language
    its answer is to be, and its exact body.
    """

    door: str
    language: str
    body: bytes


class SubmissionStatus(StrEnum):
    """What became of a submission: it waits, it was taken in, or it was refused (a batch: some of
    its lines were).
    """

    WAITING = "waiting"
    TAKEN = "taken"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Pack:
    """Submissions of one tenant that were committed together, in the order of their arrival."""

    pack_id: str
    tenant: TenantId
    received_at: int
    submissions: list[Submission]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer that a submission got when it was taken in."""

    status: SubmissionStatus
    answer: KeptAnswer


@dataclass(frozen=True, slots=True)
class KeptSubmission:
    """One submission as its sender sees it; there is no ``answer`` while it waits."""

    submission_id: str
    door: str
    received_at: int
    status: SubmissionStatus = SubmissionStatus.WAITING
    answer: KeptAnswer | None = None


class SubmissionBook(Protocol):
    """Keeps submissions until they are taken in, and what became of them for a week after."""

    async def keep(self, tenant: TenantId, submission: Submission) -> str:
        """Store one, together with those that come meanwhile; its id, once it is durable.

        Raises ``Overloaded`` or another ``StoreError``: then it is not stored.
        """
        ...

    async def waiting(self, effect: Effect) -> Pack | None:
        """The pack that an effect is about; None when its submissions were all taken in."""
        ...

    async def finish(self, pack: Pack, outcomes: Sequence[Outcome]) -> None:
        """Keep what became of each submission of a pack, in their order."""
        ...

    async def find(self, tenant: TenantId, submission_id: str) -> KeptSubmission | None:
        """One submission of a tenant."""
        ...

    async def listing(
        self, tenant: TenantId, status: SubmissionStatus, after: str | None, limit: int
    ) -> Page[KeptSubmission]:
        """A page of submissions, oldest first. Raises ``InvalidValue`` for a wrong cursor."""
        ...
