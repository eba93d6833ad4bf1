"""Inventing open cases: some through ordinary intake, the many poured from what it decided.

Ordinary intake takes about a millisecond of CPU a case. A peak leaves a million cases, so beyond
the first ones a case is poured from a mould (``store.seeding``): the decision about an order like
it, with other numbers and another buyer.
"""

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

import orjson

from gateway.api.decode import PaperItem, decode_line
from gateway.app.container import Gateway
from gateway.app.demo_orders import DemoOrder, check_digit, seed_buyers, seed_orders
from gateway.app.surroundings import NoCrash
from gateway.domain.case import CaseState
from gateway.domain.profile import FilingProfile
from gateway.flow.incoming import Incoming
from gateway.flow.ingest import Item, case_key, claim_of, intake_command
from gateway.flow.match import Bench
from gateway.ports import CaseView
from store.seeding import Mould, Pour

TAKEN_IN: Final = 1_000
"""How many cases go through ordinary intake before any is poured."""
_BATCH: Final = 1_000
_MOULDS: Final = 200
# Their numbers are those of no case: moulds are never stored.
_MOULD_NUMBER: Final = 99_000_000
_AT_ONCE: Final = 2
_SOURCE: Final = "seed"
# Neighbours have different buyers.
_SPREAD: Final = 7_919
_DIGITS: Final = 8
_BODY: Final = 17


def papers_of(order: DemoOrder, profile: FilingProfile) -> list[Incoming]:
    """The papers of an order as intake takes them, each with its bytes."""
    papers = []
    for line in order.lines():
        raw = orjson.dumps(line)
        item = decode_line(raw)
        assert isinstance(item, PaperItem)
        papers.append(Incoming(profile.tenant, profile, item.paper, _SOURCE, raw))
    return papers


async def invent(
    gateway: Gateway,
    profile: FilingProfile,
    first: int,
    count: int,
    seed: int,
    told: Callable[[int], None] = lambda _: None,
    *,
    taken_in: int = TAKEN_IN,
) -> None:
    """Invent the cases numbered from ``first`` on; the same seed invents the same ones.

    ``told`` hears how many are there, a batch at a time.
    """
    taken = min(count, max(0, taken_in - first))
    for at in range(first, first + taken, _BATCH):
        orders = seed_orders(profile.profile_id, at, min(_BATCH, first + taken - at), seed)
        await gateway.ingest.take([one for order in orders for one in papers_of(order, profile)])
        told(min(at + _BATCH, first + taken) - first)
    if taken == count:
        return
    moulds = [await _mould(gateway, profile, number, seed) for number in range(_MOULDS)]
    wanted = _pours(moulds, range(first + taken, first + count), seed)
    batches = iter(lambda: list(islice(wanted, _BATCH)), [])
    done = taken

    async def work() -> None:
        # Each takes the next batch: while one waits for the database, another makes rows.
        nonlocal done
        for batch in batches:
            await gateway.store.pour(batch)
            done += len(batch)
            told(done)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_AT_ONCE):
            tasks.create_task(work())


async def _mould(gateway: Gateway, profile: FilingProfile, number: int, seed: int) -> Mould:
    """What intake decides of an order that is not stored."""
    context = gateway.context
    (order,) = seed_orders(profile.profile_id, _MOULD_NUMBER + number, 1, seed)
    papers = papers_of(order, profile)
    key = case_key(papers[0], order.order_no)
    items = [Item(at, one, claim_of(one.paper, profile)) for at, one in enumerate(papers)]
    bench = Bench(profile, context.master, context.matcher, NoCrash(), context.clock.now())
    command = intake_command(key, items, bench)
    view = CaseView(key, CaseState(), 0, {})
    view.books = await context.store.load_books(view, command.coming)
    found = await context.store.find_claims(command.lookups)
    changes = command.decide(command.facts, {key.case_id: view}, found)
    buyer = order.order["buyer"]["id_number"][:_BODY]
    return Mould(view, changes, order.order_no[-_DIGITS:], buyer)


def _pours(moulds: list[Mould], numbers: range, seed: int) -> Iterator[tuple[Mould, Pour]]:
    """A mould and what goes into it for each number; a buyer has a few of the cases."""
    buyers = seed_buyers(max(len(numbers) // 2, 100))
    for number in numbers:
        mould = moulds[number % len(moulds)]
        known = buyers[check_digit(mould.buyer)]
        text = f"{number:0{_DIGITS}d}"
        yield mould, Pour(f"SEED-{seed}-{text}", text, known[number * _SPREAD % len(known)])
