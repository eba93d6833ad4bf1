"""Runs the authority behind an AMQP 0-9-1 broker: one queue it consumes, one it fills.

It is the node of this line, so it declares both queues, durable; what it publishes is persistent.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractQueue
from aio_pika.exceptions import AMQPError, ChannelInvalidStateError
from yarl import URL

from adapters.sandbox.customs.authority import CustomsAuthority
from adapters.sandbox.customs.folder import system_clock
from adapters.sandbox.customs.receipts import OutgoingFile

MESSAGES_A_TURN: Final = 32
_POLL_S: Final = 0.02
_AGAIN_S: Final = 1.0
_GONE: Final = (AMQPError, ChannelInvalidStateError, OSError)


@dataclass(frozen=True, slots=True)
class Line:
    """The two queues of one DXP user: what the user sends, what the user is sent."""

    sent: str = "dxp.send"
    received: str = "dxp.receive"


async def run_broker(
    authority: CustomsAuthority,
    url: str,
    line: Line,
    *,
    password: str | None = None,
    clock: Callable[[], datetime] = system_clock,
    stop: asyncio.Event | None = None,
    waiting: deque[OutgoingFile] | None = None,
) -> None:
    """Serve the queues until ``stop`` is set or the task is cancelled; raises when the broker
    goes away. What it has not taken by then is left in ``waiting``.
    """
    ended = stop or asyncio.Event()
    files = deque[OutgoingFile]() if waiting is None else waiting
    address = URL(url) if password is None else URL(url).with_password(password)
    connection = await aio_pika.connect(str(address))
    async with connection, await connection.channel(publisher_confirms=True) as channel:
        inbox = await channel.declare_queue(line.sent, durable=True)
        await channel.declare_queue(line.received, durable=True)
        while not ended.is_set():
            taken = await _take(authority, inbox, clock)
            files.extend(authority.due(clock()))
            await _give(files, channel.default_exchange, line.received)
            if not taken:
                await _pause(ended)


async def keep_serving(
    authority: CustomsAuthority,
    url: str,
    line: Line,
    tell: Callable[[str], None],
    *,
    password: str | None = None,
    clock: Callable[[], datetime] = system_clock,
) -> None:
    """Serve the queues until the task is cancelled, again whenever the broker is back.

    ``tell`` hears why it is away, once for each reason on end.
    """
    waiting = deque[OutgoingFile]()
    told = ""
    while True:
        try:
            await run_broker(authority, url, line, password=password, clock=clock, waiting=waiting)
        except _GONE as error:
            reason = type(error).__name__
            if reason != told:
                tell(reason)
            told = reason
        await asyncio.sleep(_AGAIN_S)


async def _take(
    authority: CustomsAuthority, inbox: AbstractQueue, clock: Callable[[], datetime]
) -> int:
    """Let the authority take what waits; how many messages."""
    taken = 0
    while taken < MESSAGES_A_TURN and (message := await inbox.get(fail=False)) is not None:
        authority.receive(message.body, clock())
        await message.ack()
        taken += 1
    return taken


async def _give(files: deque[OutgoingFile], exchange: AbstractExchange, queue: str) -> None:
    """Publish the files in their order; each waits until the broker has taken it."""
    while files:
        message = aio_pika.Message(
            files[0].data,
            content_type="text/xml",
            message_id=files[0].name,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await exchange.publish(message, queue)
        files.popleft()


async def _pause(ended: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_POLL_S):
            await ended.wait()
