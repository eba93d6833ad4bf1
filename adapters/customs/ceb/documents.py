"""From documents to messages: which element takes which value, message by message.

A mapping is data; what a message needs beyond it (parts of a long list, the code of a currency) is
a small function named there. Sources: field tables of the import and export messages.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from adapters.customs.ceb.order import id_type
from adapters.customs.ceb.times import app_time
from gateway.domain.codec import to_micros
from gateway.domain.codes import code_table
from gateway.domain.documents import ExportMode
from gateway.domain.money import Currency
from schemas.sources import Source, attr, call, const, each


class Mapped(NamedTuple):
    """How one message is written: its name, and a source for each path below its record.

    ``it`` is the document, ``part`` and ``parts`` count the messages that a list was split into.
    """

    message: str
    sources: Mapping[str, Source]


def currency_code(currency: Currency) -> str:
    """Customs' three digits of an ISO currency; the ISO code itself for one that no table holds.

    An unknown currency then breaks no schema, and whoever reads it sees which it was.
    """
    table = code_table("currencies").codes
    return next((one.code for one in table.values() if one.iso == str(currency)), str(currency))


def local(moment: datetime | None) -> str | None:
    """The 14 digits of a moment in Beijing."""
    return None if moment is None else app_time(to_micros(moment))


def order_type(mode: ExportMode) -> str:
    """E for retail, B for B2B, W for a booking of an overseas warehouse."""
    return {ExportMode.B2B: "B", ExportMode.OVERSEAS_WAREHOUSE: "W"}.get(mode, "E")


def _flag(is_set: bool, yes: str, no: str) -> str:
    return yes if is_set else no


def statistics_flag(is_summarised: bool) -> str:
    """B is summarised into a general declaration, A stands alone."""
    return _flag(is_summarised, "B", "A")


def summary_flag(by_producer: bool) -> str:
    """1 groups by consignor, 2 by consignor and producer."""
    return _flag(by_producer, "2", "1")


def name_flag(keeps_names: bool) -> str:
    """1 groups by the original names of the goods, 0 by general ones."""
    return _flag(keeps_names, "1", "0")


def return_mode(is_from_zone: bool) -> str:
    """The trade mode of a return: 9661, from a special zone 1261."""
    return _flag(is_from_zone, "1261", "9661")


_STAMP: Final[Mapping[str, Source]] = {
    "guid": attr("it.stamp.guid"),
    "appType": attr("it.stamp.app_type"),
    "appTime": attr("it.stamp.app_time"),
    "appStatus": const("2"),
}
_NOTE: Final[Mapping[str, Source]] = {"note": attr("it.note")}
_PARTS: Final[Mapping[str, Source]] = {"msgCount": attr("parts"), "msgSeqNo": attr("part")}


def _party(element: str, path: str) -> dict[str, Source]:
    """Code and name of an enterprise: ``ebp`` gives ebpCode and ebpName."""
    return {f"{element}Code": attr(f"{path}.code"), f"{element}Name": attr(f"{path}.name")}


def _conveyance(name: str) -> dict[str, Source]:
    """Means of transport; the element of its name differs between messages."""
    return {
        "trafMode": attr("it.conveyance.mode"),
        name: attr("it.conveyance.name"),
        "voyageNo": attr("it.conveyance.voyage_no"),
        "billNo": attr("it.conveyance.bill_no"),
    }


_INVENTORY: Final[Mapping[str, Source]] = {
    "customsCode": attr("it.inventory.customs_code"),
    "invtNo": attr("it.inventory.invt_no"),
    "preNo": attr("it.inventory.pre_no"),
    **_party("agent", "it.inventory.agent"),
    **_party("ebc", "it.inventory.merchant"),
}
_PARCEL_OF_INVENTORY: Final[Mapping[str, Source]] = {
    **_party("ebp", "it.inventory.platform"),
    **_party("logistics", "it.inventory.carrier"),
    "logisticsNo": attr("it.inventory.waybill_no"),
}
_BUYER: Final[Mapping[str, Source]] = {
    "orderNo": attr("it.inventory.order_no"),
    "buyerIdType": call(id_type, "it.buyer.id_type"),
    "buyerIdNumber": attr("it.buyer.id_number"),
    "buyerName": attr("it.buyer.name"),
    "buyerTelephone": attr("it.buyer.phone"),
}
_RETURN_LINE: Final[Mapping[str, Source]] = {
    "gnum": attr("line.line_no"),
    "gcode": attr("line.hs_code"),
    "gname": attr("line.name"),
    "qty": attr("line.quantity"),
    "unit": attr("line.unit"),
    "note": attr("line.note"),
}


def _headed(head: str, fields: Mapping[str, Source], **lists: Source) -> dict[str, Source]:
    return {f"{head}/{name}": source for name, source in fields.items()} | lists


def _numbered_parcels(**fields: Source) -> Source:
    """The parcels of a list under their numbers, which go on over all parts."""
    sources: dict[str, Source] = {
        "gnum": attr("row.number"),
        "logisticsNo": attr("row.parcel.waybill_no"),
        "note": attr("row.parcel.note"),
    }
    return each("rows", var="row", sources=sources | fields)


_PACKAGE: Final = attr("row.parcel.package_no")

CANCELLATION: Final = Mapped(
    "CEB623Message",
    {
        **_STAMP,
        **_INVENTORY,
        **_PARCEL_OF_INVENTORY,
        **_BUYER,
        **_NOTE,
        "copNo": attr("it.cop_no"),
        "reason": attr("it.reason"),
    },
)
EXPORT_CANCELLATION: Final = Mapped(
    "CEB605Message",
    {
        **_STAMP,
        **_INVENTORY,
        **_NOTE,
        "copNo": attr("it.cop_no"),
        "reason": attr("it.reason"),
    },
)
RETURN: Final = Mapped(
    "CEB625Message",
    _headed(
        "InvtRefundHead",
        {**CANCELLATION.sources},
        InvtRefundList=each("it.lines", var="line", sources=_RETURN_LINE),
    ),
)
WAYBILL_STATUS: Final = Mapped(
    "CEB513Message",
    {
        **_STAMP,
        **_party("logistics", "it.carrier"),
        "logisticsNo": attr("it.waybill_no"),
        "logisticsStatus": const("S"),
        "logisticsTime": call(local, "it.at"),
        **_NOTE,
    },
)
ENTRY_LIST: Final = Mapped(
    "CEB711Message",
    _headed(
        "DeliveryHead",
        {
            **_STAMP,
            "customsCode": attr("it.customs_code"),
            "copNo": attr("it.cop_no"),
            **_party("operator", "it.operator"),
            "ieFlag": const("I"),
            **_conveyance("trafNo"),
            **_party("logistics", "it.carrier"),
            "unloadLocation": attr("it.unload_location"),
            **_NOTE,
        },
        DeliveryList=_numbered_parcels(),
    ),
)
EXPORT_ORDER: Final = Mapped(
    "CEB303Message",
    _headed(
        "OrderHead",
        {
            **_STAMP,
            "orderType": call(order_type, "it.mode"),
            "orderNo": attr("it.order_no"),
            **_party("ebp", "it.platform"),
            **_party("ebc", "it.merchant"),
            "goodsValue": attr("it.goods_value.amount"),
            "freight": attr("it.freight.amount"),
            "currency": call(currency_code, "it.goods_value.currency"),
            **_NOTE,
        },
        OrderList=each(
            "it.lines",
            var="line",
            sources={
                "gnum": attr("line.line_no"),
                "itemNo": attr("line.sku"),
                "itemName": attr("line.name"),
                "itemDescribe": attr("line.description"),
                "barCode": attr("line.barcode"),
                "unit": attr("line.unit"),
                "currency": call(currency_code, "line.total.currency"),
                "qty": attr("line.quantity"),
                "price": attr("line.price.amount"),
                "totalPrice": attr("line.total.amount"),
                "note": attr("line.note"),
            },
        ),
    ),
)
FUNDS_RECEIPT: Final = Mapped(
    "CEB403Message",
    {
        **_STAMP,
        **_party("ebp", "it.platform"),
        **_party("ebc", "it.merchant"),
        "orderNo": attr("it.order_no"),
        **_party("pay", "it.payer"),
        "payNo": attr("it.pay_no"),
        "charge": attr("it.amount.amount"),
        "currency": call(currency_code, "it.amount.currency"),
        "accountingDate": call(local, "it.accounted_at"),
        **_NOTE,
    },
)
EXPORT_WAYBILL: Final = Mapped(
    "CEB505Message",
    {
        **_STAMP,
        **_party("logistics", "it.carrier"),
        "logisticsNo": attr("it.waybill_no"),
        "freight": attr("it.freight.amount"),
        "insuredFee": attr("it.insurance.amount"),
        "currency": call(currency_code, "it.freight.currency"),
        "grossWeight": attr("it.gross_weight_kg"),
        "packNo": attr("it.pack_count"),
        "goodsInfo": attr("it.goods_info"),
        **_party("ebc", "it.merchant"),
        "ebcTelephone": attr("it.merchant_phone"),
        **_NOTE,
    },
)
SITE_ARRIVAL: Final = Mapped(
    "CEB507Message",
    _headed(
        "ArrivalHead",
        {
            **_STAMP,
            "customsCode": attr("it.customs_code"),
            "copNo": attr("it.cop_no"),
            **_party("operator", "it.operator"),
            "loctNo": attr("it.loct_no"),
            "ieFlag": const("E"),
            "trafMode": attr("it.conveyance.mode"),
            "billNo": attr("it.conveyance.bill_no"),
            "domesticTrafNo": attr("it.domestic_transport_no"),
            **_party("logistics", "it.carrier"),
            **_PARTS,
            **_NOTE,
        },
        ArrivalList=_numbered_parcels(totalPackageNo=_PACKAGE),
    ),
)
DEPARTURE: Final = Mapped(
    "CEB509Message",
    _headed(
        "DepartureHead",
        {
            **_STAMP,
            "customsCode": attr("it.customs_code"),
            "copNo": attr("it.cop_no"),
            **_party("logistics", "it.carrier"),
            **_conveyance("trafName"),
            "leaveTime": call(local, "it.left_at"),
            **_PARTS,
            **_NOTE,
        },
        DepartureList=_numbered_parcels(totalPackageNo=_PACKAGE),
    ),
)
EXPORT_INVENTORY: Final = Mapped(
    "CEB603Message",
    _headed(
        "InventoryHead",
        {
            **_STAMP,
            "customsCode": attr("it.customs_code"),
            **_party("ebp", "it.platform"),
            "orderNo": attr("it.order_no"),
            **_party("logistics", "it.carrier"),
            "logisticsNo": attr("it.waybill_no"),
            "copNo": attr("it.cop_no"),
            "preNo": attr("it.pre_no"),
            "invtNo": attr("it.invt_no"),
            "ieFlag": const("E"),
            "portCode": attr("it.port_code"),
            "ieDate": attr("it.exported_on"),
            "statisticsFlag": call(statistics_flag, "it.is_summarised"),
            **_party("agent", "it.agent"),
            **_party("ebc", "it.merchant"),
            **_party("owner", "it.producer"),
            **_party("iac", "it.zone.enterprise"),
            "emsNo": attr("it.zone.account_book"),
            "tradeMode": attr("it.mode"),
            **_conveyance("trafName"),
            "totalPackageNo": attr("it.package_no"),
            "loctNo": attr("it.loct_no"),
            "licenseNo": attr("it.licence_no"),
            "country": attr("it.destination"),
            "POD": attr("it.destination_port"),
            "freight": attr("it.freight.amount"),
            "fCurrency": call(currency_code, "it.freight.currency"),
            "fFlag": const("3"),
            "insuredFee": attr("it.insurance.amount"),
            "iCurrency": call(currency_code, "it.insurance.currency"),
            "iFlag": const("3"),
            "wrapType": attr("it.wrap_type"),
            "packNo": attr("it.pack_count"),
            "grossWeight": attr("it.gross_weight_kg"),
            "netWeight": attr("it.net_weight_kg"),
            **_NOTE,
        },
        InventoryList=each(
            "it.lines",
            var="line",
            sources={
                "gnum": attr("line.line_no"),
                "itemNo": attr("line.sku"),
                "itemRecordNo": attr("line.item_record_no"),
                "itemName": attr("line.name"),
                "gcode": attr("line.hs_code"),
                "gname": attr("line.name"),
                "gmodel": attr("line.model"),
                "barCode": call(lambda code: code or "无", "line.barcode"),
                "country": attr("line.destination"),
                "currency": call(currency_code, "line.total.currency"),
                "qty": attr("line.quantity"),
                "qty1": attr("line.qty1"),
                "qty2": attr("line.qty2"),
                "unit": attr("line.unit"),
                "unit1": attr("line.unit1"),
                "unit2": attr("line.unit2"),
                "price": attr("line.price.amount"),
                "totalPrice": attr("line.total.amount"),
                "note": attr("line.note"),
            },
        ),
    ),
)
MASTER_LIST: Final = Mapped(
    "CEB607Message",
    _headed(
        "WayBillHead",
        {
            **_STAMP,
            "customsCode": attr("it.customs_code"),
            "copNo": attr("it.cop_no"),
            **_party("agent", "it.agent"),
            "loctNo": attr("it.loct_no"),
            **_conveyance("trafName"),
            "domesticTrafNo": attr("it.domestic_transport_no"),
            "grossWeight": attr("it.gross_weight_kg"),
            **_party("logistics", "it.carrier"),
            **_PARTS,
            **_NOTE,
        },
        WayBillList=_numbered_parcels(totalPackageNo=_PACKAGE, invtNo=attr("row.parcel.invt_no")),
    ),
)
SUMMARY_REQUEST: Final = Mapped(
    "CEB701Message",
    _headed(
        "SummaryApplyHead",
        {
            **_STAMP,
            "customsCode": attr("it.customs_code"),
            "copNo": attr("it.cop_no"),
            **_party("agent", "it.agent"),
            **_party("ebc", "it.merchant"),
            **_party("declAgent", "it.declarant"),
            "startTime": call(local, "it.begins_at"),
            "endTime": call(local, "it.ends_at"),
            "loctNo": attr("it.loct_no"),
            "summaryFlag": call(summary_flag, "it.by_producer"),
            "itemNameFlag": call(name_flag, "it.keeps_names"),
            **_PARTS,
            **_NOTE,
        },
        SummaryApplyList=each("rows", var="row", sources={"invtNo": attr("row.parcel")}),
    ),
)
EXPORT_RETURN: Final = Mapped(
    "CEB213Message",
    _headed(
        "InvtRefundHead",
        {
            **_STAMP,
            **_INVENTORY,
            **_PARCEL_OF_INVENTORY,
            "coElNo": attr("it.cop_no"),
            "loctNo": attr("it.loct_no"),
            "tradeMode": call(return_mode, "it.is_from_zone"),
            "ieFlag": const("I"),
            **_conveyance("trafName"),
            "portCode": attr("it.port_code"),
            "country": attr("it.country"),
            "reason": attr("it.reason"),
            **_NOTE,
        },
        InvtRefundList=each(
            "it.lines",
            var="line",
            sources={
                **_RETURN_LINE,
                "gmodel": attr("line.model"),
                "qty1": attr("line.qty1"),
                "unit1": attr("line.unit1"),
                "qty2": attr("line.qty2"),
                "unit2": attr("line.unit2"),
            },
        ),
    ),
)
RETURN_TALLY: Final = Mapped(
    "CEB215Message",
    {
        **_STAMP,
        "customsCode": attr("it.customs_code"),
        **_party("operator", "it.operator"),
        **_party("logistics", "it.carrier"),
        "logisticsNo": attr("it.waybill_no"),
        "invtNo": attr("it.invt_no"),
        "coElNo": attr("it.cop_no"),
        "preNo": attr("it.pre_no"),
        "ieFlag": const("I"),
        **_conveyance("trafName"),
        "location": attr("it.location"),
        **_NOTE,
    },
)
