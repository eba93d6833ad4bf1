"""Names of processes, from which one of the same machine can tell that another has ended."""

import os
from collections.abc import Mapping
from pathlib import Path


def process_name(guid: str) -> str:
    """The name of this process in the roll: who of the same machine can tell it dead says so."""
    return f"{guid}@{_place()}:{os.getpid()}"


def ended_here(counts: Mapping[str, int]) -> dict[str, int]:
    """Of the others, those that ran where this process runs and have ended.

    The same place is one boot of one machine and one space of process ids, so that a container's
    number is not mistaken for another's. A number that was given out again tells nothing.
    """
    here = _place()
    return {name: beats for name, beats in counts.items() if _has_ended(name, here)}


def _has_ended(name: str, here: str) -> bool:
    place, _, pid = name.partition("@")[2].rpartition(":")
    return bool(here) and place == here and pid.isdecimal() and not Path(f"/proc/{pid}").exists()


def _place() -> str:
    """Which space of process ids this is; empty where that cannot be told."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.stat('/proc/self/ns/pid').st_ino}"
    except OSError:
        return ""
