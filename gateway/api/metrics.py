"""Metrics of the HTTP edge, on the registry that the composition root gives."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class APIMetrics:
    """Requests by route and status, their times, and what nobody expected."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "clearance_http_requests",
            "HTTP requests answered.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "clearance_http_request_seconds",
            "Time from parsed headers to the answer.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=registry,
        )
        self.failures = Counter(
            "clearance_http_failures",
            "Requests that ended in a fault of ours.",
            registry=registry,
        )

    def of(self, method: str, route: str) -> Callable[[int, float], None]:
        """A function that counts one answered request of a route: status and seconds."""
        seconds = self._seconds.labels(method, route)
        by_status: dict[int, Counter] = {}

        def observe(status: int, taken_s: float) -> None:
            counter = by_status.get(status)
            if counter is None:
                counter = self._requests.labels(method, route, str(status))
                by_status[status] = counter
            counter.inc()
            seconds.observe(taken_s)

        return observe
