"""Packs of submissions: in order for one tenant, tenants in turns, as room allows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from gateway.domain.ids import EffectId, TenantId
from gateway.flow.engine import Engine
from gateway.ports import Effect, EffectKind
from gateway.ports.submissions import SUBMISSIONS
from tests.unit.flow.test_pauses import NOW, World


def pack(tenant: str, number: int) -> Effect:
    name = f"{tenant}{number}"
    tenant_id = TenantId(tenant)
    return Effect(EffectId(name), EffectKind.RECHECK, SUBMISSIONS, NOW, tenant=tenant_id, ref=name)


@dataclass
class Taker:
    """Notes what is begun, and how many are at work at once."""

    begun: list[str] = field(default_factory=list)
    at_work: int = 0
    most: int = 0
    failing: str = ""

    async def take_in(self, effect: Effect) -> None:
        self.begun.append(effect.ref)
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        await asyncio.sleep(0.002)
        self.at_work -= 1
        if effect.ref == self.failing:
            self.failing = ""
            raise RuntimeError("not now")


@asynccontextmanager
async def working(world: World, taker: Taker) -> AsyncIterator[Engine]:
    engine = world.engine()
    engine.take_in = taker.take_in
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run())
        await asyncio.sleep(0)
        yield engine
        engine.stop()


async def test_a_tenants_packs_are_taken_in_the_order_of_their_coming() -> None:
    taker = Taker()
    async with working(World(), taker) as engine:
        engine.take([pack("a", number) for number in range(9)])
        await asyncio.sleep(0.1)
    assert taker.begun == [f"a{number}" for number in range(9)]
    assert taker.most == 1


async def test_a_tenant_with_many_packs_does_not_keep_others_waiting() -> None:
    taker = Taker()
    async with working(World(), taker) as engine:
        engine.take([pack("a", number) for number in range(9)])
        engine.take([pack(name, 0) for name in "bc"])
        await asyncio.sleep(0.1)
    assert set(taker.begun[:4]) >= {"b0", "c0"}
    assert len(taker.begun) == 11
    assert taker.most == 2


async def test_what_has_no_room_waits_and_what_is_not_begun_is_left() -> None:
    taker = Taker()
    async with working(World(), taker) as engine:
        engine.admission.in_hand = engine.admission.limits.in_hand
        engine.take([pack("a", 0)])
        await asyncio.sleep(0.02)
        assert taker.begun == []
        engine.admission.done(1)
        await asyncio.sleep(0.02)
        assert taker.begun == ["a0"]
        engine.admission.in_hand = engine.admission.limits.in_hand
        engine.take([pack("a", 1)])
    assert taker.begun == ["a0"]


async def test_a_pack_that_fails_comes_again_and_others_go_on() -> None:
    world, taker = World(), Taker(failing="a0")
    async with working(world, taker) as engine:
        engine.take([pack("a", 0), pack("a", 1)])
        await asyncio.sleep(0.02)
    assert taker.begun == ["a0", "a1"]
    assert world.failures == ["recheck"]
    assert world.later["a0"] > NOW


async def test_more_packs_than_memory_has_place_for_are_left_to_polling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.flow.engine._PACKS", 3)
    taker = Taker()
    async with working(World(), taker) as engine:
        engine.take([pack("a", number) for number in range(5)])
        await asyncio.sleep(0.05)
        assert taker.begun == ["a0", "a1", "a2"]
        engine.take([pack("a", 3)])
        await asyncio.sleep(0.02)
    assert taker.begun == ["a0", "a1", "a2", "a3"]
