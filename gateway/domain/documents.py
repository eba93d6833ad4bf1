"""Documents for customs beside order, payment, waybill and inventory of an import.

What follows an import (cancellation, return, entry list, delivery) and what an export consists of,
as plain values in neutral words. Times are time-zone aware, weights Decimal kilograms, units and
countries customs codes. ``cop_no`` is our own number of a document, under which receipts come back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gateway.domain.declaration import AppType
from gateway.domain.money import Money
from gateway.domain.papers import Person
from gateway.domain.profile import Party


class ExportMode(StrEnum):
    """The customs supervision mode of an export."""

    RETAIL = "9610"
    ZONE = "1210"
    B2B = "9710"
    OVERSEAS_WAREHOUSE = "9810"


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every record carries: its guid, what is asked for, and when it is sent."""

    guid: str
    app_time: str
    app_type: AppType = AppType.NEW


@dataclass(frozen=True, slots=True)
class Conveyance:
    """A means of transport; ``mode`` is a customs code, ``name`` the flight, vessel or plate."""

    mode: str
    name: str | None = None
    voyage_no: str | None = None
    bill_no: str | None = None


@dataclass(frozen=True, slots=True)
class InventoryRef:
    """An inventory that customs has numbered, with what a follow-up must repeat of it."""

    customs_code: str
    order_no: str
    platform: Party
    merchant: Party
    agent: Party
    carrier: Party
    waybill_no: str
    invt_no: str
    pre_no: str | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """The request to cancel an inventory before release (623, 605)."""

    stamp: Stamp
    cop_no: str
    inventory: InventoryRef
    reason: str
    buyer: Person
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnLine:
    """One line that comes back; ``line_no`` is that of the inventory line."""

    line_no: int
    hs_code: str
    name: str
    quantity: Decimal
    unit: str
    model: str = ""
    qty1: Decimal | None = None
    unit1: str | None = None
    qty2: Decimal | None = None
    unit2: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """The request to take released goods back (625)."""

    stamp: Stamp
    cop_no: str
    inventory: InventoryRef
    reason: str
    lines: Sequence[ReturnLine]
    buyer: Person
    note: str | None = None


@dataclass(frozen=True, slots=True)
class WaybillStatus:
    """The carrier's word that a parcel was delivered (513)."""

    stamp: Stamp
    carrier: Party
    waybill_no: str
    at: datetime
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ListedParcel:
    """One parcel of a list: its waybill, and where known the inventory and the bag it is in."""

    waybill_no: str
    invt_no: str | None = None
    package_no: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class EntryList:
    """What arrived at a supervised site under one bill (711)."""

    stamp: Stamp
    cop_no: str
    customs_code: str
    operator: Party
    carrier: Party
    conveyance: Conveyance
    parcels: Sequence[ListedParcel]
    unload_location: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ExportLine:
    """One line of an export order and of its inventory; ``destination`` is a country."""

    line_no: int
    sku: str
    name: str
    quantity: Decimal
    unit: str
    price: Money
    total: Money
    hs_code: str = ""
    model: str = ""
    destination: str = ""
    qty1: Decimal | None = None
    unit1: str | None = None
    qty2: Decimal | None = None
    unit2: str | None = None
    item_record_no: str | None = None
    barcode: str | None = None
    description: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """An export order (303); under 9810 the number is the booking's, the platform the warehouse."""

    stamp: Stamp
    mode: ExportMode
    order_no: str
    platform: Party
    merchant: Party
    goods_value: Money
    freight: Money
    lines: Sequence[ExportLine]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class FundsReceipt:
    """The seller's money that arrived (403); ``payer`` is the payment firm that says so."""

    stamp: Stamp
    order_no: str
    platform: Party
    merchant: Party
    payer: Party
    amount: Money
    accounted_at: datetime
    pay_no: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ExportWaybill:
    """A parcel that leaves (505)."""

    stamp: Stamp
    carrier: Party
    waybill_no: str
    freight: Money
    insurance: Money
    gross_weight_kg: Decimal
    pack_count: int
    goods_info: str
    merchant: Party | None = None
    merchant_phone: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class SiteArrival:
    """Parcels that reached the supervised site (507)."""

    stamp: Stamp
    cop_no: str
    customs_code: str
    operator: Party
    carrier: Party
    conveyance: Conveyance
    domestic_transport_no: str
    parcels: Sequence[ListedParcel]
    loct_no: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Departure:
    """Parcels that left the country (509)."""

    stamp: Stamp
    cop_no: str
    customs_code: str
    carrier: Party
    conveyance: Conveyance
    left_at: datetime
    parcels: Sequence[ListedParcel]
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Zone:
    """Where goods of a special zone come from: its enterprise and account book."""

    enterprise: Party
    account_book: str


@dataclass(frozen=True, slots=True)
class ExportInventory:
    """The export declaration of one parcel (603).

    ``is_summarised`` says that it will be rolled into a general declaration (statisticsFlag B).
    """

    stamp: Stamp
    cop_no: str
    mode: ExportMode
    customs_code: str
    port_code: str
    order_no: str
    platform: Party
    merchant: Party
    producer: Party
    agent: Party
    carrier: Party
    waybill_no: str
    exported_on: str
    is_summarised: bool
    conveyance: Conveyance
    destination: str
    destination_port: str
    freight: Money
    insurance: Money
    wrap_type: str
    pack_count: int
    gross_weight_kg: Decimal
    net_weight_kg: Decimal
    lines: Sequence[ExportLine]
    zone: Zone | None = None
    package_no: str | None = None
    loct_no: str | None = None
    licence_no: str | None = None
    pre_no: str | None = None
    invt_no: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class MasterList:
    """The parcels and inventories under one master bill (607)."""

    stamp: Stamp
    cop_no: str
    customs_code: str
    agent: Party
    carrier: Party
    conveyance: Conveyance
    gross_weight_kg: Decimal
    parcels: Sequence[ListedParcel]
    domestic_transport_no: str | None = None
    loct_no: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class SummaryRequest:
    """The request to roll inventories into general declarations (701)."""

    stamp: Stamp
    cop_no: str
    customs_code: str
    agent: Party
    merchant: Party
    declarant: Party
    invt_nos: Sequence[str]
    by_producer: bool = False
    keeps_names: bool = True
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    loct_no: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ExportReturn:
    """The request to take exported retail goods back (213); 9661, from a zone 1261."""

    stamp: Stamp
    cop_no: str
    inventory: InventoryRef
    conveyance: Conveyance
    port_code: str
    country: str
    reason: str
    lines: Sequence[ReturnLine]
    is_from_zone: bool = False
    loct_no: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ReturnTally:
    """Returned goods counted on arrival by the site operator (215)."""

    stamp: Stamp
    cop_no: str
    customs_code: str
    operator: Party
    carrier: Party
    waybill_no: str
    conveyance: Conveyance
    invt_no: str | None = None
    pre_no: str | None = None
    location: str | None = None
    note: str | None = None


Document = (
    Cancellation
    | Return
    | WaybillStatus
    | EntryList
    | ExportOrder
    | FundsReceipt
    | ExportWaybill
    | SiteArrival
    | Departure
    | ExportInventory
    | MasterList
    | SummaryRequest
    | ExportReturn
    | ReturnTally
)
"""Every kind of document."""
