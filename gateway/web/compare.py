"""The three papers side by side: one row a field, how far the sources agree, and where they differ.

What is personal is compared in full and shown masked.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from difflib import SequenceMatcher
from typing import Final

from lxml import etree

from gateway.domain.codec import to_micros
from gateway.domain.findings import Finding
from gateway.domain.money import Money, plain
from gateway.domain.papers import (
    Masked,
    Order,
    PaperKind,
    PaperRevision,
)
from gateway.domain.party import normal_address, normal_name, normal_phone
from gateway.web.masks import PERSONAL, masked
from gateway.web.words import N_
from schemas.errors import SchemaError
from schemas.loader import parse

_LONGEST_DIFF: Final = 400
_NORMAL: Final[Mapping[str, Callable[[str], str]]] = {
    "name": normal_name,
    "address": normal_address,
    "phone": normal_phone,
}


@dataclass(frozen=True, slots=True)
class Field:
    """One row: where its value stands in each paper and in the declaration.

    ``how`` compares (name, address, phone, number, text); ``shown`` masks (see ``masks``).
    """

    group: str
    name: str
    label: str
    order: str = ""
    payment: str = ""
    waybill: str = ""
    element: str = ""
    how: str = "text"
    shown: str = "open"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a text: ``same``, ``del`` (here only) or ``ins`` (in the other only)."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as shown; None where the source has none. ``can_reveal`` names its path.

    ``at`` is the value of a time (UTC microseconds).
    """

    value: str | None
    path: str = ""
    at: int | None = None
    can_reveal: bool = False
    parts: tuple[Part, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One field over all sources, with what agreement there is and the rules that speak of it."""

    group: str
    name: str
    label: str
    detail: str
    cells: tuple[Cell, Cell, Cell, Cell]
    agreement: str
    hint: str = ""
    rules: tuple[str, ...] = ()
    element: str = ""


_G: Final = {
    "identity": N_("Identity"),
    "parties": N_("Parties"),
    "money": N_("Money"),
    "goods": N_("Goods"),
    "transport": N_("Transport"),
    "time": N_("Time"),
}
FIELDS: Final = (
    Field(_G["identity"], "order_no", N_("Order number"), "order_no", "order_no", "order_no",
          "orderNo"),
    Field(_G["identity"], "transaction_id", N_("Payment transaction"), "payment.transaction_id",
          "transaction_id", "", "payTransactionId"),
    Field(_G["identity"], "waybill_no", N_("Waybill number"), "waybill_no", "", "waybill_no",
          "logisticsNo"),
    Field(_G["parties"], "buyer_name", N_("Buyer and payer"), "buyer.name", "payer.name", "",
          "buyerName", "name", "name"),
    Field(_G["parties"], "buyer_id", N_("Identity number"), "buyer.id_number", "payer.id_number",
          "", "buyerIdNumber", "text", "number"),
    Field(_G["parties"], "buyer_phone", N_("Buyer's phone"), "buyer.phone", "payer.phone", "",
          "buyerTelephone", "phone", "number"),
    Field(_G["parties"], "consignee_name", N_("Consignee"), "consignee.name", "", "consignee.name",
          "consignee", "name", "name"),
    Field(_G["parties"], "consignee_phone", N_("Consignee's phone"), "consignee.phone", "",
          "consignee.phone", "consigneeTelephone", "phone", "number"),
    Field(_G["parties"], "consignee_address", N_("Consignee's address"), "consignee.address", "",
          "consignee.address", "consigneeAddress", "address", "address"),
    Field(_G["parties"], "payment_company", N_("Payment company"), "payment.company_code",
          "company_code", "", "payCode"),
    Field(_G["parties"], "carrier", N_("Carrier"), "", "", "carrier_code", "logisticsCode"),
    Field(_G["money"], "goods_value", N_("Goods value"), "goods_value", "", "", "goodsValue",
          "number"),
    Field(_G["money"], "freight", N_("Freight"), "freight", "", "freight", "freight", "number"),
    Field(_G["money"], "insurance", N_("Insurance"), "", "", "insurance", "insuredFee", "number"),
    Field(_G["money"], "discount", N_("Non-cash discount"), "discount", "", "", "discount",
          "number"),
    Field(_G["money"], "tax", N_("Tax withheld"), "tax", "", "", "taxTotal", "number"),
    Field(_G["money"], "paid", N_("Paid"), "paid", "amount", "", "acturalPaid", "number"),
    Field(_G["transport"], "gross", N_("Gross weight (kg)"), "", "", "gross_weight_kg",
          "grossWeight", "number"),
    Field(_G["transport"], "net", N_("Net weight (kg)"), "", "", "net_weight_kg", "netWeight",
          "number"),
    Field(_G["transport"], "packs", N_("Parcels"), "", "", "pack_count", "packNo", "number"),
    Field(_G["time"], "ordered_at", N_("Ordered at"), "ordered_at", "", "",
          how="time"),
    Field(_G["time"], "paid_at", N_("Paid at"), "", "paid_at", "", how="time"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a paper as people name it: which paper, what it is called, which line.

    ``shown`` says how its value is masked.
    """

    paper: str
    label: str
    line: str = ""
    shown: str = "open"


_LINE_FIELDS: Final = {
    "sku": N_("Article"),
    "name": N_("Name of goods"),
    "quantity": N_("Quantity"),
    "price": N_("Unit price"),
    "total": N_("Line total"),
}
_MORE: Final = {
    "payment.identity_check": N_("Identity check of the payment company"),
    "order.buyer.id_type": N_("Kind of the buyer's document"),
    "waybill.carrier_name": N_("Carrier's name"),
    "order.lines": N_("Goods"),
}
_PLACES: Final = {
    f"{kind}.{path}": Place(kind, one.label, shown=one.shown)
    for one in FIELDS
    for kind, path in (("order", one.order), ("payment", one.payment), ("waybill", one.waybill))
    if path
}


def place_of(path: str) -> Place:
    """The field that a path of a finding names; an unknown one is called by its path."""
    known = _PLACES.get(path)
    if known is not None:
        return known
    kind, _, rest = path.partition(".")
    names = rest.split(".")
    if len(names) == 3 and names[0] == "lines" and names[2] in _LINE_FIELDS:
        return Place(kind, _LINE_FIELDS[names[2]], names[1])
    return Place(kind if kind in _KINDS else "", _MORE.get(path, rest or path))


_KINDS: Final = frozenset(kind.value for kind in PaperKind)


def rows(
    papers: Mapping[PaperKind, PaperRevision],
    declared: Mapping[str, str],
    findings: Sequence[Finding],
) -> list[Row]:
    """Every row that any source has a value for, and the lines of the order."""
    found = [
        _row(field, papers, declared, findings)
        for field in FIELDS
        if field.group not in (_G["transport"], _G["time"])
    ]
    found += list(_lines(papers, declared, findings))
    found += [
        _row(field, papers, declared, findings)
        for field in FIELDS
        if field.group in (_G["transport"], _G["time"])
    ]
    return [row for row in found if any(cell.value is not None for cell in row.cells)]


def _row(
    field: Field,
    papers: Mapping[PaperKind, PaperRevision],
    declared: Mapping[str, str],
    findings: Sequence[Finding],
) -> Row:
    places = (
        (PaperKind.ORDER, field.order),
        (PaperKind.PAYMENT, field.payment),
        (PaperKind.WAYBILL, field.waybill),
    )
    raw = [_value(papers.get(kind), path) if path else None for kind, path in places]
    raw.append(declared.get(field.element))
    expected = [bool(path) for _, path in places]
    there = [kind in papers for kind, _ in places]
    missing = any(
        wanted and is_there and value is None
        for wanted, is_there, value in zip(expected, there, raw, strict=False)
    )
    paths = [f"{kind.value}.{path}" for kind, path in places if path]
    # Many fields are optional in one of the papers: only a rule says that one is missed.
    is_missed = missing and any(path in one.paths for one in findings for path in paths)
    agreement = _agreement(raw, field.how, is_missing=is_missed)
    first = next((value for value in raw if isinstance(value, str)), None)
    cells = [
        _cell(value, field, f"{kind.value}.{path}" if path else "", papers.get(kind), first)
        for value, (kind, path) in zip(raw, places, strict=False)
    ]
    cells.append(_cell(raw[3], field, "", None, first))
    rules = tuple(
        dict.fromkeys(one.rule for one in findings if any(path in one.paths for path in paths))
    )
    return Row(
        field.group,
        field.name,
        field.label,
        "",
        (cells[0], cells[1], cells[2], cells[3]),
        agreement,
        _hint(raw) if agreement in ("normalised", "differs") and field.shown != "open" else "",
        rules,
        field.element,
    )


def _cell(
    value: "str | Masked | None",
    field: Field,
    path: str,
    revision: PaperRevision | None,
    first: str | None,
) -> Cell:
    shown = masked(value, field.shown)
    is_time = field.how == "time"
    can_reveal = field.shown != "open" and isinstance(value, str) and bool(path)
    parts: tuple[Part, ...] = ()
    if field.shown == "open" and field.how == "text" and isinstance(value, str):
        if first is not None and first != value and len(first) + len(value) < _LONGEST_DIFF:
            parts = tuple(_parts(first, value))
    source = ""
    if revision is not None and revision.facts and value is not None:
        fact = revision.facts[-1]
        source = f"{fact.source} · {fact.raw_id[:12]} {fact.offset}+{fact.length}"
    at = to_micros(datetime.fromisoformat(value)) if is_time and isinstance(value, str) else None
    return Cell(shown, path, at, can_reveal, parts, source)


def _parts(before: str, after: str) -> Iterator[Part]:
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Part("same", after[c:d])
            continue
        if before[a:b]:
            yield Part("ins", before[a:b])
        if after[c:d]:
            yield Part("del", after[c:d])


def _agreement(values: Sequence["str | Masked | None"], how: str, *, is_missing: bool) -> str:
    known = [value for value in values if isinstance(value, str)]
    if is_missing:
        return "missing"
    if len(known) < 2:
        return "single"
    if how == "number":
        known = [_number(value) for value in known]
    if len(set(known)) == 1:
        return "equal"
    normal = _NORMAL.get(how, str)
    return "normalised" if len({normal(value) for value in known}) == 1 else "differs"


def _number(text: str) -> str:
    head = text.split(" ", maxsplit=1)[0]
    return head.rstrip("0").rstrip(".") if "." in head else head


def _hint(values: Sequence["str | Masked | None"]) -> str:
    """Where personal texts differ, without showing them."""
    known = list(dict.fromkeys(value for value in values if isinstance(value, str)))
    if len(known) < 2:
        return ""
    if "".join(known[0].split()) == "".join(known[1].split()):
        return N_("Only the spacing differs")
    if len(known[0]) != len(known[1]):
        return N_("The lengths differ")
    return N_("Characters differ")


def _lines(
    papers: Mapping[PaperKind, PaperRevision],
    declared: Mapping[str, str],
    findings: Sequence[Finding],
) -> Iterator[Row]:
    revision = papers.get(PaperKind.ORDER)
    if revision is None or not isinstance(revision.paper, Order):
        return
    for line in revision.paper.lines:
        texts = (
            ("sku", N_("Article"), line.sku, "itemNo"),
            ("name", N_("Name of goods"), line.name, "itemName"),
            ("quantity", N_("Quantity"), plain(line.quantity), "qty"),
            ("price", N_("Unit price"), _text(line.price), "price"),
            ("total", N_("Line total"), _text(line.total), "totalPrice"),
        )
        for name, label, value, element in texts:
            filed = declared.get(f"{line.line_no}.{element}")
            path = f"order.lines.{line.line_no}.{name}"
            cell = Cell(
                value, path, source=f"{revision.facts[-1].source}" if revision.facts else ""
            )
            how = "number" if name in ("quantity", "price", "total") else "text"
            yield Row(
                _G["goods"],
                f"line-{line.line_no}-{name}",
                label,
                str(line.line_no),
                (cell, Cell(None), Cell(None), Cell(filed)),
                _agreement([value, filed], how, is_missing=False),
                rules=tuple(dict.fromkeys(one.rule for one in findings if path in one.paths)),
                element=element,
            )


def _value(revision: PaperRevision | None, path: str) -> "str | Masked | None":
    if revision is None:
        return None
    value: object = revision.paper
    for name in path.split("."):
        value = getattr(value, name, None)
    if isinstance(value, Masked):
        return value
    return _text(value)


def _text(value: object) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, Money):
        return f"{_cents(value.amount)} {value.currency}"
    return str(value)


