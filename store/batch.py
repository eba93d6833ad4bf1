"""A batch of commands in as few transactions as possible: load, decide, write, commit.

A whole batch is tried as one group. A command whose decision raises gets its exception and leaves
no trace in the views that the others share; a group whose rows moved is decided again; a group
that the database refuses is rolled back and halved until the bad command stands alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from gateway.domain.case import CaseKey, CaseState
from gateway.domain.codec import state_from_doc
from gateway.domain.errors import Conflict, GatewayError
from gateway.domain.ids import CaseId
from gateway.domain.papers import PaperRevision
from gateway.ports import CaseView, Changes, Command, Effect, Lookup, Views
from store.books import Subject, books_of, key_of_row, load_books, places_of
from store.catalogue import Values
from store.claims import is_held
from store.commit import write_group
from store.errors import UnknownCommit
from store.events import GENESIS
from store.group import CaseInWork, Faulty, Group, Item, Job, Marks, Moved, Snapshot, Tools
from store.papers import PaperPlace, open_revision
from store.states import KnownState

_RETRIES: Final = 8
# Serialisation failure, deadlock, lock not available: PostgreSQL asks to try again.
_AGAIN: Final = frozenset({"40001", "40P01", "55P03"})
# What a decision or the encoding of its changes may raise without being a fault of the group.
_FAULTS: Final = (
    GatewayError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class Failed:
    """The exception of one item, in place of its result."""

    error: Exception


@dataclass(frozen=True, slots=True)
class Done:
    """The result of one committed item (Any: each command has its own)."""

    result: Any


@dataclass(slots=True)
class BatchResult:
    """What became of a batch: an outcome per item, None for one that a broken connection left."""

    outcomes: list[Done | Failed | None]
    handed_over: list[Effect] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _GroupResult:
    outcomes: list[Done | Failed]
    handed_over: list[Effect]


def run_batch(connection: Connection, items: Sequence[Item], tools: Tools) -> BatchResult:
    """Run a batch to the end on a connection that has no transaction open.

    Stops early, leaving outcomes None, when the connection breaks before a commit.
    """
    batch = BatchResult([None] * len(items))
    waiting = [list(range(len(items)))]
    while waiting:
        indices = waiting.pop()
        if not _run_indices(connection, items, indices, tools, batch):
            waiting += [indices[len(indices) // 2 :], indices[: len(indices) // 2]]
        if connection.invalidated:
            break
    return batch


def foresee(
    commands: Sequence[Command[Any]], tools: Tools, connection: Connection
) -> list[Done | Failed]:
    """What commands would come to, each by itself on the cases as they are; nothing is written or
    locked, and what a decision changed on its views is put back.
    """
    group = Group(connection, tools, tools.clock.now())
    _load(group, commands, set(), lock=False)
    outcomes: list[Done | Failed] = []
    for command in commands:
        asked = _asked(group, command)
        try:
            changes = command.decide(command.facts, asked.views, asked.found)
            _check(group, changes, asked.views)
            outcomes.append(Done(changes.result))
        except _FAULTS as fault:
            outcomes.append(Failed(fault))
        finally:
            _restore(asked.before)
    return outcomes


def _run_indices(
    connection: Connection,
    items: Sequence[Item],
    indices: list[int],
    tools: Tools,
    batch: BatchResult,
) -> bool:
    """Try these items as one group until it commits; False when it has to be halved."""
    retries, taken = 0, set[Lookup]()
    while indices:
        error: Exception
        try:
            result = _run_group(connection, [items[index] for index in indices], tools, taken)
        except Faulty as fault:
            batch.outcomes[indices.pop(fault.index)] = Failed(fault.error)
            continue
        except Moved as fault:
            taken.update(fault.claims)
            error = Conflict("these cases are being changed by others all the time")
            retries += 1
            if retries <= _RETRIES:
                continue
        except UnknownCommit as fault:
            for index in indices:
                batch.outcomes[index] = Failed(fault)
            return True
        except (SQLAlchemyError, *_FAULTS) as fault:
            if connection.invalidated:
                return True
            retries += 1
            if _may_try_again(fault) and retries <= _RETRIES:
                continue
            error = _translated(fault)
        else:
            for index, outcome in zip(indices, result.outcomes, strict=True):
                batch.outcomes[index] = outcome
            batch.handed_over += result.handed_over
            return True
        if len(indices) > 1:
            return False
        batch.outcomes[indices[0]] = Failed(error)
        return True
    return True


def _may_try_again(fault: Exception) -> bool:
    if not isinstance(fault, DBAPIError):
        return False
    return getattr(fault.orig, "sqlstate", None) in _AGAIN


def _translated(fault: Exception) -> Exception:
    if isinstance(fault, IntegrityError):
        conflict = Conflict("a fact that must be unique is already taken")
        conflict.__cause__ = fault
        return conflict
    return fault


def _run_group(
    connection: Connection, items: Sequence[Item], tools: Tools, taken: set[Lookup]
) -> _GroupResult:
    """One try: everything of the group in one transaction."""
    stages = sorted({item.stage for item in items if isinstance(item, Command)})
    transaction = connection.begin()
    try:
        group = Group(connection, tools, tools.clock.now())
        _load(group, [item for item in items if isinstance(item, Command)], taken)
        _reach(tools, stages, "loaded")
        outcomes = [_run_item(group, index, item) for index, item in enumerate(items)]
        handed_over = write_group(group)
        for index, item in enumerate(items):
            if isinstance(item, Job):
                outcomes[index] = _run_job(group, index, item)
        _reach(tools, stages, "before_commit")
    except BaseException:
        transaction.rollback()
        raise
    try:
        transaction.commit()
    except DBAPIError as fault:
        if fault.connection_invalidated:
            raise UnknownCommit("the connection broke during the commit") from fault
        transaction.rollback()
        raise
    _remember(group)
    _reach(tools, stages, "committed")
    return _GroupResult(outcomes, handed_over)


def _remember(group: Group) -> None:
    """Keep what was just committed: the next command of these cases is usually near."""
    tools = group.tools
    for place, revision, size in group.written:
        tools.papers.put(place, revision, size)
    for case_id, case in group.cases.items():
        view = case.view
        if view.new_events:
            tools.states.put(case_id, KnownState(case.head[1], view.key, view.state))


def _run_job(group: Group, index: int, job: Job) -> Done:
    try:
        return Done(job.function(group.connection, group.now))
    except Moved:
        raise
    except Exception as fault:
        if group.connection.invalidated or _may_try_again(fault):
            raise
        raise Faulty(index, _translated(fault)) from fault


def _reach(tools: Tools, stages: Sequence[str], point: str) -> None:
    for stage in stages:
        tools.crash.reach(f"{stage}.{point}")


# --- loading ----------------------------------------------------------------------------------


def _load(
    group: Group, commands: Sequence[Command[Any]], taken: set[Lookup], *, lock: bool = True
) -> None:
    created: dict[CaseId, CaseKey] = {}
    wanted: set[CaseId] = set()
    lookups: set[Lookup] = set(taken)
    papers: set[CaseId] = set()
    for command in commands:
        for key in command.create:
            created.setdefault(key.case_id, key)
        wanted.update(command.load)
        lookups.update(command.lookups)
        if command.with_papers:
            papers.update(command.load)
            papers.update(key.case_id for key in command.create)
    _load_cases(group, sorted(wanted.union(created)), lock=lock)
    for case_id, key in created.items():
        if case_id not in group.cases:
            view = CaseView(key, CaseState(), 0, {})
            group.cases[case_id] = CaseInWork(
                view, 0, (0, GENESIS), None, was_open=True, is_live=False
            )
    _load_claims(group, lookups)
    _load_papers(group, papers)
    load_books(group, list(_subjects(group, commands)), lock=lock)


def _subjects(group: Group, commands: Sequence[Command[Any]]) -> Iterator[Subject]:
    """The cases whose books are wanted, each with the papers that are to come."""
    for command in commands:
        if not command.with_papers:
            continue
        for case_id in (*(key.case_id for key in command.create), *command.load):
            case = group.cases.get(case_id)
            if case is not None:
                yield case.view, command.coming


def _load_cases(group: Group, ids: Sequence[CaseId], *, lock: bool) -> None:
    """Load stored cases. Most states are known here: only the others are read, once their rows are
    locked and cannot change between the two statements.
    """
    statements, keys = group.tools.statements.case, [(case_id,) for case_id in ids]
    unknown = keys
    if lock:
        unknown = []
        for row in statements.lock.run(group.connection, keys):
            known = group.tools.states.get(row[0], bytes(row[3]))
            if known is None:
                unknown.append((row[0],))
            else:
                group.cases[known.key.case_id] = _case_in_work(row, known)
    for row in statements.load.run(group.connection, unknown):
        state = state_from_doc(orjson.loads(row[11]))
        known = KnownState(bytes(row[3]), key_of_row(row), state)
        group.cases[known.key.case_id] = _case_in_work(row, known)


def _case_in_work(row: Values, known: KnownState) -> CaseInWork:
    """The case of a row that begins with ``CASE_HEAD``."""
    _, version, seq, head, wrapped_key, is_open = row[:6]
    view = CaseView(known.key, known.state, version, {})
    return CaseInWork(
        view, version, (seq, bytes(head)), wrapped_key, was_open=bool(is_open), is_live=True
    )


def _load_claims(group: Group, lookups: set[Lookup]) -> None:
    by_hash = {group.hash_of(lookup): lookup for lookup in lookups}
    statement = group.tools.statements.case.load_claims
    keys = [(key_hash,) for key_hash in sorted(by_hash)]
    for key_hash, case_id, lapses_at in statement.run(group.connection, keys):
        lookup = by_hash[bytes(key_hash)]
        if is_held(lapses_at, group.now):
            group.holders[lookup] = CaseId(case_id)
        else:
            group.lapsed[lookup] = lapses_at


def _load_papers(group: Group, cases: set[CaseId]) -> None:
    """The newest revisions of these cases, as their states name them: cached, or opened."""
    missing: list[PaperPlace] = []
    for case_id in cases:
        case = group.cases.get(case_id)
        if case is None:
            continue
        for place in places_of(case_id, case.view.state):
            revision = group.tools.papers.get(place)
            if revision is None:
                missing.append(place)
            else:
                _put_paper(case.view, revision)
    places = {(place.case_id, place.kind.value, place.revision): place for place in missing}
    statement = group.tools.statements.case.load_papers
    for row in statement.run(group.connection, sorted(places)):
        place = places[row[0], row[1], row[2]]
        case = group.cases[place.case_id]
        _put_paper(case.view, open_revision(place, row[3], case.data_key(group.tools)))


def _put_paper(view: CaseView, revision: PaperRevision) -> None:
    stamp = (view.state.papers or {})[revision.kind]
    if revision.revision == stamp.revision:
        view.papers[revision.kind] = revision
    else:
        view.earlier[revision.kind] = (*view.earlier.get(revision.kind, ()), revision)


# --- deciding ---------------------------------------------------------------------------------


def _run_item(group: Group, index: int, item: Item) -> Done | Failed:
    if isinstance(item, Command):
        return _decide(group, index, item)
    if isinstance(item, Marks):
        group.collected.settled += item.settled
        group.collected.delayed += item.delayed
        group.collected.retried += item.retried
    elif item.effects:
        group.collected.effects.update((one.effect_id, one) for one in item.effects)
    return Done(None)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a command decides on, and how its views were before."""

    views: Views
    found: Mapping[Lookup, CaseId]
    before: Sequence[Snapshot]


