"""Endpoints: where sellers and warehouses are told things, each with a secret of its own.

The secret signs what is sent there (Standard Webhooks). It is shown once, stored sealed under the
deployment's vault key, and decrypted only into the memory of processes that deliver.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Final, Protocol
from urllib.parse import urlsplit

import orjson
from sqlalchemy import Connection, insert, select, update

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
) -> Endpoint:
    """An endpoint with a fresh id and secret, not yet stored. Raises ``InvalidValue``."""
    _check_url(url)
    if role not in ROLES:
        raise InvalidValue("role", "must be seller or warehouse")
    if not 1 <= batch_size <= MAX_BATCH:
        raise InvalidValue("batch_size", f"must lie between 1 and {MAX_BATCH}")
    secret = base64.b64encode(rng.bytes(_SECRET_BYTES)).decode("ascii")
    name = base64.b32encode(rng.bytes(_ID_BYTES)).decode("ascii").lower()
    return Endpoint(
        endpoint_id=EndpointId(f"ep_{name}"),
        tenant=tenant,
        role=role,
        url=url,
        secret=_SECRET_PREFIX + secret,
        batch_size=batch_size,
        event_types=event_types,
    )


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
    sealed = keys.seal_secret(_TABLE, value.endpoint_id, value.secret.encode(), rng)
    connection.execute(
        insert(endpoint).values(
            endpoint_id=value.endpoint_id,
            tenant=value.tenant,
            role=value.role,
            url=value.url,
            secret=sealed,
            batch_size=value.batch_size,
            event_types=orjson.dumps(sorted(value.event_types)).decode(),
            is_active=True,
            created_at=now,
        )
    )
    raise_counter(connection, COUNTER, [note("endpoint", value.endpoint_id)])


def set_endpoint_active(
    connection: Connection, tenant: TenantId, endpoint_id: EndpointId, is_active: bool
) -> bool:
    """Switch an endpoint on or off; False when the tenant has no such endpoint."""
    take_counter(connection, COUNTER)
    statement = (
        update(endpoint)
        .where(endpoint.c.tenant == tenant, endpoint.c.endpoint_id == endpoint_id)
        .values(is_active=is_active)
    )
    found = bool(connection.execute(statement).rowcount)
    if found:
        raise_counter(connection, COUNTER, [note("endpoint", endpoint_id)])
    return found


def load_endpoints(
    connection: Connection, keys: OpenSecret, tenant: TenantId | None = None
) -> Mapping[TenantId, tuple[Endpoint, ...]]:
    """The active endpoints (of one tenant), with their secrets. Raises ``DamagedBlob``."""
    statement = (
        select(
            endpoint.c.endpoint_id,
            endpoint.c.tenant,
            endpoint.c.role,
            endpoint.c.url,
            endpoint.c.secret,
            endpoint.c.batch_size,
            endpoint.c.event_types,
        )
        .where(endpoint.c.is_active)
        .order_by(endpoint.c.created_at, endpoint.c.endpoint_id)
    )
    if tenant is not None:
        statement = statement.where(endpoint.c.tenant == tenant)
    found: dict[TenantId, list[Endpoint]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.tenant, []).append(
            Endpoint(
                endpoint_id=row.endpoint_id,
                tenant=row.tenant,
                role=row.role,
                url=row.url,
                secret=keys.open_secret(_TABLE, row.endpoint_id, row.secret).decode(),
                batch_size=row.batch_size,
                event_types=frozenset(_types(row.event_types)),
            )
        )
    return {owner: tuple(endpoints) for owner, endpoints in found.items()}


def _types(text: str) -> Sequence[str]:
    types: list[str] = orjson.loads(text)
    return types
