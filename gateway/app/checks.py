"""Every promise that has a checker, checked against a gateway's own store."""

from gateway.app.container import Gateway
from store.checks import Report, run_checks


async def check_everything(gateway: Gateway) -> Report:
    """Run all checks on one reading connection."""
    now = gateway.context.clock.now()
    async with gateway.store.read() as reading:
        return await reading.run_sync(lambda on: run_checks(on, gateway.store.keys, now))
