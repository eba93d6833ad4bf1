"""Faults of a body: one sentence in English and Chinese per way to be wrong, and where it stands.

Messages never repeat the value: it may be personal, and the caller has it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import ErrorDetails

FAULTS_NAMED: Final = 100
_PATH_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Fault:
    """One faulty field: ``path`` as ``lines[0].price``, empty for the whole body.

    ``line`` counts from 1 in a field that is a text of many lines.
    """

    path: str
    message: str
    message_zh: str
    line: int | None = None

    def to_doc(self) -> dict[str, Any]:
        """The member of a problem's ``errors`` (Any: JSON values)."""
        doc: dict[str, Any] = {
            "path": self.path, "message": self.message, "message_zh": self.message_zh,
        }  # fmt: skip
        return doc if self.line is None else doc | {"line": self.line}


class InvalidJSON(Exception):
    """The bytes are no JSON text, or hold text that is no Unicode."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class InvalidFields(Exception):
    """The JSON value is not what the route takes; ``faults`` names every field."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} faulty fields")
        self.faults = tuple(faults)


_GENERIC: Final = ("is not what is expected here", "不符合此处的要求")

# Keyed by pydantic's error type; {names} are members of the error's context.
_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "amount": (
        "send a decimal as a JSON string (or an integer): not negative, at most 14 digits before"
        " and 5 after the point, no exponent, never a JSON float",
        "金额和数量请用 JSON 字符串（或整数）：不得为负，小数点前最多 14 位、后最多 5 位，"
        "不得用科学计数法，不得用 JSON 浮点数",
    ),
    "day": ("must be a calendar day as YYYY-MM-DD", "必须是 YYYY-MM-DD 格式的日期"),
    "extra_forbidden": ("is not a field of this object; remove it", "不是该对象的字段，请删除"),
    "finite_number": ("must be a plain number", "必须是普通数字"),
    "greater_than_equal": ("must be at least {ge}", "不得小于 {ge}"),
    "int_from_float": ("must be a whole number", "必须是整数"),
    "int_parsing_size": ("is too large", "数值过大"),
    "int_type": ("must be a JSON integer", "必须是 JSON 整数"),
    "less_than_equal": ("must be at most {le}", "不得大于 {le}"),
    "list_type": ("must be a JSON array", "必须是 JSON 数组"),
    "literal_error": ("must be one of: {expected}", "必须是以下之一：{expected}"),
    "missing": ("is missing; it is mandatory", "缺少必填字段"),
    "model_attributes_type": ("must be a JSON object", "必须是 JSON 对象"),
    "model_type": ("must be a JSON object", "必须是 JSON 对象"),
    "moment": (
        "must be an RFC 3339 time with its zone, for example 2026-11-03T10:00:00+08:00",
        "必须是带时区的 RFC 3339 时间，例如 2026-11-03T10:00:00+08:00",
    ),
    "positive": ("must be greater than 0", "必须大于 0"),
    "string_pattern_mismatch": ("does not have the form of {pattern}", "格式须符合 {pattern}"),
    "string_too_long": ("has more than {max_length} characters", "超过 {max_length} 个字符"),
    "string_too_short": ("must have at least {min_length} character", "至少 {min_length} 个字符"),
    "string_type": ("must be a JSON string", "必须是 JSON 字符串"),
    "too_long": ("has more than {max_length} items", "超过 {max_length} 项"),
    "too_short": ("must have at least {min_length} item", "至少 {min_length} 项"),
    "union_tag_invalid": ("must be one of: {expected_tags}", "必须是以下之一：{expected_tags}"),
    "union_tag_not_found": (
        "is missing; say order, payment, waybill, goods, or export_order, funds_receipt,"
        " export_waybill",
        "缺少 type，请填 order、payment、waybill、goods 或 export_order、funds_receipt、"
        "export_waybill",
    ),
}
_TAGS: Final = frozenset(
    {"order", "payment", "waybill", "goods", "export_order", "funds_receipt", "export_waybill"}
)
_POSITION: Final = re.compile(r" at line ([0-9]+) column ([0-9]+)$")
_REFERENCE_FORM: Final = r"^\S(?:.*\S)?$"


