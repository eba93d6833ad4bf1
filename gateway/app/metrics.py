"""Metrics of a process: what the stages do and how long it takes, and what stands in the queues."""

from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gateway.domain.errors import GatewayError
from gateway.flow.engine import Observer
from gateway.flow.incoming import Incoming, IntakeResult, IntakeStatus
from gateway.flow.ingest import Ingest
from gateway.ports import Clock, EffectKind
from gateway.ports.ways import WayStanding
from schemas.errors import SchemaError
from signing import Ring, RingWatch
from signing.errors import SigningError
from signing.ring import Health
from store.boxwork import Queues

_SECOND_US: Final = 1_000_000
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 30)
_TAKEN: Final = {status: f"papers.{status.value}" for status in IntakeStatus}
STAGES: Final = ("submission", "ingest", "declare", "transmit", "receipt", "notify")


class EngineMetrics:
    """Implements ``flow.engine.Observer``; everything is told once a batch, never once an order."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counted = Counter(
            "clearance_flow", "What the stages did", ["what"], registry=registry
        )
        self._seconds = Histogram(
            "clearance_stage_seconds",
            "Time that one batch took in a stage",
            ["stage"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._failed = Counter(
            "clearance_flow_failures", "Stages that failed and are tried again", ["stage", "code"],
            registry=registry,
        )  # fmt: skip
        self._by_stage = {stage: self._seconds.labels(stage) for stage in STAGES}
        self._by_name: dict[str, Counter] = {}
        self._log = structlog.get_logger("clearance.flow")

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        counter = self._by_name.get(name)
        if counter is None:
            counter = self._by_name[name] = self._counted.labels(name)
        counter.inc(amount)

    def took(self, stage: str, micros: int) -> None:
        """One batch went through a stage."""
        self._by_stage[stage].observe(micros / _SECOND_US)

    def failed(self, stage: str, error: Exception) -> None:
        """Count and log a failure by its code: a text might quote what was sent."""
        known = (GatewayError, SchemaError, SigningError)
        code = error.code if isinstance(error, known) else type(error).__name__
        self._failed.labels(stage, code).inc()
        self._log.warning("stage_failed", stage=stage, code=code, place=_place(error))


class MeasuredIngest:
    """Stage 1 with its time, and its answers counted by status."""

    def __init__(self, ingest: Ingest, metrics: Observer, clock: Clock) -> None:
        self._ingest = ingest
        self._metrics = metrics
        self._clock = clock

    async def take(self, items: Sequence[Incoming]) -> list[IntakeResult]:
        """One result each, in order, durable on return."""
        started = self._clock.now()
        results = await self._ingest.take(items)
        self._metrics.took("ingest", self._clock.now() - started)
        if len(results) == 1:
            self._metrics.count(_TAKEN[results[0].status])
            return results
        for status, number in Tally([one.status for one in results]).items():
            self._metrics.count(_TAKEN[status], number)
        return results


class FolderMetrics:
    """What the folder channels of a process set aside, counted and logged."""

    def __init__(self, registry: CollectorRegistry, channels: Sequence[str]) -> None:
        self._aside = Counter(
            "clearance_files_set_aside",
            "Files of a receive folder that were too large to be read",
            ["channel"],
            registry=registry,
        )
        for name in channels:
            self._aside.labels(name)  # From zero on: an increase to one must be seen.
        self._log = structlog.get_logger("clearance.channels")

    def set_aside(self, channel: str, file: str) -> None:
        """Tell of one file; it lies in the error folder, or still where it was without one."""
        self._aside.labels(channel).inc()
        self._log.warning("file_set_aside", channel=channel, file=file, reason="too_large")


class QueueGauges:
    """What stands in the queues of the deployment and what soon ends, set from time to time."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"clearance_{name}", text, labels, registry=registry)

        self._due = gauge("effects_due", "Effects that are due and held by nobody", "kind")
        self._late = gauge("effects_late_seconds", "How long the oldest of them has been due")
        self._receipts = gauge("receipts_waiting", "Receipt files kept and not yet applied")
        self._submissions = gauge("submissions_waiting", "Submissions kept and not yet taken in")
        self._parked = gauge("parked", "What waits for a person", "what")
        self._endpoints = gauge("endpoints_off", "Endpoints that are switched off")
        self._failing = gauge("endpoints_failing", "Endpoints this process sends pilots to only")
        self._cases = gauge("cases_open", "Cases that are not final")
        self._commands = gauge("commands_waiting", "Commands that wait to be committed here")
        self._in_hand = gauge("declarations_in_hand", "Declarations not yet handed over here")
        self._paused = gauge("channel_paused", "1 while nothing is sent", "channel")
        self._up = gauge("channel_up", "1 while the last heartbeat found it", "channel")
        self._shut = gauge("channel_shut", "1 while its breaker or a window holds", "channel")
        self._answered = gauge(
            "channel_answered_timestamp_seconds", "When it last took a message", "channel"
        )
        self._certificate = gauge(
            "certificate_ends_timestamp_seconds", "When a signing certificate ends", "ring"
        )
        self._signing = gauge("documents_to_sign", "Documents that wait for a key", "ring")
        self._ready = gauge("key_ready", "1 while a key can sign", "ring", "key")
        self._key_ends = gauge(
            "key_ends_timestamp_seconds", "When the certificate of a key ends", "ring", "key"
        )
        self._told_keys: set[tuple[str, str]] = set()
        self._seen = gauge("gauges_timestamp_seconds", "When these gauges were set")

    def queues(self, found: Queues, now: int) -> None:
        """What the database says."""
        for kind in EffectKind:
            self._due.labels(kind.value).set(found.due.get(kind.value, 0))
        self._late.set(found.late_us / _SECOND_US)
        self._receipts.set(found.receipts)
        self._submissions.set(found.submissions)
        for what, number in found.parked.items():
            self._parked.labels(what).set(number)
        self._endpoints.set(found.endpoints_off)
        self._cases.set(found.open_cases)
        self._seen.set(now / _SECOND_US)

    def process(self, *, commands: int, declarations: int, failing: int) -> None:
        """What this process holds."""
        self._commands.set(commands)
        self._in_hand.set(declarations)
        self._failing.set(failing)

    def channels(self, names: Sequence[str], paused: Sequence[str]) -> None:
        """Which channels are paused."""
        for name in names:
            self._paused.labels(name).set(name in paused)

    def ways(self, standing: Mapping[str, WayStanding]) -> None:
        """How this process finds its channels."""
        for name, one in standing.items():
            self._up.labels(name).set(one.is_up)
            self._shut.labels(name).set(one.shut_until is not None)
            self._answered.labels(name).set(one.answered_at / _SECOND_US)

    def rings(self, rings: Mapping[str, Ring]) -> None:
        """How the keys of each ring stand, and when the one that ends last in each ends."""
        standing = {(name, state.name) for name, ring in rings.items() for state in ring.states()}
        for gone in self._told_keys - standing:
            self._ready.remove(*gone)
            self._key_ends.remove(*gone)
        for name in {name for name, _ in self._told_keys} - rings.keys():
            self._signing.remove(name)
            self._certificate.remove(name)
        self._told_keys = standing
        for name, ring in rings.items():
            self._signing.labels(name).set(ring.waiting)
            states = ring.states()
            for state in states:
                self._ready.labels(name, state.name).set(state.health is Health.READY)
                self._key_ends.labels(name, state.name).set(state.ends.timestamp())
            if states:
                last = max(state.ends.timestamp() for state in states)
                self._certificate.labels(name).set(last)


class SigningMetrics(RingWatch):
    """What the key rings do: uses of each key, its failures by code, how long a signature takes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "clearance_signature_seconds", "Time of one signature, waiting left out",
            ["ring", "key"], buckets=_BUCKETS, registry=registry,
        )  # fmt: skip
        self._failures = Counter(
            "clearance_key_failures", "Failures of a key, which was then set aside",
            ["ring", "key", "code"], registry=registry,
        )  # fmt: skip
        self._log = structlog.get_logger("clearance.keys")

    def signed(self, ring: str, key: str, micros: int) -> None:
        """Count a use and its time."""
        self._seconds.labels(ring, key).observe(micros / _SECOND_US)

    def failed(self, ring: str, key: str, error: SigningError) -> None:
        """Count and log a failure by its code."""
        self._failures.labels(ring, key, error.code).inc()
        self._log.warning("key_set_aside", ring=ring, key=key, code=error.code)

    def returned(self, ring: str, key: str) -> None:
        """Log that a key signs again."""
        self._log.info("key_returned", ring=ring, key=key)


def _place(error: Exception) -> str:
    """Where an error was raised: module and line, never its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
