"""The lifecycle: two tables, DECLARATION and CASE, and the fold of events into state.

Nothing else changes state. A decision (``receipts.record_events``, ``planning.plan_events``) reads
a state and returns events; ``apply`` folds one event; ``case_stage`` reads the CASE table. Sources:
DOMAIN sections 3 to 5.
"""

from collections.abc import Callable, Mapping, Set
from types import MappingProxyType
from typing import Any, Final

from gateway.domain.case import (
    AnswerCopy,
    Asked,
    CaseStage,
    CaseState,
    Hold,
    PaperStamp,
    TaxBill,
    VerdictKind,
    Wish,
)
from gateway.domain.codec import verdict_from_doc
from gateway.domain.course import PAPER_OF
from gateway.domain.declaration import (
    AppType,
    BillStatus,
    DeclarationKind,
    DeclarationStage,
    DeclarationState,
    Pinned,
    Word,
)
from gateway.domain.errors import IllegalTransition
from gateway.domain.events import Event, EventKind
from gateway.domain.filing import FILING, FilingStage, PartnerFiling
from gateway.domain.filing import FINAL as FILING_FINAL
from gateway.domain.ids import MessageId
from gateway.domain.papers import PaperKind

_S: Final = DeclarationStage

INVENTORY_DECLARED: Final = "inventory_declared"

"""The alarm of a declaration whose signature customs refuses: its key is in doubt, not the case."""

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
    Word.ACCEPTED: _S.ACCEPTED,
    Word.STORED: _S.STORED,
    Word.REJECTED: _S.REJECTED,
}
_INVENTORY_STAGES: Final[Mapping[Word, DeclarationStage]] = {
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
}
_REQUEST_STAGES: Final[Mapping[Word, DeclarationStage]] = {
    word: stage
    for word, stage in _INVENTORY_STAGES.items()
    if stage not in (_S.RELEASED, _S.CLOSED, _S.RETURNED_ABROAD)
}

# What is asked of customs about an inventory: approving it is the end of it.
REQUESTS: Final = frozenset(
    {
        DeclarationKind.CANCELLATION,
        DeclarationKind.RETURN,
        DeclarationKind.EXPORT_CANCELLATION,
        DeclarationKind.EXPORT_RETURN,
    }
)

# The DECLARATION table: what a word leads to, per kind. A word that is missing here has a rule of
# its own.
DECLARATION: Final[Mapping[DeclarationKind, Mapping[Word, DeclarationStage]]] = {
    kind: _INVENTORY_STAGES
    if kind.is_inventory
    else _REQUEST_STAGES
    if kind in REQUESTS
    else _PAPER_STAGES
    for kind in DeclarationKind
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
    _S.CANCELLED: CaseStage.CANCELLED,
}

_REFUSED: Final = frozenset({_S.REJECTED, _S.REFUSED})

_CASE_BY_VERDICT: Final[Mapping[VerdictKind, CaseStage]] = {
    VerdictKind.WAITING: CaseStage.COLLECTING,
    VerdictKind.MATCHED: CaseStage.MATCHED,
    VerdictKind.MISMATCH: CaseStage.MISMATCH,
    VerdictKind.BLOCKED: CaseStage.BLOCKED,
}

_RELEASED_LEVEL: Final = 4

FINAL_STAGES: Final = frozenset(
    {
        CaseStage.RELEASED,
        CaseStage.CLOSED,
        CaseStage.RETURNED_ABROAD,
        CaseStage.CANCELLED,
        CaseStage.ABANDONED,
    }
)
PERSON_STAGES: Final = frozenset(
    {CaseStage.MISMATCH, CaseStage.BLOCKED, CaseStage.REJECTED, CaseStage.DETAINED}
)

# Stages from which a new version of the same declaration may follow.
OVER: Final = frozenset({_S.REJECTED, _S.REFUSED, _S.WITHDRAWN, _S.CANCELLED})
ENDED: Final = frozenset({_S.REJECTED, _S.REFUSED, _S.RETURNED_ABROAD, _S.CANCELLED})
_AT_CUSTOMS: Final = frozenset(LEVEL)
_ENDED_OR_PLANNED: Final = ENDED | {_S.PLANNED, _S.CLAIMED}
_CANCELLABLE: Final = tuple(stage for stage, level in LEVEL.items() if level < _RELEASED_LEVEL)
_NOTHING_ASKED: Final[Mapping[str, Any]] = MappingProxyType({})


