"""China's cross-border e-commerce (CEB), both directions, as a regime: build, wrap, read, check."""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from adapters.base import RegimeAdapter
from adapters.customs.ceb import (
    delivery,
    exports,
    follow_ups,
    inventory,
    lists,
    order,
    payment,
    waybill,
)
from adapters.customs.ceb.inventory import InventoryRecords
from adapters.customs.ceb.lists import ListRecords
from adapters.customs.ceb.order import OrderRecords
from adapters.customs.ceb.payment import PaymentRecords
from adapters.customs.ceb.receipts import LOOPBACK, ReceiptReader, contradictions
from adapters.customs.ceb.records import RecordFaults, Records
from adapters.customs.ceb.times import app_time, creat_time
from adapters.customs.ceb.waybill import WaybillRecords
from gateway.domain.case import CaseKey
from gateway.domain.declaration import DeclarationKind
from gateway.domain.ids import ProfileId, ReceiptId, TenantId
from gateway.domain.profile import FilingProfile
from gateway.ports import (
    BuildFault,
    BuiltMessage,
    DeclarationInput,
    ReadFile,
    ReadRecord,
    StoredMessage,
)
from schemas.envelope import wrap
from schemas.errors import MessageRefusedError, SchemaError, UnknownPathError
from schemas.explain import Explainer
from schemas.loader import LARGE, parse
from schemas.plan import MessagePlan, load_plan
from schemas.validate import ValidatorPool
from schemas.writer import Subscribe, Transfer

EDITIONS: Final = ("2018", "202205")
"""Schema editions this regime declares under, newest last; the profile says which."""

_MESSAGES: Final[Mapping[DeclarationKind, str]] = {
    DeclarationKind.ORDER: order.MESSAGE,
    DeclarationKind.PAYMENT: payment.MESSAGE,
    DeclarationKind.WAYBILL: waybill.MESSAGE,
    DeclarationKind.INVENTORY: inventory.MESSAGE,
    DeclarationKind.CANCELLATION: follow_ups.CANCELLATION,
    DeclarationKind.RETURN: follow_ups.RETURN,
    DeclarationKind.WAYBILL_STATUS: delivery.MESSAGE,
    **{kind: mapped.message for kind, mapped in {**exports.MAPPED, **lists.MAPPED}.items()},
}
_RECORDS: Final[Mapping[DeclarationKind, Callable[[MessagePlan, FilingProfile], Records]]] = {
    DeclarationKind.ORDER: OrderRecords,
    DeclarationKind.PAYMENT: PaymentRecords,
    DeclarationKind.WAYBILL: WaybillRecords,
    DeclarationKind.INVENTORY: InventoryRecords,
    DeclarationKind.CANCELLATION: follow_ups.cancellations,
    DeclarationKind.RETURN: follow_ups.returns,
    DeclarationKind.WAYBILL_STATUS: delivery.DeliveryRecords,
    **{kind: exports.records(kind) for kind in exports.MAPPED},
    **{kind: lists.records(kind) for kind in lists.MAPPED},
}
_MOST_COMPILED: Final = 256
"""Compiled profile versions kept; one costs a few milliseconds and some 100 kB."""

_FAIR_SHARE: Final = LARGE.size_bytes // 110
"""Bytes a record may take in a message that is too large as a whole; 100 of these fit."""

_ROW: Final = re.compile(r"List\[([0-9]+)\]")
_INDEX: Final = re.compile(r"\[[0-9]+\]")


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The writer of one message kind under one profile version, with the message's trailer."""

    profile: FilingProfile
    records: Records
    transfer: Transfer
    subscribe: tuple[Subscribe, ...]

    def goes_with(self, other: "_Compiled") -> bool:
        """Whether records of both may share a message: one transmitter, one edition."""
        return self is other or (
            self.transfer == other.transfer
            and self.subscribe == other.subscribe
            and self.profile.edition == other.profile.edition
            and self.profile.receiver_id == other.profile.receiver_id
        )


@dataclass(frozen=True, slots=True)
class _Edition:
    """What is loaded of one schema edition."""

    plans: Mapping[str, MessagePlan]
    validators: Mapping[DeclarationKind, ValidatorPool]
    explainers: dict[DeclarationKind, Explainer] = field(default_factory=dict)


