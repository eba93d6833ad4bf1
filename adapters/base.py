"""Contracts of adapters: what a module hands to the gateway.

A module (or the ``__init__`` of a package) below ``adapters`` exposes exactly one constant,
``ADAPTER``, of a type from here; :mod:`adapters.discovery` finds it. Sources, payments, carriers,
warehouses and notify adapters do no I/O: they are generators that yield a :class:`Request` and
are sent its :class:`Response`.

::

    AdapterError                 ADAPTER-000
    ├── AdapterConflict          ADAPTER-101  two adapters of one type share an id
    ├── AdapterUnknown           ADAPTER-102  no adapter of that id
    ├── ChannelDown              ADAPTER-201  a channel cannot be reached at all
    ├── SignatureRefused         ADAPTER-301  an answer is not provably the partner's
    └── KeyUnusable              ADAPTER-302  a partner key cannot be loaded or used
"""

from collections.abc import Callable, Container, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Protocol, TypeVar

from gateway.domain.errors import GatewayError, Retry
from gateway.domain.money import Money
from gateway.domain.papers import Paper, PaymentSlip, Person, Waybill
from gateway.ports import Clock, Regime, Rng

T = TypeVar("T")

_SECOND: Final = 1_000_000

NO_ANSWER: Final = 599
"""The status of a :class:`Response` when there was none: refused, reset, timed out, too large."""
NOT_ALLOWED: Final = 597
"""The status of a :class:`Response` to a request that was not made: the address is refused. The
body says why."""


class AdapterError(GatewayError):
    """An adapter, or the search for one, failed."""

    code = "ADAPTER-000"


class AdapterConflict(AdapterError):
    """Two adapters of one type share an id: neither is chosen by chance."""

    code = "ADAPTER-101"


class AdapterUnknown(AdapterError):
    """No adapter of that type has that id; the text lists the known ones."""

    code = "ADAPTER-102"


class ChannelDown(AdapterError):
    """A channel cannot be reached at all (its folder is gone, its broker refuses): ask later."""

    code = "ADAPTER-201"
    retry = Retry.LATER


class SignatureRefused(AdapterError):
    """An answer is not provably the partner's: nothing it says is used."""

    code = "ADAPTER-301"
    retry = Retry.UNKNOWN_OUTCOME


class KeyUnusable(AdapterError):
    """A key between us and a partner cannot be loaded or used."""

    code = "ADAPTER-302"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP exchange that a generator asks for; the gateway's one client performs it.

    ``url`` is absolute; ``timeout_s`` covers the exchange from connect to the last byte.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout_s: int = 10


@dataclass(frozen=True, slots=True)
class Response:
    """What came back; header names are in lower case, the body is capped by the client."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Exchange = Generator[Request, Response, T]
"""A conversation without I/O: yields requests, is sent responses, returns its result."""


@dataclass(frozen=True, slots=True)
class RegimeAdapter:
    """A customs regime. ``create`` builds one that may be shared by all threads of a process.

    ``editions`` are the schema editions it can declare under, newest last; old ones stay because
    a case keeps the edition it was declared under.
    """

    id: str
    title_zh: str
    title_en: str
    create: Callable[[], Regime]
    editions: tuple[str, ...]


class AuthScheme(StrEnum):
    """How a partner knows that a request is ours."""

    HMAC_SHA256 = "hmac-sha256"
    RSA_SHA256 = "rsa-sha256"
    MD5_DIGEST = "md5-digest"


class OptionKind(StrEnum):
    """What an account's option is: shown, sent but kept out of sight, or never sent at all."""

    PLAIN = "plain"
    HIDDEN = "hidden"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Option:
    """One option of an account, as its owner has to give it."""

    name: str
    kind: OptionKind
    text_zh: str
    text_en: str
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """What a partner allows, and what we read of an answer."""

    requests_per_minute: int
    page_size: int = 1
    answer_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Terms:
    """What every adapter declares of its partner.

    ``retries`` says of a partner's error codes whether asking again can help; a code that ends in
    ``*`` stands for all that begin so, and what is not listed never helps. ``sandbox_url`` is
    None where the partner offers none.
    """

    auth: AuthScheme
    limits: Limits
    base_url: str
    sandbox_url: str | None
    options: tuple[Option, ...]
    retries: Mapping[str, Retry]
    needs_keys: bool = False

    def retry_of(self, *codes: str) -> Retry:
        """Whether asking again can help after any of these codes, in their order."""
        if f"http.{NOT_ALLOWED}" in codes:
            return Retry.NEVER
        for code in codes:
            for listed, retry in self.retries.items():
                stem = listed.removesuffix("*")
                if code == listed or (stem != listed and code.startswith(stem)):
                    return retry
        return Retry.NEVER

    def missing(self, account: "Account") -> tuple[str, ...]:
        """The required options that an account lacks."""
        lacking = [
            option.name
            for option in self.options
            if option.is_required and not account.option(option.name)
        ]
        if self.needs_keys and account.keys is None:
            lacking.append("keys")
        return tuple(lacking)


