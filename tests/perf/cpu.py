"""CPU time of processes, told apart by process tree, from ``/proc``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_TICK_MS: Final = 1000 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ProcessTime:
    """One line of ``/proc/<pid>/stat``: who, its parent, and milliseconds of CPU.

    ``own_ms`` holds user and system time of all its threads, ``children_ms`` that of children
    which ended and were waited for.
    """

    pid: int
    parent: int
    own_ms: float
    children_ms: float

    @classmethod
    def read(cls, line: str) -> ProcessTime:
        """Read a line; the process name stands in brackets and may hold anything."""
        pid = int(line.split(" ", 1)[0])
        fields = line.rpartition(")")[2].split()
        user, system, ended_user, ended_system = (int(text) for text in fields[11:15])
        return cls(
            pid,
            int(fields[1]),
            (user + system) * _TICK_MS,
            (ended_user + ended_system) * _TICK_MS,
        )


def processes() -> dict[int, ProcessTime]:
    """Every process that can be seen now; those that end meanwhile are left out."""
    found: dict[int, ProcessTime] = {}
    for entry in _PROC.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            line = (entry / "stat").read_text()
        except OSError:
            continue
        one = ProcessTime.read(line)
        found[one.pid] = one
    return found


def tree_ms(roots: Iterable[int], known: Mapping[int, ProcessTime]) -> float:
    """Milliseconds of CPU of these processes and all their descendants."""
    children: dict[int, list[int]] = {}
    for one in known.values():
        children.setdefault(one.parent, []).append(one.pid)
    waiting = [pid for pid in roots if pid in known]
    total = 0.0
    while waiting:
        one = known[waiting.pop()]
        total += one.own_ms + one.children_ms
        waiting += children.get(one.pid, [])
    return total


def busy_ms() -> tuple[float, float]:
    """(busy, idle) milliseconds of the whole machine since it started, over all its cores."""
    fields = [int(text) for text in (_PROC / "stat").read_text().splitlines()[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return (sum(fields) - idle) * _TICK_MS, idle * _TICK_MS
