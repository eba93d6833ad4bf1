"""Stage 7, receipt: bytes first (R1), then every record by its business key (R2).

A file may mix the documents of many submissions and tenants; each record finds its own case. What
fits no declaration, or not provably, is parked for a person and moves nothing.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.domain.case import CaseState
from gateway.domain.declaration import (
    BillFact,
    CustomsFact,
    DeclarationKind,
    DeclarationStage,
    DeclarationState,
    ReceiptFact,
    SummaryFact,
    Word,
)
from gateway.domain.events import Alarm, Event, EventKind
from gateway.domain.ids import CaseId, MessageId, ReceiptId
from gateway.domain.lifecycle import LEVEL
from gateway.domain.profile import FilingProfile
from gateway.domain.quota import QuotaMove, QuotaStep, step_of, told_by_customs
from gateway.domain.receipts import (
    EARLY_TOLERANCE_US,
    ReceiptDecision,
    answered,
    copy_events,
    parts_list,
    record_events,
    subject,
    subscribed_paper,
)
from gateway.domain.returns import given_back
from gateway.flow.context import Context
from gateway.flow.gate_plan import copy_effect
from gateway.flow.match import Bench, plan, settle
from gateway.flow.status import alarms_call_for_stop, revoke_notice, stage_notices
from gateway.flow.transmit import load_live, part_effect, split_refused
from gateway.flow.watchdog import siblings_effect
from gateway.ports import (
    CaseView,
    Changes,
    Command,
    Found,
    InboxItem,
    Lookup,
    Parked,
    ReadFile,
    ReadKind,
    ReadRecord,
    ReceiptDone,
    Received,
    StoredMessage,
    Views,
)


async def keep_received(
    context: Context, channel: str, files: Sequence[Received]
) -> list[InboxItem]:
    """R1: make the received bytes durable, then let the channel go of them. Gives what is new."""
    context.crash.reach("receipt.received")
    now = context.clock.now()
    items = [
        InboxItem(_receipt_id(channel, file.body), channel, file.name, file.body, now)
        for file in files
    ]
    fresh = await context.store.keep_receipts(items)
    context.crash.reach("receipt.kept")
    await context.channels[channel].acknowledge([file.token for file in files])
    context.crash.reach("receipt.acknowledged")
    return fresh


def _receipt_id(channel: str, body: bytes) -> ReceiptId:
    return ReceiptId(hashlib.sha256(channel.encode() + b"\n" + body).hexdigest()[:24])


async def apply_receipts(
    context: Context, items: Sequence[InboxItem]
) -> tuple[list[tuple[InboxItem, ReadFile]], list[Exception]]:
    """R2 for many files: read them all, and apply those with receipts in the order they came in.

    Their commands are submitted together, so that the answers to one message, which come in
    several files, change its cases in one commit. Gives the files that :func:`apply_other` deals
    with, and the errors of those that were not applied.
    """
    async with asyncio.TaskGroup() as reading:
        tasks = [reading.create_task(_read(context, item)) for item in items]
    receipts: list[tuple[InboxItem, ReadFile]] = []
    others: list[tuple[InboxItem, ReadFile]] = []
    for item, read in (task.result() for task in tasks):
        is_plain = read.kind is ReadKind.RECEIPTS and not _foreign(context, item.channel, read)
        (receipts if is_plain else others).append((item, read))
    outcomes = await _apply_records(context, receipts)
    return others, [one for one in outcomes if isinstance(one, Exception)]


async def _read(context: Context, item: InboxItem) -> tuple[InboxItem, ReadFile]:
    return item, await context.executor.run(context.regime.read, item.receipt_id, item.body)


async def apply_other(context: Context, item: InboxItem, read: ReadFile) -> list[StoredMessage]:
    """R2 for a file that is no set of receipts: park it, or act on the refusal of a message.

    Gives messages to deliver after a split.
    """
    if read.kind is ReadKind.LOOPBACK:
        await _finish(context, item, read)
        return []
    problem = _foreign(context, item.channel, read)
    if problem is None and read.kind is ReadKind.UNREADABLE:
        problem = read.problem or "unreadable"
    if problem is not None:
        await _set_aside(context, item, read, problem)
        return []
    return await _apply_refusal(context, item, read)


def _foreign(context: Context, channel: str, read: ReadFile) -> str | None:
    """Why a file cannot come from customs: receipts are unsigned, the way they came is all we
    have.
    """
    if read.kind is ReadKind.UNREADABLE:
        return None
    if read.sender_id is None:
        return None if context.settings.accepts_bare else "no_envelope"
    allowed = context.settings.senders.get(channel, frozenset())
    return None if read.sender_id in allowed else "foreign_sender"


# --- records -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _RecordFacts:
    item: InboxItem
    read: ReadFile
    cases: Mapping[int, Sequence[CaseId]]
    context: Context
    now: int


async def _apply_records(
    context: Context, files: Sequence[tuple[InboxItem, ReadFile]]
) -> list[Exception | None]:
    if not files:
        return []
    records = [record for _, read in files for record in read.records]
    lookups = {record.lookup for record in records if record.lookup is not None}
    lookups |= {one for record in records for one in _summed(record)}
    found = await context.store.find_claims(sorted(lookups))
    listed = await _listed(context, files, found)
    now = context.clock.now()
    outcomes = await context.store.submit_all(
        [_record_command(context, item, read, (found, listed), now) for item, read in files]
    )
    doubts: dict[MessageId, _Doubt] = {}
    for one in outcomes:
        doubts |= {} if isinstance(one, Exception) else one
    for message_id, doubt in doubts.items():
        await _doubt_key(context, message_id, doubt)
    return [one if isinstance(one, Exception) else None for one in outcomes]


_Listed = Mapping[tuple[CaseId, str], Sequence[CaseId]]


async def _listed(
    context: Context, files: Sequence[tuple[InboxItem, ReadFile]], found: Found
) -> _Listed:
    """Who stands in the lists that these files answer: by the case that holds a list's copNo, or
    the sumNo of a summary.
    """
    asked = [
        (found[record.lookup], *named)
        for _, read in files
        for record in read.records
        if (named := _list_of(record.fact)) is not None
        if record.lookup is not None and record.lookup in found
    ]
    return await context.store.find_listed(asked) if asked else {}


def _summed(record: ReadRecord) -> Sequence[Lookup]:
    """The inventories that a result of a summary (792) names: it may overtake the 702."""
    fact = record.fact
    numbers = fact.invt_nos if isinstance(fact, SummaryFact) else ()
    return [Lookup("invt_no", one) for one in numbers]


def _list_of(fact: CustomsFact | None) -> tuple[DeclarationKind, str | None] | None:
    """The list that a record is about: its kind and copNo; a result (792) names no copNo."""
    match fact:
        case ReceiptFact(kind=kind, cop_no=str(number)) if kind.is_list and number:
            return kind, number
        case SummaryFact():
            return DeclarationKind.SUMMARY_REQUEST, None
        case _:
            return None


async def _doubt_key(context: Context, message_id: MessageId, doubt: "_Doubt") -> None:
    """Set aside the key that signed a message whose signature customs refuses.

    The cases wait: what the key signed goes again once it is readmitted, or signed by another key
    (:func:`gateway.flow.transmit.check_answer`). A crash before this loses nothing: the same bytes
    go again when their answer is overdue, and are refused again.
    """
    message = await context.store.load_message(message_id, with_body=False)
    if message is None or message.certificate_serial is None:
        return
    if doubt.at < message.created_at - EARLY_TOLERANCE_US:
        return  # It speaks of a message that these records were in before.
    await context.aside_keys.set_aside(
        message.certificate_serial, "gateway", doubt.code, signed_at=message.created_at
    )


@dataclass(frozen=True, slots=True)
class _Doubt:
    """Customs refuses the signature of a message: its code, and when (UTC microseconds)."""

    code: str
    at: int


def _doubts_key(event: Event) -> bool:
    return (
        event.kind is EventKind.ALARM_RAISED
        and event.payload.get("alarm") == Alarm.SIGNATURE_REFUSED
    )


def _record_command(
    context: Context, item: InboxItem, read: ReadFile, holders: tuple[Found, _Listed], now: int
) -> Command[dict[MessageId, "_Doubt"]]:
    """The command of one file; files about the same cases share a lane, and so a commit."""
    found, listed = holders
    cases: dict[int, Sequence[CaseId]] = {}
    for record in read.records:
        summed = [found[one] for one in _summed(record) if one in found]
        if summed:
            cases[record.position] = tuple(dict.fromkeys(summed))
            continue
        if record.lookup is None or record.lookup not in found:
            continue
        holder, fact = found[record.lookup], record.fact
        number = fact.cop_no if isinstance(fact, ReceiptFact) else None
        cases[record.position] = listed.get((holder, number or ""), (holder,))
    everyone = [one for some in cases.values() for one in some]
    return Command(
        decide=decide_records,
        facts=_RecordFacts(item, read, cases, context, now),
        load=tuple(dict.fromkeys(everyone)),
        lookups=[claim for one in read.records if (claim := _number_claim(one)) is not None],
        # A tax bill is held against the order.
        with_papers=any(isinstance(one.fact, BillFact) for one in read.records),
        lane=min(everyone, default=str(item.receipt_id)),
        stage="receipt",
    )


def decide_records(
    facts: _RecordFacts, views: Views, found: Found
) -> Changes[dict[MessageId, "_Doubt"]]:
    """R2, pure: every record of one file, and what follows for its case.

    Gives the messages whose signature was refused, with the code.
    """
    changes: Changes[dict[MessageId, _Doubt]] = Changes(result={})
    parked = 0
    holders = dict(found)
    for record in facts.read.records:
        # All parcels of a list share its answer; any other record is about one case.
        some = [views.get(one) for one in facts.cases.get(record.position, ())] or [None]
        is_shared = _is_shared(record, some)
        told = [
            (view, _apply_record(facts, record, view, holders, changes, is_shared=is_shared))
            for view in some
        ]
        refused = [(view, reason) for view, reason in told if reason is not None]
        if refused and (len(refused) == len(told) or refused[0][1] != "nothing_sent"):
            parked += 1
            view, reason = refused[0]
            changes.parked.append(_parked(facts.item, record, view, reason, facts.now))
    facts.context.crash.reach("status.decided")
    changes.receipts_done.append(
        ReceiptDone(facts.item.receipt_id, facts.read.message_kind, len(facts.read.records), parked)
    )
    return changes


def _apply_record(
    facts: _RecordFacts,
    record: ReadRecord,
    view: CaseView | None,
    holders: dict[Lookup, CaseId],
    changes: Changes[dict[MessageId, "_Doubt"]],
    *,
    is_shared: bool,
) -> str | None:
    """Apply one record; the reason why it is parked, None when it was applied or repeats.

    ``is_shared`` tells that it answers a list in which several parcels stand.
    """
    if record.fact is None:
        return record.fault or "unreadable_record"
    if view is None:
        return "unmatched"
    context, now = facts.context, facts.now
    declaration = subject(view.state, record.fact)
    if declaration is None:
        if _is_of_parted(view.state, record.fact):
            return None
        return _apply_copy(facts, record, view, changes)
    profile = context.master.profile_version(
        view.key.profile_id, declaration.pinned.profile_version
    )
    if facts.read.receivers and profile.dxp_id not in facts.read.receivers:
        return "foreign_receiver"
    claim = _number_claim(record)
    # The number of a list is held by its first case, for all that stand in it.
    holder = facts.cases[record.position][0]
    if claim is not None and holders.get(claim, holder) != holder:
        return f"{claim.kind}_taken"
    checks = context.regime.checks(record, view.key, profile)
    decision = record_events(view.state, record.fact._replace(checks=checks), now)
    if decision.parked is not None:
        return decision.parked
    if is_shared:
        decision = _parted(facts, record, declaration, decision, changes)
    if claim is not None and claim not in holders:
        holders[claim] = holder
        changes.claims.append((claim, holder, view.key.tenant))
    if (
        declaration.message_id is not None
        and isinstance(record.fact, ReceiptFact)
        and any(map(_doubts_key, decision.events))
    ):
        changes.result[declaration.message_id] = _Doubt(
            record.fact.status, record.fact.returned_at_us
        )
    if decision.events:
        changes.quota_moves += quota_moves(
            view.key.case_id, record.fact, decision.events, now, declaration
        )
        _follow(context, profile, view, decision.events, changes, now)
    return None


def _is_shared(record: ReadRecord, some: Sequence[CaseView | None]) -> bool:
    """Whether a record answers a list in which several parcels still wait for customs' word."""
    fact = record.fact
    if not isinstance(fact, ReceiptFact) or not fact.kind.is_list:
        return False
    listed = [answered(view.state, fact) for view in some if view is not None]
    return sum(one is not None and LEVEL.get(one.stage, 9) <= 1 for one in listed) > 1


