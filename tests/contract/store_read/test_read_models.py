"""Read models on each database: pages, numbers, whose bytes, and nothing across tenants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import create_async_engine

from gateway.domain.case import CaseStage
from gateway.domain.declaration import DeclarationKind
from gateway.domain.errors import InvalidValue
from gateway.domain.events import EventKind
from gateway.domain.ids import CaseId, MessageId, ProfileId, RawId, ReceiptId, TenantId
from gateway.domain.papers import Order, PaperKind
from gateway.ports import CaseFilter, MessageStage, StoredEvent
from store.cursors import ListPlace, StreamPlace, list_place, stream_place
from store.dossier import read_dossier
from store.evidence import element_texts, records_of
from store.read_models import SqlReadModels
from store.tables import case_, event
from tests.contract.store_master.bench import ACME, OTHER, PROFILE, Bench, opened, statements
from tests.contract.store_read.world import World

ALL = CaseFilter()


async def _every(reads: SqlReadModels, wanted: CaseFilter = ALL, limit: int = 2) -> list[str]:
    found: list[str] = []
    after: str | None = None
    while True:
        page = await reads.cases(ACME, wanted, after, limit)
        assert len(page.items) <= limit
        found += [row.key.order_no for row in page.items]
        if page.after is None:
            return found
        after = page.after


# --- lists ------------------------------------------------------------------------------------


async def test_pages_go_newest_first_and_miss_nothing(world: World, reads: SqlReadModels) -> None:
    for number in range(5):
        await world.take(ACME, f"A{number}")
    await world.take(OTHER, "B0")
    assert await _every(reads) == ["A4", "A3", "A2", "A1", "A0"]
    assert await _every(reads, limit=5) == ["A4", "A3", "A2", "A1", "A0"]


async def test_cases_of_one_moment_page_too(world: World, reads: SqlReadModels) -> None:
    for number in range(5):
        await world.take(ACME, f"A{number}")
    await world.bench.write(lambda on: on.execute(update(case_).values(created_at=5)))
    assert sorted(await _every(reads)) == ["A0", "A1", "A2", "A3", "A4"]


async def test_each_filter_filters(world: World, reads: SqlReadModels) -> None:
    await world.released(ACME, "R0")
    await world.take(ACME, "P0")
    await world.take(ACME, "C0", planned=False)
    (done,) = (await reads.cases(ACME, CaseFilter(order_no="R0"), None, 9)).items
    assert (done.stage, done.held, done.version) == (CaseStage.RELEASED, False, 5)
    expected = {
        CaseFilter(stages=frozenset({CaseStage.RELEASED})): ["R0"],
        CaseFilter(stages=frozenset({CaseStage.DECLARING, CaseStage.COLLECTING})): ["C0", "P0"],
        CaseFilter(stages=frozenset({CaseStage.BLOCKED})): [],
        CaseFilter(held=True): [],
        CaseFilter(held=False): ["C0", "P0", "R0"],
        CaseFilter(profile_id=ProfileId("acme-import")): ["C0", "P0", "R0"],
        CaseFilter(profile_id=ProfileId("none")): [],
        CaseFilter(order_no="P0"): ["P0"],
        CaseFilter(updated_since=done.updated_at): ["C0", "P0", "R0"],
        CaseFilter(updated_since=done.updated_at + 1): ["C0", "P0"],
    }
    for wanted, orders in expected.items():
        assert await _every(reads, wanted) == orders


async def test_any_number_of_a_paper_finds_its_case(bench: Bench, world: World) -> None:
    cache = bench.new_cache()
    await bench.admin(cache).put_profile(PROFILE)
    reads = SqlReadModels(bench.access, bench.keys, cache)
    key = await world.take(ACME, "N0")
    await world.take(ACME, "N1")
    await world.take(OTHER, "N2")
    for number in ("N0", "PAYN0", world.cop_no(key)):
        assert await _every(reads, CaseFilter(number=number)) == ["N0"]
    for number in ("N2", "PAYN2", "PAY", "%", world.cop_no(world.key(OTHER, "N2"))):
        assert await _every(reads, CaseFilter(number=number)) == []
    for number in ("", "x" * 65):
        with pytest.raises(InvalidValue):
            await reads.cases(ACME, CaseFilter(number=number), None, 9)


async def test_a_list_takes_one_query(world: World, reads: SqlReadModels) -> None:
    await world.take(ACME, "A0")
    with statements() as seen:
        await reads.cases(ACME, CaseFilter(number="A0", held=False), None, 9)
    assert len(seen) == 1


async def test_a_limit_is_bounded(reads: SqlReadModels) -> None:
    for limit in (0, -1):
        with pytest.raises(InvalidValue):
            await reads.cases(ACME, ALL, None, limit)
    assert (await reads.cases(ACME, ALL, None, 10**9)).items == ()


# --- cursors ----------------------------------------------------------------------------------


@given(st.integers(0, 10**17), st.from_regex(r"[a-z2-7]{1,24}", fullmatch=True), st.integers(0, 99))
def test_a_cursor_comes_back_as_its_place(at: int, case_id: str, seq: int) -> None:
    assert list_place(ListPlace(at, case_id).cursor) == ListPlace(at, case_id)
    assert stream_place(StreamPlace(at, case_id, seq).cursor) == StreamPlace(at, case_id, seq)


@given(st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{0,60}", fullmatch=True))
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    for read in (list_place, stream_place):
        try:
            place: ListPlace | StreamPlace = read(cursor)
        except InvalidValue:
            continue
        assert read(place.cursor) == place


async def test_a_cursor_of_another_list_is_refused(reads: SqlReadModels) -> None:
    with pytest.raises(InvalidValue):
        await reads.cases(ACME, ALL, StreamPlace(1, "a", 1).cursor, 9)
    with pytest.raises(InvalidValue):
        await reads.events(ACME, ListPlace(1, "a").cursor, 9)
    with pytest.raises(InvalidValue):
        await reads.cases(ACME, ALL, "", 9)


# --- one case ---------------------------------------------------------------------------------


async def test_a_case_comes_with_all_that_hangs_on_it(world: World, reads: SqlReadModels) -> None:
    (key,) = await world.released(ACME, "D0")
    detail = await reads.case(ACME, key.case_id)
    assert detail is not None
    assert detail.row.key == key
    assert detail.state.release_sequence == 1
    paper = detail.papers[PaperKind.ORDER].paper
    assert isinstance(paper, Order)
    assert paper.buyer.name == "张三"
    assert set(detail.papers) == {PaperKind.ORDER, PaperKind.PAYMENT}
    assert [one.seq for one in detail.events] == list(range(1, 8))
    assert {one.order_no for one in detail.events} == {"D0"}
    assert [one.effect.ref for one in detail.notices] == ["case.lodged", "case.released"]
    assert {one.endpoint_id for one in detail.notices} == {"ep_seller"}


async def test_a_shredded_case_shows_no_papers(world: World, reads: SqlReadModels) -> None:
    (key,) = await world.released(ACME, "D0")
    await world.bench.write(lambda on: on.execute(update(case_).values(wrapped_key=None)))
    detail = await reads.case(ACME, key.case_id)
    assert detail is not None
    assert detail.papers == {}
    assert await reads.raw(ACME, RawId(f"raw{key.case_id}")) is None


async def test_messages_of_a_case_are_listed(world: World, reads: SqlReadModels) -> None:
    (key,) = await world.released(ACME, "D0")
    assert await reads.messages_of(ACME, key.case_id) == [
        (MessageId("M1"), DeclarationKind.INVENTORY, 1, MessageStage.HANDED_OVER)
    ]


# --- whose bytes ------------------------------------------------------------------------------


async def test_bytes_come_back_exactly(world: World, reads: SqlReadModels) -> None:
    keys = [await world.take(ACME, order) for order in ("X0", "X1")]
    made = await world.claim(keys, "M1")
    assert await reads.message(ACME, made.message_id) is None
    await world.send(made)
    receipt = await world.answer(keys, "r1")
    assert await reads.message(ACME, made.message_id) == world.wire(made)
    assert await reads.receipt(ACME, receipt) == world.receipt(keys, "released", enveloped=True)
    raw = await reads.raw(ACME, RawId(f"raw{keys[0].case_id}"))
    assert raw is not None
    assert raw.startswith(b'{"order_no":"X0"')


async def test_a_receipt_file_of_two_tenants_is_shown_to_neither(
    world: World, reads: SqlReadModels
) -> None:
    mine, theirs = await world.take(ACME, "X0"), await world.take(OTHER, "Y0")
    await world.send(await world.claim([mine], "M1"))
    await world.send(await world.claim([theirs], "M2"))
    mixed = await world.answer([mine, theirs], "mixed", "lodged")
    assert await reads.receipt(ACME, mixed) is None
    assert await reads.receipt(OTHER, mixed) is None
    own = await world.answer([mine], "own")
    assert await reads.receipt(ACME, own) is not None
    assert await reads.receipt(OTHER, own) is None


async def test_of_a_file_of_two_tenants_each_has_its_own_record(
    bench: Bench, world: World, reads: SqlReadModels
) -> None:
    keys = [await world.take(ACME, "X0"), await world.take(OTHER, "Y0")]
    for number, key in enumerate(keys):
        await world.send(await world.claim([key], f"M{number}"))
    await world.answer(keys, "mixed", "lodged")
    for position, key in enumerate(keys):
        found = await read_dossier(bench.access, bench.keys, reads, key.tenant, key.case_id)
        assert found is not None
        received = {one.path: one.body for one in found.exhibits if one.path.startswith("receipts")}
        assert list(received) == [f"receipts/mixed-{position}.xml"]
        (record,) = received.values()
        assert record.startswith(b"<InventoryReturn>")
        assert element_texts(record) >= {world.cop_no(key), "lodged"}
        assert world.cop_no(keys[1 - position]).encode() not in record
        assert [path for path, _ in found.withheld] == ["receipts/mixed"]


@pytest.mark.parametrize(
    "body", [b"", b"<x/>", b"<CEB622Message><a>", b"<!DOCTYPE a><CEB622Message/>"]
)
def test_what_is_no_receipt_message_has_no_records(body: bytes) -> None:
    assert records_of(body) == []


async def test_a_parked_record_counts_for_the_tenant_it_names(
    world: World, reads: SqlReadModels
) -> None:
    key = await world.take(ACME, "X0")
    await world.park(ReceiptId("parked"), key, ACME)
    await world.park(ReceiptId("strange"), None, ACME)
    assert await reads.receipt(ACME, ReceiptId("parked")) is not None
    assert await reads.receipt(OTHER, ReceiptId("parked")) is None
    assert await reads.receipt(ACME, ReceiptId("strange")) is None


async def test_nothing_is_read_across_tenants(world: World, reads: SqlReadModels) -> None:
    (key,) = await world.released(ACME, "T0")
    for tenant, seen in ((ACME, True), (OTHER, False)):
        page = await reads.cases(tenant, ALL, None, 9)
        assert bool(page.items) is seen
        assert (await reads.case(tenant, key.case_id) is not None) is seen
        assert bool((await reads.events(tenant, None, 9)).items) is seen
        assert (await reads.message(tenant, MessageId("M1")) is not None) is seen
        assert bool(await reads.messages_of(tenant, key.case_id)) is seen
        assert (await reads.receipt(tenant, ReceiptId("m1released")) is not None) is seen
        assert (await reads.raw(tenant, RawId(f"raw{key.case_id}")) is not None) is seen
        for wanted in (CaseFilter(order_no="T0"), CaseFilter(number="T0")):
            assert bool((await reads.cases(tenant, wanted, None, 9)).items) is seen


async def test_what_does_not_exist_is_none(reads: SqlReadModels) -> None:
    assert await reads.case(ACME, CaseId("none")) is None
    assert await reads.message(ACME, MessageId("none")) is None
    assert await reads.receipt(ACME, ReceiptId("none")) is None
    assert await reads.raw(ACME, RawId("none")) is None
    assert list(await reads.messages_of(ACME, CaseId("none"))) == []


# --- the stream -------------------------------------------------------------------------------


async def _stream(reads: SqlReadModels, limit: int, after: str | None = None) -> list[StoredEvent]:
    found: list[StoredEvent] = []
    while True:
        page = await reads.events(ACME, after, limit)
        found += page.items
        if page.after is None:
            return found
        after = page.after


async def test_the_stream_gives_every_event_once_in_order(
    world: World, reads: SqlReadModels
) -> None:
    await world.released(ACME, "S0", "S1")
    await world.take(OTHER, "S2")
    whole = await _stream(reads, 1_000)
    assert len(whole) == 14
    assert await _stream(reads, 3) == whole
    for number, one in enumerate(whole):
        assert await _stream(reads, 5, one.cursor) == whole[number + 1 :]
    by_case: dict[str, list[int]] = {}
    for one in whole:
        by_case.setdefault(one.case_id, []).append(one.seq)
    assert all(seqs == list(range(1, 8)) for seqs in by_case.values())


async def test_events_of_a_kind_from_a_time_on(world: World, reads: SqlReadModels) -> None:
    """Without walking what lies before: the beginning is found by halving the stream."""
    await world.released(ACME, "S0")
    for number in range(6):
        await world.take(ACME, f"A{number}")
    await world.take(OTHER, "T0")
    hour = 3_600_000_000
    await world.bench.write(lambda on: on.execute(update(event).values(at=event.c.pos * hour)))
    whole = await _stream(reads, 1_000)
    assert len({one.at for one in whole}) > 6
    kind = EventKind.CASE_MATCHED
    for since in (0, *(one.at for one in whole), whole[-1].at + 1):
        expected = [one for one in whole if one.event.kind is kind and one.at >= since]
        found: list[StoredEvent] = []
        after: str | None = None
        while True:
            page = await reads.events_since(ACME, kind, since, after, 2)
            found += page.items
            after = page.after
            if after is None:
                break
        assert found == expected
    assert (await reads.events_since(TenantId("nobody"), kind, 0, None, 9)).items == ()
    with statements() as sent:
        await reads.events_since(ACME, kind, whole[-1].at, None, 9)
    assert len(sent) < 40


@pytest.mark.needs_postgres
async def test_the_stream_waits_for_a_commit_that_may_come_late(postgres_url: str) -> None:
    """A transaction that began earlier and commits later must not fall behind a cursor."""
    engine = create_async_engine(postgres_url)
    async with opened(postgres_url) as bench:
        world, reads = World(bench), SqlReadModels(bench.access, bench.keys, bench.new_cache())
        first = await world.take(ACME, "L0")
        async with engine.connect() as slow:
            await slow.execute(text("SELECT pg_current_xact_id()"))
            await world.take(ACME, "L1")
            seen = await _stream(reads, 100)
            assert {one.case_id for one in seen} == {first.case_id}
            await slow.commit()
        late = await _stream(reads, 100, seen[-1].cursor)
        assert {one.order_no for one in late} == {"L1"}
    await engine.dispose()
