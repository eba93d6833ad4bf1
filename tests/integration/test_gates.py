"""An order that we filed ourselves and that customs never answers, up to the end of its wait."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.app.demo import feed
from gateway.app.demo_orders import demo_orders, goods_records
from gateway.app.demo_world import PROFILE, TENANT, demo_profile, prepare
from gateway.app.serve import running
from gateway.domain.declaration import DeclarationKind
from gateway.domain.papers import PaperKind
from gateway.domain.profile import ConfirmedBy, FiledBy, OnTimeout, PaperFiling
from gateway.ports import CaseDetail, CaseFilter
from store.keys import KeyRole


def _is_over(found: CaseDetail) -> bool:
    return "order_unconfirmed" in found.state.alarms


@pytest.mark.parametrize("then", list(OnTimeout))
async def test_an_order_without_an_answer_is_held_or_its_inventory_sent(
    tmp_path: Path, then: OnTimeout
) -> None:
    filing = PaperFiling(FiledBy.US, ConfirmedBy.RECEIPT, max_wait_s=0, on_timeout=then)
    profile = replace(demo_profile(), answer_timeout_s=1, filings={PaperKind.ORDER: filing})
    async with running(prepare(tmp_path)) as (gateway, serving):
        assert serving is not None
        await gateway.admin.create_tenant(TENANT, "Shop")
        await gateway.admin.put_profile(profile)
        await gateway.admin.put_goods(TENANT, goods_records(profile.goods_scope))
        key = await gateway.keys.new(TENANT, KeyRole.SELLER, "tests")
        (demo,) = demo_orders(PROFILE, 1, seed=5, problems=False)
        await feed(serving.address, key.token, [demo])
        page = await gateway.reads.cases(TENANT, CaseFilter(order_no=demo.order_no), None, 2)
        case_id = page.items[0].key.case_id
        found = await gateway.reads.case(TENANT, case_id)
        for _ in range(200):
            assert found is not None
            if _is_over(found):
                break
            await asyncio.sleep(0.05)
            found = await gateway.reads.case(TENANT, case_id)
        assert found is not None
        assert _is_over(found), found.state
        is_sent = found.state.declaration(DeclarationKind.INVENTORY) is not None
        assert is_sent is (then is OnTimeout.SEND)
        assert (found.state.hold is None) is is_sent
