"""Stage 1, ingest: papers become durable, matched and planned in one commit (T1).

What arrives is kept byte for byte beside the papers that it was read into. A paper that names its
order goes to that order's case; one that does not is attached through the numbers that other
papers carry (links).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.domain.case import CaseKey
from gateway.domain.codec import from_micros
from gateway.domain.errors import GatewayError
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import Direction, RawId, bill_key, case_id
from gateway.domain.lifecycle import case_stage, frozen_reason
from gateway.domain.papers import (
    Order,
    Paper,
    PaperKind,
    PaperRevision,
    PaymentSlip,
    SourceFact,
    Waybill,
    changed_paths,
    kind_of,
)
from gateway.domain.profile import FilingProfile
from gateway.domain.relations import number_of, stands_beside
from gateway.flow import links
from gateway.flow.around import paper_of, uses_of
from gateway.flow.context import Context
from gateway.flow.incoming import Incoming, IntakeResult, IntakeStatus
from gateway.flow.match import Bench, settle
from gateway.flow.normalise import composed
from gateway.ports import CaseView, Changes, Command, Effect, Found, Lookup, RawBlob, Views


@dataclass(frozen=True, slots=True)
class Item:
    """One incoming paper on its way into a decision; ``index`` is its place in the request."""

    index: int
    incoming: Incoming
    claim: Lookup


@dataclass(frozen=True, slots=True)
class _Facts:
    key: CaseKey
    items: tuple[Item, ...]
    bench: Bench
    raw: RawBlob
    spans: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Ingest:
    """Takes papers in; what it returns is durable."""

    context: Context

    async def take(self, items: Sequence[Incoming]) -> list[IntakeResult]:
        """Store, match and plan a batch of papers; one result each, in order.

        Papers of one case are decided together, cases apart from each other: a bad one spoils no
        other. A paper that names no order is led to its case by a link, or kept until there is
        one. Raises ``Overloaded`` when nothing of the batch could be queued.
        """
        now = self.context.clock.now()
        results: list[IntakeResult | None] = [None] * len(items)
        if any(declared_order_no(incoming) is None for incoming in items):
            items = await self._linked(items, results)
        grouped: dict[CaseKey, list[Item]] = {}
        for index, incoming in enumerate(items):
            order_no = declared_order_no(incoming)
            if order_no is None:
                continue
            item = Item(index, incoming, claim_of(incoming.paper, incoming.profile, order_no))
            grouped.setdefault(case_key(incoming, order_no), []).append(item)
        commands = [self._command(key, group, now) for key, group in grouped.items()]
        outcomes = await self.context.store.submit_all(commands)
        for (key, group), outcome in zip(grouped.items(), outcomes, strict=True):
            for item, result in zip(group, _results(key, group, outcome), strict=True):
                results[item.index] = result
        return [result for result in results if result is not None]

    async def _linked(
        self, items: Sequence[Incoming], results: list[IntakeResult | None]
    ) -> list[Incoming]:
        """Give papers without an order number the one that a link leads to; keep the others.

        A kept paper is looked up once more: an order that names it may have committed meanwhile
        without seeing it.
        """
        linked = list(items)
        for index, incoming in enumerate(items):
            link = links.own_link(incoming.tenant, incoming.paper)
            if declared_order_no(incoming) is not None:
                continue
            if link is None:
                results[index] = IntakeResult(
                    IntakeStatus.FAILED, None, "", reason="order_no_missing"
                )
                continue
            key = (await links.resolved(self.context, [link])).get(link)
            if key is None:
                unlinked_id = await links.keep(self.context, incoming, link)
                key = (await links.resolved(self.context, [link])).get(link)
                if key is not None:
                    await self.context.store.end_unlinked([unlinked_id])
            if key is None:
                results[index] = IntakeResult(IntakeStatus.UNLINKED, None, "")
            else:
                linked[index] = links.with_order_no(incoming, key)
        return linked

    async def relink(self, effect: Effect) -> None:
        """An order names numbers under which papers wait: take them into its case."""
        assert effect.case_id is not None
        assert effect.tenant is not None
        store = self.context.store
        place = (effect.case_id, PaperKind.ORDER, int(effect.ref))
        papers = await store.load_papers([place])
        keys = await store.case_keys([effect.case_id])
        order = papers[effect.case_id, PaperKind.ORDER].paper
        named = links.named_links(effect.tenant, order)
        ids, items = await links.waiting(self.context, keys[effect.case_id], named)
        if items:
            await self.take(items)
        await store.end_unlinked(ids)
        await store.finish(links.done(effect), [])

    def _command(self, key: CaseKey, items: list[Item], now: int) -> Command[list[IntakeResult]]:
        bench = Bench(
            profile=items[0].incoming.profile,
            master=self.context.master,
            matcher=self.context.matcher,
            crash=self.context.crash,
            now=now,
        )
        return intake_command(key, items, bench)


def intake_command(
    key: CaseKey, items: Sequence[Item], bench: Bench
) -> Command[list[IntakeResult]]:
    """The command that takes papers of one case in."""
    raw, spans = _raw(key, items, bench.now)
    lookups = [item.claim for item in items]
    for item in items:
        for link in links.named_links(key.tenant, item.incoming.paper):
            lookups += (link, links.waiting_claim(link))
    return Command(
        decide=decide_intake,
        facts=_Facts(key, tuple(items), bench, raw, spans),
        create=(key,),
        lookups=(*lookups, _order_claim(key)),
        with_papers=True,
        coming=[item.incoming.paper for item in items],
        lane=key.order_no,
        stage="ingest",
    )


def declared_order_no(incoming: Incoming) -> str | None:
    """The declared order number of a paper: its own, or the one that a link led to."""
    return incoming.paper.order_no or incoming.order_no


def case_key(incoming: Incoming, order_no: str) -> CaseKey:
    """The case that a paper belongs to."""
    profile = incoming.profile
    platform = profile.platform.code
    direction = Direction(profile.direction)
    return CaseKey(
        case_id=case_id(incoming.tenant, direction, platform, order_no),
        tenant=incoming.tenant,
        direction=direction,
        platform=platform,
        order_no=order_no,
        profile_id=profile.profile_id,
    )


def claim_of(paper: Paper, profile: FilingProfile, order_no: str | None = None) -> Lookup:
    """The filing claim of a paper: unique over the whole deployment.

    An export's receipts name other numbers: of the funds, the merchant and the order (404), which
    a link may have led to (``order_no``).
    """
    if profile.is_export:
        return _export_claim(paper, profile, paper.order_no or order_no or "")
    match paper:
        case Order():
            return Lookup("order", f"{profile.platform.code}|{paper.order_no}")
        case PaymentSlip():
            company = profile.payment_company(paper.company_code)
            code = company.code if company else paper.company_code or ""
            return Lookup("payment", f"{code}|{paper.transaction_id}")
        case Waybill():
            carrier = profile.carrier(paper.carrier_code)
            code = carrier.code if carrier else paper.carrier_code or ""
            return Lookup("waybill", f"{code}|{paper.waybill_no}")


def _export_claim(paper: Paper, profile: FilingProfile, order_no: str) -> Lookup:
    match paper:
        case Order():
            return Lookup("export_order", f"{profile.platform.code}|{order_no}")
        case PaymentSlip():
            return Lookup("export_funds", f"{profile.merchant.code}|{order_no}")
        case Waybill():
            carrier = profile.carrier(paper.carrier_code)
            code = carrier.code if carrier else paper.carrier_code or ""
            return Lookup("export_waybill", f"{code}|{paper.waybill_no}")


def _order_claim(key: CaseKey) -> Lookup:
    kind = "order" if key.direction is Direction.IMPORT else "export_order"
    return Lookup(kind, f"{key.platform}|{key.order_no}")


_RAW_SEPARATOR: Final = b"\n"


def _raw(
    key: CaseKey, items: Sequence[Item], now: int
) -> tuple[RawBlob, tuple[tuple[int, int], ...]]:
    """The exact bytes of all papers of one case as one blob, and each paper's span in it."""
    parts: list[bytes] = []
    spans: list[tuple[int, int]] = []
    at = 0
    for item in items:
        incoming = item.incoming
        end = None if incoming.length < 0 else incoming.offset + incoming.length
        part = incoming.raw[incoming.offset : end]
        parts.append(part)
        spans.append((at, len(part)))
        at += len(part) + len(_RAW_SEPARATOR)
    body = _RAW_SEPARATOR.join(parts)
    source = items[0].incoming.source
    seed = f"{key.case_id}|{source}|{now}|".encode()
    raw_id = RawId(hashlib.sha256(seed + body).hexdigest()[:24])
    came = items[0].incoming.received_at or now
    return RawBlob(raw_id, key.case_id, key.tenant, source, body, came), tuple(spans)


