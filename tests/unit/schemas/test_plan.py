"""Plan data, catalogues and the schemas themselves."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import schemas
from schemas import walker
from schemas.catalog import Catalog, load_catalog
from schemas.errors import StaleFileError, UnknownPathError, UnknownSchemaError
from schemas.loader import load_schema, parse
from schemas.plan import Presence, ValueKind, load_plan, main

FOLDER = Path(schemas.__file__).parent
XSD = "{http://www.w3.org/2001/XMLSchema}"
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def test_committed_plan_data_is_fresh() -> None:
    assert main(["--check"]) == 0


def test_fresh_plan_data_is_not_written_again() -> None:
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


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.xsd")), ids=lambda path: path.name)
def test_every_element_and_attribute_has_labels_in_both_languages(path: Path) -> None:
    root = parse(path.read_bytes())
    parts = [*root.iter(f"{XSD}element"), *root.iter(f"{XSD}attribute")]
    for part in parts:
        labels = part.findall(f"{XSD}annotation/{XSD}documentation")
        languages = {item.get(LANG) for item in labels if item.get("source") is None}
        assert languages == {"zh", "en"}, part.get("name") or part.get("ref")
        assert all((item.text or "").strip() for item in labels)


@pytest.mark.parametrize(
    "name, fields, signature",
    [
        ("CEB311Message", 43, Presence.OPTIONAL),
        ("CEB312Message", 7, Presence.NONE),
        ("CEB621Message", 67, Presence.MANDATORY),
        ("CEB622Message", 11, Presence.NONE),
        ("CEB900Message", 7, Presence.NONE),
    ],
)
def test_messages_have_the_official_number_of_fields(
    name: str, fields: int, signature: Presence
) -> None:
    plan = load_plan("ceb", "202205")[name]
    assert len(list(plan.record.leaves())) == fields
    assert plan.signature is signature
    assert plan.record.max_occurs == (1 if name == "CEB900Message" else 100)
    trailer = [element.name for element in plan.trailer]
    sent = signature is not Presence.NONE
    assert trailer == (["BaseTransfer", "BaseSubscribe", "ExtendMessage"] if sent else [])


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
    plans = load_plan("dxp", "1.0")
    assert set(plans) == {"DxpMsg", "DxpRep"}
    names = [element.name for element in plans["DxpMsg"].root.children]
    assert names == ["TransInfo", "Data", "AddInfo"]


def test_catalogues_tell_origin_and_day() -> None:
    catalog = load_catalog("ceb", "202205")
    assert catalog.in_force == date(2022, 5, 1)
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
