"""An enemy's documents: refused for the right reason, under the memory that one may cost."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from schemas.library import Library
from tests.unit.schemas.hostile import DOCUMENTS, MOST_MEMORY, envelope, receipt, refusal

LIBRARY = Library("202205")
REASONS = {
    "doctype": "SCHEMA-103",
    "doctype behind comments": "SCHEMA-103",
    "doctype of a file": "SCHEMA-103",
    "doctype of the network": "SCHEMA-103",
    "entity bomb": "SCHEMA-103",
    "wide entity bomb": "SCHEMA-103",
    "deep nesting": "SCHEMA-107",
    "nesting just over the limit": "SCHEMA-106",
    "100,000 attributes": "SCHEMA-105",
    "100,000 attributes inside": "SCHEMA-105",
    "100,000 namespaces": "SCHEMA-105",
    "a million elements": "SCHEMA-104",
    "300,000 elements": "SCHEMA-104",
    "huge text": "SCHEMA-101",
    "huge attribute": "SCHEMA-101",
    "huge comment": "SCHEMA-101",
    "utf-16": "SCHEMA-102",
    "declared utf-16": "SCHEMA-102",
    "utf-7": "SCHEMA-102",
    "gbk that is not": "SCHEMA-102",
    "comment inside a value": "returnStatus: markup",
    "instruction inside a value": "returnStatus: markup",
    "comment inside a number of the case": "copNo: markup",
    "element inside a value": "returnStatus: markup",
    "a value twice": "returnStatus: repeated",
    "xml:base": "SCHEMA-108",
    "xml:id": "SCHEMA-108",
    "xml:space": "SCHEMA-108",
    "xml:lang": "SCHEMA-108",
    "another namespace": "SCHEMA-601",
    "no namespace": "SCHEMA-601",
    "a namespace that only looks alike": "SCHEMA-601",
    "fields in another namespace": "copNo: missing",
    "base64 in base64": "SCHEMA-600",
    "envelope over the limit": "SCHEMA-101",
    "base64 of nothing": "SCHEMA-600",
    "base64 of spaces": "SCHEMA-600",
    "two Data": "SCHEMA-600",
    "9 MiB of text in the envelope": "SCHEMA-600",
}
"""Everything else is not well-formed."""

_CHILD = [sys.executable, "-m", "tests.unit.schemas.hostile"]


def test_the_innocent_twin_is_taken() -> None:
    for data in (receipt(), envelope(receipt())):
        with pytest.raises(AssertionError, match="without a fault"):
            refusal(data, LIBRARY)


@pytest.mark.slow
def test_each_is_refused_for_its_reason_and_under_the_memory() -> None:
    # Each in a process of its own that may not map 64 MiB more than it did before.
    def run(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*_CHILD, name], capture_output=True, text=True, check=False)

    with ThreadPoolExecutor(2) as pool:
        for name, done in zip(DOCUMENTS, pool.map(run, DOCUMENTS), strict=True):
            assert done.returncode == 0, (name, done.stderr[-500:])
            _, told, _, memory = done.stdout.rstrip("\n").split("\t")
            assert told == REASONS.get(name, "SCHEMA-107"), name
            assert int(memory) < MOST_MEMORY
