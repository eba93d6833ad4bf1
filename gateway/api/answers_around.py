"""Answers about what a case shares with others: the quota of its buyer, the lineage of numbers."""

from typing import Annotated

from pydantic import ConfigDict, Field

from gateway.api.answers import QuotaStandingOut
from gateway.api.out import Out, Time
from gateway.domain.papers import PaymentPart
from gateway.domain.quota import QuotaStage
from gateway.domain.relations import RefKind, Tie, TieFault


class QuotaOwn(Out):
    """What the case itself holds in the account of its buyer."""

    amount: str
    stage: QuotaStage
    until: Time | None
    returned: str


class QuotaOut(QuotaStandingOut):
    """The standing of the buyer of a case, the case's own amount included."""

    case: str
    own: QuotaOwn | None


class NumberOut(Out):
    """A number on a paper and whose it is."""

    kind: RefKind
    value: str
    issuer: str | None


class RelationOut(Out):
    """How one number hangs on another; ``amount`` (CNY) is what is paid or filed."""

    model_config = ConfigDict(populate_by_name=True)

    source: Annotated[NumberOut, Field(alias="from")]
    tie: Tie
    target: Annotated[NumberOut, Field(alias="to")]
    amount: str | None
    place: str | None
    part: PaymentPart | None


class LineageNumber(NumberOut):
    """One number of a lineage: how far away, by which relation, and the case of an order."""

    depth: int
    case: str | None
    by: RelationOut | None


class NamedAmount(Out):
    """An amount in CNY with what it is."""

    name: str
    amount: str


class LineageFault(Out):
    """What is wrong with relations, at which number, and the others that take part."""

    fault: TieFault
    at: NumberOut
    others: list[NumberOut]
    amounts: list[NamedAmount]


class LineageOut(Out):
    """Every number that hangs together with a case, nearest first."""

    numbers: list[LineageNumber]
    faults: list[LineageFault]
