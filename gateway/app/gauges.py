"""Sets the gauges of a running process from time to time."""

from functools import partial
from typing import Final

from gateway.app.container import Gateway
from gateway.app.keyring import KeyRings
from gateway.app.metrics import QueueGauges
from store.boxwork import left_declarations, queues
from store.submissions import waiting_submissions

EVERY_S: Final = 15.0
_LEFT_EVERY_S: Final = 1.0


async def keep_gauges(gateway: Gateway, gauges: QueueGauges) -> None:
    """Set every gauge, for ever; raises what the database raises."""
    while True:
        await set_gauges(gateway, gauges)
        await gateway.context.clock.sleep(EVERY_S)


async def set_gauges(gateway: Gateway, gauges: QueueGauges) -> None:
    """Set every gauge once, from one look at the database and at this process."""
    now = gateway.context.clock.now()
    async with gateway.store.read() as reading:
        found = await reading.run_sync(lambda on: queues(on, now))
    gauges.queues(found, now)
    gauges.process(
        commands=gateway.store.waiting,
        declarations=gateway.services.admission.in_hand,
        failing=gateway.engine.deliveries.failing(),
    )
    gauges.channels(list(gateway.context.channels), list(gateway.pauses.paused))
    gauges.ways(gateway.context.ways.standing())
    if isinstance(gateway.context.keys, KeyRings):
        gauges.rings(gateway.context.keys.rings)


async def keep_admission(gateway: Gateway) -> None:
    """Tell intake how much no worker has begun, for ever; raises what the database raises."""
    admission, clock = gateway.services.admission, gateway.context.clock
    most = admission.limits.left
    while True:
        count = partial(left_declarations, now=clock.now(), most=most)
        async with gateway.store.read() as reading:
            admission.left = await reading.run_sync(count) if most else 0
            admission.submitted = await reading.run_sync(waiting_submissions)
        await clock.sleep(_LEFT_EVERY_S)
