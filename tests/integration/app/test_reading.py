"""What looks into a database beside a working gateway sees one picture of it."""

from pathlib import Path

from sqlalchemy import Connection, text

from gateway.app.beginning import make_database
from gateway.app.demo_world import prepare
from gateway.app.opening import open_office, open_reading
from gateway.domain.ids import TenantId


def _tenants(connection: Connection) -> int:
    return int(connection.execute(text("SELECT count(*) FROM tenant")).scalar_one())


async def test_what_is_written_meanwhile_is_not_seen_half(tmp_path: Path) -> None:
    settings = prepare(tmp_path)
    make_database(settings.store.url)
    async with open_office(settings) as office:
        await office.admin.create_tenant(TenantId("before"), "Before")
        async with open_reading(settings) as reader:
            async with reader.access.read() as reading:
                before = await reading.run_sync(_tenants)
                await office.admin.create_tenant(TenantId("after"), "After")
                assert await reading.run_sync(_tenants) == before
            async with reader.access.read() as reading:
                assert await reading.run_sync(_tenants) == before + 1
