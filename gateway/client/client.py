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
    Asked,
    BatchLine,
    CaseFull,
    CaseLine,
    Event,
    FindingLine,
    Foreseen,
    GoodsTaken,
    MandateLine,
    PaperTaken,
    Stage,
    TenantLine,
)

BATCH_LINES: Final = 5000
_JSON: Final = "application/json"
_NDJSON: Final = "application/x-ndjson"
_SSE: Final = "text/event-stream"
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

    async def preflight(
        self,
        *,
        order: Paper | None = None,
        payment: Paper | None = None,
        waybill: Paper | None = None,
        goods: Sequence[Paper] = (),
    ) -> Foreseen:
        """What would become of the papers of one order; nothing is stored."""
        papers = {"order": order, "payment": payment, "waybill": waybill}
        doc = {name: paper for name, paper in papers.items() if paper is not None}
        return cast(Foreseen, await self._post("/v1/preflight", {**doc, "goods": list(goods)}))

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
        self, case_id: str, what: str, reason: str, *, version: int | None = None
    ) -> Asked:
        """Whether it can still be stopped: ``what`` is change, redeclare, cancel or return."""
        return cast(Asked, await self._command(case_id, what, {"reason": reason}, version))

    async def _command(
        self, case_id: str, name: str, doc: JSON | None, version: int | None
    ) -> JSON:
        path = f"/v1/cases/{quote(case_id, safe='')}/{quote(name, safe='')}"
        body = None if doc is None else json.dumps(doc).encode()
        match = {} if version is None else {"If-Match": f'"{version}"'}
        return await self._asked("POST", path, body, _JSON, key=_new_key(), headers=match)

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
                    return answer.doc
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
            doc = await _doc(answer)
            return _Answer(answer.status, doc, answer.headers.get("Retry-After"))


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    doc: JSON
    retry_after: str | None


def _told(error: Exception) -> ClientError:
    return error if isinstance(error, ClientError) else Unreachable(type(error).__name__)


def _new_key() -> str:
    return uuid.uuid4().hex


def _is_busy(result: BatchLine) -> bool:
    problem = result.get("problem")
    return problem is not None and problem.get("code") == _OVERLOADED


async def _doc(answer: aiohttp.ClientResponse) -> JSON:
    """The JSON object of an answer; something in between (a proxy) may have written another."""
    try:
        doc = json.loads(await answer.read())
    except ValueError:
        doc = None
    return doc if isinstance(doc, dict) else {"detail": "the answer is no JSON object"}
