"""An import: every row has its result, a refused row spoils no other, a second run goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.app.import_results import open_results, results_path
from gateway.app.import_rows import FileKind, UnusableFile
from gateway.app.importer import BATCH_PAPERS, ImportJob, Sinks, Summary, import_file
from gateway.domain.errors import Overloaded
from tests.unit.api.fakes import ALPHA, Goods, Master, Taker, goods_doc, order_doc, payment_doc


class Bench:
    """An import into fakes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "file.ndjson"
        self.taker, self.goods = Taker(), Goods()
        self.sinks = Sinks(
            self.taker,
            self.goods,
            Master(),  # type: ignore[arg-type]  # asked for profiles only
            lambda finding, locale: f"{finding.rule} {locale}",
        )

    def write(self, *docs: dict[str, Any] | bytes) -> None:
        lines = [doc if isinstance(doc, bytes) else orjson.dumps(doc) for doc in docs]
        self.path.write_bytes(b"\n".join(lines) + b"\n")

    async def run(self, *, again: bool = False, kind: FileKind = FileKind.MIXED) -> Summary:
        job = ImportJob(self.path, ALPHA, kind)
        with open_results(results_path(self.path), again=again) as results:
            return await import_file(job, self.sinks, results)

    def results(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in results_path(self.path).read_bytes().splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def order(order_no: str) -> dict[str, Any]:
    return {"type": "order", **order_doc(order_no=order_no)}


async def test_each_row_has_its_result(bench: Bench) -> None:
    strange = {**order("X"), "profile": "beta-9610"}
    wrong = {"type": "goods", **goods_doc(), "net_weight_kg": "9"}
    bench.write(
        order("A"),
        b"{",
        {"type": "payment", **payment_doc(order_no="MISMATCH-1")},
        strange,
        order("SAME-1"),
        order("FROZEN-1"),
        order("BUSY-1"),
        {"type": "goods", **goods_doc()},
        wrong,
    )
    summary = await bench.run()
    found = {doc["row"]: doc for doc in bench.results()}
    statuses = [found[row]["status"] for row in range(1, 10)]
    assert statuses == [
        "accepted", "refused", "accepted", "refused", "unchanged", "frozen", "failed",
        "accepted", "refused",
    ]  # fmt: skip
    assert found[1]["case"] is not None
    assert found[3]["findings"][0]["text"]["zh"] == "PAYMENT-AMOUNT zh"
    assert "profiles list" in found[4]["errors"][0]["message"]
    assert [error["path"] for error in found[6]["errors"]] == ["paid", "lines[0].price"]
    assert "STORE-201" in found[7]["errors"][0]["message"]
    assert found[9]["errors"][0]["path"] == "net_weight_kg"
    assert (summary.rows, summary.refused, summary.goods_changed) == (9, 5, ["SKU1"])
    assert bench.taker.taken[0].raw == orjson.dumps(order("A"))


async def test_a_second_run_sends_only_what_was_not_taken(bench: Bench) -> None:
    bench.write(order("A"), order("BUSY-1"), order("C"))
    await bench.run()
    bench.taker.taken.clear()
    bench.write(order("A"), order("B"), order("C"))
    summary = await bench.run()
    assert [item.paper.order_no for item in bench.taker.taken] == ["B"]
    assert summary.skipped == 2
    assert [(doc["row"], doc["status"]) for doc in bench.results()] == [
        (1, "accepted"), (2, "accepted"), (3, "accepted"),
    ]  # fmt: skip


async def test_a_row_with_new_content_is_sent_again_and_so_is_its_old_content(bench: Bench) -> None:
    first, other = order("A"), {**order("A"), "note": "changed"}
    for doc in (first, other, first):
        bench.write(doc)
        assert (await bench.run()).skipped == 0
    assert len(bench.taker.taken) == 3


async def test_all_rows_are_sent_again_when_asked(bench: Bench) -> None:
    bench.write(order("A"))
    await bench.run()
    assert (await bench.run(again=True)).skipped == 0
    assert len(bench.results()) == 1


async def test_rows_go_in_batches_and_keep_their_order(bench: Bench) -> None:
    names = [f"N{number}" for number in range(BATCH_PAPERS + 5)]
    bench.write(*map(order, names))
    seen: list[int] = []
    with open_results(results_path(bench.path)) as results:
        job = ImportJob(bench.path, ALPHA, FileKind.MIXED)
        await import_file(job, bench.sinks, results, seen.append)
    assert bench.taker.calls == 2
    assert [item.paper.order_no for item in bench.taker.taken] == names
    assert [doc["row"] for doc in bench.results()] == list(range(1, BATCH_PAPERS + 6))
    assert len(seen) == 1
    assert 0 < seen[0] < bench.path.stat().st_size


async def test_a_store_that_is_full_stops_the_import_and_the_next_run_goes_on(bench: Bench) -> None:
    bench.write(*(order(f"N{number}") for number in range(BATCH_PAPERS + 1)))
    bench.taker.is_full = True
    with pytest.raises(Overloaded):
        await bench.run()
    assert bench.results() == []
    bench.taker.is_full = False
    assert (await bench.run()).rows == BATCH_PAPERS + 1


async def test_rows_before_a_broken_place_are_stored(bench: Bench) -> None:
    bench.path = bench.path.with_suffix(".csv")
    bench.path.write_text('profile,order_no,transaction_id,amount,payer.name\n'
                          'alpha-9610,A,T,1,张三\n"B,T,1\n', encoding="utf-8")  # fmt: skip
    with pytest.raises(UnusableFile, match="line 3"):
        await bench.run(kind=FileKind.PAYMENT)
    assert [doc["status"] for doc in bench.results()] == ["accepted"]


async def test_a_result_that_a_crash_cut_short_is_read_past(bench: Bench) -> None:
    bench.write(order("A"), order("B"))
    await bench.run()
    path = results_path(bench.path)
    path.write_bytes(path.read_bytes()[:-30])
    bench.taker.taken.clear()
    assert (await bench.run()).skipped == 1
    assert [doc["row"] for doc in bench.results()] == [1, 2]


async def test_decomposed_text_is_taken_with_a_note(bench: Bench) -> None:
    doc = order("A")
    doc["note"] = "cafe\u0301"
    bench.write(doc)
    await bench.run()
    (found,) = bench.results()
    assert found["status"] == "accepted"
    assert "NFC" in found["note"]
    assert bench.taker.taken[0].paper.note == "cafe\u0301"
