"""Endpoints: where sellers and warehouses are told things, each with a secret of its own.

The secret signs what is sent there (Standard Webhooks), as does an ed25519 key for those who want
one. They are shown once, stored sealed under the deployment's vault key, and decrypted only into
the memory of processes that deliver. A rotation makes new ones; the old sign along for a while, so
that a receiver may change over at any moment of it.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import orjson
from sqlalchemy import Connection, Select, insert, select, update

from gateway.domain.errors import InvalidValue
from gateway.domain.ids import EndpointId, TenantId
from gateway.ports import Endpoint, Rng
from store.changes import raise_counter, take_counter
from store.master import COUNTER, note
from store.tables import endpoint

ROLES: Final = frozenset({"seller", "warehouse"})
MAX_BATCH: Final = 100
_MAX_URL_LENGTH: Final = 2_000
_SECRET_BYTES: Final = 32
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 -- how such a secret begins
_KEY_PREFIX: Final = "whsk_"
MAX_OVERLAP_US: Final = 30 * 24 * 3600 * 1_000_000
_ID_BYTES: Final = 10
_TABLE: Final = "endpoint"


class OpenSecret(Protocol):
    """What opens a sealed secret (``store.crypto.StoreKeys``)."""

    def open_secret(self, table: str, row_id: str, blob: bytes) -> bytes:
        """The plain secret; raises ``DamagedBlob``."""
        ...


class SealSecret(OpenSecret, Protocol):
    """What seals one too."""

    def seal_secret(self, table: str, row_id: str, plaintext: bytes, rng: Rng) -> bytes:
        """The sealed secret, bound to its table and row."""
        ...


def new_endpoint(
    tenant: TenantId,
    *,
    url: str,
    role: str,
    event_types: frozenset[str],
    batch_size: int,
    rng: Rng,
    with_ed25519: bool = False,
) -> Endpoint:
    """An endpoint with a fresh id and secret, not yet stored. Raises ``InvalidValue``.

    Without a ``url`` its notices wait to be pulled.
    """
    if url:
        _check_url(url)
    if role not in ROLES:
        raise InvalidValue("role", "must be seller or warehouse")
    if not 1 <= batch_size <= MAX_BATCH:
        raise InvalidValue("batch_size", f"must lie between 1 and {MAX_BATCH}")
    name = base64.b32encode(rng.bytes(_ID_BYTES)).decode("ascii").lower()
    return Endpoint(
        endpoint_id=EndpointId(f"ep_{name}"),
        tenant=tenant,
        role=role,
        url=url,
        secret=_fresh(_SECRET_PREFIX, rng),
        batch_size=batch_size,
        event_types=event_types,
        signing_key=_fresh(_KEY_PREFIX, rng) if with_ed25519 else "",
    )


def _fresh(prefix: str, rng: Rng) -> str:
    return prefix + base64.b64encode(rng.bytes(_SECRET_BYTES)).decode("ascii")


def _check_url(url: str) -> None:
    """What an address must look like; whether it may be called is decided on every delivery."""
    if len(url) > _MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidValue("url", "must be printable ASCII of at most 2000 characters")
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError as fault:
        raise InvalidValue("url", "is not an address") from fault
    if parts.scheme not in ("https", "http") or not parts.hostname or not port_is_fine:
        raise InvalidValue("url", "must be an absolute https or http address")
    if parts.username is not None or parts.password is not None:
        raise InvalidValue("url", "must not hold a user name or password")
    if parts.fragment:
        raise InvalidValue("url", "must not hold a fragment")


def put_endpoint(
    connection: Connection, value: Endpoint, keys: SealSecret, rng: Rng, now: int
) -> None:
    """Store a new endpoint, its secret sealed."""
    take_counter(connection, COUNTER)
    connection.execute(
        insert(endpoint).values(
            endpoint_id=value.endpoint_id,
            tenant=value.tenant,
            role=value.role,
            url=value.url,
            batch_size=value.batch_size,
            event_types=orjson.dumps(sorted(value.event_types)).decode(),
            is_active=True,
            created_at=now,
            **_sealed(value, keys, rng),
        )
    )
    raise_counter(connection, COUNTER, [note("endpoint", value.endpoint_id)])


def _sealed(value: Endpoint, keys: SealSecret, rng: Rng) -> dict[str, bytes | None]:
    def sealed(text: str) -> bytes | None:
        if not text:
            return None
        return keys.seal_secret(_TABLE, value.endpoint_id, text.encode(), rng)

    return {
        "secret": sealed(value.secret),
        "signing_key": sealed(value.signing_key),
        "old_secrets": sealed(" ".join(value.old_secrets)),
    }


def rotate_endpoint(
    connection: Connection,
    tenant: TenantId,
    endpoint_id: EndpointId,
    *,
    overlap_us: int,
    keys: SealSecret,
    rng: Rng,
    now: int,
) -> Endpoint | None:
    """New secrets for an endpoint; those before sign along for ``overlap_us``.

    None when the tenant has no such endpoint. Those of an earlier rotation end at once. Raises
    ``InvalidValue``.
    """
    if not 0 <= overlap_us <= MAX_OVERLAP_US:
        raise InvalidValue("overlap", "must lie between 0 and 30 days")
    take_counter(connection, COUNTER)
    found = [
        one for one in list_endpoints(connection, keys, tenant) if one.endpoint_id == endpoint_id
    ]
    if not found:
        return None
    old = found[0]
    made = replace(
        old,
        secret=_fresh(_SECRET_PREFIX, rng),
        signing_key=_fresh(_KEY_PREFIX, rng) if old.signing_key else "",
        old_secrets=old.secrets_at(old.old_until),
        old_until=now + overlap_us,
    )
    connection.execute(
        update(endpoint)
        .where(endpoint.c.tenant == tenant, endpoint.c.endpoint_id == endpoint_id)
        .values(old_until=made.old_until, **_sealed(made, keys, rng))
    )
    raise_counter(connection, COUNTER, [note("endpoint", endpoint_id)])
    return made


def set_endpoint_active(
    connection: Connection,
    tenant: TenantId,
    endpoint_id: EndpointId,
    is_active: bool,
    *,
    why: str = "",
    now: int = 0,
) -> bool:
    """Switch an endpoint on, or off with a reason; False when the tenant has none of this id, or
    it is off already.
    """
    take_counter(connection, COUNTER)
    statement = (
        update(endpoint)
        .where(endpoint.c.tenant == tenant, endpoint.c.endpoint_id == endpoint_id)
        .values(
            is_active=is_active,
            disabled_at=None if is_active else now,
            disabled_why=None if is_active else why,
        )
    )
    if not is_active:
        statement = statement.where(endpoint.c.is_active)
    found = bool(connection.execute(statement).rowcount)
    if found:
        raise_counter(connection, COUNTER, [note("endpoint", endpoint_id)])
    return found


def load_endpoints(
    connection: Connection, keys: OpenSecret, tenant: TenantId | None = None
) -> Mapping[TenantId, tuple[Endpoint, ...]]:
    """The active endpoints (of one tenant), with their secrets. Raises ``DamagedBlob``."""
    statement = select(endpoint).where(endpoint.c.is_active)
    if tenant is not None:
        statement = statement.where(endpoint.c.tenant == tenant)
    found: dict[TenantId, list[Endpoint]] = {}
    for one in _opened(connection, statement, keys):
        found.setdefault(one.tenant, []).append(one)
    return {owner: tuple(endpoints) for owner, endpoints in found.items()}


def list_endpoints(
    connection: Connection, keys: OpenSecret, tenant: TenantId
) -> tuple[Endpoint, ...]:
    """Every endpoint of a tenant, also those switched off. Raises ``DamagedBlob``."""
    return tuple(_opened(connection, select(endpoint).where(endpoint.c.tenant == tenant), keys))


def _opened(
    connection: Connection,
    statement: Select[Any],  # Any: a row of the table
    keys: OpenSecret,
) -> Iterator[Endpoint]:
    def opened(row_id: str, blob: bytes | None) -> str:
        return "" if blob is None else keys.open_secret(_TABLE, row_id, blob).decode()

    ordered = statement.order_by(endpoint.c.created_at, endpoint.c.endpoint_id)
    for row in connection.execute(ordered):
        yield Endpoint(
            endpoint_id=row.endpoint_id,
            tenant=row.tenant,
            role=row.role,
            url=row.url,
            secret=opened(row.endpoint_id, row.secret),
            batch_size=row.batch_size,
            event_types=frozenset(_types(row.event_types)),
            signing_key=opened(row.endpoint_id, row.signing_key),
            old_secrets=tuple(opened(row.endpoint_id, row.old_secrets).split()),
            old_until=row.old_until or 0,
            is_active=row.is_active,
            disabled_at=row.disabled_at,
            disabled_why=row.disabled_why or "",
        )


def _types(text: str) -> Sequence[str]:
    types: list[str] = orjson.loads(text)
    return types
