"""Commands: what is decided together, what fails alone, what a later reader sees."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.case import CaseKey
from gateway.domain.errors import Conflict, IllegalTransition, Overloaded, StoreClosed
from gateway.domain.events import Event, EventKind
from gateway.ports import Changes, Command, Found, Lookup, Views
from store.events import GENESIS, event_hash
from store.open import StoreLimits
from store.writer import WriterLimits
from tests.contract.store.support import (
    NOW,
    TENANT,
    Bench,
    Crash,
    CrashBook,
    alarm,
    changing,
    held,
    key_of,
    new_message,
    opened,
    peek,
    planned,
    record,
)


async def mixed(bench: Bench, commands: Sequence[Command[Any]]) -> list[object]:
    """Submit commands of different results at once."""
    return list(await bench.store.submit_all(commands))


ONE, TWO, THREE = key_of("A1"), key_of("A2"), key_of("A3")


async def test_a_case_is_made_once_and_kept(bench: Bench) -> None:
    assert await bench.store.submit(record(ONE, held())) == 0
    assert await bench.store.submit(record(ONE, alarm("late"))) == 1

    views = await bench.store.submit(peek(ONE.case_id, TWO.case_id))
    assert list(views) == [ONE.case_id]
    view = views[ONE.case_id]
    assert (view.key, view.version) == (ONE, 2)
    assert view.state.hold is not None
    assert view.state.alarms == ("late",)
    assert view.state.seq == 2


async def test_lists_and_filters_stand_in_columns(bench: Bench) -> None:
    await bench.store.submit(record(ONE, held()))
    rows = await bench.rows("SELECT stage, is_open, is_held, findings, seq, version FROM case_")
    assert [tuple(int(one) if one in (0, 1) else one for one in row) for row in rows] == [
        ("collecting", 1, 1, 0, 1, 1)
    ]


async def test_commands_of_one_moment_commit_together(url: str) -> None:
    async with opened(url, limits=StoreLimits(lanes=1)) as bench:
        commands = [record(key_of(f"B{n}"), held()) for n in range(40)]
        assert await bench.store.submit_all(commands) == [0] * 40
        positions = await bench.rows("SELECT pos, count(*) FROM event GROUP BY pos")
        assert [count for _, count in positions] == [40]


async def test_a_later_command_of_a_group_sees_the_earlier_one(bench: Bench) -> None:
    got = await bench.store.submit_all([record(ONE, held()), record(ONE, alarm("x")), record(ONE)])
    assert got == [0, 1, 2]
    rows = await bench.rows("SELECT version, seq FROM case_")
    assert rows == [(2, 2)]


async def test_what_a_decision_raises_is_its_own(bench: Bench) -> None:
    def broken(facts: object, views: Views, found: Found) -> Changes[int]:
        views[ONE.case_id].record(alarm("never"))
        raise IllegalTransition("no")

    commands = [
        record(ONE, held()),
        Command(broken, None, create=(ONE,), lane=ONE.order_no),
        record(ONE, alarm("after")),
        record(TWO, held()),
    ]
    got = await bench.store.submit_all(commands)
    assert [got[0], got[2], got[3]] == [0, 1, 0]
    assert isinstance(got[1], IllegalTransition)
    view = (await bench.store.submit(peek(ONE.case_id)))[ONE.case_id]
    assert view.state.alarms == ("after",)
    assert await bench.count("event") == 3


async def test_an_unexpected_exception_of_a_decision_is_its_own_too(bench: Bench) -> None:
    class Odd(Exception):
        pass

    def broken(facts: object, views: Views, found: Found) -> Changes[int]:
        raise Odd

    got = await bench.store.submit_all(
        [record(ONE, held()), Command(broken, None, lane=ONE.order_no), record(TWO, held())]
    )
    assert isinstance(got[1], Odd)
    assert [got[0], got[2]] == [0, 0]


async def test_a_group_is_halved_until_the_bad_command_stands_alone(bench: Bench) -> None:
    """A guid that is taken is refused by the database, not by a decision."""
    good = [record(key_of(f"C{n}"), held()) for n in range(10)]
    first = changing(
        lambda changes, views, found: changes.messages.append(new_message("m1", guid="SAME"))
    )
    twin = changing(
        lambda changes, views, found: changes.messages.append(new_message("m2", guid="SAME"))
    )
    got = await mixed(bench, [*good[:5], first, twin, *good[5:]])
    errors = [one for one in got if isinstance(one, Exception)]
    assert [type(one) for one in errors] == [Conflict]
    assert await bench.count("case_") == 10
    assert await bench.count("message") == 1


async def test_a_payload_that_is_not_json_fails_alone(bench: Bench) -> None:
    odd = Event(EventKind.ALARM_RAISED, {"alarm": "x", "what": {1, 2}})
    got = await bench.store.submit_all(
        [record(ONE, held()), record(TWO, odd), record(THREE, held())]
    )
    assert isinstance(got[1], TypeError)
    assert [got[0], got[2]] == [0, 0]
    assert await bench.count("case_") == 2


async def test_a_case_made_by_a_failed_command_is_not_there(bench: Bench) -> None:
    def broken(facts: object, views: Views, found: Found) -> Changes[int]:
        views[ONE.case_id].record(held())
        raise ValueError("no")

    got = await mixed(bench, [Command(broken, None, create=(ONE,)), peek(ONE.case_id)])
    assert isinstance(got[0], ValueError)
    assert got[1] == {}
    assert await bench.count("case_") == 0


async def test_a_looking_command_makes_no_case(bench: Bench) -> None:
    assert await bench.store.submit(record(ONE)) == 0
    assert await bench.count("case_") == 0


# --- claims -----------------------------------------------------------------------------------

REFERENCE = Lookup("payment", "PAYCO|T-1")


def claim(key: CaseKey, *, look: bool = True) -> Command[Found]:
    def fill(changes: Changes[Found], views: Views, found: Found) -> None:
        views[key.case_id].record(held())
        if found.get(REFERENCE, key.case_id) == key.case_id:
            changes.claims.append((REFERENCE, key.case_id, TENANT))

    lookups = (REFERENCE,) if look else ()
    return changing(fill, create=(key,), lookups=lookups, lane=key.order_no)


async def test_a_reference_is_found_by_who_asks(bench: Bench) -> None:
    assert await bench.store.submit(claim(ONE)) == {}
    assert await bench.store.submit(claim(TWO)) == {REFERENCE: ONE.case_id}
    assert await bench.store.find_claims([REFERENCE, Lookup("payment", "none")]) == {
        REFERENCE: ONE.case_id
    }
    assert await bench.store.find_claims([]) == {}


async def test_a_reference_is_found_within_one_group(url: str) -> None:
    async with opened(url, limits=StoreLimits(lanes=1)) as bench:
        got = await bench.store.submit_all([claim(ONE), claim(TWO), claim(ONE)])
        assert got == [{}, {REFERENCE: ONE.case_id}, {REFERENCE: ONE.case_id}]


def claim_for(key: CaseKey, seconds: int) -> Command[Found]:
    """A claim that lapses so many seconds after the benches' first moment."""

    def fill(changes: Changes[Found], views: Views, found: Found) -> None:
        views[key.case_id].record(held())
        if found.get(REFERENCE, key.case_id) == key.case_id:
            changes.claims.append((REFERENCE, key.case_id, TENANT))
            changes.lapses[REFERENCE] = NOW + seconds * 1_000_000

    return changing(fill, create=(key,), lookups=(REFERENCE,), lane=key.order_no)


