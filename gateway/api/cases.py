"""Routes about cases: lists, one case with everything on it, commands, exact bytes."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import orjson

from gateway.api.call import XML_TYPE, Answer, Call
from gateway.api.decode import decode
from gateway.api.edge import ACKS, ASK, DELIVERY, DEPARTURE, ENDPOINT, HOLD, SITE_ARRIVAL, TALLY
from gateway.api.faults import Fault
from gateway.api.notices import made_view
from gateway.api.problems import P, Problem, Refusal, refuse
from gateway.api.query import CASES, Query, case_filter
from gateway.api.reasons import reason_zh, value_fault
from gateway.api.services import Services
from gateway.api.settings import APISettings
from gateway.api.views import detail_view, endpoint_view, reply_view, row_view, stage_view
from gateway.domain.asking import REASONS, Answered, Ask
from gateway.domain.case import CaseStage
from gateway.domain.codec import to_micros
from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import InvalidValue, TooLate, VersionMoved
from gateway.domain.ids import CaseId, MessageId, ReceiptId, TenantId
from gateway.domain.returns import Journey
from gateway.flow.desk import Reply
from gateway.flow.notify import Ack

_PAGE: Final = 50
_ID_LIMIT: Final = 64
_NUMBER_LIMIT: Final = 6
REASON_HEADER: Final = "Clearance-Reason"
_REASON_LIMIT: Final = 200
_ETAG: Final = re.compile(r'"([0-9]{1,9})"', re.ASCII)


class Cases:
    """The routes that read cases and act on them."""

    def __init__(self, services: Services, settings: APISettings) -> None:
        self._services = services
        self._reads = services.reads
        self._settings = settings

    async def listing(self, call: Call) -> Answer:
        """A page of the tenant's cases, newest change first."""
        query = Query(call, CASES)
        wanted = case_filter(query)
        limit = query.whole("limit", 1, self._settings.page_limit, _PAGE)
        query.finish()
        page = await self._reads.cases(call.tenant, wanted, query.text("after"), limit)
        return _json({"cases": [row_view(row) for row in page.items], "after": page.after})

    async def detail(self, call: Call) -> Answer:
        """One case with everything that hangs on it."""
        case_id = CaseId(_id(call, "case_id"))
        found = await self._reads.case(call.tenant, case_id)
        if found is None:
            raise refuse(P.NOT_FOUND)
        messages = await self._reads.messages_of(call.tenant, case_id)
        profile = self._services.master.profile(call.tenant, found.row.key.profile_id)
        explain = self._services.explain
        doc = detail_view(found, messages, call.caller.role, explain, profile)
        return Answer(orjson.dumps(doc), headers={"ETag": f'"{found.row.version}"'})

    async def hold(self, call: Call) -> Answer:
        """Stop a case, with a reason that stands in its history."""
        reason = decode(HOLD, call.body).reason
        desk, by = self._services.desk, _by(call)
        try:
            return await self._command(call, lambda t, c, v: desk.hold(t, c, by, reason, v))
        except TooLate:
            raise refuse(P.TOO_LATE) from None

    async def release(self, call: Call) -> Answer:
        """Let a held case go on."""
        desk, by = self._services.desk, _by(call)
        return await self._command(call, lambda t, c, v: desk.release(t, c, by, v))

    async def recheck(self, call: Call) -> Answer:
        """Match a case again with today's goods records, profile and rules."""
        desk, by = self._services.desk, _by(call)
        return await self._command(call, lambda t, c, v: desk.recheck(t, c, by, v))

    async def ask(self, call: Call, ask: Ask) -> Answer:
        """May it still be changed, redeclared, cancelled, returned? What can be stopped, is."""
        given = decode(ASK, call.body)
        lines = {one.line_no: Decimal(one.quantity) for one in given.lines} or None
        journey = None if given.journey is None else Journey(**given.journey.model_dump())
        case_id, version = CaseId(_id(call, "case_id")), _if_match(call)
        desk, by = self._services.desk, _by(call)
        try:
            reply = await desk.ask(
                ask, call.tenant, case_id, by, given.reason, version, lines, journey=journey
            )
        except VersionMoved:
            raise refuse(P.MOVED) from None
        except InvalidValue as error:
            raise _not_fitting(error) from None
        if reply is None:
            raise refuse(P.NOT_FOUND)
        return _reply(case_id, reply)

    async def goods_back(self, call: Call) -> Answer:
        """The goods of a return are back; said again it changes nothing."""
        case_id, number = CaseId(_id(call, "case_id")), _number(call)
        desk = self._services.desk
        try:
            stage = await desk.goods_back(call.tenant, case_id, number, _by(call))
        except InvalidValue as error:
            fault = Fault("path.number", error.reason, reason_zh(error.reason))
            raise Refusal(Problem(P.INVALID_FIELDS, (fault,))) from None
        if stage is None:
            raise refuse(P.NOT_FOUND)
        return _json(stage_view(case_id, stage))

    async def tallied(self, call: Call) -> Answer:
        """The site counted the exported goods of a return; said again it changes nothing."""
        location = decode(TALLY, call.body).location
        case_id, number = CaseId(_id(call, "case_id")), _number(call)
        desk = self._services.desk
        try:
            stage = await desk.tallied(call.tenant, case_id, number, _by(call), location)
        except InvalidValue as error:
            raise _not_fitting(error) from None
        if stage is None:
            raise refuse(P.NOT_FOUND)
        return _json(stage_view(case_id, stage))

    async def delivered(self, call: Call) -> Answer:
        """The parcel was delivered; said again it changes nothing."""
        at = decode(DELIVERY, call.body).at
        case_id, desk = CaseId(_id(call, "case_id")), self._services.desk
        try:
            stage = await desk.delivered(call.tenant, case_id, at, _by(call))
        except InvalidValue as error:
            raise _not_fitting(error) from None
        if stage is None:
            raise refuse(P.NOT_FOUND)
        return _json(stage_view(case_id, stage))

    async def arrived(self, call: Call) -> Answer:
        """Exported parcels reached the supervised site; said again it changes nothing."""
        given = decode(SITE_ARRIVAL, call.body)
        facts = _said({"vehicle_no": given.vehicle_no, "bill_no": given.bill_no})
        return await self._report(call, DeclarationKind.SITE_ARRIVAL, given.cases, facts)

    async def departed(self, call: Call) -> Answer:
        """Exported parcels left the country; said again it changes nothing."""
        given = decode(DEPARTURE, call.body)
        said = {"transport_no": given.transport_no, "voyage_no": given.voyage_no}
        facts = _said(said | {"bill_no": given.bill_no, "left_at": given.left_at.isoformat()})
        return await self._report(call, DeclarationKind.DEPARTURE, given.cases, facts)

    async def _report(
        self, call: Call, kind: DeclarationKind, cases: Sequence[str], facts: Mapping[str, str]
    ) -> Answer:
        named = [CaseId(one) for one in cases]
        try:
            stages = await self._services.desk.report(kind, call.tenant, named, facts, _by(call))
        except InvalidValue as error:
            raise _not_fitting(error) from None
        return _json({"cases": [stage_view(one, stage) for one, stage in stages.items()]})

    async def _command(
        self,
        call: Call,
        act: Callable[[TenantId, CaseId, int | None], Awaitable[CaseStage | None]],
    ) -> Answer:
        case_id = CaseId(_id(call, "case_id"))
        try:
            stage = await act(call.tenant, case_id, _if_match(call))
        except VersionMoved:
            raise refuse(P.MOVED) from None
        if stage is None:
            raise refuse(P.NOT_FOUND)
        return _json(stage_view(case_id, stage))

    async def message(self, call: Call) -> Answer:
        """The exact signed bytes of a message, for the tenant that filed it, with a reason."""
        name = MessageId(_id(call, "message_id"))
        body = await self._reads.message(call.tenant, name)
        return await self._download(call, "message", name, body)

    async def receipt(self, call: Call) -> Answer:
        """The exact bytes of a receipt file, when every record in it is the tenant's."""
        name = ReceiptId(_id(call, "receipt_id"))
        body = await self._reads.receipt(call.tenant, name)
        return await self._download(call, "receipt", name, body)

    async def _download(
        self, call: Call, kind: str, name: MessageId | ReceiptId, body: bytes | None
    ) -> Answer:
        """Bytes hold personal data in clear: who takes them, and why, is durable before they go."""
        if body is None:
            raise refuse(P.NOT_FOUND)
        reason = _reason(call)
        cases = await self._reads.cases_in(call.tenant, name)
        what = f"{kind}/{name}"
        await self._services.desk.record_download(call.tenant, cases, what, _by(call), reason)
        headers = {"Content-Disposition": f'attachment; filename="{name}.xml"'}
        return Answer(body, media=XML_TYPE, headers=headers)

    async def acknowledge(self, call: Call) -> Answer:
        """Answers to notices, in one go; a repeated one changes nothing."""
        given = decode(ACKS, call.body).acks
        acks = [Ack(one.notice_id, one.status, to_micros(one.at)) for one in given]
        answers = await self._services.desk.acknowledge(call.tenant, acks)
        return _json(
            {
                "results": [
                    {"notice_id": ack.notice_id, "status": status}
                    for ack, status in zip(acks, answers, strict=True)
                ]
            }
        )

    async def endpoints(self, call: Call) -> Answer:
        """Where notices go; secrets are never shown again."""
        found = await self._services.admin.list_endpoints(call.tenant)
        return _json({"endpoints": [endpoint_view(one) for one in found]})

    async def new_endpoint(self, call: Call) -> Answer:
        """A new endpoint; its signing secret is in this answer and nowhere else."""
        given = decode(ENDPOINT, call.body)
        made = await self._services.admin.new_endpoint(
            call.tenant,
            url=given.url or "",
            role=given.role,
            event_types=frozenset(given.event_types),
            batch_size=given.batch_size,
            with_ed25519=given.ed25519,
        )
        return Answer(orjson.dumps(made_view(made)), 201)


