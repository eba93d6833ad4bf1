"""The benchmark measures what it says: its parts by themselves, and one small run to the end.

Nothing here judges a duration: figures are read by people, not by the test suite.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import orjson
import pytest

from gateway.app.demo_world import PROFILE
from tests.perf.bench import PARTS, main, read_arguments
from tests.perf.cpu import ProcessTime, processes, tree_ms
from tests.perf.generator import LoadPlan, Shape, make_requests, percentile
from tests.perf.goals import SCENARIOS
from tests.perf.wire import Connection, Reply, request, take_reply


@pytest.mark.parametrize("share, expected", [(0.5, 50.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0)])
def test_percentiles_are_values_that_were_measured(share: float, expected: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == expected


def test_no_values_have_no_percentile() -> None:
    assert percentile([], 0.99) == 0.0


def test_an_answer_is_taken_when_it_is_whole() -> None:
    answer = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\n\r\nabc"
    for cut in range(len(answer)):
        assert take_reply(bytearray(answer[:cut])) is None
    buffer = bytearray(answer + b"HTTP/1.1 2")
    assert take_reply(buffer) == Reply(201, b"abc")
    assert bytes(buffer) == b"HTTP/1.1 2"


def test_an_answer_without_a_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="Content-Length"):
        take_reply(bytearray(b"HTTP/1.1 200 OK\r\n\r\n"))
    assert take_reply(bytearray(b"HTTP/1.1 204 No Content\r\n\r\n")) == Reply(204, b"")


async def test_a_closed_connection_ends_the_wait() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        connection = await Connection.open("127.0.0.1", server.sockets[0].getsockname()[1])
        with pytest.raises(ConnectionError):
            await connection.ask(request("/", "127.0.0.1", b"{}"))
        connection.close()


def test_a_process_name_may_hold_anything() -> None:
    line = "7 (a) b (c) S 3 1 1 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 1 1 1"
    tick = 1000 / os.sysconf("SC_CLK_TCK")
    assert ProcessTime.read(line) == ProcessTime(7, 3, 30 * tick, 70 * tick)


def test_a_tree_counts_its_descendants_and_nobody_else() -> None:
    known = {
        one.pid: one
        for one in (
            ProcessTime(1, 0, 1000, 0),
            ProcessTime(2, 1, 10, 1),
            ProcessTime(3, 2, 20, 2),
            ProcessTime(4, 1, 40, 4),
        )
    }
    assert tree_ms([2], known) == 33
    assert tree_ms([9], known) == 0


def test_time_spent_here_is_seen() -> None:
    before = tree_ms([os.getpid()], processes())
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert tree_ms([os.getpid()], processes()) - before >= 50


def _plan(shape: Shape) -> LoadPlan:
    return LoadPlan("127.0.0.1", (1, 2), "t", PROFILE, shape, 5, 2, 3, "T", 1)


def test_batches_carry_whole_orders() -> None:
    turns = make_requests(_plan(Shape.BATCH))
    bodies = [raw.partition(b"\r\n\r\n")[2] for turn in turns for raw in turn]
    lines = [[orjson.loads(line) for line in body.split(b"\n")] for body in bodies]
    assert [len(batch) for batch in lines] == [6, 6, 3]
    assert len({line["order_no"] for batch in lines for line in batch}) == 5


def test_single_papers_of_an_order_go_one_after_the_other() -> None:
    turns = make_requests(_plan(Shape.SINGLE))
    assert len(turns) == 5
    paths = [raw.split(b" ", 2)[1] for raw in turns[0]]
    assert paths == [b"/v1/orders", b"/v1/payments", b"/v1/waybills"]


def test_a_plan_survives_the_pipe() -> None:
    plan = _plan(Shape.SINGLE)
    assert LoadPlan.from_json(plan.to_json()) == plan


def test_the_command_line_chooses_parts_and_sizes() -> None:
    assert read_arguments([]).parts == PARTS
    asked = read_arguments(["--only", "sqlite-batch", "--quick"])
    assert [one.orders for one in asked.scenarios] == [SCENARIOS["sqlite-batch"].quick_orders]
    asked = read_arguments(["--orders", "7"])
    assert {one.orders for one in asked.scenarios} == {7}


@pytest.mark.parametrize("arguments", [["--orders", "0"], ["--delivery", "101"], ["--only", "x"]])
def test_a_command_line_that_makes_no_sense_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(arguments)


@pytest.mark.slow
def test_a_small_run_is_complete(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    parts = ["--only", "sqlite-batch", "--only", "sqlite-single", "--only", "stages"]
    code = main([*parts, "--quick", "--orders", "120", "--filled", "--json", str(figures)])
    doc = orjson.loads(figures.read_bytes())
    assert (code, doc["failures"]) == (0, [])
    assert [run["checked"] for run in doc["runs"]] == [240, 240]
    assert all(run["cpu_ms"]["gateway"] > 0 for run in doc["runs"])
    assert doc["stages"]["match"]["cost_us"] > 0


@pytest.mark.slow
def test_a_run_that_is_not_complete_is_no_figure(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    short = ["--only", "sqlite-batch", "--orders", "50", "--timeout", "0", "--json", str(figures)]
    assert main(short) == 1
    doc = orjson.loads(figures.read_bytes())
    assert doc["runs"] == []
    assert "of 50 orders" in doc["failures"][0]
