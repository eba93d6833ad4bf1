"""Repair: from a finding to its fixes, what one would do to every case, and doing it.

The preview decides each case on a copy of it; nothing is stored before the form is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.domain.case import CaseStage
from gateway.domain.findings import Finding, Fix, FixKind, finding_id
from gateway.domain.ids import CaseId
from gateway.domain.lifecycle import FINAL_STAGES, PERSON_STAGES
from gateway.domain.repair import Need, needs_of
from gateway.flow.repair import NotPossible, Person, Wanted
from gateway.ports import CaseDetail
from gateway.ports.people import Role
from gateway.ports.repairs import Repair, RepairItem, RepairStage
from gateway.web.call import Answer, Call, Go, Grid, Missing, Page
from gateway.web.compare import Place, place_of
from gateway.web.masks import masked
from gateway.web.mending import can_mend, rank
from gateway.web.services import WebServices
from gateway.web.views.review import title_of
from gateway.web.words import N_, REASONS

_LIST: Final = 100
_HOURS: Final = {"4": 4, "24": 24, "72": 72}
_LONGEST_VALUE: Final = 1000
OPEN: Final = frozenset({RepairStage.PROPOSED, RepairStage.ASKED})


@dataclass(frozen=True, slots=True)
class Choice:
    """One fix of a finding as it is offered."""

    path: str
    place: Place
    value: str | None
    kind: str
    owner: str
    confidence: str
    needs: tuple[str, ...]
    is_chosen: bool


class RepairDesk:
    """The pages about repairs."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._repairs = services.repairs

    async def show(self, call: Call) -> Answer:
        """The fixes of a finding, and what the chosen one would do."""
        return await self._form(call, await self._detail(call), {})

    async def _detail(self, call: Call) -> CaseDetail:
        detail = await self._services.cases.case(call.tenant, CaseId(call.match("case_id")))
        if detail is None:
            raise Missing
        return detail

    async def _form(self, call: Call, detail: CaseDetail, faults: dict[str, str]) -> Page:
        finding, fix = _chosen(detail, _given(call, "finding"), _given(call, "path"))
        value = _given(call, "value")[:_LONGEST_VALUE].strip()
        scope = _given(call, "scope") or ("cause" if fix and fix.kind is FixKind.FORM else "case")
        tried: Repair | None = None
        if finding is not None and fix is not None and not faults:
            try:
                tried = await self._repairs.dry_run(
                    call.tenant, person(call), _wanted(call, detail, finding, fix, scope)
                )
            except NotPossible as error:
                faults = {"": error.path}
        locale = "en" if call.language == "en" else "zh"
        items = tuple(tried.items) if tried else ()
        model = {
            "case": detail.row.key.case_id,
            "order_no": detail.row.key.order_no,
            "finding": finding_id(finding) if finding else None,
            "path": fix.path if fix else None,
            "scope": scope,
            "items": [_item(one, fix, detail.row.key.case_id) for one in items],
            "needs": sorted(tried.open_needs) if tried else [],
            "faults": faults,
        }
        extra = {
            "stage": detail.row.stage,
            "standing": finding,
            "standing_title": title_of(finding.rule, locale) if finding else "",
            "choices": _choices(finding, fix),
            "others": _others(detail, finding),
            "value": value,
            "asks_value": any(one.reason in _VALUE_FAULTS for one in items) or bool(value),
            "mended": sum(one.status == "repaired" for one in items),
            "explain": self._services.explain,
            "reasons": REASONS,
            "hours": _HOURS,
            "form": call.form,
            "seq": detail.state.seq,
            "back": _given(call, "back"),
        }
        return Page("repair.html", N_("Repair"), model, 422 if faults else 200, extra=extra)

    async def propose(self, call: Call) -> Answer:
        """Apply a repair that needs nobody else, propose any other."""
        detail = await self._detail(call)
        finding, fix = _chosen(detail, call.field("finding"), call.field("path"))
        if call.field("reason") not in REASONS:
            return await self._form(call, detail, {"reason": "reason"})
        if finding is None or fix is None:
            return await self._form(call, detail, {"": "stands_no_more"})
        wanted = _wanted(call, detail, finding, fix, call.field("scope"))
        try:
            if call.field("do") == "ask":
                hours = _HOURS.get(call.field("hours"), 24)
                made = await self._repairs.ask(call.tenant, person(call), wanted, hours)
            else:
                made = await self._repairs.propose(call.tenant, person(call), wanted)
        except NotPossible as error:
            return await self._form(call, detail, {"": error.path})
        await self._services.log.note(
            call.tenant, call.actor, "repair_proposed", made.repair_id,
            {"rule": made.rule, "cases": len(made.items), "stage": made.stage.value},
        )  # fmt: skip
        return Go(f"/repairs/{made.repair_id}", f"repair_{made.stage.value}")

    async def listing(self, call: Call) -> Answer:
        """The newest repairs, those that wait for somebody first."""
        stage = call.query("stage")
        stages = {one.value: frozenset({one}) for one in RepairStage}
        found = await self._repairs.book.listing(call.tenant, stages.get(stage, frozenset()), _LIST)
        lines = [_line(one, call) for one in found]
        columns = (N_("Rule"), N_("State"), N_("Cases"), N_("Needs"), N_("Proposed by"))
        grid = Grid(
            "repairs",
            columns,
            [
                (one["rule"], one["stage"], one["cases"], " ".join(one["open_needs"]),
                 one["proposed_by"])
                for one in lines
            ],
        )  # fmt: skip
        extra = {"stages": [one.value for one in RepairStage]}
        model = {"lines": lines, "stage": stage if stage in stages else ""}
        return Page("repairs.html", N_("Repairs"), model, grid=grid, extra=extra)

    async def one(self, call: Call) -> Answer:
        """A repair: what it still needs, and what became of every case."""
        return await self._one(call, {})

    async def _one(self, call: Call, faults: dict[str, str]) -> Page:
        repair = await self._repairs.book.get(call.tenant, call.match("repair_id"))
        if repair is None:
            raise Missing
        stages = await self._services.reads.stages(
            call.tenant, [one.case_id for one in repair.items]
        )
        counts: dict[str, int] = {}
        for one in repair.items:
            counts[one.status] = counts.get(one.status, 0) + 1
        items = [_item(one) | {"now": stages.get(one.case_id)} for one in repair.items]
        model = {
            **_line(repair, call),
            "items": items,
            "counts": counts,
            "approvals": repair.approvals,
            "faults": faults,
        }
        grid = Grid(
            "repair",
            (N_("Order number"), N_("Result"), N_("Detail"), N_("Stage")),
            [(one["order_no"], one["status"], one["reason"] or "", one["now"]) for one in items],
        )
        locale = "en" if call.language == "en" else "zh"
        is_other = call.actor != repair.proposed_by
        extra = {
            "title_text": title_of(repair.rule, locale),
            "may_decide": call.role in _DECIDERS and is_other and repair.stage in OPEN,
            "needs_ground": Need.OWNER in repair.open_needs and repair.owner != "seller",
            "only_seller": Need.OWNER in repair.open_needs and repair.owner == "seller",
            "is_moving": call.now - (repair.ended_at or 0) < _FOLLOWED_US and any(
                stages.get(one.case_id, "") not in _RESTS for one in repair.items
            ),
            "form": call.form,
        }  # fmt: skip
        status = 422 if faults else 200
        return Page("repair_one.html", N_("Repair"), model, status, grid=grid, extra=extra)

    async def decide(self, call: Call) -> Answer:
        """Approve a repair as a second person, or drop it."""
        repair_id = call.match("repair_id")
        is_approved = call.field("decision") == "approve"
        statement = call.field("statement", 200)
        try:
            if is_approved:
                done = await self._repairs.approve(call.tenant, person(call), repair_id, statement)
            else:
                if len(statement) < 3:
                    return await self._one(call, {"statement": "note"})
                done = await self._repairs.refuse(call.tenant, person(call), repair_id, statement)
        except NotPossible as error:
            return await self._one(call, {"statement": error.path})
        if done is None:
            raise Missing
        action = "approved" if is_approved else "declined"
        await self._services.log.note(
            call.tenant, call.actor, action, repair_id,
            {"action": "repair", "cases": len(done.items), "stage": done.stage.value},
        )  # fmt: skip
        return Go(f"/repairs/{repair_id}", f"repair_{done.stage.value}")


