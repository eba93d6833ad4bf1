"""The client: papers once, lists, questions, the stream, typed errors, webhooks."""

from __future__ import annotations

import asyncio
import base64
import json
import types
import typing
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.notify.standard import signature
from gateway.api.app import route_table
from gateway.api.openapi import document
from gateway.api.settings import APISettings
from gateway.client import (
    Busy,
    ClearanceClient,
    InvalidRequest,
    Moved,
    NotAllowed,
    NotFound,
    SignatureInvalid,
    Unreachable,
    values,
    verify,
)
from tests.integration.client.conftest import QUICK, Live, good_order
from tests.unit.api.fakes import world

SAMPLES = Path(__file__).parents[2] / "samples"


async def test_who_does_not_wait_hears_later(live: Live) -> None:
    one, two = good_order(6), good_order(7)
    received = await live.client.submit("orders", one.order)
    assert received["status"] == "received"
    found = await live.client.submission(received["submission"], wait_s=20)
    assert (found["status"], found["route"]) == ("taken", "POST /v1/orders")
    assert found["answer"] is not None
    assert (found["answer"]["status"], found["answer"]["body"]["status"]) == (201, "accepted")
    faulty = {"type": "order", **two.order, "paid": "x"}
    (batch,) = await live.client.submit_batch([{"type": "order", **two.order}, faulty])
    found = await live.client.submission(batch["submission"], wait_s=20)
    assert found["answer"] is not None
    results = found["answer"]["body"]["results"]
    assert [line["status"] for line in results] == ["accepted", "refused"]
    refused = [line["submission"] async for line in live.client.submissions()]
    assert refused == [batch["submission"]]
    taken = [line async for line in live.client.submissions(status="taken")]
    assert [line["submission"] for line in taken] == [received["submission"]]
    with pytest.raises(InvalidRequest):
        await live.client.submit("orders", faulty)


async def test_an_order_goes_its_way_and_is_read_back(live: Live) -> None:
    demo = good_order()
    assert demo.payment is not None
    foreseen = await live.client.preflight(
        order=demo.order, payment=demo.payment, waybill=demo.waybill
    )
    assert foreseen["is_new"]
    assert foreseen["verdict"] is not None
    assert (foreseen["verdict"]["kind"], foreseen["declares"]) == ("matched", ["order"])
    xml = (SAMPLES / "customs" / "order_full.xml").read_bytes()
    report = await live.client.preflight_message(xml, profile=demo.order["profile"])
    assert (report["rows"], report["orders"], report["profile"]) == (1, 1, None)
    assert [one async for one in live.client.cases()] == []
    taken = await live.client.send_order(demo.order)
    assert taken["status"] == "accepted"
    again = await live.client.send_order(demo.order)
    assert again["status"] == "unchanged"
    lines = [{"type": "payment", **demo.payment}, {"type": "waybill", **(demo.waybill or {})}]
    results = await live.client.send_batch(lines)
    assert [(one["line"], one["status"]) for one in results] == [(1, "accepted"), (2, "accepted")]
    case_id = taken["case"]
    assert case_id is not None
    case = await live.client.case(case_id)
    assert case["order_no"] == demo.order["order_no"]
    (listed,) = [one async for one in live.client.cases(number=demo.payment["transaction_id"])]
    assert listed["case"] == case_id


async def test_a_key_given_by_the_caller_replays(live: Live) -> None:
    order = good_order().order
    first = await live.client.send_order(order, key="mine-1")
    assert await live.client.send_order(order, key="mine-1") == first
    with pytest.raises(InvalidRequest) as refused:
        await live.client.send_order(good_order(6).order, key="mine-1")
    assert refused.value.code == "API-108"


async def test_questions_hold_and_versions_guard(live: Live) -> None:
    taken = await live.client.send_order(good_order().order)
    case_id = taken["case"]
    assert case_id is not None
    seen = await live.client.case(case_id)
    asked = await live.client.ask(case_id, "cancel", "buyer", version=seen["version"])
    assert (asked["answer"], asked["held"]) == ("STOPPABLE", True)
    with pytest.raises(Moved):
        await live.client.release(case_id, version=seen["version"])
    await live.client.release(case_id)
    with pytest.raises(NotFound):
        await live.client.recheck("0" * 24)


