"""API keys on each database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from gateway.domain.errors import InvalidValue
from gateway.domain.ids import KeyId, TenantId
from gateway.domain.profile import Enterprise, Mandate, Role
from gateway.ports.callers import SpanningKey
from store.changes import follow
from store.errors import DamagedBlob, StoreUnavailable
from store.keys import Credential, KeyRole, OfEnterprise
from store.tables import api_key
from tests.contract.store_master.bench import ACME, OTHER, START, Bench

MINUTE = 60 * 1_000_000


@pytest.fixture(autouse=True)
async def tenants(bench: Bench) -> None:
    admin = bench.admin(bench.new_cache())
    await admin.create_tenant(ACME, "Acme")
    await admin.create_tenant(OTHER, "Other")


async def test_a_token_opens_its_own_tenant_and_role(bench: Bench) -> None:
    directory = bench.directory()
    made = await directory.new(ACME, KeyRole.SELLER, "shop")
    assert directory.authenticate(made.token) == Credential(ACME, made.row.key_id, KeyRole.SELLER)
    assert made.token not in repr(made)


async def test_only_a_hash_is_stored(bench: Bench) -> None:
    directory = bench.directory()
    made = await directory.new(ACME, KeyRole.SELLER, "shop")
    secret = made.token.split("_", 2)[2]
    (row,) = await bench.rows(select(api_key))
    assert len(row.secret_hash) == 32
    assert secret not in "".join(map(str, row))


async def test_what_is_no_token_opens_nothing(bench: Bench) -> None:
    directory = bench.directory()
    made = await directory.new(ACME, KeyRole.SELLER, "shop")
    twin = await directory.new(ACME, KeyRole.SELLER, "twin")
    head, key_id, secret = made.token.split("_", 2)
    _, twin_id, _ = twin.token.split("_", 2)
    wrong = [
        "",
        "_",
        "ck_",
        f"xx_{key_id}_{secret}",
        f"ck_{key_id}_",
        f"ck_{key_id}_{secret}x",
        f"ck_{key_id}_{secret[:-1]}",
        f"ck_{twin_id}_{secret}",
        f"ck_unknown_{secret}",
        made.token + "ä",
        "ck_" + "a" * 10_000,
    ]
    assert [directory.authenticate(token) for token in wrong] == [None] * len(wrong)
    assert head == "ck"


async def test_a_key_expires(bench: Bench) -> None:
    directory = bench.directory()
    made = await directory.new(ACME, KeyRole.CLERK, "desk", expires_at=START + MINUTE)
    assert directory.authenticate(made.token)
    bench.clock.micros += MINUTE
    assert directory.authenticate(made.token) is None
    with pytest.raises(InvalidValue):
        await directory.new(ACME, KeyRole.CLERK, "desk", expires_at=START)


async def test_a_revoked_key_opens_nothing_here_or_elsewhere(bench: Bench) -> None:
    here, elsewhere = bench.directory(), bench.directory()
    made = await here.new(ACME, KeyRole.VIEWER, "eyes")
    await elsewhere.refresh()
    assert elsewhere.authenticate(made.token)
    assert not await here.revoke(OTHER, made.row.key_id)
    assert here.authenticate(made.token)
    assert await here.revoke(ACME, made.row.key_id)
    assert not await here.revoke(ACME, made.row.key_id)
    assert not await here.revoke(ACME, KeyId("none"))
    assert here.authenticate(made.token) is None
    await elsewhere.refresh()
    assert elsewhere.authenticate(made.token) is None


async def test_an_inactive_tenant_opens_nothing(bench: Bench) -> None:
    directory = bench.directory()
    made = await directory.new(ACME, KeyRole.VIEWER, "eyes")
    admin = bench.admin(bench.new_cache())
    assert await admin.set_tenant_active(ACME, False)
    await directory.refresh()
    assert directory.authenticate(made.token) is None
    assert await admin.set_tenant_active(ACME, True)
    await directory.refresh()
    assert directory.authenticate(made.token)


async def test_a_key_needs_a_tenant_that_exists(bench: Bench) -> None:
    with pytest.raises(InvalidValue):
        await bench.directory().new(TenantId("nobody"), KeyRole.VIEWER, "eyes")


async def test_lists_show_a_tenants_own_keys_and_their_last_use(bench: Bench) -> None:
    directory = bench.directory()
    made = await directory.new(ACME, KeyRole.SELLER, "shop")
    await directory.new(OTHER, KeyRole.SELLER, "theirs")
    directory.authenticate(made.token)
    bench.clock.micros += MINUTE
    directory.authenticate(made.token)
    await directory.refresh()
    (row,) = await directory.list(ACME)
    assert (row.key_id, row.name, row.last_used_at) == (made.row.key_id, "shop", START)
    bench.clock.micros += 10 * MINUTE
    directory.authenticate(made.token)
    await directory.refresh()
    (row,) = await directory.list(ACME)
    assert row.last_used_at == START + 11 * MINUTE


@dataclass
class Outage:
    """A refresh that fails in turn, then ends the test."""

    faults: list[Exception]
    seen: int = 0

    async def refresh(self) -> None:
        self.seen += 1
        raise self.faults.pop(0)


async def test_following_outlives_a_database_that_is_away(bench: Bench) -> None:
    outage = Outage(
        [
            StoreUnavailable("away"),
            OperationalError("SELECT 1", {}, Exception("gone")),
            ConnectionRefusedError(),
            DamagedBlob("changed"),
        ]
    )
    with pytest.raises(DamagedBlob):
        await follow(outage.refresh, bench.clock, 0.3)
    assert outage.seen == 4


AGENT = OfEnterprise("4401980AGT")
DAY = date(2026, 9, 21)  # START, in Beijing
A_DAY = 24 * 60 * MINUTE


def spans(bearer: object) -> frozenset[str]:
    assert isinstance(bearer, SpanningKey)
    return bearer.tenants


async def test_an_enterprises_key_spans_the_tenants_that_mandate_it_today(bench: Bench) -> None:
    admin, directory = bench.admin(bench.new_cache()), bench.directory()
    await admin.put_enterprise(Enterprise(AGENT.code, "Example Agent"))
    desk = await directory.new(AGENT, KeyRole.CLERK, "desk")
    shed = await directory.new(AGENT, KeyRole.WAREHOUSE, "shed")
    assert spans(directory.authenticate(desk.token)) == frozenset()
    last = date(2026, 9, 22)
    await admin.add_mandate(Mandate(ACME, AGENT.code, Role.AGENT, DAY, last))
    await admin.add_mandate(Mandate(OTHER, AGENT.code, Role.AGENT, date(2026, 9, 23)))
    await admin.add_mandate(Mandate(OTHER, AGENT.code, Role.SITE_OPERATOR, DAY))
    assert await directory.refresh()
    assert spans(directory.authenticate(desk.token)) == {ACME}
    assert spans(directory.authenticate(shed.token)) == {OTHER}
    bench.clock.micros += A_DAY
    assert spans(directory.authenticate(desk.token)) == {ACME}
    bench.clock.micros += A_DAY
    assert spans(directory.authenticate(desk.token)) == {OTHER}
    bearer = directory.authenticate(desk.token)
    assert isinstance(bearer, SpanningKey)
    acting = bearer.acting_for(OTHER)
    assert acting is not None
    assert (acting.tenant, acting.key_id, acting.role) == (OTHER, desk.row.key_id, "clerk")
    assert bearer.acting_for(ACME) is None


async def test_a_mandate_that_is_ended_or_a_closed_tenant_ends_the_span(bench: Bench) -> None:
    admin, directory = bench.admin(bench.new_cache()), bench.directory()
    await admin.put_enterprise(Enterprise(AGENT.code, "Example Agent"))
    made = await directory.new(AGENT, KeyRole.OPERATOR, "desk")
    for tenant in (ACME, OTHER):
        await admin.add_mandate(Mandate(tenant, AGENT.code, Role.AGENT, date(2026, 1, 1)))
    await directory.refresh()
    assert spans(directory.authenticate(made.token)) == {ACME, OTHER}
    await admin.set_tenant_active(OTHER, False)
    await directory.refresh()
    assert spans(directory.authenticate(made.token)) == {ACME}
    ended = await admin.end_mandates(ACME, AGENT.code, Role.AGENT, date(2026, 9, 20))
    assert [one.tenant for one in ended] == [ACME]
    await directory.refresh()
    assert spans(directory.authenticate(made.token)) == frozenset()
    (kept,) = await admin.list_mandates(ACME)
    assert kept.valid_to == date(2026, 9, 20)
    assert await admin.end_mandates(ACME, AGENT.code, Role.AGENT, date(2026, 9, 20)) == []
    assert await admin.end_mandates(ACME, "4401980NON", Role.AGENT, DAY) == []
    await admin.add_mandate(Mandate(ACME, AGENT.code, Role.GUARANTOR, date(2027, 1, 1)))
    await admin.end_mandates(ACME, AGENT.code, Role.GUARANTOR, DAY)
    assert [one.role for one in await admin.list_mandates(ACME)] == [Role.AGENT]


async def test_an_enterprises_key_is_rotated_and_revoked_by_its_owner_only(bench: Bench) -> None:
    admin, directory = bench.admin(bench.new_cache()), bench.directory()
    await admin.put_enterprise(Enterprise(AGENT.code, "Example Agent"))
    with pytest.raises(InvalidValue, match="seller"):
        await directory.new(AGENT, KeyRole.SELLER, "shop")
    with pytest.raises(InvalidValue, match="enterprise"):
        await directory.new(OfEnterprise("4401980NON"), KeyRole.CLERK, "desk")
    made = await directory.new(AGENT, KeyRole.CLERK, "desk", START + A_DAY)
    assert await directory.rotate(ACME, made.row.key_id, 0) is None
    assert not await directory.revoke(ACME, made.row.key_id)
    after = await directory.rotate(AGENT, made.row.key_id, MINUTE)
    assert after is not None
    assert [one.owner for one in await directory.list(AGENT)] == [AGENT, AGENT]
    assert await directory.list(ACME) == []
    assert directory.authenticate(made.token)
    bench.clock.micros += MINUTE
    assert directory.authenticate(made.token) is None
    assert directory.authenticate(after.token)
    assert await directory.revoke(AGENT, after.row.key_id)
    assert directory.authenticate(after.token) is None
