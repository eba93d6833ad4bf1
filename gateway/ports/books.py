"""What a decision sees of other cases: accounts of buyers, and who else names a number.

The store loads it for the cases of a command, in the same transaction and under the same guards.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.domain.case import CaseKey
from gateway.domain.ids import CaseId
from gateway.domain.papers import PaperKind, PaperRevision
from gateway.domain.quota import AccountKey, QuotaAccount, QuotaEntry


class NumberUse(NamedTuple):
    """A paper revision of a case names a number that papers of other cases may name too."""

    number: str
    case_id: CaseId
    kind: PaperKind
    revision: int


class Reserved(NamedTuple):
    """What the account of a buyer is to hold for a case from now on."""

    account: AccountKey
    entry: QuotaEntry


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another case of the same tenant: its papers, opened, those of other numbers too."""

    key: CaseKey
    papers: tuple[PaperRevision, ...]


@dataclass(frozen=True, slots=True)
class Books:
    """What was loaded around one case.

    ``buyers`` maps whom an order counts for (``quota.buyer_of``) to the account that was loaded for
    it. ``neighbours`` are the cases that name one of its numbers. ``seen`` counts other cases of
    late by what they share with an order (``traces.traced``: what it is, and its normal form).
    """

    buyers: Mapping[str, tuple[AccountKey, QuotaAccount]] = field(default_factory=dict)
    neighbours: tuple[Neighbour, ...] = ()
    seen: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def account(self, buyer: str | None) -> tuple[AccountKey, QuotaAccount] | None:
        """The account of a buyer; None where it is not known."""
        return None if buyer is None else self.buyers.get(buyer)


NO_BOOKS: Final = Books()
