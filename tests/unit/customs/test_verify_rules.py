"""Each rule about a single message has a record that trips it alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest
from lxml import etree

from adapters.customs.ceb.verify import MESSAGE_RULES, rules_for
from adapters.customs.ceb.verify.records import records_of
from gateway.domain.codes import rejections
from gateway.domain.findings import Severity

Fields = Mapping[str, str]
COMMON = {"guid": "0A1B", "appType": "1", "appTime": "20260301093000", "appStatus": "2"}
LINE = {"gnum": "1", "qty": "2", "price": "50", "totalPrice": "100", "unit": "011"}
PERSON = {"buyerIdType": "1", "buyerIdNumber": "11010519491231002X"}
CODES = {"ebpCode": "3105961A01", "ebcCode": "3105961A02", "agentCode": "3105961A03"}
ORDER = {
    **COMMON,
    **PERSON,
    "ebpCode": "3105961A01",
    "ebcCode": "3105961A02",
    "orderNo": "A1",
    "goodsValue": "100",
    "freight": "10",
    "discount": "5",
    "taxTotal": "9.1",
    "acturalPaid": "114.1",
    "currency": "142",
    "payCode": "4403169D3W",
    "payTransactionId": "T1",
}
INVENTORY = {
    **COMMON,
    **PERSON,
    **CODES,
    "logisticsCode": "3105961A04",
    "assureCode": "3105961A02",
    "copNo": "CG1",
    "declTime": "20260301",
    "packNo": "1",
    "grossWeight": "1.2",
    "netWeight": "1",
    "freight": "10",
    "insuredFee": "0",
    "currency": "142",
}
BONDED = {
    **INVENTORY,
    "tradeMode": "1210",
    "country": "142",
    "trafMode": "7",
    "emsNo": "T3105W000001",
    "areaCode": "3105961A05",
    "areaName": "仓",
}
BONDED_LINE = {**LINE, "itemRecordNo": "1", "qty1": "1", "unit1": "035", "country": "116"}
DIRECT = {
    **INVENTORY,
    "tradeMode": "9610",
    "country": "502",
    "trafMode": "5",
    "trafNo": "MU1",
    "voyageNo": "V1",
    "billNo": "B1",
}
DIRECT_LINE = {**LINE, "qty1": "1", "unit1": "035", "country": "502"}
PAYMENT = {
    **COMMON,
    "payCode": "4403169D3W",
    "payTransactionId": "T1",
    "payerIdType": "1",
    "payerIdNumber": "11010519491231002X",
    "amountPaid": "114.1",
    "currency": "142",
    "payTime": "20260301092000",
}
WAYBILL = {**COMMON, "logisticsNo": "W1", "weight": "1.2", "packNo": "1", "currency": "142"}
CANCELLATION = {**COMMON, **PERSON, "copNo": "CG2"}
RETURN_LINE = {"gnum": "1", "qty": "1", "unit": "011", "qty1": "1", "unit1": "035"}
EXPORT = {
    **COMMON,
    **CODES,
    "tradeMode": "9610",
    "trafMode": "5",
    "country": "502",
    "POD": "502",
    "fCurrency": "142",
    "iCurrency": "142",
    "packNo": "3",
    "grossWeight": "2",
    "netWeight": "1.5",
    "copNo": "EX1",
    "wrapType": "2",
}
EXPORT_LINE = {**DIRECT_LINE, "currency": "142"}
ZONE = {**EXPORT, "tradeMode": "1210", "iacCode": "3105961A05", "iacName": "仓", "emsNo": "T1"}
PARTS = {**COMMON, "copNo": "P1", "msgCount": "2", "msgSeqNo": "2", "trafMode": "5"}
FUNDS = {**COMMON, "orderNo": "A1", "charge": "10", "currency": "502"}
RETURNED = {**COMMON, "tradeMode": "9661", "country": "502", "trafMode": "5"}
SUMMARY = {
    **COMMON,
    "copNo": "S1",
    "startTime": "20260301",
    "endTime": "20260331",
    "msgCount": "1",
    "msgSeqNo": "1",
}

CLEAN: dict[str, tuple[str, Fields, Sequence[Fields]]] = {
    "order": ("311", ORDER, [LINE]),
    "bonded": ("621", BONDED, [BONDED_LINE]),
    "direct": ("621", DIRECT, [DIRECT_LINE]),
    "payment": ("411", PAYMENT, []),
    "waybill": ("511", WAYBILL, []),
    "cancellation": ("623", CANCELLATION, []),
    "return": ("625", CANCELLATION, [RETURN_LINE]),
    "export": ("603", EXPORT, [EXPORT_LINE]),
    "zone": ("603", ZONE, [{**EXPORT_LINE, "itemRecordNo": "1"}]),
    "arrival": ("507", PARTS, [{"gnum": "1"}]),
    "funds": ("403", FUNDS, []),
    "returned": ("213", RETURNED, [RETURN_LINE]),
    "summary": ("701", SUMMARY, []),
}


def found(number: str, head: Fields, lines: Sequence[Fields]) -> list[tuple[str, str, Severity]]:
    root = etree.Element("m")
    record = etree.SubElement(root, "R")
    groups = [("Head", head), *(("List", line) for line in lines)]
    for name, fields in groups:
        group = etree.SubElement(record, name)
        for field, value in fields.items():
            etree.SubElement(group, field).text = value
    (read,) = records_of(root)
    return [
        (rule.id, hit.path, hit.severity or rule.severity)
        for rule in rules_for(number)
        for hit in rule.check(read)
    ]


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_record_trips_nothing(name: str) -> None:
    assert found(*CLEAN[name]) == []


BLOCK, WARN, NOTE = Severity.BLOCK, Severity.WARN, Severity.NOTE
TRIPS = [
    ("CEB-HEAD-SUM", "order", {"acturalPaid": "114"}, {}, BLOCK, "Head/acturalPaid"),
    ("CEB-NAMED-PAYMENT", "order", {"payCode": ""}, {}, WARN, "Head/payCode"),
    ("CEB-LINES-SUM", "order", {"goodsValue": "99", "discount": "4"}, {}, BLOCK, "Head/goodsValue"),
    ("CEB-LINE-TOTAL", "bonded", {}, {"totalPrice": "99"}, BLOCK, "List[1]/totalPrice"),
    ("CEB-LINE-TOTAL", "bonded", {}, {"totalPrice": "100.01"}, NOTE, "List[1]/totalPrice"),
    ("CEB-ID-TYPE", "payment", {"payerIdType": "2"}, {}, BLOCK, "Head/payerIdType"),
    ("CEB-ID-NUMBER", "order", {"buyerIdNumber": "110105194912310021"}, {}, BLOCK, "buyerIdNumber"),
    ("CEB-ID-NUMBER", "payment", {"payerIdNumber": "110"}, {}, BLOCK, "Head/payerIdNumber"),
    ("CEB-PARTY-CODE", "order", {"ebcCode": "123"}, {}, WARN, "Head/ebcCode"),
    ("CEB-UNIT-CODE", "order", {}, {"unit": "999"}, WARN, "List[1]/unit"),
    ("CEB-COUNTRY-CODE", "direct", {"country": "999"}, {}, NOTE, "Head/country"),
    ("CEB-COUNTRY-CODE", "direct", {"country": "US"}, {}, WARN, "Head/country"),
    ("CEB-CURRENCY-CODE", "export", {"fCurrency": "999"}, {}, NOTE, "Head/fCurrency"),
    ("CEB-TRANSPORT-CODE", "direct", {"trafMode": "Q"}, {}, WARN, "Head/trafMode"),
    ("CEB-WRAP-CODE", "export", {"wrapType": "9"}, {}, NOTE, "Head/wrapType"),
    ("CEB-TIME", "payment", {"payTime": "20260230092000"}, {}, BLOCK, "Head/payTime"),
    ("CEB-DRAFT", "waybill", {"appStatus": "1"}, {}, NOTE, "Head/appStatus"),
    ("CEB-GUID-CASE", "waybill", {"guid": "0a1b"}, {}, NOTE, "Head/guid"),
    ("CEB-PARTS", "arrival", {"msgSeqNo": "3"}, {}, BLOCK, "Head/msgSeqNo"),
    ("CEB-PARTS", "arrival", {"msgSeqNo": "0"}, {}, BLOCK, "Head/msgSeqNo"),
    ("CEB-SECOND-UNIT", "bonded", {}, {"qty2": "1"}, BLOCK, "List[1]/unit2"),
    ("CEB-SECOND-UNIT", "return", {}, {"unit2": "011"}, BLOCK, "List[1]/qty2"),
    ("CEB-WEIGHTS", "bonded", {"grossWeight": "0.5"}, {}, BLOCK, "Head/netWeight"),
    ("CEB-WEIGHT", "waybill", {"weight": "0"}, {}, BLOCK, "Head/weight"),
    ("CEB-PACK-NO", "waybill", {"packNo": "2"}, {}, BLOCK, "Head/packNo"),
    ("CEB-DIRECT-FIELDS", "direct", {"voyageNo": ""}, {}, BLOCK, "Head/voyageNo"),
    ("CEB-BONDED-FIELDS", "bonded", {"emsNo": ""}, {}, BLOCK, "Head/emsNo"),
    ("CEB-BONDED-FIELDS", "bonded", {}, {"itemRecordNo": ""}, BLOCK, "List[1]/itemRecordNo"),
    ("CEB-BONDED-COUNTRY", "bonded", {"country": "116"}, {}, BLOCK, "Head/country"),
    ("CEB-FORBIDDEN-FIELDS", "bonded", {"billNo": "B"}, {}, WARN, "Head/billNo"),
    ("CEB-FORBIDDEN-FIELDS", "direct", {"emsNo": "T"}, {}, WARN, "Head/emsNo"),
    ("CEB-TRADE-MODE", "direct", {"tradeMode": "0110"}, {}, BLOCK, "Head/tradeMode"),
    ("CEB-GUARANTOR", "bonded", {"assureCode": "3105961A99"}, {}, WARN, "Head/assureCode"),
    ("CEB-COP-NO", "bonded", {"copNo": ""}, {}, WARN, "Head/copNo"),
    ("CEB-ITEM-NO", "bonded", {}, {"itemNo": "X" * 21}, WARN, "List[1]/itemNo"),
    ("CEB-NET-WEIGHT", "bonded", {"netWeight": "1.1"}, {}, WARN, "Head/netWeight"),
    ("CEB-SINGLE-LIMIT", "bonded", {"freight": "4900.01"}, {}, WARN, "Head"),
    ("CEB-DECLARED-DAY", "bonded", {"declTime": "20260302"}, {}, WARN, "Head/declTime"),
    ("CEB-NEW-ONLY", "cancellation", {"appType": "2"}, {}, BLOCK, "Head/appType"),
    ("CEB-PAY-TIME", "payment", {"payTime": "20260301094000"}, {}, WARN, "Head/payTime"),
    ("CEB-AMOUNT", "payment", {"amountPaid": "0"}, {}, BLOCK, "Head/amountPaid"),
    ("CEB-EXPORT-MODE", "export", {"tradeMode": "0110"}, {}, BLOCK, "Head/tradeMode"),
    ("CEB-ZONE-FIELDS", "zone", {"iacCode": ""}, {}, BLOCK, "Head/iacCode"),
    ("CEB-ZONE-FIELDS", "zone", {}, {"itemRecordNo": ""}, BLOCK, "List[1]/itemRecordNo"),
    ("CEB-ZONE-FORBIDDEN", "export", {"emsNo": "T"}, {}, WARN, "Head/emsNo"),
    ("CEB-CHARGE", "funds", {"charge": "0"}, {}, BLOCK, "Head/charge"),
    ("CEB-PIECES", "export", {"packNo": "0"}, {}, BLOCK, "Head/packNo"),
    ("CEB-RETURN-MODE", "returned", {"tradeMode": ""}, {}, WARN, "Head/tradeMode"),
    ("CEB-SUMMARY-PERIOD", "summary", {"endTime": ""}, {}, BLOCK, "Head/endTime"),
    ("CEB-SUMMARY-PERIOD", "summary", {"endTime": "20260201"}, {}, BLOCK, "Head/endTime"),
]


@pytest.mark.parametrize("rule, base, head, line, severity, path", TRIPS)
def test_a_record_that_trips_one_rule_alone(
    rule: str, base: str, head: Fields, line: Fields, severity: Severity, path: str
) -> None:
    number, clean_head, clean_lines = CLEAN[base]
    lines = [{**clean_lines[0], **line}] if clean_lines else []
    ((hit, where, how),) = found(number, {**clean_head, **head}, lines)
    assert (hit, how) == (rule, severity)
    assert where.endswith(path)


def test_repeated_line_numbers() -> None:
    head = {**ORDER, "goodsValue": "200", "acturalPaid": "214.1"}
    ((rule, path, _),) = found("311", head, [LINE, LINE])
    assert (rule, path) == ("CEB-LINE-NUMBERS", "R[1]/List[2]/gnum")


def test_every_rule_is_tripped_here_and_speaks_both_languages() -> None:
    assert {rule.id for rule in MESSAGE_RULES} == {one[0] for one in TRIPS} | {"CEB-LINE-NUMBERS"}
    for rule in MESSAGE_RULES:
        assert re.search("[\u4e00-\u9fff]", rule.zh)
        assert set(re.findall(r"\{\w+\}", rule.zh)) == set(re.findall(r"\{\w+\}", rule.en))
        assert rule.source


def test_rules_named_by_rejection_codes_exist() -> None:
    named = {one.rule for one in rejections().values() if one.rule.startswith("CEB-")}
    assert named <= {rule.id for rule in MESSAGE_RULES}


@pytest.mark.parametrize("text", ["", "abc", "1e5", "NaN", "1" * 30])
def test_a_number_that_is_none_is_left_to_the_schema(text: str) -> None:
    head = {**ORDER, "acturalPaid": text}
    assert "CEB-HEAD-SUM" not in [one[0] for one in found("311", head, [LINE])]
