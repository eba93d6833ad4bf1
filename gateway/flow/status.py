"""Stage 8, status: what a case's new stage means for those who wait for it.

The lifecycle tables have already moved the state; here the move becomes notices in the outbox, in
the same commit.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.domain.case import CaseStage, CaseState
from gateway.domain.declaration import DeclarationStage
from gateway.domain.events import Alarm, Event, EventKind
from gateway.domain.ids import effect_id
from gateway.domain.lifecycle import case_stage, filed_paper
from gateway.domain.papers import PaperKind
from gateway.ports import CaseView, Changes, Effect, EffectKind, MasterData

RELEASE: Final = "release.granted"
REVOKE: Final = "release.revoked"
ENDPOINT_DISABLED: Final = "endpoint.disabled"
REPAIR_ASKED: Final = "repair.asked"
RETURN_DUE: Final = "return.due"
_STAGE_PREFIX: Final = "case."

# Stages that a seller hears of; the steps between them are in the event stream.
_TOLD: Final = frozenset(
    {
        CaseStage.MISMATCH,
        CaseStage.BLOCKED,
        CaseStage.REJECTED,
        CaseStage.INSPECTION,
        CaseStage.DETAINED,
        CaseStage.SUSPENDED,
        CaseStage.RELEASED,
        CaseStage.CLOSED,
        CaseStage.RETURNED_ABROAD,
        CaseStage.CANCELLING,
        CaseStage.CANCELLED,
        CaseStage.ABANDONED,
    }
)
EVENT_TYPES: Final = frozenset(
    {RELEASE, REVOKE, ENDPOINT_DISABLED, REPAIR_ASKED, RETURN_DUE}
    | {_STAGE_PREFIX + stage for stage in _TOLD}
)
_REVOKING: Final = frozenset({Alarm.CONTRADICTION_AFTER_RELEASE, Alarm.CANCELLED_AFTER_RELEASE})


def stage_notices(
    view: CaseView, changes: Changes[Any], master: MasterData, before: CaseState, now: int
) -> None:
    """Ask for the notices that a move from ``before`` to the present state calls for."""
    after = case_stage(view.state)
    if after in _TOLD and after is not case_stage(before):
        _notify(view, changes, master, _STAGE_PREFIX + after.value, now, _case_data(view, after))
    if view.state.release_sequence > before.release_sequence:
        _notify(view, changes, master, RELEASE, now, _release_data(view))


def revoke_notice(view: CaseView, changes: Changes[Any], master: MasterData, now: int) -> None:
    """Tell the warehouse to stop: customs contradicts an earlier release."""
    reason = next(alarm for alarm in reversed(view.state.alarms) if alarm in _REVOKING)
    data = _release_data(view) | {"reason": reason}
    _notify(view, changes, master, REVOKE, now, data)


def repair_notice(
    view: CaseView,
    changes: Changes[Any],
    master: MasterData,
    data: Mapping[str, Any],
    now: int,
) -> None:
    """Ask the owner of a paper for the value that mends a finding."""
    _notify(view, changes, master, REPAIR_ASKED, now, data, str(data["repair"]))


def return_notice(
    view: CaseView,
    changes: Changes[Any],
    master: MasterData,
    data: Mapping[str, Any],
    now: int,
) -> None:
    """Tell that a day of a return is near: what is missing, and by when."""
    _notify(view, changes, master, RETURN_DUE, now, data, str(data["why"]), str(data["version"]))


def alarms_call_for_stop(events: list[Event]) -> bool:
    """Whether one of these events contradicts a release."""
    return any(
        event.kind is EventKind.ALARM_RAISED and event.payload["alarm"] in _REVOKING
        for event in events
    )


def _case_data(view: CaseView, stage: CaseStage) -> dict[str, Any]:
    data: dict[str, Any] = {"stage": stage.value}
    verdict = view.state.verdict
    if verdict is not None and verdict.findings:
        data["rules"] = [finding.rule for finding in verdict.findings]
    state = view.state
    newest = (state.inventory(), *(filed_paper(state, paper) for paper in PaperKind))
    for declaration in newest:
        if declaration is not None and declaration.codes:
            data["codes"] = list(declaration.codes)
            break
    return data


def _release_data(view: CaseView) -> dict[str, Any]:
    """The release evidence that is in the state; the rest is joined in on delivery."""
    inventory = view.state.inventory()
    assert inventory is not None
    released: Mapping[str, Any] = next(
        (
            event.payload
            for event in reversed(view.new_events)
            if event.kind is EventKind.RECEIPT_RECORDED
            and event.payload.get("stage") == DeclarationStage.RELEASED
        ),
        {},
    )
    return {
        "cop_no": inventory.cop_no,
        "pre_no": inventory.pre_no,
        "invt_no": inventory.invt_no,
        "version": inventory.version,
        "sequence": view.state.release_sequence,
        "evidence": "A",
        "receipt": released.get("receipt"),
        "receipt_guid": released.get("guid"),
        "returned_at": inventory.returned_at,
        "pinned": [
            inventory.pinned.profile_version,
            dict(inventory.pinned.papers),
            dict(inventory.pinned.goods),
        ],
    }


def _notify(
    view: CaseView,
    changes: Changes[Any],
    master: MasterData,
    event_type: str,
    now: int,
    data: Mapping[str, Any],
    *about: str,
) -> None:
    key = view.key
    for endpoint in master.endpoints(key.tenant, event_type):
        changes.effects.append(
            Effect(
                effect_id=effect_id(
                    key.case_id,
                    "notice",
                    endpoint.endpoint_id,
                    event_type,
                    view.state.seq,
                    *about,
                ),
                kind=EffectKind.NOTICE,
                group=endpoint.endpoint_id,
                due_at=endpoint.due_at(now),
                case_id=key.case_id,
                tenant=key.tenant,
                ref=event_type,
                payload={
                    "order_no": key.order_no,
                    "profile": key.profile_id,
                    "seq": view.state.seq,
                    "at": now,
                    "data": dict(data),
                },
            )
        )
