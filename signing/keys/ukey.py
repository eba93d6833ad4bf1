"""UKeys and IC cards through the e-port client control, which serves a local WebSocket.

Facts: the vendor's EportClient.js. The request's key is `args`, the reply's `_args`; `_status` is
"00" even on failure, so `_args.Result` decides. The vendor routes replies by method and not by id,
so one call is in flight on a connection and every call has an id of its own.
"""

import json
import re
import ssl
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from signing.certificate import Certificate
from signing.errors import (
    AgentUnreachable,
    CallRefused,
    CertificateUnreadable,
    DeviceFailed,
    DeviceMissing,
    DeviceSlow,
    EnterpriseForeign,
    KeyFailed,
    PinLocked,
    PinWrong,
    ReaderReset,
    ReplyForeign,
    SigningKeyError,
)
from signing.keys.made import decoded, is_made_by, raw_signature
from signing.keys.pin import Pin
from signing.profiles import profile_for

DEFAULT_URL: Final = "ws://127.0.0.1:61232"
"""Where the control listens for http pages and servers."""

_PREFIX: Final = "cus-sec_"
_CODE: Final = re.compile(r"Err:\s*([A-Za-z]{2,12}\d{3,8})")
_PIN_WORDS: Final = re.compile(r"PIN(?![A-Za-z])|密码|口令", re.IGNORECASE)
_LOCK_WORDS: Final = re.compile(r"lock|锁", re.IGNORECASE)
_REPLY_BYTES: Final = 256 * 1024
_ERRORS: Final[dict[str, type[SigningKeyError]]] = {
    "Custom50070": ReaderReset,
    "Custom50200": DeviceMissing,
    "Custom51590": DeviceMissing,
    "Base60408": AgentUnreachable,
    "Base50000": CallRefused,
}


@dataclass(frozen=True, slots=True)
class UKeySettings:
    """One agent. `pin` may be left out where the card stays open after a person's log-in.

    `tls` is for `wss` addresses, whose certificate is the vendor's; None takes the system's trust.
    """

    url: str = DEFAULT_URL
    pin: Pin | None = field(default=None, repr=False)
    open_timeout_ms: int = 3_000
    call_timeout_ms: int = 10_000
    converts_der: bool = False
    enterprises: frozenset[str] = frozenset()
    """Codes of the enterprise whose card it must be; empty where nobody said."""
    tls: ssl.SSLContext | None = None


