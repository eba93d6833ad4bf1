"""Trial: what matching says of papers that nobody has sent yet; nothing is stored.

The papers are put together as intake would put them together: by declared order number, by the
numbers that orders name, a later paper of one kind after an earlier one. The first case that uses a
number holds it. A paper that is not there is a finding only where it was expected.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.domain.case import CaseKey, Verdict, VerdictKind
from gateway.domain.circumstances import NOTHING_KNOWN, Circumstances
from gateway.domain.codec import from_micros
from gateway.domain.findings import Finding, Severity
from gateway.domain.goods import GoodsRecord, GoodsScope
from gateway.domain.ids import CaseId, Direction, RawId, TenantId, case_id
from gateway.domain.matching import Outcome, find_rule
from gateway.domain.papers import (
    Basis,
    Order,
    Paper,
    PaperKind,
    PaperRevision,
    PaymentSlip,
    SourceFact,
    filer_of,
    kind_of,
)
from gateway.domain.party import normal_number
from gateway.domain.profile import FilingProfile
from gateway.domain.quota import QuotaAccount, QuotaStanding, asked, buyer_of, standing
from gateway.domain.relations import (
    BrokenTie,
    Paid,
    Ref,
    RefKind,
    Relation,
    RelationGraph,
    TieFault,
    relations_of_order,
    relations_of_payment,
    relations_of_waybill,
)
from gateway.domain.tables import NO_TABLES, Tables
from gateway.flow import links
from gateway.flow.around import dutiable, filed_copies, paper_of
from gateway.flow.clockwork import local_date
from gateway.flow.ingest import claim_of
from gateway.flow.normalise import composed
from gateway.flow.trial_inventory import (
    InventoryTried,
    filed_around,
    is_compared,
    is_of_papers,
    of_inventory,
    stood_in,
    with_names,
)
from gateway.ports import Lookup, Matcher

# A first fact this old has no time left to wait: what is missing is told as a finding.
_LONG_AGO: Final = 0
_SOURCE: Final = "trial"

GoodsFor = Mapping[tuple[GoodsScope, str], GoodsRecord]
Stored = Mapping[CaseId, Mapping[PaperKind, PaperRevision]]
OrderRef = tuple[Direction, str]
"""A declared order number in one direction: an export may have the number of an import."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One paper to be tried under a profile; ``place`` is where the caller has it from.

    ``inventory`` is set for what an inventory says of a paper: the profile that its head names.
    ``parties`` are the ``platform`` and ``merchant`` codes that an order names, ``unasked`` rules
    about what this form of the paper has no place for. ``source`` may name who filed it,
    ``is_as_filed`` marks a paper that is what customs gets.
    """

    place: str
    profile: FilingProfile
    paper: Paper
    inventory: FilingProfile | None = None
    parties: Mapping[str, str] = field(default_factory=dict)
    unasked: Collection[str] = ()
    is_as_filed: bool = False
    source: str = _SOURCE


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is known beside the papers tried.

    ``expected`` are the kinds of paper that every order of a direction should have here,
    ``expects_goods`` whether goods records too; ``excused`` names papers that could not be read.
    ``of_inventories`` are the goods records that an order's inventory implies. ``holders``,
    ``stored``, ``tables`` and ``accounts`` (by tenant and ``buyer_of``) are those of a deployment.
    """

    goods: GoodsFor = field(default_factory=dict)
    of_inventories: Mapping[OrderRef, Mapping[str, GoodsRecord]] = field(default_factory=dict)
    expected: Collection[tuple[Direction, PaperKind]] = ()
    expects_goods: bool = False
    excused: Collection[tuple[OrderRef, PaperKind]] = ()
    holders: Mapping[Lookup, CaseId] = field(default_factory=dict)
    stored: Stored = field(default_factory=dict)
    tables: Mapping[TenantId, Tables] = field(default_factory=dict)
    accounts: Mapping[tuple[TenantId, str], QuotaAccount] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TriedCase:
    """One order as matching sees it.

    ``findings`` are broken rules, ``unverifiable`` those that could not be asked in full and give
    a finding, ``unverified`` the ids of all rules that could not be answered,
    ``missing`` names what was not there and not expected (``payment``, ``goods:SKU``).
    """

    key: CaseKey
    profile: FilingProfile
    places: Mapping[PaperKind, tuple[str, ...]]
    verdict: VerdictKind
    findings: tuple[Finding, ...]
    unverifiable: tuple[Finding, ...]
    unverified: tuple[str, ...]
    missing: tuple[str, ...]

    @property
    def blocks(self) -> bool:
        """Whether a finding keeps the order from being declared."""
        return any(one.severity is Severity.BLOCK for one in self.findings)


