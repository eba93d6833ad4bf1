"""Kept answers on every database: one turn at a time, replays, expiry, sealed bodies."""

from __future__ import annotations

import asyncio

import pytest

from gateway.ports import KeptAnswer, Turn
from store.idempotency import KEPT_US, TURN_US, KeptAnswers
from tests.contract.store.support import TENANT, Bench, SeededRng

ASKED, OTHER = b"\x01" * 32, b"\x02" * 32
ANSWER = KeptAnswer(201, "application/json", b'{"secret":"whsec_1"}\n[]', {"Location": "/v1/x"})


@pytest.fixture
def book(bench: Bench) -> KeptAnswers:
    return KeptAnswers(bench.store, bench.store.keys, bench.clock, SeededRng())


async def test_one_of_many_twins_gets_the_turn(book: KeptAnswers) -> None:
    turns = []

    async def ask() -> None:
        turns.append((await book.begin(TENANT, "s", ASKED)).turn)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(ask())
    assert sorted(turns) == [Turn.BUSY] * 19 + [Turn.OURS]


async def test_an_answer_is_kept_and_given_again(book: KeptAnswers, bench: Bench) -> None:
    begun = await book.begin(TENANT, "s", ASKED)
    await book.keep("s", begun.attempt, ANSWER)
    again = await book.begin(TENANT, "s", ASKED)
    assert (again.turn, again.answer) == (Turn.KEPT, ANSWER)
    assert (await book.begin(TENANT, "s", OTHER)).turn is Turn.DIFFERS
    ((body,),) = await bench.rows("SELECT body FROM idempotency")
    assert b"whsec" not in bytes(body)


async def test_another_body_differs_also_while_its_twin_is_at_work(book: KeptAnswers) -> None:
    await book.begin(TENANT, "s", ASKED)
    assert (await book.begin(TENANT, "s", OTHER)).turn is Turn.DIFFERS


async def test_a_turn_given_back_is_free(book: KeptAnswers) -> None:
    begun = await book.begin(TENANT, "s", ASKED)
    await book.give_back("s", begun.attempt)
    assert (await book.begin(TENANT, "s", OTHER)).turn is Turn.OURS


async def test_a_turn_that_nobody_ends_passes_on(book: KeptAnswers, bench: Bench) -> None:
    late = await book.begin(TENANT, "s", ASKED)
    bench.clock.time += TURN_US
    begun = await book.begin(TENANT, "s", ASKED)
    assert begun.turn is Turn.OURS
    await book.keep("s", late.attempt, ANSWER)
    await book.give_back("s", late.attempt)
    assert (await book.begin(TENANT, "s", ASKED)).turn is Turn.BUSY
    await book.keep("s", begun.attempt, ANSWER)
    assert (await book.begin(TENANT, "s", ASKED)).turn is Turn.KEPT


async def test_answers_are_kept_for_a_week_and_then_go(book: KeptAnswers, bench: Bench) -> None:
    begun = await book.begin(TENANT, "s", ASKED)
    await book.keep("s", begun.attempt, ANSWER)
    bench.clock.time += 7 * 24 * 3600 * 1_000_000
    assert (await book.begin(TENANT, "s", ASKED)).turn is Turn.KEPT
    bench.clock.time += KEPT_US
    await book.begin(TENANT, "another", ASKED)
    assert await bench.rows("SELECT count(*) FROM idempotency") == [(1,)]
    assert (await book.begin(TENANT, "s", OTHER)).turn is Turn.OURS
