"""Reading what arrives: the DXP envelope and the business message inside it.

Two ways in: :func:`read_envelope` and :func:`read_business` parse properly, by namespace and
local name; :func:`scan_envelope` and :func:`scan_business` cut a few fields out of the bytes
and trust everything else, for benchmarks.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from lxml import etree

from schemas import loader

CEB: Final = "http://www.chinaport.gov.cn/ceb"
DXP: Final = "http://www.chinaport.gov.cn/dxp"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"


class Kind(StrEnum):
    """Business messages this authority serves."""

    ORDER = "CEB311Message"
    PAYMENT = "CEB411Message"
    WAYBILL = "CEB511Message"
    DELIVERY = "CEB513Message"
    INVENTORY = "CEB621Message"
    CANCELLATION = "CEB623Message"
    RETURN = "CEB625Message"
    EXPORT_ORDER = "CEB303Message"
    FUNDS_RECEIPT = "CEB403Message"
    EXPORT_WAYBILL = "CEB505Message"
    EXPORT_INVENTORY = "CEB603Message"
    EXPORT_CANCELLATION = "CEB605Message"
    ENTRY_LIST = "CEB711Message"
    MASTER_LIST = "CEB607Message"
    SITE_ARRIVAL = "CEB507Message"
    DEPARTURE = "CEB509Message"
    EXPORT_RETURN = "CEB213Message"
    RETURN_TALLY = "CEB215Message"
    SUMMARY_REQUEST = "CEB701Message"

    @property
    def is_list(self) -> bool:
        """Whether it lists the parcels of a consignment."""
        listed = (Kind.ENTRY_LIST, Kind.MASTER_LIST, Kind.SUMMARY_REQUEST)
        return self in listed or self.is_report

    @property
    def is_report(self) -> bool:
        """Whether it tells what became of parcels that were declared."""
        return self in (Kind.SITE_ARRIVAL, Kind.DEPARTURE, Kind.RETURN_TALLY)

    @property
    def is_numbered(self) -> bool:
        """Whether its answers name a preNo of its own, beside inventories."""
        return self.is_report or self in (Kind.EXPORT_RETURN, Kind.SUMMARY_REQUEST)

    @property
    def is_inventory(self) -> bool:
        """Whether goods are released on it."""
        return self in (Kind.INVENTORY, Kind.EXPORT_INVENTORY)

    @property
    def is_order(self) -> bool:
        """Whether an inventory stands on it and cannot be without it."""
        return self in (Kind.ORDER, Kind.EXPORT_ORDER)

    @property
    def is_waybill(self) -> bool:
        """Whether it tells of a parcel; it names no platform."""
        return self in (Kind.WAYBILL, Kind.EXPORT_WAYBILL)

    @property
    def is_cancellation(self) -> bool:
        """Whether it asks to end an inventory."""
        return self in (Kind.CANCELLATION, Kind.EXPORT_CANCELLATION)

    @property
    def is_export(self) -> bool:
        """Whether it is about goods that leave."""
        return self in _EXPORTS


_EXPORTS: Final = frozenset(
    {
        Kind.EXPORT_ORDER,
        Kind.FUNDS_RECEIPT,
        Kind.EXPORT_WAYBILL,
        Kind.EXPORT_INVENTORY,
        Kind.EXPORT_CANCELLATION,
        Kind.MASTER_LIST,
        Kind.SITE_ARRIVAL,
        Kind.DEPARTURE,
        Kind.EXPORT_RETURN,
        Kind.RETURN_TALLY,
        Kind.SUMMARY_REQUEST,
    }
)
# Records without a head of their own and without lines.
_FLAT: Final = frozenset(
    {
        Kind.DELIVERY,
        Kind.CANCELLATION,
        Kind.FUNDS_RECEIPT,
        Kind.EXPORT_WAYBILL,
        Kind.EXPORT_CANCELLATION,
        Kind.RETURN_TALLY,
    }
)


class UnreadableError(Exception):
    """The bytes cannot be read as what they should be; the text says why."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The parts of a DxpMsg that matter here; ``data`` is the decoded business message."""

    cop_msg_id: str
    sender: str
    receivers: tuple[str, ...]
    msg_type: str
    created: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Paper:
    """One record as text: head fields by element name, then the lines in message order."""

    head: Mapping[str, str]
    lines: tuple[Mapping[str, str], ...] = ()

    def get(self, name: str) -> str:
        """Return a head field, empty when it is absent."""
        return self.head.get(name, "")


