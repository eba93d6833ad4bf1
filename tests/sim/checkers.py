"""What must hold after every run, judged against our store, customs' ledger and the wire log."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import orjson
from sqlalchemy import or_, select

from adapters.sandbox.customs import Filing
from adapters.sandbox.customs.ledger import Ledger
from adapters.sandbox.customs.messages import Kind
from adapters.sandbox.customs.routes import answers_same_bytes, is_refusal
from gateway.app.container import Gateway
from gateway.app.demo_world import TENANT
from gateway.domain.case import CaseStage, CaseState
from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.events import EventKind
from gateway.domain.ids import MessageId
from gateway.domain.lifecycle import apply
from gateway.domain.papers import Order, PaperKind, PaymentSlip
from gateway.flow.status import RELEASE
from gateway.ports import CaseDetail, Lookup, MessageStage
from store.checks import CheckSettings, run_checks
from store.tables import attempt, case_, message, outbox, parked
from tests.sim.faults import Fault
from tests.sim.orders import SILENT, UNANSWERED, PaperType, Planned
from tests.sim.world import HORIZON_US, World

_REACHED_CUSTOMS = frozenset({CaseStage.RELEASED, CaseStage.CLOSED})
# Customs' refusal of the whole message ended it, whatever the hand-over came to.
_ENDED_WHOLE = (MessageStage.SPLIT.value, MessageStage.REFUSED.value)
_CANARIES = ("110101199003070003", "310104198512240009", "张示例", "王演示", "西湖区")
_REQUESTS = (
    *(DeclarationKind.CANCELLATION, DeclarationKind.RETURN),
    *(DeclarationKind.EXPORT_RETURN, DeclarationKind.RETURN_TALLY),
)
_LISTS = {
    DeclarationKind.MASTER_LIST: Kind.MASTER_LIST,
    DeclarationKind.SUMMARY_REQUEST: Kind.SUMMARY_REQUEST,
}
_KINDS = {
    PaperType.ORDER: PaperKind.ORDER,
    PaperType.PAYMENT: PaperKind.PAYMENT,
    PaperType.WAYBILL: PaperKind.WAYBILL,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One planned order beside everything that is known about it after the run."""

    planned: Planned
    detail: CaseDetail
    inventories: tuple[Filing, ...]
    order: Filing | None
    is_hurt: bool
    """Whether a receipt about it was lost for good, so that customs knows more than we can."""
    is_replayed: bool
    """Whether customs took a refused version again, because the message that it shares with
    unanswered records went out again after the order was corrected: a person sorts that out."""
    is_moved: bool
    """Whether a silent record went out again in another message, because it shared its own with a
    record that was corrected: customs then says no more than that it has it, and a person looks."""


async def check_world(world: World, gateway: Gateway) -> list[str]:
    """Every promise that is broken, as sentences; empty when all hold."""
    found = [*world.violations, *world.receivers.violations]
    seen: list[Seen] = []
    for one in world.planned:
        detail = await gateway.reads.case(TENANT, world.trade.case_of(one.order_no))
        if detail is None:
            found.append(f"{one.order_no}: accepted papers, no case")
            continue
        seen.append(_seen(world, one, detail))
        found += await _bytes_kept(gateway, one, detail)
    for each in seen:
        found += _ledger(each)
        found += _requests(world, each)
        found += _fold(each)
        found += _sums(each)
        found += _quiescent(each)
    found += _stages(seen)
    found += _lists(world, seen)
    found += _notices(world, seen)
    found += await _wire(world, gateway)
    found += _effects(world)
    found += _forgeries(world)
    found += await _promises(world, gateway)
    return found


async def _promises(world: World, gateway: Gateway) -> list[str]:
    """The checks that run in production, over the same database."""
    settings = CheckSettings(canaries=_CANARIES)
    now = world.now_us()
    async with gateway.store.read() as reading:
        report = await reading.run_sync(
            lambda connection: run_checks(connection, gateway.store.keys, now, settings)
        )
    # The clock of a gateway may be set back between the two ends of one attempt.
    is_clock_wrong = world.faults.hits[Fault.CLOCK_JUMP] > 0
    return [
        f"{one.check}: {one.subject}: {one.evidence}"
        for one in report.violations
        if not (is_clock_wrong and one.evidence.endswith("ended before it began"))
    ]


