"""Fuzz the readers: ``python -m tests.fuzz.run [--seconds N] [--merge] [TARGET…]``.

Without names all targets share the time. ``--merge`` keeps of what was found in build/fuzz the
smallest set that reaches as much, and puts it into the committed corpus. A crash leaves its input
in build/fuzz; put it into the corpus together with the fix.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).parent / "corpus"
FOUND: Final = Path("build") / "fuzz"
_LENGTH: Final = "-max_len=6000"


def main(arguments: Sequence[str]) -> int:
    """Run the targets one after the other; return how many crashed."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.run", description=__doc__)
    parser.add_argument("targets", nargs="*")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--merge", action="store_true")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args(arguments)
    if options.inside:
        _fuzz(options.inside, [*rest, *options.targets])
    from tests.fuzz.targets import targets

    names = options.targets or list(targets())
    each = max(1, options.seconds // len(names))
    crashed = 0
    for name in names:
        found = FOUND / name
        found.mkdir(parents=True, exist_ok=True)
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        flags = [_LENGTH, f"-artifact_prefix={FOUND}/{name}-", "-timeout=5", "-rss_limit_mb=1024"]
        if options.merge:
            done = _merge(name, found, flags)
        else:
            flags += [f"-max_total_time={each}", "-verbosity=0"]
            done = _run(name, [*flags, str(found), str(CORPUS / name)])
        print(f"{name}: {'ok' if done == 0 else 'CRASHED'}", flush=True)
        crashed += done != 0
    return crashed


def _merge(name: str, found: Path, flags: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        done = _run(name, ["-merge=1", *flags, folder, str(CORPUS / name), str(found)])
        if done == 0:
            shutil.rmtree(CORPUS / name)
            shutil.copytree(folder, CORPUS / name)
        return done


def _run(name: str, flags: Sequence[str]) -> int:
    command = [sys.executable, "-m", "tests.fuzz.run", "--inside", name, *flags]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr[-4000:], file=sys.stderr)
    return done.returncode


def _fuzz(name: str, flags: Sequence[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["schemas"]):
        from tests.fuzz.targets import targets
    atheris.Setup([sys.argv[0], *flags], targets()[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
