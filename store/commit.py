"""Writing a decided group: set-based statements in one fixed order of tables, every guard checked.

The order is the same in every process and the rows of each statement are sorted, so that two
writers wait for each other but never in a circle.
"""

import hashlib
from collections.abc import Iterable

import orjson

from gateway.domain.case import CaseStage, CaseState
from gateway.domain.codec import state_to_doc
from gateway.domain.errors import Fenced
from gateway.domain.lifecycle import FINAL_STAGES, case_stage
from gateway.ports import Effect, Lookup
from store.books import write_books
from store.catalogue import Dialect, Values
from store.events import EventRow, canonical_json, chain_rows
from store.group import CaseInWork, Faulty, Group, Moved
from store.messages import write_messages
from store.papers import encode_revision, seal_revision
from store.tables import InboxStage, OutboxStage


def write_group(group: Group) -> list[Effect]:
    """Write what a group collected; returns the effects that are handed over in memory.

    Raises ``Moved`` when somebody else was faster, ``Faulty`` when a guard of one command failed.
    """
    # Blobs first: sealing the first one makes the data key that the case's row carries.
    papers, raws = _paper_rows(group), _raw_rows(group)
    _write_cases(group)
    _write_claims(group)
    write_books(group)
    statements = group.tools.statements.case
    statements.insert_papers.run(group.connection, papers)
    statements.insert_raws.run(group.connection, raws)
    _write_waits(group)
    write_messages(group)
    _write_inbox(group)
    return _write_outbox(group)


# --- cases ------------------------------------------------------------------------------------


def _write_cases(group: Group) -> None:
    inserts: list[Values] = []
    updates: list[Values] = []
    turns: list[Values] = []
    events: list[EventRow] = []
    for case_id in sorted(group.cases):
        case = group.cases[case_id]
        view = case.view
        if not view.new_events:
            continue
        rows = chain_rows(case_id, view.key.tenant, case.head, view.new_events, group.now)
        events += rows
        case.head = rows[-1][1], rows[-1][7]
        stage = case_stage(view.state)
        is_open = stage not in FINAL_STAGES
        if case.loaded_version == 0:
            inserts.append(_inserted_row(group, case, stage))
        elif is_open == case.was_open:
            updates.append(_updated_row(group, case, stage))
        else:
            turns.append((*_updated_row(group, case, stage), is_open))
    statements = group.tools.statements.case
    for statement, values in (
        (statements.insert, inserts),
        (statements.update, updates),
        (statements.turn, turns),
    ):
        if statement.run(group.connection, values) != len(values):
            raise Moved()
    write_events(group, events)


def write_events(group: Group, events: list[EventRow]) -> None:
    """Append events to the stream, at the position of this transaction."""
    if not events:
        return
    statements = group.tools.statements
    if statements.dialect is Dialect.POSTGRESQL:
        statements.case.insert_events.run(group.connection, events)
        return
    last = group.connection.exec_driver_sql(statements.case.last_position).scalar()
    position = (last or 0) + 1
    statements.case.insert_events.run(group.connection, [(*row, position) for row in events])


def _inserted_row(group: Group, case: CaseInWork, stage: CaseStage) -> Values:
    """The values of ``CASE_INSERTED``."""
    key, view = case.view.key, case.view
    case.data_key(group.tools)
    return (
        key.case_id,
        view.version,
        *case.head,
        case.wrapped_key,
        stage not in FINAL_STAGES,
        key.tenant,
        key.direction.value,
        key.platform,
        key.order_no,
        key.profile_id,
        _doc(view.state),
        stage.value,
        view.state.hold is not None,
        _findings(view.state),
        group.now,
        group.now,
    )


def _updated_row(group: Group, case: CaseInWork, stage: CaseStage) -> Values:
    """The key and guard, then the values of ``CASE_UPDATED``."""
    view = case.view
    return (
        view.key.case_id,
        case.loaded_version,
        view.version,
        _doc(view.state),
        *case.head,
        stage.value,
        view.state.hold is not None,
        _findings(view.state),
        group.now,
    )


def _doc(state: CaseState) -> str:
    return orjson.dumps(state_to_doc(state)).decode()


def _findings(state: CaseState) -> int:
    return len(state.verdict.findings) if state.verdict else 0


def _write_claims(group: Group) -> None:
    """Insert new claims; one that somebody else took meanwhile sends the group back to decide."""
    claims = group.collected.claims
    rows = sorted((group.hash_of(lookup), lookup.kind, *claim) for lookup, claim in claims.items())
    statements = group.tools.statements.case
    # Only what lapsed as it was read goes: whoever took it meanwhile has given it another end.
    ended = [(group.hash_of(one), at) for one, at in group.lapsed.items() if one in claims]
    statements.delete_lapsed.run(group.connection, sorted(ended))
    if statements.insert_claims.run(group.connection, rows) == len(rows):
        return
    by_hash: dict[bytes, Lookup] = {group.hash_of(lookup): lookup for lookup in claims}
    found = statements.load_claims.run(group.connection, [(row[0],) for row in rows])
    taken = [
        by_hash[bytes(key_hash)]
        for key_hash, case_id, _ in found
        if claims[by_hash[bytes(key_hash)]][0] != case_id
    ]
    if taken or len(found) != len(rows):
        raise Moved(taken)


