"""Walks the schemas with ``xmlschema`` and tells what plan data they make.

Used by ``python -m schemas.plan`` and by its test only; nothing at run time imports it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import xmlschema
from lxml import etree
from xmlschema.validators import (
    XsdAttribute,
    XsdComplexType,
    XsdElement,
    XsdEnumerationFacets,
    XsdFacet,
    XsdGroup,
    XsdPatternFacets,
    XsdSimpleType,
)

from schemas.catalog import Catalog, read_catalog
from schemas.errors import StaleFileError
from schemas.loader import Limits, parse
from schemas.plan import (
    AttributeData,
    CodesData,
    ElementData,
    FacetsData,
    MessageData,
    PlanData,
    Presence,
    ValueKind,
)

_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_LANG: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
_KINDS: Final = {
    "string": ValueKind.TEXT,
    "ID": ValueKind.TEXT,
    "decimal": ValueKind.DECIMAL,
    "base64Binary": ValueKind.BASE64,
    "date": ValueKind.DATE,
    "dateTime": ValueKind.DATE_TIME,
    "anyURI": ValueKind.URI,
}
_NUMBERS: Final = {
    "length": "length",
    "minLength": "min_length",
    "maxLength": "max_length",
    "totalDigits": "total_digits",
    "fractionDigits": "fraction_digits",
}


def stale_files() -> dict[Path, str]:
    """Return every file of plan data or catalogue that lags behind, with its right content."""
    stale: dict[Path, str] = {}
    for source in sorted(Path(__file__).parent.rglob("catalog.toml")):
        folder = source.parent
        catalog = read_catalog(source, folder.name)
        wanted = {
            folder / "plan.json": _plan_text(folder, catalog),
            source: _catalog_text(source),
        }
        for path, text in wanted.items():
            if not path.is_file() or path.read_text("utf-8") != text:
                stale[path] = text
    return stale


def _catalog_text(source: Path) -> str:
    """Return the catalogue with the digests of the files as they are now."""
    head, _, _ = source.read_text("utf-8").partition("[files]\n")
    lines = (
        f'"{path.name}" = "{hashlib.sha256(path.read_bytes()).hexdigest()}"\n'
        for path in sorted(source.parent.glob("*.xsd"))
    )
    return f"{head}[files]\n{''.join(lines)}"


def _plan_text(folder: Path, catalog: Catalog) -> str:
    """Return the plan data of one schema set as JSON."""
    plan: PlanData = {"codes": _code_lists(folder / "codes.xsd"), "messages": {}}
    for name in catalog.messages:
        # Ninety files are held against the schema of schemas by a test, not each time here.
        schema = xmlschema.XMLSchema(
            str(folder / f"{name}.xsd"), allow="sandbox", validation="skip"
        )
        plan["messages"][name] = _message(schema.elements[name], frozenset(plan["codes"]))
    text = json.dumps(plan, ensure_ascii=False, indent=1)
    # Facets, occurrence and other short groups read better on one line.
    return re.sub(r"([\[{])\s+([^\[\]{}]*?)\s+([\]}])", _one_line, text) + "\n"


def _code_lists(path: Path) -> dict[str, CodesData]:
    """Return the code lists of a set: every type of its ``codes.xsd``, in the order of the file."""
    if not path.is_file():
        return {}
    lists: dict[str, CodesData] = {}
    for simple in parse(path.read_bytes(), Limits(xml_attributes=True)).iterfind(
        f"{_XS}simpleType"
    ):
        name = simple.get("name", "")
        notes = _notes(simple.iterfind(f"{_XS}annotation/*"), name)
        lists[name] = {
            "zh": notes["zh"],
            "en": notes["en"],
            "closed": "open" not in notes,
            "codes": {
                code.get("value", ""): [found["zh"], found["en"]]
                for code in simple.iter(f"{_XS}enumeration")
                for found in (_notes(code.iterfind(f"{_XS}annotation/*"), f"a code of {name}"),)
            },
        }
    return lists


def _one_line(match: re.Match[str]) -> str:
    joined = match[1] + re.sub(r"\n\s*", " ", match[2]) + match[3]
    return joined if len(joined) <= 120 else match[0]


def _message(element: XsdElement, lists: frozenset[str]) -> MessageData:
    data: MessageData = {"namespace": element.target_namespace, "signature": Presence.NONE.value}
    children = list(_children(element))
    for child, following in zip(children, [*children[1:], None], strict=True):
        if child.target_namespace != _DSIG:
            continue
        data["signature"] = (Presence.MANDATORY if child.min_occurs else Presence.OPTIONAL).value
        if following is not None:
            data["signature_before"] = following.local_name
    notes = _documentation(element)
    for key in ("side", "direction", "answer", "other_root"):
        if key in notes:
            data[key] = notes[key]
    data["root"] = _element(element, lists)
    return data


def _children(element: XsdElement) -> Iterator[XsdElement]:
    """Yield the child elements in order; wildcards are content nobody plans for."""
    if not isinstance(element.type, XsdComplexType):
        return
    content = element.type.content
    for child in content.iter_elements() if isinstance(content, XsdGroup) else ():
        if isinstance(child, XsdElement):
            yield child


def _element(element: XsdElement, lists: frozenset[str]) -> ElementData:
    # Recursion over our own schemas, none of which refers to itself.
    notes = _documentation(element)
    data: ElementData = {"name": element.local_name}
    if element.occurs != (1, 1):
        data["occurs"] = [element.min_occurs, element.max_occurs]
    data["zh"], data["en"] = notes["zh"], notes["en"]
    for key in ("note", "tolerance", "alias_of"):
        if key in notes:
            data[key] = notes[key]
    simple = element.type.content if isinstance(element.type, XsdComplexType) else element.type
    if isinstance(simple, XsdSimpleType):
        data["facets"] = _facets(simple, element.fixed)
        if element.default is not None:
            data["facets"]["default"] = element.default
        if "advised-length" in notes:
            data["facets"]["advised_length"] = int(notes["advised-length"])
        code_list = notes.get("codes") or simple.local_name or ""
        if "codes" in notes or code_list in lists:
            data["code_list"] = code_list
    attributes = [
        _attribute(item) for item in element.attributes.values() if isinstance(item, XsdAttribute)
    ]
    if attributes:
        data["attributes"] = attributes
    children = [
        _element(child, lists) for child in _children(element) if child.target_namespace != _DSIG
    ]
    if children:
        data["children"] = children
    return data


def _attribute(attribute: XsdAttribute) -> AttributeData:
    notes = _documentation(attribute)
    return {
        "name": attribute.local_name,
        "required": attribute.use == "required",
        "zh": notes["zh"],
        "en": notes["en"],
        "facets": _facets(attribute.type, attribute.fixed),
    }


def _facets(simple: XsdSimpleType, fixed: str | None) -> FacetsData:
    data: FacetsData = {}
    builtin = simple.local_name in _KINDS
    kind = _KINDS[(simple.local_name if builtin else simple.root_type.local_name) or ""]
    if kind is not ValueKind.TEXT:
        data["kind"] = kind.value
    # The facets of a built-in type are those of its kind.
    for name, facet in () if builtin else simple.facets.items():
        local = (name or "").removeprefix(_XS)
        if isinstance(facet, XsdEnumerationFacets):
            data["codes"] = [str(code) for code in facet.enumeration]
        elif isinstance(facet, XsdPatternFacets):
            (data["pattern"],) = facet.regexps
        elif isinstance(facet, XsdFacet) and local in _NUMBERS:
            data[_NUMBERS[local]] = int(str(facet.value))  # type: ignore[literal-required]
        elif local != "whiteSpace":
            raise StaleFileError(f"the plan knows no facet {local}")
    if fixed is not None:
        data["fixed"] = fixed
    return data


def _documentation(component: XsdElement | XsdAttribute) -> dict[str, str]:
    """Return the annotation of a component as :func:`_notes` does."""
    annotation = component.annotation
    # The library's own kind of element, which reads like lxml's.
    return _notes(annotation.elem if annotation is not None else (), component.local_name)  # type: ignore[arg-type]


def _notes(annotation: Iterable[etree._Element], name: str) -> dict[str, str]:
    """Return the labels by language, the note, and every appinfo by its source.

    Raises StaleFileError when a label is missing in one language.
    """
    found: dict[str, str] = {}
    for item in annotation:
        key = str(item.get("source") or item.get(_LANG))
        found[key] = (item.text or "").strip()
    if not (found.get("zh") and found.get("en")):
        raise StaleFileError(f"{name} lacks a label in zh or en")
    return found