@dataclass(frozen=True, slots=True)
class Trial:
    """All orders in the order of their first papers; ``unlinked``: papers that name no order."""

    cases: tuple[TriedCase, ...]
    unlinked: tuple[Tried, ...]


_COPIES: Final[Mapping[PaperKind, str]] = {
    PaperKind.ORDER: "INVENTORY-FILED-COPY",
    PaperKind.PAYMENT: "PAYMENT-FILED-COPY",
    PaperKind.WAYBILL: "WAYBILL-FILED-COPY",
}


@dataclass(slots=True)
class _Case:
    key: CaseKey
    profile: FilingProfile
    papers: dict[PaperKind, PaperRevision] = field(default_factory=dict)
    places: dict[PaperKind, list[str]] = field(default_factory=dict)
    taken: dict[str, CaseId] = field(default_factory=dict)
    inventory: InventoryTried | None = None
    parties: dict[str, str] = field(default_factory=dict)
    unasked: set[str] = field(default_factory=set)


def case_key_of(profile: FilingProfile, order_no: str) -> CaseKey:
    """The case that a declared order number of a profile names."""
    direction, platform = Direction(profile.direction), profile.platform.code
    return CaseKey(
        case_id(profile.tenant, direction, platform, order_no),
        profile.tenant,
        direction,
        platform,
        order_no,
        profile.profile_id,
    )


def with_order_numbers(items: Sequence[Tried]) -> tuple[list[tuple[str, Tried]], list[Tried]]:
    """Every paper with its declared order number, and those whose number nobody names.

    An inventory names its waybill as well.
    """
    named = _named_numbers(items)
    found: list[tuple[str, Tried]] = []
    unlinked: list[Tried] = []
    for item in items:
        order_no = item.paper.order_no
        if order_no is None:
            link = links.own_link(item.profile.tenant, item.paper)
            order_no = None if link is None else named.get(link)
        if order_no is None:
            unlinked.append(item)
        else:
            found.append((order_no, item))
    return found, unlinked


def _named_numbers(items: Sequence[Tried]) -> dict[Lookup, str]:
    """The numbers of payments and waybills that orders and inventories name, with the order's."""
    named: dict[Lookup, str] = {}
    for item in items:
        if isinstance(item.paper, Order):
            for number in links.named_links(item.profile.tenant, item.paper):
                named.setdefault(number, item.paper.order_no)
        elif item.inventory is not None and item.paper.order_no is not None:
            number_of = links.own_link(item.profile.tenant, item.paper)
            if number_of is not None:
                named.setdefault(number_of, item.paper.order_no)
    return named


def lookups_of(items: Sequence[Tried]) -> list[Lookup]:
    """The claims that these papers would make."""
    return list(dict.fromkeys(claim_of(item.paper, item.profile) for item in items))


