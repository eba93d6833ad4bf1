"""The sandbox customs by itself: a process that strangers reach over HTTP."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson
import pytest
from typer.testing import CliRunner

from adapters.sandbox.customs.receipts import OutgoingFile
from adapters.sandbox.ukey import Fault
from gateway.app.cli import build
from gateway.app.demo_world import free_port
from signing import Pin, UKeySettings, open_ukey
from signing.errors import DeviceMissing
from signing.ring import probe
from tests.unit.sandbox import wire


@asynccontextmanager
async def running(control: int, *words: str) -> AsyncIterator[str]:
    """``clearance sandbox WORDS`` in a process of its own; gives the address of its page."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from gateway.app.cli import main; main()", "sandbox", *words,
        "--control", str(control), stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    page = f"http://127.0.0.1:{control}"
    try:
        async with asyncio.timeout(90), aiohttp.ClientSession() as session:
            while True:
                try:
                    await (await session.get(page)).read()
                    break
                except aiohttp.ClientError:
                    await asyncio.sleep(0.1)
        yield page
    finally:
        process.terminate()
        await process.wait()


@pytest.fixture
async def sandbox() -> AsyncIterator[tuple[str, str]]:
    """Addresses of a running sandbox's relay and control page."""
    relay = free_port()
    async with running(free_port(), "--http", str(relay)) as page:
        yield f"http://127.0.0.1:{relay}", page


async def test_a_customs_that_begins_anew_gives_no_number_twice() -> None:
    """A gateway knows the numbers of the one before, and takes none of them for another parcel."""

    async def numbers(*words: str) -> set[str]:
        relay = free_port()
        async with running(free_port(), "--http", str(relay), *words) as page:
            address = f"http://127.0.0.1:{relay}"
            async with aiohttp.ClientSession() as session:
                await session.post(f"{address}/send", data=envelope(wire.order(), 1))
                ledger = await (await session.get(f"{page}/ledger")).json(content_type=None)
        return {one["pre_no"] for one in ledger["orders"]}

    first, second = await numbers(), await numbers()
    assert len(first) == len(second) == 1
    assert first != second
    assert await numbers("--seed", "7") == await numbers("--seed", "7")


def envelope(draft: wire.Draft, number: int) -> bytes:
    signer = wire.make_signer()
    return wire.envelope(signer.sign(wire.message(draft)), cop_msg_id=f"MSG-{number}")


@pytest.mark.slow
async def test_it_answers_over_http_and_shows_what_it_knows(
    sandbox: tuple[str, str],
) -> None:
    relay, page = sandbox
    order_no = "SIM-TURNDOWN-1"
    async with aiohttp.ClientSession() as session, asyncio.timeout(60):
        await session.post(f"{relay}/send", data=envelope(wire.order(order_no), 1))
        statuses: list[str] = []
        while len(statuses) < 2:
            async with session.get(f"{relay}/receipts?limit=9") as answer:
                messages = (await answer.json())["messages"]
            for one in messages:
                file = OutgoingFile(one["name"], base64.b64decode(one["data"]), "")
                statuses += [record.status for record in wire.read(file)]
            ids = {"ids": [one["id"] for one in messages]}
            await session.post(f"{relay}/receipts/ack", json=ids)
            await asyncio.sleep(0.05)
        assert statuses == ["2", "120"]
        await session.post(f"{relay}/send", data=envelope(wire.inventory(order_no), 2))
        while True:
            await (await session.get(f"{relay}/receipts")).read()
            ledger = await (await session.get(f"{page}/ledger")).json()
            if ledger["inventories"] and ledger["inventories"][0]["trail"] == ["2", "120", "100"]:
                break
            await asyncio.sleep(0.05)
        text = await (await session.get(page)).text()
        assert order_no in text
        listed = await (await session.get(f"{page}/scenarios")).json()
        assert len(listed["scenarios"]) >= 70
        async with session.post(f"{page}/clock", json={"advance_s": 3600}) as moved:
            assert moved.status == 200
        for wrong in ({}, {"advance_s": -1}, {"advance_s": "x"}):
            async with session.post(f"{page}/clock", json=wrong) as refused:
                assert refused.status == 422
    assert b"110101" not in orjson.dumps(ledger)


def test_the_faults_of_a_ukey_are_listed_in_both_languages() -> None:
    done = CliRunner().invoke(build(), ["sandbox", "ukey", "--list", "--json"])
    faults = orjson.loads(done.stdout)["faults"]
    assert {one["name"] for one in faults} == set(Fault)
    assert all(one["zh"] != one["en"] for one in faults)
    assert "hang" in CliRunner().invoke(build(), ["sandbox", "ukey", "--list"]).stdout
    done = CliRunner().invoke(build(), ["sandbox", "ukey", "--fault", "burning"])
    assert done.exit_code == 2
    assert "--list" in done.stderr


@pytest.mark.slow
async def test_a_ukey_signs_and_fails_as_it_is_told() -> None:
    port = free_port()
    words = ("ukey", "--port", str(port), "--pace-ms", "1", "--kind", "sm2", "--pin", "1234")
    async with running(free_port(), *words) as page, aiohttp.ClientSession() as session:
        settings = UKeySettings(f"ws://127.0.0.1:{port}", Pin("1234"))
        key = await asyncio.to_thread(open_ukey, "card", settings)
        await asyncio.to_thread(probe, key)
        async with session.post(f"{page}/fault", json={"fault": "light-off"}) as told:
            assert (await told.json())["fault"] == "light-off"
        with pytest.raises(DeviceMissing):
            await asyncio.to_thread(probe, key)
        async with session.post(f"{page}/fault", json={"fault": "burning"}) as told:
            assert told.status == 422
        async with session.get(page) as told:
            assert (await told.json())["signatures"] == 1
        await asyncio.to_thread(key.close)
