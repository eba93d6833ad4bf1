"""A broker: messages go to an exchange, receipts wait in a queue (AMQP 0-9-1, as RabbitMQ speaks).

Somebody else declares exchange and queues; what is missing is told and never made. A message is
handed over when the broker has confirmed it: persistent, and routed to a queue. Receipts are
fetched one by one and stay the broker's until they are acknowledged: those of a connection that
ended come again.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import aio_pika
from aio_pika.abc import (
    AbstractChannel,
    AbstractConnection,
    AbstractExchange,
    AbstractIncomingMessage,
    AbstractQueue,
)
from aio_pika.exceptions import CONNECTION_EXCEPTIONS, DeliveryError, PublishError
from yarl import URL

from adapters.base import ChannelDown
from adapters.customs.channels.folder import MOST_BYTES
from gateway.ports import Received, SendOutcome

_CONNECT_S: Final = 10.0
_HEARTBEAT_S: Final = 30
_MEDIA: Final = "text/xml"
_MOST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class Queues:
    """Where messages go and come from: ``exchange`` empty is the default exchange, with ``send``
    as the name of a queue; ``error`` takes messages that are too large to be read.
    """

    send: str
    receive: str
    exchange: str = ""
    error: str | None = None


@dataclass(slots=True)
class _Session:
    """One connection; what it fetched can be acknowledged on it alone."""

    number: int
    connection: AbstractConnection
    channel: AbstractChannel
    exchange: AbstractExchange
    queue: AbstractQueue
    held: dict[str, AbstractIncomingMessage] = field(default_factory=dict)


class BrokerChannel:
    """A pair of queues at one broker; connects when it is first used, and again after a loss.

    ``url`` may name a user; the password is given apart. ``set_aside`` is told the channel and the
    name of every message over ``most_bytes``: it goes to the error queue, or stays unacknowledged
    where there is none. Close it with :meth:`close`.
    """

    def __init__(
        self,
        name: str,
        url: str,
        password: str | None,
        queues: Queues,
        *,
        most_bytes: int = MOST_BYTES,
        set_aside: Callable[[str, str], None] | None = None,
    ) -> None:
        self.name = name
        address = URL(url) if password is None else URL(url).with_password(password)
        self._address = address.update_query(heartbeat=_HEARTBEAT_S)
        self._queues = queues
        self._most_bytes = most_bytes
        self._set_aside = set_aside
        self._session: _Session | None = None
        self._connecting = asyncio.Lock()
        self._fetching = asyncio.Lock()
        self._numbers = 0

    async def send(self, file_name: str, envelope: bytes) -> SendOutcome:
        """Publish one message; its name is its message id, so that a repeat can be told.

        REFUSED: no connection, not routed, or the broker said no. UNKNOWN: the connection ended
        before the broker had confirmed.
        """
        try:
            session = await self._connected()
        except ChannelDown:
            return SendOutcome.REFUSED
        message = aio_pika.Message(
            envelope,
            content_type=_MEDIA,
            content_encoding="utf-8",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=file_name,
        )
        try:
            await session.exchange.publish(message, self._queues.send, mandatory=True)
        except (DeliveryError, PublishError):
            return SendOutcome.REFUSED
        except CONNECTION_EXCEPTIONS:
            return SendOutcome.UNKNOWN
        return SendOutcome.HANDED_OVER

    async def receive(self, limit: int) -> list[Received]:
        """Up to ``limit`` messages, oldest first; they stay until acknowledged.

        What this connection fetched and nobody acknowledged is given again, before newer ones.
        Raises :class:`ChannelDown`.
        """
        async with self._fetching, self._told():
            session = await self._connected()
            while len(session.held) < limit:
                message = await session.queue.get(fail=False, timeout=_CONNECT_S)
                if message is None:
                    break
                await self._hold(session, message)
            waiting = list(session.held.items())[:limit]
        return [Received(_name_of(message), message.body, token) for token, message in waiting]

    async def acknowledge(self, tokens: Sequence[str]) -> None:
        """Let the broker drop messages whose bytes are durable; those of an earlier connection are
        not ours any more and come again.
        """
        async with self._told():
            session = self._session
            for token in tokens:
                message = None if session is None else session.held.pop(token, None)
                if message is not None:
                    await message.ack()

    async def check(self) -> None:
        """Raises :class:`ChannelDown` unless the broker answers and both queues are there."""
        async with self._told():
            session = await self._connected()
            # On a channel of its own: asking for what is missing closes the channel that asks.
            async with session.connection.channel() as asking:
                await asking.get_queue(self._queues.receive, ensure=True)
                if not self._queues.exchange:
                    await asking.get_queue(self._queues.send, ensure=True)

    async def close(self) -> None:
        """End the connection; what was not acknowledged stays at the broker."""
        session, self._session = self._session, None
        if session is not None:
            await session.connection.close()

    async def _hold(self, session: _Session, message: AbstractIncomingMessage) -> None:
        token = f"{session.number}-{message.delivery_tag}"
        if len(message.body) <= self._most_bytes:
            session.held[token] = message
            return
        if self._queues.error is not None:
            # The default exchange, always: the error queue is named, not routed to.
            errors = session.channel.default_exchange
            copy = aio_pika.Message(
                message.body,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                message_id=message.message_id,
            )
            await errors.publish(copy, self._queues.error, mandatory=True)
            await message.ack()
        if self._set_aside is not None:
            self._set_aside(self.name, _name_of(message))

    async def _connected(self) -> _Session:
        """The session, a new one after a loss. Raises :class:`ChannelDown`."""
        async with self._connecting:
            session = self._session
            if session is not None:
                if not (session.connection.is_closed or session.channel.is_closed):
                    return session
                self._session = None
                if not session.connection.is_closed:
                    await session.connection.close()
            async with self._told():
                self._session = await self._connect()
            return self._session

    async def _connect(self) -> _Session:
        connection = await aio_pika.connect(str(self._address), timeout=_CONNECT_S)
        try:
            channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
            queues = self._queues
            exchange = (
                await channel.get_exchange(queues.exchange, ensure=True)
                if queues.exchange
                else channel.default_exchange
            )
            queue = await channel.get_queue(queues.receive, ensure=True)
        except BaseException:
            await connection.close()
            raise
        self._numbers += 1
        return _Session(self._numbers, connection, channel, exchange, queue)

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        """What the broker or the network does wrong becomes :class:`ChannelDown`, without a word
        of the address.
        """
        try:
            yield
        except (*CONNECTION_EXCEPTIONS, TimeoutError) as error:
            reason = type(error).__name__
            raise ChannelDown(f"{self.name}: the broker cannot be used ({reason})") from error


def _name_of(message: AbstractIncomingMessage) -> str:
    """What to call a message: its id, which is the sender's to choose."""
    name = message.message_id or f"message-{message.delivery_tag}"
    return "".join(one if one.isprintable() else "?" for one in name)[:_MOST_NAME]
