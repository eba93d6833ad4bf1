"""The tests' own PostgreSQL: separate databases, real durability, a start after a power cut."""

from __future__ import annotations

import asyncpg
import pytest

from tests.support.postgres import PostgresServer, find_postgres
from tests.tools import missing

pytestmark = pytest.mark.needs_postgres


def _dsn(url: str) -> str:
    return url.replace("postgresql+asyncpg://", "postgresql://")


async def test_each_test_gets_an_empty_database(
    postgres_server: PostgresServer, postgres_url: str
) -> None:
    connection = await asyncpg.connect(_dsn(postgres_url))
    try:
        await connection.execute("CREATE TABLE seen (id int)")
    finally:
        await connection.close()

    other = await asyncpg.connect(_dsn(postgres_server.fresh_database()))
    try:
        assert await other.fetchval("SELECT to_regclass('seen')") is None
        assert await other.fetchval("SHOW server_encoding") == "UTF8"
    finally:
        await other.close()


async def test_durability_is_that_of_production(postgres_url: str) -> None:
    connection = await asyncpg.connect(_dsn(postgres_url))
    try:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await connection.fetchval(f"SHOW {setting}") == "on"
    finally:
        await connection.close()


async def test_committed_rows_outlive_a_power_cut() -> None:
    programs = find_postgres()
    if programs is None:
        missing("PostgreSQL (initdb and postgres)")
    with PostgresServer.running(programs) as server:
        url = _dsn(server.fresh_database())
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")
        server.kill()
        connection.terminate()

        server.start()
        again = await asyncpg.connect(url)
        try:
            assert await again.fetchval("SELECT id FROM kept") == 7
        finally:
            await again.close()
