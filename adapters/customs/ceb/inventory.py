"""The inventory (CEB621): a pure function of order, waybill, goods records and profile.

Three decisions that the field tables leave open:

* ``itemName`` and ``gname`` are both the order line's name: inventory lines correspond to order
  lines by gnum and the goods name must equal the order's (rule 6 of the import messages). The
  goods record's own name never reaches the inventory; its model does, because it was written for
  classification.
* ``itemNo`` is optional: an SKU longer than the edition takes (20 in 202205, 30 before) is left
  out, never cut.
* ``preNo`` and ``invtNo`` are customs' numbers: a new inventory has none, a change names them.
"""

from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from functools import partial
from typing import Final, NamedTuple

from adapters.customs.ceb.order import id_type
from adapters.customs.ceb.records import (
    FieldFault,
    RecordFaults,
    constants,
    foreign_amounts,
    write_or_fault,
)
from adapters.customs.ceb.times import declaration_date
from gateway.domain.declaration import AppType, DeclarationState
from gateway.domain.goods import GoodsRecord
from gateway.domain.money import CNY
from gateway.domain.papers import Order, OrderLine, Waybill
from gateway.domain.profile import FilingProfile, TradeMode
from gateway.ports import DeclarationInput
from schemas.plan import MessagePlan
from schemas.sources import Source, attr, call, const, each
from schemas.writer import compile_writer

MESSAGE: Final = "CEB621Message"

_ARGUMENTS: Final = ("order", "waybill", "declaration", "guid", "parcel")
_STEP: Final = Decimal("0.00001")
_NONE_ZH: Final = "无"
_CHINA: Final = "142"
_ZERO: Final = Decimal(0)


class InventoryLine(NamedTuple):
    """One order line with what the goods record adds; quantities in statutory units."""

    order: OrderLine
    goods: GoodsRecord
    item_no: str | None
    barcode: str
    model: str
    qty1: Decimal
    qty2: Decimal | None


class Parcel(NamedTuple):
    """What one record has beside its papers: carrier, amounts, weights (kg), lines."""

    carrier_code: str | None
    carrier_name: str | None
    freight: Decimal
    insurance: Decimal
    gross_kg: Decimal
    net_kg: Decimal
    pre_no: str | None
    invt_no: str | None
    lines: tuple[InventoryLine, ...]


