"""Submissions: requests that are kept whole, answered at once, and taken in afterwards.

What comes while a pack is being written gathers in the next one: a pack costs one row, one data
key and one commit, however many submissions it holds. A pack waits in the outbox like any other
work. What became of its submissions is kept beside it for a while; its body goes as soon as all of
them were taken in, because the papers then have their own exact bytes.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import orjson
from sqlalchemy import ColumnElement, Connection, Row, Select, delete, func, insert, select, update

from gateway.domain.errors import InvalidValue, StoreClosed
from gateway.domain.ids import EffectId, TenantId
from gateway.ports import Clock, Effect, EffectKind, KeptAnswer, Page, Rng
from gateway.ports.submissions import (
    SUBMISSIONS,
    KeptSubmission,
    Outcome,
    Pack,
    Submission,
    SubmissionStatus,
)
from store.access import Access
from store.crypto import StoreKeys
from store.cursors import submission_place
from store.tables import OutboxStage, outbox, submission_pack

KEPT_US: Final = 8 * 24 * 3600 * 1_000_000
_PACK: Final = 256
_PACK_BYTES: Final = 4 * 1024 * 1024
_PURGE_EVERY_US: Final = 60 * 1_000_000
_PURGED_AT_ONCE: Final = 100
_TABLE: Final = "submission_pack"
_ANSWERS: Final = "submission_pack.answers"
_READ_AT_ONCE: Final = 8
_INSERT: Final = insert(submission_pack)
JSON: Final = "application/json"

T = TypeVar("T")


class Joins(Access, Protocol):
    """A store whose group commits further work may join."""

    async def join(
        self, function: Callable[[Connection, int], T], lane: str, effects: Sequence[Effect] = ()
    ) -> T:
        """The result of a function over the connection and the time, after the commit."""
        ...


@dataclass(slots=True)
class _Open:
    """A pack that still takes submissions, and who waits for it."""

    pack: Pack
    size: int = 0
    waiters: list["asyncio.Future[None]"] = field(default_factory=list)


class StoredSubmissions:
    """Implements ``ports.submissions.SubmissionBook``."""

    def __init__(self, store: Joins, keys: StoreKeys, clock: Clock, rng: Rng) -> None:
        self._store = store
        self._keys = keys
        self._clock = clock
        self._rng = rng
        self._open: dict[TenantId, _Open] = {}
        # A tenant's packs are written one after the other; the task is kept alive here.
        self._writing: dict[TenantId, asyncio.Task[None]] = {}
        self._purge_at = 0
        self._last = 0

    async def keep(self, tenant: TenantId, submission: Submission) -> str:
        """Store one with those that come meanwhile; its id, once it is durable."""
        gathering = self._open.get(tenant)
        if gathering is None or _is_full(gathering, submission):
            gathering = self._begun(tenant)
        place = len(gathering.pack.submissions)
        gathering.pack.submissions.append(submission)
        gathering.size += len(submission.body)
        stored = asyncio.get_running_loop().create_future()
        gathering.waiters.append(stored)
        await stored
        return _id(gathering.pack.pack_id, place)

    def _begun(self, tenant: TenantId) -> _Open:
        """A new pack, written as soon as the one before it is."""
        # Each submission has a time of its own, later than that of every one before it.
        now = self._last = max(self._clock.now(), self._last + _PACK)
        pack_id = f"{now:014x}{self._rng.bytes(5).hex()}"
        gathering = self._open[tenant] = _Open(Pack(pack_id, tenant, now, []))
        task = asyncio.get_running_loop().create_task(
            self._write(gathering, self._writing.get(tenant))
        )
        task.add_done_callback(partial(self._settle, gathering))
        self._writing[tenant] = task
        return gathering

    async def _write(self, gathering: _Open, before: "asyncio.Task[None] | None") -> None:
        tenant = gathering.pack.tenant
        if before is not None:
            await asyncio.wait((before,))
        if self._open.get(tenant) is gathering:
            del self._open[tenant]
        await self._store_pack(gathering.pack)

    def _settle(self, gathering: _Open, task: "asyncio.Task[None]") -> None:
        """Tell those who wait for a pack what became of it."""
        if self._writing.get(gathering.pack.tenant) is task:
            del self._writing[gathering.pack.tenant]
        error = StoreClosed("the store is shutting down") if task.cancelled() else task.exception()
        for one in gathering.waiters:
            if one.done():
                continue
            if error is None:
                one.set_result(None)
            else:
                one.set_exception(error)

    async def _store_pack(self, pack: Pack) -> None:
        heads = [(one.door, one.language, len(one.body)) for one in pack.submissions]
        body = orjson.dumps(heads) + b"\n" + b"".join([one.body for one in pack.submissions])
        purge = pack.received_at >= self._purge_at
        if purge:
            self._purge_at = pack.received_at + _PURGE_EVERY_US

        def write(connection: Connection, now: int) -> None:
            if purge:
                _purge(connection, now)
            key = self._keys.new_key(_TABLE, pack.pack_id, self._rng)
            row = {
                "pack_id": pack.pack_id,
                "tenant": pack.tenant,
                "received_at": pack.received_at,
                "submissions": len(heads),
                "wrapped_key": key.wrapped,
                "body": key.key.seal(_TABLE, pack.pack_id, body, self._rng),
            }
            connection.execute(_INSERT, row)

        await self._store.join(write, _lane(pack.tenant), [_effect(pack, self._clock.now())])

    async def waiting(self, effect: Effect) -> Pack | None:
        """The pack that an effect is about; None when its submissions were all taken in."""
        wanted = select(submission_pack).where(
            submission_pack.c.pack_id == effect.ref, submission_pack.c.done_at.is_(None)
        )
        async with self._store.read() as reading:
            row = next(iter(await reading.run_sync(partial(_all, wanted))), None)
        return None if row is None else self._pack(row)

    async def finish(self, pack: Pack, outcomes: Sequence[Outcome]) -> None:
        """Keep what became of each submission of a pack, in their order; who is first says it."""
        pack_id = pack.pack_id
        doc = [
            (sent.door, one.status.value, one.answer.status, one.answer.body.decode())
            for sent, one in zip(pack.submissions, outcomes, strict=True)
        ]
        refused = sum(one.status is SubmissionStatus.REFUSED for one in outcomes)
        columns, done = submission_pack.c, outbox.c

        def write(connection: Connection, now: int) -> None:
            row = connection.execute(
                select(columns.wrapped_key).where(columns.pack_id == pack_id)
            ).one()
            key = self._keys.unwrap(_TABLE, pack_id, row.wrapped_key)
            answers = key.seal(_ANSWERS, pack_id, orjson.dumps(doc), self._rng)
            values = {"answers": answers, "refused": refused, "done_at": now}
            if not refused:
                values["body"] = None
            connection.execute(
                update(submission_pack)
                .where(columns.pack_id == pack_id, columns.done_at.is_(None))
                .values(values)
            )
            connection.execute(
                update(outbox)
                .where(done.effect_id == _effect_id(pack_id), done.done_at.is_(None))
                .values(stage=OutboxStage.DONE.value, done_at=now)
            )

        await self._store.join(write, SUBMISSIONS)

    async def find(self, tenant: TenantId, submission_id: str) -> KeptSubmission | None:
        """One submission of a tenant; None for an id that is none of its own."""
        try:
            pack_id, number = submission_place(submission_id)
        except InvalidValue:
            return None
        wanted = select(submission_pack).where(
            submission_pack.c.pack_id == pack_id, submission_pack.c.tenant == tenant
        )
        async with self._store.read() as reading:
            row = next(iter(await reading.run_sync(partial(_all, wanted))), None)
        return None if row is None or number >= row.submissions else self._kept(row)[number]

    async def listing(
        self, tenant: TenantId, status: SubmissionStatus, after: str | None, limit: int
    ) -> Page[KeptSubmission]:
        """A page of submissions, oldest first. Raises ``InvalidValue`` for a wrong cursor."""
        place = ("", -1) if after is None else submission_place(after)
        found: list[KeptSubmission] = []
        async with self._store.read() as reading:
            while len(found) <= limit:
                wanted = _next_packs(tenant, status, place[0])
                rows = await reading.run_sync(partial(_all, wanted))
                for row in rows:
                    begin = place[1] + 1 if row.pack_id == place[0] else 0
                    found += [one for one in self._kept(row)[begin:] if one.status is status]
                    place = row.pack_id, row.submissions
                if len(rows) < _READ_AT_ONCE:
                    break
        page = found[:limit]
        return Page(tuple(page), page[-1].submission_id if len(found) > limit else None)

    def _pack(self, row: Row[Any]) -> Pack:
        key = self._keys.unwrap(_TABLE, row.pack_id, row.wrapped_key)
        head, _, body = key.open(_TABLE, row.pack_id, row.body).partition(b"\n")
        submissions: list[Submission] = []
        at = 0
        for door, language, length in orjson.loads(head):
            submissions.append(Submission(door, language, body[at : at + length]))
            at += length
        return Pack(row.pack_id, TenantId(row.tenant), row.received_at, submissions)

    def _kept(self, row: Row[Any]) -> list[KeptSubmission]:
        """The submissions of a pack as their sender sees them."""
        if row.answers is None:
            waiting = enumerate(self._pack(row).submissions)
            return [
                KeptSubmission(_id(row.pack_id, place), one.door, row.received_at)
                for place, one in waiting
            ]
        key = self._keys.unwrap(_TABLE, row.pack_id, row.wrapped_key)
        answers = orjson.loads(key.open(_ANSWERS, row.pack_id, row.answers))
        return [
            KeptSubmission(
                _id(row.pack_id, place),
                door,
                row.received_at,
                SubmissionStatus(status),
                KeptAnswer(code, JSON, body.encode()),
            )
            for place, (door, status, code, body) in enumerate(answers)
        ]


def _all(wanted: Select[Any], connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(wanted).all()


def _id(pack_id: str, place: int) -> str:
    return f"{pack_id}-{place:x}"


def _is_full(gathering: _Open, submission: Submission) -> bool:
    is_large = gathering.size + len(submission.body) > _PACK_BYTES
    return is_large or len(gathering.pack.submissions) >= _PACK


def _lane(tenant: TenantId) -> str:
    return f"{SUBMISSIONS}/{tenant}"


def _effect_id(pack_id: str) -> EffectId:
    return EffectId(f"{SUBMISSIONS}-{pack_id}")


def _effect(pack: Pack, now: int) -> Effect:
    return Effect(
        effect_id=_effect_id(pack.pack_id),
        kind=EffectKind.RECHECK,
        group=SUBMISSIONS,
        due_at=now,
        tenant=pack.tenant,
        ref=pack.pack_id,
    )


def _next_packs(tenant: TenantId, status: SubmissionStatus, begin: str) -> Select[Any]:
    """Packs of a tenant that may hold submissions of this status, from one on."""
    columns = submission_pack.c
    wanted: dict[SubmissionStatus, ColumnElement[bool]] = {
        SubmissionStatus.WAITING: columns.done_at.is_(None),
        SubmissionStatus.TAKEN: columns.refused < columns.submissions,
        SubmissionStatus.REFUSED: columns.refused > 0,
    }
    return (
        select(submission_pack)
        .where(columns.tenant == tenant, columns.pack_id >= begin, wanted[status])
        .order_by(columns.pack_id)
        .limit(_READ_AT_ONCE)
    )


def _purge(connection: Connection, now: int) -> None:
    """Forget what was dealt with long ago, a few packs at a time."""
    columns = submission_pack.c
    over = (
        select(columns.pack_id)
        .where(columns.done_at <= now - KEPT_US)
        .order_by(columns.pack_id)
        .limit(_PURGED_AT_ONCE)
    )
    connection.execute(delete(submission_pack).where(columns.pack_id.in_(over)))


def waiting_submissions(connection: Connection) -> int:
    """How many submissions of the whole deployment wait to be taken in."""
    wanted = select(func.coalesce(func.sum(submission_pack.c.submissions), 0)).where(
        submission_pack.c.done_at.is_(None)
    )
    return int(connection.execute(wanted).scalar_one())
