"""The words of findings: texts sit with the rules, findings store parameters."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

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


class _Elsewhere(NamedTuple):
    """The words of a finding that no rule of the catalogue makes."""

    zh: str
    en: str


# What a schema finds before anything is sent, and what was tolerated in a receipt.
_ELSEWHERE: Final[Mapping[str, _Elsewhere]] = {
    "SCHEMA-FAULT": _Elsewhere(
        "报文不符合海关规范：{where}。请更正该字段后重新核对。",
        "The message breaks customs' schema: {where}. Correct the field, then check again.",
    ),
    "RECEIPT-TOLERATED": _Elsewhere(
        "回执与海关规范略有出入，已容忍：{where}。原文已逐字节保留，无需处理。",
        "The receipt differs from customs' schema in ways that were tolerated: {where}. Its bytes"
        " are kept as they came; nothing needs to be done.",
    ),
}


def _where(finding: Finding) -> str:
    reason = finding.params.get("reason")
    return ", ".join(f"{path} ({finding.params.get(path, reason)})" for path in finding.paths)


def explain(finding: Finding, locale: str) -> str:
    """Cause and fix of a finding in ``zh`` or ``en``; any other locale reads English.

    A finding of a rule that this release does not know is told by its id and paths.
    """
    info = find_rule(finding.rule)
    paths = ", ".join(finding.paths)
    if info is None:
        words = _ELSEWHERE.get(finding.rule)
        if words is None:
            return f"{finding.rule}: {paths}"
        return (words.zh if locale == Locale.ZH else words.en).format(where=_where(finding))
    text = text_of(info, locale)
    if finding.state == "unverifiable" and not _asks_for_copy(info):
        if locale == Locale.ZH:
            return f"{text.title}：无法核对，{paths} 缺失或被脱敏。"
        return f"{text.title}: cannot be compared, {paths} is absent or masked."
    return _joined(_filled(text.cause, finding.params), _filled(text.fix, finding.params), locale)


def explain_unverified(rule: str, locale: str) -> str:
    """What it means that a rule could not be answered, where its fields are not told."""
    info = find_rule(rule)
    if info is None:
        return rule
    text = text_of(info, locale)
    if _asks_for_copy(info):
        return _joined(text.cause, text.fix, locale)
    if locale == Locale.ZH:
        return f"{text.title}：无法核对，所比较的字段缺失或被脱敏。"
    return f"{text.title}: cannot be compared, a field it reads is absent or masked."


def _asks_for_copy(info: RuleInfo) -> bool:
    """Whether what a rule cannot answer is a copy that nobody sent, which its own words say."""
    return info.id.endswith("-FILED-COPY")


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
