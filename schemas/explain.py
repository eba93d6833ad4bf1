"""All faults of one document at once, in words, after the hot path has refused it.

``xmlschema`` finds every wrong value, however many there are; where the children of an element do
not fit it stops at the first, so those are compared with the plan here. Labels come from the
schema, rules are told in Chinese and English. Slow by design, hence capped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Final

from lxml import etree

from schemas.catalog import load_catalog
from schemas.errors import UnknownMessageError
from schemas.loader import DEFAULT, Limits, parse
from schemas.plan import ElementPlan, Facets, MessagePlan, Presence, load_plan
from schemas.reader import identify

if TYPE_CHECKING:
    from xmlschema import XMLSchemaValidationError

MOST_FAULTS: Final = 500
_VALUE_LENGTH: Final = 200
_STEP: Final = re.compile(r"(?:[^:/\[]+:)?([^:/\[]+)(?:\[([0-9]+)\])?")
_BRACED: Final = re.compile(r"\{[^{}]*\}")
_ATTRIBUTE: Final = re.compile(r"attribute ([\w.-]+)=|'([\w.:-]+)'")
_SIGNATURE: Final = ElementPlan(
    "Signature", 1, 1, "数字签名", "Digital signature", "", None, (), ()
)
_DSIG: Final = "{http://www.w3.org/2000/09/xmldsig#}Signature"


class Rule(StrEnum):
    """What a value or an element breaks."""

    REQUIRED = "required"
    UNEXPECTED = "unexpected"
    REPEATED = "repeated"
    ORDER = "order"
    TOO_MANY = "too-many"
    MARKUP = "markup"
    LENGTH = "length"
    MIN_LENGTH = "min-length"
    MAX_LENGTH = "max-length"
    PATTERN = "pattern"
    CODES = "codes"
    FIXED = "fixed"
    NUMBER = "number"
    TOTAL_DIGITS = "total-digits"
    FRACTION_DIGITS = "fraction-digits"
    OTHER = "other"


_TEXTS: Final = {
    Rule.REQUIRED: ("必填项缺失", "is required and missing"),
    Rule.UNEXPECTED: ("此处不允许出现", "is not allowed here"),
    Rule.REPEATED: ("重复出现", "occurs more than once"),
    Rule.ORDER: ("顺序错误", "is out of order"),
    Rule.TOO_MANY: ("最多{limit}项", "occurs more than {limit} times"),
    Rule.MARKUP: ("不得包含子元素", "must not hold elements"),
    Rule.LENGTH: ("长度必须为{limit}位", "must have exactly {limit} characters"),
    Rule.MIN_LENGTH: ("长度不得少于{limit}位", "must have at least {limit} characters"),
    Rule.MAX_LENGTH: ("长度不得超过{limit}位", "must have at most {limit} characters"),
    Rule.PATTERN: ("格式不符：{limit}", "must look like {limit}"),
    Rule.CODES: ("取值必须为：{limit}", "must be one of {limit}"),
    Rule.FIXED: ("固定值为{limit}", "must be {limit}"),
    Rule.NUMBER: ("不是有效的值", "is not a value of its type"),
    Rule.TOTAL_DIGITS: ("数字总位数不得超过{limit}位", "must have at most {limit} digits"),
    Rule.FRACTION_DIGITS: ("小数不得超过{limit}位", "must have at most {limit} decimals"),
    Rule.OTHER: ("不符合报文规范", "breaks the schema"),
}

# By name of xmlschema's classes, so that the library is imported only when there is a fault.
_FACETS: Final = {
    "XsdLengthFacet": Rule.LENGTH,
    "XsdMinLengthFacet": Rule.MIN_LENGTH,
    "XsdMaxLengthFacet": Rule.MAX_LENGTH,
    "XsdPatternFacets": Rule.PATTERN,
    "XsdEnumerationFacets": Rule.CODES,
    "XsdTotalDigitsFacet": Rule.TOTAL_DIGITS,
    "XsdFractionDigitsFacet": Rule.FRACTION_DIGITS,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: where, what the element is called, its value, and the rule in words.

    ``record`` counts from 1 and is None outside the records; ``path`` is below the record (below
    the root outside). ``value`` is content and may be personal: the caller masks it. It is cut at
    200 characters and None when there is nothing to show.
    """

    record: int | None
    path: str
    label_zh: str
    label_en: str
    rule: Rule
    text_zh: str
    text_en: str
    value: str | None