class PartnerKeys(Protocol):
    """The keys between us and one partner, whatever holds them: a file, a token, a service."""

    @property
    def serial(self) -> str:
        """The serial number of our own certificate, as the partner knows it."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Our signature: RSASSA-PKCS1-v1_5 over SHA-256."""
        ...

    def verify(self, serial: str, data: bytes, signature: bytes) -> None:
        """Raise :class:`SignatureRefused` unless the partner's key ``serial`` made this."""
        ...

    def seal(self, text: str) -> tuple[str, bytes]:
        """A personal value that only the partner can read: their key's serial, ciphertext."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """With which rights a partner is called. ``values`` are its options, secrets among them."""

    name: str
    base_url: str
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    keys: PartnerKeys | None = field(default=None, repr=False)

    def option(self, name: str, default: str = "") -> str:
        """One option; the default when it is not set."""
        return self.values.get(name) or default


@dataclass(frozen=True, slots=True)
class SightingKey:
    """What one look at an order is known by: the same key, the same content.

    ``modified`` is UTC microseconds.
    """

    shop: str
    order_no: str
    modified: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and the time and chance to call with.

    ``known`` are sightings dealt with already: windows overlap, and values that a platform counts
    every opening of are not opened again.
    """

    account: Account
    clock: Clock
    rng: Rng
    known: Container[SightingKey] = frozenset()


@dataclass(frozen=True, slots=True)
class CallFailed:
    """A call that gave no result. ``code`` is the partner's own word, or ours in lower case.

    ``retry`` UNKNOWN_OUTCOME: the partner may have done what was asked; ask what became of it
    before asking for it again. ``reason`` carries no personal data.
    """

    code: str
    retry: Retry
    reason: str


@dataclass(frozen=True, slots=True)
class ParseFailure:
    """Bytes that could not be read into a paper; ``path`` is a JSON pointer into them.

    ``offset`` and ``length`` say which part of the bytes it concerns; ``length`` -1 is all of it.
    """

    path: str
    reason: str
    offset: int = 0
    length: int = -1


class Standing(StrEnum):
    """What a shop says of an order, and so what may be done with its papers."""

    READY = "ready"
    UNPAID = "unpaid"
    SHIPPED = "shipped"
    CANCELLED = "cancelled"
    AFTER_SALE = "after_sale"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"

    @property
    def may_be_declared(self) -> bool:
        """Whether papers of such an order may go on their way; everything else waits."""
        return self is Standing.READY


