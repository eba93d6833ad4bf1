"""What orders of many buyers should not share: phones and addresses, for a look at repeats (刷单).

A trace is such a value in its normal form with the span of days in which a case named it. It is
stored as a keyed hash of its tenant alone, beside the numbers of papers.
"""

from collections.abc import Mapping
from datetime import date
from typing import Final

from gateway.domain.papers import Order, known
from gateway.domain.party import normal_address, normal_phone

_SPAN_DAYS: Final = 15
# What is left of the present span and the two before it: 30 days and more, 45 at most.
_SPANS: Final = 3


def traced(order: Order) -> Mapping[str, str]:
    """What is traced of an order, by what it is: the buyer's ``phone``, the ``address``.

    What is masked or absent is no trace.
    """
    phone, address = known(order.buyer.phone), known(order.consignee.address)
    found = {
        "phone": "" if phone is None else normal_phone(phone),
        "address": "" if address is None else normal_address(address),
    }
    return {what: value for what, value in found.items() if value}


def trace_of(what: str, value: str, day: date) -> str:
    """The trace that a case leaves on a day."""
    return f"{what}|{day.toordinal() // _SPAN_DAYS}|{value}"


def traces_of_late(what: str, value: str, day: date) -> tuple[str, ...]:
    """The traces of one value that cases of late left, as seen on a day."""
    span = day.toordinal() // _SPAN_DAYS
    return tuple(f"{what}|{span - back}|{value}" for back in range(_SPANS))
