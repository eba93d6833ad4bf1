"""Rule packs in memory, what was noted of them, and books without repairs and
lessons.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway.domain.ids import TenantId
from gateway.domain.papers import Paper
from gateway.ports import Books, CaseView, Page
from gateway.ports.lessons import Learned
from gateway.ports.packs import PackStage, StoredPack
from gateway.ports.people import ChainReport, LogEntry
from gateway.ports.repairs import Repair, RepairStage


class Packs:
    """Keeps rule packs, and what was noted of them."""

    def __init__(self) -> None:
        self.kept: list[StoredPack] = []
        self.noted: list[tuple[str | None, str, str, str | None]] = []

    async def put(self, pack: StoredPack) -> bool:
        if any((one.scope, one.label) == (pack.scope, pack.label) for one in self.kept):
            return False
        self.kept.append(pack)
        return True

    async def decide(self, pack: StoredPack, stage: PackStage, by: str, at: int) -> bool:
        moved = replace(pack, stage=stage, decided_by=by, decided_at=at)
        self.kept = [moved if one == pack else one for one in self.kept]
        return True

    async def packs(self, tenant: TenantId | None = None) -> Sequence[StoredPack]:
        return [one for one in self.kept if tenant in (None, one.scope.tenant)]

    async def note(
        self,
        tenant: str | None,
        actor: str,
        action: str,
        subject: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        self.noted.append((tenant, actor, action, subject))

    async def entries(self, *asked: object) -> Page[LogEntry]:
        return Page((), None)

    async def check(self) -> ChainReport:
        return ChainReport(0, None, None)


class NoRepairs:
    """A book of repairs that is empty and stays so."""

    async def put(self, repair: Repair) -> None:
        raise AssertionError("nothing is proposed")

    async def change(self, repair: Repair, before: RepairStage, approvals: int) -> bool:
        raise AssertionError("nothing is changed")

    async def get(self, *asked: object) -> Repair | None:
        return None

    async def listing(self, *asked: object) -> Sequence[Repair]:
        return ()

    async def outcomes(self, *asked: object) -> Mapping[tuple[str, str], tuple[int, int]]:
        return {}


class NoLessons:
    """There was nothing to learn."""

    async def learn(self, tenant: TenantId, most: int) -> Learned:
        return Learned((), True)


class NoBooks:
    """Nothing stands around any case."""

    async def load_books(self, view: CaseView, coming: Sequence[Paper]) -> Books:
        return Books()
