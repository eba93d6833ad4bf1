"""The roll of processes on every database: who is dead, and what its leases become."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

from gateway.domain.ids import EffectId
from gateway.ports import Effect, EffectKind, KeptAnswer, Turn
from store.idempotency import KeptAnswers
from store.open import StoreLimits
from store.roll import beat, free_leases, join_roll, leave_roll, strike_off
from tests.contract.store.support import NOW, TENANT, Bench, SeededRng, effect, leave, opened

LEASE_US = 30_000_000


async def free(bench: Bench) -> int:
    now = bench.clock.now()
    return await bench.store.execute(partial(free_leases, now=now, lease_us=LEASE_US))


async def take(bench: Bench) -> list[tuple[str, int]]:
    found = await bench.store.lease(tuple(EffectKind), 10, bench.clock.now(), LEASE_US)
    return sorted((one.effect_id, one.attempt) for one in found)


async def join(bench: Bench, process_id: str, *, alone: bool = False) -> None:
    await bench.store.execute(
        partial(join_roll, process_id=process_id, now=bench.clock.now(), alone=alone)
    )


async def of_process(stack: AsyncExitStack, url: str, name: str) -> Bench:
    """The store as a process of this name has it, which takes what it commits."""
    limits = StoreLimits(process=name, lease_us=LEASE_US)
    bench = await stack.enter_async_context(opened(url, limits=limits))
    bench.store.subscribe(_taken)
    return bench


def _taken(effects: Sequence[Effect]) -> None:
    """Somebody here takes them, so that they are born leased."""


async def test_what_a_dead_process_held_is_free_at_once(kept_url: str) -> None:
    async with AsyncExitStack() as stack:
        dead = await of_process(stack, kept_url, "dead")
        await join(dead, "dead")
        await dead.store.submit(leave(effect("born"), effect("timer", NOW + 5_000_000)))
    async with AsyncExitStack() as stack:
        other = await of_process(stack, kept_url, "other")
        await join(other, "other")
        assert (await take(other), await free(other)) == ([], 0)
        counts = await other.store.execute(partial(beat, process_id="other", now=NOW))
        assert await other.store.execute(partial(strike_off, silent=counts)) == 1
        assert await free(other) == 1
        assert await take(other) == [("born", 1)]
        timer = await other.rows("SELECT lease_until FROM outbox WHERE effect_id = 'timer'")
        assert timer == [(NOW + 5_000_000,)]


async def test_what_the_living_hold_stays_theirs(bench: Bench) -> None:
    bench.store._tools.process = "mine"
    await join(bench, "mine")
    await bench.store.submit(leave(effect("e1")))
    assert await take(bench) == [("e1", 1)]
    assert (await free(bench), await take(bench)) == (0, [])
    await bench.store.execute(partial(leave_roll, process_id="mine"))
    assert (await free(bench), await take(bench)) == (1, [("e1", 2)])


async def test_a_process_of_an_older_release_keeps_its_leases(bench: Bench) -> None:
    await bench.store.submit(leave(effect("e1")))
    assert await take(bench) == [("e1", 1)]
    assert (await free(bench), await take(bench)) == (0, [])


async def test_a_paused_process_is_fenced_and_joins_again(bench: Bench) -> None:
    bench.store._tools.process = "paused"
    await join(bench, "paused")
    await bench.store.submit(leave(effect("e1")))
    await take(bench)
    assert await bench.store.execute(partial(strike_off, silent={"paused": 0})) == 1
    assert await free(bench) == 1
    assert await take(bench) == [("e1", 2)]
    await bench.store.finish([(EffectId("e1"), 1)], [])
    assert await bench.rows("SELECT stage, attempt FROM outbox") == [("open", 2)]
    others = await bench.store.execute(partial(beat, process_id="paused", now=NOW))
    assert others == {}
    assert await bench.rows("SELECT process_id FROM process") == [("paused",)]


async def test_who_beats_meanwhile_is_not_struck_off(bench: Bench) -> None:
    await join(bench, "a")
    await bench.store.execute(partial(beat, process_id="a", now=NOW))
    assert await bench.store.execute(partial(strike_off, silent={"a": 0})) == 0
    assert await bench.store.execute(partial(beat, process_id="b", now=NOW)) == {"a": 1}


async def test_who_is_alone_strikes_all_others_off(bench: Bench) -> None:
    await join(bench, "before")
    await join(bench, "after", alone=True)
    assert await bench.rows("SELECT process_id, beats FROM process") == [("after", 0)]


async def test_the_turn_of_a_dead_process_passes_on_at_once(bench: Bench) -> None:
    def book(process: str | None) -> KeptAnswers:
        return KeptAnswers(bench.store, bench.store.keys, bench.clock, SeededRng(), process)

    asked, answer = b"\x01" * 32, KeptAnswer(201, "application/json", b"{}", {})
    await join(bench, "dead")
    await join(bench, "alive")
    late = await book("dead").begin(TENANT, "s", asked)
    assert (await book("alive").begin(TENANT, "s", asked)).turn is Turn.BUSY
    await bench.store.execute(partial(leave_roll, process_id="dead"))
    begun = await book("alive").begin(TENANT, "s", asked)
    assert (begun.turn, begun.attempt) == (Turn.OURS, 2)
    await book("dead").keep("s", late.attempt, answer)
    assert (await book("dead").begin(TENANT, "s", asked)).turn is Turn.BUSY
