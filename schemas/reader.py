"""The compiled tolerant reader.

What comes from outside is read by namespace and name, never by prefix or order. What is odd but
harmless is kept as a note; what makes one record unusable is a fault of that record alone: the
other records of the file are read as if nothing had happened.

Tolerance, as written down for every field. A note: elements in another order; an optional field
outside its facets; an unknown element or attribute; white space around a value; a code that no list
has; an empty field that has a default; a lower-case guid; a value longer than advised; another
spelling of a field; a field that real receipts lack or have against the official schema (the
schema files say which: ``tolerance``); a root or a trailer as old samples have them. A fault of the
record: a mandatory field that is absent or blank, or that breaks its facets; a field that occurs
twice; elements, comments or processing instructions inside a value. Silently taken: any prefix or
none, an optional field that is absent or empty. A field whose facets the sender is known to break
can be named in ``lenient``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from lxml import etree

from schemas.errors import UnknownPathError
from schemas.plan import ElementPlan, Facets, MessagePlan, Tolerance, ValueKind

_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_SPACE: Final = " \t\r\n"
_BUSINESS: Final = re.compile(r"CEB[0-9]{3}(?:Message)?")
_ATTRIBUTES: Final = etree.XPath("boolean(descendant-or-self::*/@*)")
_DSIG: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"


class OddKind(StrEnum):
    """What is odd about a part of a document."""

    UNKNOWN_ELEMENT = "unknown-element"
    TRIMMED = "trimmed"
    FACET = "facet"
    MISSING = "missing"
    REPEATED = "repeated"
    MARKUP = "markup"
    STRAY_TEXT = "stray-text"
    ATTRIBUTE = "attribute"
    ORDER = "order"
    UNKNOWN_CODE = "unknown-code"
    LOWER_CASE = "lower-case"
    DEFAULTED = "defaulted"
    LONG = "long"
    ABSENT = "absent"
    UNSPECIFIED = "unspecified"
    SPELLING = "spelling"
    ENCODING = "encoding"


@dataclass(frozen=True, slots=True)
class Odd:
    """One oddity: where, and what. Never the value."""

    path: str
    kind: OddKind


@dataclass(frozen=True, slots=True)
class MessageKind:
    """What a root element says a document is."""

    namespace: str
    name: str

    @property
    def is_business(self) -> bool:
        """Whether the name is that of a CEB message, whatever its number, with Message or not."""
        return _BUSINESS.fullmatch(self.name) is not None


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One body record: ``fields`` by path below the record, ``lists`` by path of the repeat.

    A record with ``faults`` must not be acted on; it is kept and shown to a person.
    """

    element: etree._Element
    fields: Mapping[str, str]
    lists: Mapping[str, tuple[Mapping[str, str], ...]]
    notes: tuple[Odd, ...]
    faults: tuple[Odd, ...]


@dataclass(frozen=True, slots=True)
class ReadMessage:
    """A whole message as read; ``guid`` and ``version`` are empty when the sender left them out."""

    kind: MessageKind
    guid: str
    version: str
    records: tuple[ReadRecord, ...]
    notes: tuple[Odd, ...]


def identify(root: etree._Element) -> MessageKind:
    """Return namespace and local name of the root; a prefix never matters."""
    name = etree.QName(root)
    return MessageKind(name.namespace or "", name.localname)


@dataclass(slots=True)
class _Found:
    """What has been read of a record so far."""

    fields: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[Mapping[str, str]]] = field(default_factory=dict)
    notes: list[Odd] = field(default_factory=list)
    faults: list[Odd] = field(default_factory=list)
    groups: set[str] = field(default_factory=set)


_Read = Callable[[etree._Element, _Found, str], None]


