"""Export records (303, 403, 505, 603, 605, 213, 215): from papers and profile to documents.

One function makes the document of each kind; how it is written stands in
:mod:`adapters.customs.ceb.documents`. What an export names and no paper carries (destination port,
producer, whether it is summarised) is of the profile's export terms.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Final

from adapters.customs.ceb import documents
from adapters.customs.ceb.documents import Mapped
from adapters.customs.ceb.follow_ups import carrier_of, inventory_ref, stamp_of, text_of
from adapters.customs.ceb.inventory import number_of, rounded
from adapters.customs.ceb.records import FieldFault, RecordFaults, write_or_fault
from gateway.domain.declaration import AppType, DeclarationKind
from gateway.domain.documents import (
    Cancellation,
    Conveyance,
    Document,
    ExportInventory,
    ExportLine,
    ExportMode,
    ExportOrder,
    ExportReturn,
    ExportWaybill,
    FundsReceipt,
    ReturnLine,
    ReturnTally,
    Zone,
)
from gateway.domain.goods import GoodsRecord
from gateway.domain.money import Money
from gateway.domain.papers import OrderLine, Person, Waybill
from gateway.domain.profile import FilingProfile, Party
from gateway.ports import DeclarationInput
from schemas.plan import MessagePlan
from schemas.writer import MessageWriter, compile_writer

_ARGUMENTS: Final = ("it", "rows", "part", "parts")
_MOST_SKU: Final = 20
_GOODS_INFO: Final = 200
_ONE: Final = 1
_Make = Callable[[DeclarationInput, FilingProfile], Document]


class ExportRecords:
    """Writes the records of one kind under one profile version."""

    def __init__(self, plan: MessagePlan, profile: FilingProfile, kind: DeclarationKind) -> None:
        self._profile = profile
        self._make = _MAKES[kind]
        self.writer: MessageWriter = compile_writer(
            plan, MAPPED[kind].sources, arguments=_ARGUMENTS
        )

    def write(self, given: DeclarationInput) -> str:
        """One record as canonical XML text; raises :class:`RecordFaults` naming every fault."""
        document = self._make(given, self._profile)
        return write_or_fault(partial(self.writer.record, document, (), _ONE, _ONE), ())


def records(kind: DeclarationKind) -> Callable[[MessagePlan, FilingProfile], ExportRecords]:
    """What compiles the writer of one export kind for a profile."""
    return partial(ExportRecords, kind=kind)


def _order(given: DeclarationInput, profile: FilingProfile) -> ExportOrder:
    order = given.order
    return ExportOrder(
        stamp=stamp_of(given),
        mode=ExportMode(profile.mode.value),
        order_no=order.order_no,
        platform=profile.platform,
        merchant=profile.merchant,
        goods_value=order.goods_value,
        freight=order.freight,
        lines=[_plain(line) for line in order.lines],
        note=order.note,
    )


def _plain(line: OrderLine) -> ExportLine:
    """A line as the order states it, without what a goods record adds."""
    return ExportLine(
        line_no=line.line_no,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit=line.unit,
        price=line.price,
        total=line.total,
        barcode=line.barcode,
        description=line.description,
        note=line.note,
    )


def _funds(given: DeclarationInput, profile: FilingProfile) -> FundsReceipt:
    slip = given.payment
    if slip is None or slip.paid_at is None:
        missing = "payNo" if slip is None else "accountingDate"
        raise RecordFaults([FieldFault(missing, "needs a receipt of funds with its time")])
    known = profile.payment_company(slip.company_code)
    return FundsReceipt(
        stamp=stamp_of(given),
        order_no=given.order.order_no,
        platform=profile.platform,
        merchant=profile.merchant,
        payer=known or Party(slip.company_code or "", slip.company_name or ""),
        amount=slip.amount,
        accounted_at=slip.paid_at,
        pay_no=slip.transaction_id,
        note=slip.note,
    )


def _waybill(given: DeclarationInput, profile: FilingProfile) -> ExportWaybill:
    waybill = _needed(given.waybill)
    freight, insurance = _costs(given, waybill)
    goods_info = waybill.goods_info or "、".join(line.name for line in given.order.lines)
    return ExportWaybill(
        stamp=stamp_of(given),
        carrier=carrier_of(profile, waybill),
        waybill_no=waybill.waybill_no,
        freight=freight,
        insurance=insurance,
        gross_weight_kg=gross_of(given, waybill),
        pack_count=waybill.pack_count or _ONE,
        goods_info=goods_info[:_GOODS_INFO],
        merchant=profile.merchant,
        note=waybill.note,
    )


def _inventory(given: DeclarationInput, profile: FilingProfile) -> ExportInventory:
    """The 603; while it is changed it names the numbers that customs gave it."""
    waybill, terms, declaration = _needed(given.waybill), profile.export, given.declaration
    assert terms is not None, "a profile of exports is checked to have terms"
    lines = _lines(given, profile)
    freight, insurance = _costs(given, waybill)
    is_new = declaration.app_type is AppType.NEW
    zone = None
    if profile.mode.is_bonded and profile.area is not None:
        zone = Zone(profile.area, profile.account_book or "")
    return ExportInventory(
        stamp=stamp_of(given),
        cop_no=declaration.cop_no,
        mode=ExportMode(profile.mode.value),
        customs_code=profile.customs_code,
        port_code=profile.port_code,
        order_no=given.order.order_no,
        platform=profile.platform,
        merchant=profile.merchant,
        producer=terms.producer or profile.merchant,
        agent=profile.agent,
        carrier=carrier_of(profile, waybill),
        waybill_no=waybill.waybill_no,
        exported_on=(declaration.app_time or "")[:8],
        is_summarised=terms.is_summarised,
        conveyance=conveyance_of(profile, waybill),
        destination=given.order.destination or profile.country,
        destination_port=terms.destination_port,
        freight=freight,
        insurance=insurance,
        wrap_type=profile.wrap_type or "",
        pack_count=waybill.pack_count or _ONE,
        gross_weight_kg=gross_of(given, waybill),
        net_weight_kg=rounded(
            sum(
                (line.quantity * given.goods[line.sku].net_weight_kg for line in given.order.lines),
                Decimal(0),
            )
        ),
        lines=lines,
        zone=zone,
        loct_no=profile.loct_no,
        pre_no=None if is_new else number_of(declaration, "pre_no"),
        invt_no=None if is_new else number_of(declaration, "invt_no"),
        note=given.order.note,
    )


def _cancellation(given: DeclarationInput, profile: FilingProfile) -> Cancellation:
    return Cancellation(
        stamp=stamp_of(given),
        cop_no=given.declaration.cop_no,
        inventory=inventory_ref(given, profile),
        reason=text_of(given.declaration, "reason") or "",
        buyer=Person(),
    )


def _return(given: DeclarationInput, profile: FilingProfile) -> ExportReturn:
    """The 213: lines as the inventory named them, and the way home that was told with it."""
    return ExportReturn(
        stamp=stamp_of(given),
        cop_no=given.declaration.cop_no,
        inventory=inventory_ref(given, profile),
        conveyance=_way_home(given, profile),
        port_code=profile.port_code,
        country=given.order.destination or profile.country,
        reason=text_of(given.declaration, "reason") or "",
        lines=_returned(given, profile),
        is_from_zone=profile.mode.is_bonded,
        loct_no=profile.loct_no,
    )


def _returned(given: DeclarationInput, profile: FilingProfile) -> list[ReturnLine]:
    asked = given.declaration.request.get("lines", {})
    assert isinstance(asked, Mapping)
    lines: list[ReturnLine] = []
    for line in given.order.lines:
        quantity = asked.get(str(line.line_no))
        if quantity is None:
            continue
        record = given.goods.get(line.sku)
        if record is None:
            place = f"InvtRefundList[{len(lines) + 1}]/gcode"
            raise RecordFaults([FieldFault(place, "needs a goods record")])
        part = replace(line, quantity=Decimal(str(quantity)))
        declared = _declared(given, profile, part, record)
        lines.append(
            ReturnLine(
                line_no=declared.line_no,
                hs_code=declared.hs_code,
                name=declared.name,
                quantity=declared.quantity,
                unit=declared.unit,
                model=declared.model,
                qty1=declared.qty1,
                unit1=declared.unit1,
                qty2=declared.qty2,
                unit2=declared.unit2,
            )
        )
    return lines


def _tally(given: DeclarationInput, profile: FilingProfile) -> ReturnTally:
    operator = profile.consigning.operator if profile.consigning is not None else None
    if operator is None:
        raise RecordFaults([FieldFault("operatorCode", "is of the filing profile")])
    waybill = _needed(given.waybill)
    return ReturnTally(
        stamp=stamp_of(given),
        cop_no=given.declaration.cop_no,
        customs_code=profile.customs_code,
        operator=operator,
        carrier=carrier_of(profile, waybill),
        waybill_no=waybill.waybill_no,
        conveyance=_way_home(given, profile),
        invt_no=text_of(given.declaration, "invt_no"),
        location=text_of(given.declaration, "location"),
    )


def _way_home(given: DeclarationInput, profile: FilingProfile) -> Conveyance:
    """What returned goods come on; mail has no bill, whose number then stands there empty."""
    told = given.declaration
    return Conveyance(
        text_of(told, "transport_mode") or profile.traf_mode,
        text_of(told, "transport_no"),
        text_of(told, "voyage_no"),
        text_of(told, "bill_no") or "",
    )


def conveyance_of(profile: FilingProfile, waybill: Waybill) -> Conveyance:
    """How a parcel leaves; what the waybill does not know yet is left to the master list (607)."""
    return Conveyance(profile.traf_mode, waybill.transport_no, waybill.voyage_no, waybill.bill_no)


def _needed(waybill: Waybill | None) -> Waybill:
    if waybill is None:
        raise RecordFaults([FieldFault("logisticsNo", "needs a waybill")])
    return waybill


def _costs(given: DeclarationInput, waybill: Waybill) -> tuple[Money, Money]:
    """Freight and insurance: the waybill's go first, and what nobody names is nothing."""
    freight = waybill.freight or given.order.freight
    return freight, waybill.insurance or Money(Decimal(0), freight.currency)


