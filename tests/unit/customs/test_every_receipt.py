"""Every receipt of both directions: what it is about, what each status means, how it is found."""

from __future__ import annotations

import pytest

from adapters.customs.ceb import CEBRegime
from adapters.customs.ceb.codes import BILL_STATUSES
from adapters.customs.ceb.receipts import ANSWERS
from gateway.domain.codes import code_table
from gateway.domain.declaration import (
    AppType,
    BillFact,
    BillStatus,
    CustomsFact,
    DeclarationKind,
    ReceiptFact,
    SummaryFact,
    Word,
)
from gateway.domain.documents import ExportMode
from gateway.domain.ids import Direction, ReceiptId
from gateway.domain.profile import MODES
from gateway.ports import Lookup, ReadKind, ReadRecord
from schemas.catalog import editions
from schemas.plan import load_codes, load_plan
from tests.unit.customs import make
from tests.unit.customs import receipts as files

REGIME = CEBRegime()
PLANS = load_plan("ceb", "202205")
VALUES = {
    "guid": "AABBCCDD-0000-4000-8000-000000000001",
    "returnStatus": "120",
    "returnInfo": "[Code:1800;Desc:x]",
    "returnTime": files.TIME,
    "opDate": files.TIME,
    "customsCode": "3105",
    "ebpCode": "3105961A01",
    "ebcCode": "3105961B02",
    "agentCode": "3105980C03",
    "operatorCode": "3105980S09",
    "logisticsCode": "3105980D04",
    "logisticsNo": "YD0000000001",
    "logisticsStatus": "S",
    "payCode": "3105960E05",
    "payTransactionId": "PAY0000000001",
    "orderNo": "HT2026-000001",
    "copNo": "CG0000000000000001",
    "coElNo": "CG0000000000000001",
    "preNo": "B00000000000000001",
    "invtNo": "31052026I000000001",
    "billNo": "160-12345675",
    "msgSeqNo": "1",
    "msgCount": "1",
    "statisticsFlag": "A",
    "taxNo": "T-2026-1",
    "status": "1",
    "customsTax": "0",
    "valueAddedTax": "18.11",
    "consumptionTax": "2.5",
    "gnum": "1",
    "gcode": "1901101000",
    "taxPrice": "199",
    "sumNo": "S00000000000000001",
    "declSeqNo": "D00000000000000001",
    "decState": "1",
    "agentName": "甬通报关有限公司",
    "ebcName": "明州跨境电子商务有限公司",
    "declAgentCode": "3105980C03",
    "declAgentName": "甬通报关有限公司",
    "grossWeight": "1.5",
    "netWeight": "1.2",
    "gseqno": "1",
}
RECEIPTS = [(name, one) for name, one in ANSWERS.items() if one.kind is not None]


def written(name: str, root: str = "", **changes: str) -> bytes:
    """A receipt with every mandatory field of its schema, and the numbers it may carry."""
    plan = PLANS[name]
    groups: dict[str, list[str]] = {"": []}
    for path, leaf in plan.record.leaves():
        group, _, field = path.rpartition("/")
        if leaf.mandatory or field in changes or field in ("preNo", "invtNo", "copNo"):
            value = (VALUES | changes)[field]
            if value:
                groups.setdefault(group, []).append(f"<{field}>{value}</{field}>")
    inner = "".join(groups.pop("")) + "".join(
        f"<{group}>{''.join(fields)}</{group}>" for group, fields in groups.items()
    )
    return files.message(root or name, [f"<{plan.record.name}>{inner}</{plan.record.name}>"])


def one(body: bytes) -> ReadRecord:
    found = REGIME.read(ReceiptId("r-1"), body)
    assert found.kind is ReadKind.RECEIPTS, found.problem
    (record,) = found.records
    return record


def fact(body: bytes) -> CustomsFact:
    record = one(body)
    assert record.fault is None
    assert record.fact is not None
    return record.fact


def word(name: str, status: str) -> Word:
    found = fact(written(name, returnStatus=status))
    assert isinstance(found, ReceiptFact)
    return found.word


def test_every_receipt_of_the_schemas_is_read() -> None:
    answers = {name for name, plan in PLANS.items() if not any(
        element.name == "BaseTransfer" for element in plan.trailer
    )}  # fmt: skip
    assert set(ANSWERS) == answers - {"CEB900Message"}
    assert {answer.kind for answer in ANSWERS.values()} - {None} == set(DeclarationKind)


