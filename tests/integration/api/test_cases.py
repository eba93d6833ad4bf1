from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.api.answers import (
    AcksOut,
    CaseFull,
    CasePage,
    EndpointList,
    EndpointMade,
    EventPage,
    ReportedOut,
    StageOut,
)
from gateway.domain.case import CaseStage
from gateway.domain.events import Event, EventKind
from tests.integration.api.conftest import API
from tests.integration.api.test_intake import problem
from tests.unit.api.fakes import ADDRESS, ALPHA, BETA, ID_NUMBER, NOON, PHONE


async def test_a_list_of_cases_is_the_tenants_own(api: API) -> None:
    reply = await api.get("/v1/cases")
    page = CasePage.model_validate_json(reply.body)
    assert [one.case for one in page.cases] == [api.world.case_ids[ALPHA]]
    found = await api.get("/v1/cases?order_no=ORDER-alpha")
    assert len(found.doc["cases"]) == 1
    assert (await api.get("/v1/cases?order_no=ORDER-beta")).doc["cases"] == []


async def test_filters_reach_the_read_model(api: API) -> None:
    query = "stage=mismatch,blocked&held=true&profile=p&number=T1&limit=7&after=c"
    await api.get(f"/v1/cases?{query}&updated_since=2026-11-03T00:00:00%2B08:00")
    ((wanted, after, limit),) = api.world.reads.asked
    assert wanted.stages == {CaseStage.MISMATCH, CaseStage.BLOCKED}
    assert (wanted.held, wanted.profile_id, wanted.number) == (True, "p", "T1")
    assert (after, limit) == ("c", 7)
    assert wanted.updated_since == 1_793_635_200_000_000


@pytest.mark.parametrize(
    "query,names",
    [
        ("tenant=beta", ["query.tenant"]),
        ("limit=0&held=maybe", ["query.limit", "query.held"]),
        ("limit=201", ["query.limit"]),
        ("limit=1e2", ["query.limit"]),
        ("stage=lost", ["query.stage"]),
        ("order_no=a&order_no=b", ["query.order_no"]),
        ("number=", ["query.number"]),
        ("number=a%00b", ["query.number"]),
        ("updated_since=yesterday", ["query.updated_since"]),
    ],
)
async def test_faulty_queries_are_400_and_name_the_parameter(
    api: API, query: str, names: list[str]
) -> None:
    doc = problem(await api.get(f"/v1/cases?{query}"), 400, "API-104")
    assert sorted(fault["path"] for fault in doc["errors"]) == sorted(names)


async def test_an_unknown_parameter_is_told_which_there_are(api: API) -> None:
    doc = problem(await api.get("/v1/cases?state=held"), 400, "API-104")
    (fault,) = doc["errors"]
    for told in (fault["message"], fault["message_zh"]):
        assert "after, " in told
        assert " stage" in told


async def test_a_cursor_of_no_list_is_refused(api: API) -> None:
    doc = problem(await api.get("/v1/cases?after=damaged"), 400, "API-104")
    assert doc["errors"][0]["path"] == "query.after"


async def test_a_case_shows_everything_on_it(api: API) -> None:
    reply = await api.get(f"/v1/cases/{api.world.case_ids[ALPHA]}")
    case = CaseFull.model_validate_json(reply.body)
    assert case.verdict is not None
    assert case.verdict.findings[0].text["zh"] == "PAYMENT-AMOUNT zh"
    assert case.verdict.missing == ["goods:SKU1"]
    assert set(case.papers) == {"order", "payment", "waybill"}
    assert case.papers["order"].content["paid"] == "327.3"
    assert case.declarations[0].cop_no == "CG1"
    assert case.messages[0].href == "/v1/messages/MSG-alpha"
    assert case.receipts[0].href == "/v1/receipts/rcpalpha"
    assert [event.seq for event in case.timeline] == [1, 2]
    assert case.notices[0].type == "case.released"


@pytest.mark.parametrize("role", ["seller", "viewer", "clerk", "supervisor", "operator", "auditor"])
async def test_personal_data_is_masked_by_role(api: API, role: str) -> None:
    path = f"/v1/cases/{api.world.case_ids[ALPHA]}"
    text = (await api.get(path, key=f"alpha-{role}")).body.decode()
    assert ID_NUMBER not in text
    assert PHONE not in text
    assert ID_NUMBER[-4:] in text
    sees_names = role in ("clerk", "supervisor")
    assert (ADDRESS in text) is sees_names
    assert ("张三" in text) is sees_names


