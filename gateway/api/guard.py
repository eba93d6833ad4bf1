"""The guard in front of every route: identity, role, size, time, one answer for every refusal.

A route never sees an unauthenticated caller, a tenant that the caller chose, or a body that is too
large or too slow. What a route raises becomes a problem here; what nobody expected becomes a 500
in the listener. Logs and metrics name the route's pattern, never its values.
"""

import asyncio
import re
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from itertools import count
from typing import Any, Final

import structlog
from aiohttp import StreamReader, web

from gateway.api.call import Answer, Body, Call, Route, may_wait
from gateway.api.encoding import ENCODINGS, Inflater, inflated
from gateway.api.faults import InvalidFields, InvalidJSON
from gateway.api.metrics import APIMetrics
from gateway.api.once import KEY_HEADER, Once
from gateway.api.problems import (
    PROBLEM_TYPE,
    P,
    Problem,
    Refusal,
    body_problem,
    language_of,
    refuse,
)
from gateway.api.quota import Quotas
from gateway.api.reasons import value_fault
from gateway.api.services import Credential, Services
from gateway.api.settings import APISettings
from gateway.api.whole import Whole, headers_of, respond
from gateway.domain.errors import InvalidValue, Retry, StoreError
from gateway.domain.ids import TenantId
from gateway.ports.callers import SpanningKey

REQUEST_ID: Final = web.RequestKey("REQUEST_ID", str)
ROUTE: Final = web.RequestKey("ROUTE", str)
TENANT_HEADER: Final = "Clearance-Tenant"
_NO_TENANTS: Final[frozenset[TenantId]] = frozenset()
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,64}", re.ASCII)
_TOKEN_LIMIT: Final = 256
# What a route may raise to be answered with a problem.
Expected = Refusal | InvalidJSON | InvalidFields | InvalidValue | StoreError