@pytest.mark.parametrize("name,answer", RECEIPTS)
def test_a_receipt_becomes_a_fact_of_its_kind(name: str, answer: object) -> None:
    found = fact(written(name))
    assert isinstance(found, ReceiptFact)
    assert found.kind is ANSWERS[name].kind
    assert found.returned_at == files.TIME
    assert found.codes == ("1800",)
    lookup = one(written(name)).lookup
    assert lookup is not None
    kind, *fields = ANSWERS[name].found_by
    assert lookup == Lookup(kind, "|".join(VALUES[field] for field in fields))
    assert (found.cop_no is not None) == bool(ANSWERS[name].cop_no)


# DOMAIN 3, and the status lists of the receipts' field tables: what each code comes down to.
PAPER = {"2": Word.LODGED, "3": Word.LODGED, "4": Word.NOT_SENT, "100": Word.REJECTED}
STORED = PAPER | {"120": Word.STORED, "399": Word.STORED}
DRAFTS = {"1": Word.DRAFT_ONLY}
LISTED = PAPER | DRAFTS | {"120": Word.ACCEPTED, "399": Word.STORED}
CANCELLED = PAPER | DRAFTS | {"120": Word.ACCEPTED, "399": Word.APPROVED}
RETURNED = CANCELLED | {"300": Word.REVIEW, "800": Word.APPROVED}
DECLARED = CANCELLED | {
    "300": Word.REVIEW,
    "500": Word.INSPECTION,
    "501": Word.DETAINED,
    "600": Word.SUSPENDED,
    "700": Word.RETURNED_ABROAD,
    "800": Word.RELEASED,
    "899": Word.CLOSED,
}
MEANING = {
    **dict.fromkeys(("312", "412", "512", "514"), STORED),
    **dict.fromkeys(("712", "304", "404", "608"), STORED | DRAFTS),
    **dict.fromkeys(("506", "508", "510", "702", "216"), LISTED),
    **dict.fromkeys(("622", "604"), DECLARED),
    **dict.fromkeys(("624", "606"), CANCELLED),
    "626": RETURNED,
    "214": RETURNED | {"500": Word.INSPECTION, "505": Word.DETAINED, "600": Word.SUSPENDED},
}


@pytest.mark.parametrize("number", sorted(MEANING))
def test_a_status_means_what_its_message_type_says(number: str) -> None:
    name = f"CEB{number}Message"
    assert {status: word(name, status) for status in MEANING[number]} == MEANING[number]
    for status in {"1", "300", "500", "800", "899", "18", "7"} - set(MEANING[number]):
        assert word(name, status) is Word.UNKNOWN, status


def test_every_official_status_of_a_receipt_has_a_word() -> None:
    for status in code_table("statuses").codes.values():
        for number in status.messages:
            if not status.confidence and number in MEANING:
                assert word(f"CEB{number}Message", status.code) is not Word.UNKNOWN, (
                    number,
                    status.code,
                )


def test_a_tax_bill_and_its_status() -> None:
    bill = fact(written("CEB816Message", status="1"))
    assert isinstance(bill, BillFact)
    assert (bill.bill_no, bill.invt_no) == ("T-2026-1", "31052026I000000001")
    assert bill.status is BillStatus.DRAWN
    assert (bill.tariff, bill.vat, bill.consumption) == ("0", "18.11", "2.5")
    assert one(written("CEB816Message")).lookup == Lookup("invt_no", "31052026I000000001")
    voided = fact(written("CEB818Message", status="3", entDutyNo="E1"))
    assert isinstance(voided, BillFact)
    assert (voided.status, voided.tariff, voided.payment_no) == (BillStatus.VOIDED, None, "E1")
    assert one(written("CEB818Message", status="9")).fault == "status: unknown-code"


def test_a_tax_bill_names_the_order_in_either_spelling_of_the_waybill() -> None:
    for name in ("logisticsNo", "logisticNo"):
        body = written("CEB816Message", orderNo="HT2026-000001")
        head = body.replace(b"</TaxHeadRd>", f"<{name}>YD1</{name}></TaxHeadRd>".encode())
        record = one(head)
        assert isinstance(record.fact, BillFact)
        assert record.fact.notes["TaxHeadRd/orderNo"] == "unspecified"
        assert record.values["orderNo"] == "HT2026-000001"
        assert REGIME.checks(record, make.key(), make.profile())["order_no"] is None
        assert REGIME.checks(record, make.key(2), make.profile())["order_no"] is not None


def test_the_result_of_a_summary_names_its_inventories() -> None:
    found = fact(
        written("CEB792Message", entryId="310520260000000001", invtNo="31052026E00000000001")
    )
    assert isinstance(found, SummaryFact)
    assert (found.sum_no, found.declaration_no) == (VALUES["sumNo"], VALUES["declSeqNo"])
    assert found.invt_nos == ("31052026E00000000001",)
    assert found.entry_no == "310520260000000001"
    assert one(written("CEB792Message")).lookup == Lookup("sum_no", VALUES["sumNo"])


