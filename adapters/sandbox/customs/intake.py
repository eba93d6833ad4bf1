"""The gate: checks an envelope and the message in it as a whole, before any record."""

import importlib.resources
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lxml import etree

from adapters.sandbox.customs import codes, messages
from adapters.sandbox.customs.messages import Business, Envelope, Kind, Paper, UnreadableError
from adapters.sandbox.customs.scenarios import ScenarioName, parse_scenario
from adapters.sandbox.customs.settings import Settings
from adapters.sandbox.customs.signature import (
    SignatureRefusedError,
    SignatureVerifier,
    has_signature,
)


class ExchangeRefusedError(Exception):
    """The exchange platform refuses the envelope: answered with a DxpRep."""

    def __init__(self, code: str, detail: str, origin: Envelope) -> None:
        super().__init__(detail)
        self.code = code
        self.origin = origin
        self.text = (
            f"{codes.EXCHANGE_TEXTS[code]}：{detail}" if detail else codes.EXCHANGE_TEXTS[code]
        )


class NotForUsError(Exception):
    """The envelope is addressed to its own sender: the network gives it back as it is."""

    def __init__(self, origin: Envelope) -> None:
        super().__init__(origin.sender)
        self.origin = origin


class MessageRefusedError(Exception):
    """The message is refused as a whole: answered with a CEB900."""

    def __init__(self, reason: str, origin: Envelope, kind: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.origin = origin
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Opened:
    """A message that may be taken apart; ``unsigned`` tells that a needed signature is missing."""

    envelope: Envelope
    business: Business
    unsigned: bool = False


class SchemaBook:
    """The published schemas, compiled on first use from the project's schema files."""

    def __init__(self, edition: str) -> None:
        self._root = Path(str(importlib.resources.files("schemas")))
        self._edition = edition
        self._compiled: dict[str, etree.XMLSchema] = {}

    def fault(self, name: str, root: etree._Element) -> str:
        """Return the first schema fault of a document, empty when there is none."""
        schema = self._compiled.get(name)
        if schema is None:
            schema = self._compiled[name] = etree.XMLSchema(file=str(self._path(name)))
        if schema.validate(root):
            return ""
        fault = schema.error_log.last_error if not len(schema.error_log) else schema.error_log[0]
        return "Schema" if fault is None else f"{fault.path}: {fault.message}"

    def _path(self, name: str) -> Path:
        if name.startswith("CEB"):
            return self._root / "ceb" / self._edition / f"{name}.xsd"
        return next(iter(sorted((self._root / "dxp").rglob(f"{name}.xsd"))))


class Gate:
    """Opens envelopes under the settings; raises what is above for those that go no further."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._schemas = SchemaBook(settings.edition)
        self._verifier = SignatureVerifier()
        self._refused: set[str] = set()

    def open(self, data: bytes, now: datetime) -> Opened:
        """Open one envelope; raises ExchangeRefusedError or MessageRefusedError."""
        if self._settings.checking:
            opened = self._open_checked(data, now)
        else:
            opened = _open_plain(data)
        self._refuse_bad_records(opened)
        return opened

    def _open_checked(self, data: bytes, now: datetime) -> Opened:
        envelope = self._envelope(data)
        settings = self._settings
        if settings.enterprises is not None and envelope.sender not in settings.enterprises:
            raise ExchangeRefusedError("1999", envelope.sender, envelope)
        if envelope.receivers == (envelope.sender,):
            raise NotForUsError(envelope)
        ours = {settings.customs_id}
        if envelope.msg_type in {one for one in Kind if one.is_export}:
            ours.add(settings.export_id)
        if ours.isdisjoint(envelope.receivers):
            raise ExchangeRefusedError("2001", ",".join(envelope.receivers), envelope)
        try:
            root = messages.parse(envelope.data)
        except UnreadableError as fault:
            raise MessageRefusedError(f"报文无法解析：{fault}", envelope, "Unknown") from fault
        kind = messages.message_type(root) or "Unknown"
        if kind not in set(Kind):
            raise MessageRefusedError("报文类型不支持", envelope, kind)
        if envelope.msg_type not in {"", kind}:
            raise MessageRefusedError("报文类型与信封不一致", envelope, kind)
        fault_text = self._schemas.fault(kind, root)
        if fault_text:
            raise MessageRefusedError(f"Schema校验失败：{fault_text}", envelope, kind)
        business = messages.read_business(root)
        if business.dxp_id != envelope.sender:
            raise MessageRefusedError("BaseTransfer.dxpId与发送方不一致", envelope, kind)
        declares = any(paper.get("appStatus") == "2" for paper in business.papers)
        if has_signature(root):
            self._check_signature(root, envelope, now)
            return Opened(envelope, business)
        return Opened(envelope, business, unsigned=declares)

    def _envelope(self, data: bytes) -> Envelope:
        try:
            root = messages.parse(data)
            envelope = messages.read_envelope(root)
        except UnreadableError as fault:
            raise ExchangeRefusedError("0001", str(fault), _guess(data)) from fault
        fault_text = self._schemas.fault("DxpMsg", root)
        if fault_text:
            raise ExchangeRefusedError("0002", fault_text, envelope)
        return envelope

    def _check_signature(self, root: etree._Element, envelope: Envelope, now: datetime) -> None:
        settings = self._settings
        registered = None
        if not settings.any_certificate and settings.enterprises is not None:
            registered = settings.enterprises[envelope.sender].certificates
        elif not settings.any_certificate:
            registered = {}
        try:
            self._verifier.check(root, registered, now)
        except SignatureRefusedError as fault:
            raise ExchangeRefusedError(fault.code, fault.reason, envelope) from fault

    def _refuse_bad_records(self, opened: Opened) -> None:
        for paper in opened.business.papers:
            scenario = parse_scenario(_asked_by(paper))
            if scenario.name is ScenarioName.EXCHANGE:
                self._refuse_exchange(scenario.code, paper.get("guid"), opened.envelope)
        for number, paper in enumerate(opened.business.papers, start=1):
            if parse_scenario(_asked_by(paper)).name is ScenarioName.BADRECORD:
                raise MessageRefusedError(
                    f"报文格式校验失败：第{number}条记录",
                    opened.envelope,
                    opened.business.kind.value,
                )

    def _refuse_exchange(self, code: str, guid: str, envelope: Envelope) -> None:
        """Let the exchange platform refuse a record's message: trouble of its own (3xxx) only the
        first time.
        """
        if code.startswith("3"):
            if guid in self._refused:
                return
            self._refused.add(guid)
        raise ExchangeRefusedError(code, "", envelope)


def _asked_by(paper: Paper) -> str:
    """Return the number that selects a scenario: the order's, of a 505 the waybill's own."""
    return paper.get("orderNo") or paper.get("logisticsNo")


def _open_plain(data: bytes) -> Opened:
    try:
        envelope = messages.scan_envelope(data)
    except UnreadableError as fault:
        raise ExchangeRefusedError("0001", str(fault), _guess(data)) from fault
    try:
        return Opened(envelope, messages.scan_business(envelope.data))
    except UnreadableError as fault:
        raise MessageRefusedError(str(fault), envelope, "Unknown") from fault


def _guess(data: bytes) -> Envelope:
    """Find the addresses in an envelope that cannot be read, for the answer's sake."""
    found = {
        name: match[1].decode("ascii", "replace")
        for name in ("CopMsgId", "SenderId", "MsgType")
        if (match := re.search(rb"<(?:\w+:)?" + name.encode() + rb">([^<]{1,255})<", data[:4096]))
    }
    return Envelope(
        found.get("CopMsgId", ""), found.get("SenderId", ""), (), found.get("MsgType", ""), "", b""
    )
