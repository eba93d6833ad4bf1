"""The desk: takes records in, decides collisions, keeps the ledger, judges content."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from adapters.sandbox.customs import after_exports, checks, codes, deliveries, export_checks
from adapters.sandbox.customs.checks import Refusal, eport, rejection
from adapters.sandbox.customs.ledger import (
    Filing,
    Fingerprint,
    Ledger,
    PaymentCopy,
    Version,
    WaybillCopy,
)
from adapters.sandbox.customs.messages import Kind, Paper
from adapters.sandbox.customs.routes import (
    answers_same_bytes,
    is_refusal,
    muted,
    passes,
    refuses,
    route,
)
from adapters.sandbox.customs.scenarios import Scenario, ScenarioName, parse_scenario
from adapters.sandbox.customs.settings import Enterprise, RefilePolicy, Settings

_BEIJING: Final = timedelta(hours=8)
_VOLATILE: Final = frozenset({"guid", "appType", "appTime", "appStatus", "copNo", "declTime"})


# What names a record of a kind.
_KEYS: Final[Mapping[Kind, tuple[str, str]]] = MappingProxyType(
    {
        Kind.ORDER: ("ebpCode", "orderNo"),
        Kind.PAYMENT: ("payCode", "payTransactionId"),
        Kind.WAYBILL: ("logisticsCode", "logisticsNo"),
        Kind.DELIVERY: ("logisticsCode", "logisticsNo"),
        Kind.INVENTORY: ("agentCode", "copNo"),
        Kind.CANCELLATION: ("agentCode", "copNo"),
        Kind.RETURN: ("agentCode", "copNo"),
        Kind.EXPORT_ORDER: ("ebpCode", "orderNo"),
        Kind.FUNDS_RECEIPT: ("ebcCode", "orderNo"),
        Kind.EXPORT_WAYBILL: ("logisticsCode", "logisticsNo"),
        Kind.EXPORT_INVENTORY: ("agentCode", "copNo"),
        Kind.EXPORT_CANCELLATION: ("agentCode", "copNo"),
        Kind.ENTRY_LIST: ("operatorCode", "copNo"),
        Kind.MASTER_LIST: ("agentCode", "copNo"),
        Kind.SITE_ARRIVAL: ("operatorCode", "copNo"),
        Kind.DEPARTURE: ("logisticsCode", "copNo"),
        Kind.EXPORT_RETURN: ("agentCode", "coElNo"),
        Kind.RETURN_TALLY: ("operatorCode", "coElNo"),
        Kind.SUMMARY_REQUEST: ("agentCode", "copNo"),
    }
)
# Exists already; nothing to change; its inventory is declared; older than what is held. The error
# table has no code of an older waybill, so that one fails in its parameters.
_COLLISIONS: Final[Mapping[Kind, tuple[str, str, str, str]]] = MappingProxyType(
    {
        Kind.ORDER: ("-301010", "-301009", "-301011", "-301014"),
        Kind.PAYMENT: ("-401007", "-401006", "-401008", "-401012"),
        Kind.WAYBILL: ("-504015", "-504014", "-504016", "-504011"),
        Kind.DELIVERY: ("-505012", "-505014", "-505014", "-505016"),
        Kind.EXPORT_ORDER: ("-301010", "-301009", "-301011", "-301014"),
        Kind.FUNDS_RECEIPT: ("-401007", "-401006", "-401008", "-401012"),
        Kind.EXPORT_WAYBILL: ("-504015", "-504014", "-504016", "-504011"),
        Kind.ENTRY_LIST: ("-800003", "-800001", "-800001", "-800005"),
        Kind.MASTER_LIST: ("-800003", "-800001", "-800001", "-800005"),
        Kind.SITE_ARRIVAL: ("-800003", "-800001", "-800001", "-800005"),
        Kind.DEPARTURE: ("-800003", "-800001", "-800001", "-800005"),
        Kind.RETURN_TALLY: ("-800003", "-800001", "-800001", "-800005"),
        Kind.SUMMARY_REQUEST: ("-800003", "-800001", "-800001", "-800005"),
    }
)
# No such inventory; it stands where this cannot be asked; asked already.
_REQUESTS: Final[Mapping[Kind, tuple[str, str, str]]] = MappingProxyType(
    {
        Kind.CANCELLATION: ("-623003", "-623005", "-623009"),
        Kind.RETURN: ("-625204", "-625022", "-625033"),
        Kind.EXPORT_CANCELLATION: ("-623003", "-623005", "-623009"),
        Kind.EXPORT_RETURN: ("-625204", "-625022", "-625033"),
    }
)
# Where an inventory must stand to be cancelled, or to be returned.
_ASKABLE: Final[Mapping[Kind, frozenset[str]]] = MappingProxyType(
    {
        Kind.CANCELLATION: frozenset({"120", "300"}),
        Kind.RETURN: frozenset({"800", "899"}),
        Kind.EXPORT_CANCELLATION: frozenset({"120", "300"}),
        Kind.EXPORT_RETURN: frozenset({"800", "899"}),
    }
)
# What goes the way that the scenario of its inventory says.
_FOLLOWING: Final = frozenset(
    {Kind.EXPORT_CANCELLATION, Kind.EXPORT_RETURN, Kind.RETURN_TALLY, Kind.SUMMARY_REQUEST}
)
# Sent by an enterprise that may not.
_FOREIGN: Final[Mapping[Kind, str]] = MappingProxyType(
    {
        Kind.ORDER: "-301008",
        Kind.PAYMENT: "-401009",
        Kind.WAYBILL: "-504011",
        Kind.DELIVERY: "-505011",
        Kind.INVENTORY: "-621015",
        Kind.CANCELLATION: "-623026",
        Kind.RETURN: "-625021",
        Kind.EXPORT_ORDER: "-301008",
        Kind.FUNDS_RECEIPT: "-401009",
        Kind.EXPORT_WAYBILL: "-504011",
        Kind.EXPORT_INVENTORY: "-621015",
        Kind.EXPORT_CANCELLATION: "-623026",
        Kind.ENTRY_LIST: "-800001",
        Kind.MASTER_LIST: "-800001",
        Kind.SITE_ARRIVAL: "-800001",
        Kind.DEPARTURE: "-800001",
        Kind.EXPORT_RETURN: "-625021",
        Kind.RETURN_TALLY: "-800001",
        Kind.SUMMARY_REQUEST: "-800001",
    }
)
_PAPER_CHECKS: Final[Mapping[Kind, Callable[[Paper], Refusal | None]]] = MappingProxyType(
    {
        Kind.ORDER: checks.order_fault,
        Kind.PAYMENT: checks.payment_fault,
        Kind.WAYBILL: checks.waybill_fault,
        Kind.EXPORT_ORDER: export_checks.order_fault,
        Kind.FUNDS_RECEIPT: export_checks.funds_fault,
        Kind.EXPORT_WAYBILL: export_checks.waybill_fault,
    }
)


@dataclass(frozen=True, slots=True)
class Submission:
    """Where a record came from: its envelope, the digest of its message, when."""

    cop_msg_id: str
    sender: str
    cop_code: str
    digest: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a record: ``refusal`` answers it at once, otherwise its route starts."""

    filing: Filing
    paper: Paper
    refusal: Refusal | None


