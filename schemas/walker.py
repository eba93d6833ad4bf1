"""Walks the schemas with ``xmlschema`` and tells what plan data they make.

Used by ``python -m schemas.plan`` and by its test only; nothing at run time imports it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import xmlschema
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
from schemas.plan import (
    AttributeData,
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
    plan: PlanData = {}
    for name in catalog.messages:
        schema = xmlschema.XMLSchema(str(folder / f"{name}.xsd"), allow="sandbox")
        plan[name] = _message(schema.elements[name])
    text = json.dumps(plan, ensure_ascii=False, indent=1)
    # Facets, occurrence and other short groups read better on one line.
    return re.sub(r"([\[{])\s+([^\[\]{}]*?)\s+([\]}])", _one_line, text) + "\n"


def _one_line(match: re.Match[str]) -> str:
    joined = match[1] + re.sub(r"\n\s*", " ", match[2]) + match[3]
    return joined if len(joined) <= 120 else match[0]


def _message(element: XsdElement) -> MessageData:
    signature = Presence.NONE
    for child in _children(element):
        if child.target_namespace == _DSIG:
            signature = Presence.MANDATORY if child.min_occurs else Presence.OPTIONAL
    return {
        "namespace": element.target_namespace,
        "signature": signature.value,
        "root": _element(element),
    }


def _children(element: XsdElement) -> Iterator[XsdElement]:
    """Yield the child elements in order; wildcards are content nobody plans for."""
    if not isinstance(element.type, XsdComplexType):
        return
    content = element.type.content
    for child in content.iter_elements() if isinstance(content, XsdGroup) else ():
        if isinstance(child, XsdElement):
            yield child


def _element(element: XsdElement) -> ElementData:
    # Recursion over our own schemas, none of which refers to itself.
    notes = _documentation(element)
    data: ElementData = {"name": element.local_name}
    if element.occurs != (1, 1):
        data["occurs"] = [element.min_occurs, element.max_occurs]
    data["zh"], data["en"] = notes["zh"], notes["en"]
    if "note" in notes:
        data["note"] = notes["note"]
    simple = element.type.content if isinstance(element.type, XsdComplexType) else element.type
    if isinstance(simple, XsdSimpleType):
        data["facets"] = _facets(simple, element.fixed)
    attributes = [
        _attribute(item) for item in element.attributes.values() if isinstance(item, XsdAttribute)
    ]
    if attributes:
        data["attributes"] = attributes
    children = [_element(c) for c in _children(element) if c.target_namespace != _DSIG]
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
    """Return the labels by language and the note; both labels must be there."""
    found: dict[str, str] = {}
    annotation = component.annotation
    for item in annotation.documentation if annotation is not None else ():
        key = "note" if item.get("source") == "note" else item.get(_LANG, "")
        found[key] = (item.text or "").strip()
    if not (found.get("zh") and found.get("en")):
        raise StaleFileError(f"{component.local_name} lacks a label in zh or en")
    return found
