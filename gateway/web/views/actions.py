"""What people do to one case: choose, see what it will do, give a reason, done.

Each action is a page with a form, so it works without scripts; nothing happens on one key.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from gateway.domain.asking import REASONS as ANSWERS
from gateway.domain.asking import Ask
from gateway.domain.declaration import DeclarationStage
from gateway.domain.errors import TooLate
from gateway.domain.events import EventKind
from gateway.domain.findings import Finding, Remedy, Severity, finding_id
from gateway.domain.ids import CaseId, Direction, MessageId
from gateway.domain.papers import PaperKind
from gateway.domain.returns import Journey
from gateway.flow.linking import LinkOutcome
from gateway.flow.remedies import Settlement
from gateway.ports import CaseDetail
from gateway.ports.console import Approval, Mark
from gateway.ports.people import Role
from gateway.web.call import (
    DESK,
    EVERYBODY,
    MAY_DOWNLOAD,
    MAY_REVEAL,
    Answer,
    Call,
    File,
    Go,
    Missing,
    Page,
    Stale,
)
from gateway.web.compare import revealed
from gateway.web.services import WebServices
from gateway.web.views.review import title_of
from gateway.web.words import N_, REASONS

_SECOND_US: Final = 1_000_000
_HOUR_US: Final = 3600 * _SECOND_US
REVEALED_S: Final = 60
HOURS: Final = {"1": 1, "4": 4, "24": 24, "72": 72}
LINKED: Final = (PaperKind.PAYMENT.value, PaperKind.WAYBILL.value)
"""The papers that may name no order, and so wait under their own number."""
_LONGEST_NUMBER: Final = 64
_SILENT: Final = frozenset({DeclarationStage.SENT, DeclarationStage.UNKNOWN})
_DESK_AND_OPERATORS: Final = DESK | {Role.OPERATOR}
_BEARS: Final = {
    Role.CLERK: frozenset({Severity.NOTE}),
    Role.SUPERVISOR: frozenset({Severity.NOTE, Severity.WARN}),
}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do: its name, what it will do in words, who may, and what it asks for."""

    name: str
    title: str
    effects: tuple[str, ...]
    roles: frozenset[Role]
    confirm: str
    asks: frozenset[str] = frozenset({"reason", "note"})


