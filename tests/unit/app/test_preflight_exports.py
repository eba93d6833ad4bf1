"""Files of exports: the papers of one order in every form, alone and together with imports."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gateway.app.cli import build
from gateway.app.demo_world import demo_profile
from gateway.app.import_rows import UnusableFile
from gateway.app.packs import builtin_matcher
from gateway.app.preflight_rows import read_rows
from gateway.app.preflighting import Known, Nothing, Report, preflight_files
from gateway.domain.ids import Direction
from gateway.domain.matching import explain
from gateway.domain.profile import FilingProfile
from gateway.flow.context import SECOND_US
from tests.support import exports
from tests.unit.app.test_preflight import GOODS, agreeing, ran, written

SAMPLES = Path(__file__).parents[2] / "samples" / "customs" / "documents"
NAMES = {"303": "303-9610", "403": "403", "505": "505", "603": "603-9610"}
NOW = 1_796_000_000 * SECOND_US
Change = tuple[str, str, str | None]
Rows = list[dict[str, Any]]


def messages(*changes: Change) -> dict[str, str]:
    """The four messages of one export, which agree but for the changes (message, element, text)."""
    found = {
        kind: (SAMPLES / f"{name}.xml").read_text(encoding="utf-8") for kind, name in NAMES.items()
    }
    for kind, element, text in changes:
        new = "" if text is None else f"<ceb:{element}>{text}</ceb:{element}>"
        pattern = f"<ceb:{element}>[^<]*</ceb:{element}>"
        found[kind], count = re.subn(pattern, new, found[kind], count=1)
        assert count == 1, (kind, element)
    return found


async def judged(folder: Path, texts: dict[str, str], known: Known | None = None) -> Report:
    for kind, text in texts.items():
        (folder / f"{kind}.xml").write_text(text, "utf-8")
    files = {kind: read_rows(folder / f"{kind}.xml", None) for kind in texts}
    return await preflight_files(files, known or Nothing(), builtin_matcher(), NOW)


async def judged_rows(folder: Path, rows: Rows, known: Known | None = None) -> Report:
    files = {"f": read_rows(written(folder / "f.ndjson", rows), None)}
    return await preflight_files(files, known or Nothing(), builtin_matcher(), NOW)


def told(report: Report) -> list[str]:
    return [one.rule for case in report.trial.cases for one in case.findings]


# --- customs' XML -----------------------------------------------------------------------------


async def test_messages_of_an_export_that_agree_are_clean(tmp_path: Path) -> None:
    report = await judged(tmp_path, messages())
    assert (told(report), report.faults) == ([], [])
    (case,) = report.trial.cases
    assert (case.key.direction, case.key.order_no) == (Direction.EXPORT, "EX2026-0001")
    assert case.verdict == "matched"
    assert case.unverified == ()
    # The waybill names no order: the inventory that names both leads it to its case.
    assert report.trial.unlinked == ()
    assert set(case.places) == {"order", "payment", "waybill"}


@pytest.mark.parametrize("left_out", NAMES)
async def test_what_is_left_out_of_an_export_is_no_fault(left_out: str, tmp_path: Path) -> None:
    texts = messages()
    del texts[left_out]
    report = await judged(tmp_path, texts)
    assert (told(report), report.faults) == ([], [])
    assert [one.place for one in report.trial.unlinked] == (
        ["505 record 1 (line 1)"] if left_out == "603" else []
    )


@pytest.mark.parametrize("kind", NAMES)
async def test_each_message_of_an_export_is_clean_alone(kind: str, tmp_path: Path) -> None:
    report = await judged(tmp_path, {kind: messages()[kind]})
    assert (told(report), report.faults) == ([], [])
    assert not report.blocks


@pytest.mark.parametrize(
    "name", ["303-9710", "303-9810", "603-1210", "603-9710", "603-9810"]
)  # fmt: skip
async def test_every_mode_of_exports_is_clean(name: str, tmp_path: Path) -> None:
    report = await judged(tmp_path, {name[:3]: (SAMPLES / f"{name}.xml").read_text("utf-8")})
    assert (told(report), report.faults) == ([], [])
    assert report.to_doc(explain)["profile"]["modes"] == {"export": name[4:]}


@pytest.mark.parametrize(
    "changes, rules",
    [
        ([("303", "goodsValue", "26")], ["ORDER-LINES-SUM"]),
        ([("303", "totalPrice", "24")], ["ORDER-LINE-TOTAL", "ORDER-LINES-SUM"]),
        ([("303", "gnum", "2")], ["INVENTORY-FILED-LINES", "ORDER-LINE-NUMBERS"]),
        ([("505", "grossWeight", "0")], ["WAYBILL-FILED-WEIGHT", "WAYBILL-WEIGHT"]),
        ([("505", "grossWeight", "0.4"), ("603", "grossWeight", "0.4")], ["INVENTORY-WEIGHT"]),
        ([("505", "grossWeight", "2")], ["WAYBILL-FILED-WEIGHT"]),
        ([("505", "logisticsCode", "3105980D09")], ["INVENTORY-FILED-WAYBILL"]),
        ([("505", "freight", "4")], ["INVENTORY-FILED-COSTS"]),
        ([("505", "currency", "142")], ["INVENTORY-FILED-COSTS"] * 2),
        ([("603", "netWeight", "0.9")], ["INVENTORY-WEIGHT"]),
        ([("603", "ebcCode", "3105961B09")], ["INVENTORY-FILED-PARTIES"]),
        ([("603", "itemName", "木制积木")], ["INVENTORY-FILED-LINES"]),
        ([("603", "itemName", None)], []),
        ([("603", "unit", "011")], ["INVENTORY-FILED-LINES"]),
        ([("603", "qty", "3"), ("603", "totalPrice", "37.5")], ["INVENTORY-FILED-LINES"]),
        ([("603", "currency", "142")], ["INVENTORY-FILED-LINES"]),
        ([("603", "totalPrice", "24")], ["ORDER-LINE-TOTAL"]),
        ([("603", "voyageNo", None)], []),
        ([("403", "payCode", None)], []),
        ([("403", "payNo", None)], []),
        ([("403", "orderNo", "EX2026-0002")], ["ORDER-MISSING", "PAYMENT-MISSING",
                                               "WAYBILL-MISSING"]),
    ],
)  # fmt: skip
async def test_a_planted_difference_of_an_export_is_named_by_its_rule(
    changes: list[Change], rules: list[str], tmp_path: Path
) -> None:
    report = await judged(tmp_path, messages(*changes))
    assert report.faults == []
    assert sorted(told(report)) == sorted(rules)


async def test_a_receipt_of_a_firm_abroad_needs_no_code(tmp_path: Path) -> None:
    """Beside receipts of firms with codes, of which none is its payer."""
    texts = messages()
    (record,) = re.findall("<ceb:Receipts>.*</ceb:Receipts>", texts["403"])
    more = re.sub("<ceb:payCode>.*?</ceb:payCode>", "", record)
    more = more.replace("EX2026-0001", "EX2026-0002")
    other = record.replace("3105960E05", "3105960E06").replace("EX2026-0001", "EX2026-0003")
    texts["403"] = texts["403"].replace(record, record + more + other)
    assert told(await judged(tmp_path, {"403": texts["403"]})) == []


async def test_lines_in_several_currencies_are_named(tmp_path: Path) -> None:
    texts = messages()
    texts["303"] = re.sub("(<ceb:unit>007</ceb:unit><ceb:currency>)502", "\\g<1>142", texts["303"])
    report = await judged(tmp_path, {"303": texts["303"]})
    assert [one.fault.path for one in report.faults] == ["lines[0].currency"]
    assert report.blocks


async def test_what_only_the_schema_of_an_export_knows_is_told_by_it(tmp_path: Path) -> None:
    report = await judged(tmp_path, messages(("603", "POD", "TOO-LONG"), ("403", "charge", None)))
    found = [(one.rule, one.fault.path) for one in report.faults]
    assert ("SCHEMA", "InventoryHead/POD") in found
    assert {path for _, path in found} == {"InventoryHead/POD", "charge"}
    assert told(report) == []


async def test_what_inventories_say_of_one_article_is_of_each_alone(tmp_path: Path) -> None:
    texts = messages()
    (record,) = re.findall("<ceb:Inventory>.*</ceb:Inventory>", texts["603"])
    other = record.replace("EX2026-0001", "EX2026-0002").replace("YD0000000001", "YD0000000002")
    other = other.replace(">0.6</ceb:netWeight", ">6</ceb:netWeight")
    other = other.replace(">0.8</ceb:grossWeight", ">8</ceb:grossWeight")
    texts["603"] = texts["603"].replace(record, record + other)
    report = await judged(tmp_path, {"603": texts["603"]})
    assert told(report) == []
    assert len(report.trial.cases) == 2


# --- JSON -------------------------------------------------------------------------------------


def export_rows(number: str = "EX-1") -> Rows:
    kinds = ("export_order", "funds_receipt", "export_waybill")
    return [
        {"type": kind, **doc} for kind, doc in zip(kinds, exports.documents(number), strict=True)
    ]


def as_goods() -> dict[str, Any]:
    (record,) = exports.goods()
    return {
        **GOODS, "sku": record.sku, "name": record.name, "unit": record.unit,
        "unit1": record.unit1, "factor1": "0.3", "net_weight_kg": "0.3", "gross_weight_kg": "0.35",
    }  # fmt: skip


PLANTED: dict[str, Callable[[Rows], Any]] = {
    "ORDER-LINES-SUM": lambda rows: rows[0].update(goods_value="18.00"),
    "ORDER-LINE-TOTAL": lambda rows: rows[0]["lines"][0].update(price="9.00"),
    "ORDER-LINE-NUMBERS": lambda rows: rows[0]["lines"][0].update(line_no=2),
    "ORDER-LINE-COUNT": lambda rows: rows[0].update(lines=[], goods_value="0"),
    "INVENTORY-WEIGHT": lambda rows: rows[2].update(gross_weight_kg="0.5"),
    "GOODS-UNIT": lambda rows: rows[0]["lines"][0].update(unit="007"),
    "GOODS-MISSING": lambda rows: rows[0]["lines"][0].update(sku="OTHER"),
    "PAYMENT-MISSING": lambda rows: rows.extend(
        [one for one in export_rows("EX-2") if one["type"] != "funds_receipt"]
    ),
}


async def test_rows_of_an_export_that_agree_are_clean(tmp_path: Path) -> None:
    report = await judged_rows(tmp_path, [*export_rows(), as_goods()])
    assert (told(report), report.faults, report.blocks) == ([], [], False)
    (found,) = report.to_doc(explain)["results"]
    assert (found["direction"], found["verdict"]) == ("export", "matched")


@pytest.mark.parametrize("rule", PLANTED)
async def test_a_planted_fault_of_an_export_is_named_alone(rule: str, tmp_path: Path) -> None:
    rows = export_rows()
    PLANTED[rule](rows)
    report = await judged_rows(tmp_path, [*rows, as_goods()])
    assert set(told(report)) == {rule}
    assert report.faults == []
    assert report.blocks


async def test_an_untyped_export_is_known_by_its_fields(tmp_path: Path) -> None:
    rows = export_rows()
    for row in rows:
        del row["type"]
    report = await judged_rows(tmp_path, rows)
    assert [case.key.direction for case in report.trial.cases] == [Direction.EXPORT]
    assert report.faults == []


async def test_a_body_of_an_export_may_be_tried_as_a_file(tmp_path: Path) -> None:
    order, funds, waybill = exports.documents("EX-1")
    order["goods_value"] = "18"
    body = {"export_order": order, "funds_receipt": funds, "export_waybill": waybill}
    path = tmp_path / "body.json"
    path.write_text(json.dumps({**body, "goods": [as_goods()]}), "utf-8")
    report = await preflight_files({"f": read_rows(path, None)}, Nothing(), builtin_matcher(), NOW)
    assert told(report) == ["ORDER-LINES-SUM"]


async def test_a_file_with_both_directions_judges_each_by_its_own(tmp_path: Path) -> None:
    """Of one number even; the import has a payment, which the export need not have."""
    here = [{**row, "order_no": "BOTH-1"} for row in agreeing()]
    there = [one for one in export_rows("BOTH-1") if one["type"] != "funds_receipt"]
    report = await judged_rows(tmp_path, [*here, *there, GOODS, as_goods()])
    assert (told(report), report.faults) == ([], [])
    assert [case.key.direction for case in report.trial.cases] == ["import", "export"]
    assert report.to_doc(explain)["profile"]["modes"] == {"import": "1210", "export": "9610"}
    here[1]["amount"], there[0]["goods_value"] = "1", "18.00"
    report = await judged_rows(tmp_path, [*here, *there, GOODS, as_goods()])
    found = [
        (case.key.direction.value, one.rule) for case in report.trial.cases for one in case.findings
    ]
    assert found == [("import", "PAYMENT-AMOUNT"), ("export", "ORDER-LINES-SUM")]


async def test_a_profile_of_the_other_direction_is_a_fault_of_the_row(tmp_path: Path) -> None:
    known = Nothing((exports.profile(),))
    assert (await judged_rows(tmp_path, export_rows(), known)).faults == []
    report = await judged_rows(tmp_path, agreeing()[:1], known)
    assert [(one.fault.path, one.fault.message) for one in report.faults] == [
        ("profile", "is of exports, the paper is of an import")
    ]
    assert report.blocks


async def test_where_no_profile_is_of_a_direction_that_is_told(tmp_path: Path) -> None:
    """A deployment of imports alone: its import is judged, the export lacks a profile."""

    @dataclass(frozen=True, slots=True)
    class Deployed:
        """As ``Nothing``, and yet a deployment."""

        profiles: tuple[FilingProfile, ...]
        goods = Nothing.goods
        holders = Nothing.holders
        papers = Nothing.papers
        tables = Nothing.tables
        account = Nothing.account

    known: Any = Deployed((demo_profile(),))
    rows = [*agreeing(), *export_rows()]
    for row in rows:
        del row["profile"]
    report = await judged_rows(tmp_path, rows, known)
    assert {(one.place, one.fault.message_zh) for one in report.faults} == {
        (f"row {number}", "缺少出口申报方案，此处没有") for number in (4, 5, 6)
    }
    assert [case.key.direction for case in report.trial.cases] == [Direction.IMPORT]


def test_the_command_takes_exports_with_the_same_exit_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = written(tmp_path / "good.ndjson", [*export_rows(), as_goods()])
    assert ran(tmp_path, monkeypatch, str(good))[0] == 0
    code, doc = ran(tmp_path, monkeypatch, str(SAMPLES / "603-9610.xml"))
    assert (code, doc["orders"]) == (0, 1)
    bad = tmp_path / "bad.xml"
    bad.write_text(messages(("303", "goodsValue", "26"))["303"], "utf-8")
    code, doc = ran(tmp_path, monkeypatch, str(bad))
    assert (code, doc["by_rule"]) == (1, {"ORDER-LINES-SUM": 1})


def test_the_report_names_files_directions_and_papers_in_both_languages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLEARANCE_CONFIG", raising=False)
    for kind, text in messages(("403", "charge", None), ("303", "goodsValue", "26")).items():
        (tmp_path / f"{kind}.xml").write_text(text, "utf-8")
    imports = str(written(tmp_path / "import.ndjson", agreeing()[:2]))
    given = ["303.xml", "403.xml", "505.xml", imports]
    result = CliRunner().invoke(build(), ["preflight", *given])
    assert result.exit_code == 1
    text = result.stdout
    assert "EX2026-0001  blocked / 不可申报  export / 出口" in text
    assert "block 阻止 ORDER-LINES-SUM" in text
    assert "MIX-0001  waiting / 待收  import / 进口" in text
    assert "still to come / 待收: waybill 运单, goods 商品备案 MILK-900" in text
    # The receipt of funds came, and is faulty; the 505 leads to no order without its 603.
    assert "still to come / 待收: waybill 运单, goods 商品备案 TOY-1" in text
    assert (
        "403.xml record 1: SCHEMA charge Amount received is required and missing / charge" in text
    )
    assert "505.xml record 1 (line 1): names no order" in text
    assert "出口 export 9610" in text


def test_what_holds_no_papers_is_unreadable(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile):
        read_rows(SAMPLES / "607.xml", None)


@pytest.mark.parametrize("index", range(3))
def test_a_table_of_exports_is_refused_by_its_name(index: int, tmp_path: Path) -> None:
    doc = exports.documents("EX-1")[index]
    names = [name for name in doc if name not in ("lines", "type")]
    path = tmp_path / "exports.csv"
    path.write_text(",".join(names) + "\n" + ",".join(str(doc[one]) for one in names), "utf-8")
    with pytest.raises(UnusableFile, match=r"^exports\.csv: tables hold papers of imports"):
        read_rows(path, None)


def test_a_file_with_an_unknown_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("order_no,colour\n1,red\n", "utf-8")
    with pytest.raises(UnusableFile, match=r"^orders\.csv: line 1: there is no column 'colour'"):
        read_rows(path, None)
