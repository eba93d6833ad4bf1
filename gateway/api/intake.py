"""Routes that take things in: one paper, one goods record, or a mixed batch of lines."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, TypeVar

import orjson
from pydantic import BaseModel, TypeAdapter

from gateway.api.call import NDJSON_TYPE, Answer, Call
from gateway.api.decode import (
    GoodsItem,
    PaperItem,
    decode,
    decode_line,
    split_lines,
    to_item,
)
from gateway.api.edge import GoodsIn
from gateway.api.faults import Fault, InvalidFields, InvalidJSON
from gateway.api.problems import P, Problem, Refusal, refuse
from gateway.api.reasons import value_fault
from gateway.api.services import GoodsStored, Services
from gateway.api.settings import APISettings
from gateway.api.views import Doc, finding_view, verdict_view
from gateway.domain.errors import InvalidValue, StoreError
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import ProfileId, TenantId
from gateway.domain.profile import FilingProfile
from gateway.flow.ingest import Incoming, IntakeResult, IntakeStatus

M = TypeVar("M", bound=BaseModel)

SOURCE: Final = "api"
_LINES_BETWEEN_TURNS: Final = 100
# What waits for one commit, whoever else wants to write: some ten milliseconds of work each.
_CASES_A_TURN: Final = 100
_STATUS: Final[Mapping[IntakeStatus, int]] = {
    IntakeStatus.ACCEPTED: 201,
    IntakeStatus.UNCHANGED: 200,
    IntakeStatus.UNLINKED: 202,
}


class Intake:
    """The intake routes, over the services they call."""

    def __init__(self, services: Services, settings: APISettings) -> None:
        self._services = services
        self._settings = settings
        self._take = services.ingest.take
        self._profile = services.master.profile

    async def paper(self, call: Call, adapter: TypeAdapter[Any]) -> Answer:
        """Take one paper in: 201 for a new revision, 200 when nothing changed, 409 when frozen.

        202 for a paper that names no order and waits until an order names it.
        """
        item = to_item(decode(adapter, call.body))
        assert isinstance(item, PaperItem)
        profile = self._profile(call.tenant, item.profile_id)
        if profile is None:
            raise Refusal(unknown_profile())
        if item.direction is not profile.direction:
            raise Refusal(other_direction(profile))
        source = item.source(SOURCE)
        incoming = Incoming(call.tenant, profile, item.paper, source, call.body, 0, len(call.body))
        (result,) = await self._take((incoming,))
        problem = _problem_of(result, self._settings)
        if problem is not None:
            raise Refusal(problem)
        doc = {
            "status": result.status.value,
            "case": result.case_id,
            "order_no": result.order_no,
            "revision": result.revision,
            "stage": None if result.stage is None else result.stage.value,
            "changed": list(result.changed),
            "verdict": verdict_view(result.verdict, self._services.explain),
        }
        headers = {"Location": f"/v1/cases/{result.case_id}"} if result.case_id else {}
        return Answer(orjson.dumps(doc), _STATUS[result.status], headers=headers)

    async def goods(self, call: Call, adapter: TypeAdapter[GoodsIn]) -> Answer:
        """Store one goods record: 201 for a new version, 200 when nothing changed."""
        item = to_item(decode(adapter, call.body))
        assert isinstance(item, GoodsItem)
        profile = self._profile(call.tenant, item.profile_id)
        if profile is None:
            raise Refusal(unknown_profile())
        record = item.record(profile.goods_scope)
        (stored,) = await self._services.admin.put_goods(call.tenant, (record,))
        return Answer(orjson.dumps(_goods_doc(stored)), 201 if stored.changed else 200)

    async def batch(self, call: Call) -> Answer:
        """Take a mixed batch in; a line that is refused spoils no other."""
        lines = split_lines(call.body)
        if not lines:
            raise refuse(P.EMPTY_BATCH)
        if len(lines) > self._settings.batch_lines:
            raise refuse(P.TOO_MANY_LINES, limit=self._settings.batch_lines)
        batch = _Batch(call.tenant, call.body, call.language, [{}] * len(lines))
        for index, (offset, length) in enumerate(lines):
            if index % _LINES_BETWEEN_TURNS == _LINES_BETWEEN_TURNS - 1:
                await asyncio.sleep(0)
            self._sort(batch, index, offset, length)
        await self._store_goods(batch)
        await self._store_papers(batch)
        is_final = not batch.is_to_be_repeated
        if NDJSON_TYPE in call.request.headers.get("Accept", ""):
            option = orjson.OPT_APPEND_NEWLINE
            body = b"".join([orjson.dumps(doc, option=option) for doc in batch.results])
            return Answer(body, media=NDJSON_TYPE, is_final=is_final)
        return Answer(orjson.dumps({"results": batch.results}), is_final=is_final)

    def _sort(self, batch: "_Batch", index: int, offset: int, length: int) -> None:
        """Read one line and put it where it belongs, or note why not."""
        try:
            item = decode_line(batch.body[offset : offset + length])
            profile = self._profile_of(batch, item.profile_id)
            if profile is None:
                batch.refuse(index, unknown_profile())
            elif isinstance(item, GoodsItem):
                batch.goods.append((index, item.record(profile.goods_scope)))
            elif item.direction is not profile.direction:
                batch.refuse(index, other_direction(profile))
            else:
                source = item.source(SOURCE)
                incoming = Incoming(
                    batch.tenant, profile, item.paper, source, batch.body, offset, length
                )
                batch.papers.append((index, incoming))
        except InvalidJSON as error:
            batch.refuse(index, Problem(P.INVALID_JSON, (error.fault,)))
        except InvalidFields as error:
            batch.refuse(index, Problem(P.INVALID_FIELDS, error.faults))
        except InvalidValue as error:
            batch.refuse(index, Problem(P.INVALID_FIELDS, (value_fault(error),)))

    def _profile_of(self, batch: "_Batch", profile_id: ProfileId) -> FilingProfile | None:
        if profile_id not in batch.profiles:
            batch.profiles[profile_id] = self._profile(batch.tenant, profile_id)
        return batch.profiles[profile_id]

    async def _store_goods(self, batch: "_Batch") -> None:
        """Goods records first, so that orders of the same batch find them."""
        if not batch.goods:
            return
        records = [record for _, record in batch.goods]
        stored = await self._services.admin.put_goods(batch.tenant, records)
        for (index, _), one in zip(batch.goods, stored, strict=True):
            batch.results[index] = {"line": index + 1, **_goods_doc(one)}

    async def _store_papers(self, batch: "_Batch") -> None:
        """Papers some hundred cases at a time, so that other callers have their turn between."""
        is_stored = bool(batch.goods)
        for some in batch.turns():
            try:
                results = await self._take([incoming for _, incoming in some])
            except StoreError:
                if not is_stored:
                    raise
                for index, _ in some:
                    batch.refuse(index, Problem(P.OVERLOADED))
                batch.is_to_be_repeated = True
                continue
            is_stored = True
            for (index, _), result in zip(some, results, strict=True):
                batch.results[index] = self._line_doc(batch, index, result)

    def _line_doc(self, batch: "_Batch", index: int, result: IntakeResult) -> Doc:
        doc: Doc = {
            "line": index + 1,
            "status": result.status.value,
            "case": result.case_id,
            "order_no": result.order_no,
            "revision": result.revision,
            "stage": None if result.stage is None else result.stage.value,
        }
        verdict = result.verdict
        if verdict is not None and verdict.findings:
            explain = self._services.explain
            doc["findings"] = [finding_view(finding, explain) for finding in verdict.findings]
        problem = _problem_of(result, self._settings)
        if problem is not None:
            doc["problem"] = problem.to_doc(batch.language, None)
            batch.is_to_be_repeated |= problem.kind is P.OVERLOADED
        return doc


@dataclass(slots=True)
class _Batch:
    """A batch on its way: what its lines turned out to be, and one result for each."""

    tenant: TenantId
    body: bytes
    language: str
    results: list[Doc]
    papers: list[tuple[int, Incoming]] = field(default_factory=list)
    goods: list[tuple[int, GoodsRecord]] = field(default_factory=list)
    profiles: dict[ProfileId, FilingProfile | None] = field(default_factory=dict)
    is_to_be_repeated: bool = False

    def turns(self) -> Iterator[list[tuple[int, Incoming]]]:
        """The papers in parts of a bounded number of cases; those of one order stay together."""
        by_order: dict[tuple[ProfileId, str | None], list[tuple[int, Incoming]]] = {}
        for index, incoming in self.papers:
            order = incoming.profile.profile_id, incoming.paper.order_no
            by_order.setdefault(order, []).append((index, incoming))
        orders = iter(by_order.values())
        while some := list(islice(orders, _CASES_A_TURN)):
            yield [paper for papers in some for paper in papers]

    def refuse(self, index: int, problem: Problem) -> None:
        """Note why a line was not taken."""
        self.results[index] = {
            "line": index + 1,
            "status": "refused",
            "problem": problem.to_doc(self.language, None),
        }


def _goods_doc(stored: GoodsStored) -> Doc:
    status = "accepted" if stored.changed else "unchanged"
    return {"status": status, "sku": stored.sku, "version": stored.version}


def unknown_profile() -> Problem:
    """The profile named is not one of the tenant's."""
    fault = Fault("profile", "is not one of your filing profiles", "不是您的申报方案")
    return Problem(P.UNKNOWN_PROFILE, (fault,))


