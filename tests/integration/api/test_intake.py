from __future__ import annotations

import gzip
import json
from typing import Any

import orjson
import pytest

from gateway.api.answers import BatchTaken, GoodsTaken, PaperTaken
from gateway.domain.ids import ProfileId
from gateway.domain.papers import PaperKind, kind_of
from tests.integration.api.conftest import API, Reply
from tests.unit.api.fakes import ALPHA, goods_doc, order_doc, payment_doc, waybill_doc

PAPERS: list[tuple[str, Any, PaperKind]] = [
    ("orders", order_doc, PaperKind.ORDER),
    ("payments", payment_doc, PaperKind.PAYMENT),
    ("waybills", waybill_doc, PaperKind.WAYBILL),
]


def problem(reply: Reply, status: int, code: str) -> dict[str, Any]:
    assert reply.status == status, reply.body
    assert reply.headers["Content-Type"] == "application/problem+json"
    doc: dict[str, Any] = reply.doc
    assert doc["status"] == status
    assert doc["code"] == code
    assert doc["type"].startswith("/v1/docs/problems#")
    assert doc["title"]
    assert doc["detail"]
    assert doc["request_id"] == reply.headers["X-Request-Id"]
    return doc


async def test_while_too_much_is_in_hand_papers_are_asked_to_come_again(api: API) -> None:
    admission = api.world.services.admission
    admission.in_hand = admission.limits.in_hand
    for name, make, _ in PAPERS:
        problem(await api.post(f"/v1/{name}", make()), 503, "API-504")
    reply = await api.batch({"type": "order", **order_doc()})
    problem(reply, 503, "API-504")
    assert reply.headers["Retry-After"] == "1"
    assert api.world.taker.taken == []
    # Goods records let cases go on, and reading takes nothing in.
    assert (await api.post("/v1/goods", goods_doc())).status == 201
    assert (await api.get("/v1/cases")).status == 200
    admission.done(1)
    assert (await api.post("/v1/orders", order_doc())).status == 201


