"""Customs messages as rows: what a CEB311, 411, 511 or 621 says, in the names of our API.

The messages of exports are read here too; what they say stands in :mod:`gateway.app.ceb_exports`.

Read leniently, by local name: a fault of a message is for the rules to find, not for the reader to
stumble over. What the schema says of the document beside that is told by :func:`schema_faults`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

from lxml import etree

from gateway.domain.errors import InvalidValue
from gateway.domain.ids import Direction
from gateway.domain.money import parse_decimal, plain
from gateway.flow.trial_inventory import UNSAID
from schemas.envelope import CEB, BareMessage, Envelope, open_file
from schemas.errors import SchemaError, UnknownDocumentError, UnknownSchemaError
from schemas.explain import Explainer, Fault
from schemas.loader import LARGE, parse
from schemas.reader import identify

EDITION: Final = "202205"
_CNY: Final = "142"
_STEP: Final = Decimal("0.00001")
_BEIJING: Final = timezone(timedelta(hours=8))
# Any: JSON values by the API's names.
Doc = dict[str, Any]

_ORDER: Final[Mapping[str, str]] = {
    "orderNo": "order_no",
    "goodsValue": "goods_value",
    "freight": "freight",
    "discount": "discount",
    "taxTotal": "tax",
    "acturalPaid": "paid",
    "buyerRegNo": "buyer.account",
    "buyerName": "buyer.name",
    "buyerTelephone": "buyer.phone",
    "buyerIdType": "buyer.id_type",
    "buyerIdNumber": "buyer.id_number",
    "payCode": "payment.company_code",
    "payName": "payment.company_name",
    "payTransactionId": "payment.transaction_id",
    "batchNumbers": "batch_numbers",
    "consignee": "consignee.name",
    "consigneeTelephone": "consignee.phone",
    "consigneeAddress": "consignee.address",
    "consigneeDistrict": "consignee.district",
    "note": "note",
}
_LINE: Final[Mapping[str, str]] = {
    "gnum": "line_no",
    "itemNo": "sku",
    "itemName": "name",
    "gmodel": "model",
    "itemDescribe": "description",
    "barCode": "barcode",
    "unit": "unit",
    "qty": "quantity",
    "price": "price",
    "totalPrice": "total",
    "country": "origin",
    "note": "note",
}
_PAYMENT: Final[Mapping[str, str]] = {
    "orderNo": "order_no",
    "payTransactionId": "transaction_id",
    "payCode": "company_code",
    "payName": "company_name",
    "payerIdType": "payer.id_type",
    "payerIdNumber": "payer.id_number",
    "payerName": "payer.name",
    "telephone": "payer.phone",
    "amountPaid": "amount",
    "note": "note",
}
_WAYBILL: Final[Mapping[str, str]] = {
    "orderNo": "order_no",
    "logisticsNo": "waybill_no",
    "logisticsCode": "carrier_code",
    "logisticsName": "carrier_name",
    "billNo": "bill_no",
    "freight": "freight",
    "insuredFee": "insurance",
    "weight": "gross_weight_kg",
    "packNo": "pack_count",
    "goodsInfo": "goods_info",
    "consignee": "consignee.name",
    "consigneeAddress": "consignee.address",
    "consigneeTelephone": "consignee.phone",
    "note": "note",
}
# What an inventory says of its order and of its waybill.
_INVENTORY_ORDER: Final[Mapping[str, str]] = {
    name: _ORDER[name]
    for name in (
        "orderNo", "buyerName", "buyerTelephone", "buyerIdType", "buyerIdNumber",
        "consigneeAddress", "freight",
    )
}  # fmt: skip
_INVENTORY_WAYBILL: Final[Mapping[str, str]] = {
    "orderNo": "order_no",
    "logisticsNo": "waybill_no",
    "logisticsCode": "carrier_code",
    "logisticsName": "carrier_name",
    "billNo": "bill_no",
    "trafNo": "transport_no",
    "voyageNo": "voyage_no",
    "freight": "freight",
    "insuredFee": "insurance",
    "grossWeight": "gross_weight_kg",
    "packNo": "pack_count",
    "consigneeAddress": "consignee.address",
}
_GOODS: Final[Mapping[str, str]] = {
    "gcode": "hs_code",
    "gname": "name",
    "gmodel": "model",
    "country": "origin",
    "unit": "unit",
    "unit1": "unit1",
    "unit2": "unit2",
    "itemRecordNo": "item_record_no",
    "barCode": "barcode",
}
_HEADS: Final[Mapping[str, str]] = {
    "Order": "OrderHead",
    "Payment": "PaymentHead",
    "Receipts": "Receipts",
    "Logistics": "LogisticsHead",
    "Inventory": "InventoryHead",
}
_EXPORTS: Final = frozenset({"CEB303Message", "CEB403Message", "CEB505Message", "CEB603Message"})


@dataclass(frozen=True, slots=True)
class CEBRecord:
    """One record of a message: ``kind`` is the record's element, ``head`` its fields by element.

    ``line`` is where it stands in the file, ``number`` its place among the records, from 1.
    """

    kind: str
    number: int
    line: int
    head: Mapping[str, str]
    lists: tuple[Mapping[str, str], ...] = field(default=())
    direction: Direction = Direction.IMPORT

    @property
    def is_inventory(self) -> bool:
        """Whether it is a declaration rather than one of the three papers."""
        return self.kind == "Inventory"


@dataclass(frozen=True, slots=True)
class CEBFile:
    """A message as read: its name (``CEB311Message``), its bytes without envelope, its records."""

    name: str
    body: bytes
    records: tuple[CEBRecord, ...]


def read_messages(data: bytes) -> tuple[CEBFile, ...]:
    """The messages of a file: one, with or without its envelope, or several below a root.

    Raises ``SchemaError`` for what is no well-formed document or no message of papers.
    """
    try:
        return (_read_message(data),)
    except UnknownDocumentError:
        parts = [one for one in parse(data, LARGE).iter(etree.Element) if _is_message(one)]
        if not parts:
            raise
    return tuple(_read_message(etree.tostring(one, with_tail=False)) for one in parts)


def _is_message(node: etree._Element) -> bool:
    return identify(node).is_business and etree.QName(node).namespace == CEB


def _read_message(data: bytes) -> CEBFile:
    opened = open_file(data, LARGE)
    if isinstance(opened, Envelope):
        body = opened.data
        root = parse(body, LARGE)
    elif isinstance(opened, BareMessage):
        body, root = data, opened.root
    else:
        raise UnknownSchemaError("this is an answer of the transport, no message of papers")
    name = identify(root).name
    direction = Direction.EXPORT if name in _EXPORTS else Direction.IMPORT
    return CEBFile(name, body, tuple(_records(root, direction)))


def _records(root: etree._Element, direction: Direction) -> Iterator[CEBRecord]:
    count = 0
    for record in root.iterchildren(etree.Element):
        kind = etree.QName(record).localname
        if kind not in _HEADS:
            continue
        count += 1
        parts = [(etree.QName(part).localname, part) for part in record.iterchildren(etree.Element)]
        head = next((part for name, part in parts if name == _HEADS[kind]), record)
        lists = tuple(_fields(part) for name, part in parts if name == f"{kind}List")
        yield CEBRecord(kind, count, record.sourceline or 0, _fields(head), lists, direction)


def _fields(node: etree._Element) -> dict[str, str]:
    """The texts of the elements below a node, read whole; empty ones are absent."""
    found: dict[str, str] = {}
    for child in node.iterchildren(etree.Element):
        text = "".join(child.itertext()).strip(" \t\r\n")
        if text:
            found.setdefault(etree.QName(child).localname, text)
    return found


def schema_faults(file: CEBFile) -> tuple[Fault, ...]:
    """What the schema of the edition says of a message; nothing for one that has no schema here.

    A signature is not asked for: it is made last.
    """
    try:
        explainer = Explainer("ceb", EDITION, file.name)
    except UnknownSchemaError:
        return ()
    try:
        return explainer.explain(file.body, LARGE, signature_optional=True)
    except SchemaError:
        return ()


def docs_of(record: CEBRecord) -> Iterator[Doc]:
    """The papers (and goods records) of an import's record, each with its ``type``, by the API's
    names.
    """
    match record.kind:
        case "Order":
            yield {"type": "order", **_order(record)}
        case "Payment":
            doc = named(record.head, _PAYMENT)
            if "payTime" in record.head:
                doc["paid_at"] = moment(record.head["payTime"])
            yield {"type": "payment", **doc, "currency": _currency(record.head)}
        case "Logistics":
            yield {"type": "waybill", **_waybill(record.head, _WAYBILL)}
        case _:
            yield from _inventory(record)


def _order(record: CEBRecord) -> Doc:
    doc = named(record.head, _ORDER)
    doc["currency"] = _currency(record.head)
    doc["lines"] = [_line(one) for one in record.lists]
    return doc


def _line(fields: Mapping[str, str]) -> Doc:
    doc = numbered_line(fields, _LINE)
    # An official order may leave the SKU out; ours has one.
    doc.setdefault("sku", doc.get("barcode") or f"gnum-{doc.get('line_no', '')}")
    return doc


def _waybill(head: Mapping[str, str], names: Mapping[str, str]) -> Doc:
    doc = named(head, names)
    count = doc.get("pack_count", "")
    if count.isdecimal():
        doc["pack_count"] = int(count)
    return doc


def _inventory(record: CEBRecord) -> Iterator[Doc]:
    """What a declaration says of order, waybill and goods.

    What it leaves out of the order is filled with what keeps every rule about it silent.
    """
    order = named(record.head, _INVENTORY_ORDER)
    order["lines"] = [_line(one) for one in record.lists]
    order["currency"] = _currency(record.head)
    goods_value = sum((number(one.get("totalPrice")) for one in record.lists), Decimal(0))
    order |= {"goods_value": plain(goods_value), "discount": "0", "tax": "0"}
    order["paid"] = plain(goods_value + number(order.get("freight")))
    order.setdefault("buyer", {})["account"] = UNSAID
    consignee = order.setdefault("consignee", {})
    order["consignee"] = {"name": UNSAID, "phone": UNSAID, **consignee}
    yield {"type": "order", **order}
    waybill = _waybill(record.head, _INVENTORY_WAYBILL)
    waybill["consignee"] = {"name": UNSAID, "phone": UNSAID, **waybill.get("consignee", {})}
    yield {"type": "waybill", **waybill}
    units = sum((number(one.get("qty")) for one in record.lists), Decimal(0))
    net = ratio(record.head.get("netWeight"), units)
    for fields, line in zip(record.lists, order["lines"], strict=True):
        quantity = number(fields.get("qty"))
        goods = named(fields, _GOODS)
        goods |= {"sku": line["sku"], "factor1": ratio(fields.get("qty1"), quantity)}
        if "unit2" in goods:
            goods["factor2"] = ratio(fields.get("qty2"), quantity)
        yield {"type": "goods", **goods, "net_weight_kg": net, "gross_weight_kg": net}


def number(text: str | None) -> Decimal:
    """A number as far as it is one: what is none is for the field's own fault."""
    try:
        return parse_decimal(text or "0", "")
    except InvalidValue:
        return Decimal(0)


