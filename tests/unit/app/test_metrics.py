"""Every metric that dashboard and alerts name exists, and the gauges say what they are told."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import Any

import orjson
import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from gateway.api.metrics import APIMetrics
from gateway.app.metrics import (
    STAGES,
    EngineMetrics,
    FolderMetrics,
    MeasuredIngest,
    QueueGauges,
)
from gateway.domain.errors import Overloaded
from gateway.ports import EffectKind
from store.boxwork import Queues

OPS = files("gateway.app.ops")
NOW = 1_790_000_000_000_000


def known() -> set[str]:
    registry = CollectorRegistry()
    APIMetrics(registry)
    EngineMetrics(registry)
    FolderMetrics(registry, ["dxp"])
    QueueGauges(registry)
    names: set[str] = set()
    for family in registry.collect():
        names.add(family.name)
        if family.type == "counter":
            names.add(f"{family.name}_total")
        if family.type == "histogram":
            names |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def expressions(name: str) -> list[str]:
    text = (OPS / name).read_text(encoding="utf-8")
    if name.endswith(".yml"):
        groups = yaml.safe_load(text)["groups"]
        return [rule["expr"] for group in groups for rule in group["rules"]]
    panels = orjson.loads(text)["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("name", ["dashboard.json", "alerts.yml"])
def test_every_metric_named_exists(name: str) -> None:
    found = expressions(name)
    assert len(found) >= 10
    named = {word for one in found for word in re.findall(r"clearance_[a-z_]+", one)}
    assert named <= known()


def test_every_queue_is_on_the_dashboard_and_every_alert_says_what_to_do() -> None:
    shown = " ".join(expressions("dashboard.json") + expressions("alerts.yml"))
    assert {name for name in known() if name not in shown and "flow" not in name} <= {
        "clearance_stage_seconds", "clearance_stage_seconds_sum", "clearance_stage_seconds_count",
        "clearance_http_request_seconds", "clearance_http_request_seconds_sum",
        "clearance_http_request_seconds_count", "clearance_http_requests",
        "clearance_http_failures",
    }  # fmt: skip
    rules = yaml.safe_load((OPS / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
    for rule in rules:
        assert rule["annotations"]["fix"]
        assert re.search("[\u4e00-\u9fff]", rule["annotations"]["summary"])
        assert rule["labels"]["severity"] in ("page", "ticket")
    assert len({rule["alert"] for rule in rules}) == len(rules)


def test_gauges_say_what_they_are_told_and_forget_what_is_over() -> None:
    registry = CollectorRegistry()
    gauges = QueueGauges(registry)
    gauges.queues(Queues({"send": 3}, 9_000_000, 2, 5, {"effects": 1}, 1, 7), NOW)
    gauges.channels(["dxp", "other"], ["dxp"])
    gauges.process(commands=4, declarations=6, failing=2)
    value = registry.get_sample_value
    assert value("clearance_effects_due", {"kind": "send"}) == 3
    assert value("clearance_effects_late_seconds") == 9
    assert value("clearance_submissions_waiting") == 5
    assert value("clearance_parked", {"what": "effects"}) == 1
    assert value("clearance_channel_paused", {"channel": "dxp"}) == 1
    assert value("clearance_channel_paused", {"channel": "other"}) == 0
    assert value("clearance_commands_waiting") == 4
    assert value("clearance_declarations_in_hand") == 6
    gauges.queues(Queues({}, 0, 0, 0, {"effects": 0}, 0, 0), NOW + 1)
    for kind in EffectKind:
        assert value("clearance_effects_due", {"kind": kind.value}) == 0


async def test_intake_is_measured_once_a_batch() -> None:
    class Take:
        async def take(self, items: Any) -> Any:
            if not items:
                raise Overloaded("full")
            return [type("Result", (), {"status": status}) for status in items]

    class Clock:
        def now(self) -> int:
            return NOW

    class Status(str):
        @property
        def value(self) -> str:
            return str(self)

    registry = CollectorRegistry()
    ingest: Any = Take()
    clock: Any = Clock()
    measured = MeasuredIngest(ingest, EngineMetrics(registry), clock)
    batch: Any = [Status("accepted"), Status("accepted"), Status("frozen")]
    await measured.take(batch)
    value = registry.get_sample_value
    assert value("clearance_flow_total", {"what": "papers.accepted"}) == 2
    assert value("clearance_flow_total", {"what": "papers.frozen"}) == 1
    assert value("clearance_stage_seconds_count", {"stage": "ingest"}) == 1
    with pytest.raises(Overloaded):
        await measured.take([])
    for stage in STAGES:
        assert f'stage="{stage}"' in generate_latest(registry).decode()


def test_a_file_that_is_set_aside_is_counted_and_logged() -> None:
    registry = CollectorRegistry()
    metrics = FolderMetrics(registry, ["dxp"])
    assert registry.get_sample_value("clearance_files_set_aside_total", {"channel": "dxp"}) == 0
    with capture_logs() as lines:
        metrics.set_aside("dxp", "big.xml")
    assert registry.get_sample_value("clearance_files_set_aside_total", {"channel": "dxp"}) == 1
    (line,) = lines
    assert (line["log_level"], line["event"]) == ("warning", "file_set_aside")
    assert (line["channel"], line["file"]) == ("dxp", "big.xml")
