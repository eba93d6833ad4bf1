"""Keys that are set aside are stored, other processes learn of them, and old answers are known."""

from __future__ import annotations

from collections.abc import Collection

from store.aside_keys import AsideBook
from tests.contract.store_master.bench import START, Bench


async def test_a_key_set_aside_outlives_its_process_and_keeps_its_first_reason(
    bench: Bench,
) -> None:
    heard: list[Collection[str]] = []
    here = AsideBook(bench.access, bench.clock)
    there = AsideBook(bench.access, bench.clock, lambda aside: heard.append(set(aside)))
    assert await here.set_aside("0300", "gateway", "-621028", signed_at=START - 1)
    assert not await there.set_aside("0300", "gateway", "-621025", signed_at=START)
    (found,) = there.aside.values()
    assert (found.serial, found.at, found.by, found.reason) == (
        "0300", START, "gateway", "-621028",
    )  # fmt: skip
    assert await there.readmit("0300", "me")
    assert not await there.readmit("0300", "me")
    assert here.aside
    await here.refresh()
    assert not here.aside
    assert heard == [{"0300"}, set(), set()]


async def test_answers_about_what_was_signed_before_a_key_was_readmitted_are_old_news(
    bench: Bench,
) -> None:
    book = AsideBook(bench.access, bench.clock)
    assert await book.set_aside("0300", "gateway", "-621028", signed_at=START)
    assert await book.readmit("0300", "me")
    assert not await book.set_aside("0300", "gateway", "-621028", signed_at=START)
    assert not book.aside
    assert await book.set_aside("0300", "gateway", "-621029", signed_at=START + 1)
    assert book.aside["0300"].reason == "-621029"
