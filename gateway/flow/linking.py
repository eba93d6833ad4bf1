"""Linking by hand: a person says to which case a paper belongs that waits under its own number.

From then on the number leads to that case, also for the paper's later revisions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.domain.ids import CaseId, TenantId
from gateway.domain.papers import PaperKind
from gateway.flow import links
from gateway.flow.context import Context
from gateway.flow.incoming import IntakeStatus
from gateway.flow.pull import Intake
from gateway.ports import Changes, Command, Found, Lookup, Views


class LinkOutcome(StrEnum):
    """What became of linking a paper to a case."""

    LINKED = "linked"
    NOT_WAITING = "not_waiting"
    TAKEN = "link_taken"
    FROZEN = "link_frozen"
    REFUSED = "link_refused"


@dataclass(frozen=True, slots=True)
class Linker:
    """Takes waiting papers into the cases that people name."""

    context: Context
    intake: Intake

    async def link(
        self, tenant: TenantId, case_id: CaseId, kind: PaperKind, number: str
    ) -> LinkOutcome:
        """Take the paper that waits under ``number`` into a case of the same tenant.

        ``TAKEN``: the number leads to another case. ``FROZEN``: the case has such a paper that
        customs has seen already. ``REFUSED``: it could not be taken in; it goes on waiting.
        """
        store = self.context.store
        key = (await store.case_keys([case_id])).get(case_id)
        if key is None or key.tenant != tenant:
            return LinkOutcome.NOT_WAITING
        link = links.link_of(tenant, kind, number)
        ids, items = await links.waiting(self.context, key, [link])
        profile = self.context.master.profile(tenant, key.profile_id)
        if not items or profile is None:
            return LinkOutcome.NOT_WAITING
        lapses = links.lapses_of([link], profile, self.context.clock.now())
        if await self._claimed(tenant, case_id, link, lapses) not in (None, case_id):
            return LinkOutcome.TAKEN
        # The case says where a paper is filed, not the way it came.
        results = await self.intake.take([replace(one, profile=profile) for one in items])
        statuses = {one.status for one in results}
        if IntakeStatus.FROZEN in statuses:
            return LinkOutcome.FROZEN
        if not statuses <= {IntakeStatus.ACCEPTED, IntakeStatus.UNCHANGED}:
            return LinkOutcome.REFUSED
        await store.end_unlinked(ids)
        return LinkOutcome.LINKED

    async def _claimed(
        self, tenant: TenantId, case_id: CaseId, link: Lookup, lapses: Mapping[Lookup, int]
    ) -> CaseId | None:
        """Let a number lead to a case; gives the case that it leads to already."""
        return await self.context.store.submit(
            Command(
                decide=decide_link,
                facts=(tenant, case_id, link, lapses),
                load=(case_id,),
                lookups=(link,),
                lane=case_id,
                stage="ingest",
            )
        )


def decide_link(
    facts: tuple[TenantId, CaseId, Lookup, Mapping[Lookup, int]], views: Views, found: Found
) -> Changes[CaseId | None]:
    """Pure: claim the link unless somebody has it."""
    tenant, case_id, link, lapses = facts
    holder = found.get(link)
    changes: Changes[CaseId | None] = Changes(result=holder)
    if holder is None:
        changes.claims.append((link, case_id, tenant))
        changes.lapses |= lapses
    return changes
