"""Signing in through an issuer that is strict about its part of the protocol."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from aiohttp import ClientSession, web
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from gateway.app.config import ConsoleSection, OIDCSection
from gateway.app.demo_world import free_port
from gateway.ports.people import LogFilter
from tests.integration.web.test_console import Visitor
from tests.support.console import serving

BACK = "http://gw.example/console/login/oidc/back"
SECRET = "a secret of two"


@dataclass
class Issuer:
    """Signs in whoever ``user`` names; each code works once, with its verifier only."""

    address: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "k1"}))
    user: str = "clerk"
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def allow(self, location: str) -> str:
        """What the browser brings back after a person signed in at this address."""
        asked = dict(parse_qsl(urlsplit(location).query))
        assert asked["response_type"] == "code"
        assert asked["redirect_uri"] == BACK
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"code={code}&state={asked['state']}&iss={self.address}"

    async def configuration(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "jwks_uri": f"{self.address}/keys",
                "authorization_response_iss_parameter_supported": True,
            }
        )

    async def keys(self, _: web.Request) -> web.Response:
        return web.json_response(KeySet([self.key]).as_dict(private=False))

    async def token(self, request: web.Request) -> web.Response:
        form = await request.post()
        asked = self.codes.pop(str(form.get("code")), None)
        digest = hashlib.sha256(str(form.get("code_verifier")).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        pair = base64.b64encode(f"console:{SECRET.replace(' ', '%20')}".encode()).decode()
        is_known = request.headers.get("Authorization") == f"Basic {pair}"
        if asked is None or challenge != asked["code_challenge"] or not is_known:
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {"iss": self.address, "aud": "console", "sub": "u1", "iat": now, "exp": now + 60,
                  "nonce": asked["nonce"], "login": self.user}  # fmt: skip
        made = jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
        return web.json_response({"id_token": made, "token_type": "Bearer"})


@asynccontextmanager
async def issuing() -> AsyncIterator[Issuer]:
    port = free_port()
    issuer = Issuer(f"http://127.0.0.1:{port}")
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", issuer.configuration)
    app.router.add_get("/keys", issuer.keys)
    app.router.add_post("/token", issuer.token)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield issuer
    finally:
        await runner.cleanup()


async def ask(me: Visitor) -> tuple[str, dict[str, str]]:
    """Where the browser is sent, and the cookies that wait for the answer."""
    async with me.session.get(
        f"{me.base}/console/login/oidc?after=/cases", allow_redirects=False
    ) as sent:
        assert sent.status == 303
        waiting = {name: one.value for name, one in sent.cookies.items()}
        return sent.headers["Location"], waiting


async def bring(me: Visitor, query: str, waiting: dict[str, str]) -> tuple[int, str, Any]:
    cookie = "; ".join(f"{name}={value}" for name, value in waiting.items())
    async with me.session.get(
        f"{me.base}/console/login/oidc/back?{query}", headers={"Cookie": cookie},
        allow_redirects=False,
    ) as answer:  # fmt: skip
        return answer.status, answer.headers.get("Location", ""), answer.cookies


@pytest.mark.slow
async def test_an_issuer_vouches_for_a_login(tmp_path: Path) -> None:
    secret = tmp_path / "oidc-secret"
    secret.write_text(SECRET)
    async with issuing() as issuer:
        oidc = OIDCSection(
            issuer=issuer.address, client_id="console", client_secret_file=secret,
            redirect_uri=BACK, login_claim="login", name="House",
        )  # fmt: skip
        console = ConsoleSection(secure_cookies=False, oidc=oidc)
        with serving(tmp_path / "world", [], console=console) as served:
            # The issuer answers on this test's own loop: nothing here may block it.
            async with ClientSession() as session:
                await _journeys(served.address, session, issuer)
                entries = await served.asked(
                    served.gateway.web.log.entries(None, LogFilter(), None, 50)
                )
    reasons = [one.detail["reason"] for one in entries.items if one.action == "sign_on_refused"]
    assert sorted(reasons) == ["account", "iss", "no_answer", "state", "state"]


async def _journeys(address: str, session: ClientSession, issuer: Issuer) -> None:
    me = Visitor(address, session)
    assert "Sign in with House" in (await me.get("/login")).text
    # As it should be.
    location, waiting = await ask(me)
    query = issuer.allow(location)
    status, target, cookies = await bring(me, query, waiting)
    assert (status, target) == (303, "/console/cases")
    assert cookies["clearance"]["httponly"]
    me.cookie = f"clearance={cookies['clearance'].value}"
    assert (await me.get("/cases")).status == 200
    # The same answer again: its code is used up.
    assert (await bring(me, query, waiting))[0] == 422
    # Another browser's answer, or one that nobody asked for.
    location, waiting = await ask(me)
    query = issuer.allow(location)
    other, theirs = await ask(me)
    assert other != location
    assert (await bring(me, query, theirs))[0] == 422
    assert (await bring(me, query, {}))[0] == 422
    # An answer of another issuer mixed in.
    mixed = query.replace("iss=", "iss=http://evil.example/")
    assert (await bring(me, mixed, waiting))[0] == 422
    # Somebody whom the issuer knows, without an account here.
    issuer.user = "somebody-else"
    location, waiting = await ask(me)
    assert (await bring(me, issuer.allow(location), waiting))[0] == 422
