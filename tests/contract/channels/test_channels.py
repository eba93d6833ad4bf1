"""One contract for every channel: exact bytes, nothing lost, failures said and not raised."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.base import ChannelDown
from gateway.ports import SendOutcome
from tests.contract.channels import far_sides
from tests.contract.channels.far_sides import FarSide
from tests.support.rabbitmq import RabbitServer

WAYS = ["folder", "amqp", "http", "http form", "http calling"]
BODY = "<a>放行 \U0001f4e6</a>\r\n".encode()


@pytest.fixture(params=WAYS)
async def far(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FarSide]:
    match request.param:
        case "folder":
            side = far_sides.folders(tmp_path)
        case "amqp":
            server: RabbitServer = request.getfixturevalue("rabbitmq_server")
            side = far_sides.broker(server, request.node.name)
        case "http calling":
            side = far_sides.calling_relay()
        case kind:
            side = far_sides.relay(form=kind == "http form")
    async with side as made:
        yield made


async def waiting(far: FarSide, limit: int = 16) -> list[tuple[str, bytes]]:
    """What there is to receive; it is left there."""
    return [(one.name, one.body) for one in await far.channel.receive(limit)]


async def test_what_is_sent_arrives_as_it_was(far: FarSide) -> None:
    large = b"<x>" + b"0123456789abcdef" * 100_000 + b"</x>"
    assert await far.channel.send("a.xml", BODY) is SendOutcome.HANDED_OVER
    assert await far.channel.send("b.xml", large) is SendOutcome.HANDED_OVER
    assert await far.taken() == [("a.xml", BODY), ("b.xml", large)]


async def test_a_repeat_bears_the_same_name(far: FarSide) -> None:
    for _ in range(2):
        assert await far.channel.send("a.xml", BODY) is SendOutcome.HANDED_OVER
    assert set(await far.taken()) == {("a.xml", BODY)}


async def test_receipts_stay_until_they_are_acknowledged(far: FarSide) -> None:
    for number in range(3):
        await far.put(f"r{number}.xml", BODY + bytes([48 + number]))
    expected = [(f"r{number}.xml", BODY + bytes([48 + number])) for number in range(3)]
    assert await waiting(far) == expected
    assert await waiting(far, 2) == expected[:2]
    received = await far.channel.receive(16)
    await far.channel.acknowledge([received[1].token, "no such token"])
    assert await waiting(far) == [expected[0], expected[2]]
    await far.channel.acknowledge([received[0].token, received[1].token, received[2].token])
    assert await waiting(far) == []


async def test_a_receipt_that_is_binary_comes_as_it_is(far: FarSide) -> None:
    await far.put("r.xml", bytes(range(256)))
    assert await waiting(far) == [("r.xml", bytes(range(256)))]


async def test_a_way_that_is_not_there_says_so(far: FarSide) -> None:
    await far.channel.check()
    await far.fail()
    with pytest.raises(ChannelDown):
        await far.channel.check()
    outcome = await far.channel.send("a.xml", BODY)
    assert outcome in (SendOutcome.REFUSED, SendOutcome.UNKNOWN)
    await far.mend()
    await far.channel.check()
    assert await far.channel.send("a.xml", BODY) is SendOutcome.HANDED_OVER
    await far.put("r.xml", BODY)
    assert await waiting(far) == [("r.xml", BODY)]


async def test_what_was_not_acknowledged_survives_a_loss_of_the_way(far: FarSide) -> None:
    await far.put("r.xml", BODY)
    received = await far.channel.receive(16)
    await far.fail()
    if isinstance(far, far_sides.CallingRelay):
        # What it brought is in our hands already, and its call is still open.
        assert await waiting(far) == [("r.xml", BODY)]
    else:
        with pytest.raises(ChannelDown):
            await far.channel.receive(16)
    await far.mend()
    assert await waiting(far) == [("r.xml", BODY)]
    again = await far.channel.receive(16)
    await far.channel.acknowledge([received[0].token, again[0].token])
    assert await waiting(far) == []


async def test_a_message_that_is_too_large_is_set_aside_and_the_others_come(far: FarSide) -> None:
    if isinstance(far, far_sides.CallingRelay):
        assert await far.bring("big.xml", b"x" * (far_sides.LIMIT + 1)) == 413
        return
    await far.put("big.xml", b"x" * (far_sides.LIMIT + 1))
    await far.put("r.xml", BODY)
    assert await waiting(far) == [("r.xml", BODY)]
    assert await waiting(far) == [("r.xml", BODY)]
    assert far.aside == ["big.xml"]


async def test_many_send_at_once(far: FarSide) -> None:
    async with asyncio.TaskGroup() as tasks:
        sending = [
            tasks.create_task(far.channel.send(f"{number}.xml", BODY)) for number in range(20)
        ]
    assert {one.result() for one in sending} == {SendOutcome.HANDED_OVER}
    assert len(await far.taken()) == 20
