"""What the authority checks in a record: alone, and against the other papers it holds.

Every check is a pure function that returns the first :class:`Refusal` or ``None``.
Sources: business rules and codes of the import message specification; codes beginning 1399
are this sandbox's own (see :mod:`adapters.sandbox.customs.codes`).
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from adapters.sandbox.customs import codes
from adapters.sandbox.customs.ledger import PaymentCopy, WaybillCopy
from adapters.sandbox.customs.messages import Paper
from adapters.sandbox.customs.settings import AddressCheck

CENT: Final = Decimal("0.01")
ANNUAL_CAP: Final = Decimal(26000)
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS: Final = "10X98765432"
_FOLDED_OUT: Final = re.compile(r"[\s\W_]+")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A receipt status below zero or 100, with its returnInfo."""

    status: str
    info: str


def eport(code: str, detail: str = "") -> Refusal:
    """Make a processing error of the e-port."""
    return Refusal(code, codes.eport_text(code, detail))


def rejection(code: str, compared: str = "") -> Refusal:
    """Make a customs rejection (status 100)."""
    return Refusal("100", codes.rejection_text(code, compared))


def number(text: str) -> Decimal:
    """Read a decimal that may be absent; an unreadable one counts as zero (schema's affair)."""
    try:
        return Decimal(text) if text else Decimal(0)
    except InvalidOperation:
        return Decimal(0)


def identity_holds(id_number: str) -> bool:
    """Tell whether an 18-character resident identity number has its check digit (GB 11643)."""
    if len(id_number) != 18 or not id_number[:17].isdigit() or not id_number.isascii():
        return False
    total = sum(int(digit) * weight for digit, weight in zip(id_number, _WEIGHTS, strict=False))
    return _CHECK_DIGITS[total % 11] == id_number[17].upper()


def moment_holds(text: str) -> bool:
    """Tell whether 14 digits are a time that exists."""
    try:
        datetime.strptime(f"{text}+0800", "%Y%m%d%H%M%S%z")
    except ValueError:
        return False
    return len(text) == 14


def _buyer_fault(paper: Paper) -> str:
    if paper.get("buyerIdType") != "1":
        return "buyerIdType"
    return "" if identity_holds(paper.get("buyerIdNumber")) else "buyerIdNumber"


def lines_fault(lines: tuple[Mapping[str, str], ...]) -> str:
    """Return the field of a line that does not add up, empty when all do."""
    for line in lines:
        product = number(line.get("qty", "")) * number(line.get("price", ""))
        if abs(product - number(line.get("totalPrice", ""))) > CENT:
            return "totalPrice"
    return ""


def repeated_gnum(paper: Paper) -> bool:
    """Tell whether two lines bear one number."""
    return len({line.get("gnum") for line in paper.lines}) != len(paper.lines)


def order_fault(paper: Paper) -> Refusal | None:
    """Check a 311 record alone, as the e-port does before storing it."""
    if paper.get("appStatus") != "2":
        return eport("-301008", "appStatus")
    if not moment_holds(paper.get("appTime")):
        return eport("-301008", "appTime")
    if repeated_gnum(paper):
        return eport("-301002")
    fault = _buyer_fault(paper) or lines_fault(paper.lines) or _order_sum_fault(paper)
    return eport("-301008", fault) if fault else None


def payment_fault(paper: Paper) -> Refusal | None:
    """Check a 411 record alone, as the e-port does before storing it."""
    if paper.get("appStatus") != "2":
        return eport("-401009", "appStatus")
    for name in ("appTime", "payTime"):
        if not moment_holds(paper.get(name)):
            return eport("-401009", name)
    if paper.get("payerIdType") != "1":
        return eport("-401009", "payerIdType")
    if not identity_holds(paper.get("payerIdNumber")):
        return eport("-401009", "payerIdNumber")
    return None if number(paper.get("amountPaid")) > 0 else eport("-401009", "amountPaid")


def waybill_fault(paper: Paper) -> Refusal | None:
    """Check a 511 record alone, as the e-port does before storing it."""
    if paper.get("appStatus") != "2":
        return eport("-504011", "appStatus")
    if not moment_holds(paper.get("appTime")):
        return eport("-504011", "appTime")
    if number(paper.get("packNo")) != 1:
        return eport("-504011", "packNo")
    return None if number(paper.get("weight")) > 0 else eport("-504011", "weight")


def _order_sum_fault(paper: Paper) -> str:
    goods = number(paper.get("goodsValue"))
    if sum((number(line.get("totalPrice", "")) for line in paper.lines), Decimal(0)) != goods:
        return "goodsValue"
    paid = goods + number(paper.get("freight")) + number(paper.get("taxTotal"))
    paid -= number(paper.get("discount"))
    return "" if paid == number(paper.get("acturalPaid")) else "acturalPaid"


def dutiable_value(paper: Paper) -> Decimal:
    """Return goods, freight and insurance of a 621 in CNY: what the limits are measured on."""
    goods = sum((number(line.get("totalPrice", "")) for line in paper.lines), Decimal(0))
    return goods + number(paper.get("freight")) + number(paper.get("insuredFee"))