def _is_of_parted(state: CaseState, fact: CustomsFact) -> bool:
    """Whether a refusal, or what came before it, is late: of a list that was parted since."""
    return (
        isinstance(fact, ReceiptFact)
        and fact.kind.is_list
        and fact.word in _OF_PARTED
        and state.declaration(fact.kind) is not None
    )


_OF_PARTED: Final = frozenset({Word.LODGED, Word.REJECTED, Word.FAILED, Word.DUPLICATE})


def _parted(
    facts: _RecordFacts,
    record: ReadRecord,
    declaration: DeclarationState,
    decision: ReceiptDecision,
    changes: Changes[Any],
) -> ReceiptDecision:
    """The decision on a list of several parcels: it is parted where customs refuses it whole."""
    fact = record.fact
    assert isinstance(fact, ReceiptFact)
    parted = parts_list(decision, fact)
    if parted is None or declaration.message_id is None:
        return decision
    effect = part_effect(declaration.message_id, fact.status, facts.item.receipt_id, facts.now)
    if effect not in changes.effects:
        changes.effects.append(effect)
    return parted


def _apply_copy(
    facts: _RecordFacts, record: ReadRecord, view: CaseView, changes: Changes[Any]
) -> str | None:
    """A record about a paper that we did not file: a copy that the profile asks for, or nothing."""
    context, fact = facts.context, record.fact
    profile = context.master.profile(view.key.tenant, view.key.profile_id)
    paper = None if profile is None or fact is None else subscribed_paper(fact, profile)
    if profile is None or paper is None:
        return "nothing_sent"
    assert isinstance(fact, ReceiptFact)
    if facts.read.receivers and profile.dxp_id not in facts.read.receivers:
        return "foreign_receiver"
    checks = context.regime.checks(record, view.key, profile)
    decision = copy_events(view.state, paper, fact._replace(checks=checks), facts.now)
    if decision.events:
        view.record(*decision.events)
        changes.effects.append(copy_effect(view.key, paper, fact.returned_at, facts.now))
    return decision.parked


