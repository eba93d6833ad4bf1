"""Domain events: the only way a case changes, and its history, audit and stream at once.

A payload holds no personal data: it must survive the shredding of a case's data key.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple


class EventKind(StrEnum):
    """What happened to a case, in the past participle."""

    PAPERS_RECEIVED = "papers_received"
    CASE_MATCHED = "case_matched"
    DECLARATION_PLANNED = "declaration_planned"
    DECLARATION_CLAIMED = "declaration_claimed"
    DECLARATION_MOVED = "declaration_moved"
    DECLARATION_SENDING = "declaration_sending"
    DECLARATION_UNANSWERED = "declaration_unanswered"
    DECLARATION_REFUSED = "declaration_refused"
    DECLARATION_WITHDRAWN = "declaration_withdrawn"
    DECLARATION_CANCELLED = "declaration_cancelled"
    RECEIPT_RECORDED = "receipt_recorded"
    RETURN_ARRIVED = "return_arrived"
    TAX_BILLED = "tax_billed"
    COPY_RECORDED = "copy_recorded"
    SUMMARY_RECORDED = "summary_recorded"
    CASE_ASKED = "case_asked"
    CASE_HELD = "case_held"
    CASE_UNHELD = "case_unheld"
    ALARM_RAISED = "alarm_raised"
    NOTICE_ACKNOWLEDGED = "notice_acknowledged"
    FINDING_RESOLVED = "finding_resolved"
    FILING_RECORDED = "filing_recorded"
    BYTES_DOWNLOADED = "bytes_downloaded"


class Alarm(StrEnum):
    """What a person is called for; a case raises each once."""

    ANSWER_AFTER_CANCELLATION = "answer_after_cancellation"
    ANSWER_AFTER_REJECTION = "answer_after_rejection"
    CANCELLED_AFTER_RELEASE = "cancelled_after_release"
    CONTRADICTION_AFTER_RELEASE = "contradiction_after_release"
    EXISTS_ALREADY = "exists_already"
    FAILED_AFTER_LODGED = "failed_after_lodged"
    FILING_OVERDUE = "filing_overdue"
    FILING_REFUSED = "filing_refused"
    FILING_UNSERVED = "filing_unserved"
    LATE_REJECTION = "late_rejection"
    LIST_REFUSED = "list_refused"
    NO_ANSWER = "no_answer"
    NO_OUTCOME = "no_outcome"
    ODD_STATUS = "odd_status"
    ORDER_UNCONFIRMED = "order_unconfirmed"
    PAPERS_OVERDUE = "papers_overdue"
    PAYMENT_UNCONFIRMED = "payment_unconfirmed"
    REJECTED_AFTER_APPROVAL = "rejected_after_approval"
    RELEASE_WITHOUT_SIBLINGS = "release_without_siblings"
    RELEASED_WHILE_CANCELLING = "released_while_cancelling"
    RETURN_APPLY_ENDS = "return_apply_ends"
    RETURN_GOODS_MISSING = "return_goods_missing"
    RETURN_STOPPED = "return_stopped"
    SIGNATURE_REFUSED = "signature_refused"
    WAYBILL_UNCONFIRMED = "waybill_unconfirmed"


class Event(NamedTuple):
    """One thing that happened to one case; the payload is JSON (Any: its members vary by kind)."""

    kind: EventKind
    payload: Mapping[str, Any]