def gross_of(given: DeclarationInput, waybill: Waybill) -> Decimal:
    """Gross kilograms: as weighed, else what the goods records sum up to."""
    if waybill.gross_weight_kg is not None:
        return rounded(waybill.gross_weight_kg)
    lines, goods = given.order.lines, given.goods
    known = [line.quantity * goods[line.sku].gross_weight_kg for line in lines if line.sku in goods]
    return rounded(sum(known, Decimal(0)))


def _lines(given: DeclarationInput, profile: FilingProfile) -> list[ExportLine]:
    """The lines with their goods records; raises :class:`RecordFaults` for every one that fails."""
    lines: list[ExportLine] = []
    faults: list[FieldFault] = []
    for number, line in enumerate(given.order.lines, 1):
        at = f"InventoryList[{number}]"
        record = given.goods.get(line.sku)
        if record is None:
            faults.append(FieldFault(f"{at}/gcode", "needs a goods record"))
            continue
        if record.unit != line.unit:
            reason = "differs from the goods record, whose factors it would falsify"
            faults.append(FieldFault(f"{at}/unit", reason))
        if profile.mode.is_bonded and not record.item_record_no:
            reason = "is required from a special zone: complete the goods record"
            faults.append(FieldFault(f"{at}/itemRecordNo", reason))
        if len(line.sku) > _MOST_SKU:
            faults.append(FieldFault(f"{at}/itemNo", "takes at most 20 characters"))
        try:
            lines.append(_declared(given, profile, line, record))
        except InvalidOperation:
            faults.append(FieldFault(f"{at}/qty1", "is too large in the statutory unit"))
    if faults:
        raise RecordFaults(faults)
    return lines


