"""Matching anew and mending, behind as many open cases as a peak leaves.

The cases are seeded into a PostgreSQL of the benchmark's own. Cases are drawn from all of them, so
nothing of theirs is at hand; a repair takes 500 cases with one cause.
"""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Final

from sqlalchemy import text

from gateway.app.container import Gateway
from gateway.app.demo_world import TENANT, demo_profile, furnish, prepare
from gateway.app.seeding import invent
from gateway.app.serve import running
from gateway.domain.findings import finding_id
from gateway.domain.ids import CaseId, Direction, case_id
from gateway.flow.repair import MOST, Person, Wanted
from gateway.ports import FindingFilter
from gateway.ports.repairs import RepairStage
from tests.perf.doors import Door
from tests.perf.generator import percentile

REMATCH_GATE_MS: Final = 50.0
REPAIR_GATE_S: Final = 5.0
_ROUNDS: Final = 400
_WARMED: Final = 20
_RULE: Final = "PAYMENT-AMOUNT"
_PATH: Final = "payment.amount"
_CLERK: Final = Person("clerk:bench", "clerk")
_SUPERVISOR: Final = Person("supervisor:bench", "supervisor")


async def rematches(folder: Path, url: str | None, cases: int) -> list[Door]:
    """How fast cases are seeded, p99 of a re-match, and one repair of 500 cases."""
    async with running(prepare(folder, url=url), api=False, work=False) as (gateway, _):
        await furnish(gateway)
        begun = time.perf_counter()
        await invent(gateway, demo_profile(), 0, cases, 1)
        seeded = cases / (time.perf_counter() - begun)
        if url is not None:
            await gateway.store.execute(lambda on: on.execute(text("ANALYZE")))
        found = [Door("cases seeded", seeded, "cases/s", 0.0, True, f"{cases:,} open cases")]
        found.append(await _rematched(gateway, cases))
        return [*found, *await _repaired(gateway, cases)]


async def _rematched(gateway: Gateway, cases: int) -> Door:
    chance = random.Random(1)
    platform = demo_profile().platform.code
    times, spent = [], []
    for _ in range(_ROUNDS + _WARMED):
        number = f"SEED-1-{chance.randrange(cases):08d}"
        name = case_id(TENANT, Direction.IMPORT, platform, number)
        begun, cpu = time.perf_counter(), time.process_time()
        stage = await gateway.desk.recheck(TENANT, CaseId(name), "clerk:bench")
        times.append((time.perf_counter() - begun) * 1000)
        spent.append((time.process_time() - cpu) * 1000)
        assert stage is not None, number
    times, spent = times[_WARMED:], spent[_WARMED:]
    how = f"{_ROUNDS} of {cases:,} open cases, p50 {percentile(times, 0.5):.1f} ms, "
    how += f"CPU p99 {percentile(spent, 0.99):.1f} ms"
    return Door("re-match", percentile(times, 0.99), "p99 ms", REMATCH_GATE_MS, False, how)


async def _repaired(gateway: Gateway, cases: int) -> list[Door]:
    """A repair of all cases with one cause: drafted, tried, then applied by its last approval."""
    repairs = gateway.services.repairs
    wanted = FindingFilter(rule=_RULE, is_open=True, is_resolved=False)
    page = await gateway.services.findings.findings(TENANT, wanted, None, 1)
    row = page.items[0]
    want = Wanted(row.key.case_id, finding_id(row.finding), _PATH, "bench", everywhere=True)
    begun = time.perf_counter()
    tried = await repairs.dry_run(TENANT, _CLERK, want)
    previewed = time.perf_counter() - begun
    begun = time.perf_counter()
    made = await repairs.propose(TENANT, _CLERK, want)
    done = await repairs.approve(TENANT, _SUPERVISOR, made.repair_id, "statement of the bench")
    applied = time.perf_counter() - begun
    assert done is not None
    assert done.stage is RepairStage.APPLIED
    size = len(done.items)
    assert size == MOST or cases < 10 * MOST, size
    assert {one.status for one in (*tried.items, *done.items)} == {"repaired"}
    how = f"{size} cases of {cases:,} with one cause"
    return [
        Door("bulk repair, previewed", previewed, "s", REPAIR_GATE_S, False, how),
        Door("bulk repair, applied", applied, "s", REPAIR_GATE_S, False, how),
    ]