def faults_of(details: Sequence[ErrorDetails], *, is_tagged: bool = False) -> list[Fault]:
    """The faults of a failed validation, each with its path and both texts.

    ``is_tagged``: paths begin with the type of the object, which is no field of it.
    """
    return [_fault(detail, is_tagged) for detail in details[:FAULTS_NAMED]]


def too_many_faults(number: int) -> Fault:
    """There are more faults than anybody wants to read."""
    return Fault("", f"{number} fields are faulty", f"共有 {number} 个字段有误")


def text_fault(path: str) -> Fault:
    """A text holds a character that XML 1.0 cannot carry."""
    return Fault(
        path,
        "holds a control character that XML cannot carry; remove it",
        "含有 XML 不允许的控制字符，请删除",
    )


def broken_json(raw: bytes, error: str) -> InvalidJSON:
    """Why bytes are no JSON: the place in them, and as far as it can be told the field."""
    position = _POSITION.search(error)
    reason = error[: position.start()] if position else error
    line, column = (int(position[1]), int(position[2])) if position else (1, 0)
    try:
        raw.decode()
    except UnicodeDecodeError as fault:
        reason, offset = "these bytes are no UTF-8", fault.start
        line = raw.count(b"\n", 0, offset) + 1
        column = offset - raw.rfind(b"\n", 0, offset)
        reason_zh = "不是合法的 UTF-8"
    else:
        offset = _offset(raw, line, column)
        reason_zh = "不是合法的 JSON"
        if "surrogate" in reason or "hex escape" in reason:
            reason, reason_zh = "a lone surrogate is no character", "孤立的代理项不是字符"
    return InvalidJSON(
        Fault(
            path_at(raw, offset),
            f"{reason} (line {line}, column {column})",
            f"{reason_zh}（第 {line} 行，第 {column} 列）",
        )
    )


def _offset(raw: bytes, line: int, column: int) -> int:
    start = 0
    for _ in range(line - 1):
        start = raw.find(b"\n", start) + 1
    return min(start + column, len(raw))


_TOKEN: Final = re.compile(rb'"((?:[^"\\]|\\.)*)("?)|[{}\[\]:,]', re.DOTALL)


def path_at(raw: bytes, offset: int) -> str:
    """The path of the field that byte ``offset`` of a JSON text lies in, as far as it got."""
    path: list[str | int] = []
    text = ""
    for token in _TOKEN.finditer(raw, 0, offset):
        mark = token.group()[:1]
        if mark == b'"':
            text = token[1].decode(errors="replace") if token[2] else ""
        elif mark in b"{[":
            path.append("" if mark == b"{" else 0)
        elif mark in b"}]" and path:
            path.pop()
        elif mark == b":" and path:
            path[-1] = text
        elif mark == b"," and path:
            last = path[-1]
            path[-1] = last + 1 if isinstance(last, int) else ""
    return path_text([part for part in path if part != ""])


def path_text(parts: Iterable[str | int]) -> str:
    """A path as text: names joined by points, places in brackets."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text[:_PATH_LIMIT]


def _fault(detail: ErrorDetails, is_tagged: bool) -> Fault:
    kind, parts = detail["type"], list(detail["loc"])
    if is_tagged and parts and parts[0] in _TAGS:
        parts = parts[1:]
    if kind.startswith("union_tag"):
        parts = [*parts, "type"]
    if kind == "string_pattern_mismatch":
        return _form_fault(path_text(parts), str(detail.get("ctx", {}).get("pattern", "")))
    english, chinese = _TEXTS.get(kind, _GENERIC)
    context: Mapping[str, Any] = detail.get("ctx", {})  # Any: members vary by error type
    return Fault(path_text(parts), english.format(**context), chinese.format(**context))


def _form_fault(path: str, pattern: str) -> Fault:
    if pattern == _REFERENCE_FORM:
        return Fault(
            path,
            "must not begin or end with a space or hold a line break",
            "首尾不得有空格，不得含换行",
        )
    english, chinese = _TEXTS["string_pattern_mismatch"]
    return Fault(path, english.format(pattern=pattern), chinese.format(pattern=pattern))
