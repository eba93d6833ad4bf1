"""Migrations lead to exactly the tables that the code declares, and may be run again."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from store.schema import current_version, newest_version, upgrade
from store.tables import metadata
from tests.contract.store.support import Bench, opened


async def test_the_migrated_schema_is_the_declared_one(bench: Bench) -> None:
    def compare(connection: Connection) -> list[Any]:
        options = {
            "version_table": "schema_version",
            "compare_type": True,
            "compare_server_default": True,
        }
        return list(
            compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
        )

    assert await bench.store.execute(compare) == []


async def test_every_constraint_is_there(bench: Bench) -> None:
    """The comparison above looks at no checks, so their names are compared here."""

    def names(connection: Connection) -> dict[str, set[str]]:
        inspector = inspect(connection)
        return {
            table: {str(one["name"]) for one in inspector.get_check_constraints(table)}
            for table in metadata.tables
        }

    found = await bench.store.execute(names)
    for table in metadata.tables.values():
        declared = {str(one.name) for one in table.constraints if str(one.name).startswith("ck_")}
        assert found[table.name] == declared


async def test_opening_again_changes_nothing(kept_url: str) -> None:
    for _ in range(2):
        async with opened(kept_url) as bench:
            assert await bench.store.execute(current_version) == newest_version()


async def test_a_newer_schema_is_left_alone(kept_url: str) -> None:
    def newer(connection: Connection) -> None:
        connection.execute(text("UPDATE schema_version SET version_num = '9999'"))

    async with opened(kept_url) as bench:
        await bench.store.execute(newer)
    async with opened(kept_url) as bench:
        await bench.store.execute(upgrade)
        assert await bench.store.execute(current_version) == "9999"


async def test_events_outlive_a_wider_list_of_kinds(kept_url: str) -> None:
    """A database of the first schema keeps its events when it is brought up to date."""
    engine = create_async_engine(kept_url.replace("sqlite:", "sqlite+aiosqlite:"))
    row = {"kind": "case_held", "hash": b"h", "case_id": "c1"}
    insert = text(
        "INSERT INTO event (case_id, seq, pos, tenant, kind, payload, at, prev_hash, hash)"
        " VALUES (:case_id, 1, 1, 't', :kind, '{}', 1, :hash, :hash)"
    )

    def first(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", str(files("store.migrations")))
        config.attributes |= {"connection": connection, "version_table": "schema_version"}
        command.upgrade(config, "0001")

    async with engine.begin() as connection:
        await connection.run_sync(first)
        await connection.execute(insert, row)
    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
        await connection.execute(insert, row | {"kind": "finding_resolved", "case_id": "c2"})
        kept = (await connection.execute(text("SELECT case_id, kind FROM event ORDER BY 1"))).all()
    await engine.dispose()
    assert [tuple(one) for one in kept] == [("c1", "case_held"), ("c2", "finding_resolved")]