def other_direction(profile: FilingProfile) -> Problem:
    """A paper of an import under a profile of exports, or the other way round."""
    english = f"files {profile.direction}s: send the papers of that direction"
    way = "出口" if profile.is_export else "进口"
    chinese = f"该方案为{way}申报，请发送{way}单证"
    return Problem(P.INVALID_FIELDS, (Fault("profile", english, chinese),))


def _problem_of(result: IntakeResult, settings: APISettings) -> Problem | None:
    """The problem of a paper that was not taken; None when it was."""
    match result.status:
        case IntakeStatus.ACCEPTED | IntakeStatus.UNCHANGED | IntakeStatus.UNLINKED:
            return None
        case IntakeStatus.FROZEN:
            return Problem(P.FROZEN, _frozen(result.changed), _about(result))
        case IntakeStatus.FAILED:
            if (result.reason or "").startswith(StoreError.code[:7]):
                wait = str(settings.retry_after_s)
                return Problem(P.OVERLOADED, headers={"Retry-After": wait})
            return Problem(P.NOT_TAKEN, extra=_about(result))


def _frozen(changed: Sequence[str]) -> tuple[Fault, ...]:
    return tuple(
        Fault(path, "differs from what was declared", "与已申报内容不一致") for path in changed
    )


def _about(result: IntakeResult) -> Doc:
    doc: Doc = {"order_no": result.order_no, "reason": result.reason}
    if result.case_id is not None:
        doc["case"] = result.case_id
    if result.stage is not None:
        doc["stage"] = result.stage.value
    return doc
