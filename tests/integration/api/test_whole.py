"""Answers that the listener writes itself: the bytes that aiohttp would have written, and no less
careful with a slow reader, a peer who has gone and a header that would end its line.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
import structlog
from aiohttp import web

from gateway.api.app import create_app, serving
from gateway.api.call import Answer, Call, Route
from gateway.api.guard import Guard
from gateway.api.server import EdgeHandler, EdgeRunner
from gateway.api.settings import APISettings
from gateway.api.whole import Whole
from tests.integration.api.conftest import QUICK
from tests.unit.api.fakes import order_doc, world

_DATE = re.compile(rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n")
KEY = "Authorization: Bearer alpha-seller"


def raw(method: str, path: str, *headers: str, doc: Any = None, version: str = "1.1") -> bytes:
    body = b"" if doc is None else orjson.dumps(doc)
    lines = [f"{method} {path} HTTP/{version}", "Host: x", "X-Request-Id: mine", *headers]
    if doc is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join((*lines, "", "")).encode() + body


async def said(port: int, sent: bytes) -> bytes:
    """All that comes back until the connection is closed, at whatever second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return _DATE.sub(b"\r\nDate: now\r\n", answer)


@asynccontextmanager
async def aiohttp_serving(app: web.Application) -> AsyncIterator[int]:
    """aiohttp's own listener, which knows nothing of answers in one piece."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.port
    finally:
        await runner.cleanup()


CLOSE = "Connection: close"
GOOD, BAD = order_doc(), {**order_doc(), "paid": "x"}
REQUESTS = {
    "open": raw("GET", "/healthz", CLOSE),
    "new": raw("POST", "/v1/orders", KEY, CLOSE, doc=GOOD),
    "kept open": raw("POST", "/v1/orders", KEY, doc=GOOD) + raw("GET", "/healthz", CLOSE),
    "faulty": raw("POST", "/v1/orders", KEY, CLOSE, "Accept-Language: zh", doc=BAD),
    "not allowed in": raw("GET", "/v1/cases", CLOSE),
    "unknown": raw("GET", "/v1/cases/none", KEY, CLOSE),
    "no address": raw("GET", "/nowhere", KEY, CLOSE),
    "no method": raw("DELETE", "/v1/orders", KEY, CLOSE),
    "kept answer": 2 * raw("POST", "/v1/orders", KEY, "Idempotency-Key: one", doc=GOOD)
    + raw("GET", "/healthz", CLOSE),
    "headers of its own": raw("GET", "/v1/docs", CLOSE),
    "a page": raw("GET", "/v1/docs/problems", CLOSE),
    "bytes": raw("GET", "/v1/messages/MSG-alpha", KEY, CLOSE),
    "an upgrade declined": raw("GET", "/healthz", "Connection: upgrade", "Upgrade: websocket")
    + raw("GET", "/healthz", CLOSE),
    "expecting": raw("POST", "/v1/orders", KEY, CLOSE, "Expect: 100-continue", doc=GOOD),
    "written otherwise": raw("POST", "/v1/%6frders", KEY, CLOSE, doc=GOOD),
    "with a query": raw("POST", "/v1/orders?a=1", KEY, CLOSE, doc=GOOD),
    "a faulty query": raw("GET", "/v1/cases?a=1", KEY, CLOSE),
    "a good query": raw("GET", "/v1/cases?limit=1&state=%68eld", KEY, CLOSE),
    "a query twice": raw("GET", "/v1/cases?limit=1?limit=2#limit=3", KEY, CLOSE),
    "a query with a slash": raw("GET", "/healthz?/../v1/cases", CLOSE),
    "a fragment": raw("GET", "/healthz#a?b", CLOSE),
    "to a proxy": raw("GET", "http://x/healthz", CLOSE),
    "with a slash": raw("GET", "/healthz/", CLOSE),
    "with two slashes": raw("GET", "//healthz", CLOSE),
    "HTTP/1.0": raw("GET", "/healthz", version="1.0"),
    "HTTP/1.0 kept open": raw("GET", "/healthz", "Connection: keep-alive", version="1.0")
    + raw("GET", "/healthz", version="1.0"),
    "head": raw("HEAD", "/healthz", CLOSE),
}


@pytest.mark.parametrize("name", REQUESTS)
async def test_the_bytes_are_those_that_aiohttp_writes(name: str) -> None:
    sent = REQUESTS[name]
    async with serving(create_app(world().services, QUICK)) as running:
        ours = await said(running.port, sent)
    async with aiohttp_serving(create_app(world().services, QUICK)) as port:
        assert ours == await said(port, sent)
    for line in (b"\r\nX-Request-Id: mine\r\n", b"\r\nDate: now\r\n"):
        assert ours.count(line) == sent.count(b" HTTP/1.")


@asynccontextmanager
async def giving(*answers: Answer, settings: APISettings = QUICK) -> AsyncIterator[int]:
    """A listener whose ``GET /`` gives these answers, one after another."""
    waiting = list(answers)

    async def give(call: Call) -> Answer:
        return waiting.pop(0)

    guard, app = Guard(world().services, settings), web.Application()
    by_path = {("GET", "/"): guard.wrap(Route("GET", "/", give, "", None))}
    runner = EdgeRunner(app, by_path, guard.failed, settings)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.port
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("status", [204, 304])
async def test_a_status_without_a_body_brings_none(status: int) -> None:
    async with giving(Answer(b"", status), Answer(b"{}")) as port:
        answer = await said(port, raw("GET", "/") + raw("GET", "/", CLOSE))
    first, _, second = answer.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Length" not in first
    assert second.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"{}", headers={"Location": "/a\r\nSet-Cookie: b=c"}),
        Answer(b"{}", headers={"Location": "/a\nb"}),
        Answer(b"{}", headers={"Location": "/\x00"}),
        Answer(b"{}", headers={"A\r\nB": "c"}),
        Answer(b"{}", media="text/html\r\nSet-Cookie: b=c"),
    ],
    ids=range(5),
)
async def test_a_header_that_would_end_its_line_is_never_sent(answer: Answer) -> None:
    with structlog.testing.capture_logs() as logs:
        async with giving(answer) as port:
            assert await said(port, raw("GET", "/")) == b""
    assert [(log["event"], log["error"]) for log in logs] == [("request_failed", "ValueError")]


async def test_a_caller_who_does_not_read_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next request of a connection is not answered while the last answer waits to be read."""
    taken: list[int] = []
    finish = EdgeHandler.finish_response

    async def finished(self: EdgeHandler, *arguments: Any) -> tuple[web.StreamResponse, bool]:
        assert isinstance(arguments[1], Whole)
        found = await finish(self, *arguments)
        taken.append(1)
        return found

    monkeypatch.setattr(EdgeHandler, "finish_response", finished)
    large = Answer(b"x" * 8_000_000)
    async with giving(large, large, settings=replace(QUICK, header_deadline_s=5)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(raw("GET", "/") + raw("GET", "/", CLOSE))
        await reader.readuntil(b"\r\n\r\n")
        await asyncio.sleep(0.1)
        assert taken == []
        rest = await reader.read()
        assert len(taken) == 2
        assert rest.count(b"x" * 8_000_000) == 2
        writer.close()
        await writer.wait_closed()


async def test_a_caller_who_goes_while_the_answer_waits_ends_it_quietly() -> None:
    with structlog.testing.capture_logs() as logs:
        async with giving(Answer(b"x" * 8_000_000)) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
            writer.write(raw("GET", "/"))
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
            await asyncio.sleep(0.1)
    assert logs == []
