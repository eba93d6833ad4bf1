"""Idempotency keys, versions, quotas, event streams, preflight, findings and questions."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import escape

import orjson
import pytest
from aiohttp import ClientSession
from lxml import etree

from adapters.customs.ceb.receipts import ANSWERS
from gateway.api.answers import (
    AskedOut,
    CodeTableFull,
    CodeTableList,
    FindingPage,
    ForeseenOut,
    ProblemOut,
    SettledList,
)
from gateway.api.answers_report import ReportOut
from gateway.api.app import create_app, serving
from gateway.api.settings import APISettings, Quota
from gateway.domain.asking import REASONS, TABLE
from gateway.domain.errors import InvalidValue
from gateway.domain.events import Event, EventKind
from gateway.domain.lifecycle import CASE
from tests.integration.api.conftest import API, QUICK, Reply
from tests.unit.api.fakes import (
    ALPHA,
    BETA,
    as_json,
    goods_doc,
    order_doc,
    payment_doc,
    waybill_doc,
    world,
)


def code(reply: Reply) -> str:
    return ProblemOut.model_validate_json(reply.body).code


# --- idempotency ------------------------------------------------------------------------------


async def test_the_same_key_and_body_replay_the_answer(api: API) -> None:
    headers = {"Idempotency-Key": "k-1"}
    first = await api.post("/v1/orders", order_doc(), headers=headers)
    again = await api.post("/v1/orders", order_doc(), headers=headers)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["Location"] == first.headers["Location"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert api.world.taker.calls == 1


async def test_another_body_under_the_same_key_is_422(api: API) -> None:
    headers = {"Idempotency-Key": "k-1"}
    await api.post("/v1/orders", order_doc(), headers=headers)
    other = await api.post("/v1/orders", order_doc(order_no="OTHER"), headers=headers)
    assert (other.status, code(other)) == (422, "API-108")
    assert api.world.taker.calls == 1


async def test_a_key_belongs_to_its_caller_and_route(api: API) -> None:
    headers = {"Idempotency-Key": "k-1"}
    await api.post("/v1/orders", order_doc(), headers=headers)
    reply = await api.post("/v1/orders", order_doc("beta"), key="beta-seller", headers=headers)
    assert reply.status == 201
    assert (await api.post("/v1/payments", payment_doc(), headers=headers)).status == 201


async def test_a_refusal_leaves_the_key_free(api: API) -> None:
    headers = {"Idempotency-Key": "k-1"}
    assert (await api.post("/v1/orders", {}, headers=headers)).status == 422
    assert (await api.post("/v1/orders", order_doc(), headers=headers)).status == 201


async def test_a_batch_to_be_sent_again_is_not_kept(api: API) -> None:
    headers = {"Idempotency-Key": "k-1"}
    line = order_doc(order_no="BUSY1") | {"type": "order"}
    assert (await api.batch(line, headers=headers)).status == 200
    again = await api.batch(line, headers=headers)
    assert "Idempotency-Replayed" not in again.headers
    assert api.world.taker.calls == 2


async def test_a_twin_in_flight_is_409(api: API) -> None:
    book = api.world.book
    await api.post("/v1/orders", order_doc(), headers={"Idempotency-Key": "k-1"})
    ((scope, (digest, _)),) = book.rows.items()
    book.rows[scope] = (digest, None)
    twin = await api.post("/v1/orders", order_doc(), headers={"Idempotency-Key": "k-1"})
    assert (twin.status, code(twin)) == (409, "API-307")
    assert twin.headers["Retry-After"] == "1"


@pytest.mark.parametrize("key", ["", "a b", "x" * 129, "\u4e2d"])
async def test_a_faulty_key_is_400(api: API, key: str) -> None:
    reply = await api.post("/v1/orders", order_doc(), headers={"Idempotency-Key": key})
    assert (reply.status, code(reply)) == (400, "API-107")


async def test_without_a_key_nothing_is_kept(api: API) -> None:
    await api.post("/v1/orders", order_doc())
    assert api.world.book.begun == 0


# --- quotas and versions ----------------------------------------------------------------------


async def test_the_quota_that_says_most_holds() -> None:
    here = world()
    said = (
        Quota(0.1, 3), Quota(0.1, 2, route="GET /v1/cases"), Quota(0.1, 4, key="k-alpha-clerk"),
        Quota(0, 1, key="k-alpha-viewer", route="GET /v1/cases"),
    )  # fmt: skip
    app = create_app(here.services, replace(QUICK, quotas=said))
    async with serving(app) as running, ClientSession() as session:
        api = API(here, session, running.address, running.port)

        async def taken(path: str, key: str) -> int:
            for count in range(8):
                reply = await api.get(path, key=key)
                if reply.status == 429:
                    assert int(reply.headers["Retry-After"]) >= 1
                    return count
            return 8

        assert await taken("/v1/cases", "alpha-seller") == 2
        assert await taken("/v1/findings", "alpha-seller") == 3
        assert await taken("/v1/cases", "alpha-clerk") == 4
        assert await taken("/v1/cases", "alpha-viewer") == 8


async def test_a_quota_of_a_route_that_is_not_there_is_refused() -> None:
    with pytest.raises(InvalidValue, match="GET /v1/nothing"):
        create_app(world().services, APISettings(quotas=(Quota(1, 1, route="GET /v1/nothing"),)))


async def test_a_quota_answers_429_for_its_key_and_route_only() -> None:
    here = world()
    limits = replace(QUICK, quota_per_s=0.1, quota_burst=2)
    async with (
        serving(create_app(here.services, limits)) as running,
        ClientSession() as session,
    ):
        api = API(here, session, running.address, running.port)
        statuses = [(await api.get("/v1/cases")).status for _ in range(3)]
        assert statuses == [200, 200, 429]
        refused = await api.get("/v1/cases")
        assert code(refused) == "API-429"
        assert 1 <= int(refused.headers["Retry-After"]) <= 10
        assert (await api.get("/v1/findings")).status == 200
        assert (await api.get("/v1/cases", key="beta-seller")).status == 200


async def test_a_command_is_refused_when_the_case_has_moved(api: API) -> None:
    path = f"/v1/cases/{api.world.case_ids[ALPHA]}"
    tag = (await api.get(path)).headers["ETag"]
    assert tag == '"3"'
    moved = await api.post(f"{path}/release", headers={"If-Match": '"2"'})
    assert (moved.status, code(moved)) == (412, "API-308")
    for given in (tag, "*"):
        assert (await api.post(f"{path}/release", headers={"If-Match": given})).status == 200
    faulty = await api.post(f"{path}/recheck", headers={"If-Match": "3"})
    assert (faulty.status, code(faulty)) == (400, "API-107")


# --- the stream -------------------------------------------------------------------------------


async def read_events(api: API, count: int, **headers: str) -> tuple[list[str], str]:
    """The ids of the first events of a stream, and everything that was read."""
    sent = {"Authorization": "Bearer alpha-seller", "Accept": "text/event-stream", **headers}
    text = ""
    async with api.session.get(f"{api.address}/v1/events", headers=sent) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        async with asyncio.timeout(5):
            while text.count("\nid: ") + text.startswith("id: ") < count:
                text += (await answer.content.readany()).decode()
    return [line[4:] for line in text.splitlines() if line.startswith("id: ")], text


async def test_server_sent_events_resume_where_they_broke(api: API) -> None:
    ids, text = await read_events(api, 2)
    assert ids == ["alpha-1", "alpha-2"]
    assert "event: papers_received\n" in text
    data = [orjson.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert [one["cursor"] for one in data] == ids
    later, _ = await read_events(api, 1, **{"Last-Event-ID": "alpha-1"})
    assert later == ["alpha-2"]


async def test_an_event_that_comes_later_is_sent(api: API) -> None:
    known = api.world.reads.stream[0]
    fresh = replace(known, cursor="alpha-9", event=Event(EventKind.CASE_HELD, {}))
    api.world.clock.happenings.append(lambda: api.world.reads.stream.append(fresh))
    ids, _ = await read_events(api, 1, **{"Last-Event-ID": "alpha-2"})
    assert ids == ["alpha-9"]


@pytest.mark.parametrize("bound", ["streams", "streams_per_key"])
async def test_streams_are_bounded(bound: str) -> None:
    here = world()
    limits = replace(QUICK, **{bound: 0})  # type: ignore[arg-type]
    async with (
        serving(create_app(here.services, limits)) as running,
        ClientSession() as session,
    ):
        api = API(here, session, running.address, running.port)
        reply = await api.get("/v1/events", headers={"Accept": "text/event-stream"})
        assert (reply.status, code(reply)) == (503, "API-503")


# --- preflight --------------------------------------------------------------------------------


async def test_preflight_answers_for_each_paper(api: API) -> None:
    doc = {"order": order_doc(), "payment": payment_doc(), "waybill": waybill_doc()}
    reply = await api.post("/v1/preflight", doc | {"goods": [goods_doc()]})
    found = ForeseenOut.model_validate_json(reply.body)
    assert [paper.type for paper in found.papers] == ["order", "payment", "waybill"]
    assert found.declares == ["order"]
    assert api.world.taker.taken == []


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1000):
        yield b" " * 1000


async def test_preflight_takes_the_xml_of_customs(api: API) -> None:
    xml = {"Content-Type": "application/xml; charset=utf-8"}
    reply = await api.call("POST", "/v1/preflight?profile=p", data=b"<a/>", headers=xml)
    found = ReportOut.model_validate_json(reply.body)
    # The caller's tenant, the bytes as they came, and the profile that the address names.
    assert (found.files, found.rows, found.unlinked) == (["alpha"], 4, ["p"])
    refused = await api.call("POST", "/v1/orders", data=b"<a/>", headers=xml)
    assert (refused.status, code(refused)) == (415, "API-403")
    large = await api.call("POST", "/v1/preflight", data=in_pieces(2_000_000), headers=xml)
    assert large.status == 413


@pytest.mark.parametrize(
    "doc,path",
    [
        ({}, ""),
        ({"order": order_doc(), "payment": payment_doc(order_no="B")}, "order_no"),
        ({"order": order_doc(), "goods": [goods_doc("beta")]}, "goods[0].profile"),
        ({"order": order_doc() | {"paid": 1.5}}, "order.paid"),
        ({"order": order_doc(), "goods": [goods_doc() | {"vat_rate": "2"}]}, "goods[0].vat_rate"),
    ],
)
async def test_preflight_names_what_is_wrong(api: API, doc: object, path: str) -> None:
    reply = await api.post("/v1/preflight", doc)
    assert reply.status == 422
    assert path in [fault["path"] for fault in reply.doc["errors"]]


async def test_preflight_knows_only_the_callers_profiles(api: API) -> None:
    reply = await api.post("/v1/preflight", {"order": order_doc("beta")})
    assert (reply.status, code(reply)) == (422, "API-103")


# --- findings and questions -------------------------------------------------------------------


async def test_findings_are_listed_and_blocks_cannot_be_waved_through(api: API) -> None:
    page = FindingPage.model_validate_json((await api.get("/v1/findings?severity=block")).body)
    (line,) = page.findings
    assert line.case == api.world.case_ids[ALPHA]
    asked = {"case": line.case, "finding": line.finding.id, "how": "accepted_risk", "reason": "x"}
    unknown = asked | {"finding": "0" * 20}
    foreign = asked | {"case": api.world.case_ids[BETA]}
    reply = await api.post("/v1/findings/resolutions", {"resolutions": [asked, unknown, foreign]})
    results = SettledList.model_validate_json(reply.body).results
    # The fake's history holds no matching, so even the known finding is unknown to it.
    assert [one.status for one in results] == ["unknown"] * 3


async def test_a_faulty_filter_names_the_parameter(api: API) -> None:
    reply = await api.get("/v1/findings?severity=loud&open=perhaps")
    assert [one["path"] for one in reply.doc["errors"]] == ["query.severity", "query.open"]


@pytest.mark.parametrize(
    "ask,status,answer",
    [("change", 200, "STOPPABLE"), ("cancel", 200, "STOPPABLE"), ("return", 409, "API-309")],
)
async def test_questions_are_answered_from_the_live_state(
    api: API, ask: str, status: int, answer: str
) -> None:
    path = f"/v1/cases/{api.world.case_ids[ALPHA]}/{ask}"
    reply = await api.post(path, {"reason": "the buyer asked"})
    assert reply.status == status
    if status == 200:
        assert AskedOut.model_validate_json(reply.body).answer == answer
    else:
        assert code(reply) == answer


async def test_the_lines_of_a_return_are_read_strictly(api: API) -> None:
    path = f"/v1/cases/{api.world.case_ids[ALPHA]}/return"
    lines = [{"line_no": 0, "quantity": "1"}, {"line_no": 1, "quantity": 1.5}]
    reply = await api.post(path, {"reason": "size", "lines": lines})
    assert reply.status == 422
    assert [one["path"] for one in reply.doc["errors"]] == [
        "lines[0].line_no",
        "lines[1].quantity",
    ]


async def test_a_question_about_a_foreign_case_is_404(api: API) -> None:
    reply = await api.post(f"/v1/cases/{api.world.case_ids[BETA]}/cancel", {"reason": "x"})
    assert reply.status == 404


# --- pace -------------------------------------------------------------------------------------


@pytest.fixture
async def paced() -> AsyncIterator[API]:
    here = world()
    limits = replace(QUICK, body_deadline_s=20, body_grace_s=0.2, body_floor_bytes_s=1000)
    async with serving(create_app(here.services, limits)) as running, ClientSession() as session:
        yield API(here, session, running.address, running.port)


@pytest.mark.parametrize("piece,status", [(b" " * 10, 408), (b" " * 200, 201)])
async def test_a_body_must_keep_up_the_floor(paced: API, piece: bytes, status: int) -> None:
    whole = as_json(order_doc())

    async def body() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield piece
            await asyncio.sleep(0.1)
        yield whole

    sent = {"Authorization": "Bearer alpha-seller", "Content-Type": "application/json"}
    async with paced.session.post(
        f"{paced.address}/v1/orders", data=body(), headers=sent
    ) as answer:
        assert answer.status == status


# --- code tables ------------------------------------------------------------------------------


async def test_code_tables_are_open_to_all(api: API) -> None:
    listed = await api.get("/v1/codes", key=None)
    tables = CodeTableList.model_validate_json(listed.body).tables
    assert {"units", "rejections"} <= {one.table for one in tables}
    for one in tables:
        whole = await api.get(one.href, key=None)
        assert CodeTableFull.model_validate_json(whole.body).codes
    assert code(await api.get("/v1/codes/colours", key=None)) == "API-301"


async def test_a_rejection_code_says_what_to_file_again(api: API) -> None:
    table = (await api.get("/v1/codes/rejections", key=None)).doc
    found = next(one for one in table["codes"] if one["code"] == "1332")
    assert found["refile"] == ["order", "payment", "inventory"]
    assert found["rule"] == "PAYMENT-AMOUNT"
    assert "acturalPaid" not in found["fix"]["en"]
    assert "支付金额" in found["text"]["zh"]


async def test_the_page_of_the_lifecycle_is_drawn_from_its_tables(api: API) -> None:
    page = (await api.get("/v1/docs/lifecycle", key=None)).body.decode()
    pictures = re.findall(r"<svg.*?</svg>", page, re.DOTALL)
    titles = [etree.fromstring(one.encode()).findtext("{*}title") for one in pictures]
    assert titles == [
        "Stages of an inventory · 进口清单状态",
        "Stages of an inventory · 出口清单状态",
    ]
    for stage in CASE:
        assert f">{stage.value}</text>" in page
    for name in ANSWERS:
        assert (f"<th>{name[3:6]} " in page) == (ANSWERS[name].kind is not None)
    for row in TABLE.values():
        for cell in row.values():
            assert escape(REASONS[cell.reason][0]) in page


async def test_reference_pages_of_messages(api: API) -> None:
    index = await api.get("/v1/docs/messages", key=None)
    assert index.headers["Content-Type"].startswith("text/html")
    links = re.findall(r'href="(messages/[^"]+)"', index.body.decode())
    assert "messages/2018/CEB621Message" in links
    assert len(links) > 80
    for link in ("messages/2018/CEB621Message", "messages/202205/CEB603Message", links[-1]):
        page = await api.get(f"/v1/docs/{link}", key=None)
        assert page.status == 200
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
        assert link.rpartition("/")[2] in page.body.decode()
    inventory = (await api.get("/v1/docs/messages/2018/CEB621Message", key=None)).body.decode()
    assert "订单编号" in inventory
    assert 'href="../202205/CEB621Message"' in inventory
    markdown = {"Accept": "text/markdown"}
    page = await api.get("/v1/docs/messages/2018/CEB621Message", key=None, headers=markdown)
    assert page.headers["Content-Type"].startswith("text/markdown")
    assert "| `Inventory" in page.body.decode()
    assert code(await api.get("/v1/docs/messages/2018/CEB999Message", key=None)) == "API-301"
