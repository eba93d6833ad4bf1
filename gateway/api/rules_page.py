"""The reference of matching rules, made from the catalogue: one section a rule, no network."""

from collections.abc import Mapping
from html import escape
from typing import Any, Final

import orjson

from gateway.domain.matching import RuleInfo, Text, catalogue
from gateway.domain.matching.examples import find_example

RULES_DOCS: Final = "/v1/docs/rules"
_SHOWN: Final = 200


def rules_page() -> bytes:
    """Every rule: papers, severity, parameters, source, customs code, texts, both examples."""
    rules = catalogue()
    links = " · ".join(f'<a href="#{info.id}">{info.id}</a>' for info in rules)
    sections = "\n".join(_section(info) for info in rules)
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        "<title>Matching rules of the clearance gateway</title></head>\n<body>\n"
        f"<h1>Matching rules · 比对规则 ({len(rules)})</h1>\n<p>{links}</p>\n"
        "<p>An example is a change of a case in which everything agrees; the bad one breaks its"
        " rule and no other.</p>\n"
        '<p lang="zh">示例是对一个完全一致的案件所作的改动；反例只触发该规则。</p>\n'
        f"{sections}\n</body>\n</html>\n"
    ).encode()


def _section(info: RuleInfo) -> str:
    papers = ", ".join(kind.value for kind in info.reads) or "the case as a whole"
    facts = [
        ("Papers · 单证", papers),
        ("Severity · 级别", f"{info.severity.value} → {info.leads_to.value}"),
        ("Owner · 责任方", info.owner.value),
        ("Customs code · 海关代码", info.code or "–"),
        ("Source · 依据", info.source),
    ]
    facts += [(f"Parameter · 参数 {name}", str(value)) for name, value in info.parameters.items()]
    rows = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in facts)
    example = find_example(info.id)
    shown = ""
    if example is not None:
        shown = _example("Good · 正例", example.base, example.good) + _example(
            "Bad · 反例", example.base, example.bad
        )
    return (
        f'<section id="{info.id}">\n<h2>{info.id} {escape(info.en.title)}'
        f' · <span lang="zh">{info.zh.title}</span></h2>\n<table>{rows}</table>\n'
        f"{_words(info.en, 'en')}{_words(info.zh, 'zh')}{shown}</section>"
    )


def _words(text: Text, locale: str) -> str:
    return f'<p lang="{locale}">{escape(text.cause)} {escape(text.fix)}</p>\n'


def _example(title: str, base: str, changes: Mapping[str, Any]) -> str:
    lines = "\n".join(f"{path} = {_value(value)}" for path, value in changes.items())
    return f"<p>{title} ({base})</p>\n<pre>{escape(lines or '(unchanged)')}</pre>\n"


def _value(value: object) -> str:
    text = orjson.dumps(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