def _cents(amount: Decimal) -> str:
    """An amount with two decimals, or with all that it has."""
    exponent = amount.as_tuple().exponent
    is_fine = isinstance(exponent, int) and exponent < -2
    return plain(amount) if is_fine else format(amount, ".2f")


def revealed(papers: Mapping[PaperKind, PaperRevision], path: str) -> str | None:
    """One personal value in full; only fields that are masked can be asked for."""
    kind, _, rest = path.partition(".")
    allowed = {
        f"{name}.{place}"
        for field in FIELDS
        if field.shown != "open"
        for name, place in (
            ("order", field.order),
            ("payment", field.payment),
            ("waybill", field.waybill),
        )
        if place
    }
    if path not in allowed:
        return None
    value = _value(papers.get(PaperKind(kind)), rest)
    return value if isinstance(value, str) else None


def declared_values(body: bytes, order_no: str) -> dict[str, str]:
    """What a message declares of one order, by element; lines as ``<number>.<element>``."""
    try:
        root = parse(body)
    except SchemaError:
        return {}
    for element in root.iter():
        if etree.QName(element).localname != "orderNo" or "".join(element.itertext()) != order_no:
            continue
        head = element.getparent()
        record = head.getparent() if head is not None else None
        found = _leaves(head) if head is not None else {}
        for child in record if record is not None else ():
            line = _leaves(child)
            if "gnum" in line:
                found |= {f"{line['gnum']}.{name}": value for name, value in line.items()}
        return found
    return {}


