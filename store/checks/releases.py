"""released_with_evidence: no parcel leaves without customs' own words in our hands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import orjson
from sqlalchemy import select

from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.events import EventKind
from store.checks.base import CaseSpan, CheckName, Probe, Violation, case_spans, state_of
from store.errors import DamagedBlob
from store.evidence import element_texts
from store.master import chunks
from store.tables import case_, event, inbox

# Enough for the cases of one receipt file to share its reading; bounds the texts held at once.
_CASES: Final = 500
_FILES: Final = 20


@dataclass(frozen=True, slots=True)
class _Evidence:
    """Which receipt file released a case, and the numbers that must stand in it."""

    case_id: str
    receipt_id: str
    numbers: tuple[str, ...]


def released_with_evidence(probe: Probe) -> Iterator[Violation]:
    """Each release rests on a recorded receipt whose stored bytes name the declaration's copNo."""
    for span in case_spans(probe, case_.c.doc, size=_CASES):
        released = {
            case_id: state.release_sequence
            for case_id, row in span.rows.items()
            if (state := state_of(row)).release_sequence
            or any(one.stage is DeclarationStage.RELEASED for one in state.declarations)
        }
        probe.examined += len(released)
        by_file: dict[str, list[_Evidence]] = {}
        proven: dict[str, int] = {}
        for one in _evidence(probe, span):
            by_file.setdefault(one.receipt_id, []).append(one)
            proven[one.case_id] = proven.get(one.case_id, 0) + 1
        for case_id, releases in released.items():
            if proven.get(case_id, 0) < max(releases, 1):
                yield _found(case_id, "it is released and no recorded receipt says so")
        yield from _unproven(probe, by_file)


def _found(case_id: str, evidence: str) -> Violation:
    return Violation(CheckName.RELEASED_WITH_EVIDENCE, f"case {case_id}", evidence)


def _evidence(probe: Probe, span: CaseSpan) -> Iterator[_Evidence]:
    """The receipts that released the cases of a span."""
    rows = probe.connection.execute(
        select(event.c.case_id, event.c.payload).where(
            span.covers(event.c.case_id), event.c.kind == EventKind.RECEIPT_RECORDED.value
        )
    )
    for row in rows:
        payload: Mapping[str, Any] = orjson.loads(row.payload)
        if payload.get("stage") != DeclarationStage.RELEASED or row.case_id not in span.rows:
            continue
        if payload.get("effect") != "applied":
            continue
        yield _Evidence(
            row.case_id,
            payload["receipt"],
            _numbers(span, row.case_id, payload["kind"], payload["version"]),
        )


def _numbers(span: CaseSpan, case_id: str, kind: str, version: int) -> tuple[str, ...]:
    for one in state_of(span.rows[case_id]).declarations:
        if one.kind == DeclarationKind(kind) and one.version == version:
            return tuple(number for number in (one.cop_no, one.invt_no) if number)
    return ()


def _unproven(probe: Probe, by_file: Mapping[str, list[_Evidence]]) -> Iterator[Violation]:
    for some in chunks(sorted(by_file), _FILES):
        rows = probe.connection.execute(
            select(inbox.c.receipt_id, inbox.c.wrapped_key, inbox.c.body).where(
                inbox.c.receipt_id.in_(some)
            )
        )
        texts = {
            row.receipt_id: _texts(probe, row.receipt_id, row.wrapped_key, row.body) for row in rows
        }
        for one in chain.from_iterable(by_file[receipt_id] for receipt_id in some):
            evidence = _not_in(one, texts.get(one.receipt_id))
            if evidence is not None:
                yield _found(one.case_id, evidence)


def _not_in(one: _Evidence, texts: set[str] | None) -> str | None:
    """Why a receipt file's texts do not release a case, None when they do."""
    if texts is None:
        return f"its receipt {one.receipt_id} is not in the inbox"
    if not one.numbers or not texts.issuperset(one.numbers):
        return f"receipt {one.receipt_id} does not name its numbers"
    return None


def _texts(probe: Probe, receipt_id: str, wrapped_key: bytes | None, body: bytes) -> set[str]:
    """The element texts of a stored file; none when it does not open."""
    try:
        key = probe.keys.unwrap("inbox", receipt_id, wrapped_key)
        return element_texts(key.open("inbox", receipt_id, body))
    except DamagedBlob:
        return set()
