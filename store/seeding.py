"""Many cases at once from a few moulds: invented cases for trials at the size of a peak.

A mould is what intake decided of one invented order, as the rows that the command store would
write. Pouring it puts other numbers and another buyer into those rows: hashes, keys, seals and the
chain of events are made anew, so a poured case is like any other. Numbers keep their length, so
spans of raw bytes stay right.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Connection, select

from gateway.domain.case import CaseKey
from gateway.domain.codec import revision_to_doc, state_to_doc
from gateway.domain.ids import CaseId, EffectId, RawId, case_id, effect_id
from gateway.domain.lifecycle import FINAL_STAGES, case_stage
from gateway.domain.papers import Order, PaperKind
from gateway.domain.quota import AccountKey, buyer_of
from gateway.ports import CaseView, Changes, Lookup
from store.books import entry_row
from store.catalogue import Values
from store.commit import effect_row, write_events
from store.crypto import DataKey
from store.events import GENESIS, EventRow, canonical_json, event_hash
from store.group import Group, Tools
from store.papers import PaperPlace
from store.tables import case_

Swap = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Pour:
    """One case to be poured: its order number, the digits that stand for the mould's in every
    number, and the first 17 characters of the buyer's document.
    """

    order_no: str
    number: str
    buyer: str


@dataclass(frozen=True, slots=True)
class Mould:
    """What intake decided of one order that is not stored (Any: its result, which nobody reads).

    ``number`` and ``buyer`` are the texts that each pour replaces by its own, of the same length.
    """

    view: CaseView
    changes: Changes[Any]
    number: str
    buyer: str
    document: str = field(init=False)
    doc: bytes = field(init=False)
    events: tuple[tuple[str, bytes], ...] = field(init=False)
    papers: tuple[tuple[str, int, bytes, bytes, bytes], ...] = field(init=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        order = self.view.papers[PaperKind.ORDER].paper
        assert isinstance(order, Order)
        put(self, "document", buyer_of(order) or "")
        put(self, "doc", orjson.dumps(state_to_doc(self.view.state)))
        events = [(one.kind.value, canonical_json(one.payload)) for one in self.view.new_events]
        put(self, "events", tuple(events))
        papers = []
        for _, revision in self.changes.papers:
            whole = revision_to_doc(revision)
            content = orjson.dumps(revision.doc, option=orjson.OPT_SORT_KEYS)
            kind, digest = revision.kind.value, revision.digest.encode()
            papers.append((kind, revision.revision, digest, content, orjson.dumps(whole)))
        put(self, "papers", tuple(papers))


@dataclass(slots=True)
class _Rows:
    """The rows of many cases, table by table."""

    cases: list[Values] = field(default_factory=list)
    events: list[EventRow] = field(default_factory=list)
    claims: list[Values] = field(default_factory=list)
    accounts: set[Values] = field(default_factory=set)
    entries: list[Values] = field(default_factory=list)
    numbers: list[Values] = field(default_factory=list)
    papers: list[Values] = field(default_factory=list)
    raws: list[Values] = field(default_factory=list)
    waits: list[Values] = field(default_factory=list)
    effects: list[Values] = field(default_factory=list)


def pour(tools: Tools, wanted: Sequence[tuple[Mould, Pour]], connection: Connection) -> int:
    """Write the cases that are not there yet, in the transaction of the caller; how many."""
    ids = [_case_of(mould.view.key, one.order_no) for mould, one in wanted]
    known = set(connection.scalars(select(case_.c.case_id).where(case_.c.case_id.in_(ids))))
    group, rows = Group(connection, tools, tools.clock.now()), _Rows()
    for name, (mould, one) in zip(ids, wanted, strict=True):
        if name not in known:
            _cast(group, mould, one, name, rows)
    _write(group, rows)
    return len(rows.cases)


def _case_of(key: CaseKey, order_no: str) -> CaseId:
    return case_id(key.tenant, key.direction, key.platform, order_no)


def _write(group: Group, rows: _Rows) -> None:
    on, statements = group.connection, group.tools.statements
    case, books = statements.case, statements.books
    case.insert.run(on, sorted(rows.cases))
    write_events(group, sorted(rows.events))
    # Numbers that are spoken for stay with who has them, as with intake.
    case.insert_claims.run(on, sorted(rows.claims))
    books.insert_accounts.run(on, sorted(rows.accounts))
    books.put_entries.run(on, sorted(rows.entries))
    books.insert_numbers.run(on, sorted(set(rows.numbers)))
    case.insert_papers.run(on, sorted(rows.papers))
    case.insert_raws.run(on, sorted(rows.raws))
    case.insert_waits.run(on, sorted(rows.waits))
    statements.outbox.insert.run(on, sorted(rows.effects))


def _swapped(text: bytes, swaps: Swap) -> bytes:
    for old, new in swaps:
        text = text.replace(old, new)
    return text


def _cast(group: Group, mould: Mould, one: Pour, name: CaseId, rows: _Rows) -> None:
    """The rows of one case."""
    tools, now, view = group.tools, group.now, mould.view
    key = view.key
    made = tools.keys.new_key("case_", name, tools.rng)
    swaps: Swap = (
        (key.case_id.encode(), name.encode()),
        (mould.number.encode(), one.number.encode()),
        (mould.buyer.encode(), one.buyer.encode()),
    )
    swaps += _raws(group, mould, name, made.key, swaps, rows)
    swaps += _papers(group, mould, name, made.key, swaps, rows)
    head = GENESIS
    for seq, (kind, payload) in enumerate(mould.events, 1):
        text = _swapped(payload, swaps)
        link = event_hash(head, name, seq, kind, now, text)
        rows.events.append((name, seq, key.tenant, kind, text.decode(), now, head, link))
        head = link
    stage = case_stage(view.state)
    verdict = view.state.verdict
    rows.cases.append(
        (
            name, 1, len(mould.events), head, made.wrapped, stage not in FINAL_STAGES, key.tenant,
            key.direction.value, key.platform, one.order_no, key.profile_id,
            _swapped(mould.doc, swaps).decode(), stage.value, view.state.hold is not None,
            len(verdict.findings) if verdict else 0, now, now,
        )
    )  # fmt: skip
    _references(group, mould, one, name, rows)


def _raws(group: Group, mould: Mould, name: CaseId, key: DataKey, swaps: Swap, rows: _Rows) -> Swap:
    """The raw bytes under ids of their own; what to swap for the mould's ids."""
    found: Swap = ()
    for raw in mould.changes.raws:
        body = _swapped(raw.body, swaps)
        raw_id = RawId(hashlib.sha256(f"{name}|{raw.raw_id}".encode()).hexdigest()[:24])
        found += ((raw.raw_id.encode(), raw_id.encode()),)
        rows.raws.append(
            (
                raw_id, name, raw.tenant, raw.source, hashlib.sha256(body).digest(), len(body),
                key.seal("raw", raw_id, body, group.tools.rng), group.now,
            )
        )  # fmt: skip
    return found