async def test_a_large_batch_is_stored_in_turns_that_keep_an_order_together(
    api: API, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.api.intake._CASES_A_TURN", 10)
    numbers = [f"T{one}" for one in range(25)]
    orders = [{"type": "order", **order_doc(order_no=one)} for one in numbers]
    slips = [{"type": "payment", **payment_doc(order_no=one)} for one in numbers]
    reply = await api.batch(*orders, *slips)
    assert [one["order_no"] for one in reply.doc["results"]] == numbers * 2
    assert api.world.taker.calls == 3
    taken = [one.paper.order_no for one in api.world.taker.taken]
    assert taken == [one for one in numbers for _ in range(2)]


@pytest.mark.parametrize("name,make,kind", PAPERS)
async def test_a_new_paper_is_created_with_its_exact_bytes(
    api: API, name: str, make: Any, kind: PaperKind
) -> None:
    raw = json.dumps(make(), indent=1).encode()
    reply = await api.post(f"/v1/{name}", data=raw)
    assert reply.status == 201, reply.body
    answer = PaperTaken.model_validate_json(reply.body)
    assert reply.headers["Location"] == f"/v1/cases/{answer.case}"
    (taken,) = api.world.taker.taken
    assert (taken.tenant, taken.profile.profile_id) == (ALPHA, "alpha-9610")
    assert kind_of(taken.paper) is kind
    assert taken.raw[taken.offset : taken.offset + taken.length] == raw
    assert taken.source == "api"


async def test_a_paper_that_says_nothing_new_is_200(api: API) -> None:
    reply = await api.post("/v1/orders", order_doc(order_no="SAME1"))
    assert (reply.status, reply.doc["status"]) == (200, "unchanged")


async def test_findings_come_with_the_answer_in_both_languages(api: API) -> None:
    reply = await api.post("/v1/orders", order_doc(order_no="MISMATCH1"))
    answer = PaperTaken.model_validate_json(reply.body)
    assert answer.verdict is not None
    (finding,) = answer.verdict.findings
    assert finding.text == {"en": "PAYMENT-AMOUNT en", "zh": "PAYMENT-AMOUNT zh"}
    assert answer.stage == "mismatch"


async def test_a_declared_paper_that_differs_is_409_and_names_what_differs(api: API) -> None:
    reply = await api.post("/v1/orders", order_doc(order_no="FROZEN1"))
    doc = problem(reply, 409, "API-303")
    assert [fault["path"] for fault in doc["errors"]] == ["paid", "lines[0].price"]
    assert doc["reason"] == "inventory_declared"
    assert "cancelled" in doc["detail"]


async def test_a_paper_that_cannot_be_taken_is_422(api: API) -> None:
    problem(await api.post("/v1/orders", order_doc(order_no="BROKEN1")), 422, "API-105")


async def test_a_full_queue_is_503_with_the_time_to_wait(api: API) -> None:
    api.world.taker.is_full = True
    reply = await api.post("/v1/orders", order_doc())
    problem(reply, 503, "API-503")
    assert reply.headers["Retry-After"] == "1"
    api.world.taker.is_full = False
    late = await api.post("/v1/orders", order_doc(order_no="BUSY1"))
    problem(late, 503, "API-503")
    assert late.headers["Retry-After"] == "1"


async def test_faulty_fields_are_422_and_nothing_is_taken(api: API) -> None:
    reply = await api.post("/v1/orders", {**order_doc(), "paid": 1.5, "surprise": 1})
    doc = problem(reply, 422, "API-102")
    assert {fault["path"] for fault in doc["errors"]} == {"paid", "surprise"}
    assert api.world.taker.calls == 0


@pytest.mark.parametrize("tenants_profile", ["beta-9610", "nobody-9610"])
@pytest.mark.parametrize("name,make,kind", PAPERS)
async def test_a_profile_of_nobody_or_another_tenant_is_unknown(
    api: API, name: str, make: Any, kind: PaperKind, tenants_profile: str
) -> None:
    reply = await api.post(f"/v1/{name}", {**make(), "profile": tenants_profile})
    doc = problem(reply, 422, "API-103")
    assert [fault["path"] for fault in doc["errors"]] == ["profile"]
    assert api.world.taker.calls == 0


@pytest.mark.parametrize("raw", [b"", b"{", b'{"a":"\xff"}', b'{"a":"\\ud800"}', b"\x00" * 10])
async def test_what_is_no_json_is_400(api: API, raw: bytes) -> None:
    problem(await api.post("/v1/orders", data=raw), 400, "API-101")


async def test_problems_speak_the_language_that_is_asked_for(api: API) -> None:
    headers = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}
    reply = await api.post("/v1/orders", data=b"{", headers=headers)
    assert reply.doc["title"] == "不是合法的 JSON"
    assert reply.headers["Content-Language"] == "zh"
    reply = await api.post("/v1/orders", data=b"{", headers={"Accept-Language": "en, zh;q=0.5"})
    assert reply.doc["title"] == "Not JSON"


async def test_goods_are_stored_under_the_profiles_scope(api: API) -> None:
    reply = await api.post("/v1/goods", goods_doc())
    assert reply.status == 201
    assert GoodsTaken.model_validate_json(reply.body).sku == "SKU1"
    assert (await api.post("/v1/goods", goods_doc())).status == 200
    assert list(api.world.goods.records) == [(ALPHA, "5141/9610/", "SKU1")]
    twisted = await api.post("/v1/goods", {**goods_doc(), "net_weight_kg": "9"})
    assert problem(twisted, 422, "API-102")["errors"][0]["path"] == "net_weight_kg"
    foreign = await api.post("/v1/goods", goods_doc("beta"))
    problem(foreign, 422, "API-103")


async def test_a_mixed_batch_takes_every_good_line_in_one_go(api: API) -> None:
    order = order_doc()
    lines = [
        {"type": "order", **order},
        b"{broken",
        {"type": "payment", **payment_doc()},
        {"type": "order", **order_doc("beta")},
        {"type": "goods", **goods_doc()},
        {"type": "goods", **goods_doc(sku="SKU2"), "net_weight_kg": "9"},
        {"type": "waybill", **waybill_doc(), "freight": 1.5},
        {"type": "order", **order_doc(order_no="FROZEN7")},
        {"type": "order", **order_doc(order_no="MISMATCH7")},
    ]
    reply = await api.batch(*lines)
    assert reply.status == 200
    results = BatchTaken.model_validate_json(reply.body).results
    assert [one.line for one in results] == list(range(1, 10))
    assert [one.status for one in results] == [
        "accepted",
        "refused",
        "accepted",
        "refused",
        "accepted",
        "refused",
        "refused",
        "frozen",
        "accepted",
    ]
    codes = [one.problem and one.problem.code for one in results]
    assert codes[1:4] == ["API-101", None, "API-103"]
    assert codes[5:8] == ["API-102", "API-102", "API-303"]
    assert results[6].problem is not None
    assert [fault.path for fault in results[6].problem.errors] == ["freight"]
    assert results[8].findings[0].rule == "PAYMENT-AMOUNT"
    assert api.world.taker.calls == 1
    first = api.world.taker.taken[0]
    assert first.raw[first.offset : first.offset + first.length] == orjson.dumps(lines[0])


