"""What is asked of customs about an inventory: to cancel it (623), to take goods back (625).

Both repeat the inventory as it was filed, so they are built from the papers it was built from; what
they ask beyond that stands in the declaration's request.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Final

from adapters.customs.ceb import documents
from adapters.customs.ceb.records import FieldFault, RecordFaults, write_or_fault
from gateway.domain.declaration import DeclarationState
from gateway.domain.documents import Cancellation, InventoryRef, Return, ReturnLine, Stamp
from gateway.domain.papers import Person, Waybill
from gateway.domain.profile import FilingProfile, Party
from gateway.ports import DeclarationInput
from schemas.plan import MessagePlan
from schemas.writer import MessageWriter, compile_writer

CANCELLATION: Final = documents.CANCELLATION.message
RETURN: Final = documents.RETURN.message

_ARGUMENTS: Final = ("it", "rows", "part", "parts")
_Make = Callable[[DeclarationInput, InventoryRef, Person], Cancellation | Return]


class FollowUpRecords:
    """Writes records that follow an inventory under one profile version."""

    def __init__(self, plan: MessagePlan, profile: FilingProfile, make: _Make) -> None:
        self._profile = profile
        self._make = make
        mapped = documents.CANCELLATION if make is _cancellation else documents.RETURN
        self.writer: MessageWriter = compile_writer(plan, mapped.sources, arguments=_ARGUMENTS)

    def write(self, given: DeclarationInput) -> str:
        """One record as canonical XML text; raises :class:`RecordFaults` naming every fault."""
        document = self._make(given, inventory_ref(given, self._profile), given.order.buyer)
        return write_or_fault(partial(self.writer.record, document, (), 1, 1), ())


def inventory_ref(given: DeclarationInput, profile: FilingProfile) -> InventoryRef:
    """The inventory as it was filed, under the numbers that customs gave it.

    Raises :class:`RecordFaults` where it has no waybill or no number.
    """
    waybill = given.waybill
    faults = []
    if waybill is None:
        faults.append(FieldFault("logisticsNo", "needs a waybill"))
    invt_no = text_of(given.declaration, "invt_no")
    if invt_no is None:
        faults.append(FieldFault("invtNo", "is required: customs has not numbered it"))
    if waybill is None or invt_no is None:
        raise RecordFaults(faults)
    return InventoryRef(
        customs_code=profile.customs_code,
        order_no=given.order.order_no,
        platform=profile.platform,
        merchant=profile.merchant,
        agent=profile.agent,
        carrier=carrier_of(profile, waybill),
        waybill_no=waybill.waybill_no,
        invt_no=invt_no,
        pre_no=text_of(given.declaration, "pre_no"),
    )


def cancellations(plan: MessagePlan, profile: FilingProfile) -> FollowUpRecords:
    """Writes the 623 of a profile."""
    return FollowUpRecords(plan, profile, _cancellation)


def returns(plan: MessagePlan, profile: FilingProfile) -> FollowUpRecords:
    """Writes the 625 of a profile."""
    return FollowUpRecords(plan, profile, _return)


def _cancellation(given: DeclarationInput, ref: InventoryRef, buyer: Person) -> Cancellation:
    return Cancellation(
        stamp=stamp_of(given),
        cop_no=given.declaration.cop_no,
        inventory=ref,
        reason=text_of(given.declaration, "reason") or "",
        buyer=buyer,
    )


def _return(given: DeclarationInput, ref: InventoryRef, buyer: Person) -> Return:
    """The return of some lines; each is named as the inventory named it."""
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
        lines.append(
            ReturnLine(
                line_no=line.line_no,
                hs_code=record.hs_code,
                name=line.name,
                quantity=Decimal(str(quantity)),
                unit=line.unit,
            )
        )
    return Return(
        stamp=stamp_of(given),
        cop_no=given.declaration.cop_no,
        inventory=ref,
        reason=text_of(given.declaration, "reason") or "",
        lines=lines,
        buyer=buyer,
    )


def stamp_of(given: DeclarationInput) -> Stamp:
    """What the record of a declaration carries of its own."""
    return Stamp(given.guid, given.declaration.app_time or "", given.declaration.app_type)


def carrier_of(profile: FilingProfile, waybill: Waybill) -> Party:
    """The carrier of a waybill: as the profile has registered it, else as the paper names it."""
    found = profile.carrier(waybill.carrier_code)
    return found or Party(waybill.carrier_code or "", waybill.carrier_name or "")


def text_of(declaration: DeclarationState, name: str) -> str | None:
    """What a request asks for under a name, None where it asks for nothing."""
    found = declaration.request.get(name)
    return None if found in (None, "") else str(found)
