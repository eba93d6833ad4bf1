"""A simulated e-port client control with one key in it, and the real one's faults.

It knows the vendor's WebSocket calls and nothing of ours: its key, its PIN counter and its hashing
are its own (SM2 by the openssl command). It answers one call at a time; a second one on its way to
the same card is counted in `overlaps`, and the two replies are crossed as the vendor's page would.
"""

import asyncio
import base64
import json
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

PIN_TRIES: Final = 5
_PREFIX: Final = "cus-sec_"
_SM2_ID: Final = "1234567812345678"


class Fault(StrEnum):
    """What is wrong with the control or its card."""

    NONE = "none"
    LIGHT_OFF = "light-off"
    OTHER_CARD = "other-card"
    READER_RESET = "reader-reset"
    UNKNOWN = "unknown"
    HANG = "hang"
    CROSSED = "crossed"
    STALE_FIRST = "stale-first"
    FOREIGN_SIGNATURE = "foreign-signature"
    TRUNCATED = "truncated"
    DER = "der"
    BARE = "bare"
    NOT_JSON = "not-json"
    DROP = "drop"


@dataclass(slots=True)
class Card:
    """The card: key and certificate as PEM, its PIN, whose it is."""

    key_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)
    pin: str = "000000"
    number: str = ""
    enterprise_id: str = "3301000001"
    enterprise_name: str = "示例企业"
    tries_left: int = PIN_TRIES


