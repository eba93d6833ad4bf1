"""Findings: one difference or fault, from any source, as a value without texts.

Texts in Chinese and English sit with the rule; a finding stores the rule id and parameters. Values
are masked before they get here.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_ID_LENGTH = 20


class Severity(StrEnum):
    """How much a finding matters."""

    BLOCK = "block"
    WARN = "warn"
    NOTE = "note"


class FixKind(StrEnum):
    """Who may apply a fix: a form fix by staff, a fact fix only by the owner of the paper."""

    FORM = "form"
    FACT = "fact"


class Confidence(StrEnum):
    """How likely a proposed change is the right one.

    ``high``: only the spelling differs, or the value follows from others. ``medium``: one of two
    sources must be wrong and this follows the other. ``low``: nothing tells the value.
    """

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Fix:
    """A proposed change of one field of one paper; ``value`` is masked when personal, None if
    asked for. ``evidence`` are the places that speak for it.
    """

    kind: FixKind
    path: str
    owner: str
    value: str | None = None
    confidence: Confidence = Confidence.LOW
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One row of the small account behind a finding about money: what, and how much (CNY text).

    The rows before ``delta`` add up to what should be; the last row names what the difference is
    equal to, if anything.
    """

    name: str
    amount: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference or fault.

    ``paths`` maps a place (``order.paid``) to the masked value seen there. ``code`` is the customs
    code that the fault would have caused. ``state`` is ``broken`` or ``unverifiable``. ``ledger``
    shows where the money went.
    """

    rule: str
    severity: Severity
    paths: Mapping[str, str | None] = field(default_factory=dict)
    delta: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    fixes: tuple[Fix, ...] = ()
    code: str | None = None
    state: str = "broken"
    ledger: tuple[LedgerRow, ...] = ()


def finding_id(finding: Finding) -> str:
    """The id of a finding: it follows from what was found, so another value is another finding."""
    parts = [finding.rule, finding.severity, finding.delta or "", finding.state]
    parts += [f"{path}={finding.paths[path]}" for path in sorted(finding.paths)]
    parts += [f"{name}={finding.params[name]}" for name in sorted(finding.params)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:_ID_LENGTH]


class Remedy(StrEnum):
    """How a finding was settled: a newer paper or goods record mended it, or somebody bears what it
    risks.
    """

    NEW_PAPER = "new_paper"
    NEW_GOODS = "new_goods"
    ACCEPTED_RISK = "accepted_risk"
