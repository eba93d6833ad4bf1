"""Records of an export, written by hand."""

from __future__ import annotations

from dataclasses import dataclass

from tests.unit.sandbox.wire import Draft, _element

LINES = ({"gnum": "1", "qty": "2", "price": "9.5", "totalPrice": "19"},)
STAMP = {"guid": "0F0E0D0C-0000-4000-A000-000000000011", "appType": "1"}
PLATFORM = {"ebpCode": "1100000001", "ebpName": "平台"}
MERCHANT = {"ebcCode": "1100000002", "ebcName": "商家"}
CARRIER = {"logisticsCode": "1100000004", "logisticsName": "快递公司"}
AGENT = {"agentCode": "1100000005", "agentName": "报关行"}


@dataclass(frozen=True)
class ExportDraft(Draft):
    """A record of an export before it is written."""

    def xml(self) -> str:
        head = "".join(_element(name, value) for name, value in self.head.items() if value)
        if self.kind not in _SHAPES:
            flat = _FLAT[self.kind]
            return f"<ceb:{flat}>{head}</ceb:{flat}>"
        record, listed = _SHAPES[self.kind]
        rows = "".join(
            f"<ceb:{listed}>{''.join(_element(*item) for item in _row(self.kind, row).items())}"
            f"</ceb:{listed}>"
            for row in self.lines
        )
        return f"<ceb:{record}><ceb:{record}Head>{head}</ceb:{record}Head>{rows}</ceb:{record}>"


_SHAPES = {
    "303": ("Order", "OrderList"),
    "603": ("Inventory", "InventoryList"),
    "507": ("Arrival", "ArrivalList"),
    "509": ("Departure", "DepartureList"),
    "607": ("WayBill", "WayBillList"),
    "711": ("Delivery", "DeliveryList"),
    "411": ("Payment", ""),
    "511": ("Logistics", ""),
    "213": ("InvtRefund", "InvtRefundList"),
    "701": ("SummaryApply", "SummaryApplyList"),
}
_FLAT = {
    "403": "Receipts", "505": "Logistics", "605": "InvtCancel", "215": "InvtRefundDetail",
    "513": "LogisticsStatus",
}  # fmt: skip


def _row(kind: str, row: dict[str, str]) -> dict[str, str]:
    if kind in ("507", "509", "607", "711", "213", "701"):
        return {name: value for name, value in row.items() if value}
    if kind == "303":
        return {
            "gnum": row["gnum"], "itemNo": "CUP", "itemName": "茶杯", "unit": "011",
            "currency": "502", "qty": row["qty"], "price": row["price"],
            "totalPrice": row["totalPrice"],
        }  # fmt: skip
    return {
        "gnum": row["gnum"], "itemNo": "CUP", "gcode": "6911101900", "gname": "茶杯",
        "gmodel": "瓷", "barCode": "无", "country": "502", "currency": "502", "qty": row["qty"],
        "qty1": "1", "unit": "011", "unit1": "035", "price": row["price"],
        "totalPrice": row["totalPrice"],
    }  # fmt: skip


def order(order_no: str, **fields: str) -> ExportDraft:
    head = {
        **STAMP, "appTime": "20261111100000", "appStatus": "2", "orderType": "E",
        "orderNo": order_no, **PLATFORM, **MERCHANT, "goodsValue": "19", "freight": "4",
        "currency": "502",
    }  # fmt: skip
    return ExportDraft("303", {**head, **fields}, LINES)


def funds(order_no: str, **fields: str) -> ExportDraft:
    head = {
        **STAMP, "appTime": "20261111100000", "appStatus": "2", **PLATFORM, **MERCHANT,
        "orderNo": order_no, "payCode": "1100000003", "payName": "支付公司", "payNo": "F-1",
        "charge": "23", "currency": "502", "accountingDate": "20261101100000",
    }  # fmt: skip
    return ExportDraft("403", {**head, **fields})


def waybill(number: str, **fields: str) -> ExportDraft:
    head = {
        **STAMP, "appTime": "20261111100000", "appStatus": "2", **CARRIER,
        "logisticsNo": number, "freight": "4", "insuredFee": "0", "currency": "502",
        "grossWeight": "0.8", "packNo": "1", "goodsInfo": "茶杯", **MERCHANT,
    }  # fmt: skip
    return ExportDraft("505", {**head, **fields})


