"""API keys: made once, shown once, known only by their hash.

A key is a tenant's, or an enterprise's: then it spans the tenants whose mandates let that
enterprise work for them today (logins of agents and warehouses), and ends for each with its
mandate.

A token is ``ck_<key id>_<secret>``. The secret is 32 random bytes, so its SHA-256 hash (bound to
the key id) cannot be searched, and no slow password hash is needed on every request. Every process
holds all live keys in memory and follows the counter ``keys``.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, Connection, bindparam, insert, or_, select, update

from gateway.domain.errors import InvalidValue
from gateway.domain.ids import KeyId, TenantId
from gateway.domain.profile import Role
from gateway.flow.clockwork import local_date
from gateway.ports import Clock, Rng
from gateway.ports.callers import SpanningKey
from store.access import Access
from store.changes import follow, raise_counter, read_counter, take_counter
from store.master import find_enterprise, note
from store.tables import api_key, mandate, tenant

COUNTER: Final = "keys"
_PREFIX: Final = "ck"
_ID_BYTES: Final = 10
_SECRET_BYTES: Final = 32
_MAX_TOKEN_LENGTH: Final = 200
_USED_EVERY_US: Final = 10 * 60 * 1_000_000


class KeyRole(StrEnum):
    """What the bearer of a key may do: a machine's role, or one of the five of people."""

    SELLER = "seller"
    WAREHOUSE = "warehouse"
    VIEWER = "viewer"
    CLERK = "clerk"
    SUPERVISOR = "supervisor"
    OPERATOR = "operator"
    AUDITOR = "auditor"


_WAREHOUSES: Final = frozenset({Role.AREA_OPERATOR, Role.SITE_OPERATOR})
_AGENTS: Final = frozenset({Role.AGENT})


def mandated_as(role: KeyRole) -> frozenset[Role]:
    """In which of these roles a tenant mandates an enterprise whose key of this role opens it."""
    return _WAREHOUSES if role is KeyRole.WAREHOUSE else _AGENTS


@dataclass(frozen=True, slots=True)
class OfEnterprise:
    """The owner of a key that spans tenants: an enterprise by its customs code."""

    code: str


Owner = TenantId | OfEnterprise


@dataclass(frozen=True, slots=True)
class Credential:
    """Who is calling: the tenant and role that a key stands for."""

    tenant: TenantId
    key_id: KeyId
    role: KeyRole


@dataclass(frozen=True, slots=True)
class KeyRow:
    """A key as lists show it; times are UTC microseconds, ``last_used_at`` to ten minutes."""

    key_id: KeyId
    owner: Owner
    role: KeyRole
    name: str
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: the only moment in which its token exists."""

    row: KeyRow
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Span:
    """One mandate as a key sees it; days are ISO dates, the last one included."""

    tenant: TenantId
    valid_from: str
    valid_to: str | None

    def covers(self, day: str) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class _Live:
    """A key that opens something; ``credential`` is None when it spans tenants."""

    key_id: KeyId
    secret_hash: bytes
    expires_at: int | None
    credential: Credential | None
    spanning: SpanningKey | None = None
    spans: tuple[_Span, ...] = ()

    def bearer(self, now: int) -> Credential | SpanningKey | None:
        """Who calls with it at a time: an enterprise's key spans the mandates of that day."""
        if self.spanning is None:
            return self.credential
        day = local_date(now).isoformat()
        tenants = frozenset(one.tenant for one in self.spans if one.covers(day))
        return replace(self.spanning, tenants=tenants)


def secret_hash(key_id: str, secret: str) -> bytes:
    """What is stored of a secret: SHA-256, bound to the key's id and purpose."""
    return hashlib.sha256(f"clearance/api-key/1\x00{key_id}\x00{secret}".encode()).digest()


def new_key(
    *,
    owner: Owner,
    role: KeyRole,
    name: str,
    expires_at: int | None,
    rng: Rng,
    now: int,
) -> NewKey:
    """A key with a fresh id and secret, not yet stored. Raises ``InvalidValue``."""
    if isinstance(owner, OfEnterprise) and role is KeyRole.SELLER:
        raise InvalidValue("role", "a seller is one tenant; a key that spans tenants is no seller")
    if expires_at is not None and expires_at <= now:
        raise InvalidValue("expires_at", "must lie in the future")
    key_id = KeyId(base64.b32encode(rng.bytes(_ID_BYTES)).decode("ascii").lower())
    secret = base64.urlsafe_b64encode(rng.bytes(_SECRET_BYTES)).decode("ascii").rstrip("=")
    row = KeyRow(key_id, owner, KeyRole(role), name, now, expires_at)
    return NewKey(row, f"{_PREFIX}_{key_id}_{secret}")


