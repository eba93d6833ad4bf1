"""The customs side: the regime, the key ring and the channels."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from gateway.domain.case import CaseKey
from gateway.domain.declaration import CustomsFact, DeclarationKind, DeclarationState
from gateway.domain.goods import GoodsRecord
from gateway.domain.ids import (
    ReceiptId,
)
from gateway.domain.papers import Order, PaymentSlip, Waybill
from gateway.domain.profile import FilingProfile
from gateway.ports.commands import Lookup, StoredMessage
from signing import Urgency


@dataclass(frozen=True, slots=True)
class DeclarationInput:
    """Everything one record is built from; building twice gives the same record."""

    key: CaseKey
    declaration: DeclarationState
    guid: str
    profile: FilingProfile
    order: Order
    waybill: Waybill | None
    payment_transaction_id: str | None
    goods: Mapping[str, GoodsRecord]
    payment: PaymentSlip | None = None


@dataclass(frozen=True, slots=True)
class BuildFault:
    """Why one record of a message cannot be built: its position, the field and the rule broken."""

    position: int
    path: str
    reason: str
    label_zh: str = ""
    label_en: str = ""


@dataclass(frozen=True, slots=True)
class BuiltMessage:
    """Unsigned canonical bytes, valid against the schema of its edition; or the faults that
    prevent it.
    """

    body: bytes
    faults: tuple[BuildFault, ...] = ()


class ReadKind(StrEnum):
    """What a received file turned out to be."""

    RECEIPTS = "receipts"
    REFUSAL = "refusal"
    TRANSPORT = "transport"
    LOOPBACK = "loopback"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One receipt record: how to find its case, and the fact in neutral words; or its fault."""

    position: int
    lookup: Lookup | None
    fact: CustomsFact | None
    values: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A received file, read. A refusal or transport answer speaks of a whole message.

    ``message_id`` or ``message_guid`` name that message; ``retry`` tells a refusal of these bytes
    for good (``never``) from trouble on the way (``later``), ``quarantine`` a security answer.
    ``receivers`` are the DXP ids that its envelope is addressed to.
    """

    kind: ReadKind
    message_kind: str = ""
    sender_id: str | None = None
    records: tuple[ReadRecord, ...] = ()
    message_id: str | None = None
    message_guid: str | None = None
    code: str = ""
    info: str = ""
    retry: str = "never"
    quarantine: bool = False
    notes: tuple[str, ...] = ()
    problem: str | None = None
    receivers: tuple[str, ...] = ()


class Regime(Protocol):
    """A customs regime: how neutral declarations become its messages, and its answers neutral
    words.
    """

    def build(
        self, kind: DeclarationKind, guid: str, inputs: Sequence[DeclarationInput]
    ) -> BuiltMessage:
        """Write and validate one message of 1..100 records. Pure CPU: run it on the executor."""
        ...

    def app_time(self, now: int) -> str:
        """The appTime text of a moment (customs' local time)."""
        ...

    def wrap(self, message: StoredMessage, profile: FilingProfile, body: bytes, now: int) -> bytes:
        """The transport envelope of a signed message; the same message gives the same bytes."""
        ...

    def message_type(self, kind: DeclarationKind) -> str:
        """What customs calls the message of a kind that this regime files."""
        ...

    def file_name(self, message: StoredMessage) -> str:
        """The name under which a channel may store the envelope."""
        ...

    def loopback(self, profile: FilingProfile, loop_id: str, now: int) -> bytes:
        """An envelope to the profile's own address: it comes back if the way is open both ways."""
        ...

    def read(self, receipt_id: ReceiptId, body: bytes) -> ReadFile:
        """Read a received file, tolerant as the field tables say; never raises. Pure CPU."""
        ...

    def checks(
        self, record: ReadRecord, key: CaseKey, profile: FilingProfile
    ) -> Mapping[str, str | None]:
        """Which repeated fields of a receipt contradict our declaration: name → value, None if
        fine.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """Signed bytes with the facts that T3 keeps."""

    body: bytes
    certificate_serial: str
    signature_profile: str


class KeyRing(Protocol):
    """Signs messages for an enterprise with a key that belongs to it."""

    async def sign(
        self,
        ring: str,
        body: bytes,
        urgency: Urgency | None = None,
        *,
        enterprises: Collection[str] = (),
    ) -> SignedMessage:
        """Sign canonical bytes and verify what was made. Raises ``signing.errors.SigningError``.

        ``enterprises`` are codes of the enterprise that files: no key of another one signs.
        """
        ...

    def is_ready(self, ring: str, enterprises: Collection[str]) -> bool:
        """Whether a key of the ring could sign for these codes now."""
        ...


@dataclass(frozen=True, slots=True)
class Received:
    """One file waiting at a channel; ``token`` acknowledges it."""

    name: str
    body: bytes
    token: str


class SendOutcome(StrEnum):
    """What a channel says of one hand-over.

    REFUSED and DECLINED surely handed nothing over: the way is not well, or it is and would not
    take these bytes.
    """

    HANDED_OVER = "handed_over"
    REFUSED = "refused"
    DECLINED = "declined"
    UNKNOWN = "unknown"


class Channel(Protocol):
    """A way to customs and back."""

    name: str

    async def send(self, file_name: str, envelope: bytes) -> SendOutcome:
        """Hand an envelope over. Sending the same file again replaces it or is harmless."""
        ...

    async def receive(self, limit: int) -> list[Received]:
        """Files that wait, oldest first; they stay until acknowledged."""
        ...

    async def acknowledge(self, tokens: Sequence[str]) -> None:
        """The bytes are durable with us: the channel may let go of them."""
        ...

    async def check(self) -> None:
        """Whether the way is there, without sending anything; raises when it is not."""
        ...