def try_papers(items: Sequence[Tried], around: Surroundings, matcher: Matcher, now: int) -> Trial:
    """The verdict over every order of these papers; pure."""
    found, unlinked = with_order_numbers(items)
    found = _rejoined(found, around.stored)
    cases: dict[CaseId, _Case] = {}
    holders = dict(around.holders)
    for order_no, item in found:
        key = case_key_of(item.profile, order_no)
        case = cases.get(key.case_id)
        if case is None:
            case = cases[key.case_id] = _Case(key, item.profile)
            case.papers.update(around.stored.get(key.case_id, {}))
        if item.inventory is None:
            _put(case, item, holders)
            # An order's own word goes before what the papers beside it say.
            is_order = isinstance(item.paper, Order)
            first, then = (case.parties, item.parties)[:: 1 if is_order else -1]
            case.parties = {**first, **then}
            case.unasked.update(item.unasked)
        else:
            _put_inventory(case, item, item.inventory)
    ties = _broken_ties(
        [
            (number, item)
            for number, item in found
            if item.inventory is None
            and filer_of(item.source) is None
            and not item.profile.is_export
        ]
    )
    trial = _Judge(around, matcher, now, ties, dict(around.accounts))
    return Trial(tuple(trial.judged(case) for case in cases.values()), tuple(unlinked))


Numbered = tuple[str, Tried]


def _rejoined(found: Sequence[Numbered], stored: Stored) -> list[Numbered]:
    """The papers with those whose order number is wrong beside the order that they are of.

    Such a paper names an order that is nowhere; one that is here lacks a paper of this kind, and
    names its number, or spells its own the same but for case, width and spaces. The rules about
    order numbers then say what differs.
    """
    orders = {number for number, item in found if kind_of(item.paper) is PaperKind.ORDER}
    served = {(number, kind_of(item.paper)) for number, item in found if item.inventory is None}
    named = _named_numbers([item for _, item in found])
    spelled: dict[str, set[str]] = {}
    for number in orders:
        spelled.setdefault(normal_number(number), set()).add(number)

    def owner(number: str, item: Tried) -> str:
        kind = kind_of(item.paper)
        if item.inventory is not None or number in orders or kind is PaperKind.ORDER:
            return number
        here = stored.get(case_key_of(item.profile, number).case_id, {})
        if PaperKind.ORDER in here:
            return number
        link = links.own_link(item.profile.tenant, item.paper)
        alike = spelled.get(normal_number(number), set())
        of = named.get(link) if link is not None else None
        of = of or (next(iter(alike)) if len(alike) == 1 else None)
        return number if of is None or of not in orders or (of, kind) in served else of

    return [(owner(number, item), item) for number, item in found]


def _put(case: _Case, item: Tried, holders: dict[Lookup, CaseId]) -> None:
    kind = _put_paper(case, case.papers, item)
    if filer_of(item.source) is not None:
        return
    holder = holders.setdefault(claim_of(item.paper, item.profile), case.key.case_id)
    case.taken.pop(kind.value, None)
    if holder != case.key.case_id:
        case.taken[kind.value] = holder


def _put_inventory(case: _Case, item: Tried, profile: FilingProfile) -> None:
    if case.inventory is None:
        case.inventory = InventoryTried(profile, {})
    case.inventory.profile = profile
    _put_paper(case, case.inventory.papers, item)


def _put_paper(case: _Case, papers: dict[PaperKind, PaperRevision], item: Tried) -> PaperKind:
    kind = kind_of(item.paper)
    fact = SourceFact(item.source, RawId(item.place), 0, 0, from_micros(_LONG_AGO), item.paper)
    step = composed(papers.get(kind), fact)
    if step.revision is not None:
        as_filed = item.is_as_filed
        papers[kind] = replace(step.revision, basis=Basis.AS_FILED) if as_filed else step.revision
    case.places.setdefault(kind, []).append(item.place)
    return kind


# What claims do not tell already.
_TIES: Final = frozenset(
    {
        TieFault.ATTEMPT_FOR_TRANSACTION,
        TieFault.FILED_TWICE,
        TieFault.SEVERAL_PAYMENTS,
        TieFault.SEVERAL_PARCELS,
        TieFault.SPLIT_ABOVE_PAYMENT,
        TieFault.SPLIT_AND_WHOLE,
    }
)
# Against one of several payments an amount says nothing.
_SEVERAL: Final = "PAYMENT-SEVERAL"
_AMOUNT: Final = "PAYMENT-AMOUNT"


