"""The records of any CEB message as heads and lines, read by name and without a schema.

Business rules read what is there: a value that breaks the schema is told by the schema, so here an
amount that is none is simply absent.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from lxml import etree

_DECIMAL: Final = re.compile(r"[+-]?[0-9]{1,19}(?:\.[0-9]{1,10})?", re.ASCII)
_AROUND: Final = frozenset({"BaseTransfer", "BaseSubscribe", "ExtendMessage", "Signature"})


class Line(NamedTuple):
    """One line of a record; ``path`` is below the root: ``Order[1]/OrderList[2]``."""

    path: str
    values: Mapping[str, str]


class Record(NamedTuple):
    """One body record; ``path`` is where the fields of its head are."""

    path: str
    head: Mapping[str, str]
    lines: tuple[Line, ...]

    def text(self, name: str) -> str:
        """A field of the head, empty when absent."""
        return self.head.get(name, "")

    def number(self, name: str) -> Decimal | None:
        """A field of the head as a number, None when it is none."""
        return number_of(self.head.get(name))

    def at(self, name: str) -> str:
        """The path of a field of the head."""
        return f"{self.path}/{name}"


def number_of(text: str | None) -> Decimal | None:
    """A plain decimal number, None for anything else."""
    return Decimal(text) if text and _DECIMAL.fullmatch(text) else None


def records_of(root: etree._Element) -> Iterator[Record]:
    """Every body record below a root, in order."""
    counts: dict[str, int] = {}
    for element in root.iterchildren(etree.Element):
        name = etree.QName(element).localname
        if name in _AROUND:
            continue
        counts[name] = counts.get(name, 0) + 1
        yield _record(element, f"{name}[{counts[name]}]")


def transfer_of(root: etree._Element) -> Mapping[str, str]:
    """The fields of the first BaseTransfer, empty when there is none."""
    for element in root.iterchildren(etree.Element):
        if etree.QName(element).localname == "BaseTransfer":
            return _leaves(element)
    return {}


def _record(element: etree._Element, path: str) -> Record:
    groups = [child for child in element.iterchildren(etree.Element) if len(child)]
    if not groups:
        return Record(path, _leaves(element), ())
    head, *rest = groups
    counts: dict[str, int] = {}
    lines: list[Line] = []
    for group in rest:
        name = etree.QName(group).localname
        counts[name] = counts.get(name, 0) + 1
        lines.append(Line(f"{path}/{name}[{counts[name]}]", _leaves(group)))
    return Record(f"{path}/{etree.QName(head).localname}", _leaves(head), tuple(lines))


def _leaves(element: etree._Element) -> dict[str, str]:
    """Texts of the children that hold no elements; of a repeated one the first."""
    found: dict[str, str] = {}
    for child in element.iterchildren(etree.Element):
        if next(child.iterchildren(etree.Element), None) is None:
            text = "".join(str(part) for part in child.itertext()).strip()
            found.setdefault(etree.QName(child).localname, text)
    return found
