"""A scrape shows what prometheus_client's own counter and histogram would show."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.openmetrics import exposition

from gateway.api import metrics
from gateway.api.metrics import APIMetrics

_CREATED = re.compile(r"(_created\S* )\S+")
ROUTES = [("GET", "/a"), ("POST", "/a"), ("other", "other")]
REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(ROUTES),
        st.sampled_from([200, 201, 404, 500]),
        st.sampled_from(metrics._BUCKETS) | st.floats(0, 100),
    )
)


def plain(registry: CollectorRegistry) -> Callable[[tuple[str, str], int, float], None]:
    """The same with a locked counter and histogram."""
    requests = Counter(
        "clearance_http_requests", "HTTP requests answered.", ("method", "route", "status"),
        registry=registry,
    )  # fmt: skip
    seconds = Histogram(
        "clearance_http_request_seconds", "Time from parsed headers to the answer.",
        ("method", "route"), buckets=metrics._BUCKETS, registry=registry,
    )  # fmt: skip
    Counter("clearance_http_failures", "Requests that ended in a fault of ours.", registry=registry)
    for route in ROUTES:
        seconds.labels(*route)

    def observe(route: tuple[str, str], status: int, taken_s: float) -> None:
        requests.labels(*route, str(status)).inc()
        seconds.labels(*route).observe(taken_s)

    return observe


@pytest.mark.parametrize("shown", [generate_latest, exposition.generate_latest])
@given(requests=REQUESTS)
def test_a_scrape_shows_what_was_counted(shown: Any, requests: list[Any]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    edge = APIMetrics(ours)
    observe = {route: edge.of(*route) for route in ROUTES}
    expect = plain(theirs)
    for route, status, taken_s in requests:
        observe[route](status, taken_s)
        expect(route, status, taken_s)
    assert _CREATED.sub(r"\1", shown(ours).decode()) == _CREATED.sub(r"\1", shown(theirs).decode())


def test_a_route_is_counted_once_however_often_it_is_asked_for() -> None:
    registry = CollectorRegistry()
    edge = APIMetrics(registry)
    for _ in range(2):
        edge.of("GET", "/a")(200, 0.1)
    labels = {"method": "GET", "route": "/a"}
    assert registry.get_sample_value("clearance_http_request_seconds_count", labels) == 2


def test_the_families_are_taken_once() -> None:
    registry = CollectorRegistry()
    APIMetrics(registry)
    with pytest.raises(ValueError, match="Duplicated"):
        APIMetrics(registry)
