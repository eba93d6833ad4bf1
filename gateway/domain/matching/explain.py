"""The words of findings: texts sit with the rules, findings store parameters."""

from collections.abc import Mapping
from enum import StrEnum

from gateway.domain.findings import Finding
from gateway.domain.matching.catalogue import find_rule
from gateway.domain.matching.rule import RuleInfo, Text


class Locale(StrEnum):
    """The languages in which rules speak."""

    ZH = "zh"
    EN = "en"


class _Named(dict[str, str]):
    """Parameters of a finding; one that an older release did not store stays visible by name."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def explain(finding: Finding, locale: str) -> str:
    """Cause and fix of a finding in ``zh`` or ``en``; any other locale reads English.

    A finding of a rule that this release does not know is told by its id and paths.
    """
    info = find_rule(finding.rule)
    paths = ", ".join(finding.paths)
    if info is None:
        return f"{finding.rule}: {paths}"
    text = text_of(info, locale)
    if finding.state == "unverifiable":
        if locale == Locale.ZH:
            return f"{text.title}：无法核对，{paths} 缺失或被脱敏。"
        return f"{text.title}: cannot be compared, {paths} is absent or masked."
    return _joined(_filled(text.cause, finding.params), _filled(text.fix, finding.params), locale)


def explain_missing(name: str, locale: str) -> str:
    """What it means that a paper (``payment``) or goods record (``goods:SKU``) is missing."""
    group, _, sku = name.partition(":")
    info = find_rule(f"{group.upper()}-MISSING")
    if info is None:
        return name
    text = text_of(info, locale)
    cause = f"{text.title}: {sku}." if sku else text.cause
    if sku and locale == Locale.ZH:
        cause = f"{text.title}：{sku}。"
    return _joined(cause, text.fix, locale)


def text_of(info: RuleInfo, locale: str) -> Text:
    """The texts of a rule in ``zh`` or ``en``; any other locale reads English."""
    return info.zh if locale == Locale.ZH else info.en


def _filled(template: str, params: Mapping[str, str]) -> str:
    return template.format_map(_Named(params))


def _joined(cause: str, fix: str, locale: str) -> str:
    return f"{cause}{fix}" if locale == Locale.ZH else f"{cause} {fix}"
