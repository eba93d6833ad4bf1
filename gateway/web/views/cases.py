"""Cases: the list, and one case under six tabs."""

from collections.abc import Sequence
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.domain.case import CaseStage, Verdict
from gateway.domain.codec import from_micros, to_micros
from gateway.domain.codes import Rejection, find_rejection, label_of
from gateway.domain.declaration import DeclarationStage, DeclarationState
from gateway.domain.events import EventKind
from gateway.domain.evidence import bases
from gateway.domain.findings import finding_id
from gateway.domain.ids import CaseId, MessageId
from gateway.domain.matching import explain_unverified
from gateway.domain.papers import Order, PaperKind
from gateway.ports import CaseDetail, CaseFilter, CaseRow
from gateway.ports.people import LogFilter
from gateway.web.call import Answer, Call, Go, Grid, Missing, Page
from gateway.web.charts import bars
from gateway.web.compare import declared_values, rows, xml_lines
from gateway.web.filed import filed_parts
from gateway.web.masks import masked
from gateway.web.services import WebServices
from gateway.web.words import N_

PAGE: Final = 50
TABS: Final = {
    "diff": N_("Papers side by side"),
    "timeline": N_("Timeline"),
    "documents": N_("Papers"),
    "declaration": N_("Declaration"),
    "attempts": N_("Attempts"),
    "audit": N_("Audit"),
}
AGES: Final = {
    "hour": N_("Up to 1 h"),
    "day": N_("Up to 24 h"),
    "older": N_("Older"),
    "today": N_("Since midnight"),
}
_HOUR_US: Final = 3_600_000_000
_LANE: Final = 10


