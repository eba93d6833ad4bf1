"""What each state of a case rests on, by the classes of evidence (DOMAIN 7).

**A** is customs' answer to what we sent ourselves, **B** a subscribed copy of an answer to others,
**C** what an authenticated partner states. A person's word is no evidence. Our own records alone
(planned, signed, sent, no answer) prove nothing about customs and have no class.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from gateway.domain.case import CaseState
from gateway.domain.declaration import DeclarationKind, DeclarationStage, DeclarationState
from gateway.domain.events import Event, EventKind
from gateway.domain.filing import FilingStage
from gateway.domain.papers import PaperKind
from gateway.domain.profile import ConfirmedBy, FiledBy, FilingProfile


class EvidenceClass(StrEnum):
    """How much a word about customs is worth."""

    OWN_RECEIPT = "A"
    SUBSCRIBED_COPY = "B"
    STATEMENT = "C"


class Source(StrEnum):
    """Who says so."""

    RECEIPT = "receipt"
    MESSAGE_REFUSED = "message_refused"
    STATEMENT = "statement"
    API = "api"
    COPY = "copy"
    OWN_RECORD = "own_record"


class Basis(NamedTuple):
    """Why one declaration, or one paper that others file, counts as standing where it stands.

    ``receipt`` and ``position`` find the record in the receipt file, ``status`` and ``returned_at``
    are customs' own. ``version`` is that of the declaration, or the revision of the paper.
    """

    about: str
    version: int
    stage: str
    evidence: EvidenceClass | None
    source: Source
    receipt: str | None = None
    position: int | None = None
    guid: str | None = None
    status: str | None = None
    returned_at: str | None = None


_Key = tuple[str, int]
_S: Final = DeclarationStage
_UNANSWERED: Final = frozenset({_S.PLANNED, _S.CLAIMED, _S.SENT, _S.UNKNOWN, _S.WITHDRAWN})


def bases(state: CaseState, events: Iterable[Event], profile: FilingProfile | None) -> list[Basis]:
    """What every declaration of a case rests on, in order; then the papers that others file."""
    applied: dict[_Key, Mapping[str, Any]] = {}
    cancelled: dict[_Key, _Key] = {}
    copies: dict[PaperKind, Mapping[str, Any]] = {}
    for event in events:
        payload = event.payload
        if event.kind is EventKind.RECEIPT_RECORDED and payload["effect"] == "applied":
            applied[payload["kind"], payload["version"]] = payload
        elif event.kind is EventKind.COPY_RECORDED:
            known = copies.get(paper := PaperKind(payload["paper"]))
            if known is None or known["returned_at"] <= payload["returned_at"]:
                copies[paper] = payload
        elif event.kind is EventKind.DECLARATION_CANCELLED and "by" in payload:
            request = _request_of(payload["kind"]), payload["by"]
            cancelled[payload["kind"], payload["version"]] = request
    found = [
        _of_declaration(one, applied.get(cancelled.get((one.kind, one.version), _key(one))))
        for one in state.declarations
    ]
    return found + ([] if profile is None else _of_others(state, profile, copies))


def _key(one: DeclarationState) -> _Key:
    return one.kind, one.version


def _request_of(kind: str) -> DeclarationKind:
    """The kind of request whose granting cancels a kind."""
    return next(one for one in DeclarationKind if one.cancels == kind)


def _of_declaration(one: DeclarationState, receipt: Mapping[str, Any] | None) -> Basis:
    told = one.kind.value, one.version, one.stage.value
    if one.stage is _S.REFUSED:
        return Basis(*told, EvidenceClass.OWN_RECEIPT, Source.MESSAGE_REFUSED)
    if one.stage in _UNANSWERED or receipt is None:
        return Basis(*told, None, Source.OWN_RECORD)
    return Basis(
        *told,
        EvidenceClass.OWN_RECEIPT,
        Source.RECEIPT,
        receipt["receipt"],
        receipt["position"],
        receipt["guid"],
        receipt["status"],
        receipt["returned_at"],
    )


def _of_copy(revision: int, copy: Mapping[str, Any]) -> Basis:
    return Basis(
        copy["paper"],
        revision,
        copy["word"],
        EvidenceClass.SUBSCRIBED_COPY,
        Source.COPY,
        copy["receipt"],
        copy["position"],
        copy["guid"],
        copy["status"],
        copy["returned_at"],
    )


def _of_others(
    state: CaseState, profile: FilingProfile, copies: Mapping[PaperKind, Mapping[str, Any]]
) -> list[Basis]:
    """Papers that somebody else files, where they are known to stand."""
    found: list[Basis] = []
    for kind in PaperKind:
        filing, paper = profile.filing(kind), state.paper(kind)
        if filing.filed_by is FiledBy.US or paper is None:
            continue
        if filing.confirmed_by is ConfirmedBy.SUBSCRIPTION:
            if kind in copies:
                found.append(_of_copy(paper.revision, copies[kind]))
            continue
        filed = state.filing(kind)
        is_filed = filed is not None and filed.stage is FilingStage.FILED
        if filing.confirmed_by is ConfirmedBy.API and is_filed:
            stated = Source.API
        elif filing.confirmed_by is ConfirmedBy.STATEMENT:
            stated = Source.STATEMENT
        else:
            continue
        found.append(Basis(kind.value, paper.revision, "filed", EvidenceClass.STATEMENT, stated))
    return found
