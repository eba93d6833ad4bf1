"""What cases share: accounts of buyers and numbers, on every database."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from gateway.domain.case import CaseKey, CaseState
from gateway.domain.events import Event, EventKind
from gateway.domain.ids import CaseId, TenantId
from gateway.domain.money import Money
from gateway.domain.papers import Order, PaperKind, PaperRevision, PaymentSlip, Person
from gateway.domain.quota import QuotaMove, QuotaStage, QuotaStep, asked, buyer_of
from gateway.domain.relations import numbers_of
from gateway.ports import Books, CaseView, Changes, Command, Found, NumberUse, Reserved, Views
from store.open import StoreLimits
from store.statements import NEIGHBOURS
from store.writer import WriterLimits
from tests.contract.store.support import (
    ID_NUMBER,
    NOW,
    TENANT,
    Bench,
    changing,
    held,
    key_of,
    opened,
    slip,
)

LIMIT = Decimal(26000)
ZERO = Money(Decimal(0))


def order_of(order_no: str, id_number: str = ID_NUMBER) -> Order:
    buyer = Person("张三", "1", id_number)
    return Order(order_no, ZERO, ZERO, ZERO, ZERO, ZERO, (), buyer)


def ordering(key: CaseKey, amount: str, id_number: str = ID_NUMBER) -> Command[Decimal]:
    """Reserve an amount for the buyer of an order; gives what was left before it."""
    paper = order_of(key.order_no, id_number)

    def decide(facts: object, views: Views, found: Found) -> Changes[Decimal]:
        view = views[key.case_id]
        account = view.books.account(buyer_of(paper))
        assert account is not None
        changes = Changes(LIMIT - account[1].used() - account[1].reserved(NOW))
        entry = asked(account[1], key.case_id, Decimal(amount), LIMIT, NOW).entry(key.case_id)
        assert entry is not None
        changes.reserved.append(Reserved(account[0], entry))
        view.record(held())
        return changes

    return Command(
        decide, None, create=(key,), with_papers=True, coming=(paper,), lane=key.order_no
    )


def moving(*moves: QuotaMove) -> Command[Found]:
    return changing(lambda changes, views, found: changes.quota_moves.extend(moves))


async def books(bench: Bench, tenant: TenantId = TENANT, id_number: str = ID_NUMBER) -> Books:
    """What a new case of this buyer would see."""
    view = CaseView(key_of("NEW", tenant), CaseState(), 0, {})
    return await bench.store.load_books(view, (order_of("NEW", id_number),))


async def used(bench: Bench) -> list[str]:
    """What the buyer has used, and what is reserved."""
    account = (await books(bench)).account(buyer_of(order_of("NEW")))
    assert account is not None
    return [f"{one:f}" for one in (account[1].used(), account[1].reserved(NOW))]


async def test_orders_of_one_buyer_see_each_other_in_one_group(bench: Bench) -> None:
    keys = [key_of(f"A{n}") for n in range(3)]
    got = await bench.store.submit_all([ordering(key, "9000") for key in keys])
    assert sorted(one for one in got if isinstance(one, Decimal)) == [8000, 17000, 26000]
    # The third one does not fit; it holds nothing back.
    assert await used(bench) == ["0", "18000"]
    stages = await bench.rows("SELECT stage, amount FROM quota_entry ORDER BY stage")
    assert stages == [("given_back", "9000"), ("reserved", "9000"), ("reserved", "9000")]


async def test_what_does_not_fit_is_seen_by_its_own_case_only(bench: Bench) -> None:
    keys = [key_of(f"A{n}") for n in range(3)]
    for key in keys:
        await bench.store.submit(ordering(key, "20000"))

    async def seen(key: CaseKey) -> list[tuple[str, str]]:
        view = CaseView(key, CaseState(), 0, {})
        found = await bench.store.load_books(view, (order_of(key.order_no),))
        account = found.account(buyer_of(order_of(key.order_no)))
        assert account is not None
        return sorted((one.case_id, one.stage.value) for one in account[1].entries)

    first, second = (key.case_id for key in keys[:2])
    assert await seen(keys[0]) == [(first, "reserved")]
    assert await seen(keys[1]) == sorted([(first, "reserved"), (second, "given_back")])


async def test_buyers_and_tenants_are_apart_and_nobody_is_named(bench: Bench) -> None:
    other = TenantId("other")
    await bench.store.submit_all(
        [ordering(key_of("A"), "1"), ordering(key_of("B"), "2", "110101199003070011")]
    )
    await bench.store.submit(ordering(key_of("A", other), "4"))
    assert await used(bench) == ["0", "1"]
    elsewhere = (await books(bench, other)).account(buyer_of(order_of("NEW")))
    assert elsewhere is not None
    assert elsewhere[1].reserved(NOW) == 4
    rows = await bench.rows("SELECT tenant, buyer FROM quota_account")
    assert len({bytes(buyer) for _, buyer in rows}) == 3
    assert ID_NUMBER.encode() not in b"".join(bytes(buyer) for _, buyer in rows)


async def test_receipts_commit_give_back_return_and_raise_the_floor(bench: Bench) -> None:
    first, second = key_of("A"), key_of("B")
    await bench.store.submit_all([ordering(first, "1000.50"), ordering(second, "20")])
    commit = QuotaMove(first.case_id, QuotaStep.COMMIT, NOW)
    await bench.store.submit(moving(commit, commit))
    assert await used(bench) == ["1000.50", "20"]
    back = QuotaMove(first.case_id, QuotaStep.RETURN, NOW, Decimal("0.50"))
    await bench.store.submit(moving(back))
    assert await used(bench) == ["1000.00", "20"]
    # More than the case has used never comes back, and the rest of the commit stands.
    await bench.store.submit(moving(back._replace(value=Decimal(5000))))
    assert await used(bench) == ["0.00", "20"]
    told = Decimal("26020")
    floor = QuotaMove(second.case_id, QuotaStep.FLOOR, NOW, told, "1313", includes_case=True)
    refused = QuotaMove(second.case_id, QuotaStep.GIVE_BACK, NOW)
    unknown = QuotaMove(CaseId("nobody"), QuotaStep.COMMIT, NOW)
    await bench.store.submit(moving(refused, floor, unknown))
    assert await used(bench) == ["26000", "0"]
    # An older or lower figure changes nothing.
    await bench.store.submit(moving(floor._replace(value=Decimal(100))))
    assert await used(bench) == ["26000", "0"]


async def test_a_corrected_buyer_moves_the_amount(bench: Bench) -> None:
    key = key_of("A")
    await bench.store.submit(ordering(key, "100"))
    await bench.store.submit(ordering(key, "100", "110101199003070011"))
    assert await used(bench) == ["0", "0"]
    assert await bench.count("quota_entry") == 1


async def test_a_decision_that_raises_reserves_nothing(bench: Bench) -> None:
    good, bad = ordering(key_of("A"), "100"), ordering(key_of("B"), "50")

    def fail(facts: object, views: Views, found: Found) -> Changes[Decimal]:
        bad.decide(facts, views, found)
        raise ValueError("no")

    got = await bench.store.submit_all([replace(bad, decide=fail), good])
    assert isinstance(got[0], ValueError)
    assert await used(bench) == ["0", "100"]


def naming(key: CaseKey, number: str, seen: list[tuple[str, ...]]) -> Command[None]:
    """A split payment's part comes in; notes the orders of its neighbours."""
    part = replace(slip(number), paper=replace(_paper(slip(number)), original_id="WHOLE"))

    def decide(facts: object, views: Views, found: Found) -> Changes[None]:
        view, changes = views[key.case_id], Changes(None)
        seen.append(tuple(one.key.order_no for one in view.books.neighbours))
        for one in view.books.neighbours:
            assert [type(paper.paper) for paper in one.papers] == [PaymentSlip]
        changes.papers.append((key.case_id, part))
        view.papers[PaperKind.PAYMENT] = part
        changes.numbers += [
            NumberUse(one, key.case_id, PaperKind.PAYMENT, 1) for one in numbers_of(part.paper)
        ]
        entry = {"kind": "payment", "revision": 1, "digest": part.digest}
        view.record(Event(EventKind.PAPERS_RECEIVED, {"papers": [entry]}))
        return changes

    return Command(
        decide, None, create=(key,), with_papers=True, coming=(part.paper,), lane=key.order_no
    )


