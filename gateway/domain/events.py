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
    SUMMARY_RECORDED = "summary_recorded"
    CASE_ASKED = "case_asked"
    CASE_HELD = "case_held"
    CASE_UNHELD = "case_unheld"
    ALARM_RAISED = "alarm_raised"
    NOTICE_ACKNOWLEDGED = "notice_acknowledged"
    FINDING_RESOLVED = "finding_resolved"
    FILING_RECORDED = "filing_recorded"
    BYTES_DOWNLOADED = "bytes_downloaded"


class Event(NamedTuple):
    """One thing that happened to one case; the payload is JSON (Any: its members vary by kind)."""

    kind: EventKind
    payload: Mapping[str, Any]
