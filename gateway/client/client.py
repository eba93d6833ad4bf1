"""The client: sends papers once, however often the network fails; reads lists and the stream."""

import asyncio
import json
import random
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self, cast
from urllib.parse import quote

import aiohttp

from gateway.client.errors import ClientError, Refused, Unreachable, refused
from gateway.client.values import (
    JSON,
    AckLine,
    Asked,
    BatchLine,
    CaseFull,
    CaseLine,
    Differences,
    EndpointLine,
    EndpointMade,
    Event,
    FindingLine,
    Foreseen,
    GoodsTaken,
    MandateLine,
    MessageReport,
    NoticeLine,
    PackChecked,
    PackFull,
    PackLine,
    PaperTaken,
    Received,
    RepairLine,
    Replayed,
    Reported,
    Stage,
    SubmissionLine,
    TenantLine,
)

BATCH_LINES: Final = 5000
_JSON: Final = "application/json"
_NDJSON: Final = "application/x-ndjson"
_XML: Final = "application/xml"
_SSE: Final = "text/event-stream"
_REASON: Final = "Clearance-Reason"
_OVERLOADED: Final = "API-503"
_TWIN: Final = "API-307"
_LATER: Final = frozenset({408, 429, 500, 502, 503, 504})
Paper = Mapping[str, Any]  # Any: JSON, as the OpenAPI document says


@dataclass(frozen=True, slots=True)
class Retrying:
    """How often and how patiently: waits double from ``first_s`` to ``most_s``, with jitter.

    A ``Retry-After`` is waited for as it says, up to ``most_s``.
    """

    tries: int = 6
    first_s: float = 0.25
    most_s: float = 30.0

    def wait_s(self, attempt: int, retry_after: str | None) -> float:
        """Seconds before the next try; ``attempt`` counts from 1."""
        if retry_after is not None and retry_after.isascii() and retry_after.isdigit():
            return min(float(retry_after), self.most_s)
        doubled: float = min(self.first_s * 2 ** (attempt - 1), self.most_s)
        return doubled * random.uniform(0.5, 1)  # noqa: S311 (jitter keeps no secret)


