"""Inbox and outbox outside the group's own changes: receipts kept and read, effects leased."""

import hashlib
from collections.abc import Sequence

import orjson
from sqlalchemy import Connection

from gateway.domain.ids import CaseId, EffectId, EndpointId, ReceiptId, TenantId
from gateway.ports import Effect, EffectKind, InboxItem, NoticeRow
from store.catalogue import Values
from store.group import Moved, Tools
from store.tables import InboxStage


def keep_receipts(
    connection: Connection, tools: Tools, items: Sequence[InboxItem]
) -> list[InboxItem]:
    """R1: insert the files whose content this channel never gave before; returns those.

    Raises ``Moved`` when another process kept one of them at the same moment.
    """
    fresh: dict[tuple[str, bytes], InboxItem] = {}
    for item in items:
        fresh.setdefault((item.channel, hashlib.sha256(item.body).digest()), item)
    statements = tools.statements.inbox
    for channel, digest in statements.find.run(connection, sorted(fresh)):
        del fresh[channel, bytes(digest)]
    rows = [_receipt_row(tools, item, digest) for (_, digest), item in sorted_items(fresh)]
    if statements.insert.run(connection, rows) != len(rows):
        raise Moved()
    kept = {item.receipt_id for item in fresh.values()}
    return [item for item in items if item.receipt_id in kept]


def sorted_items(
    fresh: dict[tuple[str, bytes], InboxItem],
) -> list[tuple[tuple[str, bytes], InboxItem]]:
    """The items in the order of their unique key, in which every writer locks them."""
    return [(key, fresh[key]) for key in sorted(fresh)]


def _receipt_row(tools: Tools, item: InboxItem, digest: bytes) -> Values:
    key = tools.keys.new_key("inbox", item.receipt_id, tools.rng)
    return (
        item.receipt_id,
        item.channel,
        item.name,
        digest,
        key.wrapped,
        key.key.seal("inbox", item.receipt_id, item.body, tools.rng),
        item.received_at,
        InboxStage.NEW.value,
    )


def open_receipts(connection: Connection, tools: Tools, limit: int) -> list[InboxItem]:
    """Receipt files that R2 has not dealt with, oldest first."""
    rows = connection.exec_driver_sql(tools.statements.inbox.load_open, (limit,))
    return [
        InboxItem(
            ReceiptId(receipt_id),
            channel,
            name,
            tools.keys.unwrap("inbox", receipt_id, wrapped).open("inbox", receipt_id, body),
            received_at,
        )
        for receipt_id, channel, name, wrapped, body, received_at in rows
    ]


def lease(
    connection: Connection,
    tools: Tools,
    kinds: Sequence[EffectKind],
    limit: int,
    now: int,
    lease_us: int,
) -> list[Effect]:
    """Claim due effects of these kinds, each with its attempt number raised."""
    leased: list[Effect] = []
    for kind in kinds:
        room = limit - len(leased)
        if room <= 0:
            break
        rows = connection.exec_driver_sql(
            tools.statements.outbox.lease,
            (kind.value, now, room, now + lease_us, tools.process),
        )
        leased += sorted((_effect(tuple(row)) for row in rows), key=lambda one: one.due_at)
    return leased


def _effect(row: Values) -> Effect:
    """The effect of a row of ``EFFECT_COLUMNS``."""
    effect_id, kind, group, tenant, case_id, ref, payload, due_at, attempt = row
    return Effect(
        effect_id=EffectId(effect_id),
        kind=EffectKind(kind),
        group=group,
        due_at=due_at,
        case_id=None if case_id is None else CaseId(case_id),
        tenant=None if tenant is None else TenantId(tenant),
        ref=ref,
        payload=orjson.loads(payload),
        attempt=attempt,
    )


def find_notices(
    connection: Connection, tools: Tools, ids: Sequence[EffectId]
) -> dict[EffectId, NoticeRow]:
    """Notices by id; effects of another kind are not found."""
    keys = [(one,) for one in sorted(set(ids))]
    found: dict[EffectId, NoticeRow] = {}
    for row in tools.statements.outbox.find_notices.run(connection, keys):
        effect = _effect(row[:9])
        if effect.kind is not EffectKind.NOTICE:
            continue
        stage, detail, done_at, acked_at = row[9:]
        found[effect.effect_id] = NoticeRow(
            effect, EndpointId(effect.group), stage, detail or "", done_at, acked_at
        )
    return found
