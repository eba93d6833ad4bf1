"""The history of every case: unbroken, legal, and the state is nothing but its fold."""

from collections.abc import Iterator
from typing import Any

import orjson
from sqlalchemy import select

from gateway.domain.case import CaseState
from gateway.domain.codec import state_to_doc
from gateway.domain.errors import DomainError
from gateway.domain.lifecycle import FINAL_STAGES, apply, case_stage
from store.checkpoints import verify_checkpoints
from store.checks.base import AnyRow, CheckName, Probe, Violation, case_spans
from store.events import GENESIS, event_hash, event_of
from store.tables import case_, event

# What folding a damaged payload may raise.
_UNFIT = (DomainError, LookupError, TypeError, ValueError)

_CASE = (
    case_.c.tenant,
    case_.c.doc,
    case_.c.seq,
    case_.c.head_hash,
    case_.c.stage,
    case_.c.is_open,
    case_.c.is_held,
    case_.c.findings,
)
_EVENT = (
    event.c.case_id,
    event.c.seq,
    event.c.tenant,
    event.c.kind,
    event.c.payload,
    event.c.at,
    event.c.prev_hash,
    event.c.hash,
)


def _histories(probe: Probe) -> Iterator[tuple[str, AnyRow | None, list[AnyRow]]]:
    """Each case id with its row (None for events of no case) and its events in order."""
    for span in case_spans(probe, *_CASE):
        events: dict[str, list[AnyRow]] = {case_id: [] for case_id in span.rows}
        rows = probe.connection.execute(
            select(*_EVENT)
            .where(span.covers(event.c.case_id))
            .order_by(event.c.case_id, event.c.seq)
        )
        for row in rows:
            events.setdefault(row.case_id, []).append(row)
        for case_id, history in events.items():
            probe.examined += max(len(history), 1)
            yield case_id, span.rows.get(case_id), history


def _folded(history: list[AnyRow]) -> CaseState:
    """The state that a history folds to; raises what ``apply`` raises."""
    state = CaseState()
    for row in history:
        state = apply(state, event_of(row.kind, row.payload))
    return state


def legal_transitions(probe: Probe) -> Iterator[Violation]:
    """Every event may follow those before it (the lifecycle tables)."""
    for case_id, _, history in _histories(probe):
        state = CaseState()
        for row in history:
            try:
                state = apply(state, event_of(row.kind, row.payload))
            except _UNFIT as fault:
                yield Violation(
                    CheckName.LEGAL_TRANSITIONS,
                    f"case {case_id}",
                    f"event {row.seq} ({row.kind}) cannot follow: {type(fault).__name__}",
                )
                break


def fold_equals_state(probe: Probe) -> Iterator[Violation]:
    """A case's state, stage and flags are the fold of its events; illegal ones have their check."""
    for case_id, row, history in _histories(probe):
        if row is None:
            continue
        try:
            state = _folded(history)
        except _UNFIT:
            continue
        differing = [name for name, agrees in _agreement(row, state).items() if not agrees]
        if differing:
            yield Violation(
                CheckName.FOLD_EQUALS_STATE,
                f"case {case_id}",
                f"{', '.join(differing)} is not what its {len(history)} events fold to",
            )


def _agreement(row: AnyRow, state: CaseState) -> dict[str, bool]:
    stage = case_stage(state)
    # Through JSON and back, so that tuples and lists compare as stored.
    doc: Any = orjson.loads(orjson.dumps(state_to_doc(state)))
    return {
        "doc": doc == orjson.loads(row.doc),
        "stage": row.stage == stage.value,
        "is_open": bool(row.is_open) == (stage not in FINAL_STAGES),
        "is_held": bool(row.is_held) == (state.hold is not None),
        "findings": row.findings == (len(state.verdict.findings) if state.verdict else 0),
    }


def chain_complete(probe: Probe) -> Iterator[Violation]:
    """No event was changed, added, moved or dropped, and no checkpoint says otherwise."""
    for case_id, row, history in _histories(probe):
        evidence = _broken(case_id, row, history)
        if evidence is not None:
            yield Violation(CheckName.CHAIN_COMPLETE, f"case {case_id}", evidence)
    evidence = verify_checkpoints(probe.connection, probe.keys, probe.settings.anchor)
    if evidence is not None:
        yield Violation(CheckName.CHAIN_COMPLETE, "checkpoints", evidence)


def _broken(case_id: str, row: AnyRow | None, history: list[AnyRow]) -> str | None:
    if row is None:
        return "there are events of a case that does not exist"
    head = GENESIS
    for seq, one in enumerate(history, 1):
        if one.seq != seq:
            return f"event {seq} is missing"
        if one.tenant != row.tenant:
            return f"event {seq} stands under another tenant"
        link = event_hash(head, case_id, seq, one.kind, one.at, one.payload.encode())
        if one.prev_hash != head or one.hash != link:
            return f"event {seq} does not fit the chain"
        head = link
    if row.seq != len(history) or row.head_hash != head:
        return f"the head of the case is not its event {len(history)}"
    return None
