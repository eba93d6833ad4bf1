"""Declarations: one record for customs in one version, and the words customs' answers come down
to.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from gateway.domain.ids import MessageId

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class DeclarationKind(StrEnum):
    """What a record declares; the regime knows the message type of each kind."""

    ORDER = "order"
    PAYMENT = "payment"
    WAYBILL = "waybill"
    WAYBILL_STATUS = "waybill_status"
    INVENTORY = "inventory"
    CANCELLATION = "cancellation"
    RETURN = "return"
    ENTRY_LIST = "entry_list"
    EXPORT_ORDER = "export_order"
    FUNDS_RECEIPT = "funds_receipt"
    EXPORT_WAYBILL = "export_waybill"
    SITE_ARRIVAL = "site_arrival"
    DEPARTURE = "departure"
    EXPORT_INVENTORY = "export_inventory"
    EXPORT_CANCELLATION = "export_cancellation"
    MASTER_LIST = "master_list"
    SUMMARY_REQUEST = "summary_request"
    EXPORT_RETURN = "export_return"
    RETURN_TALLY = "return_tally"

    @property
    def is_paper(self) -> bool:
        """Whether it files one of the papers that customs holds against the inventory."""
        return self in _PAPERS

    @property
    def is_list(self) -> bool:
        """Whether one record of it lists parcels, each a case of its own."""
        return self in _LISTS or self.is_report

    @property
    def is_report(self) -> bool:
        """Whether it says what became of a consignment; filed when somebody reports it."""
        return self in (DeclarationKind.SITE_ARRIVAL, DeclarationKind.DEPARTURE)

    @property
    def is_of_papers(self) -> bool:
        """Whether who files the papers files it too: a paper, or what becomes of its parcel."""
        told = (DeclarationKind.WAYBILL_STATUS, DeclarationKind.DEPARTURE)
        return self.is_paper or self in told

    @property
    def is_inventory(self) -> bool:
        """Whether it is the declaration that customs releases a parcel on, of either direction."""
        return self in (DeclarationKind.INVENTORY, DeclarationKind.EXPORT_INVENTORY)

    @property
    def is_return(self) -> bool:
        """Whether it asks customs to let released goods come back, of either direction."""
        return self in (DeclarationKind.RETURN, DeclarationKind.EXPORT_RETURN)

    @property
    def cancels(self) -> "DeclarationKind | None":
        """The kind that it asks customs to cancel, None for what cancels nothing."""
        if self is DeclarationKind.CANCELLATION:
            return DeclarationKind.INVENTORY
        if self is DeclarationKind.EXPORT_CANCELLATION:
            return DeclarationKind.EXPORT_INVENTORY
        return None


_PAPERS: Final = frozenset(
    {
        DeclarationKind.ORDER,
        DeclarationKind.PAYMENT,
        DeclarationKind.WAYBILL,
        DeclarationKind.EXPORT_ORDER,
        DeclarationKind.FUNDS_RECEIPT,
        DeclarationKind.EXPORT_WAYBILL,
    }
)


_LISTS: Final = frozenset(
    {DeclarationKind.ENTRY_LIST, DeclarationKind.MASTER_LIST, DeclarationKind.SUMMARY_REQUEST}
)


class AppType(StrEnum):
    """Whether a record is new, changes or deletes an earlier one (appType)."""

    NEW = "1"
    CHANGE = "2"
    DELETE = "3"


class DeclarationStage(StrEnum):
    """Where one declaration stands; the rows of the lifecycle table move it."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    SENT = "sent"
    UNKNOWN = "unknown"
    LODGED = "lodged"
    STORED = "stored"
    ACCEPTED = "accepted"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    INSPECTION = "inspection"
    DETAINED = "detained"
    SUSPENDED = "suspended"
    RELEASED = "released"
    CLOSED = "closed"
    REJECTED = "rejected"
    RETURNED_ABROAD = "returned_abroad"
    CANCELLED = "cancelled"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Word(StrEnum):
    """What a receipt says, in neutral words; customs' numbers live in the regime adapter."""

    DRAFT_ONLY = "draft_only"
    LODGED = "lodged"
    NOT_SENT = "not_sent"
    STORED = "stored"
    ACCEPTED = "accepted"
    REVIEW = "review"
    APPROVED = "approved"
    INSPECTION = "inspection"
    DETAINED = "detained"
    SUSPENDED = "suspended"
    RELEASED = "released"
    CLOSED = "closed"
    REJECTED = "rejected"
    RETURNED_ABROAD = "returned_abroad"
    FAILED_SYSTEM = "failed_system"
    FAILED_SIGNATURE = "failed_signature"
    FAILED_LIMIT = "failed_limit"
    FAILED_RIGHTS = "failed_rights"
    FAILED = "failed"
    DUPLICATE = "duplicate"
    UNKNOWN = "unknown_code"