class Desk:
    """Decides over single records; knows nothing of envelopes, time passing or files."""

    def __init__(self, ledger: Ledger, settings: Settings, rng: random.Random) -> None:
        self._ledger = ledger
        self._settings = settings
        self._serial = rng.randrange(1, 900_000_000)

    def submit(self, kind: Kind, paper: Paper, submission: Submission) -> Taken:
        """Take one record in: count it, refuse it or make it the filing's current version."""
        filing = self._filing(kind, paper, submission)
        filing.submissions += 1
        if self._is_awaited_repeat(filing, paper, submission):
            filing.muted = False
            filing.spent = True
            self._start(filing)
            return Taken(filing, filing.paper, None)
        refusal = self._collision(filing, paper, submission)
        if refusal is None and self._settings.checking:
            refusal = self._content_fault(kind, paper, submission)
        version = self._version(filing, paper, submission, taken=refusal is None)
        filing.versions.append(version)
        if refusal is not None:
            version.status, version.info = refusal.status, refusal.info
            return Taken(filing, paper, refusal)
        filing.current = version
        self._take(filing, paper, submission)
        return Taken(filing, paper, None)

    def refuse(self, kind: Kind, paper: Paper, submission: Submission, refusal: Refusal) -> Taken:
        """Enter a record that is refused for a reason outside its content."""
        filing = self._filing(kind, paper, submission)
        filing.submissions += 1
        version = self._version(filing, paper, submission, taken=False)
        version.status, version.info = refusal.status, refusal.info
        filing.versions.append(version)
        return Taken(filing, paper, refusal)

    def judge(self, filing: Filing) -> Refusal | None:
        """Compare an inventory with the other papers customs holds (the step before 120)."""
        if not filing.kind.is_inventory or not self._settings.checking:
            return None
        if filing.kind is Kind.EXPORT_INVENTORY:
            return self._judge_export(filing)
        ledger, paper, settings = self._ledger, filing.paper, self._settings
        order = ledger.orders.get(filing.order_key)
        if order is None or order.stored is None:
            return rejection("1300")
        # The separator before the second compared value is missing in some real receipts.
        colon = ":" if self._serial % 2 else ""
        refusal = checks.compare_with_order(paper, order.stored, settings.address, colon)
        if refusal is not None:
            return refusal
        waybill_key = paper.get("logisticsCode"), paper.get("logisticsNo")
        others = ledger.by_waybill.get(waybill_key, ())
        if any(other.live and other is not filing for other in others):
            return rejection(codes.OWN_WAYBILL_USED)
        payment = ledger.payments.get(filing.order_key)
        waybill = ledger.waybills.get(waybill_key)
        if settings.require_filings and (payment is None or waybill is None):
            return rejection("1300")
        if payment is not None:
            refusal = checks.compare_with_payment(order.stored, payment, colon)
        if refusal is None and waybill is not None:
            refusal = checks.compare_with_waybill(order.stored, waybill, settings.address)
        return refusal

    def _judge_export(self, filing: Filing) -> Refusal | None:
        """Compare a 603 with the order, and with what else of the export is filed."""
        books, paper = self._ledger.side(filing.kind), filing.paper
        order = books.orders.get(filing.order_key)
        if order is None or order.stored is None:
            return rejection("1300")
        refusal = export_checks.compare_with_order(paper, order.stored)
        if refusal is not None:
            return refusal
        waybill_key = paper.get("logisticsCode"), paper.get("logisticsNo")
        others = books.by_waybill.get(waybill_key, ())
        if any(other.live and other is not filing for other in others):
            return rejection(codes.OWN_WAYBILL_USED)
        waybill = books.filed_waybills.get(waybill_key)
        funds = books.filed_payments.get((paper.get("ebcCode"), paper.get("orderNo")))
        filed = (waybill, funds)
        if self._settings.require_filings and any(
            one is None or one.stored is None for one in filed
        ):
            return rejection("1300")
        if waybill is None or waybill.stored is None:
            return None
        return export_checks.compare_with_waybill(paper, waybill.stored)

    def settle(self, filing: Filing, status: str, info: str, now: datetime) -> None:
        """Enter a status the filing has reached."""
        filing.status = status
        filing.trail.append(status)
        version = filing.current
        if version is not None:
            version.status, version.info = status, info
        if passes(filing.scenario, status, is_last=filing.position == len(filing.route)):
            return
        if is_refusal(status):
            filing.live = False
            filing.spent = True
            if filing.stored is filing.paper:
                filing.stored = None
            filing.refused = self._fingerprint(filing)
            self._give_back(filing, now)
        elif status == "1":
            filing.live = False
        elif status == "399" and filing.kind.is_cancellation:
            self._end_inventory(filing, now)
        elif status == "399" and filing.kind is Kind.EXPORT_WAYBILL:
            self._store(filing, version, now)
        elif status == "399" and filing.kind is Kind.SUMMARY_REQUEST:
            office = filing.paper.get("customsCode")
            filing.sum_no = f"{office}{(now + _BEIJING).year}S{self._next_serial():09d}"
        elif status == "120":
            self._store(filing, version, now)
        elif status == "800":
            self._number(filing, now)

    def _store(self, filing: Filing, version: Version | None, now: datetime) -> None:
        deleted = version is not None and version.app_type == "3"
        if deleted:
            filing.live = False
            filing.stored = None
            return
        filing.stored = filing.paper
        self._copy(filing.kind, filing.paper)
        self._number(filing, now)

    def _end_inventory(self, request: Filing, now: datetime) -> None:
        """A granted cancellation ends its inventory: nothing more is said of it."""
        books = self._ledger.side(request.kind)
        inventory = books.numbered(request.paper.get("invtNo"))
        if inventory is None:
            return
        inventory.live = False
        inventory.spent = True
        inventory.generation += 1
        inventory.position = len(inventory.route)
        self._give_back(inventory, now)

    def _number(self, filing: Filing, now: datetime) -> None:
        if filing.kind.is_inventory and not filing.invt_no:
            office = filing.paper.get("customsCode")[:4].rjust(4, "0")
            way = "E" if filing.kind.is_export else "I"
            filing.invt_no = f"{office}{(now + _BEIJING).year}{way}{self._next_serial():09d}"

    def _copy(self, kind: Kind, paper: Paper) -> None:
        """Hold a stored payment or waybill against the inventories to come."""
        get = paper.get
        if kind is Kind.PAYMENT:
            self._ledger.payments[get("ebpCode"), get("orderNo")] = PaymentCopy(
                ebp_code=get("ebpCode"),
                order_no=get("orderNo"),
                pay_code=get("payCode"),
                transaction_id=get("payTransactionId"),
                payer_name=get("payerName"),
                payer_id_number=get("payerIdNumber"),
                amount=checks.number(get("amountPaid")),
            )
        elif kind is Kind.WAYBILL:
            self._ledger.waybills[get("logisticsCode"), get("logisticsNo")] = WaybillCopy(
                logistics_code=get("logisticsCode"),
                logistics_no=get("logisticsNo"),
                consignee=get("consignee"),
                consignee_telephone=get("consigneeTelephone"),
                consignee_address=get("consigneeAddress"),
            )

    # -------------------------------------------------------------------------- taking in
    def _filing(self, kind: Kind, paper: Paper, submission: Submission) -> Filing:
        one, other = _KEYS[kind]
        key = paper.get(one), paper.get(other)
        if kind in _REQUESTS or kind.is_list:
            return self._request(kind, key, paper, submission)
        books = self._ledger.side(kind)
        book = {
            Kind.ORDER: books.orders,
            Kind.PAYMENT: books.filed_payments,
            Kind.WAYBILL: books.filed_waybills,
            Kind.DELIVERY: books.deliveries,
            Kind.INVENTORY: books.inventories,
            Kind.EXPORT_ORDER: books.orders,
            Kind.FUNDS_RECEIPT: books.filed_payments,
            Kind.EXPORT_WAYBILL: books.filed_waybills,
            Kind.EXPORT_INVENTORY: books.inventories,
        }[kind]
        filing = book.get(key)
        if filing is None:
            scenario = self._scenario(kind, paper)
            filing = Filing(kind, key, scenario, submission.sender, paper)
            filing.pre_no = self._pre_no(submission.now)
            book[key] = filing
        return filing

    def _request(
        self, kind: Kind, key: tuple[str, str], paper: Paper, submission: Submission
    ) -> Filing:
        books = self._ledger.side(kind)
        filing = books.requests.get((kind, *key))
        if filing is None:
            scenario = self._scenario(kind, paper)
            filing = Filing(kind, key, scenario, submission.sender, paper)
            if kind.is_numbered:
                filing.pre_no = self._pre_no(submission.now)
            books.requests[kind, *key] = filing
        return filing

    def _scenario(self, kind: Kind, paper: Paper) -> Scenario:
        """Return the scenario of a record: by its order number, else by what it is about.

        A 505 names no order and is asked by its own number, a list by its bill, a 513 by the order
        of its parcel; a 605, a return with its tally and a summary follow their inventory, a
        summary its first one.
        """
        if kind is Kind.EXPORT_WAYBILL:
            return parse_scenario(paper.get("logisticsNo"))
        if kind is Kind.DELIVERY:
            return parse_scenario(deliveries.order_of(self._ledger, paper))
        if kind in _FOLLOWING:
            number = paper.lines[0].get("invtNo", "") if _sums(kind, paper) else paper.get("invtNo")
            inventory = self._ledger.side(kind).numbered(number)
            return parse_scenario("") if inventory is None else inventory.scenario
        return parse_scenario(paper.get("billNo" if kind.is_list else "orderNo"))

    def _is_awaited_repeat(self, filing: Filing, paper: Paper, submission: Submission) -> bool:
        """Tell whether the same record came again for one that waits for exactly that."""
        if not filing.live or not _repeats(filing, paper, submission):
            return False
        silent = filing.muted and answers_same_bytes(filing.scenario)
        return silent or filing.status == "4"

    def _version(
        self, filing: Filing, paper: Paper, submission: Submission, *, taken: bool
    ) -> Version:
        return Version(
            number=len(filing.versions) + 1,
            app_type=paper.get("appType"),
            app_time=paper.get("appTime"),
            guid=paper.get("guid"),
            cop_msg_id=submission.cop_msg_id,
            digest=submission.digest,
            content=_content(paper) if self._settings.checking else "",
            received_at=submission.now,
            taken=taken,
        )

    def _take(self, filing: Filing, paper: Paper, submission: Submission) -> None:
        if len(filing.versions) > 1:
            filing.pre_no = self._pre_no(submission.now)
            filing.invt_no = ""
        filing.dxp_id = submission.sender
        filing.paper = paper
        filing.live = True
        filing.status = ""
        if filing.kind.is_inventory:
            books = self._ledger.side(filing.kind)
            owned = books.by_order.setdefault(filing.order_key, [])
            if filing not in owned:
                owned.append(filing)
            self._book_waybill(filing)
            self._reserve(filing, submission.now)
        filing.muted = muted(filing.kind, filing.scenario)
        self._start(filing)

    def _start(self, filing: Filing) -> None:
        if filing.paper.get("appStatus") == "1":
            filing.route = ("1",)
        else:
            refusing = refuses(filing.kind, filing.scenario) and filing.refused in {
                None,
                self._fingerprint(filing),
            }
            filing.route = route(
                filing.kind, filing.scenario, refusing=refusing, spent=filing.spent
            )
            if self._settings.close_after_release is not None and filing.route[-1] == "800":
                filing.route = (*filing.route, "899")
        filing.position = 0
        filing.generation += 1
        filing.held.clear()

    def _fingerprint(self, filing: Filing) -> Fingerprint:
        current = filing.current
        content = "" if current is None else current.content
        if not filing.kind.is_inventory:
            return content, 0, None
        order = self._ledger.side(filing.kind).orders.get(filing.order_key)
        versions = 0 if order is None else sum(version.taken for version in order.versions)
        return content, versions, self._ledger.payments.get(filing.order_key)

    # -------------------------------------------------------------------------- collisions
    def _collision(self, filing: Filing, paper: Paper, submission: Submission) -> Refusal | None:
        if filing.kind in _REQUESTS:
            return self._request_collision(filing, paper)
        if not filing.kind.is_inventory:
            return self._paper_collision(filing, paper, submission)
        return self._inventory_collision(filing, paper, submission)

    def _paper_collision(
        self, filing: Filing, paper: Paper, submission: Submission
    ) -> Refusal | None:
        exists, nothing, frozen, older = _COLLISIONS[filing.kind]
        held = filing.live or filing.stored is not None
        if paper.get("appType") == "1":
            if held or (filing.status == "100" and self._settings.refile is RefilePolicy.CHANGE):
                return eport(exists)
        elif not held and not self._may_change_refused(filing):
            return eport(nothing)
        elif self._is_declared(filing):
            return eport(frozen)
        return eport(older) if _older(filing, paper, submission) else None

    def _request_collision(self, filing: Filing, paper: Paper) -> Refusal | None:
        """Refuse what is asked of an inventory that is not there or stands elsewhere."""
        missing, elsewhere, twice = _REQUESTS[filing.kind]
        if filing.live:
            return eport(twice)
        inventory = self._ledger.side(filing.kind).numbered(paper.get("invtNo"))
        if inventory is None:
            return eport(missing)
        is_askable = inventory.live and inventory.status in _ASKABLE[filing.kind]
        return None if is_askable else eport(elsewhere)

    def _is_declared(self, filing: Filing) -> bool:
        """Tell whether an inventory lives that stands on a paper; a waybill names no platform."""
        books = self._ledger.side(filing.kind)
        if filing.kind.is_waybill:
            return any(one.live for one in books.by_waybill.get(filing.key, ()))
        return bool(books.live_inventories(filing.order_key))

    def _inventory_collision(
        self, filing: Filing, paper: Paper, submission: Submission
    ) -> Refusal | None:
        if not paper.get("copNo"):
            return eport("-621021", "copNo")
        order = paper.get("ebpCode"), paper.get("orderNo")
        books = self._ledger.side(filing.kind)
        if paper.get("appType") == "1":
            if filing.live or books.live_inventories(order):
                return eport("-621004")
            if filing.status == "100" and self._settings.refile is RefilePolicy.CHANGE:
                return eport("-621004")
        elif filing.live:
            return eport("-621012")
        elif not self._may_change_refused(filing):
            return eport("-621011")
        elif any(other is not filing for other in books.live_inventories(order)):
            return eport("-621004")
        return eport("-621020", "appTime") if _older(filing, paper, submission) else None

    def _may_change_refused(self, filing: Filing) -> bool:
        return filing.status == "100" and self._settings.refile is not RefilePolicy.NEW

    def _content_fault(self, kind: Kind, paper: Paper, submission: Submission) -> Refusal | None:
        enterprise = self._enterprise(submission.sender)
        if enterprise.cop_codes and submission.cop_code not in enterprise.cop_codes:
            return eport(_FOREIGN[kind], "copCode")
        if kind in _PAPER_CHECKS:
            return _PAPER_CHECKS[kind](paper)
        if kind is Kind.DELIVERY:
            return deliveries.fault(self._ledger, paper)
        if kind.is_list:
            return self._list_fault(kind, paper)
        if kind in _REQUESTS:
            is_foreign = (
                enterprise.agent_codes and paper.get("agentCode") not in enterprise.agent_codes
            )
            if is_foreign:
                return eport(_FOREIGN[kind], "agentCode")
            is_home = kind is Kind.EXPORT_RETURN
            return after_exports.return_fault(self._ledger.side(kind), paper) if is_home else None
        if enterprise.agent_codes and paper.get("agentCode") not in enterprise.agent_codes:
            return eport("-621015", "agentCode")
        if paper.get("appStatus") == "1":
            return None
        if kind is Kind.EXPORT_INVENTORY:
            return export_checks.inventory_fault(paper)
        return checks.inventory_fault(paper, self._settings.single_limit) or self._quota(
            paper, submission.now
        )

    def _list_fault(self, kind: Kind, paper: Paper) -> Refusal | None:
        """Check a list: each parcel stands in it once; of an export its inventory is live."""
        if kind is Kind.RETURN_TALLY:
            return after_exports.tally_fault(self._ledger.side(kind), paper)
        if kind is Kind.SUMMARY_REQUEST:
            return after_exports.summary_fault(self._ledger.side(kind), paper)
        numbers = [line.get("logisticsNo", "") for line in paper.lines]
        if not numbers:
            return eport("-800000")
        if paper.get("appStatus") != "2" or len(set(numbers)) != len(numbers):
            return eport("-800001", "logisticsNo")
        if any(parse_scenario(one).name is ScenarioName.BADPARCEL for one in numbers):
            return eport("-800001", "logisticsNo")
        if kind.is_report:
            return self._report_fault(kind, paper)
        books = self._ledger.side(kind)
        for line in paper.lines:
            if not line.get("invtNo"):
                continue
            inventory = books.numbered(line["invtNo"])
            if inventory is None or not inventory.live:
                return eport("-800001", "invtNo")
            if inventory.paper.get("logisticsNo") != line.get("logisticsNo"):
                return eport("-800001", "invtNo")
        return None

    def _report_fault(self, kind: Kind, paper: Paper) -> Refusal | None:
        """Check a report: an inventory lives for each parcel; who leaves was released."""
        books = self._ledger.side(kind)
        for line in paper.lines:
            parcel = paper.get("logisticsCode"), line.get("logisticsNo", "")
            declared = [one for one in books.by_waybill.get(parcel, ()) if one.live]
            if kind is Kind.DEPARTURE:
                declared = [one for one in declared if "800" in one.trail]
            if not declared:
                return eport("-800001", "logisticsNo")
        return None

    def _enterprise(self, sender: str) -> Enterprise:
        if self._settings.enterprises is None:
            return Enterprise()
        return self._settings.enterprises.get(sender, Enterprise())

    # -------------------------------------------------------------------------- quota, numbers
    def _quota(self, paper: Paper, now: datetime) -> Refusal | None:
        limit = self._settings.annual_limit
        if limit is None:
            return None
        key = paper.get("buyerIdNumber"), (now + _BEIJING).year
        used = self._ledger.used.get(key, Decimal(0))
        value = checks.dutiable_value(paper)
        return eport("-621018", f"已用{used}，本次{value}") if used + value > limit else None

    def _reserve(self, filing: Filing, now: datetime) -> None:
        if self._settings.annual_limit is None or filing.kind.is_export:
            return
        filing.reserved = checks.dutiable_value(filing.paper)
        key = filing.paper.get("buyerIdNumber"), (now + _BEIJING).year
        self._ledger.used[key] = self._ledger.used.get(key, Decimal(0)) + filing.reserved

    def _give_back(self, filing: Filing, now: datetime) -> None:
        key = filing.paper.get("buyerIdNumber"), (now + _BEIJING).year
        if filing.reserved and key in self._ledger.used:
            self._ledger.used[key] -= filing.reserved
        filing.reserved = Decimal(0)

    def _book_waybill(self, filing: Filing) -> None:
        paper = filing.paper
        waybill = paper.get("logisticsNo")
        if waybill:
            books = self._ledger.side(filing.kind)
            users = books.by_waybill.setdefault((paper.get("logisticsCode"), waybill), [])
            if filing not in users:
                users.append(filing)

    def declaration_no(self, request: Filing, now: datetime) -> str:
        """Draw the number of a general declaration that a summary request leads to."""
        office = request.paper.get("customsCode")
        return f"{office}{(now + _BEIJING).year}D{self._next_serial():09d}"

    def _next_serial(self) -> int:
        self._serial = self._serial % 999_999_999 + 1
        return self._serial

    def _pre_no(self, now: datetime) -> str:
        moment = now + _BEIJING
        day = moment.year * 10000 + moment.month * 100 + moment.day
        return f"B{day}{self._next_serial():09d}"


