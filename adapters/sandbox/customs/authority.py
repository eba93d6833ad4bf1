"""The simulated customs authority: bytes in, files out, time passed in.

It does no input or output and owns no clock: a folder runner, a test or a virtual-time
simulation calls :meth:`CustomsAuthority.receive` with what was sent and picks up what
:meth:`CustomsAuthority.due` gives. The same seed and the same calls give the same bytes.
"""

import hashlib
import heapq
import random
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, NamedTuple

from adapters.sandbox.customs import routes
from adapters.sandbox.customs.after_exports import declarations_of
from adapters.sandbox.customs.checks import Refusal, eport
from adapters.sandbox.customs.desk import Desk, Submission, Taken
from adapters.sandbox.customs.intake import (
    ExchangeRefusedError,
    Gate,
    MessageRefusedError,
    NotForUsError,
    Opened,
)
from adapters.sandbox.customs.ledger import (
    Filing,
    Ledger,
    Message,
    PaymentCopy,
    Receipt,
    WaybillCopy,
)
from adapters.sandbox.customs.messages import Envelope, Kind, Paper
from adapters.sandbox.customs.outbox import Outbox
from adapters.sandbox.customs.receipts import OutgoingFile, new_guid
from adapters.sandbox.customs.scenarios import ScenarioName
from adapters.sandbox.customs.settings import Settings

_TICK: Final = timedelta(milliseconds=1)
# Too many records in a message, and no signature where one is needed. The error table has no code
# of a payment, waybill or delivery without signature: the general one of their parameters is used.
_WHOLE: Final[Mapping[Kind, tuple[str, str]]] = MappingProxyType(
    {
        Kind.ORDER: ("-301015", "-301020"),
        Kind.PAYMENT: ("-401013", "-401009"),
        Kind.WAYBILL: ("-504013", "-504011"),
        Kind.DELIVERY: ("-505017", "-505011"),
        Kind.INVENTORY: ("-621030", "-621026"),
        Kind.CANCELLATION: ("-623008", "-623017"),
        Kind.RETURN: ("-625004", "-625028"),
        Kind.EXPORT_ORDER: ("-301015", "-301020"),
        Kind.FUNDS_RECEIPT: ("-401013", "-401009"),
        Kind.EXPORT_WAYBILL: ("-504013", "-504011"),
        Kind.EXPORT_INVENTORY: ("-621030", "-621026"),
        Kind.EXPORT_CANCELLATION: ("-623008", "-623017"),
        Kind.ENTRY_LIST: ("-800006", "-800001"),
        Kind.MASTER_LIST: ("-800006", "-800001"),
        Kind.SITE_ARRIVAL: ("-800006", "-800001"),
        Kind.DEPARTURE: ("-800006", "-800001"),
        Kind.EXPORT_RETURN: ("-625004", "-625028"),
        Kind.RETURN_TALLY: ("-800006", "-800001"),
        Kind.SUMMARY_REQUEST: ("-800006", "-800001"),
    }
)
_REQUESTED: Final = (
    *("customsCode", "agentCode", "ebpCode", "ebcCode", "copNo", "preNo", "invtNo"),
)
# What a receipt repeats of the record it answers.
_REPEATED: Final[Mapping[Kind, tuple[str, ...]]] = MappingProxyType(
    {
        Kind.ORDER: ("ebpCode", "ebcCode", "orderNo"),
        Kind.PAYMENT: ("payCode", "payTransactionId"),
        Kind.WAYBILL: ("logisticsCode", "logisticsNo"),
        Kind.DELIVERY: ("logisticsCode", "logisticsNo", "logisticsStatus"),
        Kind.INVENTORY: ("ebpCode", "ebcCode", "customsCode", "agentCode", "copNo"),
        Kind.CANCELLATION: _REQUESTED,
        Kind.RETURN: _REQUESTED,
        Kind.EXPORT_ORDER: ("ebpCode", "ebcCode", "orderNo"),
        Kind.FUNDS_RECEIPT: ("ebcCode", "orderNo", "payNo"),
        Kind.EXPORT_WAYBILL: ("logisticsCode", "logisticsNo"),
        Kind.EXPORT_INVENTORY: (
            *("agentCode", "copNo", "preNo", "invtNo", "ebcCode", "ebpCode", "orderNo"),
            "statisticsFlag",
        ),
        Kind.EXPORT_CANCELLATION: ("agentCode", "copNo", "preNo", "invtNo"),
        Kind.ENTRY_LIST: ("customsCode", "operatorCode", "copNo", "preNo"),
        Kind.MASTER_LIST: ("agentCode", "logisticsCode", "copNo", "preNo", "billNo", "msgSeqNo"),
        Kind.SITE_ARRIVAL: (
            *("operatorCode", "logisticsCode", "preNo", "copNo", "billNo", "msgSeqNo"),
        ),
        Kind.DEPARTURE: ("logisticsCode", "copNo", "preNo", "msgSeqNo"),
        Kind.EXPORT_RETURN: ("ebpCode", "ebcCode", "agentCode", "coElNo", "preNo", "invtNo"),
        Kind.RETURN_TALLY: ("operatorCode", "logisticsCode", "logisticsNo", "coElNo", "preNo"),
        Kind.SUMMARY_REQUEST: ("agentCode", "ebcCode", "copNo", "preNo", "sumNo", "msgSeqNo"),
    }
)


