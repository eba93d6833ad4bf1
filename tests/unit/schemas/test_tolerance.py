"""What a reader tolerates, field by field, and that each is told: the list of docs.md."""

from __future__ import annotations

import base64

import pytest

from schemas.catalog import editions
from schemas.envelope import DXP, MOST_NODES, DxpResponse, open_file
from schemas.errors import (
    EnvelopeError,
    SchemaError,
    UnknownDocumentError,
    UnknownEditionError,
    UnknownMessageError,
)
from schemas.library import MOST_ENVELOPES, Document, Library, latest
from schemas.plan import Tolerance
from schemas.reader import Odd, OddKind
from schemas.sentences import sentence
from tests.unit.schemas.golden import FOLDER

LIBRARY = Library("202205")


def text(name: str, edition: str = "202205") -> str:
    return (FOLDER / edition / f"{name}.xml").read_text("utf-8")


def opened(data: str | bytes, library: Library = LIBRARY) -> Document:
    document = library.open(data if isinstance(data, bytes) else data.encode())
    assert isinstance(document, Document)
    assert all(not record.faults for record in document.message.records)
    return document


def notes(data: str | bytes) -> list[Odd]:
    return list(opened(data).all_notes())


def without(message: str, field: str, put: str = "") -> str:
    start = message.index(f"<ceb:{field}>")
    end = message.index(f"</ceb:{field}>") + len(f"</ceb:{field}>")
    return message[:start] + put + message[end:]


@pytest.mark.parametrize("prefix", ["ceb:", "ns2:", ""])
def test_any_prefix_and_none_are_the_same(prefix: str) -> None:
    plain = opened(text("CEB622Message"))
    bound = f"xmlns:{prefix[:-1]}=" if prefix else "xmlns="
    other = text("CEB622Message").replace("xmlns:ceb=", bound)
    other = other.replace("<ceb:", f"<{prefix}").replace("</ceb:", f"</{prefix}")
    document = opened(other)
    assert not list(document.all_notes())
    assert document.message.records[0].fields == plain.message.records[0].fields


def test_a_lower_case_guid_is_noted_at_the_root_and_in_the_record() -> None:
    guid = "4CDE1CFD-EDED-46B1-946C-B8022E42FC94"
    assert notes(text("CEB622Message").replace(guid, guid.lower())) == [
        Odd("@guid", OddKind.LOWER_CASE),
        Odd("InventoryReturn[1]/guid", OddKind.LOWER_CASE),
    ]


TOLERATED_ABSENT = {
    "CEB622Message": ["preNo"],
    "CEB624Message": ["preNo"],
    "CEB626Message": ["preNo"],
    "CEB508Message": ["preNo"],
    "CEB604Message": ["preNo", "invtNo"],
    "CEB606Message": ["preNo"],
    "CEB608Message": ["preNo"],
    "CEB702Message": ["preNo"],
}


@pytest.mark.parametrize("name", TOLERATED_ABSENT)
@pytest.mark.parametrize("edition", editions("ceb"))
def test_a_missing_or_empty_number_is_noted_and_valid(edition: str, name: str) -> None:
    library = Library(edition)
    pool = library.validator(name)
    for field in TOLERATED_ABSENT[name]:
        for put in ("", f"<ceb:{field}></ceb:{field}>"):
            data = without(text(name, edition), field, put).encode()
            document = opened(data, library)
            record = document.message.records[0]
            assert record.notes == (Odd(field, OddKind.ABSENT),)
            assert field not in record.fields
            opened_file = open_file(data)
            assert pool.is_valid(opened_file.root)  # type: ignore[union-attr]


def test_no_other_field_may_be_missing_without_being_optional() -> None:
    for edition in editions("ceb"):
        found = {
            name: [
                path for path, leaf in plan.record.leaves() if leaf.tolerance is Tolerance.ABSENT
            ]
            for name, plan in Library(edition).plans.items()
        }
        wanted = TOLERATED_ABSENT | {"CEB792Message": ["SummaryResultList/gseqno"]}
        assert {name: paths for name, paths in found.items() if paths} == wanted
    one = LIBRARY.open(without(text("CEB510Message"), "preNo").encode())
    assert isinstance(one, Document)
    assert one.message.records[0].faults == (Odd("preNo", OddKind.MISSING),)


def test_a_summary_result_without_line_order_is_noted() -> None:
    assert notes(without(text("CEB792Message"), "gseqno")) == [
        Odd("SummaryResult[1]/SummaryResultList[1]/gseqno", OddKind.ABSENT)
    ]