class Explainer:
    """Explains documents of one kind; building one compiles the schema (some 20 ms)."""

    def __init__(self, family: str, edition: str, name: str) -> None:
        """Compile the schema of one message; raises UnknownMessageError when there is none."""
        import xmlschema  # noqa: PLC0415  a quarter of a second that most processes never need

        plans = load_plan(family, edition)
        if name not in plans:
            raise UnknownMessageError(name, family, edition)
        self._plan: MessagePlan = plans[name]
        folder = load_catalog(family, edition).folder
        self._schema = xmlschema.XMLSchema(
            str(files("schemas") / folder / f"{name}.xsd"),
            allow="local",
            use_location_hints=False,
            # The schema itself was held against the schema of schemas by a test.
            validation="skip",
        )

    def explain(
        self, data: bytes, limits: Limits = DEFAULT, *, signature_optional: bool = False
    ) -> tuple[Fault, ...]:
        """Return all faults of a document, 500 at most; one for each element that is wrong.

        Raises DocumentError when it cannot even be parsed under ``limits``.
        """
        root = parse(data, limits)
        kind = identify(root)
        if (kind.namespace, kind.name) != (self._plan.namespace, self._plan.name):
            return (self._fault([], self._plan.root, Rule.UNEXPECTED, None, "", kind.name),)
        # The library takes a remark inside a value for a child, and reads the value without it.
        etree.strip_tags(root, etree.Comment, etree.ProcessingInstruction)
        found: dict[tuple[int | None, str], Fault] = {}
        for fault in islice(self._faults(root, signature_optional), MOST_FAULTS):
            found.setdefault((fault.record, fault.path), fault)
        return tuple(found.values())

    def _faults(self, root: etree._Element, signature_optional: bool) -> Iterator[Fault]:
        if self._plan.signature is Presence.MANDATORY and not signature_optional:
            if root.find(_DSIG) is None:
                yield self._fault([("Signature", 0)], _SIGNATURE, Rule.REQUIRED)
        # An lxml element is what the library takes; its annotations know the standard one only.
        for error in self._schema.iter_errors(root):  # type: ignore[arg-type]
            steps, element = self._locate(error.path or "")
            node: object = error.elem
            if not isinstance(node, etree._Element):
                continue
            if element is None:
                # Inside the Signature, which has no plan: its place, and what kind of fault.
                yield self._fault(steps, _SIGNATURE, _rule(error))
            elif type(error).__name__ == "XMLSchemaChildrenValidationError":
                yield from self._content(node, steps, element)
            else:
                yield self._value(steps, element, error)

    def _locate(self, path: str) -> tuple[list[tuple[str, int]], ElementPlan | None]:
        """Return the steps below the root (name, index or 0) and the plan of the element there."""
        element: ElementPlan | None = self._plan.root
        steps: list[tuple[str, int]] = []
        for name, index in _STEP.findall(_BRACED.sub("", path))[1:]:
            found = next((c for c in element.children if c.name == name), None) if element else None
            steps.append((name, int(index or 1) if found is not None and found.repeated else 0))
            element = found
        return steps, element

    def _content(
        self, node: etree._Element, steps: list[tuple[str, int]], element: ElementPlan
    ) -> Iterator[Fault]:
        """Compare the children of one element with the plan: all that is missing or too much."""
        # Places of children are even, so that the Signature has one between two of them.
        order = {child.name: 2 * position for position, child in enumerate(element.children)}
        names = {child.name: child for child in element.children}
        counts: dict[str, int] = {}
        last = -1
        for child in node.iterchildren(etree.Element):
            name = etree.QName(child)
            if child.tag == _DSIG and element is self._plan.root:
                counts[_DSIG] = counts.get(_DSIG, 0) + 1
                place = self._signature_place()
                if place is None or place < last or counts[_DSIG] > 1:
                    rule = Rule.UNEXPECTED if place is None else Rule.ORDER
                    rule = rule if counts[_DSIG] == 1 else Rule.REPEATED
                    yield self._fault([("Signature", 0)], _SIGNATURE, rule)
                last = max(last, place or 0)
                continue
            plan = names.get(name.localname)
            if plan is None or name.namespace != self._plan.namespace:
                yield self._fault(
                    [*steps, (name.localname, 0)], None, Rule.UNEXPECTED, None, "", name.localname
                )
                continue
            counts[plan.name] = counts.get(plan.name, 0) + 1
            if order[plan.name] < last:
                yield self._fault([*steps, (plan.name, 0)], plan, Rule.ORDER)
            last = max(last, order[plan.name])
        for plan in element.children:
            count = counts.get(plan.name, 0)
            if count < plan.min_occurs:
                yield self._fault([*steps, (plan.name, 0)], plan, Rule.REQUIRED)
            elif plan.max_occurs is not None and count > plan.max_occurs:
                rule = Rule.TOO_MANY if plan.repeated else Rule.REPEATED
                yield self._fault([*steps, (plan.name, 0)], plan, rule, None, str(plan.max_occurs))

    def _signature_place(self) -> int | None:
        """Return where the Signature stands between the children of the root; None for nowhere."""
        if self._plan.signature is Presence.NONE:
            return None
        names = [child.name for child in self._plan.root.children]
        before = self._plan.signature_before
        return 2 * (names.index(before) if before is not None else len(names)) - 1

    def _value(
        self,
        steps: list[tuple[str, int]],
        element: ElementPlan,
        error: XMLSchemaValidationError,
    ) -> Fault:
        """Turn one complaint about a value or an attribute into a fault."""
        reason = error.reason or ""
        if type(error.validator).__name__ == "XsdAttributeGroup" or reason.startswith("attribute "):
            return self._attribute(steps, element, error, reason)
        facets = element.facets or Facets()
        value = "".join(error.elem.itertext()) if error.elem is not None else None
        if "child elements" in reason:
            return self._fault(steps, element, Rule.MARKUP)
        rule = _rule(error)
        return self._fault(steps, element, rule, value, _limit(rule, facets))

    def _attribute(
        self,
        steps: list[tuple[str, int]],
        element: ElementPlan,
        error: XMLSchemaValidationError,
        reason: str,
    ) -> Fault:
        match = _ATTRIBUTE.search(reason)
        name = (match[1] or match[2]) if match else ""
        plan = next((item for item in element.attributes if item.name == name), None)
        value = error.elem.get(name) if error.elem is not None and name else None
        if "missing" in reason:
            rule = Rule.REQUIRED
        elif plan is None:
            rule = Rule.UNEXPECTED
        else:
            rule = _rule(error)
        limit = _limit(rule, plan.facets) if plan is not None else ""
        fault = self._fault([*steps, (f"@{name}", 0)], None, rule, value, limit, name)
        if plan is None:
            return fault
        return Fault(
            fault.record,
            fault.path,
            plan.label_zh,
            plan.label_en,
            fault.rule,
            fault.text_zh,
            fault.text_en,
            fault.value,
        )

    def _fault(
        self,
        steps: list[tuple[str, int]],
        element: ElementPlan | None,
        rule: Rule,
        value: str | None = None,
        limit: str = "",
        name: str = "",
    ) -> Fault:
        record = None
        if len(steps) > 1 and steps[0][0] == self._plan.record.name:
            record = steps[0][1] or 1
            steps = steps[1:]
        path = "/".join(f"{step}[{index}]" if index else step for step, index in steps)
        zh, en = _TEXTS[rule]
        return Fault(
            record=record,
            path=path,
            label_zh=element.label_zh if element is not None else name,
            label_en=element.label_en if element is not None else name,
            rule=rule,
            text_zh=zh.format(limit=limit),
            text_en=en.format(limit=limit),
            value=None if value is None else value[:_VALUE_LENGTH],
        )


def _rule(error: XMLSchemaValidationError) -> Rule:
    """Return the rule that a complaint of xmlschema is about."""
    if type(error).__name__ == "XMLSchemaDecodeError":
        return Rule.NUMBER
    if "fixed value" in (error.reason or ""):
        return Rule.FIXED
    return _FACETS.get(type(error.validator).__name__, Rule.OTHER)


def _limit(rule: Rule, facets: Facets) -> str:
    """Return what the rule's text says in place of its limit."""
    limits = {
        Rule.LENGTH: facets.length,
        Rule.MIN_LENGTH: facets.min_length,
        Rule.MAX_LENGTH: facets.max_length,
        Rule.PATTERN: facets.pattern,
        Rule.CODES: ", ".join(facets.codes),
        Rule.FIXED: facets.fixed,
        Rule.TOTAL_DIGITS: facets.total_digits,
        Rule.FRACTION_DIGITS: facets.fraction_digits,
    }
    return str(limits.get(rule, ""))
