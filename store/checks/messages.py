"""Messages: the bytes kept are the bytes signed and sent, and every try is accounted for."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import select

from gateway.domain.declaration import DeclarationKind, DeclarationStage
from gateway.domain.ids import CaseId, record_guid
from gateway.ports import MessageStage
from signing.errors import SigningError
from store.checks.base import AnyRow, CheckName, Probe, Violation, key_order, state_of
from store.errors import DamagedBlob
from store.tables import attempt, case_, declaration, message

_ROOT_GUID: Final = re.compile(rb"^<(?:[\w.-]+:)?\w+\b[^<>]*?\sguid\s*=\s*[\"']([^\"'<>]*)[\"']")
_GUID: Final = re.compile(rb"<(?:[\w.-]+:)?guid>([0-9A-Fa-f-]{36})</")


def wire_equals_signed(probe: Probe) -> Iterator[Violation]:
    """Each signed message is what its digest, its guid, its members and its signature say.

    Numbers are searched in the bytes, not parsed. The records of a message that was split since
    stand in the new ones; of such a message only digest, guid, count and signature are compared.
    """
    statement = select(
        message.c.message_id,
        message.c.guid,
        message.c.kind,
        message.c.stage,
        message.c.record_count,
        message.c.wrapped_key,
        message.c.body,
        message.c.sha256,
        message.c.certificate_serial,
        message.c.signature_profile,
    ).where(message.c.body.is_not(None))
    for row in key_order(probe, message, statement, size=10):
        probe.examined += 1
        evidence = _not_the_wire(probe, row)
        if evidence is not None:
            yield Violation(CheckName.WIRE_EQUALS_SIGNED, f"message {row.message_id}", evidence)


def _not_the_wire(probe: Probe, row: AnyRow) -> str | None:
    try:
        key = probe.keys.unwrap("message", row.message_id, row.wrapped_key)
        body = key.open("message", row.message_id, row.body)
    except DamagedBlob as fault:
        return str(fault)
    if hashlib.sha256(body).digest() != row.sha256:
        return "the bytes are not those of the stored digest"
    root = _ROOT_GUID.search(_without_declaration(body))
    if root is None or root[1].decode("utf-8", "replace") != row.guid:
        return "the guid in the bytes is not the message's"
    return _other_records(probe, row, body) or _unsigned(probe, row, body)


def _without_declaration(body: bytes) -> bytes:
    """The bytes from the first element on."""
    if body.startswith(b"<?"):
        return body[body.find(b"?>") + 2 :].lstrip()
    return body


def _other_records(probe: Probe, row: AnyRow, body: bytes) -> str | None:
    kind = DeclarationKind(row.kind)
    element = probe.settings.record_element[kind].encode()
    count = len(re.findall(rb"<(?:[\w.-]+:)?" + element + rb"[\s>]", body))
    if not 1 <= count <= row.record_count:
        return f"the bytes hold {count} records, {row.record_count} were claimed"
    if row.stage == MessageStage.SPLIT:
        return None
    written = [found.decode("ascii").upper() for found in _GUID.findall(body)]
    wanted = _members(probe, row.message_id, kind)
    if kind.is_list:
        is_there = count == 1 and len(written) == 1 and written[0] in wanted
        return None if is_there else "the list in the bytes is not that of the message's members"
    if len(written) != count or sorted(written) != sorted(wanted):
        return "the records in the bytes are not the message's members"
    return None


def _members(probe: Probe, message_id: str, kind: DeclarationKind) -> list[str]:
    """The record guids of the declarations that the bytes must hold: those not withdrawn."""
    rows = probe.connection.execute(
        select(declaration.c.case_id, declaration.c.version, case_.c.doc)
        .join(case_, case_.c.case_id == declaration.c.case_id)
        .where(declaration.c.message_id == message_id)
    )
    return [
        record_guid(CaseId(row.case_id), kind.value, row.version)
        for row in rows
        if not any(
            one.kind is kind
            and one.version == row.version
            and one.stage is DeclarationStage.WITHDRAWN
            for one in state_of(row).declarations
        )
    ]


def _unsigned(probe: Probe, row: AnyRow, body: bytes) -> str | None:
    if probe.settings.verify is None:
        return None
    try:
        probe.settings.verify(body, row.signature_profile, row.certificate_serial)
    except SigningError as fault:
        return f"the signature does not verify ({fault.code})"
    return None


def fencing(probe: Probe) -> Iterator[Violation]:
    """Attempts of a message are numbered without gaps, one after the other, on stored bytes."""
    statement = select(
        message.c.message_id,
        message.c.stage,
        message.c.attempt,
        message.c.body.is_not(None).label("has_body"),
    )
    for row in key_order(probe, message, statement):
        probe.examined += 1
        attempts = probe.connection.execute(
            select(*attempt.columns)
            .where(attempt.c.message_id == row.message_id)
            .order_by(attempt.c.attempt)
        ).all()
        evidence = _unfenced(row, attempts)
        if evidence is not None:
            yield Violation(CheckName.FENCING, f"message {row.message_id}", evidence)
    lost = probe.connection.execute(
        select(attempt.c.message_id)
        .join(message, message.c.message_id == attempt.c.message_id, isouter=True)
        .where(message.c.message_id.is_(None))
    )
    for found in lost:
        yield Violation(
            CheckName.FENCING, f"message {found.message_id}", "was tried and does not exist"
        )


def _unfenced(row: AnyRow, attempts: Sequence[AnyRow]) -> str | None:
    if row.attempt != len(attempts):
        return f"its newest attempt is {row.attempt}, {len(attempts)} are stored"
    if attempts and not row.has_body:
        return "it was tried without stored bytes"
    for number, one in enumerate(attempts, 1):
        if one.attempt != number:
            return f"attempt {number} is missing"
        if one.closed_at is not None and one.closed_at < one.opened_at:
            return f"attempt {number} ended before it began"
    return _out_of_step(row, attempts)


def _out_of_step(row: AnyRow, attempts: Sequence[AnyRow]) -> str | None:
    """Whether the message's stage fits the outcome of its newest attempt."""
    ended = (MessageStage.REFUSED, MessageStage.SPLIT, MessageStage.EMPTY)
    if not attempts or row.stage in ended:
        return None
    outcome = attempts[-1].outcome or MessageStage.SIGNED.value
    if row.stage != outcome:
        return f"it stands at {row.stage}, its newest attempt at {outcome}"
    return None
