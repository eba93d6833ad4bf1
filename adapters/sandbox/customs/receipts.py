"""Writing what goes out: receipts, 900 files, DxpRep answers, and their envelopes."""

import base64
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from adapters.sandbox.customs.checks import number
from adapters.sandbox.customs.ledger import Filing, Receipt
from adapters.sandbox.customs.messages import CEB, DXP, Envelope, Kind

FILE_RECORDS: Final = 100
"""Most records of one receipt file (schema of the receipts)."""

_BEIJING: Final = timedelta(hours=8)
_SPECIAL: Final = re.compile("[&<>\x00-\x1f\ufffe\uffff]")
_IMPOSSIBLE: Final = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """One file for an enterprise: a name free to use, the bytes, and who it is for."""

    name: str
    data: bytes
    receiver: str


def new_guid(rng: random.Random) -> str:
    """Draw a lower-case UUID, as real receipts carry them."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def return_time(moment: datetime) -> str:
    """Format an aware UTC moment as the 17 digits of returnTime, in Beijing time."""
    text = (moment + _BEIJING).isoformat(timespec="milliseconds")
    return f"{text[:4]}{text[5:7]}{text[8:10]}{text[11:13]}{text[14:16]}{text[17:19]}{text[20:23]}"


def escape(text: str) -> str:
    """Escape text for XML content, dropping what XML 1.0 cannot hold."""
    if _SPECIAL.search(text) is None:
        return text
    text = _IMPOSSIBLE.sub("", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _optional(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>" if text else ""


_RETURNS: Final[Mapping[Kind, tuple[str, tuple[str, str]]]] = MappingProxyType(
    {
        Kind.PAYMENT: ("PaymentReturn", ("payCode", "payTransactionId")),
        Kind.WAYBILL: ("LogisticsReturn", ("logisticsCode", "logisticsNo")),
    }
)


# Their fields stand in the order of the schema, and what is empty is left out.
_LISTED: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.DELIVERY: "LogisticsStatusReturn",
        Kind.CANCELLATION: "InvtCancelReturn",
        Kind.RETURN: "InvtRefundReturn",
        Kind.EXPORT_ORDER: "OrderReturn",
        Kind.FUNDS_RECEIPT: "ReceiptsReturn",
        Kind.EXPORT_WAYBILL: "LogisticsReturn",
        Kind.EXPORT_INVENTORY: "InventoryReturn",
        Kind.EXPORT_CANCELLATION: "InvtCancelReturn",
        Kind.ENTRY_LIST: "DeliveryReturn",
        Kind.MASTER_LIST: "WayBillReturn",
        Kind.SITE_ARRIVAL: "ArrivalReturn",
        Kind.DEPARTURE: "DepartureReturn",
        Kind.EXPORT_RETURN: "RefundReturn",
        Kind.RETURN_TALLY: "InvtRefundDetailReturn",
        Kind.SUMMARY_REQUEST: "SummaryReturn",
    }
)


def _record(receipt: Receipt) -> str:
    fields = receipt.fields
    result = (
        f"<returnStatus>{receipt.status}</returnStatus>"
        f"<returnTime>{return_time(receipt.time)}</returnTime>"
        f"<returnInfo>{escape(receipt.info[:1000])}</returnInfo>"
    )
    if receipt.kind in _RETURNS:
        name, keys = _RETURNS[receipt.kind]
        key = "".join(f"<{one}>{escape(fields[one])}</{one}>" for one in keys)
        return f"<{name}><guid>{receipt.guid}</guid>{key}{result}</{name}>"
    if receipt.kind in _LISTED:
        name = _LISTED[receipt.kind]
        told = "".join(_optional(one, text) for one, text in fields.items())
        return f"<{name}><guid>{receipt.guid}</guid>{told}{result}</{name}>"
    ebp, ebc = escape(fields["ebpCode"]), escape(fields["ebcCode"])
    if receipt.kind is Kind.ORDER:
        return (
            f"<OrderReturn><guid>{receipt.guid}</guid><ebpCode>{ebp}</ebpCode>"
            f"<ebcCode>{ebc}</ebcCode><orderNo>{escape(fields['orderNo'])}</orderNo>"
            f"{result}</OrderReturn>"
        )
    return (
        f"<InventoryReturn><guid>{receipt.guid}</guid>"
        f"{_optional('customsCode', fields['customsCode'])}<ebpCode>{ebp}</ebpCode>"
        f"<ebcCode>{ebc}</ebcCode>{_optional('agentCode', fields['agentCode'])}"
        f"<copNo>{escape(fields['copNo'])}</copNo><preNo>{fields['preNo']}</preNo>"
        f"{_optional('invtNo', fields['invtNo'])}{result}</InventoryReturn>"
    )


def receipt_message(kind: Kind, receipts: Sequence[Receipt], guid: str) -> bytes:
    """Write a receipt in the default namespace, as customs does."""
    name = receipt_type(kind)
    body = "".join(map(_record, receipts))
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><{name} xmlns="{CEB}" '
        f'guid="{guid}" version="1.0">{body}</{name}>'
    ).encode()


def receipt_type(kind: Kind) -> str:
    """Return the message type that answers a kind: the number after its own."""
    return f"CEB{int(kind.value[3:6]) + 1}Message"


RESULT: Final = "CEB792Message"
"""The result of a summary request; customs sends it of its own accord."""


def result_message(
    guid: str,
    request: Filing,
    inventories: Sequence[Filing],
    declaration: str,
    now: datetime,
    *,
    is_entered: bool,
) -> bytes:
    """Write a 792: the lines that one general declaration sums up, once entered with its number.

    The states of a declaration are in no published table: 0 is made and 1 entered here.
    """
    get, time = request.paper.get, return_time(now)
    names = ("agentCode", "agentName", "ebcCode", "ebcName", "declAgentCode", "declAgentName")
    weights = ("grossWeight", "netWeight")
    told = {
        "guid": guid,
        "customsCode": get("customsCode"),
        "sumNo": request.sum_no,
        "opDate": time,
        "declSeqNo": declaration,
        "entryId": f"{declaration[:8]}0{declaration[9:]}" if is_entered else "",
        "decState": "1" if is_entered else "0",
        **{name: get(name) for name in names},
        **{name: str(sum(number(one.paper.get(name)) for one in inventories)) for name in weights},
        "msgCount": "1",
        "msgSeqNo": "1",
    }
    lines = [(one, line) for one in inventories for line in one.paper.lines]
    rows = "".join(
        f"<SummaryResultList><invtNo>{one.invt_no}</invtNo>"
        f"<logisticsNo>{escape(one.paper.get('logisticsNo'))}</logisticsNo>"
        f"<gseqno>{place}</gseqno><gnum>{escape(line['gnum'])}</gnum>"
        f"<gcode>{escape(line['gcode'])}</gcode></SummaryResultList>"
        for place, (one, line) in enumerate(lines, 1)
    )
    head = "".join(_optional(name, text) for name, text in told.items())
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><{RESULT} xmlns="{CEB}" guid="{guid}" '
        f'version="1.0"><SummaryResult><SummaryResultHead>{head}</SummaryResultHead>{rows}'
        f"</SummaryResult></{RESULT}>"
    ).encode()


def refusal_message(guid: str, reason: str, now: datetime, origin: Envelope, kind: str) -> bytes:
    """Write the 900 that refuses a whole message."""
    text = origin.data.decode("utf-8", "replace")
    text = _IMPOSSIBLE.sub("", text).replace("]]>", "]]]]><![CDATA[>")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><CEB900Message xmlns="{CEB}" guid="{guid}" '
        f'version="1.0"><MessageReturn><guid>{guid}</guid><returnStatus>-1</returnStatus>'
        f"<returnInfo>{escape(reason[:5000])}</returnInfo>"
        f"<returnTime>{return_time(now)}</returnTime>"
        f"<oriCopMsgId>{escape(origin.cop_msg_id)}</oriCopMsgId>"
        f"<oriMessageType>{escape(kind[:15])}</oriMessageType>"
        f"<oriBizMessage><![CDATA[{text}]]></oriBizMessage></MessageReturn></CEB900Message>"
    ).encode()


def wrap(
    data: bytes, message_type: str, *, sender: str, receiver: str, guid: str, now: datetime
) -> bytes:
    """Put a business message into a DxpMsg; the prefix varies, as it does in the field."""
    prefix, declared = ("ns2:", ":ns2") if guid[0] in "01234567" else ("", "")
    created = f"{now + _BEIJING:%Y-%m-%dT%H:%M:%S}"
    head = (
        f'<?xml version="1.0" encoding="UTF-8"?>'
        f'<{prefix}DxpMsg xmlns{declared}="{DXP}" ver="1.0">'
        f"<{prefix}TransInfo><{prefix}CopMsgId>{guid}</{prefix}CopMsgId>"
        f"<{prefix}SenderId>{sender}</{prefix}SenderId><{prefix}ReceiverIds>"
        f"<{prefix}ReceiverId>{escape(receiver)}</{prefix}ReceiverId></{prefix}ReceiverIds>"
        f"<{prefix}CreatTime>{created}</{prefix}CreatTime>"
        f"<{prefix}MsgType>{message_type}</{prefix}MsgType></{prefix}TransInfo><{prefix}Data>"
    )
    return head.encode() + base64.b64encode(data) + f"</{prefix}Data></{prefix}DxpMsg>".encode()


def exchange_answer(
    code: str, text: str, now: datetime, origin: Envelope, *, receiver: str
) -> bytes:
    """Write the exchange platform's DxpRep for an envelope it refuses."""
    local = now + _BEIJING
    receivers = "".join(
        f"<ReceiverId>{escape(found[:16])}</ReceiverId>" for found in origin.receivers[:5] if found
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><DxpRep xmlns="{DXP}" ver="1.0">'
        f"<RecevierId>{escape(receiver)}</RecevierId><Response><ResponseCode>{code}</ResponseCode>"
        f"<ResponseInfo>{escape(text[:300])}</ResponseInfo>"
        f"<NoticeTime>{local:%Y-%m-%d}</NoticeTime><OriHead>"
        f"<CopMsgId>{escape(origin.cop_msg_id or 'UNKNOWN')}</CopMsgId>"
        f"<SenderId>{escape(origin.sender[:16] or 'UNKNOWN')}</SenderId>"
        f"<ReceiverIds>{receivers or '<ReceiverId>UNKNOWN</ReceiverId>'}</ReceiverIds>"
        f"<CreatTime>{escape(origin.created) or f'{local:%Y-%m-%dT%H:%M:%S}'}</CreatTime>"
        f"<MsgType>{escape(origin.msg_type[:30])}</MsgType></OriHead></Response></DxpRep>"
    ).encode()