@dataclass(slots=True)
class Control:
    """The control and what it has seen. `fault` may be changed while it runs.

    `seconds_a_signature` is the card's pace: 0.25 is the official four a second.
    """

    card: Card
    fault: Fault = Fault.NONE
    seconds_a_signature: float = 0.0
    pushes_open: bool = True
    calls: list[str] = field(default_factory=list)
    signatures: int = 0
    pin_tries: int = 0
    overlaps: int = 0
    port: int = 0
    _busy: int = 0
    _card_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator["Control"]:
        """Serve on loopback until left."""
        server: Server
        async with serve(self._serve, "127.0.0.1", port, compression=None) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield self

    async def _serve(self, connection: ServerConnection) -> None:
        if self.pushes_open:
            pushed = {"_id": 0, "_method": "open", "_status": "00", "_args": {"Result": True}}
            await connection.send(json.dumps(pushed))
        with suppress(ConnectionClosed):
            async with asyncio.TaskGroup() as tasks:
                async for frame in connection:
                    tasks.create_task(self._answer(connection, frame))

    async def _answer(self, connection: ServerConnection, frame: str | bytes) -> None:
        self._busy += 1
        crossed = self._busy > 1
        self.overlaps += crossed
        try:
            with suppress(ConnectionClosed):
                await self._reply(connection, frame, crossed or self.fault is Fault.CROSSED)
        finally:
            self._busy -= 1

    async def _reply(self, connection: ServerConnection, frame: str | bytes, crossed: bool) -> None:
        request = _request(frame)
        if request is None:
            await connection.send(json.dumps(_envelope(-1, "", _failure("参数错误", "Base50000"))))
            return
        method, call_id, arguments = request
        self.calls.append(method)
        if self.fault is Fault.HANG:
            return
        if self.fault is Fault.DROP:
            await connection.close()
            return
        if self.fault is Fault.NOT_JSON:
            await connection.send("<html>busy</html>")
            return
        async with self._card_lock:
            result = await self._do(method, arguments)
        if self.fault is Fault.STALE_FIRST:
            old = _envelope(call_id + 1000, _PREFIX + method, _success("c3RhbGU=", "00000000"))
            await connection.send(json.dumps(old))
        if self.fault is Fault.BARE:
            await connection.send(json.dumps(result))
            return
        name = "SpcVerifyPIN" if crossed else method
        await connection.send(json.dumps(_envelope(call_id, _PREFIX + name, result)))

    async def _do(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        broken = {
            Fault.LIGHT_OFF: _failure("打开读卡器失败，请插入卡介质", "Custom50200"),
            Fault.OTHER_CARD: _failure("未插入卡介质或非绑定的卡介质", "Custom51590"),
            Fault.READER_RESET: _failure("读卡器复位错误", "Custom50070"),
            Fault.UNKNOWN: _failure("未知错误 张三", "Custom59999"),
        }.get(self.fault)
        if broken is not None:
            return broken
        match method:
            case "SpcSignDataAsPEM":
                return await self._sign(arguments)
            case "SpcGetSignCertAsPEM":
                der = _certificate(self.card).public_bytes(Encoding.DER)
                return _success(base64.b64encode(der).decode())
            case "SpcGetCertNo":
                return _success(self._number())
            case "SpcGetEntID":
                return _success(self.card.enterprise_id)
            case "SpcGetEntName":
                return _success(self.card.enterprise_name)
            case "SpcVerifyPIN":
                return self._pin_fault(arguments) or _success("")
            case _:
                return _failure("参数错误", "Base50000")

    def _number(self) -> str:
        serial = f"{_certificate(self.card).serial_number:x}"
        return self.card.number or serial.zfill(8 if len(serial) <= 8 else 16)

    def _pin_fault(self, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """Count a try with a PIN; the card locks when none is left."""
        given = arguments.get("passwd")
        if given is None:
            return None
        self.pin_tries += 1
        if self.card.tries_left == 0:
            return _failure("PIN码已锁死", "Custom50042")
        if given != self.card.pin:
            self.card.tries_left -= 1
            locked = self.card.tries_left == 0
            return _failure("PIN码已锁死" if locked else "PIN码错误", "Custom50041")
        self.card.tries_left = PIN_TRIES
        return None

    async def _sign(self, arguments: dict[str, Any]) -> dict[str, Any]:
        text = arguments.get("inData")
        if not isinstance(text, str) or not text:
            return _failure("参数错误", "Base50000")
        if (refused := self._pin_fault(arguments)) is not None:
            return refused
        loop = asyncio.get_running_loop()
        ready_at = loop.time() + self.seconds_a_signature
        data = text.encode()
        if self.fault is Fault.FOREIGN_SIGNATURE:
            data += b"\n"
        signature = await asyncio.to_thread(_signature, self.card, data, self.fault is Fault.DER)
        await asyncio.sleep(ready_at - loop.time())
        self.signatures += 1
        value = base64.b64encode(signature).decode()
        return _success(value[:-7] if self.fault is Fault.TRUNCATED else value, self._number())


def _request(frame: str | bytes) -> tuple[str, int, dict[str, Any]] | None:
    """Method without prefix, id and arguments, if the frame is a call of the vendor's shape."""
    try:
        request = json.loads(frame)
        method, call_id = request["_method"], request["_id"]
        arguments = request["args"]
    except (ValueError, KeyError, TypeError):
        return None
    is_call = (
        isinstance(frame, str)
        and isinstance(method, str)
        and method.startswith(_PREFIX)
        and type(call_id) is int
        and call_id > 0
        and isinstance(arguments, dict)
        and set(request) == {"_method", "_id", "args"}
    )
    return (method.removeprefix(_PREFIX), call_id, arguments) if is_call else None


def _envelope(call_id: int, method: str, result: dict[str, Any]) -> dict[str, Any]:
    # The status is "00" whatever became of the call.
    return {"_id": call_id, "_method": method, "_status": "00", "_args": result}


def _success(*data: str) -> dict[str, Any]:
    return {"Result": True, "Data": list(data), "Error": []}


def _failure(text: str, code: str) -> dict[str, Any]:
    return {"Result": False, "Data": [], "Error": [text, f"Err:{code}"]}


def _certificate(card: Card) -> x509.Certificate:
    return x509.load_pem_x509_certificate(card.certificate_pem)


@lru_cache(maxsize=8)
def _rsa_key(pem: bytes) -> object:
    """The key of a card; None for SM2, its other kind. Reading it checks it, which takes long."""
    try:
        return load_pem_private_key(pem, None)
    except (ValueError, UnsupportedAlgorithm):
        return None


def _signature(card: Card, data: bytes, as_der: bool) -> bytes:
    private = _rsa_key(card.key_pem)
    if isinstance(private, rsa.RSAPrivateKey):
        return private.sign(data, padding.PKCS1v15(), SHA1())  # noqa: S303
    der = _by_openssl(card, data)
    if as_der:
        return der
    r, s = decode_dss_signature(der)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _by_openssl(card: Card, data: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as place:
        key, text = Path(place) / "key.pem", Path(place) / "data"
        key.write_bytes(card.key_pem)
        text.write_bytes(data)
        command = ["openssl", "pkeyutl", "-sign", "-inkey", str(key), "-in", str(text), "-rawin"]
        options = ["-digest", "sm3", "-pkeyopt", f"distid:{_SM2_ID}"]
        done = subprocess.run([*command, *options], capture_output=True, check=True)  # noqa: S603
        return done.stdout
