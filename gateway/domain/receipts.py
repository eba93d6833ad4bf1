"""What one record that customs sent does to a case: pure decisions, given as events.

Nothing moves unless the record fits what was declared, in every field that it repeats and in time:
what customs sends is unsigned. The tables that say where a word leads are in
:mod:`gateway.domain.lifecycle`. Sources: DOMAIN sections 3 to 5.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.domain.case import CaseState
from gateway.domain.codec import finding_to_doc
from gateway.domain.course import PAPER_OF
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
from gateway.domain.findings import Finding, Severity
from gateway.domain.lifecycle import DECLARATION, ENDED, LEVEL, REQUESTS
from gateway.domain.papers import PaperKind
from gateway.domain.profile import ConfirmedBy, FiledBy, FilingProfile

_S: Final = DeclarationStage

FUTURE_TOLERANCE_US: Final = 5 * 60 * 1_000_000
EARLY_TOLERANCE_US: Final = 60 * 1_000_000
TOLERATED: Final = "RECEIPT-TOLERATED"
"""The rule of the findings that say what the reader of a receipt tolerated."""

_RELEASED_LEVEL: Final = 4


@dataclass(frozen=True, slots=True)
class ReceiptDecision:
    """What one receipt does to a case: events, or the reason why it is parked for a person."""

    events: tuple[Event, ...] = ()
    parked: str | None = None


def record_events(state: CaseState, fact: CustomsFact, now_us: int) -> ReceiptDecision:
    """Decide what one record of a received file does to a case, whatever it is about."""
    match fact:
        case ReceiptFact():
            return receipt_events(state, fact, now_us)
        case BillFact():
            return _bill_events(state, fact, now_us)
        case SummaryFact():
            return _summary_events(state, fact, now_us)


def receipt_events(state: CaseState, fact: ReceiptFact, now_us: int) -> ReceiptDecision:
    """Decide what one receipt record does to a case.

    A receipt is unsigned, so it moves nothing unless it fits a live declaration in every field
    that it repeats, and in time. A receipt seen before changes nothing and gives no
    event.
    """
    declaration = answered(state, fact)
    if declaration is None or declaration.sent_at is None:
        return ReceiptDecision(parked="nothing_sent")
    is_seen = f"{fact.status}@{fact.returned_at}" in declaration.seen
    # What contradicts the case is another record of the same moment, not a repeat.
    if is_seen and not any(value is not None for value in fact.checks.values()):
        return ReceiptDecision()
    earlier = _earlier(state, declaration)
    reason = _implausible(declaration, fact, now_us, is_first=not earlier)
    if reason is not None:
        return ReceiptDecision(parked=reason)
    if _is_older_version(earlier, declaration, fact):
        return ReceiptDecision((_recorded(declaration, fact, "older_version"),))
    is_doubtful = earlier and state.asked is None
    effect = _waits_for_acceptance(declaration, fact) if is_doubtful else None
    if effect is not None:
        return ReceiptDecision((_recorded(declaration, fact, effect),))
    events = _unwanted_release(state, declaration, fact)
    if events is None:
        events = _word_events(_reopened(state, declaration, fact), fact)
        if state.asked is None:
            events = [*events, *_freed(declaration, events, is_first=not earlier)]
    return ReceiptDecision((*events, *_follow_up(state, declaration, events)))


def _told_beside(declaration: DeclarationState, events: list[Event]) -> list[Event]:
    """What moves no case by itself and did not go well, so that a person is told."""
    kind, stage = declaration.kind, events[0].payload.get("stage")
    if (kind.is_list or kind in _REPORTS) and stage == _S.REJECTED.value:
        return [_alarm(declaration, Alarm.LIST_REFUSED)]
    if kind.is_return and stage in _STOPPED:
        return [_alarm(declaration, Alarm.RETURN_STOPPED)]
    return []


_REPORTS: Final = frozenset({DeclarationKind.RETURN_TALLY, DeclarationKind.WAYBILL_STATUS})
_STOPPED: Final = frozenset({_S.REJECTED.value, _S.DETAINED.value, _S.SUSPENDED.value})


def parts_list(decision: ReceiptDecision, fact: ReceiptFact) -> ReceiptDecision | None:
    """What a refusal says of a list of several parcels: nothing of any of them yet, for one bad
    parcel has the whole of it refused. None when it does not turn a list down for what is in it.

    A summary stays whole: each part would become general declarations of its own.
    """
    is_parted = fact.kind.is_list and fact.kind is not DeclarationKind.SUMMARY_REQUEST
    if not is_parted or fact.word not in _OF_CONTENT or not decision.events:
        return None
    first = decision.events[0]
    if first.payload.get("stage") != _S.REJECTED.value:
        return None
    told = {name: value for name, value in first.payload.items() if name != "stage"}
    return ReceiptDecision((Event(first.kind, {**told, "effect": "parted"}),))


_OF_CONTENT: Final = frozenset({Word.REJECTED, Word.FAILED})


def _unwanted_release(
    state: CaseState, declaration: DeclarationState, fact: ReceiptFact
) -> list[Event] | None:
    """A release of what somebody wants stopped waits for a person, who lets the case go on or not.

    Customs released it all the same, so nothing but a person's look can tell what becomes of it.
    """
    if state.asked is None or not declaration.kind.is_inventory or has_ended(declaration):
        return None
    if fact.word not in (Word.RELEASED, Word.CLOSED):
        return None
    if LEVEL.get(declaration.stage, 0) >= _RELEASED_LEVEL:
        return None
    effect = "deferred" if fact.word is Word.RELEASED else "no_effect"
    return [
        _recorded(declaration, fact, effect),
        *_stop(declaration, Alarm.RELEASED_WHILE_CANCELLING),
    ]


def released_events(state: CaseState) -> list[Event]:
    """The release that waited while something was wanted of its inventory: a person lets it go.

    One that may speak of the version before is no release of this one, whoever lets it go.
    """
    inventory = state.inventory()
    if inventory is None or inventory.deferred is None or has_ended(inventory):
        return []
    if inventory.deferred["word"] != Word.RELEASED or LEVEL.get(inventory.stage, 0) < 1:
        return []
    returned_at = str(inventory.deferred["returned_at"])
    if _earlier(state, inventory) and _is_stale_release(inventory, Word.RELEASED, returned_at):
        return []
    return [_applied_now(inventory.deferred, _S.RELEASED)]


def _earlier(state: CaseState, declaration: DeclarationState) -> list[DeclarationState]:
    """The versions before one under the same number of ours."""
    return [
        one
        for one in state.declarations
        if one.kind is declaration.kind
        and one.cop_no == declaration.cop_no
        and one.version < declaration.version
    ]


def answered(state: CaseState, fact: ReceiptFact) -> DeclarationState | None:
    """The declaration that a receipt is about: the newest of its kind, or of its copNo."""
    for declaration in reversed(state.declarations):
        if declaration.kind is fact.kind and fact.cop_no in (None, declaration.cop_no):
            return declaration
    return None


def subject(state: CaseState, fact: CustomsFact) -> DeclarationState | None:
    """The declaration under which a record is judged: the one that it answers or speaks of."""
    match fact:
        case ReceiptFact():
            return answered(state, fact)
        case BillFact():
            return next(
                (
                    one
                    for one in reversed(state.declarations)
                    if one.kind.is_inventory and one.invt_no == fact.invt_no
                ),
                None,
            )
        case SummaryFact():
            return state.declaration(DeclarationKind.SUMMARY_REQUEST)


def _implausible(
    declaration: DeclarationState, fact: ReceiptFact, now_us: int, *, is_first: bool
) -> str | None:
    """Why a receipt cannot be about this declaration, None when it can."""
    assert declaration.sent_at is not None
    for name, value in fact.checks.items():
        if value is not None:
            return f"{name}_differs"
    if fact.word is Word.UNKNOWN:
        return "unknown_status"
    if fact.word is Word.DRAFT_ONLY:
        return "stored_as_draft"
    if fact.returned_at_us > now_us + FUTURE_TOLERANCE_US:
        return "returned_in_the_future"
    if is_first and fact.returned_at_us < declaration.sent_at - EARLY_TOLERANCE_US:
        return "returned_before_sent"
    if declaration.invt_no and fact.invt_no and declaration.invt_no != fact.invt_no:
        return "invt_no_differs"
    if declaration.pre_no and fact.pre_no and declaration.pre_no != fact.pre_no:
        return "pre_no_differs"
    if fact.word is Word.RELEASED and fact.kind.is_inventory:
        if not (fact.invt_no or declaration.invt_no):
            return "released_without_invt_no"
    return None


def _is_older_version(
    earlier: Sequence[DeclarationState], declaration: DeclarationState, fact: ReceiptFact
) -> bool:
    """Whether a receipt belongs to a version before this one: receipts name no version.

    Customs' clock is held against itself: what is no newer than the last answer to an earlier
    version belongs to that one. Our own clock may be wrong by seconds, so a stamp shortly before
    this version was sent makes only an answer older that speaks of one try to lodge.
    """
    if not earlier:
        return False
    if any(fact.returned_at <= one.returned_at for one in earlier if one.returned_at):
        return True
    assert declaration.sent_at is not None
    sent_second = declaration.sent_at - declaration.sent_at % 1_000_000
    tolerance = 0 if fact.word in _OF_ONE_TRY else EARLY_TOLERANCE_US
    return fact.returned_at_us < sent_second - tolerance


def _waits_for_acceptance(declaration: DeclarationState, fact: ReceiptFact) -> str | None:
    """What becomes of a release or closing that may be of the version before; None where it is of
    this one.

    Only customs' acceptance tells which: a closing proves no release here, nor the other way round.
    """
    if not declaration.kind.is_inventory or has_ended(declaration):
        return None
    if _is_stale_release(declaration, fact.word, fact.returned_at):
        return "deferred"
    if fact.word is Word.RELEASED and LEVEL.get(declaration.stage, 1) < 1:
        return "deferred"
    waiting = declaration.deferred
    is_alone = waiting is not None and waiting["word"] == Word.RELEASED
    return "no_effect" if fact.word is Word.CLOSED and is_alone else None


def _is_stale_release(declaration: DeclarationState, word: Word, returned_at: str) -> bool:
    """Whether a release or closing bears an earlier time than customs' acceptance of this version.

    Another version went out under the same number: it may well speak of that one, and our clock,
    which is wrong by seconds, cannot tell. Customs' own can. It waits, and the watchdog calls.
    """
    if word not in (Word.RELEASED, Word.CLOSED):
        return False
    is_accepted = declaration.stage in (_S.LODGED, _S.ACCEPTED)
    return is_accepted and returned_at < (declaration.returned_at or "")


def _reopened(
    state: CaseState, declaration: DeclarationState, fact: ReceiptFact
) -> DeclarationState:
    """As sent, where only "exists already" rejected a first try and customs now speaks of it.

    That answer may overtake the 2 of the very try that it is about; it proves no more than that
    something was lodged. Whatever customs says of this copNo afterwards tells what became of it.
    The fold keeps no returnTime of such an answer: one that has a time was rejected in earnest.
    """
    is_doubtful = declaration.stage is _S.REJECTED and declaration.returned_at is None
    if not is_doubtful or state.declaration(declaration.kind) is not declaration:
        return declaration
    if fact.word not in DECLARATION[declaration.kind]:
        return declaration
    return declaration._replace(stage=_S.SENT)


def _word_events(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    rule = _WORD_RULES.get(fact.word, _ordinary)
    return rule(declaration, fact)


def _ordinary(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """A word with a row in the DECLARATION table: forwards by level, newest within one."""
    target = DECLARATION[declaration.kind].get(fact.word)
    if target is None:
        return [
            _recorded(declaration, fact, "not_for_this_kind"),
            _alarm(declaration, Alarm.ODD_STATUS),
        ]
    if target is _S.RELEASED and LEVEL.get(declaration.stage, 1) < 1:
        # A closing that waits is a sibling too; a second release is none.
        if declaration.deferred is None or declaration.deferred["word"] == Word.RELEASED:
            return [_recorded(declaration, fact, "deferred")]
    newer = declaration.returned_at is None or fact.returned_at >= declaration.returned_at
    if has_ended(declaration):
        return _after_the_end(declaration, fact, target, is_newer=newer)
    # Claimed anew, for a message of its own, it was sent before: to customs it is that still.
    here, there = LEVEL.get(declaration.stage, 0), LEVEL[target]
    if target is _S.CLOSED and here < _RELEASED_LEVEL:
        # Closed is no release: it waits for the 800 that it must have overtaken. Another closing
        # that waits is none either.
        if declaration.deferred is None or declaration.deferred["word"] == Word.CLOSED:
            return [_recorded(declaration, fact, "deferred")]
        return [
            _applied_now(declaration.deferred, _S.RELEASED),
            _recorded(declaration, fact, "applied", target),
        ]
    if there > here or (there == here and newer):
        return [_recorded(declaration, fact, "applied", target)]
    if here >= _RELEASED_LEVEL and newer and target in (_S.INSPECTION, _S.DETAINED):
        return _contradiction(declaration, fact)
    return [_recorded(declaration, fact, "no_effect")]


def _after_the_end(
    declaration: DeclarationState, fact: ReceiptFact, target: DeclarationStage, *, is_newer: bool
) -> list[Event]:
    """What comes after customs' last word moves nothing; what speaks against it calls a person.

    A release of before a rejection is the same contradiction as a rejection after the release,
    whichever of the two comes first.
    """
    was_turned_down = declaration.stage in (_S.REJECTED, _S.RETURNED_ABROAD)
    if was_turned_down and not is_newer and LEVEL.get(target, 0) >= _RELEASED_LEVEL:
        return _contradiction(declaration, fact)
    if not is_newer or target is declaration.stage:
        return [_recorded(declaration, fact, "no_effect")]
    return [
        _recorded(declaration, fact, "no_effect"),
        _alarm(declaration, _LATE_ALARMS[_end(declaration)]),
    ]


def _against(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """100 and 700: legal from any stage below release, a critical alarm after it."""
    target = DECLARATION[declaration.kind].get(fact.word)
    if target is None:
        return [
            _recorded(declaration, fact, "not_for_this_kind"),
            _alarm(declaration, Alarm.ODD_STATUS),
        ]
    if has_ended(declaration):
        if declaration.stage is not _S.APPROVED or fact.returned_at < (
            declaration.returned_at or ""
        ):
            return [_recorded(declaration, fact, "no_effect")]
        return [
            _recorded(declaration, fact, "no_effect"),
            _alarm(declaration, Alarm.REJECTED_AFTER_APPROVAL),
        ]
    here = LEVEL.get(declaration.stage)
    if here is None:
        return [_recorded(declaration, fact, "no_effect")]
    if here >= _RELEASED_LEVEL:
        if declaration.returned_at is not None and fact.returned_at < declaration.returned_at:
            return [_recorded(declaration, fact, "no_effect")]
        return _contradiction(declaration, fact)
    if fact.returned_at < (declaration.returned_at or ""):
        return [
            _recorded(declaration, fact, "no_effect"),
            _alarm(declaration, Alarm.LATE_REJECTION),
        ]
    return [_recorded(declaration, fact, "applied", target)]


def _contradiction(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    return [
        _recorded(declaration, fact, "no_effect"),
        _alarm(declaration, Alarm.CONTRADICTION_AFTER_RELEASE),
        Event(
            EventKind.CASE_HELD,
            {"by": "gateway", "reason": Alarm.CONTRADICTION_AFTER_RELEASE.value},
        ),
    ]


def _back_to_sent(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """The e-port could not send, or failed in itself: the same bytes go again at the next gap."""
    if LEVEL.get(declaration.stage, 9) <= 1:
        return [_recorded(declaration, fact, "applied", _S.SENT)]
    return [_recorded(declaration, fact, "no_effect")]


def has_ended(declaration: DeclarationState) -> bool:
    """Whether customs has said its last word on a declaration; a request ends with its approval."""
    is_granted = declaration.kind in REQUESTS and declaration.stage is _S.APPROVED
    return is_granted or declaration.stage in ENDED


def _end(declaration: DeclarationState) -> DeclarationStage:
    return declaration.stage if declaration.stage is _S.CANCELLED else _S.REJECTED


_LATE_ALARMS: Final[Mapping[DeclarationStage, Alarm]] = {
    _S.CANCELLED: Alarm.ANSWER_AFTER_CANCELLATION,
    _S.REJECTED: Alarm.ANSWER_AFTER_REJECTION,
}


def _failed_signature(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """A signature refusal speaks of the key, not of the case."""
    return [_recorded(declaration, fact, "no_effect"), _alarm(declaration, Alarm.SIGNATURE_REFUSED)]


def _failed(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """A negative answer: it rejects only what customs never confirmed."""
    if LEVEL.get(declaration.stage, 9) == 0:
        return [_recorded(declaration, fact, "applied", _S.REJECTED)]
    return [
        _recorded(declaration, fact, "no_effect"),
        _alarm(declaration, Alarm.FAILED_AFTER_LODGED),
    ]


def _duplicate(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """``exists already``: after the same bytes it proves that the first try arrived."""
    if LEVEL.get(declaration.stage, 9) > 0:
        return [_recorded(declaration, fact, "no_effect")]
    if declaration.attempt > 1:
        return [_recorded(declaration, fact, "applied", _S.LODGED)]
    return [
        _recorded(declaration, fact, "applied", _S.REJECTED),
        _alarm(declaration, Alarm.EXISTS_ALREADY),
    ]


_WORD_RULES: Final[Mapping[Word, Callable[[DeclarationState, ReceiptFact], list[Event]]]] = {
    Word.REJECTED: _against,
    Word.RETURNED_ABROAD: _against,
    Word.NOT_SENT: _back_to_sent,
    Word.FAILED_SYSTEM: _back_to_sent,
    Word.FAILED_SIGNATURE: _failed_signature,
    Word.FAILED_LIMIT: _failed,
    Word.FAILED_RIGHTS: _failed,
    Word.FAILED: _failed,
    Word.DUPLICATE: _duplicate,
}

_OF_ONE_TRY: Final = frozenset(_WORD_RULES) - {Word.REJECTED, Word.RETURNED_ABROAD}


def _freed(
    declaration: DeclarationState, events: list[Event], *, is_first: bool
) -> tuple[Event, ...]:
    """What waited is applied once what it overtook has come: a release after customs' progress
    below it, a closing after the release. Where another version went before this one, nothing that
    is older than that progress is.
    """
    waiting = declaration.deferred
    if waiting is None or not events or events[0].payload.get("effect") != "applied":
        return ()
    if not is_first and waiting["returned_at"] < events[0].payload["returned_at"]:
        return ()
    level = LEVEL.get(events[0].payload["stage"], 0)
    if waiting["word"] == Word.CLOSED:
        return (_applied_now(waiting, _S.CLOSED),) if level == _RELEASED_LEVEL else ()
    if 0 < level < _RELEASED_LEVEL:
        return (_applied_now(waiting, _S.RELEASED),)
    return ()


def _applied_now(waiting: Mapping[str, Any], stage: DeclarationStage) -> Event:
    """A receipt that waited, applied."""
    payload = {**waiting, "effect": "applied", "stage": stage.value}
    return Event(EventKind.RECEIPT_RECORDED, payload)


def _recorded(
    declaration: DeclarationState,
    fact: ReceiptFact,
    effect: str,
    stage: DeclarationStage | None = None,
) -> Event:
    payload: dict[str, Any] = {
        "kind": declaration.kind.value,
        "version": declaration.version,
        "status": fact.status,
        "word": fact.word.value,
        "returned_at": fact.returned_at,
        "receipt": fact.receipt_id,
        "position": fact.position,
        "guid": fact.guid,
        "effect": effect,
    }
    if stage is not None:
        payload["stage"] = stage.value
    if fact.codes:
        payload["codes"] = list(fact.codes)
    if fact.pre_no:
        payload["pre_no"] = fact.pre_no
    if fact.invt_no:
        payload["invt_no"] = fact.invt_no
    if fact.numbers:
        payload["numbers"] = dict(fact.numbers)
    if fact.notes:
        payload["findings"] = [tolerated(fact.notes)]
    return Event(EventKind.RECEIPT_RECORDED, payload)


def tolerated(notes: Mapping[str, str]) -> dict[str, Any]:
    """What the reader tolerated in one record, as the document of a finding of severity note.

    ``notes`` maps a place in the record to the kind of oddity; no value stands in it.
    """
    return finding_to_doc(
        Finding(TOLERATED, Severity.NOTE, dict.fromkeys(notes), params=dict(notes))
    )


def _alarm(declaration: DeclarationState, alarm: Alarm) -> Event:
    return Event(
        EventKind.ALARM_RAISED,
        {"alarm": alarm.value, "kind": declaration.kind.value, "version": declaration.version},
    )


# --- what follows for the inventory ----------------------------------------------------------


def _follow_up(state: CaseState, declaration: DeclarationState, events: list[Event]) -> list[Event]:
    """A granted cancellation ends its inventory, unless customs released that meanwhile."""
    subject = declaration.kind.cancels
    if subject is None:
        return _told_beside(declaration, events)
    if events[0].payload.get("stage") != _S.APPROVED.value:
        return []
    number = declaration.request.get("of")
    found = next(
        (one for one in state.declarations if one.kind is subject and one.version == number), None
    )
    if found is None or found.stage in ENDED:
        return []
    if LEVEL.get(found.stage, 0) >= _RELEASED_LEVEL:
        return _stop(declaration, Alarm.CANCELLED_AFTER_RELEASE)
    payload = {"kind": subject.value, "version": found.version, "by": declaration.version}
    return [Event(EventKind.DECLARATION_CANCELLED, payload)]


def _stop(declaration: DeclarationState, alarm: Alarm) -> list[Event]:
    return [
        _alarm(declaration, alarm),
        Event(EventKind.CASE_HELD, {"by": "gateway", "reason": alarm.value}),
    ]


# --- subscribed copies -----------------------------------------------------------------------


def subscribed_paper(fact: CustomsFact, profile: FilingProfile) -> PaperKind | None:
    """The paper that a record may confirm as a subscribed copy: somebody else files it, and the
    profile asks for the copy (class B, DOMAIN 7). None for any other record.
    """
    paper = PAPER_OF.get(fact.kind) if isinstance(fact, ReceiptFact) else None
    if paper is None:
        return None
    filing = profile.filing(paper)
    is_asked = filing.confirmed_by is ConfirmedBy.SUBSCRIPTION
    return paper if is_asked and filing.filed_by is FiledBy.OTHER else None


def copy_events(
    state: CaseState, paper: PaperKind, fact: ReceiptFact, now_us: int
) -> ReceiptDecision:
    """A copy of customs' answer to somebody else: recorded with the file it stands in, which is
    kept byte for byte. One that contradicts the case, or comes from the future, is parked; one
    that was seen, or is older, changes nothing.
    """
    if state.paper(paper) is None:
        return ReceiptDecision(parked="nothing_sent")
    reason = _odd_fact(fact, now_us)
    if reason is not None:
        return ReceiptDecision(parked=reason)
    known = state.answer_copy(paper)
    if known is not None and fact.returned_at <= known.returned_at:
        return ReceiptDecision()
    payload = _of_fact(fact) | {
        "paper": paper.value,
        "status": fact.status,
        "word": fact.word.value,
    }
    if fact.codes:
        payload["codes"] = list(fact.codes)
    return ReceiptDecision((Event(EventKind.COPY_RECORDED, payload),))


# --- tax bills and summaries -----------------------------------------------------------------


def _bill_events(state: CaseState, fact: BillFact, now_us: int) -> ReceiptDecision:
    """A tax bill, or its status, stored on the case of its inventory; an older word changes
    nothing.
    """
    inventory = subject(state, fact)
    if inventory is None:
        return ReceiptDecision(parked="nothing_declared_under_invt_no")
    reason = _odd_fact(fact, now_us)
    if reason is not None:
        return ReceiptDecision(parked=reason)
    known = next((bill for bill in state.bills if bill.bill_no == fact.bill_no), None)
    has_news = known is None or (fact.tariff is not None and known.tariff is None)
    if known is not None and not has_news:
        if fact.returned_at < known.returned_at:
            return ReceiptDecision()
        if (known.status, known.returned_at) == (fact.status, fact.returned_at):
            return ReceiptDecision()
    payload = _of_fact(fact) | {
        "version": inventory.version,
        "bill_no": fact.bill_no,
        "invt_no": fact.invt_no,
        "status": fact.status.value,
    }
    for name in ("tariff", "vat", "consumption", "payment_no"):
        value = getattr(fact, name)
        if value is not None:
            payload[name] = value
    return ReceiptDecision((Event(EventKind.TAX_BILLED, payload),))


def _summary_events(state: CaseState, fact: SummaryFact, now_us: int) -> ReceiptDecision:
    """A result of a summary request; it updates what came before under the same numbers."""
    request = subject(state, fact)
    if request is None or request.sent_at is None:
        return ReceiptDecision(parked="nothing_sent")
    if request.request.get("sum_no", fact.sum_no) != fact.sum_no:
        return ReceiptDecision(parked="nothing_sent")
    reason = _odd_fact(fact, now_us)
    if reason is not None:
        return ReceiptDecision(parked=reason)
    own = request.request["invt_no"]
    if fact.invt_nos and own not in fact.invt_nos:
        return ReceiptDecision()  # Another general declaration of the same request.
    known: Any = request.request.get("result", {})
    said = (fact.returned_at, fact.declaration_no, fact.state)
    if tuple(known.get(name) for name in ("returned_at", "declaration_no", "state")) == said:
        return ReceiptDecision()
    payload = _of_fact(fact) | {
        "version": request.version,
        "sum_no": fact.sum_no,
        "declaration_no": fact.declaration_no,
        "state": fact.state,
        "invt_no": own,
    }
    if fact.entry_no:
        payload["entry_no"] = fact.entry_no
    return ReceiptDecision((Event(EventKind.SUMMARY_RECORDED, payload),))


def _odd_fact(fact: CustomsFact, now_us: int) -> str | None:
    for name, value in fact.checks.items():
        if value is not None:
            return f"{name}_differs"
    return "returned_in_the_future" if fact.returned_at_us > now_us + FUTURE_TOLERANCE_US else None


def _of_fact(fact: CustomsFact) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "returned_at": fact.returned_at,
        "receipt": fact.receipt_id,
        "position": fact.position,
        "guid": fact.guid,
    }
    if fact.notes:
        payload["findings"] = [tolerated(fact.notes)]
    return payload