def _leaves(parent: "etree._Element") -> dict[str, str]:
    return {
        etree.QName(child).localname: "".join(child.itertext())
        for child in parent
        if isinstance(child.tag, str) and not len(child)
    }


@dataclass(frozen=True, slots=True)
class XMLLine:
    """One line of a message as shown: what is personal is masked, ``is_ours`` marks the case's."""

    number: int
    text: str
    is_ours: bool


def xml_lines(body: bytes, order_no: str, most: int = 4_000) -> list[XMLLine]:
    """A message laid out for reading: an indented copy, never the bytes that were signed."""
    try:
        root = parse(body)
    except SchemaError:
        return []
    ours: set[object] = set()
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        name = etree.QName(element).localname
        text = element.text or ""
        parent = element.getparent()
        if name == "orderNo" and text == order_no and parent is not None:
            record = parent.getparent()
            ours |= set(record.iter()) if record is not None else set()
        if name in PERSONAL and text:
            element.text = masked(text, PERSONAL[name])
    etree.indent(root)
    lines = etree.tostring(root, encoding="unicode").splitlines()
    spans = _spans(root, ours)
    return [XMLLine(number, text, number in spans) for number, text in enumerate(lines[:most], 1)]


def _spans(root: "etree._Element", ours: set[object]) -> set[int]:
    """The line numbers of the elements in ``ours``, counted as the laid-out text has them."""
    number, found = 0, set()
    stack: list[tuple[etree._Element, bool]] = [(root, False)]
    while stack:
        element, is_end = stack.pop()
        number += 1
        if element in ours:
            found.add(number)
        if is_end or not len(element):
            continue
        stack.append((element, True))
        stack.extend((child, False) for child in reversed(element))
    return found


__all__ = [
    "Cell",
    "Part",
    "Place",
    "Row",
    "declared_values",
    "place_of",
    "revealed",
    "rows",
    "xml_lines",
]
