"""Files with one planted fault each: the right rule is named, and nothing else."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.app.cli import build
from gateway.app.import_rows import UnusableFile
from gateway.app.packs import builtin_matcher
from gateway.app.preflight_rows import read_rows
from gateway.app.preflighting import Nothing, Report, preflight_files
from gateway.domain.matching import explain
from gateway.flow.context import SECOND_US

SAMPLES = Path(__file__).parents[2] / "samples"
NOW = 1_796_000_000 * SECOND_US
Rows = list[dict[str, Any]]

GOODS = {
    "type": "goods",
    "profile": "hz-1210",
    "sku": "MILK-900",
    "hs_code": "1901101010",
    "name": "婴儿配方奶粉",
    "model": "品牌:示例|900克/罐|牛奶",
    "origin": "601",
    "unit": "122",
    "unit1": "035",
    "factor1": "0.9",
    "net_weight_kg": "0.9",
    "gross_weight_kg": "1.1",
    "item_record_no": "R1",
}


def agreeing() -> Rows:
    lines = (SAMPLES / "mixed.ndjson").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[6:9]]


def sums(rows: Rows, goods: str, paid: str) -> None:
    rows[0] |= {"goods_value": goods, "paid": paid}
    rows[1]["amount"] = paid


def as_line(rows: Rows, **changes: Any) -> None:
    rows[0]["lines"][0] |= changes


def other_id(rows: Rows) -> None:
    rows[0]["buyer"]["id_number"] = rows[1]["payer"]["id_number"] = "330102197908150007"


def no_name(rows: Rows) -> None:
    del rows[0]["buyer"]["name"]


def dear(rows: Rows) -> None:
    as_line(rows, quantity="2", price="2600", total="5200")
    sums(rows, "5200", "5212.65")
    rows[2]["gross_weight_kg"] = "3"


def for_nothing(rows: Rows) -> None:
    as_line(rows, quantity="0", total="0")
    sums(rows, "0", "12.65")


def no_lines(rows: Rows) -> None:
    rows[0]["lines"] = []
    sums(rows, "0", "12.65")


PLANTED: dict[str, Callable[[Rows], Any]] = {
    "PAYMENT-AMOUNT": lambda rows: rows[1].update(amount="1.00"),
    "ORDER-HEAD-SUM": lambda rows: sums(rows, "139.00", "151.66"),
    "ORDER-LINES-SUM": lambda rows: sums(rows, "140.00", "152.65"),
    "ORDER-LINE-TOTAL": lambda rows: as_line(rows, price="138.00"),
    "ORDER-LINE-NUMBERS": lambda rows: as_line(rows, line_no=2),
    "ORDER-LINE-QUANTITY": for_nothing,
    "ORDER-LINE-COUNT": no_lines,
    "ORDER-MANDATORY": no_name,
    "ORDER-TEXT-LENGTH": lambda rows: as_line(rows, name="长" * 251),
    "ORDER-TEXT-CHARACTERS": lambda rows: as_line(rows, name="a\u0001b"),
    "ORDER-CURRENCY": lambda rows: rows[0].update(currency="USD"),
    "PAYMENT-CURRENCY": lambda rows: rows[1].update(currency="USD"),
    "PARTY-ID-NUMBER": other_id,
    "PARTY-ID-TYPE": lambda rows: rows[0]["buyer"].update(id_type="2"),
    "PARTY-PAYER-ID-TYPE": lambda rows: rows[1]["payer"].update(id_type="2"),
    "PARTY-PAYER-NAME": lambda rows: rows[1]["payer"].update(name="别人"),
    "PARTY-PAYER-ID": lambda rows: rows[1]["payer"].update(id_number="110101199003070003"),
    "PARTY-IDENTITY-DIFFERENT": lambda rows: rows[1].update(identity_check="DIFFERENT"),
    "WAYBILL-PACK-COUNT": lambda rows: rows[2].update(pack_count=2),
    "WAYBILL-WEIGHT": lambda rows: rows[2].update(net_weight_kg="2.0"),
    "INVENTORY-WEIGHT": lambda rows: rows[2].update(gross_weight_kg="0.5"),
    "LIMIT-SINGLE": dear,
    "GOODS-UNIT": lambda rows: as_line(rows, unit="011"),
    "GOODS-ORIGIN": lambda rows: as_line(rows, origin="116"),
    "GOODS-MISSING": lambda rows: as_line(rows, sku="OTHER"),
}


def neighbour() -> Rows:
    """Another order that has nothing wrong."""
    rows = agreeing()
    for row in rows:
        row["order_no"] = "FINE-1"
    rows[1]["transaction_id"], rows[2]["waybill_no"] = "PAY-FINE-1", "WB-FINE-1"
    return rows


async def judged(*paths: Path, **options: Any) -> Report:
    files = {path.name: read_rows(path, options.get("kind")) for path in paths}
    return await preflight_files(files, Nothing(), builtin_matcher(), NOW)


def written(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def told(report: Report) -> list[tuple[str, str]]:
    return [(case.key.order_no, one.rule) for case in report.trial.cases for one in case.findings]


async def test_papers_that_agree_are_clean(tmp_path: Path) -> None:
    report = await judged(written(tmp_path / "f.ndjson", [*agreeing(), GOODS, *neighbour()]))
    assert told(report) == []
    assert report.faults == []
    assert not report.blocks
    # Who files payment and waybill has not said what it filed: that is no fault, and no agreement.
    unverified = report.to_doc(explain)["results"][0]["unverified"]
    assert set(unverified) == {"PAYMENT-FILED-COPY", "WAYBILL-FILED-COPY"}


@pytest.mark.parametrize("rule", PLANTED)
async def test_a_planted_fault_is_named_by_its_rule_alone(rule: str, tmp_path: Path) -> None:
    rows = agreeing()
    PLANTED[rule](rows)
    report = await judged(written(tmp_path / "f.ndjson", [*rows, GOODS, *neighbour()]))
    assert told(report) == [("MIX-0001", rule)]
    assert report.faults == []


def modes_of(report: Report) -> dict[str, str]:
    profiles = report.to_doc(explain)["profile"]["profiles"]
    return {one["named"]: one["mode"] for one in profiles}


def direct(rows: Rows) -> Rows:
    """The rows as a direct purchase, which names its means of transport and no book item."""
    for row in rows:
        row["profile"] = "nb-direct"
        if row.get("type") == "waybill":
            row |= {"transport_no": "CA1062", "voyage_no": "CA1062/1", "bill_no": "999-1"}
        row.pop("item_record_no", None)
    return rows


async def test_one_bill_number_makes_no_direct_purchase_of_a_bonded_file(tmp_path: Path) -> None:
    rows = [*agreeing(), GOODS, *neighbour()]
    rows[2]["bill_no"] = "999-12345675"
    report = await judged(written(tmp_path / "f.ndjson", rows))
    assert told(report) == [("MIX-0001", "INVENTORY-FORBIDDEN")]
    assert modes_of(report) == {"hz-1210": "1210"}


@pytest.mark.parametrize("name", ["bill_no", "voyage_no", "transport_no"])
async def test_a_field_that_one_direct_purchase_lacks_is_asked_for(
    name: str, tmp_path: Path
) -> None:
    rows = direct([*agreeing(), dict(GOODS), *neighbour()])
    del rows[2][name]
    report = await judged(written(tmp_path / "f.ndjson", rows))
    assert told(report) == [("MIX-0001", "INVENTORY-DIRECT-FIELDS")]


async def test_each_profile_that_rows_name_has_its_mode(tmp_path: Path) -> None:
    rows = [*agreeing(), GOODS, *direct([*neighbour(), dict(GOODS)])]
    report = await judged(written(tmp_path / "f.ndjson", rows))
    assert told(report) == []
    assert modes_of(report) == {"hz-1210": "1210", "nb-direct": "9610"}


async def test_a_mode_in_the_name_of_a_profile_settles_a_doubt(tmp_path: Path) -> None:
    rows = direct([*agreeing(), dict(GOODS)])
    for row in rows:
        row["profile"] = "nb-9610"
    for name in ("bill_no", "voyage_no", "transport_no"):
        del rows[2][name]
    report = await judged(written(tmp_path / "f.ndjson", rows))
    assert told(report) == [("MIX-0001", "INVENTORY-DIRECT-FIELDS")] * 3


async def test_a_paper_that_the_file_has_for_others_is_missed(tmp_path: Path) -> None:
    rows = [*agreeing(), GOODS, *neighbour()]
    del rows[-2]
    assert told(await judged(written(tmp_path / "f.ndjson", rows))) == [
        ("FINE-1", "PAYMENT-MISSING")
    ]


async def test_a_paper_that_nobody_has_is_only_waited_for(tmp_path: Path) -> None:
    report = await judged(written(tmp_path / "f.ndjson", agreeing()[:1]))
    assert told(report) == []
    assert report.trial.cases[0].missing == ("payment", "waybill", "goods:MILK-900")


@pytest.mark.parametrize(
    "at, number, rule",
    [
        (1, "MIX-0009", "PAYMENT-ORDER-NO"),
        (1, "mix-0001", "PAYMENT-ORDER-NO"),
        (1, "MIX-\uff10001", "PAYMENT-ORDER-NO"),
        (2, "MIX-0009", "WAYBILL-ORDER-NO"),
        (2, "MIX-000\u200b1", "WAYBILL-ORDER-NO"),
    ],
)
async def test_a_paper_that_names_another_order_stays_with_the_one_that_names_it(
    at: int, number: str, rule: str, tmp_path: Path
) -> None:
    rows = agreeing()
    if number == "MIX-0009":
        rows[0]["payment"] = {"transaction_id": rows[1]["transaction_id"]}
        rows[0]["waybill_no"] = rows[2]["waybill_no"]
    rows[at]["order_no"] = number
    report = await judged(written(tmp_path / "f.ndjson", [*rows, GOODS, *neighbour()]))
    assert told(report) == [("MIX-0001", rule)]


async def test_a_paper_of_an_order_that_is_not_here_is_taken_from_nobody(tmp_path: Path) -> None:
    rows = agreeing()
    rows[0]["payment"] = {"transaction_id": "PAY-ELSE"}
    other = {**rows[1], "order_no": "ELSE", "transaction_id": "PAY-ELSE"}
    report = await judged(written(tmp_path / "f.ndjson", [*rows, GOODS, other]))
    assert ("MIX-0001", "PAYMENT-REFERENCE") in told(report)
    assert ("ELSE", "ORDER-MISSING") in told(report)


async def test_a_payment_used_twice_within_the_file(tmp_path: Path) -> None:
    rows = [*agreeing(), GOODS, *neighbour()]
    rows[-2]["transaction_id"] = rows[1]["transaction_id"]
    assert told(await judged(written(tmp_path / "f.ndjson", rows))) == [("FINE-1", "CLAIM-PAYMENT")]


async def test_a_deposit_and_a_balance_are_named_as_such(tmp_path: Path) -> None:
    rows = [*agreeing(), GOODS, *neighbour()]
    balance = {**rows[1], "transaction_id": "PAY-BALANCE", "amount": "51.65"}
    rows[1]["amount"] = "100.00"
    report = await judged(written(tmp_path / "f.ndjson", [*rows, balance]))
    assert told(report) == [("MIX-0001", "PAYMENT-SEVERAL")]


async def test_what_no_rule_speaks_of_is_a_fault_of_the_row(tmp_path: Path) -> None:
    rows = agreeing()
    rows[0] |= {"paid": 151.65, "colour": "red"}
    report = await judged(written(tmp_path / "f.ndjson", rows))
    assert told(report) == []
    assert [(one.place, one.fault.path) for one in report.faults] == [
        ("row 1", "paid"),
        ("row 1", "colour"),
    ]
    assert report.blocks


async def test_a_long_name_of_the_payer_is_no_matter_of_the_payments_number(
    tmp_path: Path,
) -> None:
    rows = agreeing()
    rows[0]["buyer"]["name"] = rows[1]["payer"]["name"] = "长" * 61
    report = await judged(written(tmp_path / "f.ndjson", [*rows, GOODS]))
    assert told(report) == [("MIX-0001", "ORDER-TEXT-LENGTH")]
    assert [(one.fault.path, one.rule) for one in report.faults] == [("payer.name", None)]


@pytest.mark.parametrize("number", ["PAY\u200b1", "PAY\u00a01", "PAY\ufeff1"])
async def test_a_sign_that_nobody_sees_has_no_place_in_a_payment_number(
    number: str, tmp_path: Path
) -> None:
    rows = agreeing()
    rows[1]["transaction_id"] = number
    report = await judged(written(tmp_path / "f.ndjson", [*rows, GOODS]))
    assert told(report) == [("MIX-0001", "PAYMENT-NUMBER-FORM")]


async def test_a_faulty_row_still_says_what_it_says_of_parts_and_deductions(
    tmp_path: Path,
) -> None:
    rows = agreeing()
    rows[0] |= {"colour": "red", "deductions": [{"kind": "coupon", "amount": "5.00"}, "x", {}]}
    sums(rows, "139.00", "146.65")
    rows[0]["discount"] = "5.00"
    rows[1] |= {"colour": "red", "part": "deposit"}
    report = await judged(written(tmp_path / "f.ndjson", [*rows, GOODS]))
    assert told(report) == [
        ("MIX-0001", "ORDER-DISCOUNT-KIND"),
        ("MIX-0001", "PAYMENT-SEVERAL"),
    ]


@pytest.mark.parametrize("at, name", [(0, "buyer"), (0, "consignee"), (1, "payer")])
@pytest.mark.parametrize("value", ["张三", 3, ["张三"], None])
async def test_a_person_that_is_no_object_is_a_fault_of_the_row(
    at: int, name: str, value: Any, tmp_path: Path
) -> None:
    rows = agreeing()
    rows[at][name] = value
    report = await judged(written(tmp_path / "f.ndjson", rows))
    assert report.blocks


async def test_a_row_that_cannot_be_judged_makes_no_paper_missing(tmp_path: Path) -> None:
    rows = [*agreeing(), *neighbour()]
    rows[1]["amount"] = "much"
    report = await judged(written(tmp_path / "f.ndjson", rows))
    assert told(report) == []
    assert [one.fault.path for one in report.faults] == ["amount"]


async def test_types_are_told_from_fields_and_papers_linked_by_numbers(tmp_path: Path) -> None:
    rows = agreeing()
    rows[0]["payment"] = {"transaction_id": rows[1]["transaction_id"]}
    for row in rows:
        del row["type"], row["profile"]
    del rows[1]["order_no"]
    report = await judged(written(tmp_path / "f.ndjson", [*rows, GOODS]))
    assert [case.key.order_no for case in report.trial.cases] == ["MIX-0001"]
    assert told(report) == []


async def test_papers_of_one_order_may_stand_in_several_files(tmp_path: Path) -> None:
    report = await judged(SAMPLES / "orders.csv", SAMPLES / "mixed.ndjson", SAMPLES / "goods.csv")
    assert told(report) == [("MIX-0002", "PAYMENT-AMOUNT")]


async def test_a_body_of_the_api_may_be_tried_as_a_file(tmp_path: Path) -> None:
    order, payment, waybill = agreeing()
    payment["amount"] = "1"
    body = {"order": order, "payment": payment, "waybill": waybill, "goods": [GOODS]}
    path = tmp_path / "body.json"
    path.write_text(json.dumps(body), "utf-8")
    assert told(await judged(path)) == [("MIX-0001", "PAYMENT-AMOUNT")]


# --- CEB XML ----------------------------------------------------------------------------------


def changed_xml(tmp_path: Path, name: str, element: str, text: str | None) -> Path:
    xml = (SAMPLES / "customs" / name).read_text(encoding="utf-8")
    new = "" if text is None else f"<ceb:{element}>{text}</ceb:{element}>"
    xml, count = re.subn(f"<ceb:{element}>[^<]*</ceb:{element}>", new, xml, count=1)
    assert count == 1
    path = tmp_path / name
    path.write_text(xml, "utf-8")
    return path


@pytest.mark.parametrize("name", ["order_full", "inventory_direct", "inventory_bonded"])
async def test_messages_that_are_right_are_clean(name: str) -> None:
    report = await judged(SAMPLES / "customs" / f"{name}.xml")
    assert told(report) == []
    assert report.faults == []


@pytest.mark.parametrize(
    "name, element, text, rule",
    [
        ("order_full.xml", "acturalPaid", "223.66", "ORDER-HEAD-SUM"),
        ("order_full.xml", "buyerIdNumber", "110101199003070004", "PARTY-ID-NUMBER"),
        ("order_full.xml", "consigneeAddress", None, "ORDER-MANDATORY"),
        ("order_full.xml", "currency", "502", "ORDER-CURRENCY"),
        ("order_full.xml", "gnum", "2", "ORDER-LINE-NUMBERS"),
        ("inventory_direct.xml", "packNo", "2", "WAYBILL-PACK-COUNT"),
        ("inventory_direct.xml", "netWeight", "7", "INVENTORY-WEIGHT"),
        ("inventory_direct.xml", "voyageNo", None, "INVENTORY-DIRECT-FIELDS"),
        ("inventory_bonded.xml", "itemRecordNo", None, "INVENTORY-BONDED-GOODS"),
        ("inventory_direct.xml", "totalPrice", "200", "ORDER-LINE-TOTAL"),
    ],
)
async def test_a_fault_in_a_message_is_named_by_its_rule(
    name: str, element: str, text: str | None, rule: str, tmp_path: Path
) -> None:
    report = await judged(changed_xml(tmp_path, name, element, text))
    assert [found for _, found in told(report)] == [rule]
    assert report.faults == []


async def test_a_field_that_a_row_tells_is_not_told_by_the_schema_too(tmp_path: Path) -> None:
    path = changed_xml(tmp_path, "waybill.xml", "consigneeTelephone", "1" * 51)
    report = await judged(path)
    assert [(one.rule, one.fault.path) for one in report.faults] == [
        ("WAYBILL-TEXT-LENGTH", "consignee.phone")
    ]
    path = changed_xml(tmp_path, "payment.xml", "payerName", "王" * 61)
    report = await judged(path)
    assert [(one.rule, one.fault.path) for one in report.faults] == [
        ("SCHEMA", "PaymentHead/payerName")
    ]


async def test_a_wrong_time_of_the_payment_is_told_in_the_words_of_its_element(
    tmp_path: Path,
) -> None:
    report = await judged(changed_xml(tmp_path, "payment.xml", "payTime", "2026-11-20"))
    assert [(one.rule, one.fault.path) for one in report.faults] == [
        ("SCHEMA", "PaymentHead/payTime")
    ]


@pytest.mark.parametrize("remark", ["<!-- 199 -->", "<?remark 199?>"])
async def test_a_remark_inside_a_value_is_no_fault(remark: str, tmp_path: Path) -> None:
    xml = (SAMPLES / "customs" / "order_full.xml").read_text(encoding="utf-8")
    xml = xml.replace("<ceb:goodsValue>1", f"<ceb:goodsValue>{remark}1{remark}")
    path = tmp_path / "a.xml"
    path.write_text(xml.replace("<ceb:OrderList>", f"<ceb:OrderList>{remark}"), "utf-8")
    report = await judged(path)
    assert told(report) == []
    assert report.faults == []


async def test_a_hundred_lines_are_told_once(tmp_path: Path) -> None:
    xml = (SAMPLES / "customs" / "order_full.xml").read_text(encoding="utf-8")
    line = re.search("<ceb:OrderList>.*</ceb:OrderList>", xml)
    assert line is not None
    lines = "".join(
        line.group().replace("<ceb:gnum>1<", f"<ceb:gnum>{number}<") for number in range(1, 101)
    )
    xml = xml.replace(line.group(), lines)
    for name, value in (("goodsValue", "19900"), ("acturalPaid", "19924.65")):
        xml = re.sub(f"<ceb:{name}>[^<]*<", f"<ceb:{name}>{value}<", xml)
    path = tmp_path / "a.xml"
    path.write_text(xml, "utf-8")
    report = await judged(path)
    assert {rule for _, rule in told(report)} == {"ORDER-LINE-COUNT", "LIMIT-SINGLE"}
    assert report.faults == []


async def test_what_only_the_schema_knows_is_told_by_the_schema(tmp_path: Path) -> None:
    report = await judged(changed_xml(tmp_path, "order_full.xml", "appTime", "yesterday"))
    assert told(report) == []
    assert [(one.rule, one.fault.path) for one in report.faults] == [
        ("SCHEMA", "OrderHead/appTime")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "<a/>",
        "<!DOCTYPE a><a/>",
        "no xml",
        '<CEB622Message xmlns="http://www.chinaport.gov.cn/ceb" guid="g" version="1.0"/>',
    ],
)
def test_xml_that_holds_no_papers_is_unreadable(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text(text, "utf-8")
    with pytest.raises(UnusableFile):
        read_rows(path, None)


def test_a_file_of_another_ending_is_told_every_ending_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "papers.txt"
    path.write_text("{}", "utf-8")
    with pytest.raises(UnusableFile, match=r"papers.txt: name the file .*\.json, .*or \.xml"):
        read_rows(path, None)


# --- the command ------------------------------------------------------------------------------


def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, Any]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLEARANCE_CONFIG", raising=False)
    result = CliRunner().invoke(build(), ["preflight", *arguments, "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_exit_codes_tell_clean_blocked_and_unreadable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = written(tmp_path / "clean.ndjson", [*agreeing(), GOODS])
    assert ran(tmp_path, monkeypatch, str(clean))[0] == 0
    rows = copy.deepcopy(agreeing())
    rows[1]["amount"] = "1"
    code, doc = ran(tmp_path, monkeypatch, str(written(tmp_path / "bad.ndjson", rows)))
    assert (code, doc["by_rule"]) == (1, {"PAYMENT-AMOUNT": 1})
    broken = tmp_path / "broken.ndjson"
    broken.write_text("{\n", "utf-8")
    code, doc = ran(tmp_path, monkeypatch, str(broken))
    assert code == 2
    assert "no row can be read" in doc["unreadable"]
    assert "没有可读的行" in doc["unreadable"]


def test_a_profile_file_stands_for_every_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = agreeing()
    rows[2]["carrier_code"] = "3301999999"
    path = written(tmp_path / "f.ndjson", [*rows, GOODS])
    profile = str(SAMPLES / "profile-1210.toml")
    code, doc = ran(tmp_path, monkeypatch, str(path), "--profile-file", profile)
    assert (code, doc["by_rule"]) == (1, {"WAYBILL-CARRIER-KNOWN": 1})
    assert doc["profile"] is None


def test_findings_have_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = agreeing()
    rows[1]["amount"] = "1"
    path = str(written(tmp_path / "f.ndjson", rows))
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(build(), ["preflight", path])
    assert result.exit_code == 1
    assert "支付单金额 1" in result.stdout
    assert "PAYMENT-AMOUNT" in result.stdout
