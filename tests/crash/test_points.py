"""Kill -9 at every crash point of the nine stages on SQLite, each once (RELIABILITY G2).

The runs mostly wait for leases to end, so they run two at a time beside the tests, which only
collect the verdicts.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Final

import pytest

from gateway.flow.crash import POINTS, STAGES
from tests.crash.case import Verdict, killed_at, run_case
from tests.crash.orders import wanted_orders

pytestmark = [pytest.mark.crash, pytest.mark.slow]

_AT_A_TIME: Final = 2
_RELEASES: Final = 11
# Where papers come in, the second passing: by then some were acknowledged that may not be lost.
_SECOND: Final = ("ingest", "normalise")


def passing_of(point: str) -> int:
    """Which passing of a point kills."""
    return 2 if point.partition(".")[0] in _SECOND else 1


class Runs:
    """Runs the cases of the chosen points in the background, a few at a time."""

    def __init__(self, points: list[str], folder: Path) -> None:
        self._folder = folder
        self.verdicts: dict[str, Future[Verdict]] = {point: Future() for point in points}
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),), daemon=True)
        self._thread.start()

    async def _run(self) -> None:
        slots, opening = asyncio.Semaphore(_AT_A_TIME), asyncio.Lock()
        async with asyncio.TaskGroup() as tasks:
            for point in self.verdicts:
                await slots.acquire()
                tasks.create_task(self._one(point, slots, opening))

    async def _one(self, point: str, slots: asyncio.Semaphore, opening: asyncio.Lock) -> None:
        verdict = self.verdicts[point]
        passing = passing_of(point)
        folder = self._folder / point
        folder.mkdir()
        try:
            done = await run_case(
                folder,
                wanted_orders(_RELEASES),
                killed_at(point, passing),
                crash_at=f"{point}:{passing}",
                opening=opening,
            )
            verdict.set_result(done)
        except BaseException as fault:
            verdict.set_exception(fault)
        finally:
            slots.release()

    def join(self) -> None:
        """Wait until nothing runs any more."""
        self._thread.join()


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runs]:
    """The runs of every point that was chosen on the command line, in the order of the tests."""
    chosen = [
        str(item.callspec.params["point"])
        for item in request.session.items
        if isinstance(item, pytest.Function)
        and item.path == request.path
        and hasattr(item, "callspec")
    ]
    started = Runs(chosen, tmp_path_factory.mktemp("crash"))
    yield started
    started.join()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_a_point_nothing_is_lost_or_done_twice(point: str, runs: Runs) -> None:
    verdict = runs.verdicts[point].result()
    assert verdict.starts == 2
    assert verdict.broken == ()


def test_every_stage_has_a_point_and_every_point_a_stage() -> None:
    stages = Counter(point.partition(".")[0] for point in POINTS)
    assert set(stages) == set(STAGES)
    assert len(set(POINTS)) == len(POINTS)
