"""The virtual-time loop itself: it never sleeps, never guesses, and repeats itself exactly."""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.sim.loop import EPOCH, Deadlock, Runaway, UnhandledFault, VirtualTimeLoop, run

pytestmark = pytest.mark.sim
ROOT = Path(__file__).parents[2]


async def _crowd(loop: VirtualTimeLoop) -> list[str]:
    """Workers over a queue, time-outs, a lock, a failing group: whatever could change order."""
    trace: list[str] = []
    queue: asyncio.Queue[int] = asyncio.Queue()
    lock = asyncio.Lock()

    async def worker(name: str) -> None:
        while True:
            item = await queue.get()
            async with lock:
                await asyncio.sleep(loop.rng.random())
            trace.append(f"{loop.time():.9f} {name} took {item}")
            queue.task_done()

    async def waits(name: str) -> None:
        try:
            await asyncio.sleep(1_000)
        finally:
            trace.append(f"{name} cancelled")

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(worker(f"w{n}")) for n in range(8)]
        for item in range(40):
            queue.put_nowait(item)
        await queue.join()
        for task in workers:
            task.cancel()

    # A group cancels its members in the order of a set of tasks.
    try:
        async with asyncio.TaskGroup() as group:
            for n in range(30):
                group.create_task(waits(f"m{n}"))
            await asyncio.sleep(1)
            raise ValueError("stop")
    except* ValueError:
        trace.append("group failed")

    sleepers = {asyncio.ensure_future(asyncio.sleep(1, result=n)) for n in range(20)}
    done, _ = await asyncio.wait(sleepers)
    trace.append(",".join(str(task.result()) for task in done))
    return trace


def _print_trace() -> None:
    """What the subprocesses of the repeatability test print."""
    sys.stdout.write("\n".join(run(_crowd, seed=7, jitter_s=1e-6)))


def test_thousands_of_seconds_pass_in_milliseconds() -> None:
    async def main(loop: VirtualTimeLoop) -> float:
        for _ in range(10):
            await asyncio.sleep(1_000)
        return loop.time()

    began = time.perf_counter()
    assert run(main) == pytest.approx(10_000)
    assert time.perf_counter() - began < 0.5


def test_the_calendar_follows_virtual_time() -> None:
    async def main(loop: VirtualTimeLoop) -> timedelta:
        await asyncio.sleep(86_400.25)
        return loop.now() - EPOCH

    assert run(main) == timedelta(days=1, milliseconds=250)


def test_a_timeout_cuts_what_takes_longer() -> None:
    async def main(loop: VirtualTimeLoop) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await asyncio.sleep(60)
        return loop.time()

    assert run(main) == pytest.approx(2.5)


def test_one_seed_gives_one_trace_and_another_seed_another() -> None:
    first, second = run(_crowd, seed=7, jitter_s=1e-6), run(_crowd, seed=7, jitter_s=1e-6)
    assert first == second
    assert run(_crowd, seed=8, jitter_s=1e-6) != first


def test_jitter_lets_seeds_explore_the_order_of_what_falls_together() -> None:
    async def main(loop: VirtualTimeLoop) -> str:
        order: list[str] = []

        async def one(name: str) -> None:
            await asyncio.sleep(5)
            order.append(name)

        async with asyncio.TaskGroup() as group:
            for name in "abcde":
                group.create_task(one(name))
        return "".join(order)

    assert len({run(main, seed=seed) for seed in range(20)}) == 1
    assert len({run(main, seed=seed, jitter_s=1e-6) for seed in range(20)}) > 5


def test_neither_hash_seed_nor_memory_layout_changes_a_run() -> None:
    command = [sys.executable, "-c", "from tests.sim import test_loop; test_loop._print_trace()"]
    traces = set()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        answer = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        traces.add(answer.stdout)
    assert len(traces) == 1
    assert traces == {"\n".join(run(_crowd, seed=7, jitter_s=1e-6))}


def test_waiting_for_nothing_is_a_deadlock_that_names_who_waits() -> None:
    async def main(loop: VirtualTimeLoop) -> None:
        await asyncio.sleep(3)
        await asyncio.create_task(asyncio.Event().wait(), name="forgotten")

    with pytest.raises(Deadlock, match=r"(?s)01:00:03.*forgotten"):
        run(main)


def test_years_later_timers_still_fire_at_their_instant() -> None:
    async def main(loop: VirtualTimeLoop) -> float:
        await asyncio.sleep(370 * 86_400.0)
        before = loop.time()
        await asyncio.sleep(0.001)
        return loop.time() - before

    assert run(main) == pytest.approx(0.001, abs=1e-6)


def test_a_loop_without_end_is_stopped() -> None:
    async def main(_: VirtualTimeLoop) -> None:
        for _day in itertools.count():
            await asyncio.sleep(86_400)

    with pytest.raises(Runaway):
        run(main)


def test_executor_work_runs_inline_and_hands_its_fault_over() -> None:
    async def main(loop: VirtualTimeLoop) -> int:
        thread = await loop.run_in_executor(None, threading.get_ident)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(divmod, 1, 0)
        return thread

    assert run(main) == threading.get_ident()


def test_a_fault_nobody_looked_at_fails_the_run() -> None:
    def fail() -> None:
        raise KeyError("lost")

    async def main(loop: VirtualTimeLoop) -> None:
        loop.call_later(1, fail)
        await asyncio.sleep(2)

    with pytest.raises(UnhandledFault, match="lost"):
        run(main)


def test_a_second_thread_may_not_disturb_the_loop() -> None:
    refused: list[BaseException] = []

    async def main(loop: VirtualTimeLoop) -> None:
        def disturb(schedule: Callable[..., object]) -> None:
            try:
                schedule(int)
            except RuntimeError as fault:
                refused.append(fault)

        thread = threading.Thread(target=disturb, args=(loop.call_soon_threadsafe,))
        thread.start()
        thread.join()

    run(main)
    assert len(refused) == 1
