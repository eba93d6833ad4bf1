"""Retries as values: when to try again, or that it is time to stop."""

from dataclasses import dataclass
from typing import Final

from gateway.flow.context import SECOND_US


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential waits with jitter: ``first_us`` doubled per attempt up to ``most_us``."""

    first_us: int
    most_us: int

    def wait_us(self, attempt: int, jitter: int) -> int:
        """The wait after a number of failed attempts; ``jitter`` (0..255) takes off up to a
        quarter.
        """
        wait = min(self.first_us << min(max(attempt - 1, 0), 40), self.most_us)
        return wait - wait * (jitter & 0xFF) // 1024


NOTICE: Final = Backoff(first_us=SECOND_US, most_us=3600 * SECOND_US)
SEND: Final = Backoff(first_us=2 * SECOND_US, most_us=300 * SECOND_US)