def _paper(revision: PaperRevision) -> PaymentSlip:
    assert isinstance(revision.paper, PaymentSlip)
    return revision.paper


async def test_neighbours_are_found_by_a_shared_number(bench: Bench) -> None:
    seen: list[tuple[str, ...]] = []
    stranger = key_of("C", TenantId("other"))
    commands = [naming(key_of(name), f"P{name}", seen) for name in "ABD"]
    await bench.store.submit_all([*commands, naming(stranger, "PC", seen)])
    # Whichever came first, each part sees those before it, and no other tenant's.
    assert sorted(len(one) for one in seen) == [0, 0, 1, 2]
    assert not any("C" in one for one in seen)
    assert await bench.count("paper_number") == 8
    assert b"WHOLE" not in b"".join(
        bytes(one) for (one,) in await bench.rows("SELECT key_hash FROM paper_number")
    )


@pytest.mark.needs_postgres
async def test_orders_that_race_never_reserve_more_than_the_limit(postgres_url: str) -> None:
    """Two processes with two lanes each: thirty orders of one buyer, six of which fit."""
    limits = StoreLimits(writer=WriterLimits(group_items=4), lanes=2)
    keys = [key_of(f"R{n}") for n in range(30)]
    async with (
        opened(postgres_url, limits=limits) as one,
        opened(postgres_url, limits=limits) as two,
    ):
        commands = [ordering(key, "4000") for key in keys]
        async with asyncio.TaskGroup() as tasks:
            for place, bench in enumerate((one, two)):
                tasks.create_task(bench.store.submit_all(commands[place::2]))
        assert await used(one) == ["0", "24000"]
        rows = await one.rows("SELECT stage, count(*) FROM quota_entry GROUP BY stage")
        assert dict(rows) == {QuotaStage.RESERVED.value: 6, QuotaStage.GIVEN_BACK.value: 24}


async def test_a_number_that_thousands_name_is_read_no_further_than_the_limit(bench: Bench) -> None:
    statements = bench.store._tools.statements.books
    crowded, rare = b"a" * 32, b"b" * 32
    rows = [
        (crowded, f"case-{n:05}", "payment", revision) for n in range(3000) for revision in (1, 2)
    ]
    rows += [(rare, "case-1", "payment", 1), (rare, "case-1", "order", 1)]
    await bench.store.execute(lambda on: statements.insert_numbers.run(on, rows))
    found = await bench.store.execute(
        lambda on: statements.load_numbers.run(on, [(crowded,), (rare,), (b"c" * 32,)])
    )
    # Each case once, the same ones every time; the other numbers of the group lose nothing.
    expected = [(crowded, f"case-{n:05}") for n in range(NEIGHBOURS)] + [(rare, "case-1")]
    assert sorted((bytes(key), case_id) for key, case_id in found) == expected
