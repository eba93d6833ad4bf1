"""Master data in memory: what decisions read without waiting.

A cache holds documents as stored and decodes them on use; tables are replaced, never changed, so
any thread may read while another refreshes. It follows the counter ``master``: one row read when
nothing changed, the noted profiles, endpoints and goods records when something did.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Final

import orjson
from sqlalchemy import Connection

from gateway.domain.errors import Retry, StoreError
from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import CaseId, EndpointId, ProfileId, TenantId
from gateway.domain.profile import FilingProfile
from gateway.domain.tables import NO_TABLES, Tables
from gateway.ports import Clock, Endpoint
from store.access import Access
from store.changes import follow, notes_between, read_counter
from store.endpoints import OpenSecret, load_endpoints
from store.master import (
    COUNTER,
    GoodsVersion,
    goods_of_doc,
    load_goods,
    load_profiles,
    profile_of_doc,
    waiting_cases,
)
from store.reference import EVERYBODY, load_tables

_DECODED_GOODS: Final = 20_000
_DECODED_PROFILES: Final = 1_000
_MAX_WOKEN: Final = 5_000

Woken = Callable[[TenantId, Sequence[CaseId]], None]


class UnknownVersion(StoreError):
    """A profile or goods version that this process does not know, or not yet."""

    code = "STORE-221"
    retry = Retry.LATER


@dataclass(frozen=True, slots=True)
class _Tables:
    """One consistent picture, at one value of the counter."""

    at: int = -1
    profiles: Mapping[ProfileId, tuple[TenantId, tuple[str, ...]]] = field(default_factory=dict)
    goods: Mapping[tuple[TenantId, str], Mapping[str, tuple[GoodsVersion, ...]]] = field(
        default_factory=dict
    )
    endpoints: Mapping[TenantId, tuple[Endpoint, ...]] = field(default_factory=dict)
    reference: Mapping[TenantId, Tables] = field(default_factory=dict)
    # Filled on first use: which endpoints hear of a type.
    chosen: dict[tuple[TenantId, str], tuple[Endpoint, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Changed:
    """What notes name: whole tables when ``everything``."""

    everything: bool = False
    profiles: frozenset[ProfileId] = frozenset()
    goods: tuple[tuple[TenantId, str, tuple[str, ...] | None], ...] = ()
    endpoints: bool = False
    reference: bool = False


class MasterCache:
    """Implements ``ports.MasterData``; call :meth:`refresh` before the first use.

    ``woken`` hears which cases waited for goods records that are here now, in the thread of the
    event loop. They are told again after the next refresh: a decision that still read the old
    tables may have begun to wait meanwhile. Checking a case once more changes nothing.
    """

    def __init__(self, access: Access, secrets: OpenSecret, woken: Woken | None = None) -> None:
        self._access = access
        self._secrets = secrets
        self._woken = woken
        self._tables = _Tables()
        self._told_again: list[tuple[TenantId, tuple[str, ...] | None]] = []
        self._refreshing = asyncio.Lock()
        self._decode_goods = lru_cache(maxsize=_DECODED_GOODS)(goods_of_doc)
        self._decode_profile = lru_cache(maxsize=_DECODED_PROFILES)(profile_of_doc)

    # --- reading ------------------------------------------------------------------------------

    def profile(self, tenant: TenantId, profile_id: ProfileId) -> FilingProfile | None:
        """The newest version of a profile of this tenant."""
        found = self._tables.profiles.get(profile_id)
        if found is None or found[0] != tenant:
            return None
        return self._decode_profile(found[1][-1], len(found[1]))

    def profile_version(self, profile_id: ProfileId, version: int) -> FilingProfile:
        """One exact version. Raises :class:`UnknownVersion`."""
        found = self._tables.profiles.get(profile_id)
        if found is None or not 1 <= version <= len(found[1]):
            raise UnknownVersion(f"profile version {version} is not known here")
        return self._decode_profile(found[1][version - 1], version)

    def profiles(self, tenant: TenantId) -> list[FilingProfile]:
        """The newest version of each profile of a tenant."""
        return [
            self._decode_profile(versions[-1], len(versions))
            for owner, versions in self._tables.profiles.values()
            if owner == tenant
        ]

    def goods(
        self, tenant: TenantId, scope: GoodsScope, skus: Sequence[str], day: date
    ) -> dict[str, GoodsRecord]:
        """The records valid on a day, newest version each; unknown SKUs are absent."""
        held = self._tables.goods.get((tenant, str(scope)))
        if held is None:
            return {}
        today = day.isoformat()
        found: dict[str, GoodsRecord] = {}
        for sku in skus:
            for version, valid_from, valid_to, doc in reversed(held.get(sku, ())):
                if (valid_from is None or valid_from <= today) and (
                    valid_to is None or today <= valid_to
                ):
                    found[sku] = self._decode_goods(doc, version)
                    break
        return found

    def goods_version(
        self, tenant: TenantId, scope: GoodsScope, sku: str, version: int
    ) -> GoodsRecord:
        """One exact version. Raises :class:`UnknownVersion`."""
        versions = self._tables.goods.get((tenant, str(scope)), {}).get(sku, ())
        if not 1 <= version <= len(versions):
            raise UnknownVersion(f"goods record version {version} is not known here")
        return self._decode_goods(versions[version - 1][3], version)

    def tables(self, tenant: TenantId) -> Tables:
        """The reference tables that a tenant's papers are held against."""
        held = self._tables.reference
        return held.get(tenant) or held.get(EVERYBODY, NO_TABLES)

    def endpoints(self, tenant: TenantId, event_type: str) -> Sequence[Endpoint]:
        """Where notices of a type go; an endpoint without types hears all."""
        tables = self._tables
        chosen = tables.chosen.get((tenant, event_type))
        if chosen is None:
            chosen = tuple(
                one
                for one in tables.endpoints.get(tenant, ())
                if not one.event_types or event_type in one.event_types
            )
            tables.chosen[tenant, event_type] = chosen
        return chosen

    def endpoint(self, tenant: TenantId, endpoint_id: EndpointId) -> Endpoint | None:
        """One active endpoint of a tenant, None when it was removed or switched off."""
        return next(
            (
                one
                for one in self._tables.endpoints.get(tenant, ())
                if one.endpoint_id == endpoint_id
            ),
            None,
        )

    # --- following ----------------------------------------------------------------------------

    async def refresh(self) -> bool:
        """Bring the tables up to date; whether anything had changed."""
        async with self._refreshing:
            async with self._access.read() as reading:
                before = self._tables
                loaded, changed = await reading.run_sync(self._load)
            self._tables = loaded
            await self._tell(changed, is_first=before.at < 0)
            return loaded is not before

    async def wake_waiting(self) -> None:
        """Tell of every case that waits for goods which are there.

        To be called once the listener works: the process that stored the goods may have been killed
        before it told anybody, or they may have been stored before somebody listened.
        """
        await self._wake(self._wakeable(_Changed(everything=True)))

    async def follow(self, clock: Clock, every_s: float = 0.3) -> None:
        """Refresh for ever; end it by cancelling. A database that is away is asked again."""
        await follow(self.refresh, clock, every_s)

    def _load(self, connection: Connection) -> tuple[_Tables, _Changed]:
        before = self._tables
        at = read_counter(connection, COUNTER)
        if at == before.at:
            return before, _Changed()
        notes = None if before.at < 0 else notes_between(connection, COUNTER, before.at, at)
        changed = _Changed(everything=True) if notes is None else _named(notes)
        everything = changed.everything
        return (
            _Tables(
                at=at,
                profiles=_profiles(connection, {} if everything else before.profiles, changed),
                goods=_goods(connection, {} if everything else before.goods, changed),
                endpoints=(
                    load_endpoints(connection, self._secrets)
                    if everything or changed.endpoints
                    else before.endpoints
                ),
                reference=(
                    load_tables(connection) if everything or changed.reference else before.reference
                ),
            ),
            changed,
        )

    async def _tell(self, changed: _Changed, *, is_first: bool) -> None:
        """Look for cases that waited for what changed now, or at the refresh before this one."""
        told_now = [] if is_first else self._wakeable(changed)
        asked = [*self._told_again, *told_now]
        self._told_again = told_now
        await self._wake(asked)

    async def _wake(self, asked: Sequence[tuple[TenantId, tuple[str, ...] | None]]) -> None:
        """Tell of the cases of these tenants that wait for these SKUs (None: for any)."""
        if not asked or self._woken is None:
            return
        for tenant, skus in dict.fromkeys(asked):
            async with self._access.read() as reading:
                cases = await reading.run_sync(
                    lambda connection, tenant=tenant, skus=skus: waiting_cases(  # type: ignore[misc]
                        connection, tenant, skus
                    )
                )
            for start in range(0, len(cases), _MAX_WOKEN):
                self._woken(tenant, cases[start : start + _MAX_WOKEN])

    def _wakeable(self, changed: _Changed) -> list[tuple[TenantId, tuple[str, ...] | None]]:
        if changed.everything:
            tenants = {tenant for tenant, _ in self._tables.goods}
            return [(tenant, None) for tenant in sorted(tenants)]
        return [(tenant, skus) for tenant, _, skus in changed.goods]