async def test_a_batch_answers_line_by_line_when_asked(api: API) -> None:
    headers = {"Accept": "application/x-ndjson"}
    reply = await api.batch({"type": "order", **order_doc()}, b"nonsense", headers=headers)
    assert reply.headers["Content-Type"] == "application/x-ndjson"
    assert [orjson.loads(line)["line"] for line in reply.body.splitlines()] == [1, 2]


async def test_a_batch_that_cannot_be_queued_stores_nothing_or_says_what(api: API) -> None:
    api.world.taker.is_full = True
    order = {"type": "order", **order_doc()}
    problem(await api.batch(order), 503, "API-503")
    reply = await api.batch({"type": "goods", **goods_doc()}, order)
    assert [one["status"] for one in reply.doc["results"]] == ["accepted", "refused"]
    assert reply.doc["results"][1]["problem"]["code"] == "API-503"


async def test_limits_of_a_batch(api: API) -> None:
    problem(await api.batch(b"", b" "), 400, "API-106")
    doc = problem(await api.batch(*[b"{}"] * 51), 413, "API-402")
    assert doc["limit"] == 50
    assert (await api.batch(*[b"{}"] * 50)).status == 200
    problem(await api.batch(b"x" * 60_001), 413, "API-401")


async def test_sizes_are_counted_after_decompression(api: API) -> None:
    headers = {"Content-Encoding": "gzip"}
    small = gzip.compress(orjson.dumps(order_doc()))
    assert (await api.post("/v1/orders", data=small, headers=headers)).status == 201
    bomb = gzip.compress(b" " * 5_000_000)
    assert len(bomb) < 20_000
    problem(await api.post("/v1/orders", data=bomb, headers=headers), 413, "API-401")
    plain = await api.post("/v1/orders", data=b" " * 20_001)
    assert problem(plain, 413, "API-401")["limit"] == 20_000
    broken = await api.post("/v1/orders", data=b"\xff" * 40, headers=headers)
    problem(broken, 400, "API-100")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/xml"},
        {"Content-Type": "application/json; charset=gbk"},
        {"Content-Type": "application/x-ndjson"},
        {"Content-Encoding": "compress"},
    ],
)
async def test_other_media_types_are_415(api: API, headers: dict[str, str]) -> None:
    data = orjson.dumps(order_doc())
    problem(await api.post("/v1/orders", data=data, headers=headers), 415, "API-403")


async def test_a_repeated_key_is_refused_by_name_and_spoils_only_its_line(api: API) -> None:
    good = orjson.dumps({"type": "order", **order_doc()})
    twice = good.replace(b'"paid":', b'"paid":"1.00","paid":')
    doc = problem(await api.post("/v1/orders", data=twice), 422, "API-102")
    assert [fault["path"] for fault in doc["errors"]] == ["paid"]
    first, second = (await api.batch(twice, good)).doc["results"]
    assert first["problem"]["errors"][0]["path"] == "paid"
    assert second["status"] == "accepted"


async def test_a_charset_of_utf8_is_fine(api: API) -> None:
    headers = {"Content-Type": 'application/json; charset="UTF-8"'}
    data = orjson.dumps(order_doc())
    assert (await api.post("/v1/orders", data=data, headers=headers)).status == 201


async def test_the_tenant_comes_from_the_key_and_nowhere_else(api: API) -> None:
    doc = order_doc("beta")
    assert (await api.post("/v1/orders", doc, key="beta-seller")).status == 201
    problem(await api.post("/v1/orders?tenant=beta", doc, key="alpha-seller"), 422, "API-103")
    refused = await api.post("/v1/orders", {**order_doc(), "tenant": "beta"})
    problem(refused, 422, "API-102")
    assert {one.profile.profile_id for one in api.world.taker.taken} == {ProfileId("beta-9610")}
