"""Rule packs over the API: refused with the line, tried, shadowed, activated by another person."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from gateway.app.container import Gateway
from gateway.app.demo_orders import DemoOrder, demo_orders
from gateway.app.demo_world import PROFILE, TENANT, furnish, prepare
from gateway.app.serve import running
from gateway.client import ClearanceClient, Refused, Retrying
from gateway.ports.people import LogFilter
from store.keys import KeyRole
from tests.integration.api.conftest import API
from tests.integration.api.test_intake import problem

HEAD = 'name = "mild"\nversion = {version}\nextends = "import-default"\n'
MILD = HEAD + '\n[rules.PAYMENT-AMOUNT]\nseverity = "warn"\n'
SUPERVISOR, OPERATOR = "alpha-supervisor", "alpha-operator"


async def test_a_faulty_pack_is_refused_with_every_line_in_both_languages(api: API) -> None:
    text = HEAD.format(version=1) + "[rules.ORDER-HEAD-SUN]\n"
    text += "[rules.ORDER-HEAD-SUM]\ntolerance = -1\n"
    for path in ("/v1/packs", "/v1/packs/trials"):
        reply = await api.post(path, {"text": text}, key=OPERATOR)
        doc = problem(reply, 422, "API-110")
        assert [(one["line"], one["path"]) for one in doc["errors"]] == [
            (4, "text:rules.ORDER-HEAD-SUN"),
            (6, "text:rules.ORDER-HEAD-SUM.tolerance"),
        ]
        assert doc["errors"][0]["message"].startswith("there is no such rule; did you mean")
        assert doc["errors"][0]["message_zh"].startswith("没有这条规则；是否指")
    assert api.world.packs.kept == []
    for text in ("a = \n", HEAD.format(version=1).replace("import-default", "mild")):
        reply = await api.post("/v1/packs", {"text": text}, key=OPERATOR)
        assert problem(reply, 422, "API-110")["errors"][0]["line"] in (1, 3)


async def test_who_proposed_a_version_does_not_put_it_in_force(api: API) -> None:
    text = MILD.format(version=1)
    checked = await api.post("/v1/packs", {"text": text, "dry_run": True}, key=OPERATOR)
    assert (checked.status, checked.doc["proposed"]) == (200, None)
    assert api.world.packs.kept == []
    made = await api.post("/v1/packs", {"text": text, "port": "2991"}, key=OPERATOR)
    assert (made.status, made.doc["proposed"]["stage"]) == (201, "proposed")
    twice = await api.post("/v1/packs", {"text": text, "port": "2991"}, key=OPERATOR)
    problem(twice, 409, "API-305")
    move = "/v1/packs/mild@1/moves"
    # It is for one port: without the port there is no such version.
    problem(await api.post(move, {"to": "active"}, key=SUPERVISOR), 404, "API-301")
    own = await api.post(move, {"to": "active", "port": "2991"}, key=OPERATOR)
    problem(own, 403, "API-204")
    done = await api.post(move, {"to": "active", "port": "2991"}, key=SUPERVISOR)
    assert (done.status, done.doc["stage"]) == (200, "active")
    again = await api.post(move, {"to": "shadow", "port": "2991"}, key=SUPERVISOR)
    problem(again, 409, "API-305")
    full = await api.get("/v1/packs/mild@1?port=2991", key="alpha-viewer")
    assert (full.doc["text"], full.doc["moves"]) == (text, ["retired"])
    assert [one[2:] for one in api.world.packs.noted] == [
        ("pack_proposed", "mild@1"),
        ("pack_moved", "mild@1"),
    ]
    problem(await api.get("/v1/packs/mild@1?port=2991", key="beta-viewer"), 404, "API-301")


async def test_the_packs_that_come_with_the_gateway_can_be_read(api: API) -> None:
    assert (await api.get("/v1/packs")).doc == {
        "packs": [],
        "builtin": ["export-default", "import-default"],
    }
    full = (await api.get("/v1/packs/import-default")).doc
    assert full["version"] is None
    assert "[rules" in full["text"]


# --- over a real gateway ----------------------------------------------------------------------


@dataclass(frozen=True)
class Live:
    gateway: Gateway
    clients: dict[str, ClearanceClient]


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with running(prepare(tmp_path), work=False) as (gateway, serving), ClientSession():
        assert serving is not None
        await furnish(gateway)
        clients = {}
        for role in (KeyRole.SELLER, KeyRole.SUPERVISOR, KeyRole.OPERATOR):
            key = (await gateway.keys.new(TENANT, role, "tests")).token
            clients[role.value] = ClearanceClient(serving.address, key, retrying=Retrying(tries=1))
        yield Live(gateway, clients)
        for client in clients.values():
            await client._session.close()


def short_paid(seed: int) -> DemoOrder:
    (order,) = demo_orders(PROFILE, 1, seed, problems=False)
    assert order.payment is not None
    return replace(order, payment={**order.payment, "amount": "1.00"})


async def stage(live: Live, order: DemoOrder) -> str:
    results = await live.clients["seller"].send_batch(order.lines())
    return str(results[-1]["stage"])


async def test_a_pack_is_tried_shadowed_and_activated_by_two_persons(live: Live) -> None:
    text, one = MILD.format(version=1), short_paid(1)
    operator, supervisor = live.clients["operator"], live.clients["supervisor"]
    lines = {line["type"]: {k: v for k, v in line.items() if k != "type"} for line in one.lines()}
    papers: list[dict[str, Any]] = [{name: lines[name] for name in ("order", "payment", "waybill")}]
    expected = {
        "pack": "mild@1",
        "cases": 1,
        "differing": 1,
        "around": "now",
        "verdicts": [{"before": "mismatch", "after": "matched", "cases": 1}],
        "rules": [
            {"change": "added", "rule": "PAYMENT-AMOUNT", "severity": "warn", "findings": 1},
            {"change": "removed", "rule": "PAYMENT-AMOUNT", "severity": "block", "findings": 1},
        ],
    }
    assert await operator.try_pack(text, papers=papers) == expected
    assert await stage(live, one) == "mismatch"
    assert await operator.try_pack(text, days=1) == expected
    assert (await operator.propose_pack(text))["pack"] == "mild@1"
    assert (await operator.move_pack("mild@1", "shadow"))["stage"] == "shadow"
    assert await stage(live, short_paid(2)) == "mismatch"
    assert await supervisor.pack_differences("mild@1") == expected | {"around": "then"}
    with pytest.raises(Refused) as refused:
        await operator.move_pack("mild@1", "active")
    assert refused.value.code == "API-204"
    assert (await supervisor.move_pack("mild@1", "active"))["stage"] == "active"
    assert await stage(live, short_paid(3)) == "waiting_filings"
    assert [one["stage"] for one in await supervisor.packs()] == ["active"]
    assert (await supervisor.pack("mild@1"))["text"] == text
    assert (await supervisor.move_pack("mild@1", "retired"))["stage"] == "retired"
    assert await stage(live, short_paid(4)) == "mismatch"
    found = await live.gateway.web.log.entries(TENANT, LogFilter(), None, 20)
    done = [entry.action for entry in reversed(found.items) if entry.action.startswith("pack_")]
    assert done == ["pack_tried", "pack_tried", "pack_proposed", *["pack_moved"] * 3]


async def test_a_fault_in_papers_to_be_tried_names_its_set(live: Live) -> None:
    lines = short_paid(5).lines()
    order = {name: value for name, value in lines[0].items() if name != "type"}
    sets: list[dict[str, Any]] = [{"order": order}, {}]
    with pytest.raises(Refused) as refused:
        await live.clients["operator"].try_pack(MILD.format(version=1), papers=sets)
    assert [one.path for one in refused.value.errors] == ["papers[1]"]