class Cases:
    """Pages about cases."""

    def __init__(self, services: WebServices) -> None:
        self._services = services
        self._reads = services.cases

    async def listing(self, call: Call) -> Answer:
        """Cases under the filter in the address, newest first."""
        stages = frozenset(
            CaseStage(one) for one in call.request.query.getall("stage", []) if one in _STAGES
        )
        held = {"yes": True, "no": False}.get(call.query("held"))
        age = call.query("age") if call.query("age") in AGES else ""
        since, before = _range(age, call.now, self._services.settings.time_zone)
        wanted = CaseFilter(
            stages=stages,
            held=held,
            number=call.query("number") or None,
            created_since=since,
            created_before=before,
        )
        size = 1000 if call.request.path.endswith((".csv", ".xlsx")) else PAGE
        page = await self._reads.cases(call.tenant, wanted, call.query("after") or None, size)
        model = {
            "cases": page.items,
            "after": page.after,
            "stages": sorted(stage.value for stage in stages),
            "held": call.query("held"),
            "number": call.query("number"),
            "age": age,
        }
        return Page(
            "cases.html",
            N_("Cases"),
            model,
            grid=_grid(page.items),
            extra={"all_stages": list(_STAGES), "ages": AGES},
        )

    async def first(self, call: Call) -> Answer:
        """A case without a tab: the papers side by side."""
        return Go(f"/cases/{call.match('case_id')}/diff")

    async def _detail(self, call: Call) -> CaseDetail:
        detail = await self._reads.case(call.tenant, CaseId(call.match("case_id")))
        if detail is None:
            raise Missing
        return detail

    def _common(self, detail: CaseDetail, tab: str) -> dict[str, Any]:
        verdict = detail.state.verdict
        settled = {
            one.event.payload["finding"]
            for one in detail.events
            if one.event.kind is EventKind.FINDING_RESOLVED
        }
        revision = detail.papers.get(PaperKind.ORDER)
        order = revision.paper if revision else None
        return {
            "detail": detail,
            "tab": tab,
            "tabs": TABS,
            "profile": self._services.master.profile(
                detail.row.key.tenant, detail.row.key.profile_id
            ),
            "buyer": masked(order.buyer.name, "name") if isinstance(order, Order) else None,
            "paid": str(order.paid) if isinstance(order, Order) else None,
            "findings": [
                (finding_id(one), one, finding_id(one) in settled)
                for one in (verdict.findings if verdict else ())
            ],
            "missing": verdict.missing if verdict else (),
            "unverified": _untold(verdict),
            "explain": self._services.explain,
            "explain_unverified": explain_unverified,
            "seq": detail.state.seq,
            "next_step": next_step(detail),
            "declarations": detail.state.declarations,
            "refusals": _refusals(detail),
            "status_text": label_of,
        }

    def _page(
        self,
        detail: CaseDetail,
        tab: str,
        model: dict[str, Any],
        extra: dict[str, Any] | None = None,
    ) -> Page:
        common = {
            "case": detail.row.key.case_id,
            "order_no": detail.row.key.order_no,
            "stage": detail.row.stage,
            "held": detail.row.held,
            "version": detail.row.version,
        }
        everything = self._common(detail, tab) | (extra or {})
        return Page(f"case_{tab}.html", detail.row.key.order_no, common | model, extra=everything)

    async def diff(self, call: Call) -> Answer:
        """The three papers and the declaration side by side."""
        detail = await self._detail(call)
        verdict = detail.state.verdict
        declared: dict[str, str] = {}
        for one in detail.state.declarations:
            body = await self._body(call, one)
            if body is not None:
                declared |= declared_values(body, detail.row.key.order_no)
        found = rows(detail.papers, declared, verdict.findings if verdict else ())
        only = call.query("only") == "differences"
        shown = [row for row in found if not only or row.agreement in ("differs", "missing")]
        model = {"rows": shown, "only": only, "hidden": len(found) - len(shown)}
        return self._page(
            detail,
            "diff",
            model,
            {"origin": call.query("origin") == "yes", "sources": _sources(detail)},
        )

    async def _body(self, call: Call, one: DeclarationState) -> bytes | None:
        if one.message_id is None:
            return None
        return await self._reads.message(call.tenant, one.message_id)

    async def timeline(self, call: Call) -> Answer:
        """Who did what when, with the stages as a lane."""
        detail = await self._detail(call)
        events: list[dict[str, Any]] = [
            {
                "seq": one.seq,
                "at": one.at,
                "kind": one.event.kind.value,
                "by": one.event.payload.get("by") or _who(one.event.kind),
                "data": one.event.payload,
                "gap_us": one.at - detail.events[place - 1].at if place else 0,
            }
            for place, one in enumerate(detail.events)
        ]
        actor = call.query("actor")
        shown = [one for one in events if not actor or one["by"] == actor]
        longest = sorted(events[1:], key=lambda one: -int(one["gap_us"]))[:_LANE]
        steps = sorted(longest, key=lambda one: int(one["seq"]))
        lane = bars(
            [(one["kind"], int(one["gap_us"]), str(one["seq"])) for one in steps if one["gap_us"]],
            290,
            22,
        )
        actors = sorted({str(one["by"]) for one in events})
        return self._page(
            detail,
            "timeline",
            {"events": shown, "actor": actor},
            {"lane": lane, "actors": actors},
        )

    async def documents(self, call: Call) -> Answer:
        """Each paper's newest revision and the facts it was composed from."""
        detail = await self._detail(call)
        papers = [
            {
                "kind": kind.value,
                "revision": revision.revision,
                "basis": revision.basis.value,
                "digest": revision.digest,
                "facts": [
                    {
                        "source": fact.source,
                        "raw": fact.raw_id,
                        "offset": fact.offset,
                        "length": fact.length,
                        "received_at": to_micros(fact.received_at),
                        "filed_by": fact.filed_by,
                        "differs": bool(fact.filed_by) and fact.paper != revision.paper,
                    }
                    for fact in revision.facts
                ],
            }
            for kind, revision in sorted(detail.papers.items())
        ]
        return self._page(detail, "documents", {"papers": papers})

    async def declaration(self, call: Call) -> Answer:
        """A declaration: its fields, its bytes and what its signature says."""
        detail = await self._detail(call)
        found = detail.state.declarations
        number = call.request.match_info.get("number", "")
        place = int(number) if number.isdecimal() and len(number) < 4 else len(found)
        if found and not 1 <= place <= len(found):
            raise Missing
        one = found[place - 1] if found else None
        body = await self._body(call, one) if one else None
        infos, _ = await self._services.reads.messages(
            call.tenant, [one.message_id] if one and one.message_id else []
        )
        info = infos[0] if infos else None
        verified = ""
        if body is not None and info is not None:
            verified = await self._services.executor.run(
                self._services.operations.verified,
                body,
                info.signature_profile or "",
                info.certificate_serial or "",
            )
        model = {
            "number": place if one else None,
            "declaration": one._asdict() if one else None,
            "message": info,
            "verified": verified,
            "size": len(body) if body is not None else None,
            "receipts": _receipts(detail),
        }
        order_no = detail.row.key.order_no
        lines = xml_lines(body, order_no) if body is not None else []
        filed = filed_parts(body, order_no) if body is not None else []
        return self._page(
            detail, "declaration", model | {"fields": filed}, {"one": one, "xml": lines}
        )

    async def attempts(self, call: Call) -> Answer:
        """Every try to hand a message to a channel."""
        detail = await self._detail(call)
        carried = await self._reads.messages_of(call.tenant, detail.row.key.case_id)
        ids = list(dict.fromkeys(MessageId(one[0]) for one in carried))
        messages, attempts = await self._services.reads.messages(call.tenant, ids)
        return self._page(detail, "attempts", {"messages": messages, "attempts": attempts})

    async def evidence(self, call: Call) -> Answer:
        """Everything that proves the case, on one page to be printed."""
        detail = await self._detail(call)
        case_id = detail.row.key.case_id
        ids = [one.message_id for one in detail.state.declarations if one.message_id]
        messages, attempts = await self._services.reads.messages(call.tenant, ids)
        log = await self._services.log.entries(
            call.tenant, LogFilter(subjects=frozenset({case_id})), None, 200
        )
        model = {
            "declarations": [one._asdict() for one in detail.state.declarations],
            "messages": messages,
            "attempts": attempts,
            "papers": [
                {"kind": kind.value, "revision": one.revision, "digest": one.digest}
                for kind, one in sorted(detail.papers.items())
            ],
            "events": [
                {
                    "seq": one.seq,
                    "at": one.at,
                    "kind": one.event.kind.value,
                    "by": one.event.payload.get("by") or _who(one.event.kind),
                    "hash": one.hash.hex(),
                }
                for one in detail.events
            ],
            "receipts": _receipts(detail),
            "chain": await self._services.reads.check_case(call.tenant, case_id),
            "entries": log.items,
        }
        rests_on = bases(detail.state, (one.event for one in detail.events), None)
        classes = {(one.about, one.version): one.evidence for one in rests_on}
        more = {"sources": _sources(detail), "classes": classes}
        return self._page(detail, "evidence", model, more)

    async def audit(self, call: Call) -> Answer:
        """The chain of the case, checked now, and what people did that changed nothing."""
        detail = await self._detail(call)
        case_id = detail.row.key.case_id
        chain = await self._services.reads.check_case(call.tenant, case_id)
        log = await self._services.log.entries(
            call.tenant, LogFilter(subjects=frozenset({case_id})), None, 200
        )
        events = [
            {"seq": one.seq, "at": one.at, "kind": one.event.kind.value, "hash": one.hash.hex()}
            for one in detail.events
        ]
        return self._page(detail, "audit", {"chain": chain, "events": events, "entries": log.items})


