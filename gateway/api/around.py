"""Routes about what a case shares with others: its buyer's quota and the lineage of numbers."""

import orjson

from gateway.api.call import Answer, Call
from gateway.api.problems import P, refuse
from gateway.api.query import QUOTA, Query
from gateway.api.services import LooksAround
from gateway.api.views import Doc, moment
from gateway.domain.findings import LedgerRow
from gateway.domain.ids import CaseId
from gateway.domain.money import plain
from gateway.domain.quota import QuotaStanding
from gateway.domain.relations import BrokenTie, Ref, Relation
from gateway.flow.neighbours import BuyerQuota, Lineage


class AroundRoutes:
    """The routes of quota and lineage."""

    def __init__(self, around: LooksAround) -> None:
        self._around = around

    async def quota(self, call: Call) -> Answer:
        """How much the buyer of a case has left. No address carries an identity number."""
        query = Query(call, QUOTA)
        case = query.needed("case")
        query.finish()
        found = await self._around.quota(call.tenant, CaseId(case))
        if found is None:
            raise refuse(P.NOT_FOUND)
        return Answer(orjson.dumps(quota_view(found)))

    async def lineage(self, call: Call) -> Answer:
        """What hangs together with a case."""
        found = await self._around.lineage(call.tenant, CaseId(call.request.match_info["case_id"]))
        if found is None:
            raise refuse(P.NOT_FOUND)
        return Answer(orjson.dumps(lineage_view(found)))


def quota_view(found: BuyerQuota) -> Doc:
    """A buyer's quota; the buyer stays unnamed."""
    entry = found.entry
    own = None
    if entry is not None:
        own = {
            "amount": plain(entry.amount),
            "stage": entry.stage.value,
            "until": moment(entry.until),
            "returned": plain(entry.returned),
        }
    return {"case": found.case_id, **standing_view(found.standing), "own": own}


def standing_view(standing: QuotaStanding) -> Doc:
    """How a buyer stands; amounts in CNY."""
    floor = standing.floor
    told = None
    if floor is not None:
        told = {"used": plain(floor.used), "at": moment(floor.at), "code": floor.code}
    return {
        "year": standing.year,
        "limit": plain(standing.limit),
        "used": plain(standing.used),
        "reserved": plain(standing.reserved),
        "left": plain(standing.left),
        "customs": told,
    }


def lineage_view(lineage: Lineage) -> Doc:
    """The numbers, nearest first, and the faults."""
    return {
        "numbers": [
            {
                "depth": step.depth,
                **_ref(step.ref),
                "case": lineage.cases.get(step.ref),
                "by": None if step.relation is None else _relation(step.relation),
            }
            for step in lineage.steps
        ],
        "faults": [_tie(one) for one in lineage.faults],
    }


def _ref(ref: Ref) -> Doc:
    return {"kind": ref.kind.value, "value": ref.value, "issuer": ref.issuer or None}


def _relation(relation: Relation) -> Doc:
    return {
        "from": _ref(relation.source),
        "tie": relation.tie.value,
        "to": _ref(relation.target),
        "amount": None if relation.amount is None else plain(relation.amount),
        "place": relation.place,
        "part": None if relation.part is None else relation.part.value,
    }


def _tie(tie: BrokenTie) -> Doc:
    rows = [LedgerRow(name, plain(amount)) for name, amount in tie.amounts]
    return {
        "fault": tie.fault.value,
        "at": _ref(tie.at),
        "others": [_ref(one) for one in tie.others],
        "amounts": [{"name": one.name, "amount": one.amount} for one in rows],
    }
