"""Swapping the channel is a change of settings: the same orders end the same over every way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.sandbox.customs import CustomsAuthority
from adapters.sandbox.customs import Settings as CustomsSettings
from adapters.sandbox.customs.broker import Line, run_broker
from adapters.sandbox.customs.folder import run_folder
from adapters.sandbox.customs.relay import Callback, Relay, run_relay
from gateway.app.checks import check_everything
from gateway.app.config import BrokerSection, FolderSection, HTTPSection, RelaySection, Settings
from gateway.app.demo import feed
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT, free_port, furnish, prepare, quick
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from gateway.ports import CaseFilter
from store.keys import KeyRole
from tests.support.rabbitmq import RabbitServer

ORDERS = 12
WAYS = ["folder", "amqp", "http", "http calling"]
TOKEN = "shared-with-the-relay"


@asynccontextmanager
async def customs_behind(
    way: str, settings: Settings, broker: RabbitServer | None
) -> AsyncIterator[Settings]:
    """Sandbox customs behind one way, and the settings of a gateway that uses it."""
    authority = CustomsAuthority(7, quick(CustomsSettings.demo()))
    folder = settings.store.master_key_file.parent
    token = folder / "token"
    token.write_text(TOKEN)
    if way == "folder":
        section = settings.channels["dxp"]
        assert isinstance(section, FolderSection)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run_folder(authority, section.send, section.receive, stop=stop))
            yield settings
            stop.set()
    elif way == "amqp":
        assert broker is not None
        stop = asyncio.Event()
        token.write_text("guest")
        url = f"amqp://guest:guest@127.0.0.1:{broker.port}/"
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run_broker(authority, url, Line(), stop=stop))
            yield with_channel(
                settings,
                BrokerSection(
                    kind="amqp",
                    url=broker.url,
                    password_file=token,
                    send="dxp.send",
                    receive="dxp.receive",
                ),
            )
            stop.set()
    else:
        port = free_port()
        back = Callback(f"http://127.0.0.1:{port}/callbacks/dxp", TOKEN)
        calling = way == "http calling"
        relay = Relay(authority, TOKEN)
        async with run_relay(relay, callback=back if calling else None) as base:
            section = RelaySection(
                kind="http",
                send=f"{base}/send",
                token_file=token,
                receive=None if calling else f"{base}/receipts",
                acknowledge=None if calling else f"{base}/receipts/ack",
                callback_token_file=token if calling else None,
            )
            served = settings.model_copy(update={"http": HTTPSection(port=port)})
            yield with_channel(served, section)


def with_channel(settings: Settings, section: BrokerSection | RelaySection) -> Settings:
    """The same deployment with another channel of the same name."""
    return settings.model_copy(update={"channels": {"dxp": section}})


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
async def test_orders_clear_customs_over(
    way: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    broker = request.getfixturevalue("rabbitmq_server") if way == "amqp" else None
    planned = list(demo_orders(PROFILE, ORDERS, seed=3, problems=False))
    async with (
        customs_behind(way, prepare(tmp_path), broker) as settings,
        running(settings) as (gateway, serving),
    ):
        assert serving is not None
        await furnish(gateway)
        key = await gateway.keys.new(TENANT, KeyRole.SELLER, "seller")
        await feed(serving.address, key.token, planned)
        async with asyncio.timeout(60):
            while True:
                page = await gateway.reads.cases(TENANT, CaseFilter(), None, ORDERS)
                if [row.stage for row in page.items] == [CaseStage.RELEASED] * ORDERS:
                    break
                await asyncio.sleep(0.1)
        assert not (await check_everything(gateway)).violations
        standing = gateway.context.ways.standing()["dxp"]
        assert standing.is_up
        assert standing.answered_at
