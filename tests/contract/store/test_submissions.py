"""Submissions on every database: packed, sealed, handed on, told of, forgotten."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from gateway.domain.errors import InvalidValue, StoreClosed
from gateway.domain.ids import TenantId
from gateway.ports import Effect, EffectKind, KeptAnswer
from gateway.ports.submissions import (
    SUBMISSIONS,
    Outcome,
    Pack,
    Submission,
    SubmissionStatus,
)
from store.submissions import KEPT_US, StoredSubmissions, waiting_submissions
from tests.contract.store.support import TENANT, Bench, SeededRng, opened

OTHER = TenantId("other")
TAKEN, REFUSED, WAITING = (
    SubmissionStatus.TAKEN,
    SubmissionStatus.REFUSED,
    SubmissionStatus.WAITING,
)


@pytest.fixture
def book(bench: Bench) -> StoredSubmissions:
    return StoredSubmissions(bench.store, bench.store.keys, bench.clock, SeededRng())


def sent(number: int) -> Submission:
    body = b'{"order_no":"T%d","name":"%s"}' % (number, "张三测试".encode())
    return Submission("orders", "zh", body)


def became(status: SubmissionStatus, number: int = 0) -> Outcome:
    code = 201 if status is TAKEN else 422
    return Outcome(status, KeptAnswer(code, "application/json", b'{"n":%d}' % number))


async def keep(book: StoredSubmissions, count: int, tenant: TenantId = TENANT) -> list[str]:
    return await asyncio.gather(*(book.keep(tenant, sent(number)) for number in range(count)))


async def leased(bench: Bench) -> list[Effect]:
    store, now = bench.store, bench.clock.now()
    found = await store.lease([EffectKind.RECHECK], 100, now, 1_000_000)
    assert {one.group for one in found} <= {SUBMISSIONS}
    return found


async def packs(bench: Bench, book: StoredSubmissions) -> list[Pack]:
    found = [await book.waiting(one) for one in await leased(bench)]
    return sorted((one for one in found if one is not None), key=lambda one: one.pack_id)


async def test_what_comes_together_is_one_pack_and_work_for_somebody(
    bench: Bench, book: StoredSubmissions
) -> None:
    ids = await keep(book, 600)
    assert len(set(ids)) == 600
    assert await bench.count("submission_pack") < 6
    found = await packs(bench, book)
    assert [one for pack in found for one in pack.submissions] == [sent(n) for n in range(600)]
    assert {pack.tenant for pack in found} == {TENANT}
    # In the order of their coming each has a time of its own.
    ends = [(pack.received_at, pack.received_at + len(pack.submissions)) for pack in found]
    assert all(one[1] <= later[0] for one, later in pairwise(ends))
    for (body,) in await bench.rows("SELECT body FROM submission_pack"):
        assert "张三测试".encode() not in bytes(body)


async def test_tenants_have_packs_of_their_own(bench: Bench, book: StoredSubmissions) -> None:
    (mine,), (theirs,) = await asyncio.gather(keep(book, 1), keep(book, 1, OTHER))
    assert {pack.tenant for pack in await packs(bench, book)} == {TENANT, OTHER}
    assert await book.find(TENANT, theirs) is None
    assert (await book.listing(OTHER, WAITING, None, 10)).items[0].submission_id == theirs
    found = await book.find(TENANT, mine)
    assert found is not None
    assert (found.door, found.status, found.answer) == ("orders", WAITING, None)


async def test_a_large_one_has_a_pack_of_its_own(bench: Bench, book: StoredSubmissions) -> None:
    large = Submission("batches", "en", b"x" * 3_000_000)
    await asyncio.gather(*(book.keep(TENANT, large) for _ in range(3)))
    assert [len(pack.submissions) for pack in await packs(bench, book)] == [1, 1, 1]


async def test_what_became_of_each_is_told(bench: Bench, book: StoredSubmissions) -> None:
    ids = await keep(book, 3)
    outcomes = {one: became(TAKEN, n) for n, one in enumerate(ids)}
    outcomes[ids[1]] = became(REFUSED, 1)
    for pack in await packs(bench, book):
        theirs = [one for one in ids if one.startswith(pack.pack_id)]
        await book.finish(pack, [outcomes[one] for one in theirs])
        # A process that is late says nothing more.
        await book.finish(pack, [became(REFUSED, 9)] * len(theirs))
    for one in ids:
        found = await book.find(TENANT, one)
        assert found is not None
        assert (found.status, found.answer) == (outcomes[one].status, outcomes[one].answer)
    refused = await book.listing(TENANT, REFUSED, None, 10)
    assert [one.submission_id for one in refused.items] == [ids[1]]
    assert (await book.listing(TENANT, WAITING, None, 10)).items == ()
    # Nothing is due any more, and only the pack with a refusal keeps what was sent.
    bench.clock.time += 10_000_000
    assert await leased(bench) == []
    rows = await bench.rows("SELECT refused, body IS NULL FROM submission_pack")
    assert {(refused, bool(gone)) for refused, gone in rows} <= {(0, True), (1, False)}
    assert sum(refused for refused, _ in rows) == 1


async def test_a_pack_that_was_taken_in_is_not_taken_again(
    bench: Bench, book: StoredSubmissions
) -> None:
    await keep(book, 1)
    (effect,) = await leased(bench)
    pack = await book.waiting(effect)
    assert pack is not None
    await book.finish(pack, [became(TAKEN)])
    assert await book.waiting(effect) is None


async def test_pages_go_on_where_they_ended(bench: Bench, book: StoredSubmissions) -> None:
    ids = [*await keep(book, 5), *await keep(book, 4), *await keep(book, 3)]
    seen: list[str] = []
    after = None
    for _ in range(20):
        page = await book.listing(TENANT, WAITING, after, 2)
        seen += [one.submission_id for one in page.items]
        assert len(page.items) <= 2
        after = page.after
        if after is None:
            break
    assert seen == ids
    for wrong in ("x", "c1|1", f"{'0' * 24}-zz", ""):
        with pytest.raises(InvalidValue):
            await book.listing(TENANT, WAITING, wrong, 2)
        assert await book.find(TENANT, wrong) is None


async def test_what_waits_is_counted(bench: Bench, book: StoredSubmissions) -> None:
    await keep(book, 5)
    await keep(book, 2, OTHER)
    async with bench.store.read() as reading:
        assert await reading.run_sync(waiting_submissions) == 7
    for pack in await packs(bench, book):
        await book.finish(pack, [became(TAKEN)] * len(pack.submissions))
    async with bench.store.read() as reading:
        assert await reading.run_sync(waiting_submissions) == 0


async def test_what_was_dealt_with_is_forgotten_and_what_waits_never(
    bench: Bench, book: StoredSubmissions
) -> None:
    (old,) = await keep(book, 1)
    for pack in await packs(bench, book):
        await book.finish(pack, [became(REFUSED)])
    (waits,) = await keep(book, 1)
    bench.clock.time += KEPT_US + 1
    await keep(book, 1)
    assert await book.find(TENANT, old) is None
    assert await book.find(TENANT, waits) is not None


async def test_what_a_closed_store_did_not_keep_is_refused(kept_url: str) -> None:
    async with opened(kept_url) as bench:
        book = StoredSubmissions(bench.store, bench.store.keys, bench.clock, SeededRng())
        await keep(book, 1)
    with pytest.raises(StoreClosed):
        await keep(book, 1)


async def test_what_was_kept_outlives_its_process(kept_url: str) -> None:
    async with opened(kept_url) as bench:
        book = StoredSubmissions(bench.store, bench.store.keys, bench.clock, SeededRng())
        (kept,) = await keep(book, 1)
    async with opened(kept_url, seed=2) as bench:
        book = StoredSubmissions(bench.store, bench.store.keys, bench.clock, SeededRng())
        bench.clock.time += 60_000_000
        (pack,) = await packs(bench, book)
        assert pack.submissions == [sent(0)]
        assert (await book.find(TENANT, kept)) is not None