def case_stage(state: CaseState) -> CaseStage:
    """The stage of a case: a pure fold of its verdict and declarations (the CASE table)."""
    inventory = _standing_inventory(state)
    if inventory is not None:
        return _stage_by_inventory(state, inventory)
    if state.asked is not None and state.asked.wish is Wish.CANCEL:
        return CaseStage.ABANDONED
    by_verdict = CaseStage.COLLECTING
    if state.verdict is not None:
        by_verdict = _CASE_BY_VERDICT[state.verdict.kind]
    papers = [one for kind in PAPER_OF if (one := _standing(state, kind)) is not None]
    if not papers:
        return by_verdict
    stage = _stage_by_papers({one.stage for one in papers})
    if stage is not CaseStage.READY:
        return stage
    if state.verdict is not None and state.verdict.kind is not VerdictKind.MATCHED:
        # Customs has the papers, but the inventory is not declared on papers that do not agree.
        return by_verdict
    return CaseStage.WAITING_FILINGS if _awaits_partner(state) else stage


def _stage_by_inventory(state: CaseState, inventory: DeclarationState) -> CaseStage:
    stage = CASE[inventory.stage]
    if inventory.stage in _ENDED_OR_PLANNED or LEVEL[inventory.stage] >= _RELEASED_LEVEL:
        return stage
    is_wanted = state.asked is not None and state.asked.wish is Wish.CANCEL
    return CaseStage.CANCELLING if is_wanted or _is_cancelling(state) else stage


def _is_cancelling(state: CaseState) -> bool:
    """Whether customs was asked, or is about to be, to cancel the inventory that stands."""
    last = state.declarations[-1]
    return last.kind.cancels is not None and last.stage not in OVER


def _standing_inventory(state: CaseState) -> DeclarationState | None:
    """The inventory that a case stands by: a cancelled one gives way to what shall follow it."""
    found = state.inventory()
    if found is None or _standing(state, found.kind) is None:
        return None
    asked = state.asked
    if found.stage is _S.CANCELLED and asked is not None and asked.wish is not Wish.CANCEL:
        return None
    if found.stage in _REFUSED and asked is not None:
        return None
    return found


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
    if found.stage in OVER and _papers_moved(state, found):
        return None
    return found


def _papers_moved(state: CaseState, declaration: DeclarationState) -> bool:
    """Whether a paper was revised after this declaration was planned."""
    return any(
        stamp.revision != declaration.pinned.papers.get(kind.value)
        for kind, stamp in (state.papers or {}).items()
    )


def filed_paper(state: CaseState, paper: PaperKind) -> DeclarationState | None:
    """The newest filing of a paper by us, whatever the direction; None when we filed none."""
    for declaration in reversed(state.declarations):
        if PAPER_OF.get(declaration.kind) is paper:
            return declaration
    return None


def frozen_reason(state: CaseState, kind: PaperKind) -> str | None:
    """Why a paper can no longer be changed by sending it again; None while it still can."""
    inventory = state.inventory()
    if inventory is not None and inventory.stage not in (_S.PLANNED, *OVER):
        return INVENTORY_DECLARED
    filed = filed_paper(state, kind)
    if filed is not None and filed.stage in (_S.CLAIMED, _S.SENT, _S.UNKNOWN, _S.LODGED):
        return f"{kind.value}_awaits_answer"
    return None


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
            item["revision"],
            item["digest"],
            item.get("taken"),
            tuple(item.get("earlier", ())),
            item.get("bill"),
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
        request=payload.get("request", _NOTHING_ASKED),
    )
    fields: _Fields = {"declarations": (*state.declarations, planned)}
    if kind.is_inventory:
        # What was wanted of the inventory before is done with.
        fields["asked"] = None
    return fields


