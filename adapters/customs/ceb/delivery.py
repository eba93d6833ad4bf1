"""The carrier's word that a parcel was delivered (513); its answer is a 514.

Filed by whoever filed the waybill (511), for customs knows the parcel under that carrier's number.
"""

from datetime import datetime
from functools import partial
from typing import Final

from adapters.customs.ceb import documents
from adapters.customs.ceb.follow_ups import carrier_of, stamp_of, text_of
from adapters.customs.ceb.records import FieldFault, RecordFaults, write_or_fault
from gateway.domain.documents import WaybillStatus
from gateway.domain.profile import FilingProfile
from gateway.ports import DeclarationInput
from schemas.plan import MessagePlan
from schemas.writer import MessageWriter, compile_writer

MESSAGE: Final = documents.WAYBILL_STATUS.message
_ARGUMENTS: Final = ("it", "rows", "part", "parts")


class DeliveryRecords:
    """Writes the 513 of a profile."""

    def __init__(self, plan: MessagePlan, profile: FilingProfile) -> None:
        self._profile = profile
        sources = documents.WAYBILL_STATUS.sources
        self.writer: MessageWriter = compile_writer(plan, sources, arguments=_ARGUMENTS)

    def write(self, given: DeclarationInput) -> str:
        """One record as canonical XML text; raises :class:`RecordFaults` naming every fault."""
        waybill, at = given.waybill, text_of(given.declaration, "at")
        if waybill is None or at is None:
            raise RecordFaults([FieldFault("logisticsNo", "needs a waybill that was delivered")])
        document = WaybillStatus(
            stamp=stamp_of(given),
            carrier=carrier_of(self._profile, waybill),
            waybill_no=waybill.waybill_no,
            at=datetime.fromisoformat(at),
        )
        return write_or_fault(partial(self.writer.record, document, (), 1, 1), ())