class InventoryRecords:
    """Writes 621 records under one profile version."""

    def __init__(self, plan: MessagePlan, profile: FilingProfile) -> None:
        self._profile = profile
        facets = plan.at("InventoryList/itemNo").facets
        self._item_no_length = (
            facets.advised_length or facets.max_length if facets is not None else None
        )
        self._profile_faults = tuple(_profile_faults(profile))
        self.writer = compile_writer(plan, _sources(profile), arguments=_ARGUMENTS)

    def write(self, given: DeclarationInput) -> str:
        """One Inventory as canonical XML text; raises :class:`RecordFaults` naming every fault."""
        faults = list(self._profile_faults)
        lines = self._lines(given, faults)
        waybill = given.waybill
        if waybill is None:
            faults.append(FieldFault("InventoryHead/logisticsNo", "needs a waybill"))
        if not given.declaration.cop_no:
            # Optional by schema, but receipts come back by it.
            faults.append(FieldFault("InventoryHead/copNo", "is required and missing"))
        if lines is None or waybill is None:
            raise RecordFaults(faults)
        faults += _waybill_faults(waybill, self._profile)
        faults += _foreign(given.order, waybill)
        try:
            parcel = self._parcel(given.order, waybill, given.declaration, lines)
        except InvalidOperation:
            faults.append(FieldFault("InventoryHead/grossWeight", "the weights are too large"))
            raise RecordFaults(faults) from None
        write = partial(
            self.writer.record, given.order, waybill, given.declaration, given.guid, parcel
        )
        return write_or_fault(write, faults)

    def _lines(
        self, given: DeclarationInput, faults: list[FieldFault]
    ) -> tuple[InventoryLine, ...] | None:
        """The lines with their goods records; None when one has no record."""
        lines: list[InventoryLine] = []
        for number, line in enumerate(given.order.lines, 1):
            goods = given.goods.get(line.sku)
            if goods is None:
                faults.append(FieldFault(f"InventoryList[{number}]/gcode", "needs a goods record"))
                continue
            try:
                lines.append(self._line(line, goods))
            except InvalidOperation:
                reason = "is too large in the statutory unit"
                faults.append(FieldFault(f"InventoryList[{number}]/qty1", reason))
                continue
            if goods.unit != line.unit:
                reason = "differs from the goods record, whose factors it would falsify"
                faults.append(FieldFault(f"InventoryList[{number}]/unit", reason))
            if self._profile.mode.is_bonded and not goods.item_record_no:
                reason = "is required in a bonded mode: complete the goods record"
                faults.append(FieldFault(f"InventoryList[{number}]/itemRecordNo", reason))
        return tuple(lines) if len(lines) == len(given.order.lines) else None

    def _line(self, line: OrderLine, goods: GoodsRecord) -> InventoryLine:
        fits = self._item_no_length is None or len(line.sku) <= self._item_no_length
        qty2 = None if goods.factor2 is None else line.quantity * goods.factor2
        return InventoryLine(
            line,
            goods,
            line.sku if fits else None,
            line.barcode or goods.barcode or _NONE_ZH,
            goods.model or line.model,
            rounded(line.quantity * goods.factor1),
            None if qty2 is None else rounded(qty2),
        )

    def _parcel(
        self,
        order: Order,
        waybill: Waybill,
        declaration: DeclarationState,
        lines: tuple[InventoryLine, ...],
    ) -> Parcel:
        carrier = self._profile.carrier(waybill.carrier_code)
        gross = waybill.gross_weight_kg
        net = _ZERO
        for line in lines:
            net += line.order.quantity * line.goods.net_weight_kg
        if gross is None:
            gross = _ZERO
            for line in lines:
                gross += line.order.quantity * line.goods.gross_weight_kg
        is_new = declaration.app_type is AppType.NEW
        return Parcel(
            carrier.code if carrier else waybill.carrier_code,
            carrier.name if carrier else waybill.carrier_name,
            (waybill.freight or order.freight).amount,
            waybill.insurance.amount if waybill.insurance else _ZERO,
            rounded(gross),
            rounded(net),
            None if is_new else number_of(declaration, "pre_no"),
            None if is_new else number_of(declaration, "invt_no"),
            lines,
        )


def number_of(declaration: DeclarationState, name: str) -> str | None:
    """A number that customs gave: to this version, or to the one that it changes."""
    found = getattr(declaration, name) or declaration.request.get(name)
    return None if found is None else str(found)


def rounded(value: Decimal) -> Decimal:
    """A quantity or weight with the five decimals that the field takes, halves away from zero.

    Raises ``decimal.InvalidOperation`` when it has more digits than any field.
    """
    return value.quantize(_STEP, ROUND_HALF_UP)


def _waybill_faults(waybill: Waybill, profile: FilingProfile) -> Iterator[FieldFault]:
    """Direct purchase names the means of transport; bonded goods have none (rule 9)."""
    if profile.mode.is_bonded:
        return
    for name, value in (
        ("trafNo", waybill.transport_no),
        ("voyageNo", waybill.voyage_no),
        ("billNo", waybill.bill_no),
    ):
        if not value:
            yield FieldFault(f"InventoryHead/{name}", "is required for direct purchase (9610)")


def _profile_faults(profile: FilingProfile) -> Iterator[FieldFault]:
    """What the field tables demand of the profile by mode."""
    if not profile.mode.is_bonded:
        return
    reason = "is required in a bonded mode: complete the filing profile"
    if not profile.account_book:
        yield FieldFault("InventoryHead/emsNo", reason)
    if profile.area is None or not profile.area.code or not profile.area.name:
        yield FieldFault("InventoryHead/areaCode", reason)


