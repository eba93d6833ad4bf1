"""What is known around a case when it is matched, and what the case takes part in itself.

The buyer's account, the relations to papers of other cases and the tables that were imported become
the circumstances of matching; what the case reserves goes back with the changes of its commit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from gateway.domain.case import CaseKey, CaseState
from gateway.domain.circumstances import NOTHING_KNOWN, Circumstances
from gateway.domain.declaration import DeclarationStage
from gateway.domain.ids import CaseId, Direction
from gateway.domain.limits import dutiable_value
from gateway.domain.papers import Order, Paper, PaperKind, PaperRevision, PaymentSlip, Waybill
from gateway.domain.profile import FilingProfile
from gateway.domain.quota import AccountKey, QuotaAccount, asked, buyer_of, standing
from gateway.domain.relations import (
    BrokenTie,
    Paid,
    Ref,
    RefKind,
    Relation,
    RelationGraph,
    numbers_of,
    relations_of_order,
    relations_of_payment,
    relations_of_waybill,
)
from gateway.domain.returns import tax_given_back
from gateway.domain.tables import Tables
from gateway.domain.traces import trace_of, traced
from gateway.flow.clockwork import local_date
from gateway.ports import CaseView, Changes, MasterData, NumberUse, Reserved

# An inventory at these stages has not reached customs, or is over: its amount may still change.
_FREE: Final = frozenset(
    {
        DeclarationStage.PLANNED,
        DeclarationStage.CLAIMED,
        DeclarationStage.WITHDRAWN,
        DeclarationStage.REFUSED,
        DeclarationStage.REJECTED,
        DeclarationStage.CANCELLED,
    }
)

_OF_LATE_US: Final = 30 * 86_400 * 1_000_000

Buyer = tuple[AccountKey, QuotaAccount]


def circumstances(
    view: CaseView, profile: FilingProfile, master: MasterData, limit: Decimal, now: int
) -> Circumstances:
    """What is known around a case: tables, tax bill, the buyer's standing, broken relations.

    ``limit`` (CNY) is the annual limit in force.
    """
    tables: Tables = master.tables(view.key.tenant)
    ties = broken_ties(view, profile, master)
    buyer = buyer_account(view)
    filed = filed_copies(view.papers)
    billed, returned = view.state.billed_tax, tax_given_back(view.state)
    shared = shared_of_late(view)
    if not (tables.infos or ties or filed or shared) and buyer is None and billed is None:
        return NOTHING_KNOWN
    found = Circumstances(
        tables=tables,
        ties=ties,
        filed=filed,
        seen_elsewhere=shared,
        billed_tax=billed,
        returned_tax=returned,
    )
    if buyer is None:
        return found
    account = buyer[1]
    seen = orders_of_late(account, view.key.case_id, now)
    free = standing(account, limit, now, without=view.key.case_id)
    return replace(found, quota=free, seen_elsewhere=shared | ({"buyer": seen} if seen else {}))


def shared_of_late(view: CaseView) -> dict[str, int]:
    """How many other cases of late have the order's phone or address."""
    order = paper_of(view.papers, PaperKind.ORDER)
    if not view.books.seen or not isinstance(order, Order):
        return {}
    counts = {what: view.books.seen.get((what, one), 0) for what, one in traced(order).items()}
    return {what: count for what, count in counts.items() if count}


def orders_of_late(account: QuotaAccount, without: CaseId, now: int) -> int:
    """How many other orders of a buyer moved within the last 30 days and still count."""
    return sum(
        one.case_id != without
        and one.at > now - _OF_LATE_US
        and (one.used() > 0 or one.reserved(now) > 0)
        for one in account.entries
    )


def filed_copies(papers: Mapping[PaperKind, PaperRevision]) -> dict[PaperKind, Paper]:
    """What others are said to have filed, beside what we would file."""
    copies = {kind: revision.filed_copy for kind, revision in papers.items()}
    return {kind: one.paper for kind, one in copies.items() if one is not None}


def reserve(view: CaseView, changes: Changes[Any], limit: Decimal, now: int) -> None:
    """Have the buyer's account hold the order's dutiable value, as long as customs has it not."""
    buyer = buyer_account(view)
    value = dutiable(view.papers)
    if buyer is None or value is None or not _is_free(view.state):
        return
    key, account = buyer
    before = account.entry(view.key.case_id)
    if before is not None and before.amount == value and before.reserved(now) == value:
        return
    after = asked(account, view.key.case_id, value, limit, now).entry(view.key.case_id)
    if after is not None and after is not before:
        changes.reserved.append(Reserved(key, after))


