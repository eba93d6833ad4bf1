"""The lifecycle: two tables, DECLARATION and CASE, and the fold of events into state.

Nothing else changes state. A decision (``receipt_events``, ``plan_events``) reads a state and
returns events; ``apply`` folds one event; ``case_stage`` reads the CASE table. Sources: DOMAIN
sections 3 to 5.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any, Final

from gateway.domain.case import CaseStage, CaseState, Hold, PaperStamp, VerdictKind
from gateway.domain.codec import verdict_from_doc
from gateway.domain.declaration import (
    AppType,
    DeclarationKind,
    DeclarationStage,
    DeclarationState,
    Pinned,
    ReceiptFact,
    Word,
)
from gateway.domain.errors import IllegalTransition
from gateway.domain.events import Event, EventKind
from gateway.domain.filing import FILING, FilingStage, PartnerFiling
from gateway.domain.filing import FINAL as FILING_FINAL
from gateway.domain.ids import MessageId
from gateway.domain.papers import PaperKind

_S: Final = DeclarationStage
_ORDER: Final = DeclarationKind.ORDER
_PAYMENT: Final = DeclarationKind.PAYMENT
_WAYBILL: Final = DeclarationKind.WAYBILL
_INVENTORY: Final = DeclarationKind.INVENTORY

INVENTORY_DECLARED: Final = "inventory_declared"

FUTURE_TOLERANCE_US: Final = 5 * 60 * 1_000_000
EARLY_TOLERANCE_US: Final = 60 * 1_000_000
SIGNATURE_REFUSED: Final = "signature_refused"
"""The alarm of a declaration whose signature customs refuses: its key is in doubt, not the case."""
_RELEASED_LEVEL: Final = 4

# Partial order of the stages that customs' answers lead to; within a level the newest returnTime
# wins.
LEVEL: Final[Mapping[DeclarationStage, int]] = {
    _S.SENT: 0,
    _S.UNKNOWN: 0,
    _S.LODGED: 1,
    _S.STORED: 2,
    _S.ACCEPTED: 2,
    _S.IN_REVIEW: 3,
    _S.APPROVED: 3,
    _S.INSPECTION: 3,
    _S.DETAINED: 3,
    _S.SUSPENDED: 3,
    _S.RELEASED: 4,
    _S.CLOSED: 5,
}

_PAPER_STAGES: Final[Mapping[Word, DeclarationStage]] = {
    Word.LODGED: _S.LODGED,
    Word.STORED: _S.STORED,
    Word.REJECTED: _S.REJECTED,
}

# The DECLARATION table: what a word leads to, per kind. A word that is missing here has a rule of
# its own.
DECLARATION: Final[Mapping[DeclarationKind, Mapping[Word, DeclarationStage]]] = {
    **dict.fromkeys((_ORDER, _PAYMENT, _WAYBILL), _PAPER_STAGES),
    _INVENTORY: {
        Word.LODGED: _S.LODGED,
        Word.ACCEPTED: _S.ACCEPTED,
        Word.REVIEW: _S.IN_REVIEW,
        Word.APPROVED: _S.APPROVED,
        Word.INSPECTION: _S.INSPECTION,
        Word.DETAINED: _S.DETAINED,
        Word.SUSPENDED: _S.SUSPENDED,
        Word.REJECTED: _S.REJECTED,
        Word.RETURNED_ABROAD: _S.RETURNED_ABROAD,
        Word.RELEASED: _S.RELEASED,
        Word.CLOSED: _S.CLOSED,
    },
}

# The CASE table: the stage of a case whose newest inventory stands at a stage.
CASE: Final[Mapping[DeclarationStage, CaseStage]] = {
    _S.PLANNED: CaseStage.DECLARING,
    _S.CLAIMED: CaseStage.DECLARING,
    _S.SENT: CaseStage.SENT,
    _S.UNKNOWN: CaseStage.SENT,
    _S.LODGED: CaseStage.LODGED,
    _S.ACCEPTED: CaseStage.ACCEPTED,
    _S.IN_REVIEW: CaseStage.IN_REVIEW,
    _S.APPROVED: CaseStage.APPROVED,
    _S.INSPECTION: CaseStage.INSPECTION,
    _S.DETAINED: CaseStage.DETAINED,
    _S.SUSPENDED: CaseStage.SUSPENDED,
    _S.RELEASED: CaseStage.RELEASED,
    _S.CLOSED: CaseStage.CLOSED,
    _S.REJECTED: CaseStage.REJECTED,
    _S.REFUSED: CaseStage.REJECTED,
    _S.RETURNED_ABROAD: CaseStage.RETURNED_ABROAD,
}

_REFUSED: Final = frozenset({_S.REJECTED, _S.REFUSED})
_FILED_AS: Final = {
    PaperKind.ORDER: _ORDER,
    PaperKind.PAYMENT: _PAYMENT,
    PaperKind.WAYBILL: _WAYBILL,
}

_CASE_BY_VERDICT: Final[Mapping[VerdictKind, CaseStage]] = {
    VerdictKind.WAITING: CaseStage.COLLECTING,
    VerdictKind.MATCHED: CaseStage.MATCHED,
    VerdictKind.MISMATCH: CaseStage.MISMATCH,
    VerdictKind.BLOCKED: CaseStage.BLOCKED,
}

FINAL_STAGES: Final = frozenset(
    {CaseStage.RELEASED, CaseStage.CLOSED, CaseStage.RETURNED_ABROAD, CaseStage.CANCELLED}
)
PERSON_STAGES: Final = frozenset(
    {CaseStage.MISMATCH, CaseStage.BLOCKED, CaseStage.REJECTED, CaseStage.DETAINED}
)

# Stages from which a new version of the same declaration may follow.
_OVER: Final = frozenset({_S.REJECTED, _S.REFUSED, _S.WITHDRAWN})
_AT_CUSTOMS: Final = frozenset(LEVEL)


def case_stage(state: CaseState) -> CaseStage:
    """The stage of a case: a pure fold of its verdict and declarations (the CASE table)."""
    inventory = _standing(state, _INVENTORY)
    if inventory is not None:
        return CASE[inventory.stage]
    papers = [one for kind in _FILED_AS.values() if (one := _standing(state, kind)) is not None]
    if papers:
        stage = _stage_by_papers({one.stage for one in papers})
        is_partner_awaited = stage is CaseStage.READY and _awaits_partner(state)
        return CaseStage.WAITING_FILINGS if is_partner_awaited else stage
    if state.verdict is None:
        return CaseStage.COLLECTING
    return _CASE_BY_VERDICT[state.verdict.kind]


def _awaits_partner(state: CaseState) -> bool:
    return any(one.stage is not FilingStage.FILED for one in state.filings)


def _stage_by_papers(stages: Set[DeclarationStage]) -> CaseStage:
    """While only papers are filed they show through: the worst of them, ready once all stand."""
    if stages & _REFUSED:
        return CaseStage.REJECTED
    return CaseStage.READY if stages == {_S.STORED} else CaseStage.WAITING_FILINGS


def _standing(state: CaseState, kind: DeclarationKind) -> DeclarationState | None:
    """The newest declaration of a kind that was not withdrawn; a rejected one gives way to a new
    verdict.
    """
    found = state.declaration(kind)
    if found is None or found.stage is _S.WITHDRAWN:
        return None
    if found.stage in _OVER and _papers_moved(state, found):
        return None
    return found


def _papers_moved(state: CaseState, declaration: DeclarationState) -> bool:
    """Whether a paper was revised after this declaration was planned."""
    return any(
        stamp.revision != declaration.pinned.papers.get(kind.value)
        for kind, stamp in (state.papers or {}).items()
    )


def frozen_reason(state: CaseState, kind: PaperKind) -> str | None:
    """Why a paper can no longer be changed by sending it again; None while it still can."""
    inventory = state.declaration(_INVENTORY)
    if inventory is not None and inventory.stage not in (_S.PLANNED, *_OVER):
        return INVENTORY_DECLARED
    filed = state.declaration(_FILED_AS[kind])
    if filed is not None and filed.stage in (_S.CLAIMED, _S.SENT, _S.UNKNOWN, _S.LODGED):
        return f"{kind.value}_awaits_answer"
    return None


# --- decisions on receipts --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReceiptDecision:
    """What one receipt does to a case: events, or the reason why it is parked for a person."""

    events: tuple[Event, ...] = ()
    parked: str | None = None


def receipt_events(state: CaseState, fact: ReceiptFact, now_us: int) -> ReceiptDecision:
    """Decide what one receipt record does to a case.

    A receipt is unsigned, so it moves nothing unless it fits a live declaration in every field
    that it repeats, and in time. A receipt seen before changes nothing and gives no
    event.
    """
    declaration = state.declaration(fact.kind)
    if declaration is None or declaration.sent_at is None:
        return ReceiptDecision(parked="nothing_sent")
    if f"{fact.status}@{fact.returned_at}" in declaration.seen:
        return ReceiptDecision()
    reason = _implausible(declaration, fact, now_us)
    if reason is not None:
        return ReceiptDecision(parked=reason)
    if _is_older_version(state, declaration, fact):
        return ReceiptDecision((_recorded(declaration, fact, "older_version"),))
    events = _word_events(declaration, fact)
    return ReceiptDecision(tuple(events) + _freed(declaration, events))


def _implausible(declaration: DeclarationState, fact: ReceiptFact, now_us: int) -> str | None:
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
    if declaration.version == 1 and fact.returned_at_us < declaration.sent_at - EARLY_TOLERANCE_US:
        return "returned_before_sent"
    if declaration.invt_no and fact.invt_no and declaration.invt_no != fact.invt_no:
        return "invt_no_differs"
    if declaration.pre_no and fact.pre_no and declaration.pre_no != fact.pre_no:
        return "pre_no_differs"
    if fact.word is Word.RELEASED and fact.kind is _INVENTORY:
        if not (fact.invt_no or declaration.invt_no):
            return "released_without_invt_no"
    return None


def _is_older_version(state: CaseState, declaration: DeclarationState, fact: ReceiptFact) -> bool:
    """Whether a receipt belongs to a version before this one: receipts name no version.

    Customs' clock is held against itself: what is no newer than the last answer to an earlier
    version belongs to that one. Our own clock may be wrong by seconds, so a stamp shortly before
    this version was sent makes only an answer older that speaks of one try to lodge.
    """
    earlier = [
        one
        for one in state.declarations
        if one.kind is declaration.kind and one.version < declaration.version
    ]
    if not earlier:
        return False
    if any(fact.returned_at <= one.returned_at for one in earlier if one.returned_at):
        return True
    assert declaration.sent_at is not None
    sent_second = declaration.sent_at - declaration.sent_at % 1_000_000
    tolerance = 0 if fact.word in _OF_ONE_TRY else EARLY_TOLERANCE_US
    return fact.returned_at_us < sent_second - tolerance


def _word_events(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    rule = _WORD_RULES.get(fact.word, _ordinary)
    return rule(declaration, fact)


def _ordinary(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """A word with a row in the DECLARATION table: forwards by level, newest within one."""
    target = DECLARATION[declaration.kind].get(fact.word)
    if target is None:
        return [
            _recorded(declaration, fact, "not_for_this_kind"),
            _alarm(declaration, "odd_status"),
        ]
    if target is _S.RELEASED and LEVEL.get(declaration.stage, 1) < 1:
        # A closing that waits is a sibling too; a second release is none.
        if declaration.deferred is None or declaration.deferred["word"] == Word.RELEASED:
            return [_recorded(declaration, fact, "deferred")]
    newer = declaration.returned_at is None or fact.returned_at >= declaration.returned_at
    if declaration.stage in (_S.REJECTED, _S.REFUSED, _S.RETURNED_ABROAD):
        if not newer:
            return [_recorded(declaration, fact, "no_effect")]
        return [
            _recorded(declaration, fact, "no_effect"),
            _alarm(declaration, "answer_after_rejection"),
        ]
    here, there = LEVEL[declaration.stage], LEVEL[target]
    if target is _S.CLOSED and here < _RELEASED_LEVEL:
        # Closed is no release: it waits for the 800 that it must have overtaken.
        if declaration.deferred is None:
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


def _against(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """100 and 700: legal from any stage below release, a critical alarm after it."""
    target = DECLARATION[declaration.kind].get(fact.word)
    if target is None:
        return [
            _recorded(declaration, fact, "not_for_this_kind"),
            _alarm(declaration, "odd_status"),
        ]
    here = LEVEL.get(declaration.stage)
    if here is None:
        return [_recorded(declaration, fact, "no_effect")]
    if here >= _RELEASED_LEVEL:
        if declaration.returned_at is not None and fact.returned_at < declaration.returned_at:
            return [_recorded(declaration, fact, "no_effect")]
        return _contradiction(declaration, fact)
    if fact.returned_at < (declaration.returned_at or ""):
        return [_recorded(declaration, fact, "no_effect"), _alarm(declaration, "late_rejection")]
    return [_recorded(declaration, fact, "applied", target)]


def _contradiction(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    return [
        _recorded(declaration, fact, "no_effect"),
        _alarm(declaration, "contradiction_after_release"),
        Event(EventKind.CASE_HELD, {"by": "gateway", "reason": "contradiction_after_release"}),
    ]


def _back_to_sent(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """The e-port could not send, or failed in itself: the same bytes go again at the next gap."""
    if LEVEL.get(declaration.stage, 9) <= 1:
        return [_recorded(declaration, fact, "applied", _S.SENT)]
    return [_recorded(declaration, fact, "no_effect")]


def _failed_signature(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """A signature refusal speaks of the key, not of the case."""
    return [_recorded(declaration, fact, "no_effect"), _alarm(declaration, SIGNATURE_REFUSED)]


def _failed(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """A negative answer: it rejects only what customs never confirmed."""
    if LEVEL.get(declaration.stage, 9) == 0:
        return [_recorded(declaration, fact, "applied", _S.REJECTED)]
    return [_recorded(declaration, fact, "no_effect"), _alarm(declaration, "failed_after_lodged")]


def _duplicate(declaration: DeclarationState, fact: ReceiptFact) -> list[Event]:
    """``exists already``: after the same bytes it proves that the first try arrived."""
    if LEVEL.get(declaration.stage, 9) > 0:
        return [_recorded(declaration, fact, "no_effect")]
    if declaration.attempt > 1:
        return [_recorded(declaration, fact, "applied", _S.LODGED)]
    return [
        _recorded(declaration, fact, "applied", _S.REJECTED),
        _alarm(declaration, "exists_already"),
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


def _freed(declaration: DeclarationState, events: list[Event]) -> tuple[Event, ...]:
    """What waited is applied once what it overtook has come: a release after customs' progress
    below it, a closing after the release.
    """
    waiting = declaration.deferred
    if waiting is None or not events or events[0].payload.get("effect") != "applied":
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
    return Event(EventKind.RECEIPT_RECORDED, payload)


def _alarm(declaration: DeclarationState, alarm: str) -> Event:
    return Event(
        EventKind.ALARM_RAISED,
        {"alarm": alarm, "kind": declaration.kind.value, "version": declaration.version},
    )


# --- the fold ---------------------------------------------------------------------------------


def apply(state: CaseState, event: Event) -> CaseState:
    """The state after one event. Raises :class:`IllegalTransition` for an event that cannot
    follow.
    """
    fields = _FOLDS[event.kind](state, event.payload)
    return state._replace(seq=state.seq + 1, **fields)


# The fields of a state that an event changes (Any: each has its own type).
_Fields = dict[str, Any]


def _fold_papers(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    papers = dict(state.papers or {})
    for item in payload["papers"]:
        papers[PaperKind(item["kind"])] = PaperStamp(
            item["revision"], item["digest"], item.get("taken")
        )
    return {"papers": papers}


def _fold_verdict(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    return {"verdict": verdict_from_doc(payload)}


def _fold_planned(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    kind = DeclarationKind(payload["kind"])
    last = state.declaration(kind)
    if payload["version"] != (last.version + 1 if last else 1):
        raise IllegalTransition("a declaration version must follow the one before")
    pinned = payload["pinned"]
    planned = DeclarationState(
        kind=kind,
        version=payload["version"],
        app_type=AppType(payload["app_type"]),
        cop_no=payload["cop_no"],
        pinned=Pinned(pinned["profile"], pinned["papers"], pinned["goods"]),
    )
    return {"declarations": (*state.declarations, planned)}


def _fold_claimed(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    return _changed(
        state,
        payload,
        (_S.PLANNED,),
        stage=_S.CLAIMED,
        message_id=MessageId(payload["message"]),
        app_time=payload["app_time"],
    )


def _fold_moved(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    """Into another message. What was refused with its message was never tried; a resend was."""
    found = _of(state, payload)
    return _changed(
        state,
        payload,
        (_S.CLAIMED, _S.SENT, _S.UNKNOWN, _S.LODGED),
        stage=_S.CLAIMED,
        message_id=MessageId(payload["message"]),
        attempt=found.attempt if payload.get("is_resend") else 0,
        app_time=payload.get("app_time", found.app_time),
    )


def _fold_sending(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    """The signed bytes and the attempt are stored; from here on an answer may come."""
    found = _of(state, payload)
    if found.stage not in _AT_CUSTOMS and found.stage is not _S.CLAIMED:
        raise IllegalTransition(f"{found.kind} is {found.stage}: it cannot be sent")
    fresh = found.stage in (_S.CLAIMED, _S.UNKNOWN)
    return _put(
        state,
        found,
        {
            "stage": _S.SENT if fresh else found.stage,
            "attempt": found.attempt + 1,
            "sent_at": found.sent_at or payload["at"],
        },
    )


def _fold_unanswered(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    return _changed(state, payload, (_S.SENT, _S.UNKNOWN), stage=_S.UNKNOWN)


def _fold_refused(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    return _changed(
        state,
        payload,
        (_S.CLAIMED, _S.SENT, _S.UNKNOWN, _S.LODGED),
        stage=_S.REFUSED,
        codes=(payload["code"],),
    )


def _fold_withdrawn(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    return _changed(state, payload, (_S.PLANNED, _S.CLAIMED), stage=_S.WITHDRAWN)


def _fold_receipt(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    found = _of(state, payload)
    seen = f"{payload['status']}@{payload['returned_at']}"
    changes: _Fields = {} if seen in found.seen else {"seen": (*found.seen, seen)}
    effect = payload["effect"]
    if effect == "deferred":
        return _put(state, found, changes | {"deferred": payload})
    if effect != "applied":
        return _put(state, found, changes)
    stage = DeclarationStage(payload["stage"])
    changes["stage"] = stage
    changes["status"] = payload["status"]
    changes["returned_at"] = _newest(found, payload)
    changes["codes"] = tuple(payload.get("codes", ()))
    if stage is _S.SENT:
        # Nothing was lodged: the same bytes may get numbers of their own the next time.
        changes["pre_no"] = changes["invt_no"] = None
    else:
        changes["pre_no"] = payload.get("pre_no") or found.pre_no
        changes["invt_no"] = payload.get("invt_no") or found.invt_no
    if stage is not _S.RELEASED:
        return _put(state, found, changes)
    changes["deferred"] = None
    fields = _put(state, found, changes)
    if found.stage is not _S.RELEASED:
        fields["release_sequence"] = state.release_sequence + 1
    return fields


def _newest(found: DeclarationState, payload: Mapping[str, Any]) -> str | None:
    """The newest returnTime of the declaration's own course: "exists already" is stamped when the
    repeat came in, later than answers that are still under way.
    """
    if payload["word"] == Word.DUPLICATE.value:
        return found.returned_at
    returned_at: str = payload["returned_at"]
    return max(returned_at, found.returned_at or "")


def _fold_held(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    return {"hold": Hold(payload["by"], payload["reason"])}


def _fold_unheld(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    return {"hold": None}


def _fold_alarm(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    if payload["alarm"] in state.alarms:
        return {}
    return {"alarms": (*state.alarms, payload["alarm"])}


def _fold_filing(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    """A partner's filing by the FILING table; a new request only after a final stage."""
    kind, stage = PaperKind(payload["paper"]), FilingStage(payload["stage"])
    found = state.filing(kind)
    others = tuple(one for one in state.filings if one.kind is not kind)
    if found is None or payload["number"] != found.number:
        is_next = payload["number"] == (1 if found is None else found.number + 1)
        if not is_next or stage is not FilingStage.REQUESTED:
            raise IllegalTransition("a filing begins with its request")
        if found is not None and found.stage not in FILING_FINAL:
            raise IllegalTransition("the request before is still open")
        made = PartnerFiling(
            kind,
            payload["number"],
            payload["digest"],
            payload["at"],
            is_change=payload.get("change", False),
        )
        return {"filings": (*others, made)}
    if stage not in FILING[found.stage]:
        raise IllegalTransition(f"a filing that is {found.stage} cannot become {stage}")
    tries = found.tries + (stage is FilingStage.SENDING)
    return {"filings": (*others, found._replace(stage=stage, tries=tries))}