def _declared(
    given: DeclarationInput, profile: FilingProfile, line: OrderLine, record: GoodsRecord
) -> ExportLine:
    qty2 = None if record.factor2 is None else rounded(line.quantity * record.factor2)
    return ExportLine(
        line_no=line.line_no,
        sku=line.sku,
        name=line.name,
        quantity=line.quantity,
        unit=line.unit,
        price=line.price,
        total=line.total,
        hs_code=record.hs_code,
        model=record.model or line.model,
        destination=given.order.destination or profile.country,
        qty1=rounded(line.quantity * record.factor1),
        unit1=record.unit1,
        qty2=qty2,
        unit2=record.unit2,
        item_record_no=record.item_record_no if profile.mode.is_bonded else None,
        barcode=line.barcode or record.barcode,
        note=line.note,
    )


_K: Final = DeclarationKind
_MAKES: Final[Mapping[DeclarationKind, _Make]] = {
    _K.EXPORT_ORDER: _order,
    _K.FUNDS_RECEIPT: _funds,
    _K.EXPORT_WAYBILL: _waybill,
    _K.EXPORT_INVENTORY: _inventory,
    _K.EXPORT_CANCELLATION: _cancellation,
    _K.EXPORT_RETURN: _return,
    _K.RETURN_TALLY: _tally,
}
MAPPED: Final[Mapping[DeclarationKind, Mapped]] = {
    _K.EXPORT_ORDER: documents.EXPORT_ORDER,
    _K.FUNDS_RECEIPT: documents.FUNDS_RECEIPT,
    _K.EXPORT_WAYBILL: documents.EXPORT_WAYBILL,
    _K.EXPORT_INVENTORY: documents.EXPORT_INVENTORY,
    _K.EXPORT_CANCELLATION: documents.EXPORT_CANCELLATION,
    _K.EXPORT_RETURN: documents.EXPORT_RETURN,
    _K.RETURN_TALLY: documents.RETURN_TALLY,
}
"""How the records of each export kind are written."""