def put_key(connection: Connection, made: NewKey) -> None:
    """Store a new key's hash. Raises ``InvalidValue`` when its owner does not exist."""
    row = made.row
    tenant_id, enterprise_code = None, None
    if isinstance(row.owner, OfEnterprise):
        enterprise_code = row.owner.code
        if find_enterprise(connection, enterprise_code) is None:
            raise InvalidValue("enterprise", "is no enterprise of this deployment")
    else:
        tenant_id = row.owner
        known = connection.execute(select(tenant.c.tenant).where(tenant.c.tenant == tenant_id))
        if known.first() is None:
            raise InvalidValue("tenant", "does not exist")
    take_counter(connection, COUNTER)
    _, key_id, secret = made.token.split("_", 2)
    connection.execute(
        insert(api_key).values(
            key_id=row.key_id,
            tenant=tenant_id,
            enterprise_code=enterprise_code,
            role=row.role.value,
            name=row.name,
            secret_hash=secret_hash(key_id, secret),
            created_at=row.created_at,
            expires_at=row.expires_at,
        )
    )
    raise_counter(connection, COUNTER, [note("key", row.key_id)])


def _owned_by(owner: Owner) -> ColumnElement[bool]:
    if isinstance(owner, OfEnterprise):
        return api_key.c.enterprise_code == owner.code
    return api_key.c.tenant == owner


def revoke_key(connection: Connection, owner: Owner, key_id: KeyId, now: int) -> bool:
    """End a key for good; False when the owner has no such live key."""
    take_counter(connection, COUNTER)
    statement = (
        update(api_key)
        .where(
            _owned_by(owner),
            api_key.c.key_id == key_id,
            api_key.c.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )
    done = bool(connection.execute(statement).rowcount)
    if done:
        raise_counter(connection, COUNTER, [note("key", key_id)])
    return done


def rotate_key(
    connection: Connection,
    owner: Owner,
    key_id: KeyId,
    *,
    overlap_us: int,
    expires_at: int | None,
    rng: Rng,
    now: int,
) -> NewKey | None:
    """A successor with the same role and name; the old key ends after the overlap, or before.

    None when the owner has no such live key. Raises ``InvalidValue``.
    """
    take_counter(connection, COUNTER)
    row = connection.execute(
        select(api_key.c.role, api_key.c.name, api_key.c.expires_at).where(
            _owned_by(owner),
            api_key.c.key_id == key_id,
            api_key.c.revoked_at.is_(None),
            or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > now),
        )
    ).first()
    if row is None:
        return None
    made = new_key(
        owner=owner,
        role=KeyRole(row.role),
        name=row.name,
        expires_at=expires_at,
        rng=rng,
        now=now,
    )
    ends = now + overlap_us
    if row.expires_at is None or ends < row.expires_at:
        connection.execute(
            update(api_key).where(api_key.c.key_id == key_id).values(expires_at=ends)
        )
        raise_counter(connection, COUNTER, [note("key", key_id)])
    put_key(connection, made)
    return made


def list_keys(connection: Connection, owner: Owner) -> list[KeyRow]:
    """Every key of an owner, also those revoked or expired, oldest first."""
    rows = connection.execute(
        select(
            api_key.c.key_id,
            api_key.c.role,
            api_key.c.name,
            api_key.c.created_at,
            api_key.c.expires_at,
            api_key.c.revoked_at,
            api_key.c.last_used_at,
        )
        .where(_owned_by(owner))
        .order_by(api_key.c.created_at, api_key.c.key_id)
    )
    return [
        KeyRow(
            row.key_id,
            owner,
            KeyRole(row.role),
            row.name,
            row.created_at,
            row.expires_at,
            row.revoked_at,
            row.last_used_at,
        )
        for row in rows
    ]


def note_access_changed(connection: Connection) -> None:
    """Make every process load its keys again: a tenant was opened or closed, or a mandate given or
    ended.
    """
    take_counter(connection, COUNTER)
    raise_counter(connection, COUNTER, [note("tenants")])


def _load(connection: Connection, seen: int) -> tuple[int, Mapping[str, _Live]] | None:
    at = read_counter(connection, COUNTER)
    if at == seen:
        return None
    keys = select(
        api_key.c.key_id,
        api_key.c.tenant,
        api_key.c.enterprise_code,
        api_key.c.role,
        api_key.c.secret_hash,
        api_key.c.expires_at,
    ).where(api_key.c.revoked_at.is_(None))
    live: dict[str, _Live] = {}
    for row in connection.execute(
        keys.join(tenant, tenant.c.tenant == api_key.c.tenant).where(tenant.c.is_active)
    ):
        credential = Credential(row.tenant, row.key_id, KeyRole(row.role))
        live[row.key_id] = _Live(row.key_id, row.secret_hash, row.expires_at, credential)
    spans = _load_spans(connection)
    for row in connection.execute(keys.where(api_key.c.enterprise_code.is_not(None))):
        role = KeyRole(row.role)
        live[row.key_id] = _Live(
            row.key_id,
            row.secret_hash,
            row.expires_at,
            None,
            SpanningKey(row.key_id, role.value, row.enterprise_code, frozenset()),
            tuple(
                span
                for mandated in mandated_as(role)
                for span in spans.get((row.enterprise_code, mandated), ())
            ),
        )
    return at, live


