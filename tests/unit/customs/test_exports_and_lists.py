"""Exports (303, 403, 505, 603, 605, 213, 215), lists of parcels (607, 711), summaries (701)."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from adapters.customs.ceb import CEBRegime
from adapters.customs.ceb.regime import EDITIONS
from gateway.domain.declaration import AppType, DeclarationKind, DeclarationState
from gateway.domain.ids import CaseId, Direction
from gateway.domain.papers import Order, PaymentSlip, Waybill
from gateway.domain.profile import (
    Consigning,
    ExportTerms,
    FilingProfile,
    Party,
    Summary,
    TradeMode,
)
from gateway.ports import DeclarationInput
from schemas.loader import LARGE, parse
from tests.support import exports
from tests.unit.customs import make

REGIME = CEBRegime()
K = DeclarationKind
NUMBERS = {"of": 1, "invt_no": "29912026E000000001", "pre_no": "B20260301000000001"}
KINDS = (
    K.EXPORT_ORDER,
    K.FUNDS_RECEIPT,
    K.EXPORT_WAYBILL,
    K.EXPORT_INVENTORY,
    K.EXPORT_CANCELLATION,
    K.MASTER_LIST,
)


def owner(**changes: Any) -> FilingProfile:
    return exports.profile(**{"consigning": Consigning((K.MASTER_LIST,)), **changes})


def given(
    kind: DeclarationKind,
    number: int = 1,
    profile: FilingProfile | None = None,
    **of_waybill: Any,
) -> DeclarationInput:
    used = profile or owner()
    order, slip, waybill = exports.papers(f"EX-{number}")
    assert isinstance(order, Order)
    assert isinstance(slip, PaymentSlip)
    assert isinstance(waybill, Waybill)
    request = NUMBERS | {"reason": "客户取消"}
    return DeclarationInput(
        key=replace(make.key(number, used), direction=Direction.EXPORT),
        declaration=DeclarationState(
            kind, 1, cop_no="CGTEST", app_time=make.APP_TIME, request=request
        ),
        guid=make.GUID[:-4] + f"{number:04d}",
        profile=used,
        order=order,
        waybill=replace(waybill, **of_waybill),
        payment_transaction_id=slip.transaction_id,
        payment=slip,
        goods={one.sku: one for one in exports.goods(used)},
    )


def said(body: bytes) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for element in parse(body, LARGE).iter():
        if not len(element):
            found.setdefault(make.local(element), []).append(element.text or "")
    return found


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_each_message_is_valid_in_the_edition_of_its_profile(
    kind: DeclarationKind, edition: str
) -> None:
    built = REGIME.build(kind, make.GUID, [given(kind, profile=owner(edition=edition))])
    assert built.faults == ()
    assert REGIME.message_type(kind).encode() in built.body


def test_an_inventory_says_what_papers_goods_and_terms_come_to() -> None:
    built = REGIME.build(K.EXPORT_INVENTORY, make.GUID, [given(K.EXPORT_INVENTORY)])
    found = said(built.body)
    expected = {
        "tradeMode": ["9610"], "POD": ["USA3"], "country": ["502", "502"], "ieFlag": ["E"],
        "ieDate": [make.APP_TIME[:8]], "statisticsFlag": ["A"], "fCurrency": ["502"],
        "qty1": ["0.6"], "gcode": ["6911101900"], "grossWeight": ["0.8"], "netWeight": ["0.6"],
        "ownerCode": ["3301960002"],
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert "preNo" not in found
    assert "iacCode" not in found


def test_a_change_names_the_numbers_that_customs_gave() -> None:
    one = given(K.EXPORT_INVENTORY)
    one = replace(one, declaration=one.declaration._replace(app_type=AppType.CHANGE))
    found = said(REGIME.build(K.EXPORT_INVENTORY, make.GUID, [one]).body)
    assert (found["preNo"], found["invtNo"]) == ([NUMBERS["pre_no"]], [NUMBERS["invt_no"]])


@pytest.mark.parametrize(
    "mode, order_type", [(TradeMode.B2B, "B"), (TradeMode.OVERSEAS_WAREHOUSE, "W")]
)
def test_the_kind_of_order_follows_the_mode(mode: TradeMode, order_type: str) -> None:
    built = REGIME.build(
        K.EXPORT_ORDER, make.GUID, [given(K.EXPORT_ORDER, profile=owner(mode=mode))]
    )
    assert said(built.body)["orderType"] == [order_type]


def test_every_fault_of_a_line_is_named() -> None:
    one = given(K.EXPORT_INVENTORY)
    long = replace(one.order.lines[0], sku="S" * 21, unit="035")
    record = replace(next(iter(one.goods.values())), sku=long.sku)
    one = replace(one, order=replace(one.order, lines=(long,)), goods={long.sku: record})
    built = REGIME.build(K.EXPORT_INVENTORY, make.GUID, [one])
    assert {fault.path for fault in built.faults} == {
        "InventoryList[1]/unit",
        "InventoryList[1]/itemNo",
    }
    built = REGIME.build(K.EXPORT_INVENTORY, make.GUID, [replace(one, goods={})])
    assert [fault.path for fault in built.faults] == ["InventoryList[1]/gcode"]


def test_a_list_is_one_record_of_all_its_parcels() -> None:
    some = [given(K.MASTER_LIST, number) for number in range(1, 151)]
    built = REGIME.build(K.MASTER_LIST, make.GUID, some)
    found = said(built.body)
    assert len(found["guid"]) == 1
    assert found["logisticsNo"] == [f"EX-{number}-W" for number in range(1, 151)]
    assert found["gnum"] == [str(number) for number in range(1, 151)]
    assert Decimal(found["grossWeight"][0]) == Decimal("120")
    assert set(found["invtNo"]) == {NUMBERS["invt_no"]}


def test_what_is_wrong_with_one_row_is_its_parcels_and_with_the_head_everybodys() -> None:
    some = [given(K.MASTER_LIST, number) for number in range(1, 4)]
    some[1] = given(K.MASTER_LIST, 2, waybill_no="W" * 33)
    built = REGIME.build(K.MASTER_LIST, make.GUID, some)
    assert {fault.position for fault in built.faults} == {1}
    some = [given(K.MASTER_LIST, number, voyage_no=None) for number in range(1, 4)]
    built = REGIME.build(K.MASTER_LIST, make.GUID, some)
    assert [fault.position for fault in built.faults] == [0, 1, 2]
    assert {fault.path for fault in built.faults} == {"WayBillHead/voyageNo"}


def test_an_entry_list_is_of_its_site_operator() -> None:
    site = Party("3301960007", "监管场所")
    profile = make.direct_profile(consigning=Consigning((K.ENTRY_LIST,), operator=site))
    parcel = make.waybill(1, bill_no="180-1", transport_no="CK1", voyage_no="CK1")
    one = make.given(K.ENTRY_LIST, owner=profile, waybill=parcel)
    assert one.key.case_id == CaseId(f"case{1:020d}")
    found = said(REGIME.build(K.ENTRY_LIST, make.GUID, [one, one]).body)
    assert (found["operatorCode"], found["billNo"]) == ([site.code], ["180-1"])
    assert len(found["logisticsNo"]) == 2
    bare = make.given(K.ENTRY_LIST, owner=make.direct_profile(), waybill=parcel)
    built = REGIME.build(K.ENTRY_LIST, make.GUID, [bare])
    assert [fault.path for fault in built.faults] == ["DeliveryHead/operatorCode"]


SITE = Party("3301960007", "监管场所")
HOME = {"transport_no": "CK9", "voyage_no": "CK9", "bill_no": "180-H", "transport_mode": "5"}


def home(kind: DeclarationKind, request: Any = HOME, **of_profile: Any) -> DeclarationInput:
    consigning = Consigning((K.MASTER_LIST,), operator=SITE)
    one = given(kind, profile=owner(consigning=consigning, **of_profile))
    asked = {**one.declaration.request, "lines": {"1": "1"}, **request}
    return replace(one, declaration=one.declaration._replace(request=asked))


def test_goods_come_home_under_the_mode_of_their_export_and_are_counted() -> None:
    zone = {"mode": TradeMode.BONDED, "area": SITE, "account_book": "T2991E1"}
    for of_profile, mode in (({}, "9661"), (zone, "1261")):
        asked = home(K.EXPORT_RETURN, **of_profile)
        found = said(REGIME.build(K.EXPORT_RETURN, make.GUID, [asked]).body)
        expected = {
            "tradeMode": [mode], "ieFlag": ["I"], "qty": ["1"], "qty1": ["0.3"],
            "invtNo": [NUMBERS["invt_no"]], "trafName": ["CK9"], "country": ["502"],
            "billNo": ["180-H"],
        }  # fmt: skip
        assert {name: found[name] for name in expected} == expected
    by_mail = HOME | {"bill_no": "", "transport_mode": "6", "location": "A-1"}
    found = said(REGIME.build(K.RETURN_TALLY, make.GUID, [home(K.RETURN_TALLY, by_mail)]).body)
    said_of_it = [found[name] for name in ("operatorCode", "billNo", "trafMode", "location")]
    assert said_of_it == [[SITE.code], [""], ["6"], ["A-1"]]


@pytest.mark.parametrize("kind", [K.EXPORT_RETURN, K.RETURN_TALLY])
def test_what_an_edition_does_not_know_is_a_fault_of_the_profile(kind: DeclarationKind) -> None:
    built = REGIME.build(kind, make.GUID, [home(kind, edition="2018")])
    (fault,) = built.faults
    assert (fault.path, REGIME.message_type(kind) in fault.reason) == ("profile", True)


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_summary_names_inventories_and_who_declares_them(edition: str) -> None:
    terms = ExportTerms("USA3", is_summarised=True, summary=Summary(SITE, keeps_names=False))
    some = [given(K.SUMMARY_REQUEST, profile=owner(edition=edition, export=terms))] * 2
    found = said(REGIME.build(K.SUMMARY_REQUEST, make.GUID, some).body)
    names = ("declAgentCode", "summaryFlag", "itemNameFlag", "invtNo", "ebcCode")
    assert [found[name] for name in names] == [
        [SITE.code], ["1"], ["0"], [NUMBERS["invt_no"]] * 2, ["3301960002"],
    ]  # fmt: skip
    built = REGIME.build(K.SUMMARY_REQUEST, make.GUID, [given(K.SUMMARY_REQUEST)] * 2)
    assert [fault.path for fault in built.faults] == ["SummaryApplyHead/declAgentCode"] * 2
