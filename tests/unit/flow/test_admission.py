"""Admission: intake closes at its bounds, workers stop fetching, memory has a last bound."""

from __future__ import annotations

import asyncio

import pytest

from gateway.flow.admission import Admission, AdmissionLimits
from gateway.ports import EffectKind
from gateway.ports.pauses import Pause
from tests.unit.flow.test_pauses import NOW, World, effects


@pytest.mark.parametrize("name", ["in_hand", "left"])
def test_intake_is_open_below_each_bound_and_closed_at_it(name: str) -> None:
    admission = Admission(AdmissionLimits(in_hand=3, waiting=3, left=3))
    for number in range(3):
        setattr(admission, name, number)
        assert admission.is_open
    setattr(admission, name, 3)
    assert not admission.is_open
    setattr(admission, name, 2)
    assert admission.is_open


def test_the_stores_queue_closes_intake_too() -> None:
    queue = [2]
    admission = Admission(AdmissionLimits(waiting=3), lambda: queue[0])
    assert admission.is_open
    queue[0] = 3
    assert not admission.is_open


def test_a_bound_of_zero_bounds_nothing() -> None:
    admission = Admission(AdmissionLimits(0, 0, 0), lambda: 10**9, in_hand=10**9, left=10**9)
    assert admission.is_open
    assert admission.has_room
    assert admission.take()


def test_memory_takes_twice_what_intake_is_bounded_by_and_no_more() -> None:
    admission = Admission(AdmissionLimits(in_hand=2))
    assert [admission.take() for _ in range(6)] == [True] * 4 + [False] * 2
    assert admission.in_hand == 4
    assert not admission.has_room
    admission.done(3)
    assert admission.has_room


async def test_what_the_engine_puts_back_or_fails_with_is_no_longer_in_hand() -> None:
    declare = [one for one in effects() if one.kind is EffectKind.DECLARE]
    for paused in ({}, {"dxp": Pause("dxp", NOW, "me", "why")}):
        world = World(paused=paused)
        engine = world.engine()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(engine.run())
            await asyncio.sleep(0)
            engine.take(declare)
            assert engine.admission.in_hand == 1
            await asyncio.sleep(0.05)
            engine.stop()
        assert engine.admission.in_hand == 0
        assert ("d" in world.later, world.failures) == (True, [] if paused else ["declare"])


def test_a_full_engine_leases_everything_but_new_declarations() -> None:
    engine = World().engine()
    assert EffectKind.DECLARE in engine._wanted()
    engine.admission.in_hand = engine.admission.limits.in_hand
    assert set(engine._wanted()) == set(EffectKind) - {EffectKind.DECLARE}
