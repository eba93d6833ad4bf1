"""What the authority checks in the records of an export: alone, and against each other.

Sources: field tables and trade modes of the export messages. Buyers, taxes and limits are no
matter here.
"""

from decimal import Decimal
from types import MappingProxyType
from typing import Final

from adapters.sandbox.customs import codes
from adapters.sandbox.customs.checks import (
    Refusal,
    eport,
    lines_fault,
    moment_holds,
    number,
    rejection,
    repeated_gnum,
)
from adapters.sandbox.customs.messages import Paper

# What kind of order belongs to which trade mode.
_ORDER_TYPES: Final = MappingProxyType({"9610": "E", "1210": "E", "9710": "B", "9810": "W"})
_COMPARED: Final = ("qty", "price", "totalPrice", "unit")


def order_fault(paper: Paper) -> Refusal | None:
    """Check a 303 record alone."""
    fault = _stamp_fault(paper)
    if not fault and repeated_gnum(paper):
        return eport("-301002")
    fault = fault or lines_fault(paper.lines)
    goods = sum((number(line.get("totalPrice", "")) for line in paper.lines), Decimal(0))
    if not fault and goods != number(paper.get("goodsValue")):
        fault = "goodsValue"
    return eport("-301008", fault) if fault else None


def funds_fault(paper: Paper) -> Refusal | None:
    """Check a 403 record alone."""
    fault = _stamp_fault(paper)
    if not fault and not moment_holds(paper.get("accountingDate")):
        fault = "accountingDate"
    if not fault and number(paper.get("charge")) <= 0:
        fault = "charge"
    return eport("-401009", fault) if fault else None


def waybill_fault(paper: Paper) -> Refusal | None:
    """Check a 505 record alone."""
    fault = _stamp_fault(paper)
    for name in ("packNo", "grossWeight"):
        if not fault and number(paper.get(name)) <= 0:
            fault = name
    return eport("-504011", fault) if fault else None


def inventory_fault(paper: Paper) -> Refusal | None:
    """Check a 603 record alone, as the e-port does before sending it to customs."""
    if not moment_holds(paper.get("appTime")):
        return eport("-621001", "appTime")
    if repeated_gnum(paper):
        return eport("-621027")
    fault = lines_fault(paper.lines) or _parcel_fault(paper) or _mode_fault(paper)
    return eport("-621001", fault) if fault else None


def compare_with_order(inventory: Paper, order: Paper) -> Refusal | None:
    """Compare a 603 with the stored 303: merchant, kind of order, and every line."""
    if inventory.get("ebcCode") != order.get("ebcCode"):
        return rejection(codes.OWN_MERCHANT)
    if _ORDER_TYPES.get(inventory.get("tradeMode")) != order.get("orderType"):
        return rejection(codes.OWN_MODE)
    if len(inventory.lines) != len(order.lines):
        return rejection("1320")
    ordered = {line.get("gnum", ""): line for line in order.lines}
    for line in inventory.lines:
        other = ordered.get(line.get("gnum", ""))
        if other is None or line.get("currency") != other.get("currency"):
            return rejection("1322")
        for name in _COMPARED:
            one, two = line.get(name, ""), other.get(name, "")
            if one != two and (name == "unit" or number(one) != number(two)):
                return rejection("1322", f"{name}:{one},{name}:{two}")
    return None


def compare_with_waybill(inventory: Paper, waybill: Paper) -> Refusal | None:
    """Compare a 603 with the 505 of its parcel."""
    for name in ("packNo", "grossWeight"):
        if number(inventory.get(name)) != number(waybill.get(name)):
            return rejection(codes.OWN_PARCEL, f"{name}:{inventory.get(name)}")
    return None


def _stamp_fault(paper: Paper) -> str:
    if paper.get("appStatus") != "2":
        return "appStatus"
    return "" if moment_holds(paper.get("appTime")) else "appTime"


def _parcel_fault(paper: Paper) -> str:
    if paper.get("ieFlag") != "E":
        return "ieFlag"
    if number(paper.get("packNo")) < 1:
        return "packNo"
    if number(paper.get("netWeight")) > number(paper.get("grossWeight")):
        return "netWeight"
    return "" if paper.get("statisticsFlag") in {"A", "B"} else "statisticsFlag"


def _mode_fault(paper: Paper) -> str:
    mode = paper.get("tradeMode")
    if mode not in _ORDER_TYPES:
        return "tradeMode"
    if mode != "1210":
        return ""
    for name in ("iacCode", "iacName", "emsNo"):
        if not paper.get(name):
            return name
    return "itemRecordNo" if any(not line.get("itemRecordNo") for line in paper.lines) else ""
