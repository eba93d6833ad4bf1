"""Everything of one edition behind one door: plans, readers, validators, and any file opened.

What most users of this package need. Plans are loaded at once (some 20 ms), readers and validators
when they are first asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from schemas.catalog import editions, load_catalog
from schemas.envelope import BareMessage, DxpResponse, Envelope, open_file
from schemas.errors import EnvelopeError, UnknownDocumentError, UnknownMessageError
from schemas.loader import LARGE, Limits, foreign_encoding
from schemas.plan import MessagePlan, load_plan
from schemas.reader import MessageReader, Odd, OddKind, ReadMessage, compile_reader
from schemas.validate import ValidatorPool

MOST_ENVELOPES: Final = 3
"""A DxpMsg whose Data is a DxpMsg again is legal at no place; relays have been seen to send it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file opened down to its business message.

    ``data`` are the bytes of the message as they were inside, ``envelopes`` what was around it, the
    outermost first. ``notes`` are about the file; those of the message and its records stand there.
    """

    plan: MessagePlan
    message: ReadMessage
    data: bytes
    envelopes: tuple[Envelope, ...]
    notes: tuple[Odd, ...]

    def all_notes(self) -> Iterator[Odd]:
        """Yield everything that was tolerated; a path in a record begins with its number."""
        yield from self.notes
        yield from self.message.notes
        for number, record in enumerate(self.message.records, 1):
            for odd in record.notes:
                yield Odd(f"{self.plan.record.name}[{number}]/{odd.path}", odd.kind)


class Library:
    """The messages of one edition; safe for threads."""

    def __init__(self, edition: str) -> None:
        """Load the plans; raises UnknownEditionError."""
        self.edition = edition
        self._catalog = load_catalog("ceb", edition)
        self.plans: Mapping[str, MessagePlan] = load_plan("ceb", edition)
        self._other_roots = {
            plan.other_root: plan for plan in self.plans.values() if plan.other_root is not None
        }
        self._lock = threading.Lock()
        self._readers: dict[str, MessageReader] = {}
        self._validators: dict[tuple[str, bool], ValidatorPool] = {}

    def plan(self, name: str) -> MessagePlan:
        """Return the plan of a message by the name of its root; raises UnknownMessageError."""
        plan = self.plans.get(name) or self._other_roots.get(name)
        if plan is None:
            raise UnknownMessageError(name, "ceb", self.edition)
        return plan

    def reader(self, name: str) -> MessageReader:
        """Return the reader of a message; raises UnknownMessageError."""
        plan = self.plan(name)
        with self._lock:
            if plan.name not in self._readers:
                self._readers[plan.name] = compile_reader(plan)
            return self._readers[plan.name]

    def validator(self, name: str, *, signature_optional: bool = False) -> ValidatorPool:
        """Return the validators of a message; raises UnknownMessageError."""
        key = (self.plan(name).name, signature_optional)
        with self._lock:
            if key not in self._validators:
                self._validators[key] = ValidatorPool(
                    "ceb",
                    self.edition,
                    key[0],
                    signature_optional=signature_optional,
                    catalog=self._catalog,
                )
            return self._validators[key]

    def open(self, data: bytes, limits: Limits = LARGE) -> Document | DxpResponse:
        """Open a file: a business message, one in envelopes, or a platform's answer.

        Raises DocumentError for what is no document, EnvelopeError for what is none of the three,
        UnknownMessageError for a message that this edition does not have.
        """
        envelopes: list[Envelope] = []
        notes: list[Odd] = []
        opened = open_file(data, limits)
        while isinstance(opened, Envelope):
            if len(envelopes) == MOST_ENVELOPES:
                raise EnvelopeError(f"more than {MOST_ENVELOPES} envelopes in each other")
            if envelopes:
                notes.append(Odd("DxpMsg", OddKind.REPEATED))
            if opened.nodes > 1:
                notes.append(Odd("DxpMsgSv", OddKind.REPEATED))
            envelopes.append(opened)
            opened = open_file(opened.data, limits)
        if isinstance(opened, DxpResponse):
            if envelopes:
                raise UnknownDocumentError(known_namespace=True)
            return opened
        return self._document(opened, envelopes, notes)

    def _document(
        self, opened: BareMessage, envelopes: list[Envelope], notes: list[Odd]
    ) -> Document:
        reader = self.reader(opened.kind.name)
        if foreign_encoding(opened.data):
            notes.append(Odd("?xml", OddKind.ENCODING))
        message = reader.read(opened.root)
        return Document(reader.plan, message, opened.data, tuple(envelopes), tuple(notes))


def latest() -> str:
    """Return the edition that came into force last."""
    return editions("ceb")[-1]
