"""Invented cases: those that are poured from moulds are like those that were taken in."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gateway.app.checks import check_everything
from gateway.app.container import Gateway
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, furnish, prepare
from gateway.app.seeding import invent
from gateway.app.serve import running
from gateway.domain.ids import CaseId
from gateway.domain.papers import Order, PaperKind
from gateway.ports import CaseFilter
from store.tables import case_, claim, event, paper, raw

FIRST, COUNT = 5_000, 60


@pytest.fixture
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("taken")


async def rows(gateway: Gateway, *columns: Any) -> list[Any]:
    async with gateway.store.read() as reading:
        return await reading.run_sync(lambda on: list(on.execute(select(*columns))))


async def invented(folder: Path, taken_in: int) -> list[Any]:
    """The cases of one way: what of them does not hang on keys and times."""
    async with running(prepare(folder), api=False, work=False) as (gateway, _):
        await furnish(gateway)
        await invent(gateway, demo_profile(), FIRST, COUNT, 1, taken_in=taken_in)
        return await rows(gateway, case_.c.case_id, case_.c.order_no, case_.c.version, case_.c.seq)


async def test_poured_cases_are_whole_and_match_as_they_did(tmp_path: Path, another: Path) -> None:
    taken = await invented(another, FIRST + COUNT)
    async with running(prepare(tmp_path), api=False, work=False) as (gateway, _):
        await furnish(gateway)
        await invent(gateway, demo_profile(), FIRST, COUNT, 1)
        columns = (case_.c.case_id, case_.c.order_no, case_.c.version, case_.c.seq)
        poured = await rows(gateway, *columns)
        assert sorted(row[:3] for row in poured) == sorted(row[:3] for row in taken)
        # Every chain, seal, digest and number holds.
        assert (await check_everything(gateway)).is_clean
        stages: Counter[str] = Counter()
        buyers = set()
        for row in poured:
            stage = await gateway.desk.recheck(TENANT, CaseId(row.case_id), "clerk:1")
            assert stage is not None
            stages[stage.value] += 1
            found = await gateway.reads.case(TENANT, CaseId(row.case_id))
            assert found is not None
            order = found.papers[PaperKind.ORDER].paper
            assert isinstance(order, Order)
            assert order.order_no == row.order_no
            buyers.add(str(order.buyer.id_number))
            # Matched anew, a case says what it said: no event was added.
            assert found.state.seq == row.seq, (row.order_no, found.state.verdict)
        assert stages["mismatch"] > 5
        assert stages["collecting"] > 5
        assert len(buyers) > 20
        quota = await gateway.services.around.quota(TENANT, CaseId(poured[0].case_id))
        assert quota is not None
        by_number = await gateway.reads.cases(
            TENANT, CaseFilter(number=f"PAY-1-{FIRST + 1:08d}"), None, 5
        )
        assert [one.key.order_no for one in by_number.items] == [f"SEED-1-{FIRST + 1:08d}"]
        assert by_number.items[0].key.profile_id == PROFILE


async def test_the_same_seed_adds_nothing(tmp_path: Path) -> None:
    async with running(prepare(tmp_path), api=False, work=False) as (gateway, _):
        await furnish(gateway)
        tables = (case_.c.case_id, event.c.hash, paper.c.digest, raw.c.raw_id, claim.c.key_hash)
        counts = []
        for _ in range(2):
            await invent(gateway, demo_profile(), 0, 30, 1, taken_in=10)
            counts.append([len(await rows(gateway, one)) for one in tables])
        assert counts[0] == counts[1]
        assert counts[0][0] == 30
