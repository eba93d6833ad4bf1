"""Chance of a running process: pieces of a page, none of them twice."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from gateway.app.surroundings import SystemRng


def test_pieces_have_their_size_and_none_is_given_twice() -> None:
    rng = SystemRng()
    with ThreadPoolExecutor(4) as pool:
        pieces = list(pool.map(lambda number: rng.bytes(12 + number % 20), range(4_000)))
    assert [len(one) for one in pieces] == [12 + number % 20 for number in range(4_000)]
    assert len({one[:12] for one in pieces}) == len(pieces)
    assert len(rng.bytes(100_000)) == 100_000
    assert rng.bytes(0) == b""


def test_a_forked_process_draws_its_own() -> None:
    rng = SystemRng()
    rng.bytes(1)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, rng.bytes(16))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 16) != rng.bytes(16)
    os.close(read)
    os.close(write)
