"""The engine: takes effects as they are committed, polls for those left behind, runs the stages.

It decides nothing about cases. Work handed over in memory after a commit is leased to this
process; what a stopped process left is found by polling once its lease has run out or was freed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol
from weakref import WeakValueDictionary

from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import Retry, StoreError
from gateway.domain.ids import CaseId, EndpointId, MessageId, TenantId
from gateway.flow.admission import Admission
from gateway.flow.context import SECOND_US, Context
from gateway.flow.declare import channel_of, claim_message
from gateway.flow.delivery import Deliveries
from gateway.flow.desk import Desk
from gateway.flow.filing_plan import FILING
from gateway.flow.filings import run_filing
from gateway.flow.gate_plan import GATE
from gateway.flow.gates import run_gate
from gateway.flow.grouper import Grouper
from gateway.flow.ingest import Ingest
from gateway.flow.links import RELINK, UNLINKED, check_overdue
from gateway.flow.receipt import apply_other, apply_receipts, keep_received
from gateway.flow.repair import REPAIR
from gateway.flow.retry import SEND
from gateway.flow.return_watch import RETURNS, check_return
from gateway.flow.transmit import (
    NOT_SENT,
    PART,
    check_answer,
    deliver_message,
    load_live,
    part_list,
    resume_message,
)
from gateway.flow.watchdog import check_deadline
from gateway.ports import (
    Effect,
    EffectKind,
    Endpoint,
    InboxItem,
    ReadFile,
    SendOutcome,
    StoredMessage,
)
from gateway.ports.submissions import SUBMISSIONS

POLLED: Final = tuple(EffectKind)
PAUSED_US: Final = 30 * SECOND_US
"""How long what would be sent waits before a paused channel is asked about again."""
_RECEIVE_AGAIN_S: Final = 5.0
_DOUBLINGS: Final = 16
# How many packs of submissions one process takes in at once, and how many it has in hand.
_TAKEN_IN: Final = 2
_PACKS: Final = 2_000
_MOMENT_S: Final = 0.5
# Nothing is sent again for want of an answer that may be waiting to be read.
_BEFORE_ANSWERS: Final = tuple(kind for kind in EffectKind if kind is not EffectKind.ANSWER)


class Observer(Protocol):
    """Is told what the engine does, for metrics and logs; must not raise."""

    def count(self, name: str, amount: int = 1) -> None:
        """Something countable happened."""
        ...

    def took(self, stage: str, micros: int) -> None:
        """One batch went through a stage."""
        ...

    def failed(self, stage: str, error: Exception) -> None:
        """A stage failed and its work will be tried again."""
        ...


@dataclass(slots=True)
class Engine:
    """Runs the workers of one process. ``endpoints`` resolves an endpoint id of a notice."""

    context: Context
    observer: Observer
    endpoint: Callable[[TenantId, EndpointId], Endpoint | None]
    deliveries: Deliveries
    repair_overdue: Callable[[Effect], Awaitable[None]] | None = None
    take_in: Callable[[Effect], Awaitable[None]] | None = None
    admission: Admission = field(default_factory=Admission)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: asyncio.TaskGroup | None = None
    _declarations: Grouper[Effect] | None = None
    _notices: Grouper[Effect] | None = None
    _in_flight: asyncio.Semaphore | None = None
    _active: set[str] = field(default_factory=set)
    _turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)
    _taking_in: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_TAKEN_IN))
    _packs: int = 0
    _behind: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Work until :meth:`stop`; then finish what is in hand and return."""
        settings = self.context.settings
        self._in_flight = asyncio.Semaphore(settings.messages_in_flight)
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._declarations = Grouper(
                self.context.clock,
                tasks,
                self._declare,
                self._message_size,
                settings.linger_s,
            )
            self._notices = Grouper(
                self.context.clock,
                tasks,
                self._notify,
                self._batch_size,
                settings.notice_linger_s,
            )
            self.context.store.subscribe(self.take)
            self._behind.update(self.context.channels)
            tasks.create_task(self._poll())
            tasks.create_task(self._watch_receipts())
            await self.stopping.wait()
        self._tasks = None

    def _message_size(self, group: str) -> int:
        """How many declarations of a group a message takes; a list takes all that it lists."""
        settings = self.context.settings
        is_list = DeclarationKind(group.split("/")[3]).is_list
        return settings.list_parcels if is_list else settings.message_records

    def stop(self) -> None:
        """Take nothing new; what is in hand is finished."""
        self.stopping.set()

    # --- taking work in -------------------------------------------------------------------------

    def take(self, effects: Sequence[Effect]) -> None:
        """Effects of this process's own commits, or leased ones: route each to its stage."""
        if self.stopping.is_set() or self._tasks is None:
            return
        assert self._declarations is not None
        assert self._notices is not None
        for effect in effects:
            match effect.kind:
                case EffectKind.DECLARE:
                    # What there is no place for is found by polling once its lease has run out.
                    if self.admission.take():
                        self._declarations.add(effect.group, effect)
                case EffectKind.NOTICE:
                    self._notices.add(f"{effect.tenant}/{effect.group}", effect)
                case EffectKind.SEND:
                    if effect.attempt > 0:
                        self._start(effect, self._resume)
                case EffectKind.ANSWER:
                    self._start(effect, self._answer)
                case EffectKind.DEADLINE:
                    self._start(effect, self._deadline)
                case EffectKind.RECHECK:
                    self._start(effect, self._recheck)

    def _start(self, effect: Effect, work: Callable[[Effect], Awaitable[None]]) -> None:
        if effect.effect_id in self._active:
            return
        assert self._tasks is not None
        self._active.add(effect.effect_id)
        self._tasks.create_task(self._guarded(effect, work))

    async def _guarded(self, effect: Effect, work: Callable[[Effect], Awaitable[None]]) -> None:
        try:
            await work(effect)
        except Exception as error:
            self.observer.failed(effect.kind.value, error)
            await self._give_back([effect])
        finally:
            self._active.discard(effect.effect_id)

    async def _give_back(self, effects: Sequence[Effect]) -> None:
        """Try these effects again later; they stay leased to nobody until then.

        When not even this can be stored, they are found by polling once their lease has run out.
        """
        now = self.context.clock.now()
        jitter = self.context.rng.bytes(1)[0]
        try:
            await self.context.store.reschedule(
                [
                    (one.effect_id, one.attempt, now + SEND.wait_us(one.attempt + 1, jitter))
                    for one in effects
                ]
            )
        except Exception as error:
            self.observer.failed("reschedule", error)

    async def _poll(self) -> None:
        """Lease what is due and has no live worker; runs until the engine stops.

        After a start, the timers that wait for answers stay where they are until the files that
        came in the meantime were read.
        """
        settings = self.context.settings
        while not self.stopping.is_set():
            try:
                now = self.context.clock.now()
                leased = await self.context.store.lease(
                    self._wanted(), settings.lease_batch, now, settings.lease_us
                )
                self.take(leased)
                full = len(leased) == settings.lease_batch
            except Exception as error:
                self.observer.failed("poll", error)
                full = False
            if not full:
                await self._pause(settings.poll_s)

    def _wanted(self) -> Sequence[EffectKind]:
        """The kinds of effects to lease now."""
        kinds = _BEFORE_ANSWERS if self._behind else POLLED
        if self.admission.has_room:
            return kinds
        return [kind for kind in kinds if kind is not EffectKind.DECLARE]

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not past the stop."""
        if not self.stopping.is_set():
            await self.context.clock.sleep(seconds)

    async def _wait(self, seconds: float) -> None:
        """Sleep a longer while, and no longer than a moment past the stop."""
        while seconds > 0:
            await self._pause(min(seconds, _MOMENT_S))
            seconds = 0 if self.stopping.is_set() else seconds - _MOMENT_S

    # --- the stages -----------------------------------------------------------------------------

    async def _wait_out(self, channel: str, effects: Sequence[Effect]) -> bool:
        """Put effects off while their channel is paused or shut; whether it is."""
        if channel in self.context.pauses.paused:
            until: int | None = self.context.clock.now() + PAUSED_US
        else:
            until = self.context.ways.shut_until(channel)
        if until is None:
            return False
        await self.context.store.reschedule(
            [(one.effect_id, one.attempt, until) for one in effects]
        )
        return True

    async def _declare(self, group: str, effects: Sequence[Effect]) -> None:
        try:
            await self._declare_all(group, effects)
        finally:
            self.admission.done(len(effects))

    async def _declare_all(self, group: str, effects: Sequence[Effect]) -> None:
        assert self._in_flight is not None
        try:
            if await self._wait_out(channel_of(self.context, group), effects):
                return
            async with self._in_flight:
                started = self.context.clock.now()
                message = await claim_message(self.context, effects)
                self._took("declare", started)
        except Exception as error:
            self.observer.failed("declare", error)
            await self._give_back(effects)
            return
        if message is not None:
            await self._deliver(message)

    async def _deliver(self, message: StoredMessage) -> None:
        """Take a claimed message to its channel; its SEND effect resumes what fails here."""
        channel = channel_of(self.context, message.group)
        try:
            async with self.context.ways.place(channel):
                started = self.context.clock.now()
                outcome = await deliver_message(self.context, message)
                self._took("transmit", started)
        except Exception as error:
            self.observer.failed("transmit", error)
            return
        self._count_sent(message, outcome)

    def _took(self, stage: str, started: int) -> None:
        self.observer.took(stage, self.context.clock.now() - started)

    def _count_sent(self, message: StoredMessage, outcome: SendOutcome | None) -> None:
        if outcome is SendOutcome.HANDED_OVER:
            self.observer.count(f"sent.{message.kind.value}", len(message.members))

    async def _resume(self, effect: Effect) -> None:
        if await self._wait_out(effect.group, [effect]):
            return
        async with self.context.ways.place(effect.group):
            outcome = await resume_message(self.context, MessageId(effect.ref))
        if outcome in NOT_SENT:
            await self._give_back([effect])
        elif outcome is None:
            await self.context.store.finish([(effect.effect_id, effect.attempt)], [])

    async def _answer(self, effect: Effect) -> None:
        if effect.group == PART:
            self._deliver_all(await part_list(self.context, effect))
            return
        if self._is_any_shut():
            message = await load_live(self.context, MessageId(effect.ref), with_body=False)
            channel = "" if message is None else channel_of(self.context, message.group)
            if await self._wait_out(channel, [effect]):
                return
        await check_answer(self.context, effect)

    def _is_any_shut(self) -> bool:
        ways = self.context.ways
        return bool(self.context.pauses.paused) or any(
            ways.shut_until(channel) is not None for channel in self.context.channels
        )

    async def _deadline(self, effect: Effect) -> None:
        if effect.group == UNLINKED:
            await check_overdue(self.context, effect)
            return
        if effect.group == GATE:
            await run_gate(self.context, effect)
            return
        if effect.group == RETURNS:
            await check_return(self.context, effect)
            return
        if effect.group == REPAIR and self.repair_overdue is not None:
            await self.repair_overdue(effect)
            return
        await check_deadline(self.context, effect)

    def recheck(self, tenant: TenantId, cases: Sequence[CaseId]) -> None:
        """Match cases anew because something that they waited for is here."""
        if self._tasks is not None and not self.stopping.is_set():
            self._tasks.create_task(self._recheck_all(tenant, cases))

    async def _recheck_all(self, tenant: TenantId, cases: Sequence[CaseId]) -> None:
        """Recheck each case, again while the store cannot do it: no effect stands behind it."""
        desk = Desk(self.context)
        waiting = list(cases)
        while waiting and not self.stopping.is_set():
            failed: list[CaseId] = []
            for case_id in waiting:
                try:
                    await desk.recheck(tenant, case_id, "gateway")
                except Exception as error:
                    self.observer.failed("recheck", error)
                    failed += [case_id] if _will_pass(error) else []
            waiting = failed
            if waiting:
                await self._pause(self.context.settings.poll_s)

    async def _recheck(self, effect: Effect) -> None:
        if effect.group == RELINK:
            await Ingest(self.context).relink(effect)
            return
        if effect.group == FILING:
            await run_filing(self.context, effect)
            return
        if effect.group == SUBMISSIONS:
            await self._take_in(effect)
            return
        assert effect.tenant is not None
        desk = Desk(self.context)
        await desk.recheck(effect.tenant, CaseId(effect.ref), "gateway")
        await self.context.store.finish([(effect.effect_id, effect.attempt)], [])

    async def _take_in(self, effect: Effect) -> None:
        """Take kept submissions in as room allows: of one tenant pack after pack in the order of
        their coming, tenants in turns.

        What memory has no place for, or was not begun when the engine stops, is found by polling.
        """
        assert self.take_in is not None, "nobody here reads what was submitted"
        if self._packs >= _PACKS:
            return
        self._packs += 1
        turn = self._turns.setdefault(effect.tenant or "", asyncio.Lock())
        try:
            async with turn, self._taking_in:
                while not (self.admission.is_open or self.stopping.is_set()):
                    await self._pause(self.context.settings.poll_s)
                if not self.stopping.is_set():
                    started = self.context.clock.now()
                    await self.take_in(effect)
                    self._took("submission", started)
        finally:
            self._packs -= 1

    def _batch_size(self, group: str) -> int:
        endpoint = self._endpoint_of(group)
        return endpoint.batch_size if endpoint is not None else 1

    def _endpoint_of(self, group: str) -> Endpoint | None:
        tenant, _, endpoint_id = group.partition("/")
        return self.endpoint(TenantId(tenant), EndpointId(endpoint_id))

    async def _notify(self, group: str, effects: Sequence[Effect]) -> None:
        endpoint = self._endpoint_of(group)
        try:
            if endpoint is None:
                gone = [(one.effect_id, one.attempt, "endpoint switched off") for one in effects]
                await self.context.store.finish([], gone)
                return
            started = self.context.clock.now()
            await self.deliveries.deliver(endpoint, effects)
            self._took("notify", started)
        except Exception as error:
            self.observer.failed("notify", error)
            await self._give_back(effects)

    # --- receipts -------------------------------------------------------------------------------

    async def _watch_receipts(self) -> None:
        """Begin with the files that a stopped worker left, then receive; look again for files that
        are durable but were not dealt with for as long as a lease.
        """
        settings = self.context.settings
        await self._reopen(0)
        assert self._tasks is not None
        for channel in self.context.channels:
            self._tasks.create_task(self._receive(channel))
            if self.context.ways.heartbeat_s(channel) > 0:
                self._tasks.create_task(self._beat(channel))
        looked_at = self.context.clock.now()
        while not self.stopping.is_set():
            await self._pause(settings.poll_s)
            now = self.context.clock.now()
            if abs(now - looked_at) >= settings.lease_us:
                looked_at = now
                await self._reopen(settings.lease_us)

    async def _receive(self, channel: str) -> None:
        """Receive files of one channel until the engine stops; ever less often while it fails."""
        settings, failed = self.context.settings, 0
        while not self.stopping.is_set():
            taken = 0
            try:
                files = await self.context.channels[channel].receive(settings.receive_files)
                taken = len(files)
                if files:
                    fresh = await keep_received(self.context, channel, files)
                    await self._apply_all(fresh)
                failed = 0
            except Exception as error:
                self.observer.failed("receive", error)
                taken, failed = 0, failed + 1
            if taken < settings.receive_files:
                self._behind.discard(channel)
            if taken == 0:
                again_s = settings.receive_poll_s * 2 ** min(max(failed - 1, 0), _DOUBLINGS)
                await self._wait(min(again_s, max(_RECEIVE_AGAIN_S, settings.receive_poll_s)))

    async def _beat(self, channel: str) -> None:
        """Look from time to time whether a channel is there, until the engine stops."""
        settings, ways = self.context.settings, self.context.ways
        beaten_at: int | None = None
        while not self.stopping.is_set():
            now = self.context.clock.now()
            wait_us = int(ways.heartbeat_s(channel) * SECOND_US)
            if beaten_at is None or abs(now - beaten_at) >= wait_us:
                beaten_at = now
                ways.beat(channel, is_up=await self._is_there(channel))
            await self._pause(settings.poll_s)

    async def _is_there(self, channel: str) -> bool:
        try:
            async with asyncio.timeout(self.context.settings.check_timeout_s):
                await self.context.channels[channel].check()
        except Exception as error:
            self.observer.failed("heartbeat", error)
            return False
        return True

    async def take_over(self, age_us: int) -> None:
        """Another process died: apply the receipt files of at least this age that it may have left.

        Its effects come by polling.
        """
        if self._tasks is not None and not self.stopping.is_set():
            await self._reopen(age_us)

    async def _reopen(self, age_us: int) -> None:
        """Apply files that were durable when a worker stopped or failed, if old enough."""
        try:
            left = await self.context.store.open_receipts(self.context.settings.lease_batch)
            until = self.context.clock.now() - age_us
            await self._apply_all([item for item in left if item.received_at <= until])
        except Exception as error:
            self.observer.failed("receipt", error)

    async def _apply_all(self, items: Sequence[InboxItem]) -> None:
        if not items:
            return
        started = self.context.clock.now()
        others, errors = await apply_receipts(self.context, items)
        self._took("receipt", started)
        for error in errors:
            self.observer.failed("receipt", error)
        self.observer.count("receipt_files", len(items) - len(others) - len(errors))
        async with asyncio.TaskGroup() as applying:
            for item, read in others:
                applying.create_task(self._apply_other(item, read))

    async def _apply_other(self, item: InboxItem, read: ReadFile) -> None:
        try:
            split = await apply_other(self.context, item, read)
        except Exception as error:
            self.observer.failed("receipt", error)
            return
        self.observer.count("receipt_files")
        self._deliver_all(split)

    def _deliver_all(self, messages: Sequence[StoredMessage]) -> None:
        assert self._tasks is not None
        for message in messages:
            self._tasks.create_task(self._deliver(message))


def _will_pass(error: Exception) -> bool:
    """Whether the store could not do it now but may later."""
    return isinstance(error, StoreError) and error.retry is not Retry.NEVER
