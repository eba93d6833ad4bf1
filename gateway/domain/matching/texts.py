"""The texts of papers that go into declarations: how long they may be and which must be there.

One table per schema edition; a test holds it against the schemas, which are the source.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import Final

from gateway.domain.papers import Masked, Order, OrderLine, Waybill

# What XML 1.0 cannot carry at all.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class TextField:
    """One text of a paper: its path there, its element, its length in characters.

    ``inventory_filed`` says whether the inventory carries it too or the order alone, ``is_needed``
    whether a record is invalid without it. ``is_exact`` asks for that length and no other.
    """

    path: str
    element: str
    longest: int
    is_exact: bool = False
    is_needed: bool = False
    inventory_filed: bool = True


class TextProblem(StrEnum):
    """What can be wrong with a text."""

    MISSING = "missing"
    LENGTH = "length"
    CHARACTER = "character"


@dataclass(frozen=True, slots=True)
class TextFault:
    """One faulty text; ``detail`` is its length or the code point, never the text itself."""

    problem: TextProblem
    path: str
    field: TextField
    detail: str = ""
    is_masked: bool = False


HEAD_TEXTS: Final = (
    TextField("order_no", "orderNo", 60, is_needed=True),
    TextField("buyer.account", "buyerRegNo", 60, is_needed=True, inventory_filed=False),
    TextField("buyer.name", "buyerName", 60, is_needed=True),
    TextField("buyer.phone", "buyerTelephone", 30, is_needed=True),
    TextField("buyer.id_number", "buyerIdNumber", 60, is_needed=True),
    TextField("consignee.name", "consignee", 100, is_needed=True, inventory_filed=False),
    TextField("consignee.phone", "consigneeTelephone", 50, is_needed=True, inventory_filed=False),
    TextField("consignee.address", "consigneeAddress", 200, is_needed=True),
    TextField("consignee.district", "consigneeDistrict", 6, is_exact=True, inventory_filed=False),
    TextField("payment.company_code", "payCode", 18, inventory_filed=False),
    TextField("payment.company_name", "payName", 100, inventory_filed=False),
    TextField("payment.transaction_id", "payTransactionId", 60, inventory_filed=False),
    TextField("batch_numbers", "batchNumbers", 100, inventory_filed=False),
    TextField("note", "note", 1000, inventory_filed=False),
)
LINE_TEXTS: Final = (
    TextField("sku", "itemNo", 30, is_needed=True),
    TextField("name", "itemName", 250, is_needed=True),
    TextField("model", "gmodel", 510, is_needed=True),
    TextField("unit", "unit", 3, is_exact=True, is_needed=True),
    TextField("origin", "country", 3, is_exact=True, is_needed=True),
    TextField("barcode", "barCode", 50),
    TextField("description", "itemDescribe", 1000, inventory_filed=False),
    TextField("note", "note", 1000, inventory_filed=False),
)
WAYBILL_TEXTS: Final = (TextField("waybill_no", "logisticsNo", 60, is_needed=True),)
DIRECT_TEXTS: Final = (
    TextField("transport_no", "trafNo", 100),
    TextField("voyage_no", "voyageNo", 32),
    TextField("bill_no", "billNo", 37),
)


@dataclass(frozen=True, slots=True)
class TextPlan:
    """A compiled list of fields: their values, and (shortest, longest, is needed) of each."""

    fields: tuple[TextField, ...]
    values: Callable[[object], tuple[str | Masked | None, ...]]
    bounds: tuple[tuple[int, int, bool], ...]


@dataclass(frozen=True, slots=True)
class TextTable:
    """The plans of one edition for one kind of profile."""

    head: TextPlan
    line: TextPlan
    waybill: TextPlan


def text_table(*, files_order: bool, is_direct: bool) -> TextTable:
    """The texts of edition 202205 that a profile files: with the order, or the inventory alone."""
    return TextTable(
        head=_plan(HEAD_TEXTS, files_order),
        line=_plan(LINE_TEXTS, files_order),
        waybill=_plan(WAYBILL_TEXTS + (DIRECT_TEXTS if is_direct else ()), files_order),
    )


def _plan(fields: tuple[TextField, ...], files_order: bool) -> TextPlan:
    kept = tuple(field for field in fields if field.inventory_filed or files_order)
    # A getter of one name gives no tuple: the first is read twice, and looked at once.
    getter = attrgetter(*(field.path for field in kept), kept[0].path)
    bounds = tuple(
        (field.longest if field.is_exact else 1, field.longest, field.is_needed) for field in kept
    )
    return TextPlan(kept, getter, bounds)


def order_faults(order: Order, lines: Sequence[OrderLine], table: TextTable) -> list[TextFault]:
    """The faulty texts of an order, head first, lines in the order given."""
    found: list[TextFault] = []
    if not _is_fine(order, table.head):
        found.extend(_faults(order, table.head, "order."))
    for line in lines:
        if not _is_fine(line, table.line):
            found.extend(_faults(line, table.line, f"order.lines.{line.line_no}."))
    return found


def waybill_faults(waybill: Waybill, table: TextTable) -> list[TextFault]:
    """The faulty texts of a waybill."""
    if _is_fine(waybill, table.waybill):
        return []
    return list(_faults(waybill, table.waybill, "waybill."))


def _is_fine(value: object, plan: TextPlan) -> bool:
    """A quick look that never passes a faulty text; the slow one says what is wrong."""
    texts = plan.values(value)
    for text, (shortest, longest, is_needed) in zip(texts, plan.bounds, strict=False):
        if text.__class__ is str:
            size = len(text)
            if size > longest or (size < shortest and (size or is_needed)):
                return False
        elif is_needed or text is not None:
            return False
    return "".join(filter(None, texts)).isprintable()  # type: ignore[arg-type]


def _faults(value: object, plan: TextPlan, prefix: str) -> Iterator[TextFault]:
    for field, text in zip(plan.fields, plan.values(value), strict=False):
        path = prefix + field.path
        if text is None or text == "" or isinstance(text, Masked):
            if field.is_needed:
                yield TextFault(
                    TextProblem.MISSING, path, field, is_masked=isinstance(text, Masked)
                )
            continue
        size = len(text)
        if size > field.longest or (field.is_exact and size < field.longest):
            yield TextFault(TextProblem.LENGTH, path, field, str(size))
        illegal = _ILLEGAL.search(text)
        if illegal is not None:
            code_point = f"U+{ord(illegal.group()):04X} @{illegal.start() + 1}"
            yield TextFault(TextProblem.CHARACTER, path, field, code_point)