def _asked(group: Group, command: Command[Any]) -> _Asked:
    ids = dict.fromkeys((*(key.case_id for key in command.create), *command.load))
    created = {key.case_id for key in command.create}
    cases = {
        case_id: group.cases[case_id]
        for case_id in ids
        if case_id in group.cases and (case_id in created or group.cases[case_id].is_live)
    }
    before = [Snapshot.of(case) for case in cases.values()]
    views = {case_id: case.view for case_id, case in cases.items()}
    if command.with_papers:
        for view in views.values():
            view.books = books_of(group, view, command.coming)
    found = {lookup: group.holders[lookup] for lookup in command.lookups if lookup in group.holders}
    return _Asked(views, found, before)


def _decide(group: Group, index: int, command: Command[Any]) -> Done | Failed:
    """Decide one command on the shared views; what it raises is put back and is its own."""
    asked = _asked(group, command)
    before = asked.before
    try:
        changes = command.decide(command.facts, asked.views, asked.found)
        _check(group, changes, asked.views)
    except _FAULTS as fault:
        _restore(before)
        return Failed(fault)
    except Exception as fault:
        _restore(before)
        raise Faulty(index, fault) from fault
    _accept(group, index, changes, before)
    return Done(changes.result)


def _restore(before: Sequence[Snapshot]) -> None:
    for snapshot in before:
        snapshot.restore()