def _foreign(order: Order, waybill: Waybill) -> list[FieldFault]:
    """Amounts in another currency; the first pass is the fast way to say that there are none."""
    freight = waybill.freight or order.freight
    insured = waybill.insurance
    if freight.currency == CNY and (insured is None or insured.currency == CNY):
        for line in order.lines:
            if line.price.currency != CNY or line.total.currency != CNY:
                break
        else:
            return []
    found = [("InventoryHead/freight", freight), ("InventoryHead/insuredFee", insured)]
    for number, line in enumerate(order.lines, 1):
        found.append((f"InventoryList[{number}]/price", line.price))
        found.append((f"InventoryList[{number}]/totalPrice", line.total))
    return foreign_amounts(found)


def _sources(profile: FilingProfile) -> Mapping[str, Source]:
    head = _head_sources() | _profile_constants(profile)
    lines = _line_sources()
    if profile.mode is TradeMode.DIRECT:
        head |= {
            "trafNo": attr("waybill.transport_no"),
            "voyageNo": attr("waybill.voyage_no"),
            "billNo": attr("waybill.bill_no"),
        }
    else:
        lines["itemRecordNo"] = attr("line.goods.item_record_no")
    mapping = {f"InventoryHead/{name}": source for name, source in head.items()}
    return mapping | {"InventoryList": each("parcel.lines", var="line", sources=lines)}


def _head_sources() -> dict[str, Source]:
    return {
        "guid": attr("guid"),
        "appType": attr("declaration.app_type"),
        "appTime": attr("declaration.app_time"),
        "appStatus": const("2"),
        "orderNo": attr("order.order_no"),
        "logisticsNo": attr("waybill.waybill_no"),
        "logisticsCode": attr("parcel.carrier_code"),
        "logisticsName": attr("parcel.carrier_name"),
        "copNo": attr("declaration.cop_no"),
        "preNo": attr("parcel.pre_no"),
        "invtNo": attr("parcel.invt_no"),
        "ieFlag": const("I"),
        "declTime": call(declaration_date, "declaration.app_time"),
        "buyerIdType": call(id_type, "order.buyer.id_type"),
        "buyerIdNumber": attr("order.buyer.id_number"),
        "buyerName": attr("order.buyer.name"),
        "buyerTelephone": attr("order.buyer.phone"),
        "consigneeAddress": attr("order.consignee.address"),
        "freight": attr("parcel.freight"),
        "insuredFee": attr("parcel.insurance"),
        "currency": const("142"),
        "packNo": const(1),
        "grossWeight": attr("parcel.gross_kg"),
        "netWeight": attr("parcel.net_kg"),
    }


def _profile_constants(profile: FilingProfile) -> dict[str, Source]:
    is_bonded = profile.mode.is_bonded
    area = profile.area if is_bonded else None
    return constants(
        (
            ("ebpCode", profile.platform.code),
            ("ebpName", profile.platform.name),
            ("ebcCode", profile.merchant.code),
            ("ebcName", profile.merchant.name),
            ("assureCode", profile.assure_code),
            ("emsNo", profile.account_book if is_bonded else None),
            ("customsCode", profile.customs_code),
            ("portCode", profile.port_code),
            ("agentCode", profile.agent.code),
            ("agentName", profile.agent.name),
            ("areaCode", area.code if area else None),
            ("areaName", area.name if area else None),
            ("tradeMode", profile.mode.value),
            ("trafMode", profile.traf_mode),
            ("loctNo", profile.loct_no),
            ("country", _CHINA if is_bonded else profile.country),
            ("wrapType", profile.wrap_type),
        )
    )


def _line_sources() -> dict[str, Source]:
    return {
        "gnum": attr("line.order.line_no"),
        "itemNo": attr("line.item_no"),
        "itemName": attr("line.order.name"),
        "gcode": attr("line.goods.hs_code"),
        "gname": attr("line.order.name"),
        "gmodel": attr("line.model"),
        "barCode": attr("line.barcode"),
        "country": attr("line.goods.origin"),
        "currency": const("142"),
        "qty": attr("line.order.quantity"),
        "unit": attr("line.order.unit"),
        "qty1": attr("line.qty1"),
        "unit1": attr("line.goods.unit1"),
        "qty2": attr("line.qty2"),
        "unit2": attr("line.goods.unit2"),
        "price": attr("line.order.price.amount"),
        "totalPrice": attr("line.order.total.amount"),
        "note": attr("line.order.note"),
    }