def _seen(world: World, one: Planned, detail: CaseDetail) -> Seen:
    profile = world.trade.profile
    ledger = world.wire.authority.ledger
    if profile.is_export:
        ledger = ledger.exports or Ledger()
    cop_nos = {declaration.cop_no for declaration in detail.state.declarations}
    lookups = {Lookup("order", f"{profile.platform.code}|{one.order_no}")}
    if profile.is_export:
        merchant, carrier = profile.merchant.code, profile.carriers[0].code
        lookups |= {
            Lookup("export_order", f"{profile.platform.code}|{one.order_no}"),
            Lookup("export_funds", f"{merchant}|{one.order_no}"),
            Lookup("export_waybill", f"{carrier}|{one.order_no}-W"),
        }
    lookups |= {Lookup("cop_no", cop_no) for cop_no in cop_nos}
    inventories = ledger.inventories_of(profile.platform.code, one.order_no)
    order = ledger.order(profile.platform.code, one.order_no)
    filings = (*inventories, *([order] if order else []))
    is_replayed = one.correction is not None and any(map(_took_again, filings))
    is_hurt = not lookups.isdisjoint(world.wire.lost_for)
    is_moved = one.scenario in SILENT and any(
        each.event.kind is EventKind.DECLARATION_MOVED and each.event.payload.get("is_resend")
        for each in detail.events
    )
    return Seen(one, detail, inventories, order, is_hurt, is_replayed, is_moved)


def _took_again(filing: Filing) -> bool:
    refused: set[str] = set()
    for version in filing.versions:
        if version.cop_msg_id in refused:
            return True
        if is_refusal(version.status):
            refused.add(version.cop_msg_id)
    return False


# --- customs' ledger ----------------------------------------------------------------------------


def _ledger(seen: Seen) -> Iterator[str]:
    """At most one live declaration, accepted once; released here exactly if released there."""
    name = seen.planned.order_no
    live = [filing for filing in seen.inventories if filing.live]
    if len(live) > 1:
        yield f"{name}: {len(live)} live inventories at customs"
    if len(seen.inventories) > seen.planned.inventories:
        yield f"{name}: inventories under {len(seen.inventories)} copNos"
    for filing in (*seen.inventories, *([seen.order] if seen.order else [])):
        yield from _accepted_once(name, filing)
    released_there = any("800" in filing.trail for filing in seen.inventories)
    released_here = seen.detail.row.stage in _REACHED_CUSTOMS
    if released_here and not released_there:
        yield f"{name}: released here, not by customs"
    is_odd = seen.is_hurt or seen.is_replayed or seen.is_moved
    told = not is_odd and seen.planned.scenario not in UNANSWERED
    if released_there and not released_here and told:
        yield f"{name}: released by customs, {seen.detail.row.stage} here"


def _requests(world: World, seen: Seen) -> Iterator[str]:
    """What was asked was filed once, customs has no other, and each came to its end."""
    name, wanted = seen.planned.order_no, seen.planned.requests
    ours = tuple(
        f"{one.kind} {one.stage}" for one in seen.detail.state.declarations if one.kind in _REQUESTS
    )
    if ours != wanted:
        yield f"{name}: requests {ours}, expected {wanted}; {_story(seen.detail.state)}"
    numbers = {filing.invt_no for filing in seen.inventories} - {""}
    theirs = [
        filing.key
        for filing in _books(world).requests.values()
        if filing.paper.get("invtNo") in numbers and any(one.taken for one in filing.versions)
    ]
    if len(theirs) != len(wanted):
        yield f"{name}: customs took the requests {theirs}, expected {wanted}"


def _accepted_once(name: str, filing: Filing) -> Iterator[str]:
    taken = [version for version in filing.versions if version.taken]
    contents = Counter(version.content for version in taken if version.app_type == "1")
    refused = {version.content for version in taken if is_refusal(version.status)}
    for content, times in contents.items():
        if times > 1 and content not in refused:
            yield f"{name}: customs took the same {filing.kind.value} {times} times"
    # A silent filing begins its course again when the same bytes come again.
    if filing.trail.count("800") > 1 and not answers_same_bytes(filing.scenario):
        yield f"{name}: released {filing.trail.count('800')} times by customs"


# --- our store ----------------------------------------------------------------------------------


def _fold(seen: Seen) -> Iterator[str]:
    """The state of a case is the fold of its events."""
    state = CaseState()
    for stored in seen.detail.events:
        state = apply(state, stored.event)
    if state != seen.detail.state:
        yield f"{seen.planned.order_no}: the state is not the fold of its events"


