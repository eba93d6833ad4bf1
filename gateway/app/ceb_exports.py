"""Customs messages of exports as rows: what a CEB303, 403, 505 or 603 says, in our API's names.

A 505 names no order: the 603 that names its number leads to it.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from gateway.api.faults import Fault
from gateway.app.ceb_rows import CEBRecord, Doc, moment, named, number, numbered_line, ratio
from gateway.domain.codes import code_table
from gateway.domain.money import plain
from gateway.flow.trial_inventory import UNSAID

_CHINA: Final = "142"
_NO_CURRENCY: Final = "XXX"
_CODE: Final = 3
_ORDER: Final[Mapping[str, str]] = {
    "orderNo": "order_no",
    "goodsValue": "goods_value",
    "freight": "freight",
    "note": "note",
}
_LINE: Final[Mapping[str, str]] = {
    "gnum": "line_no",
    "itemNo": "sku",
    "itemName": "name",
    "itemDescribe": "description",
    "barCode": "barcode",
    "unit": "unit",
    "qty": "quantity",
    "price": "price",
    "totalPrice": "total",
    "note": "note",
}
_FUNDS: Final[Mapping[str, str]] = {
    "orderNo": "order_no",
    "payNo": "receipt_no",
    "payCode": "company_code",
    "payName": "company_name",
    "charge": "amount",
    "note": "note",
}
_WAYBILL: Final[Mapping[str, str]] = {
    "logisticsNo": "waybill_no",
    "logisticsCode": "carrier_code",
    "logisticsName": "carrier_name",
    "freight": "freight",
    "insuredFee": "insurance",
    "grossWeight": "gross_weight_kg",
    "packNo": "pack_count",
    "goodsInfo": "goods_info",
    "note": "note",
}
# What an inventory says of its order and of its waybill.
_INVENTORY_ORDER: Final[Mapping[str, str]] = {
    "orderNo": "order_no",
    "freight": "freight",
    "country": "destination",
}
_INVENTORY_WAYBILL: Final[Mapping[str, str]] = {
    **{element: name for element, name in _WAYBILL.items() if element not in ("goodsInfo", "note")},
    "orderNo": "order_no",
    "billNo": "bill_no",
    "trafName": "transport_no",
    "voyageNo": "voyage_no",
}
_GOODS: Final[Mapping[str, str]] = {
    "gcode": "hs_code",
    "gname": "name",
    "gmodel": "model",
    "unit": "unit",
    "unit1": "unit1",
    "unit2": "unit2",
    "itemRecordNo": "item_record_no",
    "barCode": "barcode",
}


def export_docs_of(record: CEBRecord) -> Iterator[Doc]:
    """The papers (and goods records) of an export's record, each with its ``type``."""
    match record.kind:
        case "Order":
            yield {"type": "export_order", **_order(record)}
        case "Receipts":
            yield {"type": "funds_receipt", **_funds(record.head)}
        case "Logistics":
            head = record.head
            yield {"type": "export_waybill", **_waybill(head, _WAYBILL, head.get("currency"))}
        case _:
            yield from _inventory(record)


def export_faults_of(record: CEBRecord) -> tuple[Fault, ...]:
    """The lines of a record in another currency than its first: an order has one."""
    said = [record.head.get("currency"), *(one.get("currency") for one in record.lists)]
    first = next(filter(None, said), None)
    return tuple(
        Fault(
            f"lines[{index}].currency",
            f"is {other}, the order's is {first}: all its lines are of one currency",
            f"为 {other}，订单币制为 {first}：同一订单只能用一种币制",
        )
        for index, other in enumerate(said[1:])
        if other not in (None, first)
    )


def export_leaves_of(element: str) -> frozenset[str]:
    """The fields of our papers that an element of an export's message fills."""
    tables = (_ORDER, _LINE, _FUNDS, _INVENTORY_ORDER, _INVENTORY_WAYBILL, _WAYBILL)
    return frozenset(table[element] for table in tables if element in table)


def _order(record: CEBRecord) -> Doc:
    doc = named(record.head, _ORDER)
    doc["currency"] = _currency(record.head.get("currency"))
    doc["lines"] = [numbered_line(one, _LINE) for one in record.lists]
    return doc


def _funds(head: Mapping[str, str]) -> Doc:
    doc = named(head, _FUNDS)
    if "accountingDate" in head:
        doc["received_at"] = moment(head["accountingDate"])
    # A receipt of cash has no number.
    doc.setdefault("receipt_no", UNSAID)
    return doc | {"currency": _currency(head.get("currency"))}


def _waybill(head: Mapping[str, str], names: Mapping[str, str], currency: str | None) -> Doc:
    doc = named(head, names)
    count = doc.get("pack_count", "")
    if count.isdecimal():
        doc["pack_count"] = int(count)
    return doc | {"currency": _currency(currency)}


def _inventory(record: CEBRecord) -> Iterator[Doc]:
    """What a declaration says of order, waybill and goods."""
    head, lists = record.head, record.lists
    order = named(head, _INVENTORY_ORDER)
    order["lines"] = [numbered_line(one, _LINE) for one in lists]
    for line in order["lines"]:
        # Only the order must name the article as the shop does.
        line.setdefault("name", UNSAID)
    order["currency"] = _currency(
        next((one["currency"] for one in lists if "currency" in one), None)
    )
    total = sum((number(one.get("totalPrice")) for one in lists), Decimal(0))
    yield {"type": "export_order", **order, "goods_value": plain(total)}
    costs = dict(head)
    if costs.get("iCurrency") != costs.get("fCurrency"):
        costs.pop("insuredFee", None)
    yield {
        "type": "export_waybill",
        **_waybill(costs, _INVENTORY_WAYBILL, head.get("fCurrency")),
    }
    units = sum((number(one.get("qty")) for one in lists), Decimal(0))
    net = ratio(head.get("netWeight"), units)
    for fields, line in zip(lists, order["lines"], strict=True):
        quantity = number(fields.get("qty"))
        goods = named(fields, _GOODS)
        goods |= {"sku": line.get("sku", ""), "factor1": ratio(fields.get("qty1"), quantity)}
        if "unit2" in goods:
            goods["factor2"] = ratio(fields.get("qty2"), quantity)
        goods |= {"origin": _CHINA, "net_weight_kg": net, "gross_weight_kg": net}
        yield {"type": "goods", **goods}


def _currency(code: str | None) -> str:
    """The ISO code of customs' three digits: for one that no table holds that of no currency."""
    if code is None:
        return ""
    found = code_table("currencies").codes.get(code)
    if found is not None and found.iso:
        return found.iso
    return _NO_CURRENCY if len(code) == _CODE and code.isdecimal() else code
