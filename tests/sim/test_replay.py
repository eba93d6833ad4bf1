"""A seed is a run: the same trace again, in this process and in any other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sim.simulate import simulate

pytestmark = pytest.mark.sim
ROOT = Path(__file__).parents[2]
SEED, ORDERS = 3, 15


def _digest_elsewhere(hash_seed: str) -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.sim.campaign", "--digest"),
            *("--seeds", f"{SEED}..{SEED}", "--orders", str(ORDERS)),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    seed, digest = done.stdout.split()
    assert int(seed) == SEED
    return digest


def test_a_seed_repeats_itself_in_one_process() -> None:
    first, again = simulate(SEED, ORDERS), simulate(SEED, ORDERS)
    assert first == again
    assert first.crashes  # the run that is repeated has kills in it
    assert first.faults


def test_a_seed_repeats_itself_in_other_processes() -> None:
    here = simulate(SEED, ORDERS).digest
    assert [_digest_elsewhere("1"), _digest_elsewhere("4711")] == [here, here]


def test_different_seeds_give_different_runs() -> None:
    digests = {simulate(seed, 5).digest for seed in range(4)}
    assert len(digests) == 4
