"""Pulled sources, stored: a cursor for each, and the pages that could not be read in full."""

from typing import Final

from sqlalchemy import Connection, delete, select

from gateway.domain.ids import TenantId
from gateway.ports import Rng
from gateway.ports.sources import SourcePage
from store.access import Access
from store.changes import insert_into
from store.crypto import StoreKeys
from store.tables import meta, pulled_page

_TABLE: Final = "pulled_page"


def _name(source: str) -> str:
    return f"source:{source}"


class SqlSourceBook:
    """Implements ``ports.sources.SourceBook``; bodies are sealed by the vault key."""

    def __init__(self, access: Access, keys: StoreKeys, rng: Rng) -> None:
        self._access = access
        self._keys = keys
        self._rng = rng

    async def cursor(self, source: str) -> str | None:
        """Where a source was read to; None at first."""
        statement = select(meta.c.value).where(meta.c.name == _name(source))
        async with self._access.read() as reading:
            found = await reading.run_sync(lambda on: on.execute(statement).scalar())
        return None if found is None else str(found)

    async def keep(self, page: SourcePage) -> None:
        """Keep the bytes of a page before anyone tries to understand them."""
        values = {
            "page_id": page.page_id,
            "source": page.source,
            "tenant": page.tenant,
            "body": self._keys.seal_secret(_TABLE, page.page_id, page.body, self._rng),
            "received_at": page.received_at,
        }
        await self._access.execute(
            lambda on: on.execute(
                insert_into(on, pulled_page).values(values).on_conflict_do_nothing()
            )
        )

    async def advance(self, page: SourcePage, cursor: str, *, is_read: bool) -> None:
        """Go on behind a page, and drop it when it was read to the last paper."""

        def advance(connection: Connection) -> None:
            _put(connection, page.source, cursor)
            if is_read:
                done = delete(pulled_page).where(pulled_page.c.page_id == page.page_id)
                connection.execute(done)

        await self._access.execute(advance)

    async def rewind(self, source: str, cursor: str) -> None:
        """Read on from another place: what is read again and known already changes nothing."""
        await self._access.execute(lambda on: _put(on, source, cursor))

    async def kept(self, source: str) -> list[SourcePage]:
        """The pages of a source that could not be read in full, oldest first."""
        statement = (
            select(pulled_page)
            .where(pulled_page.c.source == source)
            .order_by(pulled_page.c.received_at, pulled_page.c.page_id)
        )
        async with self._access.read() as reading:
            rows = await reading.run_sync(lambda on: list(on.execute(statement)))
        return [
            SourcePage(
                row.page_id,
                row.source,
                TenantId(row.tenant),
                self._keys.open_secret(_TABLE, row.page_id, row.body),
                row.received_at,
            )
            for row in rows
        ]


def _put(connection: Connection, source: str, cursor: str) -> None:
    statement = insert_into(connection, meta).values(name=_name(source), value=cursor)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[meta.c.name], set_={"value": cursor})
    )
