"""Routes that take things in: one paper, one goods record, or a mixed batch of lines.

A caller in a hurry (``Prefer: respond-async``) is answered as soon as what it sent is checked and
durable; :class:`Intake` takes such submissions in afterwards, by the same way.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from gateway.api import edge
from gateway.api.call import NDJSON_TYPE, Answer, Call, may_wait, refused
from gateway.api.decode import (
    GoodsItem,
    PaperItem,
    decode,
    decode_line,
    split_lines,
    to_item,
)
from gateway.api.edge import AnyIn, GoodsIn
from gateway.api.faults import Fault
from gateway.api.problems import REFUSALS, P, Problem, Refusal, body_problem, refuse
from gateway.api.services import GoodsStored, Services
from gateway.api.settings import APISettings
from gateway.api.views import Doc, finding_view, verdict_view
from gateway.domain.errors import Conflict, Fenced, Overloaded, StoreError
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import Direction, ProfileId, TenantId
from gateway.domain.profile import FilingProfile
from gateway.flow.ingest import Incoming, IntakeResult, IntakeStatus
from gateway.ports import KeptAnswer
from gateway.ports.submissions import Outcome, Pack, Submission, SubmissionStatus

SOURCE: Final = "api"
_LINES_BETWEEN_TURNS: Final = 100
# What waits for one commit, whoever else wants to write: some ten milliseconds of work each.
_CASES_A_TURN: Final = 100
_APPLIED: Final = {"Preference-Applied": "respond-async"}
_STATUS: Final[Mapping[IntakeStatus, int]] = {
    IntakeStatus.ACCEPTED: 201,
    IntakeStatus.UNCHANGED: 200,
    IntakeStatus.SUPERSEDED: 200,
    IntakeStatus.UNLINKED: 202,
}


@dataclass(frozen=True, slots=True)
class Door:
    """A route that takes papers of one kind: its last word, what it reads, for which direction."""

    name: str
    adapter: TypeAdapter[Any]
    direction: Direction


DOORS: Final = (
    Door("orders", edge.ORDER, Direction.IMPORT),
    Door("payments", edge.PAYMENT, Direction.IMPORT),
    Door("waybills", edge.WAYBILL, Direction.IMPORT),
    Door("export-orders", edge.EXPORT_ORDER, Direction.EXPORT),
    Door("funds-receipts", edge.FUNDS_RECEIPT, Direction.EXPORT),
    Door("export-waybills", edge.EXPORT_WAYBILL, Direction.EXPORT),
)
BATCHES: Final = "batches"
_ADAPTERS: Final = {door.name: door.adapter for door in DOORS}
# How often what was promised is tried while the store has no room; then its pack comes again.
_TRIES: Final = 20
# What trying again does not mend: its sender is told, and nobody else waits for it.
_FOR_GOOD: Final = frozenset({Fenced.code, Conflict.code})


class Intake:
    """The intake routes, over the services they call."""

    def __init__(self, services: Services, settings: APISettings) -> None:
        self._services = services
        self._settings = settings
        self._take = services.ingest.take
        self._profile = services.master.profile

    async def paper(self, call: Call, door: Door) -> Answer:
        """Take one paper in: 201 for a new revision, 200 when nothing changed, 409 when frozen.

        202 for a paper that names no order and waits until an order names it, and for one that is
        to be taken in later.
        """
        model = decode(door.adapter, call.body)
        if may_wait(call.request.headers):
            self._fitting(call.tenant, ProfileId(model.profile), door.direction)
            return await self._keep(call, door.name)
        (result,) = await self._take((self._incoming(call.tenant, call.body, model),))
        return self._answer(result)

    def _incoming(
        self, tenant: TenantId, body: bytes, model: AnyIn, received_at: int | None = None
    ) -> Incoming:
        """The paper of a checked model under its profile."""
        item = to_item(model)
        assert isinstance(item, PaperItem)
        profile = self._fitting(tenant, item.profile_id, item.direction)
        source = item.source(SOURCE)
        return Incoming(
            tenant, profile, item.paper, source, body, 0, len(body), received_at=received_at
        )

    async def late(self, pack: Pack) -> list[Outcome]:
        """Take in what was kept: what became of each submission, in order.

        Raises ``StoreError`` when the store has no room for long; what was taken in by then says
        nothing new when it is taken in again.
        """
        outcomes: dict[int, Outcome] = {}
        papers = _Batch(pack.tenant, b"", "", [], is_late=True)
        for place, one in enumerate(pack.submissions):
            came = pack.received_at + place
            try:
                if one.door == BATCHES:
                    # What came before it goes first.
                    await self._take_late(papers, pack, outcomes)
                    outcomes[place] = await self._late_batch(pack.tenant, one, came)
                else:
                    model = decode(_ADAPTERS[one.door], one.body)
                    incoming = self._incoming(pack.tenant, one.body, model, came)
                    papers.papers.append((place, incoming))
            except REFUSALS as error:
                outcomes[place] = _refused(body_problem(error), one.language)
        await self._take_late(papers, pack, outcomes)
        return [outcomes[place] for place in range(len(pack.submissions))]

    async def _take_late(self, papers: "_Batch", pack: Pack, outcomes: dict[int, Outcome]) -> None:
        for some in papers.turns():
            results = await self._take_patiently([incoming for _, incoming in some])
            for (place, _), result in zip(some, results, strict=True):
                try:
                    outcomes[place] = _outcome(self._answer(result), SubmissionStatus.TAKEN)
                except Refusal as error:
                    language = pack.submissions[place].language
                    outcomes[place] = _refused(error.problem, language)
        papers.papers.clear()

    async def _late_batch(self, tenant: TenantId, one: Submission, came: int) -> Outcome:
        lines = self._lines(one.body)
        batch = _Batch(
            tenant, one.body, one.language, [{}] * len(lines), received_at=came, is_late=True
        )
        await self._take_batch(batch, lines)
        is_whole = not any("problem" in doc for doc in batch.results)
        answer = Answer(orjson.dumps({"results": batch.results}))
        return _outcome(answer, SubmissionStatus.TAKEN if is_whole else SubmissionStatus.REFUSED)

    async def _take_patiently(self, some: Sequence[Incoming]) -> list[IntakeResult]:
        """Papers that were promised to be taken in: those without room now are tried again."""
        results: dict[int, IntakeResult] = {}
        left = list(range(len(some)))
        for _ in range(_TRIES):
            try:
                taken = await self._take([some[index] for index in left])
            except Overloaded:
                taken = []
            results.update(zip(left, taken, strict=False))
            left = [index for index in left if not _is_through(results.get(index))]
            if not left:
                return [results[index] for index in range(len(some))]
            await self._services.clock.sleep(self._settings.retry_after_s)
        found = [results.get(index) for index in range(len(some))]
        if all(one is not None and (_is_through(one) or one.reason in _FOR_GOOD) for one in found):
            return [one for one in found if one is not None]
        raise Overloaded("the store has no room for what was submitted")

    def _fitting(
        self, tenant: TenantId, profile_id: ProfileId, direction: Direction
    ) -> FilingProfile:
        """The profile that a paper names; refused unless it files papers of this direction."""
        profile = self._profile(tenant, profile_id)
        if profile is None:
            raise Refusal(unknown_profile())
        if direction is not profile.direction:
            raise Refusal(other_direction(profile))
        return profile

    def _answer(self, result: IntakeResult) -> Answer:
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

    async def _keep(self, call: Call, door: str) -> Answer:
        """Keep what came for later: it is durable when this answers."""
        kept = await self._services.submissions.keep(
            call.tenant, Submission(door, call.language, call.body)
        )
        body = orjson.dumps({"status": "received", "submission": kept})
        return Answer(body, 202, headers={"Location": f"/v1/submissions/{kept}", **_APPLIED})

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
        lines = self._lines(call.body)
        if may_wait(call.request.headers):
            return await self._keep(call, BATCHES)
        batch = _Batch(call.tenant, call.body, call.language, [{}] * len(lines))
        await self._take_batch(batch, lines)
        is_final = not batch.is_to_be_repeated
        if NDJSON_TYPE in call.request.headers.get("Accept", ""):
            option = orjson.OPT_APPEND_NEWLINE
            body = b"".join([orjson.dumps(doc, option=option) for doc in batch.results])
            return Answer(body, media=NDJSON_TYPE, is_final=is_final)
        return Answer(orjson.dumps({"results": batch.results}), is_final=is_final)

    def _lines(self, body: bytes) -> Sequence[tuple[int, int]]:
        """Where the lines of a batch stand; refuses one without lines, or with too many."""
        lines = split_lines(body)
        if not lines:
            raise refuse(P.EMPTY_BATCH)
        if len(lines) > self._settings.batch_lines:
            raise refuse(P.TOO_MANY_LINES, limit=self._settings.batch_lines)
        return lines

    async def _take_batch(self, batch: "_Batch", lines: Sequence[tuple[int, int]]) -> None:
        for index, (offset, length) in enumerate(lines):
            if index % _LINES_BETWEEN_TURNS == _LINES_BETWEEN_TURNS - 1:
                await asyncio.sleep(0)
            self._sort(batch, index, offset, length)
        await self._store_goods(batch)
        await self._store_papers(batch)

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
                    batch.tenant, profile, item.paper, source, batch.body, offset, length,
                    received_at=batch.received_at,
                )  # fmt: skip
                batch.papers.append((index, incoming))
        except REFUSALS as error:
            batch.refuse(index, body_problem(error))

    def _profile_of(self, batch: "_Batch", profile_id: ProfileId) -> FilingProfile | None:
        if profile_id not in batch.profiles:
            batch.profiles[profile_id] = self._profile(batch.tenant, profile_id)
        return batch.profiles[profile_id]

    async def _store_goods(self, batch: "_Batch") -> None:
        """Goods records first, so that orders of the same batch find them."""
        if not batch.goods:
            return
        records = [record for _, record in batch.goods]
        stored = await self._services.admin.put_goods(batch.tenant, records, batch.received_at)
        for (index, _), one in zip(batch.goods, stored, strict=True):
            batch.results[index] = {"line": index + 1, **_goods_doc(one)}

    async def _store_papers(self, batch: "_Batch") -> None:
        """Papers some hundred cases at a time, so that other callers have their turn between."""
        is_stored = bool(batch.goods)
        take = self._take_patiently if batch.is_late else self._take
        for some in batch.turns():
            try:
                results = await take([incoming for _, incoming in some])
            except StoreError:
                if batch.is_late or not is_stored:
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
    """A batch on its way: what its lines turned out to be, and one result for each.

    One that ``is_late`` was promised to be taken in; it came at ``received_at``.
    """

    tenant: TenantId
    body: bytes
    language: str
    results: list[Doc]
    papers: list[tuple[int, Incoming]] = field(default_factory=list)
    goods: list[tuple[int, GoodsRecord]] = field(default_factory=list)
    profiles: dict[ProfileId, FilingProfile | None] = field(default_factory=dict)
    is_to_be_repeated: bool = False
    received_at: int | None = None
    is_late: bool = False

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
        case (
            IntakeStatus.ACCEPTED
            | IntakeStatus.UNCHANGED
            | IntakeStatus.SUPERSEDED
            | IntakeStatus.UNLINKED
        ):
            return None
        case IntakeStatus.FROZEN:
            return Problem(P.FROZEN, _frozen(result.changed), _about(result))
        case IntakeStatus.FAILED:
            if not _is_through(result):
                wait = str(settings.retry_after_s)
                return Problem(P.OVERLOADED, headers={"Retry-After": wait})
            return Problem(P.NOT_TAKEN, extra=_about(result))


def _outcome(answer: Answer, status: SubmissionStatus) -> Outcome:
    return Outcome(status, KeptAnswer(answer.status, answer.media, answer.body))


def _refused(problem: Problem, language: str) -> Outcome:
    return _outcome(refused(problem, language), SubmissionStatus.REFUSED)


def _is_through(result: IntakeResult | None) -> bool:
    """Whether this is what became of a paper, not what the store had no room for."""
    return result is not None and not (result.reason or "").startswith(StoreError.code[:7])


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