@pytest.mark.parametrize("edition", editions("ceb"))
def test_a_tax_bill_has_order_and_waybill_number_in_both_spellings(edition: str) -> None:
    library = Library(edition)
    head = "Tax[1]/TaxHeadRd"
    full = text("CEB816Message", edition)
    first = without(full, "logisticNo")
    second = without(full, "logisticsNo")
    for data, spelling in ((first, []), (second, [Odd(f"{head}/logisticNo", OddKind.SPELLING)])):
        document = opened(data, library)
        fields = document.message.records[0].fields
        assert fields["TaxHeadRd/orderNo"] == "MADE-UP-0001"
        assert fields["TaxHeadRd/logisticsNo"] == "运单编号"
        assert "TaxHeadRd/logisticNo" not in fields
        odd = [note for note in document.all_notes() if note.kind is OddKind.SPELLING]
        assert odd == spelling
    unlike = full.replace("<ceb:logisticNo>运单编号", "<ceb:logisticNo>another")
    both = library.open(unlike.encode())
    assert isinstance(both, Document)
    assert both.message.records[0].faults == (Odd("TaxHeadRd/logisticNo", OddKind.REPEATED),)


EXPORT_SAMPLES = ["303", "403", "505", "507", "509", "603", "605", "607"]


@pytest.mark.parametrize("number", EXPORT_SAMPLES)
def test_two_transfer_nodes_of_old_export_samples_are_noted(number: str) -> None:
    data = text(f"CEB{number}Message")
    start, end = data.index("<ceb:BaseTransfer>"), data.index("<ceb:BaseSubscribe>")
    assert notes(data[:start] + data[start:end] + data[start:]) == [
        Odd("BaseTransfer", OddKind.REPEATED)
    ]


def test_a_return_receipt_without_the_word_message_is_noted() -> None:
    document = opened(text("CEB214Message").replace("CEB214Message", "CEB214"))
    assert list(document.all_notes()) == [Odd("CEB214", OddKind.SPELLING)]
    assert document.plan.name == "CEB214Message"
    with pytest.raises(UnknownMessageError):
        LIBRARY.open(text("CEB216Message").replace("CEB216Message", "CEB216").encode())


def test_unknown_elements_attributes_and_codes_are_noted() -> None:
    data = text("CEB622Message")
    assert notes(data.replace("<ceb:copNo>", "<ceb:extra>1</ceb:extra><ceb:copNo>")) == [
        Odd("InventoryReturn[1]/extra", OddKind.UNKNOWN_ELEMENT)
    ]
    assert notes(data.replace("<ceb:copNo>", '<ceb:copNo kind="x">')) == [
        Odd("InventoryReturn[1]/copNo/@kind", OddKind.ATTRIBUTE)
    ]
    assert notes(data.replace(">120</ceb:returnStatus>", ">121</ceb:returnStatus>")) == [
        Odd("InventoryReturn[1]/returnStatus", OddKind.UNKNOWN_CODE)
    ]
    # An exception of the E-port is a number below nought, whatever it is.
    assert notes(data.replace(">120</ceb:returnStatus>", ">-621017</ceb:returnStatus>")) == []
    arrived = text("CEB513Message").replace(">S</ceb:logisticsStatus>", ">R</ceb:logisticsStatus>")
    assert notes(arrived) == [Odd("LogisticsStatus[1]/logisticsStatus", OddKind.UNKNOWN_CODE)]


@pytest.mark.parametrize(
    "name, first, second",
    [("CEB624Message", "agentCode", "ebpCode"), ("CEB900Message", "returnInfo", "returnTime")],
)
def test_another_order_is_read_by_name_and_noted(name: str, first: str, second: str) -> None:
    data = text(name)
    start = data.index(f"<ceb:{first}>")
    end = data.index(f"</ceb:{second}>") + len(f"</ceb:{second}>")
    middle = data.index(f"<ceb:{second}>")
    swapped = data[:start] + data[middle:end] + data[start:middle] + data[end:]
    document = opened(swapped)
    assert document.message.records[0].fields == opened(data).message.records[0].fields
    assert [note.kind for note in document.all_notes()] == [OddKind.ORDER]


def test_a_default_stands_for_an_empty_field_and_is_noted() -> None:
    data = without(text("CEB303Message"), "freight", "<ceb:freight></ceb:freight>")
    document = opened(data)
    assert document.message.records[0].fields["OrderHead/freight"] == "0"
    assert list(document.all_notes()) == [Odd("Order[1]/OrderHead/freight", OddKind.DEFAULTED)]


def test_an_item_number_over_the_advised_length_is_noted_in_the_new_edition_only() -> None:
    data = text("CEB621Message")
    longer = data.replace("<ceb:itemNo>企业商品货号", f"<ceb:itemNo>{'S' * 21}", 1)
    assert longer != data
    assert notes(longer) == [
        Odd("Inventory[1]/InventoryList[1]/itemNo", OddKind.LONG),
    ]
    assert list(opened(longer, Library("2018")).all_notes()) == []


def test_records_of_many_submissions_come_in_one_file() -> None:
    data = text("CEB312Message")
    start, end = data.index("<ceb:OrderReturn>"), data.index("</ceb:CEB312Message>")
    one = data[start:end]
    many = [one.replace("MADE-UP-0001", f"ORDER-{number}") for number in range(100)]
    document = opened(data[:start] + "".join(many) + data[end:])
    numbers = [record.fields["orderNo"] for record in document.message.records]
    assert numbers == [f"ORDER-{number}" for number in range(100)]
    assert not list(document.all_notes())


