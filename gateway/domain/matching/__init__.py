"""Matching: do the papers of a case agree, and can they be declared?

A rule is a small function with a declaration (``rule``), rules stand in ``rules/`` by group, a
``pack`` says which of them run and how strictly, the ``matcher`` asks them all and gives one
verdict with every finding, and ``explain`` puts findings into words.
"""

from gateway.domain.matching.catalogue import catalogue, find_rule
from gateway.domain.matching.explain import (
    Locale,
    explain,
    explain_missing,
    explain_unverified,
    text_of,
)
from gateway.domain.matching.matcher import PaperMatcher
from gateway.domain.matching.pack import (
    DEFAULT_PACK,
    RulePack,
    RuleSetting,
    builtin_names,
    builtin_text,
    compile_pack,
)
from gateway.domain.matching.rule import Group, Outcome, Owner, RuleInfo, Text

__all__ = [
    "DEFAULT_PACK",
    "Group",
    "Locale",
    "Outcome",
    "Owner",
    "PaperMatcher",
    "RuleInfo",
    "RulePack",
    "RuleSetting",
    "Text",
    "builtin_names",
    "builtin_text",
    "catalogue",
    "compile_pack",
    "explain",
    "explain_missing",
    "explain_unverified",
    "find_rule",
    "text_of",
]