_DECIDERS: Final = frozenset({Role.SUPERVISOR, Role.OPERATOR})
_VALUE_FAULTS: Final = frozenset({"value_needed", "value_invalid"})
# Where a repaired case rests; until then the page of its repair follows it, for some minutes.
_RESTS: Final = frozenset(
    one.value for one in FINAL_STAGES | PERSON_STAGES | {CaseStage.COLLECTING}
)
_FOLLOWED_US: Final = 10 * 60 * 1_000_000


def person(call: Call) -> Person:
    """Who asks, as histories and repairs know them."""
    return Person(call.actor, call.role.value)


def _given(call: Call, name: str) -> str:
    return call.form[name] if name in call.form else call.query(name)


def _wanted(call: Call, detail: CaseDetail, finding: Finding, fix: Fix, scope: str) -> Wanted:
    note = call.field("note", 150)
    return Wanted(
        case_id=detail.row.key.case_id,
        finding=finding_id(finding),
        path=fix.path,
        reason=": ".join(part for part in (call.field("reason"), note) if part) or "-",
        value=_given(call, "value")[:_LONGEST_VALUE].strip() or None,
        everywhere=scope == "cause",
        redeclare=call.request.method == "GET" or call.field("redeclare") == "yes",
    )


def _chosen(detail: CaseDetail, wanted: str, path: str) -> tuple[Finding | None, Fix | None]:
    """The finding asked for, else the first that can be mended, and its fix."""
    verdict = detail.state.verdict
    findings: Sequence[Finding] = verdict.findings if verdict else ()
    if wanted:
        findings = [one for one in findings if finding_id(one) == wanted]
    for finding in findings:
        fixes = sorted(filter(can_mend, finding.fixes), key=rank)
        if path:
            fixes = [one for one in fixes if one.path == path]
        if fixes:
            return finding, fixes[0]
    return (findings[0] if findings else None), None