def _said(facts: Mapping[str, str | None]) -> dict[str, str]:
    """What was said of a report, without what was left out."""
    return {name: value for name, value in facts.items() if value is not None}


def _not_fitting(error: InvalidValue) -> Refusal:
    return Refusal(Problem(P.INVALID_FIELDS, (value_fault(error),)))


def _json(doc: Any) -> Answer:
    return Answer(orjson.dumps(doc))


def _reply(case_id: CaseId, reply: Reply) -> Answer:
    """200 for a yes or a no, a problem for what is not up to the gateway."""
    standing = reply.standing
    extra = {"reason": standing.reason, "stage": reply.stage.value, "held": reply.is_held}
    match standing.answered:
        case Answered.STOPPABLE | Answered.TOO_LATE:
            return _json(reply_view(case_id, reply))
        case Answered.TOO_EARLY:
            raise Refusal(Problem(P.TOO_EARLY, extra=extra, detail=REASONS[standing.reason]))


def _if_match(call: Call) -> int | None:
    """The version that the caller saw (``If-Match: "7"``), None when any will do."""
    given = call.request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    found = _ETAG.fullmatch(given.strip())
    if found is None:
        fault = Fault("header.If-Match", "give the ETag of the case as it was answered, or *",
                      "请填写单证响应中的 ETag，或 *")  # fmt: skip
        raise Refusal(Problem(P.INVALID_HEADER, (fault,)))
    return int(found[1])


