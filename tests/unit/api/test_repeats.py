"""A key that an object holds twice is refused by name, however it is written."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.decode import decode, decode_line, key_count
from gateway.api.edge import ORDER
from gateway.api.faults import Fault, InvalidFields
from gateway.api.repeats import repeated_keys
from tests.unit.api.fakes import goods_doc, order_doc, payment_doc, waybill_doc

RAW = orjson.dumps(order_doc())


def refused(raw: bytes) -> list[str]:
    with pytest.raises(InvalidFields) as caught:
        decode(ORDER, raw)
    assert all("more than once" in fault.message for fault in caught.value.faults)
    return [fault.path for fault in caught.value.faults]


@pytest.mark.parametrize(
    "old,new,path",
    [
        (b'"paid":', b'"paid":"1.00","paid":', "paid"),
        (b'"paid":', b'"paid" :"1.00","paid"\n\t:', "paid"),
        (b'"paid":', b'"\\u0070aid":"1.00","paid":', "paid"),
        (b'"buyer":', b'"buyer":{"deep":[[{"a":1,"a":2}]]},"buyer":', "buyer"),
        (b'"buyer":', b'"buyer":' + b"9" * 4300 + b',"buyer":', "buyer"),
        (b'"district":', b'"district":"","district":', "consignee.district"),
        (b'"sku":', b'"sku":":","sku":', "lines[0].sku"),
    ],
)
def test_a_repeated_key_is_refused_by_its_path(old: bytes, new: bytes, path: str) -> None:
    assert RAW.count(old) == 1
    assert refused(RAW.replace(old, new)) == [path]


def test_a_line_of_a_batch_may_not_repeat_its_type() -> None:
    raw = orjson.dumps({"type": "order", **order_doc()})
    decode_line(raw)
    with pytest.raises(InvalidFields) as caught:
        decode_line(raw.replace(b"{", b'{"type":"order",', 1))
    assert [fault.path for fault in caught.value.faults] == ["type"]


@pytest.mark.parametrize("note", ['":', 'say \\":"x":', " : ", 'a":1,"a":2'])
def test_text_that_looks_like_a_key_is_text(note: str) -> None:
    doc = {**order_doc(), "note": f"x{note}x"}
    assert decode(ORDER, orjson.dumps(doc)).note == doc["note"]


@pytest.mark.parametrize(
    "kind,doc",
    [
        ("order", order_doc()),
        ("payment", payment_doc()),
        ("waybill", waybill_doc()),
        ("goods", goods_doc()),
    ],
)
def test_an_ordinary_paper_is_never_read_twice(
    monkeypatch: pytest.MonkeyPatch, kind: str, doc: dict[str, object]
) -> None:
    def unwanted(_: bytes) -> list[Fault]:
        raise AssertionError("read twice")

    monkeypatch.setattr("gateway.api.decode.repeated_keys", unwanted)
    decode_line(orjson.dumps({"type": kind, **doc}))
    decode_line(orjson.dumps({"type": kind, **doc}, option=orjson.OPT_INDENT_2))


def test_the_keys_of_a_model_are_those_its_sender_wrote() -> None:
    assert key_count(decode(ORDER, RAW)) == RAW.count(b'":')


VALUES = st.recursive(
    st.none() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(VALUES)
def test_an_object_without_repeats_has_none(value: object) -> None:
    assert repeated_keys(orjson.dumps(value)) == []
    twice = b'{"k":[{"a":' + orjson.dumps(value) + b',"a":1}]}'
    assert [fault.path for fault in repeated_keys(twice)] == ["k[0].a"]