# --- papers and raw bytes ---------------------------------------------------------------------


def _paper_rows(group: Group) -> list[Values]:
    rows: list[Values] = []
    for place, revision in group.collected.papers:
        document = encode_revision(revision)
        key = group.cases[place.case_id].data_key(group.tools)
        body = seal_revision(place, document, key, group.tools.rng)
        rows.append(
            (place.case_id, place.kind.value, place.revision, revision.digest, body, group.now)
        )
        group.written.append((place, revision, len(document)))
    rows.sort(key=lambda row: row[:3])
    return rows


def _raw_rows(group: Group) -> list[Values]:
    rows: list[Values] = []
    for raw in group.collected.raws:
        key = group.cases[raw.case_id].data_key(group.tools)
        rows.append(
            (
                raw.raw_id,
                raw.case_id,
                raw.tenant,
                raw.source,
                hashlib.sha256(raw.body).digest(),
                len(raw.body),
                key.seal("raw", raw.raw_id, raw.body, group.tools.rng),
                raw.received_at,
            )
        )
    rows.sort(key=lambda row: row[0])
    return rows


def _write_waits(group: Group) -> None:
    statements, collected = group.tools.statements.case, group.collected
    over = [(case_id,) for case_id in sorted(collected.waits_over)]
    statements.delete_waits.run(group.connection, over)
    rows = sorted(
        (tenant, ref, case_id) for case_id, refs in collected.waits.items() for tenant, ref in refs
    )
    statements.insert_waits.run(group.connection, rows)


# --- inbox and outbox -------------------------------------------------------------------------


def _write_inbox(group: Group) -> None:
    statements, collected = group.tools.statements.inbox, group.collected
    if collected.receipts:
        ids = [(one,) for one in sorted({done.receipt_id for _, done in collected.receipts})]
        open_ids = {
            receipt_id
            for receipt_id, stage in statements.lock.run(group.connection, ids)
            if stage == InboxStage.NEW
        }
        rows: list[Values] = []
        for index, done in collected.receipts:
            if done.receipt_id not in open_ids:
                raise Faulty(index, Fenced("this receipt file is already dealt with"))
            open_ids.remove(done.receipt_id)
            stage = InboxStage.PARKED if done.problem is not None else InboxStage.DONE
            rows.append(
                (done.receipt_id, stage.value, done.kind, done.records, done.parked, done.problem)
            )
        statements.close.run(group.connection, sorted(rows, key=lambda row: row[0]))
    parked = {one.parked_id: one for one in collected.parked}
    statements.insert_parked.run(
        group.connection,
        [
            (
                one.parked_id,
                one.subject,
                one.reason,
                one.at,
                one.receipt_id,
                one.position,
                one.case_id,
                one.tenant,
                one.detail,
            )
            for _, one in sorted(parked.items())
        ],
    )


def _write_outbox(group: Group) -> list[Effect]:
    """New effects, then what became of older ones; effects due now are born leased to us."""
    tools, collected, now = group.tools, group.collected, group.now
    statements = tools.statements.outbox
    handed_over: list[Effect] = []
    rows: list[Values] = []
    for effect_id in sorted(collected.effects):
        effect = collected.effects[effect_id]
        leased = tools.hands_over and effect.due_at <= now
        if leased and effect_id not in collected.effects_done:
            handed_over.append(effect)
        until, holder = (now + tools.lease_us, tools.process) if leased else (effect.due_at, None)
        rows.append((*effect_row(effect, until), holder))
    statements.insert.run(group.connection, rows)
    ended = _sorted((one, OutboxStage.DONE.value, now) for one in collected.effects_done)
    statements.end.run(group.connection, ended)
    statements.settle.run(
        group.connection,
        _sorted(
            (one, fence, stage.value, why, now, *answer)
            for one, fence, stage, why, *answer in collected.settled
        ),
    )
    statements.delay.run(
        group.connection,
        _sorted((one, fence, due_at, due_at) for one, fence, due_at in collected.delayed),
    )
    statements.retry.run(
        group.connection,
        _sorted(
            (one, fence, due_at, due_at, *answer)
            for one, fence, due_at, *answer in collected.retried
        ),
    )
    statements.acknowledge.run(group.connection, _sorted(collected.acked.items()))
    return handed_over


def effect_row(effect: Effect, lease_until: int) -> Values:
    """The values of ``EFFECT_COLUMNS``, the end of the lease, the stage."""
    return (
        effect.effect_id,
        effect.kind.value,
        effect.group,
        effect.tenant,
        effect.case_id,
        effect.ref,
        canonical_json(effect.payload).decode(),
        effect.due_at,
        effect.attempt,
        lease_until,
        OutboxStage.OPEN.value,
    )


def _sorted(rows: Iterable[Values]) -> list[Values]:
    return sorted(rows, key=lambda row: row[:2])
