"""The tolerant reader: what is passed over, what costs one record, what never costs the file."""

from __future__ import annotations

import pytest

from schemas.errors import UnknownPathError
from schemas.loader import parse
from schemas.reader import MessageKind, Odd, OddKind, ReadMessage, compile_reader, identify
from tests.unit.schemas.sample import GUID, Order, order_message, plan

CEB = "http://www.chinaport.gov.cn/ceb"
GOOD = {
    "guid": "4CDE1CFD-EDED-46B1-946C-B8022E42FC94",
    "customsCode": "0000",
    "ebpCode": "0000000001",
    "copNo": "AB0001",
    "preNo": "B20240000000000001",
    "invtNo": "000020240I00000001",
    "returnStatus": "800",
    "returnTime": "20240101120000000",
    "returnInfo": "[Code:2600;Desc:放行]",
}


def record(*, extra: str = "", prefix: str = "", **changes: str | None) -> str:
    fields = {**GOOD, **changes}
    body = "".join(
        f"<{prefix}{name}>{value}</{prefix}{name}>"
        for name, value in fields.items()
        if value is not None
    )
    return f"<{prefix}InventoryReturn>{body}{extra}</{prefix}InventoryReturn>"


def read(*records: str, prefix: str = "", lenient: tuple[str, ...] = ()) -> ReadMessage:
    declared = f'xmlns:{prefix[:-1]}="{CEB}"' if prefix else f'xmlns="{CEB}"'
    text = (
        f'<{prefix}CEB622Message {declared} guid="{GUID}" version="1.0">\n'
        f"{''.join(records)}\n</{prefix}CEB622Message>"
    )
    return compile_reader(plan("CEB622Message"), lenient).read(parse(text.encode()))


@pytest.mark.parametrize("prefix", ["", "ceb:", "ns2:"])
def test_the_prefix_does_not_matter(prefix: str) -> None:
    message = read(record(prefix=prefix), record(prefix=prefix), prefix=prefix)
    assert message.kind == MessageKind(CEB, "CEB622Message")
    assert (message.guid, message.version, message.notes) == (GUID, "1.0", ())
    assert [dict(one.fields) for one in message.records] == [GOOD, GOOD]
    assert all(not one.faults and not one.notes for one in message.records)


def test_the_order_of_elements_is_free() -> None:
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in reversed(GOOD.items()))
    (one,) = read(f"<InventoryReturn>{fields}</InventoryReturn>").records
    assert dict(one.fields) == GOOD
    assert not one.faults
    assert {note.kind for note in one.notes} == {OddKind.ORDER}


def test_cdata_is_read_whole_and_a_comment_inside_a_value_is_a_fault() -> None:
    (one,) = read(record(returnInfo="<![CDATA[<放行>]]>!")).records
    assert one.fields["returnInfo"] == "<放行>!"
    assert not one.faults
    for inside in ("8<!-- x -->00", "8<?p q?>00"):
        (one,) = read(record(returnStatus=inside)).records
        assert one.fields["returnStatus"] == "800"
        assert one.faults == (Odd("returnStatus", OddKind.MARKUP),)
    (one,) = read(record(extra="<!-- between elements -->")).records
    assert not one.faults


def test_unknown_elements_are_noted_and_passed_over() -> None:
    extra = '<new>1</new><o:copNo xmlns:o="urn:other">x</o:copNo>'
    (one,) = read(record(extra=extra)).records
    assert one.fields["copNo"] == "AB0001"
    assert one.notes == (
        Odd("new", OddKind.UNKNOWN_ELEMENT),
        Odd("copNo", OddKind.UNKNOWN_ELEMENT),
    )
    message = read(record(), "<Strange/><BaseTransfer/>")
    assert message.notes[0] == Odd("Strange", OddKind.UNKNOWN_ELEMENT)


def test_optional_fields_may_be_absent_empty_or_odd() -> None:
    (one,) = read(record(customsCode=None, preNo="", invtNo="short")).records
    assert not one.faults
    assert "preNo" not in one.fields
    assert one.fields["invtNo"] == "short"
    assert one.notes == (Odd("invtNo", OddKind.FACET), Odd("preNo", OddKind.ABSENT))


