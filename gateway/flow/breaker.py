"""A breaker for each endpoint: who does not answer is asked by one pilot now and then.

Pure values and decisions; :mod:`gateway.flow.delivery` acts on them. An endpoint that fails is
known to this process only: others learn it by their own few failures.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.flow.context import SECOND_US
from gateway.flow.retry import Backoff

FAILURES: Final = 5
"""How many posts in a row must fail before an endpoint is left alone."""
PAUSE: Final = Backoff(first_us=5 * SECOND_US, most_us=300 * SECOND_US)
"""How long it is left alone before the next pilot."""


class Gate(StrEnum):
    """Whether a post may go: as always, as the pilot of a failing endpoint, or not now."""

    OPEN = "open"
    PILOT = "pilot"
    SHUT = "shut"


@dataclass(slots=True)
class Breaker:
    """What one process knows of one endpoint; times are UTC microseconds.

    ``answered_at`` is the last time that a post was answered as it should be.
    """

    failures: int = 0
    pauses: int = 0
    shut_until: int = 0
    is_piloting: bool = False
    answered_at: int = 0

    @property
    def is_failing(self) -> bool:
        """Whether only pilots go."""
        return self.failures >= FAILURES

    def ask(self, now: int) -> Gate:
        """Whether a post may go now; a pilot holds its place until :meth:`tell` or
        :meth:`withdraw`.
        """
        if not self.is_failing:
            return Gate.OPEN
        if self.is_piloting or now < self.shut_until:
            return Gate.SHUT
        self.is_piloting = True
        return Gate.PILOT

    def withdraw(self) -> None:
        """The pilot did not go after all."""
        self.is_piloting = False

    def tell(self, *, answered: bool, now: int, jitter: int) -> bool:
        """A post was answered, or failed; whether the endpoint has begun to fail just now."""
        self.is_piloting = False
        if answered:
            self.failures, self.pauses, self.shut_until = 0, 0, 0
            self.answered_at = now
            return False
        self.failures += 1
        if not self.is_failing or now < self.shut_until:
            return False
        self.pauses += 1
        self.shut_until = now + PAUSE.wait_us(self.pauses, jitter)
        return self.pauses == 1