class CEBRegime:
    """Implements :class:`gateway.ports.Regime`; one instance serves all threads of a process.

    Writers are compiled once per profile version and kept, up to a bound; validators are one for
    each thread; explaining faults is serialised, because it is slow and rare.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._explaining = threading.Lock()
        self._editions: dict[str, _Edition] = {}
        self._writers: OrderedDict[tuple[DeclarationKind, TenantId, ProfileId, int], _Compiled] = (
            OrderedDict()
        )
        self._reader = ReceiptReader(load_plan("ceb", EDITIONS[-1]))

    def build(
        self, kind: DeclarationKind, guid: str, inputs: Sequence[DeclarationInput]
    ) -> BuiltMessage:
        """Write 1..100 records as one unsigned canonical message, valid but for its Signature.

        When anything is wrong the body is empty and every faulty record is named by its position
        in ``inputs`` (from 0), with path, rule and labels; the others are fine as they are.
        """
        if kind.is_list:
            return self._build_list(kind, guid, inputs)
        texts: list[str] = []
        faults: list[BuildFault] = []
        first: _Compiled | None = None
        latest: _Compiled | None = None
        for position, given in enumerate(inputs):
            try:
                if latest is None or given.profile is not latest.profile:
                    latest = self._compiled(kind, given.profile)
                    first = first or latest
                    _require_company(latest, first)
                texts.append(latest.records.write(given))
            except RecordFaults as error:
                faults += self._record_faults(kind, given.profile.edition, position, error)
            except SchemaError as error:
                faults.append(BuildFault(position, "profile", str(error)))
                latest = None
        if faults or first is None:
            return BuiltMessage(b"", tuple(faults))
        return self._assemble(kind, guid, texts, first)

    def _build_list(
        self, kind: DeclarationKind, guid: str, inputs: Sequence[DeclarationInput]
    ) -> BuiltMessage:
        """One record that lists every parcel; what is wrong with its head is wrong for all."""
        profile = inputs[0].profile
        try:
            compiled = self._compiled(kind, profile)
            assert isinstance(compiled.records, ListRecords)
            text = compiled.records.write_all(inputs)
        except RecordFaults as error:
            found = self._record_faults(kind, profile.edition, 0, error)
            return BuiltMessage(b"", tuple(_listed_faults(found, len(inputs))))
        except SchemaError as error:
            return _all_faulty(len(inputs), "profile", str(error))
        built = self._assemble(kind, guid, (text,), compiled)
        return BuiltMessage(built.body, tuple(_listed_faults(built.faults, len(inputs))))

    def app_time(self, now: int) -> str:
        """The 14 digits of a moment in Beijing time."""
        return app_time(now)

    def wrap(self, message: StoredMessage, profile: FilingProfile, body: bytes, now: int) -> bytes:
        """The DxpMsg around a signed message.

        CopMsgId is the message id and CreatTime the message's own time of creation, never
        ``now``: a resend has the same bytes.
        """
        return _wrap(body, message.message_id, message.created_at, _MESSAGES[message.kind], profile)

    def message_type(self, kind: DeclarationKind) -> str:
        """``CEB621Message`` for an inventory."""
        return _MESSAGES[kind]

    def file_name(self, message: StoredMessage) -> str:
        """``CEB311Message_<message id>.xml``; names are free by the rules of the exchange."""
        return f"{_MESSAGES[message.kind]}_{message.message_id}.xml"

    def loopback(self, profile: FilingProfile, loop_id: str, now: int) -> bytes:
        """A DxpMsg from the profile's DXP id to itself, with its own id as its only content."""
        return wrap(
            f"<Loopback>{loop_id}</Loopback>".encode(),
            cop_msg_id=loop_id,
            sender_id=profile.dxp_id,
            receiver_ids=(profile.dxp_id,),
            created=creat_time(now),
            msg_type=LOOPBACK,
        )

    def read(self, receipt_id: ReceiptId, body: bytes) -> ReadFile:
        """Read a received file: enveloped or bare, receipts, refusal or transport answer."""
        return self._reader.read(receipt_id, body)

    def checks(
        self, record: ReadRecord, key: CaseKey, profile: FilingProfile
    ) -> Mapping[str, str | None]:
        """Which repeated fields of a receipt contradict our declaration."""
        return contradictions(record, key, profile)

    def _assemble(
        self, kind: DeclarationKind, guid: str, texts: Sequence[str], compiled: _Compiled
    ) -> BuiltMessage:
        """Put the message around the records and validate the whole once."""
        try:
            body = _message(guid, texts, compiled)
        except MessageRefusedError as error:
            return _all_faulty(len(texts), "message", str(error))
        if len(body) > LARGE.size_bytes:
            return BuiltMessage(b"", tuple(_oversize(texts)))
        edition = self._edition(compiled.profile.edition)
        if edition.validators[kind].is_valid(parse(body, LARGE)):
            return BuiltMessage(body)
        faults = self._explained(kind, guid, texts, compiled, edition)
        if not faults:
            return _all_faulty(len(texts), "message", "breaks the schema as a whole")
        return BuiltMessage(b"", tuple(faults))

    def _explained(
        self,
        kind: DeclarationKind,
        guid: str,
        texts: Sequence[str],
        compiled: _Compiled,
        edition: _Edition,
    ) -> list[BuildFault]:
        """Every fault of every record; each is tested alone first, explaining is far slower."""
        faults: list[BuildFault] = []
        for position, text in enumerate(texts):
            single = _message(guid, (text,), compiled)
            if edition.validators[kind].is_valid(parse(single, LARGE)):
                continue
            with self._explaining:
                explainer = edition.explainers.get(kind)
                if explainer is None:
                    explainer = Explainer("ceb", compiled.profile.edition, _MESSAGES[kind])
                    edition.explainers[kind] = explainer
                found = explainer.explain(single, LARGE, signature_optional=True)
            faults += [
                BuildFault(position, one.path, one.text_en, one.label_zh, one.label_en)
                for one in found
            ] or [BuildFault(position, "", "breaks the schema")]
        return faults

    def _record_faults(
        self, kind: DeclarationKind, edition: str, position: int, error: RecordFaults
    ) -> list[BuildFault]:
        """The faults of one record with the labels of the schema."""
        plan = self._edition(edition).plans[_MESSAGES[kind]]
        found = []
        for fault in error.faults:
            try:
                element = plan.at(_INDEX.sub("", fault.path))
            except UnknownPathError:
                found.append(BuildFault(position, fault.path, fault.reason))
                continue
            labels = (element.label_zh, element.label_en)
            found.append(BuildFault(position, fault.path, fault.reason, *labels))
        return found

    def _edition(self, name: str) -> _Edition:
        """One schema edition; raises UnknownSchemaError."""
        with self._lock:
            found = self._editions.get(name)
            if found is None:
                plans = load_plan("ceb", name)
                found = self._editions[name] = _Edition(
                    plans,
                    {
                        kind: ValidatorPool("ceb", name, message, signature_optional=True)
                        for kind, message in _MESSAGES.items()
                        if message in plans
                    },
                )
            return found

    def _compiled(self, kind: DeclarationKind, profile: FilingProfile) -> _Compiled:
        """The writer for a profile version; raises SchemaError when the profile cannot declare."""
        key = (kind, profile.tenant, profile.profile_id, profile.version)
        with self._lock:
            found = self._writers.get(key)
            if found is not None and (found.profile is profile or found.profile == profile):
                if found.profile is not profile:
                    # Loaded anew: keep the newer object, so that the next look is by identity.
                    found = self._writers[key] = replace(found, profile=profile)
                self._writers.move_to_end(key)
                return found
        plan = self._edition(profile.edition).plans.get(_MESSAGES[kind])
        if plan is None:
            reason = f"the edition {profile.edition} has no {_MESSAGES[kind]}"
            raise MessageRefusedError(reason)
        # Shows a DXP id that no envelope can carry before anything is signed under it.
        _wrap(b"-", "-", 0, plan.name, profile)
        compiled = _Compiled(
            profile,
            _RECORDS[kind](plan, profile),
            Transfer(profile.transfer.code, profile.transfer.name, profile.dxp_id),
            tuple(
                Subscribe(one.status, one.dxp_address, one.dxp_mode, one.note)
                for one in profile.subscriptions
            ),
        )
        with self._lock:
            self._writers[key] = compiled
            if len(self._writers) > _MOST_COMPILED:
                self._writers.popitem(last=False)
        return compiled