def inventory(order_no: str, waybill_no: str, **fields: str) -> ExportDraft:
    head = {
        **STAMP, "appTime": "20261111100100", "appStatus": "2", "customsCode": "0100",
        **PLATFORM, "orderNo": order_no, **CARRIER, "logisticsNo": waybill_no,
        "copNo": "GW0000000001", "ieFlag": "E", "portCode": "0100", "ieDate": "20261111",
        "statisticsFlag": "B", **AGENT, **MERCHANT, "ownerCode": "1100000002",
        "ownerName": "商家", "tradeMode": "9610", "trafMode": "5", "country": "502",
        "POD": "USA3", "freight": "4", "fCurrency": "502", "fFlag": "3", "insuredFee": "0",
        "iCurrency": "502", "iFlag": "3", "wrapType": "2", "packNo": "1", "grossWeight": "0.8",
        "netWeight": "0.6",
    }  # fmt: skip
    return ExportDraft("603", {**head, **fields}, LINES)


def cancellation(invt_no: str, cop_no: str = "GW0000000002", **fields: str) -> ExportDraft:
    head = {
        **STAMP, "appTime": "20261111110000", "appStatus": "2", "customsCode": "0100",
        "copNo": cop_no, "invtNo": invt_no, "reason": "客户取消", **AGENT, **MERCHANT,
    }  # fmt: skip
    return ExportDraft("605", {**head, **fields})


def master_list(bill: str, *parcels: tuple[str, str], **fields: str) -> ExportDraft:
    """A 607 of parcels: waybill number and inventory number, which may be empty."""
    head = {
        **STAMP, "appTime": "20261111120000", "appStatus": "2", "customsCode": "0100",
        "copNo": "GW0000000009", **AGENT, "trafMode": "5", "trafName": "CK001",
        "voyageNo": "CK001", "billNo": bill, "grossWeight": "0.8", **CARRIER, "msgCount": "1",
        "msgSeqNo": "1",
    }  # fmt: skip
    rows = tuple(
        {"gnum": str(number), "logisticsNo": waybill_no, "invtNo": invt_no}
        for number, (waybill_no, invt_no) in enumerate(parcels, 1)
    )
    return ExportDraft("607", {**head, **fields}, rows)


def entry_list(bill: str, *parcels: str, **fields: str) -> ExportDraft:
    """A 711 of parcels by their waybill numbers."""
    head = {
        **STAMP, "appTime": "20261111120000", "appStatus": "2", "customsCode": "0100",
        "copNo": "GW0000000009", "operatorCode": "1100000007", "operatorName": "监管场所",
        "ieFlag": "I", "trafMode": "5", "trafNo": "CK001", "voyageNo": "CK001", "billNo": bill,
        **CARRIER,
    }  # fmt: skip
    rows = tuple(
        {"gnum": str(number), "logisticsNo": waybill_no}
        for number, waybill_no in enumerate(parcels, 1)
    )
    return ExportDraft("711", {**head, **fields}, rows)


def report(kind: str, bill: str, *parcels: str, **fields: str) -> ExportDraft:
    """A 507 or a 509 of parcels by their waybill numbers."""
    operator = {
        "operatorCode": "1100000007", "operatorName": "监管场所", "ieFlag": "E", "trafMode": "5",
        "billNo": bill, "domesticTrafNo": "浙A12345", **CARRIER,
    }  # fmt: skip
    carrier = {
        **CARRIER, "trafMode": "5", "trafName": "CK001", "voyageNo": "CK001", "billNo": bill,
        "leaveTime": "20261111110000",
    }  # fmt: skip
    head = {
        **STAMP, "appTime": "20261111120000", "appStatus": "2", "customsCode": "0100",
        "copNo": "GW0000000009", **(operator if kind == "507" else carrier), "msgCount": "1",
        "msgSeqNo": "1",
    }  # fmt: skip
    rows = tuple(
        {"gnum": str(number), "logisticsNo": waybill_no}
        for number, waybill_no in enumerate(parcels, 1)
    )
    return ExportDraft(kind, {**head, **fields}, rows)


