"""Identifiers: every id is a NewType, and every id of a case follows from the case itself.

No sequence gives an id: two processes that see the same order reach the same case id, record guid
and copNo without asking each other.
"""

import base64
import hashlib
import uuid
from enum import StrEnum
from typing import NewType

TenantId = NewType("TenantId", str)
ProfileId = NewType("ProfileId", str)
CaseId = NewType("CaseId", str)
MessageId = NewType("MessageId", str)
RawId = NewType("RawId", str)
ReceiptId = NewType("ReceiptId", str)
EffectId = NewType("EffectId", str)
EndpointId = NewType("EndpointId", str)
KeyId = NewType("KeyId", str)

_RECORD_NAMESPACE = uuid.UUID("5a0f0c9e-6d1b-5b0e-9a55-0c1ea2a1ce00")
_COP_NO_LENGTH = 20
_ID_LENGTH = 24


class Direction(StrEnum):
    """Which way the goods travel."""

    IMPORT = "import"
    EXPORT = "export"


def case_id(tenant: TenantId, direction: Direction, platform: str, order_no: str) -> CaseId:
    """The id of the case of one declared order: 24 hexadecimal characters.

    A case is tenant + direction + platform enterprise + declared order number.
    """
    text = "\x1f".join((tenant, direction, platform, order_no))
    return CaseId(hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH])


def record_guid(case: CaseId, kind: str, version: int) -> str:
    """The guid of one record: upper-case UUID text, the same on every rebuild of one version."""
    return str(uuid.uuid5(_RECORD_NAMESPACE, f"{case}/{kind}/{version}")).upper()


def cop_no(prefix: str, case: CaseId, kind: str, generation: int) -> str:
    """The enterprise's own document number: at most 20 characters, never the order number.

    ``prefix`` (2 to 4 characters) routes receipts to their channel. The number is stable over
    resends and refiling after a rejection; a new ``generation`` starts after a granted
    cancellation.
    """
    digest = hashlib.sha256(f"{case}/{kind}/{generation}".encode()).digest()
    return (prefix + base64.b32encode(digest[:10]).decode("ascii"))[:_COP_NO_LENGTH]


def list_no(prefix: str, message: MessageId) -> str:
    """The copNo of a list of parcels: it follows from the message that the list is filed in.

    A list is made when its message is, of who is there by then; a part that is filed apart is
    another list.
    """
    digest = hashlib.sha256(f"list/{message}".encode()).digest()
    return (prefix + base64.b32encode(digest[:10]).decode("ascii"))[:_COP_NO_LENGTH]


def bill_key(carrier: str, bill_no: str) -> str:
    """What tells one consignment from another: 16 hexadecimal characters of carrier and bill."""
    return hashlib.sha256(f"{carrier}\x1f{bill_no}".encode()).hexdigest()[:16]


def effect_id(case: CaseId, *parts: str | int) -> EffectId:
    """The id of one outgoing effect: it follows from what it is about, so it cannot be doubled."""
    text = "/".join((case, *(str(part) for part in parts)))
    return EffectId(hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH])
