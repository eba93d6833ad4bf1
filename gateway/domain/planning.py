"""Planning: which declarations a case needs next; the gates between papers and inventory."""

from collections.abc import Mapping, Set
from decimal import Decimal
from typing import Any, Final

from gateway.domain.case import CaseKey, CaseState, VerdictKind, Wish
from gateway.domain.codes import Refile, find_rejection
from gateway.domain.course import COURSES, Course, course_of
from gateway.domain.declaration import (
    AppType,
    DeclarationKind,
    DeclarationStage,
    DeclarationState,
    Word,
)
from gateway.domain.errors import InvalidValue
from gateway.domain.events import Event, EventKind
from gateway.domain.filing import FilingStage
from gateway.domain.ids import cop_no
from gateway.domain.lifecycle import LEVEL, OVER, REQUESTS, filed_paper
from gateway.domain.money import plain
from gateway.domain.papers import Order, PaperKind
from gateway.domain.profile import ConfirmedBy, FiledBy, FilingProfile, OnTimeout, PaperFiling
from gateway.domain.returns import GivenBack, quantities_back, standing_returns

_S: Final = DeclarationStage


def plan_events(
    state: CaseState,
    key: CaseKey,
    profile: FilingProfile,
    goods: Mapping[str, int],
    *,
    relists: bool = False,
) -> list[Event]:
    """The declarations to plan now, as events; none while the case is held or does not match.

    ``goods`` maps each SKU of the order to the version of its goods record. A planned declaration
    whose papers were revised is withdrawn and planned anew. A request to cancel needs no match.
    ``relists``: a person wants parcels listed again whose lists were refused.
    """
    if state.hold is not None or state.verdict is None:
        return []
    request = _cancellation(state, key, profile)
    if request is not None:
        return [request]
    if state.verdict.kind is not VerdictKind.MATCHED:
        return _withdrawals(state)
    withdrawn = _withdrawals(state)
    events = list(withdrawn)
    events += [
        _planned(state, key, kind, app_type, profile, goods)
        for kind, app_type in _next(state, profile)
    ]
    over = OVER if relists else frozenset({_S.WITHDRAWN})
    return events + _listed(state, key, profile, over) + summed_up(state, key, profile, over)


def _listed(
    state: CaseState, key: CaseKey, profile: FilingProfile, over: Set[DeclarationStage]
) -> list[Event]:
    """The lists of its consignment that a parcel is to stand in, once customs has its inventory.

    It stands in each kind once for an inventory, unless that is ``over``: what customs refused a
    person looks at, whose recheck has the parcel listed again.
    """
    inventory, consigning = state.inventory(), profile.consigning
    waybill = state.paper(PaperKind.WAYBILL)
    if consigning is None or inventory is None or waybill is None or waybill.bill is None:
        return []
    is_numbered = inventory.invt_no is not None and LEVEL.get(inventory.stage, 0) >= _ACCEPTED_LEVEL
    if not is_numbered or state.asked is not None:
        return []
    return [
        requested_event(state, key, kind, inventory, profile, {})
        for kind in consigning.files
        if not _stands_in(state, kind, inventory, over)
    ]


def summed_up(
    state: CaseState, key: CaseKey, profile: FilingProfile, over: Set[DeclarationStage]
) -> list[Event]:
    """The summary request that a released inventory is to stand in, once as in :func:`_listed`.

    It is written under today's profile: that of the inventory may know of no summaries yet.
    """
    kind, inventory = DeclarationKind.SUMMARY_REQUEST, state.inventory()
    if profile.export is None or profile.export.summary is None or inventory is None:
        return []
    is_out = inventory.stage in (_S.RELEASED, _S.CLOSED) and state.asked is None
    if not is_out or not inventory.invt_no or _stands_in(state, kind, inventory, over):
        return []
    event = requested_event(state, key, kind, inventory, profile, {})
    pinned = {**event.payload["pinned"], "profile": profile.version}
    return [Event(event.kind, {**event.payload, "pinned": pinned})]


def _stands_in(
    state: CaseState,
    kind: DeclarationKind,
    inventory: DeclarationState,
    over: Set[DeclarationStage],
) -> bool:
    """Whether an inventory stands in a list of a kind, or is to, unless that is over."""
    return any(
        one.kind is kind and one.request.get("of") == inventory.version and one.stage not in over
        for one in state.declarations
    )


_ACCEPTED_LEVEL: Final = LEVEL[_S.ACCEPTED]


_CANCELLABLE: Final = frozenset({_S.ACCEPTED, _S.IN_REVIEW})


