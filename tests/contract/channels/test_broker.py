"""What only a broker can do: confirm, refuse to route, lose a confirmation, die and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.base import ChannelDown
from adapters.customs.channels.broker import BrokerChannel, Queues
from gateway.ports import SendOutcome
from tests.contract.channels import far_sides
from tests.support.rabbitmq import RabbitServer


@pytest.fixture
async def far(
    rabbitmq_server: RabbitServer, request: pytest.FixtureRequest
) -> AsyncIterator[far_sides.Broker]:
    async with far_sides.broker(rabbitmq_server, request.node.name) as made:
        yield made


async def test_a_message_that_no_queue_takes_is_refused(far: far_sides.Broker) -> None:
    await far.direct.queue_delete(far.names.send)
    assert await far.channel.send("a.xml", b"<a/>") is SendOutcome.REFUSED
    with pytest.raises(ChannelDown):
        await far.channel.check()
    # Asking after a queue that is missing leaves the channel usable.
    await far.direct.declare_queue(far.names.send, durable=True)
    await far.channel.check()
    assert await far.channel.send("a.xml", b"<a/>") is SendOutcome.HANDED_OVER


async def test_a_confirmation_that_never_comes_is_unknown(far: far_sides.Broker) -> None:
    assert await far.channel.send("a.xml", b"<a/>") is SendOutcome.HANDED_OVER
    far.cable.swallows = True
    sending = asyncio.create_task(far.channel.send("b.xml", b"<b/>"))
    while len(await far.taken()) < 2:  # noqa: ASYNC110 - the broker tells nobody
        await asyncio.sleep(0.05)
    await far.fail()
    assert await sending is SendOutcome.UNKNOWN
    far.cable.swallows = False
    await far.mend()
    assert await far.channel.send("b.xml", b"<b/>") is SendOutcome.HANDED_OVER
    assert [name for name, _ in await far.taken()] == ["a.xml", "b.xml", "b.xml"]


async def test_a_large_message_goes_to_the_error_queue_whole(far: far_sides.Broker) -> None:
    big = b"x" * (far_sides.LIMIT + 1)
    await far.put("big.xml", big)
    assert await far.channel.receive(16) == []
    queue = await far.direct.get_queue(str(far.names.error))
    message = await queue.get()
    assert (message.body, message.message_id) == (big, "big.xml")
    await message.ack()


async def test_a_wrong_password_is_no_way_and_stands_in_no_text(
    rabbitmq_server: RabbitServer,
) -> None:
    way = BrokerChannel("way", rabbitmq_server.url, "hidden-word", Queues("out", "in"))
    with pytest.raises(ChannelDown) as told:
        await way.check()
    assert "hidden-word" not in str(told.value)
    assert await way.send("a.xml", b"<a/>") is SendOutcome.REFUSED


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_what_was_confirmed_outlives_a_broker_that_is_killed(
    rabbitmq_server: RabbitServer, request: pytest.FixtureRequest
) -> None:
    async with far_sides.broker(rabbitmq_server, request.node.name) as far:
        assert await far.channel.send("a.xml", b"<a/>") is SendOutcome.HANDED_OVER
        await asyncio.to_thread(rabbitmq_server.kill)
        assert await far.channel.send("b.xml", b"<b/>") is not SendOutcome.HANDED_OVER
        await asyncio.to_thread(rabbitmq_server.start)
        assert await far.channel.send("b.xml", b"<b/>") is SendOutcome.HANDED_OVER
        async with far_sides.broker(rabbitmq_server, request.node.name) as again:
            assert [name for name, _ in await again.taken()] == ["a.xml", "b.xml"]
