"""Summing up before the period's end: a person has released exports go into one 701 at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.errors import InvalidValue
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.lifecycle import OVER, case_stage
from gateway.domain.planning import summed_up
from gateway.flow.context import Context
from gateway.flow.match import Bench, declare_effect, record_planned
from gateway.ports import CaseView, Changes, Command, Found, Views

_KIND: Final = DeclarationKind.SUMMARY_REQUEST
_GIVEN_WAY: Final = frozenset({DeclarationStage.WITHDRAWN})


@dataclass(frozen=True, slots=True)
class SummingUp:
    """Whose inventories are to be summed up together now, and who says so."""

    tenant: TenantId
    cases: Sequence[CaseId]
    by: str
    context: Context
    now: int


def summing_command(wanted: SummingUp) -> Command[dict[CaseId, CaseStage]]:
    """The command that brings the summary of all of its cases forward, or of none."""
    return Command(
        decide=decide_summing,
        facts=wanted,
        load=tuple(wanted.cases),
        lane=wanted.cases[0],
        stage="desk",
    )


def decide_summing(
    wanted: SummingUp, views: Views, found: Found
) -> Changes[dict[CaseId, CaseStage]]:
    """Pure: what waits for its period's end is requested now; what was requested stays so.

    Raises ``InvalidValue`` whose path names the case by its place, from 0.
    """
    changes: Changes[dict[CaseId, CaseStage]] = Changes(result={})
    for position, case_id in enumerate(wanted.cases):
        view = views.get(case_id)
        if view is None or view.key.tenant != wanted.tenant:
            raise InvalidValue(f"cases.{position}", "does not exist")
        waiting = view.state.declaration(_KIND)
        if waiting is None or waiting.stage in OVER:
            raise InvalidValue(f"cases.{position}", "does not wait to be summed up")
        if waiting.stage is DeclarationStage.PLANNED:
            _bring_forward(wanted, view, waiting.version, changes)
        changes.result[case_id] = case_stage(view.state)
    return changes


def _bring_forward(
    wanted: SummingUp, view: CaseView, version: int, changes: Changes[dict[CaseId, CaseStage]]
) -> None:
    """Plan the request anew, due now and apart from its period, one for all that are named."""
    context, key = wanted.context, view.key
    profile = context.master.profile(key.tenant, key.profile_id)
    assert profile is not None
    told = {"kind": _KIND.value, "version": version, "reason": "summed_up_now"}
    view.record(Event(EventKind.DECLARATION_WITHDRAWN, told))
    changes.effects_done.append(declare_effect(key, profile, _KIND, version, wanted.now).effect_id)
    bench = Bench(profile, context.master, context.matcher, context.crash, wanted.now)
    for event in summed_up(view.state, key, profile, _GIVEN_WAY):
        record_planned(view, changes, bench, event, wanted.by)
        effect = changes.effects.pop()
        group = f"{effect.group.rpartition('/')[0]}/{wanted.now}"
        changes.effects.append(replace(effect, group=group, due_at=wanted.now))
