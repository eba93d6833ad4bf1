"""What cases share: the accounts of buyers, and who else names a number of a paper.

Read and written with the groups of the command store, a fixed number of statements for a group
however many cases are in it. An account is locked while a group works on it, so of two orders of
one buyer at once the second sees what the first has reserved.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import orjson
from sqlalchemy import Connection

from gateway.domain.case import CaseKey, CaseState
from gateway.domain.codec import state_from_doc
from gateway.domain.ids import CaseId, Direction, ProfileId, TenantId
from gateway.domain.papers import Order, Paper, PaperKind, PaperRevision
from gateway.domain.quota import (
    AccountKey,
    QuotaAccount,
    QuotaEntry,
    QuotaFloor,
    QuotaMove,
    QuotaStage,
    account_year,
    buyer_of,
    moved,
)
from gateway.domain.relations import numbers_of, split_number_of
from gateway.domain.traces import traced, traces_of_late
from gateway.flow.clockwork import local_date
from gateway.ports import Books, CaseView, Lookup, Neighbour
from store.catalogue import Dialect, Values
from store.group import Group, Moved, Tools
from store.papers import PaperPlace, open_revision

# What was given back counts for nothing: a buyer whose orders no longer fit may have thousands.
_COUNTING: Final = (QuotaStage.COMMITTED.value, QuotaStage.RESERVED.value)

Subject = tuple[CaseView, Sequence[Paper]]


def load_books(group: Group, subjects: Sequence[Subject], *, lock: bool = True) -> None:
    """Load what is around these cases and the papers that are to come into them."""
    accounts: set[AccountKey] = set()
    numbers: set[tuple[TenantId, str]] = set()
    parts: set[tuple[TenantId, str]] = set()
    for view, coming in subjects:
        tenant = view.key.tenant
        accounts.update(_account_key(group, tenant, buyer) for buyer in _buyers(view, coming))
        numbers.update((tenant, one) for one in _numbers(view, coming))
        parts.update((tenant, one) for one in map(split_number_of, coming) if one is not None)
    if accounts:
        for account in load_accounts(group, accounts, lock=lock):
            group.books.accounts[account[0]] = account[1]
    if parts and lock:
        _lock_numbers(group, parts)
    if numbers:
        _load_numbers(group, numbers)
    traces = {
        (view.key.tenant, one)
        for view, coming in subjects
        for found in _traces(group, view, coming).values()
        for one in found
    }
    if traces:
        _load_traces(group, traces)


def read_books(
    connection: Connection, tools: Tools, view: CaseView, coming: Sequence[Paper]
) -> Books:
    """The books around one case for somebody who only looks: nothing is locked."""
    group = Group(connection, tools, tools.clock.now())
    load_books(group, [(view, coming)], lock=False)
    _add_own_entry(group, view)
    return books_of(group, view, coming)


def _add_own_entry(group: Group, view: CaseView) -> None:
    """Let somebody who looks see a case's own entry also where it counts for nothing any more."""
    statement = group.tools.statements.books.read_entries
    accounts = group.books.accounts
    for key, entry in map(_entry, statement.run(group.connection, [(view.key.case_id,)])):
        if key in accounts:
            accounts[key] = accounts[key].with_entry(entry)


def books_of(group: Group, view: CaseView, coming: Sequence[Paper]) -> Books:
    """What a decision about a case may see, earlier commands of the group included."""
    tenant, books = view.key.tenant, group.books
    buyers = {}
    for buyer in _buyers(view, coming):
        key = _account_key(group, tenant, buyer)
        account = books.accounts.get(key)
        if account is not None:
            buyers[buyer] = (key, account)
    seen = {
        what: len(
            {case for one in found for case in books.users.get((tenant, one), ())}
            - {view.key.case_id}
        )
        for what, found in _traces(group, view, coming).items()
    }
    near: dict[CaseId, None] = {}
    for number in _numbers(view, coming):
        near.update(books.users.get((tenant, number), {}))
    near.pop(view.key.case_id, None)
    if not near:
        return Books(buyers, seen=seen)
    found = (_neighbour(group, case_id) for case_id in sorted(near))
    return Books(buyers, tuple(one for one in found if one is not None), seen)


def _orders(view: CaseView, coming: Sequence[Paper]) -> list[Order]:
    orders = [one for one in coming if isinstance(one, Order)]
    stored = view.papers.get(PaperKind.ORDER)
    if stored is not None and isinstance(stored.paper, Order):
        orders.append(stored.paper)
    return orders


def _buyers(view: CaseView, coming: Sequence[Paper]) -> set[str]:
    return {buyer for one in _orders(view, coming) if (buyer := buyer_of(one)) is not None}


def _traces(
    group: Group, view: CaseView, coming: Sequence[Paper]
) -> dict[tuple[str, str], tuple[str, ...]]:
    """What is traced of the orders of an import, each with its traces of late."""
    if view.key.direction is not Direction.IMPORT:
        return {}
    day = local_date(group.now)
    found = {pair for one in _orders(view, coming) for pair in traced(one).items()}
    return {pair: traces_of_late(*pair, day) for pair in found}


