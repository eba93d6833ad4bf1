"""What follows an inventory (623, 625), and every paper, in either edition."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.customs.ceb import CEBRegime
from adapters.customs.ceb.regime import EDITIONS
from gateway.domain.declaration import DeclarationKind
from gateway.domain.papers import Masked
from schemas.catalog import editions
from schemas.loader import LARGE, parse
from tests.unit.customs import make

REGIME = CEBRegime()
REQUEST = {
    "of": 1,
    "invt_no": "31052026I000000001",
    "pre_no": "B00000000000000001",
    "reason": "买家取消",
    "lines": {"2": "1.5"},
}
FILED = (
    DeclarationKind.ORDER,
    DeclarationKind.PAYMENT,
    DeclarationKind.WAYBILL,
    DeclarationKind.INVENTORY,
    DeclarationKind.CANCELLATION,
    DeclarationKind.RETURN,
)


def test_the_regime_declares_under_every_edition_there_is() -> None:
    assert EDITIONS == editions("ceb")


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("kind", FILED)
def test_a_message_is_valid_in_the_edition_of_its_profile(
    kind: DeclarationKind, edition: str
) -> None:
    owner = make.profile(edition=edition)
    declaration = make.declaration(kind, request=REQUEST)
    inputs = [make.given(kind, owner=owner, declaration=declaration)]
    built = REGIME.build(kind, make.GUID, inputs)
    assert built.faults == ()
    assert parse(built.body, LARGE) is not None


def values(kind: DeclarationKind) -> dict[str, list[str]]:
    declaration = make.declaration(kind, request=REQUEST)
    built = REGIME.build(kind, make.GUID, [make.given(kind, declaration=declaration)])
    found: dict[str, list[str]] = {}
    for element in parse(built.body, LARGE).iter():
        if not len(element):
            found.setdefault(make.local(element), []).append(element.text or "")
    return found


def test_a_cancellation_repeats_the_inventory() -> None:
    found = values(DeclarationKind.CANCELLATION)
    assert found["invtNo"] == ["31052026I000000001"]
    assert found["preNo"] == ["B00000000000000001"]
    assert found["copNo"] == ["CG0000000000000001"]
    assert found["reason"] == ["买家取消"]
    assert found["buyerName"] == ["王小明"]
    assert found["logisticsNo"] == ["YD0000000001"]


def test_a_return_lists_what_comes_back() -> None:
    found = values(DeclarationKind.RETURN)
    assert found["gnum"] == ["2"]
    assert found["qty"] == ["1.5"]
    assert found["gname"] == ["婴幼儿奶粉2段"]
    assert found["unit"] == ["122"]


@pytest.mark.parametrize("kind", [DeclarationKind.CANCELLATION, DeclarationKind.RETURN])
def test_what_is_not_there_is_named(kind: DeclarationKind) -> None:
    bare = make.given(kind, declaration=make.declaration(kind), waybill=None)
    assert {fault.path for fault in REGIME.build(kind, make.GUID, [bare]).faults} == {
        "logisticsNo",
        "invtNo",
    }
    numbered = make.declaration(kind, request=REQUEST)
    hidden = make.given(kind, declaration=numbered)
    buyer = replace(hidden.order.buyer, name=Masked("王*"))
    hidden = replace(hidden, order=replace(hidden.order, buyer=buyer))
    (fault,) = REGIME.build(kind, make.GUID, [hidden]).faults
    assert fault.path.endswith("buyerName")


def test_a_return_needs_the_goods_records_of_its_lines() -> None:
    kind = DeclarationKind.RETURN
    given = make.given(kind, declaration=make.declaration(kind, request=REQUEST), goods={})
    (fault,) = REGIME.build(kind, make.GUID, [given]).faults
    assert fault.path == "InvtRefundList[1]/gcode"


def test_a_change_names_the_numbers_of_what_it_changes() -> None:
    kind = DeclarationKind.INVENTORY
    change = make.declaration(
        kind, app_type="2", request={"invt_no": "31052026I000000001", "pre_no": "B1"}
    )
    built = REGIME.build(kind, make.GUID, [make.given(kind, declaration=change)])
    assert b"<ceb:invtNo>31052026I000000001</ceb:invtNo>" in built.body