async def test_another_tenants_case_does_not_exist(api: API) -> None:
    theirs = api.world.case_ids[BETA]
    problem(await api.get(f"/v1/cases/{theirs}"), 404, "API-301")
    for verb in ("release", "recheck"):
        problem(await api.post(f"/v1/cases/{theirs}/{verb}"), 404, "API-301")
    held = await api.post(f"/v1/cases/{theirs}/hold", {"reason": "stock"})
    problem(held, 404, "API-301")
    problem(await api.get("/v1/messages/MSG-beta"), 404, "API-301")
    problem(await api.get("/v1/receipts/rcpbeta"), 404, "API-301")
    assert "beta" not in (await api.get("/v1/events")).body.decode()


async def test_goods_that_came_back_are_told_by_number(api: API) -> None:
    case = api.world.case_ids[ALPHA]
    for key in ("alpha-seller", "alpha-warehouse", "alpha-clerk"):
        reply = await api.post(f"/v1/cases/{case}/returns/1/arrival", key=key)
        assert StageOut.model_validate_json(reply.body).stage == "released"
    for number in ("x", "1234567", "%C2%B2"):
        problem(await api.post(f"/v1/cases/{case}/returns/{number}/arrival"), 404, "API-301")
    problem(
        await api.post(f"/v1/cases/{case}/returns/1/arrival", key="alpha-viewer"), 403, "API-202"
    )


async def test_a_delivery_is_told_with_its_time(api: API) -> None:
    path = f"/v1/cases/{api.world.case_ids[ALPHA]}/delivery"
    for key in ("alpha-seller", "alpha-warehouse"):
        reply = await api.post(path, {"at": "2026-11-12T10:00:00+08:00"}, key=key)
        assert StageOut.model_validate_json(reply.body).stage == "released"
    problem(await api.post(path, {"at": "yesterday"}), 422, "API-102")
    problem(
        await api.post(path, {"at": "2026-11-12T10:00:00+08:00"}, key="alpha-clerk"), 403, "API-202"
    )


async def test_what_became_of_a_bill_is_reported_for_all_its_cases(api: API) -> None:
    case, theirs = api.world.case_ids[ALPHA], api.world.case_ids[BETA]
    arrival, left = {"vehicle_no": "浙A1"}, {"left_at": "2026-11-12T10:00:00+08:00"}
    for path, facts, key in (
        ("/v1/site-arrivals", arrival, "alpha-warehouse"),
        ("/v1/departures", left, "alpha-seller"),
    ):
        reply = await api.post(path, {"cases": [case], **facts}, key=key)
        assert ReportedOut.model_validate_json(reply.body).cases[0].stage == "released"
        doc = problem(await api.post(path, {"cases": [case, theirs], **facts}), 422, "API-102")
        assert doc["errors"][0]["path"] == "cases"
        problem(await api.post(path, {"cases": [], **facts}), 422, "API-102")
    problem(
        await api.post("/v1/departures", {"cases": [case], **left}, key="alpha-clerk"),
        403,
        "API-202",
    )


async def test_commands_go_to_the_desk_with_who_and_why(api: API) -> None:
    case = api.world.case_ids[ALPHA]
    reply = await api.post(f"/v1/cases/{case}/hold", {"reason": "stock"}, key="alpha-clerk")
    assert StageOut.model_validate_json(reply.body).stage == "matched"
    assert (await api.post(f"/v1/cases/{case}/release")).doc["stage"] == "ready"
    assert (await api.post(f"/v1/cases/{case}/recheck")).doc["stage"] == "matched"
    assert api.world.desk.calls == [
        ("hold", ALPHA, case, "clerk:k-alpha-clerk", "stock"),
        ("release", ALPHA, case, "seller:k-alpha-seller"),
        ("recheck", ALPHA, case, "seller:k-alpha-seller"),
    ]
    doc = problem(await api.post(f"/v1/cases/{case}/hold", {}), 422, "API-102")
    assert doc["errors"][0]["path"] == "reason"