class Pinned(NamedTuple):
    """The exact inputs of one declaration version: rebuilding it gives the same record."""

    profile_version: int = 0
    papers: Mapping[str, int] = _NOTHING
    goods: Mapping[str, int] = _NOTHING


class DeclarationState(NamedTuple):
    """One declaration version, folded from its events.

    ``returned_at`` is the newest applied returnTime (17 digits, customs' clock), ``released_at``
    that of the release, ``sent_at`` UTC microseconds of the first attempt, ``seen`` the receipts
    recorded so far, ``deferred`` a release that waits for its siblings. ``request`` is what a
    follow-up asks for beyond the papers: the inventory's numbers, the reason, the lines that come
    back, and when they did.
    """

    kind: DeclarationKind
    version: int
    stage: DeclarationStage = DeclarationStage.PLANNED
    app_type: AppType = AppType.NEW
    cop_no: str = ""
    pinned: Pinned = Pinned()
    message_id: MessageId | None = None
    app_time: str | None = None
    attempt: int = 0
    sent_at: int | None = None
    pre_no: str | None = None
    invt_no: str | None = None
    status: str | None = None
    returned_at: str | None = None
    codes: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    deferred: Mapping[str, object] | None = None
    request: Mapping[str, object] = _NOTHING
    released_at: str | None = None


class ReceiptFact(NamedTuple):
    """One receipt record in neutral words, ready for a decision.

    ``returned_at_us`` is UTC microseconds of ``returned_at``. ``checks`` maps what the receipt
    repeats of our declaration (agent, merchant, platform, customs office) to the value it gives,
    None when absent. ``cop_no`` names one declaration among several of its kind, ``numbers`` are
    further numbers that customs gave (``sum_no``, ``entry_list_no``). ``notes`` says what was
    tolerated in reading: place → kind of oddity.
    """

    kind: DeclarationKind
    word: Word
    status: str
    returned_at: str
    returned_at_us: int
    receipt_id: str
    position: int
    guid: str
    info: str = ""
    codes: tuple[str, ...] = ()
    pre_no: str | None = None
    invt_no: str | None = None
    checks: Mapping[str, str | None] = _NOTHING
    cop_no: str | None = None
    notes: Mapping[str, str] = _NOTHING
    numbers: Mapping[str, str] = _NOTHING


class BillStatus(StrEnum):
    """Where a tax bill stands."""

    DRAWN = "drawn"
    CONSOLIDATED = "consolidated"
    VOIDED = "voided"


class BillFact(NamedTuple):
    """What customs says of the tax on one inventory (816), or only of the bill's status (818).

    ``tariff``, ``vat`` and ``consumption`` are CNY as decimal texts, None in a status.
    """

    bill_no: str
    invt_no: str
    status: BillStatus
    returned_at: str
    returned_at_us: int
    receipt_id: str
    position: int
    guid: str
    tariff: str | None = None
    vat: str | None = None
    consumption: str | None = None
    payment_no: str | None = None
    checks: Mapping[str, str | None] = _NOTHING
    notes: Mapping[str, str] = _NOTHING


class SummaryFact(NamedTuple):
    """Which general declaration the inventories of a summary request went into (792).

    It may come several times, each time knowing more numbers; ``invt_nos`` are the inventories.
    """

    sum_no: str
    declaration_no: str
    state: str
    returned_at: str
    returned_at_us: int
    receipt_id: str
    position: int
    guid: str
    invt_nos: tuple[str, ...] = ()
    entry_no: str | None = None
    checks: Mapping[str, str | None] = _NOTHING
    notes: Mapping[str, str] = _NOTHING


CustomsFact = ReceiptFact | BillFact | SummaryFact
"""Everything that one record of a received file can say."""
