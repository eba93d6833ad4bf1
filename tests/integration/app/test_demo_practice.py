"""What a demo that stays up leaves to practise on in the console."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from adapters.sandbox.customs import Settings as CustomsSettings
from gateway.app.checks import check_everything
from gateway.app.demo import practise
from gateway.app.demo_world import TENANT, demo_profile, furnish, prepare, quick, strangers
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from gateway.ports import CaseFilter
from store.keys import KeyRole
from store.work import notice_counts

pytestmark = pytest.mark.slow


async def test_there_are_mismatches_of_one_cause_silence_and_notices_given_up(
    tmp_path: Path,
) -> None:
    settings = prepare(tmp_path)
    async with running(settings) as (gateway, serving):
        assert serving is not None
        await furnish(gateway, demo_profile())
        customs = quick(CustomsSettings.demo())
        async with strangers(settings, gateway, serving.address, customs, seed=1) as world:
            key = await gateway.keys.new(TENANT, KeyRole.SELLER, "tests")
            await practise(gateway, world.warehouse, serving.address, key.token)
            async with asyncio.timeout(30):
                stages: Counter[CaseStage] = Counter()
                while (stages[CaseStage.MISMATCH], stages[CaseStage.SENT]) != (12, 3):
                    await asyncio.sleep(0.05)
                    page = await gateway.reads.cases(TENANT, CaseFilter(), None, 50)
                    stages = Counter(one.stage for one in page.items)
            page = await gateway.reads.cases(TENANT, CaseFilter(), None, 50)
            held = [one for one in page.items if one.stage is CaseStage.MISMATCH]
            causes = set()
            for one in held:
                case = await gateway.reads.case(TENANT, one.key.case_id)
                assert case is not None
                assert case.state.verdict is not None
                causes.add(tuple(found.rule for found in case.state.verdict.findings))
            assert causes == {("PAYMENT-AMOUNT",)}
            async with gateway.store.read() as reading:
                notices = await reading.run_sync(lambda on: notice_counts(on, TENANT))
            assert notices.parked >= 2
            assert (await check_everything(gateway)).violations == ()
