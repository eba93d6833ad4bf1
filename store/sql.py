"""The store behind :class:`gateway.ports.Store`: one implementation for both databases."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection, select

from gateway.domain.case import CaseKey
from gateway.domain.declaration import DeclarationKind
from gateway.domain.ids import CaseId, EffectId, MessageId
from gateway.domain.papers import Paper, PaperKind, PaperRevision
from gateway.ports import (
    NO_ANSWERS,
    Answers,
    Books,
    CaseView,
    Command,
    Effect,
    EffectKind,
    InboxItem,
    Lookup,
    NoticeRow,
    StoredMessage,
    UnlinkedPaper,
)
from store import unlinked
from store.access import Reading
from store.batch import Failed, foresee
from store.books import read_books
from store.boxes import find_notices, keep_receipts, lease, open_receipts
from store.claims import is_held
from store.crypto import StoreKeys
from store.errors import DamagedBlob
from store.group import Job, Marks, Settled, Tools
from store.messages import find_listed, read_message
from store.papers import PaperPlace, open_revision
from store.seeding import Mould, Pour, pour
from store.tables import OutboxStage, message
from store.writer import Writer

R = TypeVar("R")
T = TypeVar("T")
# Decided in one reading, so that a page or an order waits for few of them.
_FORESEEN: Final = 50


class SQLStore:
    """Commands, receipts, effects and reads over one database; made by ``store.open.open_store``.

    Submitted work is written in groups; a caller that is cancelled while it waits does not take its
    command back.
    """

    def __init__(
        self,
        tools: Tools,
        writer: Writer,
        reading: Callable[[], AbstractAsyncContextManager[Reading]],
        listeners: list[Callable[[Sequence[Effect]], None]],
    ) -> None:
        self._tools = tools
        self._writer = writer
        self._reading = reading
        self._listeners = listeners

    # --- commands -----------------------------------------------------------------------------

    async def submit(self, command: Command[R]) -> R:
        """Decide and commit with a group; returns the decision's result after the commit.

        Raises ``Overloaded``, ``StoreClosed``, ``Fenced``, ``Conflict``, ``UnknownCommit`` or what
        ``decide`` raised; but for ``UnknownCommit`` nothing of this command was stored.
        """
        result: R = await self._writer.put(command, command.lane)
        return result

    async def submit_all(self, commands: Sequence[Command[R]]) -> list[R | Exception]:
        """Submit many at once: the result or the error of every command, in order.

        Raises ``Overloaded`` before anything is queued when not all of them fit.
        """
        if not commands:
            return []
        futures = self._writer.put_all([(command, command.lane) for command in commands])
        await asyncio.wait(futures)
        results: list[R | Exception] = []
        for future in futures:
            error = future.exception()
            if error is not None and not isinstance(error, Exception):
                raise error
            results.append(future.result() if error is None else error)
        return results

    async def foresee(self, commands: Sequence[Command[R]]) -> list[R | Exception]:
        """What each command would come to by itself: its result or its error; nothing is stored."""
        results: list[R | Exception] = []
        for start in range(0, len(commands), _FORESEEN):
            part = commands[start : start + _FORESEEN]
            outcomes = await self._read(partial(foresee, part, self._tools))
            results += [one.error if isinstance(one, Failed) else one.result for one in outcomes]
        return results

    def subscribe(self, listener: Callable[[Sequence[Effect]], None]) -> None:
        """Hand over effects of this process's own commits in memory, after each commit."""
        self._listeners.append(listener)
        self._tools.hands_over = True

    # --- receipts -----------------------------------------------------------------------------

    async def keep_receipts(self, items: Sequence[InboxItem]) -> list[InboxItem]:
        """R1: store receipt bytes; returns those whose content the channel never gave before."""
        if not items:
            return []
        return await self._join(
            lambda connection, now: keep_receipts(connection, self._tools, items), "inbox"
        )

    async def keep_unlinked(self, paper: UnlinkedPaper) -> str:
        """Store a paper whose case is not known; gives its id."""
        return await self.execute(lambda on: unlinked.keep_unlinked(on, self._tools, paper))

    async def find_unlinked(self, numbers: Sequence[Lookup]) -> list[tuple[str, UnlinkedPaper]]:
        """Papers that wait under these numbers, oldest first."""
        return await self._read(lambda on: unlinked.find_unlinked(on, self._tools, numbers))

    async def case_keys(self, ids: Sequence[CaseId]) -> dict[CaseId, CaseKey]:
        """Which cases these ids belong to."""
        return await self._read(lambda on: unlinked.case_keys(on, ids))

    async def end_unlinked(self, ids: Sequence[str]) -> None:
        """These papers have found their cases."""
        await self.execute(lambda on: unlinked.end_unlinked(on, ids))

    async def is_unlinked(self, unlinked_id: str) -> bool:
        """Whether a paper still waits for its case."""
        return await self._read(lambda on: unlinked.is_unlinked(on, unlinked_id))

    async def pour(self, wanted: Sequence[tuple[Mould, Pour]]) -> int:
        """Write invented cases that are not there yet, in one transaction; how many."""
        return await self.execute(lambda on: pour(self._tools, wanted, on))

    async def open_receipts(self, limit: int) -> list[InboxItem]:
        """Receipt files that R2 has not dealt with, oldest first."""
        return await self._read(lambda connection: open_receipts(connection, self._tools, limit))

    # --- reads for the flow -------------------------------------------------------------------

    async def find_claims(self, lookups: Sequence[Lookup]) -> dict[Lookup, CaseId]:
        """The cases that hold these references."""
        by_hash = {self._tools.keys.lookup_hash(lookup): lookup for lookup in lookups}
        if not by_hash:
            return {}
        statement = self._tools.statements.case.load_claims
        rows = await self._read(
            lambda connection: statement.run(connection, [(one,) for one in sorted(by_hash)])
        )
        now = self._tools.clock.now()
        return {
            by_hash[bytes(key_hash)]: CaseId(case_id)
            for key_hash, case_id, lapses_at in rows
            if is_held(lapses_at, now)
        }

    async def load_books(self, view: CaseView, coming: Sequence[Paper]) -> Books:
        """The books around a case and papers that are to come, without taking part in them."""
        return await self._read(lambda on: read_books(on, self._tools, view, coming))

    async def load_papers(
        self, wanted: Sequence[tuple[CaseId, PaperKind, int]]
    ) -> dict[tuple[CaseId, PaperKind], PaperRevision]:
        """Exact paper revisions, from the cache or from the database; missing ones are absent."""
        found: dict[tuple[CaseId, PaperKind], PaperRevision] = {}
        missing: list[PaperPlace] = []
        for place in (PaperPlace(*one) for one in wanted):
            revision = self._tools.papers.get(place)
            if revision is None:
                missing.append(place)
            else:
                found[place.case_id, place.kind] = revision
        if missing:
            found |= await self._read(lambda connection: self._opened(connection, missing))
        return found

    def _opened(
        self, connection: Connection, places: Sequence[PaperPlace]
    ) -> dict[tuple[CaseId, PaperKind], PaperRevision]:
        tools = self._tools
        cases = [(one,) for one in sorted({place.case_id for place in places})]
        keys = {
            CaseId(case_id): tools.keys.unwrap("case_", case_id, wrapped)
            for case_id, wrapped in tools.statements.case.load_keys.run(connection, cases)
        }
        by_key = {(place.case_id, place.kind.value, place.revision): place for place in places}
        rows = tools.statements.case.load_papers.run(connection, sorted(by_key))
        opened: dict[tuple[CaseId, PaperKind], PaperRevision] = {}
        for case_id, kind, revision, body in rows:
            place = by_key[case_id, kind, revision]
            if place.case_id not in keys:
                raise DamagedBlob("a paper has no case")
            opened[place.case_id, place.kind] = open_revision(place, body, keys[place.case_id])
        return opened

    async def load_message(self, message_id: MessageId, *, with_body: bool) -> StoredMessage | None:
        """A message with the members it carries now, each with its folded declaration."""
        tools = self._tools
        return await self._read(
            lambda connection: read_message(
                connection, tools.statements.message, tools.keys, message_id, with_body
            )
        )

    async def find_listed(
        self, asked: Sequence[tuple[CaseId, DeclarationKind, str | None]]
    ) -> dict[tuple[CaseId, str], tuple[CaseId, ...]]:
        """The cases that stand in lists: of one case, the kind and the list's copNo."""
        return await self._read(lambda on: find_listed(on, asked))

    async def find_message(self, guid: str) -> MessageId | None:
        """The message whose root guid this is, in whatever case it is written."""
        statement = select(message.c.message_id).where(message.c.guid == guid.upper())
        found = await self._read(lambda connection: connection.execute(statement).scalar())
        return None if found is None else MessageId(found)

    async def find_notices(self, ids: Sequence[EffectId]) -> dict[EffectId, NoticeRow]:
        """Notices by id, of every tenant: the caller checks whose they are."""
        return await self._read(lambda connection: find_notices(connection, self._tools, ids))

    # --- effects ------------------------------------------------------------------------------

    async def lease(
        self, kinds: Sequence[EffectKind], limit: int, now: int, lease_us: int
    ) -> list[Effect]:
        """Claim due effects whose lease has run out; each comes with its attempt number raised."""
        return await self._join(
            lambda connection, _: lease(connection, self._tools, kinds, limit, now, lease_us),
            "outbox",
        )

    async def reschedule(
        self, effects: Sequence[tuple[EffectId, int, int]], answers: Answers = NO_ANSWERS
    ) -> None:
        """Give effects back: (id, attempt as a fence, due_at). Stale ones are ignored.

        ``answers`` is what the other side said of those that were tried.
        """
        tried = [
            (*one, said.detail or None, said.code, said.took_us)
            for one in effects
            if (said := answers.get(one[0])) is not None
        ]
        untried = [one for one in effects if one[0] not in answers]
        if effects:
            await self._writer.put(Marks(delayed=untried, retried=tried), "outbox")

    async def finish(
        self,
        done: Sequence[tuple[EffectId, int]],
        parked: Sequence[tuple[EffectId, int, str]],
        answers: Answers = NO_ANSWERS,
    ) -> None:
        """Effects delivered, or parked with a reason, fenced by attempt number."""
        settled: list[Settled] = [
            (one, attempt, OutboxStage.DONE, None, *_answer(answers, one)) for one, attempt in done
        ]
        settled += [
            (one, attempt, OutboxStage.PARKED, why, *_answer(answers, one))
            for one, attempt, why in parked
        ]
        if settled:
            await self._writer.put(Marks(settled=settled), "outbox")

    # --- for master data, read models and checks ----------------------------------------------

    @property
    def keys(self) -> StoreKeys:
        """The keys of this database."""
        return self._tools.keys

    @property
    def process(self) -> str | None:
        """The name of this process in the roll."""
        return self._tools.process

    @property
    def waiting(self) -> int:
        """How many commands wait or are being written."""
        return self._writer.waiting

    def read(self) -> AbstractAsyncContextManager[Reading]:
        """A connection for reading, in one transaction; given back on leaving."""
        return self._reading()

    async def execute(self, function: Callable[[Connection], T]) -> T:
        """Run a function in a write transaction of its own; what it raises rolls back.

        It may run again when the database asks for that.
        """
        result: T = await self._writer.put(
            Job(lambda connection, now: function(connection), is_alone=True), ""
        )
        return result

    async def join(
        self, function: Callable[[Connection, int], T], lane: str, effects: Sequence[Effect] = ()
    ) -> T:
        """Run a function in the next group commit of a lane; it must do little and not raise.

        It may run again when the database asks for that. ``effects`` is work that follows from it.
        """
        result: T = await self._writer.put(Job(function, effects=effects), lane)
        return result

    async def _read(self, function: Callable[[Connection], T]) -> T:
        async with self._reading() as connection:
            return await connection.run_sync(function)

    async def _join(self, function: Callable[[Connection, int], T], lane: str) -> T:
        result: T = await self._writer.put(Job(function), lane)
        return result


def _answer(answers: Answers, effect_id: EffectId) -> tuple[int | None, int | None]:
    said = answers.get(effect_id)
    return (None, None) if said is None else (said.code, said.took_us)
