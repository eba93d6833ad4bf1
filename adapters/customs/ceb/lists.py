"""Lists of parcels: the entry list (711) of an import, the master list (607) of an export.

One record lists everything that was gathered under one bill with one carrier; each parcel is a case
of its own and stands in it by its waybill, in a 607 also by its inventory.
"""

from collections.abc import Callable, Mapping, Sequence
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
from gateway.domain.documents import Conveyance, EntryList, ListedParcel, MasterList
from gateway.domain.papers import Waybill
from gateway.domain.profile import FilingProfile
from gateway.ports import DeclarationInput
from schemas.plan import MessagePlan
from schemas.writer import MessageWriter, compile_writer

_ARGUMENTS: Final = ("it", "rows", "part", "parts")
_ZERO: Final = Decimal(0)
_Make = Callable[[Sequence[DeclarationInput], FilingProfile], EntryList | MasterList]


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
        rows = tuple(Row(number, one) for number, one in enumerate(document.parcels, 1))
        return write_or_fault(partial(self.writer.record, document, rows, 1, 1), ())


def records(kind: DeclarationKind) -> Callable[[MessagePlan, FilingProfile], ListRecords]:
    """What compiles the writer of one kind of list for a profile."""
    return partial(ListRecords, kind=kind)


def _entry_list(given: Sequence[DeclarationInput], profile: FilingProfile) -> EntryList:
    first, waybills = given[0], _waybills(given)
    operator = profile.consigning.operator if profile.consigning is not None else None
    if operator is None:
        raise RecordFaults([FieldFault("DeliveryHead/operatorCode", "is of the filing profile")])
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


def _waybills(given: Sequence[DeclarationInput]) -> list[Waybill]:
    found = [one.waybill for one in given if one.waybill is not None]
    if len(found) != len(given):
        raise RecordFaults([FieldFault("logisticsNo", "needs a waybill")])
    return found


def _conveyance(profile: FilingProfile, waybills: Sequence[Waybill]) -> Conveyance:
    """The conveyance of a bill: one waybill that names it is enough for all."""
    return Conveyance(
        profile.traf_mode,
        next((one.transport_no for one in waybills if one.transport_no), None),
        next((one.voyage_no for one in waybills if one.voyage_no), None),
        waybills[0].bill_no,
    )


_MAKES: Final[Mapping[DeclarationKind, _Make]] = {
    DeclarationKind.ENTRY_LIST: _entry_list,
    DeclarationKind.MASTER_LIST: _master_list,
}
MAPPED: Final[Mapping[DeclarationKind, Mapped]] = {
    DeclarationKind.ENTRY_LIST: documents.ENTRY_LIST,
    DeclarationKind.MASTER_LIST: documents.MASTER_LIST,
}
"""How each kind of list is written."""
