"""Papers whose case is not known yet: kept until another paper names their number.

An unlinked paper also stands in the claims, kind ``unlinked``, so that the commit of a paper that
names its number finds it without a query of its own.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Final

import orjson
from sqlalchemy import Connection, delete, select

from gateway.domain.case import CaseKey
from gateway.domain.ids import CaseId, Direction, EffectId, ProfileId, TenantId
from gateway.domain.papers import PaperKind
from gateway.ports import EffectKind, Lookup, UnlinkedPaper
from store.changes import insert_into
from store.group import Tools
from store.tables import OutboxStage, case_, claim, outbox, unlinked

_TABLE: Final = "unlinked"
UNLINKED: Final = "unlinked"
"""The kind of claim that an unlinked paper stands under."""


def keep_unlinked(connection: Connection, tools: Tools, paper: UnlinkedPaper) -> str:
    """Store one paper with its deadline; gives its id. Sent again, it replaces itself."""
    unlinked_id = unlinked_id_of(paper.number)
    key = tools.keys.new_key(_TABLE, unlinked_id, tools.rng)
    body = orjson.dumps(
        {
            "profile": paper.profile_id,
            "kind": paper.kind.value,
            "source": paper.source,
            "paper": dict(paper.paper),
            "raw": base64.b64encode(paper.raw).decode("ascii"),
        }
    )
    row = {
        "tenant": paper.tenant,
        "key_hash": tools.keys.lookup_hash(paper.number),
        "wrapped_key": key.wrapped,
        "body": key.key.seal(_TABLE, unlinked_id, body, tools.rng),
        "received_at": paper.received_at,
    }
    connection.execute(
        insert_into(connection, unlinked)
        .values(unlinked_id=unlinked_id, **row)
        .on_conflict_do_update(index_elements=["unlinked_id"], set_=row)
    )
    connection.execute(
        insert_into(connection, claim)
        .values(
            key_hash=tools.keys.lookup_hash(_claim(paper.number)),
            kind=UNLINKED,
            case_id=unlinked_id,
            tenant=paper.tenant,
        )
        .on_conflict_do_nothing()
    )
    connection.execute(
        insert_into(connection, outbox)
        .values(
            effect_id=EffectId(f"unlinked-{unlinked_id}"),
            kind=EffectKind.DEADLINE.value,
            group_key=UNLINKED,
            tenant=paper.tenant,
            case_id=None,
            ref=unlinked_id,
            payload="{}",
            due_at=paper.deadline,
            lease_until=paper.deadline,
            attempt=0,
            stage=OutboxStage.OPEN.value,
        )
        .on_conflict_do_nothing()
    )
    return unlinked_id


def _claim(number: Lookup) -> Lookup:
    return Lookup(UNLINKED, f"{number.kind}|{number.value}")


def unlinked_id_of(number: Lookup) -> str:
    """The id of an unlinked paper, which follows from the number that it waits under."""
    digest = hashlib.sha256(f"{number.kind}|{number.value}".encode()).digest()
    return base64.b32encode(digest[:15]).decode("ascii").lower()


def find_unlinked(
    connection: Connection, tools: Tools, numbers: Sequence[Lookup]
) -> list[tuple[str, UnlinkedPaper]]:
    """The papers that wait under these numbers, with their ids, oldest first."""
    by_hash = {tools.keys.lookup_hash(number): number for number in numbers}
    rows = connection.execute(
        select(unlinked)
        .where(unlinked.c.key_hash.in_(sorted(by_hash)))
        .order_by(unlinked.c.received_at, unlinked.c.unlinked_id)
    )
    found: list[tuple[str, UnlinkedPaper]] = []
    for row in rows:
        key = tools.keys.unwrap(_TABLE, row.unlinked_id, row.wrapped_key)
        doc = orjson.loads(key.open(_TABLE, row.unlinked_id, row.body))
        paper = UnlinkedPaper(
            number=by_hash[bytes(row.key_hash)],
            tenant=TenantId(row.tenant),
            profile_id=doc["profile"],
            kind=PaperKind(doc["kind"]),
            source=doc["source"],
            paper=doc["paper"],
            raw=base64.b64decode(doc["raw"]),
            received_at=row.received_at,
            deadline=0,
        )
        found.append((row.unlinked_id, paper))
    return found


def end_unlinked(connection: Connection, ids: Sequence[str]) -> None:
    """These papers have found their cases: their places and deadlines end."""
    effects = [EffectId(f"unlinked-{one}") for one in ids]
    connection.execute(delete(unlinked).where(unlinked.c.unlinked_id.in_(ids)))
    connection.execute(delete(claim).where(claim.c.kind == UNLINKED, claim.c.case_id.in_(ids)))
    connection.execute(delete(outbox).where(outbox.c.effect_id.in_(effects)))


def is_unlinked(connection: Connection, unlinked_id: str) -> bool:
    """Whether this paper still waits."""
    statement = select(unlinked.c.unlinked_id).where(unlinked.c.unlinked_id == unlinked_id)
    return connection.execute(statement).first() is not None


def case_keys(connection: Connection, ids: Sequence[CaseId]) -> dict[CaseId, CaseKey]:
    """Which cases these ids belong to."""
    columns = case_.c
    rows = connection.execute(
        select(
            columns.case_id,
            columns.tenant,
            columns.direction,
            columns.platform,
            columns.order_no,
            columns.profile_id,
        ).where(columns.case_id.in_(ids))
    )
    return {
        CaseId(row.case_id): CaseKey(
            CaseId(row.case_id),
            TenantId(row.tenant),
            Direction(row.direction),
            row.platform,
            row.order_no,
            ProfileId(row.profile_id),
        )
        for row in rows
    }
