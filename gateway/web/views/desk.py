"""Search, the unanswered, deliveries, warehouse notices, approvals, rules."""

from typing import Final

from gateway.domain.findings import Severity
from gateway.domain.ids import CaseId, EffectId, EndpointId
from gateway.domain.matching.catalogue import catalogue, find_rule
from gateway.domain.matching.explain import text_of
from gateway.domain.profile import FilingProfile
from gateway.ports import CaseFilter, CaseRow
from gateway.ports.console import Unanswered
from gateway.ports.mailbox import NoticeFilter, NoticeStatus
from gateway.ports.repairs import RepairStage
from gateway.web.call import Answer, Call, Go, Grid, Missing, Page
from gateway.web.services import WebServices
from gateway.web.views.actions import Actions
from gateway.web.views.review import title_of
from gateway.web.words import N_

_LIMIT: Final = 100
_FILE_LIMIT: Final = 1000
_MOST_NAMED: Final = 50
_STATUSES: Final = ("parked", "open", "done")


class Desk:
    """Pages about work that is not a single case."""

    def __init__(self, services: WebServices, actions: Actions) -> None:
        self._services = services
        self._actions = actions

    async def search(self, call: Call) -> Answer:
        """Any number on any paper leads to its case; the only one is opened."""
        number = call.query("q").strip()
        found: tuple[CaseRow, ...] = ()
        if 0 < len(number) <= 64:
            page = await self._services.cases.cases(
                call.tenant, CaseFilter(number=number), None, 50
            )
            found = page.items
        if len(found) == 1 and not call.request.path.endswith(".json"):
            return Go(f"/cases/{found[0].key.case_id}/diff")
        return Page("search.html", N_("Search"), {"number": number, "cases": found})

    async def unknown(self, call: Call) -> Answer:
        """Sent and not answered: since when, what was looked up, when it goes again."""
        found = await self._services.reads.unanswered(call.tenant)
        lines = [
            {
                "case": one.key.case_id,
                "order_no": one.key.order_no,
                "kind": one.declaration.kind.value,
                "version": one.declaration.version,
                "cop_no": one.declaration.cop_no,
                "sent_at": one.declaration.sent_at,
                "attempt": one.declaration.attempt,
                "waits_us": call.now - (one.declaration.sent_at or call.now),
                "again_at": again_at(one, self._profile(call, one), call.now),
                "lookups": one.lookups,
            }
            for one in found
        ]
        columns = (N_("Order number"), N_("Declaration"), N_("Our number"), N_("Tries"))
        grid = Grid(
            "unknown",
            columns,
            [(one["order_no"], one["kind"], one["cop_no"], one["attempt"]) for one in lines],
        )
        return Page("unknown.html", N_("Unanswered"), {"lines": lines}, grid=grid)

    def _profile(self, call: Call, one: Unanswered) -> FilingProfile | None:
        return self._services.master.profile(call.tenant, one.key.profile_id)

    async def deliveries(self, call: Call) -> Answer:
        """What was told to sellers, and what could not be."""
        return await self._notices(call, frozenset({"seller"}), "deliveries.html", N_("Deliveries"))

    async def warehouse(self, call: Call) -> Answer:
        """What was told to warehouses, and what they acknowledged."""
        roles = frozenset({"warehouse"})
        return await self._notices(call, roles, "deliveries.html", N_("Warehouse notices"))

    async def _notices(
        self, call: Call, roles: frozenset[str], template: str, title: str
    ) -> Answer:
        status = call.query("status", "parked")
        status = status if status in _STATUSES else "parked"
        limit = _FILE_LIMIT if call.request.path.endswith((".csv", ".xlsx")) else _LIMIT
        found = await self._services.reads.notices(call.tenant, roles, status, limit)
        endpoints = [
            {
                "endpoint": one.endpoint_id,
                "url": one.url,
                "role": one.role,
                "is_active": one.is_active,
                "disabled_at": one.disabled_at,
                "disabled_why": one.disabled_why,
            }
            for one in await self._services.endpoints.list_endpoints(call.tenant)
            if one.role in roles
        ]
        lines = [
            {
                "notice": one.effect.effect_id,
                "type": one.effect.ref,
                "case": one.effect.case_id,
                "order_no": one.effect.payload.get("order_no", ""),
                "endpoint": one.endpoint_id,
                # What is handed over in memory is tried without a lease, which is what is counted.
                "attempt": max(one.effect.attempt, 1) if one.answer_us is not None else 0,
                "due_at": one.effect.due_at,
                "status": one.status,
                "detail": one.detail,
                "done_at": one.done_at,
                "acked_at": one.acked_at,
                "answer": one.answer_code,
                "took_us": one.answer_us,
            }
            for one in found
        ]
        columns = (
            N_("Event"), N_("Order number"), N_("State"), N_("Tries"), N_("Answer"),
            N_("Took (ms)"), N_("Detail"),
        )  # fmt: skip
        grid = Grid(
            "notices",
            columns,
            [
                (
                    one["type"],
                    one["order_no"],
                    one["status"],
                    one["attempt"],
                    one["answer"],
                    None if one["took_us"] is None else one["took_us"] // 1000,
                    one["detail"],
                )
                for one in lines
            ],
        )
        model = {"lines": lines, "endpoints": endpoints, "status": status}
        extra = {"statuses": _STATUSES, "is_warehouse": "warehouse" in roles}
        return Page(template, title, model, grid=grid, extra=extra)

    async def replay(self, call: Call) -> Answer:
        """Send notices again: those chosen, or all of an endpoint that were given up."""
        ids = frozenset(EffectId(one) for one in call.many.get("notice", ())[:500])
        endpoint = call.field("endpoint")
        if not ids and not endpoint:
            raise Missing
        if ids and call.field("status") == "done":
            done = await self._services.work.resend(call.tenant, ids)
        else:
            wanted = NoticeFilter(
                status=NoticeStatus.PARKED,
                ids=ids,
                endpoint_id=EndpointId(endpoint) if endpoint else None,
            )
            done = await self._services.mailbox.replay(call.tenant, wanted)
        await self._services.log.note(
            call.tenant,
            call.actor,
            "replayed",
            endpoint or None,
            {"notices": len(done), "ids": sorted(done)[:_MOST_NAMED]},
        )
        return Go(f"{_list_of(call)}?status=open", "replay" if done else "replay_none")

    async def switch(self, call: Call) -> Answer:
        """Switch an endpoint on or off."""
        name, is_on = call.match("endpoint_id"), call.field("on") == "yes"
        done = await self._services.endpoints.set_endpoint_active(
            call.tenant, EndpointId(name), is_on, "" if is_on else call.actor
        )
        if done:
            action = "endpoint_on" if is_on else "endpoint_off"
            await self._services.log.note(call.tenant, call.actor, action, name)
        return Go(_list_of(call), "endpoint")

    async def approvals(self, call: Call) -> Answer:
        """What needs a second person, and what was decided."""
        found = await self._services.reads.approvals(call.tenant, undecided=False)
        model = {
            "open": [one for one in found if one.decided_at is None],
            "decided": [one for one in found if one.decided_at is not None],
        }
        columns = (N_("What"), N_("Order number"), N_("Asked by"), N_("Decided by"), N_("Reason"))
        grid = Grid(
            "approvals",
            columns,
            [
                (one.action, one.order_no, one.asked_by, one.decided_by or "", one.reason)
                for one in found
            ],
        )
        waiting = await self._services.repairs.book.listing(
            call.tenant, frozenset({RepairStage.PROPOSED}), _LIMIT
        )
        extra = {"repairs": waiting, "title_of": title_of}
        return Page("approvals.html", N_("Approvals"), model, grid=grid, extra=extra)

    async def decide(self, call: Call) -> Answer:
        """Approve or decline what somebody else asked for."""
        is_approved = call.field("decision") == "approve"
        mine = call.session.user.login
        decided = await self._services.work.decide(
            call.tenant, call.match("approval_id"), mine, is_approved=is_approved
        )
        if decided is None:
            raise Missing
        case_id = decided.case_id
        action = "approved" if is_approved else "declined"
        await self._services.log.note(
            call.tenant, call.actor, action, case_id, {"action": decided.action}
        )
        if is_approved and decided.action == "looked_up":
            await self._services.log.note(
                call.tenant, decided.asked_by, "looked_up", case_id, dict(decided.payload)
            )
        if is_approved and decided.action == "accept":
            detail = await self._services.cases.case(call.tenant, CaseId(case_id))
            bears = frozenset({Severity.NOTE, Severity.WARN})
            if detail is not None:
                await self._actions.settle(call, detail, decided.payload["finding"], bears)
        return Go("/approvals", action)

    async def rules(self, call: Call) -> Answer:
        """Every rule of this release: what it says and where it comes from."""
        locale = "en" if call.language == "en" else "zh"
        lines = [
            {
                "rule": one.id,
                "group": one.group.value,
                "severity": one.severity.value,
                "title": text_of(one, locale).title,
                "code": one.code,
            }
            for one in catalogue()
        ]
        columns = (N_("Rule"), N_("Severity"), N_("Title"), N_("Customs code"))
        grid = Grid(
            "rules",
            columns,
            [(one["rule"], one["severity"], one["title"], one["code"]) for one in lines],
        )
        return Page("rules.html", N_("Rules"), {"rules": lines}, grid=grid)

    async def rule(self, call: Call) -> Answer:
        """One rule in both languages, with its source."""
        found = find_rule(call.match("rule"))
        if found is None:
            raise Missing
        model = {
            "rule": found.id,
            "severity": found.severity.value,
            "owner": found.owner.value,
            "reads": [kind.value for kind in found.reads],
            "source": found.source,
            "code": found.code,
            "parameters": {name: str(value) for name, value in found.parameters.items()},
        }
        texts = [("zh-CN", found.zh), ("en", found.en)]
        if call.language == "en":
            texts.reverse()
        return Page("rule.html", found.id, model, extra={"texts": texts})


def again_at(one: Unanswered, profile: FilingProfile | None, now: int) -> int | None:
    """When the same bytes go again: as soon as a worker runs where that time is past, and None when
    they go no more of themselves.
    """
    if profile is None or one.planned_at is None:
        return None
    is_spent = one.declaration.attempt > profile.resend_limit
    return None if is_spent else max(one.planned_at, now)


def _list_of(call: Call) -> str:
    return "/notices" if call.field("list") == "warehouse" else "/deliveries"
