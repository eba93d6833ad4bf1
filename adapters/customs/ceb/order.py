"""The order (CEB311): from the order paper to the fields of one record.

Every element that is not named here is left out. What the profile decides (parties, currency) is
folded into the writer when it is compiled.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final, NamedTuple

from adapters.customs.ceb.records import FieldFault, constants, foreign_amounts, write_or_fault
from gateway.domain.money import CNY
from gateway.domain.papers import Order
from gateway.domain.profile import FilingProfile
from gateway.ports import DeclarationInput
from schemas.plan import MessagePlan
from schemas.sources import Source, attr, call, const, each
from schemas.writer import compile_writer

MESSAGE: Final = "CEB311Message"

_ARGUMENTS: Final = ("order", "declaration", "guid", "payment")
_RESIDENT_IDENTITY_CARD: Final = "1"


class PaymentNamed(NamedTuple):
    """Which payment company and transaction the order names; absent parts are left out."""

    code: str | None
    name: str | None
    transaction_id: str | None


class OrderRecords:
    """Writes 311 records under one profile version."""

    def __init__(self, plan: MessagePlan, profile: FilingProfile) -> None:
        self._profile = profile
        self.writer = compile_writer(plan, _sources(profile), arguments=_ARGUMENTS)

    def write(self, given: DeclarationInput) -> str:
        """One Order as canonical XML text; raises :class:`RecordFaults` naming every fault."""
        order = given.order
        payment = payment_named(order, given.payment_transaction_id, self._profile)
        write = partial(self.writer.record, order, given.declaration, given.guid, payment)
        return write_or_fault(write, _foreign(order))


def payment_named(order: Order, transaction_id: str | None, profile: FilingProfile) -> PaymentNamed:
    """The payment as the order states it, completed from the slip and the profile.

    The company is the one the order names, else the profile's only one. A company that the
    profile knows is filed under its registered name.
    """
    stated = order.payment
    company = profile.payment_company(stated.company_code)
    return PaymentNamed(
        stated.company_code or (company.code if company else None),
        company.name if company else stated.company_name,
        stated.transaction_id or transaction_id,
    )


def id_type(stated: str | None) -> str:
    """The kind of identity document: the resident card unless the source says otherwise."""
    return stated or _RESIDENT_IDENTITY_CARD


def _foreign(order: Order) -> list[FieldFault]:
    """Amounts in another currency; the first pass is the fast way to say that there are none."""
    head = (order.goods_value, order.freight, order.discount, order.tax, order.paid)
    for money in head:
        if money.currency != CNY:
            break
    else:
        for line in order.lines:
            if line.price.currency != CNY or line.total.currency != CNY:
                break
        else:
            return []
    names = ("goodsValue", "freight", "discount", "taxTotal", "acturalPaid")
    found = [(f"OrderHead/{name}", money) for name, money in zip(names, head, strict=True)]
    for number, line in enumerate(order.lines, 1):
        found.append((f"OrderList[{number}]/price", line.price))
        found.append((f"OrderList[{number}]/totalPrice", line.total))
    return foreign_amounts(found)


def _sources(profile: FilingProfile) -> Mapping[str, Source]:
    lines: dict[str, Source] = {
        "gnum": attr("line.line_no"),
        "itemNo": attr("line.sku"),
        "itemName": attr("line.name"),
        "gmodel": attr("line.model"),
        "itemDescribe": attr("line.description"),
        "barCode": attr("line.barcode"),
        "unit": attr("line.unit"),
        "qty": attr("line.quantity"),
        "price": attr("line.price.amount"),
        "totalPrice": attr("line.total.amount"),
        "country": attr("line.origin"),
        "note": attr("line.note"),
    }
    head: dict[str, Source] = {
        "guid": attr("guid"),
        "appType": attr("declaration.app_type"),
        "appTime": attr("declaration.app_time"),
        "appStatus": const("2"),
        "orderType": const("I"),
        "orderNo": attr("order.order_no"),
        "goodsValue": attr("order.goods_value.amount"),
        "freight": attr("order.freight.amount"),
        "discount": attr("order.discount.amount"),
        "taxTotal": attr("order.tax.amount"),
        "acturalPaid": attr("order.paid.amount"),
        "currency": const("142"),
        "buyerRegNo": attr("order.buyer.account"),
        "buyerName": attr("order.buyer.name"),
        "buyerTelephone": attr("order.buyer.phone"),
        "buyerIdType": call(id_type, "order.buyer.id_type"),
        "buyerIdNumber": attr("order.buyer.id_number"),
        "payCode": attr("payment.code"),
        "payName": attr("payment.name"),
        "payTransactionId": attr("payment.transaction_id"),
        "batchNumbers": attr("order.batch_numbers"),
        "consignee": attr("order.consignee.name"),
        "consigneeTelephone": attr("order.consignee.phone"),
        "consigneeAddress": attr("order.consignee.address"),
        "consigneeDistrict": attr("order.consignee.district"),
        "note": attr("order.note"),
    }
    parties = constants(
        (
            ("ebpCode", profile.platform.code),
            ("ebpName", profile.platform.name),
            ("ebcCode", profile.merchant.code),
            ("ebcName", profile.merchant.name),
        )
    )
    mapping = {f"OrderHead/{name}": source for name, source in (head | parties).items()}
    return mapping | {"OrderList": each("order.lines", var="line", sources=lines)}
