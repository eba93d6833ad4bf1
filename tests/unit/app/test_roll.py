"""When a process counts as dead to another."""

from __future__ import annotations

import os
import subprocess
import sys

from gateway.app.process_names import ended_here, process_name
from gateway.app.roll import Watch


def test_who_stands_still_for_as_many_looks_is_silent() -> None:
    watch = Watch(beats=3)
    assert [watch.look({"a": 7}) for _ in range(4)] == [{}, {}, {}, {"a": 7}]


def test_a_sign_of_life_begins_the_count_anew() -> None:
    watch = Watch(beats=2)
    told = [watch.look({"a": count}) for count in (1, 1, 2, 2, 3, 3, 3)]
    assert told == [{}, {}, {}, {}, {}, {}, {"a": 3}]


def test_who_left_and_came_back_is_new() -> None:
    watch = Watch(beats=1)
    assert [watch.look(one) for one in ({"a": 0}, {}, {"a": 0}, {"a": 0})] == [
        {}, {}, {}, {"a": 0},
    ]  # fmt: skip


def test_a_process_that_ended_here_is_dead_at_once_and_no_other_is() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    mine = process_name("A")
    place = mine.partition("@")[2].rpartition(":")[0]
    gone, elsewhere = f"B@{place}:{ended.pid}", f"C@other-boot/1:{ended.pid}"
    counts = {mine: 3, gone: 7, elsewhere: 1, "of an older release": 2}
    assert mine.endswith(f":{os.getpid()}")
    assert ended_here(counts) == {gone: 7}