def _cancellation(state: CaseState, key: CaseKey, profile: FilingProfile) -> Event | None:
    """The request to cancel what customs has accepted, once somebody wants it and it is numbered.

    A request is made once: only what customs or the e-port refused may be asked for again, by
    another wish.
    """
    inventory = state.inventory()
    if state.asked is None or inventory is None or inventory.stage not in _CANCELLABLE:
        return None
    if not inventory.invt_no:
        return None
    kind = course_of(inventory.kind).cancellation
    earlier = [one for one in state.declarations if one.kind is kind]
    if any(
        one.request.get("of") == inventory.version and one.stage not in (_S.REJECTED, _S.REFUSED)
        for one in earlier
    ):
        return None
    return requested_event(state, key, kind, inventory, profile, {"reason": state.asked.reason})


def requested_event(
    state: CaseState,
    key: CaseKey,
    kind: DeclarationKind,
    inventory: DeclarationState,
    profile: FilingProfile,
    asked: Mapping[str, Any],
) -> Event:
    """What is asked of customs about an inventory, built from the papers that it was built from."""
    version = sum(one.kind is kind for one in state.declarations) + 1
    pinned = inventory.pinned
    payload: dict[str, Any] = {
        "kind": kind.value,
        "version": version,
        "app_type": AppType.NEW.value,
        "cop_no": cop_no(profile.cop_no_prefix, key.case_id, kind.value, version),
        "pinned": {
            "profile": pinned.profile_version,
            "papers": dict(pinned.papers),
            "goods": dict(pinned.goods),
        },
        "request": {
            "of": inventory.version,
            "invt_no": inventory.invt_no,
            "pre_no": inventory.pre_no,
            **asked,
        },
    }
    return Event(EventKind.DECLARATION_PLANNED, payload)


def return_event(
    state: CaseState,
    key: CaseKey,
    profile: FilingProfile,
    reason: str,
    lines: Mapping[int, Decimal],
    share: GivenBack,
    journey: Mapping[str, str] | None = None,
) -> Event:
    """The request to take released goods back: of ``lines``, line number → quantity.

    ``share`` is what is given back once customs approves it, ``journey`` what exported goods come
    home on.
    """
    inventory = state.inventory()
    assert inventory is not None
    assert inventory.invt_no is not None
    asked = {
        "reason": reason,
        "lines": {str(line_no): plain(quantity) for line_no, quantity in lines.items()},
        "value": plain(share.value),
        "tax": plain(share.tax),
        **(journey or {}),
    }
    kind = course_of(inventory.kind).taking_back
    return requested_event(state, key, kind, inventory, profile, asked)


def delivery_event(state: CaseState, key: CaseKey, profile: FilingProfile, at: str) -> Event | None:
    """The report that the parcel of a case was delivered (513), ``at`` in ISO 8601 with its zone.

    None when it was reported and not refused. Raises :class:`InvalidValue` when the waybill is not
    ours to speak of, or the parcel cannot have been delivered.
    """
    if profile.filing(PaperKind.WAYBILL).filed_by is not FiledBy.US:
        raise InvalidValue("waybill", "is filed by somebody else, who reports its delivery too")
    inventory, filed = state.inventory(), state.declaration(DeclarationKind.WAYBILL)
    if inventory is None or inventory.released_at is None:
        raise InvalidValue("at", "customs has not released the parcel")
    if filed is None or filed.stage is not _S.STORED:
        raise InvalidValue("waybill", "customs does not hold it yet")
    last = state.declaration(DeclarationKind.WAYBILL_STATUS)
    if last is not None and last.stage not in OVER:
        return None
    kind, version = DeclarationKind.WAYBILL_STATUS, 1 if last is None else last.version + 1
    pinned = filed.pinned
    payload = {
        "kind": kind.value,
        "version": version,
        "app_type": AppType.NEW.value,
        "cop_no": cop_no(profile.cop_no_prefix, key.case_id, kind.value, version),
        "pinned": {
            "profile": pinned.profile_version,
            "papers": dict(pinned.papers),
            "goods": dict(pinned.goods),
        },
        "request": {"at": at},
    }
    return Event(EventKind.DECLARATION_PLANNED, payload)


def returnable(state: CaseState, order: Order) -> dict[int, Decimal]:
    """What of each line may still be returned: ordered, less what was asked back and not refused.

    Raises nothing; lines of which nothing is left are absent.
    """
    left = {line.line_no: line.quantity for line in order.lines}
    for line_no, quantity in quantities_back(standing_returns(state)).items():
        left[line_no] = left.get(line_no, Decimal(0)) - quantity
    return {line_no: quantity for line_no, quantity in left.items() if quantity > 0}


_FILES: Final = {
    Refile.ORDER: PaperKind.ORDER,
    Refile.PAYMENT: PaperKind.PAYMENT,
    Refile.WAYBILL: PaperKind.WAYBILL,
}


