"""The case: one declared order of one tenant on one platform, as the fold of its events."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from gateway.domain.declaration import BillStatus, DeclarationKind, DeclarationState, Word
from gateway.domain.filing import PartnerFiling
from gateway.domain.findings import Finding
from gateway.domain.ids import CaseId, Direction, ProfileId, TenantId
from gateway.domain.papers import PaperKind


class VerdictKind(StrEnum):
    """What matching says of the papers."""

    WAITING = "waiting"
    MATCHED = "matched"
    MISMATCH = "mismatch"
    BLOCKED = "blocked"


class CaseStage(StrEnum):
    """Where a case stands."""

    COLLECTING = "collecting"
    MATCHED = "matched"
    MISMATCH = "mismatch"
    BLOCKED = "blocked"
    READY = "ready"
    WAITING_FILINGS = "waiting_filings"
    DECLARING = "declaring"
    SENT = "sent"
    LODGED = "lodged"
    ACCEPTED = "accepted"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    INSPECTION = "inspection"
    DETAINED = "detained"
    SUSPENDED = "suspended"
    RELEASED = "released"
    CLOSED = "closed"
    REJECTED = "rejected"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    RETURNED_ABROAD = "returned_abroad"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class CaseKey:
    """Which case: its id and the facts the id follows from."""

    case_id: CaseId
    tenant: TenantId
    direction: Direction
    platform: str
    order_no: str
    profile_id: ProfileId


class PaperStamp(NamedTuple):
    """The newest revision of one paper; ``taken`` names another case that holds its number.

    ``earlier`` are revisions of another number that stand beside it: a deposit beside a balance, a
    parcel beside another one. ``bill`` is the key of the consignment that a parcel travels in,
    where we file its lists.
    """

    revision: int
    digest: str
    taken: str | None = None
    earlier: tuple[int, ...] = ()
    bill: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Who stopped a case, and why."""

    by: str
    reason: str


class Wish(StrEnum):
    """What somebody wants of an inventory that is with customs."""

    CANCEL = "cancel"
    CHANGE = "change"
    REDECLARE = "redeclare"


class Asked(NamedTuple):
    """A wish that is still open: who has it and why.

    ``after`` maps the kinds that are to be filed again first to the version they stood at.
    """

    wish: Wish
    by: str
    reason: str
    after: Mapping[str, int] = MappingProxyType({})


class TaxBill(NamedTuple):
    """One tax bill of customs; amounts are CNY texts, None while only its status is known."""

    bill_no: str
    status: BillStatus
    returned_at: str
    tariff: str | None = None
    vat: str | None = None
    consumption: str | None = None
    payment_no: str | None = None

    @property
    def total(self) -> Decimal | None:
        """What the bill charges, None when it is void or its amounts are not known."""
        if self.status is BillStatus.VOIDED or self.tariff is None:
            return None
        return Decimal(self.tariff) + Decimal(self.vat or 0) + Decimal(self.consumption or 0)


class Verdict(NamedTuple):
    """The answer of matching: every finding, what is missing, and until when to wait for it.

    ``missing`` names papers (``payment``) and goods records (``goods:SKU``), ``deadlines`` until
    when each is waited for, ``until`` is the first of them; UTC microseconds. ``counted`` are rules
    that could not be answered and whose pack counts that without a finding.
    """

    kind: VerdictKind
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    until: int | None = None
    deadlines: tuple[int, ...] = ()
    counted: tuple[str, ...] = ()

    @property
    def unverified(self) -> tuple[str, ...]:
        """The rules that could not be answered, which is never taken for agreement."""
        found = [one.rule for one in self.findings if one.state == "unverifiable"]
        return tuple(dict.fromkeys((*found, *self.counted)))

    @property
    def unverifiable(self) -> int:
        """How many rules could not be answered."""
        return len(self.unverified)


class AnswerCopy(NamedTuple):
    """The newest copy (BaseSubscribe) of customs' answer to a paper that somebody else filed:
    its neutral word and returnTime (17 digits).
    """

    paper: PaperKind
    word: Word
    returned_at: str


class CaseState(NamedTuple):
    """A case, folded from its events; ``seq`` counts them. Holds no personal data."""

    seq: int = 0
    verdict: Verdict | None = None
    papers: Mapping[PaperKind, PaperStamp] | None = None
    declarations: tuple[DeclarationState, ...] = ()
    hold: Hold | None = None
    alarms: tuple[str, ...] = ()
    release_sequence: int = 0
    filings: tuple[PartnerFiling, ...] = ()
    asked: Asked | None = None
    bills: tuple[TaxBill, ...] = ()
    copies: tuple[AnswerCopy, ...] = ()

    @property
    def billed_tax(self) -> Decimal | None:
        """What customs' bills that stand charge together, in CNY; None when there is none."""
        totals = [total for bill in self.bills if (total := bill.total) is not None]
        return sum(totals, Decimal(0)) if totals else None

    def inventory(self) -> DeclarationState | None:
        """The newest version of the declaration that the parcel is released on."""
        for declaration in reversed(self.declarations):
            if declaration.kind.is_inventory:
                return declaration
        return None

    def declaration(self, kind: DeclarationKind) -> DeclarationState | None:
        """The newest version of one kind, None before the first is planned."""
        for declaration in reversed(self.declarations):
            if declaration.kind is kind:
                return declaration
        return None

    def filing(self, kind: PaperKind) -> PartnerFiling | None:
        """A partner's filing of one paper, None when none was asked for."""
        return next((one for one in self.filings if one.kind is kind), None)

    def answer_copy(self, kind: PaperKind) -> AnswerCopy | None:
        """The newest subscribed copy about one paper, None when none came."""
        return next((one for one in self.copies if one.paper is kind), None)

    def paper(self, kind: PaperKind) -> PaperStamp | None:
        """The newest revision of one paper, None when it never came."""
        return None if self.papers is None else self.papers.get(kind)
