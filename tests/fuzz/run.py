"""Fuzz the readers: ``python -m tests.fuzz.run [--seconds N] [--merge] [TARGET…]``.

Without names all targets share the time. ``--merge`` keeps of what was found in build/fuzz the
smallest inputs that reach as much, and puts them into the committed corpus. A crash leaves its
input in build/fuzz; put it into the corpus together with the fix.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, Final, TypeAlias

Target: TypeAlias = Callable[[bytes], None]

CORPUS: Final = Path(__file__).parent / "corpus"
FOUND: Final = Path("build") / "fuzz"
_DIGEST: Final = re.compile("[0-9a-f]{16}")
_LENGTH: Final = "-max_len=6000"
_LIMIT_MB: Final = 1024


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

    known = targets()
    names = options.targets or list(known)
    each = max(1, options.seconds // len(names))
    crashed = 0
    for name in names:
        found = FOUND / name
        found.mkdir(parents=True, exist_ok=True)
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        if options.merge:
            print(f"{name}: {_merge(name, known[name], found)} kept", flush=True)
            continue
        flags = [_LENGTH, f"-artifact_prefix={FOUND}/{name}-", "-timeout=5"]
        flags.append(f"-rss_limit_mb={_LIMIT_MB + _inherited_mb()}")
        flags += [f"-max_total_time={each}", "-verbosity=0"]
        done = _run(name, [*flags, str(found), str(CORPUS / name)])
        print(f"{name}: {'ok' if done == 0 else 'CRASHED'}", flush=True)
        crashed += done != 0
    return crashed


def _inherited_mb() -> int:
    """What a process that this one starts is said to have used before it did anything."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _merge(name: str, target: Target, found: Path) -> int:
    """Keep the seeds and the smallest inputs that reach more lines; return how many.

    A seed has a name that a person gave it; what was found is named by its digest.
    """
    old = [path for path in (CORPUS / name).iterdir() if _DIGEST.fullmatch(path.name)]
    inputs = {path.read_bytes() for path in [*old, *found.iterdir()]}
    reached: set[tuple[str, int]] = set()
    kept = []
    for data in sorted(inputs, key=lambda one: (len(one), one)):
        lines = _lines(target, data)
        if not lines <= reached:
            reached |= lines
            kept.append(data)
    for path in old:
        path.unlink()
    for data in kept:
        (CORPUS / name / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    return len(kept)


def _lines(target: Target, data: bytes) -> set[tuple[str, int]]:
    """Return the lines of the package that a target reaches with an input."""
    lines: set[tuple[str, int]] = set()

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_globals["__name__"].startswith("schemas."):
            return None
        if event == "line":
            lines.add((frame.f_code.co_filename, frame.f_lineno))
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        target(data)
    finally:
        sys.settrace(before)
    return lines


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