ACTIONS: Final = {
    one.name: one
    for one in (
        Action("hold", N_("Hold the case"), (
            N_("Nothing more of this case is sent until the hold is lifted."),
            N_("The reason stands in its history."),
            N_("With a time, it comes back to the queue then; only a person lifts the hold."),
        ), _DESK_AND_OPERATORS, N_("Hold it"), frozenset({"reason", "note", "until"})),
        Action("release", N_("Lift the hold"), (
            N_("The case is compared again at once."),
            N_("What is planned is declared."),
        ), _DESK_AND_OPERATORS, N_("Lift it"), frozenset()),
        Action("recheck", N_("Compare again"), (
            N_("Today's rules, goods records and profile are used."),
            N_("If the papers agree now, the case is declared."),
        ), _DESK_AND_OPERATORS, N_("Compare"), frozenset()),
        Action("change", N_("May it still be changed?"), (
            N_("If it can still be stopped it is held, in the same moment."),
            N_("What customs has accepted is asked back at once, with a request to cancel (623)."),
            N_("The answer stands on the next page."),
        ), _DESK_AND_OPERATORS, N_("Ask")),
        Action("cancel", N_("May it still be cancelled?"), (
            N_("If it can still be stopped it is held, in the same moment."),
            N_("What customs has accepted is asked back at once, with a request to cancel (623)."),
            N_("The answer stands on the next page."),
        ), _DESK_AND_OPERATORS, N_("Ask")),
        Action("redeclare", N_("Declare it again"), (
            N_("After a rejection, what its code names is filed first, then the inventory."),
            N_("What customs has accepted is asked back at once, with a request to cancel (623)."),
            N_("The answer stands on the next page."),
        ), _DESK_AND_OPERATORS, N_("Declare it")),
        Action("return", N_("Take the goods back"), (
            N_("A return (625, of an export 213) of everything that is left is filed at once."),
            N_("Customs takes returns for the days that the profile says: 30 after release, of an"
               " export 365."),
            N_("The answer stands on the next page."),
        ), _DESK_AND_OPERATORS, N_("File the return")),
        Action("accept", N_("Bear the risk of a finding"), (
            N_("The finding counts as settled; the papers stay as they are."),
            N_("What your role may not bear, and dear cases, go to a second person."),
        ), DESK, N_("Settle it")),
        Action("assign", N_("Assign the case"), (
            N_("The case is in their queue; nothing is declared or stopped by it."),
        ), DESK, N_("Assign it"), frozenset({"assignee"})),
        Action("snooze", N_("Snooze"), (
            N_("The case leaves the queue and comes back by itself."),
        ), DESK, N_("Snooze it"), frozenset({"hours"})),
        Action("link", N_("Attach a paper that waits"), (
            N_("The paper that waits under this number is taken into the case and compared."),
            N_("Later versions of it come here by themselves."),
            N_("Who attached it, and why, is kept."),
        ), DESK, N_("Attach it"), frozenset({"reason", "note", "paper"})),
        Action("note", N_("Write a note"), (
            N_("The note stands in the audit of the case; nothing else changes."),
        ), EVERYBODY - {Role.VIEWER}, N_("Keep the note"), frozenset({"note"})),
        Action("reveal", N_("Show a personal value"), (
            N_("The value is shown to you for 60 seconds."),
            N_("Who looked at what, and why, is kept."),
        ), MAY_REVEAL, N_("Show it")),
        Action("looked_up", N_("Record a look-up at customs"), (
            N_("What customs' own page shows is kept with the case, with your name."),
            N_("A second person confirms it. It never releases a parcel."),
        ), DESK, N_("Record it")),
        Action("download", N_("Download the signed bytes"), (
            N_("The file holds personal data in full."),
            N_("Who downloaded what, and why, is kept."),
        ), MAY_DOWNLOAD, N_("Download")),
    )
}  # fmt: skip


# What a return of exported goods says of the way home.
_JOURNEY: Final = {
    "transport_no": (N_("Comes back on: flight, vessel or vehicle"), 100),
    "voyage_no": (N_("Its flight or voyage number"), 32),
    "bill_no": (N_("Its bill of lading or air waybill; none by mail"), 37),
}
_MAIL: Final = "6"


