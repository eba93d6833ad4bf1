"""Reference pages of the messages: every field with labels, type and whether it must be there.

Made from plan data, so the pages say what writers, readers and validators do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from schemas.catalog import load_editions
from schemas.errors import UnknownSchemaError
from schemas.plan import (
    CodeList,
    ElementPlan,
    Facets,
    MessagePlan,
    Presence,
    ValueKind,
    load_codes,
    load_plan,
)

FAMILIES = ("ceb", "dxp")
"""Business messages and transport envelopes."""


@dataclass(frozen=True, slots=True)
class MessageEntry:
    """One message over all its editions, oldest first; ``plan`` is that of the newest."""

    plan: MessagePlan
    editions: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the root element."""
        return self.plan.name


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One element of a message; ``path`` is below the root, ``kind`` as field tables write it.

    ``occurs`` is ``1``, ``0..1``, ``1..99`` or ``0..n``. ``codes`` maps a code to zh and en.
    """

    path: str
    label_zh: str
    label_en: str
    kind: str
    required: bool
    occurs: str
    note: str
    codes: Mapping[str, tuple[str, str]]
    code_list: str


def messages() -> tuple[MessageEntry, ...]:
    """Every message there is, by family and name."""
    found: dict[tuple[str, str], MessageEntry] = {}
    for family in FAMILIES:
        for catalog in load_editions(family):
            for name, plan in load_plan(family, catalog.edition).items():
                earlier = found.get((family, name))
                editions = (*(earlier.editions if earlier else ()), catalog.edition)
                found[family, name] = MessageEntry(plan, editions)
    return tuple(found[key] for key in sorted(found))


def message(name: str, edition: str | None = None) -> MessagePlan:
    """The plan of a message, of its newest edition when none is named.

    Raises UnknownSchemaError that says which editions or messages there are.
    """
    entry = next((one for one in messages() if one.name == name), None)
    if entry is None:
        raise UnknownSchemaError(f"there is no message {name}; see clearance schema list")
    if edition is None:
        return entry.plan
    if edition not in entry.editions:
        known = ", ".join(entry.editions)
        raise UnknownSchemaError(f"{name} is not in edition {edition}; it is in {known}")
    return load_plan(entry.plan.family, edition)[name]


def fields(plan: MessagePlan) -> Iterator[FieldRow]:
    """Every attribute of the root and every element of a message, in document order."""
    lists = load_codes(plan.family, plan.edition)
    for attribute in plan.root.attributes:
        yield FieldRow(
            f"@{attribute.name}",
            attribute.label_zh,
            attribute.label_en,
            kind_text(attribute.facets),
            attribute.required,
            "1" if attribute.required else "0..1",
            "",
            {},
            "",
        )
    pending = [(child.name, child) for child in reversed(plan.root.children)]
    while pending:
        path, element = pending.pop()
        yield _row(path, element, lists)
        pending.extend((f"{path}/{child.name}", child) for child in reversed(element.children))


def _row(path: str, element: ElementPlan, lists: Mapping[str, CodeList]) -> FieldRow:
    least, most = element.min_occurs, element.max_occurs
    occurs = str(least) if least == most else f"{least}..{'n' if most is None else most}"
    held = lists.get(element.code_list)
    codes = dict(held.codes) if held is not None else {}
    if not codes and element.facets is not None:
        codes = {code: ("", "") for code in element.facets.codes}
    return FieldRow(
        path,
        element.label_zh,
        element.label_en,
        "group" if element.children else kind_text(element.facets),
        element.mandatory,
        occurs,
        element.note,
        codes,
        element.code_list,
    )


def kind_text(facets: Facets | None) -> str:
    """A type as field tables write it: ``C36`` exact, ``C..60`` at most, ``N19,5`` digits."""
    if facets is None:
        return "any"
    if facets.kind is ValueKind.DECIMAL:
        digits = facets.total_digits or ""
        return f"N{digits},{facets.fraction_digits}" if facets.fraction_digits else f"N{digits}"
    if facets.kind is not ValueKind.TEXT:
        return facets.kind.value
    if facets.length is not None:
        return f"C{facets.length}"
    if facets.fixed is not None:
        return f"C{len(facets.fixed)}"
    if facets.max_length is not None:
        if facets.min_length == facets.max_length:
            return f"C{facets.max_length}"
        return f"C..{facets.max_length}"
    return "C"


def index_page() -> str:
    """The list of all messages as Markdown."""
    rows = [
        f"| {one.name} | {one.plan.root.label_zh} | {one.plan.root.label_en} | "
        f"{one.plan.side.value} | {one.plan.direction.value} | {one.plan.answer or ''} | "
        + ", ".join(f"[{edition}](messages/{edition}/{one.name})" for edition in one.editions)
        + " |"
        for one in messages()
    ]
    return "\n".join(
        (
            "# Messages · 报文",
            "",
            "| message | 名称 | meaning | side | direction | answer | editions |",
            "|---|---|---|---|---|---|---|",
            *rows,
            "",
        )
    )


def message_page(plan: MessagePlan) -> str:
    """One message as Markdown: its facts, then a table of every field."""
    signature = {
        Presence.MANDATORY: "mandatory 必须",
        Presence.OPTIONAL: "optional 可选",
        Presence.NONE: "none 无",
    }[plan.signature]
    lines = [
        f"# {plan.name} {plan.root.label_zh} · {plan.root.label_en}",
        "",
        f"- edition 版本: {plan.edition}",
        f"- side 进出口: {plan.side.value}; direction 方向: {plan.direction.value}",
        f"- signature 签名: {signature}",
        f"- namespace 命名空间: `{plan.namespace}`",
    ]
    if plan.answer:
        lines.append(f"- answer 回执: {plan.answer}")
    lines += [
        "",
        "| element | 名称 | meaning | type | M/O | occurs | codes, note |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in fields(plan):
        codes = "; ".join(
            f"`{code}` {zh} {en}".rstrip() for code, (zh, en) in row.codes.items()
        ) or (f"table `{row.code_list}`" if row.code_list else "")
        remark = ". ".join(part for part in (codes, row.note) if part)
        cells = (
            f"`{row.path}`",
            row.label_zh,
            row.label_en,
            row.kind,
            "M" if row.required else "O",
            row.occurs,
            remark,
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join((*lines, ""))
