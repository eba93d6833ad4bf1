"""Every document an enterprise sends: golden messages by mode, splitting, faults by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import xmlschema
from lxml import etree

from adapters.customs.ceb.build import Batch, DocumentWriter
from adapters.customs.ceb.verify import Inspector, Outcome
from gateway.domain import documents as d
from gateway.domain.money import Currency, Money
from gateway.domain.papers import Person
from gateway.domain.profile import Party
from schemas.errors import UnknownSchemaError
from schemas.loader import LARGE, parse
from schemas.writer import Transfer
from signing import sign
from tests.unit.signing.make import file_key

ROOT = Path(__file__).parents[3]
GOLDEN = Path(__file__).parents[2] / "samples" / "customs" / "documents"
TRANSFER = Transfer("3105980C03", "甬通报关有限公司", "DXPENT0000000001")
STAMP = d.Stamp("B25EE50A-3BBF-508D-A64E-038ADB005EEE", "20260901120000")
AT = datetime(2026, 8, 31, 4, 0, tzinfo=UTC)
PLATFORM = Party("3105961A01", "海淘优选平台有限公司")
MERCHANT = Party("3105961B02", "明州跨境电子商务有限公司")
AGENT = Party("3105980C03", "甬通报关有限公司")
CARRIER = Party("3105980D04", "迅达速递有限公司")
OPERATOR = Party("3105980F06", "北仑监管仓有限公司")
AIR = d.Conveyance("5", "MU587", "MU587/01", "160-12345675")
BUYER = Person("王小明", "1", "110101199003070003", "13800000001")
REF = d.InventoryRef(
    "3105", "HT2026-000001", PLATFORM, MERCHANT, AGENT, CARRIER, "YD0000000001",
    "31052026I000000001", "B20260831000000001",
)  # fmt: skip
PARCELS = tuple(
    d.ListedParcel(f"YD{number:010d}", f"31052026E{number:011d}", "BAG-1") for number in range(1, 4)
)


def usd(text: str) -> Money:
    return Money(Decimal(text), Currency("USD"))


LINE = d.ExportLine(
    line_no=1, sku="TOY-1", name="木制拼图", quantity=Decimal(2), unit="007",
    price=usd("12.5"), total=usd("25"), hs_code="9503006000", model="木制|100片",
    destination="502", qty1=Decimal("0.6"), unit1="035",
)  # fmt: skip
RETURNED = d.ReturnLine(1, "9503006000", "木制拼图", Decimal(1), "007", "木制|100片",
                        Decimal("0.3"), "035")  # fmt: skip


def export_order(mode: d.ExportMode) -> d.ExportOrder:
    return d.ExportOrder(
        STAMP, mode, "EX2026-0001", PLATFORM, MERCHANT, usd("25"), usd("3"), (LINE,)
    )


def export_inventory(mode: d.ExportMode) -> d.ExportInventory:
    is_zone = mode is d.ExportMode.ZONE
    line = replace(LINE, item_record_no="17") if is_zone else LINE
    return d.ExportInventory(
        stamp=STAMP, cop_no="CGEX0000000001", mode=mode, customs_code="3105", port_code="3105",
        order_no="EX2026-0001", platform=PLATFORM, merchant=MERCHANT, producer=MERCHANT,
        agent=AGENT, carrier=CARRIER, waybill_no="YD0000000001", exported_on="20260901",
        is_summarised=mode is d.ExportMode.RETAIL, conveyance=AIR, destination="502",
        destination_port="3154", freight=usd("3"), insurance=usd("0"), wrap_type="2", pack_count=1,
        gross_weight_kg=Decimal("0.8"), net_weight_kg=Decimal("0.6"), lines=(line,),
        zone=d.Zone(Party("3105960G07", "保税仓储有限公司"), "T3105W000001") if is_zone else None,
    )  # fmt: skip


DOCUMENTS: dict[str, tuple[d.Document, bool]] = {
    "623": (d.Cancellation(STAMP, "CGC1", REF, "买家取消订单", BUYER), False),
    "625": (d.Return(STAMP, "CGR1", REF, "七天无理由退货", (RETURNED,), BUYER), False),
    "513": (d.WaybillStatus(STAMP, CARRIER, "YD0000000001", AT), False),
    "711": (d.EntryList(STAMP, "CGE1", "3105", OPERATOR, CARRIER, AIR, PARCELS), False),
    "303-9610": (export_order(d.ExportMode.RETAIL), True),
    "303-9710": (export_order(d.ExportMode.B2B), True),
    "303-9810": (export_order(d.ExportMode.OVERSEAS_WAREHOUSE), True),
    "403": (
        d.FundsReceipt(STAMP, "EX2026-0001", PLATFORM, MERCHANT,
                       Party("3105960E05", "易付支付有限公司"), usd("28"), AT, "F-1"),
        True,
    ),
    "505": (
        d.ExportWaybill(STAMP, CARRIER, "YD0000000001", usd("3"), usd("0"), Decimal("0.8"), 1,
                        "木制拼图", MERCHANT, "057400000001"),
        True,
    ),
    "507": (
        d.SiteArrival(STAMP, "CGA1", "3105", OPERATOR, CARRIER, AIR, "浙B00001", PARCELS),
        True,
    ),
    "509": (d.Departure(STAMP, "CGD1", "3105", CARRIER, AIR, AT, PARCELS), True),
    "603-9610": (export_inventory(d.ExportMode.RETAIL), True),
    "603-1210": (export_inventory(d.ExportMode.ZONE), True),
    "603-9710": (export_inventory(d.ExportMode.B2B), True),
    "603-9810": (export_inventory(d.ExportMode.OVERSEAS_WAREHOUSE), True),
    "605": (d.Cancellation(STAMP, "CGX1", replace(REF, invt_no="31052026E00000000001"),
                           "买家取消订单", BUYER), True),
    "607": (
        d.MasterList(STAMP, "CGM1", "3105", AGENT, CARRIER, AIR, Decimal("12.5"), PARCELS),
        True,
    ),
    "701": (
        d.SummaryRequest(STAMP, "CGS1", "3105", AGENT, MERCHANT, AGENT,
                         tuple(str(one.invt_no) for one in PARCELS)),
        True,
    ),
    "213": (
        d.ExportReturn(STAMP, "CGB1", replace(REF, invt_no="31052026E00000000001"), AIR, "3105",
                       "502", "买家退货", (RETURNED,)),
        True,
    ),
    "215": (
        d.ReturnTally(STAMP, "CGT1", "3105", OPERATOR, CARRIER, "YD0000000001", AIR,
                      "31052026E00000000001"),
        True,
    ),
}  # fmt: skip
ONLY_2022 = {"213", "215"}


def guids() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"0A1B2C3D-0000-4000-8000-{number:012X}"


def write(*given: d.Document, edition: str = "202205", is_export: bool = True) -> Batch:
    writer = DocumentWriter(type(given[0]), edition, is_export=is_export)
    return writer.write(given, TRANSFER, guids())


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_golden_message_is_canonical_and_sound(name: str) -> None:
    document, is_export = DOCUMENTS[name]
    batch = write(document, is_export=is_export)
    assert batch.faults == ()
    (written,) = batch.messages
    assert written.message == f"CEB{name[:3]}Message"
    assert written.body == (GOLDEN / f"{name}.xml").read_bytes().rstrip(b"\n")
    assert etree.tostring(parse(written.body), method="c14n") == written.body


@pytest.mark.slow
@pytest.mark.parametrize("edition", ["2018", "202205"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_signed_message_stands_before_both_validators_and_all_rules(
    name: str, edition: str
) -> None:
    document, is_export = DOCUMENTS[name]
    if edition == "2018" and name in ONLY_2022:
        with pytest.raises(UnknownSchemaError):
            DocumentWriter(type(document), edition)
        return
    if edition == "2018":
        document = _narrowed(document)
    (written,) = write(document, edition=edition, is_export=is_export).messages
    signed = sign(written.body, file_key(), canonical=True).content
    # The second validator is slow to compile: for the newest edition only.
    schema = ROOT / "schemas" / "ceb" / "202205" / f"{written.message}.xsd"
    if edition == "202205":
        xmlschema.XMLSchema(str(schema), allow="local").validate(parse(signed, LARGE))  # type: ignore[arg-type]
    report = Inspector(AT).inspect(signed, edition)
    assert report.outcome is Outcome.CLEAN, report.findings
    assert report.findings == ()


def _narrowed(document: d.Document) -> d.Document:
    """The 2018 edition takes export inventory numbers of 18 characters."""
    if isinstance(document, d.SummaryRequest):
        return replace(document, invt_nos=tuple(number[:18] for number in document.invt_nos))
    if isinstance(document, d.MasterList):
        parcels = tuple(replace(one, invt_no="31052026E000000001") for one in document.parcels)
        return replace(document, parcels=parcels)
    if isinstance(document, d.Cancellation):
        return replace(
            document, inventory=replace(document.inventory, invt_no="31052026E000000001")
        )
    return document


class TestSplitting:
    def test_a_hundred_records_a_message(self) -> None:
        stamps = [replace(STAMP, guid=f"{number:036d}") for number in range(201)]
        given = [
            replace(export_order(d.ExportMode.RETAIL), stamp=stamp, order_no=f"E{stamp.guid[-3:]}")
            for stamp in stamps
        ]
        batch = write(*given)
        assert [len(one.positions) for one in batch.messages] == [100, 100, 1]
        assert len({parse(one.body, LARGE).get("guid") for one in batch.messages}) == 3

    def test_an_entry_list_goes_alone_whatever_its_length(self) -> None:
        parcels = tuple(d.ListedParcel(f"YD{number}") for number in range(6001))
        entry = d.EntryList(STAMP, "CGE1", "3105", OPERATOR, CARRIER, AIR, parcels)
        batch = write(entry, replace(entry, cop_no="CGE2"), is_export=False)
        assert [one.positions for one in batch.messages] == [(0,), (1,)]
        assert batch.messages[0].body.count(b"<ceb:DeliveryList>") == 6001

    def test_lists_are_split_into_parts_counted_without_gaps(self) -> None:
        parcels = tuple(d.ListedParcel(f"YD{number}") for number in range(5001))
        departure = d.Departure(STAMP, "CGD1", "3105", CARRIER, AIR, AT, parcels)
        (written,) = write(departure).messages
        root = parse(written.body, LARGE)
        ceb = "{http://www.chinaport.gov.cn/ceb}"
        assert [e.text for e in root.iter(f"{ceb}msgCount")] == ["2", "2"]
        assert [e.text for e in root.iter(f"{ceb}msgSeqNo")] == ["1", "2"]
        numbers = [e.text for e in root.iter(f"{ceb}gnum")]
        assert numbers == [str(number) for number in range(1, 5002)]

    def test_the_edition_says_how_many_rows_a_departure_takes(self) -> None:
        parcels = tuple(d.ListedParcel(f"YD{number}") for number in range(101))
        departure = d.Departure(STAMP, "CGD1", "3105", CARRIER, AIR, AT, parcels)
        (written,) = write(departure, edition="2018").messages
        assert written.body.count(b"<ceb:Departure>") == 2
        (whole,) = write(departure).messages
        assert whole.body.count(b"<ceb:Departure>") == 1

    @pytest.mark.parametrize(
        "document, path, most",
        [
            (DOCUMENTS["303-9610"][0], "OrderList", 100),
            (DOCUMENTS["603-9610"][0], "InventoryList", 100),
            (DOCUMENTS["625"][0], "InvtRefundList", 99),
        ],
    )
    def test_lines_that_cannot_fit_are_a_fault_and_the_others_go(
        self, document: d.Document, path: str, most: int
    ) -> None:
        line = document.lines[0]  # type: ignore[union-attr]
        lines = tuple(replace(line, line_no=number) for number in range(1, most + 2))
        long = replace(document, lines=lines)  # type: ignore[arg-type]
        batch = write(document, long, document, is_export=path != "InvtRefundList")
        assert [(one.position, one.path) for one in batch.faults] == [(1, path)]
        assert batch.faults[0].label_zh
        assert batch.messages[0].positions == (0, 2)


def test_every_fault_of_a_document_is_named() -> None:
    bad = replace(
        export_order(d.ExportMode.RETAIL),
        order_no="X" * 61,
        platform=Party("", "平台"),
        goods_value=Money(Decimal(1), Currency("XXX")),
        lines=(replace(LINE, unit="1"),),
    )
    batch = write(bad)
    assert batch.messages == ()
    assert {one.path for one in batch.faults} >= {
        "OrderHead/orderNo",
        "OrderList[1]/unit",
    }
    missing = write(replace(DOCUMENTS["625"][0], buyer=Person()), is_export=False)  # type: ignore[arg-type]
    assert {one.path for one in missing.faults} == {
        "InvtRefundHead/buyerIdNumber",
        "InvtRefundHead/buyerName",
        "InvtRefundHead/buyerTelephone",
    }
