"""Reading what customs sends: receipts (312, 622), refusals (900), transport answers (DxpRep).

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
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final, assert_never

from adapters.customs.ceb.codes import (
    TransportAnswer,
    is_signature_error,
    transport_answer,
    word_of,
)
from adapters.customs.ceb.times import full_return_time, return_time_us
from gateway.domain.case import CaseKey
from gateway.domain.codes import cited
from gateway.domain.declaration import DeclarationKind, ReceiptFact
from gateway.domain.ids import ReceiptId
from gateway.domain.profile import FilingProfile
from gateway.ports import Lookup, ReadFile, ReadKind, ReadRecord
from schemas.envelope import BareMessage, DxpResponse, Envelope, open_file
from schemas.errors import SchemaError
from schemas.loader import LARGE, parse
from schemas.plan import MessagePlan
from schemas.reader import MessageReader, OddKind, compile_reader, identify
from schemas.reader import ReadRecord as SchemaRecord

REFUSAL_MESSAGE: Final = "CEB900Message"

_KINDS: Final[Mapping[str, DeclarationKind]] = MappingProxyType(
    {
        "CEB312Message": DeclarationKind.ORDER,
        "CEB412Message": DeclarationKind.PAYMENT,
        "CEB512Message": DeclarationKind.WAYBILL,
        "CEB622Message": DeclarationKind.INVENTORY,
    }
)
_LENIENT: Final = ("guid", "returnTime", "returnInfo")
_FORGIVEN: Final = frozenset({("guid", OddKind.MISSING), ("returnInfo", OddKind.MISSING)})
# What a receipt repeats and we keep in clear. returnInfo is not among them.
_KEPT: Final = (
    *("customsCode", "ebpCode", "ebcCode", "agentCode"),
    *("orderNo", "copNo", "preNo", "invtNo"),
)
_STATUS: Final = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_NUMBER: Final = re.compile(r"[0-9A-Za-z-]{1,20}", re.ASCII)
# 4 of the office, 4 of the year, a letter, 9 of a serial: 18 in an import (rule 13).
_INVT_NO: Final = re.compile(r"[0-9]{8}[0-9A-Za-z][0-9]{9}", re.ASCII)
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
        self._receipts: Mapping[str, MessageReader] = {
            name: compile_reader(plans[name], _LENIENT) for name in _KINDS
        }
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
            read = self._business(receipt_id, found, opened.sender_id or None)
            return replace(read, receivers=opened.receiver_ids)
        except SchemaError as error:
            return unreadable(error.code)

    def _business(self, receipt_id: ReceiptId, found: BareMessage, sender: str | None) -> ReadFile:
        name = found.kind.name
        if name == REFUSAL_MESSAGE and found.kind.namespace == self._refusal.plan.namespace:
            return self._refused(found, sender)
        reader = self._receipts.get(name)
        if reader is None or found.kind.namespace != reader.plan.namespace:
            return unreadable("unsupported_message", name[:_MOST_NAME], sender)
        message = reader.read(found.root)
        if not message.records:
            return unreadable("no_records", name, sender)
        record = partial(_record, _KINDS[name], receipt_id)
        return ReadFile(
            ReadKind.RECEIPTS,
            name,
            sender,
            tuple(record(position, one) for position, one in enumerate(message.records)),
            notes=tuple(f"{odd.path[:_MOST_NAME]}: {odd.kind}" for odd in message.notes)[
                :_MOST_NOTES
            ],
        )

    def _refused(self, found: BareMessage, sender: str | None) -> ReadFile:
        """A 900 refuses one whole message, named by CopMsgId or by the copy it carries."""
        message = self._refusal.read(found.root)
        if len(message.records) != 1:
            return unreadable("no_records", REFUSAL_MESSAGE, sender)
        fields = message.records[0].fields
        message_id = fields.get("oriCopMsgId", "")[:_ID_LENGTH]
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
            message_guid=guid[1] if guid else None,
            code=code,
            quarantine=is_signature_error(code),
        )


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
    if invt_no is not None:
        checked["invt_no_office"] = None if invt_no[:4] == profile.customs_code else invt_no[:4]
    return checked


def _record(
    kind: DeclarationKind, receipt_id: ReceiptId, position: int, record: SchemaRecord
) -> ReadRecord:
    """One receipt record as a fact, or the fault that keeps it from being one."""
    fields = record.fields
    values = {name: fields[name] for name in _KEPT if name in fields}
    for odd in record.faults:
        if (odd.path, odd.kind) not in _FORGIVEN:
            return ReadRecord(position, None, None, values, f"{odd.path[:_MOST_NAME]}: {odd.kind}")
    lookup = _lookup(kind, fields)
    status = fields["returnStatus"]
    if not _STATUS.fullmatch(status):
        return ReadRecord(position, lookup, None, values, "returnStatus: not-a-number")
    for name, form in (("preNo", _NUMBER), ("invtNo", _INVT_NO)):
        if name in values and not form.fullmatch(values[name]):
            return ReadRecord(position, lookup, None, values, f"{name}: not-a-number")
    try:
        returned_at = full_return_time(fields["returnTime"])
        returned_at_us = return_time_us(returned_at)
    except ValueError:
        return ReadRecord(position, lookup, None, values, "returnTime: not-a-time")
    codes, text = _codes(fields.get("returnInfo", ""))
    guid = fields.get("guid", "")
    fact = ReceiptFact(
        kind=kind,
        word=word_of(kind, status, text),
        status=status,
        returned_at=returned_at,
        returned_at_us=returned_at_us,
        receipt_id=receipt_id,
        position=position,
        guid=guid if _GUID.fullmatch(guid) else "",
        codes=codes,
        pre_no=fields.get("preNo"),
        invt_no=fields.get("invtNo"),
    )
    return ReadRecord(position, lookup, fact, values)


def _lookup(kind: DeclarationKind, fields: Mapping[str, str]) -> Lookup:
    """The reference by which the case is found; the mandatory fields are there."""
    match kind:
        case DeclarationKind.ORDER:
            return Lookup("order", f"{fields['ebpCode']}|{fields['orderNo']}")
        case DeclarationKind.PAYMENT:
            return Lookup("payment", f"{fields['payCode']}|{fields['payTransactionId']}")
        case DeclarationKind.WAYBILL:
            return Lookup("waybill", f"{fields['logisticsCode']}|{fields['logisticsNo']}")
        case DeclarationKind.INVENTORY:
            return Lookup("cop_no", fields["copNo"])
        case _:
            assert_never(kind)


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
        message_id = one.original.cop_msg_id[:_ID_LENGTH]
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
