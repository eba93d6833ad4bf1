from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api import edge
from gateway.api.decode import (
    GoodsItem,
    PaperItem,
    decode,
    decode_line,
    split_lines,
    to_item,
)
from gateway.api.faults import InvalidFields, InvalidJSON, path_at
from gateway.domain.errors import InvalidValue
from gateway.domain.goods import GoodsScope
from gateway.domain.money import Money
from gateway.domain.papers import IdentityCheck, Order, PaymentSlip, Waybill
from tests.unit.api.fakes import goods_doc, order_doc, payment_doc, waybill_doc

SCOPE = GoodsScope("5141", "9610")


def order_with(path: tuple[str | int, ...], value: Any) -> bytes:
    doc: Any = order_doc()
    at = doc
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return orjson.dumps(doc)


def faults(raw: bytes, adapter: Any = edge.ORDER) -> dict[str, str]:
    with pytest.raises(InvalidFields) as caught:
        decode(adapter, raw)
    return {fault.path: fault.message for fault in caught.value.faults}


def test_an_order_becomes_the_domain_value_it_says() -> None:
    item = to_item(decode(edge.ORDER, orjson.dumps(order_doc())))
    assert isinstance(item, PaperItem)
    order = item.paper
    assert isinstance(order, Order)
    assert (item.profile_id, item.order_no) == ("alpha-9610", order.order_no)
    assert order.freight == Money(Decimal(0))
    assert order.paid == Money(Decimal("327.30"))
    assert str(order.paid.amount) == "327.30"
    assert order.ordered_at == datetime(2026, 11, 3, 2, tzinfo=UTC)
    assert order.buyer.id_type == "1"
    assert order.buyer.account == "buyer1"
    assert order.consignee.district == "110105"
    assert order.payment.transaction_id == "T1"
    (line,) = order.lines
    assert (line.quantity, line.price, line.unit) == (Decimal(3), Money(Decimal(100)), "122")
    assert (line.sku, line.name, line.model) == ("SKU1", "婴儿配方奶粉", "800g/罐")
    assert (line.total, line.origin) == (Money(Decimal("300.00")), "304")


def test_a_payment_and_a_waybill_become_theirs() -> None:
    payment = to_item(decode(edge.PAYMENT, orjson.dumps(payment_doc())))
    assert isinstance(payment, PaperItem)
    slip = payment.paper
    assert isinstance(slip, PaymentSlip)
    assert slip.identity_check is IdentityCheck.SAME
    assert slip.paid_at == datetime(2026, 11, 3, 2, 0, 5, 500_000, tzinfo=UTC)
    assert slip.payer.name == "张三"
    item = to_item(decode(edge.WAYBILL, orjson.dumps(waybill_doc())))
    assert isinstance(item, PaperItem)
    waybill = item.paper
    assert isinstance(waybill, Waybill)
    assert (waybill.freight, waybill.insurance) == (Money(Decimal("12.5")), None)
    assert (waybill.gross_weight_kg, waybill.pack_count) == (Decimal("2.6"), 1)


def test_goods_take_their_scope_from_the_profile_and_are_checked() -> None:
    item = to_item(decode(edge.GOODS, orjson.dumps(goods_doc())))
    assert isinstance(item, GoodsItem)
    record = item.record(SCOPE)
    assert (record.scope, record.version) == (SCOPE, 0)
    assert (record.factor1, record.vat_rate) == (Decimal("0.8"), Decimal("0.13"))
    assert record.valid_from == date(2026, 1, 1)
    heavy = to_item(decode(edge.GOODS, orjson.dumps({**goods_doc(), "net_weight_kg": "9"})))
    assert isinstance(heavy, GoodsItem)
    with pytest.raises(InvalidValue, match="net_weight_kg"):
        heavy.record(SCOPE)


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        -1,
        "-1",
        "1e5",
        "+1",
        "01",
        ".5",
        "1.",
        "1.123456",
        "123456789012345",
        12345678901234567890,
        "NaN",
        "Infinity",
        "",
        " 1",
        "1\n",
        "1,000",
        "١",
        True,
        None,
        [],
        {},
    ],
)
def test_what_is_no_amount_is_named_by_its_path(value: Any) -> None:
    found = faults(
        order_with(("lines", 0, "price"), value)
        if not isinstance(value, int) or value < 2**63
        else orjson.dumps(order_doc()).replace(b'"price":"100"', b'"price":12345678901234567890')
    )
    assert list(found) == ["lines[0].price"]
    assert "JSON string" in found["lines[0].price"]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e3", b"0.1"])
def test_json_numbers_that_are_no_whole_numbers_are_refused(number: bytes) -> None:
    raw = orjson.dumps(order_doc()).replace(b'"paid":"327.30"', b'"paid":' + number)
    assert list(faults(raw)) == ["paid"]


