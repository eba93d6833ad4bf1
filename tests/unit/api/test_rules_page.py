"""The reference of rules: every rule with everything that people may know of it."""

from __future__ import annotations

import re

from gateway.api.rules_page import rules_page
from gateway.domain.matching import catalogue
from gateway.domain.matching.examples import examples


def test_every_rule_has_a_section_with_texts_code_and_examples() -> None:
    page = rules_page().decode()
    sections = dict(re.findall(r'<section id="([A-Z-]+)">\n(.*?)</section>', page, re.DOTALL))
    assert list(sections) == [info.id for info in catalogue()]
    for info in catalogue():
        section = sections[info.id]
        assert info.zh.title in section
        assert info.severity.value in section
        assert "Good · 正例" in section
        assert "Bad · 反例" in section
        assert (info.code or "–") in section
        for name, value in info.parameters.items():
            assert f"{name}</th><td>{value}" in section


def test_every_rule_has_its_examples_and_none_is_left_over() -> None:
    assert [one.rule for one in examples()] == [info.id for info in catalogue()]
    for one in examples():
        assert one.bad != one.good
        assert one.bad


def test_what_an_example_says_cannot_become_markup() -> None:
    page = rules_page().decode()
    assert "<script" not in page
    assert page.count("<section") == len(catalogue())
