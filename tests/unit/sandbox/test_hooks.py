"""The warehouse's and the seller's servers, spoken to over loopback HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from aiohttp import web
from standardwebhooks import Webhook

from adapters.sandbox import seller, warehouse
from adapters.sandbox.hooks import Behaviour, FaultyBodyError, Running, read_notices
from adapters.sandbox.warehouse import Acknowledge
from tests.unit.sandbox import wire

SECRET = "whsec_" + base64.b64encode(b"0" * 24).decode()
OLD = "whsec_" + base64.b64encode(b"1" * 24).decode()


def notice(number: int, kind: str = "case.released") -> dict[str, object]:
    return {
        "id": f"n{number}",
        "type": kind,
        "created_at": "2026-11-11T02:00:00Z",
        "case": {"order_no": f"A{number}"},
        "data": {"invt_no": "01002026I000000001"},
    }


class Sender:
    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session

    async def post(
        self,
        url: str,
        body: object,
        *,
        secret: str = SECRET,
        headers: dict[str, str] | None = None,
        age: timedelta = timedelta(0),
        sent: bytes | None = None,
    ) -> tuple[int, object]:
        data = json.dumps(body).encode()
        at = datetime.now(UTC) - age
        signed = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(secret).sign("msg_1", at, data.decode()),
            **(headers or {}),
        }
        async with self.session.post(url, data=sent or data, headers=signed) as response:
            text = await response.text()
            return response.status, json.loads(text) if text.startswith("{") else None


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    async with aiohttp.ClientSession() as session:
        yield Sender(session)


@pytest.fixture
async def shop() -> AsyncIterator[Running]:
    running = await seller.start(secrets=[SECRET, OLD])
    yield running
    await running.close()


async def test_single_and_batch(shop: Running, sender: Sender) -> None:
    assert await sender.post(shop.url, notice(1)) == (204, None)
    status, answer = await sender.post(shop.url, {"notices": [notice(1), notice(2)]})
    assert status == 200
    assert answer == {"results": [{"id": "n1", "status": "ok"}, {"id": "n2", "status": "ok"}]}
    assert list(shop.received) == ["n1", "n2"]
    assert shop.received["n2"].case == {"order_no": "A2"}
    assert (shop.tally.requests, shop.tally.duplicates) == (2, 1)
    assert (await sender.post(shop.url, {"events": [notice(3)]}))[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        {"headers": {"webhook-signature": "v1,AAAA"}},
        {"headers": {"webhook-signature": "nonsense"}},
        {"headers": {"webhook-signature": ""}},
        {"headers": {"webhook-timestamp": "soon"}},
        {"headers": {"webhook-id": "msg_2"}},
        {"secret": "whsec_" + base64.b64encode(b"2" * 24).decode()},
        {"age": timedelta(minutes=6)},
        {"age": timedelta(minutes=-6)},
        {"sent": json.dumps(notice(2)).encode()},
    ],
)
async def test_bad_signatures_are_refused(
    shop: Running, sender: Sender, change: dict[str, object]
) -> None:
    status, _ = await sender.post(shop.url, notice(1), **change)  # type: ignore[arg-type]
    assert status == 401
    assert shop.tally.unsigned == 1
    assert not shop.received


async def test_the_former_secret_still_verifies(shop: Running, sender: Sender) -> None:
    assert (await sender.post(shop.url, notice(1), secret=OLD))[0] == 204


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"1",
        b"{}",
        b'{"notices": []}',
        b'{"notices": {}}',
        json.dumps({"notices": [notice(1)] * 101}).encode(),
        json.dumps({"notices": [{"id": "a"}]}).encode(),
        json.dumps({**notice(1), "id": 5}).encode(),
        json.dumps({**notice(1), "type": ""}).encode(),
        b"\xff\xfe",
    ],
)
def test_faulty_bodies(body: bytes) -> None:
    with pytest.raises(FaultyBodyError):
        read_notices(body)


async def test_faulty_body_is_a_client_error(shop: Running, sender: Sender) -> None:
    assert (await sender.post(shop.url, {"notices": []}))[0] == 400
    assert shop.tally.faulty == 1


async def test_faults(shop: Running, sender: Sender) -> None:
    shop.behave(Behaviour(fail_first=2))
    assert [(await sender.post(shop.url, notice(1)))[0] for _ in range(3)] == [500, 500, 204]
    shop.behave(Behaviour(gone=True))
    assert (await sender.post(shop.url, notice(2)))[0] == 410
    shop.behave(Behaviour(refuse=frozenset({"n3"}), retry_once=frozenset({"case.held"})))
    mixed = {"notices": [notice(3), notice(4, "case.held"), notice(5)]}
    _, answer = await sender.post(shop.url, mixed)
    assert isinstance(answer, dict)
    assert [found["status"] for found in answer["results"]] == ["refused", "retry", "ok"]
    _, answer = await sender.post(shop.url, mixed)
    assert isinstance(answer, dict)
    assert [found["status"] for found in answer["results"]] == ["refused", "ok", "ok"]
    assert (await sender.post(shop.url, notice(3)))[0] == 422
    assert (await sender.post(shop.url, notice(6, "case.held")))[0] == 503
    assert sorted(shop.received) == ["n1", "n4", "n5"]


async def test_a_request_can_hang(shop: Running, sender: Sender) -> None:
    shop.behave(Behaviour(hang_first=1, hang_s=30))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await sender.post(shop.url, notice(1))
    assert not shop.received
    assert (await sender.post(shop.url, notice(1)))[0] == 204


async def test_plain_mode_asks_for_no_signature(sender: Sender) -> None:
    running = await seller.start(secrets=[SECRET], behaviour=Behaviour(plain=True))
    status, _ = await sender.post(running.url, notice(1), headers={"webhook-signature": ""})
    assert status == 204
    await running.close()


class API:
    """Our end of the acknowledgements: keeps calls, fails the first when told to."""

    def __init__(self, fail: int) -> None:
        self.calls: list[tuple[str, dict[str, list[dict[str, str]]]]] = []
        self.fail = fail

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append((request.headers.get("Authorization", ""), await request.json()))
        return web.Response(status=503 if len(self.calls) <= self.fail else 204)

    async def start(self) -> tuple[str, web.AppRunner]:
        app = web.Application()
        app.router.add_post("/v1/notices/acks", self.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"http://127.0.0.1:{runner.addresses[0][1]}", runner


async def test_releases_are_acknowledged_in_batches(sender: Sender) -> None:
    api = API(fail=1)
    base, runner = await api.start()
    running = await warehouse.start(
        secrets=[SECRET],
        acknowledge=Acknowledge(
            base, "key-1", refuse=frozenset({"release.wrong"}), linger_s=0.02, pause_s=0.01
        ),
        clock=lambda: datetime(2026, 11, 11, 2, 0, tzinfo=UTC),
    )
    batch = [notice(1), notice(2), notice(3, "case.held"), notice(4, "release.wrong")]
    assert (await sender.post(running.url, {"notices": batch}))[0] == 200
    assert (await sender.post(running.url, {"notices": batch}))[0] == 200
    acks = running.acks
    assert acks is not None
    await wire.until(lambda: acks.sent == 3)
    await running.close()
    await runner.cleanup()
    assert len(api.calls) == 2
    assert api.calls[0] == api.calls[1]
    key, body = api.calls[1]
    assert key == "Bearer key-1"
    assert body == {
        "acks": [
            {"notice_id": "n1", "status": "accepted", "at": "2026-11-11T02:00:00Z"},
            {"notice_id": "n2", "status": "accepted", "at": "2026-11-11T02:00:00Z"},
            {"notice_id": "n4", "status": "refused", "at": "2026-11-11T02:00:00Z"},
        ]
    }
    assert (acks.calls, acks.failed) == (2, 0)


async def test_acknowledgements_are_given_up_after_some_attempts(sender: Sender) -> None:
    api = API(fail=99)
    base, runner = await api.start()
    settings = Acknowledge(base, "k", types=frozenset({"x"}), linger_s=0, attempts=2, pause_s=0)
    running = await warehouse.start(secrets=[SECRET], acknowledge=settings)
    await sender.post(running.url, {"notices": [notice(1, "x"), notice(2)]})
    acks = running.acks
    assert acks is not None
    await wire.until(lambda: acks.failed)
    await running.close()
    await runner.cleanup()
    assert (acks.failed, acks.sent, len(api.calls)) == (1, 0, 2)


async def test_a_warehouse_may_keep_quiet(sender: Sender) -> None:
    running = await warehouse.start(secrets=[SECRET])
    await sender.post(running.url, notice(1))
    assert running.acks is None
    assert list(running.received) == ["n1"]
    running.behave(Behaviour(gone=True))
    assert (await sender.post(running.url, notice(2)))[0] == 410
    assert running.tally.requests == 2
    await running.close()
