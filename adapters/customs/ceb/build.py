"""Writing documents: one mapping for each kind, split into as many messages as it takes.

A message takes 100 records; a record takes as many lines as its edition's schema says. Lists of
parcels (507, 509, 607, 701) may be split: their parts are counted from 1 without gaps. What cannot
be split and does not fit (the lines of one order) is a fault, never cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from adapters.customs.ceb import documents
from adapters.customs.ceb.documents import Mapped
from adapters.customs.ceb.records import REASONS
from gateway.domain.documents import (
    Cancellation,
    Departure,
    Document,
    EntryList,
    ExportInventory,
    ExportOrder,
    ExportReturn,
    ExportWaybill,
    FundsReceipt,
    MasterList,
    Return,
    ReturnTally,
    SiteArrival,
    SummaryRequest,
    WaybillStatus,
)
from gateway.ports import BuildFault
from schemas.errors import RecordRefusedError, UnknownSchemaError
from schemas.explain import Explainer
from schemas.loader import LARGE, parse
from schemas.plan import load_plan
from schemas.sources import Each, attr
from schemas.validate import ValidatorPool
from schemas.writer import MessageWriter, Transfer, compile_writer

MOST_RECORDS: Final = 100
"""Records of one message, in every edition."""

MOST_LISTED: Final = 5000
"""Rows of one part of a list that the schema leaves unbounded: some 1 MB of XML."""

_MAPPINGS: Final[dict[type[Document], Mapped]] = {
    Cancellation: documents.CANCELLATION,
    Return: documents.RETURN,
    WaybillStatus: documents.WAYBILL_STATUS,
    EntryList: documents.ENTRY_LIST,
    ExportOrder: documents.EXPORT_ORDER,
    FundsReceipt: documents.FUNDS_RECEIPT,
    ExportWaybill: documents.EXPORT_WAYBILL,
    SiteArrival: documents.SITE_ARRIVAL,
    Departure: documents.DEPARTURE,
    ExportInventory: documents.EXPORT_INVENTORY,
    MasterList: documents.MASTER_LIST,
    SummaryRequest: documents.SUMMARY_REQUEST,
    ExportReturn: documents.EXPORT_RETURN,
    ReturnTally: documents.RETURN_TALLY,
}


class Row(NamedTuple):
    """One row of a list under its number over all parts; ``parcel`` may be a bare number."""

    number: int
    parcel: object


@dataclass(frozen=True, slots=True)
class Written:
    """One unsigned message: its type, canonical bytes, and which documents are in it."""

    message: str
    body: bytes
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of documents: the messages to sign and send, and why others cannot be."""

    messages: tuple[Written, ...]
    faults: tuple[BuildFault, ...]


class DocumentWriter:
    """Writes documents of one kind in one edition, for one direction. For one thread at a time.

    ``is_export`` matters to cancellations alone, which both directions have.
    """

    def __init__(self, kind: type[Document], edition: str, *, is_export: bool = False) -> None:
        """Compile the mapping; raises UnknownSchemaError where the edition lacks the message."""
        mapped = _MAPPINGS[kind]
        if kind is Cancellation and is_export:
            mapped = documents.EXPORT_CANCELLATION
        plan = load_plan("ceb", edition).get(mapped.message)
        if plan is None:
            raise UnknownSchemaError(f"there is no {mapped.message} in edition {edition}")
        self._valid = ValidatorPool("ceb", edition, mapped.message, signature_optional=True)
        self._plan = plan
        self._edition = edition
        lists = [path for path, source in mapped.sources.items() if isinstance(source, Each)]
        self._list = plan.at(lists[0]) if lists else None
        self._splits = any(
            isinstance(source, Each) and source.items == attr("rows")
            for source in mapped.sources.values()
        )
        self._writer: MessageWriter = compile_writer(
            plan, mapped.sources, arguments=("it", "rows", "part", "parts")
        )
        self._explainer: Explainer | None = None

    @property
    def message(self) -> str:
        """The message that is written, ``CEB603Message``."""
        return self._plan.name

    @property
    def most_records(self) -> int:
        """How many records a message takes: 100, of an entry list one."""
        return min(self._plan.record.max_occurs or MOST_RECORDS, MOST_RECORDS)

    def write(self, given: Sequence[Document], transfer: Transfer, guids: Iterator[str]) -> Batch:
        """Write and validate documents; ``guids`` gives each message its own.

        Every document that cannot be written is named by its position, with every faulty field.
        """
        texts: list[tuple[int, str]] = []
        faults: list[BuildFault] = []
        for position, document in enumerate(given):
            try:
                for text in self._records(document):
                    found = self._explained(position, text, transfer)
                    faults += found
                    texts += [] if found else [(position, text)]
            except RecordRefusedError as error:
                faults += [
                    self._fault(position, one.path, REASONS[one.kind]) for one in error.faults
                ]
        refused = {fault.position for fault in faults}
        kept = [one for one in texts if one[0] not in refused]
        most = self.most_records
        messages = [
            self._message(kept[start : start + most], transfer, next(guids))
            for start in range(0, len(kept), most)
        ]
        return Batch(tuple(messages), tuple(faults))

    def _records(self, document: Document) -> Iterator[str]:
        """The records of one document: one, or as many as a long list takes."""
        listed = _listed(document)
        if not self._splits or listed is None:
            yield self._writer.record(document, (), 1, 1)
            return
        rows = [Row(number, parcel) for number, parcel in enumerate(listed, 1)]
        bound = self._list.max_occurs if self._list is not None else None
        # An entry list is one Delivery of any length: it has no numbers of parts to be split by.
        most = len(rows) or 1 if isinstance(document, EntryList) else bound or MOST_LISTED
        parts = [rows[start : start + most] for start in range(0, len(rows), most)] or [[]]
        for part, some in enumerate(parts, 1):
            yield self._writer.record(document, tuple(some), part, len(parts))

    def _message(self, texts: Sequence[tuple[int, str]], transfer: Transfer, guid: str) -> Written:
        body = self._writer.message(guid, [text for _, text in texts], transfer, ())
        positions = tuple(dict.fromkeys(position for position, _ in texts))
        return Written(self._plan.name, body, positions)

    def _explained(self, position: int, text: str, transfer: Transfer) -> list[BuildFault]:
        """Every schema fault of one record, alone in a message of its own."""
        body = self._writer.message("0" * 36, [text], transfer, ())
        if self._valid.is_valid(parse(body, LARGE)):
            return []
        if self._explainer is None:
            self._explainer = Explainer("ceb", self._edition, self._plan.name)
        found = self._explainer.explain(body, LARGE, signature_optional=True)
        return [
            BuildFault(position, one.path, one.text_en, one.label_zh, one.label_en) for one in found
        ] or [BuildFault(position, "", "breaks the schema")]

    def _fault(self, position: int, path: str, reason: str) -> BuildFault:
        element = self._plan.at(_plain(path))
        return BuildFault(position, path, reason, element.label_zh, element.label_en)


def _listed(document: Document) -> Sequence[object] | None:
    """What a document lists, None where it lists nothing of its own accord."""
    match document:
        case EntryList() | SiteArrival() | Departure() | MasterList():
            return document.parcels
        case SummaryRequest():
            return document.invt_nos
        case _:
            return None


def _plain(path: str) -> str:
    """A path without the numbers of repeated elements."""
    return "/".join(step.partition("[")[0] for step in path.split("/"))
