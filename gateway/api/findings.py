"""Routes about findings: the list over all cases, and how each was settled."""

from collections.abc import Sequence
from typing import Final

import orjson

from gateway.api.call import Answer, Call
from gateway.api.decode import decode
from gateway.api.edge import RESOLUTIONS, ResolutionIn
from gateway.api.query import FINDINGS, Query, finding_filter
from gateway.api.services import KeyRole, Services
from gateway.api.settings import APISettings
from gateway.api.views import Doc, finding_row_view
from gateway.domain.codec import verdict_from_doc
from gateway.domain.events import EventKind
from gateway.domain.findings import Finding, Remedy, Severity, finding_id
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.papers import PaperKind
from gateway.flow.remedies import UNKNOWN, Settled, Settlement

_PAGE: Final = 50
# A clerk may bear what is only worth a note; whoever answers for the goods may bear a warning.
_NOTES: Final = frozenset({Severity.NOTE})
_WARNINGS: Final = frozenset({Severity.NOTE, Severity.WARN})


class Findings:
    """The routes that list and settle findings."""

    def __init__(self, services: Services, settings: APISettings) -> None:
        self._services = services
        self._settings = settings

    async def listing(self, call: Call) -> Answer:
        """A page of the findings that stand, newest case first."""
        query = Query(call, FINDINGS)
        wanted = finding_filter(query)
        limit = query.whole("limit", 1, self._settings.page_limit, _PAGE)
        query.finish()
        page = await self._services.findings.findings(
            call.tenant, wanted, query.text("after"), limit
        )
        explain = self._services.explain
        rows = [finding_row_view(row, explain) for row in page.items]
        return Answer(orjson.dumps({"findings": rows, "after": page.after}))

    async def resolve(self, call: Call) -> Answer:
        """Record how findings were settled, up to 200 at once; one result each, in order."""
        given = decode(RESOLUTIONS, call.body).resolutions
        by = f"{call.caller.role}:{call.caller.key_id}"
        is_clerk = call.caller.role == KeyRole.CLERK.value
        may_accept = _NOTES if is_clerk else _WARNINGS
        results: list[Doc] = [{}] * len(given)
        places: dict[str, list[int]] = {}
        for index, one in enumerate(given):
            places.setdefault(one.case, []).append(index)
        for case, indexes in places.items():
            wanted = [given[index] for index in indexes]
            settled = await self._settle(call.tenant, CaseId(case), by, wanted, may_accept)
            for index, result in zip(indexes, settled, strict=True):
                results[index] = {
                    "case": case,
                    "finding": result.finding,
                    "status": result.status,
                    "reason": result.reason,
                }
        return Answer(orjson.dumps({"results": results}))

    async def _settle(
        self,
        tenant: TenantId,
        case_id: CaseId,
        by: str,
        wanted: Sequence[ResolutionIn],
        may_accept: frozenset[Severity],
    ) -> Sequence[Settled]:
        detail = await self._services.reads.case(tenant, case_id)
        if detail is None:
            return [Settled(one.finding, UNKNOWN) for one in wanted]
        known: dict[str, Finding] = {}
        settled: set[str] = set()
        for stored in detail.events:
            if stored.event.kind is EventKind.CASE_MATCHED:
                found = verdict_from_doc(stored.event.payload).findings
                known |= {finding_id(one): one for one in found}
            elif stored.event.kind is EventKind.FINDING_RESOLVED:
                settled.add(stored.event.payload["finding"])
        settlements = [
            Settlement(
                one.finding,
                Remedy(one.how),
                one.reason,
                known.get(one.finding),
                one.finding in settled,
                may_accept,
                None if one.paper is None else PaperKind(one.paper),
                one.revision or 0,
            )
            for one in wanted
        ]
        return await self._services.desk.settle(tenant, case_id, by, settlements)
