"""Notices to one endpoint: breaker, pilot, bounded posts, switching off; the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.ids import EffectId, EndpointId, TenantId
from gateway.flow.breaker import FAILURES, Breaker, Gate
from gateway.flow.context import SECOND_US, Context, FlowSettings
from gateway.flow.delivery import DOWN, GONE, NOT_FETCHED, POSTS, Deliveries
from gateway.flow.status import ENDPOINT_DISABLED
from gateway.ports import Changes, Effect, EffectKind, Endpoint, NoticeAnswer, NoticeResult

SHOP = TenantId("shop")
START = 1_790_000_000_000_000
HOUR_US = 3600 * SECOND_US


def endpoint(name: str, url: str = "https://hooks.example.com/") -> Endpoint:
    return Endpoint(EndpointId(name), SHOP, "seller", url, "whsec_AAAA", 100)


def notice(name: str, at: int = START, **payload: Any) -> Effect:
    return Effect(
        EffectId(name), EffectKind.NOTICE, "ep", at, tenant=SHOP, payload={"at": at, **payload}
    )


@dataclass
class Clock:
    micros: int = START

    def now(self) -> int:
        return self.micros

    async def sleep(self, seconds: float) -> None:
        self.micros += int(seconds * SECOND_US)


@dataclass
class World:
    """Store, notifier, master data, chance and crash points in one small place."""

    clock: Clock = field(default_factory=Clock)
    answers: dict[str, str] = field(default_factory=dict)
    posts: list[tuple[str, int]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    parked: dict[str, str] = field(default_factory=dict)
    later: dict[str, int] = field(default_factory=dict)
    off: list[tuple[str, str]] = field(default_factory=list)
    told: list[Effect] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)
    others: tuple[Endpoint, ...] = ()
    answered: dict[str, NoticeAnswer] = field(default_factory=dict)
    slow_us: int = 0
    is_held: asyncio.Event | None = None
    at_once: int = 0
    most_at_once: int = 0

    def deliveries(self) -> Deliveries:
        me = cast(Any, self)
        context = Context(
            clock=self.clock, rng=me, crash=me, executor=me, store=me, master=me, matcher=me,
            regime=me, channels={}, keys=me, notifier=me, settings=FlowSettings(),
        )  # fmt: skip
        return Deliveries(context, self.count, self.switch_off)

    def count(self, name: str, amount: int) -> None:
        self.counted[name] = self.counted.get(name, 0) + amount

    async def switch_off(self, one: Endpoint, why: str) -> bool:
        self.off.append((one.endpoint_id, why))
        return len(self.off) == 1

    def reach(self, point: str) -> None:
        pass

    def bytes(self, count: int) -> bytes:
        return bytes(count)

    def endpoints(self, tenant: TenantId, event_type: str) -> Sequence[Endpoint]:
        assert event_type == ENDPOINT_DISABLED
        return self.others

    async def load_papers(self, wanted: object) -> Mapping[Any, Any]:
        return {}

    async def deliver(
        self, one: Endpoint, notices: Sequence[Effect], now: int
    ) -> list[NoticeResult]:
        self.posts.append((one.endpoint_id, len(notices)))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        if self.is_held is not None:
            await self.is_held.wait()
        self.at_once -= 1
        self.clock.micros += self.slow_us
        status = self.answers.get(one.endpoint_id, "ok")
        code = {"ok": 200, "gone": 410}.get(status)
        return [NoticeResult(each.effect_id, status, status, code) for each in notices]

    async def finish(
        self,
        done: Sequence[tuple[str, int]],
        parked: Sequence[tuple[str, int, str]],
        answers: Mapping[str, NoticeAnswer] = MappingProxyType({}),
    ) -> None:
        self.answered |= answers
        self.done += [name for name, _ in done]
        self.parked |= {name: why for name, _, why in parked}

    async def reschedule(
        self,
        effects: Sequence[tuple[str, int, int]],
        answers: Mapping[str, NoticeAnswer] = MappingProxyType({}),
    ) -> None:
        self.answered |= answers
        self.later |= {name: due_at for name, _, due_at in effects}

    async def submit(self, command: Any) -> None:
        changes: Changes[None] = command.decide(command.facts, {}, {})
        self.told += changes.effects


async def test_what_was_answered_and_how_long_it_took_is_kept() -> None:
    world = World(answers={"dead": "retry"}, slow_us=70_000)
    await world.deliveries().deliver(endpoint("live"), [notice("fine")])
    await world.deliveries().deliver(endpoint("dead"), [notice("late")])
    assert world.answered == {
        "fine": NoticeAnswer(200, 70_000, "ok"),
        "late": NoticeAnswer(None, 70_000, "retry"),
    }


async def test_a_dead_endpoint_is_left_alone_but_for_a_pilot_now_and_then() -> None:
    world, dead, live = World(answers={"dead": "retry"}), endpoint("dead"), endpoint("live")
    deliveries = world.deliveries()
    for number in range(FAILURES):
        await deliveries.deliver(dead, [notice(f"d{number}")])
    assert (len(world.posts), deliveries.failing()) == (FAILURES, 1)
    await deliveries.deliver(dead, [notice("shut")])
    await deliveries.deliver(live, [notice("other")])
    assert (len(world.posts), world.done) == (FAILURES + 1, ["other"])
    assert world.later["shut"] > world.clock.now()

    world.clock.micros = world.later["shut"]
    world.is_held = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(deliveries.deliver(dead, [notice("pilot")]))
        await asyncio.sleep(0)
        await deliveries.deliver(dead, [notice("behind the pilot")])
        world.is_held.set()
    assert len(world.posts) == FAILURES + 2
    assert "behind the pilot" in world.later

    world.answers.clear()
    world.clock.micros += HOUR_US
    await deliveries.deliver(dead, [notice("back")])
    await deliveries.deliver(dead, [notice("as before")])
    assert (deliveries.failing(), world.done) == (0, ["other", "back", "as before"])


async def test_one_endpoint_has_few_posts_at_once_and_the_rest_waits_its_turn() -> None:
    world, slow, fast = World(), endpoint("slow"), endpoint("fast")
    world.is_held = asyncio.Event()
    deliveries = world.deliveries()
    async with asyncio.TaskGroup() as tasks:
        for number in range(3 * POSTS):
            tasks.create_task(deliveries.deliver(slow, [notice(f"s{number}")]))
        await asyncio.sleep(0)
        assert len(world.posts) == POSTS
        tasks.create_task(deliveries.deliver(fast, [notice("f")]))
        await asyncio.sleep(0)
        assert ("fast", 1) in world.posts
        world.is_held.set()
    assert (len(world.done), world.most_at_once) == (3 * POSTS + 1, POSTS + 1)


async def test_what_waited_for_half_a_lease_goes_back_to_the_outbox() -> None:
    world, slow = World(), endpoint("slow")
    world.is_held = asyncio.Event()
    deliveries = world.deliveries()
    async with asyncio.TaskGroup() as tasks:
        for number in range(POSTS + 1):
            tasks.create_task(deliveries.deliver(slow, [notice(f"s{number}")]))
        await asyncio.sleep(0)
        world.clock.micros += 20 * SECOND_US
        world.is_held.set()
    assert (len(world.done), list(world.later)) == (POSTS, [f"s{POSTS}"])


async def test_an_endpoint_that_is_gone_is_switched_off_and_its_owner_told_once() -> None:
    other, pulled = endpoint("other"), endpoint("pulled", "")
    gone = endpoint("gone")
    world = World(answers={"gone": "gone"}, others=(gone, other, pulled))
    deliveries = world.deliveries()
    await deliveries.deliver(gone, [notice("a"), notice("b")])
    await deliveries.deliver(gone, [notice("c")])
    assert set(world.parked) == {"a", "b", "c"}
    assert world.off == [("gone", GONE)] * 2
    assert [(one.group, one.ref) for one in world.told] == [
        ("other", ENDPOINT_DISABLED), ("pulled", ENDPOINT_DISABLED),
    ]  # fmt: skip
    assert world.told[0].payload["data"] == {"endpoint": "gone", "reason": GONE}
    assert world.told[1].due_at > world.told[0].due_at


async def test_an_endpoint_silent_for_a_notices_life_is_switched_off() -> None:
    world, dead = World(answers={"dead": "retry"}), endpoint("dead")
    deliveries = world.deliveries()
    old = START - 73 * HOUR_US
    for number in range(FAILURES - 1):
        await deliveries.deliver(dead, [notice(f"d{number}")])
    await deliveries.deliver(dead, [notice("old", old)])
    assert (world.parked, world.off) == ({"old": "retry"}, [("dead", DOWN)])
    await deliveries.deliver(dead, [notice("older", old), notice("young")])
    assert world.parked["older"] == DOWN
    assert "young" in world.later


async def test_an_old_notice_alone_switches_nothing_off() -> None:
    world, one = World(answers={"one": "retry"}), endpoint("one")
    deliveries = world.deliveries()
    await deliveries.deliver(one, [notice("old", START - 73 * HOUR_US)])
    assert (list(world.parked), world.off) == (["old"], [])
    again = notice("again", START - 73 * HOUR_US, again_at=START)
    await deliveries.deliver(one, [again])
    assert list(world.later) == ["again"]


async def test_what_nobody_fetched_is_parked_and_never_posted() -> None:
    world = World()
    await world.deliveries().deliver(endpoint("pulled", ""), [notice("n")])
    assert (world.parked, world.posts) == ({"n": NOT_FETCHED}, [])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 400)), max_size=60))
def test_a_breaker_lets_at_most_one_pilot_go_and_always_lets_one_go_in_the_end(
    steps: list[tuple[bool, int]],
) -> None:
    breaker, now = Breaker(), START
    for answered, seconds in steps:
        now += seconds * SECOND_US
        gate = breaker.ask(now)
        if gate is Gate.SHUT:
            continue
        if gate is Gate.PILOT:
            assert breaker.ask(now) is Gate.SHUT
        breaker.tell(answered=answered, now=now, jitter=0)
        assert breaker.is_failing == (breaker.failures >= FAILURES)
    assert breaker.shut_until - now <= 300 * SECOND_US
    assert breaker.ask(now + 300 * SECOND_US) is not Gate.SHUT
