"""Messages: claimed, signed once, tried, closed; and read back with their members.

Every step is guarded by what the message's row says under its lock. A step that no longer fits
belongs to a worker that was overtaken: its command is ``Fenced``, the others of its group go on.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

import orjson
from sqlalchemy import Connection, func, select

from gateway.domain.case import CaseKey
from gateway.domain.codec import state_from_doc
from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import Fenced
from gateway.domain.ids import CaseId, Direction, MessageId, ProfileId, TenantId
from gateway.ports import (
    AttemptClosed,
    AttemptOpened,
    MessageStage,
    MessageStaged,
    NewMessage,
    SignedBytes,
    StoredMember,
    StoredMessage,
)
from store.catalogue import Values
from store.crypto import StoreKeys
from store.errors import DamagedBlob
from store.group import Faulty, Group
from store.statements import MessageStatements
from store.tables import declaration

_ENDED: Final = frozenset({MessageStage.SPLIT, MessageStage.EMPTY, MessageStage.REFUSED})
_GONE: Final = frozenset({MessageStage.SPLIT, MessageStage.EMPTY})


@dataclass(slots=True)
class _Row:
    """A message as its row stands, moved on by the group's changes."""

    stage: MessageStage
    attempt: int
    has_body: bool
    detail: str | None = None
    signed: SignedBytes | None = None
    is_changed: bool = False


@dataclass(slots=True)
class _Work:
    """The messages of a group and the rows that its changes come down to."""

    group: Group
    rows: dict[MessageId, _Row]
    open_attempts: set[tuple[MessageId, int]]
    new: list[tuple[int, NewMessage]] = field(default_factory=list)
    opened: list[Values] = field(default_factory=list)
    closed: list[Values] = field(default_factory=list)

    def row(self, index: int, message_id: MessageId) -> _Row:
        """The row of a message; fences a command that names one which is not there."""
        row = self.rows.get(message_id)
        if row is None:
            raise Faulty(index, Fenced("there is no such message"))
        row.is_changed = True
        return row


def write_messages(group: Group) -> None:
    """Write what the group's commands do to messages; raises ``Faulty`` for a fenced one."""
    if not group.collected.messages:
        return
    work = _locked(group)
    for index, change in group.collected.messages:
        _apply(work, index, change)
    _insert_new(work)
    _write_rows(work)
    statements = group.tools.statements.message
    statements.insert_attempts.run(group.connection, sorted(work.opened))
    closed = sorted(work.closed, key=lambda row: row[:2])
    if statements.close_attempts.run(group.connection, closed) != len(closed):
        raise AssertionError("an attempt was closed by somebody else under our lock")


def _locked(group: Group) -> _Work:
    """Lock and read the messages that are not new, and the attempts that are to be closed."""
    ids: set[MessageId] = set()
    attempts: set[tuple[MessageId, int]] = set()
    for _, change in group.collected.messages:
        if not isinstance(change, NewMessage):
            ids.add(change.message_id)
        if isinstance(change, AttemptClosed):
            attempts.add((change.message_id, change.attempt))
    statements = group.tools.statements.message
    rows = {
        MessageId(message_id): _Row(MessageStage(stage), attempt, bool(has_body))
        for message_id, stage, attempt, has_body in statements.lock.run(
            group.connection, [(one,) for one in sorted(ids)]
        )
    }
    open_attempts = {
        (MessageId(message_id), attempt)
        for message_id, attempt, outcome in statements.load_attempts.run(
            group.connection, sorted(attempts)
        )
        if outcome is None
    }
    return _Work(group, rows, open_attempts)


def _apply(
    work: _Work,
    index: int,
    change: NewMessage | SignedBytes | AttemptOpened | AttemptClosed | MessageStaged,
) -> None:
    match change:
        case NewMessage():
            work.new.append((index, change))
            work.rows[change.message_id] = _Row(MessageStage.CLAIMED, 0, has_body=False)
        case SignedBytes():
            row = work.row(index, change.message_id)
            if row.stage is not MessageStage.CLAIMED or row.has_body:
                raise Faulty(index, Fenced("this message is already signed"))
            row.stage, row.has_body, row.signed = MessageStage.SIGNED, True, change
        case AttemptOpened():
            _open_attempt(work, index, change)
        case AttemptClosed():
            _close_attempt(work, index, change)
        case MessageStaged():
            row = work.row(index, change.message_id)
            if row.stage in _GONE:
                raise Faulty(index, Fenced("this message was already split or emptied"))
            row.stage, row.detail = change.stage, change.detail or None
        case _:
            assert_never(change)


def _open_attempt(work: _Work, index: int, change: AttemptOpened) -> None:
    row = work.row(index, change.message_id)
    if not row.has_body or row.stage in _ENDED or change.attempt != row.attempt + 1:
        raise Faulty(index, Fenced("another attempt at this message is the newest"))
    row.attempt, row.stage = change.attempt, MessageStage.SIGNED
    work.open_attempts.add((change.message_id, change.attempt))
    work.opened.append((change.message_id, change.attempt, change.channel, change.opened_at))


def _close_attempt(work: _Work, index: int, change: AttemptClosed) -> None:
    row = work.row(index, change.message_id)
    key = (change.message_id, change.attempt)
    if key not in work.open_attempts:
        raise Faulty(index, Fenced("this attempt is already closed"))
    work.open_attempts.remove(key)
    work.closed.append((*key, change.closed_at, change.outcome.value, change.detail or None))
    if change.attempt == row.attempt and row.stage not in _ENDED:
        row.stage, row.detail = change.outcome, change.detail or None


