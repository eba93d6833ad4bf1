"""What the authority knows: every record ever submitted, its versions and its receipts."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from adapters.sandbox.customs.messages import Kind, Paper
from adapters.sandbox.customs.scenarios import Scenario

OrderKey = tuple[str, str]
"""(ebpCode, orderNo)"""

InventoryKey = tuple[str, str]
"""(agentCode, copNo)"""


Fingerprint = tuple[str, int, "PaymentCopy | None"]
"""Content, number of order versions and payment copy a scenario's rejection was given for."""


class Receipt(NamedTuple):
    """One receipt record, complete: what it says, about what, and when it was made."""

    guid: str
    kind: Kind
    status: str
    info: str
    time: datetime
    fields: Mapping[str, str]
    receiver: str


@dataclass(slots=True)
class Version:
    """One submission of a record and what became of it.

    ``status`` is empty while pending, otherwise the last receipt status given to it;
    ``taken`` tells whether it became the record's current version.
    """

    number: int
    app_type: str
    app_time: str
    guid: str
    cop_msg_id: str
    digest: str
    content: str
    received_at: datetime
    taken: bool
    status: str = ""
    info: str = ""


@dataclass(slots=True, eq=False)
class Filing:
    """One order, payment, waybill or inventory with all its versions.

    ``current`` is the version taken last and ``stored`` the content customs holds (an order
    after 120). ``live`` tells whether the current version still counts, that is, was neither
    refused nor deleted. ``trail`` holds the status of every receipt made; ``receipts`` the
    receipts themselves, unless in plain mode.
    """

    kind: Kind
    key: tuple[str, str]
    scenario: Scenario
    dxp_id: str
    paper: Paper
    current: Version | None = None
    stored: Paper | None = None
    versions: list[Version] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    trail: list[str] = field(default_factory=list)
    submissions: int = 0
    live: bool = False
    status: str = ""
    pre_no: str = ""
    invt_no: str = ""
    sum_no: str = ""
    route: tuple[str, ...] = ()
    position: int = 0
    generation: int = 0
    muted: bool = False
    spent: bool = False
    held: list[Receipt] = field(default_factory=list)
    last_time: datetime | None = None
    drips: datetime | None = None
    refused: "Fingerprint | None" = None
    reserved: Decimal = Decimal(0)

    @property
    def order_key(self) -> OrderKey:
        """The order this filing is, or belongs to."""
        return self.paper.get("ebpCode"), self.paper.get("orderNo")


@dataclass(frozen=True, slots=True)
class PaymentCopy:
    """A payment slip as the payment company filed it with customs; amount in CNY."""

    ebp_code: str
    order_no: str
    pay_code: str
    transaction_id: str
    payer_name: str
    payer_id_number: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class WaybillCopy:
    """A waybill as the carrier filed it with customs."""

    logistics_code: str
    logistics_no: str
    consignee: str
    consignee_telephone: str
    consignee_address: str


@dataclass(slots=True)
class Message:
    """One envelope received: how often the id came, and how it ended as a whole."""

    cop_msg_id: str
    sender: str
    msg_type: str
    received_at: datetime
    times: int = 1
    outcome: str = "taken"