def _sums(seen: Seen) -> Iterator[str]:
    """Amounts come out of the store exactly as they went in."""
    order = seen.detail.papers.get(PaperKind.ORDER)
    slip = seen.detail.papers.get(PaperKind.PAYMENT)
    if order is not None and isinstance(order.paper, Order):
        sent = orjson.loads(seen.planned.lines[PaperType.ORDER])
        ours = order.paper
        total = sum((line.total.amount for line in ours.lines), Decimal(0))
        asked = sum((Decimal(line["total"]) for line in sent["lines"]), Decimal(0))
        paid = Decimal(sent.get("paid") or Decimal(sent["goods_value"]) + Decimal(sent["freight"]))
        if ours.paid.amount != paid or total != asked:
            yield f"{seen.planned.order_no}: the order's sums changed"
    if slip is not None and isinstance(slip.paper, PaymentSlip):
        sent = orjson.loads(seen.planned.lines[PaperType.PAYMENT])
        if slip.paper.amount.amount != Decimal(sent["amount"]):
            yield f"{seen.planned.order_no}: the paid amount changed"


async def _bytes_kept(gateway: Gateway, one: Planned, detail: CaseDetail) -> list[str]:
    """The bytes that were answered as taken are there, as they were sent."""
    found: list[str] = []
    for kind, line in one.acknowledged.items():
        revision = detail.papers.get(_KINDS[kind])
        if revision is None:
            found.append(f"{one.order_no}: the acknowledged {kind} is gone")
            continue
        fact = revision.facts[-1]
        raw = await gateway.reads.raw(TENANT, fact.raw_id)
        if raw is None or raw[fact.offset : fact.offset + fact.length] != line:
            found.append(f"{one.order_no}: the bytes of the {kind} are not those sent last")
    return found


def _quiescent(seen: Seen) -> Iterator[str]:
    """A case is final, or waits for a person who was told, or for customs with a case at hand."""
    one, state = seen.planned, seen.detail.state
    stage = seen.detail.row.stage
    if stage is CaseStage.COLLECTING and "papers_overdue" not in state.alarms:
        yield f"{one.order_no}: papers are overdue and nobody was told"
    if one.scenario in UNANSWERED and one.problem is None and not state.alarms:
        yield f"{one.order_no}: no answer, and nobody was told"
    if stage in (CaseStage.LODGED, CaseStage.WAITING_FILINGS) and not state.alarms:
        yield f"{one.order_no}: {stage}, and nobody was told that no more came"
    for declaration in state.declarations:
        if declaration.stage in (DeclarationStage.PLANNED, DeclarationStage.CLAIMED):
            if state.declaration(declaration.kind) is declaration:
                yield f"{one.order_no}: a {declaration.kind} is left {declaration.stage}"


def _stages(seen: list[Seen]) -> Iterator[str]:
    """Every case stands where the table says."""
    twice = [each for each in seen if each.planned.problem == "payment_twice"]
    for each in seen:
        if each.is_hurt or each.is_replayed or each.is_moved or (len(twice) > 1 and each in twice):
            continue
        stage = each.detail.row.stage
        if stage is not each.planned.expected:
            state = each.detail.state
            yield (
                f"{each.planned.order_no} ({each.planned.problem or each.planned.scenario}): "
                f"{stage}, expected {each.planned.expected}; {_story(state)}"
            )
    if len(twice) > 1 and not any(each.is_hurt for each in twice):
        stages = Counter(each.detail.row.stage for each in twice)
        if stages != {CaseStage.RELEASED: 1, CaseStage.BLOCKED: len(twice) - 1}:
            yield f"one payment for {len(twice)} orders: {dict(stages)}"


def _books(world: World) -> Ledger:
    """The books at customs of the direction that a world trades in."""
    ledger = world.wire.authority.ledger
    return (ledger.exports or Ledger()) if world.trade.profile.is_export else ledger


def _lists(world: World, seen: list[Seen]) -> Iterator[str]:
    """No parcel stands in two lists at customs; who is in none was told of, or is not released."""
    profile = world.trade.profile
    if profile.consigning is not None:
        yield from _listed(world, seen, DeclarationKind.MASTER_LIST)
    if profile.export is not None and profile.export.summary is not None:
        yield from _listed(world, seen, DeclarationKind.SUMMARY_REQUEST)
        for each in seen:
            own = each.detail.state.declaration(DeclarationKind.SUMMARY_REQUEST)
            is_summed = own is not None and own.stage is DeclarationStage.STORED
            known = str(own.request.get("result", "")) if own is not None else ""
            if is_summed and not each.is_hurt and "entry_no" not in known:
                yield f"{each.planned.order_no}: nobody knows its general declaration"