def _number_claim(record: ReadRecord) -> Lookup | None:
    """A release claims its inventory number, an accepted summary its sumNo: customs gives each
    once.
    """
    fact = record.fact
    if not isinstance(fact, ReceiptFact):
        return None
    if fact.kind is DeclarationKind.SUMMARY_REQUEST:
        is_taken = fact.word is Word.STORED and "sum_no" in fact.numbers
        return Lookup("sum_no", fact.numbers["sum_no"]) if is_taken else None
    if fact.word is not Word.RELEASED or not fact.invt_no:
        return None
    return Lookup("invt_no", fact.invt_no)


def quota_moves(
    case_id: CaseId,
    fact: CustomsFact,
    events: Sequence[Event],
    now: int,
    declaration: DeclarationState | None = None,
) -> list[QuotaMove]:
    """What applied receipts do to the buyer's account, customs' own figure included.

    ``declaration`` is what they answer: an approved return gives back what its lines are worth. A
    repeated approval is not applied, so it gives nothing twice.
    """
    moves = []
    for event in events:
        payload = event.payload
        if event.kind is EventKind.RECEIPT_RECORDED and payload["effect"] == "applied":
            step = step_of(DeclarationKind(payload["kind"]), Word(payload["word"]))
            if step is QuotaStep.RETURN and declaration is not None:
                moves.append(QuotaMove(case_id, step, now, given_back(declaration).value))
            elif step is not None and step is not QuotaStep.RETURN:
                moves.append(QuotaMove(case_id, step, now))
        elif event.kind is EventKind.DECLARATION_CANCELLED:
            if payload["kind"] == DeclarationKind.INVENTORY.value:
                moves.append(QuotaMove(case_id, QuotaStep.GIVE_BACK, now))
    if moves and isinstance(fact, ReceiptFact) and fact.kind is DeclarationKind.INVENTORY:
        figure = told_by_customs(case_id, fact.codes, fact.info, now)
        moves += [] if figure is None else [figure]
    return moves


