"""The same on PostgreSQL: the gateway killed at points of every commit, and the server killed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.crash.case import killed_at, run_case
from tests.crash.orders import wanted_orders
from tests.crash.world import World
from tests.support.postgres import PostgresServer, find_postgres
from tests.tools import missing

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.needs_postgres]

_RELEASES: Final = 11
_MORE_RELEASES: Final = 60
# A server's end comes upon every stage at some time when it comes this often.
_SERVER_KILLS: Final = 3
_UP_S: Final = 0.7
_DOWN_S: Final = 0.3
_RECOVERY_S: Final = 60.0
# Far longer than a run: who waited for it would not come to rest.
_LONG_LEASE_S: Final = 3600.0

# T1, T2, the moment after sending, R1, R2 and a notice: one point of each commit.
_POINTS: Final = (
    ("ingest.before_commit", 2),
    ("declare.committed", 1),
    ("transmit.after_last_byte", 2),
    ("receipt.kept", 1),
    ("receipt.before_commit", 2),
    ("notify.after_answer", 1),
)


@pytest.fixture
def own_server() -> Iterator[PostgresServer]:
    """A server of this test's own, which it may kill."""
    programs = find_postgres()
    if programs is None:
        missing("PostgreSQL (initdb and postgres)")
    with PostgresServer.running(programs) as server:
        yield server


@pytest.mark.parametrize("point, passing", _POINTS)
async def test_killed_at_a_point_nothing_is_lost_or_done_twice(
    point: str, passing: int, tmp_path: Path, postgres_url: str
) -> None:
    verdict = await run_case(
        tmp_path,
        wanted_orders(_RELEASES),
        killed_at(point, passing),
        crash_at=f"{point}:{passing}",
        store_url=postgres_url,
    )
    assert verdict.starts == 2
    assert verdict.broken == ()


async def test_what_a_killed_process_had_leased_does_not_wait_for_its_leases(
    tmp_path: Path, postgres_url: str
) -> None:
    verdict = await run_case(
        tmp_path,
        wanted_orders(_RELEASES),
        killed_at("declare.committed", 1),
        crash_at="declare.committed:1",
        store_url=postgres_url,
        quiet_s=_RECOVERY_S,
        lease_s=_LONG_LEASE_S,
    )
    assert verdict.starts == 2
    assert verdict.broken == ()


async def test_outlives_a_server_that_is_killed_under_load(
    tmp_path: Path, own_server: PostgresServer
) -> None:
    async def trouble(where: World) -> None:
        await where.gateway.serving()
        for _ in range(_SERVER_KILLS):
            await asyncio.sleep(_UP_S)
            await asyncio.to_thread(own_server.kill)
            await asyncio.sleep(_DOWN_S)
            await asyncio.to_thread(own_server.start)

    verdict = await run_case(
        tmp_path,
        wanted_orders(_MORE_RELEASES),
        trouble,
        store_url=own_server.fresh_database(),
        quiet_s=_RECOVERY_S,
    )
    assert verdict.starts == 1
    assert verdict.broken == ()
