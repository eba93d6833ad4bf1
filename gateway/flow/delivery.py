"""Delivery of notices, endpoint by endpoint: a slow or dead one takes nothing from the others.

Each endpoint has a few posts at once of its own, a short queue in memory and a breaker. What does
not fit goes back to the outbox with a time. An endpoint that says 410, or that answered nothing
for as long as notices are kept, is switched off and its owner is told; its notices stay parked
until somebody replays them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.domain.ids import CaseId, EndpointId, effect_id
from gateway.flow.breaker import Breaker, Gate
from gateway.flow.context import SECOND_US, Context
from gateway.flow.notify import Delivered, deliver_notices, is_too_old
from gateway.flow.status import ENDPOINT_DISABLED
from gateway.ports import Changes, Command, Effect, EffectKind, Endpoint, Found, Views

POSTS: Final = 8
"""How many posts one endpoint gets at once from one process."""
WAITING: Final = 5_000
"""How many notices may wait in memory for one endpoint."""
NOT_FETCHED: Final = "not fetched in time"
DOWN: Final = "the endpoint does not answer"
GONE: Final = "it answered 410 Gone"

SwitchOff = Callable[[Endpoint, str], Awaitable[bool]]


async def _left_on(endpoint: Endpoint, why: str) -> bool:
    return False


@dataclass(slots=True)
class _Lane:
    breaker: Breaker = field(default_factory=Breaker)
    posts: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(POSTS))
    waiting: int = 0


@dataclass(slots=True)
class Deliveries:
    """Delivers the notices of one process.

    ``switch_off`` stores that an endpoint is off, with the reason; False when it was off already.
    ``count`` hears what happened.
    """

    context: Context
    count: Callable[[str, int], None]
    switch_off: SwitchOff = _left_on
    _lanes: dict[EndpointId, _Lane] = field(default_factory=dict)

    def failing(self) -> int:
        """How many endpoints are failing as this process sees it."""
        return sum(lane.breaker.is_failing for lane in self._lanes.values())

    async def deliver(self, endpoint: Endpoint, effects: Sequence[Effect]) -> None:
        """Post notices to an endpoint and record what became of each; may wait for its turn."""
        if endpoint.is_pulled:
            await self._park(effects, NOT_FETCHED)
            return
        lane = self._lanes.setdefault(endpoint.endpoint_id, _Lane())
        now = self.context.clock.now()
        if lane.waiting and lane.waiting + len(effects) > WAITING:
            self.count("notices_put_off", len(effects))
            await self._put_off(endpoint, effects, now + SECOND_US)
            return
        lane.waiting += len(effects)
        try:
            async with lane.posts:
                await self._post(endpoint, lane, effects, now)
        finally:
            lane.waiting -= len(effects)

    async def _post(
        self, endpoint: Endpoint, lane: _Lane, effects: Sequence[Effect], taken_at: int
    ) -> None:
        context, breaker = self.context, lane.breaker
        now = context.clock.now()
        if now - taken_at > context.settings.lease_us // 2:
            # Waited so long that somebody else may soon take them: back to the outbox.
            await self._put_off(endpoint, effects, now)
            return
        if breaker.ask(now) is Gate.SHUT:
            await self._put_off(endpoint, effects, max(breaker.shut_until, now + SECOND_US))
            return
        try:
            delivered = await deliver_notices(context, endpoint, effects)
        except BaseException:
            breaker.withdraw()
            raise
        self.count("notices_delivered", delivered.done)
        now = context.clock.now()
        jitter = context.rng.bytes(1)[0]
        if breaker.tell(answered=delivered.was_answered, now=now, jitter=jitter):
            self.count("endpoints_failing", 1)
        await self._judge(endpoint, breaker, delivered)

    async def _judge(self, endpoint: Endpoint, breaker: Breaker, delivered: Delivered) -> None:
        """Switch off an endpoint that is gone, or that was silent for a notice's whole life."""
        if delivered.is_gone:
            await self._switch_off(endpoint, GONE)
        elif delivered.too_old_since is not None and breaker.is_failing:
            if breaker.answered_at < delivered.too_old_since:
                await self._switch_off(endpoint, DOWN)

    async def _put_off(self, endpoint: Endpoint, effects: Sequence[Effect], until: int) -> None:
        """Back to the outbox until a time; those that have waited all their life are parked."""
        now = self.context.clock.now()
        old = [one for one in effects if is_too_old(self.context, one, now)]
        await self._park(old, DOWN)
        jitter = self.context.rng.bytes(1)[0] * SECOND_US // 256
        later = [
            (one.effect_id, one.attempt, until + jitter)
            for one in effects
            if not is_too_old(self.context, one, now)
        ]
        await self.context.store.reschedule(later)

    async def _park(self, effects: Sequence[Effect], why: str) -> None:
        if not effects:
            return
        self.count("notices_parked", len(effects))
        await self.context.store.finish([], [(one.effect_id, one.attempt, why) for one in effects])

    async def _switch_off(self, endpoint: Endpoint, why: str) -> None:
        if not await self.switch_off(endpoint, why):
            return
        self.count("endpoints_disabled", 1)
        others = [
            one
            for one in self.context.master.endpoints(endpoint.tenant, ENDPOINT_DISABLED)
            if one.endpoint_id != endpoint.endpoint_id
        ]
        if others:
            await self.context.store.submit(
                Command(
                    decide=decide_disabled,
                    facts=(endpoint, tuple(others), why, self.context.clock.now()),
                    lane=endpoint.endpoint_id,
                    stage="notify",
                )
            )


def decide_disabled(
    facts: tuple[Endpoint, tuple[Endpoint, ...], str, int], views: Views, found: Found
) -> Changes[None]:
    """Pure: the tenant's other endpoints hear that one was switched off."""
    endpoint, others, why, now = facts
    changes: Changes[None] = Changes(result=None)
    for other in others:
        changes.effects.append(
            Effect(
                effect_id=effect_id(
                    CaseId(endpoint.endpoint_id), "disabled", other.endpoint_id, now
                ),
                kind=EffectKind.NOTICE,
                group=other.endpoint_id,
                due_at=other.due_at(now),
                tenant=endpoint.tenant,
                ref=ENDPOINT_DISABLED,
                payload={
                    "at": now,
                    "data": {"endpoint": endpoint.endpoint_id, "reason": why},
                },
            )
        )
    return changes
