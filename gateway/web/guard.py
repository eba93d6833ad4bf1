"""The guard in front of every page: who asks, whether the form is ours, and what may run there.

A form that arrives without a live session is not lost: signing in gives it back, filled in.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
import structlog
from aiohttp import web

from gateway.domain.errors import GatewayError, InvalidValue, Overloaded, VersionMoved
from gateway.ports import KeptAnswer, Turn
from gateway.ports.people import Session
from gateway.web import words
from gateway.web.call import (
    BASE,
    Answer,
    Call,
    File,
    Go,
    Missing,
    Page,
    Route,
    Stale,
    Stream,
    View,
)
from gateway.web.export import csv_file, xlsx_file
from gateway.web.language import negotiated
from gateway.web.render import renderer
from gateway.web.services import WebServices

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "Server": "clearance",
    "X-Content-Type-Options": "nosniff",
}
ONCE: Final = "_once"
FORM_TOKEN: Final = "_token"  # noqa: S105 - the name of a field
CALL: Final = web.RequestKey("CALL", Call)
_SECOND_US: Final = 1_000_000
_TOUCH_US: Final = 60 * _SECOND_US
# A bulk action names 500 cases, and signing in brings each field back as two.
_KEPT_FIELDS: Final = 600
_MOST_FIELDS: Final = 2 * _KEPT_FIELDS + 20
_PASSING: Final = frozenset({"after", "done", "start"})
_LOG: Final = structlog.get_logger("gateway.web")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Guard:
    """Admits requests to views and turns what they answer into responses."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._settings = services.settings
        secure = self._settings.secure_cookies
        self.cookie: str = "__Host-clearance" if secure else "clearance"

    def wrap(self, route: Route, suffix: str = "") -> Handler:
        """The aiohttp handler of a route, or of its ``.json``, ``.csv`` or ``.xlsx``."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            language = negotiated("", request.headers.get("Accept-Language"))
            session = await self.session(request)
            form: dict[str, list[str]] = {}
            if request.method == "POST":
                found = await self.form(request)
                if isinstance(found, web.Response):
                    return found
                form = found
            if session is None:
                return self._signed_out(request, form, language, suffix)
            language = session.user.prefs.language or language
            one = {name: values[0] for name, values in form.items()}
            call = Call(request, session, one, form, self._services.clock.now(), language)
            request[CALL] = call
            if session.user.role not in route.roles:
                return self.fault(call, "forbidden", 403)
            if request.method == "POST":
                if not self.is_same_origin(request) or not self._token_holds(request, one):
                    return self.fault(call, "foreign_form", 403)
            return await self._answered(call, route.view, suffix)

        return guarded

    async def session(self, request: web.Request) -> Session | None:
        """The live session of a request; being used, it lives on."""
        token = request.cookies.get(self.cookie)
        if not token or len(token) > 128:
            return None
        now = self._services.clock.now()
        session = await self._services.people.session(token_hash(token), now)
        if session is None or not session.user.sees(session.tenant):
            return None
        if now - session.seen_at > _TOUCH_US:
            latest = session.created_at + self._settings.longest_s * _SECOND_US
            until = min(now + self._settings.idle_s * _SECOND_US, latest)
            await self._services.people.touch(session.token_hash, now, until)
            session = replace(session, seen_at=now, expires_at=until)
        return session

    async def form(self, request: web.Request) -> dict[str, list[str]] | web.Response:
        """The fields of a form, within size and time."""
        limit = self._settings.body_limit
        if request.content_type != "application/x-www-form-urlencoded":
            return web.Response(status=415, headers=HEADERS)
        if (request.content_length or 0) > limit:
            return web.Response(status=413, headers=HEADERS)
        try:
            async with asyncio.timeout(self._settings.body_s):
                body = await request.content.read(limit + 1)
                while len(body) <= limit and (more := await request.content.read(limit + 1)):
                    body += more
        except TimeoutError:
            return web.Response(status=408, headers=HEADERS)
        if len(body) > limit:
            return web.Response(status=413, headers=HEADERS)
        fields: dict[str, list[str]] = {}
        try:
            pairs = parse_qsl(
                body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MOST_FIELDS
            )
        except ValueError:
            return web.Response(status=400, headers=HEADERS)
        for name, value in pairs:
            # A lone surrogate cannot be stored or shown.
            value_ = value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")
            fields.setdefault(name, []).append(value_)
        return fields

    def is_same_origin(self, request: web.Request) -> bool:
        """Whether a form was sent by a page of ours, as far as the browser says."""
        site = request.headers.get("Sec-Fetch-Site")
        if site is not None and site not in ("same-origin", "none"):
            return False
        origin = request.headers.get("Origin")
        return origin is None or urlsplit(origin).netloc == request.host

    def _token_holds(self, request: web.Request, form: Mapping[str, str]) -> bool:
        expected = form_token(request.cookies[self.cookie])
        return hmac.compare_digest(expected.encode(), form.get(FORM_TOKEN, "").encode())

    async def _answered(self, call: Call, view: View, suffix: str) -> web.StreamResponse:
        key = call.form.get(ONCE, "")
        if call.request.method != "POST" or not key:
            answer = await self._run(call, view)
            if call.request.method == "POST":
                self._services.reads.forget(call.tenant)
            return await self._respond(call, answer, suffix)
        # The same form sent twice does its work once, and says so twice.
        scope = f"console|{call.session.user.user_id}|{call.request.path}|{key[:64]}"
        asked = orjson.dumps(sorted(call.many.items()))
        digest = hashlib.sha256(asked).digest()
        begun = await self._services.answers.begin(call.tenant, scope, digest)
        if begun.turn is Turn.KEPT and begun.answer is not None:
            return web.Response(
                status=begun.answer.status, headers={**HEADERS, **begun.answer.headers}
            )
        if begun.turn is not Turn.OURS:
            return self.fault(call, "sent_twice", 409)
        is_kept = False
        try:
            answer = await self._run(call, view)
            self._services.reads.forget(call.tenant)
            if isinstance(answer, Go):
                kept = KeptAnswer(303, "text/html", b"", {"Location": answer.location})
                await self._services.answers.keep(scope, begun.attempt, kept)
                is_kept = True
        finally:
            if not is_kept:
                await self._services.answers.give_back(scope, begun.attempt)
        return await self._respond(call, answer, suffix)

    async def _run(self, call: Call, view: View) -> Answer:
        try:
            return await view(call)
        except Missing:
            return _fault_page("missing", 404)
        except InvalidValue:
            return _fault_page("invalid", 422)
        except (Stale, VersionMoved) as error:
            return await self._stale(call, error)
        except Overloaded:
            return _fault_page("overloaded", 503)

    async def _stale(self, call: Call, error: Stale | VersionMoved) -> Page:
        """Who changed what since the form was shown."""
        seen = int(call.form.get("seq", "0")) if call.form.get("seq", "0").isdecimal() else 0
        case_id = call.request.match_info.get("case_id", "")
        detail = await self._services.cases.case(call.tenant, case_id) if case_id else None  # type: ignore[arg-type]
        events = [one for one in detail.events if one.seq > seen] if detail else []
        model = {
            "case": case_id,
            "changes": [
                {"at": one.at, "kind": one.event.kind, "by": one.event.payload.get("by")}
                for one in events
            ],
        }
        typed = {
            name: value for name, value in call.form.items() if not name.startswith("_") and value
        }
        return Page(
            "stale.html", words.N_("The case has changed"), model, 409, extra={"typed": typed}
        )

    async def _respond(self, call: Call, answer: Answer, suffix: str) -> web.StreamResponse:
        match answer:
            case Go():
                headers = {**HEADERS, "Location": answer.location}
                return web.Response(status=303, headers=headers)
            case File():
                return file_response(answer)
            case Stream():
                response = web.StreamResponse(
                    headers={**HEADERS, "Content-Type": "text/event-stream; charset=utf-8"}
                )
                await response.prepare(call.request)
                await answer.write(response)
                return response
            case Page():
                return await self._page(call, answer, suffix)

    async def _page(self, call: Call, page: Page, suffix: str) -> web.Response:
        here = renderer(call.language, self._settings.time_zone)
        if suffix == ".json":
            body = orjson.dumps(page.model, default=_plain, option=orjson.OPT_NON_STR_KEYS)
            return web.Response(
                body=body, status=page.status, headers=HEADERS, content_type="application/json"
            )
        if suffix in (".csv", ".xlsx") and page.grid is not None:
            make = csv_file if suffix == ".csv" else xlsx_file
            made = make(page.grid, here)
            await self._services.log.note(
                call.tenant,
                call.actor,
                "exported",
                page.grid.name,
                {"rows": len(page.grid.rows), "form": suffix[1:]},
            )
            return file_response(made)
        tenants = await self._tenants(call.session.user.tenants)
        return self._rendered(call, page, tenants)

    def failed(self, request: web.BaseRequest, request_id: str) -> web.Response | None:
        """The page of a fault that nobody expected, with the id that the logs have it under.

        None for a request that is not the console's.
        """
        if not request.path.startswith(f"{BASE}/"):
            return None
        page = Page(
            "fault.html", "", {"fault": "broken", "status": 500, "request_id": request_id}, 500
        )
        call = request.get(CALL)
        if call is not None:
            return self._rendered(call, page, [])
        language = negotiated("", request.headers.get("Accept-Language"))
        here = renderer(language, self._settings.time_zone)
        return html(here.render("fault_alone.html", page.model), 500, language)

    def _rendered(self, call: Call, page: Page, tenants: Sequence[tuple[str, str]]) -> web.Response:
        here = renderer(call.language, self._settings.time_zone)
        user = call.session.user
        values = {
            **page.model,
            **page.extra,
            "model": page.model,
            "title": page.title,
            "here": call.request.path,
            "query": call.request.query,
            "query_string": call.request.query_string,
            "kept_query": _kept_query(call.request),
            "is_list": page.grid is not None,
            "user": user,
            "prefs": user.prefs,
            "tenant": call.tenant,
            "tenants": tenants,
            "environment": self._settings.environment,
            "token": form_token(call.request.cookies[self.cookie]),
            "once": self._services.rng.bytes(12).hex(),
            "now": call.now,
            "expires_at": call.session.expires_at,
            "done": call.request.query.get("done", ""),
            "role": user.role.value,
        }
        body_text = here.render(page.template, values)
        return web.Response(
            body=body_text.encode("utf-8", "replace"),
            status=page.status,
            headers={**HEADERS, "Content-Language": call.language},
            content_type="text/html",
            charset="utf-8",
        )

    async def _tenants(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        if len(names) == 1 and names[0] != "*":
            return []
        known = await self._services.tenants()
        return [one for one in known if "*" in names or one[0] in names]

    def fault(self, call: Call, fault: str, status: int) -> web.Response:
        """A page that says what went wrong and what to do."""
        here = renderer(call.language, self._settings.time_zone)
        text = here.render("fault_alone.html", {"fault": fault, "status": status})
        return html(text, status, call.language)

    def _signed_out(
        self, request: web.Request, form: Mapping[str, list[str]], language: str, suffix: str
    ) -> web.Response:
        if suffix or request.headers.get("HX-Request"):
            headers = {**HEADERS, "HX-Redirect": f"{BASE}/login"}
            return web.Response(status=401, headers=headers)
        if request.method == "GET":
            target = f"{BASE}/login?{_next(request)}"
            return web.Response(status=303, headers={**HEADERS, "Location": target})
        kept = [
            (name, value)
            for name, values in form.items()
            for value in values
            if not name.startswith("_")
        ][:_KEPT_FIELDS]
        return self.sign_in_page(request, language, 401, again=(request.path, kept))

    def sign_in_page(
        self,
        request: web.Request,
        language: str,
        status: int = 200,
        *,
        fault: str = "",
        login: str = "",
        after: str = "",
        again: tuple[str, list[tuple[str, str]]] | None = None,
    ) -> web.Response:
        """The page to sign in on; ``again`` is a form to go on with."""
        here = renderer(language, self._settings.time_zone)
        values = {
            "fault": fault,
            "login": login,
            "after": after,
            "again": again,
            "sign_on": self._services.sign_on.name if self._services.sign_on else "",
            "environment": self._settings.environment,
            "prefs": None,
        }
        return html(here.render("login.html", values), status, language)

    @web.middleware
    async def failures(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A fault of ours shows its request id only; an unknown address its own page."""
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            fault, status = ("missing" if error.status == 404 else "invalid"), error.status
        except GatewayError as error:
            _LOG.error("page_failed", error=type(error).__name__, path=_pattern(request))
            fault, status = "overloaded", 503
        language = negotiated("", request.headers.get("Accept-Language"))
        here = renderer(language, self._settings.time_zone)
        return html(
            here.render("fault_alone.html", {"fault": fault, "status": status}), status, language
        )


