"""Places, pace, windows and the breaker of a channel."""

from __future__ import annotations

import asyncio

import pytest

from gateway.flow.breaker import FAILURES
from gateway.flow.context import SECOND_US
from gateway.flow.ways import ChannelWays, WayLimits
from gateway.flow.windows import parse_window
from gateway.ports import SendOutcome
from gateway.ports.ways import OpenWays, WayShut

# 2026-11-28 12:00 UTC, a Saturday.
NOON = 1_795_867_200 * SECOND_US


class Machine:
    """A clock that moves when somebody sleeps, and no chance."""

    def __init__(self) -> None:
        self.at = NOON
        self.slept: list[float] = []

    def now(self) -> int:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += int(seconds * SECOND_US)

    def bytes(self, count: int) -> bytes:
        return bytes(count)

    def guid(self) -> str:
        return ""


def ways(machine: Machine, **limits: WayLimits) -> ChannelWays:
    return ChannelWays(machine, machine, limits or {"dxp": WayLimits()})


async def hand_over(made: ChannelWays, outcome: SendOutcome | None, channel: str = "dxp") -> None:
    async with made.turn(channel) as turn:
        if outcome is not None:
            turn.tell(outcome)


async def fail(made: ChannelWays, times: int = FAILURES) -> None:
    for _ in range(times):
        await hand_over(made, SendOutcome.REFUSED)


async def test_the_pace_is_even() -> None:
    machine = Machine()
    made = ways(machine, dxp=WayLimits(per_minute=60))
    for _ in range(4):
        await hand_over(made, SendOutcome.HANDED_OVER)
    assert machine.slept == [1.0, 1.0, 1.0]


async def test_a_slow_channel_takes_no_place_of_another() -> None:
    made = ways(Machine(), slow=WayLimits(in_flight=1), quick=WayLimits(in_flight=1))
    async with made.place("slow"):
        async with asyncio.timeout(1), made.place("quick"):
            pass
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), made.place("slow"):
                pass


@pytest.mark.parametrize("outcome", [SendOutcome.REFUSED, SendOutcome.UNKNOWN, None])
async def test_failures_in_a_row_shut_the_way(outcome: SendOutcome | None) -> None:
    machine = Machine()
    made = ways(machine)
    for _ in range(FAILURES):
        assert made.shut_until("dxp") is None
        await hand_over(made, outcome)
    until = made.shut_until("dxp")
    assert until is not None
    with pytest.raises(WayShut) as shut:
        await hand_over(made, SendOutcome.HANDED_OVER)
    assert shut.value.until == until
    assert made.standing()["dxp"].failures == FAILURES


async def test_a_way_that_declines_the_bytes_is_well() -> None:
    made = ways(Machine())
    for _ in range(10 * FAILURES):
        await hand_over(made, SendOutcome.DECLINED)
    assert made.shut_until("dxp") is None


async def test_one_pilot_goes_after_the_pause_and_opens_the_way() -> None:
    machine = Machine()
    made = ways(machine)
    await fail(made)
    machine.at = made.shut_until("dxp") or 0
    assert made.shut_until("dxp") is None
    async with made.turn("dxp") as pilot:
        assert made.shut_until("dxp") == machine.at + SECOND_US
        with pytest.raises(WayShut):
            await hand_over(made, SendOutcome.HANDED_OVER)
        pilot.tell(SendOutcome.HANDED_OVER)
    assert made.shut_until("dxp") is None
    assert made.standing()["dxp"].answered_at == machine.at


async def test_a_failing_way_that_is_there_again_is_tried_at_once() -> None:
    made = ways(Machine())
    await fail(made)
    made.beat("dxp", is_up=True)
    assert made.shut_until("dxp") is not None, "it was there all the time"
    made.beat("dxp", is_up=False)
    assert not made.standing()["dxp"].is_up
    made.beat("dxp", is_up=True)
    assert made.shut_until("dxp") is None


async def test_nothing_goes_in_a_maintenance_window() -> None:
    machine = Machine()
    made = ways(machine, dxp=WayLimits(windows=parse_window("Sat 19:00-21:00")))
    assert made.shut_until("dxp") == NOON + 3600 * SECOND_US
    with pytest.raises(WayShut):
        await hand_over(made, SendOutcome.HANDED_OVER)
    machine.at += 3600 * SECOND_US
    await hand_over(made, SendOutcome.HANDED_OVER)


async def test_where_nothing_limits_everything_goes() -> None:
    made = OpenWays()
    async with made.place("any"), made.turn("any") as turn:
        turn.tell(SendOutcome.REFUSED)
    made.beat("any", is_up=False)
    assert (made.shut_until("any"), made.heartbeat_s("any"), made.standing()) == (None, 0.0, {})