@dataclass(frozen=True, slots=True)
class Business:
    """A business message taken apart."""

    kind: Kind
    guid: str
    papers: tuple[Paper, ...]
    dxp_id: str = ""
    cop_code: str = ""


def _text(element: etree._Element) -> str:
    # A comment splits text in two; itertext() gives the whole of it without the comment.
    return "".join(map(str, element.itertext())) if len(element) else element.text or ""


def _fields(element: etree._Element) -> dict[str, str]:
    found: dict[str, str] = {}
    for child in element.iterchildren(etree.Element):
        tag = child.tag
        if isinstance(tag, str):
            found[tag[tag.rfind("}") + 1 :]] = _text(child)
    return found


def message_type(root: etree._Element) -> str:
    """Return the local name of a root in the CEB namespace, else an empty text."""
    name = etree.QName(root)
    return name.localname if name.namespace == CEB else ""


def parse(data: bytes) -> etree._Element:
    """Parse bytes with the project's hardened parser; raises UnreadableError."""
    try:
        return loader.parse(data, loader.LARGE)
    except Exception as fault:
        # A stranger knows nothing of the loader's error tree: whatever it refuses is unreadable.
        raise UnreadableError(str(fault)) from fault


def read_envelope(root: etree._Element) -> Envelope:
    """Read a DxpMsg; raises UnreadableError when it is none or its Data is no base64."""
    if etree.QName(root).namespace != DXP or etree.QName(root).localname != "DxpMsg":
        raise UnreadableError("root is not DxpMsg")
    info = root.find(f"{{{DXP}}}TransInfo")
    data = root.find(f"{{{DXP}}}Data")
    if info is None or data is None:
        raise UnreadableError("TransInfo or Data is missing")
    fields = _fields(info)
    receivers = tuple(
        _text(found) for found in info.iterfind(f"{{{DXP}}}ReceiverIds/{{{DXP}}}ReceiverId")
    )
    try:
        body = base64.b64decode("".join(_text(data).split()), validate=True)
    except ValueError as fault:
        raise UnreadableError("Data is not base64") from fault
    return Envelope(
        cop_msg_id=fields.get("CopMsgId", ""),
        sender=fields.get("SenderId", ""),
        receivers=receivers,
        msg_type=fields.get("MsgType", ""),
        created=fields.get("CreatTime", ""),
        data=body,
    )


_RECORDS: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.ORDER: "Order",
        Kind.PAYMENT: "Payment",
        Kind.WAYBILL: "Logistics",
        Kind.DELIVERY: "LogisticsStatus",
        Kind.INVENTORY: "Inventory",
        Kind.CANCELLATION: "InvtCancel",
        Kind.RETURN: "InvtRefund",
        Kind.EXPORT_ORDER: "Order",
        Kind.FUNDS_RECEIPT: "Receipts",
        Kind.EXPORT_WAYBILL: "Logistics",
        Kind.EXPORT_INVENTORY: "Inventory",
        Kind.EXPORT_CANCELLATION: "InvtCancel",
        Kind.ENTRY_LIST: "Delivery",
        Kind.MASTER_LIST: "WayBill",
        Kind.SITE_ARRIVAL: "Arrival",
        Kind.DEPARTURE: "Departure",
        Kind.EXPORT_RETURN: "InvtRefund",
        Kind.RETURN_TALLY: "InvtRefundDetail",
        Kind.SUMMARY_REQUEST: "SummaryApply",
    }
)
_LINES: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.ORDER: "OrderList",
        Kind.INVENTORY: "InventoryList",
        Kind.RETURN: "InvtRefundList",
        Kind.EXPORT_ORDER: "OrderList",
        Kind.EXPORT_INVENTORY: "InventoryList",
        Kind.ENTRY_LIST: "DeliveryList",
        Kind.MASTER_LIST: "WayBillList",
        Kind.SITE_ARRIVAL: "ArrivalList",
        Kind.DEPARTURE: "DepartureList",
        Kind.EXPORT_RETURN: "InvtRefundList",
        Kind.SUMMARY_REQUEST: "SummaryApplyList",
    }
)