def _fold_claimed(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    return _changed(
        state,
        payload,
        (_S.PLANNED,),
        stage=_S.CLAIMED,
        message_id=MessageId(payload["message"]),
        app_time=payload["app_time"],
        cop_no=payload.get("cop_no", _of(state, payload).cop_no),
    )


def _fold_moved(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    """Into another message. What was refused with its message was never tried; a resend was."""
    found = _of(state, payload)
    cop_no = payload.get("cop_no", found.cop_no)
    return _changed(
        state,
        payload,
        (_S.CLAIMED, _S.SENT, _S.UNKNOWN, _S.LODGED),
        stage=_S.CLAIMED,
        message_id=MessageId(payload["message"]),
        attempt=found.attempt if payload.get("is_resend") else 0,
        app_time=payload.get("app_time", found.app_time),
        cop_no=cop_no,
        # A part of a list is another list, whose number customs draws anew.
        pre_no=found.pre_no if cop_no == found.cop_no else None,
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
    return _without_wish(payload) | _changed(
        state,
        payload,
        (_S.CLAIMED, _S.SENT, _S.UNKNOWN, _S.LODGED),
        stage=_S.REFUSED,
        codes=(payload["code"],),
    )


def _without_wish(payload: Mapping[str, Any]) -> _Fields:
    """A cancellation that customs refuses ends the wish behind it: the former state stands."""
    return {"asked": None} if DeclarationKind(payload["kind"]).cancels is not None else {}


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
    if "sum_no" in payload.get("numbers", ()):
        changes["request"] = {**found.request, "sum_no": payload["numbers"]["sum_no"]}
    if stage is not _S.RELEASED:
        over = _without_wish(payload) if stage is _S.REJECTED else {}
        return over | _put(state, found, changes)
    changes["deferred"] = None
    changes["released_at"] = found.released_at or payload["returned_at"]
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


def _fold_cancelled(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    """Customs granted a cancellation: the inventory is over without having been rejected."""
    return _changed(state, payload, _CANCELLABLE, stage=_S.CANCELLED, deferred=None)


def _fold_arrived(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    """The goods of a return are back: once, and only of one that customs may still approve."""
    found = _of(state, {"kind": DeclarationKind.RETURN, **payload})
    if found.stage in OVER or "arrived" in found.request:
        raise IllegalTransition("these goods cannot come back")
    return _put(state, found, {"request": {**found.request, "arrived": payload["at"]}})


def _fold_asked(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    if payload.get("is_over"):
        return {"asked": None}
    asked = Asked(Wish(payload["ask"]), payload["by"], payload["reason"], payload.get("after", {}))
    return {"asked": asked}


def _fold_billed(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    """A bill's amounts stay once known; its status is that of the newest word."""
    number = payload["bill_no"]
    known = next((bill for bill in state.bills if bill.bill_no == number), None)
    made = TaxBill(
        number,
        BillStatus(payload["status"]),
        payload["returned_at"],
        payload.get("tariff"),
        payload.get("vat"),
        payload.get("consumption"),
        payload.get("payment_no"),
    )
    if known is None:
        return {"bills": (*state.bills, made)}
    if made.tariff is None:
        made = made._replace(tariff=known.tariff, vat=known.vat, consumption=known.consumption)
    if known.returned_at > made.returned_at:
        made = made._replace(status=known.status, returned_at=known.returned_at)
    made = made._replace(payment_no=made.payment_no or known.payment_no)
    return {"bills": tuple(made if bill is known else bill for bill in state.bills)}


def _fold_copy(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    """The newest copy about a paper counts."""
    made = AnswerCopy(PaperKind(payload["paper"]), Word(payload["word"]), payload["returned_at"])
    known = state.answer_copy(made.paper)
    if known is not None and known.returned_at > made.returned_at:
        return {}
    return {"copies": (*(one for one in state.copies if one.paper is not made.paper), made)}


def _fold_summary(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    """Which general declaration an inventory went into: the newest word, numbers stay known."""
    found = _of(state, {"kind": DeclarationKind.SUMMARY_REQUEST, **payload})
    known: Any = found.request.get("result", {})
    names = ("declaration_no", "state", "entry_no", "returned_at")
    told = {name: payload[name] for name in names if name in payload}
    if known.get("returned_at", "") > payload["returned_at"]:
        told = {**told, **known}
    return _put(state, found, {"request": {**found.request, "result": {**known, **told}}})


def _fold_held(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    return {"hold": Hold(payload["by"], payload["reason"])}


def _fold_unheld(state: CaseState, payload: Mapping[str, Any]) -> _Fields:
    """Who lets a case go on wants nothing of it stopped any more."""
    return {"hold": None, "asked": None}


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
    EventKind.DECLARATION_CANCELLED: _fold_cancelled,
    EventKind.RECEIPT_RECORDED: _fold_receipt,
    EventKind.RETURN_ARRIVED: _fold_arrived,
    EventKind.TAX_BILLED: _fold_billed,
    EventKind.COPY_RECORDED: _fold_copy,
    EventKind.SUMMARY_RECORDED: _fold_summary,
    EventKind.CASE_ASKED: _fold_asked,
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