def _named(notes: Sequence[str]) -> _Changed:
    profiles: set[ProfileId] = set()
    goods: list[tuple[TenantId, str, tuple[str, ...] | None]] = []
    endpoints = reference = False
    for text in notes:
        subject, *parts = orjson.loads(text)
        match subject:
            case "profile":
                profiles.add(ProfileId(parts[0]))
            case "goods":
                tenant, scope, skus = parts
                goods.append((tenant, scope, None if skus is None else tuple(skus)))
            case "endpoint":
                endpoints = True
            case "table":
                reference = True
            case _:
                # Written by a newer version: whatever it is about, everything is loaded again.
                return _Changed(everything=True)
    return _Changed(False, frozenset(profiles), tuple(goods), endpoints, reference)


def _profiles(
    connection: Connection,
    before: Mapping[ProfileId, tuple[TenantId, tuple[str, ...]]],
    changed: _Changed,
) -> Mapping[ProfileId, tuple[TenantId, tuple[str, ...]]]:
    if not changed.everything and not changed.profiles:
        return before
    asked: Sequence[ProfileId | None] = [None] if changed.everything else sorted(changed.profiles)
    found: dict[ProfileId, tuple[TenantId, tuple[str, ...]]] = {}
    for one in asked:
        for profile_id, _, tenant, doc in load_profiles(connection, one):
            found[profile_id] = (tenant, (*found.get(profile_id, (tenant, ()))[1], doc))
    return {**before, **found}


