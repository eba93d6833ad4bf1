"""One good and one bad example of every rule, as data: papers that agree, and what is changed.

``examples.json`` holds two base cases as documents and for every rule two changes of one of them,
by dotted path (``order.lines.2.total``; a place in a list counts from 1; null takes a value away).
The bad one breaks its rule and no other; the good one, close to it, breaks none. The tests run
them, and the reference of rules shows them.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Final

from gateway.domain.case import Verdict
from gateway.domain.circumstances import Circumstances
from gateway.domain.codec import from_doc, from_micros, paper_from_doc, paper_to_doc, to_micros
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import CaseId, RawId
from gateway.domain.matching.matcher import PaperMatcher
from gateway.domain.papers import Basis, Paper, PaperKind, PaperRevision, SourceFact, kind_of
from gateway.domain.profile import FilingProfile
from gateway.domain.quota import QuotaStanding
from gateway.domain.relations import BrokenTie
from gateway.domain.tables import TableInfo, TableKind, gather, read_row

_TIMES: Final = frozenset({"ordered_at", "paid_at", "received", "now"})
_LINES: Final = "order.lines"


@dataclass(frozen=True, slots=True)
class ExampleCase:
    """Everything that matching takes."""

    papers: Mapping[PaperKind, PaperRevision]
    profile: FilingProfile
    goods: Mapping[str, GoodsRecord]
    taken: Mapping[str, CaseId]
    now: int
    around: Circumstances

    def match(self, matcher: PaperMatcher) -> Verdict:
        """The verdict over it."""
        return matcher(self.papers, self.profile, self.goods, self.taken, self.now, self.around)


@dataclass(frozen=True, slots=True)
class Example:
    """The two examples of one rule: the name of their base, and what each changes in it."""

    rule: str
    base: str
    good: Mapping[str, Any]
    bad: Mapping[str, Any]

    def good_case(self) -> ExampleCase:
        """The case that breaks nothing."""
        return varied(self.base, self.good)

    def bad_case(self) -> ExampleCase:
        """The case that breaks this rule alone."""
        return varied(self.base, self.bad)


@cache
def _data() -> Mapping[str, Any]:
    """The file, read once (Any: JSON)."""
    text = (resources.files(__package__) / "examples.json").read_text(encoding="utf-8")
    found: Mapping[str, Any] = json.loads(text)
    return found


def examples() -> tuple[Example, ...]:
    """The examples of every rule, in the order of the file."""
    return tuple(
        Example(rule, one["base"], one["good"], one["bad"])
        for rule, one in _data()["examples"].items()
    )


def find_example(rule: str) -> Example | None:
    """The examples of one rule."""
    return next((one for one in examples() if one.rule == rule), None)


def base_case(name: str = "bonded") -> ExampleCase:
    """A case of two lines in which everything agrees: ``bonded`` or ``direct``."""
    return varied(name, {})


def base_document(name: str = "bonded") -> dict[str, Any]:
    """A copy of the document that a base case is built from (Any: JSON)."""
    found: dict[str, Any] = json.loads(json.dumps(_data()["bases"][name]))
    return found


def varied(base: str, changes: Mapping[str, Any]) -> ExampleCase:
    """A base case with some places changed, as an example changes it."""
    doc = base_document(base)
    for path, value in changes.items():
        if path == _LINES and isinstance(value, int):
            first = doc["order"]["lines"][0]
            doc["order"]["lines"] = [{**first, "line_no": at + 1} for at in range(value)]
        else:
            _put(doc, path.split("."), value)
    return _built(_in_micros(doc))


def _put(doc: Any, steps: Sequence[str], value: Any) -> None:
    """Change one place of a document; null takes it away."""
    at = doc
    for step in steps[:-1]:
        at = at[int(step) - 1] if isinstance(at, list) else at.setdefault(step, {})
    last = steps[-1]
    if isinstance(at, list):
        at[int(last) - 1] = value
    elif value is None:
        at.pop(last, None)
    else:
        at[last] = value


def _in_micros(value: Any) -> Any:
    """Times are ISO texts in the file and microseconds in documents."""
    if isinstance(value, list):
        return [_in_micros(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: to_micros(datetime.fromisoformat(one)) if name in _TIMES else _in_micros(one)
        for name, one in value.items()
    }


def _built(doc: Mapping[str, Any]) -> ExampleCase:
    received = from_micros(doc["received"])
    papers = {
        kind: paper_from_doc(kind, doc[kind.value]) for kind in PaperKind if kind.value in doc
    }
    basis = Basis(doc.get("basis", Basis.TO_FILE))
    return ExampleCase(
        papers={kind: _revision(kind, paper, received, basis) for kind, paper in papers.items()},
        profile=from_doc(FilingProfile, doc["profile"]),
        goods={sku: from_doc(GoodsRecord, one) for sku, one in doc["goods"].items()},
        taken={kind: CaseId(case) for kind, case in doc.get("taken", {}).items()},
        now=doc["now"],
        around=_around(doc.get("around", {}), papers),
    )


def _revision(kind: PaperKind, paper: Paper, received: datetime, basis: Basis) -> PaperRevision:
    fact = SourceFact("example", RawId("r"), 0, 1, received, paper)
    return PaperRevision(kind, 1, "d", paper, (fact,), basis)


def _around(doc: Mapping[str, Any], papers: Mapping[PaperKind, Paper]) -> Circumstances:
    tables = gather(
        (
            TableInfo(TableKind(kind), 1, "example", is_sample=True, rows=len(rows)),
            [read_row(TableKind(kind), row) for row in rows],
        )
        for kind, rows in doc.get("tables", {}).items()
    )
    quota = doc.get("quota")
    return Circumstances(
        tables=tables,
        ties=tuple(_tie(one) for one in doc.get("ties", ())),
        quota=None if quota is None else from_doc(QuotaStanding, quota),
        filed={
            PaperKind(kind): _filed(papers[PaperKind(kind)], changes)
            for kind, changes in doc.get("filed", {}).items()
        },
        filed_parties=doc.get("filed_parties", {}),
        seen_elsewhere=doc.get("seen_elsewhere", {}),
        billed_tax=_decimal(doc.get("billed_tax")),
        returned_tax=_decimal(doc.get("returned_tax")) or Decimal(0),
    )


def _tie(doc: Mapping[str, Any]) -> BrokenTie:
    """A broken relation; its amounts stand as pairs, which the codec does not know."""
    tie: BrokenTie = from_doc(BrokenTie, {**doc, "amounts": ()})
    return tie


def _filed(paper: Paper, changes: Mapping[str, Any]) -> Paper:
    """The copy that was filed: our paper with some places changed."""
    kind = kind_of(paper)
    doc = json.loads(json.dumps(paper_to_doc(paper)))
    for path, value in changes.items():
        _put(doc, path.split("."), value)
    return paper_from_doc(kind, doc)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