async def test_a_warning_is_accepted_and_a_block_is_not(live: Live) -> None:
    demo = good_order()
    assert demo.payment is not None
    slip = demo.payment | {"amount": "1.00"}
    waybill = (demo.waybill or {}) | {"gross_weight_kg": "0.01", "net_weight_kg": "0.01"}
    await live.client.send_order(demo.order)
    await live.client.send_payment(slip)
    await live.client.send_waybill(waybill)
    found = [one async for one in live.client.findings(resolved="false", open="true")]
    blocks = [one for one in found if one["finding"]["severity"] == "block"]
    assert blocks
    settle = [
        {
            "case": one["case"],
            "finding": one["finding"]["id"],
            "how": "accepted_risk",
            "reason": "r",
        }
        for one in found
    ]
    doc = await live.client._asked(
        "POST",
        "/v1/findings/resolutions",
        json.dumps({"resolutions": settle}).encode(),
        "application/json",
    )
    for line, result in zip(found, doc["results"], strict=True):
        is_block = line["finding"]["severity"] == "block"
        assert result["status"] == ("refused" if is_block else "resolved")
        assert result["reason"] == ("block_cannot_be_accepted" if is_block else None)
    await live.client.send_payment(demo.payment)
    mended = {
        "case": blocks[0]["case"],
        "finding": blocks[0]["finding"]["id"],
        "how": "new_paper",
        "paper": "payment",
        "revision": 2,
        "reason": "the amount was mistyped",
    }
    body = json.dumps({"resolutions": [mended, mended | {"revision": 9}]}).encode()
    doc = await live.client._asked("POST", "/v1/findings/resolutions", body, "application/json")
    statuses = [(one["status"], one["reason"]) for one in doc["results"]]
    assert statuses[1] == ("refused", "no_such_revision")
    assert statuses[0] in (("resolved", None), ("refused", "still_stands"))


async def test_the_stream_gives_every_event_once(live: Live) -> None:
    taken = await live.client.send_order(good_order().order)
    async with asyncio.timeout(10):
        seen = []
        async for event in live.client.events():
            seen.append(event)
            if event["type"] == "case_matched":
                break
        async for event in live.client.events(seen[0]["cursor"]):
            assert event == seen[1]
            break
    assert {one["case"] for one in seen} == {taken["case"]}


async def test_refusals_are_typed(live: Live) -> None:
    with pytest.raises(InvalidRequest) as faulty:
        await live.client.send_order({"profile": "hz-1210"})
    assert "order_no" in [fault.path for fault in faulty.value.errors]
    async with ClearanceClient(live.address, "wrong", retrying=QUICK) as stranger:
        with pytest.raises(NotAllowed):
            await stranger.case("0" * 24)
        with pytest.raises(NotAllowed):
            await anext(aiter(stranger.events()))


async def test_exact_bytes_are_taken_with_a_reason_that_is_written_down(live: Live) -> None:
    demo = good_order(seed=8)
    taken = await live.client.send_order(demo.order)
    assert demo.payment is not None
    await live.client.send_payment(demo.payment)
    await live.client.send_waybill(demo.waybill or {})
    assert taken["case"] is not None
    case = await live.client.case(taken["case"])
    for _ in range(100):
        if case["messages"] and case["declarations"][0]["stage"] == "sent":
            break
        await asyncio.sleep(0.05)
        case = await live.client.case(taken["case"])
    message = case["messages"][0]["message"]
    body = await live.client.message_bytes(message, "稽查 audit 7")
    (file,) = list(live.gateway.settings.channels["dxp"].send.iterdir())  # type: ignore[union-attr]
    assert body.startswith(b"<")
    assert base64.b64encode(body) in file.read_bytes() or body in file.read_bytes()
    taken_by = [one for one in (await live.client.case(taken["case"]))["timeline"]
                if one["type"] == "bytes_downloaded"]  # fmt: skip
    assert [one["data"]["reason"] for one in taken_by] == ["稽查 audit 7"]
    with pytest.raises(InvalidRequest):
        await live.client.message_bytes(message, " ")
    with pytest.raises(NotFound):
        await live.client.receipt_bytes("nobody", "audit")


async def test_notices_are_fetched_acknowledged_and_their_endpoints_looked_after(
    live: Live,
) -> None:
    made = await live.client.new_endpoint("seller", ed25519=True)
    assert made["secret"].startswith("whsec_")
    assert (made["public_key"] or "").startswith("whpk_")
    changed = await live.client.rotate_endpoint(made["endpoint"], overlap_hours=1)
    assert changed["secret"] != made["secret"]
    (listed,) = await live.client.endpoints()
    assert (listed["url"], listed["is_active"]) == (None, True)
    assert listed["old_secrets_until"] is not None
    demo = good_order(seed=9)
    await live.client.send_order(demo.order)
    await live.client.send_payment({**(demo.payment or {}), "amount": "0.01"})
    await live.client.send_waybill(demo.waybill or {})
    waiting = [one async for one in live.client.notices()]
    assert {one["status"] for one in waiting} == {"waiting"}
    (mismatch,) = [one["notice"] for one in waiting if one["notice"]["type"] == "case.mismatch"]
    ack = {"notice_id": mismatch["id"], "status": "accepted", "at": mismatch["created_at"]}
    assert [one["status"] for one in await live.client.acknowledge([ack])] == ["ok"]
    left = [one["notice"]["id"] async for one in live.client.notices()]
    assert mismatch["id"] not in left
    assert await live.client.replay_notices(endpoint=made["endpoint"]) == {
        "replayed": [], "more": False,
    }  # fmt: skip
    assert not (await live.client.disable_endpoint(made["endpoint"], "moved"))["is_active"]
    assert (await live.client.enable_endpoint(made["endpoint"]))["is_active"]


async def test_no_answer_at_all_is_unreachable() -> None:
    async with ClearanceClient("http://127.0.0.1:9", "key", retrying=QUICK) as client:
        with pytest.raises(Unreachable):
            await client.send_order({})


