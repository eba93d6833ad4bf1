"""``clearance watch`` over whatever we file, also what follows an inventory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.app.commands import watch
from gateway.domain.case import CaseState
from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.ids import CaseId, TenantId
from store.watch import Moved, Queues, Waiting
from tests.unit.domain.papers import profile

NOW = 10**15
PROFILE = profile()
MESSAGES = {
    DeclarationKind.ORDER: "CEB311Message",
    DeclarationKind.PAYMENT: "CEB411Message",
    DeclarationKind.WAYBILL: "CEB511Message",
    DeclarationKind.INVENTORY: "CEB621Message",
    DeclarationKind.CANCELLATION: "CEB623Message",
    DeclarationKind.RETURN: "CEB625Message",
}


class Reader:
    """A store in which nothing is but what the facts below say."""

    clock = SimpleNamespace(now=lambda: NOW)

    @property
    def access(self) -> Any:
        return self

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Any]:
        yield self

    async def run_sync(self, function: Callable[[Any], Any]) -> Any:
        return function(None)


@pytest.mark.parametrize("kind", MESSAGES)
async def test_whatever_we_file_and_waits_is_told_with_its_message(
    kind: DeclarationKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = DeclarationState(kind, 1, DeclarationStage.SENT, sent_at=0, attempt=2)
    state = CaseState(declarations=(silent,))
    case = Waiting(CaseId("c"), "SO-1", PROFILE.profile_id, state, 0)
    monkeypatch.setattr("store.watch.answers", lambda *_: [])
    monkeypatch.setattr("store.watch.waiting", lambda *_: [case])
    monkeypatch.setattr("store.watch.queues", lambda *_: Queues({}, {}))
    monkeypatch.setattr("store.watch.moved_counts", lambda *_: Moved({}, {}, 0))
    monkeypatch.setattr("store.watch.return_dates", lambda *_: [])
    profiles = {PROFILE.profile_id: PROFILE}
    report = await watch._gathered(Reader(), TenantId("t1"), profiles, 7)  # type: ignore[arg-type]
    (found,) = report.stuck
    assert MESSAGES[kind] in found.zh
    assert MESSAGES[kind] in found.en
