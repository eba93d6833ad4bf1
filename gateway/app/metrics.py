"""What the engine counts, as Prometheus metrics, and its failures as logs."""

import structlog
from prometheus_client import CollectorRegistry, Counter

from gateway.domain.errors import GatewayError
from schemas.errors import SchemaError
from signing.errors import SigningError


class EngineMetrics:
    """Implements ``flow.engine.Observer``."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._counted = Counter(
            "clearance_flow", "What the stages did", ["what"], registry=registry
        )
        self._failed = Counter(
            "clearance_flow_failures", "Stages that failed and are tried again", ["stage", "code"],
            registry=registry,
        )  # fmt: skip
        self._log = structlog.get_logger("clearance.flow")

    def count(self, name: str, amount: int = 1) -> None:
        """Add to a counter."""
        self._counted.labels(name).inc(amount)

    def failed(self, stage: str, error: Exception) -> None:
        """Count and log a failure by its code: a text might quote what was sent."""
        known = (GatewayError, SchemaError, SigningError)
        code = error.code if isinstance(error, known) else type(error).__name__
        self._failed.labels(stage, code).inc()
        self._log.warning("stage_failed", stage=stage, code=code, place=_place(error))


def _place(error: Exception) -> str:
    """Where an error was raised: module and line, never its text."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
