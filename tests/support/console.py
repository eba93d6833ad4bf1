"""A console with a whole gateway behind it, served by a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from adapters.sandbox.customs import Settings as CustomsSettings
from gateway.app.commands.users import add_user
from gateway.app.config import ConsoleSection, Settings
from gateway.app.container import Gateway
from gateway.app.demo import feed, standing
from gateway.app.demo_orders import DemoOrder
from gateway.app.demo_world import TENANT, demo_profile, furnish, prepare, quick, strangers
from gateway.app.serve import running
from gateway.domain.case import CaseStage
from gateway.domain.ids import TenantId
from gateway.domain.lifecycle import FINAL_STAGES, PERSON_STAGES
from gateway.domain.profile import FilingProfile
from gateway.ports.people import Role
from store.keys import KeyRole

PASSWORD = "correct horse battery"
PATIENCE_S = 60
SCRIPT = '<script>hacked = 1</script>"><img src=x onerror="hacked = 2">'
HOSTILE = f"{SCRIPT}\u202e\u2066 😀 hx-get=/console/logout"
SETTLED = FINAL_STAGES | PERSON_STAGES | {CaseStage.COLLECTING}
T = TypeVar("T")


@dataclass
class Served:
    """A gateway in another thread; ``run`` does something there and waits for it."""

    address: str
    gateway: Gateway
    loop: asyncio.AbstractEventLoop
    seller: str

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)

    def feed(self, orders: Sequence[DemoOrder]) -> None:
        self.run(feed(self.address, self.seller, orders))

    async def asked(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The same for a test that has a loop of its own."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    def settle(self) -> None:
        """Wait until nothing moves any more."""
        self.run(_settled(self.gateway))


async def people(gateway: Gateway) -> None:
    """One login for each role, a second supervisor, and somebody of another tenant."""
    context = gateway.context
    await gateway.admin.create_tenant(TenantId("other"), "Other")
    staff = [(role.value, role.value.title(), role, (str(TENANT),)) for role in Role]
    staff.append(("second", "Second", Role.SUPERVISOR, (str(TENANT),)))
    staff.append(("stranger", "Stranger", Role.SUPERVISOR, ("other",)))
    for user in staff:
        await add_user(gateway.store, context.clock, context.rng, user, PASSWORD)


@asynccontextmanager
async def _world(
    settings: Settings, lively: bool, orders: Sequence[DemoOrder], profile: FilingProfile
) -> AsyncIterator[Served]:
    async with running(settings, work=lively) as (gateway, serving):
        assert serving is not None
        await furnish(gateway, profile)
        await people(gateway)
        key = await gateway.keys.new(TENANT, KeyRole.SELLER, "test")
        loop = asyncio.get_running_loop()
        served = Served(serving.address, gateway, loop, key.token)
        if not lively:
            await feed(serving.address, key.token, orders)
            yield served
            return
        customs = quick(CustomsSettings.demo())
        async with strangers(settings, gateway, serving.address, customs, seed=1):
            await feed(serving.address, key.token, orders)
            await _settled(gateway)
            yield served


async def _settled(gateway: Gateway) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            counts, is_quiet = await standing(gateway)
            if is_quiet and not counts.keys() - SETTLED:
                return
            await asyncio.sleep(0.1)


@dataclass
class _Holder:
    ready: threading.Event = field(default_factory=threading.Event)
    served: Served | None = None
    fault: BaseException | None = None


@contextmanager
def serving(
    folder: Path,
    orders: Sequence[DemoOrder],
    *,
    lively: bool = False,
    profile: FilingProfile | None = None,
    console: ConsoleSection | None = None,
) -> Iterator[Served]:
    """Serve until the block ends. ``lively``: customs, a warehouse and a seller answer."""
    folder.mkdir(parents=True, exist_ok=True)
    holder = _Holder()
    ended = threading.Event()

    async def main() -> None:
        made = prepare(folder).model_copy(update={"console": console or ConsoleSection()})
        async with _world(made, lively, orders, profile or demo_profile()) as served:
            holder.served = served
            holder.ready.set()
            await asyncio.to_thread(ended.wait)

    def work() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            holder.fault = error
        finally:
            holder.ready.set()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    holder.ready.wait(PATIENCE_S * 2)
    try:
        if holder.served is None:
            raise RuntimeError("the console did not start") from holder.fault
        yield holder.served
    finally:
        ended.set()
        thread.join(PATIENCE_S)
    if holder.fault is not None:
        raise holder.fault


def hostile(one: DemoOrder) -> DemoOrder:
    """The same order with goods and people named by somebody who means harm."""
    assert one.waybill is not None
    lines = [{**line, "name": HOSTILE[:200]} for line in one.order["lines"]]
    order = {**one.order, "lines": lines, "buyer": {**one.order["buyer"], "account": SCRIPT[:60]}}
    return replace(one, order=order, payment={**(one.payment or {}), "amount": "1.00"},
                   waybill={**one.waybill, "goods_info": SCRIPT})  # fmt: skip
