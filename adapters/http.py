"""The one HTTP client: performs the requests that sans-I/O adapters yield.

It calls only what :mod:`adapters.egress` allows, at the addresses that were checked: every new
connection resolves its name anew, and a name with one address that is not allowed is not called at
all. The name still stands in ``Host`` and in the TLS handshake.
"""

import asyncio
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from adapters.base import NO_ANSWER, NOT_ALLOWED, Exchange, Request, Response
from adapters.egress import AddressRefused, EgressPolicy, check_address, checked_url

T = TypeVar("T")

_BODY_CAP: Final = 1024 * 1024
_MAX_ADDRESSES: Final = 16


class CheckedResolver(AbstractResolver):
    """Resolves names through another resolver and gives nothing unless every address may be
    called.
    """

    def __init__(self, names: AbstractResolver, policy: EgressPolicy) -> None:
        self._names = names
        self._policy = policy

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises :class:`AddressRefused`, or ``OSError`` for none."""
        found = await self._names.resolve(host, port, family)
        for one in found:
            check_address(one["host"], self._policy)
        return found[:_MAX_ADDRESSES]

    async def close(self) -> None:
        """Close the other resolver."""
        await self._names.close()


class HTTPClient:
    """A pooled client without redirects, cookies or proxies from the environment.

    ``names`` resolves names, the system's resolver if none is given.
    """

    def __init__(
        self,
        policy: EgressPolicy,
        connections: int = 256,
        per_host: int = 8,
        names: AbstractResolver | None = None,
    ) -> None:
        self._policy = policy
        self._connector = aiohttp.TCPConnector(
            limit=connections,
            limit_per_host=per_host,
            resolver=CheckedResolver(names or aiohttp.ThreadedResolver(), policy),
            use_dns_cache=False,
        )
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "clearance-gateway"},
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
        try:
            request = next(exchange)
            while True:
                request = exchange.send(await self._perform(request))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _perform(self, request: Request) -> Response:
        try:
            async with (
                asyncio.timeout(request.timeout_s),
                self._session.request(
                    request.method,
                    checked_url(request.url, self._policy),
                    headers=request.headers,
                    data=request.body or None,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None),
                ) as answer,
            ):
                body = await _capped(answer.content)
                if body is None:
                    return Response(NO_ANSWER, {}, b"")
                return Response(answer.status, _lower(answer.headers), body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            if isinstance(cause, AddressRefused):
                return Response(NOT_ALLOWED, {}, str(cause).encode())
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
