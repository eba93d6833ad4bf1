"""Collects receipt records into files: up to 100 of one kind for one enterprise."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from adapters.sandbox.customs.ledger import Filing, Receipt
from adapters.sandbox.customs.messages import Envelope, Kind
from adapters.sandbox.customs.receipts import (
    FILE_RECORDS,
    RESULT,
    OutgoingFile,
    exchange_answer,
    new_guid,
    receipt_message,
    receipt_type,
    refusal_message,
    result_message,
    wrap,
)


@dataclass(slots=True)
class _Batch:
    closes: datetime
    receipts: list[Receipt] = field(default_factory=list)


class Outbox:
    """Open receipt files and files ready to go.

    Records of many submissions share a file until it is full or its window has passed.
    """

    def __init__(
        self, rng: random.Random, window: timedelta, customs_id: str, export_id: str
    ) -> None:
        self._rng = rng
        self._window = window
        self._customs_id = customs_id
        answers = {RESULT, *(receipt_type(one) for one in Kind if one.is_export)}
        self._senders = dict.fromkeys(answers, export_id)
        self._open: dict[tuple[str, Kind], _Batch] = {}
        self._ready: list[OutgoingFile] = []
        self._ready_since: datetime | None = None
        self.written = 0

    def add(self, receipt: Receipt, at: datetime) -> None:
        """Put a receipt into the open file of its kind and receiver."""
        key = receipt.receiver, receipt.kind
        batch = self._open.get(key)
        if batch is None:
            batch = self._open[key] = _Batch(at + self._window)
        batch.receipts.append(receipt)
        if len(batch.receipts) == FILE_RECORDS:
            del self._open[key]
            self.alone(batch.receipts, at)

    def alone(self, receipts: Sequence[Receipt], at: datetime) -> None:
        """Write a file of its own at once."""
        first = receipts[0]
        data = receipt_message(first.kind, receipts, new_guid(self._rng))
        self._send(data, receipt_type(first.kind), first.receiver, at)

    def result(
        self,
        request: Filing,
        inventories: Sequence[Filing],
        declaration: str,
        is_entered: bool,
        at: datetime,
    ) -> None:
        """Write the result of a summary request (792) in a file of its own."""
        data = result_message(
            new_guid(self._rng), request, inventories, declaration, at, is_entered=is_entered
        )
        self._send(data, RESULT, request.dxp_id, at)

    def refuse(self, reason: str, at: datetime, origin: Envelope, kind: str) -> None:
        """Answer a whole message with a 900."""
        data = refusal_message(new_guid(self._rng), reason, at, origin, kind)
        self._send(data, "CEB900Message", origin.sender, at)

    def answer(self, code: str, text: str, at: datetime, origin: Envelope) -> None:
        """Answer an envelope with a DxpRep."""
        receiver = origin.sender[:16] or "UNKNOWN"
        data = exchange_answer(code, text, at, origin, receiver=receiver)
        self._put("DxpRep", data, receiver, at)

    def give_back(self, data: bytes, at: datetime, origin: Envelope) -> None:
        """Deliver an envelope to its own sender, unchanged."""
        self._put("DxpMsg", data, origin.sender, at)

    def collect(self, now: datetime) -> list[OutgoingFile]:
        """Return the files that are ready, closing those whose window has passed."""
        for key in [key for key, batch in self._open.items() if batch.closes <= now]:
            batch = self._open.pop(key)
            self.alone(batch.receipts, batch.closes)
        files, self._ready, self._ready_since = self._ready, [], None
        return files

    def next_due(self) -> datetime | None:
        """Return when :meth:`collect` has something to give, ``None`` for nothing in sight."""
        moments = [batch.closes for batch in self._open.values()]
        if self._ready_since is not None:
            moments.append(self._ready_since)
        return min(moments, default=None)

    def _send(self, data: bytes, message_type: str, receiver: str, at: datetime) -> None:
        wrapped = wrap(
            data,
            message_type,
            sender=self._senders.get(message_type, self._customs_id),
            receiver=receiver,
            guid=new_guid(self._rng),
            now=at,
        )
        self._put(message_type, wrapped, receiver, at)

    def _put(self, label: str, data: bytes, receiver: str, at: datetime) -> None:
        self.written += 1
        name = f"{at:%Y%m%d%H%M%S}_{self.written:08d}_{label}.xml"
        self._ready.append(OutgoingFile(name, data, receiver))
        if self._ready_since is None:
            self._ready_since = at