def decide_intake(facts: _Facts, views: Views, found: Found) -> Changes[list[IntakeResult]]:
    """T1, pure: compose revisions, claim their numbers, match, plan."""
    view = views[facts.key.case_id]
    changes: Changes[list[IntakeResult]] = Changes(result=[])
    received: list[dict[str, object]] = []
    outcomes: list[tuple[IntakeStatus, int, tuple[str, ...], str | None]] = []
    for item, span in zip(facts.items, facts.spans, strict=True):
        outcomes.append(_take_one(view, item, span, facts, found, changes, received))
    facts.bench.crash.reach("normalise.composed")
    if received:
        changes.raws.append(facts.raw)
        _claim_order(view, facts, found, changes, received)
        view.record(Event(EventKind.PAPERS_RECEIVED, {"papers": received}))
        settle(view, changes, facts.bench)
    stage = case_stage(view.state)
    changes.result = [
        IntakeResult(
            status,
            view.key.case_id,
            view.key.order_no,
            revision,
            stage,
            view.state.verdict,
            changed,
            reason,
        )
        for status, revision, changed, reason in outcomes
    ]
    return changes


def _take_one(
    view: CaseView,
    item: Item,
    span: tuple[int, int],
    facts: _Facts,
    found: Found,
    changes: Changes[list[IntakeResult]],
    received: list[dict[str, object]],
) -> tuple[IntakeStatus, int, tuple[str, ...], str | None]:
    paper = item.incoming.paper
    kind = kind_of(paper)
    current = view.papers.get(kind)
    if current is not None and _is_overtaken(item.incoming, current):
        return IntakeStatus.SUPERSEDED, current.revision, (), None
    frozen = frozen_reason(view.state, kind)
    if frozen is not None and current is not None:
        differs = tuple(changed_paths(current.paper, paper))
        status = IntakeStatus.FROZEN if differs else IntakeStatus.UNCHANGED
        return status, current.revision, differs, frozen if differs else None
    fact = SourceFact(
        item.incoming.source,
        facts.raw.raw_id,
        span[0],
        span[1],
        from_micros(item.incoming.received_at or facts.bench.now),
        paper,
    )
    is_copy = fact.filed_by is not None and current is not None
    # A copy takes no number: the paper that it is a copy of has it.
    taken = None if is_copy else _taken_by_other(view, item.claim, found)
    order = paper_of(view.papers, PaperKind.ORDER)
    is_beside = (
        current is not None
        and not is_copy
        and stands_beside(order if isinstance(order, Order) else None, current.paper, paper)
    )
    step = composed(current, fact, is_beside=is_beside)
    stamp = view.state.paper(kind)
    if step.revision is None and current is not None:
        if is_copy or stamp is None or stamp.taken == taken:
            return IntakeStatus.UNCHANGED, current.revision, (), None
        revision = current
    else:
        assert step.revision is not None
        revision = step.revision
        changes.papers.append((view.key.case_id, revision))
        changes.numbers += uses_of(view, revision, facts.bench.now)
        _put_beside(view, current if is_beside else None, revision)
        view.papers[kind] = revision
    if taken is None and not is_copy and item.claim not in found:
        _claim(view, item.claim, facts.bench, changes)
    _link(view, paper, revision.revision, facts, found, changes)
    entry: dict[str, object] = {
        "kind": kind.value,
        "revision": revision.revision,
        "digest": revision.digest,
        "source": item.incoming.source,
    }
    if taken is not None:
        entry["taken"] = taken
    bill = _bill(revision.paper, item.incoming.profile)
    if bill is not None:
        entry["bill"] = bill
    if view.earlier.get(kind):
        entry["earlier"] = [one.revision for one in view.earlier[kind]]
    received.append(entry)
    return IntakeStatus.ACCEPTED, revision.revision, step.changed, None