@pytest.mark.parametrize("path", ["/v1/messages/MSG-alpha", "/v1/receipts/rcpalpha"])
async def test_exact_bytes_are_a_download(api: API, path: str) -> None:
    doc = problem(await api.get(path), 400, "API-107")
    assert doc["errors"][0]["path"] == "header.Clearance-Reason"
    problem(await api.get(path, headers={"Clearance-Reason": "x" * 201}), 400, "API-107")
    assert api.world.desk.calls == []
    reply = await api.get(path, headers={"Clearance-Reason": "复核 review"})
    what = "/".join(path.removeprefix("/v1/").split("/")).replace("s/", "/", 1)
    case = api.world.case_ids[ALPHA]
    assert api.world.desk.calls == [
        ("download", ALPHA, case, what, "seller:k-alpha-seller", "复核 review")
    ]
    assert reply.body in (b"<CEB311Message/>", b"<CEB312Message/>")
    assert reply.headers["Content-Type"] == "application/xml"
    assert reply.headers["Content-Disposition"].startswith("attachment;")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "path", ["/v1/cases/%2e%2e", "/v1/receipts/a%22b", "/v1/messages/x%0d%0ay", "/v1/cases/é"]
)
async def test_ids_that_cannot_be_are_not_found(api: API, path: str) -> None:
    reply = await api.get(path)
    assert reply.status == 404
    assert reply.doc["code"] == "API-301"


async def test_the_stream_goes_on_after_a_cursor(api: API) -> None:
    first = EventPage.model_validate_json((await api.get("/v1/events?limit=1")).body)
    assert [event.seq for event in first.events] == [1]
    second = await api.get(f"/v1/events?after={first.after}")
    assert [event["seq"] for event in second.doc["events"]] == [2]
    end = await api.get(f"/v1/events?after={second.doc['after']}")
    assert end.doc == {"events": [], "after": second.doc["after"]}


async def test_the_stream_waits_for_the_first_event(api: API) -> None:
    last = api.world.reads.stream[1]
    new = replace(last, cursor="alpha-9", seq=9, event=Event(EventKind.CASE_HELD, {"by": "x"}))
    api.world.clock.happenings = [lambda: None, lambda: api.world.reads.stream.append(new)]
    reply = await api.get(f"/v1/events?after={last.cursor}&wait=20")
    assert [event["seq"] for event in reply.doc["events"]] == [9]
    assert api.world.clock.slept == 2
    problem(await api.get("/v1/events?wait=31"), 400, "API-104")


async def test_notices_are_acknowledged_in_one_go(api: API) -> None:
    ack: dict[str, Any] = {"status": "accepted", "at": "2026-11-03T10:00:00+08:00"}
    doc = {"acks": [{"notice_id": "alpha-n1", **ack}, {"notice_id": "beta-n1", **ack}]}
    reply = await api.post("/v1/notices/acks", doc, key="alpha-warehouse")
    results = AcksOut.model_validate_json(reply.body).results
    assert [one.status for one in results] == ["ok", "unknown"]
    ((_, tenant, acks),) = api.world.desk.calls
    assert tenant == ALPHA
    assert acks[0].at == 1_793_671_200_000_000
    problem(await api.post("/v1/notices/acks", {"acks": []}), 422, "API-102")


async def test_an_endpoint_shows_its_secret_once(api: API) -> None:
    doc = {"url": "https://shop.example/hooks", "role": "seller", "event_types": ["case.released"]}
    reply = await api.post("/v1/endpoints", doc)
    assert reply.status == 201
    assert EndpointMade.model_validate_json(reply.body).secret.startswith("whsec_")
    listed = await api.get("/v1/endpoints")
    (one,) = EndpointList.model_validate_json(listed.body).endpoints
    assert one.batch_size == 1
    assert "whsec_" not in listed.body.decode()
    assert (await api.get("/v1/endpoints", key="beta-seller")).doc["endpoints"] == []
    inside = await api.post("/v1/endpoints", {**doc, "url": "http://169.254.169.254/"})
    assert problem(inside, 422, "API-102")["errors"][0]["path"] == "url"
    file = await api.post("/v1/endpoints", {**doc, "url": "file:///etc/passwd"})
    assert problem(file, 422, "API-102")["errors"][0]["path"] == "url"


def test_the_fakes_times_are_what_the_tests_say() -> None:
    assert NOON == 1_793_700_000_000_000
