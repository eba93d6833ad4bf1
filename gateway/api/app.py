"""The application: the route table, the guard around it, and a listener with deadlines.

Roles are listed with each route and nowhere else. A machine key is ``seller`` or ``warehouse``;
people are viewers, clerks, supervisors, operators and auditors.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from gateway.api import answers, edge
from gateway.api.answers_around import LineageOut, QuotaOut
from gateway.api.answers_later import Received, SubmissionOut, SubmissionPage
from gateway.api.answers_packs import DifferencesOut, PackChecked, PackFull, PackList, PackOut
from gateway.api.answers_report import ReportOut
from gateway.api.around import AroundRoutes
from gateway.api.call import XML_TYPE, Answer, Body, Call, Route
from gateway.api.cases import Cases
from gateway.api.codes import code_tables, codes_of
from gateway.api.docs_page import DOCS_HEADERS, PAGE_TYPE, docs_page, problems_page
from gateway.api.findings import Findings
from gateway.api.guard import Guard, problems_for_unknown_addresses
from gateway.api.intake import DOORS, Door, Intake
from gateway.api.later import Submissions
from gateway.api.lifecycle_page import LIFECYCLE_DOCS, LIFECYCLE_HEADERS, lifecycle_page
from gateway.api.mandates import Mandates
from gateway.api.notices import Notices
from gateway.api.openapi import document
from gateway.api.packs import PackRoutes
from gateway.api.preflight import Preflights
from gateway.api.problems import DOCS
from gateway.api.query import (
    CASES,
    EVENTS,
    FINDINGS,
    NOTICES,
    PACKS,
    PACKS_LIST,
    QUOTA,
    REPAIRS,
    SUBMISSION,
    SUBMISSIONS,
)
from gateway.api.reference import message_index, message_reference
from gateway.api.repairs import RepairRoutes
from gateway.api.rules_page import RULES_DOCS, rules_page
from gateway.api.server import ByPath, EdgeRunner
from gateway.api.services import KeyRole, Services
from gateway.api.settings import APISettings
from gateway.api.signatures import Signatures
from gateway.api.stream import SSE_TYPE, Events
from gateway.domain.asking import Ask
from gateway.domain.errors import InvalidValue

DOCUMENT_VERSION: Final = "1.0.0"
# What a request learns itself of events that nobody learned from yet.
_LEARNED_AT_ONCE: Final = 5_000
_SELLER, _WAREHOUSE = KeyRole.SELLER.value, KeyRole.WAREHOUSE.value
_PEOPLE: Final = frozenset(
    {
        KeyRole.VIEWER.value,
        KeyRole.CLERK.value,
        KeyRole.SUPERVISOR.value,
        KeyRole.OPERATOR.value,
        KeyRole.AUDITOR.value,
    }
)
READERS: Final = _PEOPLE | {_SELLER}
SENDERS: Final = frozenset({_SELLER, KeyRole.OPERATOR.value})
WAYBILL_SENDERS: Final = SENDERS | {_WAREHOUSE}
EVERY_KEY: Final = frozenset(role.value for role in KeyRole)
DESK: Final = frozenset(
    {_SELLER, KeyRole.CLERK.value, KeyRole.SUPERVISOR.value, KeyRole.OPERATOR.value}
)
ARRIVALS: Final = DESK | {_WAREHOUSE}
BYTES_READERS: Final = frozenset(
    {_SELLER, KeyRole.SUPERVISOR.value, KeyRole.OPERATOR.value, KeyRole.AUDITOR.value}
)
DECIDERS: Final = frozenset({KeyRole.SUPERVISOR.value, KeyRole.OPERATOR.value})
NOTIFIED: Final = frozenset({_SELLER, _WAREHOUSE, KeyRole.OPERATOR.value})
ENDPOINT_OWNERS: Final = frozenset({_SELLER, KeyRole.OPERATOR.value})

GUARD: Final = web.AppKey("GUARD", Guard)
SETTINGS: Final = web.AppKey("SETTINGS", APISettings)
BY_PATH: Final = web.AppKey[ByPath]("BY_PATH")


def create_app(services: Services, settings: APISettings | None = None) -> web.Application:
    """The API as an aiohttp application; serve it with :func:`serve`, which adds the deadlines.

    Raises ``InvalidValue`` for a quota of a route that does not exist: it would bound nothing.
    """
    settings = settings or APISettings()
    guard = Guard(services, settings)
    draining = asyncio.Event()
    routes = route_table(services, settings, draining)
    app = web.Application(
        client_max_size=settings.batch_limit,
        middlewares=[problems_for_unknown_addresses(guard)],
    )
    app[GUARD], app[SETTINGS] = guard, settings
    routes = (*routes, *_document_routes(routes))
    unknown = {one.route for one in settings.quotas} - {f"{r.method} {r.path}" for r in routes}
    if unknown - {None}:
        named = ", ".join(sorted(filter(None, unknown)))
        raise InvalidValue("http.quotas", f"there is no route {named}; see /v1/openapi.json")
    by_path = {}
    for route in routes:
        handler = guard.wrap(route)
        app.router.add_route(route.method, route.path, handler)
        if "{" not in route.path:
            by_path[route.method, route.path] = handler
    app[BY_PATH] = by_path

    async def drain(_: web.Application) -> None:
        draining.set()

    app.on_shutdown.append(drain)
    return app


def route_table(
    services: Services, settings: APISettings, draining: asyncio.Event
) -> tuple[Route, ...]:
    """Every route with who may call it and what it takes and gives."""
    intake = Intake(services, settings)
    cases = Cases(services, settings)
    stream = Events(services, settings, draining)
    return (
        *_intake_routes(intake),
        *_submission_routes(Submissions(services, settings)),
        *_case_routes(cases),
        *_question_routes(cases, Preflights(services), Findings(services, settings)),
        *_around_routes(AroundRoutes(services.around)),
        *_repair_routes(RepairRoutes(services, settings)),
        *_pack_routes(PackRoutes(services)),
        *_knowledge_routes(services),
        *_stream_routes(stream),
        *_mandate_routes(Mandates(services)),
        *_signing_routes(Signatures(services, services.signing)),
        *_notice_routes(cases, Notices(services, settings)),
        *_health_routes(services, draining),
        *_code_routes(),
    )


def _intake_routes(intake: Intake) -> Sequence[Route]:
    def paper(door: Door, takes: type[edge.Edge], roles: frozenset[str]) -> Route:
        async def take(call: Call) -> Answer:
            return await intake.paper(call, door)

        return Route(
            "POST",
            f"/v1/{door.name}",
            take,
            f"Send one of your {door.name}; 200 when it says nothing new",
            roles,
            Body.OBJECT,
            takes,
            answers.PaperTaken,
            (200, 201, 202),
            is_intake=True,
            gives_later=Received,
        )

    async def goods(call: Call) -> Answer:
        return await intake.goods(call, edge.GOODS)

    kinds: Sequence[tuple[type[edge.Edge], frozenset[str]]] = (
        (edge.OrderIn, SENDERS),
        (edge.PaymentIn, SENDERS),
        (edge.WaybillIn, WAYBILL_SENDERS),
        (edge.ExportOrderIn, SENDERS),
        (edge.FundsReceiptIn, SENDERS),
        (edge.ExportWaybillIn, WAYBILL_SENDERS),
    )
    return (
        *(paper(door, takes, roles) for door, (takes, roles) in zip(DOORS, kinds, strict=True)),
        Route(
            "POST",
            "/v1/goods",
            goods,
            "Send one goods record; 200 when it says nothing new",
            SENDERS,
            Body.OBJECT,
            edge.GoodsIn,
            answers.GoodsTaken,
            (200, 201),
        ),
        Route(
            "POST",
            "/v1/batches",
            intake.batch,
            "Send up to 5,000 papers and goods records, one a line",
            SENDERS,
            Body.BATCH,
            None,
            answers.BatchTaken,
            is_intake=True,
            gives_later=Received,
        ),
    )


def _submission_routes(submissions: Submissions) -> Sequence[Route]:
    return (
        Route(
            "GET", "/v1/submissions", submissions.listing,
            "What became of what you sent without waiting", READERS,
            gives=SubmissionPage, query=tuple(SUBMISSIONS),
        ),
        Route(
            "GET", "/v1/submissions/{submission_id}", submissions.one,
            "One submission, with the answer it got", READERS | {_WAREHOUSE},
            gives=SubmissionOut, query=tuple(SUBMISSION), problems=(404,),
        ),
    )  # fmt: skip


def _case_routes(cases: Cases) -> Sequence[Route]:
    one, get, post = "/v1/cases/{case_id}", "GET", "POST"
    stage = answers.StageOut
    return (
        Route(
            get,
            "/v1/cases",
            cases.listing,
            "List and find cases",
            READERS,
            gives=answers.CasePage,
            query=tuple(CASES),
        ),
        Route(
            get, one, cases.detail, "One case with everything on it", READERS,
            gives=answers.CaseFull,
        ),
        Route(
            post, f"{one}/hold", cases.hold, "Stop a case before it is sent", DESK,
            Body.OBJECT, edge.HoldIn, stage,
        ),
        Route(post, f"{one}/release", cases.release, "Let a held case go on", DESK, gives=stage),
        Route(post, f"{one}/recheck", cases.recheck, "Match a case again", DESK, gives=stage),
        Route(
            get, "/v1/messages/{message_id}", cases.message, "The signed bytes of a message",
            BYTES_READERS, media=XML_TYPE,
        ),
        Route(
            get, "/v1/receipts/{receipt_id}", cases.receipt, "The bytes of a receipt file",
            BYTES_READERS, media=XML_TYPE,
        ),
    )  # fmt: skip


def _question_routes(cases: Cases, preflights: Preflights, findings: Findings) -> Sequence[Route]:
    def question(ask: Ask, summary: str) -> Route:
        async def put(call: Call) -> Answer:
            return await cases.ask(call, ask)

        return Route(
            "POST", f"/v1/cases/{{case_id}}/{ask.value}", put, summary, DESK,
            Body.OBJECT, edge.AskIn, answers.AskedOut, problems=(404, 409, 412),
        )  # fmt: skip

    return (
        question(Ask.CHANGE, "May it still be changed? Holds it when it may"),
        question(Ask.REDECLARE, "May it be declared anew?"),
        question(Ask.CANCEL, "May it still be cancelled? Holds it when it may"),
        question(Ask.RETURN, "May it be returned?"),
        Route(
            "POST", "/v1/cases/{case_id}/returns/{number}/arrival", cases.goods_back,
            "The goods of a return are back", ARRIVALS, gives=answers.StageOut,
        ),
        Route(
            "POST", "/v1/cases/{case_id}/returns/{number}/tally", cases.tallied,
            "The site counted the exported goods of a return: its report (215) is filed", ARRIVALS,
            Body.OBJECT, edge.TallyIn, answers.StageOut,
        ),
        Route(
            "POST", "/v1/cases/{case_id}/delivery", cases.delivered,
            "The parcel was delivered: the carrier's report (513) is filed", WAYBILL_SENDERS,
            Body.OBJECT, edge.DeliveryIn, answers.StageOut,
        ),
        Route(
            "POST", "/v1/site-arrivals", cases.arrived,
            "Exported parcels of a bill reached the supervised site: the report (507) is filed",
            ARRIVALS, Body.OBJECT, edge.SiteArrivalIn, answers.ReportedOut,
        ),
        Route(
            "POST", "/v1/departures", cases.departed,
            "Exported parcels of a bill left the country: the carrier's report (509) is filed",
            WAYBILL_SENDERS, Body.OBJECT, edge.DepartureIn, answers.ReportedOut,
        ),
        Route(
            "POST", "/v1/preflight", preflights.foresee,
            "What would become of the papers of an order; nothing is stored", SENDERS,
            Body.PAPERS, edge.PreflightIn, answers.ForeseenOut, gives_else=ReportOut,
            query=(("profile", "Of customs' XML: under which profile, where several fit"),),
        ),
        Route(
            "GET", "/v1/findings", findings.listing, "The findings that stand", READERS,
            gives=answers.FindingPage, query=tuple(FINDINGS),
        ),
        Route(
            "POST", "/v1/findings/resolutions", findings.resolve,
            "Record how findings were settled", DESK,
            Body.OBJECT, edge.ResolutionsIn, answers.SettledList,
        ),
    )  # fmt: skip


def _around_routes(around: AroundRoutes) -> Sequence[Route]:
    return (
        Route(
            "GET", "/v1/quota", around.quota,
            "How much of the annual limit the buyer of a case has left", READERS,
            gives=QuotaOut, query=tuple(QUOTA), problems=(404,),
        ),
        Route(
            "GET", "/v1/cases/{case_id}/lineage", around.lineage,
            "How the orders, payments and parcels around a case hang together", READERS,
            gives=LineageOut,
        ),
    )  # fmt: skip


def _repair_routes(repairs: RepairRoutes) -> Sequence[Route]:
    one, out = "/v1/repairs/{repair_id}", answers.RepairOut
    return (
        Route(
            "POST", "/v1/repairs", repairs.propose,
            "Mend a finding here or wherever it has the same cause; dry_run tells what would be",
            DESK, Body.OBJECT, edge.RepairIn, out, (200, 201),
        ),
        Route(
            "GET", "/v1/repairs", repairs.listing, "Repairs, newest first", READERS,
            gives=answers.RepairList, query=tuple(REPAIRS),
        ),
        Route(
            "POST", "/v1/repairs/questions", repairs.ask,
            "Ask the owner of a paper for a value, with a deadline", DESK,
            Body.OBJECT, edge.RepairAskIn, out, (201,),
        ),
        Route("GET", one, repairs.one, "One repair, with every case", READERS, gives=out),
        Route(
            "POST", f"{one}/approvals", repairs.approve,
            "Confirm what a repair needs; the last confirmation applies it", DESK,
            Body.OBJECT, edge.RepairApprovalIn, out,
        ),
        Route(
            "POST", f"{one}/refusals", repairs.refuse, "Drop a proposed repair", DESK,
            Body.OBJECT, edge.RepairRefusalIn, out,
        ),
    )  # fmt: skip


def _pack_routes(packs: PackRoutes) -> Sequence[Route]:
    one, port = "/v1/packs/{label}", tuple(PACKS)
    return (
        Route(
            "GET", "/v1/packs", packs.listing, "Rule packs, newest first", READERS,
            gives=PackList, query=tuple(PACKS_LIST),
        ),
        Route(
            "POST", "/v1/packs", packs.propose,
            "Propose a rule pack, or only check it; a fault names its line", DECIDERS,
            Body.OBJECT, edge.PackIn, PackChecked, (200, 201), problems=(409,),
        ),
        Route(
            "POST", "/v1/packs/trials", packs.try_out,
            "What a pack would change, on stored cases or on papers; nothing is stored", DECIDERS,
            Body.OBJECT, edge.PackTrialIn, DifferencesOut,
        ),
        Route(
            "GET", one, packs.one, "One version with its text", READERS, gives=PackFull,
            query=port, problems=(404,),
        ),
        Route(
            "GET", f"{one}/differences", packs.differences,
            "What a shadow said otherwise of the verdicts given beside it", READERS,
            gives=DifferencesOut, query=port, problems=(404,),
        ),
        Route(
            "POST", f"{one}/moves", packs.move,
            "Put a version in the shadow, in force (not by who proposed it), or out of use",
            DECIDERS, Body.OBJECT, edge.PackMoveIn, PackOut, problems=(404, 409),
        ),
    )  # fmt: skip


def _knowledge_routes(services: Services) -> Sequence[Route]:
    async def lessons(call: Call) -> Answer:
        found = await services.lessons.learn(call.tenant, _LEARNED_AT_ONCE)
        doc = {"lessons": [one.to_doc() for one in found.lessons], "complete": found.is_complete}
        return Answer(orjson.dumps(doc))

    return (
        Route(
            "GET", "/v1/knowledge", lessons,
            "What your own rejections teach: the rule that would have caught each, what helped",
            READERS, gives=answers.LessonList,
        ),
    )  # fmt: skip


def _stream_routes(stream: Events) -> Sequence[Route]:
    return (
        Route(
            "GET", "/v1/events", stream.events,
            "The stream of events, in pages or as Server-Sent Events", READERS,
            gives=answers.EventPage, query=tuple(EVENTS), other_media=(SSE_TYPE,),
        ),
    )  # fmt: skip


def _mandate_routes(mandates: Mandates) -> Sequence[Route]:
    return (
        Route(
            "GET", "/v1/tenants", mandates.tenants, "The tenants that your key may work for",
            EVERY_KEY, gives=answers.TenantList, is_about_key=True,
        ),
        Route(
            "GET", "/v1/mandates", mandates.mandates, "The enterprises that may work for a tenant",
            READERS, gives=answers.MandateList,
        ),
    )  # fmt: skip


def _signing_routes(signatures: Signatures) -> Sequence[Route]:
    return (
        Route(
            "POST", "/v1/signatures", signatures.sign,
            "Sign a message that you built, with a key that was offered to you", SENDERS,
            Body.OBJECT, edge.SignatureIn, answers.SignatureOut, problems=(404,),
        ),
    )  # fmt: skip


def _notice_routes(cases: Cases, notices: Notices) -> Sequence[Route]:
    endpoint = "/v1/endpoints/{endpoint_id}"
    return (
        Route(
            "GET", "/v1/notices", notices.listing, "Fetch notices, or see those given up", NOTIFIED,
            gives=answers.NoticePage, query=tuple(NOTICES),
        ),
        Route(
            "POST", "/v1/notices/replay", notices.replay, "Try parked notices again", NOTIFIED,
            Body.OBJECT, edge.ReplayIn, answers.Replayed,
        ),
        Route(
            "POST", f"{endpoint}/rotations", notices.rotate, "Change the signing secret",
            ENDPOINT_OWNERS, Body.OBJECT, edge.RotationIn, answers.EndpointMade,
        ),
        Route(
            "POST", f"{endpoint}/enable", notices.enable, "Switch an endpoint on",
            ENDPOINT_OWNERS, gives=answers.EndpointOut,
        ),
        Route(
            "POST", f"{endpoint}/disable", notices.disable, "Switch an endpoint off",
            ENDPOINT_OWNERS, Body.OBJECT, edge.DisableIn, answers.EndpointOut,
        ),
        Route(
            "POST", "/v1/notices/acks", cases.acknowledge, "Acknowledge notices", NOTIFIED,
            Body.OBJECT, edge.AcksIn, answers.AcksOut,
        ),
        Route(
            "GET", "/v1/endpoints", cases.endpoints, "Where your notices go", ENDPOINT_OWNERS,
            gives=answers.EndpointList,
        ),
        Route(
            "POST", "/v1/endpoints", cases.new_endpoint, "Have notices sent to an address",
            ENDPOINT_OWNERS, Body.OBJECT, edge.EndpointIn, answers.EndpointMade, (201,),
        ),
    )  # fmt: skip


def _health_routes(services: Services, draining: asyncio.Event) -> Sequence[Route]:
    async def health(call: Call) -> Answer:
        return Answer(orjson.dumps({"status": "ok"}))

    async def ready(call: Call) -> Answer:
        parts = {**await services.ready(), "accepting": not draining.is_set()}
        is_ready = all(parts.values())
        doc = {"status": "ok" if is_ready else "not_ready", "parts": parts}
        return Answer(orjson.dumps(doc), 200 if is_ready else 503)

    async def metrics(call: Call) -> Answer:
        return Answer(generate_latest(services.registry), media=CONTENT_TYPE_LATEST)

    return (
        Route("GET", "/healthz", health, "The process lives", None, gives=answers.Health),
        Route(
            "GET", "/readyz", ready, "Requests may be sent here", None,
            gives=answers.Health, status=(200, 503),
        ),
        Route("GET", "/metrics", metrics, "Prometheus metrics", None, media=CONTENT_TYPE_LATEST),
    )  # fmt: skip


def _code_routes() -> Sequence[Route]:
    return (
        Route(
            "GET", "/v1/codes", code_tables, "Customs' code tables, and how complete each is", None,
            gives=answers.CodeTableList,
        ),
        Route(
            "GET", "/v1/codes/{table}", codes_of,
            "One code table; of rejection codes with cause, fix and what to file again", None,
            gives=answers.CodeTableFull,
        ),
    )  # fmt: skip


def _document_routes(routes: Sequence[Route]) -> Sequence[Route]:
    built = orjson.dumps(document(routes, DOCUMENT_VERSION))
    page, guide, reference = problems_page(), docs_page(tuple(routes)), rules_page()
    life = lifecycle_page()

    async def openapi(call: Call) -> Answer:
        return Answer(built)

    async def problems(call: Call) -> Answer:
        return Answer(page, media=PAGE_TYPE)

    async def docs(call: Call) -> Answer:
        return Answer(guide, media=PAGE_TYPE, headers=DOCS_HEADERS)

    async def rules(call: Call) -> Answer:
        return Answer(reference, media=PAGE_TYPE)

    async def lifecycle(call: Call) -> Answer:
        return Answer(life, media=PAGE_TYPE, headers=LIFECYCLE_HEADERS)

    return (
        Route("GET", "/v1/docs", docs, "How to use this API", None, media=PAGE_TYPE),
        Route("GET", "/v1/openapi.json", openapi, "The OpenAPI document", None),
        Route("GET", DOCS, problems, "What each problem means", None, media=PAGE_TYPE),
        Route("GET", RULES_DOCS, rules, "What each matching rule says", None, media=PAGE_TYPE),
        Route("GET", LIFECYCLE_DOCS, lifecycle, "How a case moves", None, media=PAGE_TYPE),
        Route(
            "GET", "/v1/docs/messages", message_index, "The messages of customs", None,
            media=PAGE_TYPE,
        ),
        Route(
            "GET", "/v1/docs/messages/{edition}/{message}", message_reference,
            "Every field of one message", None, media=PAGE_TYPE,
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Serving:
    """A running listener; ``address`` is the base URL, ``stop`` drains and ends it."""

    address: str
    port: int
    stop: Callable[[], Awaitable[None]]


FaultPage = Callable[[web.BaseRequest, str], web.Response | None]


async def serve(
    app: web.Application,
    host: str,
    port: int,
    *,
    reuse_port: bool = False,
    fault_page: FaultPage | None = None,
) -> Serving:
    """Listen on an address with deadlines and caps; port 0 takes a free one.

    ``app`` comes from :func:`create_app` and may have further applications mounted in it, whose
    ``fault_page`` answers for their own requests with the id under which a fault was noted.
    """
    noted = app[GUARD].failed

    def failed(
        request: web.BaseRequest | None, error: BaseException | None, status: int
    ) -> web.Response:
        answer = noted(request, error, status)
        if request is None or fault_page is None or status < 500:
            return answer
        page = fault_page(request, answer.headers["X-Request-Id"])
        if page is None:
            return answer
        page.force_close()
        return page

    runner = EdgeRunner(app, app[BY_PATH], failed, app[SETTINGS])
    await runner.setup()
    site = web.TCPSite(runner, host, port, reuse_port=reuse_port or None, backlog=1024)
    await site.start()
    shown = f"[{host}]" if ":" in host else host
    return Serving(f"http://{shown}:{site.port}", site.port, runner.cleanup)


@asynccontextmanager
async def serving(
    app: web.Application, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Serving]:
    """:func:`serve` for the length of a block."""
    running = await serve(app, host, port)
    try:
        yield running
    finally:
        await running.stop()