@dataclass(frozen=True, slots=True)
class Sighting:
    """One paper as a source showed it at one time, and the part of the bytes that says so."""

    key: SightingKey
    paper: Paper
    standing: Standing
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a source has been read: a window of modification times, and a place in it.

    ``start`` and ``end`` are UTC microseconds. ``page`` is None when the window was read to its
    end, empty when reading has not begun, else the partner's page to read next.
    """

    start: int
    end: int
    page: str | None = None

    @classmethod
    def beginning(cls, at: int) -> "Cursor":
        """A cursor that has read everything before a time."""
        return cls(at, at)


@dataclass(frozen=True, slots=True)
class Windows:
    """How a source is read over time: windows overlap, and end a little before now.

    Rows move between pages while they are read, and partners write a little late. A new window is
    at least ``pause_s`` longer than the last, so that reading comes to an end.
    """

    window_s: int
    overlap_s: int
    lag_s: int
    pause_s: int = 30

    def ready_at(self, cursor: Cursor) -> int:
        """When the window after a cursor may be read, UTC microseconds."""
        return cursor.end + (self.lag_s + self.pause_s) * _SECOND

    def next(self, cursor: Cursor, now: int) -> Cursor | None:
        """The window to read now: the begun one, or the one after it, None while it is too early.

        A clock that jumps back makes it wait; nothing is read twice beyond the overlap.
        """
        if cursor.page is not None:
            return cursor
        if now < self.ready_at(cursor):
            return None
        newest = (now // _SECOND - self.lag_s) * _SECOND
        end = min(newest, cursor.end + self.window_s * _SECOND)
        return Cursor(cursor.end - self.overlap_s * _SECOND, end, "")


@dataclass(frozen=True, slots=True)
class Pulled:
    """One page: its exact bytes, what was opened of them, and where to read on.

    ``opened`` maps (order number, ciphertext) to the clear value; it is used to parse and never
    kept beside the bytes. ``trouble`` says why values stayed closed.
    """

    raw: bytes
    cursor: Cursor
    opened: Mapping[tuple[str, str], str] = field(default_factory=dict, repr=False)
    trouble: CallFailed | None = None


@dataclass(frozen=True, slots=True)
class NothingYet:
    """There is no window to read before ``until`` (UTC microseconds)."""

    until: int


PullResult = Pulled | NothingYet | CallFailed
Opened = Mapping[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class SourceAdapter:
    """A marketplace that orders are pulled from.

    ``pull`` reads one page; ``parse`` reads its bytes into papers, each or its failure, and never
    raises. Both are pure but for the requests they yield.
    """

    id: str
    title_zh: str
    title_en: str
    terms: Terms
    windows: Windows
    pull: Callable[[Caller, Cursor], Exchange[PullResult]]
    parse: Callable[[Account, bytes, Opened], tuple[Sighting | ParseFailure, ...]]


@dataclass(frozen=True, slots=True)
class PaymentFiling:
    """What a payment company is asked to file: one payment, one declared order, one place.

    ``payment_order_no`` is the number the payment was made under; it differs from ``order_no``
    when one payment is split over several declared orders. ``customs_place`` and
    ``merchant_code`` are the payment company's names for them. ``is_change`` corrects an
    earlier filing.
    """

    transaction_id: str
    payment_order_no: str
    order_no: str
    customs_place: str
    merchant_code: str
    amount: Money
    freight: Money
    tax: Money
    buyer: Person = field(default_factory=Person)
    is_change: bool = False

    @property
    def is_split(self) -> bool:
        """Whether the payment pays for more than this order."""
        return self.order_no != self.payment_order_no


class FilingState(StrEnum):
    """What became of a payment filing, in neutral words."""

    NOT_FILED = "not_filed"
    PENDING = "pending"
    FILED = "filed"
    REFUSED = "refused"
    FAULTED = "faulted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FilingOutcome:
    """A payment filing as the payment company tells it.

    ``verification_body`` is the customs code of who verified the payment (1, 2 or 3), its number
    ``verification_no``. ``trouble`` is a step that failed beside it, such as the identity check.
    """

    state: FilingState
    slip: PaymentSlip
    verification_body: str | None = None
    verification_no: str | None = None
    explanation: str | None = None
    changed_at: datetime | None = None
    trouble: CallFailed | None = None


@dataclass(frozen=True, slots=True)
class Polling:
    """When to ask again (the last pause repeats), to raise an alarm, and to file again."""

    pauses_s: tuple[int, ...]
    alarm_after_s: int
    refile_gap_s: int
    refile_most: int

    def pause_s(self, asked: int) -> int:
        """The pause after having asked this many times (from 1)."""
        return self.pauses_s[min(max(asked, 1), len(self.pauses_s)) - 1]


@dataclass(frozen=True, slots=True)
class PaymentAdapter:
    """A payment company that files payment slips with customs when it is asked to.

    ``build`` and ``interpret`` are one request and its answer; ``declare`` files, has the buyer's
    identity checked and asks once what became of it; ``query`` asks; ``refile`` pushes the same
    filing once more. ``parse`` reads the bytes of a query's answer into payment slips.
    """

    id: str
    title_zh: str
    title_en: str
    terms: Terms
    polling: Polling
    build: Callable[[Caller, PaymentFiling], Request]
    interpret: Callable[[Caller, PaymentFiling, Response], FilingOutcome | CallFailed]
    declare: Callable[[Caller, PaymentFiling], Exchange[FilingOutcome | CallFailed]]
    query: Callable[[Caller, PaymentFiling], Exchange[FilingOutcome | CallFailed]]
    refile: Callable[[Caller, PaymentFiling], Exchange[FilingOutcome | CallFailed]]
    parse: Callable[[bytes], tuple[PaymentSlip | ParseFailure, ...]]


@dataclass(frozen=True, slots=True)
class Contact:
    """One end of a parcel's way; ``address`` is what stands below the county."""

    name: str
    phone: str
    address: str
    province: str = ""
    city: str = ""
    county: str = ""
    country: str = "CN"
    district: str | None = None

    @property
    def full_address(self) -> str:
        """The address as the order spells it: province, city, county and the rest."""
        parts = (self.province, self.city, self.county, self.address)
        return " ".join(part for part in parts if part)


