"""The trace of a run: what happened when, and one digest over all of it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field


@dataclass(slots=True)
class Trace:
    """Everything that leaves or enters the gateway, every crash point passed, in order."""

    lines: list[str] = field(default_factory=list)

    def add(self, now_us: int, kind: str, *details: object) -> None:
        """Note one happening; ``details`` must look the same in every process."""
        self.lines.append("|".join((str(now_us), kind, *(str(one) for one in details))))

    def digest(self) -> str:
        """The sha256 over all lines."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()


def short(data: bytes) -> str:
    """A short digest of bytes, to stand for them in a trace."""
    return hashlib.sha256(data).hexdigest()[:16]