async def test_a_reference_is_free_again_when_its_claim_has_lapsed(bench: Bench) -> None:
    await bench.store.submit(claim_for(ONE, 10))
    bench.clock.time = NOW + 10_000_000 - 1
    assert await bench.store.submit(claim_for(TWO, 20)) == {REFERENCE: ONE.case_id}
    assert await bench.store.find_claims([REFERENCE]) == {REFERENCE: ONE.case_id}
    bench.clock.time += 1
    assert await bench.store.find_claims([REFERENCE]) == {}
    # Of two that come at once only one gets it, for a time of its own.
    got = await bench.store.submit_all([claim_for(TWO, 20), claim_for(THREE, 20)])
    assert got.count({}) == 1
    assert await bench.rows("SELECT count(*), max(lapses_at) FROM claim") == [(1, NOW + 20_000_000)]
    holder = (await bench.store.find_claims([REFERENCE]))[REFERENCE]
    assert holder in (TWO.case_id, THREE.case_id)
    assert await bench.store.submit(claim_for(ONE, 30)) == {REFERENCE: holder}


@pytest.mark.needs_postgres
async def test_processes_that_race_for_a_lapsed_reference_agree_on_a_holder(
    postgres_url: str,
) -> None:
    async with opened(postgres_url) as one, opened(postgres_url) as two:
        await one.store.submit(claim_for(ONE, 10))
        one.clock.time = two.clock.time = NOW + 10_000_000
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(one.store.submit(claim_for(TWO, 20)))
            second = tasks.create_task(two.store.submit(claim_for(THREE, 20)))
        holders = await one.store.find_claims([REFERENCE])
        winner = TWO if first.result() == {} else THREE
        assert [first.result(), second.result()].count({}) == 1
        assert holders == {REFERENCE: winner.case_id}


async def test_a_claim_made_without_looking_is_refused(bench: Bench) -> None:
    await bench.store.submit(claim(ONE))
    got = await mixed(bench, [claim(TWO, look=False), record(THREE, held())])
    assert isinstance(got[0], Conflict)
    assert got[1] == 0
    assert await bench.count("case_") == 2


async def test_the_value_of_a_reference_is_not_stored(bench: Bench) -> None:
    await bench.store.submit(claim(ONE))
    rows = await bench.rows("SELECT key_hash, kind FROM claim")
    assert [(len(bytes(key_hash)), kind) for key_hash, kind in rows] == [(16, "payment")]


