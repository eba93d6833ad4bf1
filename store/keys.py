"""API keys: made once, shown once, known only by their hash.

A token is ``ck_<key id>_<secret>``. The secret is 32 random bytes, so its SHA-256 hash (bound to
the key id) cannot be searched, and no slow password hash is needed on every request. Every process
holds all live keys in memory and follows the counter ``keys``.
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from gateway.domain.errors import InvalidValue
from gateway.domain.ids import KeyId, TenantId
from gateway.ports import Clock, Rng
from store.access import Access
from store.changes import follow, raise_counter, read_counter, take_counter
from store.master import note
from store.tables import api_key, tenant

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
    tenant: TenantId
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
class _Live:
    credential: Credential
    secret_hash: bytes
    expires_at: int | None


def secret_hash(key_id: str, secret: str) -> bytes:
    """What is stored of a secret: SHA-256, bound to the key's id and purpose."""
    return hashlib.sha256(f"clearance/api-key/1\x00{key_id}\x00{secret}".encode()).digest()


def new_key(
    *,
    tenant_id: TenantId,
    role: KeyRole,
    name: str,
    expires_at: int | None,
    rng: Rng,
    now: int,
) -> NewKey:
    """A key with a fresh id and secret, not yet stored. Raises ``InvalidValue``."""
    if expires_at is not None and expires_at <= now:
        raise InvalidValue("expires_at", "must lie in the future")
    key_id = KeyId(base64.b32encode(rng.bytes(_ID_BYTES)).decode("ascii").lower())
    secret = base64.urlsafe_b64encode(rng.bytes(_SECRET_BYTES)).decode("ascii").rstrip("=")
    row = KeyRow(key_id, tenant_id, KeyRole(role), name, now, expires_at)
    return NewKey(row, f"{_PREFIX}_{key_id}_{secret}")


def put_key(connection: Connection, made: NewKey) -> None:
    """Store a new key's hash. Raises ``InvalidValue`` when its tenant does not exist."""
    row = made.row
    known = connection.execute(select(tenant.c.tenant).where(tenant.c.tenant == row.tenant))
    if known.first() is None:
        raise InvalidValue("tenant", "does not exist")
    take_counter(connection, COUNTER)
    _, key_id, secret = made.token.split("_", 2)
    connection.execute(
        insert(api_key).values(
            key_id=row.key_id,
            tenant=row.tenant,
            role=row.role.value,
            name=row.name,
            secret_hash=secret_hash(key_id, secret),
            created_at=row.created_at,
            expires_at=row.expires_at,
        )
    )
    raise_counter(connection, COUNTER, [note("key", row.key_id)])


def revoke_key(connection: Connection, tenant_id: TenantId, key_id: KeyId, now: int) -> bool:
    """End a key for good; False when the tenant has no such live key."""
    take_counter(connection, COUNTER)
    statement = (
        update(api_key)
        .where(
            api_key.c.tenant == tenant_id,
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
    tenant_id: TenantId,
    key_id: KeyId,
    *,
    overlap_us: int,
    expires_at: int | None,
    rng: Rng,
    now: int,
) -> NewKey | None:
    """A successor with the same role and name; the old key ends after the overlap, or before.

    None when the tenant has no such live key. Raises ``InvalidValue``.
    """
    take_counter(connection, COUNTER)
    row = connection.execute(
        select(api_key.c.role, api_key.c.name, api_key.c.expires_at).where(
            api_key.c.tenant == tenant_id,
            api_key.c.key_id == key_id,
            api_key.c.revoked_at.is_(None),
            or_(api_key.c.expires_at.is_(None), api_key.c.expires_at > now),
        )
    ).first()
    if row is None:
        return None
    made = new_key(
        tenant_id=tenant_id,
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


def list_keys(connection: Connection, tenant_id: TenantId) -> list[KeyRow]:
    """Every key of a tenant, also those revoked or expired, oldest first."""
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
        .where(api_key.c.tenant == tenant_id)
        .order_by(api_key.c.created_at, api_key.c.key_id)
    )
    return [
        KeyRow(
            row.key_id,
            tenant_id,
            KeyRole(row.role),
            row.name,
            row.created_at,
            row.expires_at,
            row.revoked_at,
            row.last_used_at,
        )
        for row in rows
    ]


def note_tenants_changed(connection: Connection) -> None:
    """Make every process load its keys again: a tenant was opened or closed."""
    take_counter(connection, COUNTER)
    raise_counter(connection, COUNTER, [note("tenants")])


def _load(connection: Connection, seen: int) -> tuple[int, Mapping[str, _Live]] | None:
    at = read_counter(connection, COUNTER)
    if at == seen:
        return None
    rows = connection.execute(
        select(
            api_key.c.key_id,
            api_key.c.tenant,
            api_key.c.role,
            api_key.c.secret_hash,
            api_key.c.expires_at,
        )
        .join(tenant, tenant.c.tenant == api_key.c.tenant)
        .where(api_key.c.revoked_at.is_(None), tenant.c.is_active)
    )
    return at, {
        row.key_id: _Live(
            Credential(row.tenant, row.key_id, KeyRole(row.role)), row.secret_hash, row.expires_at
        )
        for row in rows
    }


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

    def authenticate(self, token: str) -> Credential | None:
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
        if now - self._used.get(live.credential.key_id, 0) >= _USED_EVERY_US:
            self._used[live.credential.key_id] = now
            self._unsaved[live.credential.key_id] = now
        return live.credential

    async def new(
        self, tenant_id: TenantId, role: KeyRole, name: str, expires_at: int | None = None
    ) -> NewKey:
        """Make and store a key; its token is in the answer and nowhere else."""
        made = new_key(
            tenant_id=tenant_id,
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
        self, tenant_id: TenantId, key_id: KeyId, overlap_us: int, expires_at: int | None = None
    ) -> NewKey | None:
        """A successor of a key, which itself ends after the overlap; None for an unknown key."""
        now = self._clock.now()
        made = await self._access.execute(
            lambda connection: rotate_key(
                connection,
                tenant_id,
                key_id,
                overlap_us=overlap_us,
                expires_at=expires_at,
                rng=self._rng,
                now=now,
            )
        )
        await self.refresh()
        return made

    async def revoke(self, tenant_id: TenantId, key_id: KeyId) -> bool:
        """End a key for good; here at once, in other processes at their next refresh."""
        now = self._clock.now()
        done = await self._access.execute(
            lambda connection: revoke_key(connection, tenant_id, key_id, now)
        )
        await self.refresh()
        return done

    async def list(self, tenant_id: TenantId) -> Sequence[KeyRow]:
        """Every key of a tenant, also those that open nothing any more."""
        async with self._access.read() as reading:
            return await reading.run_sync(lambda connection: list_keys(connection, tenant_id))

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
