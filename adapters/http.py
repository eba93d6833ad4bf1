"""The one HTTP client: performs the requests that sans-I/O adapters yield."""

from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self, TypeVar

import aiohttp

from adapters.base import Exchange, Request, Response

T = TypeVar("T")

_BODY_CAP: Final = 1024 * 1024
NO_ANSWER: Final = 599
"""The status of a :class:`Response` when there was none: refused, reset, timed out, too large."""


class HTTPClient:
    """A pooled client without redirects, cookies or proxies from the environment."""

    def __init__(self, connections: int = 64, per_host: int = 8) -> None:
        self._connector = aiohttp.TCPConnector(limit=connections, limit_per_host=per_host)
        self._session = aiohttp.ClientSession(
            connector=self._connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def run(self, exchange: Exchange[T]) -> T:
        """Drive a conversation to its end. What the network does wrong becomes a response."""
        request = next(exchange)
        while True:
            response = await self._perform(request)
            try:
                request = exchange.send(response)
            except StopIteration as end:
                result: T = end.value
                return result

    async def _perform(self, request: Request) -> Response:
        try:
            async with self._session.request(
                request.method,
                request.url,
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=request.timeout_s),
            ) as answer:
                body = await _capped(answer.content)
                if body is None:
                    return Response(NO_ANSWER, {}, b"")
                return Response(answer.status, _lower(answer.headers), body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return Response(NO_ANSWER, {}, b"")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


async def _capped(content: aiohttp.StreamReader) -> bytes | None:
    """The whole body, None when it is larger than any answer should be."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > _BODY_CAP:
            return None
    return bytes(body)
