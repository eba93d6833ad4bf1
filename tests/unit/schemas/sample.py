"""Invented orders and inventories, with mappings of this suite's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from schemas.plan import MessagePlan, load_plan
from schemas.sources import Source, attr, call, const, each
from schemas.writer import MessageWriter, Subscribe, Transfer, compile_writer

GUID = "4CDE1CFD-EDED-46B1-946C-B8022E42FC94"


@dataclass(frozen=True, slots=True)
class Line:
    number: int = 1
    name: str = "婴儿配方奶粉"
    model: str = "品牌:无|规格:900克/罐"
    sku: str | None = "SKU-0001"
    unit: str = "122"
    quantity: Decimal = Decimal(2)
    price: Decimal = Decimal("139.00")
    total: Decimal = Decimal("278.00")
    country: str = "142"
    note: str | None = None
    second: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Person:
    name: str = "张三"
    phone: str = "13800000001"
    id_number: str = "110101199003070003"


@dataclass(frozen=True, slots=True)
class Order:
    guid: str = GUID
    number: str = "MADE-UP-0001"
    goods: Money = Money(Decimal("388.00"))
    freight: Decimal = Decimal(0)
    discount: Decimal = Decimal("20.00")
    tax: Decimal = Decimal("33.49")
    paid: Decimal = Decimal("401.49")
    buyer: Person = Person()
    carrier: Person | None = None
    address: str = "上海市浦东新区世纪大道100号"
    note: str | None = None
    lines: tuple[Line, ...] = field(default_factory=lambda: (Line(), Line(2), Line(3)))


def plan(name: str) -> MessagePlan:
    return load_plan("ceb", "202205")[name]


ORDER: Mapping[str, Source] = {
    "OrderHead/guid": attr("order.guid"),
    "OrderHead/appType": const("1"),
    "OrderHead/appTime": const("20240101120000"),
    "OrderHead/appStatus": const("2"),
    "OrderHead/orderType": const("I"),
    "OrderHead/orderNo": attr("order.number"),
    "OrderHead/ebpCode": const("0000000001"),
    "OrderHead/ebpName": const("虚构平台 <A&B>"),
    "OrderHead/ebcCode": const("0000000002"),
    "OrderHead/ebcName": const("虚构电商"),
    "OrderHead/goodsValue": attr("order.goods.amount"),
    "OrderHead/freight": attr("order.freight"),
    "OrderHead/discount": attr("order.discount"),
    "OrderHead/taxTotal": attr("order.tax"),
    "OrderHead/acturalPaid": attr("order.paid"),
    "OrderHead/buyerRegNo": attr("order.buyer.phone"),
    "OrderHead/buyerName": attr("order.buyer.name"),
    "OrderHead/buyerTelephone": attr("order.buyer.phone"),
    "OrderHead/buyerIdType": const("1"),
    "OrderHead/buyerIdNumber": attr("order.buyer.id_number"),
    "OrderHead/payName": attr("order.carrier.name"),
    "OrderHead/consignee": attr("order.buyer.name"),
    "OrderHead/consigneeTelephone": attr("order.buyer.phone"),
    "OrderHead/consigneeAddress": attr("order.address"),
    "OrderHead/note": attr("order.note"),
    "OrderList": each(
        "order.lines",
        var="line",
        sources={
            "gnum": attr("line.number"),
            "itemNo": attr("line.sku"),
            "itemName": attr("line.name"),
            "gmodel": attr("line.model"),
            "unit": attr("line.unit"),
            "qty": attr("line.quantity"),
            "price": attr("line.price"),
            "totalPrice": attr("line.total"),
            "country": attr("line.country"),
            "note": attr("line.note"),
        },
    ),
}


def numbered(lines: tuple[Line, ...]) -> list[Line]:
    return [replace(line, number=number) for number, line in enumerate(lines, 1)]


INVENTORY: Mapping[str, Source] = {
    "InventoryHead/guid": attr("order.guid"),
    "InventoryHead/appType": const("1"),
    "InventoryHead/appTime": const("20240101120000"),
    "InventoryHead/appStatus": const("2"),
    "InventoryHead/orderNo": attr("order.number"),
    "InventoryHead/ebpCode": const("0000000001"),
    "InventoryHead/ebpName": const("虚构平台"),
    "InventoryHead/ebcCode": const("0000000002"),
    "InventoryHead/ebcName": const("虚构电商"),
    "InventoryHead/logisticsNo": attr("order.number"),
    "InventoryHead/logisticsCode": const("0000000003"),
    "InventoryHead/logisticsName": const("虚构物流"),
    "InventoryHead/copNo": attr("order.number"),
    "InventoryHead/assureCode": const("0000000002"),
    "InventoryHead/emsNo": const("T0000W000001"),
    "InventoryHead/ieFlag": const("I"),
    "InventoryHead/declTime": const("20240101"),
    "InventoryHead/customsCode": const("0000"),
    "InventoryHead/portCode": const("0000"),
    "InventoryHead/buyerIdType": const("1"),
    "InventoryHead/buyerIdNumber": attr("order.buyer.id_number"),
    "InventoryHead/buyerName": attr("order.buyer.name"),
    "InventoryHead/buyerTelephone": attr("order.buyer.phone"),
    "InventoryHead/consigneeAddress": attr("order.address"),
    "InventoryHead/agentCode": const("0000000002"),
    "InventoryHead/agentName": const("虚构电商"),
    "InventoryHead/areaCode": const("0000000004"),
    "InventoryHead/areaName": const("虚构仓"),
    "InventoryHead/tradeMode": const("1210"),
    "InventoryHead/trafMode": const("4"),
    "InventoryHead/country": const("142"),
    "InventoryHead/freight": attr("order.freight"),
    "InventoryHead/insuredFee": const(0),
    "InventoryHead/packNo": const(1),
    "InventoryHead/grossWeight": const(Decimal("2.30")),
    "InventoryHead/netWeight": const(Decimal("1.80")),
    "InventoryList": each(
        call(numbered, "order.lines"),
        var="line",
        sources={
            "gnum": attr("line.number"),
            "itemRecordNo": attr("line.sku"),
            "gcode": const("1901101000"),
            "gname": attr("line.name"),
            "gmodel": attr("line.model"),
            "country": attr("line.country"),
            "qty": attr("line.quantity"),
            "unit": attr("line.unit"),
            "qty1": attr("line.quantity"),
            "unit1": attr("line.unit"),
            "qty2": attr("line.second"),
            "price": attr("line.price"),
            "totalPrice": attr("line.total"),
        },
    ),
}

TRANSFER = Transfer("0000000002", "虚构电商", "DXPENT0000000000")
SUBSCRIBE = Subscribe("ALL", "DXPENT0000000009")


def order_writer() -> MessageWriter:
    return compile_writer(plan("CEB311Message"), ORDER, arguments=["order"])


def inventory_writer() -> MessageWriter:
    return compile_writer(plan("CEB621Message"), INVENTORY, arguments=["order"])


def order_message(*orders: Order) -> bytes:
    writer = order_writer()
    return writer.message(GUID, [writer.record(order) for order in orders or (Order(),)], TRANSFER)