class MessageReader:
    """Reads messages of one kind; holds no state between calls, safe for threads."""

    def __init__(self, plan: MessagePlan, lenient: Collection[str] = ()) -> None:
        """Compile the readers of all fields; raises UnknownPathError for a wrong lenient path."""
        paths = dict(plan.record.leaves())
        unknown = sorted(set(lenient) - set(paths))
        if unknown:
            raise UnknownPathError(f"{plan.name} has no {', '.join(unknown)}")
        self.plan = plan
        self._tag = f"{{{plan.namespace}}}{plan.record.name}"
        self._trailer = {
            f"{{{plan.namespace}}}{element.name}": element.max_occurs for element in plan.trailer
        } | {_DSIG: 1}
        self._record = _children_reader(plan.record, plan.namespace, "", frozenset(lenient))

    def read(self, root: etree._Element) -> ReadMessage:
        """Return every record of the message under ``root``; nothing in a record raises.

        A root of another kind yields no records and a note: what it is, ``kind`` tells.
        """
        kind = identify(root)
        if kind.namespace != self.plan.namespace or kind.name not in (
            self.plan.name,
            self.plan.other_root,
        ):
            return ReadMessage(kind, "", "", (), (Odd(kind.name, OddKind.UNKNOWN_ELEMENT),))
        records: list[ReadRecord] = []
        notes: list[Odd] = []
        if kind.name != self.plan.name:
            notes.append(Odd(kind.name, OddKind.SPELLING))
        guid = (root.get("guid") or "").strip(_SPACE)
        version = (root.get("version") or "").strip(_SPACE)
        notes += [
            Odd(f"@{name}", OddKind.MISSING)
            for name, value in (("guid", guid), ("version", version))
            if not value
        ]
        if guid != guid.upper():
            notes.append(Odd("@guid", OddKind.LOWER_CASE))
        counts: dict[str, int] = {}
        for child in root:
            if child.tag == self._tag:
                records.append(self._read_record(child))
            elif child.tag in self._trailer:
                counts[child.tag] = counts.get(child.tag, 0) + 1
            elif isinstance(child.tag, str):
                notes.append(Odd(_local(child), OddKind.UNKNOWN_ELEMENT))
        for tag, count in counts.items():
            most = self._trailer[tag]
            if most is not None and count > most:
                notes.append(Odd(etree.QName(tag).localname, OddKind.REPEATED))
        return ReadMessage(kind, guid, version, tuple(records), tuple(notes))

    def _read_record(self, element: etree._Element) -> ReadRecord:
        found = _Found()
        self._record(element, found, "")
        if _ATTRIBUTES(element):
            found.notes += [
                Odd(f"{_local(inner)}/@{etree.QName(name).localname}", OddKind.ATTRIBUTE)
                for inner in element.iter(etree.Element)
                for name in inner.keys()
            ]
        return ReadRecord(
            element,
            MappingProxyType(found.fields),
            MappingProxyType({path: tuple(items) for path, items in found.lists.items()}),
            tuple(found.notes),
            tuple(found.faults),
        )


def compile_reader(plan: MessagePlan, lenient: Collection[str] = ()) -> MessageReader:
    """Compile a reader for one kind of message; ``lenient`` fields may break their facets."""
    return MessageReader(plan, lenient)


def _children_reader(
    element: ElementPlan, namespace: str, path: str, lenient: frozenset[str]
) -> _Read:
    """Return the function that reads the children of one element."""
    # Recursion over our own plan data, whose depth the schemas fix.
    readers: dict[object, _Read] = {}
    wanted: list[str] = []
    groups: list[str] = []
    lists: list[tuple[str, int]] = []
    tolerated: list[str] = []
    places: dict[object, int] = {}
    for place, child in enumerate(element.children):
        at = path + child.name
        tag = f"{{{namespace}}}{child.name}"
        places[tag] = place
        if child.repeated:
            readers[tag] = _list_reader(child, namespace, at, lenient)
            lists.append((at, child.min_occurs))
        elif child.children:
            readers[tag] = _group_reader(child, namespace, at, lenient)
            if child.mandatory:
                groups.append(at)
        else:
            readers[tag] = _leaf_reader(child, at, path, at in lenient)
            if child.mandatory:
                wanted.append(at)
            elif child.tolerance is Tolerance.ABSENT:
                tolerated.append(at)

    def read(node: etree._Element, found: _Found, base: str) -> None:
        last = 0
        for child in node:
            tag = child.tag
            reader = readers.get(tag)
            if reader is not None:
                place = places[tag]
                if place < last:
                    found.notes.append(Odd(base + path + _local(child), OddKind.ORDER))
                last = place
                reader(child, found, base)
            elif isinstance(child.tag, str):
                found.notes.append(Odd(base + path + _local(child), OddKind.UNKNOWN_ELEMENT))
        if node.text and not node.text.isspace():
            found.notes.append(Odd(base + path, OddKind.STRAY_TEXT))
        fields = found.fields
        for name in wanted:
            if name not in fields:
                found.faults.append(Odd(base + name, OddKind.MISSING))
        for name in tolerated:
            if name not in fields:
                found.notes.append(Odd(base + name, OddKind.ABSENT))
        for name in groups:
            if name not in found.groups:
                found.faults.append(Odd(base + name, OddKind.MISSING))
        for name, least in lists:
            if len(found.lists.get(name, ())) < least:
                found.faults.append(Odd(base + name, OddKind.MISSING))

    return read


def _list_reader(child: ElementPlan, namespace: str, at: str, lenient: frozenset[str]) -> _Read:
    """Return the function that reads one item of a repeated element."""
    inner_lenient = frozenset(
        name.removeprefix(f"{at}/") for name in lenient if name.startswith(f"{at}/")
    )
    if child.children:
        inner = _children_reader(child, namespace, "", inner_lenient)
    else:
        inner = _leaf_reader(child, "", "", at in lenient)

    def read(node: etree._Element, found: _Found, base: str) -> None:
        items = found.lists.setdefault(at, [])
        item = _Found(notes=found.notes, faults=found.faults)
        inner(node, item, f"{base}{at}[{len(items) + 1}]/")
        items.append(MappingProxyType(item.fields))

    return read


