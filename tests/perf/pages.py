"""The console's pages over many cases: how long the server takes, and how many statements it runs.

The cases are seeded into a PostgreSQL of the benchmark's own; each page is asked for one after
another by somebody who is signed in.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession, CookieJar
from sqlalchemy import Engine, event

from gateway.app.commands.users import add_user
from gateway.app.config import ConsoleSection
from gateway.app.container import Gateway
from gateway.app.demo_world import TENANT, demo_profile, furnish, prepare
from gateway.app.seeding import invent
from gateway.app.serve import running
from gateway.ports import CaseFilter
from gateway.ports.people import Role
from tests.perf.doors import Door
from tests.perf.generator import percentile

GATE_MS: Final = 150.0
MOST_STATEMENTS: Final = 6
_PASSWORD: Final = "correct horse battery"
_ROUNDS: Final = 25
_BATCH: Final = 1_000
# Each list, the first page, and a case under its heaviest tabs.
PAGES: Final = (
    "/", "/review", "/review?rule=PAYMENT-AMOUNT", "/review/{case}", "/cases",
    "/cases?stage=mismatch", "/cases/{case}/diff", "/cases/{case}/timeline", "/unknown",
    "/deliveries", "/notices", "/approvals", "/repairs", "/packs", "/audit", "/search?q={number}",
)  # fmt: skip


async def pages(folder: Path, url: str | None, cases: int) -> list[Door]:
    """The 95th percentile of 25 answers of each page, once its figures are warm."""
    settings = prepare(folder, url=url).model_copy(
        update={"console": ConsoleSection(secure_cookies=False)}
    )
    async with running(settings, work=False) as (gateway, serving):
        assert serving is not None
        await furnish(gateway)
        await _seed(gateway, cases)
        context = gateway.context
        user = ("supervisor", "Supervisor", Role.SUPERVISOR, (str(TENANT),))
        await add_user(gateway.store, context.clock, context.rng, user, _PASSWORD)
        newest = await gateway.reads.cases(TENANT, CaseFilter(), None, 1)
        key = newest.items[0].key
        base = f"{serving.address}/console"
        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
            login = {"login": "supervisor", "password": _PASSWORD}
            async with session.post(f"{base}/login", data=login) as answer:
                assert answer.status == 200
            found: list[Door] = []
            for page in PAGES:
                address = page.format(case=key.case_id, number=key.order_no)
                found.append(replace(await _measured(session, base, address), name=page))
            return found


async def _seed(gateway: Gateway, cases: int) -> None:
    await invent(gateway, demo_profile(), 0, cases, 1)


async def _measured(session: ClientSession, base: str, page: str) -> Door:
    times, spent, statements = [], [], []
    for _ in range(_ROUNDS + 1):
        with counted() as count:
            begun, cpu = time.perf_counter(), time.process_time()
            async with session.get(base + page) as answer:
                await answer.read()
                assert answer.status == 200, (page, answer.status)
            times.append((time.perf_counter() - begun) * 1000)
            spent.append((time.process_time() - cpu) * 1000)
        statements.append(count[0])
    how = f"CPU p95 {percentile(spent[1:], 0.95):,.0f} ms, first answer {times[0]:,.0f} ms, "
    how += f"{min(statements)} statements"
    return Door(page, percentile(times[1:], 0.95), "p95 ms", GATE_MS, False, how)


@contextmanager
def counted() -> Iterator[list[int]]:
    """Count the statements of this process meanwhile; what followers ask is among them."""
    count = [0]

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        # A transaction's begin and end, and settings of a connection, are no questions.
        count[0] += statement.lstrip().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield count
    finally:
        event.remove(Engine, "before_cursor_execute", note)