def _paper(record: etree._Element, kind: Kind) -> Paper:
    if kind in _FLAT:
        return Paper(_fields(record))
    head: dict[str, str] = {}
    lines: list[Mapping[str, str]] = []
    list_name = _LINES.get(kind, "")
    for part in record.iterchildren(etree.Element):
        if etree.QName(part).localname == list_name:
            lines.append(_fields(part))
        else:
            head = _fields(part)
    return Paper(head, tuple(lines))


def read_business(root: etree._Element) -> Business:
    """Read a message that is served; raises UnreadableError for any other root."""
    name = message_type(root)
    if name not in set(Kind):
        raise UnreadableError(f"message type {name or 'unknown'} is not served")
    kind = Kind(name)
    wrapper = f"{{{CEB}}}{_RECORDS[kind]}"
    transfer = root.find(f"{{{CEB}}}BaseTransfer")
    fields = {} if transfer is None else _fields(transfer)
    return Business(
        kind=kind,
        guid=root.get("guid", ""),
        papers=tuple(_paper(record, kind) for record in root.iterchildren(wrapper)),
        dxp_id=fields.get("dxpId", ""),
        cop_code=fields.get("copCode", ""),
    )


# ------------------------------------------------------------------------------- plain mode
_ROOT: Final = re.compile(rb"<(\w+:)?(CEB\d{3}Message)\b[^>]*?\bguid=\"([^\"]*)\"")
_REQUESTED: Final = (
    *("guid", "appType", "appTime", "appStatus", "customsCode", "orderNo", "ebpCode", "ebcCode"),
    *("copNo", "preNo", "invtNo", "agentCode"),
)
_SCANNED: Final[Mapping[Kind, tuple[str, tuple[str, ...]]]] = MappingProxyType(
    {
        Kind.ORDER: (
            "OrderHead",
            ("guid", "appType", "appTime", "appStatus", "orderNo", "ebpCode", "ebcCode"),
        ),
        Kind.PAYMENT: (
            "PaymentHead",
            (
                *("guid", "appType", "appTime", "appStatus", "orderNo", "ebpCode"),
                *("payCode", "payTransactionId", "payerName", "payerIdNumber", "amountPaid"),
            ),
        ),
        Kind.WAYBILL: (
            "LogisticsHead",
            (
                *("guid", "appType", "appTime", "appStatus", "orderNo"),
                *("logisticsCode", "logisticsNo"),
            ),
        ),
        Kind.DELIVERY: (
            "LogisticsStatus",
            (
                *("guid", "appType", "appTime", "appStatus"),
                *("logisticsCode", "logisticsNo", "logisticsStatus"),
            ),
        ),
        Kind.INVENTORY: (
            "InventoryHead",
            (
                *("guid", "appType", "appTime", "appStatus", "orderNo", "ebpCode", "ebcCode"),
                *("copNo", "customsCode", "agentCode"),
            ),
        ),
        Kind.CANCELLATION: ("InvtCancel", _REQUESTED),
        Kind.RETURN: ("InvtRefundHead", _REQUESTED),
        Kind.EXPORT_ORDER: (
            "OrderHead",
            ("guid", "appType", "appTime", "appStatus", "orderNo", "ebpCode", "ebcCode"),
        ),
        Kind.FUNDS_RECEIPT: (
            "Receipts",
            ("guid", "appType", "appTime", "appStatus", "ebpCode", "ebcCode", "orderNo", "payNo"),
        ),
        Kind.EXPORT_WAYBILL: (
            "Logistics",
            ("guid", "appType", "appTime", "appStatus", "logisticsCode", "logisticsNo"),
        ),
        Kind.EXPORT_INVENTORY: (
            "InventoryHead",
            (
                *("guid", "appType", "appTime", "appStatus", "customsCode", "ebpCode", "orderNo"),
                *("copNo", "statisticsFlag", "agentCode", "ebcCode"),
            ),
        ),
        Kind.EXPORT_CANCELLATION: (
            "InvtCancel",
            (
                *("guid", "appType", "appTime", "appStatus", "customsCode"),
                *("copNo", "preNo", "invtNo", "agentCode", "ebcCode"),
            ),
        ),
        Kind.ENTRY_LIST: (
            "DeliveryHead",
            (
                *("guid", "appType", "appTime", "appStatus", "customsCode", "copNo"),
                *("operatorCode", "billNo", "logisticsCode"),
            ),
        ),
        Kind.MASTER_LIST: (
            "WayBillHead",
            (
                *("guid", "appType", "appTime", "appStatus", "customsCode", "copNo", "agentCode"),
                *("billNo", "logisticsCode", "msgSeqNo"),
            ),
        ),
        Kind.SITE_ARRIVAL: (
            "ArrivalHead",
            (
                *("guid", "appType", "appTime", "appStatus", "customsCode", "copNo"),
                *("operatorCode", "billNo", "logisticsCode", "msgSeqNo"),
            ),
        ),
        Kind.DEPARTURE: (
            "DepartureHead",
            (
                *("guid", "appType", "appTime", "appStatus", "customsCode", "copNo"),
                *("logisticsCode", "billNo", "msgSeqNo"),
            ),
        ),
        Kind.EXPORT_RETURN: (
            "InvtRefundHead",
            (
                *("guid", "appType", "appTime", "appStatus", "customsCode", "ebpCode", "ebcCode"),
                *("logisticsNo", "coElNo", "invtNo", "agentCode"),
            ),
        ),
        Kind.RETURN_TALLY: (
            "InvtRefundDetail",
            (
                *("guid", "appType", "appTime", "appStatus", "customsCode", "operatorCode"),
                *("logisticsCode", "logisticsNo", "invtNo", "coElNo", "billNo"),
            ),
        ),
        Kind.SUMMARY_REQUEST: (
            "SummaryApplyHead",
            (
                *("guid", "appType", "appTime", "appStatus", "customsCode", "copNo", "agentCode"),
                *("ebcCode", "msgSeqNo"),
            ),
        ),
    }
)


