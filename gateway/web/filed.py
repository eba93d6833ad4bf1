"""What a message declares of one order, field by field, as the schema names the fields.

Personal values are masked, as everywhere on a page.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from lxml import etree

from gateway.web.masks import PERSONAL, masked
from schemas.errors import SchemaError
from schemas.loader import parse
from schemas.plan import ElementPlan, load_plan

_FAMILY: Final = "ceb"
# Labels only: a field has the same name in every edition.
_EDITION: Final = "202205"


@dataclass(frozen=True, slots=True)
class Filed:
    """One field of a record: its element, its labels in both languages, the value as shown."""

    element: str
    zh: str
    en: str
    value: str


@dataclass(frozen=True, slots=True)
class FiledPart:
    """The head of a record (``number`` is empty), or one of its lines."""

    number: str
    fields: tuple[Filed, ...]


def filed_parts(body: bytes, order_no: str) -> list[FiledPart]:
    """The record of an order in a message: its head, then its lines; empty when it is not there."""
    try:
        root = parse(body)
    except SchemaError:
        return []
    labels = _labels(etree.QName(root).localname)
    for element in root.iter():
        if not isinstance(element.tag, str) or etree.QName(element).localname != "orderNo":
            continue
        head = element.getparent()
        if head is None or "".join(element.itertext()) != order_no:
            continue
        record = head.getparent()
        parts = [head, *(one for one in record if one is not head)] if record is not None else []
        found = (_part(one, labels) for one in parts if isinstance(one.tag, str) and len(one))
        return [one for one in found if one.fields]
    return []


def _part(parent: "etree._Element", labels: dict[str, tuple[str, str]]) -> FiledPart:
    fields = tuple(_fields(parent, labels))
    number = next((one.value for one in fields if one.element == "gnum"), "")
    return FiledPart(number, fields)


def _fields(parent: "etree._Element", labels: dict[str, tuple[str, str]]) -> Iterator[Filed]:
    for child in parent:
        if not isinstance(child.tag, str) or len(child):
            continue
        name = etree.QName(child).localname
        value = "".join(child.itertext())
        if not value:
            continue
        shown = masked(value, PERSONAL[name]) if name in PERSONAL else value
        zh, en = labels.get(name, (name, name))
        yield Filed(name, zh, en, shown or "")


@cache
def _labels(message: str) -> dict[str, tuple[str, str]]:
    """The labels of every leaf of a message's records, from the newest schemas."""
    plan = load_plan(_FAMILY, _EDITION).get(message)
    if plan is None:
        return {}
    found: dict[str, tuple[str, str]] = {}
    waiting: list[ElementPlan] = [plan.record]
    while waiting:
        one = waiting.pop()
        waiting.extend(one.children)
        if not one.children:
            found.setdefault(one.name, (one.label_zh, one.label_en))
    return found
