"""The reference pages say what the schemas say."""

from __future__ import annotations

import re

import pytest

from schemas.errors import UnknownSchemaError
from schemas.plan import Facets, ValueKind
from schemas.reference import fields, index_page, kind_text, message, message_page, messages


def test_every_message_of_both_directions_and_the_envelopes() -> None:
    found = messages()
    business = [one for one in found if one.plan.family == "ceb"]
    assert len(business) == 42
    assert {one.name for one in found} - {one.name for one in business} == {
        "DxpMsg",
        "DxpMsgSv",
        "DxpRep",
    }
    editions = {one.name: one.editions for one in found}
    assert editions["CEB621Message"] == ("2018", "202205")
    # Returns of exported goods are new in 202205.
    assert editions["CEB213Message"] == ("202205",)


def test_the_fields_of_a_message() -> None:
    rows = {row.path: row for row in fields(message("CEB621Message"))}
    number = rows["Inventory/InventoryHead/orderNo"]
    assert (number.kind, number.required, number.occurs) == ("C..60", True, "1")
    assert number.label_zh == "订单编号"
    assert rows["Inventory/InventoryList"].occurs == "1..99"
    assert rows["Inventory/InventoryHead/appType"].codes["1"][0] == "新增"
    assert rows["Inventory/InventoryList/unit"].code_list == "units"
    assert rows["@guid"].kind == "C36"


def test_editions_differ() -> None:
    def of(edition: str) -> dict[str, str]:
        return {row.path: row.kind for row in fields(message("CEB603Message", edition))}

    assert of("2018") != of("202205")


@pytest.mark.parametrize("edition", ["2018", "202205"])
def test_a_page_names_every_field_in_both_languages(edition: str) -> None:
    plan = message("CEB411Message", edition)
    page = message_page(plan)
    for row in fields(plan):
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{row.path}` |")]
        assert row.label_zh in line
        assert row.label_en in line
    assert "CEB412Message" in page


def test_the_index_links_every_edition() -> None:
    assert len(re.findall(r"\]\(messages/\w+/\w+\)", index_page())) == sum(
        len(one.editions) for one in messages()
    )


def test_what_there_is_not() -> None:
    with pytest.raises(UnknownSchemaError, match="schema list"):
        message("CEB999Message")
    with pytest.raises(UnknownSchemaError, match="202205"):
        message("CEB213Message", "2018")


@pytest.mark.parametrize(
    "facets, text",
    [
        (None, "any"),
        (Facets(length=36), "C36"),
        (Facets(max_length=60), "C..60"),
        (Facets(min_length=3, max_length=3), "C3"),
        (Facets(fixed="142"), "C3"),
        (Facets(), "C"),
        (Facets(kind=ValueKind.DECIMAL, total_digits=19, fraction_digits=5), "N19,5"),
        (Facets(kind=ValueKind.DECIMAL, total_digits=9), "N9"),
        (Facets(kind=ValueKind.DATE), "date"),
    ],
)
def test_types_as_field_tables_write_them(facets: Facets | None, text: str) -> None:
    assert kind_text(facets) == text
