"""Laws of the parser, the writer, the reader and the envelope."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas.envelope import open_file, unwrap, wrap
from schemas.errors import RecordRefusedError, SchemaError
from schemas.loader import LARGE, Limits, parse
from schemas.reader import compile_reader
from schemas.validate import ValidatorPool
from schemas.writer import interpret_record, plain_number
from tests.unit.schemas.sample import (
    GUID,
    ORDER,
    TRANSFER,
    Line,
    Order,
    order_message,
    order_writer,
    plan,
)

pytestmark = pytest.mark.law
WRITER = order_writer()
READER = compile_reader(plan("CEB311Message"))
POOL = ValidatorPool("ceb", "202205", "CEB311Message")

anything = st.text(st.characters(codec=None), max_size=30)
legal = st.text(
    st.characters(codec="utf-8", exclude_characters="\r", exclude_categories=("Cc", "Cs")).filter(
        lambda char: char not in "\ufffe\uffff"
    )
    | st.sampled_from("\t\n&<>\"'"),
    max_size=30,
)
filled = legal.filter(lambda text: bool(text.strip(" \t\n")))
amounts = st.decimals(0, 10**14 - 1, places=5, allow_nan=False)
lines = st.builds(
    Line,
    number=st.integers(1, 9999),
    name=filled,
    model=filled,
    sku=st.none() | legal,
    quantity=amounts,
    price=amounts,
    total=amounts,
    note=st.none() | legal,
)
orders = st.builds(
    Order,
    address=filled,
    note=st.none() | legal,
    freight=amounts,
    tax=amounts,
    lines=st.lists(lines, min_size=1, max_size=3).map(tuple),
)


@given(st.lists(orders, min_size=1, max_size=3))
def test_what_is_written_is_canonical_valid_and_read_back(batch: list[Order]) -> None:
    message = order_message(*batch)
    root = parse(message)
    assert etree.tostring(root, method="c14n") == message
    POOL.check(root)
    read = READER.read(root)
    for order, record in zip(batch, read.records, strict=True):
        assert not record.faults
        address = record.fields["OrderHead/consigneeAddress"]
        assert address == order.address.strip(" \t\r\n")
        assert Decimal(record.fields["OrderHead/freight"]) == order.freight
        found = record.lists["OrderList"]
        assert [Decimal(line["price"]) for line in found] == [line.price for line in order.lines]


@given(orders, anything, anything, st.none() | st.decimals() | st.integers() | anything)
def test_both_paths_agree_on_anything(
    order: Order, address: str, note: str, freight: Decimal
) -> None:
    order = replace(order, address=address, note=note, freight=freight)
    outcomes: list[object] = []
    for write in (WRITER.record, lambda one: interpret_record(WRITER.plan, ORDER, ["order"], one)):
        try:
            text = write(order)
        except RecordRefusedError as error:
            outcomes.append(error.faults)
        else:
            outcomes.append(text)
            message = WRITER.message(GUID, [text], TRANSFER)
            assert etree.tostring(parse(message), method="c14n") == message
    assert outcomes[0] == outcomes[1]


@given(st.decimals() | st.integers().map(Decimal) | amounts)
def test_a_number_is_either_refused_or_plain_and_equal(value: Decimal) -> None:
    try:
        text = plain_number(value)
    except ValueError:
        return
    assert Decimal(text) == value
    assert not set(text) - set("-.0123456789")
    assert "." not in text or not text.endswith("0")
    data = order_message(replace(Order(), freight=value))
    POOL.check(parse(data))


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_parsed_or_refused_by_a_typed_error(data: bytes) -> None:
    for take in (parse, open_file):
        with suppress(SchemaError):
            take(data)


MESSAGE = order_message()
PIECES = [b"", b"<", b">", b"<!--x-->", b"<x/>", b"&amp;", b"\xe4"]


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_message_never_breaks_the_reader(data: st.DataObject) -> None:
    damaged = bytearray(MESSAGE)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        piece = data.draw(st.sampled_from(PIECES))
        damaged[at : at + data.draw(st.integers(0, 30))] = piece
    try:
        root = parse(bytes(damaged))
    except SchemaError:
        return
    for record in READER.read(root).records:
        assert all(isinstance(value, str) for value in record.fields.values())


def element(tag: str, items: list[str], count: int) -> str:
    attributes = "".join(f" x{i}='{i}'" for i in range(count))
    return f"<{tag}{attributes}>{''.join(items)}</{tag}>"


tags = st.sampled_from(["a", "b", "c"])
trees = st.recursive(
    tags.map(lambda tag: f"<{tag}/>"),
    lambda inner: st.builds(element, tags, st.lists(inner, max_size=4), st.integers(0, 6)),
    max_leaves=20,
)


@given(trees)
def test_limits_are_exact(text: str) -> None:
    root = parse(text.encode())
    elements = list(root.iter())
    depth = max(sum(1 for _ in element.iterancestors()) + 1 for element in elements)
    attributes = max(len(element.attrib) for element in elements)
    exact = Limits(elements=len(elements), attributes=attributes, depth=depth)
    assert parse(text.encode(), exact).tag == root.tag
    for tight in (
        replace(exact, elements=len(elements) - 1),
        replace(exact, depth=depth - 1),
        *([replace(exact, attributes=attributes - 1)] if attributes else []),
    ):
        try:
            parse(text.encode(), tight)
        except SchemaError:
            continue
        raise AssertionError(f"not refused: {tight}")


@given(st.binary(min_size=1, max_size=500), legal.filter(lambda text: 0 < len(text) <= 16))
def test_envelopes_give_back_what_was_put_in(data: bytes, sender: str) -> None:
    sealed = wrap(
        data,
        cop_msg_id="ID-1",
        sender_id=sender,
        receiver_ids=["DXPEDCCEB0000002"],
        created="2024-01-01T12:00:00",
        msg_type="CEB311Message",
    )
    assert etree.tostring(parse(sealed, LARGE), method="c14n") == sealed
    opened = unwrap(sealed)
    assert opened.data == data
    assert opened.sender_id == sender.strip()