def _is_overtaken(incoming: Incoming, current: PaperRevision) -> bool:
    """Whether the source of a paper that waited has said something newer, which came first."""
    if incoming.received_at is None:
        return False
    came = from_micros(incoming.received_at)
    return any(one.source == incoming.source and one.received_at > came for one in current.facts)


def _bill(paper: Paper, profile: FilingProfile) -> str | None:
    """The consignment that a parcel travels in, where we file the lists of consignments."""
    if profile.consigning is None or not isinstance(paper, Waybill) or not paper.bill_no:
        return None
    carrier = profile.carrier(paper.carrier_code)
    return bill_key(carrier.code if carrier else paper.carrier_code or "", paper.bill_no)


def _put_beside(view: CaseView, before: PaperRevision | None, after: PaperRevision) -> None:
    """Keep the paper before beside the one that comes; what bears its number gives way to it."""
    beside = (*view.earlier.get(after.kind, ()), *((before,) if before is not None else ()))
    number = number_of(after.paper)
    kept = tuple(one for one in beside if number_of(one.paper) != number)
    if kept or after.kind in view.earlier:
        view.earlier[after.kind] = kept


def _link(
    view: CaseView,
    paper: Paper,
    revision: int,
    facts: _Facts,
    found: Found,
    changes: Changes[list[IntakeResult]],
) -> None:
    """Make the links that an order's numbers are, and ask for the papers that wait under them."""
    named = links.named_links(view.key.tenant, paper)
    for link in named:
        if link not in found:
            _claim(view, link, facts.bench, changes)
    if any(links.waiting_claim(link) in found for link in named):
        changes.effects.append(links.relink_effect(view.key, revision, facts.bench.now))