@dataclass(frozen=True, slots=True)
class Cargo:
    """One kind of goods in a parcel; weight in kilograms apiece, origin as the carrier's code."""

    name: str
    quantity: Decimal
    unit: str
    weight_kg: Decimal
    price: Money
    origin: str


@dataclass(frozen=True, slots=True)
class Shipment:
    """What a carrier is asked to carry. ``reference`` is our own number of the parcel there.

    The same reference never makes a second parcel.
    """

    reference: str
    order_no: str
    sender: Contact
    consignee: Contact
    cargo: tuple[Cargo, ...]
    declared: Money
    weight_kg: Decimal
    parcels: int = 1


class ShipmentState(StrEnum):
    """What a carrier says to a shipment, in neutral words."""

    ACCEPTED = "accepted"
    IN_REVIEW = "in_review"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ShipmentOutcome:
    """A shipment as the carrier took it: one waybill a parcel, the mother first."""

    state: ShipmentState
    waybills: tuple[Waybill, ...]
    return_waybill_no: str | None = None


@dataclass(frozen=True, slots=True)
class CarrierAdapter:
    """A carrier that gives waybill numbers.

    ``build`` and ``interpret`` are one request and its answer; ``create`` asks for the waybill,
    and looks it up where it exists already or nobody knows; ``find`` only looks it up. ``parse``
    reads the bytes of an answer into the waybills that they alone tell of.
    """

    id: str
    title_zh: str
    title_en: str
    terms: Terms
    build: Callable[[Caller, Shipment], Request]
    interpret: Callable[[Caller, Shipment, Response], ShipmentOutcome | CallFailed]
    create: Callable[[Caller, Shipment], Exchange[ShipmentOutcome | CallFailed]]
    find: Callable[[Caller, Shipment], Exchange[ShipmentOutcome | CallFailed]]
    parse: Callable[[bytes], tuple[Waybill | ParseFailure, ...]]


Adapter = RegimeAdapter | SourceAdapter | PaymentAdapter | CarrierAdapter
