"""Plan data, catalogues and the schemas themselves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import schemas
from schemas import walker
from schemas.catalog import Catalog, load_catalog
from schemas.errors import StaleFileError, UnknownPathError, UnknownSchemaError
from schemas.loader import Limits, load_schema, parse
from schemas.plan import (
    Direction,
    Presence,
    Side,
    ValueKind,
    load_codes,
    load_plan,
    main,
)

FOLDER = Path(schemas.__file__).parent
XSD = "{http://www.w3.org/2001/XMLSchema}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@pytest.mark.slow
def test_committed_plan_data_is_fresh_and_not_written_again() -> None:
    before = {path: path.stat().st_mtime_ns for path in FOLDER.rglob("*") if path.is_file()}
    assert main([]) == 0
    after = {path: path.stat().st_mtime_ns for path in before}
    assert before == after


def test_stale_files_are_named_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "plan.json"
    monkeypatch.setattr(walker, "stale_files", lambda: {target: "{}\n"})
    assert main(["--check"]) == 1
    assert not target.exists()
    assert "plan.json" in capsys.readouterr().err
    assert main([]) == 0
    assert target.read_text("utf-8") == "{}\n"


def test_a_wrong_argument_is_told() -> None:
    assert main(["--chekc"]) == 2


@pytest.mark.parametrize("edition", ["ceb/2018", "ceb/202205", "dxp/2018", "dxp/202205"])
def test_every_element_and_attribute_has_labels_in_both_languages(edition: str) -> None:
    for path in (FOLDER / edition).glob("*.xsd"):
        root = parse(path.read_bytes(), Limits(xml_attributes=True))
        for tag in ("element", "attribute", "enumeration", "simpleType"):
            for part in root.iter(f"{XSD}{tag}"):
                if tag == "enumeration" and path.name != "codes.xsd":
                    raise AssertionError(f"{path.name} lists codes of its own")
                labels = part.findall(f"{XSD}annotation/{XSD}documentation")
                languages = {item.get(LANG) for item in labels if item.get("source") is None}
                assert languages == {"zh", "en"}, part.get("name") or part.get("ref")
                assert all((item.text or "").strip() for item in labels)


# Fields of one record, from the interface specification: import, then export.
IMPORT = {
    "CEB311Message": (43, Presence.OPTIONAL),
    "CEB312Message": (7, Presence.NONE),
    "CEB411Message": (18, Presence.OPTIONAL),
    "CEB412Message": (6, Presence.NONE),
    "CEB511Message": (19, Presence.OPTIONAL),
    "CEB512Message": (6, Presence.NONE),
    "CEB513Message": (10, Presence.OPTIONAL),
    "CEB514Message": (7, Presence.NONE),
    "CEB621Message": (67, Presence.MANDATORY),
    "CEB622Message": (11, Presence.NONE),
    "CEB623Message": (24, Presence.MANDATORY),
    "CEB624Message": (11, Presence.NONE),
    "CEB625Message": (30, Presence.MANDATORY),
    "CEB626Message": (11, Presence.NONE),
    "CEB711Message": (22, Presence.MANDATORY),
    "CEB712Message": (9, Presence.NONE),
    # One more than specified: the second spelling of logisticsNo.
    "CEB816Message": (24, Presence.NONE),
    "CEB818Message": (7, Presence.NONE),
    "CEB900Message": (7, Presence.NONE),
}
EXPORT = {
    "CEB303Message": 25,
    "CEB304Message": 7,
    "CEB403Message": 16,
    "CEB404Message": 7,
    "CEB505Message": 17,
    "CEB506Message": 6,
    "CEB507Message": 23,
    "CEB508Message": 10,
    "CEB509Message": 21,
    "CEB510Message": 8,
    "CEB603Message": 67,
    "CEB604Message": 12,
    "CEB605Message": 14,
    "CEB606Message": 8,
    "CEB607Message": 26,
    "CEB608Message": 10,
    "CEB701Message": 23,
    "CEB702Message": 10,
    "CEB792Message": 25,
}
EXPORT_2022 = {"CEB213Message": 39, "CEB214Message": 10, "CEB215Message": 20, "CEB216Message": 9}
RECORDS = {"CEB900Message": 1, "CEB711Message": 1, "CEB816Message": None, "CEB818Message": None}
TRAILER = ["BaseTransfer", "BaseSubscribe", "ExtendMessage"]


def test_each_edition_has_its_messages() -> None:
    assert set(load_plan("ceb", "202205")) == {*IMPORT, *EXPORT, *EXPORT_2022}
    assert set(load_plan("ceb", "2018")) == {*IMPORT, *EXPORT}


@pytest.mark.parametrize("edition", ["2018", "202205"])
def test_import_messages_have_the_official_shape(edition: str) -> None:
    plans = load_plan("ceb", edition)
    for name, (fields, signature) in IMPORT.items():
        plan = plans[name]
        assert len(list(plan.record.leaves())) == fields, name
        assert plan.signature is signature, name
        assert plan.signature_before is None
        assert plan.record.max_occurs == RECORDS.get(name, 100), name
        sent = signature is not Presence.NONE
        assert plan.direction is (Direction.SENT if sent else Direction.RECEIVED)
        assert [element.name for element in plan.trailer] == (TRAILER if sent else [])
        assert plan.side is (Side.BOTH if name == "CEB900Message" else Side.IMPORT)
        assert plan.answer == (f"CEB{int(name[3:6]) + 1}Message" if sent else None)


@pytest.mark.parametrize("edition", ["2018", "202205"])
def test_export_messages_have_the_official_shape(edition: str) -> None:
    plans = load_plan("ceb", edition)
    for name, fields in (EXPORT if edition == "2018" else EXPORT | EXPORT_2022).items():
        plan = plans[name]
        assert len(list(plan.record.leaves())) == fields, name
        sent = int(name[3:6]) % 2 == 1 and name != "CEB792Message"
        assert plan.signature is (Presence.OPTIONAL if sent else Presence.NONE), name
        # The order at the end is the other way round than in import messages.
        assert plan.signature_before == ("ExtendMessage" if sent else None)
        assert plan.record.max_occurs == 100
        assert [element.name for element in plan.trailer] == (TRAILER if sent else [])
        assert plan.side is Side.EXPORT
        assert plan.answer == (f"CEB{int(name[3:6]) + 1}Message" if sent else None)


def length(edition: str, message: str, path: str) -> tuple[int | None, int | None]:
    facets = load_plan("ceb", edition)[message].at(path).facets
    assert facets is not None
    return facets.length, facets.max_length


@pytest.mark.parametrize(
    "message, path, old, new",
    [
        ("CEB621Message", "InventoryList/tradeCountry", (3, None), (None, 3)),
        ("CEB303Message", "OrderHead/ebpCode", (None, 50), (None, 18)),
        ("CEB505Message", "logisticsNo", (None, 80), (None, 32)),
        ("CEB603Message", "InventoryHead/invtNo", (None, 18), (None, 20)),
        ("CEB603Message", "InventoryHead/totalPackageNo", (None, 60), (None, 37)),
        ("CEB607Message", "WayBillList/totalPackageNo", (None, 60), (None, 60)),
    ],
)
def test_lengths_are_those_of_the_edition(
    message: str, path: str, old: tuple[int | None, int | None], new: tuple[int | None, int | None]
) -> None:
    assert (length("2018", message, path), length("202205", message, path)) == (old, new)


def test_editions_differ_in_lines_of_a_departure_and_in_the_advised_item_number() -> None:
    old, new = load_plan("ceb", "2018"), load_plan("ceb", "202205")
    assert old["CEB509Message"].at("DepartureList").max_occurs == 100
    assert new["CEB509Message"].at("DepartureList").max_occurs is None
    numbers = [plans["CEB621Message"].at("InventoryList/itemNo").facets for plans in (old, new)]
    assert [(one.max_length, one.advised_length) for one in numbers if one is not None] == [
        (30, None),
        (30, 20),
    ]


@pytest.mark.parametrize("edition", ["2018", "202205"])
def test_code_lists_are_told_in_both_languages_and_used(edition: str) -> None:
    lists = load_codes("ceb", edition)
    assert lists["AppType"].codes["1"] == ("新增", "new")
    assert (lists["AppType"].closed, lists["ReturnStatus"].closed) == (True, False)
    used = set()
    for plan in load_plan("ceb", edition).values():
        for element in (*plan.record.children, *plan.trailer):
            for _, leaf in element.leaves() if element.children else (("", element),):
                if leaf.code_list in lists:
                    used.add(leaf.code_list)
                    closed = leaf.facets is not None and bool(leaf.facets.codes)
                    sent = plan.direction is Direction.SENT
                    assert closed is (sent and lists[leaf.code_list].closed), (plan.name, leaf.name)
                    if leaf.facets is not None and closed:
                        assert leaf.facets.codes == tuple(lists[leaf.code_list].codes)
    assert used == set(lists)


def test_facets_are_those_of_the_fields() -> None:
    plan = load_plan("ceb", "202205")["CEB621Message"]
    head = plan.at("InventoryHead/copNo")
    assert (head.mandatory, head.facets and head.facets.max_length) == (False, 20)
    gross = plan.at("InventoryHead/grossWeight").facets
    assert gross is not None
    assert (gross.kind, gross.total_digits, gross.fraction_digits) == (ValueKind.DECIMAL, 19, 5)
    currency = plan.at("InventoryList/currency").facets
    assert currency is not None
    assert (currency.fixed, currency.length) == ("142", 3)
    lines = plan.at("InventoryList")
    assert (lines.min_occurs, lines.max_occurs, lines.repeated) == (1, 99, True)
    with pytest.raises(UnknownPathError):
        plan.at("InventoryHead/nothing")


def test_a_receipt_without_e_port_number_is_tolerated() -> None:
    assert not load_plan("ceb", "202205")["CEB622Message"].at("preNo").mandatory


def test_the_envelope_has_a_plan_too() -> None:
    for edition in ("2018", "202205"):
        plans = load_plan("dxp", edition)
        assert set(plans) == {"DxpMsg", "DxpMsgSv", "DxpRep"}
        names = [element.name for element in plans["DxpMsg"].root.children]
        assert names == ["TransInfo", "Data", "AddInfo"]
        node, inner = plans["DxpMsgSv"].root.children
        assert [one.name for one in node.children][:3] == ["MsgId", "SubMsgId", "SendTime"]
        assert inner.children == plans["DxpMsg"].root.children


def test_catalogues_tell_origin_and_day() -> None:
    catalog = load_catalog("ceb", "202205")
    assert catalog.in_force == date(2022, 5, 1)
    assert load_catalog("ceb", "2018").in_force == date(2018, 9, 30)
    assert catalog.origin
    with pytest.raises(UnknownSchemaError):
        load_plan("ceb", "199912")


def test_a_changed_file_is_noticed() -> None:
    good = load_catalog("ceb", "202205")
    digests = {**good.sha256, "CEB312Message.xsd": "0" * 64}
    bad = Catalog(
        good.family, good.edition, good.folder, good.origin, good.in_force, good.messages, digests
    )
    with pytest.raises(StaleFileError):
        bad.read("CEB312Message.xsd")
    included = {**good.sha256, "common.xsd": "0" * 64}
    bad = Catalog(
        good.family, good.edition, good.folder, good.origin, good.in_force, good.messages, included
    )
    with pytest.raises(StaleFileError):
        load_schema(bad, "CEB312Message.xsd")