@given(
    st.decimals(min_value=0, max_value=Decimal("99999999999999.99999"), places=5).map(
        lambda number: format(number, "f")
    )
)
def test_every_amount_keeps_every_digit(text: str) -> None:
    item = to_item(decode(edge.ORDER, order_with(("tax",), text)))
    assert isinstance(item, PaperItem)
    assert isinstance(item.paper, Order)
    assert format(item.paper.tax.amount, "f") == text


def test_all_faults_come_at_once_each_with_its_path_in_two_languages() -> None:
    doc = order_doc()
    del doc["order_no"]
    doc["surprise"] = 1
    doc["buyer"]["phone"] = 13800000001
    doc["lines"][0]["unit"] = "piece"
    doc["paid"] = 327.3
    with pytest.raises(InvalidFields) as caught:
        decode(edge.ORDER, orjson.dumps(doc))
    found = caught.value.faults
    assert {fault.path for fault in found} == {
        "order_no",
        "surprise",
        "buyer.phone",
        "lines[0].unit",
        "paid",
    }
    assert all(fault.message and fault.message_zh for fault in found)
    assert all("13800000001" not in fault.message + fault.message_zh for fault in found)


@pytest.mark.parametrize(
    "path,value,word",
    [
        (("order_no",), "x" * 61, "60 characters"),
        (("order_no",), "", "at least 1 character"),
        (("order_no",), " A1", "space"),
        (("order_no",), "A\n1", "line break"),
        (("buyer", "name"), "张" * 61, "60 characters"),
        (("consignee", "address"), "路" * 201, "200 characters"),
        (("consignee", "district"), "11010", "form"),
        (("lines",), [], "at least 1 item"),
        (("lines",), {}, "JSON array"),
        (("lines", 0), 5, "JSON object"),
        (("lines", 0, "line_no"), 0, "at least 1"),
        (("lines", 0, "line_no"), "1", "JSON integer"),
        (("currency",), "yuan", "form"),
        (("ordered_at",), "2026-11-03T10:00:00", "zone"),
        (("ordered_at",), "1700000000", "zone"),
        (("ordered_at",), 1700000000, "JSON string"),
        (("ordered_at",), "2026-02-30T10:00:00Z", "zone"),
        (("ordered_at",), "0001-01-01T00:00:00+08:00", "zone"),
        (("type",), "payment", "one of"),
    ],
)
def test_each_way_to_be_wrong_has_its_sentence(
    path: tuple[str | int, ...], value: Any, word: str
) -> None:
    found = faults(order_with(path, value))
    (name,) = found
    assert word in found[name]
    assert name.startswith(str(path[0]))


def test_other_models_have_their_sentences_too() -> None:
    wrong = {**goods_doc(), "factor1": "0.000", "valid_to": "2026-13-01", "vat_rate": "13"}
    found = faults(orjson.dumps(wrong), edge.GOODS)
    assert found["factor1"] == "must be greater than 0"
    assert "YYYY-MM-DD" in found["valid_to"]
    assert set(found) == {"factor1", "valid_to", "vat_rate"}


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1f", "\ufffe", "\uffff"])
def test_characters_that_xml_cannot_carry_are_refused_with_their_path(character: str) -> None:
    doc = order_doc()
    doc["lines"][0]["name"] = f"a{character}b"
    doc["buyer"]["name"] = f"{character}"
    assert set(faults(orjson.dumps(doc))) == {"lines[0].name", "buyer.name"}


@pytest.mark.parametrize("text", ["a\tb", 'say "hi"', "back\\slash", "\U0001f600", "a\\u0000b"])
def test_characters_that_xml_can_carry_pass(text: str) -> None:
    doc = {**order_doc(), "note": text}
    item = to_item(decode(edge.ORDER, orjson.dumps(doc)))
    assert isinstance(item, PaperItem)
    assert isinstance(item.paper, Order)
    assert item.paper.note == text


@pytest.mark.parametrize(
    "piece,path",
    [
        (b"\xff", "lines[0].name"),
        (b"\xc3\x28", "lines[0].name"),
        (b"\xed\xa0\x80", "lines[0].name"),
        (b"\\ud800", "lines[0].name"),
        (b"\\ud800\\u0041", "lines[0].name"),
        (b"\\udc00", "lines[0].name"),
        (b"\x01", "lines[0].name"),
        (b"\\x", "lines[0].name"),
    ],
)
def test_text_that_is_no_text_is_refused_where_it_stands(piece: bytes, path: str) -> None:
    doc = orjson.dumps({**order_doc(), "note": "before"})
    raw = doc.replace("婴儿".encode(), piece)
    with pytest.raises(InvalidJSON) as caught:
        decode(edge.ORDER, raw)
    assert caught.value.fault.path == path
    assert "line 1" in caught.value.fault.message


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[1,", b"nul", b"\xef\xbb\xbf{}", b"{}x", b"[" * 5000, b"\x00", b'"']
)
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidJSON):
        decode(edge.ORDER, raw)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    with pytest.raises((InvalidJSON, InvalidFields)):
        decode_line(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.data())
