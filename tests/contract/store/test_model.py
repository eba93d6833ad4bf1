"""The store against a plain dictionary: any order of commands, leases and receipts agrees."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.domain.errors import Conflict, Fenced
from gateway.domain.ids import CaseId, EffectId, ReceiptId
from gateway.ports import (
    Changes,
    Command,
    EffectKind,
    Found,
    InboxItem,
    Lookup,
    ReceiptDone,
    Views,
)
from tests.contract.store.support import NOW, TENANT, Bench, alarm, effect, key_of, opened

T = TypeVar("T")
LEASE_US = 100
ORDERS = st.sampled_from(["A", "B", "C"])
NUMBERS = st.integers(0, 3)


@dataclass(frozen=True)
class Step:
    """One command: an alarm on a case, maybe a claim, an effect, a receipt dealt with, a fault."""

    order_no: str
    alarm: int
    claim: int | None
    effect: int | None
    receipt: int | None
    fails: bool

    def command(self) -> Command[int]:
        key = key_of(self.order_no)

        def decide(facts: object, views: Views, found: Found) -> Changes[int]:
            view = views[key.case_id]
            changes = Changes(view.version)
            view.record(alarm(str(self.alarm)))
            if self.claim is not None:
                changes.claims.append((Lookup("ref", str(self.claim)), key.case_id, TENANT))
            if self.effect is not None:
                changes.effects.append(effect(f"e{self.effect}"))
            if self.receipt is not None:
                done = ReceiptDone(ReceiptId(f"r{self.receipt}"), "622", 1, 0)
                changes.receipts_done.append(done)
            if self.fails:
                raise ZeroDivisionError
            return changes

        return Command(decide, None, create=(key,), lane=self.order_no)


STEPS = st.builds(
    Step,
    ORDERS,
    NUMBERS,
    st.none() | NUMBERS,
    st.none() | NUMBERS,
    st.none() | NUMBERS,
    st.sampled_from([False, False, False, True]),
)


@dataclass
class Model:
    """What the store should hold."""

    versions: dict[str, int] = field(default_factory=dict)
    claims: dict[int, str] = field(default_factory=dict)
    # effect → attempt, lease end, is open
    effects: dict[str, tuple[int, int, bool]] = field(default_factory=dict)
    # receipt → is new
    receipts: dict[int, bool] = field(default_factory=dict)

    def run(self, step: Step) -> int | type[Exception]:
        if step.fails:
            return ZeroDivisionError
        if step.claim is not None and self.claims.get(step.claim, step.order_no) != step.order_no:
            return Conflict
        if step.receipt is not None and not self.receipts.get(step.receipt, False):
            return Fenced
        if step.receipt is not None:
            self.receipts[step.receipt] = False
        if step.claim is not None:
            self.claims[step.claim] = step.order_no
        if step.effect is not None:
            self.effects.setdefault(f"e{step.effect}", (0, NOW, True))
        before = self.versions.get(step.order_no, 0)
        self.versions[step.order_no] = before + 1
        return before


class StoreMachine(RuleBasedStateMachine):
    """Drives the in-memory store and the model side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.model = Model()
        self.bench: Bench

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def open(self) -> None:
        self.bench = self.wait(self.stack.enter_async_context(opened("sqlite://")))

    def teardown(self) -> None:
        self.wait(self.stack.aclose())
        self.runner.close()

    @rule(steps=st.lists(STEPS, min_size=1, max_size=6))
    def submit(self, steps: list[Step]) -> None:
        got = self.wait(self.bench.store.submit_all([step.command() for step in steps]))
        # A fenced receipt or a claim decides by the order of the commands, as in the model; the
        # versions that a rerun group gives must be those of a group without the fenced commands.
        expected = [self.model.run(step) for step in steps]
        assert [type(one) if isinstance(one, Exception) else one for one in got] == expected

    @rule(numbers=st.lists(NUMBERS, max_size=4))
    def receive(self, numbers: list[int]) -> None:
        items = [InboxItem(ReceiptId(f"r{n}"), "dxp", "f", b"%d" % n, NOW) for n in numbers]
        kept = self.wait(self.bench.store.keep_receipts(items))
        fresh = {n for n in numbers if n not in self.model.receipts}
        assert {one.receipt_id for one in kept} == {f"r{n}" for n in fresh}
        self.model.receipts |= dict.fromkeys(fresh, True)

    @rule(step=st.integers(1, LEASE_US))
    def pass_time(self, step: int) -> None:
        self.bench.clock.time += step

    @rule(limit=st.integers(1, 4))
    def lease(self, limit: int) -> None:
        now = self.bench.clock.now()
        got = self.wait(self.bench.store.lease([EffectKind.DECLARE], limit, now, LEASE_US))
        due = {
            name
            for name, (_, until, is_open) in self.model.effects.items()
            if is_open and until <= now
        }
        assert len(got) == min(limit, len(due))
        for one in got:
            attempt, _, _ = self.model.effects[one.effect_id]
            assert one.effect_id in due
            assert one.attempt == attempt + 1
            self.model.effects[one.effect_id] = (attempt + 1, now + LEASE_US, True)

    @rule(number=NUMBERS, fence=st.integers(0, 3))
    def finish(self, number: int, fence: int) -> None:
        name = f"e{number}"
        self.wait(self.bench.store.finish([(EffectId(name), fence)], []))
        attempt, until, is_open = self.model.effects.get(name, (-1, 0, False))
        if is_open and attempt == fence:
            self.model.effects[name] = (attempt, until, False)

    @rule(number=NUMBERS, fence=st.integers(0, 3), later=st.integers(0, LEASE_US))
    def reschedule(self, number: int, fence: int, later: int) -> None:
        name, due_at = f"e{number}", self.bench.clock.now() + later
        self.wait(self.bench.store.reschedule([(EffectId(name), fence, due_at)]))
        attempt, _, is_open = self.model.effects.get(name, (-1, 0, False))
        if is_open and attempt == fence:
            self.model.effects[name] = (attempt, due_at, True)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "bench"):
            return
        model, bench = self.model, self.bench
        cases = self.wait(bench.rows("SELECT order_no, version, seq FROM case_"))
        assert {order_no: version for order_no, version, _ in cases} == model.versions
        assert all(version == seq for _, version, seq in cases)
        effects = self.wait(bench.rows("SELECT effect_id, attempt, lease_until, stage FROM outbox"))
        assert {
            name: (attempt, until, stage == "open") for name, attempt, until, stage in effects
        } == model.effects
        found = self.wait(bench.store.find_claims([Lookup("ref", str(n)) for n in range(4)]))
        holders: dict[Lookup, CaseId] = {
            Lookup("ref", str(n)): key_of(order_no).case_id for n, order_no in model.claims.items()
        }
        assert found == holders
        new = self.wait(bench.store.open_receipts(10))
        assert {one.receipt_id for one in new} == {
            f"r{n}" for n, is_new in model.receipts.items() if is_new
        }


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