def _goods(
    connection: Connection,
    before: Mapping[tuple[TenantId, str], Mapping[str, tuple[GoodsVersion, ...]]],
    changed: _Changed,
) -> Mapping[tuple[TenantId, str], Mapping[str, tuple[GoodsVersion, ...]]]:
    if not changed.everything and not changed.goods:
        return before
    found: dict[tuple[TenantId, str], dict[str, tuple[GoodsVersion, ...]]] = {}
    for tenant, scope, sku, version in _rows(connection, changed):
        held = found.setdefault((tenant, scope), {})
        held[sku] = (*held.get(sku, ()), version)
    return {
        **before,
        **{key: {**before.get(key, {}), **scope_goods} for key, scope_goods in found.items()},
    }


def _rows(
    connection: Connection, changed: _Changed
) -> Iterator[tuple[TenantId, str, str, GoodsVersion]]:
    if changed.everything:
        yield from load_goods(connection)
        return
    merged: dict[tuple[TenantId, str], set[str] | None] = {}
    for tenant, scope, skus in changed.goods:
        so_far = merged.get((tenant, scope), set())
        whole = skus is None or so_far is None
        merged[tenant, scope] = None if whole else {*(so_far or ()), *(skus or ())}
    for (tenant, scope), wanted in merged.items():
        yield from load_goods(connection, tenant, scope, None if wanted is None else sorted(wanted))
