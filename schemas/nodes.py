"""The compiled form of a mapping, and its careful interpreter.

:func:`build` joins a plan element with its sources into nodes and finds every mapping mistake.
:func:`interpret` writes from the nodes step by step; :mod:`schemas.codegen` turns the same nodes
into the fast function.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias, assert_never

from schemas.errors import (
    MappingError,
    MissingPathError,
    UnknownPathError,
    ValueFault,
    ValueFaultKind,
)
from schemas.plan import ElementPlan, Facets, ValueKind
from schemas.sources import Attr, Call, Const, Each, Source

_ILLEGAL: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TOTAL_DIGITS: Final = 19
_FRACTION_DIGITS: Final = 5
_FAR: Final = 100
"""An exponent beyond this never fits a field; formatting it plainly would cost memory."""


class NumberFaultError(ValueError):
    """A number that cannot be written; carries the kind, the caller knows the path."""

    def __init__(self, kind: ValueFaultKind) -> None:
        """Keep the kind of fault."""
        super().__init__(kind)
        self.kind = kind


class FaultsError(ValueError):
    """All faults of one record; the writer turns it into its public error."""

    def __init__(self, faults: list[ValueFault]) -> None:
        """Keep the faults."""
        super().__init__("values that cannot be written")
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that is the same in every record, tags included."""

    text: str


@dataclass(frozen=True, slots=True)
class TextField:
    """A leaf of text."""

    path: str
    tag: str
    source: Attr | Call
    mandatory: bool


@dataclass(frozen=True, slots=True)
class NumberField:
    """A leaf of a number."""

    path: str
    tag: str
    source: Attr | Call
    mandatory: bool
    total_digits: int
    fraction_digits: int


@dataclass(frozen=True, slots=True)
class Group:
    """An element with children; an optional one is left out when nothing is in it."""

    path: str
    tag: str
    mandatory: bool
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """An element written once for each item."""

    path: str
    group: Group
    items: Attr | Call
    var: str
    least: int
    most: int | None


Node: TypeAlias = Literal | TextField | NumberField | Group | Repeat


def build(
    element: ElementPlan, sources: Mapping[str, Source], arguments: tuple[str, ...], prefix: str
) -> Group:
    """Join one plan element with its sources; raises MappingError for every kind of mistake."""
    for name in arguments:
        if not name.isidentifier():
            raise MappingError(f"not a name of an argument: {name!r}")
    known = {path for path, _ in element.leaves()} | _repeated(element)
    unknown = sorted(set(sources) - known)
    if unknown:
        raise UnknownPathError(f"{element.name} has no {', '.join(unknown)}")
    missing: list[str] = []
    children = _children(element, sources, frozenset(arguments), prefix, "", missing)
    if missing:
        raise MissingPathError(f"{element.name} needs a source for {', '.join(missing)}")
    return Group("", f"{prefix}:{element.name}", True, children)


def _repeated(element: ElementPlan, path: str = "") -> set[str]:
    """Return the paths of the outermost repeated elements."""
    found: set[str] = set()
    for child in element.children:
        if child.repeated:
            found.add(path + child.name)
        else:
            found |= _repeated(child, f"{path}{child.name}/")
    return found


def _children(
    element: ElementPlan,
    sources: Mapping[str, Source],
    scope: frozenset[str],
    prefix: str,
    path: str,
    missing: list[str],
) -> tuple[Node, ...]:
    # Recursion over our own plan data, whose depth the schemas fix.
    built: list[Node] = []
    for child in element.children:
        at = path + child.name
        tag = f"{prefix}:{child.name}"
        source = sources.get(at)
        if child.repeated:
            if source is not None:
                built.append(_repeat(child, source, scope, prefix, at))
            elif child.mandatory:
                missing.append(at)
        elif child.children:
            if child.mandatory or any(key.startswith(at + "/") for key in sources):
                inner = _children(child, sources, scope, prefix, at + "/", missing)
                built.append(Group(at, tag, child.mandatory, inner))
        elif source is not None:
            built.append(_leaf(child, source, scope, at, tag))
        elif child.facets is not None and child.facets.fixed is not None:
            built.append(Literal(f"<{tag}>{escape(child.facets.fixed)}</{tag}>"))
        elif child.mandatory:
            missing.append(at)
    return tuple(built)


