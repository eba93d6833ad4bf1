"""Runs the authority behind an AMQP 0-9-1 broker: one queue it consumes, one it fills.

It is the node of this line, so it declares both queues, durable. What it publishes is persistent
and confirmed before the message that caused it is acknowledged.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import aio_pika

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
    clock: Callable[[], datetime] = system_clock,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve the queues until ``stop`` is set or the task is cancelled; raises when the broker
    goes away.
    """
    ended = stop or asyncio.Event()
    connection = await aio_pika.connect(url)
    async with connection, await connection.channel(publisher_confirms=True) as channel:
        inbox = await channel.declare_queue(line.sent, durable=True)
        await channel.declare_queue(line.received, durable=True)
        while not ended.is_set():
            taken = 0
            while taken < MESSAGES_A_TURN:
                message = await inbox.get(fail=False)
                if message is None:
                    break
                authority.receive(message.body, clock())
                await message.ack()
                taken += 1
            for file in authority.due(clock()):
                copy = aio_pika.Message(
                    file.data,
                    content_type="text/xml",
                    message_id=file.name,
                    delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                )
                await channel.default_exchange.publish(copy, line.received)
            if not taken:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_POLL_S):
                        await ended.wait()
