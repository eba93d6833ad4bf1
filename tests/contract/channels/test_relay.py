"""What only a relay can say: statuses, texts, lists that cannot be read, calls of its own."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from adapters.base import ChannelDown
from adapters.customs.channels.relay import Addresses, Manners, RelayChannel
from gateway.ports import SendOutcome
from tests.contract.channels import far_sides

STATUSES = {
    200: SendOutcome.HANDED_OVER,
    202: SendOutcome.HANDED_OVER,
    302: SendOutcome.DECLINED,
    400: SendOutcome.DECLINED,
    401: SendOutcome.DECLINED,
    413: SendOutcome.DECLINED,
    408: SendOutcome.UNKNOWN,
    429: SendOutcome.REFUSED,
    500: SendOutcome.UNKNOWN,
    502: SendOutcome.UNKNOWN,
    503: SendOutcome.REFUSED,
}


@pytest.mark.parametrize("status", STATUSES)
async def test_a_status_says_what_became_of_the_message(status: int) -> None:
    async with far_sides.relay() as far:
        far.answers.append(status)
        assert await far.channel.send("a.xml", b"<a/>") is STATUSES[status]


async def test_an_answer_without_the_expected_text_is_unknown() -> None:
    async with far_sides.relay(expects="OK") as far:
        assert await far.channel.send("a.xml", b"<a/>") is SendOutcome.HANDED_OVER
        far.says = "<Result>F</Result>"
        assert await far.channel.send("b.xml", b"<b/>") is SendOutcome.UNKNOWN


LISTS = [
    b"",
    b"[]",
    b"{}",
    b'{"messages": [1]}',
    b'{"messages": [{"data": "AA=="}]}',
    b"<html/>",
]


@pytest.mark.parametrize("body", LISTS)
async def test_a_list_that_cannot_be_read_is_a_way_that_is_down(body: bytes) -> None:
    async def give(request: web.Request) -> web.Response:
        return web.Response(body=body)

    async with _serving(give) as channel:
        with pytest.raises(ChannelDown):
            await channel.receive(4)


@pytest.mark.parametrize("odd", [{"data": "§"}, {"data": None}, {"data": 7}, {}])
async def test_a_message_that_is_no_base64_is_told_once_and_left(odd: dict[str, object]) -> None:
    async def give(request: web.Request) -> web.Response:
        good = {"id": "2", "data": "PGEvPg=="}
        return web.json_response({"messages": [{"id": "1", "name": "x", **odd}, good]})

    aside: list[str] = []
    async with _serving(give, aside) as channel:
        for _ in range(2):
            assert [one.body for one in await channel.receive(4)] == [b"<a/>"]
    assert aside == ["x"]


@pytest.mark.parametrize("data", ["PGEv\r\nPg==\r\n", "PGEv\nPg==", " PGEvPg== "])
async def test_base64_in_lines_as_mail_has_it_is_read(data: str) -> None:
    async def give(request: web.Request) -> web.Response:
        return web.json_response({"messages": [{"id": "1", "data": data}]})

    async with _serving(give) as channel:
        assert [one.body for one in await channel.receive(4)] == [b"<a/>"]


async def test_a_call_is_answered_when_its_bytes_are_durable() -> None:
    async with far_sides.calling_relay() as far:
        bringing = asyncio.create_task(far.bring("r.xml", b"<r/>"))
        while not (received := await far.channel.receive(4)):  # noqa: ASYNC110 - as engines poll
            await asyncio.sleep(0.01)
        assert not bringing.done()
        await far.channel.acknowledge([received[0].token])
        assert await bringing == 200


async def test_a_caller_without_the_token_brings_nothing() -> None:
    async with far_sides.calling_relay() as far:
        assert await far.bring("r.xml", b"<r/>", token="guessed") == 401
        far.address = far.address.replace("/way", "/other")
        assert await far.bring("r.xml", b"<r/>") == 401
        assert await far.channel.receive(4) == []


async def test_a_call_without_a_body_is_a_sign_of_life_and_brings_nothing() -> None:
    async with far_sides.calling_relay() as far:
        assert await far.bring("r.xml", b"") == 200
        assert await far.channel.receive(5) == []


async def test_what_is_too_large_is_refused_for_good_and_told_once() -> None:
    told: list[str] = []
    async with far_sides.calling_relay(lambda channel, name: told.append(name)) as far:
        large = bytes(far_sides.LIMIT + 1)
        assert [await far.bring(name, large) for name in ("a.xml", "a.xml", "b.xml")] == [413] * 3
        assert await far.channel.receive(5) == []
    assert told == ["a.xml", "b.xml"]


async def test_a_channel_without_a_token_may_never_be_called() -> None:
    channel = RelayChannel("way", Addresses("http://127.0.0.1/"), Manners())
    assert not channel.admits("")


def _serving(give: object, aside: list[str] | None = None) -> far_sides.Serving:
    return far_sides.Serving(give, [] if aside is None else aside)