def _untold(verdict: Verdict | None) -> list[str]:
    """The rules that could not be answered and have no finding to be told with."""
    if verdict is None:
        return []
    told = {one.rule for one in verdict.findings}
    return [rule for rule in verdict.unverified if rule not in told]


def _refusals(detail: CaseDetail) -> list[Rejection]:
    """What the codes mean with which customs refused the newest declaration of a refused case."""
    if detail.row.stage is not CaseStage.REJECTED:
        return []
    refused = [one for one in detail.state.declarations if one.stage is DeclarationStage.REJECTED]
    codes = refused[-1].codes if refused else ()
    return [one for code in codes if (one := find_rejection(code)) is not None]


def _receipts(detail: CaseDetail) -> list[dict[str, Any]]:
    """What customs said, in order."""
    return [
        {"at": one.at, **one.event.payload}
        for one in detail.events
        if one.event.kind is EventKind.RECEIPT_RECORDED
    ]


def _range(age: str, now: int, zone: str) -> tuple[int | None, int | None]:
    """Between which times a case of this age was made; the same as the figures of Today count."""
    match age:
        case "hour":
            return now - _HOUR_US, None
        case "day":
            return now - 24 * _HOUR_US, now - _HOUR_US
        case "older":
            return None, now - 24 * _HOUR_US
        case "today":
            return day_start(now, zone), None
        case _:
            return None, None


def day_start(now: int, zone: str) -> int:
    """The last midnight of a zone."""
    here = from_micros(now).astimezone(ZoneInfo(zone))
    return to_micros(here.replace(hour=0, minute=0, second=0, microsecond=0))


def _sources(detail: CaseDetail) -> dict[str, tuple[str, int]]:
    """Who said each paper last, and when it came."""
    return {
        kind.value: (revision.facts[-1].source, to_micros(revision.facts[-1].received_at))
        for kind, revision in detail.papers.items()
        if revision.facts
    }


_STAGES: Final = {stage.value: stage for stage in CaseStage}
_PERSON_EVENTS: Final = frozenset({EventKind.PAPERS_RECEIVED})


def _who(kind: EventKind) -> str:
    """Who is behind an event that names nobody."""
    if kind is EventKind.RECEIPT_RECORDED:
        return "customs"
    return "source" if kind in _PERSON_EVENTS else "gateway"


def next_step(detail: CaseDetail) -> str:
    """What has to happen now, as a message."""
    if detail.row.held:
        return N_("Lift the hold when the reason for it is gone.")
    match detail.row.stage:
        case CaseStage.COLLECTING:
            return N_("Papers or goods records are missing; the case goes on when they come.")
        case CaseStage.MISMATCH | CaseStage.BLOCKED:
            return N_("Have the paper corrected; a corrected paper is compared by itself.")
        case CaseStage.REJECTED:
            return N_("Customs refused it. Read the codes, have the paper corrected.")
        case CaseStage.SENT | CaseStage.WAITING_FILINGS | CaseStage.LODGED | CaseStage.DECLARING:
            return N_("Customs has it. Nothing to do but wait for its answer.")
        case CaseStage.INSPECTION | CaseStage.DETAINED | CaseStage.SUSPENDED | CaseStage.IN_REVIEW:
            return N_("Customs looks at it. The warehouse keeps the parcel ready.")
        case CaseStage.RELEASED | CaseStage.CLOSED:
            return N_("Released. Nothing to do.")
        case _:
            return N_("Nothing to do now.")


def _grid(items: Sequence[CaseRow]) -> Grid:
    columns = (N_("Order number"), N_("Stage"), N_("Held"), N_("Findings"), N_("Profile"))
    return Grid(
        "cases",
        columns,
        [
            (one.key.order_no, one.stage.value, "yes" if one.held else "", one.findings,
             one.key.profile_id)
            for one in items
        ],
    )  # fmt: skip
