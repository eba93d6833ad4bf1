"""Runs the authority behind an HTTP relay, as a city's public-service platform presents it.

``POST /send`` takes one envelope. ``GET /receipts?limit=N`` gives what waits, as base64 in a list;
``POST /receipts/ack`` with ``{"ids": [...]}`` drops it. With a callback address each file is
brought there instead, again and again until it is answered 200.
"""

import asyncio
import base64
import contextlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import aiohttp
from aiohttp import web

from adapters.sandbox.customs.authority import CustomsAuthority
from adapters.sandbox.customs.folder import system_clock
from adapters.sandbox.customs.receipts import OutgoingFile

_MOST_BYTES: Final = 16 * 1024 * 1024
_AGAIN_S: Final = 0.5
_POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Callback:
    """Where files are brought to, and the token that is shown there."""

    address: str
    token: str


@dataclass(slots=True)
class Relay:
    """The relay's mailbox in front of one authority; ``token`` is what callers must show."""

    authority: CustomsAuthority
    token: str | None = None
    clock: Callable[[], datetime] = system_clock
    _waiting: dict[str, OutgoingFile] = field(default_factory=dict)
    _numbers: int = 0

    def app(self) -> web.Application:
        """The application of the relay, to be served or mounted."""
        app = web.Application(client_max_size=_MOST_BYTES)
        app.router.add_post("/send", self._send)
        app.router.add_get("/receipts", self._give)
        app.router.add_post("/receipts/ack", self._drop)
        return app

    def let_time_pass(self) -> None:
        """Fetch what the authority has ready."""
        for file in self.authority.due(self.clock()):
            self._numbers += 1
            self._waiting[f"{self._numbers}"] = file

    async def bring(self, callback: Callback, session: aiohttp.ClientSession) -> None:
        """Bring every file that waits, oldest first; stops at the first that is not taken."""
        self.let_time_pass()
        for number, file in list(self._waiting.items()):
            headers = {"Authorization": f"Bearer {callback.token}", "X-Message-Name": file.name}
            async with session.post(
                callback.address, data=file.data, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status != 200:
                    return
            del self._waiting[number]

    async def _send(self, request: web.Request) -> web.Response:
        if not self._admits(request):
            return web.Response(status=401, text="ERROR token")
        if request.content_type == "application/x-www-form-urlencoded":
            field_of_form = (await request.post()).get("xml")
            if not isinstance(field_of_form, str):
                return web.Response(status=400, text="ERROR no field xml")
            envelope = field_of_form.encode()
        else:
            envelope = await request.read()
        self.authority.receive(envelope, self.clock())
        return web.Response(text="OK")

    async def _give(self, request: web.Request) -> web.Response:
        if not self._admits(request):
            return web.Response(status=401)
        self.let_time_pass()
        limit = request.query.get("limit", "16")
        most = int(limit) if limit.isdecimal() and len(limit) < 6 else 16
        messages = [
            {"id": number, "name": file.name, "data": base64.b64encode(file.data).decode()}
            for number, file in list(self._waiting.items())[:most]
        ]
        return web.json_response({"messages": messages})

    async def _drop(self, request: web.Request) -> web.Response:
        if not self._admits(request):
            return web.Response(status=401)
        for number in (await request.json())["ids"]:
            self._waiting.pop(str(number), None)
        return web.Response(status=204)

    def _admits(self, request: web.Request) -> bool:
        if self.token is None:
            return True
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(shown.encode(), self.token.encode())


@asynccontextmanager
async def serving(
    app: web.Application, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve an application for the length of a block; gives its address."""
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        yield f"http://{host}:{site.port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def run_relay(
    relay: Relay, host: str = "127.0.0.1", port: int = 0, *, callback: Callback | None = None
) -> AsyncIterator[str]:
    """Serve the relay for the length of a block; gives its address."""
    async with (
        serving(relay.app(), host, port) as address,
        aiohttp.ClientSession(trust_env=False) as session,
        asyncio.TaskGroup() as tasks,
    ):
        bringing = None
        if callback is not None:
            bringing = tasks.create_task(_keep_bringing(relay, callback, session))
        yield address
        if bringing is not None:
            bringing.cancel()


async def _keep_bringing(relay: Relay, callback: Callback, session: aiohttp.ClientSession) -> None:
    while True:
        wait_s = _POLL_S
        try:
            await relay.bring(callback, session)
        except (aiohttp.ClientError, OSError, TimeoutError):
            wait_s = _AGAIN_S
        with contextlib.suppress(TimeoutError):
            await asyncio.sleep(wait_s)