def test_one_changed_value_is_read_or_refused_never_more(data: st.DataObject) -> None:
    doc = deepcopy({"type": "order", **order_doc()})
    at: Any = doc
    if data.draw(st.booleans()):
        at = data.draw(st.sampled_from([doc["buyer"], doc["lines"][0], doc["consignee"]]))
    at[data.draw(st.sampled_from(sorted(at)) | st.text(max_size=4))] = data.draw(JSON)
    import json

    raw = json.dumps(doc).encode()
    try:
        item = decode_line(raw)
    except (InvalidJSON, InvalidFields):
        return
    assert item.profile_id


@given(st.binary(max_size=120), st.integers(min_value=0, max_value=130))
def test_a_path_can_be_told_of_any_bytes(raw: bytes, offset: int) -> None:
    assert isinstance(path_at(raw, min(offset, len(raw))), str)


def test_a_line_is_told_apart_by_its_type() -> None:
    kinds: list[tuple[str, Callable[[], dict[str, Any]]]] = [
        ("order", order_doc),
        ("payment", payment_doc),
        ("waybill", waybill_doc),
        ("goods", goods_doc),
    ]
    names = [
        type(decode_line(orjson.dumps({"type": kind, **make()}))).__name__ for kind, make in kinds
    ]
    assert names == ["PaperItem", "PaperItem", "PaperItem", "GoodsItem"]
    with pytest.raises(InvalidFields) as caught:
        decode_line(orjson.dumps(order_doc()))
    assert [fault.path for fault in caught.value.faults] == ["type"]
    with pytest.raises(InvalidFields) as caught:
        decode_line(orjson.dumps({"type": "receipt"}))
    assert [fault.path for fault in caught.value.faults] == ["type"]
    with pytest.raises(InvalidFields) as caught:
        decode_line(orjson.dumps({"type": "order", **order_doc(), "paid": 1.5}))
    assert [fault.path for fault in caught.value.faults] == ["paid"]


def test_lines_are_split_where_they_end() -> None:
    body = b'{"a":1}\r\n\n  \n{"b":2}\n{"c":3}'
    spans = split_lines(body)
    assert [body[at : at + size] for at, size in spans] == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
    assert split_lines(b"") == []


def test_a_million_faults_are_not_spelled_out() -> None:
    raw = b'{"' + b'":1,"'.join(b"%d" % number for number in range(30_000)) + b'":1}'
    found = faults(raw)
    assert list(found) == [""]
    assert "fields are faulty" in found[""]
    some = b'{"' + b'":1,"'.join(b"%d" % number for number in range(1000)) + b'":1}'
    with pytest.raises(InvalidFields) as caught:
        decode(edge.ORDER, some)
    assert len(caught.value.faults) == 100


def test_deductions_and_the_parts_of_a_payment_reach_the_papers() -> None:
    from gateway.api.decode import to_paper
    from gateway.domain.papers import Deduction, DeductionKind, PaymentPart

    told: dict[str, Any] = {
        **order_doc(),
        "shop_order_no": "S-1",
        "deductions": [{"kind": "points", "amount": "1.00"},
                       {"kind": "coupon", "amount": "3", "line_no": 1, "is_in_prices": True}],
    }  # fmt: skip
    order = to_paper(decode(edge.ORDER, orjson.dumps(told)))
    assert isinstance(order, Order)
    assert order.shop_order_no == "S-1"
    assert order.deductions == (
        Deduction(DeductionKind.POINTS, Money(Decimal("1.00"))),
        Deduction(DeductionKind.COUPON, Money(Decimal(3)), 1, True),
    )
    slip = to_paper(
        decode(
            edge.PAYMENT,
            b'{"profile":"p","transaction_id":"P/1","amount":"40","payer":{},"part":"deposit",'
            b'"original_id":"P","original_amount":"80","refunded":"1.50","attempt_no":"T-1",'
            b'"place":"NINGBO"}',
        )
    )
    assert isinstance(slip, PaymentSlip)
    assert (slip.part, slip.original_id, slip.attempt_no) == (PaymentPart.DEPOSIT, "P", "T-1")
    assert slip.original_amount == Money(Decimal(80))
    assert slip.refunded == Money(Decimal("1.50"))
    assert slip.place == "NINGBO"


def test_a_value_with_asterisks_is_masked() -> None:
    from gateway.api.decode import to_paper
    from gateway.domain.papers import Masked

    slip = to_paper(
        decode(
            edge.PAYMENT,
            '{"profile":"p","transaction_id":"P*1","amount":"40","payer":{"name":"张*",'
            '"id_number":"1101****0003","phone":"13800000001","account":"a**"}}'.encode(),
        )
    )
    assert isinstance(slip, PaymentSlip)
    assert slip.payer.name == Masked("张*")
    assert slip.payer.id_number == Masked("1101****0003")
    assert slip.payer.phone == "13800000001"
    assert (slip.transaction_id, slip.payer.account) == ("P*1", "a**")