def _check(group: Group, changes: Changes[Any], views: Views) -> None:
    """Refuse changes that could not be read back, or that take what another case holds."""
    for lookup, case_id, _ in changes.claims:
        if group.holders.get(lookup, case_id) != case_id:
            raise Conflict("another case holds this reference")
    for case_id in (*(one[0] for one in changes.papers), *(raw.case_id for raw in changes.raws)):
        if case_id not in views:
            raise LookupError("a blob belongs to a case that the command did not name")
        if not (group.cases[case_id].is_live or views[case_id].new_events):
            raise ValueError("a new case with a blob needs an event")


def _accept(group: Group, index: int, changes: Changes[Any], before: Sequence[Snapshot]) -> None:
    """Make a decision part of the group, visible to the commands after it."""
    for lookup, case_id, tenant in changes.claims:
        if lookup not in group.holders:
            group.holders[lookup] = case_id
            group.collected.claims[lookup] = (case_id, tenant, changes.lapses.get(lookup))
    for case_id, revision in changes.papers:
        group.cases[case_id].view.papers[revision.kind] = revision
    group.collected.add(index, changes)
    group.books.add(changes, group.cases)
    for snapshot in before:
        view = snapshot.case.view
        if len(view.new_events) > snapshot.events:
            view.version += 1
            snapshot.case.is_live = True