def _numbers(view: CaseView, coming: Sequence[Paper]) -> set[str]:
    found = {number for paper in coming for number in numbers_of(paper)}
    for revision in _revisions(view):
        found.update(numbers_of(revision.paper))
    return found


def _revisions(view: CaseView) -> tuple[PaperRevision, ...]:
    if not view.earlier:
        return tuple(view.papers.values())
    return (*view.papers.values(), *(one for some in view.earlier.values() for one in some))


def _account_key(group: Group, tenant: TenantId, buyer: str) -> AccountKey:
    found = group.hash_of(Lookup(f"buyer:{tenant}", buyer))
    return AccountKey(tenant, found.hex(), account_year(local_date(group.now)))


# --- accounts ---------------------------------------------------------------------------------


def load_accounts(
    group: Group, keys: Iterable[AccountKey], *, lock: bool
) -> list[tuple[AccountKey, QuotaAccount]]:
    """These accounts with what still counts in them; those that are not stored are empty."""
    statements = group.tools.statements.books
    places = [_place(key) for key in sorted(keys)]
    select = statements.lock_accounts if lock else statements.read_accounts
    floors: dict[AccountKey, QuotaFloor | None] = {}
    for tenant, buyer, year, version, used, at, code in select.run(group.connection, places):
        key = AccountKey(TenantId(tenant), bytes(buyer).hex(), year)
        group.books.versions[key] = version
        floors[key] = None if used is None else QuotaFloor(Decimal(used), at, code)
    entries: dict[AccountKey, list[QuotaEntry]] = defaultdict(list)
    known = [(*_place(key), stage) for key in sorted(floors) for stage in _COUNTING]
    for row in statements.load_entries.run(group.connection, known):
        key, entry = _entry(row)
        entries[key].append(entry)
    return [
        (key, QuotaAccount(key.buyer, key.year, tuple(entries[key]), floors.get(key)))
        for key in sorted(keys)
    ]


def _place(key: AccountKey) -> Values:
    return key.tenant, bytes.fromhex(key.buyer), key.year


def _entry(row: Values) -> tuple[AccountKey, QuotaEntry]:
    """The entry of a row of ``ENTRY_COLUMNS``."""
    case_id, tenant, buyer, year, amount, stage, at, until, returned = row
    key = AccountKey(TenantId(tenant), bytes(buyer).hex(), year)
    return key, QuotaEntry(
        CaseId(case_id), Decimal(amount), QuotaStage(stage), at, until, Decimal(returned)
    )


def entry_row(key: AccountKey, entry: QuotaEntry) -> Values:
    """The values of ``ENTRY_COLUMNS``."""
    return (
        entry.case_id,
        *_place(key),
        format(entry.amount, "f"),
        entry.stage.value,
        entry.at,
        entry.until,
        format(entry.returned, "f"),
    )


def write_books(group: Group) -> None:
    """Write what decisions reserved, then what receipts moved; raises ``Moved`` for a lost race."""
    books, statements = group.books, group.tools.statements.books
    fresh: list[Values] = []
    raised: list[Values] = []
    for key in sorted({key for key, _ in books.reserved.values()}):
        version = books.versions.get(key, 0)
        if version:
            raised.append((*_place(key), version, version + 1))
        else:
            fresh.append((*_place(key), 1))
    for statement, rows in (
        (statements.insert_accounts, fresh),
        (statements.update_accounts, raised),
    ):
        if statement.run(group.connection, rows) != len(rows):
            raise Moved()
    reserved = [entry_row(*books.reserved[case_id]) for case_id in sorted(books.reserved)]
    statements.put_entries.run(group.connection, reserved)
    if books.moves:
        _write_moves(group, books.moves)
    if books.numbers:
        rows = sorted(
            {
                (
                    _number_hash(group, tenant, one.number),
                    one.case_id,
                    one.kind.value,
                    one.revision,
                )
                for tenant, one in books.numbers
            }
        )
        statements.insert_numbers.run(group.connection, rows)


def _write_moves(group: Group, moves: Sequence[QuotaMove]) -> None:
    """Moves of entries, each under the lock of its case; a floor locks its account, too."""
    statements = group.tools.statements.books
    cases = [(case_id,) for case_id in sorted({one.case_id for one in moves})]
    before = {}
    for row in statements.lock_entries.run(group.connection, cases):
        key, entry = _entry(row)
        before[entry.case_id] = (key, entry)
    floored = {one.case_id for one in moves if one.is_about_account}
    wanted = {before[case_id][0] for case_id in floored if case_id in before}
    stored = dict(load_accounts(group, wanted, lock=True)) if wanted else {}
    floors = {key: account.floor for key, account in stored.items()}
    after: dict[CaseId, tuple[AccountKey, QuotaEntry]] = {}
    for move in moves:
        if move.case_id not in before:
            continue
        key, entry = after.get(move.case_id, before[move.case_id])
        account = QuotaAccount(key.buyer, key.year, (entry,), floors.get(key))
        account = moved(account, move)
        after[move.case_id] = (key, account.entries[0])
        if move.is_about_account:
            floors[key] = account.floor
    rows = [entry_row(*after[one]) for one in sorted(after) if after[one] != before[one]]
    statements.put_entries.run(group.connection, rows)
    raised = [
        (*_place(key), format(floor.used, "f"), floor.at, floor.code)
        for key, floor in sorted(floors.items())
        if floor is not None and floor != stored[key].floor
    ]
    statements.raise_floor.run(group.connection, raised)


