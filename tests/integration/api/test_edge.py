"""The edge: who gets in, how slowly, how many, and what every refusal looks like."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import Any

import orjson
import pytest
import structlog
from aiohttp import ClientSession, web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from gateway.api.answers import Health, ProblemOut
from gateway.api.app import create_app, serving
from tests.integration.api.conftest import API, QUICK
from tests.integration.api.test_intake import problem
from tests.unit.api.fakes import (
    ADDRESS,
    ALPHA,
    BETA,
    ID_NUMBER,
    PHONE,
    ROLES,
    goods_doc,
    order_doc,
    payment_doc,
    waybill_doc,
    world,
)

ACKS = {"acks": [{"notice_id": "n", "status": "accepted", "at": "2026-11-03T10:00:00Z"}]}
HOOK = {"url": "https://shop.example/", "role": "seller"}
DESK = {"seller", "clerk", "supervisor", "operator"}
DECIDERS = {"supervisor", "operator"}
OWNERS = {"seller", "operator"}
NOTIFIED = {"seller", "warehouse", "operator"}
WHY = {"reason": "stock"}
ASKS = ("change", "redeclare", "cancel", "return")
READERS = set(ROLES) - {"warehouse"}
# Every route that needs a key: its body, and the roles that may call it.
ROUTES: list[tuple[str, str, Any, set[str]]] = [
    ("POST", "/v1/orders", order_doc(), {"seller", "operator"}),
    ("POST", "/v1/payments", payment_doc(), {"seller", "operator"}),
    ("POST", "/v1/waybills", waybill_doc(), {"seller", "operator", "warehouse"}),
    ("POST", "/v1/goods", goods_doc(), {"seller", "operator"}),
    ("POST", "/v1/export-orders", {}, {"seller", "operator"}),
    ("POST", "/v1/funds-receipts", {}, {"seller", "operator"}),
    ("POST", "/v1/export-waybills", {}, {"seller", "operator", "warehouse"}),
    ("POST", "/v1/batches", None, {"seller", "operator"}),
    ("GET", "/v1/cases", None, READERS),
    ("GET", "/v1/cases/{case}", None, READERS),
    ("POST", "/v1/cases/{case}/hold", {"reason": "stock"}, DESK),
    ("POST", "/v1/cases/{case}/release", None, DESK),
    ("POST", "/v1/cases/{case}/recheck", None, DESK),
    ("GET", "/v1/messages/MSG-alpha", None, {"seller", "supervisor", "operator", "auditor"}),
    ("GET", "/v1/receipts/rcpalpha", None, {"seller", "supervisor", "operator", "auditor"}),
    ("GET", "/v1/events", None, READERS),
    ("POST", "/v1/notices/acks", ACKS, NOTIFIED),
    ("GET", "/v1/endpoints", None, OWNERS),
    ("POST", "/v1/endpoints", HOOK, OWNERS),
    *(("POST", f"/v1/cases/{{case}}/{ask}", WHY, DESK) for ask in ASKS),
    ("POST", "/v1/cases/{case}/returns/1/arrival", None, DESK | {"warehouse"}),
    ("POST", "/v1/cases/{case}/returns/1/tally", {}, DESK | {"warehouse"}),
    ("POST", "/v1/cases/{case}/delivery", {}, {"seller", "operator", "warehouse"}),
    ("POST", "/v1/site-arrivals", {}, DESK | {"warehouse"}),
    ("POST", "/v1/departures", {}, {"seller", "operator", "warehouse"}),
    ("POST", "/v1/preflight", {}, {"seller", "operator"}),
    ("GET", "/v1/findings", None, READERS),
    ("POST", "/v1/findings/resolutions", {}, DESK),
    ("GET", "/v1/cases/{case}/lineage", None, READERS),
    ("GET", "/v1/quota?case={case}", None, READERS),
    ("GET", "/v1/repairs", None, READERS),
    ("GET", "/v1/knowledge", None, READERS),
    ("GET", "/v1/packs", None, READERS),
    ("POST", "/v1/packs", {}, DECIDERS),
    ("POST", "/v1/packs/trials", {}, DECIDERS),
    ("GET", "/v1/packs/none", None, READERS),
    ("GET", "/v1/packs/none/differences", None, READERS),
    ("POST", "/v1/packs/none/moves", {}, DECIDERS),
    ("POST", "/v1/signatures", {}, {"seller", "operator"}),
    ("POST", "/v1/repairs", {}, DESK),
    ("POST", "/v1/repairs/questions", {}, DESK),
    ("GET", "/v1/repairs/none", None, READERS),
    ("POST", "/v1/repairs/none/approvals", {}, DESK),
    ("POST", "/v1/repairs/none/refusals", WHY, DESK),
    ("GET", "/v1/notices", None, NOTIFIED),
    ("POST", "/v1/notices/replay", {}, NOTIFIED),
    ("GET", "/v1/submissions", None, READERS),
    ("GET", "/v1/submissions/none", None, READERS | {"warehouse"}),
    ("GET", "/v1/tenants", None, set(ROLES)),
    ("GET", "/v1/mandates", None, READERS),
    ("POST", "/v1/endpoints/none/rotations", {}, OWNERS),
    ("POST", "/v1/endpoints/none/enable", None, OWNERS),
    ("POST", "/v1/endpoints/none/disable", WHY, OWNERS),
]


async def call(
    api: API,
    route: tuple[str, str, Any, set[str]],
    key: str | None,
    headers: dict[str, str] | None = None,
) -> Any:
    method, path, doc, _ = route
    path = path.replace("{case}", api.world.case_ids[ALPHA])
    if path == "/v1/batches":
        return await api.batch({"type": "order", **order_doc()}, key=key, headers=headers or {})
    sent = {"Clearance-Reason": "audit", **(headers or {})}
    return await api.call(method, path, doc, key=key, headers=sent)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route[0]} {route[1]}")
async def test_every_route_lets_in_its_roles_and_nobody_else(api: API, route: Any) -> None:
    for role in (*ROLES, "stranger"):
        reply = await call(api, route, f"alpha-{role}")
        if role in route[3]:
            # Let in: whatever the route then says of the body or of an id that is not there.
            assert reply.status in (200, 201, 404, 409, 422), (role, reply.body)
        else:
            problem(reply, 403, "API-202")
    for key in (None, "gamma-seller", "", "x" * 300):
        reply = await call(api, route, key)
        problem(reply, 401, "API-201")
        assert reply.headers["WWW-Authenticate"] == "Bearer"


async def test_the_list_of_routes_above_is_complete(api: API) -> None:
    paths = (await api.get("/v1/openapi.json", key=None)).doc["paths"]
    guarded = {
        (method.upper(), path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if "security" in operation
    }
    known = {
        (
            method,
            path.partition("?")[0]
            .replace("{case}", "{case_id}")
            .replace("MSG-alpha", "{message_id}")
            .replace("rcpalpha", "{receipt_id}")
            .replace("endpoints/none/", "endpoints/{endpoint_id}/")
            .replace("returns/1/", "returns/{number}/")
            .replace("packs/none", "packs/{label}")
            .replace("repairs/none", "repairs/{repair_id}")
            .replace("submissions/none", "submissions/{submission_id}"),
        )
        for method, path, _, _ in ROUTES
    }
    assert guarded == known


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route[0]} {route[1]}")
async def test_a_key_that_spans_tenants_names_one_that_it_spans(api: API, route: Any) -> None:
    key = f"both-{min(route[3] - {'seller'})}"
    reply = await call(api, route, key)
    if route[1] == "/v1/tenants":
        assert {one["id"] for one in reply.doc["tenants"]} == {ALPHA, BETA}
    else:
        problem(reply, 400, "API-109")
    for stranger in ("gamma", "", "alpha,beta"):
        problem(await call(api, route, key, {"Clearance-Tenant": stranger}), 403, "API-203")
    reply = await call(api, route, key, {"Clearance-Tenant": ALPHA})
    assert reply.status in (200, 201, 404, 409, 422), reply.body


async def test_a_key_of_one_tenant_may_name_it_and_no_other(api: API) -> None:
    own, other = ({"Clearance-Tenant": one} for one in (ALPHA, BETA))
    assert (await api.get("/v1/cases", key="alpha-viewer", headers=own)).status == 200
    problem(await api.get("/v1/cases", key="alpha-viewer", headers=other), 403, "API-203")
    reply = await api.get("/v1/tenants", key="alpha-viewer")
    assert [one["id"] for one in reply.doc["tenants"]] == [ALPHA]


async def test_an_idempotency_key_is_the_tenants_own(api: API) -> None:
    """The same key and body for two tenants of one caller are two things, not one."""
    for tenant in (ALPHA, BETA):
        headers = {"Clearance-Tenant": tenant, "Idempotency-Key": "one"}
        reply = await api.call("POST", "/v1/endpoints", HOOK, key="both-operator", headers=headers)
        assert reply.status == 201
        assert "Idempotency-Replayed" not in reply.headers
    assert [one.tenant for one in api.world.goods.made] == [ALPHA, BETA]


@pytest.mark.parametrize("scheme", ["Basic", "bearer ", "Bearer\t", "Token"])
async def test_only_bearer_keys_are_known(api: API, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} alpha-seller"}
    reply = await api.get("/v1/cases", key=None, headers=headers)
    problem(reply, 401, "API-201")


async def test_unknown_addresses_and_methods_are_problems_too(api: API) -> None:
    problem(await api.get("/nowhere"), 404, "API-301")
    problem(await api.get("/v1/orders/"), 404, "API-301")
    reply = await api.call("DELETE", "/v1/orders")
    problem(reply, 405, "API-302")
    assert reply.headers["Allow"] == "POST"


async def test_the_type_of_a_problem_leads_to_a_page(api: API) -> None:
    kind = (await api.get("/nowhere")).doc["type"]
    path, _, anchor = kind.partition("#")
    page = await api.get(path, key=None)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f'id="{anchor}"' in page.body.decode()


async def test_applications_mounted_below_keep_their_own_pages() -> None:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    app, console = create_app(world().services, QUICK), web.Application()
    console.router.add_get("/", page)
    app.add_subapp("/console", console)
    async with serving(app) as running, ClientSession() as session:
        async with session.get(running.address + "/console/") as answer:
            assert await answer.text() == "hello"
        async with session.get(running.address + "/console/nowhere") as answer:
            assert answer.status == 404
            assert answer.content_type == "text/plain"


async def test_every_answer_carries_its_safe_headers_and_id(api: API) -> None:
    for path in ("/healthz", "/v1/cases", "/nowhere"):
        headers = (await api.get(path, headers={"X-Request-Id": "mine-1"})).headers
        assert headers["X-Request-Id"] == "mine-1"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["Server"] == "clearance"
    odd = await api.get("/healthz", headers={"X-Request-Id": "a b"})
    again = await api.get("/healthz", headers={"X-Request-Id": "x" * 65})
    assert len({odd.headers["X-Request-Id"], again.headers["X-Request-Id"], "a b"}) == 3


async def test_health_readiness_and_metrics_need_no_key(api: API) -> None:
    health = await api.get("/healthz", key=None)
    assert Health.model_validate_json(health.body).status == "ok"
    assert (await api.get("/readyz", key=None)).doc["parts"] == {"accepting": True}
    await api.post("/v1/orders", order_doc())
    await api.get("/nowhere/" + ID_NUMBER)
    text = (await api.get("/metrics", key=None)).body.decode()
    assert ID_NUMBER not in text
    counts = {
        (sample.labels.get("route"), sample.labels.get("status")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "clearance_http_requests_total"
    }
    assert counts["/v1/orders", "201"] == 1
    assert counts["other", "404"] == 1


async def test_a_part_that_fails_makes_the_process_not_ready() -> None:
    async def parts() -> dict[str, bool]:
        return {"database": False, "key_ring": True}

    services = replace(world().services, ready=parts)
    async with serving(create_app(services, QUICK)) as running, ClientSession() as session:
        async with session.get(running.address + "/readyz") as answer:
            assert answer.status == 503
            assert Health.model_validate_json(await answer.read()).parts["database"] is False


# --- slow, many, broken -----------------------------------------------------------------------


async def until_closed(port: int, *pieces: bytes, pause_s: float = 0) -> tuple[bytes, float]:
    """What comes back, and after how many seconds the server has closed the connection."""
    now = asyncio.get_running_loop().time
    started = now()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(5):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(pause_s)
            answer = await reader.read()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return answer, now() - started


HEAD = b"POST /v1/orders HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alpha-seller\r\n"


@pytest.mark.parametrize("piece", [b"", b"P", b"POST /v1/orders HT", HEAD, HEAD + b"X-A"], ids=len)
async def test_a_request_that_does_not_come_is_closed_at_the_deadline(
    api: API, piece: bytes
) -> None:
    answer, seconds = await until_closed(api.port, piece)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert 0.25 < seconds < 2


async def test_a_dripping_head_does_not_move_the_deadline(api: API) -> None:
    now = asyncio.get_running_loop().time
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    started = now()
    async with asyncio.TaskGroup() as tasks:
        answer = tasks.create_task(reader.read())
        for byte in HEAD:
            if answer.done():
                break
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.05)
    assert answer.result().startswith(b"HTTP/1.1 408 ")
    assert 0.25 < now() - started < 2
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def test_the_deadline_holds_for_every_request_of_a_connection(api: API) -> None:
    whole = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    answer, seconds = await until_closed(api.port, whole, b"GET /heal", pause_s=0.1)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in answer
    assert seconds < 2


@pytest.mark.parametrize("size", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
async def test_a_slow_body_is_408_and_closed(api: API, size: bytes) -> None:
    head = HEAD + b"Content-Type: application/json\r\n" + size + b"\r\n\r\n"
    answer, seconds = await until_closed(api.port, head, b'5\r\n{"a":', pause_s=0.02)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"API-304"' in answer
    assert b"Connection: close" in answer
    assert seconds < 2
    assert api.world.taker.calls == 0


async def test_an_idle_connection_in_use_stays(api: API) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    for _ in range(2):
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b'{"status":"ok"}')
        await asyncio.sleep(0.4)
    assert not reader.at_eof()
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    "raw",
    [
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 9000 + b"\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 100 + b"\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
    ],
    ids=range(7),
)
async def test_broken_http_is_a_problem_and_closed(api: API, raw: bytes) -> None:
    answer, _ = await until_closed(api.port, raw)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head[8:].startswith(b" 400 ")
    assert b"aiohttp" not in head
    doc = ProblemOut.model_validate_json(body)
    assert doc.code == "API-100"


async def test_one_peer_cannot_take_every_connection(api: API) -> None:
    opened = [await asyncio.open_connection("127.0.0.1", api.port) for _ in range(8)]
    answer, _ = await until_closed(api.port)
    assert answer.startswith(b"HTTP/1.1 503 ")
    _, writer = opened.pop()
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.05)
    answer, _ = await until_closed(api.port, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert answer[8:].startswith(b" 200 ")
    for _, writer in opened:
        writer.close()
        await writer.wait_closed()


async def test_a_trusted_front_proxy_may_open_more_up_to_the_cap_of_all() -> None:
    limits = replace(
        QUICK, connections_per_peer=1, connections=3, exempt_peers=frozenset({"127.0.0.1"})
    )
    async with serving(create_app(world().services, limits)) as running:
        opened = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(3)]
        answer, _ = await until_closed(running.port)
        assert answer.startswith(b"HTTP/1.1 503 ")
        for _, writer in opened:
            writer.close()
            await writer.wait_closed()


async def test_a_fault_of_ours_is_a_500_that_tells_nothing(api: API) -> None:
    async def broken(items: object) -> object:
        raise KeyError(ID_NUMBER)

    services = replace(world().services, ingest=_Broken(broken))
    app = create_app(services, QUICK)
    with structlog.testing.capture_logs() as logs:
        async with serving(app) as running, ClientSession() as session:
            headers = {"Authorization": "Bearer alpha-seller", "Content-Type": "application/json"}
            address = running.address + "/v1/orders"
            body = orjson.dumps(order_doc())
            async with session.post(address, data=body, headers=headers) as answer:
                doc = orjson.loads(await answer.read())
                assert answer.status == 500
    assert doc["code"] == "API-501"
    assert ID_NUMBER not in str(doc) + str(logs)
    (entry,) = [log for log in logs if log["event"] == "request_failed"]
    assert (entry["request_id"], entry["route"]) == (doc["request_id"], "/v1/orders")
    assert entry["error"] == "KeyError"
    assert entry["at"][-1].startswith("test_edge.py:")


class _Broken:
    def __init__(self, take: Any) -> None:
        self.take = take


async def test_logs_hold_no_personal_data_and_no_values_of_queries() -> None:
    here = world()
    app = create_app(here.services, replace(QUICK, log_all=True))
    with structlog.testing.capture_logs() as logs:
        async with serving(app) as running, ClientSession() as session:
            api = API(here, session, running.address, running.port)
            await api.post("/v1/orders", order_doc())
            await api.post("/v1/orders", {**order_doc(), "paid": 1.5, ID_NUMBER: PHONE})
            await api.post("/v1/orders", data=orjson.dumps(order_doc())[:-1])
            await api.get(f"/v1/cases?number={ID_NUMBER}")
            await api.get(f"/v1/cases?{ID_NUMBER}=1")
            await api.get(f"/v1/cases/{here.case_ids[ALPHA]}")
            await api.get(f"/v1/messages/{ID_NUMBER}")
            await api.batch({"type": "order", **order_doc()}, {"type": ADDRESS})
    assert [log["route"] for log in logs if log["event"] == "request"][:2] == ["/v1/orders"] * 2
    assert len(logs) == 8
    assert {log["tenant"] for log in logs} == {ALPHA}
    text = str(logs)
    for canary in (ID_NUMBER, PHONE, ADDRESS, "张三", "alpha-9610"):
        assert canary not in text


async def test_stopping_ends_long_polls_and_answers_them() -> None:
    here = world()
    started = asyncio.Event()

    async def wait(seconds: float) -> None:
        started.set()
        await asyncio.sleep(0.01)

    here.clock.sleep = wait  # type: ignore[method-assign]
    async with ClientSession() as session, asyncio.TaskGroup() as tasks:
        async with serving(create_app(here.services, QUICK)) as running:
            api = API(here, session, running.address, running.port)
            last = here.reads.stream[1].cursor
            poll = tasks.create_task(api.get(f"/v1/events?after={last}&wait=30"))
            await started.wait()
    assert (await poll).doc == {"events": [], "after": last}


# --- whatever comes ---------------------------------------------------------------------------

PIECES = st.sampled_from(
    [b"{", b"}", b"[", b'"', b",", b":", b"order", b"1", b"\\u0000", b"\xff", b"\n", b"null"]
)
BODIES = st.one_of(
    st.binary(max_size=300),
    st.lists(PIECES, max_size=30).map(b"".join),
    st.builds(
        lambda name, value: orjson.dumps({**order_doc(), name: value}),
        st.sampled_from(sorted(order_doc())),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3),
        ),
    ),
)
POSTS = ["orders", "payments", "waybills", "goods", "batches", "notices/acks", "endpoints"]


@pytest.mark.timeout(400)  # a loop, a connection and a request for each of its examples
@settings(
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    path=st.sampled_from(POSTS),
    body=BODIES,
    media=st.sampled_from(["application/json", "application/x-ndjson", "", "a;b;c", "text/xml"]),
    language=st.sampled_from(["zh", "en;q=x", "zh;q=9", "", "*"]),
)
def test_no_body_is_ever_a_fault_of_ours(path: str, body: bytes, media: str, language: str) -> None:
    async def post() -> None:
        here = world()
        limits = replace(QUICK, header_deadline_s=5, body_deadline_s=5)
        async with (
            serving(create_app(here.services, limits)) as running,
            ClientSession() as session,
        ):
            api = API(here, session, running.address, running.port)
            headers = {"Content-Type": media, "Accept-Language": language}
            reply = await api.post(f"/v1/{path}", data=body, headers=headers)
            assert reply.status < 500
            if reply.status >= 400:
                ProblemOut.model_validate_json(reply.body)
                assert reply.headers["Content-Type"] == "application/problem+json"

    asyncio.run(post())


def test_both_tenants_stand_in_the_fakes() -> None:
    assert set(world().case_ids) == {ALPHA, BETA}
