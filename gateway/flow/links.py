"""Links: how a paper that names no order finds its case through a number that another paper names.

An order may name its payment's transaction number and its waybill's number. A paper whose number
nobody has named yet is kept as UNLINKED with a deadline and tried again when an order names it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from gateway.domain.case import CaseKey
from gateway.domain.codec import paper_from_doc, paper_to_doc
from gateway.domain.ids import EffectId, TenantId, effect_id
from gateway.domain.papers import Order, Paper, PaperKind, PaymentSlip, Waybill, kind_of
from gateway.domain.profile import FilingProfile
from gateway.flow.context import SECOND_US, Context
from gateway.flow.incoming import Incoming
from gateway.ports import (
    Changes,
    Command,
    Effect,
    EffectKind,
    Found,
    Lookup,
    Parked,
    UnlinkedPaper,
    Views,
)

RELINK = "relink"
UNLINKED = "unlinked"
_LINK: Final = "link:"
_WAYBILL_CLAIMS: Final = frozenset({"waybill", "export_waybill"})
_DAY_US: Final = 86_400 * SECOND_US


def link_of(tenant: TenantId, kind: PaperKind, number: str) -> Lookup:
    """The link under which a number of a paper leads to a case of this tenant."""
    return Lookup(f"{_LINK}{tenant}", f"{kind.value}|{number}")


def own_link(tenant: TenantId, paper: Paper) -> Lookup | None:
    """The link that a paper without an order number can be found by."""
    match paper:
        case PaymentSlip():
            return link_of(tenant, PaperKind.PAYMENT, paper.transaction_id)
        case Waybill():
            return link_of(tenant, PaperKind.WAYBILL, paper.waybill_no)
        case Order():
            return None


def named_links(tenant: TenantId, paper: Paper) -> list[Lookup]:
    """The links that an order makes by naming other papers' numbers."""
    if not isinstance(paper, Order):
        return []
    links: list[Lookup] = []
    if paper.payment.transaction_id:
        links.append(link_of(tenant, PaperKind.PAYMENT, paper.payment.transaction_id))
    if paper.waybill_no:
        links.append(link_of(tenant, PaperKind.WAYBILL, paper.waybill_no))
    return links


def lapses_of(
    numbers: Iterable[Lookup], profile: FilingProfile | None, now: int
) -> dict[Lookup, int]:
    """From when on those of these numbers that are claimed now and are waybills' are free again.

    Carriers use their numbers again after six months (CEB511), nobody else does.
    """
    if profile is None:
        return {}
    until = now + profile.waybill_window_days * _DAY_US
    return {one: until for one in numbers if _is_of_waybill(one)}


def _is_of_waybill(number: Lookup) -> bool:
    is_link = number.kind.startswith(_LINK)
    return number.kind in _WAYBILL_CLAIMS or (
        is_link and number.value.startswith(f"{PaperKind.WAYBILL.value}|")
    )


def waiting_claim(link: Lookup) -> Lookup:
    """The claim that tells a commit whether a paper waits under a link."""
    return Lookup(UNLINKED, f"{link.kind}|{link.value}")


def relink_effect(key: CaseKey, revision: int, now: int) -> Effect:
    """The outbox row that fetches the papers waiting for the numbers of an order."""
    return Effect(
        effect_id=effect_id(key.case_id, RELINK, revision),
        kind=EffectKind.RECHECK,
        group=RELINK,
        due_at=now,
        case_id=key.case_id,
        tenant=key.tenant,
        ref=str(revision),
    )


async def keep(context: Context, incoming: Incoming, link: Lookup) -> str:
    """Keep a paper whose case is not known; gives its id."""
    now = context.clock.now()
    end = None if incoming.length < 0 else incoming.offset + incoming.length
    return await context.store.keep_unlinked(
        UnlinkedPaper(
            number=link,
            tenant=incoming.tenant,
            profile_id=incoming.profile.profile_id,
            kind=kind_of(incoming.paper),
            source=incoming.source,
            paper=paper_to_doc(incoming.paper),
            raw=incoming.raw[incoming.offset : end],
            received_at=now,
            deadline=now + incoming.profile.waiting_s * SECOND_US,
        )
    )


async def resolved(context: Context, links: Sequence[Lookup]) -> dict[Lookup, CaseKey]:
    """The cases that these links lead to now."""
    found = await context.store.find_claims(links)
    keys = await context.store.case_keys(list(found.values())) if found else {}
    return {link: keys[case_id] for link, case_id in found.items() if case_id in keys}


async def waiting(
    context: Context, key: CaseKey, links: Sequence[Lookup]
) -> tuple[list[str], list[Incoming]]:
    """The papers that wait under these links, ready to be taken into the case."""
    found = await context.store.find_unlinked(links)
    ids: list[str] = []
    items: list[Incoming] = []
    for unlinked_id, paper in found:
        profile = context.master.profile(paper.tenant, paper.profile_id)
        if profile is None:
            continue
        ids.append(unlinked_id)
        items.append(
            Incoming(
                tenant=paper.tenant,
                profile=profile,
                paper=paper_from_doc(paper.kind, paper.paper),
                source=paper.source,
                raw=paper.raw,
                order_no=key.order_no,
            )
        )
    return ids, items


def decide_overdue(facts: tuple[Effect, bool, int], views: Views, found: Found) -> Changes[None]:
    """Pure: a paper that nobody has named by its deadline waits for a person."""
    effect, still_waits, now = facts
    changes: Changes[None] = Changes(result=None)
    changes.effects_done.append(effect.effect_id)
    if still_waits:
        changes.parked.append(
            Parked(
                parked_id=f"unlinked-{effect.ref}",
                subject="unlinked_paper",
                reason="no_order_names_it",
                at=now,
                tenant=effect.tenant,
            )
        )
    return changes


async def check_overdue(context: Context, effect: Effect) -> None:
    """An unlinked paper's deadline has come."""
    still_waits = await context.store.is_unlinked(effect.ref)
    facts = (effect, still_waits, context.clock.now())
    await context.store.submit(
        Command(decide=decide_overdue, facts=facts, lane=effect.ref, stage="match")
    )


def with_order_no(incoming: Incoming, key: CaseKey) -> Incoming:
    """The same paper on its way into a case that a link has led to."""
    return replace(incoming, order_no=key.order_no)


def done(effect: Effect) -> list[tuple[EffectId, int]]:
    """An effect as finished, fenced by its attempt."""
    return [(effect.effect_id, effect.attempt)]