class _Step(NamedTuple):
    """The next status of a filing's route, unless a newer submission replaced the route."""

    filing: Filing
    generation: int


class _Delivery(NamedTuple):
    """A receipt that goes out later, in a file of its own."""

    receipt: Receipt


class _Result(NamedTuple):
    """A result of a summary request: one general declaration, with its number or still without."""

    request: Filing
    inventories: Sequence[Filing]
    declaration: str
    is_entered: bool


class CustomsAuthority:
    """Customs and the e-port in front of it, for one seed and one set of settings.

    Not safe for use from two threads at once; the ledger may be read from another thread.
    """

    def __init__(self, seed: int, settings: Settings) -> None:
        self._rng = random.Random(seed)
        self._settings = settings
        self._ledger = Ledger()
        self._desk = Desk(self._ledger, settings, self._rng)
        self._gate = Gate(settings)
        self._outbox = Outbox(
            self._rng, settings.timing.window, settings.customs_id, settings.export_id
        )
        self._schedule: list[tuple[datetime, int, _Step | _Delivery | _Result]] = []
        self._sequence = 0

    @property
    def ledger(self) -> Ledger:
        """Everything customs knows so far."""
        return self._ledger

    def load_payment(self, payment: PaymentCopy) -> None:
        """Give customs the payment company's copy of a payment; a later one replaces it."""
        self._ledger.payments[payment.ebp_code, payment.order_no] = payment

    def load_waybill(self, waybill: WaybillCopy) -> None:
        """Give customs the carrier's copy of a waybill; a later one replaces it."""
        self._ledger.waybills[waybill.logistics_code, waybill.logistics_no] = waybill

    def receive(self, envelope: bytes, now: datetime) -> None:
        """Take one file from the wire; every answer, refusals too, comes out of :meth:`due`."""
        try:
            opened = self._gate.open(envelope, now)
        except ExchangeRefusedError as fault:
            self._note(fault.origin, now, f"DxpRep {fault.code}")
            self._outbox.answer(fault.code, fault.text, now, fault.origin)
        except NotForUsError as fault:
            self._outbox.give_back(envelope, now, fault.origin)
        except MessageRefusedError as fault:
            self._note(fault.origin, now, "CEB900")
            self._outbox.refuse(fault.reason, now, fault.origin, fault.kind)
        else:
            self._note(opened.envelope, now, "taken")
            self._take(opened, now)

    def due(self, now: datetime) -> list[OutgoingFile]:
        """Let time pass until ``now`` and return the files that are ready."""
        schedule = self._schedule
        while schedule and schedule[0][0] <= now:
            at, _, task = heapq.heappop(schedule)
            if isinstance(task, _Delivery):
                self._outbox.alone([task.receipt], at)
            elif isinstance(task, _Result):
                self._outbox.result(*task, at)
            elif task.generation == task.filing.generation:
                self._advance(task.filing, at)
        files = self._outbox.collect(now)
        self._ledger.files = self._outbox.written
        return files

    def next_due(self) -> datetime | None:
        """Return when :meth:`due` has work, ``None`` when nothing is planned."""
        moments = [self._outbox.next_due(), self._schedule[0][0] if self._schedule else None]
        return min((moment for moment in moments if moment is not None), default=None)

    # -------------------------------------------------------------------------- records in
    def _note(self, envelope: Envelope, now: datetime, outcome: str) -> None:
        known = self._ledger.messages.get(envelope.cop_msg_id)
        if known is not None:
            known.times += 1
            return
        self._ledger.messages[envelope.cop_msg_id] = Message(
            envelope.cop_msg_id, envelope.sender, envelope.msg_type, now, outcome=outcome
        )

    def _take(self, opened: Opened, now: datetime) -> None:
        business = opened.business
        submission = Submission(
            cop_msg_id=opened.envelope.cop_msg_id,
            sender=opened.envelope.sender,
            cop_code=business.cop_code,
            digest=hashlib.sha256(opened.envelope.data).hexdigest(),
            now=now,
        )
        refusal = self._whole_refusal(opened)
        for paper in business.papers:
            if refusal is not None:
                taken = self._desk.refuse(business.kind, paper, submission, refusal)
            else:
                taken = self._desk.submit(business.kind, paper, submission)
            self._answer(taken, now)

    def _whole_refusal(self, opened: Opened) -> Refusal | None:
        """Return the refusal every record of a message gets, if any."""
        too_many, unsigned = _WHOLE[opened.business.kind]
        if len(opened.business.papers) > self._settings.max_records:
            return eport(too_many)
        if opened.unsigned:
            return eport(unsigned)
        return None

    def _answer(self, taken: Taken, now: datetime) -> None:
        filing = taken.filing
        if taken.refusal is None:
            self._begin(filing, now)
            return
        receipt = self._receipt(filing, taken.paper, taken.refusal.status, taken.refusal.info, now)
        lost = filing.muted and not routes.answers_same_bytes(filing.scenario)
        if not lost:
            self._outbox.add(receipt, now)

    def _begin(self, filing: Filing, now: datetime) -> None:
        if filing.scenario.name is ScenarioName.EARLY:
            while filing.position < len(filing.route):
                self._advance(filing, now)
            return
        timing = self._settings.timing
        late = filing.kind.is_inventory and filing.scenario.name is ScenarioName.LATE
        self._plan(filing, now + timing.late if late else now)

    # -------------------------------------------------------------------------- time passing
    def _plan(self, filing: Filing, after: datetime) -> None:
        """Put the next status of a route on the schedule."""
        status = filing.route[filing.position]
        if filing.scenario.name is ScenarioName.SLOW:
            after += self._settings.timing.late
        if filing.position and filing.route[filing.position - 1] == "4":
            wait = self._settings.timing.busy
        elif status == "899":
            wait = self._settings.close_after_release or timedelta(0)
        else:
            wait = self._draw(status)
        self._push(after + wait, _Step(filing, filing.generation))

    def _draw(self, status: str) -> timedelta:
        delay = self._settings.timing.delay(status)
        if delay.least == delay.most:
            return delay.least
        return delay.least + (delay.most - delay.least) * self._rng.random()

    def _push(self, at: datetime, task: _Step | _Delivery | _Result) -> None:
        self._sequence += 1
        heapq.heappush(self._schedule, (at, self._sequence, task))

    def _advance(self, filing: Filing, now: datetime) -> None:
        """Give a filing the next status of its route."""
        status = filing.route[filing.position]
        filing.position += 1
        refusal = self._desk.judge(filing) if status == "120" else None
        if refusal is not None:
            status, info = refusal.status, refusal.info
            filing.position = len(filing.route)
        else:
            info = routes.status_text(status, filing.scenario, filing.paper.get("guid"))
        self._desk.settle(filing, status, info, now)
        self._deliver(filing, self._receipt(filing, filing.paper, status, info, now), now)
        if filing.position == len(filing.route):
            self._release_held(filing, now)
            self._sum_up(filing, now)
        elif filing.scenario.name is not ScenarioName.EARLY:
            self._plan(filing, now)

    def _sum_up(self, filing: Filing, now: datetime) -> None:
        """Plan what comes of a summary request: each general declaration, later with its number."""
        if not filing.sum_no or filing.muted or filing.scenario.name is ScenarioName.SUMMARYONLY:
            return
        for inventories in declarations_of(self._ledger.side(filing.kind), filing):
            number = self._desk.declaration_no(filing, now)
            wait = self._draw("399")
            self._push(now + wait, _Result(filing, inventories, number, is_entered=False))
            self._push(now + 2 * wait, _Result(filing, inventories, number, is_entered=True))

    def _receipt(
        self, filing: Filing, paper: Paper, status: str, info: str, now: datetime
    ) -> Receipt:
        # Two receipts of one record never bear the same returnTime, however short the stages.
        if filing.last_time is not None and now < filing.last_time + _TICK:
            now = filing.last_time + _TICK
        filing.last_time = now
        get = paper.head.get
        fields = {name: get(name, "") for name in _REPEATED[filing.kind]}
        if filing.kind.is_numbered:
            fields["preNo"] = filing.pre_no
        if filing.kind is Kind.SUMMARY_REQUEST:
            fields["sumNo"] = filing.sum_no
        if filing.kind.is_inventory:
            fields["preNo"] = filing.pre_no
            fields["invtNo"] = filing.invt_no
        receipt = Receipt(
            new_guid(self._rng), filing.kind, status, info, now, fields, filing.dxp_id
        )
        if self._settings.checking:
            filing.receipts.append(receipt)
        return receipt

    def _deliver(self, filing: Filing, receipt: Receipt, now: datetime) -> None:
        if filing.muted:
            return
        timing = self._settings.timing
        match filing.scenario.name:
            case ScenarioName.EARLY:
                self._outbox.alone([receipt], now)
            case ScenarioName.REPLAY:
                self._outbox.add(receipt, now)
                filing.held.append(receipt)
            case ScenarioName.REORDER | ScenarioName.TOGETHER:
                filing.held.append(receipt)
            case ScenarioName.OUTAGE:
                self._push(now + timing.late, _Delivery(receipt))
            case ScenarioName.DRIP:
                filing.drips = max(filing.drips or now, now) + timing.repeat
                self._push(filing.drips, _Delivery(receipt))
            case ScenarioName.DUPLICATE:
                self._outbox.add(receipt, now)
                self._push(now + timing.repeat, _Delivery(receipt))
                if self._rng.random() < 0.5:
                    self._push(now + 3 * timing.repeat, _Delivery(receipt))
            case _:
                self._outbox.add(receipt, now)

    def _release_held(self, filing: Filing, now: datetime) -> None:
        """Deliver what REORDER held back, newest first, each in a file of its own; what REPLAY
        has delivered comes again; what TOGETHER held back goes in one file.
        """
        if filing.scenario.name is ScenarioName.TOGETHER:
            self._outbox.alone(list(filing.held), now)
            filing.held.clear()
        elif filing.scenario.name is ScenarioName.REPLAY:
            for receipt in filing.held:
                self._push(now + self._settings.timing.repeat, _Delivery(receipt))
            filing.held.clear()
        for receipt in reversed(filing.held):
            self._push(now, _Delivery(receipt))
            now += self._draw(receipt.status)
        filing.held.clear()
