"""The waybill (CEB511): from the waybill paper to the fields of one record.

Freight and insurance are optional by schema and mandatory by the text, so they are always sent.
The consignee is the waybill's own where it is known in full, else the order's: both must be equal
at customs (import rule 5).
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Final, NamedTuple

from adapters.customs.ceb.inventory import rounded
from adapters.customs.ceb.records import (
    FieldFault,
    RecordFaults,
    foreign_amounts,
    write_or_fault,
)
from gateway.domain.papers import Consignee, Masked, known
from gateway.domain.profile import FilingProfile
from gateway.ports import DeclarationInput
from schemas.plan import MessagePlan
from schemas.sources import Source, attr, const
from schemas.writer import compile_writer

MESSAGE: Final = "CEB511Message"

_ARGUMENTS: Final = ("order", "waybill", "declaration", "guid", "parcel")
_ZERO: Final = Decimal(0)


class FiledParcel(NamedTuple):
    """What one record has beside its paper: carrier, amounts, weight (kg) and who receives it."""

    carrier_code: str | None
    carrier_name: str | None
    freight: Decimal
    insurance: Decimal
    weight_kg: Decimal | None
    pack_count: int
    consignee: str | Masked | None
    phone: str | Masked | None
    address: str | Masked | None


class WaybillRecords:
    """Writes 511 records under one profile version."""

    def __init__(self, plan: MessagePlan, profile: FilingProfile) -> None:
        self._profile = profile
        self.writer = compile_writer(plan, _sources(), arguments=_ARGUMENTS)

    def write(self, given: DeclarationInput) -> str:
        """One Logistics as canonical XML text; raises :class:`RecordFaults` naming every fault."""
        waybill = given.waybill
        if waybill is None:
            raise RecordFaults([FieldFault("LogisticsHead/logisticsNo", "needs a waybill")])
        freight = waybill.freight or given.order.freight
        faults = foreign_amounts(
            [("LogisticsHead/freight", freight), ("LogisticsHead/insuredFee", waybill.insurance)]
        )
        try:
            parcel = self._parcel(given)
        except InvalidOperation:
            faults.append(FieldFault("LogisticsHead/weight", "is too large"))
            raise RecordFaults(faults) from None
        write = partial(
            self.writer.record, given.order, waybill, given.declaration, given.guid, parcel
        )
        return write_or_fault(write, faults)

    def _parcel(self, given: DeclarationInput) -> FiledParcel:
        waybill, order = given.waybill, given.order
        assert waybill is not None
        carrier = self._profile.carrier(waybill.carrier_code)
        weight = waybill.gross_weight_kg
        if weight is None and all(line.sku in given.goods for line in order.lines):
            # Not weighed yet: what its goods weigh, as the inventory will say.
            weight = sum(
                (line.quantity * given.goods[line.sku].gross_weight_kg for line in order.lines),
                _ZERO,
            )
        ours, theirs = waybill.consignee, order.consignee
        return FiledParcel(
            carrier.code if carrier else waybill.carrier_code,
            carrier.name if carrier else waybill.carrier_name,
            (waybill.freight or order.freight).amount,
            waybill.insurance.amount if waybill.insurance else _ZERO,
            None if weight is None else rounded(weight),
            waybill.pack_count or 1,
            _first_known(ours, theirs, "name"),
            _first_known(ours, theirs, "phone"),
            _first_known(ours, theirs, "address"),
        )


def _first_known(ours: Consignee, theirs: Consignee, name: str) -> str | Masked | None:
    """The waybill's value where it is known in full, else the order's; a mask if both are."""
    own: str | Masked | None = getattr(ours, name)
    other: str | Masked | None = getattr(theirs, name)
    return known(own) or known(other) or own or other


def _sources() -> Mapping[str, Source]:
    head: dict[str, Source] = {
        "guid": attr("guid"),
        "appType": attr("declaration.app_type"),
        "appTime": attr("declaration.app_time"),
        "appStatus": const("2"),
        "logisticsCode": attr("parcel.carrier_code"),
        "logisticsName": attr("parcel.carrier_name"),
        "logisticsNo": attr("waybill.waybill_no"),
        "billNo": attr("waybill.bill_no"),
        "orderNo": attr("order.order_no"),
        "freight": attr("parcel.freight"),
        "insuredFee": attr("parcel.insurance"),
        "currency": const("142"),
        "weight": attr("parcel.weight_kg"),
        "packNo": attr("parcel.pack_count"),
        "goodsInfo": attr("waybill.goods_info"),
        "consignee": attr("parcel.consignee"),
        "consigneeAddress": attr("parcel.address"),
        "consigneeTelephone": attr("parcel.phone"),
        "note": attr("waybill.note"),
    }
    return {f"LogisticsHead/{name}": source for name, source in head.items()}
