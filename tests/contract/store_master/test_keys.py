"""API keys on each database."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from gateway.domain.errors import InvalidValue
from gateway.domain.ids import KeyId, TenantId
from store.changes import follow
from store.errors import DamagedBlob, StoreUnavailable
from store.keys import Credential, KeyRole
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
