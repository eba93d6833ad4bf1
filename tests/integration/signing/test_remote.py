"""Keys behind an HTTP service that signs."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from signing import RemoteKey, RemoteSettings, SigningError, sign, verify_own
from signing.der import der_of_raw
from signing.errors import (
    AccessRefused,
    AgentUnreachable,
    CallRefused,
    DeviceSlow,
    KeyFailed,
    ReplyForeign,
    SettingError,
    SignatureForeign,
    SignatureIsDER,
)
from tests.unit.signing.make import BODY, file_key, new_key
from tests.unit.signing.make_sm2 import sm2_key

Answer = tuple[int, bytes]
TOKEN = "made-up-token"


class Service(BaseHTTPRequestHandler):
    behave: Callable[[dict[str, Any]], Answer]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, content = 401, b"{}"
        if self.headers["Authorization"] == f"Bearer {TOKEN}":
            status, content = type(self).behave(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def address() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Service)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/sign"
    server.shutdown()
    server.server_close()
    thread.join(5)


def behave(answer: Callable[[dict[str, Any]], Answer]) -> None:
    Service.behave = staticmethod(answer)


def reply(value: object, **more: object) -> Answer:
    return 200, json.dumps({"signature": value, **more}).encode()


def text(signature: bytes) -> str:
    return base64.b64encode(signature).decode()


def honest(body: dict[str, Any]) -> Answer:
    assert body["key"] == "ring-1"
    data = base64.b64decode(body["data"], validate=True)
    held = file_key().certificate.der_base64.decode()
    return reply(text(file_key().sign(data)), certificate=held)


def remote(address: str, **changes: Any) -> RemoteKey:
    made = {"key": "ring-1", "token": TOKEN, "certificate": file_key().certificate, **changes}
    return RemoteKey("remote", RemoteSettings(address, **made))


def test_a_document_is_signed_by_a_service(address: str) -> None:
    behave(honest)
    key = remote(address)
    verify_own(sign(BODY, key, canonical=True), key)
    assert TOKEN not in repr(key._settings)


@pytest.mark.parametrize(
    "answer, refused",
    [
        (lambda _: (403, b""), AccessRefused),
        (lambda _: (422, b""), CallRefused),
        (lambda _: (404, b""), CallRefused),
        (lambda _: (429, b""), AgentUnreachable),
        (lambda _: (503, b""), AgentUnreachable),
        (lambda _: (200, b"<html>"), ReplyForeign),
        (lambda _: (200, b"[]"), ReplyForeign),
        (lambda _: (200, b" " * 70_000), ReplyForeign),
        (lambda _: reply(None), KeyFailed),
        (lambda _: reply("AAAA"), KeyFailed),
        (lambda _: reply("not base64"), KeyFailed),
        (lambda _: reply(text(file_key().sign(b"another"))), SignatureForeign),
        (lambda _: reply(text(b"\1" * 256)), SignatureForeign),
        (
            lambda _: reply(
                text(b"\1" * 256), certificate=new_key(0x9).certificate.der_base64.decode()
            ),
            SignatureForeign,
        ),
        (lambda _: reply(text(b"\1" * 256), certificate="AAAA"), SignatureForeign),
    ],
)
def test_each_fault_has_its_error(
    address: str, answer: Callable[[dict[str, Any]], Answer], refused: type[SigningError]
) -> None:
    behave(answer)
    with pytest.raises(refused) as raised:
        remote(address).sign(b"data")
    assert type(raised.value) is refused


def test_wrong_credentials_silence_and_absence(address: str) -> None:
    behave(honest)
    with pytest.raises(AccessRefused):
        remote(address, token="wrong").sign(b"data")

    def slow(_: dict[str, Any]) -> Answer:
        time.sleep(0.5)
        return 200, b"{}"

    behave(slow)
    with pytest.raises(DeviceSlow):
        remote(address, timeout_ms=100).sign(b"data")
    with pytest.raises(AgentUnreachable):
        remote("http://127.0.0.1:1/sign").sign(b"data")


def test_an_sm2_service_that_answers_der(address: str) -> None:
    def by_der(body: dict[str, Any]) -> Answer:
        return reply(text(der_of_raw(sm2_key().sign(base64.b64decode(body["data"])))))

    behave(by_der)
    with pytest.raises(SignatureIsDER):
        remote(address, certificate=sm2_key().certificate).sign(b"data")
    key = remote(address, certificate=sm2_key().certificate, converts_der=True)
    verify_own(sign(BODY, key, canonical=True), key)


@pytest.mark.parametrize("url", ["http://example.com/sign", "ftp://127.0.0.1/", "sign", ""])
def test_plain_http_is_for_this_machine_only(url: str) -> None:
    with pytest.raises(SettingError):
        remote(url)
    assert remote("https://example.com/sign?a=1")._path == "/sign?a=1"
