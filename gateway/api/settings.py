"""Limits of the HTTP edge, as one value. aiohttp itself sets no deadline on slow callers."""

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Quota:
    """What one key may ask of one route: ``burst`` at once, ``per_s`` on and on (0: no bound).

    Without a ``key`` it is for all keys, without a ``route`` (``POST /v1/orders``) for all routes.
    """

    per_s: float
    burst: int
    key: str | None = None
    route: str | None = None


@dataclass(frozen=True, slots=True)
class APISettings:
    """Sizes in bytes, counted after decompression; ``_s`` seconds.

    ``header_deadline_s`` runs from the connection, or from the first byte of a later request, to
    the end of its headers; ``body_deadline_s`` from there to the end of the body, which after
    ``body_grace_s`` must never fall behind ``body_floor_bytes_s``. ``exempt_peers``
    are addresses of trusted front proxies, which speak for many peers. ``log_all`` logs every
    request, else only refused and slow ones. ``quota_*`` bound the requests of one key to one route
    (0: no bound) where none of ``quotas`` says otherwise, ``twin_*`` how long a request waits for
    another with its idempotency key, ``streams`` how many event streams are open at once, in all
    and of one key, each for ``stream_s``.
    """

    body_limit: int = MEBIBYTE
    batch_limit: int = 10 * MEBIBYTE
    batch_lines: int = 5000
    header_deadline_s: float = 10.0
    body_deadline_s: float = 30.0
    batch_deadline_s: float = 120.0
    body_grace_s: float = 5.0
    body_floor_bytes_s: int = 1024
    quota_per_s: float = 5000.0
    quota_burst: int = 10_000
    quotas: tuple[Quota, ...] = ()
    twin_wait_s: float = 5.0
    twin_poll_s: float = 0.05
    idle_s: float = 75.0
    lingering_s: float = 2.0
    connections: int = 8192
    connections_per_peer: int = 512
    exempt_peers: frozenset[str] = frozenset()
    retry_after_s: int = 1
    page_limit: int = 200
    wait_limit_s: int = 30
    wait_poll_s: float = 0.5
    streams: int = 256
    streams_per_key: int = 16
    stream_s: float = 900.0
    heartbeat_s: float = 15.0
    slow_s: float = 1.0
    log_all: bool = False
    drain_s: float = 15.0
