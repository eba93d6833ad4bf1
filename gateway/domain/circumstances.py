"""What is known around a case beyond its papers, its profile and its goods records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from gateway.domain.papers import Paper, PaperKind
from gateway.domain.quota import QuotaStanding
from gateway.domain.relations import BrokenTie
from gateway.domain.tables import NO_TABLES, Tables


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the rules may hold the papers against; what is not known is left empty.

    ``ties`` are the broken relations in which the case takes part. ``quota`` is the buyer's
    standing without this case. ``filed`` holds the copies of papers that others filed with customs,
    ``filed_parties`` the ``platform`` and ``merchant`` codes that the filed order names.
    ``seen_elsewhere`` counts other cases of late by what they share with this one (``buyer``,
    ``phone``, ``address``). ``billed_tax`` is what customs' tax bill (816) charges, in CNY,
    ``returned_tax`` the tax on lines whose return was approved.
    """

    tables: Tables = NO_TABLES
    ties: tuple[BrokenTie, ...] = ()
    quota: QuotaStanding | None = None
    filed: Mapping[PaperKind, Paper] = field(default_factory=dict)
    filed_parties: Mapping[str, str] = field(default_factory=dict)
    seen_elsewhere: Mapping[str, int] = field(default_factory=dict)
    billed_tax: Decimal | None = None
    returned_tax: Decimal = Decimal(0)


NOTHING_KNOWN: Final = Circumstances()
