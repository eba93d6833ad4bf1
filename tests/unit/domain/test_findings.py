"""What a finding says, in full: places, values, fixes, ledger. One record for each bad example.

``python -m tests.unit.domain.test_findings`` writes the records anew; read what it changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.codec import finding_to_doc
from gateway.domain.matching import builtin_names, builtin_text, compile_pack
from gateway.domain.matching.examples import examples
from gateway.domain.matching.matcher import PaperMatcher

RECORDS = Path(__file__).parents[2] / "samples" / "golden" / "findings.json"
MATCHER = PaperMatcher([compile_pack(builtin_text(name)) for name in builtin_names()])
EXAMPLES = {one.rule: one for one in examples()}


def said(rule: str) -> list[dict[str, Any]]:
    """Every finding of a rule's bad example, as it is stored."""
    verdict = EXAMPLES[rule].bad_case().match(MATCHER)
    found: list[dict[str, Any]] = json.loads(
        json.dumps([finding_to_doc(one) for one in verdict.findings if one.rule == rule])
    )
    return found


@pytest.fixture(scope="module")
def records() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(RECORDS.read_text("utf-8"))
    return found


@pytest.mark.parametrize("rule", EXAMPLES)
def test_a_finding_says_what_is_recorded(rule: str, records: Mapping[str, Any]) -> None:
    assert said(rule) == records[rule]


def test_every_record_is_of_a_rule(records: Mapping[str, Any]) -> None:
    assert list(records) == list(EXAMPLES)


if __name__ == "__main__":
    text = json.dumps({rule: said(rule) for rule in EXAMPLES}, ensure_ascii=False, indent=1)
    RECORDS.write_text(text + "\n", "utf-8")