@pytest.mark.parametrize("encoding", ["GB2312", "gbk", "GB18030"])
def test_gb_encodings_are_read_and_noted_and_utf8_is_not(encoding: str) -> None:
    data = text("CEB312Message")
    declared = f'<?xml version="1.0" encoding="{encoding}"?>{data}'.encode(encoding)
    document = opened(declared)
    assert list(document.all_notes()) == [Odd("?xml", OddKind.ENCODING)]
    assert document.data == declared
    assert document.message.records[0].fields["returnInfo"] == "[Code:1800;Desc:逻辑校验通过]"
    for start in ('<?xml version="1.0" encoding="utf-8"?>', '<?xml version="1.0"?>', "\ufeff"):
        assert notes(start + data) == []


def node(inner: str) -> str:
    start = text("DxpMsgSv")
    head = start[: start.index("<dxp:DxpMsg ")]
    return f"{head}{inner}</dxp:DxpMsgSv>"


def test_node_envelopes_in_each_other_are_opened_and_noted() -> None:
    inner = text("DxpMsg")
    assert notes(text("DxpMsgSv")) == notes(inner) == []
    assert notes(node(node(inner))) == [Odd("DxpMsgSv", OddKind.REPEATED)]
    deep = inner
    for _ in range(MOST_NODES):
        deep = node(deep)
    assert opened(deep).envelopes[0].nodes == MOST_NODES
    for wrong in (node(deep), node(inner + inner), node(node(inner) + inner), node("")):
        with pytest.raises(EnvelopeError):
            LIBRARY.open(wrong.encode())


def test_an_envelope_in_the_data_of_another_is_opened_and_noted() -> None:
    def around(data: bytes) -> bytes:
        start = text("DxpMsg")
        begin, end = start.index("<dxp:Data>") + 10, start.index("</dxp:Data>")
        return (start[:begin] + base64.b64encode(data).decode() + start[end:]).encode()

    data = text("DxpMsg").encode()
    for depth in range(2, MOST_ENVELOPES + 1):
        data = around(data)
        document = opened(data)
        assert len(document.envelopes) == depth
        assert list(document.all_notes()) == [Odd("DxpMsg", OddKind.REPEATED)] * (depth - 1)
    with pytest.raises(EnvelopeError):
        LIBRARY.open(around(data))
    assert isinstance(LIBRARY.open(text("DxpRep").encode()), DxpResponse)
    with pytest.raises(UnknownDocumentError):
        LIBRARY.open(around(text("DxpRep").encode()))


BAD: list[tuple[bytes, str, str]] = [
    (b"", "SCHEMA-107", "XML"),
    (b"not xml at all", "SCHEMA-107", "XML"),
    (text("CEB311Message").encode()[:500], "SCHEMA-107", "XML"),
    (b"<a/>", "SCHEMA-601", "http://www.chinaport.gov.cn/ceb"),
    (b'<CEB311Message xmlns="urn:other"/>', "SCHEMA-601", "http://www.chinaport.gov.cn/ceb"),
    (b'<Other xmlns="http://www.chinaport.gov.cn/ceb"/>', "SCHEMA-601", "CEBnnnMessage"),
    (b'<CEB999Message xmlns="http://www.chinaport.gov.cn/ceb"/>', "SCHEMA-204", "202205"),
    (f'<DxpMsg xmlns="{DXP}"/>'.encode(), "SCHEMA-600", "DxpMsg"),
    (b"<!DOCTYPE a><a/>", "SCHEMA-103", "document type"),
    (b'<a xml:lang="zh"/>', "SCHEMA-108", "xml:"),
    (b'<?xml version="1.0" encoding="utf-16"?><a/>', "SCHEMA-102", "UTF-8"),
    (b" " * (10 * 1024 * 1024 + 1), "SCHEMA-101", "10485760"),
    (b"<a>" * 100 + b"</a>" * 100, "SCHEMA-106", "100 records"),
]


@pytest.mark.parametrize("data, code, named", BAD)
def test_bad_input_gets_one_sentence_that_says_what_was_expected(
    data: bytes, code: str, named: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        LIBRARY.open(data)
    assert caught.value.code == code
    told = sentence(caught.value)
    assert named in told.en
    assert told.zh.endswith("。")
    assert told.en.endswith(".")
    assert any("\u4e00" <= char <= "\u9fff" for char in told.zh)


def test_an_unknown_edition_names_those_there_are() -> None:
    with pytest.raises(UnknownEditionError) as caught:
        Library("1999")
    assert sentence(caught.value).en == "No such edition of the schemas: 2018, 202205 are known."
    assert latest() == "202205"
    assert sentence(SchemaError("anything")).en == "Cannot be handled: anything."


def test_a_broken_schema_is_told_with_its_place() -> None:
    data = text("CEB312Message").replace("<ceb:orderNo>MADE-UP-0001", "<ceb:orderNo>")
    found = open_file(data.encode())
    with pytest.raises(SchemaError) as caught:
        LIBRARY.validator("CEB312Message").check(found.root)  # type: ignore[union-attr]
    assert "orderNo" in sentence(caught.value).en
