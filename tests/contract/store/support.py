"""An opened store with time, chance and crash points in the tests' hands, and small commands."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import text

from gateway.domain.case import CaseKey
from gateway.domain.declaration import DeclarationKind
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import (
    CaseId,
    Direction,
    EffectId,
    MessageId,
    ProfileId,
    RawId,
    TenantId,
    case_id,
)
from gateway.domain.money import Money
from gateway.domain.papers import (
    PaperKind,
    PaperRevision,
    PaymentSlip,
    Person,
    SourceFact,
    kind_of,
)
from gateway.ports import (
    Changes,
    Command,
    Effect,
    EffectKind,
    Found,
    Lookup,
    Member,
    NewMessage,
    RawBlob,
    Views,
)
from store.open import StoreLimits, Surroundings, open_store
from store.sql import SQLStore

MASTER_KEY = bytes(range(32))
TENANT = TenantId("shop")
NOW = 1_767_600_000_000_000
PAYER = "张三测试"
ID_NUMBER = "110101199003070003"


class HandClock:
    """Time that moves when told to; waiting is real but short."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> int:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.05))


class SeededRng:
    """Chance that repeats itself."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def guid(self) -> str:
        return f"{self._random.getrandbits(128):032X}"


class Crash(BaseException):
    """The process dies here."""


@dataclass
class CrashBook:
    """Notes the points passed; dies at one of them when asked to."""

    die_at: str = ""
    passed: list[str] = field(default_factory=list)

    def reach(self, point: str) -> None:
        self.passed.append(point)
        if point == self.die_at:
            raise Crash(point)


@dataclass
class Bench:
    """A store and what surrounds it."""

    url: str
    store: SQLStore
    clock: HandClock
    crash: CrashBook

    async def rows(self, statement: str, **values: object) -> list[tuple[Any, ...]]:
        """What a plain SELECT gives."""
        async with self.store.read() as reading:
            return await reading.run_sync(
                lambda connection: [
                    tuple(row) for row in connection.execute(text(statement), values)
                ]
            )

    async def count(self, table: str) -> int:
        """How many rows a table has."""
        rows = await self.rows(f"SELECT count(*) FROM {table}")
        return int(rows[0][0])


@asynccontextmanager
async def opened(
    url: str,
    *,
    limits: StoreLimits | None = None,
    crash: CrashBook | None = None,
    master_key: bytes = MASTER_KEY,
    seed: int = 1,
) -> AsyncIterator[Bench]:
    """A store at an address, closed at the end."""
    clock, book = HandClock(), crash or CrashBook()
    surroundings = Surroundings(clock, SeededRng(seed), book)
    async with open_store(url, master_key, surroundings, limits) as store:
        yield Bench(url, store, clock, book)


# --- commands ---------------------------------------------------------------------------------


def key_of(order_no: str, tenant: TenantId = TENANT) -> CaseKey:
    direction = Direction.IMPORT
    found = case_id(tenant, direction, "PLAT", order_no)
    return CaseKey(found, tenant, direction, "PLAT", order_no, ProfileId("p1"))


def held(reason: str = "test") -> Event:
    return Event(EventKind.CASE_HELD, {"by": "tester", "reason": reason})


def alarm(name: str) -> Event:
    return Event(EventKind.ALARM_RAISED, {"alarm": name})


def planned(kind: str = "order", version: int = 1) -> Event:
    pinned = {"profile": 1, "papers": {}, "goods": {}}
    payload = {
        "kind": kind,
        "version": version,
        "app_type": "1",
        "cop_no": "CG0001",
        "pinned": pinned,
    }
    return Event(EventKind.DECLARATION_PLANNED, payload)


def record(key: CaseKey, *events: Event, **options: Any) -> Command[int]:
    """A command that records events on one case, making it when missing; gives its version."""

    def decide(facts: object, views: Views, found: Found) -> Changes[int]:
        view = views[key.case_id]
        seen = view.version
        view.record(*events)
        return Changes(seen)

    return Command(decide, None, create=(key,), lane=key.order_no, **options)


def peek(*ids: CaseId, with_papers: bool = False) -> Command[Views]:
    """A command that only looks: gives the views of these cases."""

    def decide(facts: object, views: Views, found: Found) -> Changes[Views]:
        return Changes(dict(views))

    return Command(decide, None, load=ids, with_papers=with_papers)


def changing(
    fill: Callable[[Changes[Found], Views, Found], None],
    *,
    create: Sequence[CaseKey] = (),
    load: Sequence[CaseId] = (),
    lookups: Sequence[Lookup] = (),
    with_papers: bool = False,
    lane: str = "",
) -> Command[Found]:
    """A command whose changes ``fill`` writes; gives what its lookups found."""

    def decide(facts: object, views: Views, found: Found) -> Changes[Found]:
        changes: Changes[Found] = Changes(result=dict(found))
        fill(changes, views, found)
        return changes

    return Command(
        decide,
        None,
        create=create,
        load=load,
        lookups=lookups,
        with_papers=with_papers,
        lane=lane,
    )


# --- papers, effects, messages ----------------------------------------------------------------


def slip(number: str, revision: int = 1) -> PaperRevision:
    """A payment slip that names a person."""
    payer = Person(PAYER, "1", ID_NUMBER, "13800000001")
    paper = PaymentSlip(number, Money(Decimal("98.60"), "142"), payer=payer)  # type: ignore[arg-type]
    raw_id = RawId(f"raw-{number}-{revision}")
    fact = SourceFact("api", raw_id, 0, 10, datetime(2026, 1, 5, tzinfo=UTC), paper)
    return PaperRevision(kind_of(paper), revision, f"digest-{number}-{revision}", paper, (fact,))


def take_in(key: CaseKey, revision: PaperRevision) -> Command[Found]:
    """A command as T1 is: raw bytes, a paper, an event."""

    def fill(changes: Changes[Found], views: Views, found: Found) -> None:
        fact = revision.facts[0]
        body = f"payer={PAYER};id={ID_NUMBER};".encode() * 30
        changes.raws.append(RawBlob(fact.raw_id, key.case_id, key.tenant, "api", body, NOW))
        changes.papers.append((key.case_id, revision))
        entry = {
            "kind": PaperKind.PAYMENT.value,
            "revision": revision.revision,
            "digest": revision.digest,
        }
        views[key.case_id].record(Event(EventKind.PAPERS_RECEIVED, {"papers": [entry]}))

    return changing(fill, create=(key,), with_papers=True, lane=key.order_no)


def effect(name: str, due_at: int = NOW, kind: EffectKind = EffectKind.DECLARE) -> Effect:
    return Effect(EffectId(name), kind, "group", due_at, tenant=TENANT, payload={"n": 1})


def leave(*effects: Effect) -> Command[Found]:
    """A command that leaves effects in the outbox."""
    return changing(lambda changes, views, found: changes.effects.extend(effects))


def new_message(name: str, *keys: CaseKey, guid: str = "", **options: Any) -> NewMessage:
    members = tuple(
        Member(key.case_id, DeclarationKind.ORDER, 1, place, "CG0001", "20260105090000")
        for place, key in enumerate(keys)
    )
    return NewMessage(
        MessageId(name),
        guid or f"GUID-{name}",
        DeclarationKind.ORDER,
        TENANT,
        ProfileId("p1"),
        "group",
        NOW,
        members,
        **options,
    )