def _fold_nothing(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    return {}


_FOLDS: Final[Mapping[EventKind, Callable[[CaseState, Mapping[str, Any]], _Fields]]] = {
    EventKind.PAPERS_RECEIVED: _fold_papers,
    EventKind.CASE_MATCHED: _fold_verdict,
    EventKind.DECLARATION_PLANNED: _fold_planned,
    EventKind.DECLARATION_CLAIMED: _fold_claimed,
    EventKind.DECLARATION_MOVED: _fold_moved,
    EventKind.DECLARATION_SENDING: _fold_sending,
    EventKind.DECLARATION_UNANSWERED: _fold_unanswered,
    EventKind.DECLARATION_REFUSED: _fold_refused,
    EventKind.DECLARATION_WITHDRAWN: _fold_withdrawn,
    EventKind.RECEIPT_RECORDED: _fold_receipt,
    EventKind.CASE_HELD: _fold_held,
    EventKind.CASE_UNHELD: _fold_unheld,
    EventKind.ALARM_RAISED: _fold_alarm,
    EventKind.NOTICE_ACKNOWLEDGED: _fold_nothing,
    EventKind.FINDING_RESOLVED: _fold_nothing,
    EventKind.FILING_RECORDED: _fold_filing,
    EventKind.BYTES_DOWNLOADED: _fold_nothing,
}


def _of(state: CaseState, payload: Mapping[str, Any]) -> DeclarationState:
    for declaration in reversed(state.declarations):
        if declaration.kind == payload["kind"] and declaration.version == payload["version"]:
            return declaration
    raise IllegalTransition(f"no {payload['kind']} version {payload['version']} was planned")


def _changed(
    state: CaseState,
    payload: Mapping[str, Any],
    allowed: tuple[DeclarationStage, ...],
    **values: Any,
) -> _Fields:
    found = _of(state, payload)
    if found.stage not in allowed:
        raise IllegalTransition(f"{found.kind} is {found.stage}: this event cannot follow")
    return _put(state, found, values)


def _put(state: CaseState, found: DeclarationState, changes: _Fields) -> _Fields:
    changed = found._replace(**changes)
    return {"declarations": tuple(changed if one is found else one for one in state.declarations)}
