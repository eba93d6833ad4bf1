"""The load generator, a process of its own: papers made beforehand, then sent as fast as they are
taken.

Reads one JSON plan from standard input, says ``ready`` when every body is made, waits for ``go``,
and prints one JSON object when the last answer is there.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import islice

import orjson

from gateway.app.demo_orders import DemoOrder, demo_orders
from tests.perf.wire import Connection, Reply, request

_RETRY_S = 0.05
_MOST_REFUSALS = 5


class Shape(StrEnum):
    """How papers arrive."""

    BATCH = "batch"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """What to send. ``ports`` take turns over the connections; ``run`` sets order numbers apart."""

    host: str
    ports: tuple[int, ...]
    token: str
    profile: str
    shape: Shape
    orders: int
    batch_orders: int
    connections: int
    run: str
    seed: int

    @classmethod
    def from_json(cls, text: str) -> LoadPlan:
        """Read what :meth:`to_json` wrote."""
        doc = orjson.loads(text)
        return cls(**{**doc, "ports": tuple(doc["ports"]), "shape": Shape(doc["shape"])})

    def to_json(self) -> str:
        """One line."""
        return orjson.dumps(asdict(self)).decode()


@dataclass(slots=True)
class LoadResult:
    """What sending came to; latencies in milliseconds, from first byte sent to answer read."""

    requests: int = 0
    seconds: float = 0.0
    busy: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    most_ms: float = 0.0
    refused: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """One line."""
        return orjson.dumps(asdict(self)).decode()


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least ``share`` of the values do not exceed; 0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    place = -(-len(ordered) * share // 1)
    return ordered[max(0, min(len(ordered), int(place)) - 1)]


def make_requests(plan: LoadPlan) -> list[list[bytes]]:
    """What each turn of a connection sends, in order: one batch, or the papers of one order."""
    orders = demo_orders(plan.profile, plan.orders, plan.seed, problems=False, run=plan.run)
    if plan.shape is Shape.BATCH:
        return list(_batches(plan, orders))
    return [_singles(plan, order) for order in orders]


def _batches(plan: LoadPlan, orders: Iterator[DemoOrder]) -> Iterator[list[bytes]]:
    while some := list(islice(orders, plan.batch_orders)):
        body = b"\n".join(orjson.dumps(line) for order in some for line in order.lines())
        yield [
            request("/v1/batches", plan.host, body, token=plan.token, media="application/x-ndjson")
        ]


def _singles(plan: LoadPlan, order: DemoOrder) -> list[bytes]:
    papers = (
        ("/v1/orders", order.order),
        ("/v1/payments", order.payment),
        ("/v1/waybills", order.waybill),
    )
    return [
        request(path, plan.host, orjson.dumps(paper), token=plan.token)
        for path, paper in papers
        if paper is not None
    ]


class Load:
    """Sends prepared requests over a fixed number of connections, each with one in flight."""

    def __init__(self, plan: LoadPlan, turns: Sequence[Sequence[bytes]]) -> None:
        self._plan = plan
        self._turns = iter(turns)
        self._latencies: list[float] = []
        self.result = LoadResult()

    async def run(self) -> LoadResult:
        """Send everything; give up once a few requests were refused for good."""
        plan = self._plan
        connections = [
            await Connection.open(plan.host, plan.ports[number % len(plan.ports)])
            for number in range(plan.connections)
        ]
        started = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for connection in connections:
                tasks.create_task(self._work(connection))
        result = self.result
        result.seconds = time.perf_counter() - started
        result.p50_ms = percentile(self._latencies, 0.5)
        result.p99_ms = percentile(self._latencies, 0.99)
        result.most_ms = max(self._latencies, default=0.0)
        for connection in connections:
            connection.close()
        return result

    async def _work(self, connection: Connection) -> None:
        for turn in self._turns:
            for raw in turn:
                await self._send(connection, raw)
            if len(self.result.refused) >= _MOST_REFUSALS:
                return

    async def _send(self, connection: Connection, raw: bytes) -> None:
        while True:
            started = time.perf_counter()
            reply = await connection.ask(raw)
            self.result.requests += 1
            if not _is_busy(reply, self._plan.shape):
                break
            self.result.busy += 1
            await asyncio.sleep(_RETRY_S)
        self._latencies.append((time.perf_counter() - started) * 1000)
        fault = _fault(reply, self._plan.shape)
        if fault is not None:
            self.result.refused.append(fault)


def _is_busy(reply: Reply, shape: Shape) -> bool:
    """Whether the gateway asked to come again: 503, or a batch with lines that were not taken."""
    return reply.status == 503 or (shape is Shape.BATCH and b'"status":503' in reply.body)


def _fault(reply: Reply, shape: Shape) -> str | None:
    """Why an answer is not the one of a good paper; None when it is."""
    if reply.status not in (200, 201):
        return f"HTTP {reply.status}: {reply.body[:300].decode(errors='replace')}"
    if shape is Shape.BATCH:
        for line in orjson.loads(reply.body)["results"]:
            if line["status"] not in ("accepted", "unchanged"):
                return f"line: {orjson.dumps(line)[:300].decode(errors='replace')}"
    return None


def main() -> None:
    """Make, wait, send, report."""
    plan = LoadPlan.from_json(sys.stdin.readline())
    turns = make_requests(plan)
    print("ready", flush=True)
    if sys.stdin.readline().strip() == "go":
        print(asyncio.run(Load(plan, turns).run()).to_json(), flush=True)
        # Stay until whoever measures has read what this process spent.
        sys.stdin.read()


if __name__ == "__main__":
    main()
