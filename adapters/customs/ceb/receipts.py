"""Reading what customs sends: receipts of both directions, tax bills (816, 818), results of
summaries (792), refusals (900), transport answers (DxpRep).

Nothing here raises for what a file holds. A file that cannot be understood is UNREADABLE with a
problem code; a record that cannot be acted on carries its fault, and the others are read as if
nothing had happened. returnInfo may hold names and identity numbers: only the codes in its
brackets leave this module.

Tolerated: a missing or odd guid, a blank returnInfo, a returnTime of 14 digits, what the reader of
the schemas tolerates. Problem codes beside those of the schemas (``SCHEMA-…``):
``unsupported_message`` (known shape, no reader), ``no_records``, ``nothing_named`` (a refusal that
names no message), ``transport_code_unknown``, ``ambiguous_answer``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, NamedTuple

from adapters.customs.ceb.codes import (
    BILL_STATUSES,
    TransportAnswer,
    is_signature_error,
    transport_answer,
    word_of,
)
from adapters.customs.ceb.times import full_return_time, return_time_us
from gateway.domain.case import CaseKey
from gateway.domain.codes import cited
from gateway.domain.declaration import (
    BillFact,
    CustomsFact,
    DeclarationKind,
    ReceiptFact,
    SummaryFact,
)
from gateway.domain.ids import ReceiptId
from gateway.domain.profile import FilingProfile
from gateway.ports import Lookup, ReadFile, ReadKind, ReadRecord
from schemas.envelope import BareMessage, DxpResponse, Envelope, open_file
from schemas.errors import SchemaError
from schemas.loader import LARGE, foreign_encoding, parse
from schemas.plan import MessagePlan
from schemas.reader import MessageReader, Odd, OddKind, compile_reader, identify
from schemas.reader import ReadRecord as SchemaRecord

REFUSAL_MESSAGE: Final = "CEB900Message"

_K: Final = DeclarationKind


class Answering(NamedTuple):
    """How records of one receipt are read: what they answer, and what they are found by.

    ``found_by`` names the kind of claim and the fields it is made of; ``head`` is the element that
    the fields stand in, ``cop_no`` the field with our own number.
    """

    found_by: tuple[str, ...]
    kind: DeclarationKind | None = None
    head: str = ""
    cop_no: str = ""
    lenient: tuple[str, ...] = ("guid", "returnTime", "returnInfo")


def _numbered(kind: DeclarationKind, cop_no: str = "copNo") -> Answering:
    return Answering(("cop_no", cop_no), kind, cop_no=cop_no)


_TAX: Final = ("guid", "returnTime")
ANSWERS: Final[Mapping[str, Answering]] = MappingProxyType(
    {
        "CEB312Message": Answering(("order", "ebpCode", "orderNo"), _K.ORDER),
        "CEB412Message": Answering(("payment", "payCode", "payTransactionId"), _K.PAYMENT),
        "CEB512Message": Answering(("waybill", "logisticsCode", "logisticsNo"), _K.WAYBILL),
        "CEB514Message": Answering(("waybill", "logisticsCode", "logisticsNo"), _K.WAYBILL_STATUS),
        "CEB622Message": _numbered(_K.INVENTORY),
        "CEB624Message": _numbered(_K.CANCELLATION),
        "CEB626Message": _numbered(_K.RETURN),
        "CEB712Message": _numbered(_K.ENTRY_LIST),
        "CEB816Message": Answering(("invt_no", "invtNo"), head="TaxHeadRd", lenient=_TAX),
        "CEB818Message": Answering(("invt_no", "invtNo"), head="TaxHeadStatus", lenient=_TAX),
        "CEB304Message": Answering(("export_order", "ebpCode", "orderNo"), _K.EXPORT_ORDER),
        "CEB404Message": Answering(("export_funds", "ebcCode", "orderNo"), _K.FUNDS_RECEIPT),
        "CEB506Message": Answering(
            ("export_waybill", "logisticsCode", "logisticsNo"), _K.EXPORT_WAYBILL
        ),
        "CEB508Message": _numbered(_K.SITE_ARRIVAL),
        "CEB510Message": _numbered(_K.DEPARTURE),
        "CEB604Message": _numbered(_K.EXPORT_INVENTORY),
        "CEB606Message": _numbered(_K.EXPORT_CANCELLATION),
        "CEB608Message": _numbered(_K.MASTER_LIST),
        "CEB702Message": _numbered(_K.SUMMARY_REQUEST),
        "CEB792Message": Answering(
            ("sum_no", "sumNo"), head="SummaryResultHead", lenient=("guid", "opDate")
        ),
        "CEB214Message": _numbered(_K.EXPORT_RETURN, "coElNo"),
        "CEB216Message": _numbered(_K.RETURN_TALLY, "coElNo"),
    }
)
"""Every receipt but the 900, which speaks of a whole message."""

_FORGIVEN: Final = frozenset({("guid", OddKind.MISSING), ("returnInfo", OddKind.MISSING)})
# What a receipt repeats and we keep in clear. returnInfo is not among them.
_KEPT: Final = (
    *("customsCode", "ebpCode", "ebcCode", "agentCode"),
    *("orderNo", "copNo", "preNo", "invtNo"),
)
_NUMBERS: Final = MappingProxyType(
    {"sumNo": "sum_no", "rkdNo": "entry_list_no", "payNo": "funds_no", "msgSeqNo": "part"}
)
_IMPORTS: Final = frozenset({_K.INVENTORY, _K.CANCELLATION, _K.RETURN})
_STATUS: Final = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9A-Za-z-]{1,20}", re.ASCII)
# 4 of the office, 4 of the year, a letter, 9 of a serial: 18 in an import (rule 13); exports have
# up to 11.
_INVT_NO: Final = re.compile(r"[0-9]{8}[0-9A-Za-z][0-9]{9}", re.ASCII)
_EXPORT_INVT_NO: Final = re.compile(r"[0-9]{8}[0-9A-Za-z][0-9]{9,11}", re.ASCII)
_DECLARATION_NO: Final = re.compile(r"[0-9A-Za-z-]{1,50}", re.ASCII)
_GUID: Final = re.compile(r"[0-9A-Za-z-]{1,36}", re.ASCII)
_ROOT_GUID: Final = re.compile(
    r"<(?:[\w.-]{1,20}:)?CEB[0-9]{3}Message\b[^<>]{0,2000}?\sguid\s*=\s*[\"']([0-9A-Za-z-]{36})[\"']",
    re.ASCII,
)
LOOPBACK: Final = "LOOPBACK"
"""The type of a message that we send to ourselves to see the way; it says nothing of any case."""
_INFO_LENGTH: Final = 5000
_SCANNED: Final = 8000
_MOST_NOTES: Final = 20
_MOST_NAME: Final = 60
_ID_LENGTH: Final = 255


class ReceiptReader:
    """Reads received files of one edition; holds no state between calls, safe for threads."""

    def __init__(self, plans: Mapping[str, MessagePlan]) -> None:
        self._plans = plans
        # Each is compiled when the first file of its kind comes: a process sees few of them.
        self._receipts: dict[str, MessageReader] = {}
        self._refusal = compile_reader(plans[REFUSAL_MESSAGE])

    def read(self, receipt_id: ReceiptId, body: bytes) -> ReadFile:
        """What a received file says, whatever its bytes are."""
        try:
            opened = open_file(body, LARGE)
            if isinstance(opened, DxpResponse):
                return _transport(opened)
            if not isinstance(opened, Envelope):
                return self._business(receipt_id, opened, None)
            if opened.msg_type == LOOPBACK and opened.sender_id in opened.receiver_ids:
                return ReadFile(ReadKind.LOOPBACK, LOOPBACK, opened.sender_id)
            root = parse(opened.data, LARGE)
            found = BareMessage(identify(root), opened.data, root)
            read = self._business(receipt_id, found, opened.sender_id or None, opened.nodes)
            return replace(read, receivers=opened.receiver_ids)
        except SchemaError as error:
            return unreadable(error.code)

    def _business(
        self, receipt_id: ReceiptId, found: BareMessage, sender: str | None, nodes: int = 0
    ) -> ReadFile:
        name = found.kind.name
        if name == REFUSAL_MESSAGE and found.kind.namespace == self._refusal.plan.namespace:
            return self._refused(found, sender)
        reader = self._reader(name)
        if reader is None or found.kind.namespace != reader.plan.namespace:
            return unreadable("unsupported_message", name[:_MOST_NAME], sender)
        name = reader.plan.name
        message = reader.read(found.root)
        if not message.records:
            return unreadable("no_records", name, sender)
        notes = _notes(message.notes, "message/")
        if nodes > 1:
            notes["envelope/DxpMsgSv"] = OddKind.REPEATED.value
        if foreign_encoding(found.data):
            notes["message/?xml"] = OddKind.ENCODING.value
        place = _Place(receipt_id, ANSWERS[name], notes)
        return ReadFile(
            ReadKind.RECEIPTS,
            name,
            sender,
            tuple(_record(place, at, one) for at, one in enumerate(message.records)),
            notes=tuple(f"{odd.path[:_MOST_NAME]}: {odd.kind}" for odd in message.notes)[
                :_MOST_NOTES
            ],
        )

    def _reader(self, name: str) -> MessageReader | None:
        """The reader of a receipt; one root is known under two names."""
        found = self._receipts.get(name)
        if found is not None:
            return found
        full = name if name in ANSWERS else f"{name}Message"
        if full not in ANSWERS or name not in (full, self._plans[full].other_root):
            return None
        answering = ANSWERS[full]
        head = f"{answering.head}/" if answering.head else ""
        reader = compile_reader(self._plans[full], [head + one for one in answering.lenient])
        # Threads that meet here make the same reader twice, which harms nobody.
        self._receipts[name] = reader
        return reader

    def _refused(self, found: BareMessage, sender: str | None) -> ReadFile:
        """A 900 refuses one whole message, named by CopMsgId or by the copy it carries."""
        message = self._refusal.read(found.root)
        if len(message.records) != 1:
            return unreadable("no_records", REFUSAL_MESSAGE, sender)
        fields = message.records[0].fields
        message_id = _sent_id(fields.get("oriCopMsgId", ""))
        # Only the beginning is looked at: the guid stands in the first tag of the copy.
        guid = _ROOT_GUID.search(fields.get("oriBizMessage", "")[:_SCANNED])
        if not message_id and guid is None:
            return unreadable("nothing_named", REFUSAL_MESSAGE, sender)
        status = fields.get("returnStatus", "")
        code = status if _STATUS.fullmatch(status) else ""
        return ReadFile(
            ReadKind.REFUSAL,
            REFUSAL_MESSAGE,
            sender,
            message_id=message_id or None,
            message_guid=_sent_id(guid[1]) if guid else None,
            code=code,
            quarantine=is_signature_error(code),
        )


def _sent_id(text: str) -> str:
    """An id of ours as it was sent: in capitals, which others repeat in either case."""
    return text[:_ID_LENGTH].upper()


def unreadable(problem: str, message_kind: str = "", sender: str | None = None) -> ReadFile:
    """A file that nothing can be concluded from, with the reason as a code."""
    return ReadFile(ReadKind.UNREADABLE, message_kind, sender, problem=problem)


def contradictions(
    record: ReadRecord, key: CaseKey, profile: FilingProfile
) -> Mapping[str, str | None]:
    """Which repeated fields contradict the declaration: name → the receipt's value, None if fine.

    Enterprise codes are compared literally: a profile that knows one form cannot vouch for the
    other. invtNo begins with the office that took the declaration.
    """
    values = record.values
    checked: dict[str, str | None] = {}
    for field, name, ours in (
        ("customsCode", "customs_code", profile.customs_code),
        ("ebpCode", "platform", key.platform),
        ("ebcCode", "merchant", profile.merchant.code),
        ("agentCode", "agent", profile.agent.code),
        ("orderNo", "order_no", key.order_no),
    ):
        theirs = values.get(field)
        if theirs is not None:
            checked[name] = None if theirs == ours else theirs
    invt_no = values.get("invtNo")
    if invt_no:
        checked["invt_no_office"] = None if invt_no[:4] == profile.customs_code else invt_no[:4]
    return checked


class _Place(NamedTuple):
    """What the records of one file have in common."""

    receipt_id: ReceiptId
    answering: Answering
    notes: Mapping[str, str]


class _Unfit(ValueError):
    """A record cannot be a fact; the text says which field and why, never its value."""


def _notes(odds: Sequence[Odd], prefix: str = "") -> dict[str, str]:
    """What was tolerated, by its place; what every real receipt has tells nobody anything."""
    told = [odd for odd in odds if odd.kind is not OddKind.LOWER_CASE]
    return {f"{prefix}{odd.path[:_MOST_NAME]}": odd.kind.value for odd in told[:_MOST_NOTES]}


def _record(place: _Place, position: int, record: SchemaRecord) -> ReadRecord:
    """One receipt record as a fact, or the fault that keeps it from being one."""
    answering = place.answering
    fields: Mapping[str, str] = record.fields
    if answering.head:
        head = f"{answering.head}/"
        fields = {name.removeprefix(head): value for name, value in fields.items()}
    values = {name: fields[name] for name in _KEPT if fields.get(name)}
    lookup: Lookup | None = None
    try:
        _require_sound(record.faults, answering)
        lookup = _lookup(answering, fields)
        notes = place.notes
        if record.notes:
            notes = {**notes, **_notes(record.notes)}
        fact = _fact(place, position, fields, record, notes)
    except _Unfit as error:
        return ReadRecord(position, lookup, None, values, str(error))
    return ReadRecord(position, lookup, fact, values)


def _require_sound(faults: Sequence[Odd], answering: Answering) -> None:
    head = f"{answering.head}/" if answering.head else ""
    for odd in faults:
        if (odd.path.removeprefix(head), odd.kind) not in _FORGIVEN:
            raise _Unfit(f"{odd.path[:_MOST_NAME]}: {odd.kind}")


def _fact(
    place: _Place,
    position: int,
    fields: Mapping[str, str],
    record: SchemaRecord,
    notes: Mapping[str, str],
) -> CustomsFact:
    answering, guid = place.answering, fields.get("guid", "")
    guid = guid if _GUID.fullmatch(guid) else ""
    if answering.kind is not None:
        return _receipt(place, position, fields, guid, notes)
    where = (place.receipt_id, position, guid)
    if "sumNo" in fields:
        return _summary(where, fields, record, notes)
    return _bill(where, fields, notes)


def _receipt(
    place: _Place,
    position: int,
    fields: Mapping[str, str],
    guid: str,
    notes: Mapping[str, str],
) -> ReceiptFact:
    kind = place.answering.kind
    assert kind is not None
    status = fields["returnStatus"]
    if not _STATUS.fullmatch(status):
        raise _Unfit("returnStatus: not-a-number")
    invt_no = _INVT_NO if kind in _IMPORTS else _EXPORT_INVT_NO
    for name, form in (("preNo", _NUMBER), ("invtNo", invt_no)):
        if fields.get(name) and not form.fullmatch(fields[name]):
            raise _Unfit(f"{name}: not-a-number")
    returned_at, returned_at_us = _time(fields, "returnTime")
    codes, text = _codes(fields.get("returnInfo", ""))
    own_number = place.answering.cop_no
    return ReceiptFact(
        kind=kind,
        word=word_of(kind, status, text),
        status=status,
        returned_at=returned_at,
        returned_at_us=returned_at_us,
        receipt_id=place.receipt_id,
        position=position,
        guid=guid,
        codes=codes,
        pre_no=fields.get("preNo") or None,
        invt_no=fields.get("invtNo") or None,
        cop_no=fields[own_number] if own_number else None,
        notes=notes,
        numbers={
            name: fields[field]
            for field, name in _NUMBERS.items()
            if field in fields and _DECLARATION_NO.fullmatch(fields[field])
        },
    )


_Where = tuple[ReceiptId, int, str]


def _bill(where: _Where, fields: Mapping[str, str], notes: Mapping[str, str]) -> BillFact:
    """A tax bill (816), or only its status (818)."""
    status = BILL_STATUSES.get(fields["status"])
    if status is None:
        raise _Unfit("status: unknown-code")
    if not _INVT_NO.fullmatch(fields["invtNo"]):
        raise _Unfit("invtNo: not-a-number")
    returned_at, returned_at_us = _time(fields, "returnTime")
    receipt_id, position, guid = where
    return BillFact(
        bill_no=fields["taxNo"],
        invt_no=fields["invtNo"],
        status=status,
        returned_at=returned_at,
        returned_at_us=returned_at_us,
        receipt_id=receipt_id,
        position=position,
        guid=guid,
        tariff=fields.get("customsTax"),
        vat=fields.get("valueAddedTax"),
        consumption=fields.get("consumptionTax"),
        payment_no=fields.get("entDutyNo") or None,
        notes=notes,
    )


def _summary(
    where: _Where, fields: Mapping[str, str], record: SchemaRecord, notes: Mapping[str, str]
) -> SummaryFact:
    """The result of a summary request (792); its lines name the inventories."""
    returned_at, returned_at_us = _time(fields, "opDate")
    receipt_id, position, guid = where
    lines = record.lists.get("SummaryResultList", ())
    numbers = [
        line["invtNo"] for line in lines if _EXPORT_INVT_NO.fullmatch(line.get("invtNo", ""))
    ]
    return SummaryFact(
        sum_no=fields["sumNo"],
        declaration_no=fields["declSeqNo"],
        state=fields["decState"],
        returned_at=returned_at,
        returned_at_us=returned_at_us,
        receipt_id=receipt_id,
        position=position,
        guid=guid,
        invt_nos=tuple(dict.fromkeys(numbers)),
        entry_no=fields.get("entryId") or None,
        notes=notes,
    )


def _time(fields: Mapping[str, str], name: str) -> tuple[str, int]:
    try:
        returned_at = full_return_time(fields[name])
        return returned_at, return_time_us(returned_at)
    except ValueError:
        raise _Unfit(f"{name}: not-a-time") from None


def _lookup(answering: Answering, fields: Mapping[str, str]) -> Lookup:
    """The reference by which the case is found."""
    claim, *names = answering.found_by
    for name in names:
        if not fields.get(name):
            raise _Unfit(f"{name}: missing")
    return Lookup(claim, "|".join(fields[name] for name in names))


def _codes(info: str) -> tuple[tuple[str, ...], str]:
    """The codes of a returnInfo and the text they come with (all of it without brackets)."""
    found = cited(info)
    if not found:
        return (), info[:_INFO_LENGTH]
    return tuple(one.code for one in found), "\n".join(one.text for one in found)


@dataclass(frozen=True, slots=True)
class _Answer:
    """One Response of a DxpRep, understood."""

    message_id: str
    speaks_for: str
    code: str
    answer: TransportAnswer


def _transport(response: DxpResponse) -> ReadFile:
    """What the platform says of one envelope; several answers about it are read at their worst.

    A DxpRep names no sender. It answers in place of the receiver that the original was addressed
    to, so that receiver stands for the sender: an answer about anybody else's envelope is foreign.
    """
    answers: list[_Answer] = []
    for one in response.answers:
        answer = transport_answer(one.code)
        if answer is None:
            return unreadable("transport_code_unknown", "DxpRep")
        receivers = one.original.receiver_ids
        speaks_for = receivers[0] if receivers else ""
        message_id = _sent_id(one.original.cop_msg_id)
        answers.append(_Answer(message_id, speaks_for, one.code, answer))
    if len({(one.message_id, one.speaks_for) for one in answers}) != 1:
        return unreadable("ambiguous_answer", "DxpRep")
    worst = min(answers, key=_severity)
    if not worst.message_id:
        return unreadable("nothing_named", "DxpRep")
    return ReadFile(
        ReadKind.TRANSPORT,
        "DxpRep",
        worst.speaks_for or None,
        message_id=worst.message_id,
        code=worst.code,
        info=worst.answer.meaning,
        retry=worst.answer.retry,
        quarantine=worst.answer.quarantine,
    )


def _severity(one: _Answer) -> int:
    """Doubt about the key first, then what is refused for good, then what may go again."""
    if one.answer.quarantine:
        return 0
    return 1 if one.answer.retry == "never" else 2
