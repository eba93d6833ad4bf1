"""A broker that goes away loses no receipt of the sandbox customs, and is tried again."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aio_pika.exceptions import ChannelInvalidStateError

from adapters.sandbox.customs import CustomsAuthority, Settings, broker
from tests.unit.sandbox import wire


class Broker:
    """Takes no connection at first, then fails at the second file, then is well."""

    def __init__(self, sent: list[bytes]) -> None:
        self.sent = sent
        self.given: list[str] = []
        self.connections = 0
        self.fails_at = 2
        self.done = asyncio.Event()

    def connected(self) -> None:
        self.connections += 1
        if self.connections == 1:
            raise ConnectionRefusedError

    async def get(self, *, fail: bool) -> Any:
        if not self.sent:
            return None
        return SimpleNamespace(body=self.sent.pop(0), ack=self._ack)

    async def _ack(self) -> None:
        pass

    async def publish(self, message: Any, queue: str) -> None:
        if len(self.given) + 1 == self.fails_at:
            self.fails_at = 0
            raise ChannelInvalidStateError("closed")
        self.given.append(message.message_id)
        if len(self.given) == 3:
            self.done.set()


async def test_a_broker_that_comes_back_gets_what_it_missed(
    signer: wire.Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        wire.envelope(signer.sign(wire.message(wire.order(f"SIM-EARLY-{number}"))),
                      cop_msg_id=f"M{number}")
        for number in range(2)
    ]  # fmt: skip
    fake, told = Broker(files), list[str]()

    class Connection:
        async def __aenter__(self) -> Any:
            return self

        async def __aexit__(self, *error: object) -> None:
            pass

        @asynccontextmanager
        async def _channel(self) -> Any:
            async def declare_queue(name: str, *, durable: bool) -> Any:
                return fake

            yield SimpleNamespace(declare_queue=declare_queue, default_exchange=fake)

        async def channel(self, *, publisher_confirms: bool) -> Any:
            return self._channel()

    async def connect(address: str) -> Any:
        fake.connected()
        return Connection()

    monkeypatch.setattr("aio_pika.connect", connect)
    monkeypatch.setattr(broker, "_AGAIN_S", 0.01)
    authority = CustomsAuthority(1, Settings.demo())
    serving = asyncio.ensure_future(
        broker.keep_serving(authority, "amqp://x/", broker.Line(), told.append)
    )
    async with asyncio.timeout(20):
        await fake.done.wait()
    serving.cancel()
    assert told == ["ConnectionRefusedError", "ChannelInvalidStateError"]
    assert len(set(fake.given)) == len(fake.given) >= 3
    assert fake.connections >= 3
