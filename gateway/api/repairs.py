"""Routes about repairs: fixes of findings tried, proposed, approved, refused, and asked for."""

from typing import Final

import orjson

from gateway.api.call import Answer, Call
from gateway.api.decode import decode
from gateway.api.edge import (
    REPAIR,
    REPAIR_APPROVAL,
    REPAIR_ASK,
    REPAIR_REFUSAL,
    RepairIn,
)
from gateway.api.faults import Fault, InvalidFields
from gateway.api.problems import P, refuse
from gateway.api.query import REPAIRS, Query
from gateway.api.services import Services
from gateway.api.settings import APISettings
from gateway.api.views import Doc, moment
from gateway.domain.ids import CaseId
from gateway.domain.party import mask
from gateway.flow.repair import NotPossible, Person, Wanted
from gateway.ports.repairs import Repair, RepairItem, RepairStage

_PAGE: Final = 50
_PERSONAL: Final = frozenset({"name", "phone", "id_number", "account", "address"})


class RepairRoutes:
    """The routes of repairs."""

    def __init__(self, services: Services, settings: APISettings) -> None:
        self._repairs = services.repairs
        self._settings = settings

    async def propose(self, call: Call) -> Answer:
        """Try, apply or propose a fix, for one case or for all with the same cause."""
        given = decode(REPAIR, call.body)
        wanted = _wanted(given)
        try:
            if given.dry_run:
                tried = await self._repairs.dry_run(call.tenant, _person(call), wanted)
                return Answer(orjson.dumps(repair_view(tried) | {"dry_run": True}))
            made = await self._repairs.propose(call.tenant, _person(call), wanted)
        except NotPossible as error:
            raise _impossible(error) from None
        return Answer(orjson.dumps(repair_view(made)), 201)

    async def ask(self, call: Call) -> Answer:
        """Ask the owner of a paper for a value, with a deadline."""
        given = decode(REPAIR_ASK, call.body)
        wanted = Wanted(CaseId(given.case), given.finding, given.path, given.reason)
        try:
            made = await self._repairs.ask(call.tenant, _person(call), wanted, given.hours)
        except NotPossible as error:
            raise _impossible(error) from None
        return Answer(orjson.dumps(repair_view(made)), 201)

    async def approve(self, call: Call) -> Answer:
        """Give what a repair still needs; the last one applies it."""
        given = decode(REPAIR_APPROVAL, call.body)
        name = call.request.match_info["repair_id"]
        try:
            found = await self._repairs.approve(
                call.tenant, _person(call), name, given.statement or "", given.value
            )
        except NotPossible as error:
            raise _impossible(error) from None
        return _one(found)

    async def refuse(self, call: Call) -> Answer:
        """Drop a proposal."""
        given = decode(REPAIR_REFUSAL, call.body)
        name = call.request.match_info["repair_id"]
        try:
            found = await self._repairs.refuse(call.tenant, _person(call), name, given.reason)
        except NotPossible as error:
            raise _impossible(error) from None
        return _one(found)

    async def listing(self, call: Call) -> Answer:
        """The newest repairs, of one stage or of all."""
        query = Query(call, REPAIRS)
        stage = query.one_of("stage", tuple(one.value for one in RepairStage))
        limit = query.whole("limit", 1, self._settings.page_limit, _PAGE)
        query.finish()
        stages = frozenset() if stage is None else frozenset({RepairStage(stage)})
        found = await self._repairs.book.listing(call.tenant, stages, limit)
        return Answer(orjson.dumps({"repairs": [repair_view(one) for one in found]}))

    async def one(self, call: Call) -> Answer:
        """One repair with the result of every case."""
        name = call.request.match_info["repair_id"]
        return _one(await self._repairs.book.get(call.tenant, name))


def _person(call: Call) -> Person:
    return Person(f"{call.caller.role}:{call.caller.key_id}", call.caller.role)


def _wanted(given: RepairIn) -> Wanted:
    return Wanted(
        case_id=CaseId(given.case),
        finding=given.finding,
        path=given.path,
        reason=given.reason,
        value=given.value,
        everywhere=given.scope == "cause",
        redeclare=given.redeclare,
    )


_IMPOSSIBLE: Final = {
    "finding": "该案件没有此差异",
    "path": "该字段不可通过此方式更正",
    "scope": "单号只属于一个案件，请在该案件中更正",
    "stage": "已结束或已被他人处理",
    "approval": "需要由其他人确认",
    "value": "请给出正确的值",
}


def _impossible(error: NotPossible) -> InvalidFields:
    text = _IMPOSSIBLE.get(error.path, "无法执行")
    return InvalidFields([Fault(error.path, error.reason, text)])


def _one(found: Repair | None) -> Answer:
    if found is None:
        raise refuse(P.NOT_FOUND)
    return Answer(orjson.dumps(repair_view(found)))


def repair_view(repair: Repair) -> Doc:
    """A repair as people see it; personal values are masked."""
    return {
        "repair": repair.repair_id,
        "stage": repair.stage.value,
        "rule": repair.rule,
        "kind": repair.kind,
        "owner": repair.owner,
        "needs": sorted(repair.needs),
        "open_needs": sorted(repair.open_needs),
        "approvals": [
            {"need": one.need.value, "by": one.by, "at": moment(one.at), "statement": one.statement}
            for one in repair.approvals
        ],
        "redeclare": repair.redeclare,
        "proposed_by": repair.proposed_by,
        "reason": repair.reason,
        "created_at": moment(repair.created_at),
        "deadline": moment(repair.deadline),
        "ended_at": moment(repair.ended_at),
        "items": [_item_view(one) for one in repair.items],
        "dry_run": False,
    }


def _item_view(item: RepairItem) -> Doc:
    leaf = item.path.rpartition(".")[2]
    shown = None if item.value is None else mask(item.value) if leaf in _PERSONAL else item.value
    return {
        "case": item.case_id,
        "order_no": item.order_no,
        "finding": item.finding,
        "path": item.path,
        "value": shown,
        "status": item.status,
        "reason": item.reason,
        "stage": item.verdict,
    }