class Actions:
    """The pages under ``/cases/{case_id}/do``."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._does: dict[str, Callable[[Call, CaseDetail], Awaitable[Answer | str]]] = {
            "hold": self._hold,
            "release": self._release,
            "recheck": self._recheck,
            "change": self._ask,
            "cancel": self._ask,
            "redeclare": self._ask,
            "return": self._ask,
            "accept": self._accept,
            "assign": self._assign,
            "snooze": self._snooze,
            "note": self._note,
            "link": self._link,
            "reveal": self._reveal,
            "looked_up": self._looked_up,
            "download": self._download,
        }

    async def show(self, call: Call) -> Answer:
        """What an action will do, and the form that does it."""
        action, detail = await self._asked(call)
        return await self._shown(call, action, detail, {})

    async def do(self, call: Call) -> Answer:
        """Do it, or show the form again with what is missing."""
        action, detail = await self._asked(call)
        faults = self._faults(call, action, detail)
        if faults:
            return await self._shown(call, action, detail, faults)
        self._fresh(call, detail)
        answer = await self._does[action.name](call, detail)
        if isinstance(answer, str):
            return await self._shown(call, action, detail, {"": answer})
        return answer

    async def assign(self, call: Call) -> Answer:
        """Give a case to somebody, at once."""
        _, detail = await self._loaded(call)
        who = call.field("assignee") or call.session.user.login
        users = {one.login: one for one in await self._services.people.users()}
        if who not in users or not users[who].sees(call.tenant):
            raise Missing
        await self.give(call, detail.row.key.case_id, who)
        return Go(_back(call, detail.row.key.case_id), "assign")

    async def give(self, call: Call, case_id: CaseId, who: str = "") -> None:
        """Make a case somebody's, one's own when nobody is named."""
        who = who or call.session.user.login
        mark = await self._mark(call, case_id)
        await self._services.work.mark(call.tenant, case_id, Mark(who, mark.snoozed_until))
        await self._services.log.note(call.tenant, call.actor, "assigned", case_id, {"to": who})

    async def _loaded(self, call: Call) -> tuple[str, CaseDetail]:
        name = call.match("case_id")
        detail = await self._services.cases.case(call.tenant, CaseId(name))
        if detail is None:
            raise Missing
        return name, detail

    async def _asked(self, call: Call) -> tuple[Action, CaseDetail]:
        action = ACTIONS.get(call.match("action"))
        if action is None or call.role not in action.roles:
            raise Missing
        return action, (await self._loaded(call))[1]

    async def _shown(
        self, call: Call, action: Action, detail: CaseDetail, faults: dict[str, str]
    ) -> Page:
        """The form of an action, with the people it may name."""
        people: list[tuple[str, str]] = []
        if "assignee" in action.asks:
            people = [
                (one.login, one.name)
                for one in await self._services.people.users()
                if one.is_active and one.role in DESK and one.sees(call.tenant)
            ]
        return self._form(call, action, detail, faults, people)

    def _form(
        self,
        call: Call,
        action: Action,
        detail: CaseDetail,
        faults: dict[str, str],
        people: list[tuple[str, str]],
    ) -> Page:
        finding = _finding(detail, call.query("finding") or call.field("finding"))
        locale = "en" if call.language == "en" else "zh"
        model = {
            "case": detail.row.key.case_id,
            "order_no": detail.row.key.order_no,
            "action": action.name,
            "effects": action.effects,
            "faults": faults,
            "stage": detail.row.stage,
            "held": detail.row.held,
        }
        extra = {
            "act": action,
            "reasons": REASONS,
            "hours": HOURS,
            "linked": LINKED,
            "people": people,
            "version": detail.row.version,
            "seq": detail.state.seq,
            "finding": finding,
            "finding_id": finding_id(finding) if finding else "",
            "finding_title": title_of(finding.rule, locale) if finding else "",
            "explain": self._services.explain,
            "form": call.form,
            "path": call.query("path") or call.field("path"),
            "kind": call.query("kind"),
            "silent": [
                one for one in detail.state.declarations if one.stage in _SILENT and one.sent_at
            ],
            "message": call.query("message") or call.field("message"),
            "journey": _JOURNEY if _comes_home(action, detail) else {},
            "back": call.query("back") or call.field("back"),
        }
        return Page("action.html", action.title, model, 422 if faults else 200, extra=extra)

    def _faults(self, call: Call, action: Action, detail: CaseDetail) -> dict[str, str]:
        faults = {}
        if "reason" in action.asks and call.field("reason") not in REASONS:
            faults["reason"] = "reason"
        needs_note = "reason" not in action.asks or call.field("reason") == "other"
        if "note" in action.asks and needs_note and len(call.field("note")) < 3:
            faults["note"] = "note"
        if "hours" in action.asks and call.field("hours") not in HOURS:
            faults["hours"] = "until"
        if "paper" in action.asks and call.field("kind") not in LINKED:
            faults["kind"] = "choice"
        if "paper" in action.asks and not call.field("number", _LONGEST_NUMBER):
            faults["number"] = "number"
        if _comes_home(action, detail):
            needed = set(_JOURNEY) - ({"bill_no"} if call.field("mode") == _MAIL else set())
            faults |= {one: "journey" for one in needed if not call.field(one)}
        return faults

    def _fresh(self, call: Call, detail: CaseDetail) -> None:
        seen = call.field("seq")
        if seen.isdecimal() and int(seen) != detail.state.seq:
            raise Stale(detail.row.key.case_id, int(seen))

    async def _hold(self, call: Call, detail: CaseDetail) -> Answer | str:
        case_id, version = detail.row.key.case_id, detail.row.version
        try:
            await self._services.desk.hold(call.tenant, case_id, call.actor, _why(call), version)
        except TooLate:
            return "too_late"
        if call.field("hours") in HOURS:
            await self._put_off(call, case_id)
        return Go(_back(call, case_id), "hold")

    async def _release(self, call: Call, detail: CaseDetail) -> Answer | str:
        case_id, version = detail.row.key.case_id, detail.row.version
        await self._services.desk.release(call.tenant, case_id, call.actor, version)
        return Go(_back(call, case_id), "release")

    async def _recheck(self, call: Call, detail: CaseDetail) -> Answer | str:
        case_id, version = detail.row.key.case_id, detail.row.version
        await self._services.desk.recheck(call.tenant, case_id, call.actor, version)
        return Go(_back(call, case_id), "recheck")

    async def _ask(self, call: Call, detail: CaseDetail) -> Answer | str:
        case_id, version = detail.row.key.case_id, detail.row.version
        ask = Ask(call.match("action"))
        reply = await self._services.desk.ask(
            ask,
            call.tenant,
            case_id,
            call.actor,
            _why(call),
            version,
            journey=_journey(call) if _comes_home(ACTIONS[ask.value], detail) else None,
        )
        if reply is None:
            raise Missing
        english, chinese = ANSWERS[reply.standing.reason]
        model = {
            "case": case_id,
            "order_no": detail.row.key.order_no,
            "answer": reply.standing.answered.value,
            "reason": reply.standing.reason,
            "safe_to_refund": reply.standing.safe_to_refund,
            "held": reply.is_held,
        }
        text = english if call.language == "en" else chinese
        return Page("answer.html", N_("The answer"), model, extra={"text": text})

    async def _accept(self, call: Call, detail: CaseDetail) -> Answer | str:
        finding = _finding(detail, call.field("finding"))
        if finding is None:
            return "unknown"
        if finding.severity is Severity.BLOCK:
            return "block_cannot_be_accepted"
        case_id = detail.row.key.case_id
        if finding.severity not in _BEARS.get(call.role, frozenset()) or await self._is_dear(
            call, case_id, finding
        ):
            await self._ask_second(call, case_id, "accept", {"finding": call.field("finding")})
            return Go(_back(call, case_id), "asked")
        settled = await self.settle(call, detail, call.field("finding"), _BEARS[call.role])
        return settled or Go(_back(call, case_id), "accept")

    async def settle(
        self, call: Call, detail: CaseDetail, wanted: str, bears: frozenset[Severity]
    ) -> str:
        """Record that somebody bears a finding; the reason why not, empty when it was done."""
        done = {
            one.event.payload["finding"]
            for one in detail.events
            if one.event.kind is EventKind.FINDING_RESOLVED
        }
        known = _finding(detail, wanted)
        result = await self._services.desk.settle(
            call.tenant,
            detail.row.key.case_id,
            call.actor,
            [Settlement(wanted, Remedy.ACCEPTED_RISK, _why(call), known, wanted in done, bears)],
        )
        status = result[0]
        return "" if status.status == "resolved" else status.reason or status.status

    async def _is_dear(self, call: Call, case_id: CaseId, finding: Finding) -> bool:
        """Whether a warning stands on a case that costs more than one person may decide over."""
        if finding.severity is not Severity.WARN:
            return False
        paid = (await self._services.reads.paid(call.tenant, [case_id])).get(case_id, "0")
        amount = paid.split(" ")[0].split(".")[0]
        return int(amount or 0) >= self._services.settings.four_eyes_above

    async def _ask_second(
        self, call: Call, case_id: CaseId, action: str, payload: dict[str, Any]
    ) -> None:
        approval = Approval(
            approval_id=self._services.rng.bytes(8).hex(),
            tenant=call.tenant,
            action=action,
            case_id=case_id,
            payload=payload,
            asked_by=call.session.user.login,
            asked_at=call.now,
            reason=_why(call),
        )
        await self._services.work.ask_approval(approval)
        await self._services.log.note(call.tenant, call.actor, "asked", case_id, {"action": action})

    async def _mark(self, call: Call, case_id: CaseId) -> Mark:
        return (await self._services.reads.marks(call.tenant)).get(case_id, Mark())

    async def _snooze(self, call: Call, detail: CaseDetail) -> Answer | str:
        await self._put_off(call, detail.row.key.case_id)
        return Go(_back(call, detail.row.key.case_id), "snooze")

    async def _put_off(self, call: Call, case_id: CaseId) -> None:
        """Take a case out of the queue until the time that was chosen."""
        mark = await self._mark(call, case_id)
        until = call.now + HOURS[call.field("hours")] * _HOUR_US
        await self._services.work.mark(call.tenant, case_id, Mark(mark.assignee, until))
        await self._services.log.note(call.tenant, call.actor, "snoozed", case_id, {"until": until})

    async def _assign(self, call: Call, detail: CaseDetail) -> Answer | str:
        who = call.field("assignee")
        users = {one.login: one for one in await self._services.people.users()}
        if who not in users or not users[who].sees(call.tenant) or not users[who].is_active:
            return "assignee"
        await self.give(call, detail.row.key.case_id, who)
        return Go(_back(call, detail.row.key.case_id), "assign")

    async def _note(self, call: Call, detail: CaseDetail) -> Answer | str:
        case_id = detail.row.key.case_id
        await self._services.log.note(
            call.tenant, call.actor, "noted", case_id, {"note": call.field("note")}
        )
        return Go(_back(call, case_id), "note")

    async def _link(self, call: Call, detail: CaseDetail) -> Answer | str:
        case_id, number = detail.row.key.case_id, call.field("number", _LONGEST_NUMBER)
        kind = PaperKind(call.field("kind"))
        outcome = await self._services.linker.link(call.tenant, case_id, kind, number)
        if outcome is not LinkOutcome.LINKED:
            return outcome.value
        await self._services.log.note(
            call.tenant, call.actor, "paper_linked", case_id,
            {"paper": kind.value, "number": number, "reason": _why(call)},
        )  # fmt: skip
        return Go(_back(call, case_id), "link")

    async def _reveal(self, call: Call, detail: CaseDetail) -> Answer | str:
        case_id, path = detail.row.key.case_id, call.field("path")
        value = revealed(detail.papers, path)
        if value is None:
            raise Missing
        await self._services.log.note(
            call.tenant, call.actor, "revealed", case_id, {"field": path, "reason": _why(call)}
        )
        model = {"case": case_id, "order_no": detail.row.key.order_no, "field": path}
        shown = {"value": value, "seconds": REVEALED_S}
        return Page("revealed.html", N_("Personal value"), model, extra=shown)

    async def _looked_up(self, call: Call, detail: CaseDetail) -> Answer | str:
        case_id = detail.row.key.case_id
        await self._ask_second(call, case_id, "looked_up", {"note": call.field("note")})
        return Go(_back(call, case_id), "asked")

    async def _download(self, call: Call, detail: CaseDetail) -> Answer | str:
        case_id, message = detail.row.key.case_id, call.field("message")
        carried = await self._services.cases.messages_of(call.tenant, case_id)
        if message not in {one[0] for one in carried}:
            raise Missing
        body = await self._services.cases.message(call.tenant, MessageId(message))
        if body is None:
            raise Missing
        await self._services.log.note(
            call.tenant,
            call.actor,
            "downloaded",
            case_id,
            {"message": message, "reason": _why(call)},
        )
        return File(f"{message}.xml", body, "application/xml")


def _why(call: Call) -> str:
    """The reason's code with the note, as histories keep it."""
    return ": ".join(part for part in (call.field("reason"), call.field("note", 500)) if part)


def _back(call: Call, case_id: str) -> str:
    """Where somebody came from: the queue or the case."""
    back = call.field("back")
    is_ours = back.startswith("/") and not back.startswith("//") and "\\" not in back
    return back if is_ours and back.isprintable() else f"/cases/{case_id}/diff"


def _finding(detail: CaseDetail, wanted: str) -> Finding | None:
    verdict = detail.state.verdict
    return next(
        (one for one in (verdict.findings if verdict else ()) if finding_id(one) == wanted), None
    )


def _comes_home(action: Action, detail: CaseDetail) -> bool:
    """Whether what is asked is the return of exported goods, which names the way home."""
    return action.name == Ask.RETURN and detail.row.key.direction is Direction.EXPORT


def _journey(call: Call) -> Journey:
    said = {name: call.field(name, longest) for name, (_, longest) in _JOURNEY.items()}
    bill_no = said["bill_no"] or None
    mode = _MAIL if call.field("mode") == _MAIL else None
    return Journey(said["transport_no"], said["voyage_no"], bill_no, mode)
