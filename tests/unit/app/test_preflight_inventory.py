"""An inventory beside the papers it names: where it says otherwise, its rule is named alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.app.packs import builtin_matcher
from gateway.app.preflight_rows import read_rows
from gateway.app.preflighting import Nothing, Report, preflight_files
from gateway.flow.context import SECOND_US

SAMPLES = Path(__file__).parents[2] / "samples" / "customs"
NAMES = {
    "311": "order_full.xml",
    "411": "payment.xml",
    "511": "waybill.xml",
    "621": "inventory_direct.xml",
}
NOW = 1_772_500_000 * SECOND_US
Change = tuple[str, str, str | None]


def messages(*changes: Change) -> dict[str, str]:
    """The four messages of one order, which agree but for the changes (message, element, text)."""
    found = {kind: (SAMPLES / name).read_text(encoding="utf-8") for kind, name in NAMES.items()}
    for kind, element, text in (("511", "freight", "10"), ("621", "freight", "10"), *changes):
        new = "" if text is None else f"<ceb:{element}>{text}</ceb:{element}>"
        pattern = f"<ceb:{element}>[^<]*</ceb:{element}>"
        found[kind], count = re.subn(pattern, new, found[kind], count=1)
        assert count == 1, (kind, element)
    return found


async def judged(folder: Path, texts: dict[str, str]) -> Report:
    for kind, text in texts.items():
        (folder / f"{kind}.xml").write_text(text, "utf-8")
    files = {kind: read_rows(folder / f"{kind}.xml", None) for kind in texts}
    return await preflight_files(files, Nothing(), builtin_matcher(), NOW)


def told(report: Report) -> list[str]:
    assert report.faults == []
    return [one.rule for case in report.trial.cases for one in case.findings]


async def test_an_inventory_that_says_what_its_papers_say_is_clean(tmp_path: Path) -> None:
    report = await judged(tmp_path, messages())
    assert told(report) == []
    assert [case.verdict for case in report.trial.cases] == ["matched"]


async def test_the_messages_of_an_order_may_stand_in_one_file(tmp_path: Path) -> None:
    parts = messages(("621", "buyerName", "王小朋")).values()
    texts = {"all": f"<messages>{''.join(parts)}</messages>"}
    report = await judged(tmp_path, texts)
    assert told(report) == ["INVENTORY-FILED-BUYER"]
    assert report.rows == 6
    (case,) = report.trial.cases
    (finding,) = case.findings
    assert set(finding.paths) == {"inventory.buyer.name", "order.buyer.name"}


@pytest.mark.parametrize(
    "changes, rules",
    [
        ([], []),
        ([("621", "voyageNo", None)], ["INVENTORY-DIRECT-FIELDS"]),
        ([("621", "assureCode", "3105961B09")], ["PARTY-GUARANTOR"]),
        ([("621", "buyerName", "王小朋")], ["PARTY-PAYER-NAME"]),
    ],
)
async def test_an_inventory_beside_its_payment_alone_is_judged_by_its_own_head(
    changes: list[Change], rules: list[str], tmp_path: Path
) -> None:
    texts = messages(*changes)
    report = await judged(tmp_path, {kind: texts[kind] for kind in ("411", "621")})
    assert told(report) == rules


@pytest.mark.parametrize(
    "element, text, rule, severity",
    [
        ("consignee", "李小虹", "PARTY-CONSIGNEE-NAME", "block"),
        ("consigneeTelephone", "13800000003", "PARTY-CONSIGNEE-PHONE", "block"),
        ("consigneeTelephone", "138-0000-0002", "PARTY-CONSIGNEE-SPELLING", "warn"),
        ("consigneeTelephone", "１３８０００００００２", "PARTY-CONSIGNEE-SPELLING", "warn"),
        ("consigneeAddress", "浙江省宁波市别处 9 号", "PARTY-CONSIGNEE-ADDRESS", "warn"),
    ],
)
@pytest.mark.parametrize("kinds", [("311", "511"), ("311", "411", "511", "621")])
async def test_a_511_is_what_customs_gets_of_the_waybill(
    element: str, text: str, rule: str, severity: str, kinds: tuple[str, ...], tmp_path: Path
) -> None:
    texts = messages(("511", element, text))
    report = await judged(tmp_path, {kind: texts[kind] for kind in kinds})
    (case,) = report.trial.cases
    assert [(one.rule, one.severity) for one in case.findings] == [(rule, severity)]
    assert "WAYBILL-FILED-COPY" not in case.unverified


async def test_lines_of_one_number_are_not_held_against_each_other(tmp_path: Path) -> None:
    texts = messages()
    for kind, name in (("311", "OrderList"), ("621", "InventoryList")):
        line = re.search(f"<ceb:{name}>.*?</ceb:{name}>", texts[kind])
        assert line is not None
        gift = re.sub("<ceb:price>[^<]*<", "<ceb:price>0<", line.group())
        gift = re.sub("<ceb:totalPrice>[^<]*<", "<ceb:totalPrice>0<", gift)
        texts[kind] = texts[kind].replace(line.group(), line.group() + gift)
    report = await judged(tmp_path, texts)
    rules = {one.rule for case in report.trial.cases for one in case.findings}
    assert "ORDER-LINE-NUMBERS" in rules
    assert "INVENTORY-FILED-LINES" not in rules


@pytest.mark.parametrize(
    "changes, rules",
    [
        ([("621", "buyerTelephone", "13800000009")], ["INVENTORY-FILED-PHONE"]),
        ([("621", "buyerIdType", "2")], ["PARTY-ID-TYPE"]),
        ([("621", "buyerIdNumber", "330102197908150007")], ["INVENTORY-FILED-ID"]),
        ([("621", "consigneeAddress", "浙江省宁波市北仑区别处 9 号")], ["INVENTORY-FILED-ADDRESS"]),
        ([("621", "consigneeAddress", "浙江省 宁波市北仑区新港路１号2幢301室")], []),
        ([("621", "ebcCode", "3105961B09")], ["INVENTORY-FILED-PARTIES", "PARTY-GUARANTOR"]),
        ([("621", "logisticsNo", "YD0000000002")], ["INVENTORY-FILED-WAYBILL"]),
        ([("621", "freight", "9")], ["INVENTORY-FILED-COSTS"]),
        ([("621", "insuredFee", "0")], ["INVENTORY-FILED-COSTS"]),
        ([("621", "grossWeight", "9")], ["WAYBILL-FILED-WEIGHT"]),
        ([("621", "netWeight", "7")], ["INVENTORY-WEIGHT"]),
        ([("621", "packNo", "2")], ["WAYBILL-PACK-COUNT"]),
        ([("621", "voyageNo", None)], ["INVENTORY-DIRECT-FIELDS"]),
        ([("621", "assureCode", "3105960E05")], ["PARTY-GUARANTOR"]),
        ([("621", "itemName", "婴幼儿奶粉2段"), ("621", "gname", "婴幼儿奶粉2段")],
         ["INVENTORY-FILED-LINES"]),
        ([("621", "unit", "011")], ["INVENTORY-FILED-LINES"]),
        ([("621", "qty", "3"), ("621", "totalPrice", "298.5")], ["INVENTORY-FILED-LINES"]),
        ([("621", "qty", "3")], ["INVENTORY-FILED-LINES"]),
        ([("621", "price", "100"), ("621", "totalPrice", "200")], ["INVENTORY-FILED-LINES"]),
        ([("621", "totalPrice", "200")], ["ORDER-LINE-TOTAL"]),
        ([("621", "gnum", "2")], ["INVENTORY-FILED-LINES", "ORDER-LINE-NUMBERS"]),
        ([("621", "itemNo", "SKU-OTHER")], []),
        ([("311", "acturalPaid", "223.66"), ("411", "amountPaid", "223.66")], ["ORDER-HEAD-SUM"]),
        ([("411", "amountPaid", "223.64")], ["PAYMENT-AMOUNT"]),
        ([("411", "payerName", "王大明")], ["PARTY-PAYER-NAME"]),
        ([("511", "consignee", "李小绿")], ["PARTY-CONSIGNEE-NAME"]),
        ([("511", "freight", "8"), ("621", "freight", "8")], ["INVENTORY-FREIGHT"]),
        ([("621", "orderNo", "HT2026-000002")], ["ORDER-MISSING", "PAYMENT-MISSING",
                                                 "WAYBILL-MISSING"]),
    ],
)  # fmt: skip
async def test_a_planted_difference_is_named_by_its_rule(
    changes: list[Change], rules: list[str], tmp_path: Path
) -> None:
    assert sorted(told(await judged(tmp_path, messages(*changes)))) == sorted(rules)


async def test_a_line_that_the_order_has_not(tmp_path: Path) -> None:
    texts = messages(("621", "netWeight", "3.2"))
    line = re.search(r"<ceb:InventoryList>.*</ceb:InventoryList>", texts["621"])
    assert line is not None
    more = line[0].replace("<ceb:gnum>1<", "<ceb:gnum>2<")
    texts["621"] = texts["621"].replace(line[0], line[0] + more)
    assert told(await judged(tmp_path, texts)) == ["INVENTORY-FILED-COUNT"]


@pytest.mark.parametrize("left_out", ["311", "411", "511", "621"])
async def test_a_message_that_is_not_there_is_no_fault(left_out: str, tmp_path: Path) -> None:
    texts = messages()
    del texts[left_out]
    report = await judged(tmp_path, texts)
    assert told(report) == []
    assert not report.blocks
