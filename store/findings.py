"""The list of findings: the verdicts of cases, walked newest first, with what was settled."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, Select, select, tuple_

from gateway.domain.case import Verdict
from gateway.domain.codec import verdict_from_doc
from gateway.domain.events import EventKind
from gateway.domain.findings import finding_id
from gateway.domain.ids import TenantId
from gateway.ports import FindingFilter, FindingRow, Page, Resolution
from store.access import Access
from store.cursors import ListPlace, list_place
from store.read_models import CASE_COLUMNS, IS_OPEN, case_row
from store.tables import case_, event

# Cases looked at for one page, however few of their findings are wanted.
_SCANNED: Final = 400
_MAX_PAGE: Final = 1_000


class SqlFindings:
    """Implements ``ports.FindingLists``."""

    def __init__(self, access: Access) -> None:
        self._access = access

    async def findings(
        self, tenant: TenantId, wanted: FindingFilter, after: str | None, limit: int
    ) -> Page[FindingRow]:
        """A page of findings; raises ``InvalidValue`` for a foreign cursor."""
        place = list_place(after) if after is not None else None
        statement = _statement(tenant, wanted, place)
        async with self._access.read() as reading:
            return await reading.run_sync(
                partial(_page, statement, tenant, wanted, min(limit, _MAX_PAGE))
            )


def _statement(
    tenant: TenantId, wanted: FindingFilter, place: ListPlace | None
) -> Select[*tuple[Any, ...]]:
    statement = select(*CASE_COLUMNS, case_.c.doc).where(
        case_.c.tenant == tenant, case_.c.findings > 0
    )
    if wanted.case_id is not None:
        statement = statement.where(case_.c.case_id == wanted.case_id)
    if wanted.profile_id is not None:
        statement = statement.where(case_.c.profile_id == wanted.profile_id)
    if wanted.is_open is not None:
        statement = statement.where(IS_OPEN if wanted.is_open else ~case_.c.is_open)
    if place is not None:
        statement = statement.where(tuple_(case_.c.created_at, case_.c.case_id) < tuple(place))
    return statement.order_by(case_.c.created_at.desc(), case_.c.case_id.desc()).limit(_SCANNED)


def _page(
    statement: Select[*tuple[Any, ...]],
    tenant: TenantId,
    wanted: FindingFilter,
    limit: int,
    connection: Connection,
) -> Page[FindingRow]:
    rows = list(connection.execute(statement))
    settled = _settled(connection, tenant, [row.case_id for row in rows])
    found: list[FindingRow] = []
    for number, row in enumerate(rows, 1):
        found += _of_case(row, wanted, settled.get(row.case_id, {}))
        is_last = number == len(rows) < _SCANNED
        if len(found) >= limit and not is_last:
            return Page(tuple(found), ListPlace(row.created_at, row.case_id).cursor)
    if len(rows) < _SCANNED:
        return Page(tuple(found), None)
    return Page(tuple(found), ListPlace(rows[-1].created_at, rows[-1].case_id).cursor)


def _of_case(
    row: Row[*tuple[Any, ...]], wanted: FindingFilter, settled: dict[str, Resolution]
) -> list[FindingRow]:
    doc = orjson.loads(row.doc).get("verdict")
    verdict: Verdict | None = verdict_from_doc(doc) if doc else None
    listed = case_row(row)
    found = []
    for finding in verdict.findings if verdict else ():
        name = finding_id(finding)
        resolution = settled.get(name)
        if wanted.severities and finding.severity not in wanted.severities:
            continue
        if wanted.rule is not None and finding.rule != wanted.rule:
            continue
        if wanted.is_resolved is not None and wanted.is_resolved != (resolution is not None):
            continue
        found.append(
            FindingRow(listed.key, listed.stage, listed.updated_at, name, finding, resolution)
        )
    return found


def _settled(
    connection: Connection, tenant: TenantId, cases: Sequence[str]
) -> dict[str, dict[str, Resolution]]:
    """What was settled in these cases: by case and finding."""
    if not cases:
        return {}
    rows = connection.execute(
        select(event.c.case_id, event.c.at, event.c.payload)
        .where(
            event.c.case_id.in_(cases),
            event.c.tenant == tenant,
            event.c.kind == EventKind.FINDING_RESOLVED.value,
        )
        .order_by(event.c.case_id, event.c.seq)
    )
    settled: dict[str, dict[str, Resolution]] = {}
    for row in rows:
        one = orjson.loads(row.payload)
        settled.setdefault(row.case_id, {})[one["finding"]] = Resolution(
            one["how"], one["by"], one["reason"], row.at, one.get("paper"), one.get("revision")
        )
    return settled