class UKeyAgent:
    """One connection to a control, made when it is needed and dropped on every doubt."""

    def __init__(self, settings: UKeySettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._connection: ClientConnection | None = None
        self._held = ExitStack()
        self._last_id = 0

    def call(self, method: str, **arguments: str) -> Sequence[Any]:
        """Return `Data` of a successful reply (Any: JSON). Blocks; callers wait for each other.

        Raises the error that the control's code stands for, `AgentUnreachable`, `DeviceSlow`, or
        `ReplyForeign` when what came is no answer to this call.
        """
        with self._lock:
            try:
                return self._call(_PREFIX + method, arguments)
            except (AgentUnreachable, DeviceSlow, ReplyForeign):
                # A late answer must not meet the next question.
                self._drop()
                raise

    def close(self) -> None:
        """Close the connection; a later call makes a new one."""
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        self._connection = None
        with suppress(OSError, WebSocketException):
            self._held.close()

    def _connected(self) -> ClientConnection:
        if self._connection is None:
            settings = self._settings
            try:
                self._connection = self._held.enter_context(
                    connect(
                        settings.url,
                        ssl=settings.tls,
                        open_timeout=settings.open_timeout_ms / 1000,
                        close_timeout=1,
                        ping_interval=None,
                        max_size=_REPLY_BYTES,
                        compression=None,
                        proxy=None,
                    )
                )
            except (OSError, TimeoutError, WebSocketException) as error:
                raise AgentUnreachable(type(error).__name__) from error
        return self._connection

    def _call(self, method: str, arguments: dict[str, str]) -> Sequence[Any]:
        connection = self._connected()
        self._last_id += 1
        request = {"_method": method, "_id": self._last_id, "args": arguments}
        until_ns = time.monotonic_ns() + self._settings.call_timeout_ms * 1_000_000
        try:
            connection.send(json.dumps(request, ensure_ascii=False))
            while True:
                frame = connection.recv(
                    timeout=max(0, until_ns - time.monotonic_ns()) / 1_000_000_000
                )
                reply = _answer(frame, method, self._last_id)
                if reply is not None:
                    return _data(reply)
        except TimeoutError as error:
            raise DeviceSlow from error
        except (OSError, WebSocketException) as error:
            raise AgentUnreachable(type(error).__name__) from error


def _answer(frame: str | bytes, method: str, call_id: int) -> dict[str, Any] | None:
    """Return the answer in a frame, None for one that is not for this call.

    Some controls answer without envelope: as one call is in flight, that is this call's answer.
    """
    try:
        reply = json.loads(frame)
    except ValueError as error:
        raise ReplyForeign("not JSON") from error
    if not isinstance(reply, dict):
        raise ReplyForeign("not an object")
    if "Result" in reply and "_id" not in reply:
        return reply
    if reply.get("_method") == "open" or reply.get("_id") != call_id:
        return None
    if reply.get("_method", method) != method:
        raise ReplyForeign("method")
    arguments = reply.get("_args")
    if not isinstance(arguments, dict):
        raise ReplyForeign("no _args")
    return arguments


def _data(reply: dict[str, Any]) -> Sequence[Any]:
    if reply.get("Result") is not True:
        raise error_of(reply.get("Error"))
    data = reply.get("Data")
    return data if isinstance(data, list) else [data]


def error_of(told: object) -> SigningKeyError:
    """Return the error for what a control tells: `[human text, "Err:<code>"]`.

    Its text may name a person and is not repeated. A code that is not known counts as final for the
    device; so do PIN errors, whose codes are not published and which are known by their words.
    """
    text = " ".join(map(str, told)) if isinstance(told, list) else str(told)
    found = _CODE.search(text)
    code = found[1] if found else ""
    if code in _ERRORS:
        return _ERRORS[code](code)
    if _PIN_WORDS.search(text):
        return (PinLocked if _LOCK_WORDS.search(text) else PinWrong)(code)
    return DeviceFailed(code)


class UKey:
    """A key in a UKey or card behind one agent. Never two calls at once, whoever asks."""

    def __init__(
        self, name: str, agent: UKeyAgent, settings: UKeySettings, certificate: Certificate,
        key_name: str,
    ) -> None:  # fmt: skip
        self.name = name
        self.certificate = certificate
        self.key_name = key_name
        self._agent = agent
        self._settings = settings
        # One hash of many calls: the PIN is decided on and used without another call between.
        self._signing = threading.Lock()

    def sign(self, data: bytes) -> bytes:
        """Sign as `Key.sign` says; the control hashes the text it is given.

        What comes back is checked against the certificate, so a reply that belongs to another call
        or another card is never used. Raises as `UKeyAgent.call`, `PinWrong` before the device is
        asked when it refused this PIN before, `DeviceMissing` for another card.
        """
        with self._signing:
            arguments = {"inData": data.decode()}
            if self._settings.pin is not None:
                arguments["passwd"] = self._settings.pin.use()
            try:
                reply = self._agent.call("SpcSignDataAsPEM", **arguments)
            except (PinWrong, PinLocked):
                if self._settings.pin is not None:
                    self._settings.pin.refuse()
                raise
            return self._checked(reply, data)

    def _checked(self, reply: Sequence[Any], data: bytes) -> bytes:
        value = decoded(reply[0] if reply else None)
        signature = raw_signature(self.certificate, value, converts_der=self._settings.converts_der)
        if len(reply) > 1 and str(reply[1]).lower() != self.key_name.lower():
            raise DeviceMissing("another certificate number")
        if not is_made_by(self.certificate, signature, data):
            self._agent.close()
            raise ReplyForeign("signature")
        return signature

    def close(self) -> None:
        """Let the agent go."""
        self._agent.close()


def open_ukey(name: str, settings: UKeySettings) -> UKey:
    """Ask the control for certificate and number and return the key.

    Raises as `UKeyAgent.call`, `CertificateUnreadable`, `KeyUnsupported`, and `EnterpriseForeign`
    for a card of another enterprise.
    """
    agent = UKeyAgent(settings)
    try:
        told = agent.call("SpcGetSignCertAsPEM")
        certificate = _read_certificate(told[0] if told else None)
        numbers = agent.call("SpcGetCertNo")
        number = str(numbers[0]).strip() if numbers else ""
        profile_for(certificate)
        _require_owner(agent, settings.enterprises)
        if int(number or "0", 16) != certificate.parsed.serial_number:
            raise DeviceMissing("its number is not its certificate's")
    except ValueError as error:
        agent.close()
        raise KeyFailed("certificate number") from error
    except SigningKeyError:
        agent.close()
        raise
    return UKey(name, agent, settings, certificate, number.lower())


def _require_owner(agent: UKeyAgent, enterprises: frozenset[str]) -> None:
    """Compare the card's own enterprise id with the wanted ones; an old control may know none."""
    if not enterprises:
        return
    try:
        told = agent.call("SpcGetEntID")
    except CallRefused:
        return
    code = str(told[0]).strip() if told else ""
    if code and code not in enterprises:
        raise EnterpriseForeign("the card's own enterprise id")


def enterprise_of(agent: UKeyAgent) -> tuple[str, str]:
    """Return the id and the name of the enterprise that the card says it belongs to."""
    found = [agent.call(method) for method in ("SpcGetEntID", "SpcGetEntName")]
    code, name = (str(data[0]).strip() if data else "" for data in found)
    return code, name


def _read_certificate(text: object) -> Certificate:
    if not isinstance(text, str):
        raise CertificateUnreadable
    if text.startswith("-----BEGIN"):
        return Certificate.from_pem(text.encode())
    return Certificate.from_base64("".join(text.split()))
