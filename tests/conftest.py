"""Fixtures and settings every test level shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

from tests.support.postgres import PostgresServer, find_postgres
from tests.support.rabbitmq import RabbitServer, find_rabbitmq
from tests.tools import missing

# Example counts by run: while working, in CI, in a release campaign. Two shared cores make
# wall-clock deadlines lie, so there are none here; what must be fast has a benchmark.
set_hypothesis_home_dir(Path(__file__).parents[1] / ".cache" / "hypothesis")
for _profile, _examples in (("dev", 60), ("ci", 300), ("campaign", 20_000)):
    settings.register_profile(
        _profile,
        max_examples=_examples,
        deadline=None,
        # CI judges a change, not its luck: "campaign" and "dev" look for new examples.
        derandomize=_profile == "ci",
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole worlds first, each by itself on whichever worker is free; other files stay together."""
    for item in items:
        is_world = any(item.get_closest_marker(name) for name in ("sim", "crash"))
        if item.get_closest_marker("law"):
            item.add_marker(pytest.mark.timeout(600))
        if not is_world:
            group = item.path.as_posix()
            if item.get_closest_marker("browser") and isinstance(item, pytest.Function):
                # Each language of the pages by itself; the journeys stay together.
                group += item.callspec.id if hasattr(item, "callspec") else ""
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is not None)


def pytest_runtest_setup() -> None:
    """Undo what a command tried before this test did to the logs of the process."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this test process's own, with fsync on, stopped at the end."""
    programs = find_postgres()
    if programs is None:
        missing("PostgreSQL (initdb and postgres)")
    with PostgresServer.running(programs) as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """The SQLAlchemy address (asyncpg) of an empty database that only this test uses."""
    return postgres_server.fresh_database()


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitServer]:
    """A RabbitMQ broker of this test process's own, stopped at the end."""
    programs = find_rabbitmq()
    if programs is None:
        missing("RabbitMQ (rabbitmq-server and epmd)")
    with RabbitServer.running(programs) as server:
        yield server
