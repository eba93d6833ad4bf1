"""What the console keeps of people's work: marks on cases, approvals, bulk runs."""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Connection, insert, select, update

from gateway.domain.ids import CaseId, EffectId, TenantId
from gateway.ports import Clock
from gateway.ports.console import Approval, BulkItem, BulkRun, Mark
from store.access import Access
from store.aside import find_set_aside, put_away, read_again
from store.changes import insert_into
from store.console_tables import approval, bulk_item, bulk_run, case_mark
from store.notices import resend_notices
from store.tables import case_


class SqlConsoleWork:
    """Implements ``ports.console.ConsoleWrites``."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self._access = access
        self._clock = clock

    async def mark(self, tenant: TenantId, case_id: CaseId, mark: Mark) -> bool:
        """Set the mark of a case; False when the tenant has no such case."""
        now = self._clock.now()

        def store(connection: Connection) -> bool:
            own = select(case_.c.case_id).where(
                case_.c.case_id == case_id, case_.c.tenant == tenant
            )
            if connection.execute(own).first() is None:
                return False
            values = {
                "assignee": mark.assignee,
                "snoozed_until": mark.snoozed_until,
                "at": now,
            }
            statement = insert_into(connection, case_mark).values(
                case_id=case_id, tenant=tenant, **values
            )
            connection.execute(
                statement.on_conflict_do_update(index_elements=[case_mark.c.case_id], set_=values)
            )
            return True

        return await self._access.execute(store)

    async def ask_approval(self, approval_: Approval) -> None:
        """Keep a question to a second person."""
        values = {
            "approval_id": approval_.approval_id,
            "tenant": approval_.tenant,
            "action": approval_.action,
            "case_id": approval_.case_id,
            "payload": orjson.dumps(approval_.payload).decode(),
            "asked_by": approval_.asked_by,
            "asked_at": approval_.asked_at,
            "reason": approval_.reason,
        }
        await self._access.execute(lambda on: on.execute(insert(approval).values(values)))

    async def decide(
        self, tenant: TenantId, approval_id: str, by: str, *, is_approved: bool
    ) -> Approval | None:
        """Decide it once; None when it is unknown, decided already, or one's own."""
        now = self._clock.now()

        def store(connection: Connection) -> Approval | None:
            mine = (approval.c.approval_id == approval_id) & (approval.c.tenant == tenant)
            done = connection.execute(
                update(approval)
                .where(mine, approval.c.decided_at.is_(None), approval.c.asked_by != by)
                .values(decided_by=by, decided_at=now, is_approved=is_approved)
            )
            if not done.rowcount:
                return None
            return approval_of(connection.execute(select(approval).where(mine)).one())

        return await self._access.execute(store)

    async def read_again(self, tenant: TenantId, parked_id: str) -> bool:
        """Send the receipt file of a parked record back to the inbox."""

        def store(connection: Connection) -> bool:
            found = find_set_aside(connection, parked_id)
            if found is None or found.tenant != tenant or found.receipt_id is None:
                return False
            return read_again(connection, found.receipt_id)

        return await self._access.execute(store)

    async def put_away(self, tenant: TenantId, parked_id: str, by: str) -> bool:
        """A person has dealt with it."""
        now = self._clock.now()

        def store(connection: Connection) -> bool:
            found = find_set_aside(connection, parked_id)
            if found is None or found.tenant != tenant:
                return False
            return put_away(connection, parked_id, by, now)

        return await self._access.execute(store)

    async def resend(self, tenant: TenantId, ids: frozenset[EffectId]) -> Sequence[EffectId]:
        """Send delivered notices once more; gives the ids of those that go."""
        now = self._clock.now()
        return await self._access.execute(lambda on: resend_notices(on, tenant, ids, now))

    async def start_run(self, run: BulkRun) -> None:
        """Keep a bulk run with its waiting items."""

        def store(connection: Connection) -> None:
            connection.execute(
                insert(bulk_run).values(
                    run_id=run.run_id,
                    tenant=run.tenant,
                    action=run.action,
                    by=run.by,
                    reason=run.reason,
                    created_at=run.created_at,
                )
            )
            rows = [
                {
                    "run_id": run.run_id,
                    "case_id": one.case_id,
                    "order_no": one.order_no,
                    "status": one.status,
                    "detail": one.detail,
                }
                for one in run.items
            ]
            if rows:
                connection.execute(insert(bulk_item), rows)

        await self._access.execute(store)

    async def item_done(self, run_id: str, item: BulkItem) -> None:
        """What became of one item."""
        statement = (
            update(bulk_item)
            .where(bulk_item.c.run_id == run_id, bulk_item.c.case_id == item.case_id)
            .values(status=item.status, detail=item.detail)
        )
        await self._access.execute(lambda on: on.execute(statement))

    async def end_run(self, run_id: str) -> None:
        """Every item was tried."""
        statement = (
            update(bulk_run).where(bulk_run.c.run_id == run_id).values(done_at=self._clock.now())
        )
        await self._access.execute(lambda on: on.execute(statement))

    async def run(self, tenant: TenantId, run_id: str) -> BulkRun | None:
        """A run with its items, by order number."""
        own = (bulk_run.c.run_id == run_id) & (bulk_run.c.tenant == tenant)

        def load(connection: Connection) -> BulkRun | None:
            row = connection.execute(select(bulk_run).where(own)).first()
            if row is None:
                return None
            items = connection.execute(
                select(bulk_item).where(bulk_item.c.run_id == run_id).order_by(bulk_item.c.order_no)
            )
            return BulkRun(
                run_id=row.run_id,
                tenant=TenantId(row.tenant),
                action=row.action,
                by=row.by,
                reason=row.reason,
                created_at=row.created_at,
                done_at=row.done_at,
                items=tuple(
                    BulkItem(CaseId(one.case_id), one.order_no, one.status, one.detail)
                    for one in items
                ),
            )

        async with self._access.read() as reading:
            return await reading.run_sync(load)


def approval_of(row: Any) -> Approval:
    """The approval of a stored row (Any: a row holds whatever its columns hold)."""
    return Approval(
        approval_id=row.approval_id,
        tenant=TenantId(row.tenant),
        action=row.action,
        case_id=CaseId(row.case_id),
        payload=orjson.loads(row.payload),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        reason=row.reason,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        is_approved=row.is_approved,
    )
