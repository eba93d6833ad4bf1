"""Signing in and out: the pages that nobody has to be signed in for."""

import base64
import hmac
from collections.abc import Mapping
from typing import Final

import orjson
from aiohttp import web

from gateway.ports.people import ALL_TENANTS, Secret, Session, SignOnRefused, User
from gateway.web.call import BASE
from gateway.web.guard import HEADERS, Guard, form_token, html, token_hash
from gateway.web.language import negotiated
from gateway.web.passwords import LONGEST, Passwords
from gateway.web.render import renderer
from gateway.web.services import WebServices

_SECOND_US: Final = 1_000_000
_TOKEN_BYTES: Final = 32
_WAITING_S: Final = 600


class SignIn:
    """The pages ``/login`` and ``/logout``."""

    def __init__(self, services: WebServices, guard: Guard) -> None:
        self._services = services
        self._guard = guard
        self._settings = services.settings
        self._passwords = Passwords(is_cheap=services.settings.cheap_passwords)
        self._waiting = f"{guard.cookie}-oidc"

    async def show(self, request: web.Request) -> web.Response:
        """The form; whoever is signed in already goes on."""
        if await self._guard.session(request) is not None:
            return _go(f"{BASE}/")
        return self._guard.sign_in_page(
            request, self._language(request), after=_after(request.query.get("after", ""))
        )

    async def send(self, request: web.Request) -> web.StreamResponse:
        """Compare the password; a wrong one is counted, an unknown login takes as long."""
        found = await self._guard.form(request)
        if isinstance(found, web.Response):
            return found
        language = self._language(request)
        if not self._guard.is_same_origin(request):
            return html(
                renderer(language, self._settings.time_zone).render(
                    "fault_alone.html", {"fault": "foreign_form", "status": 403}
                ),
                403,
                language,
            )
        form = {name: values[0] for name, values in found.items()}
        login = form.get("login", "").strip().lower()[:64]
        after = _after(form.get("after", ""))
        again = _again(found)
        user, fault = await self._compared(login, form.get("password", ""))
        if user is None:
            return self._guard.sign_in_page(
                request, language, 422, fault=fault, login=login, after=after, again=again
            )
        response, token = await self._signed_in(user)
        if again is not None:
            text = renderer(user.prefs.language or language, self._settings.time_zone).render(
                "again.html",
                {
                    "again": again,
                    "token": form_token(token),
                    "environment": self._settings.environment,
                    "prefs": user.prefs,
                },
            )
            page = html(text, 200, language)
            self._set_cookie(page, token, self._settings.longest_s)
            return page
        response.headers["Location"] = BASE + (after or "/")
        return response

    async def _compared(self, login: str, password: str) -> tuple[User | None, str]:
        people, now = self._services.people, self._services.clock.now()
        secret = await people.secret(login) if login else None
        stored = None if secret is None else secret.password_hash
        holds = await self._services.executor.run(self._passwords.holds, stored, password[:LONGEST])
        if secret is None:
            return None, "password"
        user = secret.user
        if user.locked_until > now:
            return None, "locked"
        if not holds or not user.is_active:
            return None, await self._failed(secret)
        return user, ""

    async def _failed(self, secret: Secret) -> str:
        user, settings = secret.user, self._settings
        until = self._services.clock.now() + settings.locked_s * _SECOND_US
        locked = await self._services.people.note_failure(
            user.user_id, settings.wrong_passwords, until
        )
        action = "locked" if locked else "sign_in_failed"
        await self._services.log.note(None, user.actor, action)
        return "locked" if locked else "password"

    async def _signed_in(
        self, user: User, how: Mapping[str, str] | None = None
    ) -> tuple[web.Response, str]:
        now = self._services.clock.now()
        token = self._services.rng.bytes(_TOKEN_BYTES).hex()
        known = [one[0] for one in await self._services.tenants()]
        tenants = known if ALL_TENANTS in user.tenants else list(user.tenants)
        session = Session(
            token_hash=token_hash(token),
            user=user,
            tenant=tenants[0] if tenants else "",  # type: ignore[arg-type]
            created_at=now,
            seen_at=now,
            expires_at=now + self._settings.idle_s * _SECOND_US,
        )
        await self._services.people.open_session(session)
        await self._services.log.note(None, user.actor, "signed_in", None, how)
        response = _go(f"{BASE}/")
        self._set_cookie(response, token, self._settings.longest_s)
        return response, token

    def _set_cookie(self, response: web.Response, token: str, age_s: int) -> None:
        self._set(response, self._guard.cookie, token, age_s)

    def _set(self, response: web.Response, name: str, value: str, age_s: int) -> None:
        response.set_cookie(
            name,
            value,
            max_age=age_s,
            path="/",
            secure=self._settings.secure_cookies,
            httponly=True,
            samesite="Lax",
        )

    async def begin(self, request: web.Request) -> web.Response:
        """Go to the issuer; what its answer must match waits in a cookie of this browser."""
        sign_on = self._services.sign_on
        if sign_on is None:
            raise web.HTTPNotFound
        state, nonce, verifier = (self._services.rng.bytes(_TOKEN_BYTES).hex() for _ in range(3))
        try:
            address = await sign_on.begin(state, nonce, verifier)
        except SignOnRefused as error:
            return await self._refused(request, error.reason)
        response = _go(address)
        after = _after(request.query.get("after", ""))
        kept = orjson.dumps([state, nonce, verifier, after])
        value = base64.urlsafe_b64encode(kept).decode()
        self._set(response, self._waiting, value, _WAITING_S)
        return response

    async def back(self, request: web.Request) -> web.Response:
        """The issuer's answer: only this browser's own question is answered, and only once."""
        sign_on, query = self._services.sign_on, request.query
        if sign_on is None:
            raise web.HTTPNotFound
        kept = _kept(request.cookies.get(self._waiting, ""))
        if kept is None or not hmac.compare_digest(
            kept[0].encode(), query.get("state", "").encode()
        ):
            return await self._refused(request, "state")
        _, nonce, verifier, after = kept
        try:
            if not query.get("code") or "error" in query:
                raise SignOnRefused("code")
            login = await sign_on.finish(query["code"], query.get("iss"), nonce, verifier)
        except SignOnRefused as error:
            return await self._refused(request, error.reason)
        secret = await self._services.people.secret(login[:64])
        if secret is None or not secret.user.is_active:
            return await self._refused(request, "account")
        response, _ = await self._signed_in(secret.user, {"through": sign_on.name})
        response.headers["Location"] = BASE + (_after(after) or "/")
        self._set(response, self._waiting, "", 0)
        return response

    async def _refused(self, request: web.Request, reason: str) -> web.Response:
        await self._services.log.note(None, "-", "sign_on_refused", None, {"reason": reason})
        fault = "no_account" if reason == "account" else "sign_on"
        page = self._guard.sign_in_page(request, self._language(request), 422, fault=fault)
        self._set(page, self._waiting, "", 0)
        return page

    async def leave(self, request: web.Request) -> web.Response:
        """End the session of this browser."""
        session = await self._guard.session(request)
        if session is not None and self._guard.is_same_origin(request):
            await self._services.people.close_session(session.token_hash)
            await self._services.log.note(None, session.user.actor, "signed_out")
        response = _go(f"{BASE}/login")
        self._set_cookie(response, "", 0)
        return response

    def _language(self, request: web.Request) -> str:
        return negotiated(request.query.get("lang", ""), request.headers.get("Accept-Language"))


def _go(location: str) -> web.Response:
    return web.Response(status=303, headers={**HEADERS, "Location": location})


def _after(path: str) -> str:
    """Where to go on: an address of the console, or nothing."""
    is_ours = path.startswith("/") and not path.startswith("//") and "\\" not in path
    return path[:500] if is_ours and path.isprintable() else ""


def _kept(value: str) -> list[str] | None:
    """State, nonce, verifier and where to go on, as they wait in the cookie."""
    try:
        found = orjson.loads(base64.urlsafe_b64decode(value[:2000]))
    except ValueError:
        return None
    is_ours = isinstance(found, list) and len(found) == 4
    return found if is_ours and all(isinstance(one, str) and one for one in found[:3]) else None


def _again(form: dict[str, list[str]]) -> tuple[str, list[tuple[str, str]]] | None:
    """The form that was sent without a live session, carried through signing in."""
    path = form.get("again_path", [""])[0]
    if not path.startswith(f"{BASE}/") or not path.isprintable():
        return None
    names, values = form.get("again_name", []), form.get("again_value", [])
    return path, list(zip(names, values, strict=False))
