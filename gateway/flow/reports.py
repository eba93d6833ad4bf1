"""Reports of exported consignments: every parcel that is named together goes into one record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.domain.case import CaseStage
from gateway.domain.codec import to_micros
from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import InvalidValue
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.lifecycle import case_stage
from gateway.domain.papers import PaperKind
from gateway.domain.reports import report_event
from gateway.flow.context import Context
from gateway.flow.match import Bench, record_planned
from gateway.ports import CaseView, Changes, Command, Found, Views

Stages = Mapping[CaseId, CaseStage]


@dataclass(frozen=True, slots=True)
class Report:
    """What a firm reports of parcels of one bill; ``facts`` as in :mod:`gateway.domain.reports`."""

    kind: DeclarationKind
    tenant: TenantId
    cases: Sequence[CaseId]
    facts: Mapping[str, str]
    by: str
    context: Context
    now: int


def report_command(report: Report) -> Command[Stages]:
    """The command that records a report on all of its cases, or on none."""
    return Command(
        decide=decide_reported,
        facts=report,
        load=tuple(report.cases),
        lane=report.cases[0],
        stage="desk",
    )


def decide_reported(report: Report, views: Views, found: Found) -> Changes[Stages]:
    """Pure: plan the report of every parcel; what is wrong with one keeps all from being filed.

    Raises ``InvalidValue`` whose path names the case by its place, from 0.
    """
    changes: Changes[Stages] = Changes(result={})
    left_at = report.facts.get("left_at")
    if left_at is not None and to_micros(datetime.fromisoformat(left_at)) > report.now:
        raise InvalidValue("left_at", "must not lie in the future")
    stages: dict[CaseId, CaseStage] = {}
    bills: set[tuple[str, str | None]] = set()
    for position, case_id in enumerate(report.cases):
        view = views.get(case_id)
        if view is None or view.key.tenant != report.tenant:
            raise InvalidValue(f"cases.{position}", "does not exist")
        waybill = view.state.paper(PaperKind.WAYBILL)
        bills.add((view.key.profile_id, waybill.bill if waybill is not None else None))
        if len(bills) > 1:
            raise InvalidValue(f"cases.{position}", "travels under another bill than the first")
        try:
            _plan(report, view, changes)
        except InvalidValue as error:
            path = f"cases.{position}" if error.path == "cases" else error.path
            raise InvalidValue(path, error.reason) from None
        stages[case_id] = case_stage(view.state)
    changes.result = stages
    return changes


def _plan(report: Report, view: CaseView, changes: Changes[Stages]) -> None:
    context = report.context
    profile = context.master.profile(view.key.tenant, view.key.profile_id)
    assert profile is not None
    event = report_event(view.state, view.key, profile, report.kind, report.facts)
    if event is not None:
        bench = Bench(profile, context.master, context.matcher, context.crash, report.now)
        record_planned(view, changes, bench, event, report.by)
