"""Trial of inventories that somebody has made: held against the papers that they name.

An inventory says again what its order and its waybill say. Where those papers are there too, they
are what customs has, and every place where the inventory says otherwise is a finding; where one is
not, what the inventory says stands for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from gateway.domain.circumstances import Circumstances
from gateway.domain.findings import Finding
from gateway.domain.matching.rule import Group
from gateway.domain.money import Money
from gateway.domain.papers import Order, Paper, PaperKind, PaperRevision, PaymentSlip, Waybill
from gateway.domain.profile import FilingProfile

UNSAID: Final = "-"
"""What stands for a text that an inventory may leave out and a paper may not."""

_COPIED: Final = (PaperKind.ORDER, PaperKind.WAYBILL)
# Rules that an inventory must hold by itself; those of the papers are asked of the papers.
_OWN_GROUPS: Final = frozenset({Group.INVENTORY, Group.GOODS, Group.REGISTRY})
_OWN_RULES: Final = frozenset(
    {
        "ORDER-CURRENCY",
        "ORDER-LINE-COUNT",
        "ORDER-LINE-NUMBERS",
        "ORDER-LINE-QUANTITY",
        "ORDER-LINE-TOTAL",
        "ORDER-TEXT-CHARACTERS",
        "ORDER-TEXT-LENGTH",
        "PARTY-CODES",
        "PARTY-GUARANTOR",
        "PARTY-ID-TYPE",
        "WAYBILL-FILED-WEIGHT",
        "WAYBILL-PACK-COUNT",
        "WAYBILL-WEIGHT",
        "WAYBILL-WEIGHT-GOODS",
    }
)
# Asked of the papers: the inventory's freight is held against the filed waybill's.
_OF_PAPERS: Final = frozenset({"INVENTORY-FREIGHT"})
_FILED_LINES: Final = "INVENTORY-FILED-LINES"
_LINE_TOTAL: Final = "ORDER-LINE-TOTAL"


@dataclass(slots=True)
class InventoryTried:
    """What one inventory says: the papers made of it, and the profile that its head names."""

    profile: FilingProfile
    papers: dict[PaperKind, PaperRevision]


def stood_in(
    own: Mapping[PaperKind, PaperRevision], inventory: InventoryTried
) -> dict[PaperKind, PaperRevision]:
    """The papers of a case, with what the inventory says in place of those that are not there.

    What the inventory does not say is taken from the others, or left unknown.
    """
    papers = dict(own)
    for kind in _COPIED:
        revision = inventory.papers.get(kind)
        if kind in papers or revision is None:
            continue
        if own and not inventory.profile.is_export:
            revision = replace(revision, paper=_filled(revision.paper, own))
        papers[kind] = revision
    return papers


def with_names(
    said: Mapping[PaperKind, PaperRevision], own: Mapping[PaperKind, PaperRevision]
) -> Mapping[PaperKind, PaperRevision]:
    """What an inventory says, with the shop's names of goods where it leaves them out (603)."""
    revision, other = said.get(PaperKind.ORDER), own.get(PaperKind.ORDER)
    if revision is None or other is None:
        return said
    paper, filed = revision.paper, other.paper
    assert isinstance(paper, Order)
    assert isinstance(filed, Order)
    names = {line.line_no: line.name for line in filed.lines}
    lines = tuple(
        replace(line, name=names.get(line.line_no, line.name)) if line.name == UNSAID else line
        for line in paper.lines
    )
    return {**said, PaperKind.ORDER: replace(revision, paper=replace(paper, lines=lines))}


def _filled(paper: Paper, own: Mapping[PaperKind, PaperRevision]) -> Paper:
    if isinstance(paper, Waybill):
        named = replace(paper.consignee, name=None, phone=None)
        return replace(paper, consignee=named)
    assert isinstance(paper, Order)
    waybill, slip = own.get(PaperKind.WAYBILL), own.get(PaperKind.PAYMENT)
    if waybill is not None and isinstance(waybill.paper, Waybill):
        there = waybill.paper.consignee
        named = replace(paper.consignee, name=there.name, phone=there.phone)
        paper = replace(paper, consignee=named)
    if slip is None or not isinstance(slip.paper, PaymentSlip):
        return paper
    # An inventory says nothing of tax and discount: the payment tells what they came to.
    more = slip.paper.amount.amount - paper.paid.amount
    paper = replace(paper, paid=slip.paper.amount)
    rest = Money(abs(more), paper.paid.currency)
    return replace(paper, tax=rest) if more > 0 else replace(paper, discount=rest)


def is_compared(own: Mapping[PaperKind, PaperRevision]) -> bool:
    """Whether there is a paper that an inventory can be held against."""
    return any(kind in own for kind in _COPIED)


def filed_around(
    own: Mapping[PaperKind, PaperRevision], parties: Mapping[str, str]
) -> Circumstances:
    """The papers of a case as what customs holds; ``parties`` are those that its order names."""
    filed = {kind: own[kind].paper for kind in _COPIED if kind in own}
    return Circumstances(filed=filed, filed_parties=parties)


def is_of_inventory(finding: Finding) -> bool:
    """Whether a rule is asked of the inventory itself, where there is one beside its papers."""
    if finding.rule in _OF_PAPERS:
        return False
    return finding.rule in _OWN_RULES or _group(finding) in _OWN_GROUPS


def is_of_papers(finding: Finding) -> bool:
    """Whether a rule is asked of the papers, where there is an inventory beside them."""
    return finding.rule in _OF_PAPERS or _group(finding) not in _OWN_GROUPS


def _group(finding: Finding) -> str:
    return finding.rule.partition("-")[0]


def of_inventory(found: list[Finding]) -> list[Finding]:
    """What rules found in an inventory, in its words: ``inventory.`` against the papers' names.

    A line's total that does not come to another quantity or price than filed tells nothing more.
    """
    lines = {_line(path) for one in found if one.rule == _FILED_LINES for path in one.paths}
    kept = [
        one
        for one in found
        if is_of_inventory(one)
        and not (one.rule == _LINE_TOTAL and {_line(path) for path in one.paths} & lines)
    ]
    return [
        replace(
            one,
            paths={_renamed(path): value for path, value in one.paths.items()},
            params={
                name: _renamed(value) if name == "path" else value
                for name, value in one.params.items()
            },
            fixes=tuple(
                replace(fix, path=_renamed(fix.path), evidence=tuple(map(_renamed, fix.evidence)))
                for fix in one.fixes
            ),
        )
        for one in kept
    ]


def _line(path: str) -> str:
    names = path.removeprefix("filed.").split(".")
    return ".".join(names[:3])


def _renamed(path: str) -> str:
    if path.startswith("filed."):
        return path.removeprefix("filed.")
    head, _, rest = path.partition(".")
    return f"inventory.{rest}" if head in ("order", "waybill", "profile") and rest else path