def _repeat(
    child: ElementPlan, source: Source, scope: frozenset[str], prefix: str, at: str
) -> Repeat:
    if not isinstance(source, Each) or not child.children:
        raise MappingError(f"{at} is repeated: it needs each(), and children of its own")
    _check_scope(source.items, scope, at)
    if source.var in scope:
        raise MappingError(f"{at}: {source.var} is taken by an argument")
    known = {path for path, _ in child.leaves()} | _repeated(child)
    unknown = sorted(set(source.sources) - known)
    if unknown:
        raise UnknownPathError(f"{at} has no {', '.join(unknown)}")
    missing: list[str] = []
    inner = _children(child, source.sources, scope | {source.var}, prefix, "", missing)
    if missing:
        raise MissingPathError(f"{at} needs a source for {', '.join(missing)}")
    group = Group(at, f"{prefix}:{child.name}", True, inner)
    return Repeat(at, group, source.items, source.var, child.min_occurs, child.max_occurs)


def _leaf(
    child: ElementPlan, source: Source, scope: frozenset[str], at: str, tag: str
) -> Literal | TextField | NumberField:
    facets = child.facets
    if facets is None or isinstance(source, Each):
        raise MappingError(f"{at} is not a single value")
    total, fraction = _digits(facets)
    if isinstance(source, Const):
        faults: list[ValueFault] = []
        if facets.kind is ValueKind.DECIMAL:
            text = _clean_number(source.value, at, total, fraction, faults)
        else:
            text = clean_text(source.value, at, faults)
        if faults:
            raise MappingError(f"{at}: constant refused, {faults[0].kind}")
        return Literal(f"<{tag}>{text}</{tag}>" if text or child.mandatory else "")
    _check_scope(source, scope, at)
    if facets.kind is ValueKind.DECIMAL:
        return NumberField(at, tag, source, child.mandatory, total, fraction)
    return TextField(at, tag, source, child.mandatory)


def _digits(facets: Facets) -> tuple[int, int]:
    total = _TOTAL_DIGITS if facets.total_digits is None else facets.total_digits
    fraction = _FRACTION_DIGITS if facets.fraction_digits is None else facets.fraction_digits
    return total, fraction


def _check_scope(source: Attr | Call, scope: frozenset[str], at: str) -> None:
    paths = (source.path,) if isinstance(source, Attr) else source.arguments
    for path in paths:
        if path.split(".")[0] not in scope:
            raise UnknownPathError(f"{at}: {path} starts at no argument of the writer")