def _follow(
    context: Context,
    profile: FilingProfile,
    view: CaseView,
    events: Sequence[Event],
    changes: Changes[Any],
    now: int,
) -> None:
    """Record events on a case, plan what they open, tell who waits."""
    before = view.state
    first_new = len(view.new_events)
    view.record(*events)
    if events[0].kind is EventKind.TAX_BILLED:
        settle(view, changes, _bench(context, profile, view, now))
        return
    if events[0].kind is not EventKind.RECEIPT_RECORDED:
        return
    kind = DeclarationKind(events[0].payload["kind"])
    filed = view.state.declaration(kind)
    # What customs says of the papers opens the way for a declaration; what it says of an inventory
    # or of a cancellation, for what is wanted next.
    bench = _bench(context, profile, view, now)
    gathers = kind.is_inventory and bench.profile.gathers
    if filed is not None and (gathers or kind.is_paper or _moves_on(before, view.state, kind)):
        plan(view, changes, bench, filed.pinned.goods)
    stage_notices(view, changes, context.master, before, now)
    if any(event.payload.get("effect") == "deferred" for event in events):
        due_at = now + context.settings.release_siblings_us
        changes.effects.append(siblings_effect(view.key, due_at))
    if alarms_call_for_stop(view.new_events[first_new:]):
        revoke_notice(view, changes, context.master, now)


