"""Turns compiled nodes into the fast writing function.

The function is made of generated source text, executed once when a writer is compiled. That is
why lint rule S102 is off for one line below: with 70 values in a record an interpreter's overhead
of one step per value would already cost more than the generated function costs in all. The text is
built from schema names, from dotted paths that were checked to be plain names, and from constants
quoted by ``repr``; no value of a document ever becomes code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, assert_never

from schemas.nodes import (
    Group,
    Literal,
    Node,
    NumberFaultError,
    NumberField,
    Repeat,
    TextField,
    interpret,
    number_text,
)
from schemas.sources import Attr, Call

_INDENT: Final = "    "


class _Unclean(ValueError):
    """The bulk check found something: the careful path has to look."""


_CAREFUL: Final = (AttributeError, TypeError, NumberFaultError, _Unclean)
"""What sends a record to the careful path. A real mistake raises there again, in plain sight."""


class _Source:
    """Collects the text of the function and the objects it refers to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.objects: dict[str, object] = {}
        self._count = 0

    def name(self, kind: str) -> str:
        """Return a name that is new."""
        self._count += 1
        return f"{kind}{self._count}"

    def add(self, depth: int, text: str) -> None:
        """Append one line."""
        self.lines.append(_INDENT * depth + text)

    def expression(self, source: Attr | Call, *, optional: bool = False) -> str:
        """Return the expression that reads a source; names of arguments get a prefix.

        A path that an ``optional`` element reads may meet None on its way without leaving the
        fast path.
        """
        match source:
            case Attr(path):
                first, *rest = path.split(".")
                if not optional or len(rest) < 2:
                    return f"a_{path}"
                step = self.name("t")
                tests = [f"({step} := a_{first}.{rest[0]}) is None"]
                tests += [f"({step} := {step}.{name}) is None" for name in rest[1:-1]]
                return f"None if {' or '.join(tests)} else {step}.{rest[-1]}"
            case Call(function, arguments):
                name = self.name("f")
                self.objects[name] = function
                return f"{name}({', '.join(f'a_{path}' for path in arguments)})"
            case _:
                assert_never(source)


def generate(node: Group, arguments: tuple[str, ...]) -> Callable[..., str]:
    """Return a function of ``arguments`` that writes the element of ``node``.

    It raises FaultsError with every fault of the values.
    """

    def careful(*args: object) -> str:
        return interpret(node, dict(zip(arguments, args, strict=True)))

    source = _Source()
    source.objects |= {
        "careful": careful,
        "number": number_text,
        "Unclean": _Unclean,
        "CAREFUL": _CAREFUL,
    }
    parameters = ", ".join(f"a_{name}" for name in arguments)
    source.add(0, f"def write({parameters}):")
    source.add(1, "try:")
    source.add(2, "texts = []")
    literal = _element(node, source, 2)
    source.add(2, 'joined = "".join(texts)')
    # Printable and free of markup is what nearly all values are; the rest is looked at one by one.
    source.add(2, "if not joined.isprintable() or '&' in joined or '<' in joined or '>' in joined:")
    source.add(3, "raise Unclean")
    source.add(2, f"return {literal}")
    source.add(1, "except CAREFUL:")
    source.add(2, f"return careful({parameters})")
    exec("\n".join(source.lines), source.objects)  # noqa: S102  the module docstring says why
    function = source.objects["write"]
    assert callable(function)
    return function


def _element(node: Group, source: _Source, depth: int) -> str:
    """Add the lines that prepare an element; return the f-string that writes it."""
    # Recursion over compiled nodes, whose depth the schemas fix.
    parts: list[str] = [_quoted(f"<{node.tag}>")]
    texts: list[str] = []
    for child in node.children:
        parts.append(_part(child, source, depth, texts))
    parts.append(_quoted(f"</{node.tag}>"))
    if texts:
        source.add(depth, f"texts += ({', '.join(texts)},)")
    return " ".join(parts)


def _part(node: Node, source: _Source, depth: int, texts: list[str]) -> str:
    """Add the lines for one node; return its piece of the f-string."""
    match node:
        case Literal(text):
            return _quoted(text)
        case TextField():
            return _text(node, source, depth, texts)
        case NumberField():
            return _number(node, source, depth)
        case Group():
            return _group(node, source, depth)
        case Repeat():
            return _each(node, source, depth)
        case _:
            assert_never(node)


def _text(node: TextField, source: _Source, depth: int, texts: list[str]) -> str:
    value = source.name("v")
    expression = source.expression(node.source, optional=not node.mandatory)
    source.add(depth, f"{value} = {expression}")
    texts.append(value)
    if node.mandatory:
        return f"{_quoted(f'<{node.tag}>')} f'{{{value}}}' {_quoted(f'</{node.tag}>')}"
    piece = source.name("p")
    source.add(depth, f"if {value} is None: {value} = {piece} = ''")
    source.add(depth, f"elif {value} == '': {piece} = ''")
    source.add(depth, f"else: {piece} = f'<{node.tag}>{{{value}}}</{node.tag}>'")
    return f"f'{{{piece}}}'"


def _number(node: NumberField, source: _Source, depth: int) -> str:
    digits = f"{node.total_digits}, {node.fraction_digits}"
    value = source.name("n")
    expression = source.expression(node.source, optional=not node.mandatory)
    if node.mandatory:
        source.add(depth, f"{value} = number({expression}, {digits})")
        return f"{_quoted(f'<{node.tag}>')} f'{{{value}}}' {_quoted(f'</{node.tag}>')}"
    source.add(depth, f"{value} = {expression}")
    source.add(
        depth,
        f"{value} = '' if {value} is None else "
        f"f'<{node.tag}>{{number({value}, {digits})}}</{node.tag}>'",
    )
    return f"f'{{{value}}}'"


def _group(node: Group, source: _Source, depth: int) -> str:
    if node.mandatory:
        return _element(node, source, depth)
    inner = source.name("g")
    empty = f"<{node.tag}></{node.tag}>"
    literal = _element(node, source, depth)
    source.add(depth, f"{inner} = {literal}")
    source.add(depth, f"if {inner} == {empty!r}: {inner} = ''")
    return f"f'{{{inner}}}'"


def _each(node: Repeat, source: _Source, depth: int) -> str:
    parts = source.name("r")
    source.add(depth, f"{parts} = []")
    items = source.expression(node.items)
    source.add(depth, f"for a_{node.var} in {items}:")
    literal = _element(node.group, source, depth + 1)
    source.add(depth + 1, f"{parts}.append({literal})")
    bounds = f"len({parts}) < {node.least}"
    if node.most is not None:
        bounds += f" or len({parts}) > {node.most}"
    source.add(depth, f"if {bounds}: raise Unclean")
    joined = source.name("j")
    source.add(depth, f'{joined} = "".join({parts})')
    return f"f'{{{joined}}}'"


def _quoted(text: str) -> str:
    """Return a plain string literal; adjacent literals become one f-string."""
    return repr(text)
