"""The 621 mapping: golden records by mode, derived quantities, every fault by name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from adapters.customs.ceb import CEBRegime
from adapters.customs.ceb.inventory import rounded
from gateway.domain.declaration import AppType, DeclarationKind
from gateway.domain.money import Currency, Money
from gateway.domain.profile import FilingProfile, Party, TradeMode
from gateway.ports import DeclarationInput
from schemas.loader import parse
from tests.unit.customs import make

KIND = DeclarationKind.INVENTORY
SAMPLES = Path(__file__).parents[2] / "samples" / "customs"
CEB = "{http://www.chinaport.gov.cn/ceb}"


def built(given: DeclarationInput) -> bytes:
    message = CEBRegime().build(KIND, make.GUID, [given])
    assert message.faults == ()
    return message.body


def lists(given: DeclarationInput) -> list[dict[str, str]]:
    root = parse(built(given))
    return [
        {make.local(child): child.text or "" for child in element}
        for element in root.iter(f"{CEB}InventoryList")
    ]


def head(given: DeclarationInput) -> dict[str, str]:
    element = parse(built(given)).find(f".//{CEB}InventoryHead")
    assert element is not None
    return {make.local(child): child.text or "" for child in element}


def faults(given: DeclarationInput) -> dict[str, str]:
    message = CEBRegime().build(KIND, make.GUID, [given])
    assert message.body == b""
    return {fault.path: fault.reason for fault in message.faults}


def with_goods(**changes: Any) -> DeclarationInput:
    return make.given(KIND, lines=1, goods={"SKU-001": make.goods(1, **changes)})


@pytest.mark.parametrize(
    "owner, golden",
    [
        (make.profile(), "inventory_bonded.xml"),
        (make.direct_profile(), "inventory_direct.xml"),
    ],
)
def test_a_full_inventory_is_written_as_the_golden_file_says(
    owner: FilingProfile, golden: str
) -> None:
    expected = (SAMPLES / golden).read_bytes().rstrip(b"\n")
    assert built(make.full_given(KIND, owner)) == expected


def test_bonded_goods_have_no_means_of_transport_and_come_from_here() -> None:
    waybill = make.waybill(transport_no="CK247", voyage_no="1", bill_no="B")
    for mode in (TradeMode.BONDED, TradeMode.BONDED_A):
        owner = make.profile(mode=mode, country="502")
        found = head(make.given(KIND, owner=owner, waybill=waybill))
        assert not {"trafNo", "voyageNo", "billNo"} & set(found)
        assert found["country"] == "142"
        assert found["emsNo"] == "T3105W000001"
        assert found["areaCode"] == "3105W60F06"


def test_direct_purchase_has_no_account_book() -> None:
    waybill = make.waybill(transport_no="CK247", voyage_no="1", bill_no="B")
    # What a profile or goods record carries from another mode does not leak in.
    owner = make.direct_profile(account_book="T1", area=Party("A", "a"))
    given = make.given(KIND, owner=owner, waybill=waybill)
    found = head(given)
    assert not {"emsNo", "areaCode", "areaName"} & set(found)
    assert found["country"] == "502"
    assert all("itemRecordNo" not in line for line in lists(given))


def test_lines_take_the_orders_name_and_the_goods_records_customs_facts() -> None:
    line = lists(with_goods(unit2="142", factor2=Decimal("1.5")))[0]
    assert line["gname"] == line["itemName"] == "婴幼儿奶粉1段"
    assert line["gmodel"] == "配方奶粉|1段|800克/罐|爱他美"
    assert (line["qty"], line["unit"]) == ("2", "122")
    assert (line["qty1"], line["unit1"]) == ("1.6", "035")
    assert (line["qty2"], line["unit2"]) == ("3", "142")


def test_second_unit_is_both_or_none() -> None:
    assert not {"qty2", "unit2"} & set(lists(with_goods())[0])


@pytest.mark.parametrize(
    "on_line, on_record, written", [("L", "R", "L"), (None, "R", "R"), (None, None, "无")]
)
def test_a_bar_code_is_always_given(
    on_line: str | None, on_record: str | None, written: str
) -> None:
    given = with_goods(barcode=on_record)
    order = replace(given.order, lines=(make.line(1, barcode=on_line),))
    assert lists(replace(given, order=order))[0]["barCode"] == written


def test_an_sku_longer_than_the_edition_takes_is_left_out_never_cut() -> None:
    for length, present in ((20, True), (21, False)):
        sku = "S" * length
        order = replace(make.order(lines=1), lines=(make.line(1, sku=sku),))
        given = make.given(KIND, order=order, goods={sku: make.goods(1)})
        assert ("itemNo" in lists(given)[0]) is present


def test_a_model_missing_from_the_goods_record_is_the_orders() -> None:
    assert lists(with_goods(model=""))[0]["gmodel"] == make.line(1).model


def test_weights_and_charges_come_from_the_waybill_or_are_derived() -> None:
    stated = head(make.given(KIND, lines=2))
    assert stated["grossWeight"] == "6.2"
    assert stated["netWeight"] == "3.2"
    assert (stated["freight"], stated["insuredFee"]) == ("8", "0.5")
    bare = make.waybill(freight=None, insurance=None, gross_weight_kg=None)
    derived = head(make.given(KIND, lines=2, waybill=bare))
    assert derived["grossWeight"] == "3.8"
    assert (derived["freight"], derived["insuredFee"]) == ("10", "0")


def test_quantities_are_rounded_to_five_decimals() -> None:
    line = lists(with_goods(factor1=Decimal("0.333333")))[0]
    assert line["qty1"] == "0.66667"


@for_all(st.decimals(min_value=0, max_value=10**12, places=9))
def test_rounding_is_near_and_has_at_most_five_decimals(value: Decimal) -> None:
    result = rounded(value)
    assert abs(result - value) <= Decimal("0.000005")
    assert -int(result.as_tuple().exponent) == 5


def test_a_new_inventory_has_no_numbers_of_customs_and_a_change_names_them() -> None:
    numbers: dict[str, Any] = {"pre_no": "B00000000000000001", "invt_no": "31052026I000000001"}
    new = head(make.given(KIND, declaration=make.declaration(KIND, **numbers)))
    assert not {"preNo", "invtNo"} & set(new)
    declaration = make.declaration(KIND, app_type=AppType.CHANGE, **numbers)
    change = head(make.given(KIND, declaration=declaration))
    assert (change["preNo"], change["invtNo"]) == (numbers["pre_no"], numbers["invt_no"])


def test_the_day_of_declaration_is_that_of_app_time() -> None:
    declaration = make.declaration(KIND, app_time="20261231235959")
    assert head(make.given(KIND, declaration=declaration))["declTime"] == "20261231"


def test_the_carrier_is_the_profiles_or_the_waybills_own() -> None:
    unnamed = head(make.given(KIND, waybill=make.waybill(carrier_code=None, carrier_name=None)))
    assert unnamed["logisticsName"] == "迅达速递有限公司"
    other = make.waybill(carrier_code="3105980Z09", carrier_name="别家速递")
    assert head(make.given(KIND, waybill=other))["logisticsCode"] == "3105980Z09"
    nameless = make.waybill(carrier_code="3105980Z09", carrier_name=None)
    assert set(faults(make.given(KIND, waybill=nameless))) == {"InventoryHead/logisticsName"}


def test_what_is_missing_is_named_all_at_once() -> None:
    owner = make.profile(account_book=None, area=None)
    given = make.given(KIND, owner=owner, lines=3, waybill=None)
    goods = {"SKU-001": make.goods(1, item_record_no=None, unit="011"), "SKU-003": make.goods(3)}
    declaration = make.declaration(KIND, cop_no="")
    assert set(faults(replace(given, goods=goods, declaration=declaration))) == {
        "InventoryHead/emsNo",
        "InventoryHead/areaCode",
        "InventoryHead/logisticsNo",
        "InventoryHead/copNo",
        "InventoryList[1]/itemRecordNo",
        "InventoryList[1]/unit",
        "InventoryList[2]/gcode",
    }


def test_direct_purchase_needs_its_transport() -> None:
    owner = make.direct_profile()
    assert set(faults(make.given(KIND, owner=owner))) == {
        "InventoryHead/trafNo",
        "InventoryHead/voyageNo",
        "InventoryHead/billNo",
    }


def test_foreign_money_is_named() -> None:
    foreign = Money(Decimal(1), Currency("USD"))
    waybill = make.waybill(insurance=foreign)
    order = replace(make.order(lines=2), lines=(make.line(1), make.line(2, total=foreign)))
    given = make.given(KIND, lines=2, waybill=waybill, order=order)
    assert set(faults(given)) == {"InventoryHead/insuredFee", "InventoryList[2]/totalPrice"}
    assert set(faults(make.given(KIND, lines=2, order=order))) == {"InventoryList[2]/totalPrice"}


def test_numbers_beyond_any_field_are_faults_not_crashes() -> None:
    huge = Decimal(10) ** 25
    assert set(faults(with_goods(factor1=huge))) == {"InventoryList[1]/qty1"}
    assert set(faults(with_goods(net_weight_kg=huge))) == {"InventoryHead/grossWeight"}