# --- numbers ----------------------------------------------------------------------------------


def _number_hash(group: Group, tenant: TenantId, number: str) -> bytes:
    return group.hash_of(Lookup(f"number:{tenant}", number))


def _lock_numbers(group: Group, numbers: Iterable[tuple[TenantId, str]]) -> None:
    """Let the parts of one whole come in one after the other: each sees those before it.

    A number has no row to lock before its first use. SQLite has one writer anyhow.
    """
    statements = group.tools.statements
    if statements.dialect is not Dialect.POSTGRESQL:
        return
    hashes = sorted(_number_hash(group, *one)[:8] for one in numbers)
    places = [int.from_bytes(one, signed=True) for one in hashes]
    group.connection.exec_driver_sql(statements.books.lock_numbers, (places,))


def _load_numbers(group: Group, numbers: Iterable[tuple[TenantId, str]]) -> None:
    """Who else names these numbers, and their papers."""
    by_hash = {_number_hash(group, *one): one for one in numbers}
    statement = group.tools.statements.books.load_numbers
    rows = statement.run(group.connection, [(one,) for one in sorted(by_hash)])
    users = group.books.users
    for key_hash, case_id in rows:
        users.setdefault(by_hash[bytes(key_hash)], {})[CaseId(case_id)] = None
    at_hand = {case_id for case_id, case in group.cases.items() if case.view.papers}
    far = {one for number in by_hash.values() for one in users.get(number, {})} - at_hand
    far -= set(group.books.neighbours)
    if far:
        group.books.neighbours |= _load_neighbours(group, sorted(far))


def _load_traces(group: Group, traces: Iterable[tuple[TenantId, str]]) -> None:
    """Which cases left these traces; their papers are of no interest."""
    by_hash = {_number_hash(group, *one): one for one in traces}
    statement = group.tools.statements.books.load_traces
    rows = statement.run(group.connection, [(one,) for one in sorted(by_hash)])
    for key_hash, case_id in rows:
        group.books.users.setdefault(by_hash[bytes(key_hash)], {})[CaseId(case_id)] = None


def _load_neighbours(group: Group, cases: Sequence[CaseId]) -> dict[CaseId, Neighbour]:
    tools, statements = group.tools, group.tools.statements
    keys: dict[CaseId, tuple[CaseKey, bytes | None]] = {}
    places: list[PaperPlace] = []
    for row in statements.case.load.run(group.connection, [(one,) for one in cases]):
        case_id = CaseId(row[0])
        keys[case_id] = (key_of_row(row), row[4])
        places += places_of(case_id, state_from_doc(orjson.loads(row[11])))
    opened: dict[PaperPlace, PaperRevision] = {}
    missing: dict[Values, PaperPlace] = {}
    for place in places:
        revision = tools.papers.get(place)
        if revision is None:
            missing[place.case_id, place.kind.value, place.revision] = place
        else:
            opened[place] = revision
    for row in statements.case.load_papers.run(group.connection, sorted(missing)):
        place = missing[row[0], row[1], row[2]]
        key = tools.keys.unwrap("case_", place.case_id, keys[place.case_id][1])
        opened[place] = open_revision(place, row[3], key)
    return {
        case_id: Neighbour(
            key, tuple(opened[one] for one in places if one.case_id == case_id and one in opened)
        )
        for case_id, (key, _) in keys.items()
    }


def key_of_row(row: Values) -> CaseKey:
    """The case of a row of ``CASE_COLUMNS``."""
    tenant, direction, platform, order_no, profile_id = row[6:11]
    return CaseKey(
        CaseId(row[0]),
        TenantId(tenant),
        Direction(direction),
        platform,
        order_no,
        ProfileId(profile_id),
    )


def places_of(case_id: CaseId, state: CaseState) -> list[PaperPlace]:
    """The newest revision of each paper, and those of other numbers that stand beside it."""
    return [
        PaperPlace(case_id, kind, revision)
        for kind, stamp in (state.papers or {}).items()
        for revision in (stamp.revision, *stamp.earlier)
    ]


def _neighbour(group: Group, case_id: CaseId) -> Neighbour | None:
    case = group.cases.get(case_id)
    if case is not None and case.view.papers:
        return Neighbour(case.view.key, _revisions(case.view))
    return group.books.neighbours.get(case_id)
