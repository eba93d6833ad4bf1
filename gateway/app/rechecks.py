"""Checking cases again when the goods records that they waited for have come."""

import asyncio
from collections.abc import Sequence
from typing import Final

from gateway.app.container import Gateway
from gateway.domain.ids import TenantId
from store.master import chunks, waiting_cases

_TOGETHER: Final = 200
_BY: Final = "gateway"


async def recheck_waiting(gateway: Gateway, tenant: TenantId, skus: Sequence[str]) -> int:
    """Match the cases of a tenant again that waited for these SKUs; gives how many there were."""
    if not skus:
        return 0
    async with gateway.store.read() as reading:
        cases = await reading.run_sync(lambda on: waiting_cases(on, tenant, skus))
    for some in chunks(cases, _TOGETHER):
        async with asyncio.TaskGroup() as tasks:
            for case_id in some:
                tasks.create_task(gateway.desk.recheck(tenant, case_id, _BY))
    return len(cases)
