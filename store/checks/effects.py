"""Effects happen or visibly wait for a person; and when faults stop, everything comes to rest."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import literal, select

from gateway.domain.case import CaseStage
from gateway.domain.lifecycle import PERSON_STAGES
from gateway.ports import EffectKind, MessageStage
from gateway.ports.submissions import SUBMISSIONS
from store.checks.base import AnyRow, CaseSpan, CheckName, Probe, Violation, case_spans, state_of
from store.checks.base import key_order as in_key_order
from store.tables import InboxStage, OutboxStage, case_, inbox, message, outbox, submission_pack

# Customs has the case and will say more; nothing of ours is timed.
_AT_CUSTOMS: Final = frozenset(
    {
        CaseStage.LODGED,
        CaseStage.ACCEPTED,
        CaseStage.IN_REVIEW,
        CaseStage.APPROVED,
        CaseStage.INSPECTION,
        CaseStage.SUSPENDED,
        CaseStage.CANCELLING,
        # The order is filed and its receipt is not yet here.
        CaseStage.WAITING_FILINGS,
        CaseStage.READY,
    }
)
_OPEN: Final = outbox.c.stage == OutboxStage.OPEN.value


def effects_delivered_or_parked(probe: Probe) -> Iterator[Violation]:
    """No effect is open long after its time with nobody holding it."""
    statement = select(
        outbox.c.effect_id,
        outbox.c.kind,
        outbox.c.due_at,
        outbox.c.lease_until,
        outbox.c.attempt,
    ).where(_OPEN)
    late = probe.now - probe.settings.overdue_us
    for row in in_key_order(probe, outbox, statement):
        probe.examined += 1
        if row.due_at < late and row.lease_until < late:
            yield Violation(
                CheckName.EFFECTS_DELIVERED_OR_PARKED,
                f"effect {row.effect_id}",
                f"{row.kind} was due {(probe.now - row.due_at) // 1_000_000} s ago, "
                f"nobody holds it, attempts: {row.attempt}",
            )


def quiescent(probe: Probe) -> Iterator[Violation]:
    """Every case is final, waits for a person, for customs within bounds, or for a dated effect.

    The same holds for messages on their way, receipt files not yet read and submissions not yet
    taken in.
    """
    columns = (case_.c.doc, case_.c.stage, case_.c.is_held, case_.c.updated_at, case_.c.is_open)
    awaited = _awaited(probe)
    for span in case_spans(probe, *columns):
        probe.examined += len(span.rows)
        resting = _resting(probe, span, awaited)
        for case_id, row in span.rows.items():
            if case_id not in resting:
                yield Violation(
                    CheckName.QUIESCENT,
                    f"case {case_id}",
                    f"it is {row.stage} and nothing is due for it",
                )
    yield from _stranded_messages(probe)
    yield from _unread_receipts(probe)
    yield from _stranded_submissions(probe)


def _resting(probe: Probe, span: CaseSpan, awaited: set[str]) -> set[str]:
    resting = {case_id for case_id, row in span.rows.items() if _may_rest(probe, row)}
    if len(resting) == len(span.rows):
        return resting
    rows = probe.connection.execute(
        select(outbox.c.case_id).where(span.covers(outbox.c.case_id), _OPEN)
    )
    resting |= {row.case_id for row in rows}
    for case_id, row in span.rows.items():
        if case_id not in resting:
            messages = {one.message_id for one in state_of(row).declarations}
            if messages & awaited:
                resting.add(case_id)
    return resting


def _may_rest(probe: Probe, row: AnyRow) -> bool:
    """Whether a case is final, a person's, or customs' turn."""
    if not row.is_open or row.is_held or row.stage in PERSON_STAGES:
        return True
    if row.stage in _AT_CUSTOMS and row.updated_at > probe.now - probe.settings.customs_us:
        return True
    return bool(state_of(row).alarms)


def _awaited(probe: Probe) -> set[str]:
    """The messages for which an effect is open: few, whatever the number of cases."""
    kinds = (EffectKind.SEND.value, EffectKind.ANSWER.value)
    rows = probe.connection.execute(
        select(outbox.c.ref).where(_OPEN, outbox.c.kind.in_(kinds)).distinct()
    )
    return {row.ref for row in rows}


def _stranded_messages(probe: Probe) -> Iterator[Violation]:
    """Messages that were claimed or signed, and that no effect will take further."""
    underway = (
        MessageStage.CLAIMED.value,
        MessageStage.SIGNED.value,
        MessageStage.NOT_HANDED_OVER.value,
    )
    rows = probe.connection.execute(
        select(message.c.message_id, message.c.stage)
        .where(
            message.c.stage.in_(underway),
            ~select(outbox.c.effect_id).where(_OPEN, outbox.c.ref == message.c.message_id).exists(),
        )
        .order_by(message.c.message_id)
    )
    for row in rows:
        yield Violation(
            CheckName.QUIESCENT,
            f"message {row.message_id}",
            f"it is {row.stage} and nothing is due for it",
        )


def _unread_receipts(probe: Probe) -> Iterator[Violation]:
    late = probe.now - probe.settings.overdue_us
    rows = probe.connection.execute(
        select(inbox.c.receipt_id)
        .where(inbox.c.stage == InboxStage.NEW.value, inbox.c.received_at < late)
        .order_by(inbox.c.received_at, inbox.c.receipt_id)
    )
    for row in rows:
        yield Violation(
            CheckName.QUIESCENT, f"receipt {row.receipt_id}", "it was received and never read"
        )


def _stranded_submissions(probe: Probe) -> Iterator[Violation]:
    """Submissions that were acknowledged, and that no effect will take in."""
    pack = submission_pack.c
    effect_id = literal(f"{SUBMISSIONS}-").concat(pack.pack_id)
    rows = probe.connection.execute(
        select(pack.pack_id)
        .where(
            pack.done_at.is_(None),
            ~select(outbox.c.effect_id).where(_OPEN, outbox.c.effect_id == effect_id).exists(),
        )
        .order_by(pack.pack_id)
    )
    for row in rows:
        yield Violation(
            CheckName.QUIESCENT,
            f"submissions {row.pack_id}",
            "they were acknowledged and nothing is due for them",
        )
