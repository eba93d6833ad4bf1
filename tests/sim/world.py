"""A whole deployment in virtual time: gateway, customs, warehouse, seller, clients and trouble.

One seed gives one run. The database, the wire and the receivers outlive every life of the gateway.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import orjson
from sqlalchemy import Engine, func, select

from gateway.api.decode import PaperItem, decode_line
from gateway.app.container import Gateway
from gateway.app.demo_orders import goods_records
from gateway.app.demo_world import TENANT, WAREHOUSE_TYPES, demo_profile
from gateway.domain.case import CaseStage
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import ProfileId
from gateway.domain.papers import PaperKind
from gateway.domain.profile import ConfirmedBy, FiledBy, PaperFiling
from gateway.flow.desk import Desk
from gateway.flow.ingest import Incoming, Ingest, IntakeResult, IntakeStatus
from gateway.flow.notify import Ack
from gateway.flow.status import EVENT_TYPES
from store.open import memory_engine
from store.tables import case_, inbox, outbox
from tests.sim.company import Company
from tests.sim.faults import Fault, Faults
from tests.sim.life import Died, Life, SimObserver
from tests.sim.loop import VirtualTimeLoop
from tests.sim.orders import Arrival, PaperType, Planned, plan_orders
from tests.sim.receivers import Receivers
from tests.sim.surroundings import SeededRng
from tests.sim.trace import Trace, short
from tests.sim.trade import Trade, imports
from tests.sim.wire import Wire

T = TypeVar("T")

FAULTS_END_S: Final = 75.0
QUIET_WITHIN_S: Final = 1_500.0
# A case that waits for a date further away than this has come to rest.
HORIZON_US: Final = 200 * 1_000_000
_LOOKS: Final = 60
_MOST_CRASHES: Final = 6
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ANSWERED: Final = frozenset({IntakeStatus.ACCEPTED, IntakeStatus.UNCHANGED})


@dataclass(frozen=True, slots=True)
class CrashPlan:
    """Kill at these passings of one point (1 is the first); nothing else kills.

    With ``is_of_people`` the passings are counted from when somebody first asks something.
    """

    point: str
    passings: frozenset[int]
    is_of_people: bool = False


@dataclass(slots=True, eq=False)
class World:
    """Everything of one run; :meth:`run` is its whole course."""

    loop: VirtualTimeLoop
    seed: int
    orders: int
    faults: Faults
    crash_plan: CrashPlan | None = None
    scenarios: Sequence[str] = ()
    company: Company | None = None
    trade: Trade = field(default_factory=imports)
    judge: Callable[[World, Gateway], Awaitable[list[str]]] | None = None
    clock_offset_us: int = 0
    rng: SeededRng = field(init=False)
    trace: Trace = field(default_factory=Trace)
    database: Engine = field(default_factory=memory_engine)
    wire: Wire = field(init=False)
    receivers: Receivers = field(init=False)
    observer: SimObserver = field(init=False)
    planned: list[Planned] = field(init=False)
    arrivals: list[Arrival] = field(init=False)
    passed: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    lives: int = 0
    is_furnished: bool = False
    is_quiet: bool = False
    passed_before: Counter[str] | None = None
    _life: Life | None = None
    _is_over: bool = False
    _birth: asyncio.Event = field(default_factory=asyncio.Event)
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = SeededRng(self.seed)
        self._rng = random.Random(f"world {self.seed}")
        self.wire = Wire(self.loop, self.seed, self.faults, self.trace)
        self.receivers = Receivers(self.loop, self.seed, self.faults, self.trace)
        self.observer = SimObserver(Counter(), Counter(), self.violations)
        self.planned, self.arrivals = plan_orders(
            self.seed, self.orders, self.faults, self.scenarios, self.trade
        )

    def now_us(self) -> int:
        """True UTC microseconds, whatever the gateway's clock says."""
        return (self.loop.now() - _EPOCH) // _MICROSECOND

    # --- lives of the gateway -------------------------------------------------------------------

    def passes(self, point: str) -> bool:
        """A crash point is passed: whether the gateway dies here."""
        if not self.is_furnished:
            return False
        self.passed[point] += 1
        self.trace.add(self.now_us(), "point", point)
        plan = self.crash_plan
        if plan is None:
            is_hit = self.crashes.total() < _MOST_CRASHES and self.faults.strikes(Fault.CRASH)
        else:
            is_hit = plan.point == point and self._number_of_passing(plan) in plan.passings
            self.faults.hits[Fault.CRASH] += is_hit
        if is_hit:
            self.crashes[point] += 1
            self.trace.add(self.now_us(), "crash", point)
        return is_hit

    def _number_of_passing(self, plan: CrashPlan) -> int:
        if not plan.is_of_people:
            return self.passed[plan.point]
        before = self.passed_before
        return 0 if before is None else self.passed[plan.point] - before[plan.point]

    def somebody_asks(self) -> None:
        """From here on the passings of a plan of people are counted."""
        if self.passed_before is None:
            self.passed_before = self.passed.copy()

    def born(self, life: Life) -> None:
        """A gateway is ready for work."""
        self._life = life
        self._birth.set()

    async def _live(self) -> None:
        """One life after the other, with a pause after each crash."""
        while True:
            self.lives += 1
            life = Life(self, self.lives)
            self.trace.add(self.now_us(), "life", self.lives)
            await life.live()
            self._life = None
            self._birth.clear()
            if self._is_over:
                return
            await asyncio.sleep(self._rng.uniform(0.1, 4))

    async def ask(self, work: Callable[[Gateway], Awaitable[T]]) -> T:
        """Have a gateway do something, asking again when it dies before it answers."""
        while True:
            await self._birth.wait()
            life = self._life
            if life is not None:
                try:
                    return await life.ask(work)
                except Died:
                    pass
            await asyncio.sleep(self._rng.uniform(0.2, 1))

    # --- the course of a run --------------------------------------------------------------------

    async def run(self) -> None:
        """From the first paper until nothing moves any more."""
        async with asyncio.TaskGroup() as tasks:
            living = tasks.create_task(self._live())
            helpers = [tasks.create_task(self.wire.run())]
            await self.ask(self._furnish)
            self.is_furnished = True
            helpers += [
                tasks.create_task(self._acknowledge()),
                tasks.create_task(self._jump_clock()),
                tasks.create_task(self._end_faults()),
            ]
            async with asyncio.TaskGroup() as scenario:
                sending = scenario.create_task(self._send_papers())
                for one in self.planned:
                    if self.trade.people is not None:
                        scenario.create_task(self.trade.people(self, one))
                    if one.correction is not None:
                        scenario.create_task(self._correct(one, sending))
                    if one.goods_come:
                        scenario.create_task(self._import_goods(one))
            await self._become_quiet()
            if self.judge is not None:
                self.violations = await self.ask(partial(self.judge, self))
            self._judge_filings()
            self._is_over = True
            if self._life is not None:
                self._life.over.set()
            await living
            for helper in helpers:
                helper.cancel()

    def _judge_filings(self) -> None:
        """Whoever was released had its payment filed, and nobody had it filed twice."""
        if self.company is None:
            return
        filed = self.company.filed
        self.violations += [f"{one}: filed {count} times" for one, count in filed.items()
                            if count > 1]  # fmt: skip
        self.violations += [
            f"{one.order_no}: released without a filed payment"
            for one in self.planned
            if one.expected is CaseStage.RELEASED and not filed[self.trade.case_of(one.order_no)]
        ]

    async def _furnish(self, gateway: Gateway) -> None:
        profile = self.trade.profile
        if self.company is not None:
            by_company = PaperFiling(FiledBy.OTHER, ConfirmedBy.API)
            profile = replace(profile, filings={PaperKind.PAYMENT: by_company})
        await gateway.admin.create_tenant(TENANT, "示例商家 Example seller")
        await gateway.admin.put_profile(profile)
        await gateway.admin.put_goods(TENANT, self.trade.goods)
        for role, types in (
            ("warehouse", WAREHOUSE_TYPES),
            ("seller", EVENT_TYPES - WAREHOUSE_TYPES),
        ):
            await gateway.admin.new_endpoint(
                TENANT,
                url=f"https://{role}.example/notices",
                role=role,
                event_types=types,
                batch_size=20,
            )

    async def _end_faults(self) -> None:
        await asyncio.sleep(FAULTS_END_S)
        self.faults.are_over = True
        self.clock_offset_us = 0

    async def _jump_clock(self) -> None:
        """The gateway's clock is set wrong, and wrong again; within what receipts tolerate."""
        while not self.faults.are_over:
            await asyncio.sleep(5)
            if self.faults.strikes(Fault.CLOCK_JUMP):
                offset_s = self.faults.draw(Fault.CLOCK_JUMP, -40, 40)
                self.clock_offset_us = int(offset_s * 1_000_000)
                self.trace.add(self.now_us(), "clock", self.clock_offset_us)

    async def _acknowledge(self) -> None:
        """The warehouse acknowledges releases, some of them twice."""
        while True:
            await asyncio.sleep(1)
            some, self.receivers.to_acknowledge = self.receivers.to_acknowledge, []
            times = 2 if some and self.faults.strikes(Fault.ACK_TWICE) else 1
            for _ in range(times if some else 0):
                acks = [Ack(notice_id, "accepted", self.now_us()) for notice_id in some]
                await self.ask(partial(_acknowledged, acks))

    # --- papers ---------------------------------------------------------------------------------

    async def _send_papers(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for arrival in self.arrivals:
                tasks.create_task(self._arrive(arrival))

    async def _arrive(self, arrival: Arrival) -> None:
        await asyncio.sleep(arrival.at_s)
        await self.submit(arrival.lines)

    async def submit(self, lines: Sequence[tuple[Planned, PaperType, bytes]]) -> None:
        """One request of a client; what is not answered is sent again, as clients do."""
        profile_id = self.trade.profile.profile_id
        results = await self.ask(
            lambda gateway: _take(gateway, profile_id, [line for _, _, line in lines])
        )
        for (one, kind, line), result in zip(lines, results, strict=True):
            self.trace.add(self.now_us(), "paper", one.order_no, kind, result.status)
            if result.status in _ANSWERED:
                one.acknowledged[kind] = line
            elif result.status is IntakeStatus.FAILED:
                self.violations.append(f"{one.order_no}: {kind} failed: {result.reason}")

    async def stage_of(self, one: Planned) -> CaseStage | None:
        """Where the gateway says an order stands."""

        async def read(gateway: Gateway) -> CaseStage | None:
            found = await gateway.reads.case(TENANT, self.trade.case_of(one.order_no))
            return found.row.stage if found else None

        return await self.ask(read)

    async def _correct(self, one: Planned, sending: asyncio.Task[None]) -> None:
        """Once customs has refused an order, its seller sends a better one.

        Not while old bytes are still on their way: customs would take them for a new filing, and
        whoever corrects meanwhile is refused, as a person then has to sort out.
        """
        assert one.correction is not None
        # A copy of the first papers that comes later would be the newest word of the seller.
        await asyncio.wait([sending])
        for _ in range(_LOOKS):
            if await self.stage_of(one) is CaseStage.REJECTED and not self.wire.late_for_customs:
                break
            await asyncio.sleep(5)
        else:
            return
        await asyncio.sleep(self._rng.uniform(0, 5))
        await self.submit([(one, PaperType.ORDER, one.correction)])

    async def _import_goods(self, one: Planned) -> None:
        """The goods record that an order waits for is imported while it waits."""
        assert one.missing_sku is not None
        await asyncio.sleep(self._rng.uniform(0, 60))
        record = _record_like(one)
        await self.ask(lambda gateway: gateway.admin.put_goods(TENANT, [record]))

    # --- quiet ----------------------------------------------------------------------------------

    async def _become_quiet(self) -> None:
        """Wait until faults are over and no work, timer or message is left anywhere."""
        deadline = self.loop.time() + QUIET_WITHIN_S
        while not (self.faults.are_over and self.wire.is_quiet and not self.open_rows()):
            if self.loop.time() > deadline:
                self.violations.append(f"never quiet: {self.open_rows()}")
                return
            await asyncio.sleep(5)
        await asyncio.sleep(3)
        self.trace.add(self.now_us(), "quiet", self._heads())
        self.is_quiet = True

    def _heads(self) -> str:
        """One digest over every case's event chain."""
        with self.database.connect() as connection:
            rows = connection.execute(
                select(case_.c.case_id, case_.c.head_hash).order_by(case_.c.case_id)
            ).all()
        return short(b"".join(row.case_id.encode() + bytes(row.head_hash) for row in rows))

    def open_rows(self) -> dict[str, int]:
        """Outbox rows and receipt files that are not dealt with, by kind; without dated events
        that lie beyond the horizon.
        """
        # A partner that lost a request several times is asked again after five minutes.
        horizon = self.now_us() + HORIZON_US * (1 if self.company is None else 2)
        with self.database.connect() as connection:
            rows = connection.execute(
                select(outbox.c.kind, func.count())
                .where(outbox.c.stage == "open", outbox.c.due_at <= horizon)
                .group_by(outbox.c.kind)
            ).all()
            files = connection.execute(
                select(func.count()).select_from(inbox).where(inbox.c.stage == "new")
            ).scalar_one()
        return {kind: number for kind, number in rows} | ({"inbox": files} if files else {})


async def _acknowledged(acks: Sequence[Ack], gateway: Gateway) -> list[str]:
    return await Desk(gateway.context).acknowledge(TENANT, acks)


async def _take(
    gateway: Gateway, profile_id: ProfileId, lines: Sequence[bytes]
) -> list[IntakeResult]:
    profile = gateway.cache.profile(TENANT, profile_id)
    assert profile is not None
    incoming: list[Incoming] = []
    for line in lines:
        item = decode_line(line)
        assert isinstance(item, PaperItem)
        incoming.append(Incoming(TENANT, profile, item.paper, "api", line))
    return await Ingest(gateway.context).take(incoming)


def _record_like(one: Planned) -> GoodsRecord:
    """A goods record for the SKU that is new, like the one of the goods it is really about."""
    assert one.missing_sku is not None
    line = next(
        line
        for line in orjson.loads(one.lines[PaperType.ORDER])["lines"]
        if line["sku"] == one.missing_sku
    )
    known = goods_records(demo_profile().goods_scope)
    like = next(record for record in known if record.name == line["name"])
    return replace(like, sku=one.missing_sku, version=0)