def goods_home(invt_no: str, parcel: str, qty: str = "2", **fields: str) -> ExportDraft:
    """A 213 of the one line of an inventory."""
    head = {
        **STAMP, "appTime": "20261111130000", "appStatus": "2", "customsCode": "0100",
        **PLATFORM, **MERCHANT, "logisticsNo": parcel, **CARRIER, "coElNo": "GW0000000021",
        "invtNo": invt_no, "tradeMode": "9661", **AGENT, "billNo": "180-H", "ieFlag": "I",
        "trafMode": "5", "trafName": "CK900", "portCode": "0100", "reason": "尺码不合",
        "country": "502", "voyageNo": "CK900",
    }  # fmt: skip
    row = {
        "gnum": "1", "gcode": "6911101900", "gname": "茶杯", "gmodel": "瓷", "qty": qty,
        "qty1": "1", "unit": "011", "unit1": "035",
    }  # fmt: skip
    return ExportDraft("213", {**head, **fields}, (row,))


def tally(invt_no: str, parcel: str, **fields: str) -> ExportDraft:
    """A 215 of what came home as :func:`goods_home` says."""
    head = {
        **STAMP, "appTime": "20261111140000", "appStatus": "2", "customsCode": "0100",
        "operatorCode": "1100000007", "operatorName": "监管场所", **CARRIER, "logisticsNo": parcel,
        "invtNo": invt_no, "coElNo": "GW0000000022", "billNo": "180-H", "ieFlag": "I",
        "trafMode": "5", "trafName": "CK900", "voyageNo": "CK900",
    }  # fmt: skip
    return ExportDraft("215", {**head, **fields})


def summary(*invt_nos: str, **fields: str) -> ExportDraft:
    """A 701 of inventories by their numbers."""
    head = {
        **STAMP, "appTime": "20261201100000", "appStatus": "2", "customsCode": "0100",
        "copNo": "GW0000000031", **AGENT, **MERCHANT, "declAgentCode": "1100000008",
        "declAgentName": "报关公司", "summaryFlag": "1", "itemNameFlag": "1", "msgCount": "1",
        "msgSeqNo": "1",
    }  # fmt: skip
    return ExportDraft("701", {**head, **fields}, tuple({"invtNo": one} for one in invt_nos))


def payment(order_no: str, **fields: str) -> ExportDraft:
    """A 411, which files the payment of an import."""
    head = {
        **STAMP, "guid": "0F0E0D0C-0000-4000-A000-000000000003", "appTime": "20261111095900",
        "appStatus": "2", "payCode": "1100000003", "payName": "支付公司",
        "payTransactionId": "T0001", "orderNo": order_no, **PLATFORM, "payerIdType": "1",
        "payerIdNumber": "110101199003070003", "payerName": "张三", "amountPaid": "401.49",
        "currency": "142", "payTime": "20261111095800",
    }  # fmt: skip
    return ExportDraft("411", {**head, **fields}, ())


def parcel(order_no: str, **fields: str) -> ExportDraft:
    """A 511, which files the waybill of an import."""
    head = {
        **STAMP, "guid": "0F0E0D0C-0000-4000-A000-000000000004", "appTime": "20261111095900",
        "appStatus": "2", **CARRIER, "logisticsNo": "W0001", "orderNo": order_no, "freight": "0",
        "insuredFee": "0", "currency": "142", "weight": "2.5", "packNo": "1",
        "goodsInfo": "婴儿奶粉", "consignee": "张三",
        "consigneeAddress": "北京市朝阳区一号路1号", "consigneeTelephone": "13800000001",
    }  # fmt: skip
    return ExportDraft("511", {**head, **fields}, ())


def delivery(**fields: str) -> ExportDraft:
    """A 513: the parcel of :func:`parcel` was signed for."""
    head = {
        **STAMP, "guid": "0F0E0D0C-0000-4000-A000-000000000005", "appTime": "20261114100000",
        "appStatus": "2", **CARRIER, "logisticsNo": "W0001", "logisticsStatus": "S",
        "logisticsTime": "20261113181500",
    }  # fmt: skip
    return ExportDraft("513", {**head, **fields}, ())