async def test_waits_are_replaced(bench: Bench) -> None:
    await bench.store.submit(record(ONE, held()))

    def wait_for(*refs: str) -> Command[Found]:
        def fill(changes: Changes[Found], views: Views, found: Found) -> None:
            changes.waits_over.append(ONE.case_id)
            changes.waits += [(ONE.case_id, TENANT, ref) for ref in refs]

        return changing(fill, load=(ONE.case_id,))

    await bench.store.submit_all([wait_for("goods:A", "goods:B"), wait_for("goods:C")])
    assert await bench.rows("SELECT tenant, ref FROM wait") == [("shop", "goods:C")]
    await bench.store.submit(wait_for())
    assert await bench.count("wait") == 0


# --- the chain --------------------------------------------------------------------------------


async def test_events_form_a_chain_that_ends_in_the_case(bench: Bench) -> None:
    await bench.store.submit_all([record(ONE, alarm("a"), held()), record(ONE, planned())])
    await bench.store.submit(record(ONE, alarm("b")))
    rows = await bench.rows(
        "SELECT seq, kind, payload, at, prev_hash, hash FROM event ORDER BY case_id, seq"
    )
    prev = GENESIS
    for place, (seq, kind, payload, at, prev_hash, link) in enumerate(rows):
        assert seq == place + 1
        assert bytes(prev_hash) == prev
        prev = event_hash(prev, ONE.case_id, seq, kind, at, payload.encode())
        assert bytes(link) == prev
    heads = await bench.rows("SELECT seq, head_hash FROM case_")
    assert [(seq, bytes(head)) for seq, head in heads] == [(len(rows), prev)]


async def test_positions_rise_with_commits(bench: Bench) -> None:
    for n in range(3):
        await bench.store.submit(record(ONE, alarm(str(n))))
    rows = await bench.rows("SELECT pos FROM event ORDER BY seq")
    positions = [row[0] for row in rows]
    assert positions == sorted(set(positions))


# --- bounds and ends --------------------------------------------------------------------------


async def test_a_full_queue_refuses_all_or_nothing(url: str) -> None:
    limits = StoreLimits(writer=WriterLimits(queue_items=3))
    async with opened(url, limits=limits) as bench:
        commands = [record(key_of(f"D{n}"), held()) for n in range(4)]
        with pytest.raises(Overloaded):
            await bench.store.submit_all(commands)
        assert await bench.count("case_") == 0
        assert await bench.store.submit_all(commands[:3]) == [0, 0, 0]
        assert await bench.store.submit(commands[3]) == 0
        assert bench.store.waiting == 0


async def test_small_groups_follow_each_other(url: str) -> None:
    limits = StoreLimits(writer=WriterLimits(group_items=2, group_cases=2), lanes=1)
    async with opened(url, limits=limits) as bench:
        commands = [record(key_of(f"E{n}"), held()) for n in range(7)]
        assert await bench.store.submit_all(commands) == [0] * 7
        assert await bench.rows("SELECT count(DISTINCT pos) FROM event") == [(4,)]


async def test_a_closed_store_takes_nothing_and_loses_nothing(kept_url: str) -> None:
    async with opened(kept_url) as bench:
        store = bench.store
        async with asyncio.TaskGroup() as tasks:
            waiting = [
                tasks.create_task(store.submit(record(key_of(f"F{n}"), held()))) for n in range(20)
            ]
            await asyncio.sleep(0)
            assert store.waiting == 20
    assert [one.result() for one in waiting] == [0] * 20
    with pytest.raises(StoreClosed):
        await store.submit(record(ONE, held()))
    async with opened(kept_url) as bench:
        assert await bench.count("case_") == 20


async def test_a_cancelled_caller_stops_nobody(bench: Bench) -> None:
    task = asyncio.get_running_loop().create_task(bench.store.submit(record(ONE, held())))
    await asyncio.sleep(0)
    task.cancel()
    assert await bench.store.submit(record(TWO, held())) == 0
    with pytest.raises(asyncio.CancelledError):
        await task


# --- crashes ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "point, kept",
    [("step.loaded", 0), ("step.before_commit", 0), ("step.committed", 1)],
)
async def test_a_crash_leaves_all_or_nothing(kept_url: str, point: str, kept: int) -> None:
    command = replace(record(ONE, held()), stage="step")
    book = CrashBook(die_at=point)
    with pytest.raises(BaseExceptionGroup) as caught:
        async with opened(kept_url, crash=book) as bench:
            await bench.store.submit(command)
    assert caught.value.subgroup(Crash) is not None
    assert book.passed[-1] == point
    async with opened(kept_url) as bench:
        assert await bench.count("case_") == kept
        assert await bench.count("event") == kept
        assert await bench.store.submit(record(ONE, alarm("again"))) == kept
