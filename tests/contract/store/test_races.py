"""Several lanes and several processes on one PostgreSQL: nothing is lost, doubled or skipped."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.domain.case import CaseKey
from gateway.domain.errors import Fenced
from gateway.domain.ids import ReceiptId
from gateway.ports import Changes, Command, Effect, EffectKind, Found, InboxItem, Lookup, Views
from store.errors import UnknownCommit
from store.events import GENESIS
from store.open import StoreLimits
from store.writer import WriterLimits
from tests.contract.store.support import (
    NOW,
    TENANT,
    Bench,
    alarm,
    changing,
    effect,
    held,
    key_of,
    leave,
    new_message,
    opened,
    planned,
    record,
)
from tests.support.postgres import PostgresServer, find_postgres
from tests.tools import missing

pytestmark = pytest.mark.needs_postgres
# Small groups make more of them, and more of them meet.
SMALL = StoreLimits(writer=WriterLimits(group_items=8), lanes=2)
# The bench's clock waits 50 ms at most: as often as a server needs to come back on a busy machine.
PATIENT = StoreLimits(writer=WriterLimits(group_items=8, reconnect_tries=1_000), lanes=2)


async def everybody(benches: Sequence[Bench], commands: Sequence[Command[Any]]) -> list[object]:
    """Submit to several stores at once, each command to one of them in turn."""
    async with asyncio.TaskGroup() as tasks:
        parts = [
            tasks.create_task(bench.store.submit_all(commands[place :: len(benches)]))
            for place, bench in enumerate(benches)
        ]
    return [one for part in parts for one in part.result()]


async def test_two_processes_on_one_case_lose_no_change(postgres_url: str) -> None:
    keys = [key_of(f"A{n}") for n in range(5)]
    async with opened(postgres_url, limits=SMALL) as one, opened(postgres_url, limits=SMALL) as two:
        commands = [record(keys[n % 5], held(str(n))) for n in range(300)]
        got = await everybody([one, two], commands)
        assert [error for error in got if isinstance(error, Exception)] == []
        rows = await one.rows("SELECT case_id, version, seq FROM case_")
        assert sorted((version, seq) for _, version, seq in rows) == [(60, 60)] * 5
        links = await one.rows("SELECT case_id, seq, prev_hash, hash FROM event ORDER BY 1, 2")
        assert [seq for _, seq, _, _ in links] == list(range(1, 61)) * 5
        before = {key.case_id: GENESIS for key in keys}
        for case_id, _, prev_hash, link in links:
            assert bytes(prev_hash) == before[case_id]
            before[case_id] = bytes(link)


async def test_a_reference_has_one_holder(postgres_url: str) -> None:
    """Cases race for the same references in opposite orders; each reference ends with one."""
    references = [Lookup("payment", str(n)) for n in range(20)]

    def claim(key: CaseKey, order: Sequence[Lookup]) -> Command[Found]:
        def fill(changes: Changes[Found], views: Views, found: Found) -> None:
            views[key.case_id].record(held())
            for lookup in order:
                if found.get(lookup, key.case_id) == key.case_id:
                    changes.claims.append((lookup, key.case_id, TENANT))

        return changing(fill, create=(key,), lookups=order, lane=key.order_no)

    async with opened(postgres_url, limits=SMALL) as one, opened(postgres_url, limits=SMALL) as two:
        commands = [
            claim(key_of(f"B{n}"), references if n % 2 else references[::-1]) for n in range(40)
        ]
        got = await everybody([one, two], commands)
        assert [error for error in got if isinstance(error, Exception)] == []
        holders = await one.store.find_claims(references)
        assert len(holders) == len(references)
        # One case took all of them, since whoever came first asked for all of them.
        assert len(set(holders.values())) == 1
        assert Counter(not found for found in got)[True] == 1


async def test_a_declaration_is_claimed_by_one_worker(postgres_url: str) -> None:
    keys = [key_of(f"C{n}") for n in range(30)]
    async with opened(postgres_url, limits=SMALL) as one, opened(postgres_url, limits=SMALL) as two:
        await one.store.submit_all([record(key, planned()) for key in keys])

        def claim(name: str, key: CaseKey) -> Command[Found]:
            return changing(
                lambda changes, views, found: changes.messages.append(new_message(name, key)),
                lane=name,
            )

        commands = [claim(f"{worker}-{key.order_no}", key) for key in keys for worker in "abc"]
        got = await everybody([one, two], commands)
        assert Counter(type(error) for error in got if isinstance(error, Exception)) == {Fenced: 60}
        assert await one.count("message") == await one.count("declaration") == 30


async def test_workers_never_lease_one_effect_twice(postgres_url: str) -> None:
    async with opened(postgres_url, limits=SMALL) as one, opened(postgres_url, limits=SMALL) as two:
        await one.store.submit(leave(*(effect(f"e{n}") for n in range(200))))
        taken: list[Effect] = []

        async def work(bench: Bench) -> None:
            while leased := await bench.store.lease([EffectKind.DECLARE], 9, NOW, 1_000):
                taken.extend(leased)
                await bench.store.finish([(e.effect_id, e.attempt) for e in leased], [])

        async with asyncio.TaskGroup() as tasks:
            for bench in (one, two, one, two):
                tasks.create_task(work(bench))
        assert len(taken) == 200
        assert {effect_.attempt for effect_ in taken} == {1}


async def test_a_file_that_two_processes_receive_is_kept_once(postgres_url: str) -> None:
    async with opened(postgres_url) as one, opened(postgres_url) as two:

        async def keep(bench: Bench, who: str) -> int:
            kept = 0
            for n in range(20):
                item = InboxItem(ReceiptId(f"{who}-{n}"), "dxp", f"{n}.xml", b"%d" % n, NOW)
                kept += len(await bench.store.keep_receipts([item]))
            return kept

        async with asyncio.TaskGroup() as tasks:
            counts = [tasks.create_task(keep(one, "a")), tasks.create_task(keep(two, "b"))]
        assert sum(count.result() for count in counts) == 20
        assert await one.count("inbox") == 20


async def test_a_cursor_of_the_stream_skips_nothing(postgres_url: str) -> None:
    """A reader follows the stream while many write; it sees every event once, in order."""
    page = (
        "SELECT pos, case_id, seq FROM event "
        "WHERE pos < pg_snapshot_xmin(pg_current_snapshot())::text::bigint "
        "AND (pos, case_id, seq) > (:pos, :case_id, :seq) ORDER BY 1, 2, 3 LIMIT 50"
    )
    seen: list[tuple[int, str, int]] = []
    async with opened(postgres_url, limits=SMALL) as one, opened(postgres_url, limits=SMALL) as two:
        writing = True

        async def read() -> None:
            cursor = (0, "", 0)
            while True:
                last_round = not writing
                rows = await one.rows(page, pos=cursor[0], case_id=cursor[1], seq=cursor[2])
                seen.extend((row[0], row[1], row[2]) for row in rows)
                cursor = seen[-1] if seen else cursor
                if last_round and not rows:
                    return
                await asyncio.sleep(0)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(read())
            for turn in range(10):
                commands = [record(key_of(f"D{n}"), alarm(f"{turn}")) for n in range(60)]
                await everybody([one, two], commands)
            writing = False
        assert await one.count("event") == 600
    assert len(seen) == 600
    assert seen == sorted(set(seen))


async def test_a_server_that_is_killed_and_comes_back_loses_nothing() -> None:
    """A power cut of the database under load: what was answered is there, the rest goes on."""
    programs = find_postgres()
    if programs is None:
        missing("PostgreSQL (initdb and postgres)")
    with PostgresServer.running(programs) as server:
        async with opened(server.fresh_database(), limits=PATIENT) as bench:
            answered: set[str] = set()
            unknown: set[str] = set()

            async def submit(number: int) -> None:
                key = key_of(f"F{number}")
                try:
                    await bench.store.submit(record(key, held()))
                except UnknownCommit:
                    unknown.add(key.case_id)
                else:
                    answered.add(key.case_id)

            async with asyncio.TaskGroup() as tasks:
                for number in range(400):
                    tasks.create_task(submit(number))
                    await asyncio.sleep(0)
                    if number == 200:
                        await asyncio.sleep(0.05)
                        await asyncio.to_thread(server.kill)
                tasks.create_task(asyncio.to_thread(server.start))
            stored = {row[0] for row in await rows_at_last(bench, "SELECT case_id FROM case_")}
            assert len(answered) + len(unknown) == 400
            assert answered <= stored <= answered | unknown
            assert await bench.store.submit(record(key_of("G"), held())) == 0


async def rows_at_last(bench: Bench, statement: str) -> list[tuple[Any, ...]]:
    """What a SELECT gives once the readers' old connections are gone."""
    for _ in range(20):
        try:
            return await bench.rows(statement)
        except (DBAPIError, OSError):
            await asyncio.sleep(0.1)
    return await bench.rows(statement)


async def test_a_broken_connection_is_replaced(postgres_url: str) -> None:
    async with opened(postgres_url, limits=PATIENT) as bench:
        await bench.store.submit(record(key_of("E0"), held()))
        engine = create_async_engine(postgres_url)
        try:
            for turn in range(3):
                async with engine.begin() as admin:
                    await admin.execute(
                        text(
                            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                            "WHERE pid <> pg_backend_pid() AND datname = current_database()"
                        )
                    )
                got = await bench.store.submit_all(
                    [record(key_of(f"E{n}"), alarm(str(turn))) for n in range(1, 10)]
                )
                assert got == [turn] * 9
        finally:
            await engine.dispose()
        assert await bench.count("event") == 1 + 3 * 9
