"""The text table of matching against the schemas, which are its source."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import pytest

from gateway.domain.matching.texts import (
    DIRECT_TEXTS,
    HEAD_TEXTS,
    LINE_TEXTS,
    WAYBILL_TEXTS,
    TextField,
)

DATA = json.loads((resources.files("schemas") / "ceb" / "202205" / "plan.json").read_text("utf-8"))
PLAN = DATA["messages"]
ORDER = [(field, "OrderHead") for field in HEAD_TEXTS] + [(one, "OrderList") for one in LINE_TEXTS]
INVENTORY = [
    (field, "InventoryHead")
    for field in (*HEAD_TEXTS, *WAYBILL_TEXTS, *DIRECT_TEXTS)
    if field.inventory_filed
]
INVENTORY += [(field, "InventoryList") for field in LINE_TEXTS if field.inventory_filed]


def element(message: str, group: str, name: str) -> dict[str, Any]:
    record = PLAN[message]["root"]["children"][0]
    block = next(child for child in record["children"] if child["name"] == group)
    found: dict[str, Any] = next(child for child in block["children"] if child["name"] == name)
    return found


def check(message: str, group: str, field: TextField) -> None:
    plan = element(message, group, field.element)
    facets = plan["facets"]
    assert facets.get("length", facets.get("max_length")) == field.longest
    assert ("length" in facets) is field.is_exact
    is_mandatory = plan.get("occurs", [1, 1])[0] == 1
    # itemNo is our key; the others are mandatory by trade mode, or in one of the records only.
    if field.element not in ("itemNo", "itemName", "trafNo", "voyageNo", "billNo"):
        assert is_mandatory is field.is_needed


@pytest.mark.parametrize("field, group", ORDER, ids=lambda value: getattr(value, "path", value))
def test_the_order_record(field: TextField, group: str) -> None:
    check("CEB311Message", group, field)


# itemNo: 20 in this edition's inventory; ORDER-SKU-LENGTH warns.
@pytest.mark.parametrize(
    "field, group",
    [pair for pair in INVENTORY if pair[0].element != "itemNo"],
    ids=lambda value: getattr(value, "path", value),
)
def test_the_inventory_record(field: TextField, group: str) -> None:
    check("CEB621Message", group, field)