def _load_spans(connection: Connection) -> Mapping[tuple[str, Role], Sequence[_Span]]:
    """The mandates of agents and warehouses, of tenants that are open."""
    wanted = sorted(_WAREHOUSES | _AGENTS)
    rows = connection.execute(
        select(
            mandate.c.tenant,
            mandate.c.enterprise_code,
            mandate.c.role,
            mandate.c.valid_from,
            mandate.c.valid_to,
        )
        .join(tenant, tenant.c.tenant == mandate.c.tenant)
        .where(tenant.c.is_active, mandate.c.role.in_(wanted))
    )
    spans: dict[tuple[str, Role], list[_Span]] = {}
    for row in rows:
        span = _Span(row.tenant, row.valid_from, row.valid_to)
        spans.setdefault((row.enterprise_code, Role(row.role)), []).append(span)
    return spans


def _note_used(connection: Connection, used: Mapping[KeyId, int]) -> None:
    statement = (
        update(api_key)
        .where(
            api_key.c.key_id == bindparam("used_key"),
            or_(api_key.c.last_used_at.is_(None), api_key.c.last_used_at < bindparam("used_at")),
        )
        .values(last_used_at=bindparam("used_at"))
    )
    connection.execute(statement, [{"used_key": key, "used_at": at} for key, at in used.items()])


class KeyDirectory:
    """Answers whom a token belongs to, from memory; call :meth:`refresh` before the first use."""

    def __init__(self, access: Access, clock: Clock, rng: Rng) -> None:
        self._access = access
        self._clock = clock
        self._rng = rng
        self._at = -1
        self._live: Mapping[str, _Live] = {}
        self._used: dict[KeyId, int] = {}
        self._unsaved: dict[KeyId, int] = {}
        self._refreshing = asyncio.Lock()

    def authenticate(self, token: str) -> Credential | SpanningKey | None:
        """Whom a bearer token belongs to; None for an unknown, expired or revoked one.

        Takes the same time for every key id, known or not.
        """
        if len(token) > _MAX_TOKEN_LENGTH or not token.isascii():
            return None
        prefix, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        given = secret_hash(key_id, secret)
        live = self._live.get(key_id)
        stored = given[::-1] if live is None else live.secret_hash
        fits = hmac.compare_digest(given, stored)
        if live is None or not fits or prefix != _PREFIX:
            return None
        now = self._clock.now()
        if live.expires_at is not None and live.expires_at <= now:
            return None
        if now - self._used.get(live.key_id, 0) >= _USED_EVERY_US:
            self._used[live.key_id] = now
            self._unsaved[live.key_id] = now
        return live.bearer(now)

    async def new(
        self, owner: Owner, role: KeyRole, name: str, expires_at: int | None = None
    ) -> NewKey:
        """Make and store a key; its token is in the answer and nowhere else."""
        made = new_key(
            owner=owner,
            role=role,
            name=name,
            expires_at=expires_at,
            rng=self._rng,
            now=self._clock.now(),
        )
        await self._access.execute(lambda connection: put_key(connection, made))
        await self.refresh()
        return made

    async def rotate(
        self, owner: Owner, key_id: KeyId, overlap_us: int, expires_at: int | None = None
    ) -> NewKey | None:
        """A successor of a key, which itself ends after the overlap; None for an unknown key."""
        now = self._clock.now()
        made = await self._access.execute(
            lambda connection: rotate_key(
                connection,
                owner,
                key_id,
                overlap_us=overlap_us,
                expires_at=expires_at,
                rng=self._rng,
                now=now,
            )
        )
        await self.refresh()
        return made

    async def revoke(self, owner: Owner, key_id: KeyId) -> bool:
        """End a key for good; here at once, in other processes at their next refresh."""
        now = self._clock.now()
        done = await self._access.execute(
            lambda connection: revoke_key(connection, owner, key_id, now)
        )
        await self.refresh()
        return done

    async def list(self, owner: Owner) -> Sequence[KeyRow]:
        """Every key of an owner, also those that open nothing any more."""
        async with self._access.read() as reading:
            return await reading.run_sync(lambda connection: list_keys(connection, owner))

    async def refresh(self) -> bool:
        """Load the live keys when any changed, save when keys were used; whether any changed."""
        async with self._refreshing:
            async with self._access.read() as reading:
                loaded = await reading.run_sync(lambda connection: _load(connection, self._at))
            if loaded is not None:
                self._at, self._live = loaded
                self._used = {key: at for key, at in self._used.items() if key in self._live}
            if self._unsaved:
                unsaved = dict(self._unsaved)
                await self._access.execute(lambda connection: _note_used(connection, unsaved))
                self._unsaved = {
                    key: at for key, at in self._unsaved.items() if unsaved.get(key) != at
                }
            return loaded is not None

    async def follow(self, clock: Clock, every_s: float = 0.3) -> None:
        """Refresh for ever; end it by cancelling. A database that is away is asked again."""
        await follow(self.refresh, clock, every_s)