Ties = Mapping[str, Sequence[BrokenTie]]


def _broken_ties(items: Sequence[tuple[str, Tried]]) -> Ties:
    """What is wrong with how the numbers of all these papers hang together, by order number.

    Only imports have relations.
    """
    relations: list[Relation] = []
    paid: dict[Ref, Paid] = {}
    own: dict[str, set[Ref]] = {}
    for order_no, item in items:
        platform, paper = item.profile.platform.code, item.paper
        before = len(relations)
        if isinstance(paper, Order):
            relations += relations_of_order(paper, platform)
        elif isinstance(paper, PaymentSlip):
            company = item.profile.payment_company(paper.company_code)
            code = company.code if company is not None else paper.company_code or ""
            named = replace(paper, order_no=order_no)
            found, took = relations_of_payment(named, platform, code)
            relations += found
            paid |= took
        else:
            relations += relations_of_waybill(replace(paper, order_no=order_no), platform)
        refs = own.setdefault(order_no, {Ref(RefKind.ORDER, order_no, platform)})
        refs.update(ref for one in relations[before:] for ref in (one.source, one.target))
    broken = [tie for tie in RelationGraph(relations, paid).check() if tie.fault in _TIES]
    if not broken:
        return {}
    return {number: [tie for tie in broken if tie.at in refs] for number, refs in own.items()}


@dataclass(frozen=True, slots=True)
class _Judge:
    """Judges the cases in their order: what one holds of its buyer's limit, the next one lacks."""

    around: Surroundings
    matcher: Matcher
    now: int
    ties: Ties
    accounts: dict[tuple[TenantId, str], QuotaAccount]

    def judged(self, case: _Case) -> TriedCase:
        """The verdict over one case."""
        inventory = case.inventory
        papers = case.papers if inventory is None else self._with_inventory(case, inventory)
        profile = case.profile
        if inventory is not None and not is_compared(case.papers):
            profile = inventory.profile
        if inventory is not None and not case.papers:
            # Nothing that it names is there: without a fact to wait from, no time is left to wait.
            profile = replace(profile, waiting_s=0, waits={})
        goods = self._goods(case, papers)
        known = self._around(case, papers, profile)
        verdict = self.matcher(papers, profile, goods, case.taken, self.now, known)
        broken = [one for one in verdict.findings if one.state != "unverifiable"]
        unasked = frozenset(case.unasked)
        if inventory is not None and is_compared(case.papers):
            broken = [one for one in broken if is_of_papers(one)]
            broken += self._held_against(case, inventory)
            unasked = frozenset()
        if any(one.rule == _SEVERAL for one in broken):
            broken = [one for one in broken if one.rule != _AMOUNT]
        broken = [one for one in broken if one.rule not in unasked]
        findings = [one for one in broken if _is_expected(one, case, self.around)]
        unverified = _unanswered(verdict, case)
        return TriedCase(
            case.key,
            case.profile,
            {kind: tuple(places) for kind, places in case.places.items()},
            _kind(verdict, findings, len(findings) != len(broken)),
            tuple(findings),
            tuple(
                one
                for one in verdict.findings
                if one.state == "unverifiable" and one.rule in unverified
            ),
            unverified,
            tuple(
                path
                for one in broken
                if one not in findings
                for path in one.paths
                if not _is_excused(path, case, self.around)
            ),
        )

    def _with_inventory(
        self, case: _Case, inventory: InventoryTried
    ) -> dict[PaperKind, PaperRevision]:
        direction = case.key.direction
        expected = {kind for way, kind in self.around.expected if way is direction}
        expected -= set(case.papers)
        said = {kind: one for kind, one in inventory.papers.items() if kind not in expected}
        return stood_in(case.papers, InventoryTried(inventory.profile, said))

    def _goods(
        self, case: _Case, papers: Mapping[PaperKind, PaperRevision]
    ) -> dict[str, GoodsRecord]:
        order = paper_of(papers, PaperKind.ORDER)
        skus = [line.sku for line in order.lines] if isinstance(order, Order) else []
        scope, goods = case.profile.goods_scope, self.around.goods
        found = {sku: goods[scope, sku] for sku in skus if (scope, sku) in goods}
        implied = self.around.of_inventories.get((case.key.direction, case.key.order_no), {})
        return found | {sku: implied[sku] for sku in skus if sku in implied}

    def _held_against(self, case: _Case, inventory: InventoryTried) -> list[Finding]:
        """What an inventory says otherwise than its papers, or is wrong by itself."""
        filed = replace(filed_around(case.papers, case.parties), tables=self._tables(case))
        goods = self._goods(case, inventory.papers)
        papers = with_names(inventory.papers, case.papers)
        verdict = self.matcher(papers, inventory.profile, goods, {}, self.now, filed)
        return of_inventory([one for one in verdict.findings if one.state != "unverifiable"])

    def _tables(self, case: _Case) -> Tables:
        if case.key.direction is not Direction.IMPORT:
            return NO_TABLES
        return self.around.tables.get(case.key.tenant, NO_TABLES)

    def _around(
        self, case: _Case, papers: Mapping[PaperKind, PaperRevision], profile: FilingProfile
    ) -> Circumstances:
        if case.key.direction is not Direction.IMPORT:
            return NOTHING_KNOWN
        here = self.ties.get(case.key.order_no, ())
        return Circumstances(
            tables=self._tables(case),
            ties=tuple(here),
            quota=self._quota(case, papers, profile),
            filed=filed_copies(papers),
        )

    def _quota(
        self, case: _Case, papers: Mapping[PaperKind, PaperRevision], profile: FilingProfile
    ) -> QuotaStanding | None:
        """The buyer's standing without this case, which then holds what still fits."""
        order, value = paper_of(papers, PaperKind.ORDER), dutiable(papers)
        buyer = buyer_of(order) if isinstance(order, Order) else None
        if buyer is None or value is None or value < 0:
            return None
        place = (case.key.tenant, buyer)
        account = self.accounts.get(place) or QuotaAccount("", local_date(self.now).year)
        limit = self.matcher.limit(profile, self.now).annual
        self.accounts[place] = asked(account, case.key.case_id, value, limit, self.now)
        return standing(account, limit, self.now, without=case.key.case_id)


