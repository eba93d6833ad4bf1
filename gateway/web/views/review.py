"""The review queue: what waits for a person, grouped by cause, and one case beside the list."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.domain.findings import Finding, Fix, Severity, finding_id
from gateway.domain.ids import CaseId
from gateway.domain.matching.catalogue import find_rule
from gateway.domain.matching.explain import text_of
from gateway.ports.console import Mark, QueueItem
from gateway.web.call import Answer, Call, Grid, Page
from gateway.web.compare import Place, place_of
from gateway.web.mending import can_mend, rank
from gateway.web.services import WebServices
from gateway.web.words import N_

PAGE: Final = 50
_HOUR_US: Final = 3_600_000_000
_SECOND_US: Final = 1_000_000
VIEWS: Final = {
    "all": N_("Everything"),
    "mine": N_("Mine"),
    "unassigned": N_("Nobody's"),
    "late": N_("Late"),
    "held": N_("Held"),
    "snoozed": N_("Snoozed"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One case of the queue as a row."""

    case_id: str
    order_no: str
    seller: str
    market: str
    stage: str
    held: bool
    age_us: int
    deadline: int | None
    is_late: bool
    severity: str
    rule: str
    title: str
    more: int
    place: Place | None
    suggestion: str
    finding: str
    assignee: str | None
    snoozed_until: int | None
    amount: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Equal findings: how many cases have one of this rule, and what it is called."""

    rule: str
    title: str
    severity: str
    count: int
    sellers: int


class Causes:
    """The queue by cause, worked out once for each reading of the queue."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], tuple[Sequence[QueueItem], list[Group]]] = {}

    def of(self, queue: Sequence[QueueItem], tenant: str, language: str) -> list[Group]:
        """See :func:`groups_of`."""
        known = self._known.get((tenant, language))
        if known is None or known[0] is not queue:
            known = self._known[tenant, language] = (queue, groups_of(queue, language))
        return known[1]


