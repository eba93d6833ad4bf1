"""What the authority checks in the carrier's word that a parcel was delivered (513).

It is held against the books: the parcel's waybill is stored, and its inventory was released.
"""

from adapters.sandbox.customs.checks import Refusal, eport, moment_holds
from adapters.sandbox.customs.ledger import Ledger
from adapters.sandbox.customs.messages import Paper

_SIGNED = "S"


def fault(books: Ledger, paper: Paper) -> Refusal | None:
    """Check a 513: signed for, at a time that is past, a parcel that customs let go."""
    for name in ("appTime", "logisticsTime"):
        if not moment_holds(paper.get(name)):
            return eport("-505011", name)
    wanted = {"appStatus": "2", "logisticsStatus": _SIGNED}
    for name, value in wanted.items():
        if paper.get(name) != value:
            return eport("-505011", name)
    if paper.get("logisticsTime") > paper.get("appTime"):
        return eport("-505011", "logisticsTime")
    parcel = paper.get("logisticsCode"), paper.get("logisticsNo")
    filed = books.filed_waybills.get(parcel)
    is_held = parcel in books.waybills if filed is None else filed.stored is not None
    if not is_held:
        return eport("-505014", "logisticsNo")
    declared = (one for one in books.by_waybill.get(parcel, ()) if one.live)
    is_released = any("800" in one.trail for one in declared)
    return None if is_released else eport("-505014", "logisticsNo")


def order_of(books: Ledger, paper: Paper) -> str:
    """The order of the parcel, as its waybill or its inventory names it; empty for none."""
    parcel = paper.get("logisticsCode"), paper.get("logisticsNo")
    waybill = books.filed_waybills.get(parcel)
    told = [*([] if waybill is None else [waybill]), *books.by_waybill.get(parcel, ())]
    return next((number for one in told if (number := one.paper.get("orderNo"))), "")