def test_the_other_root_of_a_return_receipt_is_known() -> None:
    found = fact(written("CEB214Message", root="CEB214"))
    assert isinstance(found, ReceiptFact)
    assert found.notes["message/CEB214"] == "spelling"
    assert REGIME.read(ReceiptId("r"), written("CEB622Message", root="CEB622")).problem == (
        "unsupported_message"
    )


def test_what_was_tolerated_stands_in_the_fact_without_its_value() -> None:
    body = written("CEB624Message", guid="aabbccdd-0000-4000-8000-000000000001", preNo="")
    found = fact(body.replace(b"</copNo>", b"</copNo><secret>text</secret>"))
    assert isinstance(found, ReceiptFact)
    assert found.notes["preNo"] == "absent"
    assert found.notes["secret"] == "unknown-element"
    assert "text" not in str(found.notes)


def test_a_guid_in_lower_case_as_customs_writes_it_is_no_news() -> None:
    found = fact(written("CEB622Message", guid="aabbccdd-0000-4000-8000-000000000001"))
    assert isinstance(found, ReceiptFact)
    assert "guid" not in found.notes


def test_a_list_receipt_without_our_number_is_for_a_person() -> None:
    record = one(written("CEB712Message", copNo=""))
    assert (record.fact, record.fault) == (None, "copNo: missing")
    numbered = fact(written("CEB712Message", rkdNo="R1"))
    assert isinstance(numbered, ReceiptFact)
    assert numbered.numbers["entry_list_no"] == "R1"


@pytest.mark.parametrize("name", ["CEB624Message", "CEB816Message", "CEB604Message"])
def test_a_number_that_is_none_faults_its_record(name: str) -> None:
    assert one(written(name, invtNo="not a number")).fault == "invtNo: not-a-number"


# The code lists of the schemas, and the tables that findings, API and console take words from.
LISTS = {
    "AppType": "app_types",
    "AppStatus": "app_status",
    "ExportAppStatus": "app_status",
    "ReturnStatus": "statuses",
    "TradeMode": "trade_modes",
    "ExportTradeMode": "trade_modes",
    "ReturnTradeMode": "trade_modes",
}


@pytest.mark.parametrize("edition", editions("ceb"))
def test_code_tables_hold_what_the_schemas_enumerate(edition: str) -> None:
    lists = load_codes("ceb", edition)
    enumerated: dict[str, set[str]] = {table: set() for table in LISTS.values()}
    for name, table in LISTS.items():
        if name == "ReturnTradeMode" and edition == "2018":
            # Returns of exports came with the edition of 2022.
            enumerated[table] |= {"9661", "1261"}
            continue
        enumerated[table] |= set(lists[name].codes)
    for table, codes in enumerated.items():
        known = code_table(table).codes
        # What only real receipts showed is in no official list.
        assert codes == {code for code, one in known.items() if code in codes or not one.confidence}


@pytest.mark.parametrize("edition", editions("ceb"))
@pytest.mark.parametrize("name", ["AppType", "AppStatus", "ReturnStatus"])
def test_code_tables_and_schemas_say_the_same_in_chinese(name: str, edition: str) -> None:
    known = code_table(LISTS[name]).codes
    for code, (zh, _) in load_codes("ceb", edition)[name].codes.items():
        assert known[code].zh == zh, code


@pytest.mark.parametrize("edition", editions("ceb"))
def test_the_values_of_the_domain_are_those_of_the_schemas(edition: str) -> None:
    lists = load_codes("ceb", edition)
    assert set(lists["TaxStatus"].codes) == set(BILL_STATUSES)
    of_import, of_export = ({mode.value for mode in MODES[one]} for one in Direction)
    assert set(lists["TradeMode"].codes) == of_import
    assert of_export == {mode.value for mode in ExportMode} <= set(lists["ExportTradeMode"].codes)
    assert set(lists["AppType"].codes) == {one.value for one in AppType}


def test_how_a_file_came_is_noted_on_its_records() -> None:
    text = written("CEB604Message").decode().partition("?>")[2]
    body = f'<?xml version="1.0" encoding="gbk"?>{text}'.encode("gbk")
    bare = fact(body)
    assert isinstance(bare, ReceiptFact)
    assert bare.notes["message/?xml"] == "encoding"
    inner = files.envelope(written("CEB604Message")).decode()
    for _ in range(2):
        inner = f'<DxpMsgSv xmlns="{files.DXP}" ver="1.0"><SvNo Ver="1.0"/>{inner}</DxpMsgSv>'
    wrapped = fact(inner.encode())
    assert isinstance(wrapped, ReceiptFact)
    assert wrapped.notes["envelope/DxpMsgSv"] == "repeated"