def _moves_on(before: CaseState, after: CaseState, kind: DeclarationKind) -> bool:
    """Whether an answer that is none about a paper may call for another declaration."""
    if before.asked is not None:
        return True
    filed = after.declaration(kind)
    is_fresh = filed is not None and filed is not before.declaration(kind)
    return is_fresh and filed is not None and filed.stage is DeclarationStage.REJECTED


def _bench(context: Context, profile: FilingProfile, view: CaseView, now: int) -> Bench:
    current = context.master.profile(view.key.tenant, view.key.profile_id) or profile
    return Bench(current, context.master, context.matcher, context.crash, now)


def _parked(
    item: InboxItem, record: ReadRecord, view: CaseView | None, reason: str, now: int
) -> Parked:
    return Parked(
        parked_id=f"{item.receipt_id}-{record.position}",
        subject="receipt_record",
        reason=reason,
        at=now,
        receipt_id=item.receipt_id,
        position=record.position,
        case_id=view.key.case_id if view else None,
        tenant=view.key.tenant if view else None,
    )


# --- whole files -------------------------------------------------------------------------------


async def _set_aside(context: Context, item: InboxItem, read: ReadFile, problem: str) -> None:
    """Park a whole file: its bytes are kept, it moves nothing."""
    now = context.clock.now()
    await context.store.submit(
        Command(
            decide=decide_set_aside,
            facts=(item, read, problem, now),
            lane=item.receipt_id,
            stage="receipt",
        )
    )


def decide_set_aside(
    facts: tuple[InboxItem, ReadFile, str, int], views: Views, found: Found
) -> Changes[None]:
    """Pure: one parked row for the file."""
    item, read, problem, now = facts
    changes: Changes[None] = Changes(result=None)
    changes.parked.append(
        Parked(f"{item.receipt_id}-file", "receipt_file", problem, now, item.receipt_id)
    )
    changes.receipts_done.append(
        ReceiptDone(item.receipt_id, read.message_kind, len(read.records), 1, problem)
    )
    return changes


def _done(facts: tuple[InboxItem, ReadFile], views: Views, found: Found) -> Changes[None]:
    item, read = facts
    changes: Changes[None] = Changes(result=None)
    changes.receipts_done.append(ReceiptDone(item.receipt_id, read.message_kind, 1, 0))
    return changes


async def _finish(context: Context, item: InboxItem, read: ReadFile) -> None:
    """Nothing more is to be done about a file."""
    await context.store.submit(
        Command(decide=_done, facts=(item, read), lane=item.receipt_id, stage="receipt")
    )


async def _refused_message(context: Context, read: ReadFile) -> StoredMessage | None:
    """The message that a refusal names: by CopMsgId, else by the guid in its copy."""
    if read.message_id is not None:
        found = await load_live(context, MessageId(read.message_id), with_body=False)
        if found is not None:
            return found
    if read.message_guid is None:
        return None
    message_id = await context.store.find_message(read.message_guid)
    if message_id is None:
        return None
    return await load_live(context, message_id, with_body=False)


async def _apply_refusal(context: Context, item: InboxItem, read: ReadFile) -> list[StoredMessage]:
    """A refusal of a whole message: split it, or park what asks for a person.

    Trouble on the way (3xxx) changes nothing: the answer's timer sends the same bytes again. A
    security answer (1xxx) speaks of the key or the profile, so its channel is paused, the key set
    aside, what it says is parked, and a person decides.
    """
    message = await _refused_message(context, read)
    if message is None or message.attempt == 0:
        await _set_aside(context, item, read, "unknown_message")
        return []
    if read.quarantine:
        await context.pauses.pause(item.channel, "gateway", f"security answer {read.code}")
        doubt = _Doubt(read.code, item.received_at)
        await _doubt_key(context, message.message_id, doubt)
        await _set_aside(context, item, read, "security_answer")
        return []
    split: list[StoredMessage] = []
    if read.retry == "never":
        split = await split_refused(context, message, read.code, item.receipt_id)
    await _finish(context, item, read)
    return split