def _listed(world: World, seen: list[Seen], kind: DeclarationKind) -> Iterator[str]:
    rows = Counter(
        line["invtNo"]
        for one in _books(world).requests.values()
        if one.live and one.kind is _LISTS[kind]
        for line in one.paper.lines
    )
    for each in seen:
        state, name = each.detail.state, each.planned.order_no
        own, inventory = state.declaration(kind), state.inventory()
        if own is None or inventory is None:
            if each.detail.row.stage is CaseStage.RELEASED:
                yield f"{name}: released and in no list"
            continue
        times = rows[inventory.invt_no or ""]
        if times > 1 or (own.stage is DeclarationStage.STORED and times == 0):
            yield f"{name}: stands in {times} lists at customs"
        is_told = not world.wire.lost_for & {Lookup("cop_no", own.cop_no)}
        if own.stage in (DeclarationStage.STORED, DeclarationStage.WITHDRAWN) or not is_told:
            continue
        # One parcel whose inventory ended while the list was under way spoils it: a person's.
        if "list_refused" not in state.alarms:
            yield f"{name}: its list is {own.stage}, and nobody was told"


def _story(state: CaseState) -> str:
    declared = ", ".join(
        f"{one.kind}/{one.version} {one.stage} try {one.attempt} seen {'+'.join(one.seen)}"
        for one in state.declarations
    )
    return f"{declared}; alarms {list(state.alarms)}; verdict {state.verdict}"


# --- notices, wire, effects ---------------------------------------------------------------------


def _notices(world: World, seen: list[Seen]) -> Iterator[str]:
    """Each release is told to the warehouse under one id, each told stage to the seller."""
    releases: Counter[str] = Counter()
    stages: dict[str, set[str]] = {}
    for told in world.receivers.told.values():
        if told.kind == RELEASE:
            releases[told.order_no] += 1
        stages.setdefault(told.order_no, set()).add(told.kind)
    for each in seen:
        name, stage = each.planned.order_no, each.detail.row.stage
        expected = 1 if stage is CaseStage.RELEASED else 0
        if releases[name] != expected:
            yield f"{name}: {releases[name]} release notices, stage {stage}"
        if stage is CaseStage.RELEASED and "case.released" not in stages.get(name, set()):
            yield f"{name}: the seller never heard of the release"
    for name in releases.keys() - {each.planned.order_no for each in seen}:
        yield f"{name}: a release notice for an unknown order"


async def _wire(world: World, gateway: Gateway) -> list[str]:
    """What was signed is what was sent is what is kept; each sending had its attempt stored."""
    found: list[str] = []
    with world.database.connect() as connection:
        rows = connection.execute(
            select(message.c.message_id, message.c.sha256, message.c.attempt, message.c.stage)
        ).all()
        opened = Counter(connection.execute(select(attempt.c.message_id)).scalars())
    stored = {row.message_id: row for row in rows}
    times: Counter[str] = Counter()
    envelopes: dict[str, str] = {}
    for sent in world.wire.sent:
        times[sent.message_id] += 1
        row = stored.get(sent.message_id)
        if row is None or row.sha256 is None or bytes(row.sha256).hex() != sent.digest:
            found.append(f"message {sent.message_id}: the wire saw other bytes than are stored")
        if envelopes.setdefault(sent.message_id, sent.envelope) != sent.envelope:
            found.append(f"message {sent.message_id}: a resend had other bytes")
    for message_id, number in times.items():
        if opened[message_id] < number:
            found.append(f"message {message_id}: sent {number} times, {opened[message_id]} stored")
        body = await gateway.reads.message(TENANT, MessageId(message_id))
        row = stored.get(message_id)
        if body is None or row is None or hashlib.sha256(body).digest() != bytes(row.sha256):
            found.append(f"message {message_id}: the stored bytes do not fit their digest")
    return found


def _effects(world: World) -> Iterator[str]:
    """Nothing is left open or parked: no fault here is one that a notice gives up on."""
    with world.database.connect() as connection:
        rows = connection.execute(
            select(outbox.c.kind, outbox.c.stage, outbox.c.detail).where(
                outbox.c.stage != "done",
                or_(outbox.c.stage != "open", outbox.c.due_at <= world.now_us() + HORIZON_US),
            )
        ).all()
        open_attempts = connection.execute(
            select(attempt.c.message_id)
            .join(message, message.c.message_id == attempt.c.message_id)
            .where(attempt.c.outcome.is_(None), message.c.stage.not_in(_ENDED_WHOLE))
        ).all()
        cases = connection.execute(select(case_.c.doc)).scalars().all()
    for row in rows:
        yield f"an effect {row.kind} is {row.stage}: {row.detail}"
    for row in open_attempts:
        yield f"an attempt at {row.message_id} was never closed"
    if len(cases) != len(world.planned):
        yield f"{len(cases)} cases for {len(world.planned)} orders"


def _forgeries(world: World) -> Iterator[str]:
    """Every forged file was set aside."""
    with world.database.connect() as connection:
        reasons = Counter(connection.execute(select(parked.c.reason)).scalars())
    if world.wire.forged and not (reasons["foreign_sender"] + reasons["agent_differs"]):
        yield f"{world.wire.forged} forged files, parked: {dict(reasons)}"
