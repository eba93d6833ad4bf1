"""Where HTTP relays bring receipts: ``POST /callbacks/<channel>``, apart from the API of tenants.

A relay shows the token of its channel. It is answered 200 once the bytes are durable, so that it
may forget them; 413 never to bring them again, for they are too large to be read (the log names
them); anything else to bring them again. A call without a body holds nothing to keep: it is a sign
of life, answered 200.
"""

import asyncio
from collections.abc import Mapping
from typing import Final, Protocol

from aiohttp import StreamReader, web

CALLBACKS: Final = "/callbacks"
_BODY_S: Final = 60.0
_KEPT_S: Final = 20.0
_TOKEN_LIMIT: Final = 512
_AGAIN: Final = {"Retry-After": "5"}


class Callee(Protocol):
    """A channel that may be called."""

    def admits(self, token: str) -> bool:
        """Whether the caller is its relay."""
        ...

    async def offer(self, name: str, body: bytes) -> bool:
        """True once the bytes are durable, False when they cannot be taken now."""
        ...

    def refuse(self, name: str) -> None:
        """Tell the operator of a message that is too large to be taken."""
        ...

    @property
    def most_bytes(self) -> int:
        """How large a message may be."""
        ...


def callbacks(callees: Mapping[str, Callee]) -> web.Application:
    """The application to mount at ``CALLBACKS``."""

    async def bring(request: web.Request) -> web.Response:
        callee = callees.get(request.match_info["channel"])
        if callee is None or not callee.admits(_token(request)):
            return _said(401, "unauthenticated", {"WWW-Authenticate": "Bearer"})
        name = request.headers.get("X-Message-Name", "")
        if (request.content_length or 0) > callee.most_bytes:
            callee.refuse(name)
            return _said(413, "too_large", {"Connection": "close"})
        try:
            async with asyncio.timeout(_BODY_S):
                body = await _read(request.content, callee.most_bytes)
        except TimeoutError:
            return _said(408, "too_slow", {"Connection": "close"})
        if body is None:
            callee.refuse(name)
            return _said(413, "too_large", {"Connection": "close"})
        if not body:
            return _said(200, "empty")
        try:
            async with asyncio.timeout(_KEPT_S):
                is_kept = await callee.offer(name, body)
        except TimeoutError:
            is_kept = False
        return _said(200, "kept") if is_kept else _said(503, "not_kept", _AGAIN)

    app = web.Application()
    app.router.add_post("/{channel}", bring)
    return app


def _token(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and len(token) <= _TOKEN_LIMIT else ""


async def _read(content: StreamReader, most_bytes: int) -> bytes | None:
    """The whole body, None when it is too large."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            return None
    return bytes(body)


def _said(status: int, what: str, headers: Mapping[str, str] | None = None) -> web.Response:
    safe = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.json_response({"status": what}, status=status, headers={**safe, **(headers or {})})
