"""An opened store's reading and writing, on each database, for the master data."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.store_master.bench import Bench, opened


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs_postgres)],
)
async def bench(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'clearance.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres_url")
    async with opened(url) as bench:
        yield bench