def _insert_new(work: _Work) -> None:
    group = work.group
    statements = group.tools.statements.message
    statements.insert.run(
        group.connection,
        [
            (
                new.message_id,
                new.guid,
                new.kind.value,
                new.tenant,
                new.profile_id,
                new.group,
                MessageStage.CLAIMED.value,
                0,
                new.created_at,
                new.parent,
                len(new.members),
            )
            for _, new in sorted(work.new, key=lambda one: one[1].message_id)
        ],
    )
    fresh: list[Values] = []
    moved: list[Values] = []
    for _, new in work.new:
        for member in new.members:
            key = (member.case_id, member.kind.value, member.version)
            values = (new.message_id, member.position, member.cop_no, member.app_time)
            if new.parent is None:
                fresh.append((*key, *values))
            else:
                moved.append((*key, new.parent, *values))
    inserted = statements.declarations.insert.run(group.connection, sorted(fresh))
    updated = statements.declarations.move.run(group.connection, sorted(moved))
    if inserted != len(fresh) or updated != len(moved):
        _fence_members(work)


def _fence_members(work: _Work) -> None:
    """Find the command whose declaration stands in another message, and fence it."""
    group = work.group
    mine = {
        (member.case_id, member.kind.value, member.version): (index, new.message_id)
        for index, new in work.new
        for member in new.members
    }
    statement = group.tools.statements.message.declarations.load
    for case_id, kind, version, message_id in statement.run(group.connection, sorted(mine)):
        index, wanted = mine.pop((CaseId(case_id), kind, version))
        if message_id != wanted:
            raise Faulty(index, Fenced("a declaration stands in another message"))
    for index, _ in mine.values():
        raise Faulty(index, Fenced("a declaration is in no message that could be split"))
    raise AssertionError("every declaration stands where it should")


def _write_rows(work: _Work) -> None:
    signed: list[Values] = []
    staged: list[Values] = []
    tools = work.group.tools
    for message_id in sorted(work.rows):
        row = work.rows[message_id]
        if not row.is_changed:
            continue
        standing = (row.stage.value, row.attempt, row.detail)
        if row.signed is None:
            staged.append((message_id, *standing))
            continue
        key = tools.keys.new_key("message", message_id, tools.rng)
        body = row.signed.body
        signed.append(
            (
                message_id,
                key.wrapped,
                key.key.seal("message", message_id, body, tools.rng),
                hashlib.sha256(body).digest(),
                row.signed.certificate_serial,
                row.signed.signature_profile,
                *standing,
            )
        )
    statements = tools.statements.message
    if statements.sign.run(work.group.connection, signed) != len(signed):
        raise AssertionError("a message was signed by somebody else under our lock")
    statements.stage.run(work.group.connection, staged)


# --- reading ----------------------------------------------------------------------------------


def read_message(
    connection: Connection,
    statements: MessageStatements,
    keys: StoreKeys,
    message_id: MessageId,
    with_body: bool,
) -> StoredMessage | None:
    """A message with the members it carries now, its bytes checked against their digest."""
    statement = statements.load_whole if with_body else statements.load
    rows = statement.run(connection, [(message_id,)])
    if not rows:
        return None
    _, guid, kind_name, tenant, profile_id, group, stage, created_at, *rest = rows[0]
    attempt, signer, wrapped, body = rest
    kind = DeclarationKind(kind_name)
    opened = None
    if body is not None:
        opened = keys.unwrap("message", message_id, wrapped).open("message", message_id, body)
    return StoredMessage(
        message_id=message_id,
        guid=guid,
        kind=kind,
        tenant=TenantId(tenant),
        profile_id=ProfileId(profile_id),
        group=group,
        stage=MessageStage(stage),
        created_at=created_at,
        attempt=attempt,
        body=opened,
        members=_members(connection, statements, message_id, kind),
        certificate_serial=signer,
    )


def _members(
    connection: Connection,
    statements: MessageStatements,
    message_id: MessageId,
    kind: DeclarationKind,
) -> tuple[StoredMember, ...]:
    rows = connection.exec_driver_sql(statements.declarations.load_members, (message_id,))
    return tuple(_member(tuple(row), kind) for row in rows)


def _member(row: Sequence[str | int], kind: DeclarationKind) -> StoredMember:
    version, position, case_id, tenant, direction, platform, order_no, profile_id, doc = row
    key = CaseKey(
        CaseId(str(case_id)),
        TenantId(str(tenant)),
        Direction(str(direction)),
        str(platform),
        str(order_no),
        ProfileId(str(profile_id)),
    )
    state = state_from_doc(orjson.loads(str(doc)))
    for one in state.declarations:
        if one.kind is kind and one.version == version:
            return StoredMember(key, one, int(position))
    raise DamagedBlob("a declaration of a message is missing from its case")


def find_listed(
    connection: Connection, asked: Sequence[tuple[CaseId, DeclarationKind, str | None]]
) -> dict[tuple[CaseId, str], tuple[CaseId, ...]]:
    """The cases of lists, in the order of their rows; a list that is not there is left out.

    ``asked`` gives for each list a case that stands in it, its kind and its copNo, None (found as
    an empty text) for the newest list of its kind that the case stands in.
    """
    found: dict[tuple[CaseId, str], tuple[CaseId, ...]] = {}
    own, others = declaration.alias("own"), declaration.alias("others")
    for case_id, kind, number in dict.fromkeys(asked):
        newest = select(func.max(declaration.c.version)).where(
            declaration.c.case_id == case_id, declaration.c.kind == kind
        )
        is_it = own.c.cop_no == number if number else own.c.version == newest.scalar_subquery()
        rows = connection.execute(
            select(others.c.case_id)
            .join(own, own.c.message_id == others.c.message_id)
            .where(own.c.case_id == case_id, own.c.kind == kind, is_it)
            .order_by(others.c.position)
        )
        if members := tuple(CaseId(row.case_id) for row in rows):
            found[case_id, number or ""] = members
    return found