def _papers(
    group: Group, mould: Mould, name: CaseId, key: DataKey, swaps: Swap, rows: _Rows
) -> Swap:
    """The sealed papers; what to swap for the mould's digests."""
    found: Swap = ()
    for kind, revision, digest, content, whole in mould.papers:
        fresh = hashlib.sha256(_swapped(content, swaps)).hexdigest()[:32]
        found += ((digest, fresh.encode()),)
        place = PaperPlace(name, PaperKind(kind), revision).row_id
        body = _swapped(_swapped(whole, swaps), found[-1:])
        sealed = key.seal("paper", place, body, group.tools.rng)
        rows.papers.append((name, kind, revision, fresh, sealed, group.now))
    return found


def _references(group: Group, mould: Mould, one: Pour, name: CaseId, rows: _Rows) -> None:
    """Claims, the buyer's quota, numbers, what the case waits for, and its timers."""
    changes, tenant = mould.changes, mould.view.key.tenant

    def own(text: str) -> str:
        return text.replace(mould.number, one.number).replace(mould.buyer, one.buyer)

    for lookup, _, owner in changes.claims:
        mine = group.tools.keys.lookup_hash(Lookup(lookup.kind, own(lookup.value)))
        rows.claims.append((mine, lookup.kind, name, owner, changes.lapses.get(lookup)))
    for before, entry in changes.reserved:
        hashed = group.tools.keys.lookup_hash(Lookup(f"buyer:{tenant}", own(mould.document)))
        account = AccountKey(tenant, hashed.hex(), before.year)
        rows.accounts.add((tenant, hashed, account.year, 1))
        rows.entries.append((name, *entry_row(account, entry)[1:]))
    for use in changes.numbers:
        number = group.tools.keys.lookup_hash(Lookup(f"number:{tenant}", own(use.number)))
        rows.numbers.append((number, name, use.kind.value, use.revision))
    for _, owner, ref in changes.waits:
        rows.waits.append((owner, own(ref), name))
    for effect in changes.effects:
        row = effect_row(effect, effect.due_at)
        mine_id: EffectId = effect_id(name, "seeded", effect.effect_id)
        rows.effects.append((mine_id, *row[1:4], name, *row[5:], None))