@pytest.mark.parametrize(
    "changes, fault",
    [
        ({"copNo": None}, Odd("copNo", OddKind.MISSING)),
        ({"copNo": " "}, Odd("copNo", OddKind.MISSING)),
        ({"returnTime": "2024"}, Odd("returnTime", OddKind.FACET)),
        (
            {"returnStatus": "8</returnStatus><returnStatus>1"},
            Odd("returnStatus", OddKind.REPEATED),
        ),
        ({"returnStatus": "<b>800</b>"}, Odd("returnStatus", OddKind.MARKUP)),
    ],
)
def test_a_fault_costs_its_record_only(changes: dict[str, str | None], fault: Odd) -> None:
    broken = record(**changes)  # type: ignore[arg-type]
    first, second, third = read(record(), broken, record()).records
    assert second.faults == (fault,)
    assert not first.faults
    assert dict(third.fields) == GOOD


def test_the_first_of_two_values_stays() -> None:
    (one,) = read(record(returnStatus="100</returnStatus><returnStatus>800")).records
    assert one.fields["returnStatus"] == "100"
    assert one.faults


def test_white_space_around_values_is_cut_off_and_noted() -> None:
    (one,) = read(record(returnStatus="\n 800 \t")).records
    assert one.fields["returnStatus"] == "800"
    assert one.notes == (Odd("returnStatus", OddKind.TRIMMED),)


def test_a_lenient_field_may_break_its_facets() -> None:
    assert read(record(guid="short")).records[0].faults
    (one,) = read(record(guid="short"), lenient=("guid",)).records
    assert not one.faults
    assert one.notes == (Odd("guid", OddKind.FACET),)
    with pytest.raises(UnknownPathError):
        compile_reader(plan("CEB622Message"), ["nothing"])


def test_another_kind_of_message_yields_nothing() -> None:
    reader = compile_reader(plan("CEB622Message"))
    message = reader.read(parse(order_message()))
    assert (message.records, message.kind.name) == ((), "CEB311Message")
    bare = reader.read(parse(f'<CEB622Message xmlns="{CEB}"/>'.encode()))
    assert [note.path for note in bare.notes] == ["@guid", "@version"]
    assert identify(parse(b"<a/>")) == MessageKind("", "a")
    assert not identify(parse(b"<a/>")).is_business


def test_heads_and_lines_are_read() -> None:
    message = compile_reader(plan("CEB311Message")).read(parse(order_message(Order(), Order())))
    first, _ = message.records
    assert not first.faults
    assert not first.notes
    assert first.fields["OrderHead/orderNo"] == "MADE-UP-0001"
    assert first.fields["OrderHead/goodsValue"] == "388"
    assert [line["gnum"] for line in first.lists["OrderList"]] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "old, new, fault",
    [
        (b"<ceb:gnum>2</ceb:gnum>", b"", Odd("OrderList[2]/gnum", OddKind.MISSING)),
        (b"<ceb:qty>2<", b"<ceb:qty>two<", Odd("OrderList[1]/qty", OddKind.FACET)),
        (b"<ceb:freight>0<", b"<ceb:freight>0.000001<", Odd("OrderHead/freight", OddKind.FACET)),
        (b"<ceb:appTime>2024", b"<ceb:appTime>year", Odd("OrderHead/appTime", OddKind.FACET)),
    ],
)
def test_faults_in_heads_and_lines_have_their_path(old: bytes, new: bytes, fault: Odd) -> None:
    data = order_message().replace(old, new, 1)
    (one,) = compile_reader(plan("CEB311Message")).read(parse(data)).records
    assert one.faults == (fault,)


def test_missing_and_doubled_parts_are_faults() -> None:
    text = order_message().decode()
    head = text[text.index("<ceb:OrderHead>") : text.index("<ceb:OrderList>")]
    lines = text[text.index("<ceb:OrderList>") : text.index("</ceb:Order>")]
    reader = compile_reader(plan("CEB311Message"))
    cases = {
        text.replace(head, ""): {Odd("OrderHead", OddKind.MISSING)},
        text.replace(head, head * 2): {Odd("OrderHead", OddKind.REPEATED)},
        text.replace(lines, ""): {Odd("OrderList", OddKind.MISSING)},
    }
    for data, faults in cases.items():
        (one,) = reader.read(parse(data.encode())).records
        assert set(one.faults) == faults
    stray = text.replace("<ceb:OrderHead>", "<ceb:OrderHead>stray", 1)
    (one,) = reader.read(parse(stray.encode())).records
    assert one.notes == (Odd("OrderHead/", OddKind.STRAY_TEXT),)