def _by(call: Call) -> str:
    """Who acts, as histories name them."""
    return f"{call.caller.role}:{call.caller.key_id}"


def _number(call: Call) -> int:
    """Which return of a case is meant, counted from 1."""
    number = call.request.match_info["number"]
    if not number.isascii() or not number.isdigit() or len(number) > _NUMBER_LIMIT:
        raise refuse(P.NOT_FOUND)
    return int(number)


def _id(call: Call, name: str) -> str:
    value = call.request.match_info[name]
    if len(value) > _ID_LIMIT or not value.isascii() or not value.replace("-", "").isalnum():
        raise refuse(P.NOT_FOUND)
    return value


def _reason(call: Call) -> str:
    """Why exact bytes are taken: the header, in UTF-8. Raises the refusal of one that says none."""
    given = call.request.headers.get(REASON_HEADER, "").strip()
    is_text = given.isprintable() and not any("\ud800" <= char <= "\udfff" for char in given)
    if 0 < len(given) <= _REASON_LIMIT and is_text:
        return given
    fault = Fault(
        f"header.{REASON_HEADER}",
        "say why these bytes are taken, in 1 to 200 characters",
        "请用 1 到 200 个字符说明下载原因",
    )
    raise Refusal(Problem(P.INVALID_HEADER, (fault,)))
