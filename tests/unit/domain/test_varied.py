"""What matching says when one place of a case is other than it should be, recorded in full.

Each field of the papers, a goods record and the profile is taken away, misspelled, masked, or given
another number, one at a time, in both base cases; and what breaks a rule in one base is tried in
the other. A rule that answers otherwise in a corner that no example reaches shows here.
``python -m tests.unit.domain.test_varied`` writes the records anew; read what it changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.domain.errors import InvalidValue
from gateway.domain.findings import Finding
from gateway.domain.matching import builtin_names, builtin_text, compile_pack
from gateway.domain.matching.examples import base_document, examples, varied
from gateway.domain.matching.matcher import PaperMatcher

RECORDS: Final = Path(__file__).parents[2] / "samples" / "golden" / "varied.json"
MATCHER: Final = PaperMatcher([compile_pack(builtin_text(name)) for name in builtin_names()])
BASES: Final = ("bonded", "direct")
# Both bases have two alike lines and records; the first of each is varied.
PLACES: Final = ("order", "payment", "waybill", "goods.SKU-1", "profile")
GROUPS: Final = tuple(f"{base} {place}" for base in BASES for place in (*PLACES, "examples"))

Variant = tuple[str, Mapping[str, Any]]  # Any: JSON


def variants(group: str) -> Iterator[Variant]:
    """The variants of one base and place, each with what it is called in the records."""
    base, place = group.split(" ")
    if place == "examples":
        yield from ((one.rule, one.bad) for one in examples() if one.base != base)
        return
    found: Any = base_document(base)
    for step in place.split("."):
        found = found[step]
    for path, value in _leaves(place, found):
        for how, other in _others(path, value):
            yield f"{path} {how}", {path: other}


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}", inner)
    elif isinstance(value, list):
        yield from _leaves(f"{path}.1", value[0])
    else:
        yield path, value


def _others(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Other values for a field: what is not allowed there is left out when it is tried."""
    yield "gone", None
    name = path.rpartition(".")[2]
    if isinstance(value, bool):
        yield "turned", not value
    elif isinstance(value, int):
        yield from {"0": 0, "+1": value + 1, "x1000": value * 1000}.items()
    elif value.endswith(" CNY"):
        yield from ((how, f"{one} CNY") for how, one in _numbers(Decimal(value[:-4])))
        yield "dollars", value.replace("CNY", "USD")
    elif name.endswith("_at"):
        yield from {"later": "2026-11-12T02:00:00Z", "earlier": "2025-01-01T00:00:00Z"}.items()
    elif "weight" in name or name in ("quantity", "factor1"):
        yield from ((how, str(one)) for how, one in _numbers(Decimal(value)))
    else:
        yield from _texts(value)
        if name in ("name", "id_number", "phone", "address") and not path.startswith("profile"):
            yield "masked, as it may be", {"masked": value[0] + "**"}
            yield "masked, as it cannot be", {"masked": "~**"}


def _numbers(value: Decimal) -> Iterator[tuple[str, Decimal]]:
    yield "0", Decimal(0)
    yield "negative", -value
    yield "and a cent", value + Decimal("0.01")
    yield "and a trifle", value + Decimal("0.0000001")
    yield "twice", value * 2
    yield "x100", value * 100


def _texts(value: str) -> Iterator[tuple[str, str]]:
    yield "empty", ""
    yield "with a letter more", value + "X"
    yield "with a wide space", value + "\u3000"
    yield "with a control character", "\u0001" + value
    yield "reversed", value[::-1]
    yield "x40", value * 40
    yield "small", value.lower()
    try:
        yield "next", str(int(Decimal(value)) + 1)
    except InvalidOperation:
        return


def answers(group: str) -> dict[str, list[str]]:
    """Kind and findings of every variant that can exist and does not just match."""
    base = group.split(" ", maxsplit=1)[0]
    found: dict[str, list[str]] = {}
    for name, changes in variants(group):
        try:
            verdict = varied(base, changes).match(MATCHER)
        except (InvalidValue, KeyError, ValueError):
            continue  # no such paper can be stored
        told = [_told(one) for one in verdict.findings]
        if told or verdict.missing:
            found[name] = [" ".join((verdict.kind.value, *verdict.missing)), *told]
    return found


def _told(finding: Finding) -> str:
    """A finding on one line; its parameters are recorded with the rule's own example."""
    parts = [finding.rule, finding.severity.value, finding.state]
    parts += [f"{path}={_short(value)}" for path, value in finding.paths.items()]
    parts += [finding.delta] if finding.delta else []
    parts += [
        f"[{fix.kind.value} {fix.path} by {fix.owner}: {_short(fix.value)} {fix.confidence.value}"
        f" {','.join(fix.evidence)}]"
        for fix in finding.fixes
    ]
    return " ".join(parts)


def _short(value: str | None) -> str:
    if value is None or len(value) <= 40:
        return str(value)
    return f"{value[:20]}...{len(value)}"


@pytest.fixture(scope="module")
def records() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(RECORDS.read_text("utf-8"))
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_a_field_that_is_other_than_it_should_be_is_told_as_recorded(
    group: str, records: Mapping[str, Any]
) -> None:
    assert answers(group) == records[group]


def test_every_kind_of_answer_and_most_rules_are_recorded(records: Mapping[str, Any]) -> None:
    lines = [line for group in GROUPS for told in records[group].values() for line in told[1:]]
    assert len({line.split(" ", 1)[0] for line in lines}) > 90
    assert {line.split(" ")[2] for line in lines} == {"broken", "unverifiable"}


if __name__ == "__main__":
    text = json.dumps({one: answers(one) for one in GROUPS}, ensure_ascii=False, indent=0)
    RECORDS.write_text(text + "\n", "utf-8")
