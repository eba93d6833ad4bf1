"""Answers and submissions, kept in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.domain.ids import TenantId
from gateway.ports import Begun, Effect, KeptAnswer, Page, Turn
from gateway.ports.submissions import (
    KeptSubmission,
    Outcome,
    Pack,
    Submission,
    SubmissionStatus,
)

RECEIVED_AT = 1_700_000_000_000_000


@dataclass
class Book:
    """Kept answers in a dictionary; None is a turn that somebody has."""

    rows: dict[str, tuple[bytes, KeptAnswer | None]] = field(default_factory=dict)
    begun: int = 0

    async def begin(self, tenant: TenantId, scope: str, request: bytes) -> Begun:
        self.begun += 1
        if scope not in self.rows:
            self.rows[scope] = (request, None)
            return Begun(Turn.OURS, 1)
        digest, answer = self.rows[scope]
        if digest != request:
            return Begun(Turn.DIFFERS)
        return Begun(Turn.BUSY) if answer is None else Begun(Turn.KEPT, 1, answer)

    async def keep(self, scope: str, attempt: int, answer: KeptAnswer) -> None:
        self.rows[scope] = (self.rows[scope][0], answer)

    async def give_back(self, scope: str, attempt: int) -> None:
        self.rows.pop(scope, None)


@dataclass
class Submitted:
    """Submissions in memory, each a pack of its own."""

    packs: dict[str, Pack] = field(default_factory=dict)
    outcomes: dict[str, Sequence[Outcome]] = field(default_factory=dict)

    async def keep(self, tenant: TenantId, submission: Submission) -> str:
        pack_id = f"{len(self.packs) + 1:024x}"
        self.packs[pack_id] = Pack(pack_id, tenant, RECEIVED_AT, [submission])
        return f"{pack_id}-0"

    async def waiting(self, effect: Effect) -> Pack | None:
        return None if effect.ref in self.outcomes else self.packs.get(effect.ref)

    async def finish(self, pack: Pack, outcomes: Sequence[Outcome]) -> None:
        self.outcomes[pack.pack_id] = outcomes

    async def find(self, tenant: TenantId, submission_id: str) -> KeptSubmission | None:
        pack = self.packs.get(submission_id.partition("-")[0])
        if pack is None or pack.tenant != tenant:
            return None
        sent = pack.submissions[0]
        (outcome,) = self.outcomes.get(pack.pack_id, [None])
        if outcome is None:
            return KeptSubmission(submission_id, sent.door, pack.received_at)
        return KeptSubmission(
            submission_id, sent.door, pack.received_at, outcome.status, outcome.answer
        )

    async def listing(
        self, tenant: TenantId, status: SubmissionStatus, after: str | None, limit: int
    ) -> Page[KeptSubmission]:
        found = [await self.find(tenant, f"{one}-0") for one in self.packs]
        return Page(tuple(one for one in found if one and one.status is status)[:limit], None)
