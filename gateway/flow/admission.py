"""Admission: how much a process takes in before what it has is through, so that answers stay quick.

Accepted papers are durable, but until their declarations are handed over they take memory, and the
work on them takes turns with new papers. Beyond a bound senders are asked to come again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Bounds of one process; 0 bounds nothing.

    ``in_hand`` counts declarations that were accepted and are not yet handed to customs,
    ``waiting`` commands of papers and other changes that wait for their commit, ``left`` what no
    worker of the whole deployment has begun, ``submitted`` submissions of the whole deployment that
    are kept and not yet taken in.
    """

    in_hand: int = 5_000
    waiting: int = 1_000
    left: int = 100_000
    submitted: int = 500_000


def _nothing() -> int:
    return 0


@dataclass(slots=True)
class Admission:
    """Counts what a process has in hand. ``waiting`` asks the store for its queue; ``left`` and
    ``submitted`` are set from time to time from the database.
    """

    limits: AdmissionLimits = field(default_factory=AdmissionLimits)
    waiting: Callable[[], int] = _nothing
    in_hand: int = 0
    left: int = 0
    submitted: int = 0

    @property
    def is_open(self) -> bool:
        """Whether new papers are taken in now."""
        limits = self.limits
        return (
            _is_within(self.in_hand, limits.in_hand)
            and _is_within(self.left, limits.left)
            and _is_within(self.waiting(), limits.waiting)
        )

    @property
    def keeps(self) -> bool:
        """Whether what is to be taken in later is kept: it takes disk, not memory."""
        return _is_within(self.submitted, self.limits.submitted)

    @property
    def has_room(self) -> bool:
        """Whether workers of this process fetch more declarations from the outbox."""
        return _is_within(self.in_hand, self.limits.in_hand)

    def take(self) -> bool:
        """Count one declaration in; False when memory has no place for it: it stays in the outbox.

        Intake closes before that; rechecks of many cases at once do not ask it.
        """
        if not _is_within(self.in_hand, 2 * self.limits.in_hand):
            return False
        self.in_hand += 1
        return True

    def done(self, declarations: int) -> None:
        """Count declarations out: handed over, or back in the outbox."""
        self.in_hand -= declarations


def _is_within(number: int, limit: int) -> bool:
    return not limit or number < limit
