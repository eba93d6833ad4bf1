"""Matching as a whole: verdicts, deadlines, packs, words."""

from __future__ import annotations

from gateway.domain.case import VerdictKind
from tests.unit.domain.papers import direct, good


def test_papers_that_agree_match_without_a_finding() -> None:
    for case in (good(5), direct(5), good(1)):
        verdict = case.match()
        assert verdict.findings == ()
        assert verdict.kind is VerdictKind.MATCHED