async def test_what_may_be_tried_again_is_with_one_key(aiohttp_server: Any) -> None:
    keys: list[str] = []

    async def flaky(request: web.Request) -> web.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) == 1:
            assert request.transport is not None
            request.transport.close()
        if len(keys) < 3:
            return web.json_response({"code": "API-503"}, status=503, headers={"Retry-After": "0"})
        return web.json_response({"status": "accepted"}, status=201)

    async def busy(request: web.Request) -> web.Response:
        return web.json_response({"code": "API-429"}, status=429, headers={"Retry-After": "0"})

    app = web.Application()
    app.router.add_post("/v1/orders", flaky)
    app.router.add_post("/v1/payments", busy)
    server = await aiohttp_server(app)
    async with ClearanceClient(str(server.make_url("/")), "key", retrying=QUICK) as client:
        assert (await client.send_order({}))["status"] == "accepted"
        with pytest.raises(Busy):
            await client.send_payment({})
    assert len(keys) == 3
    assert len(set(keys)) == 1


# --- webhooks ---------------------------------------------------------------------------------

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
BODY = b'{"id":"n1","type":"case.released"}'
NOW = 1_767_600_000


def signed(body: bytes, *, at: int = NOW) -> dict[str, str]:
    return {
        "Webhook-Id": "n1",
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": signature(SECRET, "n1", at, body),
    }


def test_our_own_webhooks_verify() -> None:
    assert verify(signed(BODY), BODY, [SECRET], NOW + 10) == [{"id": "n1", "type": "case.released"}]
    many = b'{"notices":[{"id":"a"},{"id":"b"}]}'
    assert [one["id"] for one in verify(signed(many), many, ["whsec_AAAA", SECRET], NOW)] == [
        "a",
        "b",
    ]


def test_ed25519_webhooks_verify() -> None:
    key = Ed25519PrivateKey.generate()
    public = "whpk_" + base64.b64encode(key.public_key().public_bytes_raw()).decode()
    text = base64.b64encode(key.sign(f"n1.{NOW}.".encode() + BODY)).decode()
    headers = signed(BODY) | {"Webhook-Signature": f"v1,AAAA v1a,{text}"}
    assert verify(headers, BODY, [public], NOW)
    with pytest.raises(SignatureInvalid):
        verify(headers, BODY + b" ", [public], NOW)


@pytest.mark.parametrize(
    "change,body,late_s",
    [
        ({}, BODY + b" ", 0),
        ({}, BODY, 301),
        ({}, BODY, -301),
        ({"Webhook-Id": "n2"}, BODY, 0),
        ({"Webhook-Timestamp": "soon"}, BODY, 0),
        ({"Webhook-Signature": "v2,AAAA"}, BODY, 0),
        ({"Webhook-Signature": "v1,%%%"}, BODY, 0),
        ({"Webhook-Signature": ""}, BODY, 0),
    ],
)
def test_a_forged_webhook_is_refused(change: dict[str, str], body: bytes, late_s: int) -> None:
    with pytest.raises(SignatureInvalid):
        verify(signed(BODY) | change, body, [SECRET], NOW + late_s)


# --- the document -----------------------------------------------------------------------------


@pytest.fixture
def schemas() -> dict[str, Any]:
    routes = route_table(world().services, APISettings(), asyncio.Event())
    found: dict[str, Any] = document(routes, "1")["components"]["schemas"]
    return found


@pytest.mark.parametrize(
    "value,schema",
    [
        (values.PaperTaken, "PaperTaken"),
        (values.GoodsTaken, "GoodsTaken"),
        (values.BatchLine, "BatchLine"),
        (values.CaseLine, "CaseLine"),
        (values.CaseFull, "CaseFull"),
        (values.Event, "EventOut"),
        (values.FindingLine, "FindingLine"),
        (values.Asked, "AskedOut"),
        (values.Stage, "StageOut"),
        (values.Reported, "ReportedOut"),
        (values.Foreseen, "ForeseenOut"),
        (values.MessageReport, "ReportOut"),
        (values.TenantLine, "TenantOut"),
        (values.PackLine, "PackOut"),
        (values.PackChecked, "PackChecked"),
        (values.PackFull, "PackFull"),
        (values.Differences, "DifferencesOut"),
        (values.RepairLine, "RepairOut"),
        (values.MandateLine, "MandateOut"),
        (values.NoticeLine, "NoticeStanding"),
        (values.Received, "Received"),
        (values.SubmissionLine, "SubmissionOut"),
        (values.AckLine, "AckOut"),
        (values.Replayed, "Replayed"),
        (values.EndpointLine, "EndpointOut"),
        (values.EndpointMade, "EndpointMade"),
    ],
)
def test_the_clients_types_are_those_of_the_document(
    value: type, schema: str, schemas: dict[str, Any]
) -> None:
    properties = schemas[schema]["properties"]
    hints = get_type_hints(value)
    assert set(hints) == set(properties)
    for name, hint in hints.items():
        is_optional = type(None) in typing.get_args(hint) and isinstance(hint, types.UnionType)
        options = properties[name].get("anyOf", ())
        assert is_optional == ({"type": "null"} in options), name
