"""Plan data: what a schema says about a message, in the shape that writers and readers need.

The XSD files are the source of truth. ``python -m schemas.plan`` walks them and writes
``plan.json`` beside them (and the digests into ``catalog.toml``); ``--check`` only tells whether
the committed data is stale. At run time nothing but the JSON is read.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType
from typing import TypedDict

from schemas.catalog import load_catalog
from schemas.errors import UnknownPathError


class ValueKind(StrEnum):
    """What the text of an element or attribute stands for."""

    TEXT = "text"
    DECIMAL = "decimal"
    BASE64 = "base64"
    DATE = "date"
    DATE_TIME = "date-time"
    URI = "uri"


class Side(StrEnum):
    """Which family a message belongs to."""

    IMPORT = "import"
    EXPORT = "export"
    BOTH = "both"


class Tolerance(StrEnum):
    """What a reader passes over in one field of a received message, against the official schema."""

    ABSENT = "absent"
    """The official schema demands the field; real receipts lack it."""
    UNSPECIFIED = "unspecified"
    """The official schema lacks the field; real receipts have it."""


class Direction(StrEnum):
    """Who sends a message: the enterprise, customs, or either (envelopes)."""

    SENT = "sent"
    RECEIVED = "received"
    BOTH = "both"


class Presence(StrEnum):
    """Whether a message carries a Signature."""

    MANDATORY = "mandatory"
    OPTIONAL = "optional"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Facets:
    """What the schema demands of one value; lengths count characters.

    ``default`` is what an empty element stands for. ``advised_length`` is a limit that the sources
    disagree about: longer values up to the schema's own are only noted. ``known`` are the codes of
    an open list: the schema takes others too.
    """

    kind: ValueKind = ValueKind.TEXT
    length: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    total_digits: int | None = None
    fraction_digits: int | None = None
    pattern: str | None = None
    codes: tuple[str, ...] = ()
    fixed: str | None = None
    default: str | None = None
    advised_length: int | None = None
    known: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AttributePlan:
    """One attribute, with its labels."""

    name: str
    required: bool
    label_zh: str
    label_en: str
    facets: Facets


@dataclass(frozen=True, slots=True)
class ElementPlan:
    """One element: how often, its labels, and either facets (a leaf) or children in order.

    ``max_occurs`` None means without bound. ``facets`` is None for an element with children and
    for one of any content. ``code_list`` names the list its values come from: one of
    :func:`load_codes` (``AppType``), or a table of customs that no schema holds (``units``).
    ``alias_of`` names the sibling that this one is another spelling of.
    """

    name: str
    min_occurs: int
    max_occurs: int | None
    label_zh: str
    label_en: str
    note: str
    facets: Facets | None
    children: tuple[ElementPlan, ...]
    attributes: tuple[AttributePlan, ...]
    code_list: str = ""
    tolerance: Tolerance | None = None
    alias_of: str = ""

    @property
    def mandatory(self) -> bool:
        """Whether the element must be there."""
        return self.min_occurs > 0

    @property
    def repeated(self) -> bool:
        """Whether the element may be there more than once."""
        return self.max_occurs != 1

    def leaves(self) -> Iterator[tuple[str, ElementPlan]]:
        """Yield every leaf below with its path, ``OrderHead/orderNo``, in document order."""
        pending = [(child.name, child) for child in reversed(self.children)]
        while pending:
            path, element = pending.pop()
            if not element.children:
                yield path, element
            pending.extend((f"{path}/{child.name}", child) for child in reversed(element.children))


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """One message: the root element and what stands below it.

    ``answer`` names the receipt that a sent message is answered with, if there is one.
    ``signature_before`` names the element that the Signature stands before, None when it is the
    last child of the root: export messages have it before ExtendMessage, import messages last.
    ``other_root`` is a misspelt root element that real senders use for the same message.
    """

    family: str
    edition: str
    namespace: str
    signature: Presence
    root: ElementPlan
    side: Side = Side.BOTH
    direction: Direction = Direction.BOTH
    answer: str | None = None
    signature_before: str | None = None
    other_root: str | None = None

    @property
    def name(self) -> str:
        """The name of the root element, for example ``CEB311Message``."""
        return self.root.name

    @property
    def record(self) -> ElementPlan:
        """The repeated body record: the first child of the root."""
        return self.root.children[0]

    @property
    def trailer(self) -> tuple[ElementPlan, ...]:
        """What follows the records (BaseTransfer and so on), without the Signature."""
        return self.root.children[1:]

    def at(self, path: str) -> ElementPlan:
        """Return the element at ``path`` below the record; raises UnknownPathError."""
        element = self.record
        for name in path.split("/"):
            found = next((child for child in element.children if child.name == name), None)
            if found is None:
                raise UnknownPathError(f"{self.name} has no {path}")
            element = found
        return element


@dataclass(frozen=True, slots=True)
class CodeList:
    """The codes that one field of messages may carry, with their meaning in zh and en.

    A schema refuses other values of a ``closed`` list. Of an open one it does not: a reader notes
    them.
    """

    name: str
    label_zh: str
    label_en: str
    closed: bool
    codes: Mapping[str, tuple[str, str]]


class FacetsData(TypedDict, total=False):
    """Facets in JSON; what is absent does not apply."""

    kind: str
    length: int
    min_length: int
    max_length: int
    total_digits: int
    fraction_digits: int
    pattern: str
    codes: list[str]
    fixed: str
    default: str
    advised_length: int


class AttributeData(TypedDict):
    """An attribute in JSON."""

    name: str
    required: bool
    zh: str
    en: str
    facets: FacetsData


class ElementData(TypedDict, total=False):
    """An element in JSON; ``occurs`` is [least, most], most None without bound."""

    name: str
    occurs: list[int | None]
    zh: str
    en: str
    note: str
    facets: FacetsData
    children: list[ElementData]
    attributes: list[AttributeData]
    code_list: str
    tolerance: str
    alias_of: str


class MessageData(TypedDict, total=False):
    """A message in JSON; ``namespace``, ``signature`` and ``root`` are always there."""

    namespace: str
    signature: str
    signature_before: str
    side: str
    direction: str
    answer: str
    other_root: str
    root: ElementData


class CodesData(TypedDict):
    """A code list in JSON: ``codes`` holds zh and en for each code."""

    zh: str
    en: str
    closed: bool
    codes: dict[str, list[str]]


class PlanData(TypedDict):
    """A whole ``plan.json``."""

    codes: dict[str, CodesData]
    messages: dict[str, MessageData]


def load_plan(family: str, edition: str) -> Mapping[str, MessagePlan]:
    """Return the plans of one schema set by message name; raises CatalogError."""
    data = _data(family, edition)
    known = {name: tuple(one["codes"]) for name, one in data["codes"].items() if not one["closed"]}
    return MappingProxyType(
        {
            name: MessagePlan(
                family=family,
                edition=edition,
                namespace=message["namespace"],
                signature=Presence(message["signature"]),
                root=_element(message["root"], known),
                side=Side(message.get("side", Side.BOTH)),
                direction=Direction(message.get("direction", Direction.BOTH)),
                answer=message.get("answer"),
                signature_before=message.get("signature_before"),
                other_root=message.get("other_root"),
            )
            for name, message in data["messages"].items()
        }
    )


def load_codes(family: str, edition: str) -> Mapping[str, CodeList]:
    """Return the code lists of one schema set by name; raises CatalogError."""
    return MappingProxyType(
        {
            name: CodeList(
                name,
                one["zh"],
                one["en"],
                one["closed"],
                MappingProxyType({code: (zh, en) for code, (zh, en) in one["codes"].items()}),
            )
            for name, one in _data(family, edition)["codes"].items()
        }
    )


def _data(family: str, edition: str) -> PlanData:
    catalog = load_catalog(family, edition)
    data: PlanData = json.loads(
        (files("schemas") / catalog.folder / "plan.json").read_text("utf-8")
    )
    return data


def _facets(data: FacetsData, known: tuple[str, ...] = ()) -> Facets:
    return Facets(
        kind=ValueKind(data.get("kind", "text")),
        length=data.get("length"),
        min_length=data.get("min_length"),
        max_length=data.get("max_length"),
        total_digits=data.get("total_digits"),
        fraction_digits=data.get("fraction_digits"),
        pattern=data.get("pattern"),
        codes=tuple(data.get("codes", ())),
        fixed=data.get("fixed"),
        default=data.get("default"),
        advised_length=data.get("advised_length"),
        known=known,
    )


def _element(data: ElementData, known: Mapping[str, tuple[str, ...]]) -> ElementPlan:
    # Recursion over our own committed plan data, whose depth the schemas fix.
    least, most = data.get("occurs", [1, 1])
    code_list = data.get("code_list", "")
    return ElementPlan(
        name=data["name"],
        min_occurs=least or 0,
        max_occurs=most,
        label_zh=data["zh"],
        label_en=data["en"],
        note=data.get("note", ""),
        facets=_facets(data["facets"], known.get(code_list, ())) if "facets" in data else None,
        children=tuple(_element(child, known) for child in data.get("children", ())),
        attributes=tuple(
            AttributePlan(
                name=attribute["name"],
                required=attribute["required"],
                label_zh=attribute["zh"],
                label_en=attribute["en"],
                facets=_facets(attribute["facets"]),
            )
            for attribute in data.get("attributes", ())
        ),
        code_list=code_list,
        tolerance=Tolerance(data["tolerance"]) if "tolerance" in data else None,
        alias_of=data.get("alias_of", ""),
    )


def main(arguments: Sequence[str]) -> int:
    """Bring plan data and digests in step with the schemas, or only ``--check`` that they are."""
    from schemas import walker  # noqa: PLC0415  xmlschema is needed for this command only

    check = list(arguments) == ["--check"]
    if arguments and not check:
        print("usage: python -m schemas.plan [--check]", file=sys.stderr)
        return 2
    stale = walker.stale_files()
    if check:
        for path in stale:
            print(f"stale: {path}", file=sys.stderr)
        return 1 if stale else 0
    for path, text in stale.items():
        path.write_text(text, encoding="utf-8")
        print(f"written: {path.name} in {path.parent.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