@dataclass(slots=True)
class Ledger:
    """All the authority's records; plain data without personal fields in the exports."""

    orders: dict[OrderKey, Filing] = field(default_factory=dict)
    filed_payments: dict[tuple[str, str], Filing] = field(default_factory=dict)
    filed_waybills: dict[tuple[str, str], Filing] = field(default_factory=dict)
    deliveries: dict[tuple[str, str], Filing] = field(default_factory=dict)
    inventories: dict[InventoryKey, Filing] = field(default_factory=dict)
    requests: dict[tuple[str, str, str], Filing] = field(default_factory=dict)
    by_order: dict[OrderKey, list[Filing]] = field(default_factory=dict)
    by_waybill: dict[tuple[str, str], list[Filing]] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    payments: dict[OrderKey, PaymentCopy] = field(default_factory=dict)
    waybills: dict[tuple[str, str], WaybillCopy] = field(default_factory=dict)
    used: dict[tuple[str, int], Decimal] = field(default_factory=dict)
    files: int = 0
    exports: "Ledger | None" = None

    def side(self, kind: Kind) -> "Ledger":
        """Return the books a kind is entered in: exports have a set of their own."""
        if not kind.is_export:
            return self
        if self.exports is None:
            self.exports = Ledger()
        return self.exports

    def order(self, ebp_code: str, order_no: str) -> Filing | None:
        """Return the order filed under a platform and number."""
        return self.orders.get((ebp_code, order_no))

    def inventory(self, agent_code: str, cop_no: str) -> Filing | None:
        """Return the inventory filed by an agent under its copNo."""
        return self.inventories.get((agent_code, cop_no))

    def numbered(self, invt_no: str) -> Filing | None:
        """Return the inventory that was given a number."""
        if not invt_no:
            return None
        found = (one for one in list(self.inventories.values()) if one.invt_no == invt_no)
        return next(found, None)

    def inventories_of(self, ebp_code: str, order_no: str) -> tuple[Filing, ...]:
        """Return every inventory that names an order, oldest first."""
        return tuple(self.by_order.get((ebp_code, order_no), ()))

    def live_inventories(self, order: OrderKey) -> tuple[Filing, ...]:
        """Return the inventories of an order that still count; more than one is a fault."""
        return tuple(
            filing
            for filing in self.by_order.get(order, ())
            if filing.live and filing.order_key == order
        )

    def released(self) -> tuple[Filing, ...]:
        """Return the inventories that reached 800."""
        return tuple(filing for filing in list(self.inventories.values()) if "800" in filing.trail)

    def to_dict(self) -> dict[str, object]:
        """Return everything but personal data as JSON-ready values, in order of arrival."""
        exports = self.exports or Ledger()
        return {
            **self._books(),
            "exports": exports._books(),
            "messages": [_message(found) for found in list(self.messages.values())],
            "files": self.files,
        }

    def _books(self) -> dict[str, object]:
        """Return the filings of one set of books."""
        return {
            "orders": [_filing(found) for found in list(self.orders.values())],
            "payments": [_filing(found) for found in list(self.filed_payments.values())],
            "waybills": [_filing(found) for found in list(self.filed_waybills.values())],
            "deliveries": [_filing(found) for found in list(self.deliveries.values())],
            "inventories": [_filing(found) for found in list(self.inventories.values())],
            "requests": [_filing(found) for found in list(self.requests.values())],
        }

    def to_json(self) -> str:
        """Return :meth:`to_dict` as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)


def _message(message: Message) -> dict[str, object]:
    return {
        "cop_msg_id": message.cop_msg_id,
        "sender": message.sender,
        "type": message.msg_type,
        "received_at": message.received_at.isoformat(),
        "times": message.times,
        "outcome": message.outcome,
    }


def _filing(filing: Filing) -> dict[str, object]:
    return {
        "kind": filing.kind.value,
        "key": list(filing.key),
        "order_no": filing.order_key[1],
        "scenario": filing.scenario.name.value,
        "status": filing.status,
        "live": filing.live,
        "pre_no": filing.pre_no,
        "invt_no": filing.invt_no,
        "submissions": filing.submissions,
        "trail": list(filing.trail),
        "versions": [_version(version) for version in list(filing.versions)],
        "receipts": list(_receipts(list(filing.receipts))),
    }


def _version(version: Version) -> dict[str, object]:
    return {
        "number": version.number,
        "app_type": version.app_type,
        "app_time": version.app_time,
        "guid": version.guid,
        "cop_msg_id": version.cop_msg_id,
        "sha256": version.digest,
        "received_at": version.received_at.isoformat(),
        "taken": version.taken,
        "status": version.status,
    }


def _receipts(receipts: Iterable[Receipt]) -> Iterable[dict[str, object]]:
    for receipt in receipts:
        yield {
            "guid": receipt.guid,
            "status": receipt.status,
            "time": receipt.time.isoformat(),
        }
