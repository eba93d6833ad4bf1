"""What lies on the disk tells nobody who bought what, and opens with the right key only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from gateway.domain.ids import MessageId, ReceiptId
from gateway.domain.papers import PaperKind
from gateway.ports import InboxItem, Lookup, SignedBytes
from store.errors import DamagedBlob, WrongMasterKey
from tests.contract.store.support import (
    ID_NUMBER,
    MASTER_KEY,
    NOW,
    PAYER,
    Bench,
    changing,
    key_of,
    new_message,
    opened,
    peek,
    slip,
    take_in,
)

ONE, TWO = key_of("A1"), key_of("A2")
PAYMENT = PaperKind.PAYMENT
CANARIES = (PAYER.encode(), ID_NUMBER.encode(), b"13800000001", b"SECRET-REFERENCE", MASTER_KEY)


async def fill(bench: Bench) -> None:
    """One of everything that carries personal data."""
    await bench.store.submit_all([take_in(ONE, slip("T1")), take_in(TWO, slip("T2"))])
    body = f"<payer>{PAYER}</payer><id>{ID_NUMBER}</id>".encode()
    await bench.store.keep_receipts([InboxItem(ReceiptId("r1"), "dxp", "r1.xml", body, NOW)])

    def signed(changes: Any, views: object, found: object) -> None:
        changes.messages.append(new_message("m1"))
        changes.claims.append((Lookup("payment", "SECRET-REFERENCE"), ONE.case_id, ONE.tenant))

    await bench.store.submit(changing(signed, load=(ONE.case_id,)))
    await bench.store.submit(
        changing(
            lambda changes, views, found: changes.signed.append(
                SignedBytes(MessageId("m1"), body, "SERIAL", "profile")
            )
        )
    )


def everything_in(folder: Path) -> bytes:
    """The bytes of all files: the database, its log and its index of the log."""
    return b"".join(one.read_bytes() for one in folder.iterdir())


async def test_no_personal_data_lies_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    async with opened(f"sqlite:///{path}") as bench:
        await fill(bench)
        written = everything_in(tmp_path)
    after = everything_in(tmp_path)
    assert b"case_" in after
    for canary in CANARIES:
        assert canary not in written
        assert canary not in after


async def test_no_personal_data_stands_in_a_column(bench: Bench) -> None:
    await fill(bench)
    for table in ("case_", "paper", "raw", "claim", "event", "message", "inbox", "outbox"):
        rows = await bench.rows(f"SELECT * FROM {table}")
        assert rows or table == "outbox"
        shown = b"|".join(
            bytes(one) if isinstance(one, bytes | memoryview) else str(one).encode()
            for row in rows
            for one in row
        )
        for canary in CANARIES:
            assert canary not in shown, table


async def test_another_master_key_is_refused_and_changes_nothing(kept_url: str) -> None:
    async with opened(kept_url) as bench:
        await fill(bench)
    with pytest.raises(WrongMasterKey):
        async with opened(kept_url, master_key=bytes(32)):
            pass
    async with opened(kept_url) as bench:
        views = await bench.store.submit(peek(ONE.case_id, with_papers=True))
        assert views[ONE.case_id].papers[PAYMENT] == slip("T1")


async def test_a_master_key_has_32_bytes(kept_url: str) -> None:
    with pytest.raises(WrongMasterKey):
        async with opened(kept_url, master_key=b"short"):
            pass


# --- papers -----------------------------------------------------------------------------------


async def test_papers_come_from_the_cache_or_from_the_database(kept_url: str) -> None:
    wanted = [(ONE.case_id, PAYMENT, 1), (TWO.case_id, PAYMENT, 1), (ONE.case_id, PAYMENT, 9)]
    expected = {(ONE.case_id, PAYMENT): slip("T1"), (TWO.case_id, PAYMENT): slip("T2")}
    async with opened(kept_url) as bench:
        await fill(bench)
        assert await bench.store.load_papers(wanted) == expected
        cached = await bench.store.load_papers(wanted[:1])
        again = await bench.store.load_papers(wanted[:1])
        assert cached[ONE.case_id, PAYMENT] is again[ONE.case_id, PAYMENT]
    async with opened(kept_url) as bench:
        assert await bench.store.load_papers(wanted) == expected
        assert await bench.store.load_papers([]) == {}


async def test_a_decision_sees_the_newest_revision(kept_url: str) -> None:
    async with opened(kept_url) as bench:
        await bench.store.submit(take_in(ONE, slip("T1")))
        await bench.store.submit(take_in(ONE, slip("T1b", revision=2)))
    async with opened(kept_url) as bench:
        views = await bench.store.submit(peek(ONE.case_id, with_papers=True))
        assert views[ONE.case_id].papers == {PAYMENT: slip("T1b", revision=2)}
        views = await bench.store.submit(peek(ONE.case_id))
        assert views[ONE.case_id].papers == {}


async def tamper(bench: Bench, statement: str) -> None:
    def run(connection: Connection) -> None:
        connection.execute(text(statement))

    await bench.store.execute(run)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE paper SET body = (SELECT o.body FROM paper o WHERE o.case_id <> paper.case_id)",
        "UPDATE case_ SET wrapped_key = (SELECT o.wrapped_key FROM case_ o "
        "WHERE o.case_id <> case_.case_id)",
        "UPDATE case_ SET wrapped_key = NULL",
    ],
)
async def test_a_moved_blob_or_a_shredded_key_opens_nothing(kept_url: str, statement: str) -> None:
    async with opened(kept_url) as bench:
        await fill(bench)
    async with opened(kept_url) as bench:
        await tamper(bench, statement)
        with pytest.raises(DamagedBlob):
            await bench.store.load_papers([(ONE.case_id, PAYMENT, 1)])


async def test_a_changed_byte_is_noticed(kept_url: str) -> None:
    async with opened(kept_url) as bench:
        await fill(bench)
        rows = await bench.rows("SELECT body FROM inbox")
        damaged = bytearray(rows[0][0])
        damaged[-1] ^= 1

        def run(connection: Connection) -> None:
            connection.execute(text("UPDATE inbox SET body = :body"), {"body": bytes(damaged)})

        await bench.store.execute(run)
        with pytest.raises(DamagedBlob):
            await bench.store.open_receipts(1)


async def test_what_an_own_transaction_raises_rolls_back(bench: Bench) -> None:
    def broken(connection: Connection) -> None:
        connection.execute(text("INSERT INTO meta (name, value) VALUES ('x', 'y')"))
        raise ValueError("no")

    before = await bench.count("meta")
    with pytest.raises(ValueError, match="no"):
        await bench.store.execute(broken)
    assert await bench.count("meta") == before
    assert await bench.store.execute(lambda connection: 7) == 7
