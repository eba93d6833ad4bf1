"""What partners send and want: JSON with paths, spans of elements, forms, amounts."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.amounts import MOST_FEN, from_fen, shares, to_fen, unit_price
from adapters.wire import Node, Unreadable, element_spans, form, form_value, loads, path_and_query
from gateway.domain.errors import InvalidValue
from gateway.domain.money import Currency, Money

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(
    items=st.lists(VALUES, max_size=4),
    before=VALUES,
    after=VALUES,
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
)
def test_spans_are_the_elements(
    items: list[Any], before: Any, after: Any, indent: int | None, ascii_only: bool
) -> None:
    document = {"a": before, "data": {"list ": after, "list": items, "b": before}, "c": [after]}
    raw = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()
    spans = element_spans(raw, ("data", "list"))
    assert [json.loads(raw[at : at + length]) for at, length in spans] == items


@pytest.mark.parametrize(
    "raw, elements",
    [
        (b'{"l":[1],"l":[2,3]}', [b"2", b"3"]),
        (b'{"l":[1],"l":null}', []),
        (b'{"l":{"l":[1]}}', []),
        (b'[{"l":[1]}]', []),
        (b'{"m":["l",[9]],"l":[[1],{"l":[2]}]}', [b"[1]", b'{"l":[2]}']),
        (b'{"\\u006c":[1]}', [b"1"]),
    ],
)
def test_spans_follow_the_last_list_of_the_name(raw: bytes, elements: list[bytes]) -> None:
    found = element_spans(raw, ("l",))
    assert [raw[at : at + length] for at, length in found] == elements


def test_a_fault_names_its_place_and_not_its_value() -> None:
    node = loads(b'{"a":[{"b":"secret"}]}')
    inner = next(node.get("a").items()).get("b")
    with pytest.raises(Unreadable) as fault:
        inner.whole()
    assert fault.value.path == "/a/0/b"
    assert "secret" not in str(fault.value)


@pytest.mark.parametrize("value", [True, 1.0, -1, "1.5", "１", 2**63, "9" * 30, [], {}])
def test_what_is_no_whole_number(value: object) -> None:
    with pytest.raises(Unreadable):
        Node(value).whole()


@pytest.mark.parametrize("value", [1, 946_684_799, 4_102_444_800, "yesterday"])
def test_what_is_no_time(value: object) -> None:
    with pytest.raises(Unreadable):
        Node(value).moment()


def test_a_text_keeps_its_spelling() -> None:
    assert Node(" 测试·甲 ").text() == " 测试·甲 "
    assert Node("  ").text_or_none() is None


@given(text=TEXTS)
def test_a_form_value_comes_back(text: str) -> None:
    encoded = form_value(text)
    assert encoded.isascii()
    assert unquote_plus(encoded) == text


def test_forms_follow_the_rules_of_java() -> None:
    assert form({"a": "b c~*-._é+/"}) == "a=b+c%7E*-._%C3%A9%2B%2F"


def test_the_request_line_of_an_address() -> None:
    assert path_and_query("https://host:1/x/y?z=//1") == "/x/y?z=//1"
    assert path_and_query("https://host") == "/"


@given(fen=st.integers(0, MOST_FEN))
def test_fen_come_back(fen: int) -> None:
    assert to_fen(from_fen(fen), "amount") == fen


@pytest.mark.parametrize(
    "money", [Money(Decimal("0.001")), Money(Decimal(-1)), Money(Decimal(1), Currency("USD"))]
)
def test_what_is_no_count_of_fen(money: Money) -> None:
    with pytest.raises(InvalidValue, match="amount"):
        to_fen(money, "amount")


@given(total=st.integers(0, 10**9), weights=st.lists(st.integers(0, 10**9), max_size=9))
def test_shares_add_up_and_are_fair(total: int, weights: list[int]) -> None:
    parts = shares(total, weights)
    assert len(parts) == len(weights)
    if not weights:
        return
    assert sum(parts) == total
    whole = sum(weights)
    if whole:
        exact = [Decimal(total) * weight / whole for weight in weights]
        assert all(abs(part - due) < 1 for part, due in zip(parts, exact, strict=True))


def test_shares_of_a_golden_order() -> None:
    assert shares(2000, [27800, 11000]) == [1433, 567]


def test_a_unit_price_has_five_places() -> None:
    assert unit_price(from_fen(26367), 2).amount == Decimal("131.835")
    assert unit_price(from_fen(10000), 3).amount == Decimal("33.33333")
