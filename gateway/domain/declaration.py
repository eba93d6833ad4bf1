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
    INVENTORY = "inventory"

    @property
    def is_paper(self) -> bool:
        """Whether it files one of the papers that customs holds against the inventory."""
        return self is not DeclarationKind.INVENTORY


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

    ``returned_at`` is the newest applied returnTime (17 digits, customs' clock), ``sent_at`` UTC
    microseconds of the first attempt, ``seen`` the receipts recorded so far, ``deferred`` a release
    that waits for its siblings.
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


class ReceiptFact(NamedTuple):
    """One receipt record in neutral words, ready for a decision.

    ``returned_at_us`` is UTC microseconds of ``returned_at``. ``checks`` maps what the receipt
    repeats of our declaration (agent, merchant, platform, customs office) to the value it gives,
    None when absent.
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
