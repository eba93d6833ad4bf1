"""Reference tables as stored: whole tables in versions, never changed, newest first for decisions.

A table of everybody has the empty tenant; a tenant's own (the stock of its account books) has its
id. The same content as the newest version is no new version. Functions over a connection, as in
``store.master``, whose counter they share.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, func, insert, select

from gateway.domain.codec import from_doc, to_doc
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import TenantId
from gateway.domain.tables import (
    Guarantee,
    PositiveItem,
    Registration,
    StockItem,
    TableInfo,
    TableKind,
    TableRow,
    Tables,
    TaxRate,
    gather,
)
from store.changes import raise_counter, take_counter
from store.master import COUNTER, digested, note
from store.tables import reference_table

EVERYBODY: Final = TenantId("")
MAX_ROWS: Final = 200_000
_ROW: Final[Mapping[TableKind, type[Any]]] = {
    TableKind.POSITIVE_LIST: PositiveItem,
    TableKind.TAX_RATES: TaxRate,
    TableKind.ACCOUNT_STOCK: StockItem,
    TableKind.ENTERPRISES: Registration,
    TableKind.GUARANTEES: Guarantee,
}


@dataclass(frozen=True, slots=True)
class TableStored:
    """What became of an import: the version that holds now, and whether it is new."""

    tenant: TenantId
    info: TableInfo
    changed: bool
    created_at: int


def check_table(kind: TableKind, tenant: TenantId, rows: Sequence[TableRow]) -> None:
    """Raise ``InvalidValue`` for a table that cannot be stored: empty, too large, doubled rows."""
    if not 0 < len(rows) <= MAX_ROWS:
        raise InvalidValue("rows", f"give 1 to {MAX_ROWS} rows")
    if kind.is_of_tenant is (tenant == EVERYBODY):
        reason = "is needed for account-stock and guarantees, and for no other table"
        raise InvalidValue("tenant", reason)
    gather([(TableInfo(kind, 0, "", is_sample=False, rows=len(rows)), rows)])


def put_table(
    connection: Connection,
    info: TableInfo,
    tenant: TenantId,
    rows: Sequence[TableRow],
    now: int,
) -> TableStored:
    """Store a whole table; ``info.version`` is not looked at. Raises ``InvalidValue``."""
    check_table(info.kind, tenant, rows)
    take_counter(connection, COUNTER)
    table = reference_table.c
    newest = connection.execute(
        select(table.version, table.digest, table.source, table.is_sample, table.created_at)
        .where(table.kind == info.kind.value, table.tenant == tenant)
        .order_by(table.version.desc())
        .limit(1)
    ).first()
    text, digest = digested([to_doc(row) for row in rows])
    same = newest is not None and (newest.digest, newest.source, bool(newest.is_sample)) == (
        digest,
        info.source,
        info.is_sample,
    )
    version = 1 if newest is None else newest.version + (0 if same else 1)
    stored = TableInfo(info.kind, version, info.source, info.is_sample, len(rows))
    if newest is not None and same:
        return TableStored(tenant, stored, False, newest.created_at)
    connection.execute(
        insert(reference_table).values(
            kind=info.kind.value,
            tenant=tenant,
            version=version,
            source=info.source,
            is_sample=info.is_sample,
            row_count=len(rows),
            digest=digest,
            doc=text,
            created_at=now,
        )
    )
    raise_counter(connection, COUNTER, [note("table", tenant, info.kind.value)])
    return TableStored(tenant, stored, True, now)


def _newest() -> Any:
    """The newest version of each table (Any: a select over whatever columns are added)."""
    table = reference_table.c
    return (
        select(table.kind, table.tenant, func.max(table.version).label("version"))
        .group_by(table.kind, table.tenant)
        .subquery()
    )


def list_tables(connection: Connection) -> list[TableStored]:
    """What stands above the newest version of every table."""
    table, newest = reference_table.c, _newest()
    rows = connection.execute(
        select(
            table.kind,
            table.tenant,
            table.version,
            table.source,
            table.is_sample,
            table.row_count,
            table.created_at,
        )
        .join(newest, _is_newest(newest))
        .order_by(table.kind, table.tenant)
    )
    return [
        TableStored(
            TenantId(row.tenant),
            TableInfo(
                TableKind(row.kind), row.version, row.source, bool(row.is_sample), row.row_count
            ),
            False,
            row.created_at,
        )
        for row in rows
    ]


def _is_newest(newest: Any) -> Any:
    table = reference_table.c
    return (
        (table.kind == newest.c.kind)
        & (table.tenant == newest.c.tenant)
        & (table.version == newest.c.version)
    )


def load_tables(connection: Connection) -> Mapping[TenantId, Tables]:
    """The look-ups of every tenant that has tables of its own, and under ``EVERYBODY`` those of
    all others.
    """
    found: dict[TenantId, list[tuple[TableInfo, tuple[TableRow, ...]]]] = {EVERYBODY: []}
    table, newest = reference_table.c, _newest()
    rows = connection.execute(
        select(table.kind, table.tenant, table.version, table.source, table.is_sample, table.doc)
        .join(newest, _is_newest(newest))
        .order_by(table.kind, table.tenant)
    )
    for row in rows:
        kind = TableKind(row.kind)
        values = tuple(from_doc(_ROW[kind], doc) for doc in orjson.loads(row.doc))
        info = TableInfo(kind, row.version, row.source, bool(row.is_sample), len(values))
        found.setdefault(TenantId(row.tenant), []).append((info, values))
    shared = found[EVERYBODY]
    return {
        tenant: gather(shared if tenant == EVERYBODY else [*shared, *own])
        for tenant, own in found.items()
    }