def _group_reader(child: ElementPlan, namespace: str, at: str, lenient: frozenset[str]) -> _Read:
    """Return the function that reads an element with children that occurs once."""
    inner = _children_reader(child, namespace, f"{at}/", lenient)

    def read(node: etree._Element, found: _Found, base: str) -> None:
        if at in found.groups:
            found.faults.append(Odd(base + at, OddKind.REPEATED))
            return
        found.groups.add(at)
        inner(node, found, base)

    return read


def _leaf_reader(child: ElementPlan, at: str, path: str, lenient: bool) -> _Read:
    """Return the function that reads one value."""
    facets = child.facets or Facets()
    fits = _facet_test(facets)
    odd_value = _odd_value_test(child, facets)
    mandatory = child.mandatory
    blank_fits = mandatory and fits("")
    default = facets.default
    unspecified = child.tolerance is Tolerance.UNSPECIFIED
    target = path + child.alias_of if child.alias_of else at

    def read(node: etree._Element, found: _Found, base: str) -> None:
        text = node.text or ""
        if len(node):
            text = "".join(node.itertext())
            found.faults.append(Odd(base + at, OddKind.MARKUP))
        value = text.strip(_SPACE)
        if len(value) != len(text):
            found.notes.append(Odd(base + at, OddKind.TRIMMED))
        fields = found.fields
        if target in fields:
            if target == at or fields[target] != value:
                found.faults.append(Odd(base + at, OddKind.REPEATED))
            return
        if target != at:
            found.notes.append(Odd(base + at, OddKind.SPELLING))
        if unspecified:
            found.notes.append(Odd(base + at, OddKind.UNSPECIFIED))
        if not value and default is not None:
            fields[target] = default
            found.notes.append(Odd(base + at, OddKind.DEFAULTED))
        elif value or blank_fits:
            fields[target] = value
            if not fits(value):
                odd = found.faults if mandatory and not lenient else found.notes
                odd.append(Odd(base + at, OddKind.FACET))
            elif odd_value is not None and (kind := odd_value(value)) is not None:
                found.notes.append(Odd(base + at, kind))

    return read


def _odd_value_test(child: ElementPlan, facets: Facets) -> Callable[[str], OddKind | None] | None:
    """Return the test for what is odd about a value that fits; None when nothing can be."""
    codes = frozenset(facets.codes or facets.known)
    if codes:
        # A negative status is an exception of the E-port; their list is open by nature.
        return lambda value: (
            None if value in codes or value.startswith("-") else OddKind.UNKNOWN_CODE
        )
    if child.name == "guid":
        return lambda value: OddKind.LOWER_CASE if value != value.upper() else None
    most = facets.advised_length
    if most is not None:
        return lambda value: OddKind.LONG if len(value) > most else None
    return None


def _facet_test(facets: Facets) -> Callable[[str], bool]:
    """Return the test of one value against its facets; a code that no list has is no breach."""
    least = facets.length if facets.length is not None else facets.min_length or 0
    most = facets.length if facets.length is not None else facets.max_length
    number = facets.kind is ValueKind.DECIMAL
    pattern = re.compile(facets.pattern) if facets.pattern else None
    fixed = facets.fixed
    if not (number or pattern or fixed):
        limit = most if most is not None else 1 << 62

        def length_fits(value: str) -> bool:
            return least <= len(value) <= limit

        return length_fits

    def fits(value: str) -> bool:
        if number:
            return _DECIMAL.fullmatch(value) is not None and _digits_fit(value, facets)
        return (
            least <= len(value)
            and (most is None or len(value) <= most)
            and (pattern is None or pattern.fullmatch(value) is not None)
            and (fixed is None or value == fixed)
        )

    return fits


def _digits_fit(value: str, facets: Facets) -> bool:
    whole, _, fraction = value.lstrip("+-").partition(".")
    whole, fraction = whole.lstrip("0"), fraction.rstrip("0")
    total = facets.total_digits
    return (total is None or len(whole) + len(fraction) <= total) and (
        facets.fraction_digits is None or len(fraction) <= facets.fraction_digits
    )


def _local(element: etree._Element) -> str:
    """Return the local name of an element for a note."""
    return etree.QName(element).localname


def texts(root: etree._Element, namespace: str, path: str) -> Iterator[str]:
    """Yield the whole text of every element at an absolute path below ``root``.

    ``path`` is local names joined by slashes, all in ``namespace``. For the few places that read
    single values of nested documents (the transport envelope).
    """
    steps = "/".join(f"{{{namespace}}}{name}" for name in path.split("/"))
    for element in root.iterfind(steps):
        yield (element.text or "") if not len(element) else "".join(element.itertext())
