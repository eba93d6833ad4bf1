"""One action on many cases: choose, preview, run, and what became of each."""

from collections.abc import Sequence
from typing import Final

from gateway.domain.errors import GatewayError, TooLate
from gateway.domain.findings import Severity, finding_id
from gateway.domain.ids import CaseId
from gateway.ports import CaseDetail
from gateway.ports.console import BulkItem, BulkRun, QueueItem
from gateway.web.call import Answer, Call, Go, Grid, Missing, Page
from gateway.web.services import WebServices
from gateway.web.views.actions import Actions
from gateway.web.views.review import filtered
from gateway.web.words import N_, REASONS

MOST: Final = 500
BULK: Final = {
    "recheck": N_("Compare again"),
    "hold": N_("Hold"),
    "release": N_("Lift the hold"),
    "accept_notes": N_("Settle the findings that are only notes"),
    "assign": N_("Make them mine"),
}
_OPEN: Final = frozenset({"waiting", "failed", "unknown"})


class Bulk:
    """The pages under ``/bulk``."""

    def __init__(self, services: WebServices, actions: Actions) -> None:
        self._services = services
        self._actions = actions

    async def preview(self, call: Call) -> Answer:
        """What the action would do to each: will change, or not, and why."""
        items = await self._selected(call)
        action = call.field("action")
        if action not in BULK or not items or len(items) > MOST:
            fault = "nothing_selected" if not items else "too_many"
            return self._page(call, items[:MOST], fault if action in BULK else "choice")
        return self._page(call, items, "")

    def _page(self, call: Call, items: Sequence[QueueItem], fault: str) -> Page:
        action = call.field("action")
        sorted_ = [(one, _ineligible(one, action)) for one in items]
        model = {
            "action": action,
            "eligible": [one.key.case_id for one, why in sorted_ if not why],
            "ineligible": [(one.key.order_no, why) for one, why in sorted_ if why],
            "fault": fault,
        }
        extra = {"items": sorted_, "reasons": REASONS, "actions": BULK}
        return Page(
            "bulk_preview.html", N_("Bulk action"), model, 422 if fault else 200, extra=extra
        )

    async def _selected(self, call: Call) -> list[QueueItem]:
        queue = await self._services.reads.queue(call.tenant, call.now)
        if call.field("all") == "yes":
            marks = await self._services.reads.marks(call.tenant)
            return filtered(queue, marks, call)[: MOST + 1]
        wanted = set(call.many.get("case", ()))
        return [one for one in queue if one.key.case_id in wanted]

    async def start(self, call: Call) -> Answer:
        """Run it, one case after another; the page of the run shows each result."""
        items = await self._selected(call)
        action = call.field("action")
        if action not in BULK or not items or len(items) > MOST:
            return await self.preview(call)
        run = BulkRun(
            run_id=self._services.rng.bytes(8).hex(),
            tenant=call.tenant,
            action=action,
            by=call.actor,
            reason=": ".join(filter(None, (call.field("reason"), call.field("note", 500)))),
            created_at=call.now,
            items=tuple(
                BulkItem(
                    one.key.case_id,
                    one.key.order_no,
                    "not_eligible" if _ineligible(one, action) else "waiting",
                    _ineligible(one, action),
                )
                for one in items
            ),
        )
        await self._services.work.start_run(run)
        await self._services.log.note(
            call.tenant, call.actor, "bulk_started", run.run_id,
            {"action": action, "cases": len(items)},
        )  # fmt: skip
        self._go_on(call, run, frozenset({"waiting"}))
        return Go(f"/bulk/{run.run_id}")

    def _go_on(self, call: Call, run: BulkRun, statuses: frozenset[str]) -> None:
        """Work on after the answer: the page of the run follows it."""
        self._services.backlog.add(run.run_id, lambda: self._work(call, run, statuses))

    async def retry(self, call: Call) -> Answer:
        """Try again what failed, and what a process that ended left open; nothing else."""
        run = await self._services.work.run(call.tenant, call.match("run_id"))
        if run is None or run.by != call.actor:
            raise Missing
        if not self._services.backlog.has(run.run_id):
            self._go_on(call, run, _OPEN)
        return Go(f"/bulk/{run.run_id}")

    async def _work(self, call: Call, run: BulkRun, statuses: frozenset[str]) -> None:
        for item in run.items:
            if item.status not in statuses:
                continue
            try:
                detail = await self._one(call, run, item.case_id)
                status = "not_eligible" if detail else "done"
            except TooLate:
                status, detail = "not_eligible", "too_late"
            except GatewayError as error:
                status, detail = "failed", error.code
            await self._services.work.item_done(
                run.run_id, BulkItem(item.case_id, item.order_no, status, detail)
            )
        await self._services.work.end_run(run.run_id)
        self._services.reads.forget(call.tenant)

    async def _one(self, call: Call, run: BulkRun, case_id: CaseId) -> str:
        desk, by = self._services.desk, call.actor
        match run.action:
            case "recheck":
                await desk.recheck(call.tenant, case_id, by)
            case "hold":
                await desk.hold(call.tenant, case_id, by, run.reason or "bulk")
            case "release":
                await desk.release(call.tenant, case_id, by)
            case "assign":
                await self._actions.give(call, case_id)
            case _:
                detail = await self._services.cases.case(call.tenant, case_id)
                return "unknown" if detail is None else await self._notes(call, detail)
        return ""

    async def _notes(self, call: Call, detail: CaseDetail) -> str:
        verdict = detail.state.verdict
        notes = [
            finding_id(one)
            for one in (verdict.findings if verdict else ())
            if one.severity is Severity.NOTE
        ]
        results = [
            await self._actions.settle(call, detail, one, frozenset({Severity.NOTE}))
            for one in notes
        ]
        failed = [one for one in results if one and one != "repeated"]
        return failed[0] if failed else ""

    async def show(self, call: Call) -> Answer:
        """A run: how far it is and what became of each case."""
        run = await self._services.work.run(call.tenant, call.match("run_id"))
        if run is None:
            raise Missing
        counts: dict[str, int] = {}
        for one in run.items:
            counts[one.status] = counts.get(one.status, 0) + 1
        grid = Grid(
            "bulk",
            (N_("Order number"), N_("Result"), N_("Detail")),
            [(one.order_no, one.status, one.detail) for one in run.items],
        )
        model = {"run": run, "counts": counts}
        is_working = self._services.backlog.has(run.run_id)
        may_retry = not is_working and run.by == call.actor and bool(_OPEN & counts.keys())
        extra = {"actions": BULK, "is_working": is_working, "may_retry": may_retry}
        return Page("bulk_run.html", N_("Bulk action"), model, grid=grid, extra=extra)


def _ineligible(one: QueueItem, action: str) -> str:
    """Why an action would do nothing to a case, empty when it would."""
    if action == "hold" and one.held:
        return "held_already"
    if action == "release" and not one.held:
        return "not_held"
    is_note = any(finding.severity is Severity.NOTE for finding in one.findings)
    return "no_notes" if action == "accept_notes" and not is_note else ""
