"""nothing_lost: what was acknowledged is still there, byte for byte, and opens."""

import hashlib
from collections.abc import Iterator
from typing import Final

from sqlalchemy import select

from gateway.domain.ids import CaseId
from gateway.domain.papers import PaperKind, PaperRevision
from store.checks.base import AnyRow, CaseSpan, CheckName, Probe, Violation, case_spans, key_order
from store.checks.base import state_of as stored_state
from store.crypto import DataKey
from store.errors import DamagedBlob
from store.papers import PaperPlace, open_revision
from store.tables import case_, inbox, paper, raw

# Bodies of so many cases are read at a time.
_CASES: Final = 50


def nothing_lost(probe: Probe) -> Iterator[Violation]:
    """Every raw intake, paper and receipt opens and is what its digest says; papers are complete.

    Each paper's facts point into raw bytes of its own case. Rows of no case are violations too. A
    case whose key was shredded keeps its rows; its blobs cannot be judged, so it must be final.
    """
    columns = (case_.c.wrapped_key, case_.c.doc, case_.c.is_open)
    for span in case_spans(probe, *columns, size=_CASES):
        keys: dict[str, DataKey] = {}
        yield from _keys(probe, span, keys)
        sizes: dict[tuple[str, str], int] = {}
        yield from _raws(probe, span, keys, sizes)
        yield from _papers(probe, span, keys, sizes)
    yield from _receipts(probe)


def _found(subject: str, evidence: str) -> Violation:
    return Violation(CheckName.NOTHING_LOST, subject, evidence)


def _keys(probe: Probe, span: CaseSpan, keys: dict[str, DataKey]) -> Iterator[Violation]:
    for case_id, row in span.rows.items():
        probe.examined += 1
        if row.wrapped_key is None:
            if row.is_open:
                yield _found(f"case {case_id}", "its data key is gone though it is open")
            continue
        try:
            keys[case_id] = probe.keys.unwrap("case_", case_id, row.wrapped_key)
        except DamagedBlob as fault:
            yield _found(f"case {case_id}", str(fault))


def _raws(
    probe: Probe,
    span: CaseSpan,
    keys: dict[str, DataKey],
    sizes: dict[tuple[str, str], int],
) -> Iterator[Violation]:
    rows = probe.connection.execute(
        select(raw.c.raw_id, raw.c.case_id, raw.c.sha256, raw.c.size_bytes, raw.c.body).where(
            span.covers(raw.c.case_id)
        )
    )
    for row in rows:
        probe.examined += 1
        sizes[row.case_id, row.raw_id] = row.size_bytes
        if row.case_id not in span.rows:
            yield _found(f"raw {row.raw_id}", "its case does not exist")
            continue
        key = keys.get(row.case_id)
        if key is None:
            continue
        try:
            body = key.open("raw", row.raw_id, row.body)
        except DamagedBlob as fault:
            yield _found(f"raw {row.raw_id}", str(fault))
            continue
        if hashlib.sha256(body).digest() != row.sha256 or len(body) != row.size_bytes:
            yield _found(f"raw {row.raw_id}", "the bytes are not those of its digest")


def _papers(
    probe: Probe,
    span: CaseSpan,
    keys: dict[str, DataKey],
    sizes: dict[tuple[str, str], int],
) -> Iterator[Violation]:
    rows = probe.connection.execute(
        select(paper.c.case_id, paper.c.kind, paper.c.revision, paper.c.digest, paper.c.body)
        .where(span.covers(paper.c.case_id))
        .order_by(paper.c.case_id, paper.c.kind, paper.c.revision)
    )
    digests: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        probe.examined += 1
        held = digests.setdefault((row.case_id, row.kind), [])
        held.append(row.digest)
        place = PaperPlace(CaseId(row.case_id), PaperKind(row.kind), row.revision)
        subject = f"paper {place.row_id}"
        if row.revision != len(held):
            yield _found(subject, f"revision {len(held)} is missing")
        if row.case_id not in span.rows:
            yield _found(subject, "its case does not exist")
            continue
        key = keys.get(row.case_id)
        if key is None:
            continue
        try:
            revision = open_revision(place, row.body, key)
        except DamagedBlob as fault:
            yield _found(subject, str(fault))
            continue
        yield from _facts(subject, row, revision, sizes)
    yield from _stamps(span, digests)


def _facts(
    subject: str, row: AnyRow, revision: PaperRevision, sizes: dict[tuple[str, str], int]
) -> Iterator[Violation]:
    if revision.digest != row.digest:
        yield _found(subject, "the digest beside it is another one's")
    for fact in revision.facts:
        size = sizes.get((row.case_id, fact.raw_id))
        if size is None:
            yield _found(subject, f"its raw bytes {fact.raw_id} do not exist in its case")
        elif fact.offset < 0 or fact.length <= 0 or fact.offset + fact.length > size:
            yield _found(subject, f"its place in the raw bytes {fact.raw_id} does not exist")


def _stamps(span: CaseSpan, digests: dict[tuple[str, str], list[str]]) -> Iterator[Violation]:
    for case_id, row in span.rows.items():
        for kind, stamp in (stored_state(row).papers or {}).items():
            held = digests.get((case_id, kind.value), [])
            if len(held) < stamp.revision:
                yield _found(
                    f"paper {case_id}/{kind.value}/{stamp.revision}",
                    "the state names it and it is missing",
                )
            elif held[stamp.revision - 1] != stamp.digest:
                yield _found(
                    f"paper {case_id}/{kind.value}/{stamp.revision}",
                    "the state names another digest",
                )


def _receipts(probe: Probe) -> Iterator[Violation]:
    statement = select(inbox.c.receipt_id, inbox.c.wrapped_key, inbox.c.body, inbox.c.sha256)
    for row in key_order(probe, inbox, statement, size=20):
        probe.examined += 1
        subject = f"receipt {row.receipt_id}"
        try:
            key = probe.keys.unwrap("inbox", row.receipt_id, row.wrapped_key)
            body = key.open("inbox", row.receipt_id, row.body)
        except DamagedBlob as fault:
            yield _found(subject, str(fault))
            continue
        if hashlib.sha256(body).digest() != row.sha256:
            yield _found(subject, "the bytes are not those of its digest")
