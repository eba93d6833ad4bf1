"""A filer's end of the wire to one simulated authority."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from adapters.sandbox.customs import CustomsAuthority
from tests.unit.sandbox import wire


class Port:
    """A filer's view of one authority: send records, let time pass, read what came back."""

    def __init__(self, authority: CustomsAuthority, signer: wire.Signer) -> None:
        self.authority = authority
        self.signer = signer
        self.now = wire.NOW
        self.sent = 0
        self.files: list[list[wire.Answer]] = []

    def message(self, *drafts: wire.Draft) -> bytes:
        return self.signer.sign(wire.message(*drafts))

    def send(self, *drafts: wire.Draft) -> bytes:
        data = self.message(*drafts)
        self.resend(data)
        return data

    def resend(self, data: bytes, cop_msg_id: str | None = None) -> None:
        self.sent += 1
        message_id = cop_msg_id or f"MSG-{self.sent}"
        self.authority.receive(wire.envelope(data, cop_msg_id=message_id), self.now)

    def collect(self, seconds: float = 0) -> list[wire.Answer]:
        """Let time pass and return the records that arrived, in order."""
        until = self.now + timedelta(seconds=seconds)
        arrived: list[wire.Answer] = []
        while True:
            due = self.authority.next_due()
            if due is None or due > until:
                break
            self.now = max(self.now, due)
            for file in self.authority.due(self.now):
                answers = wire.read(file)
                self.files.append(answers)
                arrived.extend(answers)
        self.now = until
        return arrived

    def statuses(self, seconds: float = 0) -> list[str]:
        return [answer.status for answer in self.collect(seconds)]

    def filed_order(self, order_no: str, **fields: str) -> wire.Draft:
        """File an order and let it be stored; its receipts are taken off the wire."""
        draft = wire.order(order_no, **fields)
        self.send(draft)
        assert self.statuses(3600)[-1] == "120"
        return draft


PortFactory = Callable[..., Port]