def _claim(
    view: CaseView, number: Lookup, bench: Bench, changes: Changes[list[IntakeResult]]
) -> None:
    changes.claims.append((number, view.key.case_id, view.key.tenant))
    changes.lapses |= links.lapses_of([number], bench.profile, bench.now)


def _claim_order(
    view: CaseView,
    facts: _Facts,
    found: Found,
    changes: Changes[list[IntakeResult]],
    received: list[dict[str, object]],
) -> None:
    """The first paper of a case claims the declared order number, whichever paper it is."""
    claim = _order_claim(facts.key)
    if claim in found or any(one[0] == claim for one in changes.claims):
        return
    if any(entry["kind"] == PaperKind.ORDER.value for entry in received):
        return
    changes.claims.append((claim, view.key.case_id, view.key.tenant))


def _taken_by_other(view: CaseView, claim: Lookup, found: Found) -> str | None:
    holder = found.get(claim)
    return None if holder is None or holder == view.key.case_id else str(holder)


def _results(
    key: CaseKey, items: list[Item], outcome: list[IntakeResult] | Exception
) -> list[IntakeResult]:
    if not isinstance(outcome, Exception):
        return outcome
    reason = outcome.code if isinstance(outcome, GatewayError) else "internal"
    return [IntakeResult(IntakeStatus.FAILED, key.case_id, key.order_no, reason=reason)] * len(
        items
    )


__all__ = ["Incoming", "Ingest", "IntakeResult", "IntakeStatus", "decide_intake"]
