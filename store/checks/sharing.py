"""tenants_apart, sums_preserved, idempotent_answers: what lies beside the cases fits them."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import orjson
from sqlalchemy import select

from gateway.domain.case import CaseState
from gateway.domain.declaration import DeclarationStage
from gateway.domain.quota import QuotaStage
from gateway.domain.returns import given_back, standing_returns
from store.book_tables import quota_entry
from store.checks.base import (
    AnyRow,
    CaseSpan,
    CheckName,
    Probe,
    Violation,
    case_spans,
    key_order,
    state_of,
)
from store.errors import DamagedBlob
from store.tables import case_, declaration, idempotency, message, outbox, parked, raw

# What stands under a tenant beside a case; claims and events have checks of their own.
_OF_CASES: Final = (raw, outbox, parked, quota_entry)
_DIGEST_BYTES: Final = 32


def tenants_apart(probe: Probe) -> Iterator[Violation]:
    """Everything that belongs to a case stands under the case's own tenant, messages included."""
    for span in case_spans(probe, case_.c.tenant):
        probe.examined += len(span.rows)
        for what, case_id, tenant in _held(probe, span):
            case = span.rows.get(case_id)
            if case is not None and tenant not in (None, case.tenant):
                yield _apart(case_id, what)


def _held(probe: Probe, span: CaseSpan) -> Iterator[tuple[str, str, str | None]]:
    """What is held of the cases of a span: what it is, of which case, under which tenant."""
    for table in _OF_CASES:
        columns = table.c.case_id, table.c.tenant
        rows = probe.connection.execute(
            select(*columns).where(span.covers(table.c.case_id)).distinct()
        )
        yield from ((f"a row of {table.name}", row.case_id, row.tenant) for row in rows)
    carried = probe.connection.execute(
        select(declaration.c.case_id, message.c.tenant, message.c.message_id)
        .join(message, message.c.message_id == declaration.c.message_id)
        .where(span.covers(declaration.c.case_id))
        .distinct()
    )
    yield from ((f"message {row.message_id}", row.case_id, row.tenant) for row in carried)


def _apart(case_id: str, what: str) -> Violation:
    evidence = f"{what} stands under another tenant"
    return Violation(CheckName.TENANTS_APART, f"case {case_id}", evidence)


def sums_preserved(probe: Probe) -> Iterator[Violation]:
    """What came back in a buyer's account is what approved returns are worth, to the fen."""
    for span in case_spans(probe, case_.c.doc):
        probe.examined += len(span.rows)
        entries = probe.connection.execute(
            select(
                quota_entry.c.case_id,
                quota_entry.c.amount,
                quota_entry.c.returned,
                quota_entry.c.stage,
            ).where(span.covers(quota_entry.c.case_id))
        )
        for entry in entries:
            evidence = _unequal(entry, span.rows.get(entry.case_id))
            if evidence is not None:
                yield Violation(CheckName.SUMS_PRESERVED, f"case {entry.case_id}", evidence)


def _unequal(entry: AnyRow, row: AnyRow | None) -> str | None:
    """What does not add up in what a case counts in its buyer's account."""
    if row is None:
        return "it counts in a buyer's account and does not exist"
    if not 0 <= entry.returned <= entry.amount:
        return f"{entry.returned} of {entry.amount} came back"
    if entry.stage != QuotaStage.COMMITTED:
        return None
    worth = min(_approved(state_of(row)), entry.amount)
    if worth == entry.returned:
        return None
    return f"its returns are worth {worth}, its account says {entry.returned}"


def _approved(state: CaseState) -> Decimal:
    approved = (
        given_back(one).value
        for one in standing_returns(state)
        if one.stage is DeclarationStage.APPROVED
    )
    return sum(approved, Decimal(0))


def idempotent_answers(probe: Probe) -> Iterator[Violation]:
    """An answer that was kept can be given again: it opens, and knows what it answers."""
    columns = idempotency.c
    statement = select(columns.key_hash, columns.request, columns.body).where(
        columns.body.is_not(None), columns.expires_at > probe.now
    )
    for row in key_order(probe, idempotency, statement):
        probe.examined += 1
        evidence = _not_an_answer(probe, row)
        if evidence is not None:
            subject = f"answer {bytes(row.key_hash).hex()[:16]}"
            yield Violation(CheckName.IDEMPOTENT_ANSWERS, subject, evidence)


def _not_an_answer(probe: Probe, row: AnyRow) -> str | None:
    if len(bytes(row.request)) != _DIGEST_BYTES:
        return "it does not know what was asked"
    name = bytes(row.key_hash).hex()
    try:
        whole = probe.keys.open_secret("idempotency", name, bytes(row.body))
        orjson.loads(whole.partition(b"\n")[0])
    except (DamagedBlob, orjson.JSONDecodeError):
        return "it does not open"
    return None
