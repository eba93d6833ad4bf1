"""The glossary against the code and the schemas."""

from __future__ import annotations

import re
from importlib import resources

from gateway.domain.case import VerdictKind
from gateway.domain.matching import builtin_text, catalogue
from gateway.domain.matching.catalogue import RULE_FAILED

TEXT = (resources.files("gateway.domain") / "docs.md").read_text("utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith("|---")
]


def test_one_word_names_one_thing() -> None:
    words = [row[0] for row in ROWS if len(row) == 4 and row[0] != "English"]
    assert len(words) > 50
    assert len(words) == len(set(words))
    for row in ROWS:
        if len(row) == 4 and row[0] != "English":
            assert re.search("[\u4e00-\u9fff]|copNo", row[1]), row


def test_every_verdict_is_explained() -> None:
    for kind in VerdictKind:
        assert f"| `{kind}` |" in TEXT


def test_the_example_of_a_rule_id_exists() -> None:
    ids = {info.id for info in catalogue()} | {RULE_FAILED.info.id}
    for found in re.findall(r"`([A-Z]+-[A-Z-]+)`", TEXT):
        assert found in ids


def test_the_default_pack_names_every_rule() -> None:
    text = builtin_text("import-default")
    for info in catalogue():
        assert f"[rules.{info.id}]" in text
