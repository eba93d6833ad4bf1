"""Quotas: a token bucket for each key and route, in this process."""

from collections.abc import Mapping
from typing import Final

from gateway.api.problems import P, Problem, Refusal
from gateway.api.settings import APISettings, Quota

_BUCKETS: Final = 50_000


class Quotas:
    """Buckets that hold ``burst`` requests and fill at ``per_s``.

    Of the quotas in the settings the one that says most holds: of this key and route, of this key,
    of this route, else the one of all.
    """

    __slots__ = ("_buckets", "_of_all", "_said")

    def __init__(self, settings: APISettings) -> None:
        self._of_all = Quota(settings.quota_per_s, settings.quota_burst)
        self._said: Mapping[tuple[str | None, str | None], Quota] = {
            (one.key, one.route): one for one in settings.quotas
        }
        # (key, route) -> the time at which the bucket is full again.
        self._buckets: dict[tuple[str, str], float] = {}

    def _quota(self, key_id: str, route: str) -> Quota:
        said = self._said
        if not said:
            return self._of_all
        for place in ((key_id, route), (key_id, None), (None, route), (None, None)):
            if place in said:
                return said[place]
        return self._of_all

    def take(self, key_id: str, route: str, now: float) -> None:
        """Take one request out of a bucket; ``now`` is monotonic seconds.

        Raises the 429 that says when to come back.
        """
        quota = self._quota(key_id, route)
        if not quota.per_s:
            return
        bucket = (key_id, route)
        full_at = self._buckets.get(bucket, now)
        full_at = (full_at if full_at > now else now) + 1 / quota.per_s
        over_s = full_at - now - quota.burst / quota.per_s
        # A rounding error is no request too many.
        if over_s > 0.001 / quota.per_s:
            wait = max(1, -int(-over_s // 1))
            raise Refusal(Problem(P.TOO_MANY_REQUESTS, headers={"Retry-After": str(wait)}))
        if len(self._buckets) >= _BUCKETS:
            self._buckets = {one: full for one, full in self._buckets.items() if full > now}
        self._buckets[bucket] = full_at
