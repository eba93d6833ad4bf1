"""An opened store's reading and writing, on each database, for the master data."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.store_master.bench import Bench, opened


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
