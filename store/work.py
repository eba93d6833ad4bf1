"""How much work is open: what reports and the demo ask."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from gateway.domain.case import CaseStage
from gateway.domain.ids import TenantId
from gateway.ports import EffectKind
from store.tables import case_, inbox, outbox


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Counts of what is not finished: due effects by kind, timers, and receipt files before R2."""

    due: Mapping[EffectKind, int]
    timers: int
    receipts: int

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is due any more; timers may still wait for their time."""
        return not self.due and self.receipts == 0


@dataclass(frozen=True, slots=True)
class NoticeCounts:
    """Notices of a tenant: all, delivered, and acknowledged by a warehouse."""

    asked: int
    sent: int
    acked: int
    parked: int


def open_work(connection: Connection, now: int) -> OpenWork:
    """Count the open effects and receipt files of the whole deployment."""
    is_open = outbox.c.stage == "open"
    due = connection.execute(
        select(outbox.c.kind, func.count())
        .where(is_open, outbox.c.due_at <= now)
        .group_by(outbox.c.kind)
    ).all()
    timers = connection.execute(
        select(func.count()).select_from(outbox).where(is_open, outbox.c.due_at > now)
    ).scalar_one()
    receipts = connection.execute(
        select(func.count()).select_from(inbox).where(inbox.c.stage == "new")
    ).scalar_one()
    return OpenWork({EffectKind(kind): count for kind, count in due}, timers, receipts)


def stage_counts(connection: Connection, tenant: TenantId) -> dict[CaseStage, int]:
    """How many cases of a tenant stand at each stage."""
    rows = connection.execute(
        select(case_.c.stage, func.count()).where(case_.c.tenant == tenant).group_by(case_.c.stage)
    ).all()
    return {CaseStage(stage): count for stage, count in rows}


def notice_counts(connection: Connection, tenant: TenantId) -> NoticeCounts:
    """How the notices of a tenant stand."""
    row = connection.execute(
        select(
            func.count(),
            func.count().filter(outbox.c.stage == "done"),
            func.count(outbox.c.acked_at),
            func.count().filter(outbox.c.stage == "parked"),
        ).where(outbox.c.kind == EffectKind.NOTICE.value, outbox.c.tenant == tenant)
    ).one()
    return NoticeCounts(*row)
