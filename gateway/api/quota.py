"""Quotas: a token bucket for each key and route, in this process."""

from typing import Final

from gateway.api.problems import P, Problem, Refusal

_BUCKETS: Final = 50_000


class Quotas:
    """Buckets of ``burst`` requests that fill at ``per_s``; a rate of 0 limits nothing."""

    __slots__ = ("_buckets", "_burst", "_per_s")

    def __init__(self, per_s: float, burst: int) -> None:
        self._per_s = per_s
        self._burst = burst
        # (key, route) -> the time at which the bucket is full again.
        self._buckets: dict[tuple[str, int], float] = {}

    def take(self, key_id: str, route: int, now: float) -> None:
        """Take one request out of a bucket; ``now`` is monotonic seconds.

        Raises the 429 that says when to come back.
        """
        if not self._per_s:
            return
        bucket = (key_id, route)
        full_at = self._buckets.get(bucket, now)
        full_at = (full_at if full_at > now else now) + 1 / self._per_s
        over_s = full_at - now - self._burst / self._per_s
        # A rounding error is no request too many.
        if over_s > 0.001 / self._per_s:
            wait = max(1, -int(-over_s // 1))
            raise Refusal(Problem(P.TOO_MANY_REQUESTS, headers={"Retry-After": str(wait)}))
        if len(self._buckets) >= _BUCKETS:
            self._buckets = {one: full for one, full in self._buckets.items() if full > now}
        self._buckets[bucket] = full_at