class Guard:
    """Admits requests to routes and turns what happens into answers."""

    def __init__(self, services: Services, settings: APISettings) -> None:
        self._authenticate = services.authenticator.authenticate
        self._settings = settings
        self._metrics = APIMetrics(services.registry)
        self._log = structlog.stdlib.get_logger("gateway.api")
        self._prefix = services.rng.bytes(6).hex()
        self._numbers = count(1)
        self._unknown = self._metrics.of("other", "other")
        self._once = Once(services.answers, services.clock, settings)
        self._quotas = Quotas(settings)
        self._admission = services.admission

    def wrap(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The aiohttp handler of a route."""
        observe = self._metrics.of(route.method, route.path)
        name = f"{route.method} {route.path}"
        takes_keys = route.method == "POST" and route.roles is not None

        async def guarded(request: web.Request) -> web.StreamResponse:
            now = asyncio.get_running_loop().time
            started = now()
            request_id = self.request_id(request)
            request[REQUEST_ID], request[ROUTE] = request_id, route.path
            bearer, credential, spans = None, None, _NO_TENANTS
            try:
                if route.roles is not None:
                    bearer = self._admit(request, route.roles)
                    self._quotas.take(bearer.key_id, name, started)
                    credential, spans = _at_work(bearer, request, route)
                if route.is_intake and not self._has_room(request):
                    raise self._come_again(P.BACKLOG)
                body = b"" if route.body is Body.NONE else await self._body(request, route.body)
                call = Call(request, request_id, credential, body, spans)
                if takes_keys and KEY_HEADER in request.headers:
                    answer = await self._once.run(call, route.handle)
                else:
                    answer = await route.handle(call)
            except (Refusal, InvalidJSON, InvalidFields, InvalidValue, StoreError) as error:
                answer = self.refused(request, request_id, self._problem(error, route))
            seconds = now() - started
            observe(answer.status, seconds)
            is_notable = answer.status >= 400 or seconds >= self._settings.slow_s
            if is_notable or self._settings.log_all:
                self._note(route, answer, request_id, credential or bearer, seconds)
            if answer.stream is not None:
                return await _streamed(request, answer, request_id)
            return Whole(answer, request_id)

        return guarded

    def request_id(self, request: web.BaseRequest) -> str:
        """The caller's own id of a request when it is a plain word, else one of ours."""
        given = request.headers.get("X-Request-Id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        return f"{self._prefix}-{next(self._numbers):x}"

    def count_unknown(self, status: int) -> None:
        """Count a request for an address or method that does not exist."""
        self._unknown(status, 0)

    def refused(self, request: web.BaseRequest | None, request_id: str, problem: Problem) -> Answer:
        """The answer that carries a problem, in the caller's language."""
        headers = {} if request is None else request.headers
        language = language_of(headers.get("Accept-Language"))
        return Answer(
            problem.to_bytes(language, request_id),
            problem.status,
            PROBLEM_TYPE,
            {**problem.headers, "Content-Language": language},
            problem.kind.value.code,
        )

    def failed(
        self, request: web.BaseRequest | None, error: BaseException | None, status: int
    ) -> web.Response:
        """The answer to what no route answered for, noted by class and place, never by its text."""
        request_id = None if request is None else request.get(REQUEST_ID)
        request_id = request_id or f"{self._prefix}-{next(self._numbers):x}"
        is_ours = status >= 500
        if is_ours:
            frames = traceback.extract_tb(error.__traceback__)[-6:] if error is not None else []
            self._metrics.failures.inc()
            self._log.error(
                "request_failed",
                request_id=request_id,
                route="" if request is None else request.get(ROUTE, ""),
                error=type(error).__name__,
                at=[f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in frames],
            )
        else:
            self._unknown(status, 0)
        problem = Problem(P.INTERNAL if is_ours else P.BAD_REQUEST, headers={"Connection": "close"})
        return respond(self.refused(request, request_id, problem), request_id)

    def _admit(self, request: web.Request, roles: frozenset[str]) -> Credential | SpanningKey:
        header = request.headers.get("Authorization", "")
        scheme, _, token = header.partition(" ")
        bearer = None
        if scheme.lower() == "bearer" and 0 < len(token) <= _TOKEN_LIMIT:
            bearer = self._authenticate(token)
        if bearer is None:
            raise Refusal(Problem(P.UNAUTHENTICATED, headers={"WWW-Authenticate": "Bearer"}))
        if bearer.role not in roles:
            raise refuse(P.FORBIDDEN)
        return bearer

    def _has_room(self, request: web.Request) -> bool:
        """Whether more papers are taken in now, or kept for a caller who lets them wait."""
        admission = self._admission
        return admission.keeps if may_wait(request.headers) else admission.is_open

    def _come_again(self, kind: P) -> Refusal:
        """The refusal that asks to send the same again in a moment."""
        return Refusal(Problem(kind, headers={"Retry-After": str(self._settings.retry_after_s)}))

    async def _body(self, request: web.Request, body: Body) -> bytes:
        headers, settings = request.headers, self._settings
        limit = settings.batch_limit if body is Body.BATCH else settings.body_limit
        media = headers.get("Content-Type", "")
        if media not in body.value and not _is_taken(media, body.value):
            raise refuse(P.MEDIA_TYPE)
        encoding = _encoding(headers) if "Content-Encoding" in headers else ""
        try:
            content = request.content
            if content.is_eof() and content.exception() is None:
                whole = content.read_nowait(-1)
                if len(whole) > limit:
                    raise refuse(P.TOO_LARGE, limit=limit)
                return inflated(whole, encoding, limit) if encoding else whole
            if (request.content_length or 0) > limit:
                raise refuse(P.TOO_LARGE, limit=limit)
            inflater = Inflater(encoding, limit) if encoding else None
            return await _read(content, inflater, limit, body is Body.BATCH, settings)
        except TimeoutError:
            raise Refusal(Problem(P.TIMEOUT, headers={"Connection": "close"})) from None
        except web.RequestPayloadError:
            raise Refusal(Problem(P.BAD_REQUEST, headers={"Connection": "close"})) from None

    def _problem(self, error: Expected, route: Route) -> Problem:
        match error:
            case InvalidValue() if route.body is Body.NONE:
                fault = value_fault(error)
                return Problem(P.INVALID_QUERY, (replace(fault, path=f"query.{fault.path}"),))
            case StoreError():
                if error.retry is Retry.NEVER:
                    return Problem(P.CONFLICT, extra={"reason": error.code})
                return self._come_again(P.OVERLOADED).problem
            case _:
                return body_problem(error)

    def _note(
        self,
        route: Route,
        answer: Answer,
        request_id: str,
        bearer: Credential | SpanningKey | None,
        seconds: float,
    ) -> None:
        self._log.info(
            "request",
            request_id=request_id,
            method=route.method,
            route=route.path,
            status=answer.status,
            code=answer.code,
            ms=round(seconds * 1000, 1),
            tenant=getattr(bearer, "tenant", None),
            key=None if bearer is None else bearer.key_id,
        )


def _at_work(
    bearer: Credential | SpanningKey, request: web.Request, route: Route
) -> tuple[Credential | None, frozenset[TenantId]]:
    """The caller at work for one tenant, and the tenants that it might name instead.

    A key that spans tenants must name one of them; another tenant is refused in the same words
    whether it exists or not.
    """
    named = request.headers.get(TENANT_HEADER)
    if not isinstance(bearer, SpanningKey):
        if named is not None and named != bearer.tenant:
            raise refuse(P.NO_MANDATE)
        return bearer, _NO_TENANTS
    if named is None:
        if route.is_about_key:
            return None, bearer.tenants
        raise refuse(P.TENANT_NEEDED)
    acting = bearer.acting_for(named)
    if acting is None:
        raise refuse(P.NO_MANDATE)
    return acting, bearer.tenants


async def _streamed(request: web.Request, answer: Answer, request_id: str) -> web.StreamResponse:
    """Let an answer write itself; a caller who went away ends it."""
    assert answer.stream is not None
    response = web.StreamResponse(status=answer.status, headers=headers_of(answer, request_id))
    await response.prepare(request)
    try:
        await answer.stream(response)
        await response.write_eof()
    except (ConnectionError, StoreError, TimeoutError):
        # The caller comes back with the last event it has seen.
        response.force_close()
    return response


def problems_for_unknown_addresses(guard: Guard) -> Any:
    """The middleware that gives aiohttp's own 404 and 405 the shape of our problems (Any: aiohttp's
    middleware type). Applications mounted below keep their own pages.
    """

    @web.middleware
    async def unknown(request: web.Request, handler: Any) -> web.StreamResponse:
        fault = request.match_info.http_exception
        if fault is None or len(request.match_info.apps) > 1:
            response: web.StreamResponse = await handler(request)
            return response
        request_id = guard.request_id(request)
        guard.count_unknown(fault.status)
        if fault.status == web.HTTPMethodNotAllowed.status_code:
            problem = Problem(P.METHOD_NOT_ALLOWED, headers={"Allow": fault.headers["Allow"]})
        else:
            problem = Problem(P.NOT_FOUND)
        return respond(guard.refused(request, request_id, problem), request_id)

    return unknown


def _is_taken(media: str, taken: frozenset[str]) -> bool:
    """Whether a media type with parameters is one of those taken, in UTF-8."""
    kind, _, parameters = media.partition(";")
    if kind.strip().lower() not in taken:
        return False
    charset = parameters.strip().lower().replace('"', "")
    return charset in ("", "charset=utf-8", "charset=utf8")


def _encoding(headers: Mapping[str, str]) -> str:
    """The one encoding of a body, empty for none; raises ``Refusal`` for those not taken."""
    encoding = headers["Content-Encoding"].strip().lower()
    if encoding in ENCODINGS:
        return encoding
    if encoding not in ("", "identity"):
        raise refuse(P.MEDIA_TYPE)
    return ""


async def _read(
    content: StreamReader,
    inflater: Inflater | None,
    limit: int,
    is_batch: bool,
    settings: APISettings,
) -> bytes:
    """A whole body: within its deadline, and after some grace never slower than the floor."""
    body = bytearray()
    deadline_s = settings.batch_deadline_s if is_batch else settings.body_deadline_s
    started = asyncio.get_running_loop().time()
    while True:
        earned_s = settings.body_grace_s + len(body) / settings.body_floor_bytes_s
        async with asyncio.timeout_at(started + min(earned_s, deadline_s)):
            chunk = await content.readany()
        if not chunk:
            if inflater is not None:
                inflater.finish()
            return bytes(body)
        body += chunk if inflater is None else inflater.feed(chunk)
        if len(body) > limit:
            raise refuse(P.TOO_LARGE, limit=limit)
