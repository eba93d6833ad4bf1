"""A paused channel sends nothing and goes on receiving; a security answer pauses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from gateway.domain.declaration import DeclarationKind
from gateway.domain.ids import EffectId, MessageId, ProfileId, ReceiptId, TenantId
from gateway.flow.context import SECOND_US, Context, FlowSettings
from gateway.flow.delivery import Deliveries
from gateway.flow.engine import PAUSED_US, Engine
from gateway.flow.receipt import apply_other
from gateway.ports import (
    Effect,
    EffectKind,
    InboxItem,
    MessageStage,
    ReadFile,
    ReadKind,
    StoredMessage,
)
from gateway.ports.pauses import Pause

NOW = 1_790_000_000_000_000
GROUP = "shop/p1/1/inventory"
SENDER = "DXPEDCCEB0000002"


@dataclass
class World:
    """The few ports that are asked here."""

    paused: dict[str, Pause] = field(default_factory=dict)
    later: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    submitted: list[str] = field(default_factory=list)
    received: int = 0
    message: StoredMessage | None = None

    def context(self) -> Context:
        me = cast(Any, self)
        return Context(
            clock=me, rng=me, crash=me, executor=me, store=me, master=me, matcher=me, regime=me,
            channels={"dxp": me}, keys=me, notifier=me, pauses=me,
            settings=FlowSettings(linger_s=0, senders={"dxp": frozenset({SENDER})}),
        )  # fmt: skip

    def engine(self) -> Engine:
        context = self.context()
        deliveries = Deliveries(context, self.count)
        return Engine(context, cast(Any, self), lambda tenant, one: None, deliveries)

    async def pause(self, channel: str, by: str, reason: str) -> bool:
        self.paused[channel] = Pause(channel, NOW, by, reason)
        return True

    def now(self) -> int:
        return NOW

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.001)

    def bytes(self, count: int) -> bytes:
        return bytes(count)

    def reach(self, point: str) -> None:
        pass

    def count(self, name: str, amount: int = 1) -> None:
        pass

    def took(self, stage: str, micros: int) -> None:
        pass

    def failed(self, stage: str, error: Exception) -> None:
        self.failures.append(stage)

    def subscribe(self, listener: Callable[[Sequence[Effect]], None]) -> None:
        pass

    def profile_version(self, profile_id: ProfileId, version: int) -> Any:
        return SimpleNamespace(channel="dxp")

    async def receive(self, limit: int) -> list[Any]:
        self.received += 1
        return []

    async def lease(self, *given: Any) -> list[Effect]:
        return []

    async def open_receipts(self, limit: int) -> list[InboxItem]:
        return []

    async def reschedule(self, effects: Sequence[tuple[str, int, int]]) -> None:
        self.later |= {name: due_at for name, _, due_at in effects}

    async def load_message(self, message_id: MessageId, *, with_body: bool) -> Any:
        return self.message

    async def submit(self, command: Any) -> Any:
        self.submitted.append(command.stage)
        raise RuntimeError("nothing is stored here")


def effects() -> list[Effect]:
    return [
        Effect(EffectId("d"), EffectKind.DECLARE, GROUP, NOW, tenant=TenantId("shop")),
        Effect(EffectId("s"), EffectKind.SEND, "dxp", NOW, ref="m1", attempt=2),
        Effect(EffectId("a"), EffectKind.ANSWER, "answer", NOW, ref="m1", attempt=1),
    ]


def stored() -> StoredMessage:
    return StoredMessage(
        MessageId("m1"), "G", DeclarationKind.INVENTORY, TenantId("shop"), ProfileId("p1"), GROUP,
        MessageStage.NOT_HANDED_OVER, NOW, 1, b"x", (),
    )  # fmt: skip


async def worked(world: World) -> Mapping[str, int]:
    engine = world.engine()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(engine.run())
        await asyncio.sleep(0)
        engine.take(effects())
        await asyncio.sleep(0.05)
        engine.stop()
    return world.later


async def test_nothing_is_sent_while_a_channel_is_paused_and_receiving_goes_on() -> None:
    world = World(paused={"dxp": Pause("dxp", NOW, "me", "why")}, message=stored())
    assert await worked(world) == dict.fromkeys("dsa", NOW + PAUSED_US)
    assert (world.failures, world.submitted) == ([], [])
    assert world.received > 0


async def test_the_pause_of_one_channel_leaves_the_others_alone() -> None:
    world = World(paused={"other": Pause("other", NOW, "me", "why")}, message=stored())
    later = await worked(world)
    assert set(world.failures) >= {"declare", "send"}
    assert all(due_at < NOW + 10 * SECOND_US for due_at in later.values())


async def test_a_security_answer_pauses_its_channel_before_anything_else() -> None:
    world = World(message=stored())
    item = InboxItem(ReceiptId("r"), "dxp", "a.xml", b"", NOW)
    read = ReadFile(
        ReadKind.TRANSPORT, sender_id=SENDER, message_id="m1", code="1003", quarantine=True
    )
    context = world.context()
    try:
        await apply_other(context, item, read)
    except RuntimeError:
        assert world.submitted == ["receipt"]
    (pause,) = world.paused.values()
    assert (pause.channel, pause.by, pause.reason) == ("dxp", "gateway", "security answer 1003")


async def test_a_security_answer_of_a_stranger_pauses_nothing() -> None:
    item = InboxItem(ReceiptId("r"), "dxp", "a.xml", b"", NOW)
    for sender, message in ((SENDER, None), ("STRANGER", stored())):
        world = World(message=message)
        read = ReadFile(
            ReadKind.TRANSPORT, sender_id=sender, message_id="m1", code="1003", quarantine=True
        )
        try:
            await apply_other(world.context(), item, read)
        except RuntimeError:
            pass
        assert world.paused == {}
