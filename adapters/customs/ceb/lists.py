"""Lists of parcels: the entry list (711) of an import, the master list (607) of an export; what
reached the site (507) and what left the country (509); what is summed up of a period (701).

One record lists everything that was gathered under one bill with one carrier, or in one period;
each parcel is a case of its own and stands in it by its waybill, in a 607 also by its inventory, in
a 701 by that alone.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Final

from adapters.customs.ceb import documents
from adapters.customs.ceb.build import Row
from adapters.customs.ceb.documents import Mapped
from adapters.customs.ceb.exports import gross_of
from adapters.customs.ceb.follow_ups import carrier_of, stamp_of, text_of
from adapters.customs.ceb.inventory import rounded
from adapters.customs.ceb.records import FieldFault, RecordFaults, write_or_fault
from gateway.domain.declaration import DeclarationKind
from gateway.domain.documents import (
    Conveyance,
    Departure,
    EntryList,
    ListedParcel,
    MasterList,
    SiteArrival,
    SummaryRequest,
)
from gateway.domain.papers import Waybill
from gateway.domain.profile import FilingProfile, Party
from gateway.ports import DeclarationInput
from schemas.plan import MessagePlan
from schemas.writer import MessageWriter, compile_writer

_ARGUMENTS: Final = ("it", "rows", "part", "parts")
_ZERO: Final = Decimal(0)
_Listed = EntryList | MasterList | SiteArrival | Departure | SummaryRequest
_Make = Callable[[Sequence[DeclarationInput], FilingProfile], _Listed]


class ListRecords:
    """Writes lists of one kind under one profile version; safe for threads."""

    def __init__(self, plan: MessagePlan, profile: FilingProfile, kind: DeclarationKind) -> None:
        self._profile = profile
        self._make = _MAKES[kind]
        self.writer: MessageWriter = compile_writer(
            plan, MAPPED[kind].sources, arguments=_ARGUMENTS
        )

    def write(self, given: DeclarationInput) -> str:
        """A list of one parcel."""
        return self.write_all((given,))

    def write_all(self, given: Sequence[DeclarationInput]) -> str:
        """One list of all these parcels as canonical XML text; raises :class:`RecordFaults`."""
        document = self._make(given, self._profile)
        rows = tuple(Row(number, one) for number, one in enumerate(_listed(document), 1))
        return write_or_fault(partial(self.writer.record, document, rows, 1, 1), ())


def _listed(document: _Listed) -> Sequence[object]:
    """What stands in the rows: parcels, of a summary the numbers of inventories."""
    return document.invt_nos if isinstance(document, SummaryRequest) else document.parcels


def records(kind: DeclarationKind) -> Callable[[MessagePlan, FilingProfile], ListRecords]:
    """What compiles the writer of one kind of list for a profile."""
    return partial(ListRecords, kind=kind)


def _operator(profile: FilingProfile, head: str) -> Party:
    operator = profile.consigning.operator if profile.consigning is not None else None
    if operator is None:
        raise RecordFaults([FieldFault(f"{head}/operatorCode", "is of the filing profile")])
    return operator


def _entry_list(given: Sequence[DeclarationInput], profile: FilingProfile) -> EntryList:
    first, waybills = given[0], _waybills(given)
    operator = _operator(profile, "DeliveryHead")
    return EntryList(
        stamp=stamp_of(first),
        cop_no=first.declaration.cop_no,
        customs_code=profile.customs_code,
        operator=operator,
        carrier=carrier_of(profile, waybills[0]),
        conveyance=_conveyance(profile, waybills),
        parcels=[ListedParcel(one.waybill_no) for one in waybills],
    )


def _master_list(given: Sequence[DeclarationInput], profile: FilingProfile) -> MasterList:
    first, waybills = given[0], _waybills(given)
    weights = (gross_of(one, waybill) for one, waybill in zip(given, waybills, strict=True))
    return MasterList(
        stamp=stamp_of(first),
        cop_no=first.declaration.cop_no,
        customs_code=profile.customs_code,
        agent=profile.agent,
        carrier=carrier_of(profile, waybills[0]),
        conveyance=_conveyance(profile, waybills),
        gross_weight_kg=rounded(sum(weights, _ZERO)),
        parcels=[
            ListedParcel(waybill.waybill_no, text_of(one.declaration, "invt_no"))
            for one, waybill in zip(given, waybills, strict=True)
        ],
        loct_no=profile.loct_no,
    )


def _site_arrival(given: Sequence[DeclarationInput], profile: FilingProfile) -> SiteArrival:
    first, waybills = given[0], _waybills(given)
    return SiteArrival(
        stamp=stamp_of(first),
        cop_no=first.declaration.cop_no,
        customs_code=profile.customs_code,
        operator=_operator(profile, "ArrivalHead"),
        carrier=carrier_of(profile, waybills[0]),
        conveyance=_conveyance(profile, waybills, text_of(first.declaration, "bill_no")),
        domestic_transport_no=text_of(first.declaration, "vehicle_no") or "",
        parcels=[ListedParcel(one.waybill_no) for one in waybills],
        loct_no=profile.loct_no,
    )


def _departure(given: Sequence[DeclarationInput], profile: FilingProfile) -> Departure:
    first, waybills = given[0], _waybills(given)
    left_at = text_of(first.declaration, "left_at")
    if left_at is None:
        raise RecordFaults([FieldFault("DepartureHead/leaveTime", "needs the time of departure")])
    known = _conveyance(profile, waybills, text_of(first.declaration, "bill_no"))
    return Departure(
        stamp=stamp_of(first),
        cop_no=first.declaration.cop_no,
        customs_code=profile.customs_code,
        carrier=carrier_of(profile, waybills[0]),
        conveyance=Conveyance(
            known.mode,
            text_of(first.declaration, "transport_no") or known.name,
            text_of(first.declaration, "voyage_no") or known.voyage_no,
            known.bill_no,
        ),
        left_at=datetime.fromisoformat(left_at),
        parcels=[ListedParcel(one.waybill_no) for one in waybills],
    )


def _summary(given: Sequence[DeclarationInput], profile: FilingProfile) -> SummaryRequest:
    first, terms = given[0], profile.export
    if terms is None or terms.summary is None:
        fault = FieldFault("SummaryApplyHead/declAgentCode", "is of the filing profile")
        raise RecordFaults([fault])
    return SummaryRequest(
        stamp=stamp_of(first),
        cop_no=first.declaration.cop_no,
        customs_code=profile.customs_code,
        agent=profile.agent,
        merchant=profile.merchant,
        declarant=terms.summary.declarant,
        invt_nos=[text_of(one.declaration, "invt_no") or "" for one in given],
        by_producer=terms.summary.by_producer,
        keeps_names=terms.summary.keeps_names,
        loct_no=profile.loct_no,
    )


def _waybills(given: Sequence[DeclarationInput]) -> list[Waybill]:
    found = [one.waybill for one in given if one.waybill is not None]
    if len(found) != len(given):
        raise RecordFaults([FieldFault("logisticsNo", "needs a waybill")])
    return found


def _conveyance(
    profile: FilingProfile, waybills: Sequence[Waybill], bill_no: str | None = None
) -> Conveyance:
    """The conveyance of a bill: one waybill that names it is enough for all; ``bill_no`` is said
    where the waybills know none.
    """
    return Conveyance(
        profile.traf_mode,
        next((one.transport_no for one in waybills if one.transport_no), None),
        next((one.voyage_no for one in waybills if one.voyage_no), None),
        waybills[0].bill_no or bill_no,
    )


_MAKES: Final[Mapping[DeclarationKind, _Make]] = {
    DeclarationKind.ENTRY_LIST: _entry_list,
    DeclarationKind.MASTER_LIST: _master_list,
    DeclarationKind.SITE_ARRIVAL: _site_arrival,
    DeclarationKind.DEPARTURE: _departure,
    DeclarationKind.SUMMARY_REQUEST: _summary,
}
MAPPED: Final[Mapping[DeclarationKind, Mapped]] = {
    DeclarationKind.ENTRY_LIST: documents.ENTRY_LIST,
    DeclarationKind.MASTER_LIST: documents.MASTER_LIST,
    DeclarationKind.SITE_ARRIVAL: documents.SITE_ARRIVAL,
    DeclarationKind.DEPARTURE: documents.DEPARTURE,
    DeclarationKind.SUMMARY_REQUEST: documents.SUMMARY_REQUEST,
}
"""How each kind of list is written."""
