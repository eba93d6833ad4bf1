"""The three ways to run the store: in memory and inline, on a file, on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.store.support import Bench, opened


@pytest.fixture(
    params=["memory", "file", pytest.param("postgresql", marks=pytest.mark.needs_postgres)]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return "sqlite://" if request.param == "memory" else f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(params=["file", pytest.param("postgresql", marks=pytest.mark.needs_postgres)])
def kept_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database that can be opened again."""
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
async def bench(url: str) -> AsyncIterator[Bench]:
    """An open store on each database."""
    async with opened(url) as found:
        yield found
