"""One gateway process of the benchmark: what ``clearance serve`` runs, with a profiler if asked."""

from __future__ import annotations

import asyncio
import cProfile
import sys
from pathlib import Path

from gateway.app.config import Settings
from gateway.app.serve import run_until_stopped


def main() -> None:
    """``python -m tests.perf.gateway SETTINGS.json [PROFILE]``."""
    settings = Settings.model_validate_json(Path(sys.argv[1]).read_bytes())
    if len(sys.argv) < 3:
        asyncio.run(run_until_stopped(settings, api=True, work=True))
        return
    profile = cProfile.Profile()
    profile.runcall(asyncio.run, run_until_stopped(settings, api=True, work=True))
    profile.dump_stats(sys.argv[2])


if __name__ == "__main__":
    main()
