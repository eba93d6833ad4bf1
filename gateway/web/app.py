"""The console as an application of its own, mounted at ``/console``; who may see what stands here.

Every page also answers at its address with ``.json``, lists with ``.csv`` and ``.xlsx``, under the
same rule.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web

from gateway.ports.people import Role
from gateway.web.call import CHECKERS, DESK, EVERYBODY, OPERATORS, Route
from gateway.web.guard import HEADERS, Guard
from gateway.web.render import assets
from gateway.web.services import WebServices
from gateway.web.views.actions import Actions
from gateway.web.views.bulk import Bulk
from gateway.web.views.cases import Cases
from gateway.web.views.desk import Desk
from gateway.web.views.live import Live
from gateway.web.views.operations import Operations
from gateway.web.views.packs import Packs
from gateway.web.views.repairs import RepairDesk
from gateway.web.views.review import Review
from gateway.web.views.settings import Settings
from gateway.web.views.signin import SignIn
from gateway.web.views.today import Today

GUARD: Final = web.AppKey("GUARD", Guard)
_CASE = "/cases/{case_id}"
_AUDITORS = frozenset({Role.AUDITOR, Role.SUPERVISOR, Role.OPERATOR})
_RESENDERS = OPERATORS | CHECKERS


def create_console(services: WebServices) -> web.Application:
    """The application; mount it at ``/console``."""
    guard = Guard(services)
    app = web.Application(
        client_max_size=services.settings.body_limit, middlewares=[guard.failures]
    )
    app[GUARD] = guard
    live = Live(services)
    table = routes(services, live)
    # Before the pages: a part of a path takes a dot too.
    for route in table:
        _add_twins(app, guard, route)
    for route in table:
        app.router.add_route(route.method, route.path, guard.wrap(route))
    signin = SignIn(services, guard)
    app.router.add_get("/login", signin.show)
    app.router.add_post("/login", signin.send)
    app.router.add_get("/login/oidc", signin.begin)
    app.router.add_get("/login/oidc/back", signin.back)
    app.router.add_post("/logout", signin.leave)
    app.router.add_get("/static/{name}", _static())

    async def drain(_: web.Application) -> None:
        live.draining.set()

    app.on_shutdown.append(drain)
    return app


def routes(services: WebServices, live: Live) -> Sequence[Route]:
    """Every page with the roles that may see it."""
    actions, review, cases = Actions(services), Review(services), Cases(services)
    today, operations = Today(services), Operations(services)
    settings, desk = Settings(services), Desk(services, actions)
    bulk, repairs, packs = Bulk(services, actions), RepairDesk(services), Packs(services)
    return (
        Route("GET", "/", today.show),
        Route("GET", "/review", review.listing, is_list=True),
        Route("GET", "/review/{case_id}", review.beside),
        Route("GET", "/cases", cases.listing, is_list=True),
        Route("GET", _CASE, cases.first, has_json=False),
        Route("GET", f"{_CASE}/diff", cases.diff),
        Route("GET", f"{_CASE}/timeline", cases.timeline),
        Route("GET", f"{_CASE}/documents", cases.documents),
        Route("GET", f"{_CASE}/declaration", cases.declaration),
        Route("GET", f"{_CASE}/declaration/{{number}}", cases.declaration),
        Route("GET", f"{_CASE}/attempts", cases.attempts),
        Route("GET", f"{_CASE}/audit", cases.audit),
        Route("GET", f"{_CASE}/evidence", cases.evidence),
        Route("GET", f"{_CASE}/changes", live.changes),
        Route("GET", f"{_CASE}/do/{{action}}", actions.show),
        Route("POST", f"{_CASE}/do/{{action}}", actions.do),
        Route("POST", f"{_CASE}/assign", actions.assign, DESK),
        Route("GET", f"{_CASE}/repair", repairs.show, DESK),
        Route("POST", f"{_CASE}/repair", repairs.propose, DESK),
        Route("GET", "/repairs", repairs.listing, is_list=True),
        Route("GET", "/repairs/{repair_id}", repairs.one, is_list=True),
        Route("POST", "/repairs/{repair_id}", repairs.decide, _RESENDERS),
        Route("POST", "/bulk/preview", bulk.preview, DESK),
        Route("POST", "/bulk", bulk.start, DESK),
        Route("GET", "/bulk/{run_id}", bulk.show, is_list=True),
        Route("POST", "/bulk/{run_id}/retry", bulk.retry, DESK),
        Route("GET", "/search", desk.search),
        Route("GET", "/unknown", desk.unknown, is_list=True),
        Route("GET", "/deliveries", desk.deliveries, is_list=True),
        Route("GET", "/notices", desk.warehouse, is_list=True),
        Route("POST", "/deliveries/replay", desk.replay, _RESENDERS),
        Route("POST", "/endpoints/{endpoint_id}", desk.switch, OPERATORS),
        Route("GET", "/approvals", desk.approvals, is_list=True),
        Route("POST", "/approvals/{approval_id}", desk.decide, CHECKERS),
        Route("GET", "/rules", desk.rules, is_list=True),
        Route("GET", "/rules/{rule}", desk.rule),
        Route("GET", "/packs", packs.listing, is_list=True),
        Route("GET", "/packs/edit", packs.edit, _RESENDERS),
        Route("POST", "/packs/edit", packs.send, _RESENDERS),
        Route("GET", "/packs/{label}", packs.one),
        Route("POST", "/packs/{label}", packs.move, _RESENDERS),
        Route("GET", "/adapters", operations.adapters, is_list=True),
        Route("POST", "/aside/{parked_id}", operations.aside, _RESENDERS),
        Route("POST", "/sources/{source}", operations.pull, OPERATORS),
        Route("POST", "/channels/{channel}", operations.switch_channel, OPERATORS),
        Route("GET", "/keys", operations.keys, is_list=True),
        Route("GET", "/schemas", operations.schemas),
        Route("GET", "/audit", operations.audit, _AUDITORS, is_list=True),
        Route("POST", "/audit/check", operations.check, _AUDITORS),
        Route("POST", "/audit/export", operations.export, _AUDITORS),
        Route("GET", "/settings", settings.show),
        Route("POST", "/settings", settings.save),
        Route("POST", "/settings/password", settings.password),
        Route("POST", "/views", settings.keep_view),
        Route("POST", "/settings/tenant", settings.tenant),
        Route("POST", "/session/extend", settings.extend),
        Route("GET", "/settings/people", settings.people, OPERATORS, is_list=True),
        Route("POST", "/settings/people", settings.add, OPERATORS),
        Route("POST", "/settings/people/{login}", settings.switch, OPERATORS),
        Route("GET", "/events", live.stream, EVERYBODY, has_json=False),
    )


def _add_twins(app: web.Application, guard: Guard, route: Route) -> None:
    """The ``.json`` of a page, and the files of a list."""
    if route.method != "GET" or not route.has_json:
        return
    path = "/today" if route.path == "/" else route.path
    app.router.add_get(f"{path}.json", guard.wrap(route, ".json"))
    if route.is_list:
        for suffix in (".csv", ".xlsx"):
            app.router.add_get(path + suffix, guard.wrap(route, suffix))


def _static() -> Callable[[web.Request], Awaitable[web.Response]]:
    by_name = {one.address.rpartition("/")[2]: one for one in assets().values()}
    headers = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable"}

    async def send(request: web.Request) -> web.Response:
        found = by_name.get(request.match_info["name"])
        if found is None:
            raise web.HTTPNotFound
        return web.Response(
            body=found.body, headers={**headers, "Content-Type": f"{found.media}; charset=utf-8"}
        )

    return send