def ratio(part: str | None, whole: Decimal) -> str:
    """A share to five places, rounded down so that shares never sum up to more than the whole."""
    if not whole:
        return "0"
    return plain((number(part) / whole).quantize(_STEP, ROUND_DOWN))


def _currency(head: Mapping[str, str]) -> str:
    code = head.get("currency", _CNY)
    return "CNY" if code == _CNY else code


def moment(text: str) -> str:
    """Customs' local time as RFC 3339; as it stands when it is no such time."""
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=_BEIJING).isoformat()
    except ValueError:
        return text


def numbered_line(fields: Mapping[str, str], names: Mapping[str, str]) -> Doc:
    """The fields of an order's line under our names, its number as a number where it is one."""
    doc = named(fields, names)
    if doc.get("line_no", "").isdecimal():
        doc["line_no"] = int(doc["line_no"])
    return doc


def named(fields: Mapping[str, str], names: Mapping[str, str]) -> Doc:
    """The fields of a record under the dotted names that our API has for them."""
    doc: Doc = {}
    for element, name in names.items():
        if element not in fields:
            continue
        *parents, last = name.split(".")
        at = doc
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = fields[element]
    return doc


def leaves_of(element: str) -> frozenset[str]:
    """The fields of our papers that an element of an import's message fills (``buyerName`` →
    buyer.name).
    """
    tables = (_ORDER, _LINE, _PAYMENT, _WAYBILL, _INVENTORY_WAYBILL)
    found = {table[element] for table in tables if element in table}
    return frozenset(found | ({_LEAVES[element]} if element in _LEAVES else set()))


# What elements fill beside those of the tables, which are read in a way of their own.
_LEAVES: Final[Mapping[str, str]] = {
    "currency": "currency",
    "gname": "name",
    "payTime": "paid_at",
}