def _sums(kind: Kind, paper: Paper) -> bool:
    """Tell whether a record names inventories in its lines; plain mode reads no lines."""
    return kind is Kind.SUMMARY_REQUEST and bool(paper.lines)


def _older(filing: Filing, paper: Paper, submission: Submission) -> bool:
    """Tell whether a record is older than what is held; a repeat of the same is not."""
    current = filing.current
    if current is None or _repeats(filing, paper, submission):
        return False
    return paper.get("appTime") <= current.app_time


def _repeats(filing: Filing, paper: Paper, submission: Submission) -> bool:
    """Tell whether a record is the one held: in the same message, or unchanged in another."""
    current = filing.current
    if current is None:
        return False
    if current.digest == submission.digest:
        return True
    is_named_so = (current.guid, current.app_time, current.app_type) == (
        paper.get("guid"), paper.get("appTime"), paper.get("appType"),
    )  # fmt: skip
    return is_named_so and current.content in ("", _content(paper))


def _content(paper: Paper) -> str:
    """Return a digest of what a record says, without the fields every submission changes."""
    head = sorted(item for item in paper.head.items() if item[0] not in _VOLATILE)
    lines: Sequence[object] = [sorted(line.items()) for line in paper.lines]
    return hashlib.sha256(repr((head, lines)).encode()).hexdigest()
