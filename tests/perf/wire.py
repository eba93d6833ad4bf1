"""A small HTTP/1.1 client for load: cheap enough that the generator does not set the pace."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


@dataclass(frozen=True, slots=True)
class Reply:
    """The status and body of an answer."""

    status: int
    body: bytes


def request(
    path: str,
    host: str,
    body: bytes,
    *,
    token: str = "",
    media: str = "application/json",
    prefer: str = "",
) -> bytes:
    """The bytes of one POST."""
    key = f"authorization: Bearer {token}\r\n" if token else ""
    wish = f"prefer: {prefer}\r\n" if prefer else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\n{key}{wish}"
        f"content-type: {media}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def take_reply(buffer: bytearray) -> Reply | None:
    """Take a complete answer off the front of a buffer; None when more has to come.

    Raises ``ValueError`` for an answer without a length: the gateway always gives one.
    """
    end = buffer.find(_HEAD_END)
    if end < 0:
        return None
    head = bytes(buffer[:end]).lower()
    at = head.find(_LENGTH)
    if at < 0:
        if b" 204" not in head.partition(b"\r\n")[0]:
            raise ValueError("an answer has no Content-Length")
        length = 0
    else:
        length = int(head[at + len(_LENGTH) :].partition(b"\r\n")[0])
    begin = end + len(_HEAD_END)
    if len(buffer) < begin + length:
        return None
    reply = Reply(int(head[9:12]), bytes(buffer[begin : begin + length]))
    del buffer[: begin + length]
    return reply


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request in flight."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiter: asyncio.Future[Reply] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, host: str, port: int) -> Connection:
        """Connect."""
        _, protocol = await asyncio.get_running_loop().create_connection(cls, host, port)
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Gather, and wake who waits when the answer is whole."""
        self._buffer += data
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        try:
            reply = take_reply(self._buffer)
        except ValueError as error:
            waiter.set_exception(error)
            return
        if reply is not None:
            waiter.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionError("the connection was closed"))

    async def ask(self, raw: bytes) -> Reply:
        """Send one request and give its answer."""
        assert self._transport is not None
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(raw)
        return await self._waiter

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()
