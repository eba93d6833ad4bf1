"""Tenants never see each other: every route with every id, tried with every foreign key.

A real gateway on a real store: one tenant's orders clear the sandbox customs, then another
tenant's keys, one for each role, ask for all of it; and so do the keys of an agent and a warehouse
that span tenants, but not this one, or not any more, not yet, or not in that role.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import structlog
from aiohttp import ClientSession
from sqlalchemy import select

from adapters.sandbox.customs import Settings as CustomsSettings
from gateway.api.app import route_table
from gateway.api.settings import APISettings
from gateway.app.container import Gateway
from gateway.app.demo import feed, standing
from gateway.app.demo_orders import demo_orders
from gateway.app.demo_world import PROFILE, TENANT, furnish, prepare, quick, strangers
from gateway.app.serve import running
from gateway.app.surroundings import SystemClock
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.profile import Enterprise, Mandate, Role
from gateway.domain.repair import Need
from gateway.flow.clockwork import local_date
from gateway.ports.packs import PackScope, PackStage
from gateway.ports.repairs import Repair, RepairItem, RepairStage
from gateway.ports.submissions import Submission
from store.keys import KeyRole, OfEnterprise
from store.tables import case_, declaration, endpoint, event, inbox, message, outbox, rule_pack
from store.tables import repair as repair_table

RIVAL = TenantId("rival")
ORDERS = 10
ABSENT = {403, 404}
AGENT, SHED = OfEnterprise("4401980AGT"), OfEnterprise("4401980WHS")
WHY = {"reason": "not mine"}

# What each route that takes an id in its path is sent; a new route must be added here.
BODIES: Mapping[str, Any] = {
    "GET /v1/cases/{case_id}": None,
    "GET /v1/cases/{case_id}/lineage": None,
    "POST /v1/cases/{case_id}/hold": WHY,
    "POST /v1/cases/{case_id}/release": None,
    "POST /v1/cases/{case_id}/recheck": None,
    "POST /v1/cases/{case_id}/change": WHY,
    "POST /v1/cases/{case_id}/redeclare": WHY,
    "POST /v1/cases/{case_id}/cancel": WHY,
    "POST /v1/cases/{case_id}/return": WHY,
    "POST /v1/cases/{case_id}/returns/{number}/arrival": None,
    "POST /v1/cases/{case_id}/returns/{number}/tally": {},
    "POST /v1/cases/{case_id}/delivery": {"at": "2026-11-01T00:00:00Z"},
    "GET /v1/messages/{message_id}": None,
    "GET /v1/receipts/{receipt_id}": None,
    "POST /v1/endpoints/{endpoint_id}/rotations": {"overlap_hours": 0},
    "POST /v1/endpoints/{endpoint_id}/enable": None,
    "POST /v1/endpoints/{endpoint_id}/disable": WHY,
    "GET /v1/packs/{label}": None,
    "GET /v1/packs/{label}/differences": None,
    "POST /v1/packs/{label}/moves": {"to": "retired"},
    "GET /v1/submissions/{submission_id}": None,
    "GET /v1/repairs/{repair_id}": None,
    "POST /v1/repairs/{repair_id}/approvals": {"statement": "mine"},
    "POST /v1/repairs/{repair_id}/refusals": WHY,
}


@dataclass(frozen=True)
class Estate:
    """A tenant's belongings by the name of their parameter, and foreign keys: the headers of each
    by what it is, ``rival`` the plain ones by role.
    """

    gateway: Gateway
    address: str
    ids: Mapping[str, Sequence[str]]
    secrets: frozenset[str]
    keys: Mapping[str, Mapping[str, str]]
    rival: Mapping[str, Mapping[str, str]]
    own_key: Mapping[str, str]
    session: ClientSession

    async def call(
        self, method: str, path: str, headers: Mapping[str, str], doc: Any = None
    ) -> tuple[int, bytes]:
        async with self.session.request(
            method, self.address + path, json=doc, headers=headers
        ) as answer:
            return answer.status, await answer.read()

    def routes(self) -> Iterator[tuple[str, str]]:
        for route in route_table(self.gateway.services, APISettings(), asyncio.Event()):
            yield route.method, route.path


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


async def column(gateway: Gateway, *wanted: Any) -> list[Any]:
    async with gateway.store.read() as reading:
        return await reading.run_sync(lambda on: list(on.execute(select(*wanted))))


@pytest.fixture
async def estate(tmp_path: Path) -> AsyncIterator[Estate]:
    settings = prepare(tmp_path)
    async with running(settings) as (gateway, serving):
        assert serving is not None
        await furnish(gateway)
        own = await gateway.keys.new(TENANT, KeyRole.SELLER, "own")
        customs = quick(CustomsSettings.demo())
        async with strangers(
            settings, gateway, serving.address, customs, seed=1, acknowledge=False
        ):
            planned = list(demo_orders(PROFILE, ORDERS, seed=1, problems=False))
            await feed(serving.address, own.token, planned)
            for _ in range(600):
                if await settled(gateway):
                    break
                await asyncio.sleep(0.1)
            assert await settled(gateway)
        await gateway.admin.create_tenant(RIVAL, "Rival")
        made = [await gateway.keys.new(RIVAL, role, "rival") for role in KeyRole]
        rival = {one.row.role.value: bearing(one.token) for one in made}
        foreign = dict(rival)
        for tenant in (RIVAL, TENANT):
            foreign |= await spanning(gateway, tenant)
        cases = await column(gateway, case_.c.case_id, case_.c.order_no)
        ids = {
            "case_id": [row.case_id for row in cases],
            "message_id": [row[0] for row in await column(gateway, message.c.message_id)],
            "receipt_id": [row[0] for row in await column(gateway, inbox.c.receipt_id)],
            "endpoint_id": [row[0] for row in await column(gateway, endpoint.c.endpoint_id)],
            "submission_id": [await submitted(gateway)],
            "repair_id": [await proposed(gateway, cases[0].case_id)],
            "label": [await shadowed(gateway)],
            "notice": [
                row.effect_id
                for row in await column(gateway, outbox.c.effect_id, outbox.c.kind)
                if row.kind == "notice"
            ],
        }
        assert all(ids.values()), ids
        secrets = {one for found in ids.values() for one in found}
        secrets |= {row.order_no for row in cases} | {PROFILE}
        async with ClientSession() as session:
            yield Estate(
                gateway,
                serving.address,
                ids,
                frozenset(secrets),
                foreign,
                rival,
                bearing(own.token),
                session,
            )


def bearing(token: str, tenant: str | None = None) -> dict[str, str]:
    named = {} if tenant is None else {"Clearance-Tenant": tenant}
    return {"Authorization": f"Bearer {token}", **named}


def today() -> date:
    return local_date(SystemClock().now())


async def spanning(gateway: Gateway, named: TenantId) -> dict[str, dict[str, str]]:
    """Keys of an agent and a warehouse at work for ``named``; neither may see the estate."""
    admin, day = gateway.admin, timedelta(days=1)
    for owner in (AGENT, SHED):
        await admin.put_enterprise(Enterprise(owner.code, "Example"))
        for role in (Role.AGENT, Role.AREA_OPERATOR, Role.SITE_OPERATOR):
            await admin.add_mandate(Mandate(RIVAL, owner.code, role, today()))
            # Over, not begun yet, and in a role that opens nothing to a key.
            past = Mandate(TENANT, owner.code, role, date(2025, 1, 1), today() - day)
            for one in (past, Mandate(TENANT, owner.code, role, today() + day)):
                await admin.add_mandate(one)
        await admin.add_mandate(Mandate(TENANT, owner.code, Role.CARRIER, today()))
    # A warehouse is no agent, and an agent no warehouse, where it is mandated as the other.
    await admin.add_mandate(Mandate(TENANT, AGENT.code, Role.SITE_OPERATOR, today()))
    await admin.add_mandate(Mandate(TENANT, SHED.code, Role.AGENT, today()))
    found = {}
    for kind in KeyRole:
        if kind is not KeyRole.SELLER:
            owner = SHED if kind is KeyRole.WAREHOUSE else AGENT
            made = await gateway.keys.new(owner, kind, "spanning")
            found[f"{kind.value} for {named}"] = bearing(made.token, named)
    return found


async def proposed(gateway: Gateway, case_id: str) -> str:
    """A repair of the tenant that waits for others."""
    item = RepairItem(CaseId(case_id), "A-1", "0" * 20, "order.paid", "1.00")
    repair = Repair(
        repair_id="f" * 24,
        tenant=TENANT,
        stage=RepairStage.PROPOSED,
        rule="PAYMENT-AMOUNT",
        kind="fact",
        owner="seller",
        needs=frozenset(Need),
        items=(item,),
        proposed_by="clerk:1",
        reason="as agreed",
        created_at=1,
    )
    await gateway.services.repairs.book.put(repair)
    return repair.repair_id


async def submitted(gateway: Gateway) -> str:
    """Something that the tenant sent without waiting, and that was refused."""
    faulty = Submission("orders", "en", b'{"order_no":"SECRET"}')
    return await gateway.services.submissions.keep(TENANT, faulty)


async def shadowed(gateway: Gateway) -> str:
    """A rule pack of the tenant that stands in the shadow."""
    office, now = gateway.services.packs, SystemClock().now()
    text = 'name = "secret-pack"\nversion = 1\nextends = "import-default"\n'
    made = await office.propose(PackScope(TENANT), text, "operator:1", now)
    await office.move(made.scope, made.label, PackStage.SHADOW, "operator:1", now)
    return made.label


async def settled(gateway: Gateway) -> bool:
    counts, _ = await standing(gateway)
    return sum(counts.values()) == ORDERS and all(
        stage.value in ("released", "closed") for stage in counts
    )


async def everything(gateway: Gateway) -> list[Any]:
    """What a stranger must not be able to change."""
    return [
        await column(gateway, case_.c.case_id, case_.c.version, case_.c.seq),
        await column(gateway, endpoint),
        await column(gateway, repair_table),
        await column(gateway, rule_pack),
        # Not its stage: the gateway's own timers and deliveries go on meanwhile.
        await column(gateway, outbox.c.effect_id, outbox.c.acked_at),
    ]


async def test_no_foreign_key_sees_or_changes_anything(estate: Estate) -> None:
    before = await everything(estate.gateway)
    await _try_every_path(estate)
    await _try_every_list(estate)
    await _try_every_body(estate)
    assert await everything(estate.gateway) == before
    case_id = estate.ids["case_id"][0]
    assert (await estate.call("GET", f"/v1/cases/{case_id}", estate.own_key))[0] == 200


async def _try_every_path(estate: Estate) -> None:
    # Code tables are nobody's: everybody with a key may read them.
    paths = {f"{method} {path}" for method, path in estate.routes() if "{" in path}
    paths -= {"GET /v1/codes/{table}"}
    assert paths == set(BODIES)
    for route, body in BODIES.items():
        method, path = route.split(" ")
        parameter = path[path.index("{") + 1 : path.index("}")]
        for name in estate.ids[parameter][:3]:
            address = path.replace("{" + parameter + "}", name).replace("{number}", "1")
            for role, token in estate.keys.items():
                status, answer = await estate.call(method, address, token, body)
                assert status in ABSENT, (route, role, status, answer)
                assert not _leaked(estate, answer, but={name}), (route, role)
            for nobody in ({}, bearing("ck_none_none"), bearing("ck_none_none", TENANT)):
                assert (await estate.call(method, address, nobody, body))[0] == 401


async def _try_every_list(estate: Estate) -> None:
    case_id, notice = estate.ids["case_id"][0], estate.ids["notice"][0]
    endpoint_id = estate.ids["endpoint_id"][0]
    order_no = (await column(estate.gateway, case_.c.order_no))[0][0]
    asked = (
        "/v1/cases", f"/v1/cases?order_no={order_no}", f"/v1/cases?number={order_no}",
        f"/v1/cases?profile={PROFILE}", f"/v1/findings?case={case_id}&resolved=false",
        "/v1/findings", "/v1/events", "/v1/notices", "/v1/notices?status=parked",
        f"/v1/notices?endpoint={endpoint_id}", "/v1/endpoints", "/v1/tenants", "/v1/mandates",
        "/v1/repairs", "/v1/knowledge", "/v1/packs", "/v1/submissions",
        "/v1/submissions?status=waiting",
    )  # fmt: skip
    for path in asked:
        for role, token in estate.keys.items():
            status, answer = await estate.call("GET", path, token)
            assert status in (200, 403), (path, role, answer)
            assert not _leaked(estate, answer), (path, role)
    # A cursor of the owner's lists leads nowhere else either.
    for path in ("/v1/cases?limit=1", "/v1/events?limit=1"):
        _, own = await estate.call("GET", path, estate.own_key)
        assert _leaked(estate, own), "the owner sees what the others are asked about"
        after = orjson.loads(own)["after"]
        assert after is not None
        for key in estate.keys.values():
            _, answer = await estate.call("GET", f"{path}&after={after}", key)
            assert not _leaked(estate, answer), path
    assert notice


async def _try_every_body(estate: Estate) -> None:
    case_id, notices = estate.ids["case_id"][0], list(estate.ids["notice"])
    for role in ("seller", "warehouse", "operator"):
        token = estate.rival[role]
        ack = {"notice_id": notices[0], "status": "accepted", "at": "2026-11-11T02:00:00Z"}
        status, answer = await estate.call("POST", "/v1/notices/acks", token, {"acks": [ack]})
        assert (status, orjson.loads(answer)["results"][0]["status"]) == (200, "unknown")
        status, answer = await estate.call(
            "POST", "/v1/notices/replay", token, {"notices": notices}
        )
        assert (status, orjson.loads(answer)["replayed"]) == (200, [])
    order = next(iter(demo_orders(PROFILE, 1, seed=1))).lines()[0]
    for role in ("seller", "operator", f"operator for {RIVAL}"):
        token = estate.keys[role]
        paper = {name: value for name, value in order.items() if name != "type"}
        status, answer = await estate.call("POST", "/v1/orders", token, paper)
        assert (status, orjson.loads(answer)["code"]) == (422, "API-103"), answer
        resolution = {"case": case_id, "finding": "0" * 16, "remedy": "accepted_risk"}
        status, answer = await estate.call(
            "POST", "/v1/findings/resolutions", token, {"resolutions": [resolution]}
        )
        assert status in (200, 422), answer
        assert b'"recorded"' not in answer
        wanted = {"case": case_id, "finding": "0" * 20, "path": "order.paid", "reason": "mine"}
        for path in ("/v1/repairs", "/v1/repairs/questions"):
            assert (await estate.call("POST", path, token, wanted))[0] == 422
        for path, told in (
            ("/v1/site-arrivals", {"cases": [case_id], "vehicle_no": "A1"}),
            ("/v1/departures", {"cases": [case_id], "left_at": "2026-11-11T02:00:00Z"}),
        ):
            status, answer = await estate.call("POST", path, token, told)
            assert status in (403, 422), (path, status)
            assert not _leaked(estate, answer, but={case_id}), answer
            assert status == 403 or b"cases.0" in answer or b"cases[0]" in answer, answer


def _leaked(estate: Estate, answer: bytes, but: set[str] | None = None) -> list[str]:
    text = answer.decode("utf-8", "replace")
    return [one for one in estate.secrets - (but or set()) if one in text]


async def test_a_key_ends_when_it_is_revoked_expires_or_its_tenant_is_closed(
    estate: Estate,
) -> None:
    gateway = estate.gateway
    made = await gateway.keys.new(TENANT, KeyRole.SELLER, "ends")
    assert (await estate.call("GET", "/v1/cases", bearing(made.token)))[0] == 200
    successor = await gateway.keys.rotate(TENANT, made.row.key_id, 0)
    assert successor is not None
    assert (await estate.call("GET", "/v1/cases", bearing(made.token)))[0] == 401
    assert (await estate.call("GET", "/v1/cases", bearing(successor.token)))[0] == 200
    assert await gateway.keys.rotate(RIVAL, successor.row.key_id, 0) is None
    assert not await gateway.keys.revoke(RIVAL, successor.row.key_id)
    assert await gateway.keys.revoke(TENANT, successor.row.key_id)
    assert (await estate.call("GET", "/v1/cases", bearing(successor.token)))[0] == 401
    await gateway.admin.set_tenant_active(TENANT, False)
    await gateway.keys.refresh()
    assert (await estate.call("GET", "/v1/cases", estate.own_key))[0] == 401


async def test_an_agents_key_sees_a_tenant_for_as_long_as_its_mandate_lasts(estate: Estate) -> None:
    gateway = estate.gateway
    case_id = estate.ids["case_id"][0]
    made = await gateway.keys.new(AGENT, KeyRole.CLERK, "agent")
    at_work, elsewhere = bearing(made.token, TENANT), bearing(made.token, RIVAL)
    assert (await estate.call("GET", f"/v1/cases/{case_id}", at_work))[0] == 403
    await gateway.admin.add_mandate(Mandate(TENANT, AGENT.code, Role.AGENT, today()))
    await gateway.keys.refresh()
    assert (await estate.call("GET", f"/v1/cases/{case_id}", at_work))[0] == 200
    # At work for another tenant it does not see this one's, though it might.
    assert (await estate.call("GET", f"/v1/cases/{case_id}", elsewhere))[0] == 404
    _, answer = await estate.call("GET", "/v1/tenants", bearing(made.token))
    assert {one["id"] for one in orjson.loads(answer)["tenants"]} == {TENANT, RIVAL}
    _, answer = await estate.call("GET", "/v1/mandates", at_work)
    listed = orjson.loads(answer)["mandates"]
    assert {one["enterprise"]["code"] for one in listed} == {AGENT.code, SHED.code}
    assert any(one["in_force"] and one["role"] == "agent" for one in listed)
    for number, after in (("one", 200), ("two", 403)):
        headers = {**at_work, "Idempotency-Key": number}
        hold = await estate.call("POST", f"/v1/cases/{case_id}/recheck", headers)
        assert hold[0] == after
        yesterday = today() - timedelta(days=1)
        await gateway.admin.end_mandates(TENANT, AGENT.code, Role.AGENT, yesterday)
        await gateway.keys.refresh()
    # Not even the answer it was given before.
    headers = {**at_work, "Idempotency-Key": "one"}
    assert (await estate.call("POST", f"/v1/cases/{case_id}/recheck", headers))[0] == 403


async def test_who_takes_exact_bytes_stands_in_the_history_of_every_case_in_them(
    estate: Estate,
) -> None:
    why = {**estate.own_key, "Clearance-Reason": "spot check"}
    for kind in ("message", "receipt"):
        name = estate.ids[f"{kind}_id"][0]
        before = await downloads(estate, name)
        status, _ = await estate.call("GET", f"/v1/{kind}s/{name}", estate.own_key)
        assert (status, before) == (400, [])
        assert await downloads(estate, name) == []
        status, _ = await estate.call("GET", f"/v1/{kind}s/{name}", why)
        assert status == 200
        written = await downloads(estate, name)
        assert {one["reason"] for one in written} == {"spot check"}
        assert {one["what"] for one in written} == {f"{kind}/{name}"}
        assert 1 <= len(written) <= ORDERS
        if kind == "message":
            carried = await column(estate.gateway, declaration.c.case_id, declaration.c.message_id)
            assert len(written) == sum(one.message_id == name for one in carried)


async def downloads(estate: Estate, name: str) -> list[dict[str, str]]:
    rows = await column(estate.gateway, event.c.payload, event.c.kind)
    found = [orjson.loads(row.payload) for row in rows if row.kind == "bytes_downloaded"]
    return [one for one in found if one["what"].endswith(name)]
