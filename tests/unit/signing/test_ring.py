"""Key rings: who signs next, who rests, and that nothing is lost or signed by the wrong key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from signing import Priority, Ring, RingKey, RingWatch, SigningError, Urgency, verify
from signing.errors import (
    AgentUnreachable,
    DeadlinePassed,
    DeviceMissing,
    EnterpriseForeign,
    KeyExpired,
    KeyNotYetValid,
    NoKeyReady,
    PinWrong,
    RingFull,
    RootUnusual,
    SignatureForeign,
    SigningKeyError,
)
from signing.ring import FORECAST_DAYS, Health, RingLimits, days_left, forecast
from tests.unit.signing.make import BODY, NOW, file_key, policy
from tests.unit.signing.make_sm2 import sm2_key
from tests.unit.signing.test_sm2 import sm2_policy

QUICK = RingLimits(rest_ms=20, longest_rest_ms=60)


class Device:
    """A key that may fail, and remembers what it was given and whether two calls met."""

    def __init__(self, name: str, error: SigningKeyError | None = None, real: Any = None) -> None:
        self.real = real or file_key()
        self.name = name
        self.certificate = self.real.certificate
        self.key_name = self.real.key_name
        self.error = error
        self.given: list[bytes] = []
        self.busy = 0
        self.most = 0

    def sign(self, data: bytes) -> bytes:
        self.given.append(data)
        if self.error is not None:
            raise self.error
        signature: bytes = self.real.sign(data)
        return signature

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await asyncio.sleep(0.002)
            return function(*arguments)
        finally:
            self.busy -= 1


class Notes(RingWatch):
    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def signed(self, ring: str, key: str, micros: int) -> None:
        assert micros >= 0
        self.told.append(("signed", key))

    def failed(self, ring: str, key: str, error: SigningError) -> None:
        self.told.append(("failed", key, error.code))

    def returned(self, ring: str, key: str) -> None:
        self.told.append(("returned", key))


def ring(*devices: Device, now: datetime | None = None, **more: Any) -> Ring:
    keys = [RingKey(one, one.run) for one in devices]
    moment = None if now is None else (lambda: now)
    return Ring("default", keys, now=moment, limits=more.pop("limits", QUICK), **more)


def body(number: int) -> bytes:
    return BODY.replace(b"SIGN-0001", b"SIGN-%04d" % number)


async def test_a_document_is_signed_and_checked() -> None:
    made = ring(Device("a"), now=NOW)
    signed = await made.sign(BODY)
    assert verify(signed.content, policy()).content == BODY
    (state,) = made.states()
    assert (state.uses, state.failures, state.health, made.waiting) == (1, 0, Health.READY, 0)


async def test_never_two_calls_on_one_device_and_every_document_is_signed_once() -> None:
    devices = Device("a"), Device("b")
    made = ring(*devices)
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(made.sign(body(number))) for number in range(40)]
    assert len({task.result().content for task in asked}) == 40
    assert [one.most for one in devices] == [1, 1]
    assert sum(len(one.given) for one in devices) == 40


async def test_keys_share_by_weight() -> None:
    light, heavy = Device("light"), Device("heavy")
    made = Ring("r", [RingKey(light, light.run), RingKey(heavy, heavy.run, weight=3)])
    for number in range(40):
        await made.sign(body(number))
    assert (len(light.given), len(heavy.given)) == (10, 30)


async def test_the_most_urgent_goes_first() -> None:
    device = Device("a")
    made = ring(device)
    order: list[str] = []

    async def ask(name: str, urgency: Urgency) -> None:
        await made.sign(BODY, urgency)
        order.append(name)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(ask("first", Urgency(Priority.PAPER)))
        await asyncio.sleep(0)
        for name, urgency in (
            ("paper", Urgency(Priority.PAPER)),
            ("list, no cut-off", Urgency(Priority.INVENTORY)),
            ("list, late", Urgency(Priority.INVENTORY, cut_off=900)),
            ("list, soon", Urgency(Priority.INVENTORY, cut_off=100)),
            ("cancel", Urgency(Priority.CHANGE)),
            ("question", Urgency(Priority.QUESTION)),
        ):
            tasks.create_task(ask(name, urgency))
    assert order == [
        "first", "question", "cancel", "list, soon", "list, late", "list, no cut-off", "paper",
    ]  # fmt: skip


async def test_a_device_is_asked_no_faster_than_it_can() -> None:
    device = Device("a")
    made = Ring("r", [RingKey(device, device.run, pace_ms=40)])
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(made.sign(body(number)))
    assert loop.time() - started >= 0.12


async def test_another_key_takes_over_and_the_failing_one_rests_and_returns() -> None:
    notes, bad, good = Notes(), Device("bad", AgentUnreachable()), Device("good")
    made = ring(bad, good, watch=notes, limits=RingLimits(rest_ms=600))
    signed = await made.sign(BODY)
    assert verify(signed.content, policy()).content == BODY
    assert [state.health for state in made.states()] == [Health.RESTING, Health.READY]
    assert made.states()[0].why == "SIGN-211"
    for number in range(5):
        await made.sign(body(number))
    assert len(bad.given) == 1
    bad.error = None
    await asyncio.sleep(0.65)
    for number in range(5):
        await made.sign(body(number))
    assert len(bad.given) > 1
    assert ("failed", "bad", "SIGN-211") in notes.told
    assert ("returned", "bad") in notes.told
    assert made.states()[0].health is Health.READY


async def test_rests_grow_longer() -> None:
    device = Device("a", AgentUnreachable())
    made = ring(device, limits=RingLimits(rest_ms=150, longest_rest_ms=400))
    waits = []
    for _ in range(4):
        with pytest.raises(AgentUnreachable):
            await made.sign(BODY)
        waits.append(made._members[0].rests_until_us - int(asyncio.get_running_loop().time() * 1e6))
        await asyncio.sleep(waits[-1] / 1e6 + 0.002)
    assert waits[0] <= 150_000 < waits[1] <= 300_000 < waits[2] <= 400_000
    assert waits[3] <= 400_000
    assert device.given
    assert made.states()[0].failures == 4


async def test_a_fault_that_does_not_pass_keeps_a_key_out_until_a_person_readmits_it() -> None:
    device = Device("a", PinWrong())
    made = ring(device)
    with pytest.raises(PinWrong):
        await made.sign(BODY)
    device.error = None
    for _ in range(3):
        with pytest.raises(PinWrong):
            await made.sign(BODY)
        await made.check()
    assert len(device.given) == 1
    assert made.states()[0].health is Health.OUT
    assert made.readmit("a")
    await made.sign(BODY)
    assert not made.readmit("nobody")


async def test_when_every_key_fails_the_last_error_is_told_and_nothing_was_signed() -> None:
    made = ring(Device("a", DeviceMissing()), Device("b", AgentUnreachable()))
    with pytest.raises((DeviceMissing, AgentUnreachable)):
        await made.sign(BODY)
    with pytest.raises(NoKeyReady):
        await made.sign(BODY)


async def test_those_who_wait_are_told_when_the_last_key_goes_out() -> None:
    device = Device("a", PinWrong())
    made = ring(device)
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(_refusal(made, number)) for number in range(5)]
    assert all(isinstance(task.result(), PinWrong) for task in asked)
    assert len(device.given) == 1
    assert made.waiting == 0


async def _refusal(made: Ring, number: int) -> SigningError | None:
    try:
        await made.sign(body(number))
    except SigningError as error:
        return error
    return None


async def test_a_faulty_document_is_no_fault_of_the_key() -> None:
    made = ring(Device("a"))
    with pytest.raises(RootUnusual):
        await made.sign(b"<a></a>")
    assert made.states()[0].health is Health.READY


async def test_deadlines_and_a_full_ring() -> None:
    device = Device("a")
    release = asyncio.Event()

    async def held(function: Callable[..., Any], *arguments: Any) -> Any:
        await release.wait()
        return function(*arguments)

    made = Ring("r", [RingKey(device, held)], limits=RingLimits(waiting=1))
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(made.sign(BODY))
        await asyncio.sleep(0)
        second = tasks.create_task(_refusal(made, 2))
        await asyncio.sleep(0)
        with pytest.raises(RingFull):
            await made.sign(body(3))
        second.cancel()
        await asyncio.sleep(0)
        with pytest.raises(DeadlinePassed):
            await made.sign(body(4), Urgency(wait_ms=20))
        release.set()
    assert first.result().content
    assert (made.waiting, made.states()[0].in_flight) == (0, 0)
    await made.sign(BODY)


async def test_certificates_are_judged_at_the_moment() -> None:
    device = Device("a")
    with pytest.raises(KeyExpired):
        await ring(device, now=NOW + timedelta(days=31)).sign(BODY)
    early = ring(device, now=NOW - timedelta(days=31))
    with pytest.raises(KeyNotYetValid):
        await early.sign(BODY)
    assert early.states()[0].health is Health.NOT_YET
    assert ring(device, now=NOW + timedelta(days=31)).states()[0].health is Health.EXPIRED
    assert device.given == []


async def test_an_overlap_rotates_from_rsa_to_sm2() -> None:
    moment = [NOW]
    old, new = Device("rsa"), Device("sm2", real=sm2_key())
    made = Ring(
        "r",
        [
            RingKey(old, old.run, use_until=NOW + timedelta(days=2)),
            RingKey(new, new.run, use_from=NOW + timedelta(days=1)),
        ],
        now=lambda: moment[0],
    )
    signers = []
    for hours in (0, 30, 30, 30, 49):
        moment[0] = NOW + timedelta(hours=hours)
        signed = await made.sign(BODY)
        signers.append(signed.profile.name)
        both = sm2_policy(pinned=(old.certificate, new.certificate))
        assert verify(signed.content, both).content == BODY
    assert signers[0] == "CEB-RSA-SHA1"
    assert set(signers[1:4]) == {"CEB-RSA-SHA1", "CEB-SM2-SM3"}
    assert signers[4] == "CEB-SM2-SM3"


async def test_a_key_of_another_enterprise_is_never_used() -> None:
    ours, theirs = Device("ours"), Device("theirs")
    made = Ring(
        "r",
        [
            RingKey(ours, ours.run, enterprises=frozenset({"3301000001"})),
            RingKey(theirs, theirs.run, enterprises=frozenset({"4403000002"})),
        ],
    )
    for number in range(6):
        await made.sign(body(number), enterprises={"3301000001", "91330100MA00000001"})
    assert (len(ours.given), len(theirs.given)) == (6, 0)
    with pytest.raises(EnterpriseForeign):
        await made.sign(BODY, enterprises={"1100000003"})


async def test_checks_find_a_broken_key_before_a_document_does() -> None:
    bad, foreign, good = Device("bad", AgentUnreachable()), Device("foreign"), Device("good")
    foreign.real = file_key(0x0300000000099999)
    made = ring(bad, foreign, good)
    await made.check()
    health = {state.name: state.health for state in made.states()}
    assert health == {"bad": Health.RESTING, "foreign": Health.OUT, "good": Health.READY}
    bad.error = None
    await made.check()
    assert made.states()[0].health is Health.READY


async def test_what_customs_says_of_a_signature_sets_its_key_aside() -> None:
    made = ring(Device("a"), Device("b"))
    assert made.set_aside("b", SignatureForeign())
    assert not made.set_aside("nobody", SignatureForeign())
    for number in range(4):
        await made.sign(body(number))
    assert [state.health for state in made.states()] == [Health.READY, Health.OUT]


async def test_bytes_of_others_are_signed_too() -> None:
    signature, key = await ring(Device("a")).sign_bytes(b"SignedInfo")
    assert signature == file_key().sign(b"SignedInfo")
    assert key.name == "a"
    foreign = Device("foreign")
    foreign.real = file_key(0x0300000000099999)
    with pytest.raises(SignatureForeign):
        await ring(foreign).sign_bytes(b"SignedInfo")


def test_the_end_of_a_certificate_is_forecast() -> None:
    certificate = file_key().certificate
    end = certificate.not_after
    assert forecast(certificate, end - timedelta(days=61)) is None
    for days in FORECAST_DAYS:
        assert forecast(certificate, end - timedelta(days=days)) == days
    assert forecast(certificate, end - timedelta(days=20)) == 30
    assert forecast(certificate, end + timedelta(seconds=1)) == 0
    assert days_left(certificate, end - timedelta(days=20, hours=1)) == 20


async def test_an_empty_ring_says_so() -> None:
    with pytest.raises(NoKeyReady):
        await Ring("empty", []).sign(BODY)


async def test_a_doubted_key_signs_nothing_until_nobody_doubts_it() -> None:
    notes = Notes()
    devices = Device("a"), Device("b", real=file_key(0x0300000000099999))
    made = ring(*devices, now=NOW, watch=notes)
    doubted = devices[1].certificate.serial
    made.doubt({doubted, "nobody's"})
    made.doubt({doubted})
    for number in range(4):
        await made.sign(body(number))
    await made.check()
    assert [state.health for state in made.states()] == [Health.READY, Health.OUT]
    assert made.states()[1].why == "SIGN-226"
    assert not devices[1].given
    made.doubt({doubted, devices[0].certificate.serial})
    assert not made.is_ready_for(())
    with pytest.raises(NoKeyReady):
        await made.sign(BODY)
    made.doubt(())
    assert made.is_ready_for(())
    for number in range(4):
        await made.sign(body(number))
    assert devices[1].given
    assert [told for told in notes.told if told[0] != "signed"] == [
        ("failed", "b", "SIGN-226"),
        ("failed", "a", "SIGN-226"),
        ("returned", "a"),
        ("returned", "b"),
    ]


async def test_what_a_key_made_while_it_came_into_doubt_is_thrown_away() -> None:
    first, second = Device("a"), Device("b", real=file_key(0x0300000000099999))
    made = ring(first, second, now=NOW)
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(made.sign(BODY))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert first.busy
        made.doubt({first.certificate.serial})
    assert asked.result().key_name == second.key_name
    assert made.states()[0].uses == 0