def _unanswered(verdict: Verdict, case: _Case) -> tuple[str, ...]:
    """The rules that could not be answered, without those that its papers have no place for.

    An inventory is held against the papers beside it, so of these the copies are there.
    """
    known = set(case.unasked)
    if case.inventory is not None and is_compared(case.papers):
        known |= {_COPIES[kind] for kind in case.papers}
    return tuple(rule for rule in verdict.unverified if rule not in known)


def _is_expected(finding: Finding, case: _Case, around: Surroundings) -> bool:
    """Whether a missing paper or goods record is a fault here; every other finding is one."""
    info = find_rule(finding.rule)
    if info is None or info.leads_to is not Outcome.WAITING:
        return True
    path = next(iter(finding.paths), "")
    if path not in tuple(PaperKind):
        return around.expects_goods
    is_expected = (case.key.direction, PaperKind(path)) in around.expected
    return is_expected and not _is_excused(path, case, around)


def _is_excused(path: str, case: _Case, around: Surroundings) -> bool:
    """Whether a paper is there and could not be read."""
    order = (case.key.direction, case.key.order_no)
    return (order, path) in around.excused


def _kind(verdict: Verdict, findings: Sequence[Finding], waits: bool) -> VerdictKind:
    """The verdict without what was not expected: that is waited for."""
    outcomes = set()
    for one in findings:
        info = find_rule(one.rule)
        if one.severity is Severity.BLOCK and info is not None:
            outcomes.add(info.leads_to)
    if outcomes & {Outcome.BLOCKED, Outcome.WAITING}:
        return VerdictKind.BLOCKED
    if outcomes:
        return VerdictKind.MISMATCH
    return VerdictKind.WAITING if waits else VerdictKind.MATCHED