def escape(text: str) -> str:
    """Escape element text as Canonical XML 1.0 does (section 2.3)."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("\r", "&#xD;")


def clean_text(value: object, path: str, faults: list[ValueFault]) -> str:
    """Return escaped text, or note a fault.

    A carriage return is legal XML but never meant: it would be filed as a character of an
    address. It is refused so that the owner of the paper decides.
    """
    if not isinstance(value, str):
        faults.append(ValueFault(path, ValueFaultKind.WRONG_TYPE))
        return ""
    if "\r" in value:
        faults.append(ValueFault(path, ValueFaultKind.CARRIAGE_RETURN))
        return ""
    if _ILLEGAL.search(value):
        faults.append(ValueFault(path, ValueFaultKind.ILLEGAL_CHARACTER))
        return ""
    return escape(value)


def number_text(value: object, total_digits: int, fraction_digits: int) -> str:
    """Return a Decimal or int as plain digits without trailing zeros; raises NumberFaultError."""
    if value.__class__ is Decimal:
        assert isinstance(value, Decimal)
        text = str(value)
        if "E" in text or "N" in text or "I" in text:
            text = _plain(value)
        if "." in text and text[-1] == "0":
            text = text.rstrip("0").rstrip(".")
        if text == "-0":
            text = "0"
    elif value.__class__ is int:
        text = str(value)
    else:
        raise NumberFaultError(ValueFaultKind.WRONG_TYPE)
    point = text.find(".")
    if point >= 0 and len(text) - point - 1 > fraction_digits:
        raise NumberFaultError(ValueFaultKind.FRACTION_DIGITS)
    # The sign, the point and a zero before the point are no digits in the schema's count.
    if len(text) > total_digits and (len(text.lstrip("-0").replace(".", "", 1)) > total_digits):
        raise NumberFaultError(ValueFaultKind.TOTAL_DIGITS)
    return text


def _plain(value: Decimal) -> str:
    """Return a decimal in positional notation; raises when it is not finite or far away."""
    if not value.is_finite():
        raise NumberFaultError(ValueFaultKind.NOT_FINITE)
    if not value:
        return "0"
    if value.adjusted() > _FAR:
        raise NumberFaultError(ValueFaultKind.TOTAL_DIGITS)
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_FAR:
        raise NumberFaultError(ValueFaultKind.FRACTION_DIGITS)
    return format(value, "f")


def _clean_number(
    value: object, path: str, total: int, fraction: int, faults: list[ValueFault]
) -> str:
    try:
        return number_text(value, total, fraction)
    except NumberFaultError as error:
        faults.append(ValueFault(path, error.kind))
        return ""


def resolve(source: Attr | Call, names: Mapping[str, object]) -> object:
    """Return the value of a source; None on the way of a path is None at its end."""
    match source:
        case Attr(path):
            return _follow(path, names)
        case Call(function, arguments):
            return function(*(_follow(path, names) for path in arguments))
        case _:
            assert_never(source)


def _follow(path: str, names: Mapping[str, object]) -> object:
    first, *rest = path.split(".")
    value = names[first]
    for name in rest:
        if value is None:
            return None
        value = getattr(value, name)
    return value


def interpret(node: Group, names: Mapping[str, object]) -> str:
    """Write one element with all care; raises FaultsError with every fault of it."""
    faults: list[ValueFault] = []
    text = _write(node, names, "", faults)
    if faults:
        raise FaultsError(faults)
    return text


def _write(node: Node, names: Mapping[str, object], base: str, faults: list[ValueFault]) -> str:
    # Recursion over compiled nodes, whose depth the schemas fix.
    match node:
        case Literal(text):
            return text
        case TextField() | NumberField():
            return _write_leaf(node, names, base, faults)
        case Group(_, tag, mandatory, children):
            text = "".join(_write(child, names, base, faults) for child in children)
            return f"<{tag}>{text}</{tag}>" if text or mandatory else ""
        case Repeat():
            return _write_each(node, names, base, faults)
        case _:
            assert_never(node)


def _write_leaf(
    node: TextField | NumberField, names: Mapping[str, object], base: str, faults: list[ValueFault]
) -> str:
    value = resolve(node.source, names)
    path = base + node.path
    if value is None:
        if node.mandatory:
            faults.append(ValueFault(path, ValueFaultKind.MISSING))
        return ""
    if isinstance(node, NumberField):
        text = _clean_number(value, path, node.total_digits, node.fraction_digits, faults)
    else:
        text = clean_text(value, path, faults)
    return f"<{node.tag}>{text}</{node.tag}>" if text or node.mandatory else ""


def _write_each(
    node: Repeat, names: Mapping[str, object], base: str, faults: list[ValueFault]
) -> str:
    items = resolve(node.items, names)
    if items is None:
        items = ()
    if not isinstance(items, Iterable) or isinstance(items, str):
        faults.append(ValueFault(base + node.path, ValueFaultKind.WRONG_TYPE))
        return ""
    parts = [
        _write(node.group, {**names, node.var: item}, f"{base}{node.path}[{number}]/", faults)
        for number, item in enumerate(items, 1)
    ]
    if len(parts) < node.least:
        faults.append(ValueFault(base + node.path, ValueFaultKind.TOO_FEW))
    if node.most is not None and len(parts) > node.most:
        faults.append(ValueFault(base + node.path, ValueFaultKind.TOO_MANY))
    return "".join(parts)