class ClearanceClient:
    """A caller's side of the API; use it as ``async with``.

    Every call raises an error of :mod:`gateway.client.errors`. A POST carries an idempotency key,
    drawn here unless given, so that a try whose answer was lost is not done twice. ``tenant``
    says for whom, when the key spans several (:meth:`tenants` lists them).
    """

    def __init__(
        self,
        address: str,
        key: str,
        *,
        language: str = "en",
        timeout_s: float = 60.0,
        retrying: Retrying | None = None,
        tenant: str | None = None,
    ) -> None:
        self._address = address.rstrip("/")
        self._retrying = retrying or Retrying()
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": language}
        if tenant is not None:
            headers["Clearance-Tenant"] = tenant
        self._session = aiohttp.ClientSession(
            headers=headers,
            timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=10),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    # --- papers -------------------------------------------------------------------------------

    async def send_order(self, order: Paper, *, key: str | None = None) -> PaperTaken:
        """Send an order; on return it is durable."""
        return cast(PaperTaken, await self._post("/v1/orders", order, key))

    async def send_payment(self, payment: Paper, *, key: str | None = None) -> PaperTaken:
        """Send a payment slip."""
        return cast(PaperTaken, await self._post("/v1/payments", payment, key))

    async def send_waybill(self, waybill: Paper, *, key: str | None = None) -> PaperTaken:
        """Send a waybill."""
        return cast(PaperTaken, await self._post("/v1/waybills", waybill, key))

    async def send_export_order(self, order: Paper, *, key: str | None = None) -> PaperTaken:
        """Send an order of goods that leave (303)."""
        return cast(PaperTaken, await self._post("/v1/export-orders", order, key))

    async def send_funds_receipt(self, funds: Paper, *, key: str | None = None) -> PaperTaken:
        """Send a receipt of the money for an export (403)."""
        return cast(PaperTaken, await self._post("/v1/funds-receipts", funds, key))

    async def send_export_waybill(self, waybill: Paper, *, key: str | None = None) -> PaperTaken:
        """Send the waybill of an export (505)."""
        return cast(PaperTaken, await self._post("/v1/export-waybills", waybill, key))

    async def send_goods(self, goods: Paper, *, key: str | None = None) -> GoodsTaken:
        """Send a goods record."""
        return cast(GoodsTaken, await self._post("/v1/goods", goods, key))

    async def send_batch(self, lines: Sequence[Paper]) -> list[BatchLine]:
        """Send lines of any kind, each with its ``type``, one result each, in order.

        More than 5,000 go in several requests. Lines for which the gateway was too busy are sent
        again.
        """
        results: list[BatchLine] = []
        for start in range(0, len(lines), BATCH_LINES):
            results += await self._batch(lines[start : start + BATCH_LINES])
        for number, result in enumerate(results, 1):
            result["line"] = number
        return results

    async def _batch(self, lines: Sequence[Paper]) -> list[BatchLine]:
        results: list[BatchLine] = [{}] * len(lines)
        open_lines = list(range(len(lines)))
        for attempt in range(1, self._retrying.tries + 1):
            body = b"\n".join(json.dumps(lines[one]).encode() for one in open_lines)
            doc = await self._asked("POST", "/v1/batches", body, _NDJSON, key=_new_key())
            for one, result in zip(open_lines, doc["results"], strict=True):
                results[one] = result
            open_lines = [one for one in open_lines if _is_busy(results[one])]
            if not open_lines:
                break
            await asyncio.sleep(self._retrying.wait_s(attempt, None))
        return results

    async def submit(self, door: str, paper: Paper, *, key: str | None = None) -> Received:
        """Send a paper without waiting for it to be taken in: to ``orders``, ``payments``,
        ``waybills``, ``export-orders``, ``funds-receipts`` or ``export-waybills``.

        On return it is checked by itself and durable; see :meth:`submission`.
        """
        body = json.dumps(paper).encode()
        path = f"/v1/{quote(door, safe='')}"
        return cast(Received, await self._submit(path, body, _JSON, key))

    async def submit_batch(self, lines: Sequence[Paper]) -> list[Received]:
        """Send lines as :meth:`send_batch` without waiting; one for each 5,000 of them."""
        received = []
        for start in range(0, len(lines), BATCH_LINES):
            some = lines[start : start + BATCH_LINES]
            body = b"\n".join(json.dumps(one).encode() for one in some)
            received.append(cast(Received, await self._submit("/v1/batches", body, _NDJSON)))
        return received

    async def _submit(self, path: str, body: bytes, media: str, key: str | None = None) -> JSON:
        hurry = {"Prefer": "respond-async"}
        return await self._asked("POST", path, body, media, key=key or _new_key(), headers=hurry)

    async def submission(self, submission: str, *, wait_s: int = 0) -> SubmissionLine:
        """What became of a submission, after at most so many seconds (0 to 30)."""
        path = f"/v1/submissions/{quote(submission, safe='')}"
        return cast(SubmissionLine, await self._asked("GET", path, query={"wait": str(wait_s)}))

    async def submissions(self, **filters: str) -> AsyncIterator[SubmissionLine]:
        """Every submission of the last eight days that was refused, or has another ``status``."""
        async for one in self._pages("/v1/submissions", "submissions", filters):
            yield cast(SubmissionLine, one)

    async def preflight(
        self,
        *,
        order: Paper | None = None,
        payment: Paper | None = None,
        waybill: Paper | None = None,
        export_order: Paper | None = None,
        funds_receipt: Paper | None = None,
        export_waybill: Paper | None = None,
        goods: Sequence[Paper] = (),
    ) -> Foreseen:
        """What would become of the papers of one order, or of one export; nothing is stored."""
        papers = {
            "order": order,
            "payment": payment,
            "waybill": waybill,
            "export_order": export_order,
            "funds_receipt": funds_receipt,
            "export_waybill": export_waybill,
        }
        doc = {name: paper for name, paper in papers.items() if paper is not None}
        return cast(Foreseen, await self._post("/v1/preflight", {**doc, "goods": list(goods)}))

    async def preflight_message(
        self, message: bytes, *, profile: str | None = None
    ) -> MessageReport:
        """What is wrong with the papers of customs' XML, order by order: CEB311, 411, 511 or 621,
        of exports 303, 403, 505 or 603.

        ``profile`` is needed where several fit; nothing is stored.
        """
        query = {} if profile is None else {"profile": profile}
        doc = await self._asked("POST", "/v1/preflight", message, _XML, key=_new_key(), query=query)
        return cast(MessageReport, doc)

    async def tenants(self) -> list[TenantLine]:
        """The tenants that the key may work for today."""
        return cast(list[TenantLine], (await self._asked("GET", "/v1/tenants"))["tenants"])

    async def mandates(self) -> list[MandateLine]:
        """The enterprises that may work for the tenant."""
        return cast(list[MandateLine], (await self._asked("GET", "/v1/mandates"))["mandates"])

    # --- cases --------------------------------------------------------------------------------

    async def case(self, case_id: str) -> CaseFull:
        """One case with everything on it."""
        return cast(CaseFull, await self._asked("GET", f"/v1/cases/{quote(case_id, safe='')}"))

    async def cases(self, **filters: str) -> AsyncIterator[CaseLine]:
        """Every case that passes the filters (``stage``, ``held``, ``profile``, ``number`` ...)."""
        async for one in self._pages("/v1/cases", "cases", filters):
            yield cast(CaseLine, one)

    async def findings(self, **filters: str) -> AsyncIterator[FindingLine]:
        """Every finding that passes the filters (``severity``, ``rule``, ``resolved`` ...)."""
        async for one in self._pages("/v1/findings", "findings", filters):
            yield cast(FindingLine, one)

    async def hold(self, case_id: str, reason: str, *, version: int | None = None) -> Stage:
        """Stop a case before it is sent; with a version only if it is still at that."""
        doc = await self._command(case_id, "hold", {"reason": reason}, version)
        return cast(Stage, doc)

    async def release(self, case_id: str, *, version: int | None = None) -> Stage:
        """Let a held case go on."""
        return cast(Stage, await self._command(case_id, "release", None, version))

    async def recheck(self, case_id: str, *, version: int | None = None) -> Stage:
        """Match a case again with today's goods records, profile and rules."""
        return cast(Stage, await self._command(case_id, "recheck", None, version))

    async def ask(
        self, case_id: str, what: str, reason: str, *, version: int | None = None, **more: Any
    ) -> Asked:
        """Whether it can still be stopped: ``what`` is change, redeclare, cancel or return.

        ``more`` is of a return: ``lines``, and the ``journey`` home of exported goods (Any: JSON).
        """
        doc = {"reason": reason, **more}
        return cast(Asked, await self._command(case_id, what, doc, version))

    async def report_tally(
        self, case_id: str, number: int, *, location: str | None = None
    ) -> Stage:
        """File that the site counted the exported goods of the case's N-th return (215)."""
        doc = {"location": location}
        return cast(Stage, await self._command(case_id, f"returns/{number}/tally", doc, None))

    async def report_arrival(self, cases: Sequence[str], *, vehicle_no: str) -> Reported:
        """File that exported parcels of one bill reached the supervised site (507)."""
        doc = {"cases": list(cases), "vehicle_no": vehicle_no}
        return cast(Reported, await self._post("/v1/site-arrivals", doc))

    async def report_departure(
        self, cases: Sequence[str], left_at: str, **conveyance: str
    ) -> Reported:
        """File that exported parcels of one bill left the country (509).

        ``left_at`` is ISO 8601 with its zone; ``transport_no`` and ``voyage_no`` where the waybills
        do not name them.
        """
        doc = {"cases": list(cases), "left_at": left_at, **conveyance}
        return cast(Reported, await self._post("/v1/departures", doc))

    async def _command(
        self, case_id: str, name: str, doc: JSON | None, version: int | None
    ) -> JSON:
        path = f"/v1/cases/{quote(case_id, safe='')}/{quote(name)}"
        body = None if doc is None else json.dumps(doc).encode()
        match = {} if version is None else {"If-Match": f'"{version}"'}
        return await self._asked("POST", path, body, _JSON, key=_new_key(), headers=match)

    # --- repairs and rule packs ---------------------------------------------------------------

    async def repairs(self, **filters: str) -> list[RepairLine]:
        """The newest repairs (``stage``, ``limit``)."""
        doc = await self._asked("GET", "/v1/repairs", query=filters)
        return cast(list[RepairLine], doc["repairs"])

    async def repair(self, repair_id: str) -> RepairLine:
        """One repair with the result of every case."""
        return cast(
            RepairLine, await self._asked("GET", f"/v1/repairs/{quote(repair_id, safe='')}")
        )

    async def mend(
        self, case_id: str, finding: str, path: str, reason: str, **more: Any
    ) -> RepairLine:
        """Apply or propose one of the fixes of a finding; try it first with ``dry_run=True``.

        ``more``: ``value``, ``scope`` (case or cause), ``dry_run``, ``redeclare`` (Any: JSON).
        """
        doc = {"case": case_id, "finding": finding, "path": path, "reason": reason, **more}
        return cast(RepairLine, await self._post("/v1/repairs", doc))

    async def ask_owner(
        self, case_id: str, finding: str, path: str, reason: str, hours: int = 24
    ) -> RepairLine:
        """Ask the owner of a paper for a value; ``repair.asked`` goes to the endpoints."""
        doc = {"case": case_id, "finding": finding, "path": path, "reason": reason, "hours": hours}
        return cast(RepairLine, await self._post("/v1/repairs/questions", doc))

    async def confirm_repair(
        self, repair_id: str, statement: str | None = None, value: str | None = None
    ) -> RepairLine:
        """Give what this key may give; the last confirmation applies the repair."""
        doc = {"statement": statement, "value": value}
        path = f"/v1/repairs/{quote(repair_id, safe='')}/approvals"
        return cast(RepairLine, await self._post(path, doc))

    async def refuse_repair(self, repair_id: str, reason: str) -> RepairLine:
        """Drop a proposed repair."""
        path = f"/v1/repairs/{quote(repair_id, safe='')}/refusals"
        return cast(RepairLine, await self._post(path, {"reason": reason}))

    async def packs(self, **filters: str) -> list[PackLine]:
        """The versions of the tenant's rule packs (``port``, ``stage``)."""
        doc = await self._asked("GET", "/v1/packs", query=filters)
        return cast(list[PackLine], doc["packs"])

    async def pack(self, label: str, port: str | None = None) -> PackFull:
        """One version (``name@version``) with its text."""
        query = {} if port is None else {"port": port}
        doc = await self._asked("GET", f"/v1/packs/{quote(label, safe='')}", query=query)
        return cast(PackFull, doc)

    async def propose_pack(
        self, text: str, port: str | None = None, *, dry_run: bool = False
    ) -> PackChecked:
        """Propose a rule pack, or only check it. ``Refused`` names the line of every fault."""
        doc = {"text": text, "port": port, "dry_run": dry_run}
        return cast(PackChecked, await self._post("/v1/packs", doc))

    async def try_pack(
        self, text: str, *, days: int = 7, papers: Sequence[Paper] = ()
    ) -> Differences:
        """What a pack would change, on ``papers`` (one set an order) or on stored cases."""
        doc = {"text": text, "days": days, "papers": list(papers)}
        return cast(Differences, await self._post("/v1/packs/trials", doc))

    async def pack_differences(self, label: str, port: str | None = None) -> Differences:
        """What a shadow said otherwise of the verdicts given beside it."""
        query = {} if port is None else {"port": port}
        path = f"/v1/packs/{quote(label, safe='')}/differences"
        return cast(Differences, await self._asked("GET", path, query=query))

    async def move_pack(self, label: str, to: str, port: str | None = None) -> PackLine:
        """Put a version in the ``shadow``, in force (``active``), or out of use (``retired``)."""
        path = f"/v1/packs/{quote(label, safe='')}/moves"
        return cast(PackLine, await self._post(path, {"to": to, "port": port}))

    # --- exact bytes --------------------------------------------------------------------------

    async def message_bytes(self, message_id: str, reason: str) -> bytes:
        """The signed XML of a message, byte for byte as it was sent.

        ``reason`` (1 to 200 characters, no persons in it) is written into the histories of its
        cases, with whose key it was. Raises ``NotFound`` for the bytes of another tenant.
        """
        return await self._bytes(f"/v1/messages/{quote(message_id, safe='')}", reason)

    async def receipt_bytes(self, receipt_id: str, reason: str) -> bytes:
        """A receipt file, byte for byte as it came; ``reason`` as for :meth:`message_bytes`."""
        return await self._bytes(f"/v1/receipts/{quote(receipt_id, safe='')}", reason)

    async def _bytes(self, path: str, reason: str) -> bytes:
        answer = await self._tried("GET", path, headers={_REASON: reason})
        return answer.body

    # --- notices ------------------------------------------------------------------------------

    async def notices(self, **filters: str) -> AsyncIterator[NoticeLine]:
        """Notices that wait, oldest first, or with ``status="parked"`` those that were given up.

        Those of an endpoint without an address are fetched like this and taken off the list by
        :meth:`acknowledge`.
        """
        async for one in self._pages("/v1/notices", "notices", filters):
            yield cast(NoticeLine, one)

    async def acknowledge(self, acks: Sequence[Mapping[str, str]]) -> list[AckLine]:
        """Answer up to 1,000 notices: ``notice_id``, ``status`` (accepted or refused), ``at``."""
        doc = await self._post("/v1/notices/acks", {"acks": list(acks)})
        return cast(list[AckLine], doc["results"])

    async def replay_notices(self, **wanted: Any) -> Replayed:
        """Try parked notices again: ``notices`` (ids), or ``endpoint``, ``event_type``, ``since``
        and ``until`` (Any: JSON).
        """
        return cast(Replayed, await self._post("/v1/notices/replay", wanted))

    async def endpoints(self) -> list[EndpointLine]:
        """Where notices go."""
        return cast(list[EndpointLine], (await self._asked("GET", "/v1/endpoints"))["endpoints"])

    async def new_endpoint(
        self,
        role: str,
        url: str | None = None,
        *,
        event_types: Sequence[str] = (),
        batch_size: int = 1,
        ed25519: bool = False,
    ) -> EndpointMade:
        """Have notices sent to an address, or without one kept to be fetched; keep the secret."""
        doc = {"role": role, "url": url, "event_types": list(event_types),
               "batch_size": batch_size, "ed25519": ed25519}  # fmt: skip
        return cast(EndpointMade, await self._post("/v1/endpoints", doc))

    async def rotate_endpoint(self, endpoint: str, overlap_hours: int = 24) -> EndpointMade:
        """Fresh secrets; the old ones sign along for the overlap."""
        path = f"/v1/endpoints/{quote(endpoint, safe='')}/rotations"
        return cast(EndpointMade, await self._post(path, {"overlap_hours": overlap_hours}))

    async def enable_endpoint(self, endpoint: str) -> EndpointLine:
        """Switch an endpoint on; what was parked meanwhile waits for a replay."""
        path = f"/v1/endpoints/{quote(endpoint, safe='')}/enable"
        return cast(EndpointLine, await self._asked("POST", path, key=_new_key()))

    async def disable_endpoint(self, endpoint: str, reason: str) -> EndpointLine:
        """Switch an endpoint off; its notices are parked."""
        path = f"/v1/endpoints/{quote(endpoint, safe='')}/disable"
        return cast(EndpointLine, await self._post(path, {"reason": reason}))

    # --- the stream ---------------------------------------------------------------------------

    async def events(self, after: str | None = None) -> AsyncIterator[Event]:
        """The stream of events from a cursor on, for ever; it reconnects and misses nothing.

        Keep the ``cursor`` of the last event you have dealt with and begin there again.
        """
        failures = 0
        while True:
            try:
                async for event in self._stream(after):
                    failures, after = 0, event["cursor"]
                    yield event
            except (aiohttp.ClientError, TimeoutError, Refused) as error:
                failures += 1
                is_lasting = isinstance(error, Refused) and error.status not in _LATER
                if is_lasting or failures >= self._retrying.tries:
                    raise _told(error) from error
                await asyncio.sleep(self._retrying.wait_s(failures, None))

    async def _stream(self, after: str | None) -> AsyncIterator[Event]:
        headers = {"Accept": _SSE} | ({} if after is None else {"Last-Event-ID": after})
        quiet = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
        async with self._session.get(
            self._address + "/v1/events", headers=headers, timeout=quiet
        ) as answer:
            if answer.status != 200:
                raise refused(answer.status, await _doc(answer))
            async for line in answer.content:
                if line.startswith(b"data: "):
                    yield cast(Event, json.loads(line[6:]))

    # --- how it is asked ----------------------------------------------------------------------

    async def _pages(self, path: str, name: str, filters: Mapping[str, str]) -> AsyncIterator[JSON]:
        query = dict(filters)
        while True:
            page = await self._asked("GET", path, query=query)
            for one in page[name]:
                yield one
            if page["after"] is None:
                return
            query["after"] = page["after"]

    async def _post(self, path: str, doc: Mapping[str, Any], key: str | None = None) -> JSON:
        body = json.dumps(doc).encode()
        return await self._asked("POST", path, body, _JSON, key=key or _new_key())

    async def _asked(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        media: str | None = None,
        *,
        key: str | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JSON:
        """The document of a 2xx answer; tries again what may be tried again."""
        answer = await self._tried(method, path, body, media, key=key, query=query, headers=headers)
        return answer.doc

    async def _tried(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        media: str | None = None,
        *,
        key: str | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "_Answer":
        sent = dict(headers or {})
        if body is not None and media is not None:
            sent["Content-Type"] = media
        if key is not None:
            sent["Idempotency-Key"] = key
        last: Exception = Unreachable("there was no try")
        for attempt in range(1, self._retrying.tries + 1):
            retry_after = None
            try:
                answer = await self._once(method, path, body, sent, query)
            except (aiohttp.ClientError, TimeoutError) as error:
                last = Unreachable(f"{type(error).__name__}: {error}")
            else:
                if answer.status < 300:
                    return answer
                last, retry_after = refused(answer.status, answer.doc), answer.retry_after
                if last.status not in _LATER and last.code != _TWIN:
                    raise last
            if attempt < self._retrying.tries:
                await asyncio.sleep(self._retrying.wait_s(attempt, retry_after))
        raise last

    async def _once(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None,
    ) -> "_Answer":
        async with self._session.request(
            method, self._address + path, data=body, headers=headers, params=query
        ) as answer:
            whole = await answer.read()
            return _Answer(answer.status, whole, answer.headers.get("Retry-After"))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    retry_after: str | None

    @property
    def doc(self) -> JSON:
        """The JSON object that it is."""
        return _read_doc(self.body)


def _told(error: Exception) -> ClientError:
    return error if isinstance(error, ClientError) else Unreachable(type(error).__name__)


def _new_key() -> str:
    return uuid.uuid4().hex


def _is_busy(result: BatchLine) -> bool:
    problem = result.get("problem")
    return problem is not None and problem.get("code") == _OVERLOADED


async def _doc(answer: aiohttp.ClientResponse) -> JSON:
    return _read_doc(await answer.read())


def _read_doc(body: bytes) -> JSON:
    """The JSON object of an answer; something in between (a proxy) may have written another."""
    try:
        doc = json.loads(body)
    except ValueError:
        doc = None
    return doc if isinstance(doc, dict) else {"detail": "the answer is no JSON object"}