def inventory_fault(paper: Paper, single_limit: Decimal) -> Refusal | None:
    """Check a 621 record alone, as the e-port does before sending it to customs."""
    if not moment_holds(paper.get("appTime")):
        return eport("-621001", "appTime")
    if repeated_gnum(paper):
        return eport("-621027")
    fault = (
        _buyer_fault(paper)
        or lines_fault(paper.lines)
        or _parcel_fault(paper)
        or _mode_fault(paper)
    )
    if fault:
        return eport("-621001", fault)
    value = dutiable_value(paper)
    one_item = len(paper.lines) == 1 and number(paper.lines[0].get("qty", "")) == 1
    if value > (ANNUAL_CAP if one_item else single_limit):
        return eport("-621005")
    return None


def _parcel_fault(paper: Paper) -> str:
    if paper.get("ieFlag") != "I":
        return "ieFlag"
    if number(paper.get("packNo")) != 1:
        return "packNo"
    if number(paper.get("netWeight")) > number(paper.get("grossWeight")):
        return "netWeight"
    guarantors = {paper.get(name) for name in ("ebpCode", "ebcCode", "logisticsCode", "agentCode")}
    return "" if paper.get("assureCode") in guarantors else "assureCode"


def _mode_fault(paper: Paper) -> str:
    mode = paper.get("tradeMode")
    if mode == "9610":
        return _missing(paper, ("trafNo", "voyageNo", "billNo"))
    if mode in {"1210", "1239"}:
        missing = _missing(paper, ("emsNo", "areaCode", "areaName"))
        if missing:
            return missing
        if paper.get("country") != "142":
            return "country"
        bare = any(not line.get("itemRecordNo") for line in paper.lines)
        return "itemRecordNo" if bare else ""
    return "tradeMode"


def _missing(paper: Paper, names: tuple[str, ...]) -> str:
    return next((name for name in names if not paper.get(name)), "")


def compare_with_order(
    inventory: Paper, order: Paper, address: AddressCheck, colon: str
) -> Refusal | None:
    """Compare a 621 with the stored 311; ``colon`` stands before the second compared value."""
    if inventory.get("ebcCode") != order.get("ebcCode"):
        return rejection(codes.OWN_MERCHANT)
    for name, code in (
        ("buyerName", "13127"),
        ("buyerTelephone", "130126"),
        ("buyerIdNumber", codes.OWN_BUYER_ID),
    ):
        ours, theirs = inventory.get(name), order.get(name)
        if ours != theirs:
            return rejection(code, f"InvtHead.{name}:{ours},OrderHead.{name}{colon}{theirs}")
    if len(inventory.lines) != len(order.lines):
        return rejection(
            "1320",
            f"InvtList.count:{len(inventory.lines)},OrderList.count{colon}{len(order.lines)}",
        )
    if not _same_lines(inventory, order):
        return rejection("1322")
    if not _same_address(inventory.get("consigneeAddress"), order.get("consigneeAddress"), address):
        return rejection(codes.OWN_ADDRESS)
    return None


def _same_lines(inventory: Paper, order: Paper) -> bool:
    ordered = {number(line.get("gnum", "")): line for line in order.lines}
    for line in inventory.lines:
        other = ordered.get(number(line.get("gnum", "")))
        if other is None or line.get("gname", "") != other.get("itemName", ""):
            return False
        for name in ("qty", "price", "totalPrice"):
            if number(line.get(name, "")) != number(other.get(name, "")):
                return False
    return True


def _fold(text: str) -> str:
    return _FOLDED_OUT.sub("", unicodedata.normalize("NFKC", text))


def _same_address(one: str, other: str, check: AddressCheck) -> bool:
    match check:
        case AddressCheck.OFF:
            return True
        case AddressCheck.LITERAL:
            return one == other
        case AddressCheck.FOLDED:
            return _fold(one) == _fold(other)


def compare_with_payment(order: Paper, payment: PaymentCopy, colon: str) -> Refusal | None:
    """Compare the stored 311 with the payment company's own copy."""
    if order.get("payCode") and order.get("payCode") != payment.pay_code:
        return rejection("13035")
    for ours, theirs, name in (
        (order.get("buyerName"), payment.payer_name, "Name"),
        (order.get("buyerIdNumber"), payment.payer_id_number, "IdNumber"),
    ):
        if ours != theirs:
            return rejection(
                "1327", f"OrderHead.buyer{name}:{ours},PaymentHead.payer{name}{colon}{theirs}"
            )
    paid = number(order.get("acturalPaid"))
    if paid != payment.amount:
        return rejection(
            "1332", f"OrderHead.acturalPaid:{paid},PaymentHead.amountPaid{colon}{payment.amount}"
        )
    return None


def compare_with_waybill(
    order: Paper, waybill: WaybillCopy, address: AddressCheck
) -> Refusal | None:
    """Compare the stored 311 with the carrier's own copy."""
    same = (
        order.get("consignee") == waybill.consignee
        and order.get("consigneeTelephone") == waybill.consignee_telephone
        and _same_address(order.get("consigneeAddress"), waybill.consignee_address, address)
    )
    return None if same else rejection(codes.OWN_CONSIGNEE)
