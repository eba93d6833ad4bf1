"""The way to the simulated customs and back, with everything that may happen on it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Final

from adapters.customs.ceb.regime import CEBRegime
from adapters.sandbox.customs import CustomsAuthority, OutgoingFile, Settings
from gateway.domain.ids import ReceiptId
from gateway.ports import Lookup, Received, SendOutcome
from schemas.envelope import Envelope, open_file
from schemas.loader import LARGE
from tests.sim.faults import Fault, Faults
from tests.sim.loop import VirtualTimeLoop
from tests.sim.trace import Trace, short

if TYPE_CHECKING:
    from tests.sim.life import Life

FORGER: Final = "DXPFORGER0000001"
_DATA: Final = re.compile(rb"(<(?:\w+:)?Data>)([A-Za-z0-9+/=\s]+)(</)")
_FORGEABLE: Final = re.compile(rb"<returnStatus>(?:2|120)</returnStatus>")


class WireBroken(OSError):
    """The channel failed in a way that says nothing about the hand-over."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One envelope that a gateway gave to the channel, whatever became of it."""

    message_id: str
    digest: str
    envelope: str
    at_us: int


@dataclass(slots=True)
class Wire:
    """Customs, its mailbox for us, and the log of what crossed the wire. Outlives every gateway."""

    loop: VirtualTimeLoop
    seed: int
    faults: Faults
    trace: Trace
    authority: CustomsAuthority = field(init=False)
    sent: list[Sent] = field(default_factory=list)
    forged: int = 0
    lost_for: set[Lookup] = field(default_factory=set)
    on_the_way: int = 0
    late_for_customs: int = 0
    _mailbox: dict[str, Received] = field(default_factory=dict)
    _out_until: float = 0.0
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _rng: random.Random = field(init=False)
    _reader: CEBRegime = field(default_factory=CEBRegime)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: asyncio.TaskGroup | None = None

    def __post_init__(self) -> None:
        self.authority = CustomsAuthority(self.seed, Settings.demo())
        self._rng = random.Random(f"wire {self.seed}")

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is on its way in either direction and customs plans nothing."""
        return not self._mailbox and not self.on_the_way and self.authority.next_due() is None

    @property
    def is_out(self) -> bool:
        """Whether nothing gets through just now."""
        return self.loop.time() < self._out_until

    async def run(self) -> None:
        """Let customs answer in its time; runs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            while True:
                due = self.authority.next_due()
                self._news.clear()
                wait = None if due is None else (due - self.loop.now()) / timedelta(seconds=1)
                if wait is None or wait > 0:
                    try:
                        async with asyncio.timeout(wait):
                            await self._news.wait()
                    except TimeoutError:
                        pass
                self._pick_up()

    def _later(self, delay_s: float, action: str, envelope: bytes, name: str) -> None:
        """Something arrives on one of the two sides after a while."""
        assert self._tasks is not None
        self.on_the_way += 1
        self.late_for_customs += action == "customs"
        self._tasks.create_task(self._arrive(delay_s, action, envelope, name))

    async def _arrive(self, delay_s: float, action: str, data: bytes, name: str) -> None:
        await asyncio.sleep(delay_s)
        self.on_the_way -= 1
        if action == "customs":
            self.late_for_customs -= 1
            self._deliver(data)
        else:
            self._put(name, data)

    # --- towards customs ------------------------------------------------------------------------

    async def send(self, life: Life, file_name: str, envelope: bytes) -> SendOutcome:
        """One hand-over, for a gateway that may die meanwhile."""
        opened = open_file(envelope, LARGE)
        assert isinstance(opened, Envelope)
        digest = hashlib.sha256(opened.data).hexdigest()
        now = self.loop.now()
        at_us = int(now.timestamp() * 1_000_000)
        self.sent.append(Sent(opened.info.cop_msg_id, digest, short(envelope), at_us))
        self.trace.add(at_us, "send", file_name, short(envelope))
        outcome = await self._hand_over(envelope)
        life.check()
        self.trace.add(int(self.loop.time() * 1e6), "sent", file_name, outcome)
        return outcome

    async def _hand_over(self, envelope: bytes) -> SendOutcome:
        strikes, draw = self.faults.strikes, self.faults.draw
        if strikes(Fault.SEND_OUTAGE):
            self._out_until = self.loop.time() + draw(Fault.SEND_OUTAGE, 3, 15)
        await asyncio.sleep(self._rng.uniform(0.001, 0.05))
        if self.loop.time() < self._out_until or strikes(Fault.SEND_REFUSED):
            return SendOutcome.REFUSED
        if strikes(Fault.SEND_NOT_DELIVERED):
            return SendOutcome.UNKNOWN
        if strikes(Fault.SEND_ARRIVES_LATE):
            self._later(draw(Fault.SEND_ARRIVES_LATE, 1, 40), "customs", envelope, "")
            await asyncio.sleep(1_000)
        if strikes(Fault.SEND_RAISES):
            if draw(Fault.SEND_RAISES, 0, 1) < 0.5:
                self._deliver(envelope)
            raise WireBroken("the connection broke")
        self._deliver(envelope)
        if strikes(Fault.SEND_HANGS):
            await asyncio.sleep(1_000)
        if strikes(Fault.SEND_SLOW):
            await asyncio.sleep(draw(Fault.SEND_SLOW, 1, 5))
        if strikes(Fault.SEND_ANSWER_LOST):
            return SendOutcome.UNKNOWN
        await asyncio.sleep(self._rng.uniform(0.001, 0.05))
        return SendOutcome.HANDED_OVER

    def _deliver(self, envelope: bytes) -> None:
        self.authority.receive(envelope, self.loop.now())
        self._pick_up()
        self._news.set()

    # --- towards us -----------------------------------------------------------------------------

    def _pick_up(self) -> None:
        for file in self.authority.due(self.loop.now()):
            self._send_back(file)

    def _send_back(self, file: OutgoingFile) -> None:
        strikes, draw = self.faults.strikes, self.faults.draw
        if strikes(Fault.RECEIPT_LOST):
            read = self._reader.read(ReceiptId(""), file.data)
            self.lost_for.update(one.lookup for one in read.records if one.lookup is not None)
            return
        if strikes(Fault.RECEIPT_FORGED):
            self._forge(file)
        if strikes(Fault.RECEIPT_TWICE):
            delay = draw(Fault.RECEIPT_TWICE, 0, 20)
            self._later(delay, "mailbox", file.data, f"again-{file.name}")
        if strikes(Fault.RECEIPT_LATE):
            delay = draw(Fault.RECEIPT_LATE, 1, 25)
            self._later(delay, "mailbox", file.data, file.name)
            return
        self._put(file.name, file.data)

    def _forge(self, file: OutgoingFile) -> None:
        """A release that customs never gave: by a foreign sender, or about a foreign agent."""
        found = _DATA.search(file.data)
        if found is None:
            return
        body, changed = _FORGEABLE.subn(
            b"<returnStatus>800</returnStatus>", base64.b64decode(found[2])
        )
        if not changed or b"CEB622Message" not in body:
            return
        self.forged += 1
        envelope = file.data
        if self.forged % 2:
            envelope = envelope.replace(b"DXPEDCCEB0000002", FORGER.encode())
        else:
            body = re.sub(rb"<agentCode>\w+<", b"<agentCode>3301989999<", body)
        envelope = envelope.replace(found[2], base64.b64encode(body))
        self._put(f"forged-{file.name}", envelope)

    def _put(self, name: str, data: bytes) -> None:
        self.trace.add(int(self.loop.time() * 1e6), "receipt", name, short(data))
        token = f"{next(self._numbers):08d}"
        self._mailbox[token] = Received(name, data, token)

    async def receive(self, life: Life, limit: int) -> list[Received]:
        """Files that wait, oldest first unless the world shuffles them."""
        await asyncio.sleep(self._rng.uniform(0.001, 0.02))
        life.check()
        if self.faults.strikes(Fault.RECEIVE_FAILS):
            raise WireBroken("the mailbox cannot be read")
        waiting = list(self._mailbox.values())
        if len(waiting) > 1 and self.faults.strikes(Fault.RECEIPT_REORDERED):
            waiting.reverse()
        return waiting[:limit]

    async def acknowledge(self, life: Life, tokens: Sequence[str]) -> None:
        """Let go of files; a failure leaves them all."""
        await asyncio.sleep(self._rng.uniform(0.001, 0.02))
        life.check()
        if self.faults.strikes(Fault.ACKNOWLEDGE_FAILS):
            raise WireBroken("the mailbox cannot be emptied")
        for token in tokens:
            self._mailbox.pop(token, None)


@dataclass(slots=True)
class SimChannel:
    """Implements the ``Channel`` port for one life of the gateway."""

    wire: Wire
    life: Life
    name: str = "dxp"

    async def send(self, file_name: str, envelope: bytes) -> SendOutcome:
        """Hand an envelope over."""
        self.life.check()
        return await self.wire.send(self.life, file_name, envelope)

    async def receive(self, limit: int) -> list[Received]:
        """Files that wait."""
        self.life.check()
        return await self.wire.receive(self.life, limit)

    async def acknowledge(self, tokens: Sequence[str]) -> None:
        """The gateway has them."""
        self.life.check()
        await self.wire.acknowledge(self.life, tokens)

    async def check(self) -> None:
        """Whether the way is there."""
        self.life.check()
        if self.wire.is_out:
            raise WireBroken("the way is out")
