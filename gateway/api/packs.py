"""Routes about rule packs: proposed, tried, put beside the one in force, activated by another."""

from collections.abc import Sequence
from typing import Final

import orjson

from gateway.api.call import Answer, Call
from gateway.api.decode import decode
from gateway.api.edge import PACK, PACK_MOVE, PACK_TRIAL, PackTrialIn
from gateway.api.faults import Fault, InvalidFields
from gateway.api.preflight import read_papers
from gateway.api.problems import P, Problem, Refusal, refuse
from gateway.api.query import PACKS, PACKS_LIST, Query
from gateway.api.services import Services
from gateway.api.views import Doc, moment
from gateway.domain.errors import InvalidValue, PackInvalid
from gateway.domain.matching import RulePack, builtin_names, builtin_text, compile_pack
from gateway.flow.packs import MOVES, Differences
from gateway.flow.preflight import Tried
from gateway.ports.packs import PackScope, PackStage, StoredPack

TRIED_CASES: Final = 500
"""How many of the newest cases a pack is tried on at once."""
SHADOW_CASES: Final = 5_000
_DAY_US: Final = 24 * 3600 * 1_000_000


class PackRoutes:
    """The routes of rule packs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._office = services.packs
        self._trial = services.trial

    async def listing(self, call: Call) -> Answer:
        """Every version of the tenant, newest first, and the packs that come with the gateway."""
        query = Query(call, PACKS_LIST)
        port = query.text("port")
        stage = query.one_of("stage", tuple(one.value for one in PackStage))
        query.finish()
        found = [
            pack_view(one)
            for one in reversed(await self._office.book.packs(call.tenant))
            if port in (None, one.scope.port) and stage in (None, one.stage.value)
        ]
        return Answer(orjson.dumps({"packs": found, "builtin": list(builtin_names())}))

    async def propose(self, call: Call) -> Answer:
        """Check a text, and keep it as a proposal unless it is only to be checked."""
        given = decode(PACK, call.body)
        scope = PackScope(call.tenant, given.port or "")
        if given.dry_run:
            pack = _compiled(given.text, self._services)
            label = f"{pack.name}@{pack.version}"
            checked = {"pack": label, "port": scope.port or None, "rules": len(pack.settings)}
            return Answer(orjson.dumps({**checked, "dry_run": True, "proposed": None}))
        try:
            made = await self._office.propose(
                scope, given.text, _who(call), self._services.clock.now()
            )
        except PackInvalid as error:
            raise _faulty(error) from None
        except InvalidValue as error:
            raise refuse(P.CONFLICT, _fault("text", error)) from None
        rules = len(compile_pack(made.text, self._office.find).settings)
        doc = {"pack": made.label, "port": scope.port or None, "rules": rules, "dry_run": False}
        return Answer(orjson.dumps({**doc, "proposed": pack_view(made)}), 201)

    async def one(self, call: Call) -> Answer:
        """A version with its text; of a pack that comes with the gateway the text alone."""
        query = Query(call, PACKS)
        port = query.text("port") or ""
        query.finish()
        label = call.request.match_info["label"]
        if label in builtin_names():
            return Answer(orjson.dumps({"pack": label, "text": builtin_text(label),
                                        "version": None, "moves": []}))  # fmt: skip
        found = await self._found(call, label, port)
        moves = [one.value for one in MOVES[found.stage]]
        return Answer(orjson.dumps({"pack": found.label, "text": found.text,
                                    "version": pack_view(found), "moves": moves}))  # fmt: skip

    async def try_out(self, call: Call) -> Answer:
        """What a pack would change, on stored cases or on papers; nothing is stored."""
        given = decode(PACK_TRIAL, call.body)
        pack = _compiled(given.text, self._services)
        if given.papers:
            found = await self._trial.on_papers(
                self._services.preflight, self._papers(call, given), given.text
            )
        else:
            since = self._services.clock.now() - given.days * _DAY_US
            found = await self._trial.on_history(call.tenant, given.text, since, TRIED_CASES)
        label = f"{pack.name}@{pack.version}"
        detail = {"cases": found.cases}
        await self._office.log.note(call.tenant, _who(call), "pack_tried", label, detail)
        return Answer(orjson.dumps(differences_view(label, found)))

    def _papers(self, call: Call, given: PackTrialIn) -> Sequence[Tried]:
        sets = []
        for index, one in enumerate(given.papers):
            try:
                sets.append(read_papers(self._services, call, one))
            except InvalidFields as error:
                raise InvalidFields([_within(index, fault) for fault in error.faults]) from None
            except InvalidValue as error:
                place = f"papers[{index}].{error.path}"
                raise InvalidValue(place, error.reason) from None
        return sets

    async def differences(self, call: Call) -> Answer:
        """What a shadow said otherwise of the verdicts given beside it."""
        query = Query(call, PACKS)
        port = query.text("port") or ""
        query.finish()
        found = await self._found(call, call.request.match_info["label"], port)
        report = await self._trial.of_shadow(found, SHADOW_CASES)
        return Answer(orjson.dumps(differences_view(found.label, report)))

    async def move(self, call: Call) -> Answer:
        """Put a version in the shadow or in force, or take it out of use."""
        given = decode(PACK_MOVE, call.body)
        found = await self._found(call, call.request.match_info["label"], given.port or "")
        try:
            moved = await self._office.move(
                found.scope,
                found.label,
                PackStage(given.to),
                _who(call),
                self._services.clock.now(),
            )
        except InvalidValue as error:
            if error.path == "by":
                raise Refusal(Problem(P.SECOND_PERSON)) from None
            raise refuse(P.CONFLICT, _fault("to", error)) from None
        return Answer(orjson.dumps(pack_view(moved)))

    async def _found(self, call: Call, label: str, port: str) -> StoredPack:
        found = await self._office.found(PackScope(call.tenant, port), label)
        if found is None:
            raise refuse(P.NOT_FOUND)
        return found


def _who(call: Call) -> str:
    return f"{call.caller.role}:{call.caller.key_id}"


def _compiled(text: str, services: Services) -> RulePack:
    try:
        return compile_pack(text, services.packs.find)
    except PackInvalid as error:
        raise _faulty(error) from None


def _faulty(error: PackInvalid) -> Refusal:
    faults = [
        Fault(f"text:{one.path}" if one.path else "text", one.en, one.zh, one.line)
        for one in error.details
    ]
    return refuse(P.PACK_INVALID, *faults)


_TEXTS: Final = {
    "version": "该版本已存在且内容不可更改，请提高版本号",
    "stage": "该版本当前状态不允许此操作",
}


def _fault(path: str, error: InvalidValue) -> Fault:
    return Fault(path, error.reason, _TEXTS.get(error.path, "无法执行"))


def _within(index: int, fault: Fault) -> Fault:
    path = f"papers[{index}].{fault.path}".rstrip(".")
    return Fault(path, fault.message, fault.message_zh)


def pack_view(one: StoredPack) -> Doc:
    """A version as people see it, without its text."""
    return {
        "pack": one.label,
        "port": one.scope.port or None,
        "stage": one.stage.value,
        "proposed_by": one.proposed_by,
        "proposed_at": moment(one.proposed_at),
        "decided_by": one.decided_by,
        "decided_at": moment(one.decided_at),
    }


def differences_view(label: str, found: Differences) -> Doc:
    """A difference report."""
    verdicts = [
        {"before": before, "after": after, "cases": count}
        for (before, _, after), count in (
            (text.partition(" -> "), count) for text, count in sorted(found.verdicts.items())
        )
    ]
    rules = [
        {
            "change": "added" if text[0] == "+" else "removed",
            "rule": text[1:].partition(":")[0],
            "severity": text.rpartition(":")[2],
            "findings": count,
        }
        for text, count in sorted(found.rules.items(), key=lambda one: (-one[1], one[0]))
    ]
    return {
        "pack": label,
        "cases": found.cases,
        "differing": found.differing,
        "around": found.around.value,
        "verdicts": verdicts,
        "rules": rules,
    }
