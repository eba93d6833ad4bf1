"""Repairs, stored: a row each, its items sealed because they hold the values to be filed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, insert, select, update

from gateway.domain.ids import CaseId, TenantId
from gateway.domain.repair import Need
from gateway.ports import Rng
from gateway.ports.repairs import Approval, Repair, RepairItem, RepairStage
from store.access import Access
from store.crypto import StoreKeys
from store.tables import repair as table

_MOST: Final = 500


class StoredRepairs:
    """Implements ``ports.repairs.RepairBook``."""

    def __init__(self, access: Access, keys: StoreKeys, rng: Rng) -> None:
        self._access = access
        self._keys = keys
        self._rng = rng

    async def put(self, repair: Repair) -> None:
        """Keep a new repair."""
        values = self._values(repair)
        await self._access.execute(lambda on: _insert(on, values))

    async def change(self, repair: Repair, before: RepairStage, approvals: int) -> bool:
        """Keep a repair anew; False when its stage or number of approvals moved meanwhile."""
        values = self._values(repair)
        statement = (
            update(table)
            .where(
                table.c.repair_id == repair.repair_id,
                table.c.tenant == repair.tenant,
                table.c.stage == before.value,
                table.c.approval_count == approvals,
            )
            .values(values)
        )
        return await self._access.execute(lambda on: on.execute(statement).rowcount == 1)

    async def get(self, tenant: TenantId, repair_id: str) -> Repair | None:
        """A repair of this tenant."""
        statement = select(table).where(table.c.repair_id == repair_id, table.c.tenant == tenant)
        async with self._access.read() as reading:
            row = await reading.run_sync(lambda on: on.execute(statement).one_or_none())
        return None if row is None else self._repair(row)

    async def listing(
        self, tenant: TenantId, stages: frozenset[RepairStage], limit: int
    ) -> Sequence[Repair]:
        """The newest repairs first; empty ``stages`` do not filter."""
        statement = select(table).where(table.c.tenant == tenant)
        if stages:
            statement = statement.where(table.c.stage.in_([one.value for one in stages]))
        newest = statement.order_by(table.c.created_at.desc(), table.c.repair_id.desc())
        limited = newest.limit(min(limit, _MOST))
        async with self._access.read() as reading:
            rows = await reading.run_sync(lambda on: list(on.execute(limited)))
        return [self._repair(row) for row in rows]

    async def outcomes(self, tenant: TenantId) -> Mapping[tuple[str, str], tuple[int, int]]:
        """For each rule and corrected field: how many cases it mended, and how many not."""
        statement = select(table).where(
            table.c.tenant == tenant, table.c.stage == RepairStage.APPLIED.value
        )
        async with self._access.read() as reading:
            rows = await reading.run_sync(lambda on: list(on.execute(statement)))
        mended, other = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for row in rows:
            repair = self._repair(row)
            for item in repair.items:
                counted = mended if item.status == "repaired" else other
                counted[repair.rule, general(item.path)] += 1
        keys = sorted({*mended, *other})
        return {key: (mended[key], other[key]) for key in keys}

    def _values(self, repair: Repair) -> dict[str, Any]:
        body = orjson.dumps(
            {
                "items": [
                    [
                        one.case_id, one.order_no, one.finding, one.path, one.value, one.status,
                        one.reason, one.verdict,
                    ]
                    for one in repair.items
                ]
            }
        )  # fmt: skip
        approvals = [[one.need.value, one.by, one.at, one.statement] for one in repair.approvals]
        return {
            "repair_id": repair.repair_id,
            "tenant": repair.tenant,
            "stage": repair.stage.value,
            "rule": repair.rule,
            "kind": repair.kind,
            "owner": repair.owner,
            "needs": ",".join(sorted(repair.needs)),
            "approvals": orjson.dumps(approvals).decode(),
            "approval_count": len(approvals),
            "redeclare": repair.redeclare,
            "proposed_by": repair.proposed_by,
            "reason": repair.reason,
            "created_at": repair.created_at,
            "deadline": repair.deadline,
            "ended_at": repair.ended_at,
            "body": self._keys.seal_secret("repair", repair.repair_id, body, self._rng),
        }

    def _repair(self, row: Row[*tuple[Any, ...]]) -> Repair:
        body = orjson.loads(self._keys.open_secret("repair", row.repair_id, bytes(row.body)))
        return Repair(
            repair_id=row.repair_id,
            tenant=TenantId(row.tenant),
            stage=RepairStage(row.stage),
            rule=row.rule,
            kind=row.kind,
            owner=row.owner,
            needs=frozenset(Need(one) for one in row.needs.split(",") if one),
            items=tuple(RepairItem(CaseId(one[0]), *one[1:]) for one in body["items"]),
            proposed_by=row.proposed_by,
            reason=row.reason,
            created_at=row.created_at,
            redeclare=bool(row.redeclare),
            approvals=tuple(
                Approval(Need(one[0]), one[1], one[2], one[3])
                for one in orjson.loads(row.approvals)
            ),
            deadline=row.deadline,
            ended_at=row.ended_at,
        )


def general(path: str) -> str:
    """A path without the numbers of lines."""
    return ".".join(name for name in path.split(".") if not name.isdecimal())


def _insert(connection: Connection, values: Mapping[str, Any]) -> None:
    connection.execute(insert(table).values(values))