def _cut(data: bytes, name: bytes) -> str:
    found = re.search(rb"<(?:\w+:)?" + name + rb">([^<]*)<", data)
    return "" if found is None else found[1].decode("utf-8", "replace")


def scan_envelope(data: bytes) -> Envelope:
    """Cut the envelope's fields out of the bytes, without checking anything."""
    head = data[:2048]
    start = data.find(b"Data>") + 5
    end = data.find(b"</", start)
    if start < 5 or end < 0:
        raise UnreadableError("no Data element")
    try:
        body = binascii.a2b_base64(data[start:end])
    except ValueError as fault:
        raise UnreadableError("Data is not base64") from fault
    return Envelope(
        cop_msg_id=_cut(head, b"CopMsgId"),
        sender=_cut(head, b"SenderId"),
        receivers=(_cut(head, b"ReceiverId"),),
        msg_type=_cut(head, b"MsgType"),
        created=_cut(head, b"CreatTime"),
        data=body,
    )


def _scan_records(data: bytes, prefix: bytes, kind: Kind) -> Iterator[Paper]:
    wrapper, names = _SCANNED[kind]
    start_tag = b"<" + prefix + wrapper.encode() + b">"
    end_tag = b"</" + prefix + wrapper.encode() + b">"
    tags = [(name, b"<" + prefix + name.encode() + b">") for name in names]
    find = data.find
    position = find(start_tag)
    while position >= 0:
        end = find(end_tag, position)
        head: dict[str, str] = {}
        for name, tag in tags:
            at = find(tag, position, end)
            if at >= 0:
                at += len(tag)
                position = find(b"<", at)
                text = data[at:position].decode("utf-8", "replace")
                head[name] = text if "&" not in text else _unescape(text)
        yield Paper(head)
        position = find(start_tag, end)


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def scan_business(data: bytes) -> Business:
    """Cut the key fields of every record out of the bytes; raises UnreadableError."""
    root = _ROOT.search(data[:4096])
    if root is None or root[2].decode() not in set(Kind):
        raise UnreadableError("message type is not served")
    kind = Kind(root[2].decode())
    return Business(
        kind, root[3].decode("utf-8", "replace"), tuple(_scan_records(data, root[1] or b"", kind))
    )
