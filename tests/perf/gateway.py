"""One gateway process of the benchmark: what ``clearance serve`` runs, with a profiler if asked."""

from __future__ import annotations

import asyncio
import cProfile
import sys
from pathlib import Path

from gateway.app.config import Settings
from gateway.app.serve import new_loop, run_until_stopped


def main() -> None:
    """``python -m tests.perf.gateway SETTINGS.json [PROFILE] [--no-work]``."""
    settings = Settings.model_validate_json(Path(sys.argv[1]).read_bytes())
    work = sys.argv[-1] != "--no-work"
    with asyncio.Runner(loop_factory=new_loop) as runner:
        serving = run_until_stopped(lambda: settings, api=True, work=work)
        if len(sys.argv) < (3 if work else 4):
            runner.run(serving)
            return
        profile = cProfile.Profile()
        profile.runcall(runner.run, serving)
        profile.dump_stats(sys.argv[2])


if __name__ == "__main__":
    main()
