"""Runs the authority behind an AMQP 0-9-1 broker: one queue it consumes, one it fills.

It is the node of this line, so it declares both queues, durable; what it publishes is persistent.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractQueue
from yarl import URL

from adapters.sandbox.customs.authority import CustomsAuthority
from adapters.sandbox.customs.folder import system_clock

MESSAGES_A_TURN: Final = 32
_POLL_S: Final = 0.02


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
) -> None:
    """Serve the queues until ``stop`` is set or the task is cancelled; raises when the broker
    goes away.
    """
    ended = stop or asyncio.Event()
    address = URL(url) if password is None else URL(url).with_password(password)
    connection = await aio_pika.connect(str(address))
    async with connection, await connection.channel(publisher_confirms=True) as channel:
        inbox = await channel.declare_queue(line.sent, durable=True)
        await channel.declare_queue(line.received, durable=True)
        while not ended.is_set():
            taken = await _take(authority, inbox, clock)
            await _give(authority, channel.default_exchange, line.received, clock)
            if not taken:
                await _pause(ended)


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


async def _give(
    authority: CustomsAuthority,
    exchange: AbstractExchange,
    queue: str,
    clock: Callable[[], datetime],
) -> None:
    for file in authority.due(clock()):
        message = aio_pika.Message(
            file.data,
            content_type="text/xml",
            message_id=file.name,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await exchange.publish(message, queue)


async def _pause(ended: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_POLL_S):
            await ended.wait()
