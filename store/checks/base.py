"""What all checks share: their names, settings, findings, and the walk over the cases."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import orjson
from sqlalchemy import ColumnElement, Connection, Row, Select, Table, select

from gateway.domain.case import CaseState
from gateway.domain.codec import state_from_doc
from gateway.domain.declaration import DeclarationKind
from store.crypto import StoreKeys
from store.tables import case_

DAY_US: Final = 24 * 3600 * 1_000_000
# Any: a row holds whatever its columns hold.
AnyRow = Row[*tuple[Any, ...]]

# Verifies signed bytes under a profile name and certificate serial; raises SigningError.
Verify = Callable[[bytes, str, str], object]


class CheckName(StrEnum):
    """Every check, by the promise it keeps."""

    NOTHING_LOST = "nothing_lost"
    ONE_LIVE_DECLARATION = "one_live_declaration"
    WIRE_EQUALS_SIGNED = "wire_equals_signed"
    FOLD_EQUALS_STATE = "fold_equals_state"
    LEGAL_TRANSITIONS = "legal_transitions"
    CHAIN_COMPLETE = "chain_complete"
    EFFECTS_DELIVERED_OR_PARKED = "effects_delivered_or_parked"
    FENCING = "fencing"
    RELEASED_WITH_EVIDENCE = "released_with_evidence"
    TENANTS_APART = "tenants_apart"
    SUMS_PRESERVED = "sums_preserved"
    IDEMPOTENT_ANSWERS = "idempotent_answers"
    NO_CANARY = "no_canary"
    QUIESCENT = "quiescent"


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that does not hold: of what, and what shows it. Holds no personal data."""

    check: CheckName
    subject: str
    evidence: str


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """What checks are told; times are microseconds.

    ``verify`` is left out where no certificates are at hand. ``canaries`` are texts that must not
    stand anywhere in the clear, in the tables or in ``files``. ``anchor`` is the number of the
    newest checkpoint known from a second place. ``overdue_us`` is how long after its time an effect
    may be open, ``customs_us`` how long customs may keep a case before a person should ask.
    """

    verify: Verify | None = None
    canaries: Sequence[str] = ()
    files: Sequence[Path] = ()
    anchor: int = 0
    overdue_us: int = 15 * 60 * 1_000_000
    customs_us: int = 30 * DAY_US
    # The element that each record of a message has exactly once.
    record_element: Mapping[DeclarationKind, str] = field(
        default_factory=lambda: MappingProxyType(
            {
                DeclarationKind.ORDER: "OrderHead",
                DeclarationKind.PAYMENT: "PaymentHead",
                DeclarationKind.WAYBILL: "LogisticsHead",
                DeclarationKind.WAYBILL_STATUS: "LogisticsStatus",
                DeclarationKind.INVENTORY: "InventoryHead",
                DeclarationKind.CANCELLATION: "InvtCancel",
                DeclarationKind.RETURN: "InvtRefundHead",
                DeclarationKind.ENTRY_LIST: "DeliveryHead",
                DeclarationKind.EXPORT_ORDER: "OrderHead",
                DeclarationKind.FUNDS_RECEIPT: "Receipts",
                DeclarationKind.EXPORT_WAYBILL: "Logistics",
                DeclarationKind.SITE_ARRIVAL: "ArrivalHead",
                DeclarationKind.DEPARTURE: "DepartureHead",
                DeclarationKind.EXPORT_INVENTORY: "InventoryHead",
                DeclarationKind.EXPORT_CANCELLATION: "InvtCancel",
                DeclarationKind.MASTER_LIST: "WayBillHead",
                DeclarationKind.SUMMARY_REQUEST: "SummaryApplyHead",
                DeclarationKind.EXPORT_RETURN: "InvtRefundHead",
                DeclarationKind.RETURN_TALLY: "InvtRefundDetail",
            }
        )
    )


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found: how many subjects each check looked at, and every violation up to a cap."""

    checks: Mapping[CheckName, int]
    violations: tuple[Violation, ...]
    is_cut: bool = False

    @property
    def is_clean(self) -> bool:
        """Whether every promise holds."""
        return not self.violations


@dataclass(slots=True)
class Probe:
    """One check at work: what it reads with, and how many subjects it has looked at."""

    connection: Connection
    keys: StoreKeys
    settings: CheckSettings
    now: int
    examined: int = 0


Check = Callable[[Probe], Iterator[Violation]]


@dataclass(frozen=True, slots=True)
class CaseSpan:
    """Neighbouring cases in key order; ``covers`` also takes rows whose case does not exist."""

    rows: Mapping[str, AnyRow]
    after: str
    to: str | None

    def covers(self, column: ColumnElement[str]) -> ColumnElement[bool]:
        """The rows of a table that belong into this span by their case id."""
        if self.to is None:
            return column > self.after
        return (column > self.after) & (column <= self.to)


def case_spans(probe: Probe, *columns: ColumnElement[Any], size: int = 200) -> Iterator[CaseSpan]:
    """All cases in spans of ``size``; ``columns`` are read beside the id. The last span is open."""
    after = ""
    while True:
        rows = probe.connection.execute(
            select(case_.c.case_id, *columns)
            .where(case_.c.case_id > after)
            .order_by(case_.c.case_id)
            .limit(size)
        ).all()
        is_last = len(rows) < size
        to = None if is_last else rows[-1].case_id
        yield CaseSpan({row.case_id: row for row in rows}, after, to)
        if to is None:
            return
        after = to


def key_order(
    probe: Probe, table: Table, statement: Select[*tuple[Any, ...]], size: int = 200
) -> Iterator[AnyRow]:
    """The rows of a statement over a table with a one-column key, in key order, a part at a time.

    The statement must read the key column.
    """
    key = table.primary_key.columns[0]
    after: Any = None
    while True:
        part = statement.order_by(key).limit(size)
        if after is not None:
            part = part.where(key > after)
        rows = probe.connection.execute(part).all()
        yield from rows
        if len(rows) < size:
            return
        after = rows[-1]._mapping[key]


def state_of(row: AnyRow) -> CaseState:
    """The stored state of a case row that has its ``doc``."""
    return state_from_doc(orjson.loads(row.doc))
