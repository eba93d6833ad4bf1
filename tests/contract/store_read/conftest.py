"""An opened store on each database, with a world of orders to put into it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store.read_models import SqlReadModels
from tests.contract.store_master.bench import Bench, opened
from tests.contract.store_read.world import World


@pytest.fixture(
    params=["memory", "file", pytest.param("postgresql", marks=pytest.mark.needs_postgres)],
)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    match request.param:
        case "memory":
            url = "sqlite://"
        case "file":
            url = f"sqlite:///{tmp_path / 'clearance.db'}"
        case _:
            url = request.getfixturevalue("postgres_url")
    async with opened(url) as bench:
        yield bench


@pytest.fixture
def world(bench: Bench) -> World:
    return World(bench)


@pytest.fixture
async def reads(bench: Bench) -> SqlReadModels:
    cache = bench.new_cache()
    await cache.refresh()
    return SqlReadModels(bench.access, bench.keys, cache)