def _require_company(compiled: _Compiled, first: _Compiled) -> None:
    """Raise when a record cannot share a message with the first one."""
    if not compiled.goes_with(first):
        raise MessageRefusedError("the record belongs to another transmitter or edition")


def _message(guid: str, texts: Sequence[str], compiled: _Compiled) -> bytes:
    writer = compiled.records.writer
    return writer.message(guid, texts, compiled.transfer, compiled.subscribe)


def _wrap(
    body: bytes, message_id: str, created_at: int, message: str, profile: FilingProfile
) -> bytes:
    return wrap(
        body,
        cop_msg_id=message_id,
        sender_id=profile.dxp_id,
        receiver_ids=(profile.receiver_id,),
        created=creat_time(created_at),
        msg_type=message,
    )


def _oversize(texts: Sequence[str]) -> Iterator[BuildFault]:
    """Which records take more than their share of a message that is too large."""
    for position, text in enumerate(texts):
        size = len(text.encode())
        if size > _FAIR_SHARE:
            yield BuildFault(position, "", f"takes {size} bytes, {_FAIR_SHARE} are possible")


def _listed_faults(faults: Sequence[BuildFault], count: int) -> Iterator[BuildFault]:
    """Faults of a list, each with whom it concerns: the parcel of its row, else every parcel."""
    for fault in faults:
        row = _ROW.search(fault.path)
        if row is not None and int(row[1]) <= count:
            yield replace(fault, position=int(row[1]) - 1)
        else:
            yield from (replace(fault, position=position) for position in range(count))


def _all_faulty(count: int, path: str, reason: str) -> BuiltMessage:
    """A fault that belongs to the message keeps every record of it from being filed."""
    return BuiltMessage(b"", tuple(BuildFault(position, path, reason) for position in range(count)))


ADAPTER: Final = RegimeAdapter(
    id="ceb",
    title_zh="跨境电子商务统一版",
    title_en="China cross-border e-commerce (CEB)",
    create=CEBRegime,
    editions=EDITIONS,
)
