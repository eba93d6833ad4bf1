"""A furnished gateway that serves on loopback and works; nobody reads its folders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.app.container import Gateway
from gateway.app.demo_orders import DemoOrder, demo_orders
from gateway.app.demo_world import PROFILE, TENANT, furnish, prepare
from gateway.app.serve import running
from gateway.client import ClearanceClient, Retrying
from store.keys import KeyRole

QUICK = Retrying(tries=3, first_s=0.01, most_s=0.05)


@dataclass(frozen=True)
class Live:
    """A gateway, its address, and a seller's key and client."""

    gateway: Gateway
    address: str
    key: str
    client: ClearanceClient


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with running(prepare(tmp_path)) as (gateway, serving):
        assert serving is not None
        await furnish(gateway)
        key = (await gateway.keys.new(TENANT, KeyRole.SELLER, "tests")).token
        async with ClearanceClient(serving.address, key, retrying=QUICK) as client:
            yield Live(gateway, serving.address, key, client)


def good_order(seed: int = 5) -> DemoOrder:
    """One order whose papers agree."""
    (demo,) = demo_orders(PROFILE, 1, seed, problems=False)
    return demo
