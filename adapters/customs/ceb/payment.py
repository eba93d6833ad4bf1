"""The payment (CEB411): from the payment slip to the fields of one record.

Filed by the payment company itself or by an operator entrusted with it, so what is filed is the
slip as its source spells it. The order number is the declared one.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

from adapters.customs.ceb.order import id_type
from adapters.customs.ceb.records import (
    FieldFault,
    RecordFaults,
    constants,
    foreign_amounts,
    write_or_fault,
)
from adapters.customs.ceb.times import app_time
from gateway.domain.codec import to_micros
from gateway.domain.profile import FilingProfile
from gateway.ports import DeclarationInput
from schemas.plan import MessagePlan
from schemas.sources import Source, attr, call, const
from schemas.writer import compile_writer

MESSAGE: Final = "CEB411Message"

_ARGUMENTS: Final = ("order", "payment", "declaration", "guid", "company")


class Company(NamedTuple):
    """The payment company under the code and name that customs knows it by."""

    code: str | None
    name: str | None


class PaymentRecords:
    """Writes 411 records under one profile version."""

    def __init__(self, plan: MessagePlan, profile: FilingProfile) -> None:
        self._profile = profile
        self.writer = compile_writer(plan, _sources(profile), arguments=_ARGUMENTS)

    def write(self, given: DeclarationInput) -> str:
        """One Payment as canonical XML text; raises :class:`RecordFaults` naming every fault."""
        payment = given.payment
        if payment is None:
            raise RecordFaults([FieldFault("PaymentHead/payTransactionId", "needs a payment slip")])
        known = self._profile.payment_company(payment.company_code)
        company = Company(
            known.code if known else payment.company_code,
            known.name if known else payment.company_name,
        )
        faults = foreign_amounts([("PaymentHead/amountPaid", payment.amount)])
        write = partial(
            self.writer.record, given.order, payment, given.declaration, given.guid, company
        )
        return write_or_fault(write, faults)


def local_time(moment: datetime | None) -> str | None:
    """The 14 digits of a moment in Beijing, None for none."""
    return None if moment is None else app_time(to_micros(moment))


def _sources(profile: FilingProfile) -> Mapping[str, Source]:
    head: dict[str, Source] = {
        "guid": attr("guid"),
        "appType": attr("declaration.app_type"),
        "appTime": attr("declaration.app_time"),
        "appStatus": const("2"),
        "payCode": attr("company.code"),
        "payName": attr("company.name"),
        "payTransactionId": attr("payment.transaction_id"),
        "orderNo": attr("order.order_no"),
        "payerIdType": call(id_type, "payment.payer.id_type"),
        "payerIdNumber": attr("payment.payer.id_number"),
        "payerName": attr("payment.payer.name"),
        "telephone": attr("payment.payer.phone"),
        "amountPaid": attr("payment.amount.amount"),
        "currency": const("142"),
        "payTime": call(local_time, "payment.paid_at"),
        "note": attr("payment.note"),
    }
    platform = constants((("ebpCode", profile.platform.code), ("ebpName", profile.platform.name)))
    return {f"PaymentHead/{name}": source for name, source in (head | platform).items()}
