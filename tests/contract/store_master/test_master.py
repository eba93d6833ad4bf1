"""Master data on each database: versions, isolation, imports, caches that follow."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial

import pytest
from sqlalchemy import Connection, insert, select

from gateway.api.services import Admin, Authenticator
from gateway.domain.errors import Conflict, InvalidValue
from gateway.domain.goods import GoodsScope
from gateway.domain.ids import CaseId, EndpointId, ProfileId, TenantId
from gateway.domain.profile import Enterprise, Mandate, Role
from gateway.ports import MasterData, ReadModels
from store import master
from store.changes import SLOTS
from store.master_cache import UnknownVersion
from store.read_models import SqlReadModels
from store.tables import endpoint, wait
from tests.contract.store_master.bench import ACME, OTHER, PROFILE, SCOPE, Bench, goods, statements

TODAY = date(2026, 7, 1)


async def test_the_ports_are_kept(bench: Bench) -> None:
    """What the type checker compares: the classes here are what the others ask for."""
    cache = bench.new_cache()
    master_data: MasterData = cache
    admin: Admin = bench.admin(cache)
    authenticator: Authenticator = bench.directory()
    reads: ReadModels = SqlReadModels(bench.access, bench.keys, cache)
    assert None not in (master_data, admin, authenticator, reads)


# --- tenants, enterprises, mandates -----------------------------------------------------------


async def test_a_tenant_is_created_once(bench: Bench) -> None:
    admin = bench.admin(bench.new_cache())
    made = await admin.create_tenant(ACME, " Acme ")
    assert (made.tenant, made.name, made.is_active) == (ACME, "Acme", True)
    with pytest.raises(Conflict):
        await admin.create_tenant(ACME, "Again")
    assert await admin.list_tenants() == [made]


@pytest.mark.parametrize("name", ["", "a/b", "a b", "a|b", "ä", "x" * 65])
async def test_an_id_that_would_break_group_keys_is_refused(bench: Bench, name: str) -> None:
    admin = bench.admin(bench.new_cache())
    with pytest.raises(InvalidValue):
        await admin.create_tenant(TenantId(name), "Name")


async def test_either_code_names_an_enterprise(bench: Bench) -> None:
    admin = bench.admin(bench.new_cache())
    value = Enterprise("4401980AGT", "Example Agent", "91440101MA5AQ1TB2M")
    with pytest.raises(InvalidValue):
        await admin.put_enterprise(replace(value, code="short"))
    credit = _credit_code("91440101MA5AQ1TB2")
    value = replace(value, social_credit_code=credit)
    await admin.put_enterprise(value)
    async with bench.access.read() as reading:
        for code in (value.code, credit):
            find = partial(master.find_enterprise, code=code)
            assert await reading.run_sync(find) == value
    with pytest.raises(Conflict):
        await admin.put_enterprise(replace(value, code="4401980OTH"))


def _credit_code(stem: str) -> str:
    from gateway.domain.party import is_social_credit_code

    signs = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    return next(stem + sign for sign in signs if is_social_credit_code(stem + sign))


async def test_a_mandate_covers_its_tenant_only(bench: Bench) -> None:
    admin = bench.admin(bench.new_cache())
    with pytest.raises(InvalidValue, match="tenant"):
        await admin.add_mandate(Mandate(ACME, "4401980AGT", Role.AGENT, TODAY))
    for tenant in (ACME, OTHER):
        await admin.create_tenant(tenant, tenant)
    with pytest.raises(InvalidValue):
        await admin.add_mandate(Mandate(ACME, "4401980AGT", Role.AGENT, TODAY))
    credit = _credit_code("91440101MA5AQ1TB2")
    for party in (PROFILE.agent, PROFILE.merchant, PROFILE.platform):
        known = credit if party == PROFILE.agent else None
        roles = frozenset({Role.PLATFORM}) if party == PROFILE.platform else frozenset()
        await admin.put_enterprise(Enterprise(party.code, party.name, known, roles))
    with pytest.raises(InvalidValue, match="role"):
        await admin.add_mandate(Mandate(ACME, PROFILE.platform.code, Role.AGENT, TODAY))
    # Either code names the enterprise; the mandate is kept under its customs code.
    stored = await admin.add_mandate(Mandate(ACME, credit, Role.AGENT, TODAY))
    assert stored.enterprise_code == PROFILE.agent.code
    await admin.add_mandate(Mandate(OTHER, PROFILE.merchant.code, Role.MERCHANT, TODAY))
    await admin.add_mandate(
        Mandate(ACME, PROFILE.platform.code, Role.PLATFORM, date(2025, 1, 1), date(2025, 12, 31))
    )
    async with bench.access.read() as reading:
        for code in (PROFILE.agent.code, credit):
            profile = replace(PROFILE, agent=replace(PROFILE.agent, code=code))
            find = partial(master.missing_mandates, value=profile, day=TODAY)
            assert await reading.run_sync(find) == ["platform", "merchant"]


# --- profiles ---------------------------------------------------------------------------------


async def test_a_profile_gets_a_version_only_when_its_content_changed(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    first = await admin.put_profile(PROFILE)
    again = await admin.put_profile(replace(PROFILE, version=9))
    second = await admin.put_profile(replace(PROFILE, answer_timeout_s=60))
    assert [first.version, again.version, second.version] == [1, 1, 2]
    assert cache.profile(ACME, PROFILE.profile_id) == second
    assert cache.profile_version(PROFILE.profile_id, 1) == first
    assert cache.profiles(ACME) == [second]


async def test_a_profile_belongs_to_one_tenant(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    await admin.put_profile(PROFILE)
    with pytest.raises(Conflict):
        await admin.put_profile(replace(PROFILE, tenant=OTHER))
    assert cache.profile(OTHER, PROFILE.profile_id) is None
    assert cache.profiles(OTHER) == []
    assert cache.profile(ACME, ProfileId("unknown")) is None


async def test_an_unknown_version_says_so(bench: Bench) -> None:
    cache = bench.new_cache()
    await bench.admin(cache).put_profile(PROFILE)
    for version in (0, 2, -1):
        with pytest.raises(UnknownVersion):
            cache.profile_version(PROFILE.profile_id, version)
        with pytest.raises(UnknownVersion):
            cache.goods_version(ACME, SCOPE, "SKU", version)


# --- goods ------------------------------------------------------------------------------------


async def test_equal_goods_are_unchanged_and_other_content_is_a_version(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    first = await admin.put_goods(ACME, [goods("A"), goods("B")])
    again = await admin.put_goods(ACME, [goods("A", version=7), goods("B", name="精华")])
    assert [(one.version, one.changed) for one in first] == [(1, True), (1, True)]
    assert [(one.version, one.changed) for one in again] == [(1, False), (2, True)]
    held = cache.goods(ACME, SCOPE, ["A", "B", "C"], TODAY)
    assert {sku: (record.version, record.name) for sku, record in held.items()} == {
        "A": (1, "面霜"),
        "B": (2, "精华"),
    }
    assert cache.goods_version(ACME, SCOPE, "B", 1) == goods("B", version=1)


async def test_a_sku_twice_in_one_import_counts_in_order(bench: Bench) -> None:
    cache = bench.new_cache()
    stored = await bench.admin(cache).put_goods(
        ACME, [goods("A"), goods("A"), goods("A", name="精华")]
    )
    assert [(one.version, one.changed) for one in stored] == [(1, True), (1, False), (2, True)]


async def test_what_waited_does_not_set_back_what_was_said_since(bench: Bench) -> None:
    cache = bench.new_cache()
    admin, before = bench.admin(cache), bench.clock.micros - 1
    older = [goods("A", name="older"), goods("A", name="2027", valid_from=date(2027, 1, 1))]
    (new,) = await admin.put_goods(ACME, [goods("A", name="newer")])
    stored = await admin.put_goods(ACME, older, before)
    # Of other days nothing was said since.
    assert [(new.version, True), *((one.version, one.changed) for one in stored)] == [
        (1, True), (1, False), (2, True),
    ]  # fmt: skip
    assert cache.goods(ACME, SCOPE, ["A"], TODAY)["A"].name == "newer"
    # Who does not wait is believed, whatever the clocks say.
    (again,) = await admin.put_goods(ACME, [goods("A", name="newest")])
    assert (again.version, again.changed) == (3, True)


async def test_the_newest_version_valid_on_the_day_holds(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    await admin.put_goods(ACME, [goods("A")])
    await admin.put_goods(ACME, [goods("A", name="2027", valid_from=date(2027, 1, 1))])
    assert cache.goods(ACME, SCOPE, ["A"], date(2026, 12, 31))["A"].version == 1
    assert cache.goods(ACME, SCOPE, ["A"], date(2027, 1, 1))["A"].version == 2
    await admin.put_goods(OTHER, [goods("A", valid_to=date(2026, 1, 1))])
    assert cache.goods(OTHER, SCOPE, ["A"], TODAY) == {}


async def test_goods_of_another_tenant_or_scope_are_absent(bench: Bench) -> None:
    cache = bench.new_cache()
    await bench.admin(cache).put_goods(ACME, [goods("A")])
    assert cache.goods(OTHER, SCOPE, ["A"], TODAY) == {}
    assert cache.goods(ACME, GoodsScope("5165", "1210", "T1"), ["A"], TODAY) == {}
    with pytest.raises(UnknownVersion):
        cache.goods_version(OTHER, SCOPE, "A", 1)


async def test_one_bad_record_stops_an_import_and_is_named(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    records = [goods("A"), goods("B", hs_code="12")]
    with pytest.raises(InvalidValue, match=r"^\[1\]\.hs_code: "):
        await admin.put_goods(ACME, records)
    assert cache.goods(ACME, SCOPE, ["A"], TODAY) == {}


async def test_thousands_are_imported_with_few_statements(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    records = [goods(f"SKU-{number:05}") for number in range(2_000)]
    with statements() as seen:
        stored = await admin.put_goods(ACME, records)
    assert sum(one.changed for one in stored) == 2_000
    # Four chunks of seven statements, and what the cache reads.
    assert len(seen) < 50
    assert len(cache.goods(ACME, SCOPE, [record.sku for record in records], TODAY)) == 2_000


def _wait(rows: list[dict[str, str]], connection: Connection) -> None:
    connection.execute(insert(wait), rows)


# --- caches that follow -----------------------------------------------------------------------


async def test_another_process_learns_what_changed(bench: Bench) -> None:
    mine, theirs = bench.new_cache(), bench.new_cache()
    admin = bench.admin(mine)
    await theirs.refresh()
    await admin.put_profile(PROFILE)
    await admin.put_goods(ACME, [goods("A")])
    await admin.put_goods(ACME, [goods("A", name="精华"), goods("B")])
    assert theirs.profile(ACME, PROFILE.profile_id) is None
    assert await theirs.refresh()
    assert not await theirs.refresh()
    assert theirs.profile(ACME, PROFILE.profile_id) == mine.profile(ACME, PROFILE.profile_id)
    assert theirs.goods(ACME, SCOPE, ["A", "B"], TODAY) == mine.goods(
        ACME, SCOPE, ["A", "B"], TODAY
    )
    assert theirs.goods_version(ACME, SCOPE, "A", 1).name == "面霜"


async def test_a_process_far_behind_loads_everything(bench: Bench) -> None:
    mine, theirs = bench.new_cache(), bench.new_cache()
    admin = bench.admin(mine)
    await admin.put_goods(ACME, [goods("A")])
    await theirs.refresh()
    for number in range(SLOTS + 2):
        await admin.put_goods(ACME, [goods("A", name=f"名{number}")])
    await theirs.refresh()
    newest = mine.goods(ACME, SCOPE, ["A"], TODAY)
    assert newest["A"].version == SLOTS + 3
    assert theirs.goods(ACME, SCOPE, ["A"], TODAY) == newest
    assert theirs.goods_version(ACME, SCOPE, "A", 5).name == "名3"


async def test_a_refresh_without_change_reads_one_row(bench: Bench) -> None:
    cache = bench.new_cache()
    await bench.admin(cache).put_goods(ACME, [goods("A")])
    await cache.refresh()
    with statements() as seen:
        await cache.refresh()
    assert len(seen) == 1


async def test_cases_that_waited_for_goods_are_woken_twice(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    await cache.refresh()
    rows = [
        {"tenant": ACME, "ref": "A", "case_id": "case-1"},
        {"tenant": ACME, "ref": "B", "case_id": "case-2"},
        {"tenant": OTHER, "ref": "A", "case_id": "case-3"},
    ]
    await bench.write(partial(_wait, rows))
    await admin.put_goods(ACME, [goods("A")])
    assert bench.woken == [(ACME, [CaseId("case-1")])]
    late = {"tenant": ACME, "ref": "A", "case_id": "case-4"}
    await bench.write(partial(_wait, [late]))
    await cache.refresh()
    assert bench.woken[1:] == [(ACME, [CaseId("case-1"), CaseId("case-4")])]
    await cache.refresh()
    assert len(bench.woken) == 2


async def test_the_first_load_wakes_nobody(bench: Bench) -> None:
    await bench.admin(bench.new_cache()).put_goods(ACME, [goods("A")])
    row = {"tenant": ACME, "ref": "A", "case_id": "case-1"}
    await bench.write(partial(_wait, [row]))
    bench.woken.clear()
    await bench.new_cache().refresh()
    assert bench.woken == []


# --- endpoints --------------------------------------------------------------------------------


async def test_an_endpoint_hears_its_types_and_keeps_its_secret_sealed(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    made = await admin.new_endpoint(
        ACME,
        url="https://seller.example/hooks",
        role="seller",
        event_types=frozenset({"case.released"}),
        batch_size=10,
    )
    bench.clock.micros += 1
    every = await admin.new_endpoint(
        ACME,
        url="https://all.example/",
        role="warehouse",
        event_types=frozenset(),
        batch_size=1,
    )
    assert made.secret.startswith("whsec_")
    assert made.secret not in repr(made)
    assert list(cache.endpoints(ACME, "case.released")) == [made, every]
    assert list(cache.endpoints(ACME, "release.granted")) == [every]
    assert list(cache.endpoints(OTHER, "case.released")) == []
    assert list(await admin.list_endpoints(ACME)) == [made, every]
    assert list(await admin.list_endpoints(OTHER)) == []
    rows = await bench.rows(select(endpoint.c.secret))
    assert all(made.secret.encode() not in row.secret for row in rows)


async def test_an_endpoint_is_switched_by_its_own_tenant_only(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    made = await admin.new_endpoint(
        ACME, url="https://a.example/", role="seller", event_types=frozenset(), batch_size=1
    )
    assert not await admin.set_endpoint_active(OTHER, made.endpoint_id, False)
    assert not await admin.set_endpoint_active(ACME, EndpointId("ep_none"), False)
    assert cache.endpoints(ACME, "x")
    assert await admin.set_endpoint_active(ACME, made.endpoint_id, False)
    assert not cache.endpoints(ACME, "x")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.example/",
        "https://",
        "/hooks",
        "https://user:pw@a.example/",
        "https://a.example/#x",
        "https://a.example/a b",
        "https://a.example:0/",
        "https://a.example:99999/",
        "https://[::1",
        "https://ä.example/",
    ],
)
async def test_an_unfit_address_is_refused(bench: Bench, url: str) -> None:
    admin = bench.admin(bench.new_cache())
    with pytest.raises(InvalidValue, match=r"^url: "):
        await admin.new_endpoint(
            ACME, url=url, role="seller", event_types=frozenset(), batch_size=1
        )


@pytest.mark.parametrize("change", [{"role": "boss"}, {"batch_size": 0}, {"batch_size": 101}])
async def test_unfit_endpoint_settings_are_refused(bench: Bench, change: dict[str, object]) -> None:
    admin = bench.admin(bench.new_cache())
    settings = {"role": "seller", "batch_size": 1} | change
    with pytest.raises(InvalidValue):
        await admin.new_endpoint(
            ACME,
            url="https://a.example/",
            event_types=frozenset(),
            **settings,  # type: ignore[arg-type]
        )


async def test_a_rotation_leaves_the_old_secrets_signing_for_a_while(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    made = await admin.new_endpoint(
        ACME, url="https://hooks.example.com/", role="seller", event_types=frozenset(),
        batch_size=1, with_ed25519=True,
    )  # fmt: skip
    assert await admin.rotate_endpoint(OTHER, made.endpoint_id, 1_000) is None
    now = bench.clock.now()
    first = await admin.rotate_endpoint(ACME, made.endpoint_id, 1_000)
    assert first is not None
    assert not {made.secret, made.signing_key} & {first.secret, first.signing_key}
    assert first.secrets_at(now + 999) == (
        first.secret, first.signing_key, made.secret, made.signing_key,
    )  # fmt: skip
    assert first.secrets_at(now + 1_000) == (first.secret, first.signing_key)
    assert cache.endpoint(ACME, made.endpoint_id) == first
    second = await admin.rotate_endpoint(ACME, made.endpoint_id, 0)
    assert second is not None
    assert second.old_secrets == (first.secret, first.signing_key)
    assert second.secrets_at(now) == (second.secret, second.signing_key)
    with pytest.raises(InvalidValue):
        await admin.rotate_endpoint(ACME, made.endpoint_id, -1)


async def test_an_endpoint_switched_off_says_why_and_can_be_switched_on(bench: Bench) -> None:
    cache = bench.new_cache()
    admin = bench.admin(cache)
    made = await admin.new_endpoint(
        ACME, url="", role="warehouse", event_types=frozenset(), batch_size=1
    )
    assert made.is_pulled
    assert await admin.set_endpoint_active(ACME, made.endpoint_id, False, "410")
    assert not await admin.set_endpoint_active(ACME, made.endpoint_id, False, "again")
    (found,) = await admin.list_endpoints(ACME)
    assert (found.is_active, found.disabled_why) == (False, "410")
    assert found.disabled_at == bench.clock.now()
    assert cache.endpoint(ACME, made.endpoint_id) is None
    assert await admin.set_endpoint_active(ACME, made.endpoint_id, True)
    assert await admin.list_endpoints(ACME) == (made,)
