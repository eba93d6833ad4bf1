"""What preflight answers to customs' XML: a report over all orders in it."""

from typing import Literal

from gateway.api.answers import FindingOut
from gateway.api.out import Out
from gateway.domain.case import VerdictKind


class MissingOut(Out):
    """A paper or goods record that an order still needs."""

    name: str
    text: dict[Literal["en", "zh"], str]


class ReportCase(Out):
    """One order of a message: what is wrong, what could not be asked in full, what is missing."""

    order_no: str
    direction: Literal["import", "export"]
    profile: str
    verdict: VerdictKind
    blocks: bool
    rows: dict[str, list[str]]
    findings: list[FindingOut]
    unverifiable: list[FindingOut]
    unverified: dict[str, dict[Literal["en", "zh"], str]]
    missing: list[MissingOut]


class RowFaultOut(Out):
    """What is wrong with a record that no rule speaks of, and where it stands."""

    file: str
    at: str
    order_no: str | None
    rule: str | None
    path: str
    message: str
    message_zh: str
    line: int | None = None


class AssumedProfileOut(Out):
    """What was assumed for the rows of one direction that name one profile, or none."""

    direction: Literal["import", "export"]
    named: str | None
    mode: str


class AssumedOut(Out):
    """The tenant has no profile: one was assumed, and rules about its parties were not asked."""

    assumed: bool
    mode: str
    modes: dict[Literal["import", "export"], str]
    profiles: list[AssumedProfileOut]
    text: dict[Literal["en", "zh"], str]


class ReportOut(Out):
    """What is wrong with the papers of customs' XML, order by order; nothing was stored."""

    files: list[str]
    rows: int
    orders: int
    clean: int
    blocked: int
    profile: AssumedOut | None
    by_rule: dict[str, int]
    results: list[ReportCase]
    row_faults: list[RowFaultOut]
    unlinked: list[str]
