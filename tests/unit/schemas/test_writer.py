"""The compiled writer: canonical bytes, refused values, refused mappings."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from lxml import etree

from schemas.errors import (
    MalformedDocumentError,
    MappingError,
    MessageRefusedError,
    MissingPathError,
    RecordRefusedError,
    UnknownPathError,
    ValueFault,
    ValueFaultKind,
)
from schemas.loader import LARGE, parse
from schemas.plan import ElementPlan, Facets, MessagePlan, Presence
from schemas.sources import Source, attr, call, const, each
from schemas.validate import ValidatorPool
from schemas.writer import Extend, compile_writer, interpret_record, plain_number
from tests.unit.schemas.sample import (
    GUID,
    INVENTORY,
    ORDER,
    SUBSCRIBE,
    TRANSFER,
    Line,
    Order,
    inventory_writer,
    order_message,
    order_writer,
    plan,
)


def canonical(data: bytes) -> bytes:
    result: bytes = etree.tostring(parse(data, LARGE), method="c14n")
    return result


def test_the_root_is_exactly_what_signing_needs() -> None:
    message = order_message()
    assert message.startswith(
        b'<ceb:CEB311Message xmlns:ceb="http://www.chinaport.gov.cn/ceb" '
        b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'guid="4CDE1CFD-EDED-46B1-946C-B8022E42FC94" version="1.0"><ceb:Order>'
    )
    assert message.endswith(b"</ceb:BaseTransfer></ceb:CEB311Message>")


def test_messages_are_canonical_and_valid() -> None:
    for writer in (order_writer(), inventory_writer()):
        record = writer.record(Order())
        message = writer.message(GUID, [record] * 3, TRANSFER, [SUBSCRIBE])
        assert canonical(message) == message
        pool = ValidatorPool("ceb", "202205", writer.plan.name, signature_optional=True)
        pool.check(parse(message))


def test_values_that_need_escaping_take_the_careful_path_to_the_same_form() -> None:
    order = replace(Order(), address="<路>&\"'> \t\n\u3000末尾", note="")
    message = order_message(order)
    assert canonical(message) == message
    root = parse(message)
    found = root.find(".//{*}consigneeAddress")
    assert found is not None
    assert found.text == order.address
    assert root.find(".//{*}OrderHead/{*}note") is None


def test_absent_and_empty_optionals_are_left_out() -> None:
    record = order_writer().record(replace(Order(), note=None, carrier=None))
    assert "ceb:note" not in record
    assert "ceb:payName" not in record
    assert "<ceb:currency>142</ceb:currency>" in record


def test_all_faults_of_a_record_are_named_without_values() -> None:
    order = replace(
        Order(),
        number=None,  # type: ignore[arg-type]
        freight=Decimal("0.123456"),
        tax=Decimal("NaN"),
        paid=1.5,  # type: ignore[arg-type]
        address="secret\x00",
        note="secret\r\n",
        lines=(Line(), replace(Line(), total=Decimal("123456789012345678901"))),
    )
    with pytest.raises(RecordRefusedError) as caught:
        order_writer().record(order)
    assert set(caught.value.faults) == {
        ValueFault("OrderHead/orderNo", ValueFaultKind.MISSING),
        ValueFault("OrderHead/freight", ValueFaultKind.FRACTION_DIGITS),
        ValueFault("OrderHead/taxTotal", ValueFaultKind.NOT_FINITE),
        ValueFault("OrderHead/acturalPaid", ValueFaultKind.WRONG_TYPE),
        ValueFault("OrderHead/consigneeAddress", ValueFaultKind.ILLEGAL_CHARACTER),
        ValueFault("OrderHead/note", ValueFaultKind.CARRIAGE_RETURN),
        ValueFault("OrderList[2]/totalPrice", ValueFaultKind.TOTAL_DIGITS),
    }
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("bad", ["\ud800", "\ufffe", "\uffff", "\x0b", "\x1f"])
def test_characters_xml_does_not_know_are_refused(bad: str) -> None:
    with pytest.raises(RecordRefusedError, match="consigneeAddress: illegal-character"):
        order_writer().record(replace(Order(), address=f"a{bad}b"))


@pytest.mark.parametrize("count, kind", [(0, "too-few"), (100, "too-many")])
def test_the_number_of_lines_is_bounded(count: int, kind: str) -> None:
    with pytest.raises(RecordRefusedError, match=f"OrderList: {kind}"):
        order_writer().record(replace(Order(), lines=(Line(),) * count))


def test_a_text_of_another_type_is_a_fault() -> None:
    with pytest.raises(RecordRefusedError, match="OrderHead/note: wrong-type"):
        order_writer().record(replace(Order(), note=0))  # type: ignore[arg-type]


def test_an_optional_number_is_written_when_it_is_there() -> None:
    lines = (Line(), replace(Line(), second=Decimal("0.0")), replace(Line(), second=Decimal(7)))
    record = inventory_writer().record(replace(Order(), lines=lines))
    assert record.count("<ceb:qty2>") == 2
    assert "<ceb:qty2>0</ceb:qty2>" in record
    assert "<ceb:qty2>7</ceb:qty2>" in record


def test_a_mistake_in_the_data_is_not_hidden_by_the_careful_path() -> None:
    with pytest.raises(AttributeError):
        order_writer().record(object())


@pytest.mark.parametrize(
    "value, text",
    [
        (Decimal("388.00"), "388"),
        (Decimal("0.10"), "0.1"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1E-5"), "0.00001"),
        (Decimal("0E-9"), "0"),
        (Decimal("-0.00"), "0"),
        (Decimal("-1.50"), "-1.5"),
        (Decimal("100"), "100"),
        (Decimal("12345678901234.12345"), "12345678901234.12345"),
        (Decimal("1234567890123456789"), "1234567890123456789"),
        (7, "7"),
        (0, "0"),
    ],
)
def test_numbers_are_plain_and_end_where_their_value_ends(value: Decimal | int, text: str) -> None:
    assert plain_number(value) == text


@pytest.mark.parametrize(
    "value, kind",
    [
        (Decimal("0.000001"), "fraction-digits"),
        (Decimal("1E-999999"), "fraction-digits"),
        (Decimal("1E+999999"), "total-digits"),
        (Decimal("123456789012345.12345"), "total-digits"),
        (Decimal("12345678901234567890"), "total-digits"),
        (10**19, "total-digits"),
        (Decimal("Infinity"), "not-finite"),
        (Decimal("sNaN"), "not-finite"),
        (True, "wrong-type"),
        (1.5, "wrong-type"),
        ("1", "wrong-type"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(value: Decimal, kind: str) -> None:
    with pytest.raises(ValueError, match=kind):
        plain_number(value)


def test_both_paths_write_the_same() -> None:
    for writer, sources in ((order_writer(), ORDER), (inventory_writer(), INVENTORY)):
        order = replace(Order(), note="x")
        assert writer.record(order) == interpret_record(writer.plan, sources, ["order"], order)


def without(path: str) -> dict[str, Source]:
    return {key: value for key, value in ORDER.items() if key != path}


def test_unknown_and_missing_paths_are_found_when_compiling() -> None:
    message = plan("CEB311Message")
    with pytest.raises(UnknownPathError, match="OrderHead/consingee"):
        compile_writer(message, {**ORDER, "OrderHead/consingee": const("x")}, arguments=["order"])
    with pytest.raises(MissingPathError, match="OrderHead/buyerTelephone"):
        compile_writer(
            message,
            without("OrderHead/buyerTelephone"),
            arguments=["order"],
        )
    with pytest.raises(MissingPathError, match="OrderList"):
        compile_writer(message, without("OrderList"), arguments=["order"])
    with pytest.raises(MappingError, match="not a name"):
        compile_writer(message, ORDER, arguments=["order, other"])
    with pytest.raises(UnknownPathError, match="starts at no argument"):
        compile_writer(message, ORDER, arguments=["orders"])


def test_wrong_sources_are_found_when_compiling() -> None:
    message = plan("CEB311Message")
    wrong: list[dict[str, Source]] = [
        {"OrderList": attr("order.lines")},
        {"OrderHead/note": each("order.lines", var="line", sources={})},
        {"OrderList": each("order.lines", var="order", sources={})},
        {"OrderList": each("order.lines", var="line", sources={"gnum": attr("line.number")})},
        {"OrderList": each("order.lines", var="line", sources={"nothing": const("1")})},
        {"OrderHead/freight": const("12")},
        {"OrderHead/freight": const(Decimal("NaN"))},
        {"OrderHead/note": const("a\rb")},
    ]
    for sources in wrong:
        with pytest.raises(MappingError):
            compile_writer(message, {**ORDER, **sources}, arguments=["order"])


@pytest.mark.parametrize("path", ["a b", "a.", "order.__class__", "order.x()", "", "order.class"])
def test_a_path_can_only_be_plain_names(path: str) -> None:
    with pytest.raises(MappingError):
        attr(path)
    with pytest.raises(MappingError):
        call(len, path)


def test_constants_with_braces_and_quotes_stay_text() -> None:
    text = "{order} '\"\\ {{}}"
    writer = compile_writer(
        plan("CEB311Message"), {**ORDER, "OrderHead/note": const(text)}, arguments=["order"]
    )
    assert f"<ceb:note>{text}</ceb:note>" in writer.record(Order())


def test_the_parts_around_the_records_are_checked() -> None:
    writer = order_writer()
    record = writer.record(Order())
    for guid in ("", 'x" y="', "4CDE1CFD"):
        with pytest.raises(MessageRefusedError, match="guid"):
            writer.message(guid, [record], TRANSFER)
    for count in (0, 101):
        with pytest.raises(MessageRefusedError, match=f"{count} records"):
            writer.message(GUID, [record] * count, TRANSFER)
    with pytest.raises(MessageRefusedError, match="BaseTransfer"):
        writer.message(GUID, [record])
    with pytest.raises(MessageRefusedError, match="copName: illegal-character"):
        writer.message(GUID, [record], replace(TRANSFER, cop_name="\x00"))


def test_an_extension_is_made_canonical_and_cannot_break_out() -> None:
    writer = order_writer()
    record = writer.record(Order())
    extend = Extend("own", "1", "<o:x xmlns:o='urn:o'  b='2' a='1'/>")
    message = writer.message(GUID, [record], TRANSFER, (), extend)
    assert canonical(message) == message
    assert b'<o:x xmlns:o="urn:o" a="1" b="2"></o:x>' in message
    ValidatorPool("ceb", "202205", "CEB311Message").check(parse(message))
    with pytest.raises(MalformedDocumentError):
        writer.message(
            GUID, [record], TRANSFER, (), replace(extend, content="</ceb:Message><ceb:Message>")
        )


def test_an_extension_with_illegal_characters_is_refused() -> None:
    writer = order_writer()
    with pytest.raises(MessageRefusedError, match="ExtendMessage/name: illegal-character"):
        writer.message(GUID, [writer.record(Order())], TRANSFER, (), Extend("\x00", "1", ""))


def test_lines_that_are_no_list_are_a_fault() -> None:
    for wrong, kind in ((None, "too-few"), (7, "wrong-type")):
        with pytest.raises(RecordRefusedError, match=f"OrderList: {kind}"):
            order_writer().record(replace(Order(), lines=wrong))  # type: ignore[arg-type]


def test_an_optional_path_may_meet_nothing_on_its_way() -> None:
    sources: dict[str, Source] = {**ORDER, "OrderHead/payName": attr("order.carrier.name.real")}
    writer = compile_writer(plan("CEB311Message"), sources, arguments=["order"])
    assert "payName" not in writer.record(Order())
    record = writer.record(replace(Order(), note="&"))
    assert "payName" not in record
    assert "<ceb:note>&amp;</ceb:note>" in record


def leaf(name: str, least: int = 1) -> ElementPlan:
    return ElementPlan(name, least, 1, "", "", "", Facets(), (), ())


def parent(name: str, *children: ElementPlan, least: int = 1, most: int | None = 1) -> ElementPlan:
    return ElementPlan(name, least, most, "", "", "", None, children, ())


def test_other_shapes_need_a_plan_only() -> None:
    record = parent(
        "Tax",
        leaf("id"),
        parent("Extra", leaf("a", 0), leaf("b", 0), least=0),
        parent("Box", parent("Item", leaf("x"), least=0, most=None)),
        most=None,
    )
    message = MessagePlan("made", "1", "urn:made", Presence.NONE, parent("Made", record))
    sources: dict[str, Source] = {
        "id": call(str.upper, "one"),
        "Extra/a": attr("two"),
        "Extra/b": attr("two"),
        "Box/Item": each("items", var="item", sources={"x": attr("item")}),
    }
    writer = compile_writer(message, sources, arguments=["one", "two", "items"])
    assert (
        writer.record("k", None, ()) == "<ceb:Tax><ceb:id>K</ceb:id><ceb:Box></ceb:Box></ceb:Tax>"
    )
    full = writer.record("k", "v", ["<", "y"])
    assert full == (
        "<ceb:Tax><ceb:id>K</ceb:id><ceb:Extra><ceb:a>v</ceb:a><ceb:b>v</ceb:b></ceb:Extra>"
        "<ceb:Box><ceb:Item><ceb:x>&lt;</ceb:x></ceb:Item><ceb:Item><ceb:x>y</ceb:x></ceb:Item>"
        "</ceb:Box></ceb:Tax>"
    )
    bytes_ = writer.message(GUID, [full])
    assert canonical(bytes_) == bytes_
    with pytest.raises(MessageRefusedError):
        writer.message(GUID, [full], TRANSFER)
    with pytest.raises(MessageRefusedError):
        writer.message(GUID, [full], None, [SUBSCRIBE])
    with pytest.raises(MessageRefusedError):
        writer.message(GUID, [full], None, (), Extend("a", "b", ""))