def _choices(finding: Finding | None, chosen: Fix | None) -> list[Choice]:
    return [
        Choice(
            path=one.path,
            place=place_of(one.path),
            value=one.value,
            kind=one.kind.value,
            owner=one.owner,
            confidence=one.confidence.value,
            needs=tuple(sorted(needs_of(one))),
            is_chosen=chosen is not None and one.path == chosen.path,
        )
        for one in sorted(filter(can_mend, finding.fixes if finding else ()), key=rank)
    ]


def _others(detail: CaseDetail, finding: Finding | None) -> list[tuple[str, str]]:
    """The other findings of the case that can be mended: id and rule."""
    verdict = detail.state.verdict
    return [
        (finding_id(one), one.rule)
        for one in (verdict.findings if verdict else ())
        if one is not finding and any(map(can_mend, one.fixes))
    ]


def _item(item: RepairItem, fix: Fix | None = None, case_id: str = "") -> dict[str, Any]:
    value = item.value
    shown = None if value is None else masked(value, place_of(item.path).shown)
    if value is None and fix is not None and (item.case_id, item.path) == (case_id, fix.path):
        # What the fix of this finding says; in another case the same fix has another value.
        shown = fix.value
    return {
        "case": item.case_id,
        "order_no": item.order_no,
        "path": item.path,
        "value": shown,
        "status": item.status,
        "reason": item.reason,
        "stage": item.verdict,
    }


def _line(repair: Repair, call: Call) -> dict[str, Any]:
    locale = "en" if call.language == "en" else "zh"
    return {
        "repair": repair.repair_id,
        "rule": repair.rule,
        "rule_title": title_of(repair.rule, locale),
        "stage": repair.stage.value,
        "kind": repair.kind,
        "owner": repair.owner,
        "path": repair.items[0].path if repair.items else "",
        "cases": len(repair.items),
        "needs": sorted(repair.needs),
        "open_needs": sorted(repair.open_needs),
        "proposed_by": repair.proposed_by,
        "created_at": repair.created_at,
        "ended_at": repair.ended_at,
        "deadline": repair.deadline,
        "reason": repair.reason,
        "redeclare": repair.redeclare,
    }
