"""The stream of events: a page with long poll, or Server-Sent Events that resume where they broke.

A stream of Server-Sent Events ends by itself after some minutes and when the gateway drains; the
reader reconnects with ``Last-Event-ID``, as browsers do, and misses nothing.
"""

import asyncio
from collections import Counter
from typing import Final

import orjson
from aiohttp import web

from gateway.api.call import Answer, Call, Stream
from gateway.api.problems import P, Problem, Refusal
from gateway.api.query import EVENTS, Query
from gateway.api.services import Services
from gateway.api.settings import APISettings
from gateway.api.views import event_view
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import TenantId
from gateway.ports import StoredEvent

SSE_TYPE: Final = "text/event-stream"
LAST_EVENT: Final = "Last-Event-ID"
_PAGE: Final = 50
_SSE_PAGE: Final = 200


class Events:
    """The stream route."""

    def __init__(self, services: Services, settings: APISettings, draining: asyncio.Event) -> None:
        self._reads = services.reads
        self._clock = services.clock
        self._settings = settings
        self._draining = draining
        # Open streams by key, so that one caller cannot take every place.
        self._open: Counter[str] = Counter()

    async def events(self, call: Call) -> Answer:
        """Events after a cursor, in commit order: one page, or a stream that goes on."""
        query = Query(call, EVENTS)
        limit = query.whole("limit", 1, self._settings.page_limit, _PAGE)
        wait_s = query.whole("wait", 0, self._settings.wait_limit_s, 0)
        query.finish()
        after = query.text("after")
        if SSE_TYPE in call.request.headers.get("Accept", ""):
            return await self._stream_from(call, call.request.headers.get(LAST_EVENT) or after)
        now = asyncio.get_running_loop().time
        until = now() + wait_s
        page = await self._reads.events(call.tenant, after, limit)
        while not page.items and now() < until and not self._draining.is_set():
            await self._clock.sleep(self._settings.wait_poll_s)
            page = await self._reads.events(call.tenant, after, limit)
        last = page.items[-1].cursor if page.items else after
        doc = {"events": [event_view(one) for one in page.items], "after": last}
        return Answer(orjson.dumps(doc))

    async def _stream_from(self, call: Call, after: str | None) -> Answer:
        """The answer that goes on; a foreign cursor is refused before it begins."""
        settings, key_id = self._settings, call.caller.key_id
        is_full = self._open.total() >= settings.streams
        is_full |= self._open[key_id] >= settings.streams_per_key
        if is_full or self._draining.is_set():
            wait = str(self._settings.retry_after_s)
            raise Refusal(Problem(P.OVERLOADED, headers={"Retry-After": wait}))
        try:
            await self._reads.events(call.tenant, after, 1)
        except InvalidValue:
            raise InvalidValue("after", "is not a cursor of this list") from None
        headers = {"X-Accel-Buffering": "no"}
        return Answer(b"", 200, SSE_TYPE, headers, stream=self._writer(call, after))

    def _writer(self, call: Call, after: str | None) -> Stream:
        key_id = call.caller.key_id

        async def write(response: web.StreamResponse) -> None:
            self._open[key_id] += 1
            try:
                await self._write(response, call.tenant, after)
            finally:
                self._open[key_id] -= 1
                if not self._open[key_id]:
                    del self._open[key_id]

        return write

    async def _write(
        self, response: web.StreamResponse, tenant: TenantId, after: str | None
    ) -> None:
        settings, now = self._settings, asyncio.get_running_loop().time
        until, said_at = now() + settings.stream_s, now()
        await self._say(response, b"retry: 1000\n\n")
        while now() < until and not self._draining.is_set():
            page = await self._reads.events(tenant, after, _SSE_PAGE)
            if page.items:
                after, said_at = page.items[-1].cursor, now()
                await self._say(response, b"".join(map(_sse, page.items)))
                continue
            if now() - said_at >= settings.heartbeat_s:
                said_at = now()
                await self._say(response, b": alive\n\n")
            await self._clock.sleep(settings.wait_poll_s)

    async def _say(self, response: web.StreamResponse, data: bytes) -> None:
        """Write; a reader who does not read for two heartbeats is let go."""
        async with asyncio.timeout(2 * self._settings.heartbeat_s):
            await response.write(data)


def _sse(stored: StoredEvent) -> bytes:
    data = orjson.dumps(event_view(stored))
    kind = stored.event.kind.value.encode()
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (stored.cursor.encode(), kind, data)
