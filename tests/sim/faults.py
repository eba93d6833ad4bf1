"""What may go wrong in a simulated world, how often, and how often it did."""

from __future__ import annotations

import random
from collections import Counter
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """Every kind of trouble that the world can make."""

    SEND_REFUSED = "send_refused"
    SEND_OUTAGE = "send_outage"
    SEND_NOT_DELIVERED = "send_unknown_not_delivered"
    SEND_ANSWER_LOST = "send_unknown_delivered"
    SEND_HANGS = "send_hangs_delivered"
    SEND_ARRIVES_LATE = "send_hangs_arrives_late"
    SEND_RAISES = "send_raises"
    SEND_SLOW = "receipts_before_send_returns"
    RECEIPT_LOST = "receipt_lost"
    RECEIPT_TWICE = "receipt_twice"
    RECEIPT_LATE = "receipt_late"
    RECEIPT_REORDERED = "receipts_reordered"
    RECEIPT_FORGED = "receipt_forged"
    RECEIVE_FAILS = "receive_fails"
    ACKNOWLEDGE_FAILS = "acknowledge_fails"
    NOTICE_RETRY = "notice_retry"
    NOTICE_PARTLY = "notice_partly_taken"
    NOTICE_TIMEOUT = "notice_answer_lost"
    NOTICE_RAISES = "notice_raises"
    ACK_TWICE = "ack_twice"
    CLOCK_JUMP = "clock_jump"
    CRASH = "crash"
    PAPER_TWICE = "paper_twice"
    PAPER_LATE = "paper_late"
    PAPER_REVISED = "paper_revised"


RATES: Final[dict[Fault, float]] = {
    Fault.SEND_REFUSED: 0.15,
    Fault.SEND_OUTAGE: 0.05,
    Fault.SEND_NOT_DELIVERED: 0.15,
    Fault.SEND_ANSWER_LOST: 0.15,
    Fault.SEND_HANGS: 0.08,
    Fault.SEND_ARRIVES_LATE: 0.08,
    Fault.SEND_RAISES: 0.1,
    Fault.SEND_SLOW: 0.2,
    Fault.RECEIPT_LOST: 0.02,
    Fault.RECEIPT_TWICE: 0.15,
    Fault.RECEIPT_LATE: 0.15,
    Fault.RECEIPT_REORDERED: 0.3,
    Fault.RECEIPT_FORGED: 0.1,
    Fault.RECEIVE_FAILS: 0.05,
    Fault.ACKNOWLEDGE_FAILS: 0.1,
    Fault.NOTICE_RETRY: 0.15,
    Fault.NOTICE_PARTLY: 0.15,
    Fault.NOTICE_TIMEOUT: 0.15,
    Fault.NOTICE_RAISES: 0.1,
    Fault.ACK_TWICE: 0.3,
    Fault.CLOCK_JUMP: 0.2,
    Fault.CRASH: 0.004,
    Fault.PAPER_TWICE: 0.15,
    Fault.PAPER_LATE: 0.15,
    Fault.PAPER_REVISED: 0.1,
}
"""How likely each kind is at each occasion, in a world that has it."""

_SHARE: Final = 0.5


class Faults:
    """The faults of one world: each kind is in it or not, so that worlds differ in character."""

    def __init__(self, seed: int, *, kinds: frozenset[Fault] | None = None) -> None:
        rng = random.Random(f"faults {seed}")
        drawn = frozenset(kind for kind in Fault if rng.random() < _SHARE)
        self.kinds = drawn if kinds is None else kinds
        self.hits: Counter[Fault] = Counter()
        self.are_over = False
        # A source for each kind: a draw more of one kind moves no other.
        self._rngs = {kind: random.Random(f"{kind} {seed}") for kind in Fault}

    def strikes(self, kind: Fault) -> bool:
        """Whether this kind happens on this occasion; counted when it does."""
        if self.are_over or kind not in self.kinds:
            return False
        if self._rngs[kind].random() >= RATES[kind]:
            return False
        self.hits[kind] += 1
        return True

    def draw(self, kind: Fault, least: float, most: float) -> float:
        """A number for the details of a fault, from its kind's own source."""
        return self._rngs[kind].uniform(least, most)