def to_refile(state: CaseState) -> dict[str, int]:
    """What is to be filed again before the inventory, by what customs' codes say.

    Maps kinds that we filed to the version that they stand at; what others file is theirs.
    """
    wanted: dict[str, int] = {}
    for one in (state.inventory(), *(filed_paper(state, paper) for paper in PaperKind)):
        if one is None or one.stage not in (_S.REJECTED, _S.REFUSED):
            continue
        if one.kind.is_paper:
            wanted[one.kind.value] = one.version
        named = (find_rejection(code) for code in one.codes)
        for paper in (paper for known in named if known is not None for paper in known.refile):
            filed = filed_paper(state, _FILES[paper]) if paper in _FILES else None
            if filed is not None and filed.stage in (_S.STORED, _S.REJECTED, _S.REFUSED):
                wanted[filed.kind.value] = filed.version
    return wanted


def _next(state: CaseState, profile: FilingProfile) -> list[tuple[DeclarationKind, AppType]]:
    """What may be planned now: the papers that we file, in any order; then the inventory."""
    course = _course(profile)
    inventory = state.declaration(course.inventory)
    if state.asked is not None and state.asked.wish is Wish.CANCEL:
        return []
    if inventory is not None and not _inventory_may_follow(state, inventory):
        return []
    papers: list[tuple[DeclarationKind, AppType]] = []
    is_awaited = False
    for paper, kind in course.papers.items():
        filing = profile.filing(paper)
        if filing.filed_by is not FiledBy.US:
            continue
        app_type = _paper_step(state, paper, kind)
        if app_type is not None:
            papers.append((kind, app_type))
            continue
        is_awaited = is_awaited or _holds_back(state, profile, paper)
    if (
        papers
        or is_awaited
        or any(
            _holds_back(state, profile, paper)
            for paper in PaperKind
            if profile.filing(paper).filed_by is not FiledBy.US
        )
    ):
        return papers
    return [(course.inventory, _switched(state, inventory) or AppType.NEW)]


def _course(profile: FilingProfile) -> Course:
    return COURSES[profile.direction]


_SWITCHES: Final = {"as_change": AppType.CHANGE, "as_new": AppType.NEW}


def _switched(state: CaseState, last: DeclarationState | None) -> AppType | None:
    """The other appType, where customs' code asks for it and it was not tried yet; else None.

    "Declared already" means that a correction was not taken: it goes as a change. "Nothing to
    change" means that it goes as new (DOMAIN 5: -621004 and -301010, -621011 and -301009). A first
    filing is never switched: nobody knows what customs holds under its number.
    """
    if last is None or last.stage is not _S.REJECTED or last.version == 1:
        return None
    wanted = _wanted_instead(last)
    earlier = (one for one in state.declarations if one.kind is last.kind and one is not last)
    if wanted is None or any(_wanted_instead(one) is not None for one in earlier):
        return None
    return wanted


def _wanted_instead(one: DeclarationState) -> AppType | None:
    known = find_rejection(one.status or "") if one.stage is _S.REJECTED else None
    wanted = _SWITCHES.get(known.fix_id) if known is not None else None
    return None if wanted is one.app_type else wanted


def _inventory_may_follow(state: CaseState, inventory: DeclarationState) -> bool:
    """Whether another inventory may follow a cancelled or rejected one: if it is wanted."""
    asked = state.asked
    if inventory.stage is _S.CANCELLED:
        if asked is None or asked.wish is Wish.CANCEL:
            return False
        return asked.wish is Wish.REDECLARE or _papers_moved(state, inventory)
    if inventory.stage in (_S.REJECTED, _S.REFUSED) and asked is not None:
        if asked.wish is Wish.REDECLARE:
            return True
    return _switched(state, inventory) is not None or _may_follow(state, inventory)


def _paper_step(state: CaseState, paper: PaperKind, kind: DeclarationKind) -> AppType | None:
    """How a paper is to be filed now; None while an earlier filing of it stands or is awaited."""
    filed = state.declaration(kind)
    if filed is None:
        return AppType.NEW
    if state.asked is not None and state.asked.after.get(kind.value) == filed.version:
        return _app_type(state, kind)
    if (other := _switched(state, filed)) is not None:
        return other
    if _may_follow(state, filed):
        return _app_type(state, kind)
    if filed.stage is _S.STORED and not _same_paper(state, filed, paper):
        return AppType.CHANGE
    return None


def _may_follow(state: CaseState, declaration: DeclarationState) -> bool:
    """Whether a new version may follow: the last is over, or about to be withdrawn, and papers
    moved.
    """
    if declaration.stage is _S.WITHDRAWN:
        return True
    if declaration.stage is _S.PLANNED or declaration.stage in OVER:
        return _papers_moved(state, declaration)
    return False


