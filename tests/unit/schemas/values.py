"""Records made up from plan data alone: what a message of any kind may hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Final

from hypothesis import strategies as st

from schemas.plan import ElementPlan, Facets, MessagePlan, ValueKind
from schemas.sources import Source, attr, each
from schemas.writer import MessageWriter, Subscribe, Transfer, compile_writer

GUID: Final = "4CDE1CFD-EDED-46B1-946C-B8022E42FC94"
TRANSFER: Final = Transfer("0000000002", "虚构电商", "DXPENT0000000000")
SUBSCRIBE: Final = Subscribe("ALL", "DXPENT0000000009")

# Invented, but of the form that a person expects in the field.
_KNOWN: Final[Mapping[str, str]] = {
    "guid": GUID,
    "orderNo": "MADE-UP-0001",
    "ebpCode": "0000000001",
    "ebcCode": "0000000002",
    "logisticsCode": "0000000003",
    "agentCode": "0000000002",
    "copNo": "AB0001",
    "preNo": "B20240000000000001",
    "returnTime": "20240101120000123",
    "opDate": "20240101120000123",
    "returnInfo": "[Code:1800;Desc:逻辑校验通过]",
    "customsCode": "0000",
    "portCode": "0000",
    "unit": "011",
    "unit1": "011",
    "unit2": "035",
    "country": "142",
    "currency": "502",
    "fCurrency": "502",
    "iCurrency": "502",
    "gcode": "1901101000",
    "oriMessageType": "CEB311Message",
    "oriBizMessage": "<ceb:CEB311Message/>",
    "decState": "8",
    "POD": "1001",
}
_DIGITS: Final = "01234567890123456789"


def leaves(element: ElementPlan) -> Iterator[ElementPlan]:
    """Yield the children that carry one value, whose value the schema does not fix."""
    for child in element.children:
        if child.facets is not None and child.facets.fixed is None:
            yield child


def mapping(element: ElementPlan, at: str = "record", path: str = "") -> dict[str, Source]:
    """Return a source for every field: ``record.OrderHead.orderNo``, ``line.gnum``."""
    sources: dict[str, Source] = {
        path + child.name: attr(f"{at}.{child.name}") for child in leaves(element)
    }
    for child in element.children:
        if child.repeated:
            inner = mapping(child, "line")
            sources[path + child.name] = each(f"{at}.{child.name}", var="line", sources=inner)
        elif child.children:
            sources |= mapping(child, f"{at}.{child.name}", f"{path}{child.name}/")
    return sources


def writer(plan: MessagePlan) -> MessageWriter:
    """Compile a writer of all fields."""
    return compile_writer(plan, mapping(plan.record), arguments=["record"])


def message(plan: MessagePlan, *records: SimpleNamespace) -> bytes:
    """Write a message with everything around the records that its kind has."""
    compiled = writer(plan)
    texts = [compiled.record(record) for record in records]
    if not plan.trailer:
        return compiled.message(GUID, texts)
    return compiled.message(GUID, texts, TRANSFER, [SUBSCRIBE])


def sample(element: ElementPlan, lines: int = 2, number: int = 1) -> SimpleNamespace:
    """Return a record with every field filled, always the same."""
    record = SimpleNamespace()
    for child in element.children:
        if child.repeated:
            count = min(lines, child.max_occurs or lines)
            items = [sample(child, lines, one) for one in range(1, count + 1)]
            setattr(record, child.name, items)
        elif child.children:
            setattr(record, child.name, sample(child, lines, number))
        elif child.facets is not None and child.facets.fixed is None:
            setattr(record, child.name, _sample_value(child, child.facets, number))
    return record


def _sample_value(child: ElementPlan, facets: Facets, number: int) -> str | Decimal | int:
    if facets.kind is ValueKind.DECIMAL:
        if not facets.fraction_digits:
            return number
        return Decimal(number) + Decimal("0.25")
    if facets.codes:
        return facets.codes[0]
    if facets.known:
        return "120" if "120" in facets.known else facets.known[0]
    most = facets.length or facets.max_length or 200
    known = _KNOWN.get(child.name)
    if known is not None and (len(known) == most if facets.length else len(known) <= most):
        return known
    if facets.pattern == "[0-9]{14}":
        return "20240101120000"
    if facets.pattern == "[0-9]{8}":
        return "20240101"
    if facets.length is not None or facets.pattern is not None:
        return _DIGITS[:most] if most > 1 else "1"
    return child.label_zh[:most] if most > 4 else _DIGITS[:most]


_CHARACTERS: Final = st.sampled_from("a0Z-，中文字符é&<>\"'😀\u3000x")


def _texts(facets: Facets) -> st.SearchStrategy[str]:
    if facets.codes or facets.known:
        return st.sampled_from(facets.codes or facets.known)
    if facets.pattern is not None and facets.length is not None:
        return st.text("0123456789", min_size=facets.length, max_size=facets.length)
    if facets.pattern is not None:
        assert facets.pattern == f"(.{{{facets.max_length}}})?"
        return st.text(_CHARACTERS, min_size=facets.max_length or 0, max_size=facets.max_length)
    least = facets.length or facets.min_length or 0
    most = facets.length or facets.advised_length or facets.max_length or 6000
    short = st.text(_CHARACTERS, min_size=least, max_size=min(most, max(least, 12)))
    full = st.builds(lambda char: char * most, _CHARACTERS)
    return short | full


def _value(child: ElementPlan, facets: Facets) -> st.SearchStrategy[object]:
    values: st.SearchStrategy[object]
    if facets.kind is ValueKind.DECIMAL:
        limit = 10 ** (facets.total_digits or 19) - 1
        whole = st.integers(-limit, limit)
        places = st.integers(0, facets.fraction_digits or 0)
        values = st.builds(lambda number, place: Decimal(number).scaleb(-place), whole, places)
    else:
        # A full-width space is a character like any other inside a value, not around it.
        values = _texts(facets).filter(lambda text: text == text.strip())
    return values if child.mandatory else st.none() | values


def records(element: ElementPlan) -> st.SearchStrategy[SimpleNamespace]:
    """Generate records of any content that the schema allows, with one to three lines."""
    parts: dict[str, st.SearchStrategy[object]] = {}
    for child in element.children:
        if child.repeated:
            items = st.lists(records(child), min_size=child.min_occurs, max_size=3)
            parts[child.name] = items
        elif child.children:
            parts[child.name] = records(child)
        elif child.facets is not None and child.facets.fixed is None:
            parts[child.name] = _value(child, child.facets)
    return st.builds(SimpleNamespace, **parts)


def expected(
    element: ElementPlan, record: SimpleNamespace, path: str = ""
) -> tuple[dict[str, object], dict[str, list[dict[str, object]]]]:
    """Return what a reader must give back: fields by path and lists, absent fields left out."""
    fields: dict[str, object] = {}
    lists: dict[str, list[dict[str, object]]] = {}
    for child in element.children:
        value = getattr(record, child.name, None)
        if child.repeated:
            if value:
                lists[path + child.name] = [expected(child, one)[0] for one in value]
        elif child.children:
            inner, inner_lists = expected(
                child, getattr(record, child.name), f"{path}{child.name}/"
            )
            fields |= inner
            lists |= inner_lists
        elif child.facets is not None and child.facets.fixed is not None:
            fields[path + child.name] = child.facets.fixed
        elif value is not None and (value != "" or child.mandatory):
            fields[path + child.name] = value
    return fields, lists
