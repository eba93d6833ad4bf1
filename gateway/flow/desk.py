"""What people may do to a case: hold, release, recheck, and a warehouse's acknowledgements."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationStage
from gateway.domain.errors import TooLate
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId, EffectId, TenantId
from gateway.domain.lifecycle import INVENTORY_DECLARED, case_stage, frozen_reason
from gateway.domain.papers import PaperKind
from gateway.flow.context import Context
from gateway.flow.match import Bench, declare_effect, settle
from gateway.flow.notify import Ack, acknowledge_command
from gateway.ports import CaseView, Changes, Command, Found, Views


class Action(StrEnum):
    """What is asked of a case."""

    HOLD = "hold"
    RELEASE = "release"
    RECHECK = "recheck"


@dataclass(frozen=True, slots=True)
class _Asked:
    action: Action
    tenant: TenantId
    case_id: CaseId
    by: str
    reason: str
    context: Context
    now: int


@dataclass(frozen=True, slots=True)
class Desk:
    """Runs people's commands against the live state of a case."""

    context: Context

    async def hold(
        self, tenant: TenantId, case_id: CaseId, by: str, reason: str
    ) -> CaseStage | None:
        """Stop a case before it is sent; None when the tenant has no such case.

        Raises ``TooLate`` when its inventory is with customs: a hold would stop nothing.
        """
        return await self._run(Action.HOLD, tenant, case_id, by, reason)

    async def release(self, tenant: TenantId, case_id: CaseId, by: str) -> CaseStage | None:
        """Let a held case go on; None when the tenant has no such case."""
        return await self._run(Action.RELEASE, tenant, case_id, by, "")

    async def recheck(self, tenant: TenantId, case_id: CaseId, by: str) -> CaseStage | None:
        """Match a case anew, with today's goods records, profile and rules."""
        return await self._run(Action.RECHECK, tenant, case_id, by, "")

    async def acknowledge(self, tenant: TenantId, acks: Sequence[Ack]) -> list[str]:
        """Record what a warehouse did with notices; each is ``ok``, ``repeated`` or ``unknown``."""
        rows = await self.context.store.find_notices([EffectId(ack.notice_id) for ack in acks])
        answers: list[str] = []
        fresh: list[tuple[CaseId | None, Ack]] = []
        undelivered: list[EffectId] = []
        for ack in acks:
            row = rows.get(EffectId(ack.notice_id))
            if row is None or row.effect.tenant != tenant:
                answers.append("unknown")
            elif row.acked_at is not None:
                answers.append("repeated")
            else:
                answers.append("ok")
                fresh.append((row.effect.case_id, ack))
                if row.done_at is None:
                    undelivered.append(row.effect.effect_id)
        if fresh:
            now = self.context.clock.now()
            await self.context.store.submit(acknowledge_command(fresh, undelivered, now))
        return answers

    async def _run(
        self, action: Action, tenant: TenantId, case_id: CaseId, by: str, reason: str
    ) -> CaseStage | None:
        asked = _Asked(action, tenant, case_id, by, reason, self.context, self.context.clock.now())
        return await self.context.store.submit(
            Command(
                decide=decide_asked,
                facts=asked,
                load=(case_id,),
                with_papers=True,
                lane=case_id,
                stage="match",
            )
        )


def decide_asked(facts: _Asked, views: Views, found: Found) -> Changes[CaseStage | None]:
    """Pure: a person's command against the live state."""
    changes: Changes[CaseStage | None] = Changes(result=None)
    view = views.get(facts.case_id)
    if view is None or view.key.tenant != facts.tenant:
        return changes
    profile = facts.context.master.profile(view.key.tenant, view.key.profile_id)
    assert profile is not None
    bench = Bench(
        profile, facts.context.master, facts.context.matcher, facts.context.crash, facts.now
    )
    match facts.action:
        case Action.HOLD:
            if frozen_reason(view.state, PaperKind.ORDER) == INVENTORY_DECLARED:
                raise TooLate("the inventory is with customs: a hold would stop nothing")
            view.record(Event(EventKind.CASE_HELD, {"by": facts.by, "reason": facts.reason}))
        case Action.RELEASE:
            _let_go(view, changes, facts, bench)
        case Action.RECHECK:
            settle(view, changes, bench)
    changes.result = case_stage(view.state)
    return changes


def _let_go(view: CaseView, changes: Changes[Any], facts: _Asked, bench: Bench) -> None:
    if view.state.hold is None:
        return
    view.record(Event(EventKind.CASE_UNHELD, {"by": facts.by}))
    settle(view, changes, bench)
    for declaration in view.state.declarations:
        if declaration.stage is DeclarationStage.PLANNED:
            changes.effects.append(
                declare_effect(
                    view.key,
                    bench.profile,
                    declaration.kind,
                    declaration.version,
                    facts.now,
                    again=view.state.seq,
                )
            )
