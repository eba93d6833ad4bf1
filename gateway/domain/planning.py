"""Planning: which declarations a case needs next; the gates between papers and inventory."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.domain.case import CaseKey, CaseState, VerdictKind
from gateway.domain.declaration import (
    AppType,
    DeclarationKind,
    DeclarationStage,
    DeclarationState,
)
from gateway.domain.events import Event, EventKind
from gateway.domain.filing import FilingStage
from gateway.domain.ids import cop_no
from gateway.domain.lifecycle import OVER
from gateway.domain.papers import PaperKind
from gateway.domain.profile import ConfirmedBy, FiledBy, FilingProfile

_S: Final = DeclarationStage
_COP_NO_GENERATION: Final = 1


def plan_events(
    state: CaseState, key: CaseKey, profile: FilingProfile, goods: Mapping[str, int]
) -> list[Event]:
    """The declarations to plan now, as events; none while the case is held or does not match.

    ``goods`` maps each SKU of the order to the version of its goods record. A planned declaration
    whose papers were revised is withdrawn and planned anew.
    """
    if state.hold is not None or state.verdict is None:
        return []
    if state.verdict.kind is not VerdictKind.MATCHED:
        return _withdrawals(state)
    withdrawn = _withdrawals(state)
    events = list(withdrawn)
    events += [
        _planned(state, key, kind, app_type, profile, goods)
        for kind, app_type in _next(state, profile)
    ]
    return events


_PAPERS: Final = (
    (PaperKind.ORDER, DeclarationKind.ORDER),
    (PaperKind.PAYMENT, DeclarationKind.PAYMENT),
    (PaperKind.WAYBILL, DeclarationKind.WAYBILL),
)


def _next(state: CaseState, profile: FilingProfile) -> list[tuple[DeclarationKind, AppType]]:
    """What may be planned now: the papers that we file, in any order; then the inventory."""
    inventory = state.declaration(DeclarationKind.INVENTORY)
    if inventory is not None and not _may_follow(state, inventory):
        return []
    papers: list[tuple[DeclarationKind, AppType]] = []
    is_awaited = False
    for paper, kind in _PAPERS:
        filing = profile.filing(paper)
        if filing.filed_by is not FiledBy.US:
            continue
        app_type = _paper_step(state, paper, kind)
        if app_type is not None:
            papers.append((kind, app_type))
            continue
        filed = state.declaration(kind)
        is_stored = filed is not None and filed.stage is _S.STORED
        is_awaited = is_awaited or (filing.gate and not is_stored)
    if papers or is_awaited or not _gates_open(state, profile):
        return papers
    return [(DeclarationKind.INVENTORY, AppType.NEW)]


def _paper_step(state: CaseState, paper: PaperKind, kind: DeclarationKind) -> AppType | None:
    """How a paper is to be filed now; None while an earlier filing of it stands or is awaited."""
    filed = state.declaration(kind)
    if filed is None:
        return AppType.NEW
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
        return any(not _same_paper(state, declaration, kind) for kind in (state.papers or {}))
    return False


def _app_type(state: CaseState, kind: DeclarationKind) -> AppType:
    """A change if customs holds an earlier version of the paper, else new."""
    stored = any(one.kind is kind and one.stage is _S.STORED for one in state.declarations)
    return AppType.CHANGE if stored else AppType.NEW


def _same_paper(state: CaseState, declaration: DeclarationState, kind: PaperKind) -> bool:
    stamp = state.paper(kind)
    return stamp is None or declaration.pinned.papers.get(kind.value) == stamp.revision


def _gates_open(state: CaseState, profile: FilingProfile) -> bool:
    """Whether the papers that others file are confirmed as far as the profile asks."""
    for kind in (PaperKind.PAYMENT, PaperKind.WAYBILL):
        filing = profile.filing(kind)
        if not filing.gate or filing.filed_by is FiledBy.US:
            continue
        if filing.confirmed_by is ConfirmedBy.STATEMENT and state.paper(kind) is None:
            return False
        if filing.confirmed_by is ConfirmedBy.API:
            found = state.filing(kind)
            if found is None or found.stage is not FilingStage.FILED:
                return False
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
    payload: dict[str, Any] = {
        "kind": kind.value,
        "version": last.version + 1 if last else 1,
        "app_type": app_type.value,
        "cop_no": cop_no(profile.cop_no_prefix, key.case_id, kind.value, _COP_NO_GENERATION),
        "pinned": {
            "profile": profile.version,
            "papers": {
                paper.value: stamp.revision for paper, stamp in (state.papers or {}).items()
            },
            "goods": dict(goods),
        },
    }
    return Event(EventKind.DECLARATION_PLANNED, payload)