def _papers_moved(state: CaseState, declaration: DeclarationState) -> bool:
    return any(not _same_paper(state, declaration, kind) for kind in (state.papers or {}))


def _app_type(state: CaseState, kind: DeclarationKind) -> AppType:
    """A change if customs holds an earlier version of the paper, else new."""
    stored = any(one.kind is kind and one.stage is _S.STORED for one in state.declarations)
    return AppType.CHANGE if stored else AppType.NEW


def _same_paper(state: CaseState, declaration: DeclarationState, kind: PaperKind) -> bool:
    stamp = state.paper(kind)
    return stamp is None or declaration.pinned.papers.get(kind.value) == stamp.revision


def unconfirmed(paper: PaperKind) -> str:
    """The alarm of a paper that was not confirmed within the wait of its gate."""
    return f"{paper.value}_unconfirmed"


def awaited(state: CaseState, profile: FilingProfile) -> frozenset[PaperKind]:
    """The papers whose confirmation a matched case waits for before its inventory."""
    if state.verdict is None or state.verdict.kind is not VerdictKind.MATCHED:
        return frozenset()
    inventory = state.declaration(_course(profile).inventory)
    if inventory is not None and not _inventory_may_follow(state, inventory):
        return frozenset()
    return frozenset(paper for paper in PaperKind if _holds_back(state, profile, paper))


def _holds_back(state: CaseState, profile: FilingProfile, paper: PaperKind) -> bool:
    """Whether the gate of a paper is shut: not confirmed as far as the profile asks, nor waited
    for long enough where the profile then says to send.
    """
    filing = profile.filing(paper)
    if not filing.gate or _is_confirmed(state, filing, paper):
        return False
    return filing.on_timeout is not OnTimeout.SEND or unconfirmed(paper) not in state.alarms


def _is_confirmed(state: CaseState, filing: PaperFiling, paper: PaperKind) -> bool:
    if filing.filed_by is FiledBy.NOBODY:
        return True
    if filing.filed_by is FiledBy.US:
        filed = filed_paper(state, paper)
        return filed is not None and filed.stage is _S.STORED
    if filing.confirmed_by is ConfirmedBy.SUBSCRIPTION:
        copy = state.answer_copy(paper)
        return copy is not None and copy.word is Word.STORED
    if paper is PaperKind.ORDER:
        return True
    if filing.confirmed_by is ConfirmedBy.STATEMENT:
        return state.paper(paper) is not None
    if filing.confirmed_by is ConfirmedBy.API:
        found = state.filing(paper)
        return found is not None and found.stage is FilingStage.FILED
    return True


def _withdrawals(state: CaseState) -> list[Event]:
    """Planned but not yet claimed declarations whose papers have been revised since."""
    return [
        Event(
            EventKind.DECLARATION_WITHDRAWN,
            {"kind": one.kind.value, "version": one.version, "reason": "papers_revised"},
        )
        for one in state.declarations
        if one.stage is _S.PLANNED
        and one.kind not in REQUESTS
        and any(not _same_paper(state, one, kind) for kind in (state.papers or {}))
    ]


def _planned(
    state: CaseState,
    key: CaseKey,
    kind: DeclarationKind,
    app_type: AppType,
    profile: FilingProfile,
    goods: Mapping[str, int],
) -> Event:
    last = state.declaration(kind)
    # A number is kept over rejections; what follows a cancellation has a new one.
    generation = 1 + sum(
        one.kind is kind and one.stage is _S.CANCELLED for one in state.declarations
    )
    payload: dict[str, Any] = {
        "kind": kind.value,
        "version": last.version + 1 if last else 1,
        "app_type": app_type.value,
        "cop_no": cop_no(profile.cop_no_prefix, key.case_id, kind.value, generation),
        "pinned": {
            "profile": profile.version,
            "papers": {
                paper.value: stamp.revision for paper, stamp in (state.papers or {}).items()
            },
            "goods": dict(goods),
        },
    }
    if kind.is_inventory and app_type is AppType.CHANGE:
        payload["request"] = _numbers(state, kind)
    return Event(EventKind.DECLARATION_PLANNED, payload)


def _numbers(state: CaseState, kind: DeclarationKind) -> dict[str, str]:
    """The numbers that customs gave an earlier version: a change names them."""
    found: dict[str, str] = {}
    for one in state.declarations:
        if one.kind is kind:
            found |= {"pre_no": one.pre_no} if one.pre_no else {}
            found |= {"invt_no": one.invt_no} if one.invt_no else {}
    return found