class Review:
    """The queue."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._causes = Causes()

    async def listing(self, call: Call) -> Answer:
        """The queue under the filter in the address."""
        return await self._page(call, None)

    async def beside(self, call: Call) -> Answer:
        """The queue with one case beside it."""
        return await self._page(call, call.match("case_id"))

    async def _page(self, call: Call, chosen: str | None) -> Answer:
        reads = self._services.reads
        queue = await reads.queue(call.tenant, call.now)
        marks = await reads.marks(call.tenant)
        items = filtered(queue, marks, call)
        start = _start(call)
        is_file = call.request.path.endswith((".csv", ".xlsx"))
        shown = items if is_file else items[start : start + PAGE]
        paid = await reads.paid(call.tenant, [one.key.case_id for one in shown[:PAGE]])
        lines = [self._line(call, one, marks, paid) for one in shown]
        model: dict[str, Any] = {
            "view": call.query("view", "all"),
            "total": len(items),
            "start": start,
            "lines": lines,
            "groups": self._causes.of(queue, call.tenant, call.language),
            "rule": call.query("rule"),
            "seller": call.query("seller"),
            "after": start + PAGE if start + PAGE < len(items) else None,
            "before": max(start - PAGE, 0) if start else None,
            "case": None,
        }
        extra: dict[str, Any] = {"views": VIEWS, "chosen": chosen, "page_size": PAGE}
        if chosen is not None:
            detail = await self._services.cases.case(call.tenant, CaseId(chosen))
            extra |= {"detail": detail, "explain": self._services.explain}
            model["case"] = None if detail is None else {"case": chosen, "findings": (
                detail.state.verdict.findings if detail.state.verdict else ()
            )}  # fmt: skip
            extra |= {"following": following(items, chosen), "preceding": preceding(items, chosen)}
        else:
            extra |= {"detail": None, "following": None, "preceding": None}
        return Page("review.html", N_("Review queue"), model, grid=_grid(lines), extra=extra)

    def _line(
        self,
        call: Call,
        one: QueueItem,
        marks: Mapping[CaseId, Mark],
        paid: Mapping[CaseId, str],
    ) -> Line:
        locale = "en" if call.language == "en" else "zh"
        worst = worst_of(one.findings)
        profile = self._services.master.profile(call.tenant, one.key.profile_id)
        mark = marks.get(one.key.case_id, Mark())
        found, fix = _suggested(one.findings)
        return Line(
            case_id=one.key.case_id,
            order_no=one.key.order_no,
            seller=profile.merchant.name if profile else one.key.profile_id,
            market=profile.platform.name if profile else one.key.platform,
            stage=one.stage.value,
            held=one.held,
            age_us=call.now - one.created_at,
            deadline=_deadline(one),
            is_late=_deadline(one) < call.now,
            severity=worst.severity.value if worst else "",
            rule=worst.rule if worst else "",
            title=title_of(worst.rule, locale) if worst else "",
            more=max(len(one.findings) - 1, 0),
            place=place_of(fix.path) if fix else None,
            suggestion=(fix.value or "…") if fix else "",
            finding=finding_id(found) if found else "",
            assignee=mark.assignee,
            snoozed_until=mark.snoozed_until,
            amount=paid.get(one.key.case_id, ""),
        )


def _suggested(findings: Sequence[Finding]) -> tuple[Finding | None, Fix | None]:
    """The finding to begin with, and its fix if one of its fields can be corrected here."""
    order = (Severity.BLOCK, Severity.WARN, Severity.NOTE)
    ranked = sorted(findings, key=lambda one: order.index(one.severity))
    for one in ranked:
        for fix in sorted(filter(can_mend, one.fixes), key=rank):
            return one, fix
    return (ranked[0] if ranked else None), None


def _deadline(one: QueueItem) -> int:
    """When a case is late: what the verdict waits for, else a day after it came."""
    return one.until or one.created_at + 24 * _HOUR_US


def _start(call: Call) -> int:
    given = call.query("start", "0")
    return int(given) if given.isdecimal() and len(given) < 6 else 0


def filtered(
    queue: Sequence[QueueItem], marks: Mapping[CaseId, Mark], call: Call
) -> list[QueueItem]:
    """The items of the queue that the address asks for, those that block first."""
    view, rule, seller = call.query("view", "all"), call.query("rule"), call.query("seller")
    found = []
    for one in queue:
        mark = marks.get(one.key.case_id, Mark())
        is_snoozed = (mark.snoozed_until or 0) > call.now
        if is_snoozed != (view == "snoozed"):
            continue
        if view == "mine" and mark.assignee != call.session.user.login:
            continue
        if view == "unassigned" and mark.assignee is not None:
            continue
        if view == "late" and _deadline(one) >= call.now:
            continue
        if view == "held" and not one.held:
            continue
        if rule and all(finding.rule != rule for finding in one.findings):
            continue
        if seller and one.key.profile_id != seller:
            continue
        found.append(one)
    return sorted(found, key=lambda one: (not _blocks(one), one.created_at))


def _blocks(one: QueueItem) -> bool:
    return any(finding.severity is Severity.BLOCK for finding in one.findings)


def following(items: Sequence[QueueItem], case_id: str) -> str | None:
    """The case after this one in the queue."""
    ids = [one.key.case_id for one in items]
    if case_id not in ids:
        return ids[0] if ids else None
    place = ids.index(CaseId(case_id)) + 1
    return ids[place] if place < len(ids) else None


def preceding(items: Sequence[QueueItem], case_id: str) -> str | None:
    """The case before this one in the queue."""
    ids = [one.key.case_id for one in items]
    place = ids.index(CaseId(case_id)) - 1 if case_id in ids else -1
    return ids[place] if place >= 0 else None


def worst_of(findings: Sequence[Finding]) -> Finding | None:
    """The finding that matters most."""
    order = (Severity.BLOCK, Severity.WARN, Severity.NOTE)
    return min(findings, key=lambda one: order.index(one.severity), default=None)


def title_of(rule: str, locale: str) -> str:
    """What a rule is called."""
    info = find_rule(rule)
    return rule if info is None else text_of(info, locale).title


def groups_of(queue: Sequence[QueueItem], language: str) -> list[Group]:
    """The queue by cause, what blocks and what is frequent first."""
    locale = "en" if language == "en" else "zh"
    counts: Counter[str] = Counter()
    severities: dict[str, Severity] = {}
    sellers: dict[str, set[str]] = {}
    order = (Severity.BLOCK, Severity.WARN, Severity.NOTE)
    for one in queue:
        for finding in {found.rule: found for found in one.findings}.values():
            counts[finding.rule] += 1
            known = severities.get(finding.rule, finding.severity)
            severities[finding.rule] = min(known, finding.severity, key=order.index)
            sellers.setdefault(finding.rule, set()).add(one.key.profile_id)
    ranked = sorted(counts, key=lambda rule: (order.index(severities[rule]), -counts[rule], rule))
    return [
        Group(
            rule, title_of(rule, locale), severities[rule].value, counts[rule], len(sellers[rule])
        )
        for rule in ranked
    ]


def _grid(lines: Sequence[Line]) -> Grid:
    columns = (
        N_("Order number"),
        N_("Seller"),
        N_("Stage"),
        N_("Severity"),
        N_("Rule"),
        N_("Finding"),
        N_("Suggestion"),
        N_("Owner"),
    )
    return Grid(
        "review",
        columns,
        [
            (
                one.order_no,
                one.seller,
                one.stage,
                one.severity,
                one.rule,
                one.title,
                one.suggestion,
                one.assignee or "",
            )
            for one in lines
        ],
    )
