"""What a rule of matching is: a small function and everything people must know about it.

A rule answers in three values: it *holds* (no fault), is *broken* (faults), or cannot be *verified*
because a field it compares is masked or absent (faults of ``unknown``).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

from gateway.domain.findings import Confidence, Fix, FixKind, LedgerRow, Severity
from gateway.domain.money import plain
from gateway.domain.papers import Masked, PaperKind
from gateway.domain.party import mask, mask_name


class Group(StrEnum):
    """What a rule is about: the first word of its id."""

    ORDER = "ORDER"
    PAYMENT = "PAYMENT"
    WAYBILL = "WAYBILL"
    PARTY = "PARTY"
    GOODS = "GOODS"
    INVENTORY = "INVENTORY"
    LIMIT = "LIMIT"
    TAX = "TAX"
    REGISTRY = "REGISTRY"
    CLAIM = "CLAIM"
    TIME = "TIME"
    SYSTEM = "SYSTEM"


class Outcome(StrEnum):
    """What a rule makes of a case when it blocks."""

    MISMATCH = "mismatch"
    BLOCKED = "blocked"
    WAITING = "waiting"


class Owner(StrEnum):
    """Who owns a value and may change the fact behind it."""

    SELLER = "seller"
    PAYMENT_COMPANY = "payment_company"
    CARRIER = "carrier"
    DECLARANT = "declarant"


ParameterValue = Decimal | int | str | bool


@dataclass(frozen=True, slots=True)
class Text:
    """The words of a rule in one language; ``{name}`` stands for a parameter of the finding."""

    title: str
    cause: str
    fix: str


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """A rule as people see it.

    ``reads`` are the papers without which it cannot be asked. ``code`` is the customs code that
    the fault would have caused, None when none is known. ``source`` says where the rule is from.
    """

    id: str
    reads: tuple[PaperKind, ...]
    severity: Severity
    owner: Owner
    source: str
    zh: Text
    en: Text
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    code: str | None = None
    outcome: Outcome | None = None

    @property
    def group(self) -> Group:
        """What the rule is about."""
        return Group(self.id.partition("-")[0])

    @property
    def leads_to(self) -> Outcome:
        """The outcome when it blocks: a comparison of papers mismatches, a fault of one blocks."""
        if self.outcome is not None:
            return self.outcome
        return Outcome.MISMATCH if len(self.reads) > 1 else Outcome.BLOCKED


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where a rule does not hold; the matcher makes a finding of it.

    ``severity`` can only lower the severity of the rule. Values are masked when personal.
    """

    paths: Mapping[str, str | None]
    params: Mapping[str, str] = field(default_factory=dict)
    delta: str | None = None
    fixes: tuple[Fix, ...] = ()
    severity: Severity | None = None
    is_verifiable: bool = True
    ledger: tuple[LedgerRow, ...] = ()

    def weighed(self) -> tuple[Fix, ...]:
        """The fixes with what speaks for them: the other places of the fault.

        A spelling that another paper gives is near certain; of two facts that differ, each is the
        evidence against the other; where no value is known, there is none.
        """
        return tuple(self._weighed(fix) for fix in self.fixes)

    def _weighed(self, fix: Fix) -> Fix:
        if fix.value is None or fix.evidence:
            return fix
        evidence = tuple(path for path in self.paths if path != fix.path)
        is_form = fix.kind is FixKind.FORM
        sure = Confidence.HIGH if is_form or len(evidence) > 1 else Confidence.MEDIUM
        return replace(fix, confidence=sure, evidence=evidence)


Faults = Sequence[Fault]
HOLDS: Final[Faults] = ()

# (Facts, **parameters): the parameter names are checked against the declaration by a test.
Check = Callable[..., Faults]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule and the function that asks it.

    ``is_per_profile`` marks a rule that depends on the filing profile alone: it is asked once.
    ``reads_around`` names the circumstance (a field of ``Circumstances``) without which a rule has
    nothing to say: where that is not known, it is not asked.
    """

    info: RuleInfo
    check: Check
    is_per_profile: bool = False
    reads_around: str | None = None


def unknown(*paths: str) -> Faults:
    """The answer of a rule that cannot be verified because these fields are masked or absent."""
    return (Fault(paths=dict.fromkeys(paths), is_verifiable=False),)


def number(value: Decimal) -> str:
    """A number or amount as findings show it."""
    return plain(value)


def difference(value: Decimal) -> str:
    """A difference with its sign."""
    return f"+{plain(value)}" if value > 0 else plain(value)


def hidden(value: str | Masked | None) -> str | None:
    """A personal value as findings show it: the last four characters at most."""
    if value is None:
        return None
    return mask(value.shown if isinstance(value, Masked) else value)


def hidden_name(value: str | Masked | None) -> str | None:
    """A name as findings show it: the last character at most."""
    if value is None:
        return None
    return mask_name(value.shown if isinstance(value, Masked) else value)


def fact_fix(path: str, owner: Owner, value: str | None = None) -> Fix:
    """A change that only the owner of the paper may confirm."""
    return Fix(FixKind.FACT, path, owner.value, value)


def form_fix(path: str, owner: Owner, value: str | None = None) -> Fix:
    """A change of spelling or form that staff may apply."""
    return Fix(FixKind.FORM, path, owner.value, value)
