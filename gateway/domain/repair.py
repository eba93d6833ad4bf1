"""Repair: what a fix needs before it may be applied, and a paper with one field corrected.

A form fix (spelling, padding, numbering) is applied by staff. A fact fix needs the owner of the
paper, and money or identity needs a second person in any case: four eyes alone do not make a fact.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum
from typing import Any, Final

from gateway.domain.errors import InvalidValue
from gateway.domain.findings import Finding, Fix, FixKind
from gateway.domain.goods import GoodsRecord
from gateway.domain.money import CNY, Money, parse_decimal
from gateway.domain.papers import Order, Paper, PaperKind, known


class Need(StrEnum):
    """What a fix needs beside the person who proposes it."""

    OWNER = "owner"
    SECOND_PERSON = "second_person"


_MONEY: Final = frozenset(
    {"goods_value", "freight", "discount", "tax", "paid", "price", "total", "amount", "insurance"}
)
_DECIMALS: Final = frozenset({"quantity", "gross_weight_kg", "net_weight_kg"})
_COUNTS: Final = frozenset({"pack_count", "line_no"})
_PERSONS: Final = frozenset({"buyer", "payer"})
_TEXTS: Final = frozenset(
    {
        "name", "phone", "id_number", "id_type", "account", "address", "district", "sku", "model",
        "unit", "origin", "barcode", "description", "note", "waybill_no", "batch_numbers",
        "company_code", "company_name", "transaction_id", "carrier_code", "carrier_name",
        "goods_info", "bill_no", "transport_no", "voyage_no",
    }
)  # fmt: skip


_GOODS: Final = "goods:"
_RECORD_DECIMALS: Final = frozenset(
    {
        "factor1", "factor2", "net_weight_kg", "gross_weight_kg", "vat_rate", "consumption_rate",
        "tariff_rate",
    }
)  # fmt: skip
_RECORD_DAYS: Final = frozenset({"valid_from", "valid_to"})
_RECORD_TEXTS: Final = frozenset(
    {"hs_code", "name", "model", "origin", "unit", "unit1", "unit2", "item_record_no", "barcode"}
)


def needs_of(fix: Fix) -> frozenset[Need]:
    """What must be there before a fix is applied."""
    names = fix.path.split(".")
    touches = names[-1] in _MONEY | {"quantity"} or bool(_PERSONS & set(names))
    second = {Need.SECOND_PERSON} if touches else set()
    owner = {Need.OWNER} if fix.kind is FixKind.FACT else set()
    return frozenset(second | owner)


def cause_of(finding: Finding) -> str:
    """What findings of one cause have in common: the rule and the fields, not values or lines."""
    fields = sorted({_general(path) for path in finding.paths})
    return "|".join((finding.rule, *fields))


def _general(path: str) -> str:
    """A path without line numbers and SKUs."""
    names = [name for name in path.split(".") if not name.isdecimal()]
    return ".".join("goods" if name.startswith("goods:") else name for name in names)


def kind_of_path(path: str) -> PaperKind | None:
    """The paper that a path leads into; None for goods records, profile and whole papers."""
    name, dot, _ = path.partition(".")
    return PaperKind(name) if dot and name in tuple(kind.value for kind in PaperKind) else None


def goods_place(path: str) -> tuple[str, str] | None:
    """SKU and field of a path into a goods record (``goods:SKU.unit``); None for any other path, a
    whole record included: that is imported.
    """
    sku, _, field = path.removeprefix(_GOODS).rpartition(".")
    known = _RECORD_DECIMALS | _RECORD_DAYS | _RECORD_TEXTS | {"rate_year"}
    return (sku, field) if path.startswith(_GOODS) and sku and field in known else None


def with_goods_value(record: GoodsRecord, path: str, text: str) -> GoodsRecord:
    """The goods record with one field changed; its version is for the store to raise.

    Raises :class:`InvalidValue` naming the path, also where the record would contradict itself.
    """
    place = goods_place(path)
    if place is None or place[0] != record.sku:
        raise InvalidValue(path, "is no field of a goods record that can be corrected")
    if not text.strip():
        raise InvalidValue(path, "needs a value")
    changed = replace(record, **{place[1]: _record_value(path, place[1], text.strip())})
    try:
        changed.check()
    except InvalidValue as error:
        raise InvalidValue(path, error.reason) from None
    return changed


def _record_value(path: str, name: str, text: str) -> Any:  # Any: fields of different types
    if name in _RECORD_DECIMALS:
        return parse_decimal(text, path)
    if name == "rate_year":
        if not text.isdecimal() or len(text) != 4:
            raise InvalidValue(path, "must be a year")
        return int(text)
    if name in _RECORD_DAYS:
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise InvalidValue(path, "must be a day as YYYY-MM-DD") from None
    return text


def value_from(fix: Fix, finding: Finding, papers: Mapping[PaperKind, Paper]) -> str | None:
    """The full value that a fix stands for; None where it has to be asked for.

    A personal value is masked in the finding: it is read from the other paper that the finding
    names under the same field.
    """
    leaf = fix.path.rpartition(".")[2]
    if leaf in _MONEY | _DECIMALS | _COUNTS:
        return fix.value
    for path in finding.paths:
        kind = kind_of_path(path)
        same = path != fix.path and path.rpartition(".")[2] == leaf
        if kind is None or not same or kind not in papers:
            continue
        found = value_at(papers[kind], path)
        if found is not None:
            return found
    return fix.value if fix.value is not None and "*" not in fix.value else None


def value_at(paper: Paper, path: str) -> str | None:
    """The known value at a path as text, None when it is absent or masked."""
    found: Any = paper
    for name in path.split(".")[1:]:
        if name == "lines" or found is None:
            continue
        if name.isdecimal() and isinstance(found, Order):
            number = int(name)
            found = next((line for line in found.lines if line.line_no == number), None)
        else:
            found = getattr(found, name, None)
    if isinstance(found, Money):
        return str(found.amount)
    return known(found) if isinstance(found, str) else None if found is None else _shown(found)


def _shown(value: object) -> str | None:
    """Numbers as text; masked values and structures are no text."""
    return str(value) if isinstance(value, int) or hasattr(value, "as_tuple") else None


def with_value(paper: Paper, path: str, text: str) -> Paper:
    """The paper with one field changed. Raises :class:`InvalidValue` naming the path.

    ``order.lines.2.total`` is the total of the line with number 2. A price or total of a line
    changes nothing else: what follows from it is for the rules to say.
    """
    kind = kind_of_path(path)
    names = path.split(".")[1:]
    if kind is None or not names or names[-1] not in _MONEY | _DECIMALS | _COUNTS | _TEXTS:
        raise InvalidValue(path, "is no field of a paper that can be corrected")
    if not text.strip():
        raise InvalidValue(path, "needs a value")
    if names[0] == "lines":
        return _with_line(paper, path, names[1:], text)
    changed: Paper = _replaced(paper, path, names, _typed(path, names[-1], text))
    return changed


def _with_line(paper: Paper, path: str, names: list[str], text: str) -> Paper:
    number = int(names[0]) if len(names) == 2 and names[0].isdecimal() else 0
    if not isinstance(paper, Order) or all(line.line_no != number for line in paper.lines):
        raise InvalidValue(path, "names no line of the order")
    value = _typed(path, names[1], text)
    lines = [
        _replaced(line, path, names[1:], value) if line.line_no == number else line
        for line in paper.lines
    ]
    return replace(paper, lines=tuple(lines))


# Any: papers and the parts of papers are different dataclasses.
def _replaced(at: Any, path: str, names: list[str], value: object) -> Any:
    name = names[0]
    if not hasattr(at, name):
        raise InvalidValue(path, "is no field of this paper")
    if len(names) == 1:
        return replace(at, **{name: value})
    part = getattr(at, name)
    if not hasattr(part, names[1]):
        raise InvalidValue(path, "is no field of this paper")
    return replace(at, **{name: replace(part, **{names[1]: value})})


def _typed(path: str, name: str, text: str) -> object:
    """The text as the field's type."""
    if name in _MONEY:
        return Money(parse_decimal(text, path), CNY)
    if name in _DECIMALS:
        return parse_decimal(text, path)
    if name in _COUNTS:
        if not text.isdecimal() or len(text) > 9:
            raise InvalidValue(path, "must be a whole number")
        return int(text)
    return text
