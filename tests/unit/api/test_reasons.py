"""Each reason for which the domain refuses a value is told in Chinese too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.api.reasons import reason_zh, value_fault
from gateway.domain.errors import InvalidValue

ROOT = Path(__file__).parents[3]


def reasons() -> Iterator[str]:
    """Every reason in the code, with a number for each value in it."""
    for folder in ("gateway", "adapters", "store"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                is_refusal = isinstance(node, ast.Call) and (
                    getattr(node.func, "id", "") == "InvalidValue"
                )
                if is_refusal and len(node.args) > 1:  # type: ignore[attr-defined]
                    yield from _text(node.args[1])  # type: ignore[attr-defined]


def _text(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield str(node.value)
    if isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values
        )


REASONS = sorted(set(reasons()))


def test_there_are_reasons() -> None:
    assert len(REASONS) > 60


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_told_in_chinese(reason: str) -> None:
    told = reason_zh(reason)
    assert told != reason
    assert any("\u4e00" <= letter <= "\u9fff" for letter in told)
    assert ("7" in told) == ("7" in reason) or "at most 14" in reason


def test_a_fault_has_both() -> None:
    fault = value_fault(InvalidValue("after", "is not a cursor of this list"))
    assert (fault.path, fault.message) == ("after", "is not a cursor of this list")
    assert fault.message_zh == "不是此列表的游标"


def test_what_nobody_foresaw_stays_as_it_is() -> None:
    assert reason_zh("is quite something else") == "is quite something else"
