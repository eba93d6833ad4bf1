"""Metrics of the HTTP edge, on the registry that the composition root gives."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BOUNDS: Final = (*_BUCKETS, float("inf"))
# How many buckets hold what is no greater than a bound.
_PLACES: Final = {bound: place for place, bound in enumerate(_BOUNDS, 1)}


class APIMetrics:
    """Requests by route and status, their times, and what nobody expected."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._tallies = _Tallies()
        registry.register(self._tallies)
        self.failures = Counter(
            "clearance_http_failures",
            "Requests that ended in a fault of ours.",
            registry=registry,
        )

    def of(self, method: str, route: str) -> Callable[[int, float], None]:
        """A function that counts one answered request of a route: status and seconds.

        It is to be called on the thread that is scraped.
        """
        tallies, tally = self._tallies, self._tallies.of(method, route)
        by_status, in_buckets = tally.by_status, tally.in_buckets

        def observe(status: int, taken_s: float) -> None:
            if status not in by_status:
                tallies.begin(tally, method, route, status)
            by_status[status] += 1
            in_buckets[bisect_left(_BOUNDS, taken_s)] += 1
            tally.seconds += taken_s

        return observe


@dataclass(slots=True)
class _Tally:
    """What was counted of one route; a request is in one bucket."""

    by_status: dict[int, int] = field(default_factory=dict)
    in_buckets: list[int] = field(default_factory=lambda: [0] * len(_BOUNDS))
    seconds: float = 0.0


class _Tallies(Collector):
    """Tallies of routes, shown as a counter and a histogram of prometheus_client.

    All is counted on one thread, so that no number needs a lock, of which those two take three for
    a request. They give what a scrape shows; only the numbers are put in from here.
    """

    def __init__(self) -> None:
        self._requests = Counter(
            "clearance_http_requests",
            "HTTP requests answered.",
            ("method", "route", "status"),
            registry=None,
        )
        self._seconds = Histogram(
            "clearance_http_request_seconds",
            "Time from parsed headers to the answer.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=None,
        )
        self._of: dict[tuple[str, str], _Tally] = {}

    def of(self, method: str, route: str) -> _Tally:
        """The tally of a route, shown from now on."""
        self._seconds.labels(method, route)
        return self._of.setdefault((method, route), _Tally())

    def begin(self, tally: _Tally, method: str, route: str, status: int) -> None:
        """Count a status of a route, shown from now on."""
        self._requests.labels(method, route, str(status))
        tally.by_status[status] = 0

    def describe(self) -> Iterator[Metric]:
        """The two families without their samples."""
        yield from self._requests.describe()
        yield from self._seconds.describe()

    def collect(self) -> Iterator[Metric]:
        """The two families as they stand."""
        for shown in (self._requests, self._seconds):
            for family in shown.collect():
                family.samples = [self._filled(one) for one in family.samples]
                yield family

    def _filled(self, sample: Sample) -> Sample:
        """A sample with its number; when it was created stays."""
        labels = sample.labels
        tally = self._of[labels["method"], labels["route"]]
        match sample.name.rpartition("_")[2]:
            case "bucket":
                value = float(sum(tally.in_buckets[: _PLACES[float(labels["le"])]]))
            case "total":
                value = float(tally.by_status[int(labels["status"])])
            case "count":
                value = float(sum(tally.in_buckets))
            case "sum":
                value = tally.seconds
            case _:
                return sample
        return sample._replace(value=value)
