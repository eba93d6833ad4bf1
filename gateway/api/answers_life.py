"""Answers about the life of a case: what its states rest on, and what comes back of it."""

from gateway.api.out import Day, Out
from gateway.domain.evidence import EvidenceClass, Source


class BasisOut(Out):
    """What one declaration, or one paper that others file, rests on.

    ``evidence`` is ``A`` (customs' answer to what we sent), ``B`` (a subscribed copy), ``C`` (an
    authenticated partner's statement), or null where nobody but us says so.
    """

    about: str
    version: int
    stage: str
    evidence: EvidenceClass | None
    source: Source
    receipt: str | None
    position: int | None
    guid: str | None
    status: str | None
    returned_at: str | None


class ReturnsOut(Out):
    """What a return asks back: order line → quantity, and the CNY it gives back once approved.

    ``value`` goes back to the buyer's annual limit, ``tax`` is not levied. ``arrived`` tells that
    its goods are back.
    """

    lines: dict[str, str]
    value: str
    tax: str
    arrived: bool


class SummaryOut(Out):
    """What customs said of a summary request (702, 792): its number, then the general declaration
    that the inventory went into, whose ``entry_no`` comes last.
    """

    sum_no: str | None
    declaration_no: str | None
    entry_no: str | None
    state: str | None


class ReturnedLineOut(Out):
    """One order line in the ledger of returns; quantities in the order's unit."""

    line_no: int
    ordered: str
    pending: str
    approved: str
    arrived: str
    left: str


class ReturningOut(Out):
    """What of a released order came or may come back.

    A return can be asked for until ``apply_until``, and its goods must be back by ``back_until``
    (days of customs' calendar). ``tax_given_back`` (CNY) is what approved returns free.
    """

    apply_until: Day
    back_until: Day
    lines: list[ReturnedLineOut]
    tax_given_back: str
