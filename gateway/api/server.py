"""The listener: aiohttp's server with the deadlines and caps that it does not have.

Measured on aiohttp 3.14: a partial request line, partial headers, a partial body and an idle fresh
connection all stay open for minutes. Here a timer runs from the connection (or from the first byte
of a later request) until a request is parsed; bodies have their deadline where they are read.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from gateway.api.settings import APISettings
from gateway.api.whole import Whole

MAX_HEADERS: Final = 64
MAX_HEADER_BYTES: Final = 8190
_TOO_SLOW: Final = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_BUSY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
    b"Content-Length: 0\r\n\r\n"
)

# Notes a failure (the request, what was raised, the status) and gives the answer to it.
Failed = Callable[[web.BaseRequest | None, BaseException | None, int], web.Response]
Handler = Callable[[Any], Awaitable[web.StreamResponse]]  # Any: a request of aiohttp's making
# The handlers of routes whose path is one text, by method and path.
ByPath = Mapping[tuple[str, str], Handler]


class EdgeHandler(RequestHandler):
    """One connection: closed when its headers take too long, refused when its peer has too many."""

    __slots__ = ("_deadline", "_edge", "_peer")

    def __init__(self, edge: "EdgeServer", **settings: Any) -> None:
        super().__init__(edge, **settings)
        self._edge = edge
        self._deadline: asyncio.TimerHandle | None = None
        self._peer: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admit a connection and give its first request a deadline."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._peer = peer[0] if isinstance(peer, tuple) else ""
        if not self._edge.admit(self._peer):
            if isinstance(transport, asyncio.WriteTransport):
                transport.write(_BUSY)
            self.force_close()
            return
        self._start_deadline()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the connection's place back."""
        self._stop_deadline()
        if self._peer is not None:
            self._edge.leave(self._peer)
            self._peer = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; the deadline ends with a parsed request and begins with the first bytes of one."""
        before = self._request_count
        super().data_received(data)
        if self._request_count != before:
            self._stop_deadline()
        elif self._deadline is None and self._waiter is not None and not self._force_close:
            self._start_deadline()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer, in one piece where that fits; True with it when the peer has gone.

        Bytes that came behind a declined upgrade are aiohttp's to parse first.
        """
        piece = None
        if isinstance(resp, Whole) and not self._upgraded:
            piece = resp.in_one_piece(request)
        if piece is None:
            return await super().finish_response(request, resp, start_time)
        request._finish()
        transport = self.transport
        if transport is None or transport.is_closing():
            return resp, True
        request.writer.output_size += len(piece)
        transport.write(piece)
        if self.writing_paused:
            try:
                await request.writer.drain()
            except ConnectionError:
                return resp, True
        return resp, False

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What no handler answered for: broken HTTP (400) or a fault of ours (500)."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer was already on its way")
        return self._edge.failed(request, exc, status)

    def log_exception(self, *arguments: Any, **named: Any) -> None:
        """Log the place of a fault outside any request, not its text."""
        fault = named.get("exc_info")
        self._edge.failed(None, fault if isinstance(fault, BaseException) else None, 500)

    def _start_deadline(self) -> None:
        self._deadline = self._loop.call_later(self._edge.settings.header_deadline_s, self._expire)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.write(_TOO_SLOW)
        self.force_close()


class EdgeServer(web.Server):
    """Makes connections and counts them, in all and by peer."""

    def __init__(
        self, plain: web.Server, by_path: ByPath, failed: Failed, settings: APISettings
    ) -> None:
        handler = _straight(by_path, plain.request_handler)
        super().__init__(handler, request_factory=plain.request_factory)
        self.settings = settings
        self.failed = failed
        self._peers: Counter[str] = Counter()

    def __call__(self) -> RequestHandler:
        """The protocol of a new connection."""
        return EdgeHandler(
            self,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=self.settings.idle_s,
            lingering_time=self.settings.lingering_s,
            max_headers=MAX_HEADERS,
            max_field_size=MAX_HEADER_BYTES,
            max_line_size=MAX_HEADER_BYTES,
            access_log=None,
            # The guard undoes encodings itself: aiohttp takes a stream that was cut off as whole.
            auto_decompress=False,
        )

    def admit(self, peer: str) -> bool:
        """Count a connection in; False when there are too many of its peer, or in all."""
        self._peers[peer] += 1
        if self._peers.total() > self.settings.connections:
            return False
        is_exempt = peer in self.settings.exempt_peers
        return is_exempt or self._peers[peer] <= self.settings.connections_per_peer

    def leave(self, peer: str) -> None:
        """Count a connection out."""
        self._peers[peer] -= 1
        if self._peers[peer] <= 0:
            del self._peers[peer]


class EdgeRunner(web.AppRunner):
    """An application's runner whose connections are :class:`EdgeHandler`."""

    __slots__ = ("_by_path", "_failed", "_settings")

    def __init__(
        self, app: web.Application, by_path: ByPath, failed: Failed, settings: APISettings
    ) -> None:
        super().__init__(app, shutdown_timeout=settings.drain_s)
        self._by_path = by_path
        self._failed = failed
        self._settings = settings

    async def _make_server(self) -> web.Server:
        return EdgeServer(await super()._make_server(), self._by_path, self._failed, self._settings)


def _straight(by_path: ByPath, otherwise: Handler) -> Handler:
    """A handler that leads requests for these paths past aiohttp's router and middlewares.

    A path that is written in any other way, and a request that waits for leave to send its body go
    aiohttp's way.
    """

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        handler = by_path.get((request.method, request.raw_path.partition("?")[0]))
        if handler is None or "Expect" in request.headers:
            return otherwise(request)
        return handler(request)

    return handle
