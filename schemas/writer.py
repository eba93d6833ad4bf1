"""The compiled canonical writer.

A plan and a mapping are compiled into one Python function that formats a record in a single
f-string: no tree, no merged dictionary. What it emits is Canonical XML 1.0 by construction, so the
written bytes are the digested bytes: element order from the schema, no white space between
elements, no self-closed tags, the root declares ``ceb`` and ``xsi`` and nothing else, text escaped
as the canonical form demands.

Each record has two paths. The generated one assumes clean values and checks that assumption in
bulk. If it does not hold, the interpreted one runs over the same nodes with all care: it escapes,
or it names every faulty path. A test holds both to the same output.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from lxml import etree

from schemas import nodes
from schemas.codegen import generate
from schemas.errors import MessageRefusedError, RecordRefusedError, ValueFault
from schemas.loader import LARGE, parse
from schemas.plan import ElementPlan, MessagePlan
from schemas.sources import Source, attr

PREFIX: Final = "ceb"
"""The prefix that sent messages use; receivers read by namespace."""

VERSION: Final = "1.0"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

_GUID: Final = re.compile(r"[0-9A-Za-z-]{36}")

_TRANSFER: Final[Mapping[str, Source]] = {
    "copCode": attr("transfer.cop_code"),
    "copName": attr("transfer.cop_name"),
    "dxpMode": attr("transfer.dxp_mode"),
    "dxpId": attr("transfer.dxp_id"),
    "note": attr("transfer.note"),
}
_SUBSCRIBE: Final[Mapping[str, Source]] = {
    "status": attr("subscribe.status"),
    "dxpMode": attr("subscribe.dxp_mode"),
    "dxpAddress": attr("subscribe.dxp_address"),
    "note": attr("subscribe.note"),
}


@dataclass(frozen=True, slots=True)
class Transfer:
    """BaseTransfer: who transmits; must be the identity of the connected client."""

    cop_code: str
    cop_name: str
    dxp_id: str
    dxp_mode: str = "DXP"
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Subscribe:
    """BaseSubscribe: who else gets copies; status ALL, DATA or RET."""

    status: str
    dxp_address: str
    dxp_mode: str = "DXP"
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Extend:
    """ExtendMessage: ``content`` is well-formed XML content that declares its own namespaces."""

    name: str
    version: str
    content: str


class MessageWriter:
    """Writes records and messages of one kind; stateless after construction, safe for threads."""

    def __init__(self, plan: MessagePlan, record: Callable[..., str]) -> None:
        """Hold the plan and the compiled record function."""
        self.plan = plan
        self._record = record
        trailer = {element.name: element for element in plan.trailer}
        self._transfer: Callable[..., str] | None = None
        self._subscribe: Callable[..., str] | None = None
        if "BaseTransfer" in trailer:
            self._transfer = _compile(trailer["BaseTransfer"], _TRANSFER, ("transfer",))
        if "BaseSubscribe" in trailer:
            self._subscribe = _compile(trailer["BaseSubscribe"], _SUBSCRIBE, ("subscribe",))
        self._extends = "ExtendMessage" in trailer
        self._start = (
            f'<{PREFIX}:{plan.name} xmlns:{PREFIX}="{plan.namespace}" xmlns:xsi="{XSI}" guid="'
        )
        self._end = f"</{PREFIX}:{plan.name}>"

    def record(self, *args: object) -> str:
        """Return one body record as canonical XML text.

        Raises RecordRefusedError naming every value that cannot be written.
        """
        try:
            return self._record(*args)
        except nodes.FaultsError as error:
            raise RecordRefusedError(self.plan.name, error.faults) from None

    def message(
        self,
        guid: str,
        records: Sequence[str],
        transfer: Transfer | None = None,
        subscribe: Sequence[Subscribe] = (),
        extend: Extend | None = None,
    ) -> bytes:
        """Return the whole unsigned message as canonical UTF-8 bytes, without XML declaration.

        ``records`` are texts from :meth:`record`. The Signature belongs before the end tag of the
        root; in an export message with an extension before that (``plan.signature_before``).
        Raises MessageRefusedError when the parts do not make a message of this kind.
        """
        if not _GUID.fullmatch(guid):
            raise MessageRefusedError(f"{self.plan.name}: guid is not 36 letters, digits, hyphens")
        most = self.plan.record.max_occurs
        if not records or (most is not None and len(records) > most):
            raise MessageRefusedError(f"{self.plan.name}: {len(records)} records, most {most}")
        parts = [self._start, guid, '" version="', VERSION, '">', *records]
        try:
            parts += self._trailer(transfer, subscribe)
            if extend is not None:
                parts += self._extension(extend)
        except nodes.FaultsError as error:
            listed = ", ".join(f"{fault.path}: {fault.kind}" for fault in error.faults)
            raise MessageRefusedError(f"{self.plan.name}: {listed}") from None
        parts.append(self._end)
        data = "".join(parts).encode()
        if extend is None:
            return data
        # Foreign content is made canonical here; it was not written by us.
        canonical: bytes = etree.tostring(parse(data, LARGE), method="c14n")
        return canonical

    def _trailer(self, transfer: Transfer | None, subscribe: Sequence[Subscribe]) -> list[str]:
        """Return BaseTransfer and BaseSubscribe as far as this kind of message has them."""
        if (transfer is None) is not (self._transfer is None):
            raise MessageRefusedError(f"{self.plan.name}: BaseTransfer missing or out of place")
        parts: list[str] = []
        if self._transfer is not None:
            parts.append(self._transfer(transfer))
        if subscribe and self._subscribe is None:
            raise MessageRefusedError(f"{self.plan.name} has no BaseSubscribe")
        if self._subscribe is not None:
            parts.extend(map(self._subscribe, subscribe))
        return parts

    def _extension(self, extend: Extend) -> list[str]:
        """Return ExtendMessage around the given content, which must be well-formed by itself."""
        if not self._extends:
            raise MessageRefusedError(f"{self.plan.name} has no ExtendMessage")
        faults: list[ValueFault] = []
        name = nodes.clean_text(extend.name, "ExtendMessage/name", faults)
        version = nodes.clean_text(extend.version, "ExtendMessage/version", faults)
        if faults:
            raise nodes.FaultsError(faults)
        # Parsed on its own first: content must not be able to close the elements around it.
        parse(f"<content>{extend.content}</content>".encode(), LARGE)
        return [
            f"<{PREFIX}:ExtendMessage><{PREFIX}:name>{name}</{PREFIX}:name>",
            f"<{PREFIX}:version>{version}</{PREFIX}:version>",
            f"<{PREFIX}:Message>{extend.content}</{PREFIX}:Message></{PREFIX}:ExtendMessage>",
        ]


def compile_writer(
    plan: MessagePlan, sources: Mapping[str, Source], *, arguments: Sequence[str]
) -> MessageWriter:
    """Compile ``sources`` (path below the record, ``OrderHead/orderNo`` → source) into a writer.

    ``arguments`` names what :meth:`MessageWriter.record` is called with, in order. A fixed value
    of the schema needs no source. Raises UnknownPathError for a path the plan does not have and
    MissingPathError for a mandatory element without source; both at compile time.
    """
    return MessageWriter(plan, _compile(plan.record, sources, tuple(arguments)))


def interpret_record(
    plan: MessagePlan, sources: Mapping[str, Source], arguments: Sequence[str], *args: object
) -> str:
    """Write one record by the careful path only: slow, for tests and for explaining faults."""
    node = nodes.build(plan.record, sources, tuple(arguments), PREFIX)
    try:
        return nodes.interpret(node, dict(zip(arguments, args, strict=True)))
    except nodes.FaultsError as error:
        raise RecordRefusedError(plan.name, error.faults) from None


def _compile(
    element: ElementPlan, sources: Mapping[str, Source], arguments: tuple[str, ...]
) -> Callable[..., str]:
    node = nodes.build(element, sources, arguments, PREFIX)
    return generate(node, arguments)


def plain_number(value: Decimal | int, total_digits: int = 19, fraction_digits: int = 5) -> str:
    """Return a number as messages carry it: plain, nothing after the last digit that counts.

    Raises ValueError when it is not finite or needs more digits than given.
    """
    try:
        return nodes.number_text(value, total_digits, fraction_digits)
    except nodes.NumberFaultError as error:
        raise ValueError(str(error.kind)) from None