def token_hash(token: str) -> bytes:
    """What is stored of a session's token."""
    return hashlib.sha256(b"clearance/console-session/1\x00" + token.encode()).digest()


def form_token(token: str) -> str:
    """What a form of this session carries; it follows from the cookie, which no page can read."""
    return hmac.new(token.encode(), b"clearance/console-form/1", hashlib.sha256).hexdigest()


def html(text: str, status: int, language: str) -> web.Response:
    """A page as a response."""
    return web.Response(
        body=text.encode("utf-8", "replace"),
        status=status,
        headers={**HEADERS, "Content-Language": language},
        content_type="text/html",
        charset="utf-8",
    )


def file_response(file: File) -> web.Response:
    """Bytes to keep, under a name of plain characters."""
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{file.name}"'}
    return web.Response(body=file.body, headers={**headers, "Content-Type": file.media})


def _fault_page(fault: str, status: int) -> Page:
    return Page("fault.html", fault, {"fault": fault, "status": status}, status)


def _pattern(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""


def _kept_query(request: web.Request) -> str:
    """What a view that is kept asks for: the filter, not the page of it or what was just done."""
    asked = request.query.items()
    return urlencode([(name, value) for name, value in asked if value and name not in _PASSING])


def _next(request: web.Request) -> str:
    path = request.path_qs.removeprefix(BASE)
    return urlencode({"after": path}) if path not in ("", "/") else ""


def _plain(value: Any) -> Any:  # Any: whatever a model holds that JSON does not know
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return value._asdict()
    return str(value)