def dutiable(papers: Mapping[PaperKind, PaperRevision]) -> Decimal | None:
    """The dutiable value (CNY) that counts for the limits; None without an order."""
    order, waybill = paper_of(papers, PaperKind.ORDER), paper_of(papers, PaperKind.WAYBILL)
    if not isinstance(order, Order):
        return None
    freight, insurance = order.freight.amount, Decimal(0)
    if isinstance(waybill, Waybill):
        if waybill.freight is not None:
            freight = waybill.freight.amount
        if waybill.insurance is not None:
            insurance = waybill.insurance.amount
    return dutiable_value(order.goods_value.amount, freight, insurance)


def paper_of(papers: Mapping[PaperKind, PaperRevision], kind: PaperKind) -> Paper | None:
    """The newest paper of one kind."""
    found = papers.get(kind)
    return None if found is None else found.paper


def buyer_account(view: CaseView) -> Buyer | None:
    """The account that the case counts in: only what is imported for a person counts."""
    order = paper_of(view.papers, PaperKind.ORDER)
    if view.key.direction is not Direction.IMPORT or not isinstance(order, Order):
        return None
    return view.books.account(buyer_of(order))


def _is_free(state: CaseState) -> bool:
    inventory = state.inventory()
    return inventory is None or inventory.stage in _FREE


# --- relations --------------------------------------------------------------------------------


def broken_ties(
    view: CaseView, profile: FilingProfile, master: MasterData
) -> tuple[BrokenTie, ...]:
    """What is wrong with how the numbers of a case hang together with those of its neighbours."""
    if not view.earlier and not view.books.neighbours:
        return ()
    graph, own = case_graph(view, profile, master)
    return tuple(tie for tie in graph.check() if tie.at in own)


def case_graph(
    view: CaseView, profile: FilingProfile, master: MasterData
) -> tuple[RelationGraph, frozenset[Ref]]:
    """The relations of a case and its neighbours, and the numbers of its own papers."""
    relations, paid = relations_of(view.key, revisions_of(view), profile)
    own = frozenset(
        {
            Ref(RefKind.ORDER, view.key.order_no, view.key.platform),
            *(ref for one in relations for ref in (one.source, one.target)),
        }
    )
    for other in view.books.neighbours:
        theirs = master.profile(other.key.tenant, other.key.profile_id) or profile
        found, took = relations_of(other.key, other.papers, theirs)
        relations += found
        paid |= took
    return RelationGraph(relations, paid), own


def revisions_of(view: CaseView) -> list[PaperRevision]:
    """The papers of a case, those of other numbers first."""
    return [*(one for some in view.earlier.values() for one in some), *view.papers.values()]


def relations_of(
    key: CaseKey, revisions: Iterable[PaperRevision], profile: FilingProfile
) -> tuple[list[Relation], dict[Ref, Paid]]:
    """What papers of one case say about numbers; all of them belong to its declared order."""
    relations: list[Relation] = []
    paid: dict[Ref, Paid] = {}
    for revision in revisions:
        paper = revision.paper
        if isinstance(paper, Order):
            relations += relations_of_order(paper, key.platform)
        elif isinstance(paper, PaymentSlip):
            named = replace(paper, order_no=key.order_no)
            found, took = relations_of_payment(named, key.platform, company_of(paper, profile))
            relations += found
            paid |= took
        else:
            relations += relations_of_waybill(replace(paper, order_no=key.order_no), key.platform)
    return relations, paid


def company_of(slip: PaymentSlip, profile: FilingProfile) -> str:
    """The code of the payment company as the profile resolves it."""
    company = profile.payment_company(slip.company_code)
    return company.code if company is not None else slip.company_code or ""


def uses_of(view: CaseView, revision: PaperRevision, now: int) -> list[NumberUse]:
    """The uses of numbers by a revision that was just taken in, and the traces that it leaves."""
    paper = revision.paper
    names = list(numbers_of(paper))
    if isinstance(paper, Order) and view.key.direction is Direction.IMPORT:
        day = local_date(now)
        names += [trace_of(what, value, day) for what, value in traced(paper).items()]
    return [NumberUse(one, view.key.case_id, revision.kind, revision.revision) for one in names]
