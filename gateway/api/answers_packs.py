"""What the API answers about rule packs."""

from typing import Literal

from gateway.api.out import Out, Time
from gateway.domain.case import VerdictKind
from gateway.domain.findings import Severity
from gateway.ports.packs import PackStage


class PackOut(Out):
    """One version of a pack, for a ``port`` or (null) for all."""

    pack: str
    port: str | None
    stage: PackStage
    proposed_by: str
    proposed_at: Time
    decided_by: str | None
    decided_at: Time | None


class PackList(Out):
    """Every version of the tenant, newest first; ``builtin`` names what a pack may extend."""

    packs: list[PackOut]
    builtin: list[str]


class PackChecked(Out):
    """A pack that is in order: how many rules it runs, and the version kept as a proposal."""

    pack: str
    port: str | None
    rules: int
    dry_run: bool
    proposed: PackOut | None


class PackFull(Out):
    """A pack with its text; ``version`` is null for one that comes with the gateway. ``moves`` are
    the stages it may go to.
    """

    pack: str
    text: str
    version: PackOut | None
    moves: list[PackStage]


class VerdictChange(Out):
    """How many cases would have another verdict."""

    before: VerdictKind
    after: VerdictKind
    cases: int


class RuleChange(Out):
    """How many findings of a rule there would be more or fewer."""

    change: Literal["added", "removed"]
    rule: str
    severity: Severity
    findings: int


class DifferencesOut(Out):
    """What a pack says otherwise than the one in force, counted over ``cases``.

    ``around``: quota, relations and traces were read as they stand now, or are of when each verdict
    was given (then).
    """

    pack: str
    cases: int
    differing: int
    around: Literal["now", "then"]
    verdicts: list[VerdictChange]
    rules: list[RuleChange]
