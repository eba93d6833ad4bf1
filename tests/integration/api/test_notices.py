"""Notices over HTTP: fetched, replayed; endpoints rotated and switched."""

from __future__ import annotations

import pytest

from gateway.ports.mailbox import NoticeStatus
from tests.integration.api.conftest import API


async def test_notices_are_fetched_as_a_post_would_carry_them(api: API) -> None:
    reply = await api.call("GET", "/v1/notices", key="alpha-warehouse")
    (one,) = reply.doc["notices"]
    assert (one["status"], one["parked_at"], one["endpoint"]) == ("waiting", None, "epalpha")
    assert one["notice"]["id"] == "alphawaiting"
    assert one["notice"]["type"] == "endpoint.disabled"
    assert "case" not in one["notice"]
    reply = await api.call("GET", "/v1/notices?status=parked&type=case.released&since="
                           "2026-01-01T00:00:00Z&endpoint=ep_1")  # fmt: skip
    assert reply.doc["notices"][0]["parked_at"] is not None
    warehouse, seller = api.world.services.mailbox.asked  # type: ignore[attr-defined]
    assert (warehouse.roles, seller.roles) == ({"warehouse"}, frozenset())
    assert (seller.status, seller.event_type) == (NoticeStatus.PARKED, "case.released")
    assert (seller.endpoint_id, seller.since) == ("ep_1", 1_767_225_600_000_000)


@pytest.mark.parametrize("query", ["status=done", "after=x", "since=today", "limit=0", "case=1"])
async def test_a_faulty_query_is_named(api: API, query: str) -> None:
    reply = await api.call("GET", f"/v1/notices?{query}")
    assert (reply.status, reply.doc["code"]) == (400, "API-104")
    assert reply.doc["errors"][0]["path"] == f"query.{query.partition('=')[0]}"


async def test_parked_notices_are_replayed_by_their_owner(api: API) -> None:
    reply = await api.call("POST", "/v1/notices/replay", {"since": "2026-01-01T00:00:00Z"})
    assert reply.doc == {"replayed": ["alphaparked"], "more": False}
    reply = await api.call("POST", "/v1/notices/replay", {"notices": ["betaparked"]})
    assert reply.doc["replayed"] == []
    reply = await api.call("POST", "/v1/notices/replay", {}, key="alpha-viewer")
    assert reply.status == 403


async def test_an_endpoint_may_be_pulled_signed_twice_rotated_and_switched(api: API) -> None:
    made = (await api.call("POST", "/v1/endpoints", {"role": "warehouse", "ed25519": True})).doc
    assert made["url"] is None
    assert made["public_key"].startswith("whpk_")
    path = f"/v1/endpoints/{made['endpoint']}"
    rotated = (await api.call("POST", f"{path}/rotations", {"overlap_hours": 2})).doc
    assert rotated["secret"] != made["secret"]
    assert "old_secrets_until" in rotated
    off = (await api.call("POST", f"{path}/disable", {"reason": "moving"})).doc
    assert (off["is_active"], off["disabled_why"]) == (False, "moving")
    assert "secret" not in off
    assert (await api.call("POST", f"{path}/enable")).doc["is_active"]
    assert (await api.call("POST", f"{path}/rotations", {"overlap_hours": 721})).status == 422


@pytest.mark.parametrize("action, body", [("rotations", {}), ("enable", None),
                                          ("disable", {"reason": "x"})])  # fmt: skip
async def test_nobody_changes_another_tenants_endpoint(
    api: API, action: str, body: dict[str, str] | None
) -> None:
    made = (await api.call("POST", "/v1/endpoints", {"role": "seller"})).doc["endpoint"]
    path = f"/v1/endpoints/{made}/{action}"
    assert (await api.call("POST", path, body, key="beta-seller")).status == 404
    assert (await api.call("POST", path, body, key="alpha-warehouse")).status == 403
    assert (await api.call("POST", path, body)).status == 200
    assert (await api.call("POST", f"/v1/endpoints/a%2Fb/{action}", body)).status == 404
