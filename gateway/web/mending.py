"""Which fixes of a finding the console can apply, and which of them to offer first."""

from typing import Final

from gateway.domain.findings import Confidence, Fix, FixKind
from gateway.domain.papers import PaperKind
from gateway.domain.repair import goods_place, kind_of_path

_NOT_HERE: Final = frozenset(f"{kind.value}.lines" for kind in PaperKind)
_CONFIDENCE: Final = (Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW)


def can_mend(fix: Fix) -> bool:
    """Whether a fix is one that the console can apply: a field of a paper or goods record."""
    if goods_place(fix.path) is not None:
        return True
    return kind_of_path(fix.path) is not None and fix.path not in _NOT_HERE


def rank(fix: Fix) -> tuple[bool, int]:
    """The place of a fix among its like: what staff may apply first, then what is likely."""
    return fix.kind is not FixKind.FORM, _CONFIDENCE.index(fix.confidence)
